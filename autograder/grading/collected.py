"""The checks of an assignment that are pytest tests: collected once, run for one submission after the other."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from _pytest.config import _prepareconfig
from _pytest.runner import runtestprotocol

from autograder.base import CheckError
from autograder.checking import Observed, Reference, Student
from autograder.course import Assignment
from autograder.grading import without_pytest
from autograder.grading.check import Check, unusable
from autograder.grading.plugin import BENCH, Bench, declared

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


class Collected:
    """The pytest tests in an assignment's ``checks``, ready to run."""

    def __init__(self, assignment: Assignment, reference: Reference) -> None:
        """Collect them.

        Raises:
            CheckError: They cannot be collected.
        """
        self.assignment = assignment
        self.bench = Bench(assignment.name, assignment.seed, reference, _nobody)
        self._recorder = _Recorder()
        self._items = self._collect()

    def checks(self) -> list[Check]:
        """The checks, in the order in which pytest found them.

        Raises:
            CheckError: A test is not declared as a check.
        """
        return [*map(_check, self._items)]

    @property
    def phase(self) -> str:
        """When the last check ended: in its ``setup``, its ``call`` or its ``teardown``."""
        return self._recorder.phase

    def error(self, check: Check, observed: Observed) -> BaseException | None:
        """Run a check against the student's functions behind ``observed``; what ended it, or None where it passed."""
        self.bench.calls = lambda _: nullcontext(observed)
        return self._error_by_pytest(check) if check.parameters is None else self._error(check, observed)

    def close(self) -> None:
        """End the pytest session."""
        self._config._ensure_unconfigure()

    def _collect(self) -> list[pytest.Item]:
        assignment = self.assignment
        arguments = [
            *("-c", str(_GRADING_INI), "--rootdir", str(assignment.checks), "--import-mode=importlib"),
            # What lies above the checks has no part in the assignment's digest, so it may decide nothing either.
            *("--confcutdir", str(assignment.checks)),
            *("--disable-plugin-autoload", "-p", "autograder.grading.plugin"),
            *(part for name in _WITHOUT for part in ("-p", f"no:{name}")),
            str(assignment.checks),
        ]
        # As pytest-xdist's workers do: pytest has no public way to run the same collected items more than once.
        with _without_options_of_the_environment():
            self._config = _prepareconfig(arguments, [self._recorder])
        self._config.stash[BENCH] = self.bench
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
                check.item, self.bench, Student(observed, self.bench.reference.parameters), check.parameters or {}
            )
        except (KeyboardInterrupt, pytest.exit.Exception):
            raise
        except BaseException as error:
            return error
        return None

    def _troubles(self, what: str) -> str:
        return unusable(self.assignment, "\n".join([what, *self._recorder.broken]))


@contextmanager
def _without_options_of_the_environment() -> Iterator[None]:
    """What somebody has pytest do in their own terminal has no part in a grade either."""
    kept = {name: os.environ.pop(name) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS") if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


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


def _forget_modules_of(folder: Path) -> None:
    """Let another course's checks, or these once they have changed, be imported under the same names."""
    folders = {folder, folder.resolve()}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and any(Path(file).is_relative_to(each) for each in folders):
            del sys.modules[name]


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
