"""What the checks ask of the solved master: which functions they call, with which kinds of arguments and results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.base import CheckError
from autograder.checking import Calls, Observer
from autograder.course import Assignment
from autograder.grading import RowResult, Suite
from autograder.sandbox import Kind, Worker, probed, protocol
from autograder.submission import files_beside

Form = Any
"""What an object is made of, in a word: ``floats`` (an array of two dimensions or more, or of any number), ``vector``,
``float array`` (0-d), ``integers``, ``float``, ``int``, ``str``, or ``""`` for
anything else; a tuple or a dict of forms.
"""

ARRAYS = ("floats", "vector", "float array")


@dataclass(frozen=True)
class Observed:
    """The solved master under its checks.

    Attributes:
        rows: The result of each row, by its name.
        called: The functions that each row's checks call.
        arguments: Each function's arguments as (positional ones, keyword ones), one pair a call. A method is called
            as in ``Linear.forward``, and a class for its constructor.
        results: The form of each function's results.
        units: Groups of rows whose functions share objects of their own, or that test one solution.
        longest_call: Wall-clock time of the longest call, in seconds.
    """

    rows: dict[str, RowResult]
    called: dict[str, frozenset[str]]
    arguments: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]]
    results: dict[str, Form]
    units: tuple[frozenset[str], ...]
    longest_call: float


def observe(cells: Sequence[str], assignment: Assignment, sandbox: Kind) -> Observed:
    """Run the checks on the solved master's cells, and look at what goes in and out.

    Raises:
        CheckError: The checks cannot be used, or the solved master does not pass them.
        SandboxError: There is no sandbox on this machine.
    """
    watched = _Watched()
    rows, called = {}, {}
    with Suite(assignment) as suite, probed(Worker(sandbox, assignment.allowed_imports)) as worker:
        files = files_beside(assignment.master.parent, assignment).contents
        with worker.session(assignment.limits, assignment.seed, files=files) as session:
            session.run(cells)
            for row in assignment.rows:
                with session.row() as calls:
                    verdicts = suite.run(suite.rows()[row.name], calls, watched)
                results = tuple(verdict.result for verdict in verdicts)
                rows[row.name] = RowResult(row.name, row.test_id, row.points, results)
                called[row.name] = frozenset(row.functions).union(*(verdict.called for verdict in verdicts))
        together = suite.together
    failed = [check for row in rows.values() for check in row.checks if check.outcome != "passed"]
    if failed:
        listed = "\n".join(f"  - {check.name}: {check.reason or check.trouble}" for check in failed)
        raise CheckError(f"{assignment.master.name} does not pass its checks, so there is nothing to audit:\n{listed}")
    units = [frozenset(row.name for row in assignment.rows if group & set(row.functions)) for group in together]
    # Rows that test one solution are wrong together.
    solutions = {row.solution for row in assignment.rows if row.solution}
    units += [frozenset(row.name for row in assignment.rows if row.solution == each) for each in sorted(solutions)]
    return Observed(rows, called, watched.arguments, watched.results, tuple(units), watched.longest)


class _Watched(Observer):
    """Remembers what the checks call with, and what they get."""

    def __init__(self) -> None:
        self.arguments: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {}
        self.results: dict[str, Form] = {}
        self.longest = 0.0

    def replied(self, function: str, message: tuple[Any, ...], reply: Any, seconds: float, calls: Calls) -> None:  # noqa: ARG002
        """As ``Observer.replied``."""
        self.longest = max(self.longest, seconds)
        match message, reply:
            case protocol.Operate("call", (_, *arguments), keywords), _:
                self.arguments.setdefault(function, []).append((tuple(arguments), keywords))
            case protocol.Call(name, arguments, keywords), _:
                self.arguments.setdefault(name, []).append((arguments, keywords))
            case protocol.CallMember(_, name, arguments, keywords), _:
                self.arguments.setdefault(f"{function}.{name}", []).append((arguments, keywords))
        match message, reply:
            case protocol.Operate("call"), protocol.Done(value):
                self._saw_result(function, value)
            case protocol.Call(name), protocol.Result(_, value):
                self._saw_result(name, value)
            case protocol.CallMember(_, name), protocol.Result(_, value):
                self._saw_result(f"{function}.{name}", value)

    def _saw_result(self, name: str, value: Any) -> None:
        form = form_of(value)
        self.results[name] = common_form(self.results.get(name, form), form)


def form_of(thing: Any) -> Form:
    """What an object is made of."""
    match thing:
        case np.ndarray() if thing.dtype.kind == "f":
            return "float array" if thing.ndim == 0 else "vector" if thing.ndim == 1 else "floats"
        case np.ndarray() if thing.dtype.kind in "iu":
            return "integers"
        case bool() | np.bool_():
            return ""
        case int() | np.integer():
            return "int"
        case float() | np.floating():
            return "float"
        case str():
            return "str"
        case tuple():
            return tuple(form_of(each) for each in thing)
        case dict():
            return {key: form_of(each) for key, each in thing.items()}
    return ""


def common_form(one: Form, other: Form) -> Form:
    """What two objects have in common."""
    if one == other:
        return one
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return tuple(common_form(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return {key: common_form(one[key], other[key]) for key in one}
    if not (isinstance(one, str) and isinstance(other, str)):
        return ""
    if {one, other} <= {"float", "int"}:
        return "float"
    if {one, other} <= {"float", *ARRAYS}:
        return "floats" if {one, other} & {"floats", "vector"} else "float"
    return ""
