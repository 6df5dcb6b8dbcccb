"""What a hostile process may say to a test cell that uses its objects, and ask of the objects that it was given.

A target is as in ``targets.py``. The first runs real test cells in this process as in the one of their own, with the
grader's part of the conversation between; that one's bounds on time and memory are left out.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import random
import sys
import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from autograder.base import Cause, Stopped
from autograder.checking.given import GivenObjects
from autograder.checking.test_cells import process
from autograder.checking.test_cells.link import StudentLink
from autograder.checking.test_cells.namespace import Names
from autograder.checking.test_cells.running import _Conversation
from autograder.course import Limits
from autograder.sandbox import Opaque, Ref, random_state
from autograder.sandbox.inside import protocol, wire
from autograder.submission import binds

MAX_OPERATIONS = 50
"""After so many a process that goes on replying counts as one that was ended: a test has a bound on its time."""
MAX_ANSWERS = 20

CELLS = (
    "assert f(3) == 9\nassert isinstance(f(2), int) and repr(f(2)) == '4'\nfor x in range(3):\n    f(x)",
    "import numpy as np\nx = np.arange(3.0)\nnp.testing.assert_allclose(f(x), x ** 2)\nassert x[1] == 1",
    "p, q = P([1]), P([2])\nassert p + q == P([3]) and len(p) == 1 and p[0] == 1 and 1 in p\np.x = 2\nassert p.x == 2",
    "try:\n    f(-1)\nexcept ValueError as error:\n    assert str(error) and error.args\nelse:\n    assert False",
    "assert [each for _, each in zip(range(3), f(1))] == [1, 2, 3]\nassert next(f(2)) == 1\nassert list(f(3))",
    "def g(x):\n    return x + 1\nxs = [1, [2]]\nby = {'a': xs}\nassert f(g, xs, by) == [2] and xs == [1, [2]]",
    "with P() as p:\n    assert p.y(1)\nassert isinstance(p, P) and issubclass(P, object) and P.__name__ and dir(p)",
    "import random\nimport numpy as np\nnp.random.seed(1)\nrandom.seed(1)\n"
    "assert f(np.random.default_rng(1)) == random.random()",
    "import inspect\nassert inspect.signature(f).parameters and hash(f)\nassert callable(f) and f'{f(1):.1f}' == '1'",
    "import io, contextlib\nout = io.StringIO()\nwith contextlib.redirect_stdout(out):\n    f(1)\n"
    "assert out.getvalue() == 'x'",
    "class Stop(Exception): pass\ndef g(*_): raise Stop('now')\ntry:\n    f(g)\nexcept Stop as error:\n"
    "    assert str(error) == 'now'",
)
"""Tests of the kinds that there are; what they test is whatever comes back."""


def behind_tests(data: bytes) -> None:
    """Whatever comes back to a test cell, it passes or fails by the student's doing, and what is said can be sent."""
    replies = _frames(data)
    for number in (sum(data) % len(CELLS), (sum(data) // len(CELLS)) % len(CELLS)):
        for records in (True, False):
            over = _ran(CELLS[number], list(replies), records=records)
            kinds = {kind for kind, _, _ in over[0]}
            assert kinds <= {"passed", "stopped", "threw", "missing", "said"}, over[0]
            wire.encode(("over", *over))


def given(data: bytes) -> None:
    """Whatever is asked of an object that a check has given, there is an answer that can be sent."""
    objects = GivenObjects()
    for thing in (
        lambda *x: x,
        _Own([1, 2]),
        {"a": 1},
        np.arange(3.0),
        iter([1, 2, 3]),
        io.StringIO("x"),
        ValueError("no"),
    ):
        objects.refer(thing)
    for tree in _frames(data):
        match protocol.read(tree):
            case protocol.AskOutside() as question:
                # Long numbers are seldom found by chance: most questions are to reach an object.
                known = question._replace(number=1 + question.number % len(objects))
                answer = protocol.read(wire.decode(objects.answer(known)))
                assert isinstance(answer, protocol.AnsweredOutside | protocol.ThrewOutside)


class _Own(list[int]):
    """An object of a check's own class."""

    step = 2

    def __call__(self, by: Any) -> Any:
        return self[0] + by


class _Scripted(StudentLink):
    """A link to a process whose replies are written down; the last is given again and again."""

    def __init__(self, replies: list[Any], recorded: bool) -> None:
        super().__init__(None, shares_random=True, keeps=False)  # type: ignore[arg-type]
        self.replies = replies
        self.approves = recorded
        calls = SimpleNamespace(generation=1, exchange=self.exchange)
        self.grader = _Conversation(None, calls, Limits(), None)  # type: ignore[arg-type]

    def has_object(self, operation: str, position: str) -> bool:
        return self.approves

    def _exchanged_alone(self, label: str, payload: bytes) -> Any:
        match wire.decode(self.grader.exchanged(label[:100], payload)):
            case ("reply", tree):
                return protocol.read(tree)
            case ("stopped", cause):
                from autograder.base import cause_from_tree

                raise self._ended(cause_from_tree(cause))
        raise AssertionError("what the grader says is neither")

    def exchange(self, message: Any, function: str) -> Any:
        """What the process sends, as the grader has it; its questions are answered on the way."""
        for _ in range(MAX_ANSWERS):
            if not self.replies or self.operations > MAX_OPERATIONS:
                raise Stopped(Cause("died", function, when="during"))
            reply = protocol.read(self.replies.pop(0) if len(self.replies) > 1 else self.replies[0])
            if not isinstance(reply, protocol.AskOutside):
                return reply
            with contextlib.suppress(wire.WireError):
                asked = wire.decode(
                    wire.encode(("ask", protocol.tree(reply)), lambda each: Opaque(type(each).__name__))
                )
                answer = protocol.read(wire.decode(self._answer(protocol.read(asked[1]))))
                assert isinstance(answer, protocol.AnsweredOutside | protocol.ThrewOutside)
            if len(self.replies) == 1:
                break
        raise Stopped(Cause("died", function, when="during"))


def _ran(source: str, replies: list[Any], *, records: bool) -> tuple[Any, ...]:
    names = Names({"f", "P"}, {"f", "P"})
    job = {
        **{"number": 1, "source": source, "hidden": [], "binds": sorted(binds(source)), "before": []},
        **{"shares_random": True, "partial": True, "sources": {}, "records": records, "keeps": False},
    }
    with _as_it_was():
        vars(process).update(StudentLink=lambda channel, **_: _Scripted(replies, records))
        return process._run(None, names, job, [], {"given": [], "asked": []})  # type: ignore[arg-type]


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """Put back what a test process keeps of its own for all its life, and leave out its bound on memory."""
    streams, known, own = (sys.stdout, sys.stderr), dict(vars(inspect)), dict(vars(process))
    state, legacy = random.getstate(), np.random.get_state()
    vars(process).update(_make_room=lambda: 0, _bound_memory=lambda _: None)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stdout, sys.stderr = streams
        vars(inspect).update(known)
        random.setstate(state)
        np.random.set_state(legacy)
        vars(process).update(own)


def trees() -> Iterator[Any]:
    """Well-formed messages of a process to a test cell."""
    function, thing, kind = (
        Opaque("f", ("1", "function", "2")),
        Opaque("P", ("3", "object", "4")),
        Opaque("P", ("4", "class", "4")),
    )
    error = Opaque("Bad", ("5", "object", "6"))
    described = ["P", "P", "__main__", ["add", "eq", "len", "iter", "next", "getitem", "contains", "enter", "exit"], []]
    values = (function, thing, kind, described, ["Bad", "Bad", "__main__", [], ["#4", "builtins.ValueError"]])
    values += (1, [1, 2, 3], (1.5, "x"), {"a": thing}, np.arange(3.0), None, True, "1.00", random_state())
    for value in values:
        yield ("done", value, None, [], None)
    yield ("done", 9, [[1, [2]], {"a": Ref(0, ("same", 0))}, [2]], [["stdout", "x"], ["stderr", "y"]], random_state())
    yield ("done", [["x", 1, False, None], ["y", 3, True, 2]], None, [], None)
    yield ("done", Opaque("g", ("0", "outside", "1")), None, [], None)
    yield (
        "threw",
        "ValueError",
        "no",
        "f",
        1,
        "raise ValueError",
        ("no",),
        {},
        ["builtins.ValueError"],
        0,
        None,
        [],
        None,
    )
    yield ("threw", "Bad", "no", "f", 1, "raise Bad", ("no",), error, ["#6", "builtins.ValueError"], 0, None, [], None)
    yield ("threw", "KeyError", "'a'", "f", 1, "", ("a",), {"name": "x"}, ["builtins.KeyError"], 1, [[1]], [], None)
    for base in (
        "builtins.StopIteration",
        "json.decoder.JSONDecodeError",
        "builtins.AssertionError",
        "builtins.SystemExit",
    ):
        yield ("threw", base, "x", "", 0, "", ("x", "y", 0), {"pos": 1}, [base], 0, None, [], None)
    yield ("missing", "")
    yield ("toolarge", "a frame")
    yield ("ask outside", 1, "call", (3,), {})
    for operation in ("getattr", "len", "iter", "next", "getitem", "add", "repr"):
        yield (
            "ask outside",
            2,
            operation,
            ("step",) if operation == "getattr" else (0,) if operation == "getitem" else (),
            {},
        )
    yield ("ask outside", 1, "call", (Opaque("P", ("3", "object", "4")), [Ref(0, ("same", 0))]), {"x": np.arange(2)})


def _frames(data: bytes) -> list[Any]:
    from tests.fuzz.targets import frames

    return frames(data)
