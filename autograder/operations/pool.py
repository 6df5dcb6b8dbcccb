"""Many submissions: graded by a pool of processes, each with a warm worker of its own, results as they come.

The pool is a ``concurrent.futures.Executor``; what goes in and comes out is plain data.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing.sharedctypes import Synchronized

from autograder.base import AutograderError, RefusedError
from autograder.course import Assignment
from autograder.grading import Report
from autograder.sandbox import Kind, confine
from autograder.submission import HandIn, Submission

WAITING_PER_JOB = 4


@dataclass(frozen=True)
class Graded:
    """A hand-in, with the submission and its report; or with why there is none."""

    hand_in: HandIn
    submission: Submission | None
    report: Report | None
    refused: str = ""
    trouble: str = ""


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def grade_all(hand_ins: Iterable[HandIn], assignment: Assignment, *, sandbox: Kind, jobs: int) -> Iterator[Graded]:
    """Grade hand-ins in a pool of ``jobs`` processes.

    One bad submission never stops the others: where a process of the pool is killed, what it was at is graded again,
    alone, and given up only when that process is killed as well.

    Yields:
        Results in the order in which they are ready.
    """
    waiting = iter(hand_ins)
    suspects: list[HandIn] = []
    pool = processes(jobs)
    running: dict[Future[Graded], HandIn] = {}
    try:
        for hand_in in waiting:
            suspects = [hand_in]
            running[pool.submit(grade_hand_in, hand_in, assignment, sandbox)] = hand_in
            suspects = []
            if len(running) >= jobs * WAITING_PER_JOB:
                yield from _finished(running)
        while running:
            yield from _finished(running)
    except BrokenProcessPool:
        suspects.extend(running.values())
    finally:
        pool.shutdown(cancel_futures=True)
    for hand_in in suspects:
        yield _alone(hand_in, assignment, sandbox)
    if suspects:
        yield from grade_all(waiting, assignment, sandbox=sandbox, jobs=jobs)


def grade_hand_in(hand_in: HandIn, assignment: Assignment, sandbox: Kind, *, probed: bool = True) -> Graded:
    """Read and grade one hand-in; what is wrong with it, or with us, is in the result.

    Args:
        hand_in: The submission.
        assignment: What it is a submission for.
        sandbox: What keeps it.
        probed: Whether the sandbox of this machine has been tried, as by the process that the pool belongs to.
    """
    from autograder.grading import process_grader
    from autograder.submission import read_submission, unread_submission

    known = {"student": hand_in.student, "timestamp": hand_in.timestamp}
    try:
        if hand_in.notebook is None:
            submission = unread_submission(assignment, hand_in.unread, **known)
        else:
            submission = read_submission(hand_in.notebook, assignment, **known)
        report = process_grader(sandbox, probed=probed).grade(submission, assignment)
        # The files have done their part; back through the pool's pipe they would cost more than all the rest.
        return Graded(hand_in, replace(submission, files={}), report)
    except RefusedError as error:
        return Graded(hand_in, None, None, refused=str(error))
    except (AutograderError, OSError) as error:
        return Graded(hand_in, None, None, trouble=str(error))


def processes(jobs: int) -> Executor:
    """A pool of ``jobs`` fresh processes, each on a processor of its own, none of which outlives this one."""
    context = multiprocessing.get_context("spawn")
    number = context.Value("i", 0)
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_join_the_pool, initargs=(number,))


def _join_the_pool(number: Synchronized[int]) -> None:
    # Ctrl-C is the main process's to answer, and none of the pool outlives it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        confine.die_with_parent()
        # A submission that keeps every processor busy keeps this one busy, and takes no time from its neighbours.
        with number.get_lock():
            mine = number.value
            number.value += 1
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {allowed[mine % len(allowed)]})


def _finished(running: dict[Future[Graded], HandIn]) -> Iterator[Graded]:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        result = future.result()
        del running[future]
        yield result


def _alone(hand_in: HandIn, assignment: Assignment, sandbox: Kind) -> Graded:
    with processes(1) as pool:
        try:
            return pool.submit(grade_hand_in, hand_in, assignment, sandbox).result()
        except BrokenProcessPool:
            return Graded(hand_in, None, None, trouble="the process that graded it was killed, twice")
