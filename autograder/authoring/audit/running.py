"""Grading versions of the solved master in a pool of processes, and no more of each than the audit has to know.

A grade says how much of a row is lost; here only counts whether something is. So the checks that fail first are tried
first where a row is checked again with correct earlier functions, and rows that a mistake cannot reach, or reaches only
through functions that the reference answers for, are not checked at all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import islice

from autograder.base import AutograderError, SandboxError
from autograder.course import Assignment, Row
from autograder.grading import (
    Check,
    CheckResult,
    ReferenceProcess,
    RowResult,
    Suite,
    check_rows,
    process_grader,
    replacements,
)
from autograder.operations import processes
from autograder.sandbox import Kind, Session

_WAITING_PER_JOB = 4
_PATIENT_SECONDS = 60.0


@dataclass(frozen=True)
class Version:
    """A version of the solved master to be graded.

    Attributes:
        cells: Its code cells.
        assignment: What it is a submission for.
        sandbox: As for ``grade``.
        right: The results of the solved master.
        row: The row that is changed; empty where all are.
        reached: The rows that the change can reach, the row itself among them.
        open: Those of them that are not known to be right whenever the row's functions are answered by the reference.
        leans: Whether the row itself can call functions of earlier rows.
        call_seconds: How long a call of the changed row may take: a moment longer than the solved master's calls.
    """

    cells: tuple[str, ...]
    assignment: Assignment
    sandbox: Kind
    right: Mapping[str, RowResult]
    row: str = ""
    reached: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()
    leans: bool = True
    call_seconds: float = 0.0


Lost = dict[str, CheckResult]
"""The rows that lost points, each with a check that cost it some."""


def graded(versions: Sequence[Version], jobs: int) -> Iterator[tuple[int, Lost]]:
    """What each version lost, with its place among them, as they come.

    Raises:
        AutograderError: There is no sandbox, the checks cannot be used, or a process was killed.
    """
    waiting = iter(enumerate(versions))
    running: dict[Future[Lost], int] = {}
    pool = processes(jobs)
    try:
        while True:
            for place, version in islice(waiting, jobs * _WAITING_PER_JOB - len(running)):
                running[pool.submit(lost_by, version)] = place
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BrokenProcessPool as error:
        raise AutograderError("a process of the audit was killed; run it again with fewer --jobs") from error
    finally:
        pool.shutdown(cancel_futures=True)


def lost_by(version: Version) -> Lost:
    """What one version lost, graded in this process; in a new worker where the first turns out to be gone."""
    try:
        return _lost_by(version)
    except SandboxError:
        return _lost_by(version)


def _lost_by(version: Version) -> Lost:
    right = version.right
    # A busy machine is no reason to take a right answer for a wrong one, or a mistake in one row for one in two.
    patient = max(_PATIENT_SECONDS, version.assignment.limits.call_seconds)
    assignment = replace(version.assignment, limits=replace(version.assignment.limits, call_seconds=patient))
    with process_grader(version.sandbox).ran(version.cells, assignment) as (session, suite):
        if not version.row:
            return _losses(check_rows(session, assignment, suite, {}))
        place = next(place for place, row in enumerate(assignment.rows) if row.name == version.row)
        row, earlier = assignment.rows[place], assignment.rows[:place]
        before = [right[each.name] for each in earlier]
        failed = _first_failed(session, suite, row, earlier, before, version)
        known = {name: result for name, result in right.items() if name not in version.reached}
        if failed is None:
            # Once more, all of it, by the way that grades are made.
            return _losses(check_rows(session, assignment, suite, known))
        known = {name: result for name, result in right.items() if name not in version.open}
        known[row.name] = RowResult(row.name, row.test_id, row.points, (failed,))
        return _losses(check_rows(session, assignment, suite, known))


def _losses(results: Sequence[RowResult]) -> Lost:
    lost: Lost = {}
    for result in results:
        for outcome in ("errored", "failed"):
            for check in result.checks:
                if check.outcome == outcome:
                    lost.setdefault(result.name, check)
    return lost


def _first_failed(
    session: Session, suite: Suite, row: Row, earlier: Sequence[Row], before: Sequence[RowResult], version: Version
) -> CheckResult | None:
    """A check that costs the row points, with earlier rows' functions as they are and with correct ones; or None."""
    groups, patient = _together(suite.rows()[row.name]), session.limits
    session.limits = replace(patient, call_seconds=version.call_seconds)
    failed: list[tuple[float, int, CheckResult]] = []
    hung = False
    with session.row() as calls:
        for place, group in enumerate(groups):
            begun = time.monotonic()
            verdicts = suite.run(group, calls)
            causes = [verdict.no_answer for verdict in verdicts]
            hung = hung or any(cause is not None and cause.kind == "timeout" for cause in causes)
            outcomes = {verdict.result.outcome: verdict.result for verdict in reversed(verdicts)}
            if "errored" in outcomes:
                return outcomes["errored"]
            if "failed" in outcomes:
                failed.append((time.monotonic() - begun, place, outcomes["failed"]))
    if not hung:
        # The rest goes over to the reference and back, which takes its time; what hangs has had its own.
        session.limits = patient
    if not failed:
        return None
    _, cheapest, result = min(failed, key=lambda each: each[:2])
    ordered = [groups[cheapest], *groups[:cheapest], *groups[cheapest + 1 :]]
    wrong, sets = replacements(row, suite, earlier, before)
    for functions in sets if version.leans else ():
        with ReferenceProcess(suite.reference, wrong) as answers, session.row(answers, functions) as calls:
            if all(verdict.result.outcome == "passed" for group in ordered for verdict in suite.run(group, calls)):
                return None
    return result


def _together(checks: Sequence[Check]) -> list[list[Check]]:
    """Checks as they are run: each by itself, but the statements of a test cell with it, which runs as a whole."""
    groups: dict[int | str, list[Check]] = {}
    for place, check in enumerate(checks):
        groups.setdefault(place if check.test is None else check.test.grade_id, []).append(check)
    return list(groups.values())
