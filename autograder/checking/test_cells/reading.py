"""What a test cell says of itself, and what a notebook's cells define: by their text."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from autograder.checking.test_cells.plan import TestCell
from autograder.submission import LOOKED_AT_IN_ALL, parsed

_MOST = 120
_SHOWS = frozenset({"print", "display"})


def title_of(test: TestCell) -> str:
    """What students read of a test cell: its first words of prose that are not hidden, or its name."""
    lines = test.source.splitlines()
    shown = [line if number not in test.hidden else "" for number, line in enumerate(lines, 1)]
    tree = parsed("\n".join(shown))
    if tree is not None and tree.body and (words := ast.get_docstring(tree)):
        return _short(words.strip().splitlines()[0])
    for line in shown:
        if line.strip():
            words = line.strip().lstrip("#").strip()
            return _short(words) if line.lstrip().startswith("#") and words else f"{test.grade_id} passes."
    return f"{test.grade_id} passes."


def statement_titles(test: TestCell) -> dict[int, tuple[int, str]]:
    """The top-level statements of a test cell that can fail, from 0: their lines, and what students read of them."""
    tree = parsed(test.source)
    found: dict[int, tuple[int, str]] = {}
    for number, statement in enumerate([] if tree is None else tree.body):
        if _can_fail(statement):
            hidden = statement.lineno in test.hidden
            code = ast.unparse(statement).splitlines()[0]
            found[number] = statement.lineno, "A hidden test passes." if hidden else f"`{_short(code)}`"
    return found


def definitions(cells: Sequence[str]) -> dict[str, str]:
    """The source of each function and class that a notebook's cells define at their top level, the last of a name."""
    found: dict[str, str] = {}
    left = LOOKED_AT_IN_ALL
    for source in cells:
        left -= len(source)
        tree = parsed(source) if left > 0 else None
        for node in [] if tree is None else tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                lines = source.splitlines(keepends=True)[first - 1 : node.end_lineno]
                found[node.name] = "".join(lines)
    return found


def _can_fail(statement: ast.stmt) -> bool:
    """Whether a statement tests something, rather than prepare it."""
    match statement:
        case ast.Assert():
            return True
        case ast.Expr(value=ast.Call(func=function)):
            return not (isinstance(function, ast.Name) and function.id in _SHOWS)
        case ast.With() | ast.For() | ast.While() | ast.If() | ast.Try():
            inner = [each for each in ast.walk(statement) if isinstance(each, ast.stmt) and each is not statement]
            return any(isinstance(each, ast.Assert | ast.Raise) or _is_call(each) for each in inner)
    return False


def _is_call(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)


def _short(text: str) -> str:
    line = re.sub(r"\s+", " ", text)
    return line if len(line) <= _MOST else f"{line[:_MOST]}…"
