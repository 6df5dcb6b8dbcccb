"""A master notebook → the rows of an assignment, and the points of what is graded by hand."""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.base import did_you_mean, shown
from autograder.course.located import Located

SHOWS_TAG = "only-shows"
"""The tag of a locked code cell whose output is all that it is there for."""


@dataclass(frozen=True)
class Row:
    """One row of an assignment: a solution cell and the autograded test cell that carries its points.

    Attributes:
        name: The solution cell's ``grade_id``.
        test_id: The test cell's ``grade_id`` (``test_`` + name).
        points: The row's maximum, from the master notebook.
        functions: The functions that the solution cell defines, in order, from the master notebook.
    """

    name: str
    test_id: str
    points: float
    functions: tuple[str, ...]


@dataclass(frozen=True)
class MasterCell:
    """A cell of a master notebook.

    Attributes:
        number: Its place in the notebook, from 1.
        kind: ``code``, ``markdown`` or ``raw``.
        source: Its text.
        grade_id: Its ``grade_id``; empty where it has none.
        grade: Whether it carries points.
        solution: Whether it holds a solution, which students do not get.
        task: Whether it is one of nbgrader's manually graded tasks.
        locked: Whether students may not change it.
        points: Its points, as they stand in the notebook: anything.
        tags: Its tags.
    """

    number: int
    kind: str
    source: str
    grade_id: str
    grade: bool
    solution: bool
    task: bool
    locked: bool
    points: Any
    tags: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether nbgrader's metadata give it a part in grading."""
        return self.grade or self.solution or self.task or self.locked


def master_cells(path: Path) -> tuple[MasterCell, ...]:
    """The cells of a master notebook, in order: the one reader of it.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON, or no notebook of format 4.
    """
    content = path.read_bytes()
    try:
        return tuple(_master_cell(number, cell) for number, cell in enumerate(json.loads(content)["cells"], start=1))
    except (KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise ValueError(f"{path} is no notebook of format 4") from problem


def _master_cell(number: int, cell: dict[str, Any]) -> MasterCell:
    marks, source = cell["metadata"].get("nbgrader") or {}, cell["source"]
    grade_id = marks.get("grade_id")
    return MasterCell(
        number=number,
        kind=cell["cell_type"],
        source=source if isinstance(source, str) else "".join(source),
        grade_id=grade_id if isinstance(grade_id, str) else "",
        grade=bool(marks.get("grade")),
        solution=bool(marks.get("solution")),
        task=bool(marks.get("task")),
        locked=bool(marks.get("locked")),
        points=marks.get("points"),
        tags=tuple(map(str, cell["metadata"].get("tags") or ())),
    )


def find_masters(root: Path, name: str, wanted: str, configuration: Located, unwritten: Located) -> tuple[Path, ...]:
    """The paths of the master notebooks: all in the assignment's folder, or the one that is wanted.

    Where there is none a problem is noted, in ``unwritten`` where nothing is there yet.
    """
    source = root / "source"
    where = ("assignments", name)
    if not (source / name).is_dir():
        others = sorted(path.name for path in source.iterdir() if path.is_dir()) if source.is_dir() else []
        message = f"there is no folder source/{name} with its master notebook; {did_you_mean(name, others)}"
        unwritten.blame(where, message.rstrip("; "))
        return ()
    notebooks = sorted(path.stem for path in (source / name).glob("*.ipynb") if not path.name.startswith("."))
    if not notebooks:
        unwritten.blame(where, f"there is no notebook in source/{name} yet")
    elif wanted:
        wanted = wanted.removesuffix(".ipynb")
        if wanted not in notebooks:
            message = f"there is no notebook {wanted}.ipynb in source/{name}; {did_you_mean(wanted, notebooks)}"
            configuration.blame((*where, "notebook"), message.rstrip("; "))
            return ()
        notebooks = [wanted]
    return tuple(source / name / f"{each}.ipynb" for each in notebooks)


def read_master(root: Path, path: Path, configuration: Located) -> tuple[tuple[Row, ...], dict[str, float]]:
    """The rows and the points of the cells graded by hand, in the notebook's order; problems are noted."""
    file = path.relative_to(root).as_posix()
    try:
        counting = [cell for cell in master_cells(path) if cell.counts]
    except OSError as problem:
        configuration.problems.append((file, 0, f"cannot be read: {problem.strerror}"))
        return (), {}
    except json.JSONDecodeError as problem:
        configuration.problems.append((file, 0, f"is not a notebook: line {problem.lineno} is no JSON: {problem.msg}"))
        return (), {}
    except ValueError:
        configuration.problems.append((file, 0, "is not a notebook of format 4; open it in Jupyter and save it again"))
        return (), {}

    def note(cell: MasterCell, text: str) -> None:
        configuration.problems.append((file, cell.number, f"{cell.grade_id or 'no grade_id'}: {text}"))

    by_id: dict[str, MasterCell] = {}
    for cell in counting:
        if not cell.grade_id:
            note(cell, "expected a grade_id in the cell's nbgrader metadata; give it one in Create Assignment")
        elif cell.grade_id in by_id:
            note(cell, f"cell {by_id[cell.grade_id].number} has the same grade_id; each needs one of its own")
        else:
            by_id[cell.grade_id] = cell

    solutions = {name: cell for name, cell in by_id.items() if cell.solution and not cell.grade}
    tests: dict[str, MasterCell] = {}
    manual: dict[str, float] = {}
    for cell in by_id.values():
        if not (cell.grade or cell.task):
            continue
        points = cell.points
        number = isinstance(points, int | float) and not isinstance(points, bool)
        if not number or not math.isfinite(points) or points <= 0:
            note(cell, f"expected points above 0, found {'none' if points is None else shown(points)}")
        elif cell.solution or cell.task:
            manual[cell.grade_id] = float(points)
        if cell.solution or cell.task:
            continue
        if cell.kind != "code":
            note(cell, f"expected a code cell that tests, found a {cell.kind} cell")
        name = cell.grade_id.removeprefix("test_")
        if name == cell.grade_id:
            wanted = did_you_mean(f"test_{name}", [f"test_{each}" for each in solutions])
            note(cell, f"a test cell is called test_ and its solution cell's grade_id; {wanted}".rstrip("; "))
        elif name not in solutions:
            wanted = did_you_mean(name, solutions)
            note(cell, f"this test cell has no solution cell {name!r}; {wanted}".rstrip("; "))
        else:
            tests[name] = cell

    rows: list[Row] = []
    defined: dict[str, str] = {}
    for name, cell in solutions.items():
        if cell.kind != "code":
            if name in tests:
                note(cell, f"expected a code cell, because {tests[name].grade_id} tests it")
            continue
        try:
            functions = _functions(cell.source)
        except (SyntaxError, ValueError) as problem:
            line = f", line {problem.lineno}" if isinstance(problem, SyntaxError) and problem.lineno else ""
            note(cell, f"this solution cell is no valid Python{line}: {problem.args[0]}")
            continue
        if name not in tests:
            continue
        for function in functions:
            if function in defined:
                note(cell, f"{function} is defined by the row {defined[function]} too; a function has one row")
            defined.setdefault(function, name)
        points = tests[name].points
        rows.append(Row(name, f"test_{name}", float(points) if isinstance(points, int | float) else 0.0, functions))
    return tuple(rows), manual


def _functions(source: str) -> tuple[str, ...]:
    """The names of the functions that the cell defines at its top level, in order.

    Raises:
        SyntaxError: The cell is no Python, its magics and shell lines aside.
        ValueError: It holds a null character.
    """
    plain = re.sub(r"^[%!].*$", "", source, flags=re.MULTILINE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(plain)
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return tuple(dict.fromkeys(names))
