"""The fleet on Dask: other machines grade, and need neither the course nor its gradebook.

What goes there and comes back are bytes (``packing``); Dask itself carries only them and the name of a function of this
module. The assignment goes to each worker once. A worker grades nothing where something that decides a grade is another
there than here, or where its sandbox does not hold.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

from autograder.base import AutograderError, CheckError, RefusedError, SandboxError
from autograder.course import Assignment
from autograder.grading import environment, process_grader
from autograder.operations.graded import Graded, grade_hand_in
from autograder.operations.packing import (
    packed_assignment,
    packed_grade,
    packed_hand_in,
    unpacked_assignment,
    unpacked_grade,
    unpacked_hand_in,
)
from autograder.operations.pool import WAITING_PER_JOB
from autograder.sandbox import Kind
from autograder.submission import HandIn

JOIN_SECONDS = 60.0
"""How long to wait for the first worker to join the scheduler."""

_COUNT_SECONDS = 2.0
"""How often the workers are counted, since they may come and go."""

_UNFIT = b"unfit:"
"""How the reply of a worker begins that must not grade; why follows."""

_one_at_a_time = ThreadPoolExecutor(1)
"""The thread of a worker's process that grades: its sandbox lives as long as the thread that started it."""


@dataclass(frozen=True)
class Scheduler:
    """Where the fleet is: Dask's address (``tcp://…`` or ``tls://…``), and for the latter this side's files."""

    address: str
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None


def grade_all_remotely(
    hand_ins: Iterable[HandIn], assignment: Assignment, *, sandbox: Kind, scheduler: Scheduler
) -> Iterator[Graded]:
    """Grade hand-ins on the workers of a Dask scheduler.

    Workers may come and go: what a lost worker was grading, or had waiting, is graded by another. A submission whose
    workers are lost as often as the scheduler allows may have killed them, or only have waited beside one that did:
    Dask cannot tell which. So it is graded once more when nothing else is under way, and given up where that fails too.

    Yields:
        Results in the order in which they are ready, one for each hand-in.

    Raises:
        AutograderError: Dask is not installed, the scheduler cannot be reached or went away, no worker has joined, or
            none is fit to grade; what was yielded before stays.
    """
    with _client(scheduler) as client:
        away = f"the scheduler at {scheduler.address} went away. What was graded is kept: the same command goes on"
        try:
            _await_workers(client, scheduler)
            # A task, which Dask can make again where every worker that had it is lost.
            bundle = client.submit(_as_it_is, packed_assignment(assignment), pure=False)
            ours = environment(assignment.allowed_imports)
            fleet = _Fleet(client, assignment, bundle, sandbox, ours, client.get_executor(pure=False))
            yield from _graded(fleet, hand_ins)
        except (OSError, TimeoutError, CancelledError, BrokenExecutor) as error:
            raise AutograderError(f"{away} ({type(error).__name__}: {error})") from error


def grade_packed(bundle: bytes, packed: bytes, sandbox: Kind, ours: dict[str, str]) -> tuple[str, bytes]:
    """Grade a submission on a worker.

    Args:
        bundle: ``packed_assignment``.
        packed: ``packed_hand_in``.
        sandbox: What keeps the submission.
        ours: The other side's ``environment``.

    Returns:
        The worker's address, and ``packed_grade``; or ``unfit:`` and why it must not grade.
    """
    from distributed import get_worker

    # Dask removes the worker's own folder with the worker.
    worker = get_worker()
    graded = _one_at_a_time.submit(_grade_packed, bundle, packed, sandbox, ours, Path(worker.local_directory))
    return worker.address, graded.result()


def _grade_packed(bundle: bytes, packed: bytes, sandbox: Kind, ours: dict[str, str], here: Path) -> bytes:
    """As ``grade_packed``, with files in the worker's folder ``here``."""
    hand_in = None
    try:
        assignment = unpacked_assignment(bundle, here)
        theirs = environment(assignment.allowed_imports)
        others = [name for name in ours if theirs.get(name) != ours[name]]
        if others:
            said = "; ".join(f"{name} {theirs.get(name, 'is missing')}, not {ours[name]}" for name in others)
            return _UNFIT + f"of what decides a grade it has {said}".encode()
        process_grader(sandbox).prepare(assignment)
        with tempfile.TemporaryDirectory(prefix="submission-", dir=here) as folder:
            hand_in = unpacked_hand_in(packed, Path(folder, "submission"))
            return packed_grade(grade_hand_in(hand_in, assignment, sandbox, probed=False))
    except (SandboxError, CheckError, PackageNotFoundError) as error:
        return _UNFIT + str(error).encode()
    except Exception as error:
        # An exception that went back by itself would go as a pickle.
        said = "".join(traceback.format_exception(error))
        return packed_grade(Graded(hand_in or HandIn("", None, None), None, None, trouble=said))


def _as_it_is(packed: bytes) -> bytes:
    return packed


@dataclass
class _Fleet:
    """The workers, and what is under way on them.

    Attributes:
        client: Dask's client.
        assignment: What is graded.
        bundle: The packed assignment, as a task of Dask's.
        sandbox: What keeps the submissions.
        ours: What decides a grade here, as ``environment`` gives it.
        pool: The workers that may grade, as Dask gives them.
        running: What is under way, each hand-in with its packed bytes.
        unfit: Why a worker must not grade, by its address.
    """

    client: Any
    assignment: Assignment
    bundle: Any
    sandbox: Kind
    ours: dict[str, str]
    pool: Executor
    running: dict[Future[tuple[str, bytes]], tuple[HandIn, bytes]] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)


def _graded(fleet: _Fleet, hand_ins: Iterable[HandIn]) -> Iterator[Graded]:
    """Send hand-ins to the workers, only as many at once as keep them busy, and give the results as they come back.

    Raises:
        AutograderError: None of the workers may grade.
    """
    suspects: list[tuple[HandIn, bytes]] = []
    room, counted = 0, 0.0
    try:
        for hand_in in hand_ins:
            try:
                packed = packed_hand_in(hand_in, fleet.assignment)
            except RefusedError as error:
                yield Graded(hand_in, None, None, refused=str(error))
                continue
            except (AutograderError, OSError) as error:
                yield Graded(hand_in, None, None, trouble=str(error))
                continue
            _send(fleet, hand_in, packed)
            if time.monotonic() > counted + _COUNT_SECONDS:
                room, counted = WAITING_PER_JOB * max(1, sum(fleet.client.nthreads().values())), time.monotonic()
            while len(fleet.running) >= room:
                yield from _finished(fleet, suspects)
        while fleet.running:
            yield from _finished(fleet, suspects)
        for hand_in, packed in suspects:
            _send(fleet, hand_in, packed)
            while fleet.running:
                yield from _finished(fleet, None)
    finally:
        for future in fleet.running:
            future.cancel()


def _send(fleet: _Fleet, hand_in: HandIn, packed: bytes) -> None:
    future = fleet.pool.submit(grade_packed, fleet.bundle, packed, fleet.sandbox, fleet.ours)
    fleet.running[future] = hand_in, packed


def _finished(fleet: _Fleet, suspects: list[tuple[HandIn, bytes]] | None) -> Iterator[Graded]:
    """Wait until some are back, and give their results; what a worker must not grade is sent to the others.

    Args:
        fleet: The fleet.
        suspects: Gets what may have killed its workers; None where each is alone on the fleet, so that it has.

    Raises:
        AutograderError: None of the workers may grade.
    """
    from distributed.scheduler import KilledWorker

    done, _ = wait(fleet.running, return_when=FIRST_COMPLETED)
    for future in done:
        hand_in, packed = fleet.running.pop(future)
        try:
            address, reply = future.result()
        except KilledWorker as error:
            if suspects is not None:
                suspects.append((hand_in, packed))
                continue
            times = error.allowed_failures + 1
            yield Graded(hand_in, None, None, trouble=f"{times} workers were lost while they graded it")
            continue
        if not reply.startswith(_UNFIT):
            yield unpacked_grade(reply, hand_in, fleet.assignment)
            continue
        _leave_out(fleet, address, reply.removeprefix(_UNFIT).decode())
        _send(fleet, hand_in, packed)


def _leave_out(fleet: _Fleet, address: str, why: str) -> None:
    """Send nothing more to a worker that must not grade.

    Raises:
        AutograderError: It was the last.
    """
    fleet.unfit[address] = why
    fit = [each for each in fleet.client.nthreads() if each not in fleet.unfit]
    if not fit:
        listed = "; ".join(f"{each}: {said}" for each, said in fleet.unfit.items())
        raise AutograderError(f"none of the workers may grade: {listed}")
    fleet.pool = fleet.client.get_executor(pure=False, workers=fit)


@contextlib.contextmanager
def _client(scheduler: Scheduler) -> Iterator[Any]:
    """Dask's client, connected.

    Raises:
        AutograderError: Dask is not installed, a file of TLS is missing, or there is no scheduler.
    """
    try:
        from distributed import Client, Security
    except ImportError as error:
        raise AutograderError("--scheduler needs Dask: pip install 'notebook-autograder[dask]'") from error
    files = (scheduler.tls_ca, scheduler.tls_cert, scheduler.tls_key)
    if scheduler.address.startswith("tls://") and not all(files):
        raise AutograderError(f"{scheduler.address} needs --tls-ca, --tls-cert and --tls-key, a file each")
    security = None
    if any(files):
        missing = [str(path) for path in files if path is not None and not path.is_file()]
        if missing:
            raise AutograderError(f"there is no file {missing[0]}")
        names = [None if path is None else str(path) for path in files]
        security = Security(
            tls_ca_file=names[0], tls_client_cert=names[1], tls_client_key=names[2], require_encryption=True
        )
    try:
        client = Client(scheduler.address, security=security, timeout=10, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise AutograderError(f"there is no Dask scheduler at {scheduler.address}: {error}") from error
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):
            client.close(timeout=5)


def _await_workers(client: Any, scheduler: Scheduler) -> None:
    """Wait until a worker has joined.

    Raises:
        AutograderError: None has, for ``JOIN_SECONDS``.
    """
    try:
        client.wait_for_workers(1, timeout=JOIN_SECONDS)
    except TimeoutError as error:
        raise AutograderError(
            f"no worker has joined the scheduler at {scheduler.address} for {JOIN_SECONDS:.0f} s: start some with "
            f"`dask worker {scheduler.address} --nthreads 1`"
        ) from error
