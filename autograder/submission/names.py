"""Which names a code cell binds and reads, and which functions of a notebook may call which: by its text alone.

Where a cell cannot be understood, it counts as reading every word in it: it is better to keep a name that nobody needs
than to lose one that somebody does.
"""

from __future__ import annotations

import ast
import functools
import re
import symtable
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence

from autograder.course import MAGIC, without_magics

_STAR = "*"
LOOKED_AT = 50_000
"""Characters of the longest cell that is parsed, which takes some 500 bytes for each of them, outside the sandbox. What
was found is remembered: most cells are those of a release, the same in all submissions."""

LOOKED_AT_IN_ALL = 400_000
"""Characters of all code cells of a submission up to which they are looked through: more than anybody writes."""

_WORD = re.compile(r"[^\W\d]\w*")

ANYTHING = frozenset({"eval", "exec", "get_ipython", "globals", "locals", "vars", "__main__"})
"""Names with which a cell gets at others that do not stand in it."""
_EVALUATION_MODE = re.compile(r"\bdef\s+eval\(self\)|\.eval\(\)")
"""The method by which a network is switched to its mode for use: without arguments, so no name is in any of them."""

_SHOWING = frozenset({"print", "display", "plt", "pyplot", "show", "stdout", "stderr", "warn"})

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def parsed(source: str) -> ast.Module | None:
    """A cell as Python, its magics left out; None where it is none, or too long to look at."""
    if len(source) > LOOKED_AT:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(without_magics(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def only_defines(source: str) -> bool:
    """Whether a cell only defines functions and classes and imports."""
    tree = None if MAGIC.search(source) else parsed(source)
    defining = _Function | ast.ClassDef | ast.Import | ast.ImportFrom
    return tree is not None and all(isinstance(each, defining) for each in tree.body)


def only_asserts(source: str) -> bool:
    """Whether a cell shows nothing where its assertions hold: it prints nothing, and none of its values is shown."""
    tree = None if MAGIC.search(source) else parsed(source)
    if tree is None or not _words(source).isdisjoint(_SHOWING):
        return False
    return all(_is_silent(each.value) for each in tree.body if isinstance(each, ast.Expr))


def _is_silent(value: ast.expr) -> bool:
    match value:
        case ast.Constant(str()):
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name.startswith("assert")
    return False


def read_later(source: str, later: Sequence[str]) -> frozenset[str]:
    """The names that a cell binds and that one of the later cells may read."""
    names = binds(source)
    if _STAR in names:
        return names
    found: set[str] = set()
    looked_for = names | ANYTHING
    for each in later if names else ():
        if len(each) > LOOKED_AT:
            return names
        # To look for words is quick, and mostly enough.
        if not looked_for.isdisjoint(_words(each)):
            needed = reads(each)
            found |= names if needed is None else names & needed
    return frozenset(found)


def binds(source: str) -> frozenset[str]:
    """The names that a cell may bind or change for later cells: also those whose items or attributes it sets."""
    return frozenset({_STAR}) if len(source) > LOOKED_AT else _bound_by(source)


@functools.lru_cache(maxsize=500)
def _bound_by(source: str) -> frozenset[str]:
    tree = parsed(source)
    if tree is None:
        return _words(source)
    return frozenset(_bound(tree.body))


def reads(source: str) -> frozenset[str] | None:
    """The names that a cell may read and that it has not bound itself by then; None where that may be any name."""
    return None if len(source) > LOOKED_AT else _read_by(source)


@functools.lru_cache(maxsize=500)
def _read_by(source: str) -> frozenset[str] | None:
    words = _words(source)
    if not words.isdisjoint(ANYTHING) and not _words(_EVALUATION_MODE.sub("", source)).isdisjoint(ANYTHING):
        return None
    tree = parsed(source)
    if tree is None:
        return words
    found: set[str] = set()
    bound: set[str] = set()
    for statement in tree.body:
        found |= _read_at_once(statement) - bound
        bound |= _bound_for_sure(statement)
    try:
        found |= _read_in_functions(symtable.symtable(without_magics(source), "cell", "exec")) - bound
    except (SyntaxError, ValueError, RecursionError):
        return words
    # A magic may read any of its words, such as `%timeit softmax(z)`.
    return frozenset(found).union(*(_WORD.findall(line[0]) for line in MAGIC.finditer(source)))


def reads_when_called(source: str) -> frozenset[str]:
    """The global names that the functions and classes of a cell read; none where it cannot be told."""
    if len(source) > LOOKED_AT:
        return frozenset()
    try:
        return frozenset(_read_in_functions(symtable.symtable(without_magics(source), "cell", "exec")))
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()


@functools.lru_cache(maxsize=500)
def _words(source: str) -> frozenset[str]:
    return frozenset(_WORD.findall(source))


def uses(sources: Iterable[str]) -> Callable[[str], frozenset[str]]:
    """The names that a function of a notebook may come to use, itself or through others, by its name.

    Names that stand in one statement of a cell, outside functions, may lead to one another: what is a function may lie
    in a list. A function whose definition is not seen, or that gets at names in ways that cannot be seen, may use all.
    """
    direct: dict[str, set[str]] = {}
    for source in sources:
        tree = parsed(source)
        if tree is None:
            for name in _words(source[:LOOKED_AT]):
                direct.setdefault(name, set()).update(ANYTHING)
        for statement in () if tree is None else tree.body:
            words = {each.id for each in ast.walk(statement) if isinstance(each, ast.Name)}
            if isinstance(statement, _Function | ast.ClassDef):
                leading = {statement.name}
            else:
                leading = words.union(_bound([statement]))
            for name in leading:
                direct.setdefault(name, set()).update(words)
    everything = frozenset(direct).union(*direct.values())

    def used(function: str) -> frozenset[str]:
        found: set[str] = set()
        waiting = [function]
        while waiting:
            new = direct.get(waiting.pop(), set()) - found
            found |= new
            waiting.extend(new)
        hidden = function not in direct or not ANYTHING.isdisjoint(found)
        return (everything if hidden else frozenset(found)) - {function}

    return used


def _bound(body: Iterable[ast.AST]) -> Iterator[str]:
    """Names that statements bind or change, but for those that are local to a function."""
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
                yield from (each for inner in ast.walk(node) if isinstance(inner, ast.Global) for each in inner.names)
                continue
            case ast.Lambda():
                continue
            case ast.comprehension(target=target):
                # Its names end with it; an object whose item or attribute it sets stays.
                parts = (each for each in ast.walk(target) if isinstance(each, ast.Attribute | ast.Subscript))
                yield from (name for each in parts for name in _root(each))
                waiting.extend([node.iter, *node.ifs])
                continue
            case ast.alias(name=name, asname=asname):
                yield asname or name.partition(".")[0]
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name
            case ast.MatchMapping(rest=str(name)):
                yield name
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                yield from _root(node)
        waiting.extend(ast.iter_child_nodes(node))


def _root(node: ast.AST) -> Iterator[str]:
    """The name whose item or attribute this is, if it is one's."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id


def _read_at_once(*nodes: ast.AST) -> set[str]:
    """Names that statements or expressions read as they run, the bodies of functions left out."""
    found: set[str] = set()
    waiting: list[ast.AST] = [*nodes]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _Function | ast.Lambda):
            outside = [] if isinstance(node, ast.Lambda) else node.decorator_list
            waiting.extend([*outside, *node.args.defaults, *filter(None, node.args.kw_defaults)])
            continue
        if isinstance(node, _Comprehension):
            first, *others = node.generators
            own = {
                each.id
                for one in node.generators
                for each in ast.walk(one.target)
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
            }
            made = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
            found |= _read_at_once(*made, *others, first.target, *first.ifs) - own
            # The first of what it goes through is looked up outside.
            waiting.append(first.iter)
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load | ast.Del):
            found.add(node.id)
        if isinstance(node, ast.AugAssign):
            found |= set(_root(node.target))
        waiting.extend(ast.iter_child_nodes(node))
    return found


def _bound_for_sure(statement: ast.stmt) -> set[str]:
    """Names that a statement has bound whenever it has run."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import() | ast.ImportFrom():
            return set(_bound(statement.names))
        case ast.Assign(targets=targets):
            parts = (each for target in targets for each in ast.walk(target))
            return {each.id for each in parts if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
        case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
            return {name}
    return set()


def _read_in_functions(table: symtable.SymbolTable) -> set[str]:
    """Global names that the functions and classes of a cell read."""
    found: set[str] = set()
    for inner in table.get_children():
        found |= {each.get_name() for each in inner.get_symbols() if each.is_referenced() and each.is_global()}
        found |= _read_in_functions(inner)
    return found
