"""What a check does, told to an observer while it runs: calls, replies and comparisons."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from autograder.base import Stopped
from autograder.checking.answers import Calls
from autograder.sandbox import protocol

Parts = tuple[str | None, ...]


@dataclass(frozen=True)
class Compared:
    """What a check is about to compare, for whoever explains a grade; ``actual`` is an ``Answer`` or plain.

    ``exact`` says whether what is no float is compared exactly, as ``matches`` does and ``agree`` does not;
    ``identical`` whether everything is, its type too, as ``equals`` does.
    """

    actual: Any
    desired: Any
    noise: Any
    single: bool
    what: str = ""
    parts: Parts | None = None
    exact: bool = False
    identical: bool = False


class Observer:
    """Told of what the checks of a row do; this one does nothing with it."""

    def run_begins(self, row: str, replaced: tuple[str, ...]) -> None:
        """The checks of a row are about to run, with these functions answered by the reference."""

    def check_ends(self, result: Any) -> None:
        """A check has the result (``grading.CheckResult``)."""

    def replied(self, function: str, message: tuple[Any, ...], reply: Any, seconds: float, calls: Calls) -> None:
        """A message about a function had a reply, after so long; ``calls`` is where more can be asked."""

    def stopped(self, function: str, message: tuple[Any, ...], stopped: Stopped) -> None:
        """A message about a function had no reply."""

    def answered(self, function: str, answer: Any) -> None:
        """The reference answered a call that the student's code made of an earlier function."""

    def compares(self, compared: Compared) -> None:
        """Something is about to be compared."""


class Observed:
    """The way to a student's functions, which tells an observer what goes along it.

    Attributes:
        functions: The functions that were called since this was last cleared.
    """

    def __init__(self, calls: Calls, observer: Observer) -> None:
        self.calls = calls
        self.observer = observer
        self.functions: set[str] = set()

    @property
    def outside(self) -> Callable[[protocol.AskOutside], Any]:
        """As ``Calls.outside``."""
        return self.calls.outside

    @outside.setter
    def outside(self, answers: Callable[[protocol.AskOutside], Any]) -> None:
        self.calls.outside = answers

    @property
    def code(self) -> tuple[str, ...]:
        """As ``Calls.code``."""
        return self.calls.code

    @property
    def generation(self) -> int:
        """As ``Calls.generation``."""
        return self.calls.generation

    def told(self, raised: protocol.Raised) -> protocol.Raised:
        """As ``Calls.told``."""
        return self.calls.told(raised)

    def renew(self) -> None:
        """As ``Calls.renew``."""
        self.calls.renew()

    def exchange(self, message: tuple[Any, ...], function: str) -> Any:
        """As ``Calls.exchange``."""
        if function and isinstance(message, protocol.Call | protocol.Operate):
            self.functions.add(function)
        begun = time.monotonic()
        try:
            reply = self.calls.exchange(message, function)
        except Stopped as stopped:
            self.observer.stopped(function, message, stopped)
            raise
        self.observer.replied(function, message, reply, time.monotonic() - begun, self.calls)
        return reply


@contextmanager
def observed_by(observer: Observer) -> Iterator[None]:
    """Tell this observer of the comparisons that are made meanwhile: those of plain numbers know no student."""
    token = _OBSERVER.set(observer)
    try:
        yield
    finally:
        _OBSERVER.reset(token)


def tell(compared: Compared) -> None:
    """Tell whoever observes the checks that something is about to be compared."""
    _OBSERVER.get().compares(compared)


_OBSERVER: ContextVar[Observer] = ContextVar("_OBSERVER", default=Observer())  # noqa: B039 - it holds no state
