"""Whatever stops a run or stands in its way: nothing that was graded is lost, nothing is invented, the rest goes on.

Each test runs the command in a process of its own.
"""

import copy
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import autograder
from autograder.base import GradebookError
from autograder.course import Assignment, load_course
from autograder.gradebook import RESULT_FILE, backup, enter, graded_digests, only_run, open_gradebook, read_report
from autograder.grading import digest_of
from autograder.grading.provenance import provenance_for, source_digest
from tests import commands
from tests.courses import CHECKS, CONFIG, make_course, solved, submit, untouched

pytestmark = [pytest.mark.sandbox, pytest.mark.long]

ON_TIME, LATER = "2026-11-28 12:00:00 UTC", "2026-11-29 12:00:00 UTC"
OLD, NEW = {"test_scale": 0.0, "test_centre": 0.0}, {"test_scale": 4.0, "test_centre": 6.0}

RUN = """
import os, signal, sys
from pathlib import Path
from sqlalchemy.engine import Connection

stage, moment = sys.argv.pop(1), sys.argv.pop(1)

def through(name, do, *arguments):
    if (name, "before") == (stage, moment):
        os.kill(os.getpid(), signal.SIGKILL)
    result = do(*arguments)
    if (name, "after") == (stage, moment):
        os.kill(os.getpid(), signal.SIGKILL)
    return result

def committing():
    frame = sys._getframe()
    while frame and frame.f_code.co_name not in COMMITS:
        frame = frame.f_back
    return COMMITS[frame.f_code.co_name] if frame else "opening"

COMMITS = {"register": "registering", "store": "scores", "update_late_penalties": "lateness"}
commit, replace = Connection.commit, Path.replace
Connection.commit = lambda self: through(committing(), commit, self)
Path.replace = lambda self, to: through(
    "backup" if Path(to).name.startswith("gradebook-") else Path(to).name, replace, self, to
)
import autograder.gradebook.opening
autograder.gradebook.opening._BUSY_SECONDS = 0.3
from autograder.cli import main
main()
"""
"""The command, which kills itself before or after it does what ``stage`` names, and does not wait long for a lock."""


def run(root: Path, *arguments: str, stage: str = "", moment: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "200"}
    return commands.run(RUN, "autograder", stage, moment, *arguments, cwd=root, environment=environment)


def grade(root: Path, **options: str) -> subprocess.CompletedProcess[str]:
    return run(root, "grade", "warmup", "--jobs", "1", **options)


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course in which ada has nothing and bob everything, as one run graded them."""
    root = make_course(tmp_path_factory.mktemp("graded") / "course")
    submit(root, "ada", untouched(), timestamp=ON_TIME)
    submit(root, "bob", solved())
    done = grade(root)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def root(graded: Path, tmp_path: Path) -> Path:
    """A copy of it in which ada has handed in again."""
    root = shutil.copytree(graded, tmp_path / "course")
    submit(root, "ada", solved(), timestamp=LATER)
    return root


def scores(root: Path, student: str, database: Path | None = None) -> dict[str, float]:
    query = """SELECT c.name, g.auto_score FROM grade g JOIN base_cell c ON c.id = g.cell_id
        JOIN submitted_notebook n ON n.id = g.notebook_id JOIN submitted_assignment s ON s.id = n.assignment_id
        WHERE s.student_id = ? AND c.name LIKE 'test_%'"""
    with closing(sqlite3.connect(database or root / "gradebook.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return dict(connection.execute(query, (student,)).fetchall())


def result(root: Path, student: str) -> Any:
    return json.loads((root / "autograded" / student / "warmup" / RESULT_FILE).read_text())


def whole(root: Path) -> dict[str, str]:
    course = load_course(root)
    with open_gradebook(course, create=False) as gradebook:
        return graded_digests(gradebook, course, course.assignment("warmup"))


# Killed


STAGES = [
    ("opening", "before"),
    ("registering", "before"),
    ("registering", "after"),
    ("backup", "before"),
    ("backup", "after"),
    ("scores", "before"),
    ("scores", "after"),
    ("warmup.ipynb", "before"),
    ("warmup.ipynb", "after"),
    ("timestamp.txt", "before"),
    (RESULT_FILE, "before"),
    (RESULT_FILE, "after"),
    ("lateness", "before"),
    ("lateness", "after"),
]

SOME = [("backup", "after"), ("scores", "after"), ("warmup.ipynb", "after"), ("lateness", "before")]
"""Those between two of the places that a result is kept in."""


@pytest.mark.parametrize("stages", [SOME, pytest.param(STAGES, marks=pytest.mark.thorough)], ids=["some", "all"])
def test_a_run_killed_at_any_stage_loses_nothing_and_the_next_one_goes_on(
    root: Path, stages: list[tuple[str, str]]
) -> None:
    bob = result(root, "bob")
    reached = [scores(root, "ada")]
    for stage, moment in stages:
        if stage == "backup":
            shutil.rmtree(root / ".gradebook-backups", ignore_errors=True)
        killed = grade(root, stage=stage, moment=moment)
        assert killed.returncode == -signal.SIGKILL, (stage, moment, killed.stderr)
        now, told = scores(root, "ada"), result(root, "ada")["report"]
        assert now in (OLD, NEW)
        assert {row["test_id"]: row["score"] for row in told["rows"]} in (OLD, NEW)
        assert json.loads((root / "autograded/ada/warmup/warmup.ipynb").read_text())["cells"]
        assert scores(root, "bob") == NEW
        assert (result(root, "bob"), whole(root)["bob"]) == (bob, bob["report"]["digest"])
        for kept in (root / ".gradebook-backups").glob("gradebook-*"):
            assert scores(root, "ada", kept) in reached
        reached.append(now)
    done = grade(root)
    assert done.returncode == 0, done.stderr
    assert "2 had not changed" in done.stdout
    assert scores(root, "ada") == NEW
    assert whole(root)["ada"] == result(root, "ada")["report"]["digest"]
    assert not list(root.glob("autograded/**/.*.part"))


def test_what_a_killed_run_left_half_written_is_in_nobodys_feedback(root: Path) -> None:
    grade(root, stage="scores", moment="after")
    done = run(root, "feedback", "warmup")
    assert done.returncode == 1
    assert "autograded/ada/warmup: the result there is damaged, or of another run" in " ".join(done.stderr.split())
    assert "autograder grade warmup --student ada" in done.stderr
    assert "1 feedback pages" in done.stdout
    assert (root / "feedback/bob/warmup/warmup.html").exists()
    assert not (root / "feedback/ada/warmup/warmup.html").exists()


# In the way


@contextmanager
def small_disk(where: Path, size: str = "1m") -> Iterator[None]:
    """A file system of its own at a folder, which only root can have; elsewhere the test is skipped, and says so."""
    where.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", where], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"NOT TESTED: full and read-only disks need root and mount: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", where], check=True)


def fill(folder: Path, leave: int = 0) -> None:
    """Write into the folder until only so many bytes are free."""
    free = shutil.disk_usage(folder).free - leave
    with (folder / "filler").open("wb") as file:
        file.write(b"x" * free)


def read_only(where: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", where], check=True)


@contextmanager
def gradebook_on_a_small_disk(root: Path) -> Iterator[Path]:
    disk = root / "disk"
    with small_disk(disk):
        shutil.move(root / "gradebook.db", disk)
        (root / "gradebook_config.yaml").write_text(CONFIG + "database: sqlite:///disk/gradebook.db\n")
        yield disk


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """What the command says on one line; it ended with 1, without a traceback."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return " ".join((done.stdout + done.stderr).split())


def test_without_room_for_a_copy_of_the_gradebook_nothing_is_graded(root: Path) -> None:
    with gradebook_on_a_small_disk(root) as disk:
        fill(disk)
        said = refusal(grade(root))
        assert f"{disk / 'gradebook.db'}: the gradebook could not be copied" in said
        assert "Make room" in said
        assert list((disk / ".gradebook-backups").glob("*")) + list((disk / ".gradebook-backups").glob(".*.part")) == []
        assert scores(root, "ada", disk / "gradebook.db") == OLD


def test_a_gradebook_on_a_full_disk_says_so_and_keeps_what_it_has(root: Path) -> None:
    with gradebook_on_a_small_disk(root) as disk:
        size = (disk / "gradebook.db").stat().st_size
        fill(disk, leave=size + 3 * 4096)
        said = refusal(grade(root))
        assert "gradebook.db: the gradebook says: database or disk is full. Make room on the disk" in said
        assert scores(root, "ada", disk / "gradebook.db") == OLD
        assert scores(root, "bob", disk / "gradebook.db") == NEW
        (disk / "filler").unlink()
        assert grade(root).returncode == 0
        assert scores(root, "ada", disk / "gradebook.db") == NEW


def test_on_a_full_disk_one_submission_fails_and_the_others_go_on(root: Path) -> None:
    submit(root, "cy", solved())
    with small_disk(root / "autograded/ada", "64k"):
        fill(root / "autograded/ada")
        said = refusal(grade(root))
        assert "ada: failed:" in said
        assert "autograded/ada/warmup: the executed notebook could not be written: No space left on device" in said
        assert "grade again" in said
        assert set(whole(root)) == {"bob", "cy"}
        assert [path.name for path in (root / "autograded/ada").rglob("*") if path.is_file()] == ["filler"]
        (root / "autograded/ada/filler").unlink()
        done = grade(root)
        assert done.returncode == 0, done.stdout
        assert set(whole(root)) == {"ada", "bob", "cy"}


def test_a_read_only_gradebook_is_named_and_nothing_is_graded(root: Path) -> None:
    with gradebook_on_a_small_disk(root) as disk:
        read_only(disk)
        said = refusal(grade(root))
        assert f"{disk / 'gradebook.db'}: the gradebook could not be copied" in said
        assert "Read-only file system. It can be read but not written." in said


def test_a_read_only_folder_of_one_student_stops_nobody_else(root: Path) -> None:
    submit(root, "cy", solved())
    with small_disk(root / "autograded/ada"):
        read_only(root / "autograded/ada")
        said = refusal(grade(root))
        assert "ada: failed:" in said
        assert "autograded/ada/warmup: the executed notebook could not be written: Read-only file system" in said
        assert set(whole(root)) == {"bob", "cy"}


@pytest.mark.parametrize("kind", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_gradebook_that_stays_locked_is_named(root: Path, kind: str) -> None:
    with closing(sqlite3.connect(root / "gradebook.db", isolation_level=None)) as other:
        other.execute(f"BEGIN {kind}")
        said = refusal(grade(root))
    assert f"{root / 'gradebook.db'}: the gradebook" in said
    assert "database is locked. Another program has it open for writing." in said
    assert scores(root, "ada") == OLD


def test_a_gradebook_that_is_locked_in_the_middle_of_a_run_costs_what_cannot_be_stored(root: Path) -> None:
    checks = root / "checks/warmup/test_warmup.py"
    holder = f"""
import sqlite3

BOOK = sqlite3.connect({str(root / "gradebook.db")!r}, isolation_level=None)


@check("scale")
def test_that_locks(student: Student) -> None:
    \"\"\"Somebody else begins to write.\"\"\"
    if not BOOK.in_transaction:
        BOOK.execute("BEGIN IMMEDIATE")
"""
    checks.write_text(CHECKS + textwrap.dedent(holder))
    said = refusal(grade(root))
    for student in ("ada", "bob"):
        assert f"{student}: failed: sqlite:///{root / 'gradebook.db'}: the gradebook says: database is locked" in said
    assert (scores(root, "ada"), scores(root, "bob")) == (OLD, NEW)
    checks.write_text(CHECKS)
    assert grade(root).returncode == 0
    assert (scores(root, "ada"), scores(root, "bob")) == (NEW, NEW)


@pytest.mark.parametrize("start", [0, 8192])
def test_a_damaged_gradebook_is_named_and_stays_as_it_is(root: Path, start: int) -> None:
    content = bytearray((root / "gradebook.db").read_bytes())
    content[start : start + 40_000] = os.urandom(40_000)
    (root / "gradebook.db").write_bytes(content)
    said = refusal(grade(root))
    assert f"{root / 'gradebook.db'}: the gradebook" in said
    assert "Put back a copy from .gradebook-backups/" in said
    assert (root / "gradebook.db").read_bytes() == content
    assert list((root / ".gradebook-backups").iterdir()) == []


@pytest.mark.parametrize("content", [b'{"report": {"rows": [', b"[" * 100_000])
def test_a_damaged_result_is_named_and_graded_anew(root: Path, content: bytes) -> None:
    damaged = root / "autograded/ada/warmup" / RESULT_FILE
    damaged.write_bytes(content)
    done = grade(root)
    assert done.returncode == 0
    assert f"ada: graded: {damaged} was damaged; the submission was graded anew" in done.stdout
    assert "1 had not changed" in done.stdout
    course = load_course(root)
    report = read_report(course, "ada", course.assignment("warmup"))
    assert report is not None
    assert report.score == 10.0


def test_a_table_that_there_is_no_room_for_is_no_whole_table_and_it_is_said(root: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [Path(sys.executable).with_name("autograder"), "export", "warmup"],
            cwd=root,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "the table could not be written: No space left on device. Make room" in done.stderr


# Two at once


def test_a_second_run_on_a_course_is_refused(root: Path) -> None:
    with only_run(load_course(root)):
        for command in (("grade", "warmup"), ("feedback", "warmup"), ("release", "warmup")):
            said = refusal(run(root, *command))
            assert f"{root}: another run is at work on this course (process {os.getpid()}, since" in said
            assert "Wait until it has ended, or stop it" in said
    assert scores(root, "ada") == OLD


def test_a_run_that_was_killed_leaves_no_lock(root: Path) -> None:
    source = "import os, sys, signal\nfrom pathlib import Path\nfrom autograder.course import load_course\n"
    source += "from autograder.gradebook import only_run\nwith only_run(load_course(Path(sys.argv[1]))):\n"
    source += "    print('held', flush=True)\n    signal.pause()"
    course = load_course(root)
    with subprocess.Popen([sys.executable, "-c", source, str(root)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(GradebookError, match=rf"another run .*process {holder.pid}"), only_run(course):
            pass
        holder.kill()
    with only_run(course):
        pass


def test_a_course_that_cannot_be_locked_says_so(tmp_path: Path) -> None:
    course = load_course(make_course(tmp_path / "course"))
    (course.root / ".autograder.lock").mkdir()
    said = r"\.autograder\.lock: the course cannot be locked: Is a directory"
    with pytest.raises(GradebookError, match=said), only_run(course):
        pass


# What a grade was made by


def test_a_result_says_what_was_graded_and_by_what(graded: Path) -> None:
    report = result(graded, "ada")["report"]
    told = report["provenance"]
    assert told["autograder"] == autograder.__version__
    assert told["source"] == source_digest()
    assert told["sandbox"] == "bubblewrap"
    assert {"submission", "assignment", "python", "numpy", "scipy", "ipython"} <= set(told)
    assert digest_of(told) == report["digest"]


def test_everything_that_a_provenance_names_decides(warmup: Assignment) -> None:
    origin = provenance_for(warmup, "bubblewrap")("s", "ada")
    digests = {digest_of(origin)} | {digest_of(origin | {name: "other"}) for name in origin}
    assert len(digests) == 1 + len(origin)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_left_of_a_result_it_is_a_report_or_none(graded: Path, tmp_path: Path, data: st.DataObject) -> None:
    tree = result(graded, "ada")
    strange = st.sampled_from([None, True, -1, 1e400, float("nan"), "x", [], {}, [[]], {"a": 1}])
    for _ in range(data.draw(st.integers(1, 3))):
        holder: Any = tree
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(holder[key], dict | list) or not holder[key] or data.draw(st.booleans()):
                break
            holder = holder[key]
        holder[key] = copy.deepcopy(data.draw(strange))
        if not isinstance(tree.get("report"), dict):
            break
    folder = tmp_path / "autograded/ada/warmup"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT_FILE).write_text(json.dumps(tree))
    course = load_course(graded)
    report = read_report(replace_root(course, tmp_path), "ada", course.assignment("warmup"))
    assert report is None or isinstance(report.score, float)


def replace_root(course: Any, root: Path) -> Any:
    from dataclasses import replace

    return replace(course, root=root)


# Copies of the gradebook


def copies(root: Path) -> list[Path]:
    return sorted((root / ".gradebook-backups").glob("gradebook-*.db"))


def test_the_same_state_is_kept_once(root: Path) -> None:
    course = load_course(root)
    first = backup(course)
    with open_gradebook(course):
        pass
    assert backup(course) == first
    with open_gradebook(course) as gradebook:
        enter(gradebook, course.assignment("warmup"), "cy")
    assert backup(course) != first


def test_a_copy_is_of_one_moment_whatever_somebody_else_is_writing(root: Path) -> None:
    with closing(sqlite3.connect(root / "gradebook.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE grade SET auto_score = 99")
        kept = backup(load_course(root))
        other.execute("ROLLBACK")
    assert scores(root, "ada", kept) == OLD


def test_a_damaged_gradebook_pushes_no_copy_out(root: Path) -> None:
    course = load_course(root)
    backup(course)
    before = copies(root)
    content = bytearray((root / "gradebook.db").read_bytes())
    content[8192:60_000] = bytes(60_000 - 8192)
    (root / "gradebook.db").write_bytes(content)
    with pytest.raises(GradebookError, match=r"malformed.*Put back a copy"):
        backup(course)
    assert copies(root) == before


def test_each_command_that_changes_the_gradebook_keeps_a_copy_of_it_first(root: Path) -> None:
    def changed_by_hand(statement: str) -> None:
        shutil.rmtree(root / ".gradebook-backups", ignore_errors=True)
        with closing(sqlite3.connect(root / "gradebook.db")) as connection:
            connection.execute(statement)
            connection.commit()

    late = "UPDATE submitted_assignment SET timestamp = '2026-12-02 12:00:00.000000' WHERE student_id = 'bob'"
    on_time = "UPDATE submitted_notebook SET late_submission_penalty = 3.0"
    for command, statement, expected in (
        (("export", "warmup"), on_time, 1),
        (("export", "warmup"), "UPDATE student SET first_name = 'B'", 0),
        (("feedback", "warmup"), late, 1),
        (("feedback", "warmup"), "UPDATE student SET first_name = 'C'", 0),
        (("release", "warmup"), "UPDATE student SET first_name = 'D'", 1),
        (("grade", "warmup", "--student", "bob"), "UPDATE student SET first_name = 'E'", 1),
    ):
        changed_by_hand(statement)
        done = run(root, *command)
        assert done.returncode == 0, (command, done.stderr)
        assert len(copies(root)) == expected, command
