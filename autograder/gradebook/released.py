"""The release's cells as the gradebook keeps them, with nbgrader's checksums."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from autograder.base import AutograderError, GradebookError
from autograder.course import Assignment, release_of


@dataclass(frozen=True)
class SourceCell:
    """A cell of the release that has a part in grading; ``points`` are None where it has none."""

    name: str
    cell_type: str
    source: str
    checksum: str
    locked: bool
    solution: bool
    points: float | None


def source_cells(assignment: Assignment) -> tuple[SourceCell, ...]:
    """The cells of the release that have a part in grading, with the master's points.

    Raises:
        GradebookError: There is no release, or it does not fit the master notebook.
    """
    try:
        release = release_of(assignment)
    except AutograderError as error:
        raise GradebookError(str(error)) from error
    if tasks := [each.grade_id for each in release.known.values() if each.task]:
        raise GradebookError(
            f"{assignment.release}: manually graded tasks cannot be kept in the gradebook: {', '.join(tasks)}. Make "
            "them manually graded answers in Create Assignment."
        )
    cells = []
    for each in release.known.values():
        kind, source, name = each.cell.kind, each.cell.source, each.grade_id
        points = release.points.get(name)
        checksum = checksum_of(source, kind, each.graded, each.solution, each.locked, name, points)
        cells.append(SourceCell(name, kind, source, checksum, each.locked, each.solution, points))
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
