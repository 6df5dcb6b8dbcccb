"""What a submission can carry from one run of a row to another, and out to its page."""

import os
import pwd
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.base import Cause, reason
from autograder.course import load_course
from autograder.grading import CheckResult, Grader
from autograder.grading.answered import discreet
from autograder.grading.carrying import MAX_TOLD
from autograder.grading.hints import within
from autograder.grading.running import cell_roles
from autograder.operations import grade_assignment
from autograder.sandbox import protocol, turn
from autograder.sandbox.raised import bounded
from autograder.submission import code_cells, read_submission
from tests.courses import CONFIG, cell, make_course, solved, submit, untouched, write


@pytest.fixture(scope="module")
def assignment(tmp_path_factory):
    return load_course(make_course(tmp_path_factory.mktemp("course"))).assignment("warmup")


@pytest.fixture(scope="module")
def grader():
    with Grader() as grader:
        yield grader


def graded(grader, assignment, folder, scale, centre, *own):
    tree = untouched()
    for each in tree["cells"]:
        each["source"] = {"scale": scale, "centre": centre}.get(each["id"], each["source"])
    tree["cells"][2:2] = [cell(each) for each in own]
    return grader.grade(read_submission(write(folder / "warmup.ipynb", tree), assignment), assignment)


WRONG = "def scale(x, factor): return x * 0"


def test_a_second_guess_that_needs_nothing_of_the_reference_does_not_count(grader, assignment, tmp_path):
    guess = "OWN = scale\ndef centre(x): return x if scale is OWN else x - x.mean()"
    assert graded(grader, assignment, tmp_path, WRONG, guess).score == 0
    used = "def centre(x): return scale(x, 1.0) - x.mean()"
    assert graded(grader, assignment, tmp_path, WRONG, used).score == 6


def test_a_file_of_one_run_of_a_row_is_there_in_no_other(grader, assignment, tmp_path):
    counted = """
RUNS = []
def centre(x):
    import os
    if not RUNS:
        RUNS.append(len(os.listdir(".")))
        open(f"{RUNS[0]}", "w").close()
    return scale(x, 1.0) - x.mean() if RUNS[0] else x
"""
    assert graded(grader, assignment, tmp_path, WRONG, counted).score == 0


def test_text_of_an_exception_is_short_plain_and_none_where_the_reference_has_answered(grader, assignment, tmp_path):
    loud = "def scale(x, factor): raise type('E12', (Exception,), {})(chr(0x4e00) * 400)"
    told = "def centre(x): raise ValueError(str(scale(x, 2.0)))"
    report = graded(grader, assignment, tmp_path, loud, told)
    first = report.rows[0].checks[0].cause
    assert (first.exception, first.text) == ("Exception", "?" * 120)
    with grader.ran([told], assignment) as (session, _):
        with session.row(lambda *_: protocol.Answered("secret", [], False), ["scale"]) as row:
            reply = row.exchange(protocol.Call("centre", (1,), {}), "centre")
        assert (reply.type, reply.text) == ("ValueError", "")


SECRET = "0.7310585786300049"


@pytest.mark.parametrize(
    "cause",
    [
        Cause("type", "f", "`f(…)`", "array", type=SECRET),
        Cause("type", "f", "`f(…)`", "array", type="list", length=7310585786300049),
        Cause("missing", "f", type=SECRET),
        Cause("uncrossable", "f", text=SECRET, when="given"),
        Cause("extra", "f", "`f(…)`", names=("a", SECRET)),
        Cause("length", "f", "`f(…)`", "parts", ("a", "b"), length=7310585786300049),
        Cause("shape", "f", "`f(…)`", shape=(7310585786300049,), asked_shape=(5, 3)),
        Cause("shape", "f", "`f(…)`", "number", shape=(0, 7310585786300049)),
    ],
    ids=lambda cause: f"{cause.kind}-{cause.asked}",
)
def test_no_answer_of_the_references_is_told_as_a_name_a_shape_or_a_length(cause):
    assert "73105857863" in reason(cause)
    assert "73105857863" not in reason(discreet(cause))


def test_a_shape_of_the_lengths_that_were_asked_for_is_told_all_the_same():
    cause = Cause("shape", "f", "`f(…)`", shape=(5, 1), asked_shape=(5,))
    assert discreet(cause) == cause


def test_an_exceptions_place_is_one_of_a_few_where_the_reference_has_answered():
    """A notebook can have as many classes, words and lines as it takes to tell a number by choosing among them."""
    words = "\n".join(f"class k{number}" for number in range(1_000))
    functions = "\n".join(f"def f{number}(): g({number})" for number in range(1_000))
    lines = "def f(x):\n" + "\n".join(f"    g({number})" for number in range(1_000))
    sources = (lines, words, functions)

    def told(kind, function, source, line=0):
        return bounded(protocol.Raised(kind, SECRET, function, line, source), sources, answered=True)

    assert told("ValueError", "f", "g(7)", 7) == protocol.Raised("ValueError", "", "f", 0, "g(7)")
    kinds = {told(f"k{number}", "f", "").type for number in range(1_000)}
    places = {told("", f"f{number}", f"g({line})")[2:] for number in range(1_000) for line in (number, 7)}
    assert kinds == {"Exception"}
    assert len({function for function, _, _ in places}) == 64
    assert len({told("", "f", f"g({number})").source for number in range(1_000)}) == 256


def test_a_rows_folder_is_that_of_the_notebook_again(grader, assignment):
    source = """
import os
open("a", "w").close()
def f():
    open(f"b{os.getpid()}", "w").close()
    return len(os.listdir("."))
"""
    with grader.ran([source], assignment) as (session, _):
        for _ in range(2):
            with session.row() as row:
                assert row.exchange(protocol.Call("f", (), {}), "f").value == 2


@pytest.mark.parametrize(
    ("left", "found"),
    [
        ("import os\nfile = os.open(os.__file__, os.O_RDONLY)", "os.lseek(file, 77, 0)"),
        ("import os, fcntl\nfile = os.open(os.__file__, os.O_RDONLY)", "fcntl.flock(file, fcntl.LOCK_EX)"),
        (
            "import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])\nstudent = os.getpid()",
            "os.kill(student, signal.SIGRTMIN)",
        ),
    ],
    ids=["place", "lock", "signal"],
)
def test_a_session_in_which_a_row_has_left_something_is_kept_for_no_other(grader, assignment, left, found):
    with grader.ran([f"{left}\ndef f(leave): return {found} if leave else None"], assignment) as (session, _):
        for leave in (False, True):
            with session.anew() as again, again.row() as row:
                row.exchange(protocol.Call("f", (leave,), {}), "f")
            assert (session.again is None) == leave


def test_what_the_machine_keeps_of_a_file_in_memory_can_neither_be_asked_nor_changed(grader, assignment):
    """Both together are hundreds of bits that one grading leaves the next, in any file that all can read."""
    source = """
import os
file = os.open(os.__file__, os.O_RDONLY)
def put(): os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
def get(): return os.preadv(file, [bytearray(1)], 0, os.RWF_NOWAIT)
"""
    with grader.ran([source], assignment) as (session, _), session.row() as row:
        for name in ("put", "get"):
            assert row.exchange(protocol.Call(name, (), {}), name).type == "PermissionError"


def test_slow_cells_of_ones_own_do_not_keep_a_rows_cells_from_being_run(grader, assignment, tmp_path):
    short = replace(assignment, limits=replace(assignment.limits, submission_seconds=4.0, cell_seconds=1.0))
    slow = [f"while True: pass  # {number}" for number in range(4)]
    right = "def centre(x): return x - x.mean()"
    report = graded(grader, short, tmp_path, "def scale(x, factor): return x * factor", right, *slow)
    assert report.score == 10
    assert any("Not run: cell" in note for note in report.notes)


def test_a_cell_too_long_for_anybody_to_write_is_not_parsed_by_the_grader(assignment, tmp_path):
    """Three megabytes of `0,` would take 1.5 gigabytes outside the sandbox, and nine seconds."""
    defines = "def own(): pass\n"
    long = [f"import m{number} #{'-' * 45_000}" for number in range(9)]
    for more, role in (((), "needed"), (long, "own")):
        tree = solved()
        tree["cells"][2:2] = [cell(each) for each in (defines, defines * 4_000, *more)]
        submission = read_submission(write(tmp_path / "warmup.ipynb", tree), assignment)
        roles = cell_roles(submission, show=False)
        by_source = {source: roles[place] for place, (_, source) in enumerate(code_cells(submission))}
        assert (by_source[defines], by_source[defines * 4_000]) == (role, "own")
        assert roles.count("needed") >= 3


def test_of_all_rows_together_no_more_than_a_page_of_an_exceptions_text_is_told():
    raised = CheckResult("test_a", "", 1.0, "failed", Cause("raised", "f", exception="ValueError", text="x" * 120))
    other = CheckResult("test_b", "", 1.0, "failed", Cause("values", "f", what="`f(…)`", wrong=1, total=1))
    left, told = MAX_TOLD, 0
    for _ in range(20):
        (first, second), left = within((raised, other), left)
        assert (first.cause.exception, second) == ("ValueError", other)
        told += len(first.cause.text)
    assert (told, left) == (MAX_TOLD, 0)


def test_where_time_ran_short_the_table_says_which_cells_were_not_run(tmp_path):
    limits = "limits: {cell_seconds: 1, call_seconds: 1, submission_seconds: 4}"
    course = load_course(make_course(tmp_path / "course", config=re.sub("limits: .*", limits, CONFIG)))
    tree = solved()
    tree["cells"][2:2] = [cell(f"while True: pass  # {number}") for number in range(4)]
    submit(course.root, "ada", tree)
    (result,) = grade_assignment(course, course.assignment("warmup"), jobs=1, now=None)
    assert result.report.score == 10
    assert "Not run: cell" in result.why
    page = (course.root / "autograded/ada/warmup/warmup.ipynb").read_text()
    assert "ran short of time" in page


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can become two processes of another user")
def test_where_processes_are_counted_together_one_submission_is_run_at_a_time():
    """Two processes of one ordinary user: the second has its turn when the first has ended."""
    user = 40_000 + os.getpid() % 20_000  # another run of the tests may be at it beside this one
    lock = Path(f"/tmp/autograder-{user}.lock")
    said, says = os.pipe()
    go, goes = os.pipe()
    try:
        first = in_a_turn(user, "landlock", says, b"1", go)
        assert os.read(said, 1) == b"1"
        second = in_a_turn(user, "landlock", says, b"2", None)
        os.write(goes, b".")
        assert os.read(said, 1) == b"2"
        assert [os.waitpid(pid, 0)[1] for pid in (first, second)] == [0, 0]
    finally:
        for each in (lock, lock.with_suffix(".next")):
            each.unlink(missing_ok=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can become another user")
def test_nobody_else_can_take_the_name_of_the_lock_of_a_user_with_a_home(monkeypatch):
    user = 45_124
    home, lock = Path(tempfile.mkdtemp(dir="/tmp")), Path(f"/tmp/autograder-{user}.lock")
    os.chown(home, user, user)
    entry = pwd.struct_passwd(("keeper", "x", user, user, "", str(home), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: entry)
    try:
        lock.touch(mode=0o600)
        said, says = os.pipe()
        pid = in_a_turn(user, "landlock", says, b"1", None)
        assert os.waitpid(pid, 0)[1] == 0
        assert os.read(said, 1) == b"1"
    finally:
        lock.unlink(missing_ok=True)
        shutil.rmtree(home)


def in_a_turn(user, kind, says, word, go):
    """A process of that user, which says the word when it has its turn, and keeps it until it may go."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setuid(user)
            with turn(kind):
                os.write(says, word)
                if go is not None:
                    os.read(go, 1)
            os._exit(0)
        finally:
            os.write(says, b"!")
            os._exit(1)
    return pid
