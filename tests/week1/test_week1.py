"""Week 1 as it is committed: an assignment that is one notebook, and what right and wrong answers to it get."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.authoring import release
from autograder.course import Assignment, load_course
from autograder.grading import Grader, Report
from autograder.submission import Submission, read_submission
from tests.week1.answers import STYLES, WRONG, Wrong

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def week1() -> Assignment:
    return load_course(ROOT).assignment("week1")


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as made:
        yield made


@pytest.fixture(scope="module")
def solved(grader: Grader, week1: Assignment) -> Report:
    return grader.grade(read_submission(week1.master, week1), week1)


@pytest.fixture(scope="module")
def untouched(grader: Grader, week1: Assignment) -> Report:
    return grader.grade(read_submission(week1.release, week1), week1)


def graded(grader: Grader, week1: Assignment, folder: Path, answers: Mapping[str, str]) -> dict[str, float]:
    """The share of its points that each row has, of the solved master with other code in some cells."""
    tree = json.loads(week1.master.read_text())
    for cell in tree["cells"]:
        cell["source"] = answers.get(cell["id"], cell["source"])
    path = folder / "week1.ipynb"
    path.write_text(json.dumps(tree))
    report = grader.grade(read_submission(path, week1), week1)
    assert not report.errored
    return {row.name: row.score / row.points for row in report.rows}


def test_the_assignment_is_a_notebook_alone(week1: Assignment) -> None:
    assert not week1.solutions.exists()
    assert not week1.checks.exists()


def test_it_has_100_points_of_which_5_wait_for_a_hand(week1: Assignment) -> None:
    assert week1.max_score == 100
    assert week1.manual == {"reflection": 5}


def test_the_solved_master_has_full_marks_in_every_row(solved: Report, week1: Assignment) -> None:
    assert {row.name: row.score for row in solved.rows} == {row.name: row.points for row in week1.rows}
    assert solved.score == 95


def test_the_untouched_release_has_nothing(untouched: Report) -> None:
    assert untouched.score == 0
    assert not any(check.outcome == "passed" for row in untouched.rows for check in row.checks)


def test_the_committed_release_is_what_the_master_gives(
    week1: Assignment, solved: Report, untouched: Report, tmp_path: Path
) -> None:
    for name in ("gradebook_config.yaml", "nbgrader_config.py"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "source/week1", tmp_path / "source/week1")
    tmp_path.chmod(0o700)

    def known(given: Submission, of: Assignment) -> Report:
        return solved if "BEGIN SOLUTION" in str(given.notebook) else untouched

    made = release(load_course(tmp_path), "week1", grade=known)
    assert made.files == ("week1.ipynb",)
    assert (made.folder / "week1.ipynb").read_bytes() == week1.release.read_bytes()


def test_no_output_is_committed(week1: Assignment) -> None:
    for path in (week1.master, week1.release):
        cells = json.loads(path.read_text())["cells"]
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def test_each_point_is_a_check_of_its_own(solved: Report) -> None:
    assert {row.name: len(row.checks) for row in solved.rows} == {row.name: row.points for row in solved.rows}


# Right and wrong answers


def test_of_answers_in_another_style_the_wrong_ones_alone_lose_points(
    grader: Grader, week1: Assignment, tmp_path: Path
) -> None:
    wrong = {each.row: each.code for each in WRONG if each.what in ("no mean", "any for all")}
    shares = graded(grader, week1, tmp_path, STYLES["einsum"] | wrong)
    assert {row for row, share in shares.items() if share < 1} == set(wrong)


@pytest.mark.thorough
@pytest.mark.parametrize("style", STYLES)
def test_right_answers_in_other_styles_have_full_marks(
    grader: Grader, week1: Assignment, tmp_path: Path, style: str
) -> None:
    shares = graded(grader, week1, tmp_path, STYLES[style])
    assert {row: share for row, share in shares.items() if share < 1} == {}


@pytest.mark.thorough
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.row}: {wrong.what}")
def test_a_mistake_costs_its_own_row_alone(grader: Grader, week1: Assignment, tmp_path: Path, wrong: Wrong) -> None:
    shares = graded(grader, week1, tmp_path, {wrong.row: wrong.code})
    assert {row for row, share in shares.items() if share < 1} == {wrong.row}


@pytest.mark.thorough
@pytest.mark.parametrize("place", range(8))
def test_mistakes_in_every_second_row_cost_no_other(
    grader: Grader, week1: Assignment, tmp_path: Path, place: int
) -> None:
    rows = list(dict.fromkeys(wrong.row for wrong in WRONG))[place % 2 :: 2]
    of = {row: [wrong.code for wrong in WRONG if wrong.row == row] for row in rows}
    shares = graded(grader, week1, tmp_path, {row: codes[place // 2 % len(codes)] for row, codes in of.items()})
    assert {row for row, share in shares.items() if share < 1} == set(rows)


@pytest.mark.thorough
def test_the_figures_are_drawn_without_an_error_or_a_warning(grader: Grader, week1: Assignment) -> None:
    report = grader.grade(read_submission(week1.master, week1), replace(week1, show=True))
    for cell in report.cells:
        assert cell.status == "ok"
        assert not [output for output in cell.outputs if output.get("name") == "stderr"]
