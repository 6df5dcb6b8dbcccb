"""Mistakes that students make, as a course lists them beside its reference: for its demo, its audit and its tests."""

from __future__ import annotations

import ast
import importlib.util
import textwrap
from dataclasses import dataclass

from autograder.authoring.own_lists import beside_reference
from autograder.base import ConfigError
from autograder.course import Assignment


@dataclass(frozen=True)
class Mistake:
    """A mistake that students make, as ``solutions/<assignment>/mistakes.py`` lists them in ``MISTAKES``.

    Attributes:
        name: Unique in the assignment.
        row: The row whose points it costs, and no other's.
        wrong: One sentence: what is wrong.
        source: The wrong functions of the row, indented as one likes. What it leaves out is right; where it defines
            none of the row's functions, these are missing.
        hangs: Whether it never ends, and so costs every grading of it its full time.
    """

    name: str
    row: str
    wrong: str
    source: str
    hangs: bool = False

    @property
    def code(self) -> str:
        """The source as it stands in a cell."""
        return textwrap.dedent(self.source).strip()

    def made_in(self, cell: str) -> str:
        """The source of a right solution cell with this mistake in it; its docstrings stay."""
        wrong, right = _functions(self.code), _functions(cell)
        if not wrong.keys() & right.keys():
            return self.code
        lines, other = cell.splitlines(), self.code.splitlines()
        for name, old in reversed(right.items()):
            if name in wrong:
                new = wrong[name]
                signature = other[new.lineno - 1 : new.body[0].lineno - 1]
                body = other[new.body[0].lineno - 1 : new.end_lineno]
                lines[old.lineno - 1 : old.end_lineno] = [*signature, *_docstring(old, lines), *body]
        return "\n".join(lines)


def stock_mistakes(assignment: Assignment) -> tuple[Mistake, ...]:
    """The mistakes listed in ``mistakes.py`` beside the assignment's reference.

    Raises:
        ConfigError: There is no such file, or it does not fit the assignment.
    """
    path = beside_reference(assignment, "mistakes.py")
    specification = importlib.util.spec_from_file_location(f"autograder_mistakes_{assignment.name}", path)
    if not path.is_file() or specification is None or specification.loader is None:
        raise ConfigError(f"{assignment.name} has no list of students' mistakes: {path} is missing")
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
        mistakes: tuple[Mistake, ...] = tuple(module.MISTAKES)
        for mistake in mistakes:
            ast.parse(mistake.code, mistake.name)
    except Exception as error:  # it is a program, and may fail in any way
        raise ConfigError(f"{path}: {type(error).__name__}: {error}") from error
    rows = {row.name for row in assignment.rows}
    if strays := [f"{mistake.name} ({mistake.row})" for mistake in mistakes if mistake.row not in rows]:
        raise ConfigError(f"{path}: no row of {assignment.master.name} has these mistakes: {', '.join(strays)}")
    return mistakes


def _functions(source: str) -> dict[str, ast.FunctionDef]:
    """The functions that a cell defines, in order."""
    return {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


def _docstring(function: ast.FunctionDef, lines: list[str]) -> list[str]:
    """The lines of a function's docstring, of all lines."""
    if ast.get_docstring(function) is None:
        return []
    return lines[function.body[0].lineno - 1 : function.body[0].end_lineno]
