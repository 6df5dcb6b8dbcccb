"""The cells of a master that only show something: whether the author has tagged those, and only those."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autograder.course import SHOWS_TAG, Assignment, MasterCell, master_cells
from autograder.submission import parsed, read_later


def tagged_wrongly(assignment: Assignment) -> Iterator[str]:
    """Sentences on cells that are tagged as only showing something, and do more or are no such cells."""
    cells = master_cells(assignment.master)
    for cell in cells:
        if SHOWS_TAG not in cell.tags:
            continue
        name = cell.grade_id or f"cell {cell.number}"
        if cell.kind != "code" or not cell.locked or cell.grade or cell.solution or cell.task:
            yield (
                f"{name}: has the tag {SHOWS_TAG}, which is for locked code cells without points; lock the cell "
                "(Read-only in Create Assignment), or take the tag away"
            )
        elif names := read_later(cell.source, _later(cells, cell)):
            yield (
                f"{name}: has the tag {SHOWS_TAG}, so grading does not run it, but later cells may read what it binds "
                f"({', '.join(sorted(names))}); move that to a cell without the tag"
            )


def untagged(assignment: Assignment) -> tuple[str, ...]:
    """The locked code cells without points that bind nothing which a later cell reads, set no seed, and have no tag."""
    cells = master_cells(assignment.master)
    return tuple(
        cell.grade_id
        for cell in cells
        if cell.kind == "code"
        and cell.locked
        and not (cell.grade or cell.solution or cell.task or SHOWS_TAG in cell.tags)
        and not (read_later(cell.source, _later(cells, cell)) or sets_seed(cell.source))
    )


def _later(cells: tuple[MasterCell, ...], cell: MasterCell) -> list[str]:
    return [each.source for each in cells if each.kind == "code" and each.number > cell.number]


def sets_seed(source: str) -> bool:
    """Whether a cell sets a seed, as by ``np.random.seed(1)``: those after it depend on it, though it binds nothing."""
    calls = (node.func for node in ast.walk(parsed(source) or ast.Module([], [])) if isinstance(node, ast.Call))
    return any("seed" in (getattr(each, "attr", ""), getattr(each, "id", "")) for each in calls)
