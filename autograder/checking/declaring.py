"""What the author of a hidden check writes with: ``check``, ``matches``, ``agree``, and a student's answers.

A check is a plain pytest test. Students' functions and what they give back are in ``answers``, the comparison is in
``matching``, which half of a wrong gradient to mend in ``halves``, the reference in ``reference``; a check imports all
of it from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, get_args

import numpy as np

from autograder.base import Cause, CheckError, Wrong
from autograder.checking.answers import Answer, Student
from autograder.checking.comparing import agree, equals, matches, precise, right
from autograder.checking.gradient_halves import Halves, halves, telling, which_half
from autograder.checking.reference import Reference
from autograder.course import Visibility

__all__ = [
    "Answer",
    "Draw",
    "Halves",
    "Reference",
    "Student",
    "agree",
    "check",
    "equals",
    "fail_unless",
    "halves",
    "matches",
    "precise",
    "right",
    "telling",
    "together",
    "which_half",
    "with_test_cell",
]

Draw = np.random.Generator
"""Random inputs of a check, from the course's seed, the assignment and the check's name."""

Test = TypeVar("Test", bound=Callable[..., None])

DECLARED = "__autograder_check__"
TOGETHER: set[frozenset[str]] = set()
WITH_TEST_CELL: set[str] = set()


@dataclass(frozen=True)
class Declared:
    """What ``check`` says of a test."""

    row: str
    weight: float
    hint: str
    visibility: Visibility | None = None
    if_small: str = ""


def check(
    row: str, *, weight: float = 1.0, hint: str = "", if_small: str = "", visibility: Visibility | None = None
) -> Callable[[Test], Test]:
    """Make a test a check of a row.

    Args:
        row: The row's ``grade_id``.
        weight: The check's share of the row's points, relative to the row's other checks.
        hint: What the student reads beside the reason where the check fails. It is about a wrong or missing answer:
            where an argument was changed in place, the reason says all.
        if_small: What they read in place of the hint where no entry is off by more than about 1e-3. That comes of a
            small constant in another place, or of a coarse one, and not of a wrong formula.
        visibility: From when on the student sees the check's title, reason and hint: ``"visible"`` (at once),
            ``"after_due_date"``, ``"after_published"`` or ``"hidden"`` (never); by default what the assignment says.

    Returns:
        A decorator. The first line of the test's docstring is the title that students read.

    Raises:
        CheckError: The weight is not positive, or there is no such visibility.
    """
    if not weight > 0:
        raise CheckError(f"a check of {row!r} has the weight {weight}; a weight is above 0")
    if visibility is not None and visibility not in get_args(Visibility):
        known = ", ".join(get_args(Visibility))
        raise CheckError(f"a check of {row!r} has the visibility {visibility!r}; expected one of: {known}")

    def declare(test: Test) -> Test:
        setattr(test, DECLARED, Declared(row, weight, hint, visibility, if_small))
        return test

    return declare


def together(*functions: str) -> None:
    """Say that these functions share objects of their own (a cache): they are answered from outside only together."""
    TOGETHER.add(frozenset(functions))


def with_test_cell(*rows: str) -> None:
    """Say that the test cells of these rows count as well: otherwise checks of a row take its test cell's place."""
    WITH_TEST_CELL.update(rows)


def fail_unless(condition: bool, message: str, *, says_all: bool = False) -> None:
    """Fail the check with a message for the student, unless the condition holds. The message gives nothing hidden away.

    Args:
        condition: What has to hold.
        message: The sentence.
        says_all: Whether it says what to mend: the check's hint, which is about something else then, is left out.

    Raises:
        Wrong: The condition does not hold.
    """
    if not condition:
        raise Wrong(Cause("said", text=message, says_all=says_all))
