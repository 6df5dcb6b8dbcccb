"""Submissions graded as they arrive, each with its feedback: in ``submitted/``, or in nbgrader's exchange.

What waits is one hand-in a student, in the order in which they arrived; who hands in again goes to the end of the queue
and replaces what still waited. What has its grade is known by its digest, so a watch that was killed goes on where it
was. What becomes of one submission is in ``arrivals``; here is when.
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

from autograder.base import AutograderError, GradebookError, RefusedError, make_closed_folder
from autograder.course import Assignment, Course
from autograder.feedback import feedback_html
from autograder.gradebook import backup, only_run, only_watch, open_gradebook, register, roster
from autograder.operations.arrivals import (
    AttemptsSpentError,
    Watched,
    store_attempt,
    tell_again,
    tell_to_wait,
    to_be_graded,
)
from autograder.operations.closed import require_closed
from autograder.operations.exchange import inbound, terms_of
from autograder.operations.graded import Graded, grade_hand_in, require_gradable
from autograder.operations.pool import processes
from autograder.sandbox import Kind
from autograder.submission import HandIn, Terms, collect_arrivals

SETTLED_SECONDS = 0.3
"""How long nothing may have changed in a submission before it is taken: somebody may still be writing it."""

TICK_SECONDS = 0.1
SCAN_SECONDS = 30.0
"""How often everything is looked at, for file systems that tell of no change, and for those who wait for midnight."""

LOOK_SHARE = 4
"""How many times as long as a look at the exchange took nothing is looked at there."""

MOST_KILLED = 2
"""How often the pool may be killed while it has a submission, before that is given up."""

Told = Callable[[str, str], None]
"""Told of a student what became of their submission, in words."""


@dataclass
class _UnderWay:
    """What is under way in a watch.

    Attributes:
        watched: What is watched.
        jobs: How many are graded at once.
        told: Told of everything that happens.
        pool: The processes that grade.
        inbound: The exchange's inbound folder, where there is an exchange, and how it is collected from.
        seen: What the inbound folder's own record said at the last look.
        look_at: When the exchange is to be collected from; None where nothing has changed there.
        pause: How long is waited before the next look: so long that who changes something all the time does not keep
            the rest waiting.
        changed: Students whose folder changed, and when; somebody may still be writing there.
        queue: Students whose submission waits, in the order in which they arrived, and when they did.
        running: What is being graded, and when it arrived.
        graded: What is graded and not stored yet, and when it arrived.
        killed: How often the pool was killed while it had a student's submission.
        said: What was told last of each student; of the empty name, what is about none; and what was told of entries of
            the exchange, which is told once.
    """

    watched: Watched
    jobs: int
    told: Told
    pool: Executor
    inbound: tuple[Path, Terms] | None = None
    seen: tuple[int, ...] = ()
    look_at: float | None = None
    pause: float = SETTLED_SECONDS
    changed: dict[str, float] = field(default_factory=dict)
    queue: dict[str, float] = field(default_factory=dict)
    running: dict[Future[Graded], tuple[HandIn, float]] = field(default_factory=dict)
    graded: list[tuple[Graded, float]] = field(default_factory=list)
    killed: dict[str, int] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)


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
        sandbox: Which kind of sandbox submissions run in.
        exchange: nbgrader's exchange, to collect from and to release feedback to; only ``submitted/`` where None.
        once: End when everything that is there has its grade.
        stop: Ends the watch, once what runs is graded and stored.
        told: Told of everything that happens.
        clock: The time.

    Raises:
        AutograderError: Nothing can be graded: no sandbox, broken checks, no release, no gradebook, no exchange, or a
            course that others on the machine can get at; or another watch is at work on the assignment.
    """
    require_closed(course)
    stop = stop or threading.Event()
    submitted = course.root / "submitted"
    make_closed_folder(submitted)
    with only_watch(course, assignment):
        collected = None if exchange is None else (inbound(course, exchange), terms_of(course))
        require_gradable(assignment, sandbox)
        # What sets prose, formulas and code takes longer to import than a submission to grade.
        prose = {"cell_type": "markdown", "metadata": {}, "source": "$x$"}
        code = {"cell_type": "code", "metadata": {}, "source": "x", "outputs": []}
        feedback_html({"cells": [prose, code]}, "")
        with open_gradebook(course) as gradebook:
            with only_run(course):
                backup(course)
                register(gradebook, course, assignment, [])
            watched = Watched(course, assignment, gradebook, sandbox, exchange, clock)
            under_way = _UnderWay(watched, jobs, told, processes(jobs), collected)
            try:
                for changes in _changes(submitted, stop, once=once):
                    _collect(under_way, everything=changes is None, settled=once)
                    _notice(under_way, changes, submitted, settled=once)
                    _advance(under_way, stopping=stop.is_set())
                    if once and not (under_way.queue or under_way.running or under_way.graded):
                        break
                while under_way.running or under_way.graded:
                    _advance(under_way, stopping=True)
                    time.sleep(TICK_SECONDS)
            finally:
                under_way.pool.shutdown(cancel_futures=True)


def _changes(submitted: Path, stop: threading.Event, *, once: bool) -> Iterator[set[Path] | None]:
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
        submitted,
        watch_filter=None,
        debounce=timeout,
        rust_timeout=timeout,
        yield_on_timeout=True,
        stop_event=stop,
        raise_interrupt=False,
        ignore_permission_denied=True,
    ):
        yield {Path(path) for _, path in batch}
        if time.monotonic() > looked + SCAN_SECONDS:
            looked = time.monotonic()
            yield None


def _collect(under_way: _UnderWay, *, everything: bool, settled: bool) -> None:
    """Collect from the exchange, where something came to it and has settled, or everything is to be looked at.

    The inbound folder alone is asked whether something came. Of what is in it, which students put there, nothing is
    watched: a watch would follow their links, and end at a folder that is closed to it.

    Args:
        under_way: What is under way.
        everything: Whether it is looked at in any case.
        settled: Whether nobody is still writing.
    """
    if under_way.inbound is None:
        return
    watched, (folder, terms), now = under_way.watched, under_way.inbound, time.monotonic()
    try:
        status = folder.stat()
        seen: tuple[int, ...] = status.st_ino, status.st_mtime_ns, status.st_ctime_ns
    except OSError:
        seen = ()
    if seen != under_way.seen:
        under_way.seen = seen
        if under_way.look_at is None:
            under_way.look_at = now + under_way.pause
    if not (everything or (under_way.look_at is not None and now >= under_way.look_at)):
        return
    under_way.look_at = None
    assert watched.exchange is not None
    try:
        look = collect_arrivals(
            watched.course,
            watched.assignment,
            watched.exchange,
            terms=terms,
            known=roster(watched.gradebook),
            settled_seconds=None if settled else SETTLED_SECONDS,
        )
    except AutograderError as error:
        _say(under_way, "", str(error))
        return
    except OSError as error:
        _say(under_way, "", f"nothing could be collected from {folder}: {error.strerror or error}")
        return
    ended = time.monotonic()
    under_way.pause = max(SETTLED_SECONDS, LOOK_SHARE * (ended - now))
    if look.coming:
        under_way.look_at = ended + under_way.pause
    for each in look.results:
        # Once each: those that are not taken stay in the exchange, and are seen at every look.
        if each.why and (key := f"{each.who}: {each.status}: {each.why}") not in under_way.said:
            under_way.said[key] = ""
            under_way.told(each.who, f"{each.status}: {each.why}")


def _notice(under_way: _UnderWay, changes: set[Path] | None, submitted: Path, *, settled: bool) -> None:
    """Note whose submission changed.

    Args:
        under_way: What is under way.
        changes: What changed, as ``_changes`` gives it.
        submitted: The folder ``submitted/``.
        settled: Whether nobody is still writing.
    """
    watched, now = under_way.watched, time.monotonic()
    everything = changes is None
    # Where submitted/ is a link, what watches may tell of where it leads.
    roots = {submitted, submitted.resolve()}
    students = {path.relative_to(root).parts[0] for path in changes or () for root in roots if root in path.parents}
    if everything:
        students = {path.name for path in submitted.iterdir()}
    name = watched.assignment.name
    # What one hands in counts for the whole group.
    there = {each for each in students if not each.startswith(".") and (submitted / each / name).exists()}
    for each in sorted(there):
        for student in watched.assignment.members_with(each):
            under_way.changed[student] = now - (SETTLED_SECONDS if settled or everything else 0.0)


def _advance(under_way: _UnderWay, *, stopping: bool) -> None:
    """Take every submission a step further where it can go on; while stopping, none is begun."""
    _queue_settled(under_way)
    if not stopping:
        _begin_waiting(under_way)
    _take_graded(under_way)
    _store_graded(under_way)


def _queue_settled(under_way: _UnderWay) -> None:
    """Put those whose folder has settled at the end of the queue."""
    now = time.monotonic()
    for student in [each for each, at in under_way.changed.items() if now >= at + SETTLED_SECONDS]:
        under_way.queue.pop(student, None)
        under_way.queue[student] = under_way.changed.pop(student)


def _begin_waiting(under_way: _UnderWay) -> None:
    """Have those graded that wait the longest, as many as there is room for, and one of a student at a time."""
    busy = {hand_in.student for hand_in, _ in under_way.running.values()}
    busy |= {graded.hand_in.student for graded, _ in under_way.graded}
    for student in [each for each in under_way.queue if each not in busy]:
        if len(under_way.running) >= under_way.jobs:
            break
        _begin(under_way, student, under_way.queue.pop(student))


def _begin(under_way: _UnderWay, student: str, arrived: float) -> None:
    """Have a submission graded, unless it has its grade, is refused, or has to wait."""
    watched = under_way.watched
    try:
        hand_in = to_be_graded(watched, student)
        if hand_in is None and (what := tell_again(watched, student)):
            under_way.said.pop(student, None)
            _say(under_way, student, what)
    except RefusedError as error:
        _say(under_way, student, f"refused: {error}")
    except AttemptsSpentError as error:
        _have_wait(under_way, student, f"waits for tomorrow: {error}")
    except AutograderError as error:
        # The next look at everything tries again.
        _say(under_way, student, f"failed: {error}")
    else:
        if hand_in is not None:
            _give_out(under_way, hand_in, arrived)


def _give_out(under_way: _UnderWay, hand_in: HandIn, arrived: float) -> None:
    """Give a submission to the pool; to the next one, where a process of this one was killed meanwhile."""
    watched = under_way.watched
    try:
        future = under_way.pool.submit(grade_hand_in, hand_in, watched.assignment, watched.sandbox)
    except BrokenProcessPool:
        _replace_pool(under_way, [(hand_in, arrived)])
    else:
        under_way.running[future] = hand_in, arrived


def _have_wait(under_way: _UnderWay, student: str, what: str) -> None:
    """Tell a student once that their submission waits, and the instructor too."""
    if under_way.said.get(student) == what:
        return
    try:
        if warned := tell_to_wait(under_way.watched, student):
            under_way.told(student, f"nbgrader warns: {warned}")
    except AutograderError as error:
        # Where another command has the course, the next look at everything tries again.
        what = f"{what}; not told on a page: {error}"
    _say(under_way, student, what)


def _take_graded(under_way: _UnderWay) -> None:
    """Take what is graded from the pool, which is made anew where a process of it was killed."""
    lost = []
    for future in [each for each in under_way.running if each.done()]:
        hand_in, arrived = under_way.running.pop(future)
        try:
            under_way.graded.append((future.result(), arrived))
        except BrokenProcessPool:
            lost.append((hand_in, arrived))
    if lost:
        _replace_pool(under_way, lost)


def _replace_pool(under_way: _UnderWay, lost: list[tuple[HandIn, float]]) -> None:
    """Go on with a new pool where a process of the old one was killed, which ends all of it.

    What the old pool had goes back into the queue, unless that has happened to it too often: it may be what kills them.

    Args:
        under_way: What is under way; what is still running there is lost as well.
        lost: What the old pool had besides, each with when it arrived.
    """
    lost = [*lost, *under_way.running.values()]
    under_way.running.clear()
    under_way.pool.shutdown(wait=False, cancel_futures=True)
    under_way.pool = processes(under_way.jobs)
    for each, at in lost:
        under_way.killed[each.student] = under_way.killed.get(each.student, 0) + 1
        if under_way.killed[each.student] <= MOST_KILLED:
            under_way.queue.setdefault(each.student, at)
        else:
            _say(under_way, each.student, "failed: the process that graded it was killed, again and again")


def _store_graded(under_way: _UnderWay) -> None:
    """Store what is graded, unless another command has the course: then it waits."""
    if not under_way.graded:
        return
    try:
        with only_run(under_way.watched.course):
            while under_way.graded:
                _store(under_way, *under_way.graded.pop(0))
    except GradebookError as error:
        # An instructor's command has the course.
        _say(under_way, "", f"what is graded waits to be stored: {error}")


def _store(under_way: _UnderWay, graded: Graded, arrived: float) -> None:
    """Store what came of a submission, and tell it."""
    student = graded.hand_in.student
    try:
        what = store_attempt(under_way.watched, graded)
    except RefusedError as error:
        _say(under_way, student, f"refused: {error}")
    except AutograderError as error:
        # It has no grade then, so that the next look at everything grades it again; the others go on.
        _say(under_way, student, f"failed: {error}")
    else:
        under_way.said.pop(student, None)
        _say(under_way, student, f"{what} after {time.monotonic() - arrived:.1f} s")


def _say(under_way: _UnderWay, student: str, what: str) -> None:
    """Tell something once, not at every look."""
    if under_way.said.get(student) != what:
        under_way.said[student] = what
        under_way.told(student, what)
