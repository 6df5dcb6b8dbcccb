"""A submission's cells repaired against the release: what students may not change is put back."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from autograder.course import Cell, Release, ReleasedCell
from autograder.submission.matching import Matched, added_comments, matched, same_text


def repaired(
    cells: Sequence[Cell], release: Release, notes: list[str], *, tests_last: bool = False
) -> list[tuple[Cell, ReleasedCell | None]]:
    """The student's cells in the student's order, with what students may not change put back.

    Args:
        cells: The student's cells.
        release: What was released.
        notes: Gets sentences for the student on what was put back.
        tests_last: Whether test cells that are missing come at the end: a script has its parts in any order.

    Returns:
        Each cell, and the cell of the release that it is, or None for one of the student's own. Every cell of
        the release that has a part in grading is there exactly once.
    """
    known = release.known
    found = matched(cells, release)
    _note_matches(found, known, notes)
    changed: list[str] = []
    rewritten: list[str] = []
    retyped: list[str] = []
    result: list[tuple[Cell, ReleasedCell | None]] = []
    for index, cell in enumerate(cells):
        released = known.get(found.names.get(index, ""))
        if released is None:
            result.append((cell, None))
            continue
        ours = released.cell
        if not released.locked:
            if cell.kind != ours.kind:
                retyped.append(released.grade_id)
            result.append((cell, released))
            continue
        differs = not same_text(cell.source, ours.source)
        if ours.kind == "code" and (cell.kind != "code" or differs):
            changed.append(released.grade_id)
        result.append((replace(ours, outputs=cell.outputs if cell.kind == "code" else None), released))
        if ours.kind != "code" and ((differs and cell.source.strip()) or cell.pictured):
            # Some write their answer below the question, in its cell.
            rewritten.append(released.grade_id)
            result.append((Cell(cell.kind, cell.source, attachments=cell.attachments, pictured=cell.pictured), None))
        elif cell.kind == "code" and (comments := added_comments(cell, ours)):
            result.append((Cell("code", comments), None))
    missing = _reinsert(result, known, tests_last=tests_last)

    tests = [name for name in changed if known[name].graded]
    others = [name for name in changed if not known[name].graded]
    if tests:
        notes.append(f"The visible checks had been changed and were restored: {', '.join(tests)}.")
    if others:
        notes.append(f"Read-only cells had been changed and were restored: {', '.join(others)}.")
    if rewritten:
        names = ", ".join(rewritten)
        notes.append(f"Read-only text had been changed and was restored; yours stands below it: {names}.")
    if retyped:
        notes.append(f"These cells were of another type (code, text) and were restored: {', '.join(retyped)}.")
    if known and len(missing) == len(known):
        notes.append("None of this assignment's cells is in the notebook: is it the right one?")
        return result
    if solutions := [name for name in missing if not known[name].locked]:
        notes.append(f"These cells had been deleted and stand empty in their place: {', '.join(solutions)}.")
    if checks := [name for name in missing if known[name].locked and known[name].graded]:
        notes.append(f"The visible checks had been deleted and were restored: {', '.join(checks)}.")
    return result


def notebook_of(cells: Iterable[tuple[Cell, ReleasedCell | None]], release: Release) -> dict[str, Any]:
    """The cells as a notebook of format 4.5, every field of it written here."""
    pairs = list(cells)
    names = _unique_ids(pairs)
    built: list[dict[str, Any]] = []
    for (cell, released), name in zip(pairs, names, strict=True):
        metadata: dict[str, Any] = {}
        if released is not None:
            metadata = copy.deepcopy(released.metadata)
            if released.graded:
                points = release.points[released.grade_id]
                metadata["nbgrader"]["points"] = int(points) if points.is_integer() else points
        kind = cell.kind if released is None else released.cell.kind
        tree: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": metadata, "source": cell.source}
        if kind == "code":
            tree |= {"execution_count": None, "outputs": []}
        elif cell.attachments:
            tree["attachments"] = copy.deepcopy(cell.attachments)
        built.append(tree)
    return {"cells": built, "metadata": copy.deepcopy(release.metadata), "nbformat": 4, "nbformat_minor": 5}


def _note_matches(found: Matched, known: dict[str, ReleasedCell], notes: list[str]) -> None:
    """Say which cells were known by something else than their mark, and which of several counts."""
    if found.first:
        names = ", ".join(found.first)
        notes.append(f"These cells are there more than once; all but the first run as your own cells: {names}.")
    if found.later:
        names = ", ".join(found.later)
        notes.append(f"These cells are there more than once; the one with your work counts: {names}.")
    by = {"id": "their ids", "text": "their text", "function": "what they define", "place": "their place"}
    for how, said in by.items():
        if names := ", ".join(name for name in known if found.how.get(name) == how and not known[name].locked):
            notes.append(f"These cells had lost their mark and were known by {said}: {names}.")


def _reinsert(
    result: list[tuple[Cell, ReleasedCell | None]], known: dict[str, ReleasedCell], *, tests_last: bool
) -> list[str]:
    """Put the release's missing cells behind those that precede them there, and return their ids."""
    present = {released.grade_id for _, released in result if released is not None}
    missing = [name for name in known if name not in present]
    if not missing:
        return []
    place = 0
    last = []
    for name, released in known.items():
        if name not in present and tests_last and released.locked and released.graded:
            last.append((released.cell, released))
            continue
        if name in present:
            places = (at for at, (_, each) in enumerate(result) if each is not None and each.grade_id == name)
            place = next(places) + 1
            continue
        # An empty solution cell, not the released stub: that would overwrite a function defined elsewhere.
        cell = released.cell if released.locked else Cell(released.cell.kind, "", name)
        result.insert(place, (cell, released))
        place += 1
    result += last
    return missing


def _unique_ids(pairs: Sequence[tuple[Cell, ReleasedCell | None]]) -> list[str]:
    """An id for each cell: the release's for its own cells, the student's where it is free, else a number."""
    taken: set[str] = set()
    names: list[str] = [""] * len(pairs)
    for turn in ("the release's", "the student's"):
        for index, (cell, released) in enumerate(pairs):
            wanted = cell.id if released is None else released.cell.id
            theirs = "the student's" if released is None else "the release's"
            if theirs == turn and wanted and wanted not in taken:
                names[index] = wanted
                taken.add(wanted)
    numbers = (f"cell-{number}" for number in range(1, 2 * len(pairs) + 1))
    free = (name for name in numbers if name not in taken)
    return [name or next(free) for name in names]
