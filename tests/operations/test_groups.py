"""Students who hand in together: the newest of what a group's members handed in is each member's."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import autograder
from autograder.course import Course, load_course
from autograder.feedback import write_class_feedback
from autograder.gradebook import HeldGrade, held_grades, open_gradebook
from autograder.operations import Result, grade_assignment, watch
from autograder.reports import read_class
from autograder.submission import hand_ins, submission_of
from tests.commands import NBGRADER, run
from tests.courses import CONFIG, make_course, solved, submit

pytestmark = pytest.mark.sandbox

EARLY, LATER, LATE = "2026-11-28 12:00:00 UTC", "2026-11-29 12:00:00 UTC", "2026-12-01 12:00:00 UTC"


def wrong() -> Any:
    tree = solved()
    tree["cells"][2]["source"] = "def scale(x, factor):\n    return x + factor"
    return tree


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """Two groups, and eve by herself."""
    config = CONFIG + "    inputs: per_student\n    groups: {blue: [ada, bob], red: [cy, dee, '0123']}\n"
    root = make_course(tmp_path / "course", config=config)
    shutil.copy(Path(autograder.__file__).parents[1] / "nbgrader_config.py", root)
    return load_course(root)


def graded(course: Course, **options: Any) -> dict[str, Result]:
    results = grade_assignment(course, course.assignment("warmup"), jobs=1, **options)
    return {result.student: result for result in results}


def held(course: Course) -> dict[str, HeldGrade]:
    with open_gradebook(course, create=False) as gradebook:
        return {each.student: each for each in held_grades(gradebook, course.assignment("warmup"))}


def test_one_hand_in_counts_for_every_member(course: Course) -> None:
    submit(course.root, "ada", timestamp=EARLY).with_name("plan.txt").write_text("ours")
    submit(course.root, "eve", wrong())
    results = graded(course)
    assert {student: (each.status, each.report.score) for student, each in results.items()} == {
        "ada": ("graded", 10),
        "bob": ("graded", 10),
        "eve": ("graded", 6),
    }
    assert results["bob"].why == "handed in by ada, for the group blue"
    assert {student: each.raw_score for student, each in held(course).items()} == {"ada": 10, "bob": 10, "eve": 6}
    assert write_class_feedback(course, course.assignment("warmup"), now=None).pages == 3
    assert (course.root / "feedback/bob/warmup/warmup.html").is_file()
    assert (course.root / "autograded/bob/warmup/plan.txt").read_text() == "ours"
    assert {each.status for each in graded(course).values()} == {"kept"}
    assert read_class(course, course.assignment("warmup")).missing == ()


def test_the_newest_of_the_members_hand_ins_counts_for_all(course: Course) -> None:
    submit(course.root, "ada", timestamp=EARLY)
    submit(course.root, "bob", wrong(), timestamp=LATER)
    assert {student: each.report.score for student, each in graded(course).items()} == {"ada": 6, "bob": 6}
    submit(course.root, "ada", timestamp=LATE)
    assert {student: each.report.score for student, each in graded(course).items()} == {"ada": 10, "bob": 10}
    assert {student: each.late_penalty for student, each in held(course).items()} == {
        "ada": pytest.approx(2.4),
        "bob": pytest.approx(2.4),
    }


def test_one_that_is_refused_does_not_count_where_another_can(course: Course) -> None:
    submit(course.root, "cy", timestamp=EARLY)
    (course.root / "submitted/dee").mkdir()
    (course.root / "submitted/dee/warmup").symlink_to(course.root / "source/warmup")
    assert {student: each.status for student, each in graded(course).items()} == dict.fromkeys(
        ("0123", "cy", "dee"), "graded"
    )


def test_a_member_who_is_named_is_graded_by_what_another_handed_in(course: Course) -> None:
    submit(course.root, "ada", timestamp=EARLY)
    assert list(graded(course, students=["bob"])) == ["bob"]
    assert list(graded(course, students=["ada"])) == ["ada"]
    assert submission_of(course.root, course.assignment("warmup"), "bob").student == "bob"
    (nobody,) = hand_ins(course.root, course.assignment("warmup"), ["cy"])
    assert nobody.problem == "cy has submitted nothing for warmup"


def test_the_inputs_of_a_group_are_the_same(course: Course) -> None:
    warmup = course.assignment("warmup")
    assert [warmup.inputs_of(student) for student in ("ada", "bob", "eve", None)] == ["ada", "ada", "eve", ""]


def test_a_watch_grades_the_whole_group(course: Course) -> None:
    submit(course.root, "bob", timestamp=EARLY)
    told: dict[str, str] = {}
    watch(course, course.assignment("warmup"), jobs=1, once=True, told=lambda who, what: told.setdefault(who, what))
    assert sorted(told) == ["ada", "bob"]
    assert told["ada"].startswith("10 of 10; feedback")


def test_nbgrader_autograde_grades_the_whole_group(course: Course) -> None:
    submit(course.root, "ada", timestamp=EARLY)
    submit(course.root, "cy", wrong(), timestamp=EARLY)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(course.root.parent), "LANG": "C.UTF-8"}
    said: subprocess.CompletedProcess[str] = run(
        NBGRADER, "nbgrader", "autograde", "warmup", cwd=course.root, environment=environment
    )
    assert said.returncode == 0, said.stderr
    assert {student: each.raw_score for student, each in held(course).items()} == {
        "0123": 6,
        "ada": 10,
        "bob": 10,
        "cy": 6,
        "dee": 6,
    }
    assert {each.status for each in graded(course).values()} == {"kept"}
