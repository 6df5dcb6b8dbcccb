"""An assignment that persons grade, without any autograded row: released, handed in, graded as far as a program can."""

import shutil
from pathlib import Path

import pytest

from autograder.authoring import release
from autograder.base import ConfigError
from autograder.course import Course, load_course
from autograder.feedback import write_class_feedback
from autograder.gradebook import held_grades, open_gradebook
from autograder.operations import examine, grade_assignment
from tests.courses import cell, make_course, notebook, submit

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),  # nbgrader's own, where tests use its API
]


def task(source: str, grade_id: str, points: float) -> dict:
    made = cell(source, grade_id, kind="markdown", role="locked", points=points)
    made["metadata"]["nbgrader"]["task"] = True
    return made


MASTER = notebook(
    cell("# Essay", "about", kind="markdown", role="locked"),
    cell("Because.", "why", kind="markdown", role="answer", points=2),
    cell("### BEGIN SOLUTION\nprint('drawn')\n### END SOLUTION", "draw", role="answer", points=3),
    task("Discuss it in cells of your own.\n\n### BEGIN MARK SCHEME\nFive.\n### END MARK SCHEME", "discuss", 5),
)


def answered(*own: str) -> dict:
    return notebook(
        cell("# Essay", "about", kind="markdown", role="locked"),
        cell("I think so.", "why", kind="markdown", role="answer", points=2),
        cell("print('my own')", "draw", role="answer", points=3),
        task("Discuss it in cells of your own.", "discuss", 5),
        *(cell(text, kind="markdown") for text in own),
    )


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """Released, with one student who answered all and one who discussed nothing."""
    root = make_course(tmp_path_factory.mktemp("written") / "course", master=MASTER)
    for name in ("checks", "solutions", "release"):
        shutil.rmtree(root / name)
    course = load_course(root)
    release(course, "warmup")
    submit(root, "ada", answered("Much can be said."))
    submit(root, "bob", answered())
    assert [result.status for result in grade_assignment(course, course.assignment("warmup"), jobs=1)] == ["graded"] * 2
    return course


def test_it_is_released_without_checks_and_reference(course: Course) -> None:
    text = (course.root / "release/warmup/warmup.ipynb").read_text()
    assert "Discuss it" in text
    assert "Because." not in text
    assert "drawn" not in text
    assert "MARK SCHEME" not in text


def test_answers_wait_for_a_person_and_a_task_that_nobody_answered_has_nothing(course: Course) -> None:
    with open_gradebook(course) as gradebook:
        ada, bob = held_grades(gradebook, course.assignment("warmup"))
    assert ada.scores == {"why": None, "draw": None, "discuss": None}
    assert bob.scores == {"why": None, "draw": None, "discuss": 0.0}
    assert ada.needs_manual_grade
    assert (ada.score, ada.max_score) == (0, 10)


def test_nbgrader_finds_each_cell_in_its_own_table(course: Course) -> None:
    from nbgrader.api import Gradebook

    with Gradebook(course.database, course.name) as book:
        released = book.find_notebook("warmup", "warmup")
        assert {each.name: each.max_score for each in released.grade_cells} == {"why": 2, "draw": 3}
        assert {each.name: each.max_score for each in released.task_cells} == {"discuss": 5}
        mine = book.find_submission_notebook("warmup", "warmup", "ada")
        assert {each.name: each.needs_manual_grade for each in mine.grades} == dict.fromkeys(
            ("why", "draw", "discuss"), True
        )
        assert mine.max_score == 10


def test_what_a_persons_points_are_for_ran_and_is_on_the_page(course: Course) -> None:
    written = write_class_feedback(course, course.assignment("warmup"), now=None)
    assert (written.pages, written.troubles) == (2, ())
    page = (course.root / "feedback/ada/warmup/warmup.html").read_text()
    assert "my own" in page
    assert "3 answers (10 points) are graded by a person." in page


def test_a_task_is_graded_again_by_a_person_where_what_stands_around_it_changed(course: Course) -> None:
    from nbgrader.api import Gradebook

    assignment = course.assignment("warmup")
    with Gradebook(course.database, course.name) as book:
        for name in ("why", "draw", "discuss"):
            grade = book.find_grade(name, "warmup", "warmup", "ada")
            grade.manual_score, grade.needs_manual_grade = 1.0, False
        book.db.commit()
    submit(course.root, "ada", answered("Much more can be said."))
    list(grade_assignment(course, assignment, jobs=1))
    with Gradebook(course.database, course.name) as book:
        mine = book.find_submission_notebook("warmup", "warmup", "ada")
        assert {each.name: each.needs_manual_grade for each in mine.grades} == {
            "why": False,
            "draw": False,
            "discuss": True,
        }


def test_doctor_asks_for_no_checks(course: Course) -> None:
    said = [finding for finding in examine(course.root) if finding.text.startswith("warmup: ")]
    assert [(finding.text.partition(", due")[0], finding.well) for finding in said] == [
        ("warmup: 10 points in 0 rows", True)
    ]


def test_a_master_in_which_nothing_is_graded_is_not_written_yet(tmp_path: Path) -> None:
    course = load_course(make_course(tmp_path, master=notebook(cell("1 + 1"))))
    with pytest.raises(ConfigError, match=r"warmup.ipynb: has nothing that is graded"):
        course.assignment("warmup")
