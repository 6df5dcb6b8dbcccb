"""A release → its cells with the master's points: the one reader of what students got."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.base import AutograderError, SubmissionError
from autograder.course.loading import Assignment
from autograder.course.notebook import Cell, cells_in, notebook_in


@dataclass(frozen=True)
class ReleasedCell:
    """A cell of the release.

    Attributes:
        cell: What stands in it.
        metadata: Its metadata; nbgrader's alone where the cell has a part in grading.
        locked: Whether students may not change it.
        graded: Whether it carries points, or is graded by hand.
        solution: Whether students write in it.
        task: Whether it is one of nbgrader's manually graded tasks.
    """

    cell: Cell
    metadata: dict[str, Any]
    locked: bool
    graded: bool
    solution: bool
    task: bool

    @property
    def grade_id(self) -> str:
        """Empty for a cell that has no part in grading, and so belongs to the student."""
        return self.cell.grade_id


@dataclass(frozen=True)
class Release:
    """The release that students got, with the master's points."""

    cells: tuple[ReleasedCell, ...]
    metadata: dict[str, Any]
    points: dict[str, float]

    @property
    def known(self) -> dict[str, ReleasedCell]:
        """The cells that have a part in grading, by ``grade_id``, in order."""
        return {each.grade_id: each for each in self.cells if each.grade_id}

    def untouched(self) -> list[Cell]:
        """The release as if it had been submitted."""
        return [each.cell for each in self.cells]


def release_of(assignment: Assignment) -> Release:
    """The assignment's release, read again only where the file has changed.

    Raises:
        AutograderError: There is none, it is no notebook, or it does not fit the master.
    """
    again = f"run `autograder release {assignment.name}`"
    try:
        status = assignment.release.stat()
    except OSError as problem:
        raise AutograderError(f"{assignment.name} has not been released: {again}") from problem
    try:
        cells, metadata = _parsed_release(assignment.release, status.st_mtime_ns, status.st_size, status.st_ino)
    except (OSError, SubmissionError, ValueError, TypeError, AttributeError) as problem:
        raise AutograderError(f"{assignment.release} is no notebook ({problem}): {again}") from problem
    points = {row.test_id: row.points for row in assignment.rows} | assignment.manual
    release = Release(cells, metadata, points)
    known = release.known
    ids = [each.grade_id for each in cells if each.grade_id]
    graded = {name for name, each in known.items() if each.graded}
    if (
        len(ids) > len(known)
        or graded != set(points)
        or any(row.solution and row.solution not in known for row in assignment.rows)
    ):
        other = ", ".join(sorted(graded ^ set(points)))
        differs = f" ({other}: only one of the two has points there)" if other else ""
        raise AutograderError(f"{assignment.release} does not fit {assignment.master.name} any more{differs}: {again}")
    return release


@functools.lru_cache(maxsize=8)
def _parsed_release(path: Path, *_version: int) -> tuple[tuple[ReleasedCell, ...], dict[str, Any]]:
    """The cells and the metadata of a release; ``_version`` is what changes with the file."""
    tree = notebook_in(path.read_bytes(), [])
    cells = []
    for raw, cell in zip(tree.get("cells", ()), cells_in(tree, []), strict=True):
        metadata = copy.deepcopy(raw.get("metadata", {}))
        marks = metadata.get("nbgrader") or {}
        grade, solution, task = (bool(marks.get(role)) for role in ("grade", "solution", "task"))
        if not (grade or solution or task or marks.get("locked")):
            metadata.pop("nbgrader", None)
            cell.grade_id, cell.marked = "", False
        # As nbgrader has it: a test is always locked, a solution never, anything else where it says so.
        locked = not solution and (grade or bool(marks.get("locked")))
        cells.append(ReleasedCell(cell, _whole_numbers(metadata), locked, grade or task, solution, task))
    return tuple(cells), _whole_numbers(tree.get("metadata", {}))


def _whole_numbers(tree: Any) -> Any:
    """The tree with those floats as ints that were ints in the file."""
    if isinstance(tree, dict):
        return {key: _whole_numbers(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_whole_numbers(value) for value in tree]
    return int(tree) if isinstance(tree, float) and tree.is_integer() else tree
