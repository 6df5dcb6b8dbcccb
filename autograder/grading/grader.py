"""One submission in, one Report out."""

from __future__ import annotations

import functools
import math
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.util import Finalize
from types import TracebackType
from typing import TYPE_CHECKING, Self

from autograder.base import Cause, CheckError, SandboxError
from autograder.course import Assignment
from autograder.grading.carrying import Undefined, check_rows
from autograder.grading.provenance import assignment_digest, digest_of, provenance_for
from autograder.grading.redefined import watched_names, with_definitions
from autograder.grading.report import CheckResult, Report, RowResult
from autograder.grading.running import run_notebook, with_shown
from autograder.grading.undefined import why_raised, why_undefined
from autograder.sandbox import CellRun, Kind, Session, Worker, require, turn
from autograder.submission import Submission, code_cells, files_beside, solution_cells

if TYPE_CHECKING:
    from autograder.grading.suite import Suite


def grade(submission: Submission, assignment: Assignment, *, sandbox: Kind = "bubblewrap") -> Report:
    """Grade one submission.

    The first call of a process starts a warm worker and collects the checks; the next ones find them ready.

    Args:
        submission: As ``read_submission`` gives it.
        assignment: As ``load_course`` gives it.
        sandbox: ``"none"`` runs the student's code as the user who grades, and the report says so.

    Returns:
        The report. Where something of ours failed it has no score and says why in ``trouble``.

    Raises:
        SandboxError: There is no sandbox on this machine, or it does not hold.
        CheckError: The assignment's checks cannot be used.
    """
    return process_grader(sandbox).grade(submission, assignment)


@functools.cache
def process_grader(sandbox: Kind, *, probed: bool = False) -> Grader:
    """The grader of this process, ended with it; ``probed`` as for ``Grader``."""
    grader = Grader(sandbox, probed=probed)
    # Not by atexit: a process that was forked for a pool ends without that.
    Finalize(None, grader.close, exitpriority=1)
    return grader


_Outcome = tuple[tuple[RowResult, ...], tuple[CellRun, ...], float]
"""The rows, the runs of the cells, and when that began, on ``time.monotonic``'s clock."""


class Grader:
    """What stays ready from one submission to the next: a warm worker and the collected checks."""

    def __init__(self, sandbox: Kind = "bubblewrap", *, probed: bool = False) -> None:
        """Nothing is started yet.

        Args:
            sandbox: Which kind of sandbox submissions run in.
            probed: Whether this machine's sandbox has been seen to hold; otherwise it is tried before it is used.
        """
        self.sandbox: Kind = sandbox
        self._probed = probed or sandbox == "none"
        self._worker: Worker | None = None
        self._suites: dict[str, Suite] = {}

    def grade(self, submission: Submission, assignment: Assignment) -> Report:
        """As the function ``grade``."""
        begun = time.monotonic()
        origin = provenance_for(assignment, self.sandbox)(submission.digest, submission.student)
        if not submission.unreadable:
            # It warms up while the checks are collected.
            self.start(assignment)
        suite = self._suite(assignment, origin["assignment"])
        if suite is not None:
            suite.draw_for(submission.student)
        report = Report(
            assignment=submission.assignment,
            student=submission.student,
            digest=digest_of(origin),
            sandbox=self.sandbox,
            rows=(),
            notes=submission.notes,
            provenance=origin,
            asked=submission.asked,
        )
        if submission.unreadable:
            return replace(report, rows=_unreadable(submission, assignment), seconds=time.monotonic() - begun)
        try:
            rows, cells, begun = self._with_worker(assignment, submission, suite)
            notes = (*report.notes, *_ran_short(cells, assignment))
            report = replace(report, rows=rows, cells=cells, notes=notes, shown=assignment.show)
        except Exception as error:
            report = replace(report, trouble="".join(traceback.format_exception(error)))
        return replace(report, seconds=time.monotonic() - begun)

    @contextmanager
    def ran(self, cells: Sequence[str], assignment: Assignment) -> Iterator[tuple[Session, Suite]]:
        """A session in which code cells have run, which need not be a student's, and the checks.

        Raises:
            SandboxError: There is no sandbox on this machine, or it failed by itself.
            CheckError: The assignment's checks cannot be used.
        """
        self.start(assignment)
        suite = self._suite(assignment, assignment_digest(assignment))
        if suite is None:
            raise CheckError(f"{assignment.name} has no autograded row, so there is nothing to check")
        files = files_beside(assignment.master.parent, assignment).contents
        with self._ready(assignment).session(assignment.limits, assignment.seed, files=files) as session:
            session.run(cells)
            yield session, suite

    def prepare(self, assignment: Assignment) -> None:
        """Start what grading an assignment needs, so that what is missing is known before the first submission.

        Raises:
            SandboxError: There is no sandbox on this machine.
            CheckError: The assignment's checks cannot be used.
        """
        self.start(assignment)
        suite = self._suite(assignment, assignment_digest(assignment))
        if suite is not None:
            suite.start()
        self._ready(assignment)

    def probe(self, assignment: Assignment) -> None:
        """Try the sandbox, whether or not this machine's has been seen to hold.

        Raises:
            SandboxError: It does not hold.
        """
        require(self._ready(assignment))

    def close(self) -> None:
        """End the worker and the pytest sessions."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()
        for suite in self._suites.values():
            suite.close()
        self._suites.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _suite(self, assignment: Assignment, digest: str) -> Suite | None:
        """The checks, collected once; None where a person grades all there is."""
        if not assignment.rows:
            return None
        # pytest takes as long to import as the worker takes to warm up, which is done meanwhile.
        from autograder.grading.suite import Suite

        if digest not in self._suites:
            self._suites[digest] = Suite(assignment)
        return self._suites[digest]

    def start(self, assignment: Assignment) -> Worker:
        """Start the worker for an assignment, where there is none: it warms up while others go on."""
        worker = self._worker
        if worker is not None and (not worker.alive or worker.allowed != assignment.allowed_imports):
            worker.close()
            worker = self._worker = None
        if worker is None:
            worker = self._worker = Worker(self.sandbox, assignment.allowed_imports)
        return worker

    def _ready(self, assignment: Assignment) -> Worker:
        worker = self.start(assignment)
        worker.wait()
        if not self._probed:
            require(worker)
            self._probed = True
        return worker

    def _with_worker(self, assignment: Assignment, submission: Submission, suite: Suite | None) -> _Outcome:
        """Grade in a warm worker, in a new one where the first turns out to be gone.

        What may be a neighbour's doing does not count: it is tried again alone.
        """
        if suite is None and not code_cells(submission):
            return (), (), time.monotonic()
        alone = failed = False
        while True:
            try:
                outcome = _grade(self._ready(assignment), assignment, submission, suite, alone=alone)
            except SandboxError:
                if failed:
                    raise
                failed, outcome = True, None
                gone, self._worker = self._worker, None
                if gone is not None:
                    gone.close()
            if outcome is not None:
                return outcome
            alone = True


def _grade(
    worker: Worker, assignment: Assignment, submission: Submission, suite: Suite | None, *, alone: bool = False
) -> _Outcome | None:
    """What comes of a submission; None where that may be a neighbour's doing, and it is not alone by request."""
    tests = frozenset[str]() if suite is None else suite.test_ids
    with (
        turn(worker.kind, alone=alone) as mine,
        worker.session(assignment.limits, assignment.seed, files=submission.files, states=len(tests)) as session,
    ):

        def again() -> bool:
            # What else an ordinary user runs is counted with the processes of a submission, also where it is alone.
            other = mine.has_had_neighbours() or (mine.alone and not alone)
            return session.disturbed and other

        watched = watched_names(submission, assignment)
        ran = run_notebook(session, submission, show=assignment.show, watched=watched, tests=tests)
        if suite is None:
            return None if again() else ((), ran.cells, mine.begun)
        undefined = undefined_after(submission, assignment, ran.cells)
        rows = check_rows(session, assignment, suite, {}, undefined, before=ran.before)
        told = with_definitions(rows, assignment, submission, ran.cells, suite.reference)
        cells = with_shown(session, ran, told)
        return None if again() else (told, cells, mine.begun)


def _ran_short(cells: Sequence[CellRun], assignment: Assignment) -> tuple[str, ...]:
    """What is said where not every cell was run: which were not, and which took long. Seconds are rounded up."""
    skipped = [str(run.index + 1) for run in cells if run.status == "skipped"]
    if not skipped:
        return ()
    long = sorted((run for run in cells if run.status != "skipped"), key=lambda run: -run.seconds)[:5]
    took = ", ".join(f"cell {run.index + 1} took {math.ceil(run.seconds)} s" for run in long if run.seconds >= 1)
    more = "" if len(skipped) <= 10 else f" and {len(skipped) - 10} more"
    return (
        f"The notebook's cells ran short of time ({assignment.limits.submission_seconds:g} seconds for all of it)"
        f"{f': {took}' if took else ''}. Not run: cell {', '.join(skipped[:10])}{more}.",
    )


def undefined_after(submission: Submission, assignment: Assignment, runs: Sequence[CellRun]) -> Undefined:
    """Gives a cause with why a name is not defined once a submission's cells have run, where it is of that."""
    cells, solutions = code_cells(submission), solution_cells(submission)
    own = {name: solutions.get(row.solution) for row in assignment.rows for name in row.functions}

    def undefined(cause: Cause) -> Cause:
        if cause.kind == "raised":
            return why_raised(cause, cells, runs)
        return why_undefined(cause.function, own.get(cause.function), cells, runs) or cause

    return undefined


def _unreadable(submission: Submission, assignment: Assignment) -> tuple[RowResult, ...]:
    title, cause = "The notebook can be read.", Cause("unreadable", text=submission.unreadable)
    check = CheckResult("readable", title, 1.0, "failed", cause, visibility="visible")
    return tuple(RowResult(row.name, row.test_id, row.points, (check,)) for row in assignment.rows)
