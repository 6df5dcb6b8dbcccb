"""What the trusted side makes of a hostile process's replies: verdicts on the student, never an error of ours."""

import contextlib
import socket
import threading
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autograder.base import CheckError, Stopped, Wrong
from autograder.checking import Loopback, Student, answer
from autograder.course import Limits
from autograder.sandbox import Opaque, Ref, Worker, row_calls
from autograder.sandbox.hangs import Hangs
from autograder.sandbox.inside import calls, protocol, wire
from autograder.sandbox.row_calls import RowCalls

LIMITS = Limits(cell_seconds=2, call_seconds=1, submission_seconds=60, memory_mb=1024, file_mb=8, output_kb=4)
ARRAY = np.zeros(2)


class Replies:
    """The way to a student whose replies are written down."""

    generation = 1

    def __init__(self, *replies: Any) -> None:
        self.replies = [protocol.read(wire.decode(wire.encode(reply))) for reply in replies]

    def exchange(self, message: tuple[Any, ...], function: str) -> Any:
        return self.replies.pop(0)


def answered(*replies: Any) -> Any:
    """The student's answer to a call, where these are the replies."""
    return Student(Replies(*replies)).scale(np.arange(5.0), 3.0)


@pytest.mark.parametrize(
    "reply",
    [
        *(None, True, 3, "result", b"result", [], (), {}, ("result",), ("result", 1), ("result", 1, 2, 3)),
        *(("results", 1, 2), (b"result", 1, 2), ("passed",), ("ok", []), {"outcome": "passed"}),
        *(("replaced",), ("arguments", ()), ("ask", "scale", (), {}), ("answer", 1.0, [], False), ("failed", "no")),
        *((ARRAY, 1, 2), ("missing", ARRAY), (ARRAY, ""), ("raised", ARRAY, ARRAY, ARRAY, ARRAY, ARRAY), ARRAY),
        *(("raised", "E", "text", "f", "3", ""), ("raised", 1, 2, 3, 4, 5), ("toolarge", None), Opaque("x"), Ref(1)),
    ],
    ids=repr,
)
def test_a_reply_of_another_kind_cannot_be_read(reply):
    with pytest.raises(Stopped, match="cannot be read") as stopped:
        answered(reply)
    assert stopped.value.cause.kind == "protocol"


@pytest.mark.parametrize("handle", [0, -1, 2**63, 2**500, True, 1.0, "1", None, ARRAY, Ref(1)], ids=repr)
def test_a_handle_that_is_none_cannot_be_read(handle):
    with pytest.raises(Stopped, match="cannot be read"):
        answered(("result", handle, 1.0))


@pytest.mark.parametrize("value", [Opaque("Cache"), Ref(1), Ref(7, (0, "x")), [Ref(1)], {"W1": Opaque("")}, (Ref(1),)])
def test_what_is_no_data_is_wrong_wherever_numbers_are_asked_for(value):
    given = answered(("result", 1, value))
    for use in (given.array, given.scalar, lambda: given.unpack("x", "y"), lambda: given.entries("W1", "b1")):
        with pytest.raises(Wrong):
            use()


@pytest.mark.parametrize("value", [True, np.True_, np.array(True), 2**64, -(2**500), 1 + 0j, "1", b"1", [1.0], None])
def test_what_is_no_real_number_is_no_scalar(value):
    with pytest.raises(Wrong):
        answered(("result", 1, value)).scalar()


@pytest.mark.parametrize("line", [True, -3, 0, 2**400], ids=repr)
def test_a_line_that_is_none_is_not_told(line):
    with pytest.raises(Stopped) as stopped:
        answered(("raised", "ValueError", "no", "f", line, ""))
    assert len(str(stopped.value)) < 200
    assert "line -" not in str(stopped.value)


def test_a_verdict_on_a_forged_reply_is_short_and_printable():
    text = "\x1b[2J\u202e\n" * 10**5
    for reply in (
        ("raised", text, text, text, 3, text),
        ("missing", text),
        ("toolarge", text),
        ("raised", "NotImplementedError", text, text, 3, text),
        ("result", 1, Opaque(text)),
        ("result", 1, {**dict.fromkeys(range(4000)), text: 1}),
    ):
        with pytest.raises(Wrong) as wrong:
            answered(reply).entries("W1")
        assert len(str(wrong.value)) < 1000
        assert str(wrong.value).isprintable()


def test_more_items_than_asked_for_are_too_many():
    with pytest.raises(Wrong, match="more than 3 items"):
        answered(("result", 1, None), ("result", 2, [0.0] * 1000)).items(3)


@pytest.mark.parametrize("reply", [("result", 2, 1.0), ("result", 2, (1.0,)), ("result", True, []), ("arguments", [])])
def test_items_that_are_no_list_cannot_be_read(reply):
    with pytest.raises(Stopped, match="cannot be read"):
        answered(("result", 1, None), reply).items(3)


@pytest.mark.parametrize("now", [None, (), [], ((np.arange(5.0),), {}), ((np.arange(5), 3.0), {}), {"x": 1}, Ref(1)])
def test_arguments_that_are_others_were_changed(now):
    with pytest.raises(Wrong, match=r"changed (one of its arguments|its argument number 1) in place"):
        answered(("result", 1, None), ("arguments", now)).unchanged()


def test_an_argument_that_cannot_cross_is_the_checks_mistake():
    row = RowCalls(session(), None, ())
    with pytest.raises(CheckError, match="a builtin_function_or_method cannot cross"):
        row.exchange(protocol.Call("f", (len,), {}), "f")


def test_a_students_own_value_that_is_too_deep_to_go_back_is_the_students():
    deep: Any = 1.0
    for _ in range(wire.MAX_DEPTH):
        deep = [deep]
    assert wire.decode(wire.encode(deep)) == deep
    with pytest.raises(Stopped, match="too deep"):
        RowCalls(session(), None, ()).exchange(protocol.Call("f", (deep,), {}), "f")


def session() -> Any:
    return SimpleNamespace(
        limits=LIMITS,
        deadline=time.monotonic() + 60,
        hangs=Hangs(),
        disturbed=False,
        waited=0.0,
        note_out_of_time=lambda: None,
        process=lambda _: None,
        sources=(),
        kill=lambda _: None,
        restart=lambda: False,
    )


@contextlib.contextmanager
def asking_for_ever():
    """A row whose process asks and asks."""
    ours, theirs = socket.socketpair()
    question = wire.encode(protocol.tree(protocol.Ask("scale", (1.0,), {})))

    def ask() -> None:
        with contextlib.suppress(wire.WireError):
            while True:
                wire.send(theirs, question)
                wire.receive(theirs)

    thread = threading.Thread(target=ask)
    with ours, theirs:
        thread.start()
        row = RowCalls(session(), lambda *_: protocol.Answered(1.0, [], False), ("scale",))
        row.channel = ours
        yield row
        row.close()
        thread.join()


def test_a_call_asks_so_often_and_no_more(monkeypatch):
    monkeypatch.setattr(row_calls, "MAX_ASKS", 100)
    with asking_for_ever() as row, pytest.raises(Stopped) as stopped:
        row.exchange(protocol.Call("f", (), {}), "f")
    assert stopped.value.cause.kind == "timeout"


def test_time_that_the_grader_takes_to_answer_lengthens_no_submission(monkeypatch):
    with asking_for_ever() as row:
        row.session.deadline = time.monotonic() + 0.3
        asked = []
        row.answers = lambda *_: asked.append(time.sleep(0.05)) or protocol.Answered(1.0, [], False)
        with pytest.raises(Stopped):
            row.exchange(protocol.Call("f", (), {}), "f")
    assert len(asked) <= 0.3 / 0.05 + 1


def test_a_row_keeps_the_latest_results_alone():
    loopback = Loopback({"f": lambda x=None: x})
    student = Student(loopback)
    first = student.f(1.0)
    for _ in range(calls.MAX_RESULTS):
        latest = student.f(2.0)
    assert len(loopback.row.results) == len(loopback.row.arguments) == calls.MAX_RESULTS
    assert student.f(latest).value == 2.0
    with pytest.raises(Stopped, match="too many calls ago"):
        student.f(first)


@pytest.mark.parametrize(
    "state",
    [
        {"bit_generator": "PCG64", "state": {"state": 2**128, "inc": 1}, "has_uint32": 0, "uinteger": 0},
        {"bit_generator": "PCG64", "state": {"state": 1, "inc": -1}, "has_uint32": 0, "uinteger": 0},
        {"bit_generator": "PCG64", "state": {"state": 1, "inc": 1}, "has_uint32": ARRAY, "uinteger": 0},
        {"bit_generator": ARRAY, "state": {"state": 1, "inc": 1}, "has_uint32": 0, "uinteger": 0},
        {"bit_generator": "PCG64", "state": Ref(1), "has_uint32": 0, "uinteger": 0},
        *(None, ARRAY, [], Opaque("PCG64"), "PCG64", 2**500),
    ],
)
def test_a_generators_state_that_is_none_is_not_answered(state):
    class Reference:
        _module = SimpleNamespace(draw=lambda rng: rng.random())
        draw = staticmethod(lambda rng: rng.random())

    given = answer(Reference, "draw", ({"generator": state},), {})  # type: ignore[arg-type]
    assert isinstance(given, protocol.Refused)


@pytest.fixture(scope="module")
def warm():
    with Worker("bubblewrap", ("numpy",)) as warm:
        yield warm


@contextlib.contextmanager
def row_of(warm, *cells: str, answers=None, replaced=()):
    with warm.session(LIMITS) as running:
        running.run(cells)
        with running.row(answers, replaced) as row:
            yield Student(row)


def tenfold(name, arguments, keywords, deadline):
    return protocol.Answered(arguments[0] * 10, [], False)


@pytest.mark.sandbox
def test_a_reply_that_comes_too_late_answers_no_later_call(warm):
    late = "import time\ndef slow():\n    time.sleep(1.5)\n    return 41.0\ndef quick(): return 42.0"
    with row_of(warm, late) as student:
        with pytest.raises(Stopped, match="did not finish"):
            student.slow()
        time.sleep(1)
        assert student.quick().scalar() == 42.0


@pytest.mark.sandbox
def test_a_generator_may_ask_while_its_items_are_taken(warm):
    source = "def softmax(x): return None\ndef batches():\n    for n in range(3): yield softmax(n)"
    with row_of(warm, source, answers=tenfold, replaced=["softmax"]) as student:
        assert [item.scalar() for item in student.batches().items(5)] == [0, 10, 20]


@pytest.mark.sandbox
def test_threads_may_ask_at_once(warm):
    source = """
from concurrent.futures import ThreadPoolExecutor
def softmax(x): return None
def many():
    with ThreadPoolExecutor(8) as pool: return list(pool.map(lambda n: softmax(n), range(200)))
"""
    with row_of(warm, source, answers=tenfold, replaced=["softmax"]) as student:
        assert student.many().value == [10 * n for n in range(200)]


@pytest.mark.sandbox
def test_a_question_that_is_too_large_is_the_callers_exception_and_the_next_call_is_answered(warm):
    source = """
import numpy as np
def softmax(x): return None
def loss():
    try:
        return softmax(np.broadcast_to(0.0, (10**5, 10**5)))
    except ValueError:
        return -1.0
"""
    with row_of(warm, source, answers=tenfold, replaced=["softmax"]) as student:
        assert [student.loss().scalar(), student.loss().scalar()] == [-1.0, -1.0]


@pytest.mark.sandbox
def test_results_that_a_thread_forges_between_calls_are_no_error_of_ours(warm):
    source = """
import socket, sys, threading, time
def flood():
    wire = sys.modules["inside.wire"]
    channels = [socket.socket(fileno=number) for number in range(3, 16) if is_socket(number)]
    def write():
        for kind in [("result", 1, 7.0), ("ask", "f", (), {}), ("arguments", ()), None] * 10**5:
            for channel in channels: wire.send(channel, wire.encode(kind))
    threading.Thread(target=write, daemon=True).start()
def is_socket(number):
    import os, stat
    try: return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError: return False
def f(): return 42.0
"""
    with row_of(warm, source) as student:
        for function in (student.flood, *[student.f] * 50):
            with contextlib.suppress(Wrong):
                function().unchanged().scalar()
