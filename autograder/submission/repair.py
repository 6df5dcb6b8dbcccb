"""A submission's cells repaired against the release: what students may not change is put back."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from autograder.course import Cell, Release, ReleasedCell


def repaired(cells: Sequence[Cell], release: Release, notes: list[str]) -> list[tuple[Cell, ReleasedCell | None]]:
    """The student's cells in the student's order, with what students may not change put back.

    Returns:
        Each cell, and the cell of the release that it is, or None for one of the student's own. Every cell of
        the release that has a part in grading is there exactly once.
    """
    known = release.known
    owners = _owners(cells, known, notes)
    changed: list[str] = []
    retyped: list[str] = []
    result: list[tuple[Cell, ReleasedCell | None]] = []
    for index, cell in enumerate(cells):
        released = known.get(owners.get(index, ""))
        if released is None:
            result.append((cell, None))
            continue
        ours = released.cell
        if not released.locked:
            if cell.kind != ours.kind:
                retyped.append(released.grade_id)
            result.append((cell, released))
            continue
        if ours.kind == "code" and (cell.kind != "code" or not _same(cell.source, ours.source)):
            changed.append(released.grade_id)
        result.append((replace(ours, outputs=cell.outputs if cell.kind == "code" else None), released))
    missing = _reinsert(result, known)

    tests = [name for name in changed if known[name].graded]
    others = [name for name in changed if not known[name].graded]
    if tests:
        notes.append(f"The visible checks had been changed and were restored: {', '.join(tests)}.")
    if others:
        notes.append(f"Read-only cells had been changed and were restored: {', '.join(others)}.")
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


def _owners(cells: Sequence[Cell], known: dict[str, ReleasedCell], notes: list[str]) -> dict[int, str]:
    """Which cell of the release each cell is, by its position; of several with one id, the first is it."""
    owners: dict[int, str] = {}
    taken: set[str] = set()
    repeated: list[str] = []
    for index, cell in enumerate(cells):
        if cell.grade_id not in known:
            continue
        if cell.grade_id in taken:
            repeated.append(cell.grade_id)
            continue
        owners[index] = cell.grade_id
        taken.add(cell.grade_id)
    # Some editors drop nbgrader's metadata but keep the ids of the cells.
    by_id = {each.cell.id: name for name, each in known.items() if each.cell.id}
    for index, cell in enumerate(cells):
        name = by_id.get(cell.id, "")
        if name and not cell.marked and name not in taken:
            owners[index] = name
            taken.add(name)
    if repeated:
        names = ", ".join(dict.fromkeys(repeated))
        notes.append(f"These cells are there more than once; all but the first run as your own cells: {names}.")
    return owners


def _reinsert(result: list[tuple[Cell, ReleasedCell | None]], known: dict[str, ReleasedCell]) -> list[str]:
    """Put the release's missing cells behind those that precede them there, and return their ids."""
    present = {released.grade_id for _, released in result if released is not None}
    missing = [name for name in known if name not in present]
    if not missing:
        return []
    place = 0
    for name, released in known.items():
        if name in present:
            places = (at for at, (_, each) in enumerate(result) if each is not None and each.grade_id == name)
            place = next(places) + 1
            continue
        # An empty solution cell, not the released stub: that would overwrite a function defined elsewhere.
        cell = released.cell if released.locked else Cell(released.cell.kind, "", name)
        result.insert(place, (cell, released))
        place += 1
    return missing


def _same(one: str, other: str) -> bool:
    """Whether two sources are the same but for spaces at the ends of lines and blank lines around."""
    if one == other:
        return True
    return [line.rstrip() for line in one.strip().splitlines()] == [
        line.rstrip() for line in other.strip().splitlines()
    ]


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
