"""Test cells of a master notebook, run outside and unchanged, with the student's names as remote objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograder.base import on_demand

if TYPE_CHECKING:
    from autograder.checking.test_cells.plan import (
        Plan,
        TestCell,
        is_test,
        plan_of,
    )
    from autograder.checking.test_cells.reading import (
        definitions,
        statement_titles,
        title_of,
    )
    from autograder.checking.test_cells.rehearsal import Rehearsal
    from autograder.checking.test_cells.running import (
        TestCells,
        Tested,
    )

__all__ = [
    "Plan",
    "Rehearsal",
    "TestCell",
    "TestCells",
    "Tested",
    "definitions",
    "is_test",
    "plan_of",
    "statement_titles",
    "title_of",
]

__getattr__ = on_demand(
    __name__,
    {
        "plan": (
            "Plan",
            "TestCell",
            "is_test",
            "plan_of",
        ),
        "reading": (
            "definitions",
            "statement_titles",
            "title_of",
        ),
        "rehearsal": ("Rehearsal",),
        "running": (
            "TestCells",
            "Tested",
        ),
    },
)
