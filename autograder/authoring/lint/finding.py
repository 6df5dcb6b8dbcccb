"""What is found of a course before students meet it, and a master notebook as the rules read it."""

from __future__ import annotations

import ast
import builtins
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autograder.checking import Plan, is_test, plan_of
from autograder.course import SHOWS_TAG, Assignment, MasterCell, master_cells
from autograder.submission import binds, parsed, reads

Severity = Literal["mistake", "warning"]

_STATE_OF_ITS_OWN = frozenset({"matplotlib", "pylab", "mpl_toolkits", "seaborn", "turtle"})


@dataclass(frozen=True)
class Finding:
    """One thing that somebody should look at.

    Attributes:
        severity: A mistake costs students points, gives something away or stops the grading; a warning may be meant.
        file: The file, as the course's folder has it.
        cell: The number of the notebook's cell, from 1; 0 where it is about no cell.
        grade_id: The cell's ``grade_id``; may be empty.
        line: The line in the cell, or in a file that is no notebook, from 1; 0 where it is about no line.
        text: What is wrong, and what to do.
    """

    severity: Severity
    file: str
    cell: int
    grade_id: str
    line: int
    text: str

    @property
    def place(self) -> str:
        """Where in its file it is: the cell, with its ``grade_id``, and the line; may be empty."""
        cell = f"cell {self.cell}{f' ({self.grade_id})' if self.grade_id else ''}" if self.cell else ""
        return ", ".join(part for part in (cell, f"line {self.line}" if self.line else "") if part)

    def __str__(self) -> str:
        """The finding in a line, with its file."""
        return f"{', '.join(part for part in (self.file, self.place) if part)}: {self.text}"


@dataclass(frozen=True)
class Master:
    """A master notebook, as the rules read it.

    Attributes:
        file: Its path, as the course's folder has it.
        folder: The folder that it lies in.
        cells: Its cells.
        plan: What its test cells need.
        assignment: What the course says of it; None where the course does not load.
    """

    file: str
    folder: Path
    cells: tuple[MasterCell, ...]
    plan: Plan
    assignment: Assignment | None

    def mistake(self, cell: MasterCell, text: str, line: int = 0) -> Finding:
        """A mistake in one of its cells."""
        return Finding("mistake", self.file, cell.number, cell.grade_id, line, text)

    def warning(self, cell: MasterCell, text: str, line: int = 0) -> Finding:
        """What may be meant, in one of its cells."""
        return Finding("warning", self.file, cell.number, cell.grade_id, line, text)

    @property
    def code(self) -> tuple[MasterCell, ...]:
        """Its code cells."""
        return tuple(cell for cell in self.cells if cell.kind == "code")

    @property
    def tests(self) -> tuple[MasterCell, ...]:
        """Its test cells."""
        return tuple(filter(is_test, self.cells))

    @property
    def given(self) -> tuple[MasterCell, ...]:
        """Its code cells that students cannot change, and that are neither tests nor for show."""
        return tuple(
            cell
            for cell in self.code
            if cell.locked and not (cell.solution or cell.grade or cell.task or SHOWS_TAG in cell.tags)
        )

    @functools.cached_property
    def imported(self) -> dict[str, str]:
        """What the names that its cells import stand for: ``np`` for ``numpy``, ``randint`` for ``random.randint``."""
        found: dict[str, str] = {}
        for cell in self.code:
            for node in ast.walk(tree_of(cell)):
                if isinstance(node, ast.Import):
                    for each in node.names:
                        found[each.asname or each.name.partition(".")[0]] = (
                            each.name if each.asname else each.name.partition(".")[0]
                        )
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
        return found

    @functools.cached_property
    def students(self) -> frozenset[str]:
        """The names that are the student's, or made from what is, be it in a given cell or in a test."""
        statements = [each for cell in self.code for each in tree_of(cell).body]
        found = set(self.plan.students)
        for each in statements:
            if isinstance(each, ast.Import | ast.ImportFrom) and any(
                self.imported.get(name, "").partition(".")[0] in _STATE_OF_ITS_OWN for name in binds(ast.unparse(each))
            ):
                found |= binds(ast.unparse(each))
        texts = [ast.unparse(each) for each in statements]
        while more := {name for text in texts if self._made_from(text, found) for name in binds(text)} - found:
            found |= more
        return frozenset(found)

    def names_students(self, code: ast.AST) -> bool:
        """Whether code may read something of the student's, or something that stands nowhere in the notebook."""
        return self._made_from(ast.unparse(code), self.students | self._unknown(code))

    def names_object(self, code: ast.expr) -> bool:
        """Whether an expression is an object of the student's, as far as it can be seen."""
        match code:
            case ast.Constant() | ast.Call(func=ast.Name(id="type")) | ast.Attribute(attr="__class__"):
                return False
        return any(isinstance(node, ast.Name) and node.id in self.students for node in ast.walk(code))

    def _unknown(self, code: ast.AST) -> frozenset[str]:
        known = frozenset[str]().union(*(binds(cell.source) for cell in self.code), self.imported, dir(builtins))
        return (reads(ast.unparse(code)) or frozenset()) - known

    @staticmethod
    def _made_from(text: str, names: Iterable[str]) -> bool:
        needed = reads(text)
        return needed is None or not needed.isdisjoint(names)

    def called(self, cell: MasterCell) -> Iterator[tuple[str, ast.Call]]:
        """The calls in a cell of what a library has, each with its full name, such as ``numpy.random.seed``."""
        for node in ast.walk(tree_of(cell)):
            if isinstance(node, ast.Call) and (name := self.full_name(node.func)):
                yield name, node

    def full_name(self, node: ast.expr) -> str:
        """The full name of what a library has; empty where it is nothing that the notebook imports."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self.imported:
            return ""
        return ".".join([self.imported[node.id], *reversed(parts)])


def read(root: Path, path: Path, assignment: Assignment | None) -> Master:
    """A master notebook of a course's folder, read for the rules.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no notebook of format 4.
    """
    cells = master_cells(path)
    return Master(path.relative_to(root).as_posix(), path.parent, cells, plan_of(cells), assignment)


def tree_of(cell: MasterCell) -> ast.Module:
    """A cell as Python, its magics left out; empty where it is none."""
    return parsed(cell.source) or ast.Module([], [])
