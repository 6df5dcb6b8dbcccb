"""Week 3 as it is committed: points, release, and what a perfect, an untouched and a mistaken notebook get."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nbgrader.preprocessors import ClearSolutions

from autograder.authoring import release, stock_mistakes
from autograder.course import Assignment, load_course
from autograder.grading import Grader, Report
from autograder.submission import read_submission
from tests.courses import write

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def week3() -> Assignment:
    return load_course(ROOT).assignment("week3")


@pytest.fixture(scope="module")
def master(week3: Assignment) -> dict[str, str]:
    """The sources of the master's cells, by their ids."""
    cells = json.loads(week3.master.read_text(encoding="utf-8"))["cells"]
    return {cell["id"]: "".join(cell["source"]) for cell in cells}


@pytest.fixture(scope="module")
def bare(week3: Assignment, tmp_path_factory: pytest.TempPathFactory) -> Assignment:
    """Week 3 without what only teaches, visible checks and figures, which take most of a notebook's time."""
    tree = json.loads(week3.release.read_text(encoding="utf-8"))
    tests = {row.test_id for row in week3.rows}
    kept = tests | {row.name for row in week3.rows} | {"setup", "layer", *week3.manual}
    tree["cells"] = [
        cell | {"source": "" if cell["id"] in tests else cell["source"]} for cell in tree["cells"] if cell["id"] in kept
    ]
    return replace(week3, release=write(tmp_path_factory.mktemp("bare") / "week3.ipynb", tree))


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as grader:
        yield grader


def graded(grader: Grader, bare: Assignment, cells: dict[str, str], folder: Path) -> Report:
    """The report on a notebook whose solution cells are these."""
    tree: dict[str, Any] = json.loads(bare.release.read_text(encoding="utf-8"))
    for cell in tree["cells"]:
        cell["source"] = cells.get(cell["id"], cell["source"])
    return grader.grade(read_submission(write(folder / "week3.ipynb", tree), bare), bare)


def losing(report: Report) -> list[str]:
    return [row.name for row in report.rows if row.fraction < 1]


def test_the_assignment_has_100_points_of_which_5_wait_for_a_hand(week3: Assignment) -> None:
    assert week3.max_score == 100
    assert week3.manual == {"reflection": 5}
    assert f"{week3.due:%A %H:%M %Z}" == "Sunday 23:59 EST"


def test_the_committed_release_is_the_master_without_its_solutions(week3: Assignment) -> None:
    import nbformat

    cleared, _ = ClearSolutions().preprocess(nbformat.read(week3.master, as_version=4), {})
    released = nbformat.read(week3.release, as_version=4)
    assert [cell.source for cell in released.cells] == [cell.source for cell in cleared.cells]
    assert not any(cell.get("outputs") for cell in released.cells)


@pytest.mark.sandbox
def test_an_untouched_release_scores_nothing_and_says_that_nothing_is_written(
    grader: Grader, bare: Assignment, tmp_path: Path
) -> None:
    report = graded(grader, bare, {}, tmp_path)
    assert report.score == 0
    assert {check.outcome for row in report.rows for check in row.checks} == {"failed"}
    assert all("not written yet" in row.checks[0].reason for row in report.rows)


@pytest.mark.sandbox
def test_a_solved_notebook_has_full_marks(
    grader: Grader, bare: Assignment, master: dict[str, str], tmp_path: Path
) -> None:
    report = graded(grader, bare, {row.name: master[row.name] for row in bare.rows}, tmp_path)
    assert losing(report) == []
    assert report.score == 95
    assert not any(row.carried for row in report.rows)


MISSING = "class Linear(Layer:"
"""A cell that is no Python."""

CHAINS = [
    pytest.param(("sequential-backward-in-order",), {"linear": MISSING}, ("sequential", "fit"), id="no layer at all"),
    pytest.param(("batch-norm-eps-outside",), {}, ("sequential", "fit"), marks=pytest.mark.thorough, id="layer"),
    pytest.param(("adam-counts-parameters",), {}, ("fit",), marks=pytest.mark.thorough, id="optimiser"),
    pytest.param(("conv2d-flipped", "relu-leaks"), {}, ("fit",), marks=pytest.mark.thorough, id="two layers"),
    pytest.param((), {"linear": MISSING}, ("sequential", "fit"), marks=pytest.mark.thorough, id="no layer"),
]


@pytest.mark.sandbox
@pytest.mark.parametrize(("names", "cells", "helped"), CHAINS)
def test_a_wrong_layer_costs_no_network_anything(
    grader: Grader,
    bare: Assignment,
    master: dict[str, str],
    tmp_path: Path,
    names: tuple[str, ...],
    cells: dict[str, str],
    helped: tuple[str, ...],
) -> None:
    wrong = cells | {each.row: each.code for each in stock_mistakes(bare) if each.name in names}
    report = graded(grader, bare, {row.name: master[row.name] for row in bare.rows} | wrong, tmp_path)
    assert set(losing(report)) == set(wrong)
    assert all(row.carried for row in report.rows if row.name in helped and row.name not in wrong)


@pytest.mark.sandbox
@pytest.mark.thorough
def test_each_stock_mistake_costs_its_own_row_alone(
    grader: Grader, bare: Assignment, master: dict[str, str], tmp_path: Path
) -> None:
    right = {row.name: master[row.name] for row in bare.rows}
    for mistake in stock_mistakes(bare):
        report = graded(grader, bare, right | {mistake.row: mistake.code}, tmp_path)
        assert losing(report) == [mistake.row], mistake.name


@pytest.mark.sandbox
@pytest.mark.thorough
def test_the_committed_release_is_what_the_master_gives(week3: Assignment, tmp_path: Path) -> None:
    for name in ("gradebook_config.yaml", "nbgrader_config.py"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("source", "solutions", "checks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    made = release(load_course(tmp_path), "week3")
    assert (made.folder / "week3.ipynb").read_bytes() == week3.release.read_bytes()


@pytest.mark.sandbox
@pytest.mark.thorough
def test_the_solved_master_runs_without_an_error_or_a_warning_its_figures_too(
    grader: Grader, week3: Assignment
) -> None:
    report = grader.grade(read_submission(week3.master, week3), replace(week3, show=True))
    for cell in report.cells:
        assert cell.status == "ok"
        assert not [output for output in cell.outputs if output.get("name") == "stderr"]
