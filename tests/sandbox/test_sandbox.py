"""What a submission can do in the sandbox, what it cannot, and what comes back of it."""

import base64
import contextlib
import os
import re
import signal
import sys
import sysconfig
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autograder.base import SandboxError, Stopped
from autograder.checking import Student
from autograder.course import Limits
from autograder.sandbox import Opaque, Ref, Worker, bubblewrap_version, find_bubblewrap, jail, probe, processes
from autograder.sandbox.inside import protocol

pytestmark = pytest.mark.sandbox

LIMITS = Limits(cell_seconds=1, call_seconds=1, submission_seconds=60, memory_mb=256, file_mb=8, output_kb=4)


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def worker(request):
    with Worker(request.param, ("numpy", "matplotlib")) as worker:
        yield worker


@pytest.fixture
def session(worker):
    with worker.session(LIMITS) as session:
        yield session


def printed(session, *sources: str) -> str:
    """What the last of the cells printed."""
    run = session.run(sources)[-1]
    return "".join(output.get("text", "") for output in run.outputs)


def call(row, name, *arguments, **keywords):
    return row.exchange(protocol.Call(name, arguments, keywords), name)


@pytest.mark.parametrize("kind", ["bubblewrap", "landlock"])
def test_everything_that_a_submission_must_not_do_is_blocked(kind):
    with Worker(kind, ("numpy",)) as worker:
        assert [escape.what for escape in probe(worker) if not escape.blocked] == []


def test_the_probe_sees_what_an_open_sandbox_does_not_block():
    with Worker("none", ("numpy",)) as worker:
        open_ones = [escape.what for escape in probe(worker) if not escape.blocked]
    assert {"read a file of the course", "open a network socket", "see the processes of the machine"} <= set(open_ones)


@pytest.mark.parametrize("root", [False, True])
def test_nothing_that_a_submission_writes_lies_around_what_bubblewrap_sets_up(root: bool) -> None:
    """Of bubblewrap 0.11: while it makes a file or a folder, it follows links in the folders around that one."""
    command = jail._bubblewrap(Path("bwrap"), ("numpy", "matplotlib"), 3, root=root)
    made: list[Path] = []  # in order: what is set up
    bound: dict[Path, Path] = {}  # by its place inside: what of the machine is read there
    links: list[Path] = []
    writable: list[Path] = []
    words = iter(command)
    for word in words:
        match word:
            case "--dir" | "--proc":
                made.append(Path(next(words)))
            case "--tmpfs":
                made.append(Path(next(words)))
                writable.append(made[-1])
            case "--ro-bind" | "--dev-bind":
                source, place = Path(next(words)), Path(next(words))
                made.append(place)
                bound[place] = source
            case "--symlink":
                next(words)
                made.append(Path(next(words)))
                links.append(made[-1])
            case "--bind" | "--overlay" | "--bind-data" | "--file":
                pytest.fail(f"{word} gives what can be written: look at GHSA-pxhw-h44j-8pfx")
    assert {Path("/tmp"), Path("/dev/shm")} <= set(writable)
    site = Path(sysconfig.get_path("stdlib"))
    inside = [each for each in made if each.parent != site]  # those cover folders of the machine's own Python
    for path in inside:
        assert not set(path.parents) & {Path("/tmp"), Path("/dev/shm")}, f"{path} lies where a submission writes"
        assert not set(path.parents) & set(links), f"{path} lies behind a link"
        assert not set(path.parents) & set(bound), f"{path} is made in a folder of the machine's"
    # Each folder around is made first, by the command and as a folder: it is no link of anybody's.
    for at, path in enumerate(made):
        assert {each for each in path.parents if len(each.parts) > 1} <= set(made[:at]), path
    ours = (*jail.interpreter(), jail.INSIDE, *jail.site_entries(("numpy", "matplotlib")).values())
    others = {path.resolve() for path in bound.values() if path.parent != Path("/dev")} - {
        each.resolve() for each in ours
    }
    assert others == set(), "nothing of a course's is there"


def test_the_version_of_bubblewrap_is_known() -> None:
    found = find_bubblewrap()
    assert found is not None
    assert re.fullmatch(r"bubblewrap \d+\.\d+.*", bubblewrap_version(found))
    assert bubblewrap_version(Path("/nowhere/bwrap")) == "bubblewrap"


def test_a_cell_gives_what_it_prints_and_its_last_value(session):
    (run,) = session.run(["print('to stdout')\nimport sys; print('to stderr', file=sys.stderr)\n6 * 7"])
    assert run.status == "ok"
    assert [(output["output_type"], output.get("name")) for output in run.outputs] == [
        ("stream", "stdout"),
        ("stream", "stderr"),
        ("execute_result", None),
    ]
    assert run.outputs[-1]["data"] == {"text/plain": "42"}


def test_cells_are_counted_from_1_as_in_a_notebook(session):
    runs = session.run(["'first'", "'second'"])
    assert [run.outputs[0]["execution_count"] for run in runs] == [1, 2]


def test_a_figure_comes_back_as_a_picture(session):
    run = session.run(["import matplotlib.pyplot as plt", "plt.plot([1, 2]); plt.show()"])[-1]
    (output,) = run.outputs
    assert base64.b64decode(output["data"]["image/png"]).startswith(b"\x89PNG")


def test_a_figure_that_nobody_shows_comes_back_too(session):
    run = session.run(["import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])"])[-1]
    assert "image/png" in run.outputs[0]["data"]


def test_figures_with_formulas_leave_the_rows_alone(session):
    draw = "import gc\nimport matplotlib.pyplot as plt\nplt.title('$x^2$'); plt.plot([1, 2]); plt.show()\ngc.collect()"
    runs = session.run([draw, "def f(): return 1", draw])
    assert [(run.status, [output["output_type"] for output in run.outputs][:1]) for run in runs] == [
        ("ok", ["display_data"]),
        ("ok", []),
        ("ok", ["display_data"]),
    ]
    with session.row() as row:
        assert call(row, "f").value == 1


def test_html_and_javascript_outputs_do_not_come_back(session):
    run = session.run(
        ["from IPython.display import HTML, Javascript, display\ndisplay(Javascript('alert(1)'))\nHTML('<b>x</b>')"]
    )[0]
    assert {mime for output in run.outputs for mime in output["data"]} == {"text/plain"}


def test_outputs_name_no_path_of_the_machine(session):
    show = "import json, sys, numpy as np\nprint(json.__file__, np.__file__, sys.executable, sys.prefix)\n"
    runs = session.run(
        [show, "json.loads('{')", "np.linalg.inv(np.zeros((2, 2)))", "def f(): open(json.__file__ + 'x')"]
    )
    shown = "".join(str(run.outputs) for run in runs)
    with session.row() as row, pytest.raises(Stopped) as stopped:
        Student(row).f()
    assert "json/decoder.py" in shown
    assert "site-packages/numpy/linalg" in shown
    assert "json/__init__.pyx" in str(stopped.value)
    for path in (sysconfig.get_path("stdlib"), sys.prefix, str(Path(sys.executable).resolve()), "/site/", "/runner"):
        assert path not in shown + str(stopped.value)


def test_escape_codes_do_not_come_back(session):
    run = session.run(["print('\\x1b[31mred\\x1b[0m \\u202e', end='')"])[0]
    assert run.outputs[0]["text"] == "red \\u202e"


def test_a_cell_that_raises_does_not_stop_the_next(session):
    runs = session.run(["1 / 0", "print('on')"])
    assert [run.status for run in runs] == ["raised", "ok"]
    assert runs[0].outputs[0]["ename"] == "ZeroDivisionError"


def test_a_syntax_error_does_not_stop_the_next(session):
    runs = session.run(["def f(:", "print('on')"])
    assert [run.status for run in runs] == ["raised", "ok"]
    assert runs[0].outputs[0]["ename"] == "SyntaxError"


def test_a_hanging_cell_is_interrupted_and_what_was_defined_stays(session):
    runs = session.run(["x = 5", "while True: pass", "print(x)"])
    assert [run.status for run in runs] == ["ok", "timeout", "ok"]


def test_a_cell_that_cannot_be_interrupted_is_left_out_and_the_rest_runs_again(session):
    stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    runs = session.run(["x = 5", stubborn, "print(x)"])
    assert [run.status for run in runs] == ["ok", "timeout", "ok"]


@pytest.mark.parametrize(
    "end",
    ["import os; os._exit(0)", "import os; os.kill(os.getpid(), 9)", "import ctypes; ctypes.string_at(0)"],
)
def test_a_cell_that_ends_python_is_left_out_and_the_rest_runs_again(session, end):
    runs = session.run(["x = 5", end, "print(x)"])
    assert [run.status for run in runs] == ["ok", "died", "ok"]


def test_exit_in_a_cell_ends_nothing(session):
    assert printed(session, "exit()", "import sys; sys.exit(1)", "print('on')") == "on\n"


def test_input_has_nobody_to_ask(session):
    run = session.run(["input('your name')"])[0]
    assert run.status == "raised"


def test_what_a_cell_prints_is_cut_at_the_limit(session):
    text = printed(session, "for _ in range(100_000): print('x' * 1000)")
    assert len(text) < 2 * LIMITS.output_kb * 1024
    assert "printed too much" in text


def test_only_what_is_allowed_can_be_imported(session):
    source = """
    import importlib.util
    names = ("numpy", "matplotlib", "scipy", "pytest", "autograder", "nbgrader", "pip")
    print([name for name in names if importlib.util.find_spec(name)])
    """

    assert printed(session, textwrap.dedent(source)) == "['numpy', 'matplotlib']\n"


@pytest.mark.parametrize(
    "spelling",
    [
        "import scipy",
        "import importlib; importlib.import_module('scipy.special')",
        "__import__('scipy')",
        "exec('from scipy import stats')",
        "import runpy; runpy.run_module('scipy')",
        "import sys; sys.path += ['/usr/lib/python3/dist-packages', sys.prefix]; import scipy",
    ],
)
def test_what_is_not_allowed_cannot_be_imported_however_it_is_spelled(session, spelling):
    (run,) = session.run([spelling])
    assert run.status == "raised"
    if run.outputs[0]["ename"] == "ModuleNotFoundError":
        assert "allows Python's standard library and numpy, matplotlib; nothing else" in run.outputs[-1]["text"]


def test_an_import_that_is_not_allowed_is_explained_where_a_function_makes_it(session):
    session.run(["def f():\n    import torch"])
    with session.row() as row:
        assert call(row, "f").text == (
            "No module named 'torch'. This assignment allows Python's standard library and numpy, matplotlib; "
            "nothing else can be imported."
        )


@pytest.mark.parametrize("name", ["scipy", "torch", "sklearn", "pandas", "pytest", "nbgrader", "autograder", "pip"])
def test_no_distribution_that_is_not_allowed_is_to_be_found(session, name):
    find = f"import os, sys\nprint([folder for folder in sys.path if os.path.exists(os.path.join(folder, {name!r}))])"
    assert printed(session, find) == "[]\n"


def test_nothing_of_the_graders_environment_is_inside(session, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_HOST", "42")
    with Worker("bubblewrap", ("numpy",)) as fresh, fresh.session(LIMITS) as inside:
        assert "SECRET" not in printed(inside, "import os; print(dict(os.environ))")


def test_the_submission_holds_no_file_but_its_own_channel(session):
    source = (
        "import os\nheld = []\nfor fd in range(3, 256):\n    try: os.fstat(fd); held.append(fd)\n"
        "    except OSError: pass\nprint(len(held))"
    )
    assert printed(session, source) == "1\n"


def test_a_module_in_the_working_folder_shadows_no_library(session):
    write = "from pathlib import Path\nPath('numpy.py').write_text('x')\nPath('statistics.py').write_text('x = 1')"
    assert "site" in printed(session, write, "import numpy; print(numpy.__file__)")


def test_a_submission_sees_nothing_of_the_one_before(worker):
    with worker.session(LIMITS) as first:
        first.run(["open('left', 'w').write('x')\nimport builtins; builtins.left = 1"])
    with worker.session(LIMITS) as second:
        look = "import os; print(os.listdir('.'), 'left' in dir(__builtins__))"
        assert printed(second, look) == "[] False\n"


def test_tmp_and_dev_shm_are_a_submissions_own():
    look = "import os; print(os.listdir('/tmp'), os.listdir('/dev/shm'))"
    leave = "for name in ('/tmp/left', '/dev/shm/left'): open(name, 'w').write('x')"
    with Worker("bubblewrap", ("numpy",)) as worker, worker.session(LIMITS) as first, worker.session(LIMITS) as second:
        assert printed(first, leave, look) == "['left'] ['left']\n"
        assert printed(second, look) == "[] []\n"


def test_two_submissions_at_once_see_nothing_of_each_other(worker):
    with worker.session(LIMITS) as first, worker.session(LIMITS) as second:
        place = printed(first, "import os; open('mine', 'w').write('x'); print(os.path.abspath('mine'))").strip()
        runs = second.run([f"open({place!r}).read()", "import os\nos.kill(os.getppid(), 0)\nprint(os.listdir('.'))"])
        assert runs[0].outputs[-1]["ename"] in ("FileNotFoundError", "PermissionError")
        assert first.run(["print('here')"])[0].status == "ok"


def test_a_notebook_that_is_run_again_starts_from_an_empty_folder(session):
    make, leave = "import os; os.mkdir('made')", "if not os.path.exists('/x'): os._exit(0)"
    runs = session.run([make, leave, "print(os.listdir('.'))"])
    assert [run.status for run in runs] == ["ok", "died", "ok"]
    assert runs[-1].outputs[0]["text"] == "['made']\n"


def test_a_cell_that_ends_python_says_how(session):
    runs = session.run(["import os; os._exit(0)", "import ctypes; ctypes.string_at(0)"])
    assert [run.outputs[0]["evalue"].split(":")[0] for run in runs] == [
        "It left by itself, as with `os._exit`.",
        "It crashed",
    ]


def test_a_row_that_ends_the_whole_submission_takes_no_other_row_along(session):
    session.run(["import os, signal\ndef end(): os.kill(os.getppid(), signal.SIGKILL)\ndef f(): return 1"])
    with session.row() as row:
        call(row, "end")
    with session.row() as row:
        assert call(row, "f").value == 1


def test_a_row_that_names_the_keeper_as_its_own_process_does_not_have_it_killed(session):
    """The pid of a row's process is the word of the student's code, and is what gets killed when the row is over."""
    session.run(
        [
            "import os, sys\ndef f(): return 1\n"
            "fork, me = os.fork, os.getpid()\n"
            "def lie():\n    pid = fork()\n    return pid if pid == 0 else os.getppid()\n"
            "os.fork = lie"
        ]
    )
    for _ in range(2):
        with session.row() as row, contextlib.suppress(Stopped):
            call(row, "f")
    assert session.run(["print('here')"])[0].status == "ok"


def test_what_a_keeper_that_was_killed_leaves_is_ended_by_the_worker():
    name = "left-by-a-test"
    leave = (
        "import ctypes, os\nif os.fork() == 0:\n    os.setsid()\n"
        f"    ctypes.CDLL(None).prctl(15, {name.encode()!r}, 0, 0, 0)\n    while True: pass"
    )
    with Worker("landlock", ("numpy",)) as worker:
        session = worker.session(LIMITS)
        session.run([leave])
        os.kill(session.keeper, signal.SIGKILL)
        session.close()
        assert processes.named(name) == []


@pytest.mark.parametrize("depth", [1500, 5000])
def test_a_tree_of_any_depth_is_removed_and_stops_nobody(worker, depth):
    deep = (
        f"import os\nfor _ in range({depth}):\n    os.mkdir('d', 0o300)\n    os.chdir('d')\n    open('f', 'w').close()"
    )
    with worker.session(LIMITS) as session:
        runs = session.run(
            [deep, "import os; os._exit(0) if os.path.exists('/tmp/d') or len(os.getcwd()) > 999 else 0"]
        )
        assert {run.status for run in runs} <= {"ok", "raised", "died", "timeout"}
    with worker.session(LIMITS) as session:
        assert printed(session, "import os; print(os.listdir('.'))") == "[]\n"


def test_no_flag_of_an_open_file_is_left_for_the_next_submission(worker):
    mark = "import fcntl\nfor fd in (0, 1, 2): fcntl.fcntl(fd, fcntl.F_SETFL, 0o4000 | 0o2000)"
    with worker.session(LIMITS) as session:
        session.run([mark])
    with worker.session(LIMITS) as session:
        look = "import fcntl; print([fcntl.fcntl(fd, fcntl.F_GETFL) & 0o6000 for fd in (0, 1, 2)])"
        assert printed(session, look) == "[0, 0, 0]\n"


def test_dev_shm_is_empty_when_a_notebook_is_run_again():
    leave = "import os\nif not os.path.exists('/x'): open('/dev/shm/left', 'w').close(); os._exit(0)"
    with Worker("bubblewrap", ("numpy",)) as worker, worker.session(LIMITS) as session:
        assert printed(session, leave, "import os; print(os.listdir('/dev/shm'))") == "[]\n"


def test_memory_beyond_the_limit_is_a_memory_error_of_the_student(session):
    run = session.run(["import numpy as np", "np.ones(2**27)"])[-1]
    assert run.outputs[0]["ename"] == "MemoryError"


def test_a_call_takes_arrays_and_gives_arrays(session):
    session.run(["def double(x): return 2 * x"])
    with session.row() as row:
        _, value = call(row, "double", np.arange(3.0))
    assert np.array_equal(value, [0.0, 2.0, 4.0])


def test_what_is_no_data_stays_inside_and_can_be_passed_on(session):
    session.run(["class Cache:\n    x = 3\ndef forward(x): return x, Cache()\ndef backward(cache): return cache.x"])
    with session.row() as row:
        handle, (_, cache) = call(row, "forward", 1)
        assert cache == Opaque("Cache")
        assert call(row, "backward", Ref(handle, (1,))).value == 3


def test_the_last_definition_wins(session):
    session.run(["def f(): return 1", "f = lambda: 2"])
    with session.row() as row:
        assert call(row, "f").value == 2


def test_what_one_row_changes_the_next_row_does_not_see(session):
    session.run(["counter = [0]\ndef count():\n    counter[0] += 1\n    return counter[0]"])
    for _ in range(2):
        with session.row() as row:
            assert [call(row, "count").value, call(row, "count").value] == [1, 2]


def test_there_can_be_more_rows_than_processes(worker):
    with worker.session(replace(LIMITS, processes=12)) as session:
        session.run(["def f(): return 1"])
        for _ in range(30):
            with session.row() as row:
                assert call(row, "f").value == 1


def test_a_function_that_raises_is_told_with_the_line(session):
    session.run(["def f(x):\n    return x[9]"])
    with session.row() as row:
        raised = call(row, "f", [1])
        assert isinstance(raised, protocol.Raised)
        assert (raised.type, raised.function, raised.line, raised.source) == ("IndexError", "f", 2, "return x[9]")


def test_a_missing_function_is_told_from_one_that_raises(session):
    session.run(["g = 3"])
    with session.row() as row:
        assert call(row, "f") == protocol.Missing("")
        assert call(row, "g") == protocol.Missing("int")


def test_a_call_that_hangs_is_stopped_and_the_next_one_is_answered(session):
    session.run(["def hang():\n    while True: pass\ndef f(): return 1"])
    with session.row() as row:
        with pytest.raises(Stopped, match="did not finish within 1 second") as stopped:
            call(row, "hang")
        assert stopped.value.cause.kind == "timeout"
        assert call(row, "f").value == 1


def test_a_function_that_hung_twice_is_not_called_again(session):
    session.run(["def hang(wanted):\n    while wanted: pass"])
    with session.row() as row:
        for _ in range(2):
            with pytest.raises(Stopped):
                call(row, "hang", True)
        with pytest.raises(Stopped, match="earlier checks"):
            call(row, "hang", False)  # it would be answered


def test_a_call_that_ends_python_is_told_and_the_next_one_is_answered(session):
    session.run(["import os\ndef leave(): os._exit(0)\ndef f(): return 1"])
    with session.row() as row:
        with pytest.raises(Stopped, match="ended while `leave` ran") as stopped:
            call(row, "leave")
        assert stopped.value.cause.kind == "died"
        assert call(row, "f").value == 1


def test_exit_in_a_call_is_an_exception_of_the_student(session):
    session.run(["import sys\ndef leave(): sys.exit(3)"])
    with session.row() as row:
        assert call(row, "leave").type == "SystemExit"


@pytest.mark.parametrize("noise", ["b'\\x05\\x00\\x00\\x00abcde'", "b'\\xff' * 64", "b'\\x01\\x00\\x00\\x00Z'"])
def test_bytes_that_are_no_frame_are_the_students_verdict(session, noise):
    session.run(
        [
            f"import os\ndef forge():\n    for fd in range(3, 64):\n"
            f"        try: os.write(fd, {noise})\n        except OSError: pass"
        ]
    )
    with session.row() as row:
        with pytest.raises(Stopped) as stopped:
            call(row, "forge")
        assert stopped.value.cause.kind == "protocol"


def test_too_large_an_answer_does_not_cross(session):
    session.run(["import numpy as np\ndef huge(): return [np.zeros(2**20)] * 20"])
    with session.row() as row:
        assert isinstance(call(row, "huge"), protocol.TooLarge)


def test_an_endless_generator_is_read_no_further_than_asked(session):
    session.run(["def endless():\n    while True: yield 1"])
    with session.row() as row:
        handle = call(row, "endless").handle
        assert row.exchange(protocol.TakeItems(Ref(handle), 3), "endless").value == [1, 1, 1, 1]


def test_a_replaced_function_is_answered_from_outside(session):
    session.run(["def softmax(x): return 'wrong'\ndef loss(x): return softmax(x) + 1"])
    with session.row(
        lambda name, arguments, keywords, deadline: protocol.Answered(arguments[0] * 10, [], False), ["softmax"]
    ) as row:
        assert call(row, "loss", 2).value == 21
        assert row.asked == {"softmax"}


def test_a_function_that_was_not_replaced_cannot_be_asked_for(session):
    session.run(["def f(): return 1"])
    with session.row(lambda *_: protocol.Answered("the reference", [], False), ["softmax"]) as row:
        call(row, "f")
        assert isinstance(row._answer("train", (), {}, 0.0), protocol.Refused)


def test_a_submission_ends_at_its_time_limit_whatever_it_does(worker):
    limits = Limits(cell_seconds=2, submission_seconds=4, call_seconds=1)
    with worker.session(limits) as session:
        before = time.monotonic()
        runs = session.run(["def f():\n    while True: pass\ndef g(): return 1", *["while True: pass"] * 10])
        after = time.monotonic()
        with session.row() as row:
            assert call(row, "g").value == 1
            for each in ("f", "f"):
                with pytest.raises(Stopped):
                    call(row, each)
        # However long the calls took, rows get what the cells have left, and no more.
        assert before + 4 <= session.deadline < after + 4
        session.deadline = before
        with session.row() as row, pytest.raises(Stopped, match="time was used up"):
            call(row, "g")
    # Of the 3 seconds for cells, those of 2 seconds use two, or a third that begins just before the end.
    assert [run.status for run in runs[4:]] == ["skipped"] * 7


def test_no_process_of_a_submission_survives_it(worker):
    with worker.session(LIMITS) as session:
        session.run(
            ["import os\nfor _ in range(3):\n    if os.fork() == 0:\n        os.setsid()\n        while True: pass"]
        )
    deadline = time.monotonic() + 10
    while (busy := _busy_below(worker.process.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert busy == 0


def _busy_below(pid: int) -> int:
    states = []
    for each in processes.with_descendants(pid):
        try:
            states.append(Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[0])
        except OSError:
            continue
    return states.count("R")


def test_a_worker_that_was_killed_is_an_error_of_ours():
    worker = Worker("bubblewrap", ("numpy",))
    os.killpg(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    with pytest.raises(SandboxError):
        worker.session(LIMITS)
    worker.close()


def test_without_bubblewrap_the_worker_does_not_start(monkeypatch):
    monkeypatch.setattr("autograder.sandbox.jail.find_bubblewrap", lambda: None)
    with pytest.raises(SandboxError, match="--sandbox none"):
        Worker("bubblewrap", ("numpy",))


def test_a_distribution_that_is_not_installed_is_named():
    with pytest.raises(SandboxError, match="no-such-distribution"):
        Worker("bubblewrap", ("no-such-distribution",))


def test_a_sandbox_that_does_not_start_says_why(monkeypatch):
    monkeypatch.setattr("autograder.sandbox.jail.standard_library", lambda: ["/nowhere"])
    with pytest.raises(SandboxError, match=r"did not start: .*(Traceback|No module)"):
        Worker("bubblewrap", ("numpy",)).wait()
