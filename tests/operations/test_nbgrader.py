"""nbgrader's own commands on a course of ours: the same scores, and nothing runs but in our sandbox."""

import csv
import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

import autograder
from autograder.base import ConfigError
from autograder.course import load_course
from autograder.feedback import write_feedback
from autograder.gradebook import RESULT_FILE, graded_digests, held_grades, only_run, open_gradebook, register
from autograder.grading import grade
from autograder.nbgrader_plugins import configure, find_submission
from autograder.submission import read_submission, submissions
from autograder.submission.choosing import find_notebook
from tests.commands import NBGRADER, run
from tests.courses import CONFIG, make_course, solved, submit, untouched
from tests.grades import store

REPOSITORY = Path(autograder.__file__).parents[1]

pytestmark = pytest.mark.sandbox

LATE = "2026-12-01 12:00:00 UTC"


def test_nbgraders_plugins_take_no_hand_in_for_a_course(tmp_path: Path) -> None:
    root = make_course(make_course(tmp_path / "course") / "submitted/ada/warmup")
    path = submit(root, "ada")
    with pytest.raises(ConfigError, match="is no course to run"):
        find_submission(assignment="warmup", student="*", notebooks=[str(path)])
    settings = Config()
    configure(settings, str(root / "nbgrader_config.py"))
    assert settings.Autograde.exporter_class.endswith(".SubmissionExporter"), "nothing is run in our grader's place"
    assert "db_url" not in settings.CourseDirectory
    assert not (root / "gradebook.db").exists()


def nbgrader(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run nbgrader in the course's folder, with nothing of its own on PATH."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(root.parent),
        "LANG": "C.UTF-8",
    }
    return run(NBGRADER, "nbgrader", *arguments, cwd=root, environment=environment)


def test_what_nbgrader_generates_has_no_list_of_the_authors(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    (root / "source/warmup/data.csv").write_text("1,2\n")
    for name in ("equivalent.yaml", "mistakes.py", "gradients.py", "audit.json"):
        (root / f"source/warmup/.warmup.{name}").write_text("x * factor")
    done = nbgrader(root, "generate_assignment", "warmup", "--force")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (root / "release/warmup").iterdir()) == ["data.csv", "warmup.ipynb"]


def hand_in(root: Path) -> Path:
    """A class: what students hand in, and the ways in which they get it wrong."""
    make_course(root)
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    beside = submit(root, "perfect").parent
    (beside / "notes.txt").write_text("mine")
    (beside / "page.html").write_text("<script>")
    (beside / "link.txt").symlink_to(root / "solutions/warmup/__init__.py")
    (beside / "zero.txt").symlink_to("/dev/zero")
    os.mkfifo(beside / "pipe.txt")
    submit(root, "undated", timestamp="when it was dark")
    submit(root, "untouched", untouched())
    submit(root, "late", timestamp=LATE)
    wrong = solved()
    wrong["cells"][2]["source"] = "def scale(x, factor):\n    return x + factor"
    submit(root, "wrong", wrong)
    twice = solved()
    twice["cells"].append(twice["cells"][3])
    submit(root, "twice", twice)
    path = submit(root, "truncated")
    path.write_bytes(path.read_bytes()[:200])
    path = submit(root, "renamed")
    path.rename(path.with_name("my homework.ipynb"))
    path = submit(root, "linked")
    path.unlink()
    path.symlink_to(root / "source/warmup/warmup.ipynb")
    planted = submit(root, "planter", untouched()).with_name(RESULT_FILE)
    planted.write_text(json.dumps({"report": {}}))
    return root


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The class, graded by ``nbgrader autograde``, with what that said."""
    root = hand_in(tmp_path_factory.mktemp("theirs") / "course")
    return root, nbgrader(root, "autograde", "warmup")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same class, graded as ``autograder grade`` does it."""
    root = hand_in(tmp_path_factory.mktemp("ours") / "course")
    course = load_course(root)
    warmup = course.assignment("warmup")
    with open_gradebook(course) as gradebook:
        register(gradebook, course, warmup)
        for found in submissions(root, "warmup", timezone=course.timezone):
            if found.student != "linked":
                path = find_notebook(found.folder, warmup)
                submission = read_submission(path, warmup, student=found.student, timestamp=found.timestamp)
                assert store(gradebook, course, warmup, submission, grade(submission, warmup))
    return root


def table(root: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(root / "gradebook.db")) as connection:
        return connection.execute(query).fetchall()


GRADES = """
    SELECT s.student_id, c.name, g.auto_score, g.manual_score, g.needs_manual_grade, n.late_submission_penalty,
        s.timestamp
    FROM grade g JOIN base_cell c ON c.id = g.cell_id JOIN submitted_notebook n ON n.id = g.notebook_id
    JOIN submitted_assignment s ON s.id = n.assignment_id WHERE s.student_id != 'linked' ORDER BY 1, 2
"""
COMMENTS = """
    SELECT s.student_id, c.name, m.auto_comment FROM comment m JOIN base_cell c ON c.id = m.cell_id
    JOIN submitted_notebook n ON n.id = m.notebook_id JOIN submitted_assignment s ON s.id = n.assignment_id
    WHERE s.student_id != 'linked' ORDER BY 1, 2
"""


def test_nbgrader_autograde_gives_the_same_grades(theirs: Any, ours: Path) -> None:
    root, said = theirs
    assert table(root, GRADES) == table(ours, GRADES), said.stderr
    assert table(root, COMMENTS) == table(ours, COMMENTS)
    scores = {student: score for student, name, score, *_ in table(root, GRADES) if name == "test_scale"}
    assert scores == dict.fromkeys(("perfect", "late", "twice", "renamed", "undated"), 4.0) | dict.fromkeys(
        ("untouched", "wrong", "truncated", "planter"), 0.0
    )


def test_nbgrader_autograde_leaves_the_same_files(theirs: Any, ours: Path) -> None:
    root, _ = theirs
    contents = [
        {
            path.relative_to(folder): path.read_bytes() if path.suffix == ".ipynb" else b""
            for path in (folder / "autograded").rglob("*")
            if path.is_file()
        }
        for folder in (root, ours)
    ]
    assert contents[0] == contents[1]
    beside = {path.name for path in (root / "autograded/perfect/warmup").iterdir()}
    assert beside == {"warmup.ipynb", RESULT_FILE, "notes.txt"}


def test_what_nbgrader_graded_counts_as_graded(theirs: Any) -> None:
    root, _ = theirs
    course = load_course(root)
    with open_gradebook(course) as gradebook:
        held = graded_digests(gradebook, course, course.assignment("warmup"))
    assert set(held) == {"perfect", "untouched", "late", "wrong", "twice", "truncated", "renamed", "planter", "undated"}


def test_one_run_of_nbgraders_keeps_one_copy_of_the_gradebook(theirs: Any) -> None:
    root, _ = theirs
    assert len(list((root / ".gradebook-backups").glob("gradebook-*.db"))) == 1


def test_nbgrader_does_not_grade_while_another_run_is_at_work(ours: Path, tmp_path: Path) -> None:
    beside = shutil.ignore_patterns("zero.txt", "pipe.txt", "link.txt")
    root = shutil.copytree(ours, tmp_path / "course", ignore=beside)
    before = table(root, GRADES)
    with only_run(load_course(root)):
        said = nbgrader(root, "autograde", "warmup", "--student", "wrong", "--force")
    assert said.returncode == 1
    assert "another run is at work on this course" in said.stderr
    assert table(root, GRADES) == before


def test_a_link_is_refused_and_the_others_are_graded(theirs: Any) -> None:
    root, said = theirs
    assert said.returncode == 1
    assert "linked" in said.stderr
    assert "is a symbolic link, not a file" in said.stderr
    assert not (root / "autograded/linked").exists()


def test_nbgrader_writes_feedback_from_what_we_graded(ours: Path) -> None:
    said = nbgrader(ours, "generate_feedback", "warmup", "--force")
    assert said.returncode == 0, said.stderr
    page = (ours / "feedback/wrong/warmup/warmup.html").read_text()
    assert "(Score: 6.0 / 12.0)" in page
    assert "A vector is scaled." in page
    assert "Multiply every entry by the factor." in page
    late = (ours / "feedback/late/warmup/warmup.html").read_text()
    assert "Handed in 1 day 7 hours after it was due (Sunday 29 November 2026, 23:59 EST)." in late
    assert "Handed in" not in page
    everything = "".join(path.read_text() for path in (ours / "feedback").rglob("*") if path.is_file())
    for secret in ("np.multiply", "test_centre(student", RESULT_FILE):
        assert secret not in everything
    assert not list((ours / "feedback").rglob(RESULT_FILE))


def test_nbgraders_feedback_tells_no_more_than_the_student_may_see(tmp_path: Path) -> None:
    root = make_course(
        tmp_path / "course", config=CONFIG.replace("seed: 7", "seed: 7\n    visibility: after_published")
    )
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    wrong = solved()
    wrong["cells"][2]["source"] = "def scale(x, factor):\n    return x + factor"
    submission = submit(root, "ada", wrong)
    course = load_course(root)
    warmup = course.assignment("warmup")
    with open_gradebook(course) as gradebook:
        register(gradebook, course, warmup)
        read = read_submission(submission, warmup, student="ada")
        store(gradebook, course, warmup, read, grade(read, warmup))
    pages = []
    for published in (False, True):
        if published:
            config = (root / "gradebook_config.yaml").read_text()
            (root / "gradebook_config.yaml").write_text(config.replace("seed: 7", "seed: 7\n    published: true"))
        said = nbgrader(root, "generate_feedback", "warmup", "--force")
        assert said.returncode == 0, said.stderr
        pages.append((root / "feedback/ada/warmup/warmup.html").read_text())
    for text in (
        "A vector is scaled.",
        "entries are wrong",
        "Multiply every entry by the factor.",
        "(Score: 6.0 / 12.0)",
    ):
        assert [text in page for page in pages] == [False, True]
    assert "(Score: 0.0 / 12.0)" in pages[0]
    assert "1 further check is not shown yet" in pages[0]


def test_nbgrader_exports_what_we_graded(ours: Path) -> None:
    said = nbgrader(ours, "export")
    assert said.returncode == 0, said.stderr
    rows = {row["student_id"]: row for row in csv.DictReader((ours / "grades.csv").read_text().splitlines())}
    assert (rows["perfect"]["score"], rows["perfect"]["max_score"]) == ("10.0", "12.0")
    assert (rows["late"]["raw_score"], rows["late"]["late_submission_penalty"]) == ("10.0", "2.4")


CANVAS = (
    "Student,ID,SIS Login ID,Section,Warm-up (4711)\n"
    "    Points Possible,,,,12.00\n"
    '"P, P",1,perfect,A,\n'
    '"L, L",2,late,A,\n'
)


def test_nbgrader_exports_into_canvas(ours: Path) -> None:
    (ours / "canvas.csv").write_text(CANVAS)
    # Nothing waits for a person here: the written answers are graded first.
    with closing(sqlite3.connect(ours / "gradebook.db")) as connection:
        connection.execute("UPDATE grade SET needs_manual_grade = 0")
        connection.commit()
    exporter = "--exporter=autograder.nbgrader_plugins.CanvasExporter"
    said = nbgrader(ours, "export", exporter, "--CanvasExporter.into=canvas.csv", "--to=for-canvas.csv")
    assert said.returncode == 0, said.stderr
    assert "2 scores in the column 'Warm-up (4711)' of for-canvas.csv" in said.stderr
    rows = list(csv.reader((ours / "for-canvas.csv").read_text().splitlines()))
    assert [row[4] for row in rows[2:]] == ["10", "7.6"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--to=x.csv"], "--CanvasExporter.into=FILE"),
        (["--CanvasExporter.into=canvas.csv", "--to=x.csv", "--student=['perfect']"], "leave --student out"),
    ],
)
def test_nbgraders_export_says_what_is_missing(ours: Path, options: list[str], said: str) -> None:
    exporter = "--exporter=autograder.nbgrader_plugins.CanvasExporter"
    ended = nbgrader(ours, "export", exporter, *options)
    assert ended.returncode != 0
    assert said in ended.stderr
    assert not (ours / "x.csv").exists()


def test_the_formgrader_shows_results_and_answers(ours: Path) -> None:
    import nbgrader.server_extensions.formgrader.handlers as handlers
    from nbconvert.exporters import HTMLExporter
    from traitlets.config import Config

    config = Config()
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [handlers.template_path]
    names = ("assignment_id", "notebook_id", "submission_id", "base_url", "student", "last_name", "first_name")
    resources = dict.fromkeys((*names, "notebook_path"), "x") | {"index": 0, "total": 1}
    page, _ = HTMLExporter(config=config).from_filename(
        str(ours / "autograded/wrong/warmup/warmup.ipynb"), resources=resources
    )
    assert "Multiply every entry by the factor." in page
    assert 'id="why"' in page


def test_a_page_of_ours_needs_nothing_of_nbgraders(ours: Path) -> None:
    course = load_course(ours)
    with open_gradebook(course) as gradebook:
        page = write_feedback(gradebook, course, course.assignment("warmup"), "truncated").read_text()
        assert [each.score for each in held_grades(gradebook, course.assignment("warmup"), student="truncated")] == [
            0.0
        ]
    assert "could not be read" in page


def test_what_nbgrader_logs_and_copies_is_nothing_that_acts(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    given = submit(root, "ada")
    for name in (
        "page.html",
        "deep/picture.svg",
        "run.js",
        "notes.txt",
        "other \x1b[2J\u202e.ipynb",
        "odd \x1b[2J.html",
    ):
        given.with_name("deep").mkdir(exist_ok=True)
        (given.parent / name).write_text("<script>1</script>")
    submit(root, "bob\x1b[2J")
    said = nbgrader(root, "autograde", "warmup")
    assert "\\x1b[2J" in said.stderr
    assert not set("\x1b\u202e") & set(said.stdout + said.stderr)
    found = (path for path in root.glob("autograded/**/*") if path.is_file() and not path.name.startswith("."))
    kept = {str(path.relative_to(root / "autograded")) for path in found}
    assert kept == {f"ada/warmup/{name}" for name in ("warmup.ipynb", "notes.txt", RESULT_FILE)}


def test_with_a_broken_configuration_nothing_is_run(tmp_path: Path) -> None:
    root = hand_in(tmp_path / "course")
    spy = solved()
    spy["cells"][1]["source"] = f"open({str(tmp_path / 'ran')!r}, 'w')"
    submit(root, "perfect", spy)
    course = load_course(root)
    with open_gradebook(course) as gradebook:
        register(gradebook, course, course.assignment("warmup"))
    (root / "gradebook_config.yaml").write_text("name: tiny\nassignmets: {}\n")
    said = nbgrader(root, "autograde", "warmup", "--student", "perfect")
    assert said.returncode == 1
    assert "assignmets" in said.stderr
    assert not (tmp_path / "ran").exists()
    assert not (root / "autograded/perfect/warmup").exists()
