"""The checks of one row as they run, with what they called, what came back, and what they compared: for appeals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from autograder.base import Stopped
from autograder.checking import WATCH, Calls, Compared
from autograder.course import Assignment
from autograder.grading.report import CheckResult
from autograder.grading.suite import Check, Suite, Verdict
from autograder.sandbox import Answerer, RowCalls

MAX_PRINTED = 8000
"""Characters that are kept of what one call prints, and of its traceback."""


@dataclass
class Call:
    """One message to the student's process, and what came of it.

    Attributes:
        function: The function that it is about.
        message: As ``inside.calls.Row.reply`` knows it: a call, a random generator, what an iterable yields.
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
    events: tuple[Call | Compared, ...]


@dataclass(frozen=True)
class Attempt:
    """The row's checks run once: with the student's own functions, or some of them answered by correct ones."""

    replaced: tuple[str, ...]
    checks: tuple[Checked, ...]

    @property
    def results(self) -> tuple[CheckResult, ...]:
        """The checks' results."""
        return tuple(checked.result for checked in self.checks)


class RecordingSuite(Suite):
    """The checks of an assignment, those of one row recorded."""

    def __init__(self, assignment: Assignment, row: str) -> None:
        """As ``Suite``, for this row."""
        self.row = row
        self.attempts: list[Attempt] = []
        super().__init__(assignment)

    def run(self, checks: Sequence[Check], calls: Calls) -> list[Verdict]:
        """As ``Suite.run``."""
        if not checks or checks[0].row != self.row:
            return super().run(checks, calls)
        answered: list[tuple[str, Any]] = []
        replaced: tuple[str, ...] = ()
        if isinstance(calls, RowCalls) and calls.answers is not None:
            replaced, calls.answers = calls.replaced, _told(calls.answers, answered)
        verdicts, seen = [], []
        for check in checks:
            recorder = _Recorder(calls, answered)
            token = WATCH.set(recorder.events.append)
            try:
                verdicts += super().run([check], recorder)
            finally:
                WATCH.reset(token)
            seen.append(Checked(verdicts[-1].result, tuple(recorder.events)))
        self.attempts.append(Attempt(replaced, tuple(seen)))
        return verdicts


class _Recorder:
    """Calls, each with what came of it."""

    def __init__(self, calls: Calls, answered: list[tuple[str, Any]]) -> None:
        self.calls = calls
        self.answered = answered
        self.events: list[Call | Compared] = []

    @property
    def generation(self) -> int:
        return self.calls.generation

    def exchange(self, message: tuple[Any, ...], function: str) -> Any:
        if message[0] not in ("call", "items", "rng"):
            return self.calls.exchange(message, function)
        self.answered.clear()
        call = Call(function, message)
        self.events.append(call)
        try:
            reply = self.calls.exchange(message, function)
        except Stopped as stopped:
            call.trouble, call.answered = str(stopped), list(self.answered)
            raise
        call.answered = list(self.answered)
        match reply:
            case (str("result"), int(handle), value):
                call.handle, call.value = handle, value
        self._ask_what_was_printed(call)
        return reply

    def _ask_what_was_printed(self, call: Call) -> None:
        try:
            said = self.calls.exchange(("printed",), call.function)
        except Stopped:
            return
        match said:
            case ("printed", str(text), str(trouble)):
                call.printed, call.trouble = _readable(text), _readable(trouble)


def _told(answers: Answerer, answered: list[tuple[str, Any]]) -> Answerer:
    """The same answers, noted down."""

    def answer(name: str, arguments: tuple[Any, ...], keywords: dict[str, Any], deadline: float) -> Any:
        given = answers(name, arguments, keywords, deadline)
        answered.append((name, given))
        return given

    return answer


def _readable(text: str) -> str:
    """A student's text, cut, without what would move a terminal."""
    return "".join(each if each.isprintable() or each == "\n" else "�" for each in text.expandtabs()[:MAX_PRINTED])
