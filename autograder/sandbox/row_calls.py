"""Calls of a student's functions, in a fork of the state that the notebook has left, for one row."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any, Protocol

from autograder.base import Cause, CheckError, Stopped
from autograder.course import Limits
from autograder.sandbox import processes
from autograder.sandbox.hangs import Hangs
from autograder.sandbox.inside import protocol, wire
from autograder.sandbox.inside.protocol import (
    Answered,
    AnsweredOutside,
    Ask,
    AskOutside,
    ForkRow,
    Raised,
    Refused,
    Replace,
    ThrewOutside,
)
from autograder.sandbox.raised import bounded
from autograder.sandbox.shortages import is_idle, tells_shortage
from autograder.sandbox.stretching import PATIENCE
from autograder.sandbox.student_process import StudentProcess, forked

MAX_ASKS = 100_000


class Answerer(Protocol):
    """Answers calls of functions that are replaced, and what is done with the objects that it has given."""

    def __call__(
        self, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any], deadline: float, /
    ) -> Answered | Refused:
        """Answer a call; ``deadline`` says when an answer comes too late (``time.monotonic``)."""

    def asked(self, question: AskOutside, deadline: float, /) -> AnsweredOutside | ThrewOutside:
        """Answer what is done with an object that it has given, which has a number below 0."""


Outside = Callable[[AskOutside], AnsweredOutside | ThrewOutside]
"""Answers what the student's code does with an object of a test's."""


def _no_object(_: AskOutside) -> ThrewOutside:
    return ThrewOutside("RuntimeError", "there is no such object", 0)


class RanNotebook(Protocol):
    """What calls need of the session in which a notebook has run."""

    limits: Limits
    sources: tuple[str, ...]
    printed_limit: int
    importable: str
    deadline: float
    hangs: Hangs
    disturbed: bool
    waited: float

    def process(self, before: int | None) -> StudentProcess | None:
        """The process with the state after the notebook, or with the one that was kept before a cell."""

    def restart(self) -> bool:
        """Run the notebook again, where there is time; whether there is a process again."""

    def note_out_of_time(self) -> None:
        """Note that the time of the submission was used up, and whether others may have taken it."""

    def give_up(self, before: int | None = None) -> None:
        """End such a process, which does not answer any more."""

    def kill(self, pid: int) -> None:
        """End a process of the submission."""


class RowCalls:
    """Calls of a student's functions in one row's fork. A fork that hangs or dies is replaced by the next call."""

    def __init__(
        self, session: RanNotebook, answers: Answerer | None, replaced: tuple[str, ...], before: int | None = None
    ) -> None:
        self.session = session
        self.before = before
        self.answers = answers
        self.replaced = replaced
        self.asked: set[str] = set()
        self.outside: Outside = _no_object
        self.channel: socket.socket | None = None
        self.pid = 0
        self.forked_at = 0.0
        self.generation = 0

    @property
    def code(self) -> tuple[str, ...]:
        """The code cells that have run in the process that this is a fork of."""
        return self.session.sources[: self.before]

    def exchange(self, message: tuple[Any, ...], function: str) -> Any:
        """Send a message and give the reply; None where it is no message.

        Args:
            message: One of those that the grader sends to a row's fork (``protocol``).
            function: The function that it is about, for the student.

        Raises:
            Stopped: It hung, died, or wrote what is no frame.
        """
        share = self.session.hangs.share(function, self.replaced)
        seconds = self.session.limits.call_seconds * share
        if not seconds:
            raise Stopped(Cause("timeout", function, when="earlier"))
        if time.monotonic() >= self.session.deadline:
            self.session.note_out_of_time()
            raise Stopped(Cause("timeout", function, when="submission"))
        try:
            payload = wire.encode(protocol.tree(message), layout=isinstance(message, protocol.Operate))
        except wire.Uncrossable as error:
            raise CheckError(f"what a check gives to `{function}` cannot go into the sandbox: {error}") from error
        except wire.WireError as error:
            raise Stopped(Cause("uncrossable", function, text=str(error), when="sent")) from None
        if self.channel is None:
            self._fork(function)
        channel = self.channel
        assert channel is not None
        begun = entered = time.monotonic()
        stretched = self._stretched(begun, seconds)
        deadline = min(begun + seconds, self.session.deadline)
        try:
            channel.settimeout(max(0.1, deadline - time.monotonic()))
            wire.send(channel, payload)
            for _ in range(MAX_ASKS):
                reply = protocol.read(wire.receive(channel, deadline, stretched))
                match reply:
                    case Ask(name, arguments, keywords):
                        asked = time.monotonic()
                        answer = self._answer(name, arguments, keywords, asked + seconds)
                        # What we take to answer is none of the student's time.
                        begun += time.monotonic() - asked
                        stretched = self._stretched(begun, seconds)
                        deadline = min(begun + seconds, self.session.deadline)
                        wire.send(channel, wire.encode(protocol.tree(answer)))
                    case AskOutside():
                        asked = time.monotonic()
                        said = self._of_object(reply, asked + seconds)
                        if self.channel is not channel:
                            # To answer it something was asked of this fork, which has ended.
                            raise Stopped(Cause("died", function, when="during"))
                        begun += time.monotonic() - asked
                        stretched = self._stretched(begun, seconds)
                        deadline = min(begun + seconds, self.session.deadline)
                        wire.send(channel, wire.encode(protocol.tree(said)))
                    case Raised():
                        return self.told(reply)
                    case _:
                        return reply
            raise wire.Late
        except wire.Late:
            # All that it ran before was less than all the time before.
            ran = processes.ran(self._outside()) - (entered - self.forked_at)
            self.session.disturbed = self.session.disturbed or is_idle(ran, seconds)
            self.close()
            self.session.hangs.note(function, self.replaced)
            raise Stopped(Cause("timeout", function, when="call" if share == 1 else "short", seconds=seconds)) from None
        except wire.Closed:
            self.session.disturbed = True
            self.close()
            raise Stopped(Cause("died", function, when="during")) from None
        except wire.WireError:
            self.close()
            raise Stopped(Cause("protocol", function)) from None

    def told(self, raised: Raised) -> Raised:
        """An exception that the student's code raised, as it may be told of."""
        self.session.disturbed = self.session.disturbed or tells_shortage(raised.type, raised.text)
        told = bounded(raised, self.session.sources, answered=bool(self.replaced))
        if told.type == "ModuleNotFoundError":
            return told._replace(text=f"{told.text}. {self.session.importable}")
        return told

    def renew(self) -> None:
        """Have the next message answered by a fresh fork.

        Raises:
            Stopped: There is no process to fork from any more.
        """
        self.close()
        self._fork("")

    def close(self) -> None:
        """End the row's fork."""
        if self.channel is not None:
            self.session.waited += processes.waited(self._outside())
            self.channel.close()
            self.session.kill(self.pid)
            self.channel = None

    def _stretched(self, begun: float, seconds: float) -> Callable[[], float]:
        """A function that gives the deadline of a call. Time in which the fork waits for a processor does not count.

        It is asked only where a call is late. Then it counts all the time that the fork has ever waited, since asking
        the kernel before each call would take longer than most calls.
        """

        def stretched() -> float:
            latest = min(begun + PATIENCE * seconds, self.session.deadline)
            return min(begun + seconds + processes.waited(self._outside()), latest)

        return stretched

    def _outside(self) -> int | None:
        """The fork by its number outside; None where that cannot be found out."""
        student = self.session.process(self.before)
        return processes.child(student.outside, self.pid) if student and student.outside else None

    def _answer(
        self, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any], deadline: float
    ) -> Answered | Refused:
        """The answer to a call that the student's code makes of a function that is replaced."""
        if self.answers is None or name not in self.replaced:
            return Refused("this function is not answered from outside")
        self.asked.add(name)
        return self.answers(name, arguments, keywords, deadline)

    def _of_object(self, question: AskOutside, deadline: float) -> AnsweredOutside | ThrewOutside:
        """The answer to what the student's code does with an object from outside: the reference's, or a test's."""
        if question.number >= 0:
            return self.outside(question)
        return _no_object(question) if self.answers is None else self.answers.asked(question, deadline)

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
        self.channel, self.pid, self.forked_at = opened.channel, opened.pid, time.monotonic()
        self.generation += 1
        if self.replaced:
            self.exchange(Replace(list(self.replaced)), function)

    def _opened(self) -> StudentProcess | None:
        """A fresh fork of the student's process, or None where that has ended."""
        process = self.session.process(self.before)
        if process is None:
            return None
        opened = forked(process, ForkRow(self.session.printed_limit), self.session.limits.call_seconds)
        if opened is None:
            self.session.disturbed = True
            self.session.give_up(self.before)
        return opened
