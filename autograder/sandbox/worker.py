"""The trusted side of the sandbox: warm workers, one session for each submission, one fork for each row.

Whatever comes back from a session may have been written by a hostile process. It is decoded within bounds, and its form
is checked; anything else ends in ``Stopped``, a failure of the student's, and never in an error of ours.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from autograder.base import Cause, CheckError, SandboxError, Stopped, machine_says
from autograder.course import Limits
from autograder.sandbox import cgroup, jail, processes, seccomp
from autograder.sandbox.inside import protocol, wire
from autograder.sandbox.inside.protocol import (
    ENDED,
    PACKET,
    RESTORE,
    SIGNAL,
    START,
    Answered,
    Ask,
    CellRan,
    Forked,
    ForkRow,
    NotIsolated,
    Raised,
    Refused,
    Replace,
    RunCell,
    Started,
)
from autograder.sandbox.inside.removal import empty
from autograder.sandbox.jail import Kind
from autograder.sandbox.outputs import Allowance, passive
from autograder.sandbox.raised import bounded
from autograder.sandbox.runs import CellRun

__all__ = ["Kind", "RowCalls", "Session", "Worker"]

CREDENTIALS = struct.Struct("=3i")
START_SECONDS = 120.0
REPLY_SECONDS = 20.0
INTERRUPT_GRACE = 1.0
MAX_REPLAYS = 8
MAX_HANGS = 2
MAX_ASKS = 100_000
MAX_RESTARTS = 2
END_SECONDS = 10.0
FORK_ENDS_SECONDS = 1.0
"""How long a row's fork that was killed may take to be gone."""
PATIENCE = 4.0
"""How far a time limit is stretched, at the most, for a process that has to wait for a processor."""

Answerer = Callable[[str, tuple[Any, ...], dict[str, Any], float], Answered | Refused]
"""Answers a call, given the function's name, its arguments, and when an answer comes too late (``time.monotonic``)."""


ENDINGS: dict[int, str] = {
    signal.SIGKILL: "It was killed, as where it takes more memory than the whole submission may.",
    signal.SIGSEGV: "It crashed: something wrote where no memory was.",
    signal.SIGABRT: "It aborted, as where a library finds itself in a state that cannot be.",
    signal.SIGBUS: "It crashed, as where its files or its memory had no room left.",
    signal.SIGFPE: "It crashed in an arithmetic operation.",
    signal.SIGXCPU: "It used more processor time than the whole submission may.",
    signal.SIGXFSZ: "It wrote a larger file than it may.",
    signal.SIGSYS: "It asked the system for what a submission may not have.",
}
"""How a student's process may end, by the signal that ended it, for the student."""


def _stretched_deadline(latest: float, process: int | None, begun: float, seconds: float) -> Callable[[], float]:
    """A function that gives the deadline of what a process has just begun.

    Time in which the process waits for a processor does not count; with it, the limit is at most ``PATIENCE`` times as
    long.

    Args:
        latest: When it is too late in any case.
        process: The process, by its number outside; None where that is not known.
        begun: When it began, on ``time.monotonic``'s clock.
        seconds: What it may take.
    """
    before = processes.waited(process)

    def stretched() -> float:
        waited = processes.waited(process) - before
        return min(begun + seconds + waited, begun + PATIENCE * seconds, latest)

    return stretched


_OF_A_TRACEBACK = (" ", "Traceback (", "During handling of the above", "The above exception was")


def _without_traceback(said: str) -> str:
    """What a program says, without the lines of Python's tracebacks but the last of each."""
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith(_OF_A_TRACEBACK)]
    return "\n".join(dict.fromkeys(lines))


def _forbidden(said: str) -> str:
    """Where to look, by what bubblewrap or the kernel says where namespaces or mounts are forbidden."""
    if not re.search(r"namespace|uid map|not permitted|[Pp]ermission denied|unshare|mount", said):
        return ""
    return (
        "This machine forbids what the sandbox is made of, as AppArmor (`sysctl "
        "kernel.apparmor_restrict_unprivileged_userns`), the seccomp profiles of containers and `sysctl "
        "user.max_user_namespaces` do: docs/operators.md says how to allow it.\n"
    )


def _process_limit(kind: Kind, allowed: int) -> int:
    """The limit on processes to set for the user that a submission runs as, which counts all processes of that user."""
    if kind == "none":
        return 10_000
    if kind == "landlock":
        # Others of that user count as well: the worker and the keeper, or whatever an ordinary user runs.
        return allowed + (8 if os.geteuid() == 0 else processes.threads_of(os.geteuid()) + 8)
    return allowed


class Worker:
    """A warm Python inside the sandbox, which forks for one submission after the other."""

    def __init__(self, kind: Kind, allowed: tuple[str, ...]) -> None:
        """Start a worker without waiting until it is warm; the first session waits for that.

        Raises:
            SandboxError: The sandbox is missing; the message says why.
        """
        self.kind = kind
        self.allowed = allowed
        self.groups = None if kind == "none" else cgroup.delegated()
        self.keepers: set[int] = set()
        self._errors: Any = tempfile.TemporaryFile()  # noqa: SIM115 - closed once the worker is ready
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                started = jail.start(kind, allowed, theirs.fileno(), self._errors.fileno())
            except BaseException as error:
                ours.close()
                self._errors.close()
                if isinstance(error, OSError):
                    raise SandboxError(f"the sandbox ({kind}) does not start: {machine_says(error)}.") from error
                raise
        self.process, self.folder = started.process, started.folder
        self.control = ours
        self._start_deadline = time.monotonic() + START_SECONDS

    def wait(self) -> None:
        """Wait until the worker is warm.

        Raises:
            SandboxError: The sandbox does not start; the message says why.
        """
        if self._errors.closed:
            return
        self.control.settimeout(max(0.1, self._start_deadline - time.monotonic()))
        try:
            ready = self.control.recv(2**16)
        except OSError:
            ready = b""
        if ready:
            self._errors.close()
            return
        self._errors.seek(0)
        said = self._errors.read()[-4000:].decode("utf-8", "replace").strip()
        self.close()
        raise SandboxError(
            f"the sandbox did not start: {_without_traceback(said) or 'it ended without a word'}\n{_forbidden(said)}"
            "`autograder doctor` shows what this machine allows, and whether `--sandbox landlock` would do."
        )

    def session(
        self, limits: Limits, seed: int = 0, *, files: Mapping[str, bytes] | None = None, printed_limit: int = 0
    ) -> Session:
        """A fresh fork for one submission.

        Args:
            limits: What the submission may use.
            seed: The seed of ``random`` and ``numpy.random`` inside.
            files: Files that it can read in its working folder, by name; those of Python can be imported.
            printed_limit: How many characters are kept of what a call of a function prints, for ``ShowPrinted``; with 0
                nothing is kept.

        Raises:
            SandboxError: The worker did not start, or is gone.
        """
        self.wait()
        return Session(self, limits, seed, files or {}, printed_limit)

    @property
    def alive(self) -> bool:
        """Whether the worker's process runs."""
        return self.process.poll() is None

    def end_orphans(self) -> None:
        """End processes that have outlived their keeper.

        In a PID namespace the kernel does so. Under Landlock this worker adopts them, and has to be rid of them.
        """
        for _ in range(100):
            orphans = set(processes.children(self.process.pid)) - self.keepers
            if not orphans:
                return
            for pid in set().union(*map(processes.with_descendants, orphans)):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def close(self) -> None:
        """End the worker and everything inside."""
        if self.kind == "landlock":
            self.keepers.clear()
            self.end_orphans()
        self.control.close()
        self._errors.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.folder is not None:
            empty(str(self.folder))
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@dataclass(frozen=True)
class _Student:
    """The student's process: its channel, its pid in the submission's own PID namespace, and outside where known."""

    channel: socket.socket
    pid: int
    outside: int | None


class Session:
    """One submission inside the sandbox, from its first cell to its last row."""

    def __init__(
        self, worker: Worker, limits: Limits, seed: int, files: Mapping[str, bytes], printed_limit: int
    ) -> None:
        """Have the worker fork a keeper for the submission, and wait until that is isolated from the machine.

        Raises:
            SandboxError: The worker is gone, or the submission could not be isolated.
        """
        self.limits = limits
        self.printed_limit = printed_limit
        # Where nothing can be mounted, the files lie in a folder of the host's.
        self.folder = tempfile.mkdtemp(prefix="autograder-") if files and worker.kind == "none" else ""
        self.seed, self.files = seed, files
        self.deadline = time.monotonic() + limits.submission_seconds
        self.needed: frozenset[int] = frozenset()
        self.watched: tuple[str, ...] = ()
        self.spent = {True: 0.0, False: 0.0}
        self.again_until: float | None = None
        self.again: Session | None = None
        self.left_running: set[int] | None = None
        self.hangs: dict[tuple[str, bool], int] = {}
        self.hangs_again: dict[tuple[str, bool], int] = {}
        self.group: Path | None = None
        self.student: _Student | None = None
        self.sources: tuple[str, ...] = ()
        self.restarts = 0
        self.kind = worker.kind
        self.worker, self.keeper = worker, 0
        allowed = " and ".join(filter(None, ["Python's standard library", ", ".join(worker.allowed)]))
        self.importable = f"This assignment allows {allowed}; nothing else can be imported."
        settings = {
            "filter": b"" if worker.kind == "none" else seccomp.program(worker.kind),
            "memory_mb": limits.memory_mb,
            "processes": _process_limit(worker.kind, limits.processes),
            "file_mb": limits.file_mb,
            # One process runs the cells that rows need and the others, which have as much each.
            "cpu_seconds": 2 * limits.submission_seconds,
            "output_bytes": limits.output_kb * 1024,
            "files": [(name, len(content)) for name, content in files.items()],
            "folder": self.folder,
            "seed": seed,
        }
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(REPLY_SECONDS)
        # The kernel says who sends the first packet: that is the keeper, by its number outside.
        self.control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        with theirs, tempfile.TemporaryFile() as bundle:
            try:
                bundle.write(b"".join(files.values()))
                bundle.flush()
                socket.send_fds(worker.control, [wire.encode(settings)], [theirs.fileno(), bundle.fileno()])
            except OSError as error:
                self.close()
                raise SandboxError(f"the warm worker is gone: {error}") from error
        try:
            packet, self.keeper = self._first_packet()
            self.worker.keepers.add(self.keeper)
            match protocol.read(wire.decode(packet)):
                case Started():
                    pass
                case NotIsolated(why):
                    raise SandboxError(f"a submission could not be isolated: {why}")
                case other:
                    raise SandboxError(f"a submission could not be isolated: {other}")
            if worker.groups is not None:
                self.group = cgroup.make(worker.groups, memory_mb=limits.memory_mb, processes=limits.processes)
        except SandboxError:
            self.close()
            raise

    def run(self, sources: Sequence[str], needed: Collection[int] = (), watched: Sequence[str] = ()) -> list[CellRun]:
        """Run the cells in order; one that fails or hangs does not stop the next.

        A cell that ends its process, or that cannot be interrupted, is left out and the others are run again without
        it, so that what the notebook defines elsewhere is still there. The cells that rows need have
        ``submission_seconds`` of their own, the others as much, and the rows, from the end of this on, as much again.

        Args:
            sources: The cells' code.
            needed: The places among them of those that rows need.
            watched: Names of which each result says whether its cell bound or removed them.

        Returns:
            One result for each cell, in order; the indices are those of ``sources``.
        """
        self.needed, self.watched = frozenset(needed), tuple(watched)
        self.spent = {True: 0.0, False: 0.0}
        runs = self._run(tuple(sources))
        self.deadline = time.monotonic() + self.limits.submission_seconds
        return runs

    @contextlib.contextmanager
    def anew(self) -> Iterator[Session]:
        """Another session of the same notebook, in which its cells have run again.

        It has processes, files and namespaces of its own, as another submission would: nothing that a row has written
        here, wherever that was, is there, and nothing of it comes back. It is kept for the next time where its rows
        cannot leave one another anything; otherwise the next time there is yet another. All of them together have
        ``submission_seconds``.

        Raises:
            SandboxError: The worker is gone.
        """
        if self.again_until is None:
            self.again_until = time.monotonic() + self.limits.submission_seconds
        if self.again is None:
            self.again = Session(self.worker, self.limits, self.seed, self.files, self.printed_limit)
            self.again.hangs = self.hangs_again  # of all such sessions together
            self.again.run(self.sources, self.needed)
            self.again.deadline = min(self.again.deadline, self.again_until)
        before, ended = self.again.student, self.again.restarts
        try:
            yield self.again
        finally:
            again = self.again
            if again.student is not before or again.restarts != ended or not again.rows_are_apart():
                again.close()
                self.again = None

    def rows_are_apart(self) -> bool:
        """Whether the student's process has nothing that its forks share beside files: see ``processes.shares``."""
        student = self.student
        if student is None or student.outside is None:
            return False
        # The row's fork has been killed, and may take a moment to be gone.
        latest = time.monotonic() + FORK_ENDS_SECONDS
        while processes.children(student.outside) and time.monotonic() < latest:
            time.sleep(0.002)
        return not processes.shares(student.outside)

    def restore(self) -> None:
        """End what an earlier row has left running, and put files back as they were after the notebook.

        Raises:
            SandboxError: The keeper does not answer.
        """
        student = self.student
        if self.kind == "none" or student is None:
            return
        if student.outside is not None and self.keeper:
            running = processes.below(self.keeper) - {student.outside}
            if self.left_running is None:
                self.left_running = running
            for pid in running - self.left_running:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        try:
            self.control.send(PACKET.pack(RESTORE, 0, 0))
        except OSError as error:
            raise SandboxError(f"the sandbox does not answer: {error}") from error
        self._packet()

    @property
    def may_run_again(self) -> bool:
        """Whether there is time left for another session of the same notebook."""
        return self.again_until is None or time.monotonic() < self.again_until

    def _run(self, sources: tuple[str, ...]) -> list[CellRun]:
        self.sources = sources
        lost: dict[int, CellRun] = {}
        while True:
            self._start()
            runs: list[CellRun] = []
            left = Allowance()
            for index, source in enumerate(sources):
                if index in lost:
                    runs.append(lost[index])
                elif self._left(index) <= 0 or len(lost) > MAX_REPLAYS:
                    runs.append(CellRun(index, "skipped", (), 0.0))
                else:
                    begun = time.monotonic()
                    run, alive = self._cell(index, source, left)
                    self.spent[index in self.needed] += time.monotonic() - begun
                    if not alive:
                        lost[index] = run
                        break
                    runs.append(run)
            else:
                return runs

    def _left(self, index: int) -> float:
        """How many seconds are left for a cell and those of its kind, needed by rows or not."""
        return self.limits.submission_seconds - self.spent[index in self.needed]

    @contextlib.contextmanager
    def row(self, answers: Answerer | None = None, replaced: Sequence[str] = ()) -> Iterator[RowCalls]:
        """A fork of the state after the notebook, for one row.

        Args:
            answers: Answers calls of the functions that are replaced.
            replaced: Names of functions that are answered from outside, by ``answers``.
        """
        self.restore()
        calls = RowCalls(self, answers, tuple(replaced))
        try:
            yield calls
        finally:
            calls.close()

    def restart(self) -> bool:
        """Run the notebook again after a row has ended the student's process, so that this costs no other row.

        Returns:
            Whether there is a process again.
        """
        if not self.sources or self.restarts >= MAX_RESTARTS or time.monotonic() >= self.deadline:
            return False
        self.restarts += 1
        self.spent = {True: 0.0, False: 0.0}
        self._run(self.sources)
        return self.student is not None

    def give_up(self) -> None:
        """End the student's process, which does not answer any more; nothing can be called from here on."""
        if self.student is not None:
            self.student.channel.close()
            self._kill(self.student.pid)
            self.student = None

    def close(self) -> None:
        """End every process of the submission."""
        if self.again is not None:
            self.again.close()
            self.again = None
        self.give_up()
        if self.kind == "landlock":
            # No PID namespace ends what is left. The keeper does, and then closes its end of the socket.
            with contextlib.suppress(OSError):
                self.control.shutdown(socket.SHUT_WR)
                self.control.settimeout(END_SECONDS)
                while self.control.recv(2**16):
                    pass
            self.worker.keepers.discard(self.keeper)
            self.worker.end_orphans()
        self.control.close()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self.group is not None:
            cgroup.remove(self.group)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _first_packet(self) -> tuple[bytes, int]:
        """The keeper's first packet, and its number outside, which the kernel adds; 0 where it does not.

        Raises:
            SandboxError: Nothing came.
        """
        try:
            packet, ancillary, _, _ = self.control.recvmsg(2**16, socket.CMSG_SPACE(CREDENTIALS.size))
        except TimeoutError:
            packet, ancillary = b"", []
        if not packet:
            raise SandboxError("the sandbox ended before a submission was in it")
        self.control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        pids = [CREDENTIALS.unpack(data)[0] for _, kind, data in ancillary if kind == socket.SCM_CREDENTIALS]
        return packet, pids[0] if pids else 0

    def _packet(self) -> bytes:
        """The keeper's next packet.

        Raises:
            SandboxError: Nothing came.
        """
        try:
            packet = self.control.recv(2**16)
        except TimeoutError:
            packet = b""
        if not packet:
            raise SandboxError("the sandbox ended in the middle of a submission")
        return packet

    def _start(self) -> None:
        """Have the keeper start a fresh process for the student's code, in place of the one before.

        Raises:
            SandboxError: The keeper does not answer.
        """
        self.give_up()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self.control, [PACKET.pack(START, 0, 0)], [theirs.fileno()])
                _, pid, _ = PACKET.unpack(self._packet())
            except (OSError, struct.error) as error:
                ours.close()
                raise SandboxError(f"the sandbox does not answer: {error}") from error
        self.student = _Student(ours, pid, processes.child(self.keeper, pid))
        self.left_running = None
        if self.group is not None:
            cgroup.enter(self.group, self.student.outside)

    def _how_it_ended(self, pid: int) -> str:
        """How a process of the student's ended, for the student."""
        with contextlib.suppress(OSError, struct.error, SandboxError):
            for _ in range(20):
                self.control.send(PACKET.pack(ENDED, pid, 0))
                _, _, status = PACKET.unpack(self._packet())
                if status >= 0:
                    number = os.waitstatus_to_exitcode(status)
                    return "It left by itself, as with `os._exit`." if number >= 0 else ENDINGS.get(-number, "")
                time.sleep(0.01)
        self._kill(pid)
        return ""

    def _kill(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        """Have the keeper send a signal to a process of the submission."""
        with contextlib.suppress(OSError):
            self.control.send(PACKET.pack(SIGNAL, pid, number))

    def _cell(self, index: int, source: str, left: Allowance) -> tuple[CellRun, bool]:
        """Run one cell: its result, and whether the student's process still answers."""
        assert self.student is not None
        channel, begun = self.student.channel, time.monotonic()

        def result(
            status: Literal["ok", "raised", "timeout", "died"], outputs: Any = (), bound: Any = (), gone: Any = ()
        ) -> CellRun:
            kept = passive(outputs, self.limits.output_kb, left)
            if any(output.get("ename") == "ModuleNotFoundError" for output in kept):
                kept = (*kept, {"output_type": "stream", "name": "stderr", "text": f"{self.importable}\n"})
            named = (tuple(name for name in self.watched if name in told) for told in (bound, gone))
            return CellRun(index, status, kept, time.monotonic() - begun, *named)

        student = self.student
        latest = begun + self._left(index)
        stretched = _stretched_deadline(latest, student.outside, begun, self.limits.cell_seconds)
        late = False
        try:
            channel.settimeout(REPLY_SECONDS)
            wire.send(channel, wire.encode(protocol.tree(RunCell(source, list(self.watched)))))
            try:
                reply = protocol.read(wire.receive(channel, stretched(), stretched))
            except wire.Late:
                late = True
                self._kill(student.pid, signal.SIGINT)
                reply = protocol.read(wire.receive(channel, time.monotonic() + INTERRUPT_GRACE))
        except wire.Late:
            self._kill(student.pid)
            return result("timeout"), False
        except wire.WireError:
            if late:
                self._kill(student.pid)
                return result("timeout"), False
            how = self._how_it_ended(student.pid)
            return result(
                "died", [{"output_type": "error", "ename": "Python ended", "evalue": how, "traceback": [how]}]
            ), False
        match reply:
            case CellRan("ok" | "raised" as status, outputs, bound, gone):
                names = ([name for name in told if isinstance(name, str)] for told in (bound, gone))
                return result("timeout" if late else status, outputs, *names), True
        self._kill(student.pid)
        return result("died"), False


class RowCalls:
    """Calls of a student's functions in one row's fork. A fork that hangs or dies is replaced by the next call."""

    def __init__(self, session: Session, answers: Answerer | None, replaced: tuple[str, ...]) -> None:
        self.session = session
        self.answers = answers
        self.replaced = replaced
        self.asked: set[str] = set()
        self.channel: socket.socket | None = None
        self.pid = 0
        self.generation = 0

    def exchange(self, message: tuple[Any, ...], function: str) -> Any:
        """Send a message and give the reply; None where it is no message.

        Args:
            message: One of those that the grader sends to a row's fork (``protocol``).
            function: The function that it is about, for the student.

        Raises:
            Stopped: It hung, died, or wrote what is no frame.
        """
        run = (function, bool(self.replaced))
        if self.session.hangs.get(run, 0) >= MAX_HANGS:
            raise Stopped(Cause("timeout", function, when="earlier"))
        if time.monotonic() >= self.session.deadline:
            raise Stopped(Cause("timeout", function, when="submission"))
        try:
            payload = wire.encode(protocol.tree(message))
        except wire.Uncrossable as error:
            raise CheckError(f"what a check gives to `{function}` cannot go into the sandbox: {error}") from error
        except wire.WireError as error:
            raise Stopped(Cause("uncrossable", function, text=str(error), when="sent")) from None
        if self.channel is None:
            self._fork(function)
        assert self.channel is not None
        begun, seconds = time.monotonic(), self.session.limits.call_seconds
        stretched = self._stretched_deadline(begun, seconds)
        deadline = min(begun + seconds, self.session.deadline)
        try:
            self.channel.settimeout(max(0.1, deadline - time.monotonic()))
            wire.send(self.channel, payload)
            for _ in range(MAX_ASKS):
                reply = protocol.read(wire.receive(self.channel, deadline, stretched))
                match reply:
                    case Ask(name, arguments, keywords):
                        asked = time.monotonic()
                        answer = self._answer(name, arguments, keywords, asked + seconds)
                        # What we take to answer is none of the student's time.
                        begun += time.monotonic() - asked
                        stretched = self._stretched_deadline(begun, seconds)
                        deadline = min(begun + seconds, self.session.deadline)
                        wire.send(self.channel, wire.encode(protocol.tree(answer)))
                    case Raised():
                        told = bounded(reply, self.session.sources, answered=bool(self.replaced))
                        if told.type == "ModuleNotFoundError":
                            return told._replace(text=f"{told.text}. {self.session.importable}")
                        return told
                    case _:
                        return reply
            raise wire.Late
        except wire.Late:
            self.close()
            self.session.hangs[run] = self.session.hangs.get(run, 0) + 1
            raise Stopped(Cause("timeout", function, when="call", seconds=seconds)) from None
        except wire.Closed:
            self.close()
            raise Stopped(Cause("died", function, when="during")) from None
        except wire.WireError:
            self.close()
            raise Stopped(Cause("protocol", function)) from None

    def close(self) -> None:
        """End the row's fork."""
        if self.channel is not None:
            self.channel.close()
            self.session._kill(self.pid)
            self.channel = None

    def _stretched_deadline(self, begun: float, seconds: float) -> Callable[[], float]:
        """A function that gives the deadline of a call. Time in which the fork waits for a processor does not count.

        It is asked only where a call is late. Then it counts all the time that the fork has ever waited, since asking
        the kernel before each call would take longer than most calls.
        """

        def stretched() -> float:
            student = self.session.student
            outside = processes.child(student.outside, self.pid) if student and student.outside else None
            latest = min(begun + PATIENCE * seconds, self.session.deadline)
            return min(begun + seconds + processes.waited(outside), latest)

        return stretched

    def _answer(
        self, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any], deadline: float
    ) -> Answered | Refused:
        """The answer to a call that the student's code makes of a function that is replaced."""
        if self.answers is None or name not in self.replaced:
            return Refused("this function is not answered from outside")
        self.asked.add(name)
        return self.answers(name, arguments, keywords, deadline)

    def _fork(self, function: str) -> None:
        """Open a fresh fork for the row; where the student's process has ended, run the notebook again first.

        Raises:
            Stopped: There is no process to fork from any more.
        """
        opened = self._opened()
        while opened is None and self.session.restart():
            opened = self._opened()
        if opened is None:
            raise Stopped(Cause("died", function, when="before"))
        self.channel, self.pid = opened
        self.generation += 1
        if self.replaced:
            self.exchange(Replace(list(self.replaced)), function)

    def _opened(self) -> tuple[socket.socket, int] | None:
        """The channel and the pid of a fresh fork of the student's process, or None where that has ended."""
        student = self.session.student
        if student is None:
            return None
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                student.channel.settimeout(self.session.limits.call_seconds)
                wire.send(student.channel, wire.encode(protocol.tree(ForkRow(self.session.printed_limit))))
                socket.send_fds(student.channel, [b"f"], [theirs.fileno()])
                reply = protocol.read(
                    wire.receive(student.channel, time.monotonic() + self.session.limits.call_seconds)
                )
            except (OSError, wire.WireError):
                reply = None
        if not isinstance(reply, Forked) or type(reply.pid) is not int or not 1 < reply.pid < 2**31:
            ours.close()
            self.session.give_up()
            return None
        return ours, reply.pid
