"""What the author of a hidden check writes with, and what compares: answers, the reference, numerics.

A check is a plain pytest test, which imports all that it needs from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograder.base import on_demand

if TYPE_CHECKING:
    from autograder.checking.answers import (
        Answer,
        Calls,
        Loopback,
        Student,
        short,
    )
    from autograder.checking.comparing import (
        agree,
        complex_noise,
        equals,
        fault,
        is_array_like,
        is_rounded,
        matches,
        precise,
        right,
    )
    from autograder.checking.declaring import (
        DECLARED,
        TOGETHER,
        WITH_TEST_CELL,
        Declared,
        Draw,
        check,
        fail_unless,
        together,
        with_test_cell,
    )
    from autograder.checking.exactness import (
        alike,
        components,
        is_exact,
        same_data,
    )
    from autograder.checking.given import GivenObjects
    from autograder.checking.gradient_halves import (
        Halves,
        halves,
        telling,
        which_half,
    )
    from autograder.checking.identity import (
        crossed,
        identical,
        is_made_of_parts,
    )
    from autograder.checking.numerics.compare import (
        compare,
        judge,
        tolerances,
    )
    from autograder.checking.numerics.gradients import (
        gradient,
        projections,
    )
    from autograder.checking.observing import (
        Compared,
        Observed,
        Observer,
        observed_by,
    )
    from autograder.checking.raising import raises
    from autograder.checking.reference import (
        Reference,
        answer,
        load_reference,
    )
    from autograder.checking.test_cells.plan import Plan, TestCell, is_test, plan_of
    from autograder.checking.test_cells.reading import definitions, statement_titles, title_of
    from autograder.checking.test_cells.rehearsal import Rehearsal
    from autograder.checking.test_cells.running import TestCells, Tested

__all__ = [
    "DECLARED",
    "TOGETHER",
    "WITH_TEST_CELL",
    "Answer",
    "Calls",
    "Compared",
    "Declared",
    "Draw",
    "GivenObjects",
    "Halves",
    "Loopback",
    "Observed",
    "Observer",
    "Plan",
    "Reference",
    "Rehearsal",
    "Student",
    "TestCell",
    "TestCells",
    "Tested",
    "agree",
    "alike",
    "answer",
    "check",
    "compare",
    "complex_noise",
    "components",
    "crossed",
    "definitions",
    "equals",
    "fail_unless",
    "fault",
    "gradient",
    "halves",
    "identical",
    "is_array_like",
    "is_exact",
    "is_made_of_parts",
    "is_rounded",
    "is_test",
    "judge",
    "load_reference",
    "matches",
    "observed_by",
    "plan_of",
    "precise",
    "projections",
    "raises",
    "right",
    "same_data",
    "short",
    "statement_titles",
    "telling",
    "title_of",
    "together",
    "tolerances",
    "which_half",
    "with_test_cell",
]

__getattr__ = on_demand(
    __name__,
    {
        "answers": (
            "Answer",
            "Calls",
            "Loopback",
            "Student",
            "short",
        ),
        "comparing": (
            "agree",
            "complex_noise",
            "equals",
            "fault",
            "is_array_like",
            "is_rounded",
            "matches",
            "precise",
            "right",
        ),
        "declaring": (
            "DECLARED",
            "TOGETHER",
            "WITH_TEST_CELL",
            "Declared",
            "Draw",
            "check",
            "fail_unless",
            "together",
            "with_test_cell",
        ),
        "exactness": (
            "alike",
            "components",
            "is_exact",
            "same_data",
        ),
        "given": ("GivenObjects",),
        "gradient_halves": (
            "Halves",
            "halves",
            "telling",
            "which_half",
        ),
        "identity": (
            "crossed",
            "identical",
            "is_made_of_parts",
        ),
        "numerics.compare": (
            "compare",
            "judge",
            "tolerances",
        ),
        "numerics.gradients": (
            "gradient",
            "projections",
        ),
        "observing": (
            "Compared",
            "Observed",
            "Observer",
            "observed_by",
        ),
        "raising": ("raises",),
        "reference": (
            "Reference",
            "answer",
            "load_reference",
        ),
        "test_cells.plan": (
            "Plan",
            "TestCell",
            "is_test",
            "plan_of",
        ),
        "test_cells.reading": (
            "definitions",
            "statement_titles",
            "title_of",
        ),
        "test_cells.rehearsal": ("Rehearsal",),
        "test_cells.running": (
            "TestCells",
            "Tested",
        ),
    },
)
