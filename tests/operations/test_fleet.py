"""The same fleet on Dask: workers that have neither the course nor its gradebook give the same reports.

A scheduler and workers run for real, as processes of their own; those of two tests in network namespaces of their own.
"""

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import Client

from autograder.base import AutograderError
from autograder.course import Assignment, load_course
from autograder.gradebook import held_grades, open_gradebook
from autograder.grading import assignment_digest
from autograder.operations import Result, Scheduler, grade_assignment
from autograder.operations.fleet import grade_all_remotely
from autograder.operations.graded import Graded
from autograder.operations.packing import packed_assignment, packed_hand_in, unpacked_assignment, unpacked_hand_in
from autograder.operations.pool import grade_all
from autograder.submission.hand_in import HandIn
from tests.commands import autograder
from tests.courses import cell, make_course, solved, submit, untouched

pytestmark = [pytest.mark.sandbox, pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed.*")]

DASK = [sys.executable, "-m", "dask"]


def variant(source: str):
    tree = solved()
    tree["cells"][2]["source"] = source
    return tree


CLASS = {
    "honest": solved(),
    "untouched": untouched(),
    "doubled": variant("def scale(x, factor): return 2 * x * factor"),
    "dying": variant("import os\ndef scale(x, factor): os._exit(1)"),
    "printing": {**solved(), "cells": [*solved()["cells"], cell("print(chr(0xD83D), 'é'); 1 / 0")]},
}


@contextmanager
def started(*words: str, within: tuple[str, ...] = (), cwd: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler or a worker, ended with all that it has started."""
    environment = os.environ | {
        "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s",
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
    }
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*within, *DASK, *words], cwd=cwd, stdout=said, stderr=said, env=environment, start_new_session=True
        )
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def address_in(log: Path) -> str:
    for _ in range(300):
        if found := re.search(r"Scheduler at:\s+(\w+://\S+)", log.read_text()):
            return found[1]
        time.sleep(0.1)
    raise AssertionError(log.read_text())


NUMBERS = itertools.count()
ALONE = ("--no-nanny",)
"""An option of a worker that need not be started again, and so has no process beside it."""


@contextmanager
def fleet(
    folder: Path, workers: int = 2, *, tls: tuple[str, ...] = (), options: tuple[str, ...] = ()
) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a scheduler with so many workers, and these."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"scheduler-{next(NUMBERS)}.log"
    scheme = ("--protocol", "tls") if tls else ()
    with started(
        "scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard", *scheme, *tls, cwd=folder, log=log
    ):
        address = address_in(log)
        stack = []
        try:
            for number in range(workers):
                words = ("worker", address, "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder))
                at = started(*words, *tls, *options, cwd=folder, log=folder / f"worker-{next(NUMBERS)}-{number}.log")
                stack.append((at, at.__enter__()))
            yield address, [process for _, process in stack]
        finally:
            for at, _ in stack:
                at.__exit__(None, None, None)


@pytest.fixture(scope="module")
def somewhere_else(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers, which start in an empty folder."""
    with fleet(tmp_path_factory.mktemp("elsewhere")) as (address, _):
        yield address


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_course(tmp_path / "course")
    for student, tree in CLASS.items():
        submit(root, student, tree)
    return root


def entries(root: Path) -> list[HandIn]:
    return [HandIn(student, root / f"submitted/{student}/warmup/warmup.ipynb", None) for student in CLASS]


def timeless(graded: Graded) -> Graded:
    assert graded.report is not None, graded
    cells = tuple(replace(run, seconds=0) for run in graded.report.cells)
    return replace(graded, report=replace(graded.report, seconds=0, cells=cells))


def by_student(results: Iterator[Graded]) -> dict[str, Graded]:
    listed = list(results)
    found = {each.hand_in.student: each for each in listed}
    assert len(found) == len(listed)
    return found


def test_the_reports_are_those_of_this_machine(somewhere_else: str, root: Path) -> None:
    warmup = load_course(root).assignment("warmup")
    here = by_student(grade_all(entries(root), warmup, sandbox="bubblewrap", jobs=2))
    there = by_student(
        grade_all_remotely(entries(root), warmup, sandbox="bubblewrap", scheduler=Scheduler(somewhere_else))
    )
    assert there.keys() == here.keys() == CLASS.keys()
    for student, graded in here.items():
        assert timeless(there[student]) == timeless(graded)


def test_the_command_grades_there_and_leaves_alone_what_has_its_grade(somewhere_else: str, root: Path) -> None:
    first = autograder(root, "grade", "warmup", "--scheduler", somewhere_else)
    assert first.returncode == 0, first.stderr
    assert "5 of 5 have a grade" in first.stdout
    again = autograder(root, "grade", "warmup")
    assert "5 had not changed" in again.stdout


def test_a_pipe_in_a_notebooks_place_is_refused_and_the_others_are_graded(somewhere_else: str, root: Path) -> None:
    (root / "submitted/honest/warmup/warmup.ipynb").unlink()
    os.mkfifo(root / "submitted/honest/warmup/warmup.ipynb")
    results = graded_at(root, somewhere_else)
    assert results["honest"].status == "refused"
    assert {each.status for student, each in results.items() if student != "honest"} == {"graded"}


def graded_at(root: Path, address: str, after: Callable[[Result], None] = lambda _: None) -> dict[str, Result]:
    course = load_course(root)
    results = {}
    for result in grade_assignment(course, course.assignment("warmup"), jobs=1, scheduler=Scheduler(address)):
        assert result.student not in results
        results[result.student] = result
        after(result)
    return results


@pytest.mark.thorough
def test_what_a_lost_worker_was_at_is_graded_by_others_and_nothing_twice(root: Path, tmp_path: Path) -> None:
    for number in range(30):
        submit(root, f"more{number}", solved())
    with fleet(tmp_path / "elsewhere", 3, options=("--no-nanny",)) as (address, workers):
        left = iter(workers[:2])

        def lose_one(_: Result) -> None:
            for process in itertools.islice(left, 1):
                os.killpg(process.pid, signal.SIGKILL)

        results = graded_at(root, address, lose_one)
    assert {each.status for each in results.values()} == {"graded"}
    assert len(results) == 35
    course = load_course(root)
    with open_gradebook(course, create=False) as gradebook:
        assert len(held_grades(gradebook, course.assignment("warmup"))) == 35


DEADLY = """

@check("scale")
def test_scale_twice(student: Student, reference: Reference, draw: Draw) -> None:
    \"\"\"It is scaled again.\"\"\"
    if student.scale(np.ones(2), 2.0).array((2,)).sum() == 8:
        import os

        os._exit(1)
"""


@pytest.mark.thorough
def test_what_kills_each_worker_that_grades_it_is_given_up_and_the_others_are_graded(
    root: Path, tmp_path: Path
) -> None:
    checks = root / "checks/warmup/test_warmup.py"
    checks.write_text(checks.read_text() + DEADLY)
    with fleet(tmp_path / "elsewhere", 2) as (address, _):
        results = graded_at(root, address)
    assert results.pop("doubled").why == "2 workers were lost while they graded it"
    assert {each.status for each in results.values()} == {"graded"}


@pytest.mark.thorough
def test_a_worker_that_joins_later_grades_too(root: Path, tmp_path: Path) -> None:
    with fleet(tmp_path / "elsewhere", 1) as (address, (first,)):
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)
        os.killpg(first.pid, signal.SIGKILL)
        log = tmp_path / "late.log"
        with started("worker", address, "--nthreads", "1", "--no-dashboard", cwd=tmp_path, log=log):
            results = graded_at(root, address)
    assert {each.status for each in results.values()} == {"graded"}


@pytest.mark.skipif(shutil.which("pgrep") is None, reason="NOT TESTED: there is no pgrep to find the scheduler with")
def test_a_scheduler_that_goes_away_loses_nothing_that_was_graded(root: Path, tmp_path: Path) -> None:
    for number in range(40):
        submit(root, f"more{number}", solved())
    kept = []
    with fleet(tmp_path / "elsewhere", 1, options=ALONE) as (address, _):
        here = tmp_path / "elsewhere"
        named = subprocess.check_output(["pgrep", "-f", "dask scheduler"], text=True).split()
        mine = [int(each) for each in named if Path(f"/proc/{each}/cwd").resolve() == here]
        assert mine

        def end(result: Result) -> None:
            kept.append(result.student)
            if len(kept) == 3:
                for each in mine:
                    os.kill(each, signal.SIGKILL)

        with pytest.raises(AutograderError, match="went away"):
            graded_at(root, address, end)
    course = load_course(root)
    with open_gradebook(course, create=False) as gradebook:
        assert {each.student for each in held_grades(gradebook, course.assignment("warmup"))} >= set(kept)


def test_a_worker_that_grades_otherwise_grades_nothing(root: Path, tmp_path: Path) -> None:
    package = tmp_path / "other/autograder"
    shutil.copytree(Path(__file__).parents[2] / "autograder", package)
    with (package / "grading/grader.py").open("a") as source:
        source.write("\n# graded otherwise\n")
    alone = fleet(tmp_path / "other", 1, options=ALONE)
    with alone as (address, _), pytest.raises(AutograderError) as caught:
        graded_at(root, address)
    assert re.search(
        r"none of the workers may grade: tcp://\S+: of what decides a grade it has source \w+", str(caught.value)
    )


def test_where_one_worker_is_unfit_the_others_grade(somewhere_else: str, root: Path, tmp_path: Path) -> None:
    package = tmp_path / "other/autograder"
    shutil.copytree(Path(__file__).parents[2] / "autograder", package)
    with (package / "grading/grader.py").open("a") as source:
        source.write("\n# graded otherwise\n")
    words = ("worker", somewhere_else, "--nthreads", "1", "--no-dashboard", *ALONE)
    with started(*words, cwd=tmp_path / "other", log=tmp_path / "other.log"):
        with Client(somewhere_else, set_as_default=False) as client:
            client.wait_for_workers(3, timeout=60)
        results = graded_at(root, somewhere_else)
    assert {each.status for each in results.values()} == {"graded"}


def certificate(folder: Path) -> tuple[str, ...]:
    """A key and a certificate that says for itself who it is."""
    name = ("-subj", "/CN=localhost", "-days", "2", "-nodes", "-newkey", "rsa:2048")
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"))
    subprocess.run(["openssl", "req", "-x509", *name, *files], check=True, capture_output=True)
    cert = str(folder / "cert.pem")
    return ("--tls-ca-file", cert, "--tls-cert", cert, "--tls-key", str(folder / "key.pem"))


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("openssl") is None, reason="NOT TESTED: there is no openssl to make certificates with")
def test_with_tls_the_certificates_decide_who_grades(root: Path, tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    with fleet(tmp_path / "elsewhere", 1, tls=tls) as (address, _):
        assert address.startswith("tls://")
        course = load_course(root)
        warmup = course.assignment("warmup")
        scheduler = Scheduler(address, cert, cert, key)
        results = list(grade_assignment(course, warmup, jobs=1, scheduler=scheduler))
        assert {each.status for each in results} == {"graded"}
        other = tmp_path / "other"
        other.mkdir()
        certificate(other)
        stranger = Scheduler(address, other / "cert.pem", other / "cert.pem", other / "key.pem")
        with pytest.raises(AutograderError, match="there is no Dask scheduler at tls://"):
            list(grade_assignment(course, warmup, jobs=1, force=True, scheduler=stranger))


@pytest.mark.parametrize(
    ("scheduler", "said"),
    [
        (Scheduler("tcp://127.0.0.1:9"), "there is no Dask scheduler at tcp://127.0.0.1:9"),
        (Scheduler("nowhere"), "there is no Dask scheduler at nowhere"),
        (Scheduler("tls://127.0.0.1:9"), "needs --tls-ca, --tls-cert and --tls-key"),
        (Scheduler("tls://127.0.0.1:9", *[Path("/nowhere.pem")] * 3), "there is no file /nowhere.pem"),
    ],
)
def test_a_scheduler_that_cannot_be_reached_is_named(root: Path, scheduler: Scheduler, said: str) -> None:
    course = load_course(root)
    with pytest.raises(AutograderError, match=re.escape(said)):
        list(grade_assignment(course, course.assignment("warmup"), jobs=1, scheduler=scheduler))


@contextmanager
def two_networks() -> Iterator[tuple[str, ...]]:
    """A network namespace that reaches this one over a pair of interfaces, and what starts a command in it."""
    name = f"ag{os.getpid()}"
    commands = [
        f"ip netns add {name}",
        f"ip link add {name}a type veth peer name {name}b netns {name}",
        f"ip addr add 10.99.7.1/30 dev {name}a",
        f"ip link set {name}a up",
        f"ip -n {name} addr add 10.99.7.2/30 dev {name}b",
        f"ip -n {name} link set {name}b up",
        f"ip -n {name} link set lo up",
    ]
    try:
        for command in commands:
            made = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            if made.returncode != 0:
                pytest.skip(f"NOT TESTED: network namespaces need root and ip: {made.stderr.strip()}")
        yield ("ip", "netns", "exec", name)
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("ip") is None, reason="NOT TESTED: there is no `ip` to make network namespaces with")
def test_workers_in_another_network_namespace_grade(root: Path, tmp_path: Path) -> None:
    with two_networks() as within:
        log = tmp_path / "scheduler.log"
        words = ("scheduler", "--port", "0", "--host", "10.99.7.1", "--no-dashboard")
        with started(*words, cwd=tmp_path, log=log):
            address = address_in(log)
            there = ("worker", address, "--nthreads", "1", "--no-dashboard", "--host", "10.99.7.2")
            with started(*there, within=within, cwd=tmp_path, log=tmp_path / "worker.log"):
                results = graded_at(root, address)
    assert {each.status for each in results.values()} == {"graded"}


def test_an_assignment_has_the_same_digest_where_it_arrives(root: Path, tmp_path: Path) -> None:
    for assignment in (
        load_course(root).assignment("warmup"),
        load_course(Path(__file__).parents[2]).assignment("week2"),
    ):
        there = unpacked_assignment(packed_assignment(assignment), tmp_path)
        assert assignment_digest(there) == assignment_digest(assignment)
        assert (there.rows, there.limits, there.manual) == (assignment.rows, assignment.limits, assignment.manual)


def test_no_due_date_and_nothing_of_other_assignments_travels(root: Path) -> None:
    packed = packed_assignment(load_course(root).assignment("warmup"))
    for never in (b"gradebook.db", b"timezone", b"percent_per_day", b"submitted"):
        assert never not in packed


def test_the_courses_files_in_folders_travel_with_the_assignment(root: Path, tmp_path: Path) -> None:
    (root / "source/warmup/data").mkdir()
    (root / "source/warmup/data/a.csv").write_text("ours")
    (root / "submitted/honest/warmup/data").mkdir()
    (root / "submitted/honest/warmup/data/a.csv").write_text("theirs")
    warmup: Assignment = replace(load_course(root).assignment("warmup"), files=("data/a.csv",))
    there = unpacked_assignment(packed_assignment(warmup), tmp_path)
    assert there.given["data/a.csv"].read_text() == "ours"
    entry = HandIn("honest", root / "submitted/honest/warmup/warmup.ipynb", "2026-11-28T12:00:00+00:00")
    arrived = unpacked_hand_in(packed_hand_in(entry, warmup), tmp_path / "there")
    assert arrived.notebook is not None
    assert not arrived.notebook.with_name("data").exists()


@pytest.mark.parametrize("kind", ["file", "large", "link", "none"])
def test_what_lies_beside_a_notebook_arrives_as_it_was(root: Path, tmp_path: Path, kind: str) -> None:
    course = load_course(root)
    warmup: Assignment = replace(course.assignment("warmup"), files=("data.csv",))
    beside = root / "submitted/honest/warmup/data.csv"
    match kind:
        case "file":
            beside.write_bytes(bytes(range(256)))
        case "large":
            beside.touch()
            os.truncate(beside, warmup.limits.file_mb * 2**20 + 7)
        case "link":
            beside.symlink_to("/etc/passwd")
    entry = HandIn("honest", root / "submitted/honest/warmup/warmup.ipynb", "2026-11-28T12:00:00+00:00", note="Of two.")
    arrived = unpacked_hand_in(packed_hand_in(entry, warmup), tmp_path / "there")
    assert (arrived.student, arrived.timestamp, arrived.note) == (entry.student, entry.timestamp, entry.note)
    assert arrived.notebook is not None
    assert arrived.notebook.read_bytes() == entry.notebook.read_bytes()
    there = arrived.notebook.with_name("data.csv")
    assert os.path.lexists(there) == (kind != "none")
    if kind in ("file", "large"):
        assert there.stat().st_size == beside.stat().st_size
    if kind == "link":
        assert not there.exists()
