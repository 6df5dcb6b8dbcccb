"""A submission's notebook run in a session, each cell as what it is there for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autograder.grading.report import RowResult
from autograder.sandbox import CellRun, Role, Session, passive_outputs
from autograder.submission import (
    LOOKED_AT_IN_ALL,
    Submission,
    binds,
    code_cells,
    is_tagged,
    only_asserts,
    only_defines,
    read_later,
    uses,
)


@dataclass(frozen=True)
class Notebook:
    """A submission's notebook that has been run.

    Attributes:
        cells: A run for each code cell, by its place in the notebook.
        before: By the ``grade_id`` of a test cell, the cell before which the state for it is kept; None where it is
            the state after the notebook.
        later: By the ``grade_id`` of a test cell that has not been run inside yet, its place among the code cells.
    """

    cells: tuple[CellRun, ...]
    before: dict[str, int | None]
    later: dict[str, int]


def run_notebook(
    session: Session,
    submission: Submission,
    *,
    show: bool = False,
    watched: Sequence[str] = (),
    tests: Collection[str] = (),
) -> Notebook:
    """Run a submission's code cells.

    Args:
        session: A fresh one.
        submission: What was handed in.
        show: Whether cells that the author tagged as only showing something are run too. Otherwise their runs have the
            outputs that were handed in.
        watched: Names of which each run says whether its cell bound or removed them.
        tests: The ``grade_id`` of each test cell that will be run outside, with the state of its place.

    Raises:
        SandboxError: The sandbox failed by itself.
    """
    cells, roles = code_cells(submission), cell_roles(submission, show=show, tests=tests)
    counting = [source for (_, source), role in zip(cells, roles, strict=True) if role in ("needed", "own")]
    known = None if _is_too_long(submission) else _may_call(counting)
    before = _before(submission, roles, tests)
    runs = session.run(
        [source for _, source in cells],
        roles,
        watched=watched,
        may_call=known,
        kept_before={place for place in before.values() if place is not None},
    )
    handed_in = passive_outputs(submission.handed_in, session.limits.output_kb)
    return Notebook(
        tuple(
            replace(run, index=index, outputs=handed_in.get(index, ()) if run.status == "unrun" else run.outputs)
            for run, (index, _) in zip(runs, cells, strict=True)
        ),
        before,
        {name: place for name, place in _places(submission).items() if roles[place] == "later"},
    )


def with_shown(session: Session, notebook: Notebook, rows: Sequence[RowResult]) -> tuple[CellRun, ...]:
    """The runs of a notebook's cells, with the visible tests of rows that lost points run as well.

    One that has passed outside would show nothing: there it counts as run.
    """
    lost = {row.test_id for row in rows if row.fraction < 1 or row.carried}
    cells = list(notebook.cells)
    for name, place in notebook.later.items():
        run = session.show(place, before=notebook.before.get(name)) if name in lost else CellRun(place, "ok", (), 0.0)
        cells[place] = replace(run, index=cells[place].index)
    return tuple(cells)


def _places(submission: Submission) -> dict[str, int]:
    """The place of each cell among the code cells, by its ``grade_id``."""
    cells = submission.notebook["cells"]
    names = [cells[index]["metadata"].get("nbgrader", {}).get("grade_id") for index, _ in code_cells(submission)]
    return {name: place for place, name in enumerate(names) if name}


def _before(submission: Submission, roles: Sequence[Role], tests: Collection[str]) -> dict[str, int | None]:
    """For each test cell, the first cell before which there is the state that it is to see."""
    cells = code_cells(submission)
    counting = [place for place, role in enumerate(roles) if role in ("needed", "own")]
    found: dict[str, int | None] = {}
    for name, place in _places(submission).items():
        if name in tests:
            later = [each for each in counting if each >= place]
            earlier = [each for each in counting if each < place]
            if not _change_anything(
                [cells[each][1] for each in later if each != place], [cells[each][1] for each in earlier]
            ):
                found[name] = None
            else:
                found[name] = earlier[-1] + 1 if earlier else 0
    return found


def _change_anything(later: Sequence[str], earlier: Sequence[str]) -> bool:
    """Whether later cells may do more than define what has not been there before."""
    if not all(map(only_defines, later)):
        return True
    there = frozenset[str]().union(*map(binds, earlier))
    return any(binds(source) & there for source in later)


def cell_roles(submission: Submission, *, show: bool, tests: Collection[str] = ()) -> tuple[Role, ...]:
    """The role of each code cell, in order.

    What the author tagged and visible tests only show something, but for those whose names a later cell may read. Of
    the others, those of the release may be needed by rows, and so may a student's own that only define and import.
    ``tests`` are the visible tests that are run outside: where one of these only asserts, it may show something later.
    """
    too_long = _is_too_long(submission)
    marks = [submission.notebook["cells"][index]["metadata"] for index, _ in code_cells(submission)]
    sources = [source for _, source in code_cells(submission)]
    tagged = [is_tagged(mark) for mark in marks]
    roles: list[Role] = []
    for place, (mark, source) in enumerate(zip(marks, sources, strict=True)):
        # The release gate sees to it that no tagged cell reads what another has bound.
        later = [each for at, each in enumerate(sources) if at > place and not tagged[at]]
        if (tagged[place] or _is_test(mark)) and not too_long and not read_later(source, later):
            outside = (mark.get("nbgrader") or {}).get("grade_id") in tests and only_asserts(source)
            roles.append("unrun" if tagged[place] and not show else "later" if outside else "shows")
        else:
            roles.append("needed" if mark.get("nbgrader") or (not too_long and only_defines(source)) else "own")
    return tuple(roles)


def _may_call(counting: Sequence[str]) -> Callable[[str], frozenset[str]]:
    """The functions that a function of these cells may come to call, by its name; found out when first asked."""

    @functools.cache
    def graph() -> Callable[[str], frozenset[str]]:
        return uses(counting)

    def called(function: str) -> frozenset[str]:
        return graph()(function)

    return called


def _is_too_long(submission: Submission) -> bool:
    return sum(len(source) for _, source in code_cells(submission)) > LOOKED_AT_IN_ALL


def _is_test(metadata: dict[str, Any]) -> bool:
    marks = metadata.get("nbgrader") or {}
    return bool(marks.get("grade")) and not marks.get("solution")
