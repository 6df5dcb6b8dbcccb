"""The hidden checks of one assignment: collected by pytest once, run for one submission after the other."""

from __future__ import annotations

import itertools
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from autograder.base import Cause, CheckError, SandboxError, Wrong
from autograder.checking import (
    TOGETHER,
    WITH_TEST_CELL,
    Calls,
    Observed,
    Observer,
    Reference,
    Rehearsal,
    TestCell,
    TestCells,
    Tested,
    definitions,
    load_reference,
    observed_by,
    plan_of,
    statement_titles,
    title_of,
)
from autograder.course import AUTHORS_OWN, Assignment, Row, master_cells
from autograder.grading.check import Check, Verdict, unusable
from autograder.grading.report import CheckResult

if TYPE_CHECKING:
    from autograder.grading.collected import Collected


class Suite:
    """The checks of an assignment, ready to run."""

    def __init__(self, assignment: Assignment) -> None:
        """Collect them.

        Raises:
            CheckError: They cannot be collected, or do not fit the assignment's rows; all that is wrong is listed.
        """
        self.assignment = assignment
        self.reference: Reference = load_reference(assignment)
        _refuse_authors_own(assignment)
        TOGETHER.clear()
        WITH_TEST_CELL.clear()
        self._collected: Collected | None = None
        if assignment.checks.is_dir():
            # A master alone is graded without pytest, which takes longer to import than most of it to grade.
            from autograder.grading.collected import Collected

            self._collected = Collected(assignment, self.reference)
        checks = [] if self._collected is None else self._collected.checks()
        replaced = {check.row for check in checks} - WITH_TEST_CELL
        tested = [row for row in assignment.rows if row.name not in replaced]
        # To plan takes longer than to collect the checks of an assignment that has them for all of its rows.
        plan = plan_of(master_cells(assignment.master) if tested else ())
        self.cells = TestCells(plan, assignment.master.parent, assignment.limits)
        self._rehearsal = Rehearsal(assignment.master, plan, self.cells)
        for row in tested:
            if (test := plan.tests.get(row.test_id)) is not None:
                checks += _test_checks(row, test, partial=assignment.partial)
        self.checks = tuple(checks)
        self.together = frozenset(TOGETHER)
        self._fit()

    @property
    def test_ids(self) -> frozenset[str]:
        """The ``grade_id`` of each test cell that is one of the checks."""
        return frozenset(check.test.grade_id for check in self.checks if check.test is not None)

    def start(self) -> None:
        """Start what runs test cells, where there are any, so that the first submission need not wait for it.

        Raises:
            CheckError: It cannot be started.
        """
        if self.test_ids:
            self.cells.start()

    def rows(self) -> dict[str, tuple[Check, ...]]:
        """The checks by row, in the assignment's order."""
        return {
            row.name: tuple(check for check in self.checks if check.row == row.name) for row in self.assignment.rows
        }

    def draw_for(self, student: str | None) -> None:
        """Draw this student's inputs from here on, where each student has others."""
        if self._collected is not None:
            self._collected.bench.inputs_of = self.assignment.inputs_of(student)

    def run(self, checks: Sequence[Check], calls: Calls, observer: Observer | None = None) -> list[Verdict]:
        """Run checks against the student's functions behind ``calls``.

        Args:
            checks: Of one row.
            calls: The way to the student's functions.
            observer: Told of all that the checks do.

        Raises:
            SandboxError: The sandbox failed by itself.
        """
        observer = observer or Observer()
        observed = Observed(calls, observer)
        verdicts = []
        with observed_by(observer):
            for test, some in itertools.groupby(checks, lambda check: check.test):
                found = map(self._verdict, some, itertools.repeat(observed)) if test is None else None
                for verdict in found or self._of_test_cell(test, [*some], observed):
                    verdicts.append(verdict)
                    observer.check_ends(verdict.result)
        # Of what is called from here on, to look into a verdict, nobody is told: it is none of the checks.
        observed.observer = Observer()
        return verdicts

    def close(self) -> None:
        """End the pytest session, and the process that runs test cells."""
        self.cells.close()
        if self._collected is not None:
            self._collected.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _verdict(self, check: Check, observed: Observed) -> Verdict:
        observed.functions.clear()
        assert self._collected is not None
        error = self._collected.error(check, observed)
        called = frozenset(observed.functions)
        match error:
            case None:
                return Verdict(check.result("passed"), called)
            case Wrong() as error:
                return Verdict(check.result("failed", error.cause), called, error.look_into)
            case AssertionError() if self._collected.phase == "call":
                return Verdict(check.result("failed"), called)
            case SandboxError() as error:
                raise error
            case error:
                return Verdict(check.result("errored", trouble="".join(traceback.format_exception(error))))

    def _of_test_cell(self, test: TestCell | None, checks: Sequence[Check], observed: Observed) -> list[Verdict]:
        """The verdicts on a test cell, for each of the checks that are made of it."""
        assert test is not None
        observed.functions.clear()
        outcome = self.cells.run(
            test,
            observed,
            partial=checks[0].statement is not None,
            sources=definitions(observed.code) if "inspect" in test.source else {},
            has_object=partial(self._rehearsal.has_object, test),
            apart=type(observed.observer) is not Observer,
        )
        called = frozenset(observed.functions)
        points = next(row.points for row in self.assignment.rows if row.name == checks[0].row)
        return [Verdict(result, called) for check in checks for result in _results(check, outcome, points)]

    def _fit(self) -> None:
        rows = {row.name for row in self.assignment.rows}
        troubles = [
            f"{check.item.nodeid} checks the row {check.row!r}, which is not in {self.assignment.master.name}"
            for check in self.checks
            if check.row not in rows and check.item is not None
        ]
        troubles += [f"there is no row {row!r}, of which the test cell should count" for row in WITH_TEST_CELL - rows]
        checked = {check.row for check in self.checks}
        troubles += [f"the row {row.name!r} has no check" for row in self.assignment.rows if row.name not in checked]
        if troubles:
            raise CheckError(unusable(self.assignment, "; ".join(troubles)))


def _refuse_authors_own(assignment: Assignment) -> None:
    """Refuse a reference that takes part of itself from a file that decides no grade."""
    own = [path for name in sorted(AUTHORS_OWN) if (path := assignment.solutions / name).exists()]
    if not own:
        return
    loaded = [file for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))]
    for path in own:
        if any(Path(file).exists() and path.samefile(file) for file in loaded):
            raise CheckError(
                f"the reference in {assignment.solutions} imports {path.name}, which has no part in a grade: move what "
                "it needs to another file"
            )


def _test_checks(row: Row, test: TestCell, *, partial: bool) -> list[Check]:
    """The checks that a test cell is: one, or one for each statement that can fail."""
    titles = statement_titles(test)
    if not partial or len(titles) < 2:
        return [Check(row.name, row.test_id, title_of(test), 1.0, "", "", None, None, None, test)]
    return [
        Check(row.name, f"{row.test_id}, line {line}", title, 1.0, "", "", None, None, None, test, statement)
        for statement, (line, title) in titles.items()
    ]


def _results(check: Check, outcome: Tested, points: float) -> list[CheckResult]:
    """What a test cell, or a statement of it, comes to as a check.

    Where the last value of a whole cell is a number, that is its points, as nbgrader has it: then it has two results.
    """
    ran = outcome.statements
    if check.statement is not None and len(ran) > check.statement:
        ran = (ran[check.statement],)
    troubled = next((each for each in ran if each.trouble), None)
    if troubled is not None:
        return [check.result("errored", trouble=troubled.trouble)]
    failed = next((each for each in ran if each.cause is not None), None)
    if failed is not None:
        return [check.result("failed", failed.cause)]
    if check.statement is None and outcome.number is not None and 0 <= outcome.number < points:
        got, most = f"{outcome.number:g}", f"{points:g}"
        cause = Cause("said", text=f"The test cell gives {got} of {most} points.", says_all=True)
        part = replace(check, weight=outcome.number).result("passed")
        rest = replace(check, name=f"{check.name}, the rest", weight=points - outcome.number).result("failed", cause)
        return [part, rest] if outcome.number else [rest]
    return [check.result("passed")]
