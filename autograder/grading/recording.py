"""The checks of one row as they run, with what they called, what came back, and what they compared: for appeals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from autograder.base import Stopped
from autograder.checking import Calls, Compared, Observer
from autograder.grading.report import CheckResult
from autograder.sandbox import protocol

MAX_PRINTED = 8000
"""Characters that are kept of what one call prints, and of its traceback."""

_RECORDED = (protocol.Call, protocol.TakeItems, protocol.MakeGenerator)


@dataclass
class CallRecord:
    """One message to the student's process, and what came of it.

    Attributes:
        function: The function that it is about.
        message: As ``protocol`` has it: a call, a random generator, what an iterable yields.
        handle: Names the result among the check's results; 0 where there is none.
        value: The result, as far as it is data.
        printed: What was printed meanwhile.
        trouble: The traceback, or why there is no answer.
        answered: Calls of earlier functions that a correct one answered, with the answers.
    """

    function: str
    message: tuple[Any, ...]
    handle: int = 0
    value: Any = None
    printed: str = ""
    trouble: str = ""
    answered: list[tuple[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Checked:
    """One check: its result, and what it called and compared, in order."""

    result: CheckResult
    events: tuple[CallRecord | Compared, ...]


@dataclass
class RowRun:
    """The row's checks run once: with the student's own functions, or some of them answered by the reference."""

    replaced: tuple[str, ...]
    checks: list[Checked] = field(default_factory=list)

    @property
    def results(self) -> tuple[CheckResult, ...]:
        """The checks' results."""
        return tuple(checked.result for checked in self.checks)


class Recorder(Observer):
    """Keeps every run of one row's checks.

    Attributes:
        runs: The runs so far, in order.
    """

    def __init__(self, row: str) -> None:
        self.row = row
        self.runs: list[RowRun] = []
        self._records = False
        self._events: list[CallRecord | Compared] = []
        self._answered: list[tuple[str, Any]] = []

    def run_begins(self, row: str, replaced: tuple[str, ...]) -> None:
        """As ``Observer.run_begins``."""
        self._records = row == self.row
        if self._records:
            self.runs.append(RowRun(replaced))

    def check_ends(self, result: Any) -> None:
        """As ``Observer.check_ends``."""
        if self._records:
            self.runs[-1].checks.append(Checked(result, tuple(self._events)))
        self._events = []

    def replied(self, function: str, message: tuple[Any, ...], reply: Any, seconds: float, calls: Calls) -> None:  # noqa: ARG002
        """As ``Observer.replied``."""
        call = self._call(function, message)
        if call is None:
            return
        match reply:
            case protocol.Result(handle, value):
                call.handle, call.value = handle, value
        try:
            printed = calls.exchange(protocol.ShowPrinted(), function)
        except Stopped:
            return
        match printed:
            case protocol.Printed(text, trouble):
                call.printed, call.trouble = _readable(text), _readable(trouble)

    def stopped(self, function: str, message: tuple[Any, ...], stopped: Stopped) -> None:
        """As ``Observer.stopped``."""
        call = self._call(function, message)
        if call is not None:
            call.trouble = str(stopped)

    def answered(self, function: str, answer: Any) -> None:
        """As ``Observer.answered``."""
        self._answered.append((function, answer))

    def compares(self, compared: Compared) -> None:
        """As ``Observer.compares``."""
        self._events.append(compared)

    def _call(self, function: str, message: tuple[Any, ...]) -> CallRecord | None:
        """The record of a message, with what the reference answered meanwhile; None where it is not recorded."""
        answered, self._answered = self._answered, []
        if not self._records or not isinstance(message, _RECORDED):
            return None
        call = CallRecord(function, message, answered=answered)
        self._events.append(call)
        return call


def _readable(text: str) -> str:
    """A student's text, cut, without what would move a terminal."""
    # Cut before as well: of tabs alone eight times as much is made.
    shown = text[:MAX_PRINTED].expandtabs()[:MAX_PRINTED]
    return "".join(each if each.isprintable() or each == "\n" else "�" for each in shown)
