"""One hidden check, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autograder.base import Cause
from autograder.checking import TestCell
from autograder.course import Assignment, Visibility
from autograder.grading.report import CheckResult, Outcome

if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True)
class Check:
    """One hidden check: what its author declared, and what runs it.

    That is a pytest item, with its parameters where it needs no pytest, or a test cell of the master: whole, or one of
    its top-level statements, from 0.
    """

    row: str
    name: str
    title: str
    weight: float
    hint: str
    if_small: str
    visibility: Visibility | None
    item: pytest.Item | None
    parameters: dict[str, Any] | None
    test: TestCell | None = None
    statement: int | None = None

    def result(self, outcome: Outcome, cause: Cause | None = None, trouble: str = "") -> CheckResult:
        """The check's result."""
        hint = "" if outcome == "passed" or (cause is not None and cause.needs_no_hint) else self.hint
        if self.if_small and cause is not None and cause.is_small:
            hint = self.if_small
        return CheckResult(self.name, self.title, self.weight, outcome, cause, hint, trouble, self.visibility)


@dataclass(frozen=True)
class Verdict:
    """A check's result.

    Attributes:
        result: What the report gets.
        called: The student's functions that the check called.
        look_into: Finds out more of why it failed (``Wrong.look_into``).
    """

    result: CheckResult
    called: frozenset[str] = frozenset()
    look_into: Callable[[], Cause | None] | None = None

    @property
    def no_answer(self) -> Cause | None:
        """Why there was no answer to look at, where that is the cause."""
        cause = self.result.cause
        return cause if cause is not None and cause.no_answer else None


def unusable(assignment: Assignment, what: str) -> str:
    """That an assignment's checks cannot be used, and what is wrong."""
    return f"the checks in {assignment.checks} cannot be used: {what}"
