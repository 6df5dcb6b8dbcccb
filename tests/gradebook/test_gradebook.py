"""Scores in nbgrader's gradebook: whole or not at all, and never over what a person gave."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.base import ConfigError, GradebookError, RefusedError, SubmissionError, said
from autograder.course import Assignment, Course, LatePolicy, Row, load_course, notebook_text
from autograder.feedback import lateness_text, write_feedback
from autograder.gradebook import (
    RESULT_FILE,
    Gradebook,
    backup,
    enter,
    graded_digest,
    graded_digests,
    held_grades,
    lateness_of,
    left_out,
    open_gradebook,
    read_report,
    register,
    store_timestamp,
    strangers,
    update_late_penalties,
)
from autograder.gradebook.opening import database_file
from autograder.grading import CheckResult, Report, RowResult
from autograder.reports import class_page, read_class, scores_of, table_text
from autograder.sandbox import CellRun
from autograder.submission import Submission, read_submission, unread_submission
from autograder.submission.choosing import find_notebook
from tests.courses import cell, make_course, solved, submit, untouched, write
from tests.grades import store

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own, where tests use its API

ON_TIME = "2026-11-29T12:00:00+00:00"
TWO_DAYS_LATE = "2026-12-01T12:00:00+00:00"


@pytest.fixture
def course(course_root: Path) -> Course:
    return load_course(course_root)


@pytest.fixture
def gradebook(course: Course, warmup: Assignment) -> Iterator[Gradebook]:
    """The tiny course's gradebook with its assignment registered."""
    with open_gradebook(course) as opened:
        register(opened, course, warmup)
        yield opened


def lateness_said(gradebook: Gradebook, assignment: Assignment, course: Course) -> str:
    return lateness_text(lateness_of(gradebook, assignment, "ada"), assignment, "ada", course.timezone)


def handed_in(course: Course, tree: Any = None, *, student: str = "ada", timestamp: str | None = ON_TIME) -> Submission:
    path = submit(course.root, student, tree)
    return read_submission(path, course.assignment("warmup"), student=student, timestamp=timestamp)


def graded(scale: int = 1, of: int = 1, *, digest: str = "d1", errored: bool = False) -> Report:
    """A report on warmup in which ``scale`` passed so many checks of so many, and ``centre`` all."""
    checks = [
        CheckResult(f"t{number}", "Scales.", 1.0, "passed" if number < scale else "failed") for number in range(of)
    ]
    if errored:
        checks.append(CheckResult("ours", "Ours.", 1.0, "errored", trouble="RuntimeError: ours"))
    rows = (
        RowResult("scale", "test_scale", 4.0, tuple(checks)),
        RowResult("centre", "test_centre", 6.0, (CheckResult("c", "Centres.", 1.0, "passed"),)),
    )
    runs = (CellRun(1, "ok", ({"output_type": "stream", "name": "stdout", "text": "x" * 50},), 0.1),)
    return Report("warmup", "ada", digest, "bubblewrap", rows, runs)


def asked(course: Course) -> Any:
    """The gradebook as nbgrader opens it."""
    from nbgrader.api import Gradebook

    return Gradebook(course.database, course.name)


@pytest.fixture
def alembic_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nbgrader calls alembic by its bare name where it makes a gradebook."""
    monkeypatch.setenv("PATH", os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))


def grades(course: Course, student: str = "ada") -> dict[str, tuple[float | None, float | None, bool]]:
    with asked(course) as book:
        found = book.find_submission_notebook("warmup", "warmup", student).grades
        return {each.name: (each.auto_score, each.manual_score, each.needs_manual_grade) for each in found}


def grade_by_hand(course: Course, name: str, score: float, extra: float | None = None) -> None:
    """As the formgrader does it."""
    with asked(course) as book:
        grade = book.find_grade(name, "warmup", "warmup", "ada")
        grade.manual_score, grade.extra_credit, grade.needs_manual_grade = score, extra, False
        book.db.commit()


# Opening


@pytest.mark.usefixtures("alembic_found")
def test_a_new_gradebook_is_the_one_that_nbgrader_makes(course: Course, tmp_path: Path) -> None:
    theirs = replace(course, database=f"sqlite:///{tmp_path}/their.db")
    with open_gradebook(course), asked(theirs):
        pass
    dumps = []
    for each in (course, theirs):
        with closing(sqlite3.connect(str(database_file(each)))) as connection:
            dumps.append(sorted(" ".join(line.split()) for line in connection.iterdump()))
    assert dumps[0] == dumps[1]


def test_opening_needs_no_alembic_on_the_path(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with open_gradebook(course) as opened:
        assert "grade" in opened.tables


def test_a_missing_gradebook_is_not_made_where_only_reading_is_wanted(course: Course) -> None:
    with pytest.raises(GradebookError, match="no gradebook yet"), open_gradebook(course, create=False):
        pass
    assert not (course.root / "gradebook.db").exists()


def test_a_gradebook_that_another_program_holds_says_so(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_gradebook(course):
        pass
    monkeypatch.setattr("autograder.gradebook.opening._BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(course.root / "gradebook.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(GradebookError, match=r"locked.*Another program"), open_gradebook(course):
            pass


def test_a_read_only_gradebook_says_so(course: Course) -> None:
    with open_gradebook(course):
        pass
    database = f"sqlite:///file:{course.root / 'gradebook.db'}?mode=ro&uri=true"
    with (
        pytest.raises(GradebookError, match=r"readonly.*permissions"),
        open_gradebook(replace(course, database=database)),
    ):
        pass


def test_a_missing_folder_says_so(course: Course) -> None:
    elsewhere = replace(course, database=f"sqlite:///{course.root}/nowhere/gradebook.db")
    with pytest.raises(GradebookError, match="no such folder"), open_gradebook(elsewhere):
        pass


def test_a_file_that_is_no_database_says_so(course: Course) -> None:
    (course.root / "gradebook.db").write_text("not a database, but longer than a header of one: " * 50)
    with pytest.raises(GradebookError, match=r"not a database.*backups"), open_gradebook(course):
        pass


def test_a_database_of_something_else_is_left_alone(course: Course) -> None:
    with closing(sqlite3.connect(course.root / "gradebook.db")) as connection:
        connection.execute("CREATE TABLE recipes (id INTEGER)")
    with pytest.raises(GradebookError, match="no gradebook of nbgrader's"), open_gradebook(course):
        pass


def test_a_gradebook_of_another_version_says_how_to_upgrade(course: Course) -> None:
    with open_gradebook(course):
        pass
    with closing(sqlite3.connect(course.root / "gradebook.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '167914646830'")
        connection.commit()
    with pytest.raises(GradebookError, match=r"167914646830.*nbgrader db upgrade"), open_gradebook(course):
        pass


def test_a_driver_that_is_not_installed_says_what_to_install(course: Course) -> None:
    elsewhere = replace(course, database="postgresql+nosuchdriver://grader:secret@db/course")
    with pytest.raises(GradebookError, match="cannot be used") as caught, open_gradebook(elsewhere):
        pass
    assert "secret" not in str(caught.value)


# Registering


@pytest.mark.usefixtures("alembic_found")
def test_registering_records_what_nbgraders_generate_assignment_does(course: Course, warmup: Assignment) -> None:
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory

    theirs = make_course(course.root.parent / "theirs")
    directory = CourseDirectory(root=str(theirs), course_id="tiny", assignment_id="warmup")
    GenerateAssignment(coursedir=directory, force=True).start()
    with open_gradebook(course) as opened:
        register(opened, course, warmup)
    kinds = "SELECT name, type FROM base_cell ORDER BY name, type"
    graded_cells = "SELECT name, max_score, cell_type FROM base_cell JOIN grade_cells USING (id) ORDER BY name"
    sources = "SELECT name, cell_type, locked, source, checksum FROM source_cell ORDER BY name"
    notebooks = "SELECT b.name, a.name, a.course_id FROM notebook b JOIN assignment a ON b.assignment_id = a.id"
    for query in (kinds, graded_cells, sources, notebooks):
        answers = []
        for root in (course.root, theirs):
            with closing(sqlite3.connect(root / "gradebook.db")) as connection:
                answers.append(connection.execute(query).fetchall())
        assert answers[0] == answers[1]
        assert answers[0]


def test_the_due_date_is_kept_in_utc(course: Course, gradebook: Gradebook) -> None:
    with asked(course) as book:
        assert book.find_assignment("warmup").duedate.isoformat() == "2026-11-30T04:59:59"


def test_registering_twice_changes_nothing(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    with closing(sqlite3.connect(course.root / "gradebook.db")) as connection:
        before = list(connection.iterdump())
        register(gradebook, course, warmup)
        assert list(connection.iterdump()) == before


def test_points_may_change_and_rows_be_added_while_there_are_submissions(course: Course, gradebook: Gradebook) -> None:
    store(gradebook, course, course.assignment("warmup"), handed_in(course), graded())
    more = [
        cell("def third():\n    ### BEGIN SOLUTION\n    return 3\n    ### END SOLUTION", "third", role="solution"),
        cell("third()", "test_third", role="test", points=5),
    ]
    master, released = solved(), untouched()
    for tree in (master, released):
        tree["cells"] += more
        tree["cells"][3]["metadata"]["nbgrader"]["points"] = 8
    write(course.root / "source/warmup/warmup.ipynb", master)
    write(course.root / "release/warmup/warmup.ipynb", released)
    changed = load_course(course.root).assignment("warmup")
    register(gradebook, course, changed)
    report = graded()
    rows = (
        replace(report.rows[0], points=8.0),
        report.rows[1],
        RowResult("third", "test_third", 5.0, report.rows[1].checks),
    )
    store(gradebook, course, changed, handed_in(load_course(course.root)), replace(report, rows=rows))
    assert {name: auto for name, (auto, _, _) in grades(course).items()} == {
        "test_scale": 8.0,
        "test_centre": 6.0,
        "test_third": 5.0,
        "why": None,
    }


def test_a_graded_cell_that_has_grades_cannot_vanish(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    store(gradebook, course, warmup, handed_in(course), graded())
    without = untouched()
    del without["cells"][4:6]
    write(warmup.release, without)
    smaller = replace(warmup, rows=warmup.rows[:1])
    with pytest.raises(GradebookError, match=r"no longer there: centre, test_centre"):
        register(gradebook, course, smaller)
    assert grades(course)["test_centre"][0] == 6.0


def test_a_release_of_another_master_says_so(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    more = replace(warmup, rows=(*warmup.rows, Row("third", "test_third", 5, ("third",))))
    with pytest.raises(GradebookError, match=r"test_third.*autograder release warmup"):
        register(gradebook, course, more)


def test_an_assignment_that_was_not_released_says_so(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    warmup.release.unlink()
    with pytest.raises(GradebookError, match="has not been released"):
        register(gradebook, course, warmup)


# Storing


def test_scores_may_be_fractions(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    store(gradebook, course, warmup, handed_in(course), graded(1, of=3))
    assert grades(course)["test_scale"] == (pytest.approx(4 / 3), None, False)


def test_an_answer_waits_for_a_person_and_an_empty_one_has_nothing(
    course: Course, warmup: Assignment, gradebook: Gradebook
) -> None:
    store(gradebook, course, warmup, handed_in(course), graded())
    assert grades(course)["why"] == (None, None, True)
    store(gradebook, course, warmup, handed_in(course, untouched()), graded())
    assert grades(course)["why"] == (0.0, None, False)


@pytest.mark.parametrize("attached", [False, True])
def test_an_answer_that_may_stand_elsewhere_waits_and_again_when_what_stands_there_changed(
    course: Course, warmup: Assignment, gradebook: Gradebook, attached: bool
) -> None:
    tree = untouched()
    if attached:
        tree["cells"][6]["attachments"] = {"a.png": {"image/png": "aGk="}}
    else:
        tree["cells"].append(cell("Because.", kind="markdown"))
    store(gradebook, course, warmup, handed_in(course, tree), graded())
    assert grades(course)["why"] == (None, None, True)
    grade_by_hand(course, "why", 1.5)
    store(gradebook, course, warmup, handed_in(course, tree), graded(digest="d2"))
    assert grades(course)["why"] == (None, 1.5, False)
    if attached:
        tree["cells"][6]["attachments"] = {"a.png": {"image/png": "aGkh"}}
    else:
        tree["cells"].append(cell("On second thoughts.", kind="markdown"))
    store(gradebook, course, warmup, handed_in(course, tree), graded(digest="d3"))
    assert grades(course)["why"] == (None, 1.5, True)
    with asked(course) as book:
        comment = book.find_comment("why", "warmup", "warmup", "ada").comment or ""
    assert ("another cell holds “Because.”" in comment) != attached


def test_comments_explain_lost_points_and_missing_answers(
    course: Course, warmup: Assignment, gradebook: Gradebook
) -> None:
    store(gradebook, course, warmup, handed_in(course, untouched()), graded(0))
    with asked(course) as book:
        assert book.find_comment("scale", "warmup", "warmup", "ada").comment == "✗ Scales."
        assert book.find_comment("centre", "warmup", "warmup", "ada").comment is None
        assert book.find_comment("why", "warmup", "warmup", "ada").comment == "No response."


def test_a_grade_given_by_hand_survives_a_regrade_of_the_same_answer(
    course: Course, warmup: Assignment, gradebook: Gradebook
) -> None:
    store(gradebook, course, warmup, handed_in(course), graded())
    grade_by_hand(course, "why", 1.5, extra=0.5)
    store(gradebook, course, warmup, handed_in(course), graded(0, digest="d2"))
    assert grades(course)["why"] == (None, 1.5, False)
    assert held_grades(gradebook, warmup)[0].scores == {"test_scale": 0.0, "test_centre": 6.0, "why": 2.0}


@pytest.mark.parametrize("changed", [False, True])
def test_an_answer_graded_by_hand_is_known_again_where_the_graded_folder_was_removed(
    course: Course, warmup: Assignment, gradebook: Gradebook, changed: bool
) -> None:
    # As `nbgrader autograde --force` and the formgrader's button remove it.
    store(gradebook, course, warmup, handed_in(course), graded())
    grade_by_hand(course, "why", 1.5)
    shutil.rmtree(course.root / "autograded/ada/warmup")
    tree = solved()
    if changed:
        tree["cells"][6]["source"] = "On second thoughts."
    store(gradebook, course, warmup, handed_in(course, tree), graded(digest="d2"))
    assert grades(course)["why"] == (None, 1.5, changed)


def test_an_answer_that_changed_is_listed_for_grading_again_with_its_old_grade(
    course: Course, warmup: Assignment, gradebook: Gradebook
) -> None:
    store(gradebook, course, warmup, handed_in(course), graded())
    grade_by_hand(course, "why", 1.5)
    changed = solved()
    changed["cells"][6]["source"] = "On second thoughts."
    store(gradebook, course, warmup, handed_in(course, changed), graded(digest="d2"))
    assert grades(course)["why"] == (None, 1.5, True)


def test_a_row_overridden_by_hand_is_listed_again_only_where_its_own_score_changed(
    course: Course, warmup: Assignment, gradebook: Gradebook
) -> None:
    store(gradebook, course, warmup, handed_in(course), graded(0))
    grade_by_hand(course, "test_scale", 3.0)
    store(gradebook, course, warmup, handed_in(course), graded(0, digest="d2"))
    assert grades(course)["test_scale"] == (0.0, 3.0, False)
    store(gradebook, course, warmup, handed_in(course), graded(1, digest="d3"))
    assert grades(course)["test_scale"] == (4.0, 3.0, True)


def test_a_manual_comment_stays(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    store(gradebook, course, warmup, handed_in(course), graded(0))
    with asked(course) as book:
        book.find_comment("scale", "warmup", "warmup", "ada").manual_comment = "See me."
        book.db.commit()
    store(gradebook, course, warmup, handed_in(course), graded(0, digest="d2"))
    with asked(course) as book:
        assert book.find_comment("scale", "warmup", "warmup", "ada").comment == "See me."


def test_an_error_of_ours_writes_nothing(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    assert not store(gradebook, course, warmup, handed_in(course), graded(errored=True))
    assert held_grades(gradebook, warmup) == ()
    assert not (course.root / "autograded").exists()


def test_an_error_of_ours_leaves_the_grade_that_there_was(
    course: Course, warmup: Assignment, gradebook: Gradebook
) -> None:
    store(gradebook, course, warmup, handed_in(course), graded(digest="d1"))
    store(gradebook, course, warmup, handed_in(course), graded(digest="d2", errored=True))
    assert graded_digest(gradebook, course, "ada", warmup) == "d1"
    assert grades(course)["test_scale"][0] == 4.0


def test_a_report_that_does_not_fit_writes_no_score_at_all(
    course: Course, warmup: Assignment, gradebook: Gradebook
) -> None:
    report = graded()
    stray = RowResult("stray", "test_stray", 1.0, report.rows[0].checks)
    with pytest.raises(GradebookError, match="test_stray"):
        store(gradebook, course, warmup, handed_in(course), replace(report, rows=(*report.rows, stray)))
    assert held_grades(gradebook, warmup) == ()


def test_the_executed_notebook_and_the_timestamp_lie_in_autograded(
    course: Course, warmup: Assignment, gradebook: Gradebook
) -> None:
    store(gradebook, course, warmup, handed_in(course), graded())
    folder = course.root / "autograded/ada/warmup"
    assert json.loads((folder / "warmup.ipynb").read_text())["cells"][0]["id"] == "autograder-summary"
    assert (folder / "timestamp.txt").read_text().strip() == ON_TIME
    assert sorted(path.name for path in folder.iterdir()) == sorted(["warmup.ipynb", "timestamp.txt", RESULT_FILE])


def test_what_was_handed_in_beside_the_notebook_is_there_for_those_who_grade(
    course: Course, warmup: Assignment, gradebook: Gradebook
) -> None:
    submission = handed_in(course)
    given = course.root / "submitted/ada/warmup"
    (given / "figure.png").write_bytes(b"png")
    (given / "data.csv").write_text("the student's")
    (given / "link.txt").symlink_to(course.root / "gradebook_config.yaml")
    (given / RESULT_FILE).write_text("{}")
    (course.root / "source/warmup/data.csv").write_text("the course's")
    for _ in range(2):
        store(gradebook, course, warmup, submission, graded())
    folder = course.root / "autograded/ada/warmup"
    assert (folder / "figure.png").read_bytes() == b"png"
    assert (folder / "data.csv").read_text() == "the course's"
    assert not (folder / "link.txt").exists()
    assert json.loads((folder / RESULT_FILE).read_text())["report"]["digest"] == "d1"


def beside(course: Course) -> Path:
    """A submission's folder, to put things into."""
    return handed_in(course) and course.root / "submitted/ada/warmup"


def copied(course: Course, gradebook: Gradebook) -> tuple[set[str], str]:
    """What lies in ``autograded/`` beside our own files once a submission was stored, and what is said of the rest."""
    warmup = course.assignment("warmup")
    path = course.root / "submitted/ada/warmup/warmup.ipynb"
    store(gradebook, course, warmup, read_submission(path, warmup, student="ada"), graded())
    folder = course.root / "autograded/ada/warmup"
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file()}
    return found - {"warmup.ipynb", "timestamp.txt", RESULT_FILE}, "; ".join(left_out(course, "ada", warmup))


def test_what_is_copied_is_bounded_in_number_and_it_is_said(course: Course, gradebook: Gradebook) -> None:
    for number in range(203):
        (beside(course) / f"{number:03}.txt").write_text("x")
    names, said = copied(course, gradebook)
    assert len(names) == 200
    assert said == "200.txt (more than 200 files); 201.txt (more than 200 files); 202.txt (more than 200 files)"


def test_of_a_folder_with_thousands_of_files_nothing_is_copied_and_it_is_said(
    course: Course, gradebook: Gradebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.gradebook.files.MAX_SEEN", 50)
    for number in range(10):
        (beside(course) / f"empty{number}/.hidden").mkdir(parents=True)
        for inner in range(4):
            (beside(course) / f"empty{number}/.{inner}.txt").touch()
    names, said = copied(course, gradebook)
    assert (names, said) == (set(), "everything beside the notebook (more than 50 files and folders)")


def test_deep_folders_are_left_out_and_it_is_said(course: Course, gradebook: Gradebook) -> None:
    here = beside(course)
    for _ in range(400):
        here /= "d"
        here.mkdir()
        if len(str(here)) < 3000:
            (here / "a.txt").write_text("x")
    names, said = copied(course, gradebook)
    assert names == {f"{'d/' * depth}a.txt" for depth in range(1, 7)}
    assert said == "d/d/d/d/d/d/d (more than 6 folders deep)"


def test_more_bytes_than_the_limit_are_left_out_and_it_is_said(course: Course, gradebook: Gradebook) -> None:
    for name in ("a.npy", "b.npy", "c.txt"):
        with (beside(course) / name).open("wb") as file:
            file.truncate(100 if name == "c.txt" else 20 * 2**20)
    assert copied(course, gradebook) == ({"a.npy", "c.txt"}, "b.npy (more than 32 MB in all)")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb.txt", r"a\nb.txt"),
        ("\x1b[31m.txt", r"\x1b[31m.txt"),
        ("a\u202etxt.py", r"a\u202etxt.py"),
        ("\udcff.txt", r"\udcff.txt"),
    ],
)
def test_a_name_that_cannot_be_printed_is_left_out_and_shown_with_escapes(
    course: Course, gradebook: Gradebook, name: str, shown: str
) -> None:
    (beside(course) / name).write_text("x")
    assert copied(course, gradebook) == (set(), f"{shown} (a name that cannot be printed)")


def test_odd_names_that_can_be_printed_are_copied(course: Course, gradebook: Gradebook) -> None:
    odd = {"..txt.txt", "...txt", " spaces .txt", "n" * 250 + ".txt", "…é.txt", "a b/ c.txt", "-rf.txt", "a\\b.txt"}
    for name in odd:
        (beside(course) / name).parent.mkdir(exist_ok=True)
        (beside(course) / name).write_text("x")
    names, said = copied(course, gradebook)
    assert names == {name for name in odd if not name.startswith(".")}
    assert said == ""


def test_links_pipes_and_sockets_are_left_out_and_it_is_said(course: Course, gradebook: Gradebook) -> None:
    folder = beside(course)
    (folder / "a.txt").symlink_to(course.root / "gradebook_config.yaml")
    (folder / "b.txt").hardlink_to(course.root / "solutions/warmup/__init__.py")
    os.mkfifo(folder / "c.txt")
    (folder / "d").symlink_to(course.root / "solutions")
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(folder / "e.txt"))
        names, said = copied(course, gradebook)
    assert names == set()
    reason = "(a link, or no ordinary file)"
    assert said == f"a.txt {reason}; b.txt {reason}; c.txt {reason}; d (of a kind that is not shown); e.txt {reason}"


def test_what_a_browser_would_run_is_left_out_and_it_is_said(course: Course, gradebook: Gradebook) -> None:
    for name in ("a.html", "b.svg", "c.js", "d.PNG"):
        (beside(course) / name).write_text("x")
    names, said = copied(course, gradebook)
    assert names == {"d.PNG"}
    assert said.count("of a kind that is not shown") == 3


def test_a_picture_of_a_gigabyte_is_left_out_and_it_is_said(course: Course, gradebook: Gradebook) -> None:
    said_to_be = struct.pack(">I4sIIB", 13, b"IHDR", 20_000, 20_000, 8)
    for name in ("a.png", "b.jpg", "c.txt"):
        (beside(course) / name).write_bytes(b"\x89PNG\r\n\x1a\n" + said_to_be)
    reason = "(a picture of too many pixels)"
    assert copied(course, gradebook) == ({"c.txt"}, f"a.png {reason}; b.jpg {reason}")


@pytest.mark.parametrize("name", ["warmup.ipynb", "timestamp.txt", RESULT_FILE])
def test_a_folder_named_like_a_file_of_ours_is_in_nobodys_way(course: Course, gradebook: Gradebook, name: str) -> None:
    if name == "warmup.ipynb":
        (beside(course) / name).rename(beside(course) / "mine.ipynb")
        (course.root / "submitted/ada/warmup" / name).mkdir()
        path = course.root / "submitted/ada/warmup/mine.ipynb"
    else:
        (beside(course) / name).mkdir()
        path = course.root / "submitted/ada/warmup/warmup.ipynb"
    (course.root / "submitted/ada/warmup" / name / "a.txt").write_text("x")
    warmup = course.assignment("warmup")
    for digest in ("d1", "d2"):
        store(gradebook, course, warmup, read_submission(path, warmup, student="ada"), graded(digest=digest))
        assert graded_digest(gradebook, course, "ada", warmup) == digest


@pytest.mark.parametrize(("given", "own"), [("data.txt", "data.txt/a.txt"), ("data.txt/a.txt", "data.txt")])
def test_a_folder_for_a_file_of_the_courses_is_in_nobodys_way(
    course: Course, gradebook: Gradebook, given: str, own: str
) -> None:
    for folder, name in ((course.root / "source/warmup", given), (beside(course), own)):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    names, said = copied(course, gradebook)
    assert names == {given}
    assert said == f"{own} (the course has a folder or a file of that name)"


@pytest.mark.parametrize(("first", "second"), [("x.txt/a.txt", "x.txt"), ("x.txt", "x.txt/a.txt"), ("a.txt", "b.txt")])
def test_what_an_earlier_submission_left_is_gone(course: Course, gradebook: Gradebook, first: str, second: str) -> None:
    for name in (first, second):
        shutil.rmtree(beside(course))
        (beside(course) / name).parent.mkdir(exist_ok=True)
        (beside(course) / name).write_text("x")
        assert copied(course, gradebook) == ({name}, "")


NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: name != b".." and not set(b"/\0") & set(name))
OURS = st.sampled_from([b"warmup.ipynb", b"data.csv", b"timestamp.txt", b"a"])
TREE = st.lists(
    st.tuples(
        st.lists(NAMES | OURS, min_size=1, max_size=9),
        st.sampled_from(["", ".txt", ".ipynb", ".html"]),
        st.sampled_from(["file", "folder", "link", "hard link", "pipe"]),
    ),
    max_size=8,
)


def plant(folder: Path, parts: list[bytes], suffix: str, kind: str, secret: Path) -> None:
    """Put something into a folder, as far as nothing else is in the way."""
    path = folder.joinpath(*map(os.fsdecode, parts[:-1])) / f"{os.fsdecode(parts[-1])}{suffix}"
    with contextlib.suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
        path.parent.mkdir(parents=True, exist_ok=True)
        match kind:
            case "file":
                # A pipe in its place would wait for ever, a link would be followed.
                with path.open("x") as file:
                    file.write("x")
            case "folder":
                path.mkdir()
            case "link":
                path.symlink_to(secret)
            case "hard link":
                path.hardlink_to(secret)
            case "pipe":
                os.mkfifo(path)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREE)
def test_whatever_lies_beside_a_notebook_it_is_refused_or_graded_and_nothing_but_plain_files_is_copied(
    course: Course, warmup: Assignment, gradebook: Gradebook, tree: list[tuple[list[bytes], str, str]]
) -> None:
    folder = course.root / "submitted/ada/warmup"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    secret = course.root / "solutions/warmup/__init__.py"
    for parts, suffix, kind in tree:
        plant(folder, parts, suffix, kind, secret)
    said = ""
    try:
        submission = read_submission(find_notebook(folder, warmup), warmup, student="ada")
    except RefusedError as refused:
        submission, said = None, str(refused)
    except SubmissionError as unread:
        said = str(unread)
        submission = unread_submission(warmup, said, student="ada")
    assert said.isprintable()
    if submission is None:
        return
    assert store(gradebook, course, warmup, submission, graded(digest=submission.digest))
    assert graded_digest(gradebook, course, "ada", warmup) == submission.digest
    copies = course.root / "autograded/ada/warmup"
    for path in copies.rglob("*"):
        assert str(path.relative_to(copies)).isprintable()
        assert path.is_dir() or stat.S_ISREG(path.lstat().st_mode)
        assert not path.is_file() or secret.read_bytes() != path.read_bytes()
    assert "".join(left_out(course, "ada", warmup)).isprintable()


def test_a_hard_link_is_not_copied_to_a_students_feedback(course: Course, gradebook: Gradebook) -> None:
    (beside(course) / "submission_secret.txt").hardlink_to(course.root / "gradebook_config.yaml")
    copied(course, gradebook)
    folder = write_feedback(gradebook, course, course.assignment("warmup"), "ada").parent
    assert sorted(path.name for path in folder.iterdir()) == ["submission_secret.txt", "warmup.html"]
    # One of ours: without any, nbgrader's release_feedback would end here.
    assert re.fullmatch("[0-9a-f]{64}", (folder / "submission_secret.txt").read_text())


def test_the_stored_report_is_the_report_without_the_cells_outputs(
    course: Course, warmup: Assignment, gradebook: Gradebook
) -> None:
    store(gradebook, course, warmup, handed_in(course), graded(1, of=2))
    assert read_report(course, "ada", warmup) == replace(graded(1, of=2), cells=())


def test_the_notebooks_text_is_the_one_that_nbformat_writes() -> None:
    import nbformat

    tree = solved()
    bundle = {"text/html": "<p>\n</p>", "image/png": "iVBO\n", "image/svg+xml": "<svg>\n</svg>"}
    tree["cells"][1]["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": "ä\nb"},
        {"output_type": "display_data", "data": bundle, "metadata": {}},
        {"output_type": "error", "ename": "E", "evalue": "e", "traceback": ["a\nb"]},
    ]
    assert notebook_text(tree) == nbformat.writes(nbformat.from_dict(tree)) + "\n"


def test_text_that_no_file_takes_is_stored_all_the_same(
    course: Course, warmup: Assignment, gradebook: Gradebook
) -> None:
    odd = "lone \ud800 and null \0"
    report = graded(0)
    failed = CheckResult("t", "Scales.", 1.0, "failed", said(odd))
    run = CellRun(1, "ok", ({"output_type": "stream", "name": "stdout", "text": odd},), 0.1)
    report = replace(report, rows=(replace(report.rows[0], checks=(failed,)), report.rows[1]), cells=(run,))
    store(gradebook, course, warmup, handed_in(course), report)
    assert graded_digest(gradebook, course, "ada", warmup) == "d1"
    write_feedback(gradebook, course, warmup, "ada")


# Resuming


def test_what_is_graded_is_known_by_its_digest(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    assert graded_digests(gradebook, course, warmup) == {}
    store(gradebook, course, warmup, handed_in(course), graded(digest="d1"))
    store(gradebook, course, warmup, handed_in(course, student="bob"), graded(digest="d2"))
    assert graded_digests(gradebook, course, warmup) == {"ada": "d1", "bob": "d2"}


@pytest.mark.parametrize("lost", ["warmup.ipynb", RESULT_FILE])
def test_a_grade_without_its_files_is_no_whole_grade(
    course: Course, warmup: Assignment, gradebook: Gradebook, lost: str
) -> None:
    store(gradebook, course, warmup, handed_in(course), graded())
    (course.root / "autograded/ada/warmup" / lost).unlink()
    assert graded_digests(gradebook, course, warmup) == {}


def test_an_older_gradebook_put_back_is_graded_again(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    store(gradebook, course, warmup, handed_in(course), graded(0, digest="d1"))
    old = (course.root / "gradebook.db").read_bytes()
    store(gradebook, course, warmup, handed_in(course), graded(1, digest="d2"))
    (course.root / "gradebook.db").write_bytes(old)
    with open_gradebook(course) as again:
        assert graded_digests(again, course, warmup) == {}


def test_a_damaged_result_is_graded_again(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    store(gradebook, course, warmup, handed_in(course), graded())
    for damage in ("", "[]", '{"report": {}}', '{"report": 3}', "{"):
        (course.root / "autograded/ada/warmup" / RESULT_FILE).write_text(damage)
        assert graded_digests(gradebook, course, warmup) == {}


KILLED = """
import os, signal, sys
from pathlib import Path
from autograder.course import load_course
from autograder.gradebook import open_gradebook, storing
from tests.gradebook.test_gradebook import ON_TIME, graded, handed_in
from tests.grades import store

course = load_course(Path(sys.argv[1]))
warmup = course.assignment("warmup")
steps = int(sys.argv[2])

def counted(name):
    real = getattr(storing, name)
    def step(*args, **kwargs):
        global steps
        steps -= 1
        if steps < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    setattr(storing, name, step)

for name in ("_entry", "_write_scores", "write_penalty", "copy_companions", "write_atomically"):
    counted(name)
with open_gradebook(course) as opened:
    store(opened, course, warmup, handed_in(course), graded(1, digest="new"))
"""


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 6])
def test_a_grader_killed_anywhere_leaves_nothing_half_written(
    course: Course, warmup: Assignment, gradebook: Gradebook, steps: int
) -> None:
    store(gradebook, course, warmup, handed_in(course), graded(0, digest="old"))
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(course.root), str(steps)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with open_gradebook(course) as again:
        scores = {name: auto for name, (auto, _, _) in grades(course).items()}
        assert scores in (
            {"test_scale": 0.0, "test_centre": 6.0, "why": None},
            {"test_scale": 4.0, "test_centre": 6.0, "why": None},
        )
        assert graded_digest(again, course, "ada", warmup) in ("old", None)
        json.loads((course.root / "autograded/ada/warmup/warmup.ipynb").read_text())
        store(again, course, warmup, handed_in(course), graded(1, digest="new"))
        assert graded_digest(again, course, "ada", warmup) == "new"


# Lateness


YEAR = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31))
ZONES = st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(YEAR, st.integers(0, 20 * 1440), st.integers(-86400, 86400), ZONES)
def test_an_extension_costs_nothing_until_its_last_minute_all_the_year_round(
    course: Course, warmup: Assignment, gradebook: Gradebook, due: datetime, minutes: int, seconds: int, zone: str
) -> None:
    """The gradebook holds it as a length of time: a change of the clocks between the two dates must not move it."""
    here = ZoneInfo(zone)
    first, until = due.replace(tzinfo=here), (due + timedelta(minutes=minutes)).replace(tzinfo=here)
    handed_in_at = until.astimezone(UTC) + timedelta(seconds=seconds)
    assignment = replace(warmup, due=first, extensions={"ada": until}, late=LatePolicy(0, 10, 100))
    if not held_grades(gradebook, warmup):
        store(gradebook, course, warmup, handed_in(course), graded())
    register(gradebook, course, assignment, ["ada"])
    store_timestamp(gradebook, assignment, "ada", handed_in_at.isoformat())
    assert (held_grades(gradebook, assignment)[0].late_penalty == 0) == (handed_in_at <= until)


def test_a_late_submission_loses_by_the_policy(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    store(gradebook, course, warmup, handed_in(course, timestamp=TWO_DAYS_LATE), graded())
    (grade,) = held_grades(gradebook, warmup)
    assert (grade.raw_score, grade.late_penalty, grade.score) == (10.0, pytest.approx(2.4), pytest.approx(7.6))


def test_an_extension_moves_the_due_date_of_one(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    store(gradebook, course, warmup, handed_in(course, timestamp=TWO_DAYS_LATE), graded())
    with asked(course) as book:
        book.grant_extension("warmup", "ada", days=1)
    update_late_penalties(gradebook, course, warmup)
    assert held_grades(gradebook, warmup)[0].late_penalty == pytest.approx(1.2)


def extended(course: Course, until: str, zone: str = "America/New_York") -> Assignment:
    config = course.root / "gradebook_config.yaml"
    text = re.sub(r"    extensions: .*\n", "", config.read_text()).replace(
        "    seed: 7\n", f"    seed: 7\n    extensions: {{ada: {until}, 4711: {until}}}\n"
    )
    config.write_text(text)
    return load_course(course.root).assignment("warmup")


def test_an_extension_in_the_configuration_moves_the_due_date_and_can_be_changed(
    course: Course, warmup: Assignment, gradebook: Gradebook
) -> None:
    store(gradebook, course, warmup, handed_in(course, timestamp=TWO_DAYS_LATE), graded())
    assert held_grades(gradebook, warmup)[0].late_penalty == pytest.approx(2.4)
    update_late_penalties(gradebook, course, extended(course, "2026-12-20 23:59"))
    assert held_grades(gradebook, warmup)[0].late_penalty == 0
    update_late_penalties(gradebook, course, extended(course, "2026-11-30 23:59"))
    assert held_grades(gradebook, warmup)[0].late_penalty == pytest.approx(1.2)


@pytest.mark.parametrize("year", ["0001-01-01 00:00:00", "9999-12-31 23:59:59"])
def test_a_time_of_nbgraders_that_nobody_handed_in_at_costs_nothing_and_stops_nothing(
    gradebook: Gradebook, course: Course, warmup: Assignment, year: str
) -> None:
    """Nbgrader takes any time that a student wrote for the time of the submission."""
    store(gradebook, course, warmup, handed_in(course, timestamp=TWO_DAYS_LATE), graded())
    with asked(course) as book:
        book.find_submission("warmup", "ada").timestamp = datetime.fromisoformat(year)
        book.db.commit()
    update_late_penalties(gradebook, course, warmup)
    (grade,) = held_grades(gradebook, warmup)
    assert (grade.timestamp, grade.late_penalty, lateness_said(gradebook, warmup, course)) == (None, 0.0, "")
    assert write_feedback(gradebook, course, warmup, "ada", now=datetime(2026, 12, 1, tzinfo=UTC))
    assert year[:4] not in table_text(scores_of(course, warmup), warmup, course)
    assert class_page(read_class(course, warmup), course.timezone)


def test_an_extension_holds_from_the_first_grade_on(course: Course, gradebook: Gradebook) -> None:
    assignment = extended(course, "2026-12-20 23:59")
    store(gradebook, course, assignment, handed_in(course, timestamp=TWO_DAYS_LATE), graded())
    assert held_grades(gradebook, assignment)[0].late_penalty == 0


@pytest.mark.parametrize(
    ("until", "said"),
    [
        (
            "2026-11-29 23:58",
            r"extensions\.ada: expected a time after the due date, 2026-11-29 23:59, found 2026-11-29 23:58",
        ),
        ("soon", r"extensions.ada: .*found"),
        ("7", r"extensions.ada: "),
    ],
)
def test_an_extension_that_is_none_is_named(course: Course, until: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        extended(course, until)


def test_all_of_the_minute_that_is_named_is_in_time(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    strict = replace(warmup, late=LatePolicy(0, 10, 100))
    store(gradebook, course, strict, handed_in(course), graded())
    for local, penalty in (("23:59:00", 0), ("23:59:59.999999", 0), ("23:59:60", 1.2)):
        seconds = float(local[6:])
        at = datetime(2026, 11, 29, 23, 59, tzinfo=course.timezone).astimezone(UTC) + timedelta(seconds=seconds)
        store_timestamp(gradebook, strict, "ada", at.isoformat())
        assert held_grades(gradebook, strict)[0].late_penalty == pytest.approx(penalty), local


def with_late_days(course: Course, days: int, extra: str = "") -> Course:
    """The course with a second assignment that is due a week later, and late days."""
    root = course.root
    config = root / "gradebook_config.yaml"
    text = config.read_text()
    entry = text[text.index("  warmup:") :]
    second = entry.replace("  warmup:", "  encore:").replace("Warm-up", "Encore").replace("11-29", "12-06")
    text = text.replace("name: tiny", f"name: tiny\nlate_days: {days}", 1).replace(
        "    seed: 7\n", f"{extra}    seed: 7\n", 1
    )
    config.write_text(text + second.rstrip() + "\n    checks: checks/warmup\n    solutions: solutions/warmup\n")
    for folder in ("source", "release"):
        shutil.copytree(root / folder / "warmup", root / folder / "encore")
        (root / folder / "encore/warmup.ipynb").rename(root / folder / "encore/encore.ipynb")
    return load_course(root)


def hand_in_both(course: Course, gradebook: Gradebook, first: str, second: str) -> tuple[float, float]:
    """Late penalties of one student who handed in both assignments, the second of them stored first."""
    for name, when in (("encore", second), ("warmup", first)):
        assignment = course.assignment(name)
        register(gradebook, course, assignment)
        submission = replace(handed_in(course, timestamp=when), assignment=name)
        (course.root / f"submitted/ada/{name}").mkdir(exist_ok=True)
        store(gradebook, course, assignment, submission, replace(graded(), assignment=name))
    for name in course.assignments:
        update_late_penalties(gradebook, course, course.assignment(name))
    one, two = (held_grades(gradebook, course.assignment(name))[0].late_penalty for name in ("warmup", "encore"))
    return one, two


def test_late_days_are_spent_over_the_term_in_the_order_of_handing_in(course: Course, gradebook: Gradebook) -> None:
    """Two days late, then two days late again, with three days: one day of the second is paid with points."""
    spending = with_late_days(course, 3)
    assert hand_in_both(spending, gradebook, TWO_DAYS_LATE, "2026-12-08T12:00:00+00:00") == (0, pytest.approx(1.2))


def test_an_assignment_that_only_the_formgrader_knows_stops_no_grading(course: Course, gradebook: Gradebook) -> None:
    """Its "Add new assignment" enters a name without a notebook."""
    spending = with_late_days(course, 3)
    with asked(course) as book:
        book.add_assignment("encore")
    store(gradebook, spending, spending.assignment("warmup"), handed_in(course, timestamp=TWO_DAYS_LATE), graded())
    update_late_penalties(gradebook, spending, spending.assignment("warmup"))
    assert held_grades(gradebook, spending.assignment("warmup"))[0].late_penalty == 0


def test_without_late_days_each_assignment_stands_alone(course: Course, gradebook: Gradebook) -> None:
    spending = with_late_days(course, 0)
    penalties = hand_in_both(spending, gradebook, TWO_DAYS_LATE, "2026-12-08T12:00:00+00:00")
    assert penalties == (pytest.approx(2.4), pytest.approx(2.4))


def test_the_feedback_says_what_lateness_meant(course: Course, gradebook: Gradebook) -> None:
    spending = with_late_days(course, 3)
    hand_in_both(spending, gradebook, TWO_DAYS_LATE, "2026-12-08T12:00:00+00:00")
    told = {name: lateness_said(gradebook, spending.assignment(name), spending) for name in ("warmup", "encore")}
    assert told == {
        "warmup": "Handed in 1 day 7 hours after it was due (Sunday 29 November 2026, 23:59 EST). "
        "2 late days were spent on it; none is left. It costs nothing.",
        "encore": "Handed in 1 day 7 hours after it was due (Sunday 6 December 2026, 23:59 EST). "
        "1 late day was spent on it; none is left. That costs 10 % of the 12 points.",
    }
    page = write_feedback(gradebook, spending, spending.assignment("warmup"), "ada").read_text()
    assert told["warmup"] in page


def test_who_is_in_time_is_told_nothing(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    store(gradebook, course, warmup, handed_in(course), graded())
    assert lateness_said(gradebook, warmup, course) == ""


def test_an_extension_is_in_what_the_feedback_says(course: Course, gradebook: Gradebook) -> None:
    assignment = extended(course, "2026-11-30 12:00")
    store(gradebook, course, assignment, handed_in(course, timestamp=TWO_DAYS_LATE), graded())
    assert lateness_said(gradebook, assignment, course) == (
        "Handed in 18 hours 59 minutes after it was due (Monday 30 November 2026, 12:00 EST, your extension included). "
        "That costs 10 % of the 12 points."
    )


def test_an_excused_student_loses_nothing_by_lateness_and_is_told_that_nothing_counts(
    course: Course, gradebook: Gradebook
) -> None:
    spending = with_late_days(course, 1, extra="    excused: [ada, 4711]\n")
    penalties = hand_in_both(spending, gradebook, TWO_DAYS_LATE, "2026-12-07T12:00:00+00:00")
    assert penalties == (0, 0), "the late day went on the assignment that counts"
    warmup = spending.assignment("warmup")
    assert held_grades(gradebook, warmup)[0].excused
    assert warmup.excused == {"ada", "4711"}
    assert "You are excused" in write_feedback(gradebook, spending, warmup, "ada").read_text()


def test_an_id_that_is_nobodys_is_named_with_the_nearest(course: Course, gradebook: Gradebook) -> None:
    spending = with_late_days(course, 1, extra="    excused: [adda]\n    extensions: {bo: 2026-12-20 23:59}\n")
    register(gradebook, spending, spending.assignment("warmup"), ["ada", "bob"])
    assert strangers(gradebook, spending.assignment("warmup")) == {
        "bo": "gradebook_config.yaml, assignments.warmup.extensions: 'bo' is nobody in the gradebook; "
        "did you mean 'bob'?",
        "adda": "gradebook_config.yaml, assignments.warmup.excused: 'adda' is nobody in the gradebook; "
        "did you mean 'ada'?",
    }


@pytest.mark.parametrize("excused", ["[{ada: 1}]", "[[ada]]", "['']"])
def test_what_is_no_id_cannot_be_excused(course: Course, excused: str) -> None:
    with pytest.raises(ConfigError, match=r"excused\.0: expected a student's id, found"):
        with_late_days(course, 1, extra=f"    excused: {excused}\n")


def test_a_new_timestamp_needs_no_new_grade(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    store(gradebook, course, warmup, handed_in(course), graded())
    store_timestamp(gradebook, warmup, "ada", TWO_DAYS_LATE)
    assert held_grades(gradebook, warmup)[0].late_penalty == pytest.approx(2.4)
    store_timestamp(gradebook, warmup, "ada", None)
    (grade,) = held_grades(gradebook, warmup)
    assert (grade.late_penalty, grade.timestamp) == (0.0, None)


def test_points_given_by_hand_are_late_as_well(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    store(gradebook, course, warmup, handed_in(course, untouched(), timestamp=TWO_DAYS_LATE), zero())
    assert held_grades(gradebook, warmup)[0].late_penalty == 0
    grade_by_hand(course, "why", 2.0)
    update_late_penalties(gradebook, course, warmup)
    assert held_grades(gradebook, warmup)[0].score == 0


def zero() -> Report:
    report = graded(0)
    failed = CheckResult("c", "Centres.", 1.0, "failed")
    return replace(report, rows=(report.rows[0], replace(report.rows[1], checks=(failed,))))


# Reading, feedback, copies


def test_a_submission_that_was_entered_waits_for_its_grade(
    course: Course, warmup: Assignment, gradebook: Gradebook
) -> None:
    enter(gradebook, warmup, "ada")
    (grade,) = held_grades(gradebook, warmup)
    assert grade.scores == {"test_scale": None, "test_centre": None, "why": None}
    assert grade.needs_manual_grade


def test_feedback_has_what_a_person_gave(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    store(gradebook, course, warmup, handed_in(course, timestamp=TWO_DAYS_LATE), graded())
    grade_by_hand(course, "why", 1.5)
    with asked(course) as book:
        book.find_comment("why", "warmup", "warmup", "ada").manual_comment = "Well <said>."
        book.db.commit()
    page = write_feedback(gradebook, course, warmup, "ada").read_text()
    for text in ("9.1 of 12 points", "1.5 of 2.0 points", "Well &lt;said&gt;."):
        assert text in page
    assert re.search(r"<td[^>]*>1\.5 / 2</td>\s*<td[^>]*>graded by a person</td>", page)
    assert "waits to be graded" not in page


def test_feedback_says_that_an_answer_waits(course: Course, warmup: Assignment, gradebook: Gradebook) -> None:
    store(gradebook, course, warmup, handed_in(course), graded())
    assert "waits to be graded by a person" in write_feedback(gradebook, course, warmup, "ada").read_text()


def test_feedback_has_what_release_feedback_wants_and_nothing_more(
    course: Course, warmup: Assignment, gradebook: Gradebook
) -> None:
    submission = handed_in(course)
    given = course.root / "submitted/ada/warmup"
    (given / "timestamp.txt").write_text(ON_TIME)
    (given / "submission_secret.txt").write_text("s3cret")
    store(gradebook, course, warmup, submission, graded())
    folder = write_feedback(gradebook, course, warmup, "ada").parent
    assert {path.name for path in folder.iterdir()} == {"warmup.html", "timestamp.txt", "submission_secret.txt"}


def test_feedback_for_somebody_without_a_grade_says_so(
    course: Course, warmup: Assignment, gradebook: Gradebook
) -> None:
    with pytest.raises(GradebookError, match=r"bob has no graded submission.*--student bob"):
        write_feedback(gradebook, course, warmup, "bob")


def test_the_gradebook_is_copied_and_few_copies_are_kept(
    course: Course, warmup: Assignment, gradebook: Gradebook
) -> None:
    assert backup(replace(course, database="postgresql+psycopg://u@h/d")) is None
    copies = []
    for number in range(7):
        enter(gradebook, warmup, f"student{number}")
        copies.append(backup(course))
    kept = sorted((course.root / ".gradebook-backups").iterdir())
    assert kept == copies[2:]
    with closing(sqlite3.connect(kept[-1])) as connection:
        assert connection.execute("SELECT name FROM assignment").fetchall() == [("warmup",)]
