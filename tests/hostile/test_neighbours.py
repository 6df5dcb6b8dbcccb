"""What one submission can do to another that is graded at the same time, by what it takes of the machine."""

import errno
import fcntl
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autograder.base import SandboxError
from autograder.course import load_course
from autograder.grading import Grader
from autograder.sandbox import Session, Worker, turn
from autograder.submission import read_submission
from tests import hubs
from tests.courses import CONFIG, cell, make_course, solved, submit, write
from tests.hostile.hogs import HOGS, HONEST

WAITS = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGUSR2])
signal.sigwait([signal.SIGUSR1])
"""
"""A cell that waits until it is told to go on; that it is there can be seen by the second signal."""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of the test's own: turns are those of one user, and other tests have theirs meanwhile."""
    home = tmp_path / "home"
    home.mkdir()
    entry = pwd.struct_passwd(("keeper", "x", os.geteuid(), os.getegid(), "", str(home), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: entry)
    return home


@pytest.fixture(scope="module")
def assignment(tmp_path_factory):
    return load_course(make_course(tmp_path_factory.mktemp("course"))).assignment("warmup")


@pytest.fixture(scope="module")
def grader(assignment):
    """What is probed of the sandbox would count as runs."""
    with Grader(probed=True) as grader:
        grader.prepare(assignment)
        yield grader


@pytest.fixture
def runs(monkeypatch):
    """The runs of submissions, in order."""
    seen: list[Session] = []
    run = Session.run

    def noted(session, *arguments, **named):
        seen.append(session)
        return run(session, *arguments, **named)

    monkeypatch.setattr(Session, "run", noted)
    return seen


@pytest.fixture
def neighbours(runs, monkeypatch):
    """As ``runs``; beside the first, another submission has its turn."""
    run = Session.run

    def beside(session, *arguments, **named):
        if not runs:
            with turn("bubblewrap"):
                pass
        return run(session, *arguments, **named)

    monkeypatch.setattr(Session, "run", beside)
    return runs


def graded(grader, assignment, folder, runs, signals, source=WAITS):
    """The report on a right notebook with such a cell, to which the kernel sends these signals, one a run."""
    tree = solved()
    tree["cells"][2:2] = [cell(f"{source}\nDONE = True")]
    tree["cells"][3]["source"] = "def scale(x, factor): return x * factor if DONE else x"
    submission = read_submission(write(folder / "warmup.ipynb", tree), assignment)
    ended = threading.Event()

    def send() -> None:
        for place, number in enumerate(signals):
            while number and not (len(runs) > place and is_waiting(runs[place])):
                if ended.is_set():
                    return
                time.sleep(0.01)
            if number:
                os.kill(runs[place].student.outside, number)

    sends = threading.Thread(target=send)
    sends.start()
    try:
        return grader.grade(submission, assignment)
    finally:
        ended.set()
        sends.join()


def is_waiting(session: Session) -> bool:
    try:
        status = Path(f"/proc/{session.student.outside}/status").read_text()
        blocked = next(line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:"))
        return bool(int(blocked, 16) >> (signal.SIGUSR2 - 1) & 1)
    except (AttributeError, OSError, StopIteration):
        return False


def test_what_was_killed_beside_another_is_tried_again_alone_before_it_counts(grader, assignment, tmp_path, neighbours):
    """As where a neighbour takes so much memory that the kernel ends whatever is the largest."""
    report = graded(grader, assignment, tmp_path, neighbours, [signal.SIGKILL, signal.SIGUSR1])
    assert (report.score, len(neighbours)) == (10, 2)


def test_what_waited_beside_another_until_its_time_was_over_is_tried_again_alone(
    grader, assignment, tmp_path, neighbours
):
    """As where a neighbour has all the memory that the pipes of a user may take."""
    report = graded(grader, assignment, tmp_path, neighbours, [None, signal.SIGUSR1])
    assert (report.score, len(neighbours)) == (10, 2)


def test_of_what_is_tried_again_only_the_time_alone_is_told(grader, assignment, tmp_path, neighbours):
    report = graded(grader, assignment, tmp_path, neighbours, [None, signal.SIGUSR1])
    assert report.seconds < time.monotonic() - neighbours[0].budget.begun - assignment.limits.cell_seconds


def test_what_was_killed_without_a_neighbour_counts_as_it_is(grader, assignment, tmp_path, runs):
    report = graded(grader, assignment, tmp_path, runs, [signal.SIGKILL])
    assert (len(runs), "died" in {run.status for run in report.cells}) == (1, True)


def test_what_loops_without_end_beside_another_is_not_tried_again(grader, assignment, tmp_path, neighbours):
    """It had all the time of the processor that it may have: no neighbour has taken anything from it."""
    report = graded(grader, assignment, tmp_path, neighbours, [], "while True: pass")
    assert len(neighbours) == 1
    assert "timeout" in {run.status for run in report.cells}


@pytest.mark.parametrize(
    ("source", "again"),
    [
        ("open('a', 'w').close(); raise OSError(28, 'No space left on device')", True),
        ("raise MemoryError", True),
        ("raise RuntimeError('can\\'t start new thread')", True),
        ("raise BlockingIOError(11, 'Resource temporarily unavailable')", True),
        ("raise RuntimeError('shapes do not match')", False),
        ("open('nothing')", False),
        ("import os; os._exit(1)", False),
    ],
)
def test_a_shortage_of_what_neighbours_share_is_tried_again_and_a_mistake_is_not(
    grader, assignment, tmp_path, neighbours, source, again
):
    graded(grader, assignment, tmp_path, neighbours, [], source)
    assert len(neighbours) == 1 + again


def test_one_alone_waits_for_those_that_run_and_the_next_ones_wait_for_it(home):
    said: list[str] = []

    def has_a_turn(name: str, alone: bool) -> None:
        with turn("bubblewrap", alone=alone) as mine:
            said.append(f"{name} begins")
            said.append(f"{name} ends" if mine.alone == alone else "?")

    threads = [threading.Thread(target=has_a_turn, args=("alone", True))]
    with turn("bubblewrap") as first:
        threads[0].start()
        (gate,) = wait_until(lambda: [path for path in home.iterdir() if path.suffix == ".next" and is_held(path)])
        threads.append(threading.Thread(target=has_a_turn, args=("late", False)))
        threads[1].start()
        assert is_held(gate)
        said.append("first ends")
        assert not first.has_had_neighbours()
    for each in threads:
        each.join()
    assert said[0] == "first ends"
    assert said.index("alone ends") == said.index("alone begins") + 1


def test_those_that_run_beside_one_another_know_it_and_one_alone_does_too(home):
    with turn("bubblewrap") as first:
        assert not first.has_had_neighbours()
        with turn("bubblewrap") as second:
            assert second.has_had_neighbours()
        assert first.has_had_neighbours()
    with turn("bubblewrap") as third:
        assert not third.has_had_neighbours()


@pytest.mark.parametrize("kind", ["bubblewrap", "landlock"])
def test_where_there_are_no_locks_a_worker_that_goes_is_replaced(kind, assignment, tmp_path, monkeypatch):
    """As in a container in which nothing can be written; an ordinary user under Landlock needs them."""
    if kind == "landlock" and os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root needs no locks under Landlock")
    session = Worker.session

    def gone(*_, **__):
        monkeypatch.setattr(Worker, "session", session)
        raise SandboxError("the worker is gone")

    monkeypatch.setattr("autograder.sandbox.turns._lock_of", lambda _: tmp_path / "not there/lock")
    monkeypatch.setattr(Worker, "session", gone)
    submission = read_submission(write(tmp_path / "warmup.ipynb", solved()), assignment)
    with Grader(kind, probed=True) as grader:
        report = grader.grade(submission, assignment)
    assert (report.score, report.trouble) == (10, "")


def test_a_full_disk_where_the_locks_lie_is_named_and_no_zero(grader, assignment, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    submission = read_submission(write(tmp_path / "warmup.ipynb", solved()), assignment)
    report = grader.grade(submission, assignment)
    assert report.score is None
    assert "which keeps submissions apart, cannot be used: No space left on device" in report.trouble


MEMORY = Path("/sys/fs/cgroup/memory")
"""Where a kernel has version 1 of control groups, the machine has as little memory as a small container."""


@pytest.mark.thorough
@pytest.mark.sandbox
@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: root alone makes accounts. Run these tests as root")
@pytest.mark.parametrize("user", ["ana", "root"])
@pytest.mark.parametrize("kind", ["landlock", "bubblewrap"])
def test_beside_hogs_an_honest_submission_has_its_grade(tmp_path, kind, user):
    """A real user of a machine with little room grades a class of hogs with honest students between them."""
    with hubs.machine(tmp_path) as machine:
        home = "/root"
        if user != "root":
            machine.does("root", "useradd", "--create-home", user)
            home = f"/home/{user}"
        machine.does("root", "mount", "-t", "tmpfs", "-o", "size=60m,mode=1777", "tmpfs", "/tmp")
        course = machine.root / home[1:] / "course"
        limits = "limits: {cell_seconds: 6, call_seconds: 2, submission_seconds: 30, memory_mb: 256, file_mb: 8}"
        make_course(course, config=re.sub("limits: .*", limits, CONFIG))
        shutil.copy(hubs.REPOSITORY / "nbgrader_config.py", course)
        for number, source in enumerate(HOGS.values()):
            for student, cells in ((f"{number}-a-hog", source), (f"{number}-b-honest", HONEST)):
                tree = solved()
                tree["cells"][2:2] = [cell(cells)]
                tree["cells"][3]["source"] = "def scale(x, factor): return x * factor if NEEDS else x"
                submit(course, student, tree)
        machine.does("root", "chown", "-R", user, f"{home}/course")
        machine.does("root", "chmod", "-R", "go=", f"{home}/course")
        command = ["autograder", "grade", "warmup", "--jobs", "2", "--sandbox", kind, "--json"]
        with little_memory(900) as inside:
            done = subprocess.run(
                [*inside, *machine.inside(user, f"{home}/course"), *command],
                capture_output=True,
                text=True,
                check=False,
            )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        results = {each["student"]: each for each in json.loads(done.stdout)}
        honest = {name: each["report"]["score"] for name, each in results.items() if name.endswith("honest")}
        assert honest == dict.fromkeys(honest, 10)
        assert len(honest) == len(HOGS)


@contextmanager
def little_memory(megabytes: int) -> Iterator[list[str]]:
    """What stands before a command that is to have so much memory with all that it starts."""
    if not (MEMORY / "cgroup.procs").exists():
        yield []
        return
    group = MEMORY / f"neighbours-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(megabytes * 2**20))
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
    finally:
        for _ in range(500):
            try:
                group.rmdir()
            except OSError:
                time.sleep(0.01)
            else:
                break


def wait_until(found: Callable[[], list[Path]]) -> list[Path]:
    while not (there := found()):
        time.sleep(0.01)
    return there


def is_held(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
