"""The grader's side of a test cell: starts the process that runs it, and carries its messages to the student's."""

from __future__ import annotations

import array
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import autograder
from autograder.base import Cause, CheckError, SandboxError, Stopped, cause_from_tree, cause_tree
from autograder.checking.answers import Calls, stopped
from autograder.checking.test_cells.plan import Piece, Plan, TestCell
from autograder.course import Limits
from autograder.sandbox import OF_NAMES, Opaque, protocol, wire
from autograder.submission import binds

START_SECONDS = 120.0
_PROCESS = (
    "import gc; gc.disable(); import sys; sys.path[:0] = [{path!r}]; "
    "from autograder.checking.test_cells.process import main; main(*map(int, sys.argv[1:]))"
)
"""The program of that process; the sockets' numbers come behind it. What it imports stays, so that nothing is to be
collected meanwhile."""
_ENDS_SECONDS = 1.0
"""How long a process may take to be gone whose socket the kernel has closed."""
PATIENCE = 20
"""How many times the processor time of a test cell it may take by the clock: a machine may have much else to do."""
MAX_NESTED = 50
"""How deep the student's code and an object of the test's may call each other."""
_CRASHED = "Python itself ends when what your code gives is tested."
_TAKES_TOO_LONG = "What your code gives takes too long to test."
_OF_WHAT_IS_TESTED: dict[int, str] = {
    signal.SIGXCPU: _TAKES_TOO_LONG,
    signal.SIGPROF: _TAKES_TOO_LONG,
    signal.SIGSEGV: _CRASHED,
    signal.SIGABRT: _CRASHED,
    signal.SIGBUS: _CRASHED,
    signal.SIGFPE: _CRASHED,
}


@dataclass(frozen=True)
class Ran:
    """What came of a test cell, or of one of its statements.

    Attributes:
        cause: Why it failed; None where it passed.
        trouble: What of ours went wrong; empty where nothing did.
    """

    cause: Cause | None = None
    trouble: str = ""


@dataclass(frozen=True)
class Tested:
    """What came of a test cell.

    Attributes:
        statements: For each top-level statement that was run.
        number: The last value, where that is a number.
        places: The places where it used remote objects to decide something, where that was recorded.
        changed: Whether the student's code changed lists, dictionaries or arrays of the test's where the master's does
            not.
    """

    statements: tuple[Ran, ...]
    number: float | None = None
    places: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    changed: bool = False

    def and_also(self, other: Tested) -> Tested:
        """What came of it in two runs: of each statement, and of the number, the worse."""
        pairs = itertools.zip_longest(self.statements, other.statements)
        statements = tuple(
            next((each for each in pair if each and (each.cause or each.trouble)), Ran()) for pair in pairs
        )
        numbers = [each for each in (self.number, other.number) if each is not None]
        return replace(self, statements=statements, number=min(numbers, default=None))

    __test__ = False  # it is no test of pytest's


class TestCells:
    """The process in which the test cells of a notebook run; it is started when it is first needed."""

    __test__ = False  # it is no test of pytest's

    def __init__(self, plan: Plan, folder: Path, limits: Limits) -> None:
        """Nothing is started yet.

        Args:
            plan: What the test cells need.
            folder: Where they run: the master's.
            limits: ``cell_seconds`` bounds the processor time of a test cell, ``memory_mb`` its memory.
        """
        self.plan, self.folder, self.limits = plan, folder, limits
        self._channel: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self,
        test: TestCell,
        calls: Calls,
        *,
        partial: bool = False,
        sources: Mapping[str, str] | None = None,
        has_object: Callable[[str, str], bool] | None = None,
        apart: bool = False,
    ) -> Tested:
        """Run a test cell on the objects behind ``calls``.

        Where it can be seen to leave nothing behind, it is run in the process that the others are forked from; where
        that does not do, it is run again in a fork, on fresh objects.

        Args:
            test: One of the plan's.
            calls: The way to the student's process, at the test's place in the notebook.
            partial: Whether a statement that fails does not stop the next.
            sources: The code of the student's functions and classes, by name.
            has_object: Whether the solved master has a remote object at a place (``Tested.places``); where it is None,
                these places are recorded.
            apart: Whether it is run in a fork at once, so that whoever observes the calls sees them once.

        Raises:
            SandboxError: The sandbox failed by itself.
            CheckError: The process cannot be started.
        """
        if test.problem:
            return Tested((Ran(trouble=f"the test cell {test.grade_id} cannot be run: {test.problem}"),))
        job = _job(test, partial, sources or {}, records=has_object is None) | {"apart": apart}
        try:
            tested = self._ran(test, calls, job, has_object)
            if tested is None:
                calls.renew()
                tested = self._ran(test, calls, job | {"apart": True}, has_object)
        except Stopped as error:
            return Tested((Ran(error.cause),))
        assert tested is not None
        if tested.changed and any(each.cause is None and not each.trouble for each in tested.statements):
            # It may pass because what it compares with has been changed as well.
            try:
                calls.renew()
            except Stopped as error:
                return replace(tested, statements=(Ran(error.cause),) * len(tested.statements), number=None)
            again = self._ran(test, calls, job | {"apart": True, "keeps": True}, has_object)
            assert again is not None
            tested = tested.and_also(again)
        return tested

    def _ran(
        self, test: TestCell, calls: Calls, job: dict[str, Any], has_object: Callable[[str, str], bool] | None
    ) -> Tested | None:
        """What came of a test cell; None where it was run in the process itself, and that did not do."""
        try:
            payload = wire.encode(job)
        except wire.WireError as error:
            return Tested((Ran(trouble=f"the test cell {test.grade_id} cannot be run: {error}"),))
        ours, child = self._forked(payload)
        here = not child
        try:
            return _Conversation(ours, calls, self.limits, has_object).outcome(test)
        except wire.Closed:
            if here:
                signalled = self._signal()
                return Tested((_died(test, signalled),)) if signalled == signal.SIGPROF else None
            status, child = self._ended(child, ask=True), 0
            return Tested((_died(test, status),))
        except wire.WireError as error:
            if here:
                self.close()
                return None
            return Tested((Ran(trouble=f"the test cell {test.grade_id} was stopped: {error}"),))
        finally:
            ours.close()
            if child:
                self._ended(child)

    def start(self) -> None:
        """Start the process, where it is not started yet.

        Raises:
            CheckError: It cannot be started.
        """
        self._started()

    def _signal(self) -> int:
        """End the process, and give the signal that had ended it; 0 where none had."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._process is not None:
                self._process.wait(_ENDS_SECONDS)
        ended = 0 if self._process is None else self._process.returncode or 0
        self.close()
        return max(0, -ended)

    def close(self) -> None:
        """End the process."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _forked(self, job: bytes) -> tuple[socket.socket, int]:
        """A socket to what runs a job, and the number of the fork that does; 0 where it is the process itself."""
        for again in (True, False):
            channel = self._started()
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    socket.send_fds(channel, [b"run"], [theirs.fileno()])
                    wire.send(ours, job)
                    (child,) = array.array("q", channel.recv(8))
                    return ours, child
                except (OSError, ValueError, wire.WireError):
                    ours.close()
                    self.close()
                    if not again:
                        raise CheckError("the process that runs test cells does not answer") from None
        raise AssertionError

    def _started(self) -> socket.socket:
        if self._channel is not None:
            return self._channel
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        beginning, their_beginning = socket.socketpair()
        with theirs, their_beginning:
            # One thread for each library of linear algebra: to start more takes longer than all else of NumPy.
            threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
            environment = os.environ | threads | {"MPLBACKEND": "Agg", "PYTHONHASHSEED": "0"}
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-c", _PROCESS.format(path=str(Path(autograder.__file__).parents[1]))),
                    str(theirs.fileno()),
                    str(their_beginning.fileno()),
                ],
                pass_fds=[theirs.fileno(), their_beginning.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self._channel = ours
        settings = {
            "folder": str(self.folder),
            "given": [list(_piece(each)) for each in self.plan.given],
            "tests": [[each.number, each.source] for each in self.plan.tests.values() if not each.problem],
            "students": sorted(self.plan.students),
            "shared": sorted(self.plan.shared),
            "asked": sorted(self.plan.asked),
            "memory_mb": self.limits.memory_mb,
            "seconds": self.limits.cell_seconds,
        }
        try:
            with beginning:
                wire.send(beginning, wire.encode(settings))
                wire.receive(beginning, time.monotonic() + START_SECONDS)
        except wire.WireError as error:
            self.close()
            raise CheckError(f"the process that runs test cells does not start: {error}") from error
        ours.settimeout(START_SECONDS)
        return ours

    def _ended(self, child: int, *, ask: bool = False) -> int:
        """End a fork; its wait status where that is asked for, which is waited for."""
        if self._channel is None:
            return 0
        with contextlib.suppress(OSError, ValueError):
            self._channel.sendall(array.array("q", [child, int(ask)]).tobytes())
            if not ask:
                return 0
            (status,) = array.array("q", self._channel.recv(8))
            return status
        return 0


def _named(thing: object) -> Opaque:
    """What stands for an object: as it is asked for, what is of a class of the student's own keeps that one's name."""
    return Opaque(type(thing).__name__)


class _Conversation:
    """What is said while one test cell runs: its messages to the student's process, and that one's questions to it."""

    def __init__(
        self, channel: socket.socket, calls: Calls, limits: Limits, has_object: Callable[[str, str], bool] | None
    ) -> None:
        self.channel, self.calls, self.has_object = channel, calls, has_object
        self.seconds = PATIENCE * limits.cell_seconds
        self.label = ""
        self.nested = 0

    def outcome(self, test: TestCell) -> Tested | None:
        """What came of the test cell; None where it is to be run apart."""
        before, self.calls.outside = self.calls.outside, self.asked
        try:
            match self.served():
                case ("over", list(results), number, list(places), bool(changed)):
                    return Tested(
                        tuple(self.result(test, *each) for each in results),
                        number if isinstance(number, float) else None,
                        frozenset((operation, place) for operation, place in places),
                        changed,
                    )
                case ("again",):
                    return None
        finally:
            self.calls.outside = before
        raise wire.WireError("it said something else than how it ended")

    def served(self) -> tuple[Any, ...]:
        """Carry messages to the student's process until the test says something that is for the grader itself."""
        while True:
            match wire.receive(self.channel, time.monotonic() + self.seconds):
                case ("do", str(label), bytes(payload)):
                    self.label = label or self.label
                    wire.send(self.channel, self.exchanged(label or self.label or "your code", payload))
                case ("approve", str(operation), str(place)):
                    approved = self.has_object is None or self.has_object(operation, place)
                    self.tell(("approved", approved))
                case tuple() as said:
                    return said
                case _:
                    raise wire.WireError("it said something that is no message")

    def tell(self, message: tuple[Any, ...]) -> None:
        wire.send(self.channel, wire.encode(message))

    def exchanged(self, label: str, payload: bytes) -> bytes:
        message = protocol.read(wire.decode(payload))
        assert isinstance(message, protocol.Operate)
        generation = self.calls.generation
        cause = Cause("protocol", label)
        try:
            # What only looks at names is no call of the function that has one, and hangs for other reasons.
            reply = self.calls.exchange(message, "" if message.operation in OF_NAMES else label)
            if generation and self.calls.generation != generation:
                cause = Cause("died", label, when="before")
            elif isinstance(reply, protocol.Done | protocol.Threw | protocol.Missing | protocol.TooLarge):
                return wire.encode(("reply", protocol.tree(reply)), _named, layout=True)
        except Stopped as error:
            cause = error.cause
        except wire.WireError as error:
            # It is as large as it may be, and does not fit into what is around it here.
            cause = Cause("uncrossable", label, text=str(error)[:120], when="given")
        return wire.encode(("stopped", cause_tree(cause)))

    def asked(self, question: protocol.AskOutside) -> Any:
        """What comes of something that the student's code does with an object of the test's."""
        if self.nested >= MAX_NESTED:
            return protocol.ThrewOutside("RecursionError", "maximum recursion depth exceeded", 0)
        try:
            payload = wire.encode(("ask", protocol.tree(question)), _named)
        except wire.WireError as error:
            return protocol.ThrewOutside("ValueError", str(error)[:120], 0)
        self.nested += 1
        try:
            wire.send(self.channel, payload)
            match self.served():
                case ("answered", bytes(payload)):
                    answer = protocol.read(wire.decode(payload))
                    if isinstance(answer, protocol.AnsweredOutside | protocol.ThrewOutside):
                        return answer
        finally:
            self.nested -= 1
        raise SandboxError("the process that runs test cells gave no answer")

    def result(self, test: TestCell, kind: str, text: str, known: dict[str, Any]) -> Ran:
        match kind:
            case "passed":
                return Ran()
            case "stopped":
                return Ran(cause_from_tree(known))
            case "missing":
                return Ran(Cause("missing", text))
            case "said":
                return Ran(Cause("said", text=text, exception=known.get("exception", "")))
            case "threw":
                raised = self.calls.told(protocol.Raised(*known["raised"]))
                return Ran(stopped(raised, self.label or raised.function).cause)
        return Ran(trouble=f"the test cell {test.grade_id} (cell {test.number} of the master), {text}")


def _job(test: TestCell, partial: bool, sources: Mapping[str, str], *, records: bool) -> dict[str, Any]:
    return {
        "number": test.number,
        "source": test.source,
        "hidden": sorted(test.hidden),
        "binds": sorted(binds(test.source)),
        "before": [list(_piece(each)) for each in test.before],
        "shares_random": test.shares_random,
        "partial": partial,
        "sources": dict(sources),
        "records": records,
        "keeps": False,
    }


def _piece(piece: Piece) -> tuple[int, str, list[int]]:
    return piece.number, piece.source, list(piece.statements)


def _died(test: TestCell, status: int) -> Ran:
    """What is said of a test cell that ended its process.

    The solved master's objects did not end it, so by a signal of its own doing it was the student's that did. Another's
    is none of theirs.
    """
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in _OF_WHAT_IS_TESTED:
        return Ran(Cause("said", text=_OF_WHAT_IS_TESTED[os.WTERMSIG(status)], says_all=True))
    return Ran(trouble=f"the test cell {test.grade_id} (cell {test.number} of the master) ended its process: {status}")
