"""What the trusted side does with bytes that a hostile process wrote, each way as a function of arbitrary bytes.

A target returns where the bytes are handled as they should be: refused with an error of ours, or told to the student
as a verdict. Anything else that it raises is a finding. ``fuzz.py`` searches for one; ``test_corpus.py`` runs what
earlier searches kept.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import socket
import struct
import time
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse

from autograder.base import Cause, CheckError, Stopped, Wrong
from autograder.checking import Answer, Compared, Reference, Student, agree, answer, compare, fault
from autograder.checking.numerics import describe, no_noise
from autograder.course import Limits
from autograder.grading import MAX_PRINTED, CallRecord, Recorder
from autograder.sandbox import Session
from autograder.sandbox.budget import Budget
from autograder.sandbox.hangs import Hangs
from autograder.sandbox.inside import protocol, wire
from autograder.sandbox.inside.protocol import Call, ForkRow
from autograder.sandbox.outputs import Allowance
from autograder.sandbox.row_calls import RowCalls
from autograder.sandbox.student_process import StudentProcess, forked
from tests.fuzz.behind_tests import behind_tests, given
from tests.fuzz.behind_tests import trees as behind_tests_trees

LIMITS = Limits(output_kb=4)
MAX_REASON = 2000
MAX_OUTPUTS = 2**25
GIVEN = np.arange(5.0)


def decoder(data: bytes) -> None:
    """A frame's payload is refused, or is a tree that crosses again and is the same then, to the bit."""
    try:
        tree = wire.decode(data)
    except wire.WireError:
        return
    again = wire.encode(tree)
    assert wire.encode(wire.decode(again)) == again


def replies(data: bytes) -> None:
    """Whatever a student's process replies, in whatever order, each way to use an answer gives a verdict."""
    sent = frames(data)
    for use in _USES:
        student = Student(_Scripted(list(sent)))
        with _verdicts():
            use(student.scale(GIVEN, 3.0, name="x"))
    with _verdicts():
        Student(_Scripted(list(sent))).rng(1).items(3)


def channel(data: bytes) -> None:
    """Whatever bytes come through a row's channel, the next call gives a verdict, and questions are answered."""
    with _channel(data) as (ours, session):
        row = RowCalls(session, _tenfold, ("scale", "softmax"))  # type: ignore[arg-type]
        row.channel = ours
        with _verdicts():
            _use_all(Student(row).scale(GIVEN))


def cells(data: bytes) -> None:
    """Whatever bytes come in place of a cell's outputs, what is kept of them is a notebook's outputs, within bounds."""
    with _channel(data) as (ours, session):
        run, _ = Session._cell(session, 0, StudentProcess(ours, 2, None), Allowance())  # type: ignore[arg-type]
        assert run.status in ("ok", "raised", "timeout", "died")
        assert len(json.dumps(run.outputs)) < MAX_OUTPUTS


def forks(data: bytes) -> None:
    """Whatever bytes come in place of a fork's number, there is a process with a number that can be one, or none."""
    with _channel(data) as (ours, _):
        process = forked(StudentProcess(ours, 2, None), ForkRow(0), 10.0)
        if process is not None:
            process.channel.close()
            assert 1 < process.pid < 2**31


def records(data: bytes) -> None:
    """Whatever a process says that a call gave and printed, what is kept for an appeal is short and can be shown."""
    sent = frames(data)
    recorder = Recorder("scale")
    recorder.run_begins("scale", ())
    for reply in map(protocol.read, sent):
        with contextlib.suppress(Stopped):
            recorder.replied("scale", Call("scale", (), {}), reply, 0.0, _Scripted(list(sent)))  # type: ignore[arg-type]
    recorder.check_ends(None)
    for event in recorder.runs[0].checks[0].events:
        assert isinstance(event, CallRecord)
        for text in (event.printed, event.trouble):
            assert len(text) <= MAX_PRINTED
            assert text.replace("\n", "").isprintable()


def questions(data: bytes) -> None:
    """Whatever is asked of the reference, there is an answer, and it crosses or is refused with an error of ours."""
    with contextlib.suppress(wire.WireError):
        match wire.decode(data):
            case (str(name), tuple(arguments), dict(keywords)):
                reference = _week2()
                known = [each for each in vars(reference._module) if callable(getattr(reference._module, each))]
                # Long names are seldom found by chance: most questions are to reach a function.
                name = name if name in known else sorted(known)[sum(name.encode()) % len(known)]
                answered = answer(reference, name, arguments, keywords)
                assert isinstance(answered, protocol.Answered | protocol.Refused)
                wire.encode(protocol.tree(answered))


def comparisons(data: bytes) -> None:
    """Whatever real arrays are compared, there is a result, and a sentence of printable text about it."""
    with contextlib.suppress(wire.WireError):
        match wire.decode(data):
            case (np.ndarray() as actual, np.ndarray() as desired, float(floor)) if _comparable(actual, desired):
                result = compare(actual, desired, relative=1e-6, floor=abs(floor) if floor == floor else 0.0)
                _printable(describe(result, "`x`", actual.shape))
                assert result.ok or result.wrong


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (decoder, replies, channel, cells, questions, comparisons, forks, records, behind_tests, given)
}

FRAMED = ("replies", "channel", "cells", "forks", "records", "behind_tests", "given")
"""The targets whose input is frames with their lengths, one behind the other."""


@cache
def seeds(name: str) -> tuple[bytes, ...]:
    """Well-formed input for a target, to start from."""
    return tuple(_seeds(name))


def _seeds(name: str) -> Iterator[bytes]:
    trees = list(behind_tests_trees() if name in ("behind_tests", "given") else _trees())
    for tree in trees:
        payload = wire.encode(tree)
        yield struct.pack("<I", len(payload)) + payload if name in FRAMED else payload
    if name in FRAMED:
        framed = [struct.pack("<I", len(payload)) + payload for payload in map(wire.encode, trees)]
        for first, second in itertools.pairwise(framed):
            yield first + second


class _Scripted:
    """The way to a student whose replies are written down; the last is given again and again."""

    generation = 1

    def __init__(self, replies: list[Any]) -> None:
        self.replies = replies

    def exchange(self, message: tuple[Any, ...], function: str) -> Any:
        if not self.replies:
            raise Stopped(Cause("died", function, when="during"))
        return protocol.read(self.replies.pop(0) if len(self.replies) > 1 else self.replies[0])


def frames(data: bytes) -> list[Any]:
    """The trees of the frames that follow each other in ``data``; those that cannot be read are left out."""
    trees, at = [], 0
    while at + 4 <= len(data) and len(trees) < 8:
        (length,) = struct.unpack_from("<I", data, at)
        with contextlib.suppress(wire.WireError):
            trees.append(wire.decode(data[at + 4 : at + 4 + length]))
        at += 4 + length
    return trees


@contextlib.contextmanager
def _channel(data: bytes) -> Iterator[tuple[socket.socket, Any]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            theirs.sendall(data[: 2**16])
        theirs.shutdown(socket.SHUT_WR)
        killed: list[int] = []
        yield (
            ours,
            SimpleNamespace(
                limits=LIMITS,
                deadline=time.monotonic() + 60,
                sources=("def scale(x): return 1 / 0",),
                hangs=Hangs(),
                disturbed=False,
                waited=0.0,
                note_out_of_time=lambda: None,
                watched=("scale",),
                process=lambda _: None,
                roles=("needed",),
                budget=Budget(60.0),
                _cell_seconds=lambda place: 10.0,
                kill=lambda pid, number=9: killed.append(pid),
                _how_it_ended=lambda pid: "",
                importable="This assignment allows numpy.",
                give_up=lambda _=None: None,
                restart=lambda: False,
            ),
        )


def _tenfold(name: str, arguments: tuple[Any, ...], keywords: dict[str, Any], deadline: float) -> Any:
    return protocol.Answered(arguments, [], False)


@contextlib.contextmanager
def _verdicts() -> Iterator[None]:
    try:
        yield
    except Wrong as verdict:
        _printable(str(verdict))


def _printable(text: str) -> None:
    assert text.isprintable(), text
    assert len(text) < MAX_REASON, len(text)


def _shaped(value: Answer) -> None:
    for shape in (None, (), (5,), (2, 3)):
        with _verdicts():
            assert value.array(shape).dtype.kind in "iuf"


def _scalar(value: Answer) -> None:
    assert type(value.scalar()) is float


def _unpacked(value: Answer) -> None:
    for part in value.unpack("out", "cache"):
        _scalar_or_verdict(part)


def _entries(value: Answer) -> None:
    for part in value.entries("W1", "b1").values():
        _shaped(part)


def _items(value: Answer) -> None:
    for item in value.items(3):
        for part in item.unpack("xb", "yb"):
            _shaped(part)


def _unchanged(value: Answer) -> None:
    assert value.unchanged() is value


def _agreeing(value: Answer) -> None:
    for desired in (GIVEN, np.zeros((2, 3)), 1.0):
        with _verdicts():
            agree(value, desired)


def _scalar_or_verdict(value: Answer) -> None:
    with _verdicts():
        _scalar(value)


def _compared(value: Answer) -> None:
    """With a few kinds of data, as `matches`, `equals` and a plain assert compare it."""
    for desired in _DATA[len(repr(value.value)) % 12 :: 12]:
        for exactly in (True, False):
            _printable(fault(value, Compared(value, desired, no_noise(desired), False, identical=exactly)))
        with contextlib.suppress(CheckError):
            assert np.all(value == desired) in (True, False)
    with contextlib.suppress(CheckError), _verdicts():
        assert bool(value) in (True, False)


_USES: tuple[Callable[[Answer], None], ...] = (
    _shaped,
    _scalar,
    _unpacked,
    _entries,
    _items,
    _unchanged,
    _agreeing,
    lambda value: _printable(repr(value.dtype)),
    _compared,
)


def _use_all(value: Answer) -> None:
    for use in _USES:
        with _verdicts():
            use(value)


def _comparable(actual: np.ndarray, desired: np.ndarray) -> bool:
    return actual.shape == desired.shape and {actual.dtype.kind, desired.dtype.kind} <= set("biuf")


@cache
def _week2() -> Reference:
    from autograder.checking import load_reference
    from autograder.course import load_course

    return load_reference(load_course(Path(__file__).parents[2]).assignment("week2"))


def _kinds() -> Iterator[Any]:
    """Data that is made of other data, one of each kind."""
    yield from (
        range(1, 7, 2),
        slice(1, None),
        ...,
        bytearray(b"y"),
        frozenset({1, (2, "a")}),
        np.dtype("<M8[s]"),
        float,
    )
    when = datetime.datetime(2026, 1, 2, 3, 4, 5, 6, datetime.timezone(datetime.timedelta(hours=1), "X"))
    yield from (when, when.date(), when.time(), when - when, Decimal("1.50"), Fraction(1, 3), deque([1, [2]], 3))
    yield from (OrderedDict(a=1), Counter("aab"), defaultdict(list, a=[1]), {(1, "a"): 2, b"y": np.str_("z")})
    yield from (GIVEN.astype("M8[s]"), np.timedelta64(1, "h"), np.array([b"ab"]), np.array([1, [2]], object))
    records = np.array([(1, (2.5, b"a"))], [("n", "i4"), ("inner", [("x", "f8", (1,)), ("t", "S2")])])
    yield from (records, records[0], records.dtype, np.ma.MaskedArray(GIVEN, GIVEN > 2), np.ma.masked)
    series = pd.Series([1, 2], name="n", index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["k", None]))
    days = pd.date_range("2026", periods=2, tz="Europe/Zurich")
    columns = {"x": [0.5, 1.5], "t": ["a", None], "c": pd.Categorical(["u", "v"]), "d": days, "o": [1, "x"]}
    columns |= {"i": pd.array([1, None], dtype="Int64"), "s": pd.array(["a", None], dtype="string")}
    columns |= {"w": pd.cut([1, 2], 2), "p": pd.period_range("2026", periods=2, freq="M")}
    yield from (
        pd.DataFrame(columns),
        series,
        days,
        pd.RangeIndex(3, name="r"),
        days[0],
        pd.Timedelta(1),
        pd.NA,
        pd.NaT,
    )
    yield from (
        scipy.sparse.csr_array(np.eye(2)),
        scipy.sparse.coo_matrix(np.eye(2)),
        scipy.sparse.eye_array(2).tolil(),
    )


_DATA = [None, 1, 1.5, "a", [1.5], (GIVEN,), {"W1": GIVEN}, {1}, GIVEN, np.arange(5), *_kinds()]


def _trees() -> Iterator[Any]:
    generator = {"generator": np.random.PCG64(1).state}
    stream = {"output_type": "stream", "name": "stderr", "text": "oops"}
    result = {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": "1"}}
    error = {"output_type": "error", "ename": "E", "evalue": "no", "traceback": ["a", "b"]}
    picture = {"output_type": "display_data", "metadata": {}, "data": {"image/png": "iVBORw0KGgo="}}
    for dtype in wire.DTYPES:
        yield ("result", 1, np.zeros(5, dtype))
        yield ("result", 2, np.zeros((2, 3), dtype))
        yield ("result", 3, np.ones((), dtype)[()])
        yield (np.zeros(2, dtype), np.ones(2, dtype), 0.5)
    yield ("result", 4, (GIVEN, wire.Opaque("Cache")))
    yield ("result", 5, {"W1": GIVEN, "b1": wire.Ref(1, (0, "W1"))})
    yield ("result", 6, [(GIVEN, np.arange(5)), [1.5, True], None, b"y", "text", 2**500, 1 + 2j])
    yield ("raised", "ValueError", "no", "scale", 3, "return x")
    yield ("raised", "NotImplementedError", "", "scale", 0, "")
    yield ("raised", "TypeError", "'int' object is not iterable", "", 0, "")
    yield ("missing", "")
    yield ("missing", "int")
    yield ("toolarge", "a frame")
    yield ("arguments", ((GIVEN, 3.0), {"name": "x"}))
    yield ("ask", "scale", (GIVEN, 3.0), {"axis": 1})
    yield ("ask", "softmax", (generator,), {"rng": generator})
    yield ("replaced",)
    yield ("ran", "ok", [stream, error, result, picture], ["scale", "f"], ["scale"])
    yield ("ran", "raised", [error], [], [])
    yield ("forked", 3)
    yield ("printed", "x\ty\n", "Traceback")
    yield ("softmax", (np.zeros((2, 3)),), {})
    yield ("one_hot", (np.arange(3), 4), {})
    yield ("softmax_cross_entropy", (np.zeros((2, 3)), np.arange(2)), {})
    yield ("linear_forward", (np.zeros((2, 3)), np.zeros((3, 4)), np.zeros(4)), {})
    yield ("adam_step", (np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3), 1), {"lr": 0.1, "own": None})
    yield ("minibatches", (np.zeros((4, 2)), np.arange(4), 2, generator), {})
    yield ("cosine_decay", (0.1, 3, 7), {"lr_min": 0.0})
    yield ("train", (np.zeros((4, 2)), np.arange(4) % 2, 3, 2), {"epochs": 2, "batch_size": 2, "seed": 1})
    yield {None: 1, True: 2, 3: 4, 1.5: 6, "a": []}
    for number, thing in enumerate(_kinds()):
        yield ("result", number, thing)
        yield ("result", number, [thing, (thing, GIVEN)])
    yield ("arguments", ((pd.DataFrame({"a": [1]}), deque([1])), {"name": Counter("a")}))
    yield ("softmax", (np.ma.MaskedArray(np.zeros((2, 3))),), {})
    yield ("softmax", (pd.DataFrame(np.zeros((2, 3))),), {})
