"""Checks that cannot fail: those that an answer passes which has nothing to do with what was asked.

Each check is run, without a sandbox, on functions that nobody would call solved: they give a constant, one of their
arguments, or zeros in the right shape. The row's other functions, and those of other rows, are the reference's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from autograder.checking import Calls, Loopback, Observer
from autograder.course import Assignment
from autograder.grading import Suite
from autograder.sandbox import protocol, wire

Function = Callable[..., Any]

_CONSTANTS: tuple[tuple[str, Any], ...] = (
    ("None", None),
    ("True", True),
    ("False", False),
    ("0", 0),
    ("1", 1),
    ("''", ""),
    ("[]", []),
    ("{}", {}),
    ("NaN", float("nan")),
    ("an empty array", np.zeros(0)),
)
_FILLED: tuple[tuple[str, float], ...] = (("zeros", 0.0), ("NaN", float("nan")))
_SHOWN = 3
"""Of what passes a check, so much is told."""


def hollow_checks(assignment: Assignment) -> Iterator[str]:
    """Sentences on the checks that something passes which is no solution, each with its file and line.

    Raises:
        CheckError: The checks or the reference cannot be used.
    """
    with Suite(assignment) as suite:
        right = vars(suite.reference._module)
        answers = _Answers()
        for row in assignment.rows:
            for check in (each for each in suite.rows()[row.name] if each.test is None):
                watched = _Watched()
                suite.run([check], Loopback(dict(right)), watched)
                called = [name for name in watched.called if name in row.functions]
                passes: list[str] = []
                # All of the row's functions are wrong, or the last alone: the others may only prepare what it gets.
                for wrong in dict.fromkeys((tuple(dict.fromkeys(called)), tuple(called[-1:]))):
                    for what, make in _pretenders(watched.longest):
                        made = {name: make(answers.of(name, right[name])) for name in wrong}
                        names = dict(right) | {name: _limited(each, called.count(name)) for name, each in made.items()}
                        (verdict,) = suite.run([check], Loopback(names))
                        if verdict.result.outcome == "passed":
                            passes.append(what)
                if not called:
                    yield f"{row.name}: the check {_place(check.item, assignment)} calls none of the row's functions"
                elif passes:
                    shown = list(dict.fromkeys(passes))
                    more = f", and {len(shown) - _SHOWN} others" if len(shown) > _SHOWN else ""
                    functions = " and ".join(f"`{name}`" for name in dict.fromkeys(called))
                    yield (
                        f"{row.name}: the check {_place(check.item, assignment)} cannot fail as it should: it passes "
                        f"where {functions} gives {', '.join(shown[:_SHOWN])}{more}; let it compare the answers to "
                        "inputs for which that is wrong, such as with `matches`"
                    )


def _limited(function: Function, most: int) -> Function:
    """The function, which answers as often as a check that passes asks: what looks for a hint asks much more."""
    asked = iter(range(most))

    def limited(*arguments: Any, **keywords: Any) -> Any:
        if next(asked, None) is None:
            raise RuntimeError("asked more often than the right function was")
        return function(*arguments, **keywords)

    return limited


def _place(item: Any, assignment: Assignment) -> str:
    """A check's name, and the file and line where it begins."""
    path, course = Path(item.path), assignment.checks.parents[2 if assignment.others else 1]
    shown = path.relative_to(course) if path.is_relative_to(course) else path
    return f"{item.name} ({shown.as_posix()}, line {item.function.__code__.co_firstlineno})"


@dataclass
class _Watched(Observer):
    """Remembers which functions a check calls, in their order, and the most arguments that one gets."""

    called: list[str] = field(default_factory=list)
    longest: int = 0

    def replied(self, function: str, message: tuple[Any, ...], reply: Any, seconds: float, calls: Calls) -> None:  # noqa: ARG002
        """As ``Observer.replied``."""
        match message:
            case protocol.Call(name, arguments, keywords):
                self.called.append(name)
                self.longest = max(self.longest, len(arguments) + len(keywords))


def _pretenders(arguments: int) -> Iterator[tuple[str, Callable[[Function], Function]]]:
    """Functions that solve nothing, each with what it gives and a way to make it from the right one."""
    for what, constant in _CONSTANTS:
        yield f"{what} always", _constantly(constant)
    for what, number in _FILLED:
        yield f"{what} in the right shape", partial(_filled, number=number)
    for place in range(arguments):
        yield f"its argument {place + 1}", partial(_echo, place=place)


def _constantly(constant: Any) -> Callable[[Function], Function]:
    return lambda _: lambda *_, **__: constant


def _filled(right: Function, number: float) -> Function:
    """A function that gives what the right one gives, but with this number for all numbers."""
    return lambda *arguments, **keywords: _with_number(right(*arguments, **keywords), number)


def _with_number(tree: Any, number: float) -> Any:
    if isinstance(tree, Mapping):
        return {key: _with_number(each, number) for key, each in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(_with_number(each, number) for each in tree)
    if isinstance(tree, np.ndarray):
        return np.full_like(tree, number) if tree.dtype.kind == "f" or number == number else np.zeros_like(tree)
    if isinstance(tree, bool | int | float | np.number):
        return number
    return tree if isinstance(tree, _DATA) else _ObjectWithNumber(tree, number)


_DATA = (str, bytes, type(None), set, frozenset, type)


class _ObjectWithNumber:
    """An object of a class of the reference's, of which methods and attributes give this number for all numbers."""

    def __init__(self, right: Any, number: float) -> None:
        self._right, self._number = right, number

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        right, number = getattr(self._right, name), self._number
        return _filled(right, number) if callable(right) else _with_number(right, number)


def _whole(result: Any) -> Any:
    """A result, and of an iterator the list of what it yields."""
    return list(result) if hasattr(result, "__next__") else result


def _echo(right: Function, place: int) -> Function:
    """A function that gives one of its arguments, as many times as the right one gives values."""

    def echo(*arguments: Any, **keywords: Any) -> Any:
        given = [*arguments, *keywords.values()][place]
        result = right(*arguments, **keywords)
        return (given,) * len(result) if isinstance(result, tuple) else given

    return echo


class _Answers:
    """What the reference's functions give, worked out once for the same arguments."""

    def __init__(self) -> None:
        self._known: dict[bytes, Any] = {}

    def of(self, name: str, function: Function) -> Function:
        """The function, remembering what it gave."""

        def remembered(*arguments: Any, **keywords: Any) -> Any:
            try:
                key = wire.encode((name, arguments, keywords))
            except wire.WireError:
                return _whole(function(*arguments, **keywords))
            if key not in self._known:
                self._known[key] = _whole(function(*arguments, **keywords))
            return self._known[key]

        return remembered
