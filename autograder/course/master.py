"""A master notebook → the rows of an assignment, and the points of what is graded by hand."""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.base import did_you_mean, shown
from autograder.course.located import Located
from autograder.course.magics import without_magics

SHOWS_TAG = "only-shows"
"""The tag of a locked code cell whose output is all that it is there for."""

WITH_TESTS = "source_with_tests"
"""nbgrader's folder of masters in which it has made tests of AUTOTEST lines."""

_AUTOTEST = re.compile(r"^[ \t]*#.*\bAUTOTEST\b", re.MULTILINE)


@dataclass(frozen=True)
class Row:
    """One row of an assignment: an autograded test cell, which carries points, and the solution that it tests.

    Attributes:
        name: The solution cell's ``grade_id`` where the test cell's is ``test_`` + that, else the test cell's own.
        test_id: The test cell's ``grade_id``.
        points: The row's maximum, from the master notebook.
        functions: The functions and classes that its solution cells define, in order, from the master notebook.
        solution: The ``grade_id`` of the solution cell that it tests: the one that it is called after, or else the last
            one before it. Empty where there is none.
    """

    name: str
    test_id: str
    points: float
    functions: tuple[str, ...]
    solution: str = ""


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
        points=_points_of_first_format(marks.get("points")) if not marks.get("schema_version") else marks.get("points"),
        tags=tuple(map(str, cell["metadata"].get("tags") or ())),
    )


def _points_of_first_format(points: Any) -> Any:
    """The points of nbgrader's first format, which had no number: 0 where it says none, or fewer than 0."""
    if points is None or points == "":
        return 0.0
    return 0.0 if isinstance(points, int | float) and points < 0 else points


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
    return masters_with_tests(root, name, tuple(source / name / f"{each}.ipynb" for each in notebooks))


def masters_with_tests(root: Path, name: str, sources: tuple[Path, ...]) -> tuple[Path, ...]:
    """The masters that count: where some have AUTOTEST lines, those in which nbgrader has made tests of them.

    nbgrader keeps these in a folder of their own, and what students get is made from them.
    """
    made = tuple(root / WITH_TESTS / name / each.name for each in sources)
    if any(map(has_autotests, sources)) and all(each.is_file() for each in made):
        return made
    return sources


def has_autotests(path: Path) -> bool:
    """Whether a master has lines in its test cells of which nbgrader makes tests."""
    try:
        if b"AUTOTEST" not in path.read_bytes():
            return False
        return any(autotest_line(cell.source) for cell in master_cells(path) if cell.kind == "code" and cell.grade)
    except (OSError, ValueError):
        return False


def autotest_line(source: str) -> int:
    """The first line of a test cell of which nbgrader makes tests, from 1; 0 where there is none."""
    match = _AUTOTEST.search(source)
    return source.count("\n", 0, match.start()) + 1 if match else 0


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

    solutions = {name: cell for name, cell in by_id.items() if cell.solution and not cell.grade and cell.kind == "code"}
    defines = {name: _defined(cell, note) for name, cell in solutions.items()}
    rows: list[Row] = []
    manual: dict[str, float] = {}
    owner: dict[str, str] = {}
    group: list[str] = []
    after_test = False
    for cell in by_id.values():
        if cell.grade_id in solutions:
            group = [cell.grade_id] if after_test else [*group, cell.grade_id]
            after_test = False
        if not (cell.grade or cell.task):
            continue
        points = _points(cell, note)
        if cell.solution or cell.task:
            manual[cell.grade_id] = points
            continue
        if cell.kind != "code":
            note(cell, f"expected a code cell that tests, found a {cell.kind} cell")
            continue
        after_test = True
        named = cell.grade_id.removeprefix("test_")
        called_after = named != cell.grade_id and named in solutions
        name, tested = (named, [named]) if called_after else (cell.grade_id, group)
        functions = tuple(dict.fromkeys(each for solution in tested for each in defines[solution]))
        for function in functions if called_after else ():
            if owner.setdefault(function, name) != name:
                note(solutions[name], f"{function} is defined by the row {owner[function]} too; a function has one row")
        rows.append(Row(name, cell.grade_id, points, functions, tested[-1] if tested else ""))
    return tuple(rows), manual


Note = Callable[[MasterCell, str], None]


def _points(cell: MasterCell, note: Note) -> float:
    """The points of a cell, as nbgrader takes them: a number, or the text of one, and 0 where nothing else is said."""
    try:
        points = float(cell.points) if not isinstance(cell.points, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        points = math.nan
    if math.isfinite(points) and points >= 0:
        return points
    note(cell, f"expected points of at least 0, found {'none' if cell.points is None else shown(cell.points)}")
    return 0.0


def _defined(cell: MasterCell, note: Note) -> tuple[str, ...]:
    """The functions and classes that a solution cell defines; none where it is no Python, which is then noted."""
    try:
        return _functions(cell.source)
    except (SyntaxError, ValueError) as problem:
        line = f", line {problem.lineno}" if isinstance(problem, SyntaxError) and problem.lineno else ""
        note(cell, f"this solution cell is no valid Python{line}: {problem.args[0]}")
        return ()


def _functions(source: str) -> tuple[str, ...]:
    """The names of the functions and classes that the cell defines at its top level, in order.

    Raises:
        SyntaxError: The cell is no Python, its magics and shell lines aside.
        ValueError: It holds a null character.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(without_magics(source))
    defining = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    names = [node.name for node in tree.body if isinstance(node, defining)]
    return tuple(dict.fromkeys(names))
