"""Right answers in other words: the solved master with its code rewritten in ways that change nothing that counts."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograder.authoring.audit.editing import body_of, functions_of, statements, without_docstrings
from autograder.authoring.audit.observing import ARRAYS, Observed
from autograder.authoring.audit.solved import SolvedCell, numpy_name, parsed
from autograder.authoring.audit.stock import parameter_forms


@dataclass(frozen=True)
class Alternate:
    """A right answer: what is different about it, and its code cells."""

    name: str
    cells: tuple[str, ...]


Rewriting = Callable[[ast.Module], ast.Module]


def alternates(cells: Sequence[SolvedCell], observed: Observed) -> tuple[Alternate, ...]:
    """The solved master in other words: each rewriting is made in all rows at once."""
    numpy = numpy_name(cells)
    trees = {cell.row: without_docstrings(parsed(cell.source)) for cell in cells if cell.row}
    made = [Alternate("without docstrings and comments", _rewritten(cells, trees, lambda tree: tree))]
    rewritings: list[tuple[str, Rewriting]] = [
        ("local names changed", _each_function(_locals_renamed)),
        ("operands of + and × swapped", _nodes(_Swapped())),
        ("x*x for x**2", _nodes(_Products())),
        ("results kept in a name before they are returned", _nodes(_KeptResults())),
        ("lists returned for tuples", _nodes(_Lists())),
        ("unused statements and prints", _each_function(_chatty)),
        ("type hints", _each_function(_annotated)),
        ("behind a decorator", _decorated),
        ("made by a function that returns them", _enclosed),
        ("static methods of a class", _in_a_class),
        ("more optional arguments", _each_function(_with_another_option)),
        ("called through *args and **kwargs", _starred),
        ("a wrong version first, then the right one", _after_a_wrong_one),
    ]
    if numpy:
        rewritings += [
            ("NumPy's functions for operators", _nodes(_Ufuncs(numpy))),
            ("expand_dims for keepdims", _nodes(_Expanded(numpy))),
            ("arrays copied first", _each_function(lambda function: _copying(function, observed, numpy))),
            ("everything in a block that silences warnings", _each_function(lambda f: _within_errstate(f, numpy))),
        ]
    made += [Alternate(name, _rewritten(cells, trees, rewrite)) for name, rewrite in rewritings]
    sources = tuple(cell.source for cell in cells)
    rows = [cell.source for cell in cells if cell.row]
    others = [cell.source for cell in cells if not cell.row]
    mentioned = {name for cell in cells for name in cell.mentions}
    harmless = [name for name in ("sum", "max", "list", "input", "id", "str") if name not in mentioned]
    noise = "import sys, warnings\nwarnings.warn('mine')\nprint('about to start', file=sys.stderr)"
    shadows = "\n".join(f"{name} = 0" for name in harmless)
    if all(isinstance(node, ast.FunctionDef | ast.Import) for tree in trees.values() for node in tree.body):
        made.append(Alternate("the rows from last to first", (*others, *reversed(rows))))
    made += [
        Alternate("a statement a cell", tuple(part for source in sources for part in _split(source))),
        Alternate("all in one cell", ("\n\n".join(sources),)),
        Alternate("cells that fail, warn and print between", (noise, *(p for s in sources for p in (s, "1 / 0")))),
        Alternate("built-in names that are not used, overwritten", (*sources, shadows)),
    ]
    return tuple(made)


def _rewritten(cells: Sequence[SolvedCell], trees: Mapping[str, ast.Module], rewrite: Rewriting) -> tuple[str, ...]:
    def source(cell: SolvedCell) -> str:
        if not cell.row:
            return cell.source
        return ast.unparse(ast.fix_missing_locations(rewrite(copy.deepcopy(trees[cell.row]))))

    return tuple(map(source, cells))


def _split(source: str) -> Iterator[str]:
    for statement in parsed(source).body:
        yield ast.unparse(statement)


# Rewriting nodes


def _nodes(transformer: ast.NodeTransformer) -> Rewriting:
    return transformer.visit


def _may_commute(node: ast.expr) -> bool:
    """Whether it can be a number or an array: text and lists are added in their order."""
    texts = ast.List, ast.Tuple, ast.JoinedStr, ast.ListComp, ast.Dict
    return not isinstance(node, texts) and not (isinstance(node, ast.Constant) and isinstance(node.value, str))


class _Swapped(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.Add | ast.Mult) and _may_commute(node.left) and _may_commute(node.right):
            return ast.BinOp(node.right, node.op, node.left)
        return node


class _Products(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.BinOp(ast.Name() as base, ast.Pow(), ast.Constant(2)):
                return ast.BinOp(base, ast.Mult(), base)
        return node


class _KeptResults(ast.NodeTransformer):
    def visit_Return(self, node: ast.Return) -> list[ast.stmt]:
        kept = ast.Assign([ast.Name("the_result", ast.Store())], node.value or ast.Constant(None))
        return [kept, ast.Return(ast.Name("the_result", ast.Load()))]


class _Lists(ast.NodeTransformer):
    def visit_Return(self, node: ast.Return) -> ast.Return:
        if isinstance(node.value, ast.Tuple):
            return ast.Return(ast.List(node.value.elts, ast.Load()))
        return node


class _Ufuncs(ast.NodeTransformer):
    """Arithmetic in what is returned or assigned, through functions; indices stay Python's."""

    _NAMES = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.MatMult: "matmul"}  # noqa: RUF012

    def __init__(self, numpy: str) -> None:
        self.numpy = numpy

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        name = self._NAMES.get(type(node.op))
        if name and _may_commute(node.left) and _may_commute(node.right):
            function = ast.Attribute(ast.Name(self.numpy, ast.Load()), name, ast.Load())
            return ast.Call(function, [node.left, node.right], [])
        return node


class _Expanded(ast.NodeTransformer):
    def __init__(self, numpy: str) -> None:
        self.numpy = numpy

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        options = {keyword.arg: keyword.value for keyword in node.keywords}
        if "axis" in options and "keepdims" in options:
            rest = [keyword for keyword in node.keywords if keyword.arg != "keepdims"]
            function = ast.Attribute(ast.Name(self.numpy, ast.Load()), "expand_dims", ast.Load())
            axis = ast.keyword("axis", options["axis"])
            return ast.Call(function, [ast.Call(node.func, node.args, rest)], [axis])
        return node


# Rewriting functions


def _each_function(rewrite: Callable[[ast.FunctionDef], ast.FunctionDef]) -> Rewriting:
    def rewritten(tree: ast.Module) -> ast.Module:
        tree.body = [rewrite(node) if isinstance(node, ast.FunctionDef) else node for node in tree.body]
        return tree

    return rewritten


def _locals_renamed(function: ast.FunctionDef) -> ast.FunctionDef:
    kept = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    for node in ast.walk(function):
        if isinstance(node, ast.Global | ast.Nonlocal):
            kept |= set(node.names)
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    local = {node.id for node in names if isinstance(node.ctx, ast.Store)} - kept
    for node in names:
        if node.id in local:
            node.id = f"my_{node.id}"
    return function


def _with_start(function: ast.FunctionDef, code: str) -> ast.FunctionDef:
    function.body = [*statements(code), *function.body]
    return function


def _chatty(function: ast.FunctionDef) -> ast.FunctionDef:
    return _with_start(function, f"unused = [0.0] * 10\nprint('called', {function.name!r})\n'a comment of sorts'")


def _annotated(function: ast.FunctionDef) -> ast.FunctionDef:
    for each in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs):
        each.annotation = ast.Constant("np.ndarray | float | None")
    function.returns = ast.Constant("object")
    return function


def _with_another_option(function: ast.FunctionDef) -> ast.FunctionDef:
    function.args.kwonlyargs.append(ast.arg("verbose"))
    function.args.kw_defaults.append(ast.Constant(False))
    return function


def _copying(function: ast.FunctionDef, observed: Observed, numpy: str) -> ast.FunctionDef:
    forms = parameter_forms(function.name, function, observed)
    arrays = [name for name, form in forms.items() if form in (*ARRAYS, "integers")]
    return _with_start(function, "\n".join(f"{name} = {numpy}.array({name})" for name in arrays))


def _within_errstate(function: ast.FunctionDef, numpy: str) -> ast.FunctionDef:
    (block,) = statements(f"with {numpy}.errstate(all='ignore'):\n    pass")
    block.body = body_of(function)  # type: ignore[attr-defined]
    function.body = [block]
    return function


# Rewriting cells


def _decorated(tree: ast.Module) -> ast.Module:
    before = statements(
        "import functools\n\n\n"
        "def traced(function):\n"
        "    @functools.wraps(function)\n"
        "    def inner(*args, **kwargs):\n"
        "        return function(*args, **kwargs)\n"
        "    return inner"
    )
    for function in functions_of(tree):
        function.decorator_list.append(ast.Name("traced", ast.Load()))
    tree.body = [*before, *tree.body]
    return tree


def _each_as(tree: ast.Module, code: Callable[[ast.FunctionDef], str]) -> ast.Module:
    """The cell with statements in the place of each function: ``pass`` in them stands for its definition."""
    body: list[ast.stmt] = []
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef):
            body.append(node)
            continue
        around = statements(code(node))
        inside: ast.FunctionDef | ast.ClassDef = around[0]  # type: ignore[assignment]
        inside.body = [node if isinstance(each, ast.Pass) else each for each in inside.body]
        body += around
    tree.body = body
    return tree


def _enclosed(tree: ast.Module) -> ast.Module:
    return _each_as(
        tree,
        lambda node: f"def make_{node.name}():\n    pass\n    return {node.name}\n{node.name} = make_{node.name}()",
    )


def _in_a_class(tree: ast.Module) -> ast.Module:
    for function in tree.body:
        if isinstance(function, ast.FunctionDef):
            function.decorator_list.append(ast.Name("staticmethod", ast.Load()))
    return _each_as(tree, lambda node: f"class Of_{node.name}:\n    pass\n{node.name} = Of_{node.name}.{node.name}")


def _starred(tree: ast.Module) -> ast.Module:
    return _each_as(
        tree,
        lambda node: (
            f"def make_{node.name}():\n    pass\n    return lambda *args, **kwargs: {node.name}(*args, **kwargs)\n"
            f"{node.name} = make_{node.name}()"
        ),
    )


def _after_a_wrong_one(tree: ast.Module) -> ast.Module:
    wrong = [statements(f"def {each.name}(*_):\n    return None")[0] for each in functions_of(tree)]
    tree.body = [*wrong, *tree.body]
    return tree
