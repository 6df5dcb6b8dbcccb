"""A row's function that a notebook defines more than once: the student is told which cell's definition was graded."""

import pytest

from autograder import Grader
from autograder.course import load_course
from autograder.feedback import annotated
from autograder.feedback.result import row_comment
from autograder.submission import read_submission
from tests.courses import cell, make_course, solved, write

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def assignment(tmp_path_factory):
    return load_course(make_course(tmp_path_factory.mktemp("course"))).assignment("warmup")


@pytest.fixture(scope="module")
def grade(assignment):
    """Grades a notebook's cells."""
    with Grader(probed=True) as grader:

        def graded(folder, tree):
            submission = read_submission(write(folder / "warmup.ipynb", tree), assignment)
            return submission, grader.grade(submission, assignment)

        yield graded


def notes_of(report, row="scale"):
    return " ".join(next(each for each in report.rows if each.name == row).said)


COUNTED = "the last definition in the notebook counts. Cell 9, counted from the top with the text cells, begins "


@pytest.mark.parametrize(
    ("later", "told"),
    [
        ("def scale(x, factor):\n    return x", f"as cell 9 leaves it, not as cell 4 does: {COUNTED}`def scale(x, fa"),
        ("# mine\nscale = 3", f"not as cell 4 does: {COUNTED}`# mine`; its line 2 is `scale = 3`."),
        ("from own import *", f"{COUNTED}`from own import *`."),
        ("k = 1\nfor scale in range(3):\n    k += 1", f"{COUNTED}`k = 1`; its line 2 is `for scale in range(3):`."),
        ("%time scale = max", f"{COUNTED}`%time scale = max`."),
        ("if True:\n    del scale", "cell 9 removes it, after cell 4 had defined it. Cell 9, counted from the top wi"),
    ],
)
def test_the_cell_whose_definition_was_graded_is_named(grade, tmp_path, later, told):
    tree = solved()
    # What `import *` brings depends on the module: no reading of the notebook would tell.
    own = "import sys, types\nown = sys.modules['own'] = types.ModuleType('own')\nown.scale = lambda x, factor: -x"
    tree["cells"][1:1] = [cell(own)]
    tree["cells"].append(cell(later))
    _, report = grade(tmp_path, tree)
    assert report.rows[0].score == 0
    assert told in notes_of(report)
    assert "scale" not in notes_of(report, "centre")


def test_a_stub_below_the_students_own_cell_and_a_later_solution_cell_are_named(grade, assignment, tmp_path):
    tree = solved()
    right = tree["cells"][2]["source"]
    tree["cells"][2]["source"] = "def scale(x, factor):\n    raise NotImplementedError()"
    tree["cells"].insert(1, cell(right))
    tree["cells"][5]["source"] += "\n\n\ndef scale(x, factor):\n    return x - factor"
    submission, report = grade(tmp_path, tree)
    assert "`scale` was graded as cell 6 leaves it, not as cells 2 and 4 do" in notes_of(report)
    assert "its line 8 is `def scale(x, factor):`." in notes_of(report)
    page = str(annotated(submission, report, assignment)["cells"])
    assert page.count("not as cells 2 and 4 do") == 4, "in the summary twice, and under the row as HTML and as text"
    assert "not as cells 2 and 4 do" in row_comment(report.rows[0])


def test_the_number_is_that_in_the_notebook_that_was_handed_in(grade, tmp_path):
    tree = solved()
    tree["cells"] = [each for each in tree["cells"] if each["id"] not in ("about", "setup")]
    tree["cells"].append(cell("def scale(x, factor): return x"))
    _, report = grade(tmp_path, tree)
    assert "as cell 6 leaves it, not as cell 1 does" in notes_of(report)


def test_what_a_function_uses_and_a_later_cell_changes_is_named(grade, tmp_path):
    tree = solved()
    tree["cells"][2]["source"] = "def by(x): return x * k\n\ndef scale(x, factor):\n    return by(x) * abs(factor)"
    tree["cells"].insert(2, cell("k = 1"))
    tree["cells"] += [cell("k = 5"), cell("def abs(x): return x"), cell("x = factor = 3")]
    _, report = grade(tmp_path, tree)
    assert "`scale` uses `k`, which counts as cell 9 leaves it, not as cell 3 does" in notes_of(report)
    assert "`scale` uses `abs`, which counts as cell 10 leaves it:" in notes_of(report)
    assert "uses `x`" not in notes_of(report)


def test_arguments_in_another_order_are_told(grade, tmp_path):
    tree = solved()
    tree["cells"][2]["source"] = "def scale(factor, x):\n    return x.copy() * factor"
    _, report = grade(tmp_path, tree)
    assert notes_of(report) == (
        "`scale` takes its arguments in another order than was asked for: `factor, x` stands where `x, factor` should."
    )


def test_nothing_is_said_where_the_row_is_right(grade, tmp_path):
    tree = solved()
    tree["cells"].append(cell("def scale(x, factor):\n    return factor * x"))
    _, report = grade(tmp_path, tree)
    assert (report.score, notes_of(report)) == (10, "")


def test_deep_and_long_code_of_a_students_is_no_trouble_of_ours(grade, tmp_path):
    tree = solved()
    tree["cells"][2]["source"] = "def scale(x, factor):\n    return 0" + "+1" * 3_000
    tree["cells"] += [cell("scale = " + "-" * 90 + "1"), cell("# " + "x" * 60_000 + "\nscale = 4")]
    _, report = grade(tmp_path, tree)
    assert not report.trouble
    assert "as cell 9 leaves it" in notes_of(report)
