"""What students must not read: the telling expressions of solutions and of a reference."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator

from autograder.course import Assignment, master_cells

_CODE = (
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.Call,
    ast.Subscript,
    ast.IfExp,
    ast.comprehension,
)
_TELLING = 3
"""Operations from which on an expression is somebody's thought and no coincidence."""
_TELLING_IN_REFERENCE = 5
TELLING_LENGTH = 16
"""Characters from which on a text is no coincidence, spaces left out."""
_TELLING_TEXT = 40


def secrets_of(assignment: Assignment) -> Iterator[tuple[str, str]]:
    """What students must not read, without spaces, and what to call it; where two have it, the master's name wins."""
    given = {name for row in assignment.rows for name in row.functions}
    for path in sorted(assignment.solutions.rglob("*.py")) if assignment.solutions.is_dir() else ():
        text = path.read_text(encoding="utf-8")
        for secret, shown in _answers(text, _TELLING_IN_REFERENCE, given):
            yield secret, f"the reference ({path.name}): {shown}"
    for cell in [cell for each in assignment.notebooks for cell in master_cells(each.master)]:
        if not cell.solution:
            continue
        regions = re.findall(r"BEGIN SOLUTION[^\n]*\n(.*?)[^\n]*END SOLUTION", cell.source, re.DOTALL) or [cell.source]
        for region in regions:
            if cell.kind == "code":
                for secret, shown in _answers(region, _TELLING, given):
                    yield secret, f"the solution of {cell.grade_id}: {shown}"
            else:
                for line in region.splitlines():
                    if len(line.strip()) >= _TELLING_TEXT:
                        shown = textwrap.shorten(line, 60, placeholder="…")
                        yield "".join(line.split()), f"the answer of {cell.grade_id}: {shown}"


def _answers(source: str, least: int, given: set[str]) -> Iterator[tuple[str, str]]:
    """The values that a piece of code works out, where they are telling, without spaces and as they read.

    A call of one of the assignment's functions tells nothing: that they are called is in the text.
    """
    for node in ast.walk(_parsed(source)):
        if not isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return | ast.Expr | ast.Yield):
            continue
        if node.value is None:
            continue
        operations = sum(isinstance(inner, _CODE) and not _is_given(inner, given) for inner in ast.walk(node.value))
        if operations + isinstance(node, ast.AugAssign) >= least:
            shown = ast.unparse(node.value)
            yield "".join(shown.split()), textwrap.shorten(shown, 60, placeholder="…")


def _is_given(node: ast.AST, given: set[str]) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in given
    return isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)


def expressions(source: str) -> dict[str, int]:
    """The expressions in a piece of code, without spaces, each with the last line that has it."""
    nodes = (node for node in ast.walk(_parsed(source)) if isinstance(node, ast.expr))
    return {"".join(ast.unparse(node).split()): node.lineno for node in nodes}


def _parsed(source: str) -> ast.AST:
    lines = [
        ("pass" if line.lstrip().startswith(("%", "!")) else line) for line in textwrap.dedent(source).splitlines()
    ]
    try:
        return ast.parse("\n".join(lines))
    except (SyntaxError, ValueError):
        return ast.Module([], [])
