"""Right answers in many styles, each of which has to have full marks: tests/week2/alternates/*.ipy.

A file is a notebook in the percent format: ``# %% softmax`` begins the solution cell of a row, ``# %%`` a cell of the
student's own. Rows that a file leaves out are solved as in the master notebook.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Assignment, load_course
from autograder.grading import Grader
from autograder.submission import read_submission
from tests.courses import cell

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).parents[2]
ALTERNATES = sorted((ROOT / "tests/week2/alternates").glob("*.ipy"))


@pytest.fixture(scope="module")
def master() -> dict[str, dict[str, Any]]:
    """The solved master's cells that count, by their ``grade_id``; without visible checks, which take time."""
    course = load_course(ROOT).assignment("week2")
    rows = {row.name: row.test_id for row in course.rows}
    counted = {"setup", *course.manual, *rows, *rows.values()}
    cells = {}
    for each in json.loads(course.master.read_text(encoding="utf-8"))["cells"]:
        grade_id = each["metadata"].get("nbgrader", {}).get("grade_id")
        if grade_id in counted:
            cells[grade_id] = each | ({"source": ""} if grade_id in rows.values() else {})
    return cells


@pytest.fixture(scope="module")
def week2(master: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Assignment:
    """Week 2 with a release of the cells that count."""
    release = tmp_path_factory.mktemp("release") / "week2.ipynb"
    write(release, list(master.values()))
    return replace(load_course(ROOT).assignment("week2"), release=release)


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as grader:
        yield grader


def write(path: Path, cells: list[dict[str, Any]]) -> None:
    tree = {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(tree), encoding="utf-8")


def cells_of(text: str, master: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The notebook that a file stands for: the master's cells with its own, each after the cell before it there."""
    own: dict[str, list[dict[str, Any]]] = {"setup": []}
    solved, last = {}, "setup"
    for name, source in re.findall(r"(?m)^# %% ?(\w*)\n((?:(?!# %%).*\n?)*)", text):
        if name:
            assert name in master, f"the master has no row {name}"
            solved[name], last = master[name] | {"source": source}, name
        else:
            own.setdefault(last, []).append(cell(source))
    return [each for name in master for each in (solved.get(name, master[name]), *own.get(name, ()))]


def test_every_row_is_answered_in_several_styles(week2: Assignment) -> None:
    texts = [path.read_text(encoding="utf-8") for path in ALTERNATES]
    for row in week2.rows:
        assert sum(bool(re.search(rf"(?m)^# %% {row.name}$", text)) for text in texts) >= 3, row.name


SOME = [
    pytest.param(path, id=path.stem, marks=() if place % 3 == 0 else pytest.mark.thorough)
    for place, path in enumerate(ALTERNATES)
]
"""Each is a whole notebook, which takes seconds: two of three are left to `make thorough`."""


@pytest.mark.parametrize("path", SOME)
def test_a_right_answer_has_full_marks_in_whatever_style(
    path: Path, master: dict[str, dict[str, Any]], week2: Assignment, grader: Grader, tmp_path: Path
) -> None:
    notebook = tmp_path / "week2.ipynb"
    write(notebook, cells_of(path.read_text(encoding="utf-8"), master))
    report = grader.grade(read_submission(notebook, week2), week2)
    lost = [f"{row.name}: {check.reason}" for row in report.rows for check in row.checks if check.outcome != "passed"]
    assert not lost, "\n".join(lost)
    assert report.score == 95
    assert not any(row.carried for row in report.rows), "a right answer needs no help"
