"""An assignment is one notebook: its solutions are the reference, its test cells are the checks and run outside."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from autograder.authoring import release
from autograder.base import CheckError, ReleaseError
from autograder.checking import load_reference
from autograder.course import Assignment, load_course
from autograder.grading import Grader, Report
from autograder.submission import read_submission
from tests.courses import Notebook, cell, notebook, write

CONFIG = """\
name: tiny
timezone: UTC
assignments:
  sums:
    limits: {cell_seconds: 1, call_seconds: 0.5, submission_seconds: 30}
    allowed_imports: [numpy]
"""

MASTER = notebook(
    cell("import numpy as np\nfactor = 3", "given", role="locked"),
    cell(
        "def triple(x):\n    ### BEGIN SOLUTION\n    return factor * x\n    ### END SOLUTION", "triple", role="solution"
    ),
    cell(
        '"""Numbers are tripled."""\nassert triple(2) == 6\n### BEGIN HIDDEN TESTS\n'
        "assert triple(-1) == -3, f'it should be {-3}'\n### END HIDDEN TESTS",
        "numbers",
        role="test",
        points=2,
    ),
    cell("assert np.allclose(triple(np.ones(2)), 3)", "arrays", role="test", points=1.5),
    cell(
        "def total(xs):\n    ### BEGIN SOLUTION\n    return sum(triple(x) for x in xs)\n    ### END SOLUTION",
        "total",
        role="solution",
    ),
    cell("assert total([1, 2]) == 9\nassert total([]) == 0", "test_total", role="test", points=4),
    cell("### BEGIN SOLUTION\nanswer = 1\n### END SOLUTION", "first", role="solution"),
    cell("assert answer == 1", "first_answer", role="test", points=1),
    cell("### BEGIN SOLUTION\nanswer = 2\n### END SOLUTION", "second", role="solution"),
    cell("assert answer == 2", "second_answer", role="test", points=1),
    cell(
        "class Counter:\n    def __init__(self):\n        ### BEGIN SOLUTION\n        self.count = 0\n"
        "        ### END SOLUTION\n    def bump(self):\n        ### BEGIN SOLUTION\n        self.count += 1\n"
        "        return self\n        ### END SOLUTION",
        "counter",
        role="solution",
    ),
    cell("c = Counter()\nassert c.bump().bump().count == 2", "counting", role="test", points=2),
    cell(
        "def counted(n):\n    ### BEGIN SOLUTION\n    counter = Counter()\n    for _ in range(n):\n"
        "        counter.bump()\n    return counter.count\n    ### END SOLUTION",
        "counted",
        role="solution",
    ),
    cell("assert counted(3) == 3", "test_counted", role="test", points=1),
)


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as made:
        yield made


def course_of(root: Path, master: Notebook = MASTER, config: str = CONFIG) -> Path:
    write(root / "source/sums/sums.ipynb", master)
    (root / "gradebook_config.yaml").write_text(config)
    (root / "nbgrader_config.py").write_text("c = get_config()\n")
    root.chmod(0o700)
    return root


def released(root: Path, grader: Grader, master: Notebook = MASTER, config: str = CONFIG) -> Assignment:
    course = load_course(course_of(root, master, config))
    release(course, "sums", grade=grader.grade)
    return load_course(root).assignment("sums")


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory, grader: Grader) -> Assignment:
    return released(tmp_path_factory.mktemp("course"), grader)


def graded(grader: Grader, assignment: Assignment, folder: Path, changes: Mapping[str, str]) -> Report:
    """The report on the solved master with some cells changed."""
    tree: dict[str, Any] = copy.deepcopy(json.loads(assignment.master.read_text()))
    for each in tree["cells"]:
        name = each["metadata"].get("nbgrader", {}).get("grade_id", "")
        each["source"] = changes.get(name, each["source"])
    path = folder / "sums.ipynb"
    path.write_text(json.dumps(tree))
    return grader.grade(read_submission(path, assignment), assignment)


def scores(report: Report) -> dict[str, float | None]:
    return {row.name: row.score for row in report.rows}


def reasons(report: Report) -> str:
    return "\n".join(check.reason for row in report.rows for check in row.checks)


FULL = {"numbers": 2, "arrays": 1.5, "total": 4, "first_answer": 1, "second_answer": 1, "counting": 2, "counted": 1}


def test_a_master_alone_is_released_and_its_solution_has_full_marks(sums: Assignment, grader: Grader, tmp_path: Path):
    assert scores(graded(grader, sums, tmp_path, {})) == FULL


def test_what_is_hidden_is_not_in_the_release(sums: Assignment):
    text = sums.release.read_text()
    assert "triple(2)" in text
    assert "triple(-1)" not in text
    assert "factor * x" not in text


def test_the_untouched_release_has_nothing(sums: Assignment, grader: Grader):
    report = grader.grade(read_submission(sums.release, sums), sums)
    assert set(scores(report).values()) == {0}
    assert not report.errored


def test_a_hidden_test_decides_and_says_only_its_authors_own_words(sums: Assignment, grader: Grader, tmp_path: Path):
    report = graded(grader, sums, tmp_path, {"triple": "def triple(x): return abs(3 * x)"})
    assert scores(report) == FULL | {"numbers": 0}
    assert reasons(report).strip() == "it should be …."


def test_a_visible_test_says_which_of_its_assertions_does_not_hold(sums: Assignment, grader: Grader, tmp_path: Path):
    report = graded(grader, sums, tmp_path, {"total": "def total(xs): return 9"})
    assert scores(report) == FULL | {"total": 0}
    assert "`assert total([]) == 0` does not hold." in reasons(report)


def test_a_mistake_of_an_earlier_row_costs_no_later_one(sums: Assignment, grader: Grader, tmp_path: Path):
    report = graded(grader, sums, tmp_path, {"triple": "def triple(x): return 2 * x"})
    assert scores(report) == FULL | {"numbers": 0, "arrays": 0}
    assert next(row.carried for row in report.rows if row.name == "total") == ("triple",)


def test_a_test_cell_sees_the_names_as_they_are_at_its_place(sums: Assignment, grader: Grader, tmp_path: Path):
    assert scores(graded(grader, sums, tmp_path, {"first": "answer = 2"})) == FULL | {"first_answer": 0}


def test_what_only_shows_is_no_part_of_the_reference(grader: Grader, tmp_path: Path):
    master, drawn = copy.deepcopy(MASTER), tmp_path / "drawn"
    figure = cell(f"open({str(drawn)!r}, 'a').write('drawn ')", "figure", role="locked")
    figure["metadata"]["tags"] = ["only-shows"]
    master["cells"].insert(2, figure)
    shows = released(tmp_path / "course", grader, master)
    report = graded(grader, shows, tmp_path, {"triple": "def triple(x): return 2 * x"})
    assert scores(report) == FULL | {"numbers": 0, "arrays": 0}
    assert not drawn.exists()


def test_a_wrong_class_costs_its_own_row(sums: Assignment, grader: Grader, tmp_path: Path):
    wrong = "class Counter:\n    count = 0\n    def bump(self): return self"
    report = graded(grader, sums, tmp_path, {"counter": wrong})
    assert scores(report) == FULL | {"counting": 0}
    assert next(row.carried for row in report.rows if row.name == "counted") == ("Counter",)


def test_an_object_that_says_it_equals_everything_has_nothing(sums: Assignment, grader: Grader, tmp_path: Path):
    liar = (
        "class Liar:\n    def __eq__(self, other): return True\n    def __radd__(self, other): return self\n"
        "def triple(x): return Liar()"
    )
    report = graded(grader, sums, tmp_path, {"triple": liar, "total": "def total(xs): return Liar()"})
    assert scores(report) == FULL | {"numbers": 0, "arrays": 0, "total": 0}


def test_a_function_that_hangs_or_ends_python_costs_its_own_rows(sums: Assignment, grader: Grader, tmp_path: Path):
    report = graded(grader, sums, tmp_path, {"triple": "import os\ndef triple(x): os._exit(3)"})
    assert scores(report) == FULL | {"numbers": 0, "arrays": 0}
    assert "Python itself ended" in reasons(report)


def test_a_cell_that_raises_leaves_the_rows_of_the_others(sums: Assignment, grader: Grader, tmp_path: Path):
    report = graded(grader, sums, tmp_path, {"first": "answer = 1 / 0"})
    assert scores(report) == FULL | {"first_answer": 0}
    assert "`answer` is not defined" in reasons(report)


def test_a_test_cell_of_which_a_part_is_a_share_gives_points_for_each(grader: Grader, tmp_path: Path):
    shared = released(tmp_path / "course", grader, config=CONFIG + "    partial: true\n")
    report = graded(grader, shared, tmp_path, {"total": "def total(xs): return 9"})
    assert scores(report) == FULL | {"total": 2}


def with_test(source: str, points: float = 2) -> Notebook:
    return notebook(
        cell("def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION", "f", role="solution"),
        cell(source, "test_f", role="test", points=points),
    )


def test_the_last_value_of_a_test_cell_is_its_points_where_it_is_a_number(grader: Grader, tmp_path: Path):
    test = "points = 0.5 if f(1) == 1 else 0\npoints += 1.5 if f(2) == 2 else 0\npoints"
    half = released(tmp_path / "course", grader, with_test(test))
    assert scores(graded(grader, half, tmp_path, {"f": "def f(x): return 1"})) == {"f": 0.5}
    assert scores(graded(grader, half, tmp_path, {})) == {"f": 2}


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("assert f(nowhere) == 1", "line 1: name 'nowhere' is not defined"),
        ("import not_there\nassert f(1) == 1", "line 1: ModuleNotFoundError"),
        ("assert f(1 == 1", "it is no valid Python, line 1"),
    ],
)
def test_a_test_cell_that_is_itself_wrong_is_never_a_zero(grader: Grader, tmp_path: Path, test: str, said: str):
    course = load_course(course_of(tmp_path / "course", with_test(test)))
    with pytest.raises(ReleaseError, match="does not work") as refused:
        release(course, "sums", grade=grader.grade)
    assert said in str(refused.value)


def test_a_test_cell_that_the_untouched_release_passes_is_not_released(grader: Grader, tmp_path: Path):
    course = load_course(course_of(tmp_path / "course", with_test("assert callable(f)")))
    with pytest.raises(ReleaseError, match="the untouched release passes test_f"):
        release(course, "sums", grade=grader.grade)


def test_what_makes_a_test_cell_run_for_ever_is_the_submissions_failure(grader: Grader, tmp_path: Path):
    long = released(tmp_path / "course", grader, with_test("while f(1) != 1:\n    pass\nassert f(1) == 1"))
    report = graded(grader, long, tmp_path, {"f": "def f(x): return 2"})
    assert scores(report) == {"f": 0}
    assert not report.errored


@pytest.mark.parametrize("name", ["equivalent.yaml", "mistakes.py"])
def test_what_an_author_lists_beside_no_reference_makes_none(tmp_path: Path, name: str):
    (course_of(tmp_path) / "solutions/sums").mkdir(parents=True)
    (tmp_path / "solutions/sums" / name).write_text("")
    assert load_reference(load_course(tmp_path).assignment("sums")).triple(2) == 6


@pytest.mark.parametrize("head", ["open('../style.css').read()", "display(factor)", "get_ipython()", "no_such_name"])
def test_a_cell_of_the_master_that_fails_or_shows_something_keeps_no_later_one_from_the_reference(
    tmp_path: Path, head: str
):
    master = copy.deepcopy(MASTER)
    master["cells"].insert(1, cell(head, "head", role="locked"))
    root = course_of(tmp_path, master)
    assert load_reference(load_course(root).assignment("sums")).total([1, 2]) == 9


def test_a_reference_that_lacks_its_module_is_named(tmp_path: Path):
    (course_of(tmp_path) / "solutions/sums").mkdir(parents=True)
    (tmp_path / "solutions/sums/layers.py").write_text("")
    with pytest.raises(CheckError, match=r"sums has no reference: .*__init__\.py is missing"):
        load_reference(load_course(tmp_path).assignment("sums"))
