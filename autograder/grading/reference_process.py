"""The reference's answers to a submission, given by a process of their own.

What a submission asks decides how much work an answer is. A fork with a bound on its memory does it, and is ended when
it takes too long, so that nothing a submission asks can hold up or bring down the grader.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
import time
import warnings
from collections.abc import Collection
from types import TracebackType
from typing import Any, Self

import numpy as np

from autograder.checking import GivenObjects, Observer, Reference, answer
from autograder.sandbox import Answered, AnsweredOutside, Refused, ThrewOutside, confine, protocol, wire

MEMORY = 2**29


class ReferenceProcess:
    """Answers calls of the reference's functions; called as ``Answerer`` says."""

    def __init__(self, reference: Reference, wrong: Collection[str], observer: Observer | None = None) -> None:
        """Answer for ``reference``.

        Args:
            reference: What answers.
            wrong: The functions that stand in for wrong ones. What a student's right function takes besides may decide
                what it gives, so only for these are arguments that the reference does not take left out.
            observer: Told of each answer.
        """
        self.reference = reference
        self.wrong = frozenset(wrong)
        self.observer = observer or Observer()
        self.channel: socket.socket | None = None
        self.pid = 0
        self.over = False

    def __call__(
        self, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any], deadline: float
    ) -> Answered | Refused:
        """The answer, or that there is none in time or within the memory."""
        answer = self._said((name, arguments, keywords), deadline)
        said = answer if isinstance(answer, Answered | Refused) else None
        said = said or Refused(f"{name}: a correct one could not be called with these arguments")
        self.observer.answered(name, said)
        return said

    def asked(self, question: protocol.AskOutside, deadline: float) -> AnsweredOutside | ThrewOutside:
        """What comes of something that is done with an object which an answer has given."""
        answer = self._said(protocol.tree(question), deadline)
        if isinstance(answer, AnsweredOutside | ThrewOutside):
            return answer
        return ThrewOutside("RuntimeError", "a correct one could not be asked that", 0)

    def _said(self, question: tuple[Any, ...], deadline: float) -> Any:
        """What the process says to a question; None where it says nothing in time or within the memory."""
        if not self.over:
            try:
                if self.channel is None:
                    self._fork()
                assert self.channel is not None
                self.channel.settimeout(max(0.1, deadline - time.monotonic()))
                wire.send(self.channel, wire.encode(question))
                return protocol.read(wire.receive(self.channel, deadline))
            except wire.WireError:
                self.over = True
                self.close()
        return None

    def close(self) -> None:
        """End the process."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _fork(self) -> None:
        assert self.reference._module is not None  # made here, where it is kept, and not anew in each fork
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            try:
                ours.close()
                _answer_until_closed(theirs, self.reference, self.wrong)
            finally:
                os._exit(0)
        theirs.close()
        self.channel, self.pid = ours, pid


def _answer_until_closed(channel: socket.socket, reference: Reference, wrong: frozenset[str]) -> None:
    if sys.platform == "linux":
        confine.die_with_parent()
        bound = confine.mapped_kb() * 1024 + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    # What a submission asks may be anything, such as the mean of no examples.
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    objects = GivenObjects(below_zero=True)
    with contextlib.suppress(wire.Closed):
        while True:
            question = wire.receive(channel)
            asked = protocol.read(question)
            if isinstance(asked, protocol.AskOutside):
                wire.send(channel, objects.answer(asked))
                continue
            name, arguments, keywords = question
            try:
                taken = objects.own(arguments), objects.own(keywords)
                answered = answer(reference, name, *taken, lenient=name in wrong)
                payload = wire.encode(protocol.tree(answered), objects.refer)
            except wire.WireError:
                payload = wire.encode(protocol.tree(Refused(f"{name}: the answer is too large")))
            wire.send(channel, payload)
