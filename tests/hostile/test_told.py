"""What a submission can carry from one run of a row to another, and out to its page."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.base import Cause
from autograder.course import load_course
from autograder.grading import CheckResult, Grader
from autograder.grading.carrying import MAX_TOLD
from autograder.grading.hints import within
from autograder.operations import grade_assignment
from autograder.sandbox import one_at_a_time, protocol
from autograder.submission import read_submission
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


def test_slow_cells_of_ones_own_do_not_keep_a_rows_cells_from_being_run(grader, assignment, tmp_path):
    short = replace(assignment, limits=replace(assignment.limits, submission_seconds=4.0, cell_seconds=1.0))
    slow = [f"while True: pass  # {number}" for number in range(4)]
    right = "def centre(x): return x - x.mean()"
    report = graded(grader, short, tmp_path, "def scale(x, factor): return x * factor", right, *slow)
    assert report.score == 10
    assert any("Not run: cell" in note for note in report.notes)


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
        apart = in_a_turn(user, "bubblewrap", says, b"3", None)
        assert os.read(said, 1) == b"3"
        os.write(goes, b".")
        assert os.read(said, 1) == b"2"
        assert [os.waitpid(pid, 0)[1] for pid in (first, second, apart)] == [0, 0, 0]
    finally:
        lock.unlink(missing_ok=True)


def in_a_turn(user, kind, says, word, go):
    """A process of that user, which says the word when it has its turn, and keeps it until it may go."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setuid(user)
            with one_at_a_time(kind):
                os.write(says, word)
                if go is not None:
                    os.read(go, 1)
            os._exit(0)
        finally:
            os.write(says, b"!")
            os._exit(1)
    return pid
