"""A class of attackers, with honest students between them, graded by the command: no effect that is sought happens."""

import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autograder.sandbox.jail import STUDENT_UID
from tests.commands import AUTOGRADER, autograder, run
from tests.courses import CHECKS, CONFIG, REFERENCE, make_course, submit
from tests.hostile import attacks, insiders, notebooks, system
from tests.hostile.attack import Attack, hand_in

pytestmark = [pytest.mark.sandbox, pytest.mark.long]

ATTACKS = (*attacks.ATTACKS, *notebooks.ATTACKS, *insiders.ATTACKS, *system.ATTACKS)
BY_THE_KIND = (*insiders.ATTACKS, *system.ATTACKS)
"""Attacks on what the kinds of sandbox keep by different means: files, processes, signals, memory. What the others
attack is the same in both, so only `make thorough` tries those under Landlock too."""

HONEST_EACH = 8
"""An honest student after so many attackers."""

HIDDEN = "a-hidden-word"
LIMITS = "{cell_seconds: 1, call_seconds: 0.5, submission_seconds: 10, memory_mb: 512, file_mb: 8, processes: 24}"
MOST_SECONDS = 25.0
"""``submission_seconds``, and the time that starting processes takes on a machine that does other things as well."""
MOST_BYTES = 2**20
WRITTEN = ("gradebook.db", "autograded", "feedback")
"""What grading writes into a course's folder, beside hidden names."""

BROKEN = ("NameError", "SyntaxError", "ModuleNotFoundError", "IndentationError")
"""Exceptions of an attack that was not even tried."""


@dataclass(frozen=True)
class Outcome:
    """What became of the class.

    Attributes:
        root: The course.
        kind: What kept the submissions.
        results: What ``grade --json`` printed, by student.
        points: What the gradebook holds, by student; nothing for those without a grade.
        printed: What the commands printed on the terminal.
        changed: Files that changed or are new where nothing should.
        left: Processes that outlived the command.
        held: The scratch folder's content after the commands.
    """

    root: Path
    kind: str
    results: dict[str, Any]
    points: dict[str, float]
    printed: str
    changed: list[str]
    left: list[str]
    held: list[str]


STUDENTS = range(STUDENT_UID, STUDENT_UID + 2**20 + 1)
"""Users that submissions are where root grades: one in bubblewrap, one for each process that grades under Landlock."""

UNDER_LANDLOCK = {
    # Landlock keeps what is in files, not that they are there (docs/security.md, "Two kinds of sandbox"). These two
    # take what they see for a success and tell it by the points of their own functions.
    "reads-the-course": 4.0,
    "reaches-proc-and-sys": 0.0,
    # There is no /tmp for its honest part to write to.
    "keeps-the-reference's-answers": 0.0,
}
"""What attacks earn where it is other than in bubblewrap."""


def course_of(root: Path, kind: str) -> Path:
    """The tiny course with short limits, a kind of sandbox, and a word in everything that is hidden."""
    config = re.sub(r"(?<=limits: ).*", LIMITS, CONFIG)
    make_course(root, config=config.replace("name: tiny", f"name: tiny\nsandbox: {kind}"))
    (root / "checks/warmup/test_warmup.py").write_text(f"{CHECKS}\nWORD = {HIDDEN!r}\n")
    (root / "solutions/warmup/__init__.py").write_text(f"{REFERENCE}\nWORD = {HIDDEN!r}\n")
    master = root / "source/warmup/warmup.ipynb"
    master.write_text(master.read_text().replace("BEGIN SOLUTION", f"BEGIN SOLUTION {HIDDEN}"))
    (root / ".secret").write_text(HIDDEN)
    return root


def name_of(attack: Attack) -> str:
    return f"s{ATTACKS.index(attack):03}-{attack.name}"


CLASSES = {"bubblewrap": ATTACKS, "landlock": BY_THE_KIND, "landlock, all": ATTACKS}
"""Who attacks, by the class: each is graded in one kind of sandbox."""


def honest(attackers: Sequence[Attack]) -> list[str]:
    """The honest students between the attackers of a class."""
    return [f"{name_of(attack)[:4]}-zz-honest" for attack in attackers[::HONEST_EACH]]


def in_every_class(members: Callable[[Sequence[Attack]], Sequence[Any]], named: str) -> pytest.MarkDecorator:
    """Each member of each class, with what became of the class."""
    cases = [
        pytest.param(
            name,
            member,
            id=f"{name}-{getattr(member, 'name', member)}",
            marks=pytest.mark.thorough if name == "landlock, all" else (),
        )
        for name, attackers in CLASSES.items()
        for member in members(attackers)
    ]
    # Of the session, as the fixture: otherwise each test would have a class of its own graded.
    return pytest.mark.parametrize(("outcome", named), cases, indirect=["outcome"], scope="session")


@pytest.fixture(scope="session", params=["bubblewrap", "landlock"])
def outcome(request, tmp_path_factory):
    kind, attackers = request.param.split(",")[0], CLASSES[request.param]
    root = course_of(tmp_path_factory.mktemp("course"), kind)
    for attack in attackers:
        hand_in(attack, root, name_of(attack))
    for student in honest(attackers):
        submit(root, student)
    scratch = tmp_path_factory.mktemp("scratch")
    autograder(root, "--version")  # what commands are forked from is there before anybody watches
    with watched(root) as (changed, left):
        graded = program(root, scratch, "grade", "warmup", "--jobs", "2", "--json")
        again = command(root, scratch, "grade", "warmup", "--jobs", "2")
        pages = command(root, scratch, "feedback", "warmup")
        table = command(root, scratch, "export", "warmup")
    results = {result["student"]: result for result in json.loads(graded)}
    held = [path.name for path in scratch.iterdir()]
    return Outcome(root, kind, results, points(root), again + pages + table, changed, left, held)


PROGRAM = Path(sys.executable).with_name("autograder")


def environment_with(scratch: Path) -> dict[str, str]:
    """A folder for temporary files, and the program on the path; nothing compiled is left in the course."""
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"TMPDIR": str(scratch), "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def program(root: Path, scratch: Path, *words: str) -> str:
    """Start ``autograder`` by its path, on the course, and return its standard output."""
    words = (str(PROGRAM), *words, "--course", str(root))
    there = environment_with(scratch)
    done = subprocess.run(words, cwd=root, env=there, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def command(root: Path, scratch: Path, *words: str) -> str:
    """Type it in the course, where no submission runs, and return its standard output."""
    done = run(AUTOGRADER, "autograder", *words, cwd=root, environment=environment_with(scratch))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@contextmanager
def watched(root: Path) -> Iterator[tuple[list[str], list[str]]]:
    """Fills two lists in the end: what changed on the machine, and which processes are left."""
    changed: list[str] = []
    left: list[str] = []
    before, known = snapshot(root), running()
    with adopting_orphans():
        yield changed, left
        for _ in range(50):
            left[:] = descendants(known)
            if not left:
                break
            time.sleep(0.1)
    after = snapshot(root)
    changed += sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def snapshot(root: Path) -> dict[str, str]:
    """The course's files but for those that grading writes, and what attackers leave where everybody may write."""
    found = {}
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        known = path.is_file() and not path.is_symlink() and inside.parts[0] not in WRITTEN
        # The grader's own locks and copies have hidden names; the course's secret has, too.
        if known and (not inside.parts[0].startswith(".") or inside.name == ".secret"):
            found[str(inside)] = f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mode:o}"
    names = {"kept", "numpy.py", "results.json", "gradebook.db", "hostile-was-unpickled", "hostile"}
    for folder in (Path("/tmp"), Path("/dev/shm"), Path("/var/tmp"), Path.home(), Path("/"), Path("/run")):
        for path in folder.iterdir() if folder.is_dir() else ():
            try:
                if path.name in names or path.lstat().st_uid in STUDENTS or path.name.startswith("hostile"):
                    found[str(path)] = "left behind"
            except OSError:
                continue
    return found


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """Processes whose parents end become children of this one, so that none can hide."""
    set_subreaper = 36
    libc = ctypes.CDLL(None)
    assert libc.prctl(set_subreaper, 1, 0, 0, 0) == 0
    try:
        yield
    finally:
        libc.prctl(set_subreaper, 0, 0, 0, 0)


def running() -> frozenset[str]:
    """The ids of the machine's processes."""
    return frozenset(path.name for path in Path("/proc").glob("[0-9]*"))


def descendants(known: frozenset[str] = frozenset()) -> list[str]:
    """The processes below this one that run, by name, without those known; those that have ended are buried."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                break
        except ChildProcessError:
            break
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            name, rest = (path / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue
        parents[int(path.name)], names[int(path.name)] = int(rest.split()[1]), f"{name} {rest.split()[0]}"
    below, ours = [], {os.getpid()}
    for _ in range(20):
        more = {pid for pid, parent in parents.items() if parent in ours} - ours
        below += [names[pid] for pid in more if str(pid) not in known]
        ours |= more
    return below


def points(root: Path) -> dict[str, float]:
    """Each student's points in nbgrader's gradebook, those given by hand included."""
    query = """
        select assignment.student_id, sum(coalesce(grade.manual_score, grade.auto_score)) from grade
        join submitted_notebook on grade.notebook_id = submitted_notebook.id
        join submitted_assignment assignment on submitted_notebook.assignment_id = assignment.id
        group by assignment.student_id
    """
    connection = sqlite3.connect(root / "gradebook.db")
    try:
        return dict(connection.execute(query).fetchall())
    finally:
        connection.close()


def cells_of(outcome: Outcome, student: str) -> list[dict[str, Any]]:
    notebook = outcome.root / "autograded" / student / "warmup/warmup.ipynb"
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


@in_every_class(list, "attack")
def test_the_effect_does_not_happen(outcome, attack):
    student = name_of(attack)
    result = outcome.results[student]
    if attack.earned is None:
        assert result["status"] == "refused"
        assert student not in outcome.points
        return
    assert result["status"] == "graded", result["why"]
    assert result["report"]["score"] == outcome.points[student]
    assert result["report"]["sandbox"] == outcome.kind
    earned = UNDER_LANDLOCK.get(attack.name, attack.earned) if outcome.kind == "landlock" else attack.earned
    if attack.harms_itself:
        assert outcome.points[student] <= earned
    else:
        assert outcome.points[student] == earned, reasons(result)
    assert result["report"]["seconds"] < MOST_SECONDS
    told = json.dumps(result)
    page = (outcome.root / "feedback" / student / "warmup/warmup.html").read_text(encoding="utf-8")
    kept = (outcome.root / "autograded" / student / "warmup/warmup.ipynb").read_text(encoding="utf-8")
    for text in (told, page, kept):
        assert HIDDEN not in text
        assert len(text) < 4 * MOST_BYTES
    assert "<script" not in page


@in_every_class(list, "attack")
def test_the_attack_was_tried(outcome, attack):
    """A cell or a function with a mistake of ours would attack nothing."""
    if attack.earned is None or attack.name.startswith(("answers-", "raises-")):
        return
    outputs = cells_of(outcome, name_of(attack))[0].get("outputs", ()) if attack.first else ()
    raised = {output.get("ename") for output in outputs}
    told = reasons(outcome.results[name_of(attack)])
    raised |= {re.split(r"raised |: |\.", reason)[1] for reason in told if "raised " in reason}
    assert not raised & set(BROKEN)


def reasons(result: dict[str, Any]) -> list[str]:
    return [check["reason"] for row in result["report"]["rows"] for check in row["checks"] if check["reason"]]


@in_every_class(honest, "student")
def test_an_honest_student_among_attackers_has_the_honest_grade(outcome, student):
    assert outcome.points[student] == 10
    assert outcome.results[student]["status"] == "graded"

    def timeless(report: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in report.items() if key not in ("seconds", "student")}

    first = next(result for name, result in outcome.results.items() if name.endswith("honest"))["report"]
    assert timeless(outcome.results[student]["report"]) == timeless(first)


def test_nothing_of_the_course_and_nothing_outside_it_has_changed(outcome):
    assert outcome.changed == []


def test_no_process_outlives_the_command(outcome):
    assert outcome.left == []


def test_the_grader_leaves_nothing_in_its_scratch_folder(outcome):
    assert outcome.held == []


def test_nothing_hidden_is_in_what_was_written(outcome):
    for folder in ("autograded", "feedback"):
        for path in (outcome.root / folder).rglob("*"):
            assert not path.is_symlink()
            if path.is_file():
                assert HIDDEN.encode() not in path.read_bytes(), path


def test_what_the_commands_print_moves_no_terminal(outcome):
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", outcome.printed)


def test_a_second_run_finds_every_grade_and_grades_nothing(outcome):
    graded = [student for student, result in outcome.results.items() if result["status"] == "graded"]
    assert f"{len(graded)} had not changed" in outcome.printed


def test_every_attack_has_a_name_of_its_own():
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)


def test_the_watch_sees_what_it_looks_for(tmp_path):
    """A file of the course that changes, a new one, and a process that is left."""
    root = course_of(tmp_path / "course", "bubblewrap")
    sleep = shutil.which("sleep")
    leaves = f"import subprocess as s; print(s.Popen([{sleep!r}, '60'], stdout=s.DEVNULL, stderr=s.DEVNULL).pid)"
    with watched(root) as (changed, left):
        (root / ".secret").write_text("other")
        (root / "source/new").write_text("new")
        started = subprocess.run(
            [sys.executable, "-c", leaves],
            capture_output=True,
            text=True,
            check=True,
        )
    os.kill(int(started.stdout), signal.SIGKILL)
    descendants()
    assert changed == [".secret", "source/new"]
    assert len(left) == 1
    assert left[0].startswith("sleep")
