"""What only shows something costs nothing but its output, and what ends Python costs its own cell."""

import time

import pytest

from autograder.base import Stopped
from autograder.course import Limits
from autograder.sandbox import Worker, protocol
from tests.sandbox.test_sandbox import _busy_below

pytestmark = pytest.mark.sandbox

LIMITS = Limits(cell_seconds=2, call_seconds=1, submission_seconds=30, memory_mb=256, file_mb=8, output_kb=4)
SHOWN = ("needed", "shows", "needed")


@pytest.fixture(scope="module")
def worker():
    with Worker("bubblewrap", ("numpy",)) as worker:
        yield worker


@pytest.fixture
def session(worker):
    with worker.session(LIMITS) as session:
        yield session


def called(session, name: str, *arguments):
    with session.row() as row:
        return row.exchange(protocol.Call(name, arguments, {}), name).value


@pytest.mark.parametrize(
    ("before", "shown", "after", "left"),
    [
        ("x = 1", "x = 2", "def f(): return x", 1),
        ("x = [1]", "x.append(2)", "def f(): return len(x)", 1),
        ("import os", "os.environ['X'] = '1'", "def f(): return os.environ.get('X', '')", ""),
        ("import os", "open('a', 'w').write('a')", "def f(): return os.listdir('.')", []),
        ("open('a', 'w').write('a')", "import os; os.remove('a')", "def f(): return open('a').read()", "a"),
        ("open('a', 'w').write('a')", "open('a', 'a').write('b')", "def f(): return open('a').read()", "a"),
        ("import os", "open('/dev/shm/a', 'w').close()", "def f(): return os.listdir('/dev/shm')", []),
        ("import sys", "sys.setrecursionlimit(50)", "def f(): return sys.getrecursionlimit() > 50", True),
        ("import builtins", "builtins.len = lambda _: 7", "def f(): return len([1])", 1),
        ("def g(): return 1", "def g(): return 2", "def f(): return g()", 1),
        ("def g(): return 1", "import os; os._exit(3)", "def f(): return g()", 1),
        ("def g(): return 1", "import os; os.abort()", "def f(): return g()", 1),
        ("def g(): return 1", "import os; os.kill(os.getppid(), 9)", "def f(): return g()", 1),
        ("def g(): return 1", "while True: pass", "def f(): return g()", 1),
        ("def g(): return 1", "x = [0] * 10**8; y = [0] * 10**8", "def f(): return len(bytes(10**8))", 10**8),
    ],
)
def test_nothing_but_the_output_of_a_cell_that_only_shows_is_left(session, before, shown, after, left):
    runs = session.run([before, shown, after], SHOWN)
    assert (runs[0].status, runs[2].status) == ("ok", "ok")
    assert called(session, "f") == left


@pytest.mark.parametrize("draw", ["np.random.rand()", "random.random()"])
def test_random_numbers_are_those_of_a_notebook_without_the_cells_that_only_show(session, draw):
    cells = ["import random\nimport numpy as np", draw, f"x = {draw}\ndef f(): return x"]
    session.run(cells[::2])
    drawn = called(session, "f")
    session.run(cells, SHOWN)
    assert called(session, "f") == drawn


def test_a_cell_that_only_shows_sees_what_was_defined_and_its_output_is_kept(session):
    runs = session.run(["x = 41", "print(x + 1)\nx", "def f(): return x"], SHOWN)
    assert runs[1].status == "ok"
    assert runs[1].outputs[0]["text"] == "42\n"
    assert runs[1].outputs[1]["data"] == {"text/plain": "41"}


def test_what_a_cell_that_only_shows_starts_ends_with_it(worker):
    sleeper = "import os\nif os.fork() == 0:\n    os.setsid()\n    while True: pass"
    with worker.session(LIMITS) as session:
        session.run(["x = 1", sleeper, "y = 2"], SHOWN)
        deadline = time.monotonic() + 10
        while (busy := _busy_below(worker.process.pid)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert busy == 0


def test_a_cell_that_nobody_looks_at_is_not_run(session):
    runs = session.run(["x = 1", "raise ValueError", "x = 2"], ("needed", "unrun", "needed"))
    assert [run.status for run in runs] == ["ok", "unrun", "ok"]


@pytest.mark.parametrize("ending", ["os.abort()", "os._exit(0)", "os.kill(os.getpid(), 11)", "os.killpg(0, 9)"])
def test_each_cell_that_ends_python_costs_itself_however_many_there_are(session, ending):
    cells = ["import os"]
    for number in range(12):
        cells += [f"def f{number}(): return {number}", ending]
    runs = session.run(cells)
    assert [run.status for run in runs] == ["ok", *["ok", "died"] * 12]
    assert [called(session, f"f{number}") for number in range(12)] == list(range(12))


def test_after_a_death_what_took_long_before_it_is_not_done_again(session):
    """Random bytes from the system are others each time that they are drawn."""
    slow = "import os, time\ntime.sleep(0.3)\ntoken = os.urandom(8).hex()\nprint(token)"
    runs = session.run(
        [slow, "log = open('log', 'a').write('once')", "os.abort()", "os.abort()", "def f(): return token"]
    )
    assert [run.status for run in runs] == ["ok", "ok", "died", "died", "ok"]
    assert called(session, "f") == runs[0].outputs[0]["text"].strip()


def test_files_are_as_before_the_cell_that_ended_python(session):
    slow = "import os, time\ntime.sleep(0.3)\nopen('kept', 'w').write('before')"
    append = "open('kept', 'a').write(' once')"
    ends = "open('kept', 'w').close(); open('more', 'w').close(); os.abort()"
    session.run([slow, append, ends, "def f(): return open('kept').read(), os.listdir('.')"])
    assert called(session, "f") == ("before once", ["kept"])


def test_where_the_checkpoint_is_killed_as_well_the_notebook_runs_again_without_the_cell(session):
    slow = "import os, time\ntime.sleep(0.3)\nx = 1"
    runs = session.run([slow, "y = 2", "os.kill(-1, 9) or os.abort()", "def f(): return x + y"])
    assert [run.status for run in runs] == ["ok", "ok", "died", "ok"]
    assert called(session, "f") == 3


def test_a_function_that_kills_python_dies_in_each_cell_that_shows_it_and_in_nothing_else(session):
    shows = "f()"
    cells = ["import ctypes\ndef f(): ctypes.string_at(0)", *[shows] * 10, "def g(): return 1"]
    runs = session.run(cells, ["needed", *["shows"] * 10, "needed"])
    assert [run.status for run in runs] == ["ok", *["died"] * 10, "ok"]
    assert "wrote where no memory was" in runs[1].outputs[0]["evalue"]
    assert called(session, "g") == 1


def test_after_a_call_that_hung_later_ones_of_the_function_and_of_its_callers_get_less_time(session):
    cells = [
        "import time\ndef f(): time.sleep(60)",
        "def g(): time.sleep(0.3) or f()",
        "def h(): return time.sleep(0.3)",
    ]
    session.run(cells, may_call=lambda name: {"g": {"f"}}.get(name, set()))
    for name in ("f", "f", "g"):
        with pytest.raises(Stopped, match="did not finish") as stopped:
            called(session, name)
    assert stopped.value.cause.seconds < LIMITS.call_seconds
    with pytest.raises(Stopped, match="not called"):
        called(session, "f")
    assert called(session, "h") is None


def test_a_notebook_that_hangs_wherever_it_can_takes_no_longer_than_its_time(worker):
    limits = Limits(cell_seconds=1, call_seconds=1, submission_seconds=4)
    hang = "while True: pass"
    with worker.session(limits) as session:
        begun = time.monotonic()
        session.run(
            ["def f():\n    while True: pass", *[hang] * 9], ["needed", *["own"] * 3, *["shows"] * 3, *["needed"] * 3]
        )
        while time.monotonic() < session.deadline:
            with pytest.raises(Stopped):
                called(session, "f")
            if session.hangs.share("f", ()) == 0:
                break
        with session.anew() as again, pytest.raises(Stopped):
            called(again, "f")
        # Nine cells with a second each, the calls besides.
        assert time.monotonic() - begun < 9 * limits.cell_seconds + limits.call_seconds
