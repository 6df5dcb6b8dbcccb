"""Many submissions: graded by a pool of processes, each with a warm worker of its own, results as they come.

The pool is a ``concurrent.futures.Executor``; what goes in and comes out is plain data.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from types import TracebackType
from typing import Self

from autograder.base import AutograderError
from autograder.course import Assignment
from autograder.operations.graded import Graded, grade_hand_in, make_ready
from autograder.sandbox import Kind, confine
from autograder.submission import HandIn

_SERVER = "autograder.operations.pool_server"
_GRADES = ("autograder.operations.graded", "autograder.grading.grader", "autograder.grading.suite")
_COLLECTS = ("autograder.grading.collected",)
"""What a process of the pool imports to grade, and to collect checks that are pytest tests."""

_LONG = 60
"""Bytes of TMPDIR that leave room for what multiprocessing adds to it."""

WAITING_PER_JOB = 4
"""How many hand-ins are given out for each process: one that it grades, the others so that it never waits."""


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Pool:
    """Processes that grade an assignment, which get ready from the beginning, while their owner does other things."""

    def __init__(self, assignment: Assignment, sandbox: Kind, jobs: int) -> None:
        """Start the processes, and have the first of them try the sandbox, for all."""
        self.executor = processes(jobs, checks=any(each.checks.is_dir() for each in assignment.notebooks))
        self._ready: list[Future[None]] = []
        self._processes: set[BaseProcess] = set()

        def start() -> None:
            others = set(multiprocessing.active_children())
            for job in range(jobs):
                self._ready.append(self.executor.submit(make_ready, assignment, sandbox, tries=not job))
            self._processes = set(multiprocessing.active_children()) - others

        self._starting: Future[None] = Future()
        if _shares(jobs):
            # A fork can be had once the process that is forked has imported what grades.
            forkserver.ensure_running()
            aside = ThreadPoolExecutor(1)
            self._starting = aside.submit(start)
            aside.shutdown(wait=False)
        else:
            # Not aside: the kernel would end these processes with the thread that started them.
            start()
            self._starting.set_result(None)

    def wait(self) -> None:
        """Wait until the first process is ready, so that what is missing is known before the first submission.

        Raises:
            SandboxError: There is no sandbox on this machine, or it does not hold.
            CheckError: The assignment's checks cannot be used.
            AutograderError: The process was killed.
        """
        try:
            self._starting.result()
            self._ready[0].result()
        except BrokenProcessPool as error:
            raise AutograderError("a process that grades was killed before it had graded anything") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._starting.exception()
        if error is not None and not all(each.done() for each in self._ready):
            # What an author's checks do as they are collected may take for ever.
            for process in self._processes:
                process.kill()
        self.executor.shutdown(cancel_futures=True)


def grade_all(
    hand_ins: Iterable[HandIn], assignment: Assignment, *, sandbox: Kind, jobs: int, executor: Executor | None = None
) -> Iterator[Graded]:
    """Grade hand-ins in a pool of ``jobs`` processes: ``executor``, where there is one already.

    One bad submission never stops the others. Where a process of the pool is killed, the whole pool ends with it, and
    which submission killed it is not known. So each that had been given out is graded again in a process of its own,
    and has no grade only where that process is killed as well; a new pool grades the rest.

    Yields:
        Results in the order in which they are ready.
    """
    waiting = iter(hand_ins)
    # Those that may have killed a process: all that were given out, and the one that a broken pool did not take.
    suspects: list[HandIn] = []
    pool = executor or processes(jobs)
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


def processes(jobs: int, *, checks: bool = True) -> Executor:
    """A pool of ``jobs`` fresh processes, each on a processor of its own, none of which outlives this one.

    Args:
        jobs: How many. Where they are several, they are forks of one that has imported what grades.
        checks: Whether there will be checks that are pytest tests.
    """
    context = multiprocessing.get_context("forkserver" if _shares(jobs) else "spawn")
    context.set_forkserver_preload([_SERVER, *_GRADES, *(_COLLECTS if checks else ())])
    number = context.Value("i", 0)
    given = (number, dict(os.environ), os.getpid())
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_join_the_pool, initargs=given)


def _shares(jobs: int) -> bool:
    """Whether the processes of a pool are forks of one, which share what it has imported."""
    # One process has nobody to share with; and the server's socket needs a name of no more than 107 bytes.
    return jobs > 1 and len(os.fsencode(tempfile.gettempdir())) < _LONG


def _join_the_pool(number: Synchronized[int], environment: dict[str, str], program: int) -> None:
    # Ctrl-C is the main process's to answer, and none of the pool outlives it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.enable()
    # What they are forked from may be as old as this program: what has been set since holds.
    os.environ.clear()
    os.environ.update(environment)
    if sys.platform == "linux":
        confine.die_with_parent()
        if program not in _ancestors():
            os._exit(1)  # it was killed before that
        # A submission that keeps every processor busy keeps this one busy, and takes no time from its neighbours.
        with number.get_lock():
            mine = number.value
            number.value += 1
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {allowed[mine % len(allowed)]})


def _ancestors() -> tuple[int, ...]:
    """The process that this one was forked from, and the one that started that; none where the first has ended."""
    parent = os.getppid()
    try:
        return parent, int(Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return ()


def _finished(running: dict[Future[Graded], HandIn]) -> Iterator[Graded]:
    """Wait until some are graded, take those out of what is running and give their results.

    Raises:
        BrokenProcessPool: A process of the pool was killed; what it may have graded is still among what is running.
    """
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        result = future.result()
        del running[future]
        yield result


def _alone(hand_in: HandIn, assignment: Assignment, sandbox: Kind) -> Graded:
    """Grade a hand-in in a process of its own, which it alone can have killed."""
    with processes(1) as pool:
        try:
            return pool.submit(grade_hand_in, hand_in, assignment, sandbox).result()
        except BrokenProcessPool:
            return Graded(hand_in, None, None, trouble="the process that graded it was killed, twice")
