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
from pathlib import Path

from autograder.course import Assignment
from autograder.errors import AutograderError, RefusedError
from autograder.report import Report
from autograder.sandbox.inside import confine
from autograder.sandbox.worker import Kind
from autograder.submission import Submission

WAITING_PER_JOB = 4


@dataclass(frozen=True)
class Entry:
    """A submission to be graded.

    Attributes:
        student: The student's id.
        notebook: The submitted notebook, or None where there is none.
        timestamp: When it was submitted, ISO 8601 in UTC, or None.
        unread: Why there is no notebook, for the student; empty where there is one.
    """

    student: str
    notebook: Path | None
    timestamp: str | None
    unread: str = ""


@dataclass(frozen=True)
class Graded:
    """An entry, with the submission and its report; or with why there is none."""

    entry: Entry
    submission: Submission | None
    report: Report | None
    refused: str = ""
    trouble: str = ""


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def grade_all(entries: Iterable[Entry], assignment: Assignment, *, sandbox: Kind, jobs: int) -> Iterator[Graded]:
    """Grade entries in a pool of ``jobs`` processes.

    One bad submission never stops the others: where a process of the pool is killed, what it was at is graded again,
    alone, and given up only when that process is killed as well.

    Yields:
        Results in the order in which they are ready.
    """
    waiting = iter(entries)
    suspects: list[Entry] = []
    pool = processes(jobs)
    running: dict[Future[Graded], Entry] = {}
    try:
        for entry in waiting:
            suspects = [entry]
            running[pool.submit(grade_entry, entry, assignment, sandbox)] = entry
            suspects = []
            if len(running) >= jobs * WAITING_PER_JOB:
                yield from _finished(running)
        while running:
            yield from _finished(running)
    except BrokenProcessPool:
        suspects.extend(running.values())
    finally:
        pool.shutdown(cancel_futures=True)
    for entry in suspects:
        yield _alone(entry, assignment, sandbox)
    if suspects:
        yield from grade_all(waiting, assignment, sandbox=sandbox, jobs=jobs)


def grade_entry(entry: Entry, assignment: Assignment, sandbox: Kind, *, probed: bool = True) -> Graded:
    """Read and grade one entry; what is wrong with it, or with us, is in the result.

    Args:
        entry: The submission.
        assignment: What it is a submission for.
        sandbox: What keeps it.
        probed: Whether the sandbox of this machine has been tried, as by the process that the pool belongs to.
    """
    from autograder.grader import standing
    from autograder.submission import read_submission, unread_submission

    known = {"student": entry.student, "timestamp": entry.timestamp}
    try:
        if entry.notebook is None:
            submission = unread_submission(assignment, entry.unread, **known)
        else:
            submission = read_submission(entry.notebook, assignment, **known)
        report = standing(sandbox, probed=probed).grade(submission, assignment)
        # The files have done their part; back through the pool's pipe they would cost more than all the rest.
        return Graded(entry, replace(submission, files={}), report)
    except RefusedError as error:
        return Graded(entry, None, None, refused=str(error))
    except (AutograderError, OSError) as error:
        return Graded(entry, None, None, trouble=str(error))


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


def _finished(running: dict[Future[Graded], Entry]) -> Iterator[Graded]:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        result = future.result()
        del running[future]
        yield result


def _alone(entry: Entry, assignment: Assignment, sandbox: Kind) -> Graded:
    with processes(1) as pool:
        try:
            return pool.submit(grade_entry, entry, assignment, sandbox).result()
        except BrokenProcessPool:
            return Graded(entry, None, None, trouble="the process that graded it was killed, twice")
