"""Written answers that a program must not judge: those of which nobody knows whether what is there is all there is."""

from __future__ import annotations

from collections.abc import Sequence

from autograder.base import one_line
from autograder.course import Cell, Release, ReleasedCell
from autograder.submission.matching import MAX_LOOKED_AT, is_prose, is_untouched, plain_lines, shows

MAX_QUOTED = 60
"""Characters of the student's own that are shown, so that a person finds the cell."""

UNREAD = "the notebook could not be read, so nobody knows what was written"


def unsettled(pairs: Sequence[tuple[Cell, ReleasedCell | None]], release: Release) -> dict[str, str]:
    """Why a person has to look for a written answer in more than its own cell, by ``grade_id``.

    An answer whose own cell holds something waits for a person anyway, and is in here only where there is another copy
    of it; one where the student wrote nothing anywhere is not.

    Args:
        pairs: The student's cells, each with the cell of the release that it is, or None for one of their own.
        release: What they got.
    """
    own = _own(pairs, release)
    text = next((cell for cell in own[:MAX_LOOKED_AT] if cell.pictured or is_prose(cell) or shows(cell)), None)
    if text is None:
        text = next((cell for cell in own[MAX_LOOKED_AT:] if cell.pictured or cell.kind != "code"), None)
    anything = own[0] if own else None
    found = {}
    for cell, released in pairs:
        if released is None or not (released.graded and released.solution):
            continue
        # An answer that is code may stand in any cell, one that is text in no cell of working code.
        other = anything if released.cell.kind == "code" else text
        copies = [each for each in own if each.grade_id == released.grade_id]
        if copies and not is_untouched(cell, released):
            found[released.grade_id] = f"its cell is there more than once, and another one holds {_quoted(copies[0])}"
        elif other is not None and is_untouched(cell, released):
            state = "as it was released" if cell.source.strip() else "empty or missing"
            found[released.grade_id] = f"its cell is {state}, and another cell holds {_quoted(other)}"
    return found


def unread(release: Release) -> dict[str, str]:
    """As ``unsettled``, of a notebook that could not be read."""
    return {name: UNREAD for name, each in release.known.items() if each.graded and (each.solution or each.task)}


def own_content(pairs: Sequence[tuple[Cell, ReleasedCell | None]], release: Release) -> list[str]:
    """What a student wrote and attached in cells of their own."""
    return [f"{cell.source}\0{sorted((cell.attachments or {}).items())}" for cell in _own(pairs, release)]


def _own(pairs: Sequence[tuple[Cell, ReleasedCell | None]], release: Release) -> list[Cell]:
    """Cells of a student's own that hold something, and are no copies of what everybody got."""
    courses = {plain_lines(each.cell.source) for each in release.cells}
    return [
        cell
        for cell, released in pairs
        if released is None and (cell.pictured or (cell.source.strip() and plain_lines(cell.source) not in courses))
    ]


def _quoted(cell: Cell) -> str:
    """What a cell holds, for a sentence."""
    if not cell.source.strip():
        return "a picture"
    text = one_line(cell.source)
    return f"“{text}”" if len(text) <= MAX_QUOTED else f"“{text[: MAX_QUOTED - 1]}…”"
