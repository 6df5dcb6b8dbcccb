"""The release's cells as the gradebook keeps them, with nbgrader's checksums."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from autograder.base import GradebookError
from autograder.course import Assignment, joined
from autograder.gradebook.opening import said_by

_READ: dict[Any, tuple[SourceCell, ...]] = {}


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


def read_release(assignment: Assignment) -> tuple[list[SourceCell], dict[str, Any]]:
    """The release's cells with the master's points, and its kernel.

    Raises:
        GradebookError: There is no release, or it does not fit the master notebook.
    """
    points = {row.test_id: float(row.points) for row in assignment.rows}
    points |= {name: float(most) for name, most in assignment.manual.items()}
    cells = []
    try:
        notebook = json.loads(assignment.release.read_text(encoding="utf-8"))
        kernelspec = dict(notebook["metadata"].get("kernelspec", {}))
        for tree in notebook["cells"]:
            meta = tree["metadata"].get("nbgrader", {})
            graded, solution = bool(meta.get("grade")), bool(meta.get("solution"))
            locked = not solution and (graded or bool(meta.get("locked")))
            if not (graded or solution or locked):
                continue
            name, source = str(meta["grade_id"]), joined(tree["source"])
            if graded and name not in points:
                raise _stale(assignment, f"the release has points for {name!r}, the master notebook has none")
            most = points[name] if graded else None
            checksum = checksum_of(source, tree["cell_type"], graded, solution, locked, name, most)
            cells.append(SourceCell(name, tree["cell_type"], source, checksum, locked, solution, most))
    except FileNotFoundError as error:
        raise GradebookError(
            f"{assignment.release}: {assignment.name} has not been released. Run autograder release {assignment.name}."
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GradebookError(
            f"{assignment.release}: the release cannot be read: {said_by(error)}. "
            f"Make it again: autograder release {assignment.name}."
        ) from error
    if missing := set(points) - {cell.name for cell in cells if cell.points is not None}:
        raise _stale(assignment, f"the master notebook has points for {', '.join(sorted(missing))}")
    return cells, kernelspec


def released_cells(assignment: Assignment) -> tuple[SourceCell, ...]:
    """The cells as ``read_release`` gives them, read again only where the release or the points changed."""
    points = tuple((row.test_id, row.points) for row in assignment.rows) + tuple(assignment.manual.items())
    try:
        modified = assignment.release.stat().st_mtime_ns
    except OSError:
        modified = 0
    key = (assignment.release, modified, points)
    if key not in _READ:
        _READ.clear()
        _READ[key] = tuple(read_release(assignment)[0])
    return _READ[key]


def checksum_of(
    source: str, cell_type: str, grade: bool, solution: bool, locked: bool, name: str, points: float | None
) -> str:
    """What nbgrader's ``utils.compute_checksum`` gives for such a cell."""
    parts = [source, cell_type, str(grade), str(solution), str(locked), name]
    if points is not None:
        parts.append(str(float(points)))
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def _stale(assignment: Assignment, difference: str) -> GradebookError:
    return GradebookError(
        f"{assignment.release}: the release is not of this master notebook ({difference}). "
        f"Run autograder release {assignment.name}."
    )
