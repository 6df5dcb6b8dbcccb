"""The hidden checks of one assignment: collected by pytest once, run for one submission after the other."""

from __future__ import annotations

import itertools
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from _pytest.config import _prepareconfig
from _pytest.runner import runtestprotocol

from autograder.base import Cause, CheckError, SandboxError, Wrong
from autograder.checking import (
    TOGETHER,
    WITH_TEST_CELL,
    Calls,
    Observed,
    Observer,
    Reference,
    Rehearsal,
    Student,
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
from autograder.course import AUTHORS_OWN, Assignment, Row, Visibility, master_cells
from autograder.grading import without_pytest
from autograder.grading.plugin import BENCH, Bench, declared
from autograder.grading.report import CheckResult, Outcome

_GRADING_INI = Path(__file__).with_name("grading.ini")
_WITHOUT = (
    "cacheprovider",
    "terminal",
    "capture",
    "logging",
    "faulthandler",
    "junitxml",
    "doctest",
    "unittest",
    "warnings",
    # They go through all that is in memory, twice, when the checks are put away.
    "unraisableexception",
    "threadexception",
)


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
        self._bench = Bench(assignment.name, assignment.seed, self.reference, _nobody)
        self._recorder = _Recorder()
        self._config: pytest.Config | None = None
        collected = self._collected() if assignment.checks.is_dir() else []
        checks = [*map(_check, collected)]
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

    def _collected(self) -> list[pytest.Item]:
        """The checks that are pytest tests."""
        assignment = self.assignment
        TOGETHER.clear()
        WITH_TEST_CELL.clear()
        arguments = [
            *("-c", str(_GRADING_INI), "--rootdir", str(assignment.checks), "--import-mode=importlib"),
            # What lies above the checks has no part in the assignment's digest, so it may decide nothing either.
            *("--confcutdir", str(assignment.checks)),
            *("--disable-plugin-autoload", "-p", "autograder.grading.plugin"),
            *(part for name in _WITHOUT for part in ("-p", f"no:{name}")),
            str(assignment.checks),
        ]
        # As pytest-xdist's workers do: pytest has no public way to run the same collected items more than once.
        self._config = _prepareconfig(arguments, [self._recorder])
        self._config.stash[BENCH] = self._bench
        self._config._do_configure()
        session = pytest.Session.from_config(self._config)
        self._config.hook.pytest_sessionstart(session=session)
        try:
            self._config.hook.pytest_collection(session=session)
        except (pytest.UsageError, session.Interrupted, session.Failed) as error:
            raise CheckError(self._troubles(str(error))) from error
        finally:
            _forget_modules_of(assignment.checks)
        if self._recorder.broken:
            raise CheckError(self._troubles("they do not import"))
        return list(session.items)

    @property
    def test_ids(self) -> frozenset[str]:
        """The ``grade_id`` of each test cell that is one of the checks."""
        return frozenset(check.test.grade_id for check in self.checks if check.test is not None)

    def rows(self) -> dict[str, tuple[Check, ...]]:
        """The checks by row, in the assignment's order."""
        return {
            row.name: tuple(check for check in self.checks if check.row == row.name) for row in self.assignment.rows
        }

    def draw_for(self, student: str | None) -> None:
        """Draw this student's inputs from here on, where each student has others."""
        self._bench.inputs_of = self.assignment.inputs_of(student)

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
        self._bench.calls = lambda _: nullcontext(observed)
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
        if self._config is not None:
            self._config._ensure_unconfigure()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _verdict(self, check: Check, observed: Observed) -> Verdict:
        observed.functions.clear()
        error = self._error_by_pytest(check) if check.parameters is None else self._error(check, observed)
        called = frozenset(observed.functions)
        match error:
            case None:
                return Verdict(check.result("passed"), called)
            case Wrong() as error:
                return Verdict(check.result("failed", error.cause), called, error.look_into)
            case AssertionError() if self._recorder.phase == "call":
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
        )
        called = frozenset(observed.functions)
        points = next(row.points for row in self.assignment.rows if row.name == checks[0].row)
        return [Verdict(result, called) for check in checks for result in _results(check, outcome, points)]

    def _error_by_pytest(self, check: Check) -> BaseException | None:
        self._recorder.error = None
        assert check.item is not None
        runtestprotocol(check.item, log=False, nextitem=None)
        return self._recorder.error

    def _error(self, check: Check, observed: Observed) -> BaseException | None:
        self._recorder.phase = "call"
        assert check.item is not None
        try:
            without_pytest.call(
                check.item, self._bench, Student(observed, self.reference.parameters), check.parameters or {}
            )
        except (KeyboardInterrupt, pytest.exit.Exception):
            raise
        except BaseException as error:
            return error
        return None

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
            raise CheckError(self._troubles("; ".join(troubles)))

    def _troubles(self, what: str) -> str:
        details = "\n".join([what, *self._recorder.broken])
        return f"the checks in {self.assignment.checks} cannot be used: {details}"


def _nobody(row: str) -> Any:
    raise CheckError(f"a check of {row} asked for the student outside a grading run")


class _Recorder:
    """Keeps the exception that ended a test, and what could not be collected, in place of pytest's own reports."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.phase: str = "call"
        self.broken: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> pytest.TestReport:
        if call.excinfo is not None and self.error is None:
            self.error, self.phase = call.excinfo.value, call.when
        outcome: Any = "failed" if call.excinfo else "passed"
        phase: Any = call.when
        return pytest.TestReport(item.nodeid, item.location, {}, outcome, None, phase)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.broken.append(f"{report.nodeid}: {report.longreprtext}")


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


def _forget_modules_of(folder: Path) -> None:
    """Let another course's checks, or these once they have changed, be imported under the same names."""
    folders = {folder, folder.resolve()}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and any(Path(file).is_relative_to(each) for each in folders):
            del sys.modules[name]


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


def _check(item: pytest.Item) -> Check:
    said = declared(item)
    lines = (getattr(item, "function", None).__doc__ or "").strip().splitlines()
    title = lines[0].strip() if lines else item.name.removeprefix("test_").replace("_", " ")
    parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    title = re.sub(r"\{(\w+)\}", lambda field: str(parameters.get(field[1], field[0])), title)
    return Check(
        said.row,
        item.name,
        title,
        said.weight,
        said.hint,
        said.if_small,
        said.visibility,
        item,
        without_pytest.parameters(item),
    )
