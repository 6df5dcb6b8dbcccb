"""Changed copies of a syntax tree, and its statements as single lines."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from autograder.authoring.audit.solved import parsed

Tree = TypeVar("Tree", bound=ast.AST)


class Several(ast.stmt):
    """Statements in the place of one."""

    _fields = ("body",)

    def __init__(self, body: Sequence[ast.stmt]) -> None:
        super().__init__()
        self.body = list(body)


@dataclass(frozen=True)
class Edit:
    """What is to be changed in a function.

    Attributes:
        kind: What kind of change, in a few words.
        statement: The statement that it is made in.
        old: The node to be replaced: the statement, or one inside it.
        new: What takes its place.
        after: What to show for the changed statement, where that is not its first line.
    """

    kind: str
    statement: ast.stmt
    old: ast.AST
    new: ast.AST
    after: str = ""


@dataclass(frozen=True)
class Change:
    """A changed copy of a function's cell.

    Attributes:
        function: The function that was changed.
        kind: What kind of change, in a few words.
        before: The changed statement as one line; of a compound one its first.
        after: What stands in its place.
        source: The whole cell, changed, as ``ast.unparse`` writes it.
        place: The number of the changed line in the cell, from 1.
    """

    function: str
    kind: str
    before: str
    after: str
    source: str
    place: int


def statements(code: str) -> list[ast.stmt]:
    """The statements that a piece of code consists of."""
    return parsed(code).body


def expression(code: str) -> ast.expr:
    """The expression that a piece of code is."""
    return ast.parse(code, mode="eval").body


def replaced(tree: Tree, old: ast.AST, new: ast.AST) -> Tree:
    """The tree with ``new`` in the place of its node ``old``; what is not on the way there is shared with the tree."""
    # Of statements ``ast.unparse`` asks where they stand.
    changed = _swapped(tree, old, ast.fix_missing_locations(new))
    return tree if changed is None else changed  # type: ignore[return-value]


def _swapped(node: ast.AST, old: ast.AST, new: ast.AST) -> ast.AST | None:
    if node is old:
        return new
    for name, value in ast.iter_fields(node):
        items = value if isinstance(value, list) else [value]
        for place, item in enumerate(items):
            changed = _swapped(item, old, new) if isinstance(item, ast.AST) else None
            if changed is not None:
                parent = copy.copy(node)
                put = changed.body if isinstance(changed, Several) and isinstance(value, list) else [changed]
                setattr(parent, name, [*value[:place], *put, *value[place + 1 :]] if value is items else changed)
                return parent
    return None


def line(statement: ast.stmt) -> str:
    """A statement as one line; of a compound one what stands before its body."""
    bodies = ("body", "orelse", "finalbody", "handlers", "decorator_list")
    if isinstance(statement, Several):
        return "; ".join(map(line, statement.body))
    if not hasattr(statement, "body"):
        return " ".join(ast.unparse(statement).splitlines())
    empty = copy.copy(statement)
    for name in bodies:
        if hasattr(statement, name):
            setattr(empty, name, [ast.Pass()] if name == "body" else [])
    return ast.unparse(empty).splitlines()[0]


def body_of(function: ast.FunctionDef) -> list[ast.stmt]:
    """A function's statements without its docstring."""
    return function.body[ast.get_docstring(function, clean=False) is not None :]


def functions_of(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """The functions of a cell, methods included, not those inside functions."""
    return (function for _, function in named_functions(tree))


def named_functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The functions of a cell by their names; a method's has its class before it, as in ``Linear.forward``."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{each.name}", each) for each in node.body if isinstance(each, ast.FunctionDef))


def answers_of(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The named functions of a cell; of one that defines none, its statements as if they were those of a function."""
    functions = [*named_functions(tree)]
    if functions or not tree.body:
        yield from functions
        return
    stored = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    name = next((node.id for node in stored), "")
    nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    yield name, ast.FunctionDef(name, nothing, tree.body, [], lineno=1, col_offset=0)


def without_docstrings(tree: ast.Module) -> ast.Module:
    """A copy without docstrings, which no change touches and no reader of a difference needs."""
    new = copy.deepcopy(tree)
    for node in ast.walk(new):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return new


def changes(tree: ast.Module, function: str, edits: Iterable[Edit]) -> Iterator[Change]:
    """The changes that edits make to a cell, each result once, the right cell and what does not compile left out."""
    seen = {ast.unparse(tree)}
    for edit in edits:
        source = ast.unparse(replaced(tree, edit.old, edit.new))
        try:
            compile(source, "cell", "exec")
        except (SyntaxError, ValueError):
            continue
        if source not in seen:
            seen.add(source)
            before, after = _shown(edit)
            yield Change(function, edit.kind, before, edit.after or after, source, edit.statement.lineno)


def _shown(edit: Edit) -> tuple[str, str]:
    """What an edit changes, before and after: a line, or of a dict display the item alone."""
    if edit.old is edit.statement and isinstance(edit.new, ast.stmt):
        return line(edit.statement), line(edit.new)
    for display in ast.walk(edit.statement):
        if isinstance(display, ast.Dict):
            for key, value in zip(display.keys, display.values, strict=True):
                if key is not None and any(node is edit.old for part in (key, value) for node in ast.walk(part)):
                    item = ast.Dict([key], [value])
                    return _item(item), _item(replaced(item, edit.old, edit.new))
    return line(edit.statement), line(replaced(edit.statement, edit.old, edit.new))


def _item(display: ast.Dict) -> str:
    return ast.unparse(display).removeprefix("{").removesuffix("}")
