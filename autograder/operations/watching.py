"""Submissions graded as they arrive, each with its feedback: in ``submitted/``, or in nbgrader's exchange.

What waits is one hand-in a student, in the order in which they arrived; who hands in again goes to the end of the queue
and replaces what still waited. What has its grade is known by its digest, so a watch that was killed goes on where it
was.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from autograder.base import AutograderError, GradebookError, RefusedError
from autograder.course import Assignment, Course
from autograder.feedback import feedback_html, write_attempt, write_feedback
from autograder.gradebook import (
    Attempt,
    Gradebook,
    attempts_of,
    backup,
    graded_digest,
    graded_on,
    note_attempt,
    only_run,
    open_gradebook,
    penalty_of,
    register,
    update_late_penalties,
)
from autograder.grading import digest_of, provenance_for
from autograder.operations.exchange import collect_from_exchange, inbound, release_feedback
from autograder.operations.graded import Graded, grade_hand_in, require_gradable
from autograder.operations.pool import processes
from autograder.operations.storing import stored
from autograder.sandbox import Kind
from autograder.submission import HandIn, find_hand_in, submissions

SETTLED_SECONDS = 0.3
"""How long nothing may have changed in a submission before it is taken: somebody may still be writing it."""

TICK_SECONDS = 0.1
SCAN_SECONDS = 30.0
"""How often everything is looked at, for file systems that tell of no change, and for those who wait for midnight."""

Told = Callable[[str, str], None]
"""Told of a student what became of their submission, in words."""


@dataclass
class _Waiting:
    """What is under way: students whose folder changed, and when; who is to be graded; what runs; what is graded."""

    pool: Executor
    changed: dict[str, float] = field(default_factory=dict)
    queue: dict[str, float] = field(default_factory=dict)
    running: dict[Future[Graded], tuple[HandIn, float]] = field(default_factory=dict)
    graded: list[tuple[Graded, float]] = field(default_factory=list)
    broken: dict[str, int] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Watch:
    """What a watch is about."""

    course: Course
    assignment: Assignment
    gradebook: Gradebook
    jobs: int
    sandbox: Kind
    exchange: Path | None
    told: Told
    clock: Callable[[], datetime]


def watch(
    course: Course,
    assignment: Assignment,
    *,
    jobs: int,
    sandbox: Kind = "bubblewrap",
    exchange: Path | None = None,
    once: bool = False,
    stop: threading.Event | None = None,
    told: Told = lambda _student, _what: None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Grade each submission of an assignment as it lands, write its feedback and, with an exchange, release it.

    Args:
        course: The course. What changes in its configuration later is not seen.
        assignment: The assignment.
        jobs: How many are graded at once.
        sandbox: What keeps submissions.
        exchange: nbgrader's exchange, to collect from and to release feedback to; only ``submitted/`` where None.
        once: End when everything that is there has its grade.
        stop: Ends the watch, once what runs is graded and stored.
        told: Told of everything that happens.
        clock: The time.

    Raises:
        AutograderError: Nothing can be graded: no sandbox, broken checks, no release, no gradebook, no exchange.
    """
    stop = stop or threading.Event()
    submitted = course.root / "submitted"
    submitted.mkdir(exist_ok=True)
    folders = [submitted] if exchange is None else [submitted, inbound(course, exchange)]
    require_gradable(assignment, sandbox)
    # What sets prose, formulas and code takes longer to import than a submission to grade.
    prose = {"cell_type": "markdown", "metadata": {}, "source": "$x$"}
    code = {"cell_type": "code", "metadata": {}, "source": "x", "outputs": []}
    feedback_html({"cells": [prose, code]}, "")
    with open_gradebook(course) as gradebook:
        with only_run(course):
            backup(course)
            register(gradebook, course, assignment, [])
        of = _Watch(course, assignment, gradebook, jobs, sandbox, exchange, told, clock)
        waiting = _Waiting(processes(jobs))
        try:
            for changes in _changes(folders, stop, once=once):
                _notice(of, waiting, changes, folders, settled=once)
                _advance(of, waiting, stopping=stop.is_set())
                if once and not (waiting.queue or waiting.running or waiting.graded):
                    break
            while waiting.running or waiting.graded:
                _advance(of, waiting, stopping=True)
                time.sleep(TICK_SECONDS)
        finally:
            waiting.pool.shutdown(cancel_futures=True)


def _changes(folders: list[Path], stop: threading.Event, *, once: bool) -> Iterator[set[Path] | None]:
    """What has changed since the last time, or None where everything is to be looked at."""
    from watchfiles import watch as events

    yield None
    if once:
        while True:
            time.sleep(TICK_SECONDS)
            yield set()
    looked = time.monotonic()
    timeout = int(1000 * TICK_SECONDS)
    for batch in events(
        *folders,
        watch_filter=None,
        debounce=timeout,
        rust_timeout=timeout,
        yield_on_timeout=True,
        stop_event=stop,
        raise_interrupt=False,
    ):
        yield {Path(path) for _, path in batch}
        if time.monotonic() > looked + SCAN_SECONDS:
            looked = time.monotonic()
            yield None


def _notice(of: _Watch, waiting: _Waiting, changes: set[Path] | None, folders: list[Path], *, settled: bool) -> None:
    """Note whose submission changed; from the exchange, once it has been collected."""
    submitted, now = folders[0], time.monotonic()
    everything = changes is None
    if of.exchange is not None and (everything or any(folders[1] in path.parents for path in changes or ())):
        try:
            collect_from_exchange(of.course, of.assignment, of.exchange)
        except AutograderError as error:
            _say(of, waiting, "", str(error))
    students = {path.relative_to(submitted).parts[0] for path in changes or () if submitted in path.parents}
    if everything:
        students = {path.name for path in submitted.iterdir() if not path.name.startswith(".")}
    for student in sorted(students):
        if (submitted / student / of.assignment.name).exists():
            waiting.changed[student] = now - (SETTLED_SECONDS if settled or everything else 0.0)


def _advance(of: _Watch, waiting: _Waiting, *, stopping: bool) -> None:
    now = time.monotonic()
    for student in [each for each, at in waiting.changed.items() if now >= at + SETTLED_SECONDS]:
        waiting.queue.pop(student, None)
        waiting.queue[student] = waiting.changed.pop(student)
    busy = {hand_in.student for hand_in, _ in waiting.running.values()}
    busy |= {graded.hand_in.student for graded, _ in waiting.graded}
    for student in [] if stopping else [each for each in waiting.queue if each not in busy]:
        if len(waiting.running) >= of.jobs:
            break
        arrived = waiting.queue.pop(student)
        try:
            _begin(of, waiting, student, arrived)
        except AutograderError as error:
            # The next look at everything tries again.
            _say(of, waiting, student, f"failed: {error}")
    for future in [each for each in waiting.running if each.done()]:
        hand_in, arrived = waiting.running.pop(future)
        try:
            waiting.graded.append((future.result(), arrived))
        except BrokenProcessPool:
            _mend(of, waiting, hand_in, arrived)
    if waiting.graded:
        try:
            with only_run(of.course):
                _store_all(of, waiting)
        except GradebookError as error:
            # An instructor's command has the course.
            _say(of, waiting, "", f"what is graded waits to be stored: {error}")


def _store_all(of: _Watch, waiting: _Waiting) -> None:
    while waiting.graded:
        graded, arrived = waiting.graded.pop(0)
        try:
            _finish(of, waiting, graded, arrived)
        except AutograderError as error:
            # It has no grade then, so that the next look at everything grades it again; the others go on.
            _say(of, waiting, graded.hand_in.student, f"failed: {error}")


def _begin(of: _Watch, waiting: _Waiting, student: str, arrived: float) -> None:
    """Have a submission graded, unless it has its grade, is refused, or has to wait."""
    course, assignment = of.course, of.assignment
    folder = submissions(course.root, assignment.name, [student], timezone=course.timezone)[0]
    try:
        found = find_hand_in(folder, assignment)
    except RefusedError as error:
        _say(of, waiting, student, f"refused: {error}")
        return
    attempts = attempts_of(course, assignment, student)
    wanted = digest_of(provenance_for(assignment, of.sandbox)(found.digest, student))
    if graded_digest(of.gradebook, course, student, assignment) == wanted:
        return
    known = bool(attempts) and attempts[-1].submission == found.digest
    if known and not attempts[-1].counts:
        return
    today = of.clock().astimezone(course.timezone).date()
    most = assignment.attempts.per_day
    if most and not known and graded_on(attempts, today, course.timezone) >= most:
        _have_wait(of, waiting, student, most)
        return
    future = waiting.pool.submit(grade_hand_in, found, assignment, of.sandbox)
    waiting.running[future] = found, arrived


def _have_wait(of: _Watch, waiting: _Waiting, student: str, most: int) -> None:
    """Tell a student, on the page of the attempt that counts, that the new one is graded tomorrow; once."""
    what = f"waits for tomorrow: {most} of today's attempts are graded"
    if waiting.said.get(student) == what:
        return
    attempts = "1 attempt is" if most == 1 else f"{most} attempts are"
    notice = (
        f"You handed in again. {attempts} graded on one day, and today's are: this one is graded after midnight. Until "
        "then this page is about the attempt that counts so far."
    )
    try:
        with only_run(of.course):
            write_feedback(of.gradebook, of.course, of.assignment, student, now=of.clock(), notice=notice)
        if of.exchange is not None:
            release_feedback(of.course, of.assignment, of.exchange, student)
    except AutograderError as error:
        # Where another command has the course, the next look at everything tries again.
        what = f"{what}; not told on a page: {error}"
    _say(of, waiting, student, what)


def _mend(of: _Watch, waiting: _Waiting, hand_in: HandIn, arrived: float) -> None:
    """Go on with new processes where one of the pool was killed; what it was at is graded again, twice at the most."""
    lost = [(hand_in, arrived), *waiting.running.values()]
    waiting.running.clear()
    waiting.pool.shutdown(wait=False, cancel_futures=True)
    waiting.pool = processes(of.jobs)
    for each, at in lost:
        waiting.broken[each.student] = waiting.broken.get(each.student, 0) + 1
        if waiting.broken[each.student] <= 2:
            waiting.queue.setdefault(each.student, at)
        else:
            _say(of, waiting, each.student, "failed: the process that graded it was killed, again and again")


def _finish(of: _Watch, waiting: _Waiting, graded: Graded, arrived: float) -> None:
    """Store a grade that counts, and write and release the feedback."""
    course, assignment, gradebook = of.course, of.assignment, of.gradebook
    student, submitted, report = graded.hand_in.student, graded.hand_in.digest, graded.report
    if graded.submission is None or report is None or report.errored:
        result = stored(gradebook, course, assignment, graded, note="", now=of.clock())
        _say(of, waiting, student, f"{result.status}: {result.why}")
        return
    worth = _worth(of, graded)
    earlier = [each.worth for each in attempts_of(course, assignment, student) if each.submission != submitted]
    counts = assignment.attempts.counts == "last" or not earlier or worth >= max(earlier)
    register(gradebook, course, assignment, [student])
    note_attempt(course, assignment, student, Attempt(submitted, of.clock().isoformat(), worth, counts))
    if counts:
        result = stored(gradebook, course, assignment, graded, note="", now=of.clock())
        if result.status != "graded":
            _say(of, waiting, student, f"{result.status}: {result.why}")
            return
        update_late_penalties(gradebook, course, assignment)
        write_feedback(gradebook, course, assignment, student, now=of.clock())
    else:
        write_attempt(gradebook, course, assignment, graded.submission, report, of.clock())
    released = ""
    if of.exchange is not None:
        try:
            released = " and released" if release_feedback(course, assignment, of.exchange, student) else ""
        except AutograderError as error:
            released = f", not released: {error}"
    seconds = time.monotonic() - arrived
    best = "" if counts else "; an earlier attempt counts"
    waiting.said.pop(student, None)
    _say(
        of,
        waiting,
        student,
        f"{report.score:g} of {report.max_score:g}{best}; feedback{released} after {seconds:.1f} s",
    )


def _worth(of: _Watch, graded: Graded) -> float:
    """The points by the checks, less the late penalty of this attempt."""
    score = graded.report.least if graded.report else 0.0
    if graded.hand_in.timestamp is None:
        return score
    handed_in = datetime.fromisoformat(graded.hand_in.timestamp)
    return score - penalty_of(of.gradebook, of.assignment, graded.hand_in.student, handed_in, score)


def _say(of: _Watch, waiting: _Waiting, student: str, what: str) -> None:
    """Tell something once, not at every look."""
    if waiting.said.get(student) != what:
        waiting.said[student] = what
        of.told(student, what)
