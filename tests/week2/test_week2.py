"""The flagship assignment as it is committed: release, points, and what a perfect and an untouched notebook get."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.authoring import release
from autograder.course import load_course
from autograder.grading import Grader
from autograder.submission import read_submission

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def week2():
    return load_course(ROOT).assignment("week2")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The course without its release, in a folder of its own."""
    root = tmp_path_factory.mktemp("course") / "course"
    root.mkdir()
    for name in ("gradebook_config.yaml", "nbgrader_config.py"):
        shutil.copy(ROOT / name, root)
    for name in ("source", "solutions", "checks"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    return root


@pytest.fixture(scope="module")
def reports(week2):
    """What the solved master and the committed release get."""
    with Grader() as grader:
        return {path: grader.grade(read_submission(path, week2), week2) for path in (week2.master, week2.release)}


def test_the_committed_release_is_what_the_master_gives(copy, week2):
    made = release(load_course(copy), "week2")
    assert (made.folder / "week2.ipynb").read_bytes() == week2.release.read_bytes()
    assert sorted(path.name for path in made.folder.iterdir()) == sorted(
        path.name for path in week2.release.parent.iterdir()
    )


def test_the_assignment_has_100_points_of_which_5_wait_for_a_hand(week2):
    assert week2.max_score == 100
    assert week2.manual == {"reflection": 5}


def test_the_solved_master_has_full_marks_in_every_row(reports, week2):
    report = reports[week2.master]
    assert {row.name: row.score for row in report.rows} == {row.name: row.points for row in week2.rows}
    assert report.score == 95


def test_the_untouched_release_scores_nothing(reports, week2):
    report = reports[week2.release]
    assert report.score == 0
    assert not any(check.outcome == "passed" for row in report.rows for check in row.checks)


def test_every_check_of_the_untouched_release_says_that_nothing_is_written(reports, week2):
    reasons = {check.reason for row in reports[week2.release].rows for check in row.checks}
    assert all("not written yet" in reason for reason in reasons)


def test_the_solved_master_runs_without_an_error_or_a_warning_its_figures_too(week2):
    with Grader() as grader:
        report = grader.grade(read_submission(week2.master, week2), replace(week2, show=True))
    for cell in report.cells:
        assert cell.status == "ok"
        assert not [output for output in cell.outputs if output.get("name") == "stderr"]


def test_the_due_date_is_a_sunday_at_one_minute_to_midnight_in_the_east(week2):
    assert f"{week2.due:%A %H:%M %Z}" == "Sunday 23:59 EST"


def test_no_figure_and_no_output_is_committed(week2):
    for path in (week2.master, week2.release):
        cells = json.loads(path.read_text())["cells"]
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
