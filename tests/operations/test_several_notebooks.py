"""An assignment of two notebooks: each is released, handed in, graded and stored, and what they give adds up."""

import json
import shutil
import sqlite3
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import autograder
from autograder.authoring import ReleaseResult, release
from autograder.base import ConfigError
from autograder.course import Course, load_course
from autograder.feedback import write_class_feedback
from autograder.gradebook import HeldGrade, held_grades, open_gradebook
from autograder.grading import assignment_digest
from autograder.operations import Result, check_hand_in, grade_assignment, part_of, watch
from autograder.operations.graded import grade_hand_in
from autograder.operations.packing import (
    packed_assignment,
    packed_grade,
    packed_hand_in,
    unpacked_assignment,
    unpacked_grade,
    unpacked_hand_in,
)
from autograder.reports import class_page, explain, history, read_class, scores_of, table_text
from autograder.submission import Person, collect, find_hand_in, submissions
from tests.commands import NBGRADER, run
from tests.courses import make_problem_set, problem1, problem2, submit_problems, write

REPOSITORY = Path(autograder.__file__).parents[1]
NAMES = ("problem1", "problem2")
PEOPLE = [
    Person(name, frozenset({number}), frozenset({name}))
    for name, number in (("ada", "101"), ("bob", "102"), ("cy", "103"))
]
MISSING = "This notebook was not handed in: there is no problem2.ipynb in your submission."

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),  # nbgrader's own, where tests use its API
]


def wrong() -> dict[str, Any]:
    tree = problem1()
    tree["cells"][2]["source"] = "def scale(x, factor):\n    return x + factor"
    return tree


def hand_in(root: Path) -> None:
    """A class, and the ways in which one of two notebooks may be amiss."""
    submit_problems(root, "ada", problem1=problem1(), problem2=problem2())
    submit_problems(root, "bob", problem1=problem1())
    (submit_problems(root, "cy", problem2=problem2()) / "problem1.ipynb").write_text("{")
    submit_problems(root, "dee", **{"Problem1 (1)": problem1(), "my second": problem2()})
    submit_problems(root, "eve", problem1=wrong(), problem2=problem2(), timestamp="2026-11-30 20:00:00 UTC")
    submit_problems(root, "fay", problem1=problem1(), timestamp="2026-11-30 20:00:00 UTC")


def graded(course: Course, **options: Any) -> dict[str, Result]:
    results = grade_assignment(course, course.assignment("ps1"), jobs=1, **options)
    return {result.student: result for result in results}


def held(course: Course) -> dict[str, HeldGrade]:
    with open_gradebook(course, create=False) as gradebook:
        return {each.student: each for each in held_grades(gradebook, course.assignment("ps1"))}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ReleaseResult]:
    """A course of the assignment, released."""
    root = make_problem_set(tmp_path_factory.mktemp("template") / "course")
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    return root, release(load_course(root), "ps1")


@pytest.fixture(scope="module")
def ours(template: tuple[Path, ReleaseResult], tmp_path_factory: pytest.TempPathFactory) -> tuple[Course, dict]:
    """The class, graded by our own command."""
    root = tmp_path_factory.mktemp("ours") / "course"
    shutil.copytree(template[0], root)
    hand_in(root)
    course = load_course(root)
    return course, graded(course)


@pytest.fixture
def course(template: tuple[Path, ReleaseResult], tmp_path: Path) -> Course:
    """The course, released, for one test alone."""
    return load_course(shutil.copytree(template[0], tmp_path / "course"))


# The assignment


def test_points_add_up_and_rows_of_one_name_are_told_apart(course: Course) -> None:
    ps1 = course.assignment("ps1")
    assert ps1.max_score == 12
    assert [row.name for row in ps1.rows] == ["problem1: main", "problem2: main"]
    assert ps1.manual == {"problem2: why": 2}
    assert [(each.notebook, each.max_score, each.max_of_all) for each in ps1.parts] == [
        ("problem1", 4, 12),
        ("problem2", 8, 12),
    ]


def test_the_key_notebook_chooses_one_alone(course: Course) -> None:
    config = course.root / "gradebook_config.yaml"
    config.write_text(config.read_text() + "    notebook: problem1\n    checks: checks/ps1/problem1\n")
    ps1 = load_course(course.root).assignment("ps1")
    assert (ps1.notebook, ps1.max_score, ps1.parts) == ("problem1", 4, ())


def test_a_notebook_in_which_nothing_is_graded_is_released_along_and_is_no_part(course: Course) -> None:
    tree = problem1()
    tree["cells"] = tree["cells"][:1]
    write(course.root / "source/ps1/reading.ipynb", tree)
    course = load_course(course.root)
    made = release(course, "ps1")
    assert made.files == ("problem1.ipynb", "problem2.ipynb", "reading.ipynb")
    assert course.assignment("ps1").names_of_notebooks == ("problem1", "problem2")


def test_the_checks_of_one_may_not_lead_to_what_students_hand_in(course: Course) -> None:
    (course.root / "submitted/ada/ps1").mkdir(parents=True)
    shutil.rmtree(course.root / "checks/ps1/problem2")
    (course.root / "checks/ps1/problem2").symlink_to(course.root / "submitted/ada/ps1")
    with pytest.raises(ConfigError, match=r"ps1.checks: expected a folder of the course's own"):
        load_course(course.root)


def test_each_is_released_and_proved(template: tuple[Path, ReleaseResult]) -> None:
    _, made = template
    assert made.files == ("problem1.ipynb", "problem2.ipynb")
    assert (made.solved.score, made.untouched.score) == (10, 0)


def test_what_is_wrong_with_one_is_named_with_it(course: Course) -> None:
    (course.root / "solutions/ps1/problem2/__init__.py").write_text("def shift(x):\n    return x - 8.0\n")
    with pytest.raises(Exception, match=r"problem2: main: the solved master notebook fails test_shift"):
        release(course, "ps1")


# Grades


def test_each_notebook_is_graded_and_what_they_give_adds_up(ours: tuple[Course, dict]) -> None:
    course, results = ours
    assert {student: result.status for student, result in results.items()} == dict.fromkeys(
        ("ada", "bob", "cy", "dee", "eve", "fay"), "graded"
    )
    grades = held(course)
    assert {student: (each.raw_score, each.max_score) for student, each in grades.items()} == {
        "ada": (10, 12),
        "bob": (4, 12),
        "cy": (6, 12),
        "dee": (10, 12),
        "eve": (6, 12),
        "fay": (4, 12),
    }
    assert grades["ada"].scores == {"problem1: test_main": 4, "problem2: test_main": 6, "problem2: why": None}


def test_a_notebook_that_was_not_handed_in_has_nothing_and_says_so(ours: tuple[Course, dict]) -> None:
    course, results = ours
    one, two = results["bob"].report.rows
    assert (one.score, two.score, two.checks[0].reason) == (4, 0, MISSING)
    assert held(course)["bob"].scores["problem2: why"] == 0
    assert not held(course)["bob"].needs_manual_grade


def test_an_unreadable_one_does_not_stop_the_other(ours: tuple[Course, dict]) -> None:
    one, two = ours[1]["cy"].report.rows
    assert (one.score, two.score) == (0, 6)
    assert one.checks[0].reason.startswith("The file ends too early")


def test_lateness_costs_a_share_of_the_whole_shared_out_as_the_points_are(ours: tuple[Course, dict]) -> None:
    grades = held(ours[0])
    assert (grades["eve"].late_penalty, grades["fay"].late_penalty) == (pytest.approx(1.2), pytest.approx(1.2))
    from nbgrader.api import Gradebook

    with Gradebook(ours[0].database, ours[0].name) as book:
        lost = [book.find_submission_notebook(name, "ps1", "fay").late_submission_penalty for name in NAMES]
        assert lost == [pytest.approx(1.2), None]
        assert book.find_submission("ps1", "eve").late_submission_penalty == pytest.approx(1.2)


def test_nbgraders_own_api_finds_both_notebooks(ours: tuple[Course, dict]) -> None:
    from nbgrader.api import Gradebook

    course, _ = ours
    with Gradebook(course.database, course.name) as book:
        assert [(each.name, each.max_score) for each in book.find_assignment("ps1").notebooks] == [
            ("problem1", 4),
            ("problem2", 8),
        ]
        mine = book.find_submission("ps1", "ada")
        assert {each.name: each.score for each in mine.notebooks} == {"problem1": 4, "problem2": 6}
        assert (mine.score, mine.max_score, mine.needs_manual_grade) == (10, 12, True)
        found = book.find_grade("test_main", "problem2", "ps1", "bob")
        assert (found.auto_score, found.max_score) == (0, 6)
        comment = book.find_comment("main", "problem2", "ps1", "bob").auto_comment
        assert MISSING.rstrip(".") in comment


def test_each_has_its_executed_notebook_and_its_page(ours: tuple[Course, dict]) -> None:
    course, _ = ours
    written = write_class_feedback(course, course.assignment("ps1"), now=None)
    assert (written.pages, written.troubles) == (12, ())
    for name in NAMES:
        for student in ("ada", "bob", "cy", "dee"):
            assert (course.root / f"autograded/{student}/ps1/{name}.ipynb").is_file()
            assert (course.root / f"feedback/{student}/ps1/{name}.html").is_file()
    assert "This notebook was not handed in" in (course.root / "feedback/bob/ps1/problem2.html").read_text()
    page = (course.root / "feedback/fay/ps1/problem1.html").read_text()
    assert "4 points, less 1.2 for handing in late." in page
    assert "That costs 10 % of the 12 points." in page
    assert "All notebooks of the assignment together: 2.8 of 12 points." in page
    assert "Problem set: problem1" in (course.root / "feedback/ada/ps1/problem1.html").read_text()


def test_tables_and_reports_tell_rows_of_one_name_apart(ours: tuple[Course, dict]) -> None:
    course, _ = ours
    ps1 = course.assignment("ps1")
    lines = table_text(scores_of(course, ps1), ps1, course).splitlines()
    assert lines[0].endswith('"problem1: main","problem2: main","problem2: why"')
    assert lines[2].startswith('"bob","",4,12,0')
    found = read_class(course, ps1)
    assert [(item.name, item.of) for item in found.items][:2] == [("problem1: main", 6), ("problem2: main", 6)]
    assert {check.name for item in found.items for check in item.checks} == {"test_scale", "test_shift"}
    assert "problem2: main" in class_page(found, course.timezone)
    (chapter,) = history(course, "eve")
    assert [(each.row, each.score) for each in chapter.lost] == [("problem1: main", 0)]
    assert chapter.first.startswith("problem1: main: ")


def test_a_row_is_explained_by_its_name_among_all_or_by_a_function(ours: tuple[Course, dict]) -> None:
    course, _ = ours
    ps1 = course.assignment("ps1")
    for name in ("problem1: main", "scale"):
        found = explain(course, ps1, "eve", name)
        assert (found.row.name, found.row.score, found.differences) == ("main", 0, ())
    with pytest.raises(ConfigError, match="there is more than one row 'main' in ps1"):
        explain(course, ps1, "eve", "main")


def test_one_notebook_is_checked_by_itself(ours: tuple[Course, dict]) -> None:
    course, _ = ours
    ps1, path = course.assignment("ps1"), course.root / "submitted/eve/ps1/problem2.ipynb"
    report = check_hand_in(course, part_of(ps1, path), path, sandbox="bubblewrap", now=datetime.now(UTC))
    assert (report.score, report.max_score) == (6, 6)
    with pytest.raises(ConfigError, match=r"Call it problem1.ipynb or problem2.ipynb"):
        part_of(ps1, Path("mine.ipynb"))


def test_one_of_another_name_is_known_by_its_text(ours: tuple[Course, dict]) -> None:
    course, results = ours
    assert results["dee"].why == ""
    page = json.loads((course.root / "autograded/dee/ps1/problem2.ipynb").read_text())["cells"][0]["source"]
    assert "Your file is called my second.ipynb; call it problem2.ipynb." in "".join(page).replace("&#95;", "_")


# Runs


def test_what_is_unchanged_is_kept_and_what_changed_in_one_is_graded_again(course: Course) -> None:
    submit_problems(course.root, "ada", problem1=wrong(), problem2=problem2())
    assert graded(course)["ada"].report.score == 6
    assert graded(course)["ada"].status == "kept"
    submit_problems(course.root, "ada", problem1=problem1())
    again = graded(course)["ada"]
    assert (again.status, again.report.score) == ("graded", 10)


def test_an_error_of_ours_in_one_leaves_the_whole_hand_in_as_it_was(course: Course) -> None:
    submit_problems(course.root, "ada", problem1=wrong(), problem2=problem2())
    graded(course)
    checks = course.root / "checks/ps1/problem2/test_problem2.py"
    checks.write_text(checks.read_text().replace("matches(", "raise RuntimeError('ours') or matches("))
    submit_problems(course.root, "ada", problem1=problem1())
    failed = graded(course)["ada"]
    assert failed.status == "failed"
    assert failed.why == "problem2: test_shift: RuntimeError: ours"
    assert held(course)["ada"].scores["problem1: test_main"] == 0


def test_a_link_in_the_place_of_one_is_refused(course: Course) -> None:
    folder = submit_problems(course.root, "ada", problem1=problem1())
    (folder / "problem2.ipynb").symlink_to(course.root / "source/ps1/problem2.ipynb")
    refused = graded(course)["ada"]
    assert refused.status == "refused"
    assert "problem2.ipynb is a symbolic link" in refused.why


def test_a_hand_in_without_any_notebook_is_told_so_and_its_answers_wait(course: Course) -> None:
    (course.root / "submitted/ada/ps1").mkdir(parents=True)
    assert graded(course)["ada"].report.score == 0
    assert held(course)["ada"].needs_manual_grade


def test_where_a_notebook_is_there_that_nobody_knows_its_answers_wait(course: Course) -> None:
    essay = problem2()
    essay["cells"] = essay["cells"][-1:]
    essay["cells"][0]["metadata"] = {}
    submit_problems(course.root, "ada", problem1=problem1(), essay=essay)
    reason = graded(course)["ada"].report.rows[1].checks[0].reason
    assert reason == f"{MISSING.rstrip('.')}, and essay.ipynb has not its text."
    assert held(course)["ada"].scores["problem2: why"] is None
    assert held(course)["ada"].needs_manual_grade


@pytest.mark.thorough
def test_a_watch_grades_both_and_writes_both_pages(course: Course) -> None:
    submit_problems(course.root, "ada", problem1=problem1(), problem2=problem2())
    said: list[str] = []
    watch(course, course.assignment("ps1"), jobs=1, once=True, told=lambda _, what: said.append(what))
    assert said[0].startswith("10 of 10; feedback"), said
    for name in NAMES:
        assert (course.root / f"feedback/ada/ps1/{name}.html").is_file()
    said.clear()
    watch(course, course.assignment("ps1"), jobs=1, once=True, told=lambda _, what: said.append(what))
    assert said == []


def test_both_travel_to_another_machine_and_their_grade_back(ours: tuple[Course, dict], tmp_path: Path) -> None:
    course, results = ours
    ps1 = course.assignment("ps1")
    there = unpacked_assignment(packed_assignment(ps1), tmp_path)
    assert [*map(assignment_digest, there.parts)] == [*map(assignment_digest, ps1.parts)]
    for student in ("eve", "bob"):
        (folder,) = submissions(course.root, "ps1", [student], timezone=course.timezone)
        entry = find_hand_in(folder, ps1)
        arrived = unpacked_hand_in(packed_hand_in(entry, ps1), tmp_path / student)
        back = unpacked_grade(packed_grade(grade_hand_in(arrived, there, "bubblewrap")), entry, ps1)
        assert back.report.rows == results[student].report.rows
        assert [each.submission.own for each in back.parts][1:] == [
            each.submission.own for each in grade_hand_in(entry, ps1, "bubblewrap").parts
        ][1:]


# nbgrader's own commands


GRADES = """
    SELECT s.student_id, o.name, c.name, g.auto_score, g.manual_score, g.needs_manual_grade, n.late_submission_penalty,
        s.timestamp
    FROM grade g JOIN base_cell c ON c.id = g.cell_id JOIN submitted_notebook n ON n.id = g.notebook_id
    JOIN notebook o ON o.id = n.notebook_id JOIN submitted_assignment s ON s.id = n.assignment_id ORDER BY 1, 2, 3
"""
COMMENTS = """
    SELECT s.student_id, o.name, c.name, m.auto_comment FROM comment m JOIN base_cell c ON c.id = m.cell_id
    JOIN submitted_notebook n ON n.id = m.notebook_id JOIN notebook o ON o.id = n.notebook_id
    JOIN submitted_assignment s ON s.id = n.assignment_id ORDER BY 1, 2, 3
"""


def table(root: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(root / "gradebook.db")) as connection:
        return connection.execute(query).fetchall()


def nbgrader(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(root.parent), "LANG": "C.UTF-8"}
    return run(NBGRADER, "nbgrader", *arguments, cwd=root, environment=environment)


@pytest.fixture(scope="module")
def theirs(
    template: tuple[Path, ReleaseResult], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, subprocess.CompletedProcess[str]]]:
    """The class, graded by ``nbgrader autograde``."""
    root = tmp_path_factory.mktemp("theirs") / "course"
    shutil.copytree(template[0], root)
    hand_in(root)
    return root, nbgrader(root, "autograde", "ps1")


def test_nbgrader_autograde_gives_the_same_grades(theirs: Any, ours: tuple[Course, dict]) -> None:
    root, said = theirs
    assert said.returncode == 0, said.stderr
    assert table(root, GRADES) == table(ours[0].root, GRADES)
    assert table(root, COMMENTS) == table(ours[0].root, COMMENTS)
    assert {result.status for result in graded(load_course(root)).values()} == {"kept"}


def test_nbgrader_autograde_leaves_the_same_files(theirs: Any, ours: tuple[Course, dict]) -> None:
    found = []
    for root in (theirs[0], ours[0].root):
        files = [path for path in (root / "autograded").rglob("*") if path.is_file()]
        found.append({path.relative_to(root): path.read_bytes() if path.suffix == ".ipynb" else b"" for path in files})
    assert found[0] == found[1]


@pytest.mark.thorough
def test_nbgrader_writes_a_page_of_each(theirs: Any) -> None:
    root, _ = theirs
    said = nbgrader(root, "generate_feedback", "ps1", "--force")
    assert said.returncode == 0, said.stderr
    assert "(Score: 4.0 / 4.0)" in (root / "feedback/ada/ps1/problem1.html").read_text()
    assert "(Score: 0.0 / 8.0)" in (root / "feedback/bob/ps1/problem2.html").read_text()
    assert not list((root / "feedback").rglob("autograder-result*"))


def test_an_error_of_ours_in_one_leaves_nbgraders_grades_of_all_as_they_were(course: Course) -> None:
    submit_problems(course.root, "ada", problem1=wrong(), problem2=problem2())
    graded(course)
    before = table(course.root, GRADES)
    checks = course.root / "checks/ps1/problem2/test_problem2.py"
    checks.write_text(checks.read_text().replace("matches(", "raise RuntimeError('ours') or matches("))
    submit_problems(course.root, "ada", problem1=problem1())
    said = nbgrader(course.root, "autograde", "ps1", "--force")
    assert said.returncode == 1
    assert "ps1 could not be graded, and keeps the grade that it had" in said.stderr
    assert table(course.root, GRADES) == before


# Collecting


def test_from_an_lms_each_notebook_is_taken(course: Course, tmp_path: Path) -> None:
    one, two = (json.dumps(tree).encode() for tree in (problem1(), problem2()))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("ada_101_9001_problem1.ipynb", one)
        archive.writestr("ada_101_9002_problem2-1.ipynb", two)
        archive.writestr("bob_102_9003_my work.ipynb", two)
        archive.writestr("cy_103_9004_essay.txt", b"No notebook.")
    results = collect(course, course.assignment("ps1"), tmp_path / "all.zip", known=[], people=PEOPLE)
    assert [(each.who, each.status) for each in results] == [("ada", "new"), ("bob", "new"), ("cy", "not taken")]
    there = {
        student: [path.name for path in sorted((course.root / "submitted" / student / "ps1").iterdir())]
        for student in ("ada", "bob")
    }
    assert there == {"ada": ["problem1.ipynb", "problem2.ipynb"], "bob": ["problem2.ipynb"]}
    again = collect(course, course.assignment("ps1"), tmp_path / "all.zip", known=[], people=PEOPLE)
    assert [each.status for each in again][:2] == ["unchanged", "unchanged"]


def test_a_folder_of_students_folders_is_collected(course: Course, tmp_path: Path) -> None:
    write(tmp_path / "all/ada/problem1.ipynb", problem1())
    write(tmp_path / "all/ada/problem2.ipynb", problem2())
    write(tmp_path / "all/bob.ipynb", problem1())
    results = collect(course, course.assignment("ps1"), tmp_path / "all", known=[])
    assert [(each.who, each.status) for each in results] == [("ada", "new"), ("bob.ipynb", "not taken")]
    assert "expected STUDENT/problem1.ipynb" in results[1].why
