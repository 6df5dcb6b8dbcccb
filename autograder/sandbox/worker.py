"""The trusted side of the sandbox: warm workers, one session for each submission, one fork for each row.

Whatever comes back from a session is taken for what a hostile process wrote: it is decoded within bounds, its form is
checked, and anything else ends in ``Stopped``, which is the student's, never in an error of ours.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

from autograder.config import Limits
from autograder.errors import SandboxError, Stopped
from autograder.report import CellRun
from autograder.sandbox import jail, seccomp
from autograder.sandbox.inside import wire
from autograder.sandbox.outputs import Room, passive

COMMAND = struct.Struct("<cii")
START_SECONDS = 120.0
REPLY_SECONDS = 20.0
INTERRUPT_GRACE = 1.0
MAX_REPLAYS = 8
MAX_HANGS = 2
MAX_ASKS = 100_000

Kind = Literal["bubblewrap", "none"]
Answerer = Callable[[str, tuple[Any, ...], dict[str, Any], float], Any]
"""Answers a call, given the function's name, its arguments, and when an answer comes too late (``time.monotonic``)."""


class Worker:
    """A warm Python inside the sandbox, which forks for one submission after the other."""

    def __init__(self, kind: Kind, allowed: tuple[str, ...]) -> None:
        """Start one.

        Raises:
            SandboxError: The sandbox is missing or does not start; the message says why.
        """
        self.kind = kind
        self.allowed = allowed
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with tempfile.TemporaryFile() as errors, theirs:
            try:
                self.process = jail.start(kind == "bubblewrap", allowed, theirs.fileno(), errors.fileno())
            except BaseException:
                ours.close()
                raise
            theirs.close()
            self.control = ours
            ours.settimeout(START_SECONDS)
            try:
                ready = ours.recv(2**16)
            except TimeoutError:
                ready = b""
            if not ready:
                self.close()
                errors.seek(0)
                said = errors.read()[-4000:].decode("utf-8", "replace").strip()
                raise SandboxError(
                    f"the sandbox did not start: {said or 'it ended without a word'}\n"
                    "`autograder doctor` shows what this machine allows."
                )

    def session(self, limits: Limits) -> Session:
        """A fresh fork for one submission.

        Raises:
            SandboxError: The worker is gone.
        """
        return Session(self, limits)

    @property
    def alive(self) -> bool:
        """Whether the worker's process runs."""
        return self.process.poll() is None

    def close(self) -> None:
        """End the worker and everything inside."""
        self.control.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@dataclass(frozen=True)
class _Student:
    """The student's process inside: its channel and its pid in the submission's own PID namespace."""

    channel: socket.socket
    pid: int


class Session:
    """One submission inside the sandbox, from its first cell to its last row."""

    def __init__(self, worker: Worker, limits: Limits) -> None:
        self.limits = limits
        self.deadline = time.monotonic() + limits.submission_seconds
        self.hangs: dict[tuple[str, bool], int] = {}
        self.student: _Student | None = None
        isolate = worker.kind == "bubblewrap"
        settings = {
            "isolate": isolate,
            "filter": seccomp.program(template=False) if isolate else b"",
            "memory_mb": limits.memory_mb,
            "processes": limits.processes if isolate else 10_000,
            "file_mb": limits.file_mb,
            "cpu_seconds": limits.submission_seconds,
            "output_bytes": limits.output_kb * 1024,
        }
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(REPLY_SECONDS)
        with theirs:
            try:
                socket.send_fds(worker.control, [wire.encode(settings)], [theirs.fileno()])
            except OSError as error:
                self.control.close()
                raise SandboxError(f"the warm worker is gone: {error}") from error
        try:
            started = wire.decode(self._packet())
        except SandboxError:
            self.control.close()
            raise
        if started != {"started": True}:
            self.control.close()
            raise SandboxError(f"a submission could not be isolated: {started.get('failed', started)}")

    def run(self, sources: Sequence[str]) -> list[CellRun]:
        """Run the cells in order; one that fails or hangs does not stop the next.

        A cell that ends its process, or that cannot be interrupted, is left out and the others are run again without
        it, so that what the notebook defines elsewhere is still there.

        Returns:
            One result for each cell, in order; the indices are those of ``sources``.
        """
        lost: dict[int, CellRun] = {}
        while True:
            self._start()
            runs: list[CellRun] = []
            room = Room()
            for index, source in enumerate(sources):
                if index in lost:
                    runs.append(lost[index])
                elif time.monotonic() >= self.deadline or len(lost) > MAX_REPLAYS:
                    runs.append(CellRun(index, "skipped", (), 0.0))
                else:
                    run, alive = self._cell(index, source, room)
                    if not alive:
                        lost[index] = run
                        break
                    runs.append(run)
            else:
                return runs

    @contextlib.contextmanager
    def row(self, answers: Answerer | None = None, replaced: Sequence[str] = ()) -> Iterator[RowCalls]:
        """A fork of the state after the notebook, for one row.

        Args:
            answers: Answers calls of the functions that are replaced.
            replaced: Names of functions that are answered from outside, by ``answers``.
        """
        calls = RowCalls(self, answers, tuple(replaced))
        try:
            yield calls
        finally:
            calls.close()

    def give_up(self) -> None:
        """End the student's process, which does not answer any more; nothing can be called from here on."""
        if self.student is not None:
            self.student.channel.close()
            self._kill(self.student.pid)
            self.student = None

    def close(self) -> None:
        """End every process of the submission."""
        self.give_up()
        self.control.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _packet(self) -> bytes:
        try:
            packet = self.control.recv(2**16)
        except TimeoutError:
            packet = b""
        if not packet:
            raise SandboxError("the sandbox ended in the middle of a submission")
        return packet

    def _start(self) -> None:
        self.give_up()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self.control, [COMMAND.pack(b"S", 0, 0)], [theirs.fileno()])
                _, pid, _ = COMMAND.unpack(self._packet())
            except (OSError, struct.error) as error:
                ours.close()
                raise SandboxError(f"the sandbox does not answer: {error}") from error
        self.student = _Student(ours, pid)

    def _kill(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        with contextlib.suppress(OSError):
            self.control.send(COMMAND.pack(b"K", pid, number))

    def _cell(self, index: int, source: str, room: Room) -> tuple[CellRun, bool]:
        """Run one cell: its result, and whether the student's process still answers."""
        assert self.student is not None
        channel, begun = self.student.channel, time.monotonic()

        def result(status: Literal["ok", "raised", "timeout", "died"], outputs: Any = ()) -> CellRun:
            return CellRun(index, status, passive(outputs, self.limits.output_kb, room), time.monotonic() - begun)

        deadline = min(begun + self.limits.cell_seconds, self.deadline)
        late = False
        try:
            channel.settimeout(REPLY_SECONDS)
            wire.send(channel, wire.encode(("cell", source)))
            try:
                reply = wire.receive(channel, deadline)
            except wire.Late:
                late = True
                self._kill(self.student.pid, signal.SIGINT)
                reply = wire.receive(channel, time.monotonic() + INTERRUPT_GRACE)
        except wire.Late:
            self._kill(self.student.pid)
            return result("timeout"), False
        except wire.WireError:
            self._kill(self.student.pid)
            return result("timeout" if late else "died"), False
        match reply:
            case ("ok" | "raised" as status, list(outputs)):
                return result("timeout" if late else status, outputs), True
        self._kill(self.student.pid)
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
        """Send a message and give the reply, decoded but not yet looked at.

        Args:
            message: One of those that ``inside.calls.Row.reply`` knows.
            function: The function that it is about, for the student.

        Raises:
            Stopped: It hung, died, or wrote what is no frame.
        """
        run = (function, bool(self.replaced))
        if self.session.hangs.get(run, 0) >= MAX_HANGS:
            raise Stopped(
                f"`{function}` did not finish within the time limit in earlier checks, so it was not called again.",
                "timeout",
            )
        if time.monotonic() >= self.session.deadline:
            raise Stopped("The submission's time was used up before this could be checked.", "timeout")
        if self.channel is None:
            self._fork(function)
        assert self.channel is not None
        deadline = min(time.monotonic() + self.session.limits.call_seconds, self.session.deadline)
        try:
            self.channel.settimeout(max(0.1, deadline - time.monotonic()))
            wire.send(self.channel, wire.encode(message))
            for _ in range(MAX_ASKS):
                reply = wire.receive(self.channel, deadline)
                match reply:
                    case ("ask", str(name), tuple(arguments), dict(keywords)):
                        begun = time.monotonic()
                        answer = self._answer(name, arguments, keywords, begun + self.session.limits.call_seconds)
                        # What we take to answer is none of the student's time.
                        deadline = min(deadline + time.monotonic() - begun, self.session.deadline)
                        wire.send(self.channel, wire.encode(answer))
                    case _:
                        return reply
            raise wire.Late
        except wire.Late:
            self.close()
            self.session.hangs[run] = self.session.hangs.get(run, 0) + 1
            seconds = self.session.limits.call_seconds
            limit = "1 second" if seconds == 1 else f"{seconds:g} seconds"
            raise Stopped(
                f"`{function}` did not finish within {limit}. Is there a loop that never ends?",
                "timeout",
            ) from None
        except wire.Closed:
            self.close()
            raise Stopped(
                f"Python itself ended while `{function}` ran: it left with `exit`, ran out of memory, or crashed.",
                "died",
            ) from None
        except wire.WireError:
            self.close()
            raise Stopped(f"`{function}` gave something that cannot be read.", "protocol") from None

    def close(self) -> None:
        """End the row's fork."""
        if self.channel is not None:
            self.channel.close()
            self.session._kill(self.pid)
            self.channel = None

    def _answer(self, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any], deadline: float) -> Any:
        if self.answers is None or name not in self.replaced:
            return ("failed", "this function is not answered from outside")
        self.asked.add(name)
        return self.answers(name, arguments, keywords, deadline)

    def _fork(self, function: str) -> None:
        student = self.session.student
        if student is None:
            raise Stopped(f"Python had ended before `{function}` could be called.", "died")
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                student.channel.settimeout(self.session.limits.call_seconds)
                wire.send(student.channel, wire.encode(("row",)))
                socket.send_fds(student.channel, [b"f"], [theirs.fileno()])
                pid = wire.receive(student.channel, time.monotonic() + self.session.limits.call_seconds)
            except (OSError, wire.WireError):
                pid = None
        if type(pid) is not int or not 1 < pid < 2**31:
            ours.close()
            self.session.give_up()
            raise Stopped(f"Python had ended before `{function}` could be called.", "died")
        self.channel, self.pid = ours, pid
        self.generation += 1
        if self.replaced:
            self.exchange(("replace", list(self.replaced)), function)
