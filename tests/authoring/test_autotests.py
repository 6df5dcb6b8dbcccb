"""Tests that nbgrader makes of AUTOTEST lines when an assignment is released."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import nbgrader
import pytest

from autograder.authoring import release
from autograder.base import ReleaseError
from autograder.checking import plan_of
from autograder.course import load_course, master_cells
from autograder.grading import Grader
from tests.commands import autograder
from tests.courses import cell, notebook
from tests.grading.test_one_notebook import course_of, graded, scores

pytestmark = pytest.mark.sandbox

TEMPLATES = Path(nbgrader.__file__).parent / "docs/source/user_guide/autotests.yml"
SOLUTION = "def squares(n):\n    ### BEGIN SOLUTION\n    return [k * k for k in range(n)]\n    ### END SOLUTION"
TEST = """\
assert squares(1) == [0]
### AUTOTEST squares(3)
### BEGIN HIDDEN TESTS
### HASHED AUTOTEST squares(5); sum(squares(6))
### END HIDDEN TESTS"""
MASTER = notebook(
    cell(SOLUTION, "squares", role="solution"),
    cell(TEST, "test_squares", role="test", points=2),
)


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as made:
        yield made


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course whose assignment was released, by the command: nbgrader leaves the sockets of its kernel open."""
    made = course_of(tmp_path_factory.mktemp("course"), MASTER)
    shutil.copy(TEMPLATES, made)
    (made / "source").chmod(0o700)
    done = autograder(made, "release", "sums")
    assert done.returncode == 0, done.stderr
    return made


def test_cell(path: Path) -> str:
    return next(each.source for each in master_cells(path) if each.grade_id == "test_squares")


test_cell.__test__ = False  # type: ignore[attr-defined]


def test_the_release_has_the_tests_and_none_that_are_hidden(root: Path) -> None:
    released = test_cell(root / "release/sums/sums.ipynb")
    assert "assert str(squares(3))" in released
    assert "[0, 1, 4]" in released
    assert "AUTOTEST" not in released
    assert "squares(5)" not in released


def test_the_hidden_tests_have_a_hash_of_the_solutions_value(root: Path) -> None:
    made = test_cell(root / "source_with_tests/sums/sums.ipynb")
    assert "squares(5)" in made
    assert "[0, 1, 4, 9, 16]" not in made


def test_the_masters_that_nbgrader_made_are_as_closed_as_the_source(root: Path) -> None:
    assert stat.S_IMODE((root / "source_with_tests").stat().st_mode) == 0o700
    assert stat.S_IMODE((root / "source_with_tests/sums").stat().st_mode) == 0o700


def test_the_source_keeps_its_lines(root: Path) -> None:
    assert test_cell(root / "source/sums/sums.ipynb") == TEST


def test_another_release_makes_the_same_tests(root: Path) -> None:
    files = [root / folder / "sums/sums.ipynb" for folder in ("source_with_tests", "release")]
    before = [path.read_bytes() for path in files]
    assert autograder(root, "release", "sums").returncode == 0
    assert [path.read_bytes() for path in files] == before


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("def squares(n): return [k ** 2 for k in range(n)]", 2),
        ("def squares(n): return [k * k for k in range(min(n, 4))]", 0),
        ("def squares(n): return [float(k * k) for k in range(n)]", 0),
    ],
    ids=["right", "wrong where it is hidden", "of another type"],
)
def test_the_tests_that_nbgrader_made_count(
    root: Path, grader: Grader, tmp_path: Path, answer: str, score: float
) -> None:
    assignment = load_course(root).assignment("sums")
    assert scores(graded(grader, assignment, tmp_path, {"squares": answer})) == {"squares": score}


def test_an_assignment_without_templates_is_not_released(tmp_path: Path, grader: Grader) -> None:
    made = course_of(tmp_path / "course", MASTER)
    with pytest.raises(ReleaseError, match=r"autotests\.yml"):
        release(load_course(made), "sums", grade=grader.grade)
    assert not (made / "release").exists()
    assert not (made / "source_with_tests").exists()


def test_a_cell_of_which_no_tests_were_made_gives_no_verdict(tmp_path: Path) -> None:
    path = tmp_path / "sums.ipynb"
    path.write_text(json.dumps(MASTER))
    assert "line 2: nbgrader has made no test" in plan_of(master_cells(path)).tests["test_squares"].problem
