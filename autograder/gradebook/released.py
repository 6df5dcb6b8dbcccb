"""The release's cells as the gradebook keeps them, with nbgrader's checksums."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from autograder.base import AutograderError, GradebookError
from autograder.course import Assignment, release_of


@dataclass(frozen=True)
class SourceCell:
    """A cell of the release that has a part in grading; ``points`` are None where it has none.

    A ``task`` is answered in cells of the student's own.
    """

    name: str
    cell_type: str
    source: str
    checksum: str
    locked: bool
    solution: bool
    points: float | None
    task: bool = False


def source_cells(assignment: Assignment) -> tuple[SourceCell, ...]:
    """The cells of the release that have a part in grading, with the master's points.

    Raises:
        GradebookError: There is no release, or it does not fit the master notebook.
    """
    try:
        release = release_of(assignment)
    except AutograderError as error:
        raise GradebookError(str(error)) from error
    cells = []
    for each in release.known.values():
        kind, source, name = each.cell.kind, each.cell.source, each.grade_id
        points = release.points.get(name)
        # In nbgrader's own words a task is no grade cell, and its points are no part of the checksum.
        grade, counted = each.graded and not each.task, None if each.task else points
        checksum = checksum_of(source, kind, grade, each.solution, each.locked, name, counted)
        cells.append(SourceCell(name, kind, source, checksum, each.locked, each.solution, points, each.task))
    return tuple(cells)


def kernel_of(assignment: Assignment) -> dict[str, Any]:
    """The kernel that the release asks for.

    Raises:
        GradebookError: There is no release, or it does not fit the master notebook.
    """
    try:
        return dict(release_of(assignment).metadata.get("kernelspec", {}))
    except AutograderError as error:
        raise GradebookError(str(error)) from error


def checksum_of(
    source: str, cell_type: str, grade: bool, solution: bool, locked: bool, name: str, points: float | None
) -> str:
    """What nbgrader's ``utils.compute_checksum`` gives for such a cell."""
    parts = [source, cell_type, str(grade), str(solution), str(locked), name]
    if points is not None:
        parts.append(str(float(points)))
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()
