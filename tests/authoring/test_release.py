"""A release gives nothing away, deserves its points, and is the same each time."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autograder.authoring import release
from autograder.authoring.gradient_proofs import claims_of, refuted
from autograder.authoring.releasing import ReleaseResult
from autograder.base import CheckError, ConfigError, ReleaseError, said
from autograder.course import Assignment, load_course
from autograder.gradebook import held_grades, open_gradebook
from autograder.grading import CheckResult, Report, RowResult
from autograder.submission import Submission
from tests.courses import Notebook, cell, make_course, solved, write

MASTER = "source/warmup/warmup.ipynb"
RELEASE = "release/warmup/warmup.ipynb"


def honest(submission: Submission, assignment: Assignment) -> Report:
    """A grader's stand-in: a row has its points where its cell is not the stub."""
    sources = {
        each["metadata"]["nbgrader"]["grade_id"]: each["source"]
        for each in submission.notebook["cells"]
        if "nbgrader" in each["metadata"]
    }
    rows = tuple(
        RowResult(row.name, row.test_id, row.points, (verdict("raise NotImplementedError" not in sources[row.name]),))
        for row in assignment.rows
    )
    return Report(assignment.name, None, "digest", "none", rows)


def verdict(right: bool) -> CheckResult:
    return CheckResult(
        "test_it", "It is right.", 1.0, "passed" if right else "failed", None if right else said("It is not.")
    )


def changed(change: Callable[[Report], Report]) -> Callable[[Submission, Assignment], Report]:
    return lambda submission, assignment: change(honest(submission, assignment))


def make(root: Path, **options: Any) -> ReleaseResult:
    return release(load_course(root), "warmup", **({"grade": honest} | options))


def with_cells(root: Path, *cells: dict[str, Any]) -> Notebook:
    """Write the master with more cells at its end."""
    tree = solved()
    tree["cells"] += cells
    write(root / MASTER, tree)
    return tree


def refusal(root: Path, **options: Any) -> str:
    """What a release that is refused says; what was released before stays to the byte."""
    before = (root / RELEASE).read_bytes()
    with pytest.raises(ReleaseError) as caught:
        make(root, **options)
    assert (root / RELEASE).read_bytes() == before
    assert sorted(path.name for path in (root / "release").iterdir()) == ["warmup"]
    assert not (root / "gradebook.db").exists()
    return str(caught.value)


def test_solutions_are_replaced_by_stubs(course_root: Path) -> None:
    make(course_root)
    text = (course_root / RELEASE).read_text()
    assert "x * factor" not in text
    assert "SOLUTION" not in text
    sources = ["".join(each["source"]) for each in json.loads(text)["cells"]]
    assert "# YOUR CODE HERE\n    raise NotImplementedError()" in sources[2]
    assert sources[6] == "YOUR ANSWER HERE"


def test_a_release_twice_is_the_same_to_the_byte(course_root: Path) -> None:
    assert make(course_root).changed
    first = (course_root / RELEASE).read_bytes()
    assert not make(course_root).changed
    assert (course_root / RELEASE).read_bytes() == first


def test_nothing_of_the_machine_that_made_it_is_in_it(course_root: Path) -> None:
    tree = solved()
    tree["metadata"] = {
        "kernelspec": {"display_name": "my-env (3.11.7)", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "version": "3.11.7"},
        "celltoolbar": "Create Assignment",
        "vscode": {"interpreter": {"hash": "abc"}},
    }
    for each in tree["cells"]:
        each["metadata"] |= {"execution": {"iopub.execute_input": "2026-11-01T10:00:00Z"}, "scrolled": True}
    write(course_root / MASTER, tree)
    make(course_root)
    text = (course_root / RELEASE).read_text()
    for noise in ("3.11.7", "my-env", "celltoolbar", "vscode", "execute_input", "scrolled"):
        assert noise not in text


def test_cells_keep_their_ids_and_get_lasting_ones_where_they_have_none(course_root: Path) -> None:
    tree = solved()
    tree["cells"].append(cell("Own words.", kind="markdown"))
    for each in tree["cells"][:3]:
        del each["id"]
    write(course_root / MASTER, tree | {"nbformat_minor": 4})
    make(course_root)
    first = [each["id"] for each in json.loads((course_root / RELEASE).read_text())["cells"]]
    assert first[:4] == ["about", "setup", "scale", "test_scale"]
    assert first[7] == tree["cells"][7]["id"]
    assert not make(course_root).changed


def test_files_beside_the_master_go_along(course_root: Path) -> None:
    (course_root / "source/warmup/data").mkdir()
    (course_root / "source/warmup/data/points.csv").write_text("1,2\n")
    (course_root / "source/warmup/.ipynb_checkpoints").mkdir()
    (course_root / "source/warmup/.ipynb_checkpoints/old.csv").write_text("secret")
    assert make(course_root).files == ("data/points.csv", "warmup.ipynb")
    assert (course_root / "release/warmup/data/points.csv").read_text() == "1,2\n"


def test_files_that_left_the_source_leave_the_release(course_root: Path) -> None:
    (course_root / "release/warmup/old.csv").write_text("1")
    make(course_root)
    assert not (course_root / "release/warmup/old.csv").exists()


def test_the_assignment_is_in_the_gradebook_afterwards(course_root: Path) -> None:
    make(course_root)
    course = load_course(course_root)
    with open_gradebook(course, create=False) as gradebook:
        assert held_grades(gradebook, course.assignment("warmup")) == ()


def test_settings_of_nbgrader_config_hold(course_root: Path) -> None:
    (course_root / "nbgrader_config.py").write_text(
        "c = get_config()\nc.ClearSolutions.code_stub = {'python': 'raise NotImplementedError  # yours'}\n"
    )
    make(course_root)
    assert "raise NotImplementedError  # yours" in (course_root / RELEASE).read_text()


def test_a_mistake_in_nbgrader_config_is_named(course_root: Path) -> None:
    (course_root / "nbgrader_config.py").write_text("c = get_confg()\n")
    with pytest.raises(ConfigError, match=r"nbgrader_config.py: NameError.*get_confg"):
        make(course_root)


def test_an_unknown_assignment_is_named(course_root: Path) -> None:
    with pytest.raises(ConfigError, match="warmpu"):
        release(load_course(course_root), "warmpu", grade=honest)


# Refused


@pytest.mark.parametrize(
    ("leak", "kind"),
    [
        ("The trick: `scale(x, 1.0) - x.mean(axis=0) / 2`", "markdown"),
        ("expected = scale(x,1.0)-x.mean(axis=0)/2", "code"),
        ("x = 1  # or scale(x, 1.0) - x.mean(axis=0) / 2", "code"),
        ("def draft(x):\n    return (scale(x, 1.0)\n            - x.mean(axis=0) / 2)", "code"),
    ],
)
def test_a_solution_that_stands_elsewhere_too_is_found(course_root: Path, leak: str, kind: str) -> None:
    tree = solved()
    tree["cells"][4]["source"] = tree["cells"][4]["source"].replace(
        "scale(x, 1.0) - x.mean()", "scale(x, 1.0) - x.mean(axis=0) / 2"
    )
    tree["cells"].append(cell(leak, kind=kind) | {"id": "oops"})
    write(course_root / MASTER, tree)
    assert "warmup.ipynb, cell oops: gives away the solution of centre" in refusal(course_root)


def test_calling_the_students_functions_gives_nothing_away(course_root: Path) -> None:
    tree = solved()
    line = "y = scale(scale(x, 2.0), params['factor'])"
    tree["cells"][4]["source"] = tree["cells"][4]["source"].replace("    return", f"    {line}\n    return")
    tree["cells"].append(cell(line))
    write(course_root / MASTER, tree)
    make(course_root)


def test_a_written_answer_that_stands_elsewhere_too_is_found(course_root: Path) -> None:
    tree = solved()
    answer = "Because the mean of what is left is zero, whatever the scale of it was."
    tree["cells"][6]["source"] = answer
    tree["cells"].append(cell(f"Recall: {answer}", kind="markdown") | {"id": "oops"})
    write(course_root / MASTER, tree)
    assert "cell oops: gives away the answer of why" in refusal(course_root)


def test_the_reference_is_found_in_the_notebook(course_root: Path) -> None:
    secret = "np.exp(x - np.max(x)) / np.sum(np.exp(x - np.max(x)))"
    (course_root / "solutions/warmup/more.py").write_text(f"def f(x):\n    return {secret}\n")
    with_cells(course_root, cell(f"p = {secret}") | {"id": "oops"})
    assert "cell oops: gives away the reference (more.py)" in refusal(course_root)


def test_a_hidden_check_is_found_in_the_notebook_and_beside_it(course_root: Path) -> None:
    checks = (course_root / "checks/warmup/test_warmup.py").read_text()
    (course_root / "source/warmup/checks.py").write_text(checks)
    with_cells(course_root, cell("def test_centre(student, reference, draw):\n    pass") | {"id": "oops"})
    said = refusal(course_root)
    assert "cell oops: has the hidden check test_centre" in said
    assert "checks.py: is a copy of test_warmup.py" in said


def test_a_solution_marker_without_its_partner_is_named(course_root: Path) -> None:
    tree = solved()
    tree["cells"][2]["source"] = tree["cells"][2]["source"].replace("    ### END SOLUTION\n", "")
    write(course_root / MASTER, tree)
    said = refusal(course_root)
    assert MASTER in said
    assert "no end solution statement found" in said


def test_a_solution_cell_without_marks_is_named(course_root: Path) -> None:
    tree = solved()
    tree["cells"][4]["source"] = "def centre(x):\n    return x - x.mean()"
    write(course_root / MASTER, tree)
    said = refusal(course_root)
    assert "centre: this solution cell has no marks" in said
    assert "not even the `def` of centre; put `### BEGIN SOLUTION`" in said
    assert "scale: this" not in said


def test_marks_may_enclose_the_whole_cell(course_root: Path) -> None:
    tree = solved()
    tree["cells"][4]["source"] = "### BEGIN SOLUTION\ndef centre(x):\n    return x - x.mean()\n### END SOLUTION"
    write(course_root / MASTER, tree)
    assert make(course_root).changed


def test_a_stray_marker_is_found(course_root: Path) -> None:
    with_cells(course_root, cell("x = 1  ### END HIDDEN TESTS") | {"id": "own"})
    (course_root / "nbgrader_config.py").write_text("c = get_config()\nc.ClearHiddenTests.enabled = False\n")
    assert "cell own: 'END HIDDEN TESTS' is still in it" in refusal(course_root)


def test_an_output_that_would_leak_is_found(course_root: Path) -> None:
    tree = solved()
    tree["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "secret"}]
    write(course_root / MASTER, tree)
    (course_root / "nbgrader_config.py").write_text("c = get_config()\nc.ClearOutput.enabled = False\n")
    assert "cell setup: has an output" in refusal(course_root)


def test_a_master_that_loses_points_is_refused_with_the_checks(course_root: Path) -> None:
    def losing(report: Report) -> Report:
        return replace(report, rows=(replace(report.rows[0], checks=(verdict(False), verdict(True))), report.rows[1]))

    assert "scale: the solved master notebook fails test_it (It is right.): It is not." in refusal(
        course_root, grade=changed(losing)
    )


def test_a_master_that_is_right_only_with_the_reference_is_refused(course_root: Path) -> None:
    def carried(report: Report) -> Report:
        return replace(report, rows=(report.rows[0], replace(report.rows[1], carried=("scale",))))

    assert "centre: the solved master notebook is right only with a correct scale" in refusal(
        course_root, grade=changed(carried)
    )


def test_a_release_that_scores_for_nothing_is_refused(course_root: Path) -> None:
    def generous(report: Report) -> Report:
        return replace(report, rows=(replace(report.rows[0], checks=(verdict(True),)), report.rows[1]))

    assert "scale: the untouched release passes test_it" in refusal(course_root, grade=changed(generous))


def test_a_broken_check_is_named(course_root: Path) -> None:
    erred = CheckResult("test_ours", "Ours.", 1.0, "errored", trouble="Traceback\nNameError: referense")

    def broken(report: Report) -> Report:
        return replace(report, rows=(replace(report.rows[0], checks=(erred,)), report.rows[1]))

    assert "scale: the check test_ours does not work: NameError: referense" in refusal(
        course_root, grade=changed(broken)
    )


def test_everything_that_is_wrong_is_said_at_once(course_root: Path) -> None:
    with_cells(course_root, cell("def test_scale(): pass"), cell("def test_centre(): pass"))
    assert (
        refusal(course_root, grade=changed(lambda report: replace(report, trouble="OSError: no"))).count("\n  - ") == 4
    )


def test_a_first_release_that_is_refused_leaves_no_folder(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    (root / RELEASE).unlink()
    (root / "release/warmup").rmdir()
    with pytest.raises(ReleaseError):
        make(root, grade=changed(lambda report: replace(report, trouble="OSError: no")))
    assert list((root / "release").iterdir()) == []


@pytest.mark.sandbox
def test_the_real_grader_proves_a_release(course_root: Path) -> None:
    made = make(course_root, grade=None)
    assert (made.solved.score, made.untouched.score) == (10.0, 0.0)


def test_the_master_notebook_is_left_as_it_is(course_root: Path) -> None:
    before = copy.deepcopy((course_root / MASTER).read_bytes())
    make(course_root)
    assert (course_root / MASTER).read_bytes() == before


GRADIENTS = """\
import numpy as np

from autograder.proving import Claim

from . import centre, scale


def gradients(draw):
    x, upstream = draw.normal(size=(3, 2)), draw.normal(size=(3, 2))
    yield Claim("scale: dx", lambda v: np.sum(scale(v, 3.0) * upstream), x, {scale})
    yield Claim("centre: dx", lambda v: np.sum(centre(v) * upstream), x, upstream - upstream.mean())
"""
WRONG = {
    "-3.0 * upstream": "(the sign is flipped)",
    "6.0 * upstream": "(2 times too large)",
    "3.0 * np.ones_like(x)": "scale: dx[",
    "3.0 * upstream * np.array([1.0, 0.0])": "so for 3 of 6 entries",
    "3.0 * upstream + 1e-4": "by finite differences",
    "3.0 * upstream[0]": "scale: dx has the shape (2,) at a point of shape (3, 2)",
}


def claiming(root: Path, gradients: str) -> None:
    (root / "solutions/warmup/gradients.py").write_text(gradients)


def test_the_gradients_of_the_reference_are_proved(course_root: Path) -> None:
    claiming(course_root, GRADIENTS.replace("{scale}", "3.0 * upstream"))
    assert make(course_root).proved == ("scale: dx", "centre: dx")


def test_a_reference_that_claims_no_gradients_is_released(course_root: Path) -> None:
    assert make(course_root).proved == ()


@pytest.mark.parametrize("claimed", WRONG)
def test_a_wrong_gradient_of_the_reference_is_refused(course_root: Path, claimed: str) -> None:
    make(course_root)
    (course_root / "gradebook.db").unlink()
    claiming(course_root, GRADIENTS.replace("{scale}", claimed))
    said = refusal(course_root)
    assert "the reference's gradient is wrong: scale: dx" in said
    assert WRONG[claimed] in said
    assert "centre" not in said


def test_a_gradient_at_a_kink_alone_is_not_proved(course_root: Path) -> None:
    make(course_root)
    (course_root / "gradebook.db").unlink()
    kink = "    yield Claim('steps', lambda v: np.sum(np.abs(v)), np.zeros(2), np.zeros(2))\n"
    claiming(course_root, GRADIENTS.replace("{scale}", "3.0 * upstream") + kink)
    assert "steps could not be proved: of 40 points drawn, all but 0 lie too near to a kink" in refusal(course_root)


def test_a_large_gradient_is_proved_along_random_directions(course_root: Path) -> None:
    large = GRADIENTS.replace("size=(3, 2)", "size=(30, 20)")
    claiming(course_root, large.replace("{scale}", "3.0 * upstream"))
    make(course_root)
    (course_root / "gradebook.db").unlink()
    claiming(course_root, large.replace("{scale}", "3.0 * np.ones_like(x)"))
    assert "scale: dx along a random direction is" in refusal(course_root)


UNREADABLE = {
    "claims = []\n": r"gradients\.py has no function",
    "import nothing_of_the_kind\n": r"gradients\.py does not import",
    "def gradients(draw):\n    1 / 0\n": r"gradients\.py: .* ZeroDivisionError",
}


@pytest.mark.parametrize("text", UNREADABLE)
def test_gradients_that_cannot_be_read_are_named(course_root: Path, text: str) -> None:
    claiming(course_root, text)
    with pytest.raises(CheckError, match=UNREADABLE[text]):
        make(course_root)


def test_every_gradient_of_week_2_is_proved() -> None:
    week2 = load_course(Path(__file__).parents[2]).assignment("week2")
    claims = claims_of(week2)
    assert claims is not None
    proved, wrong = refuted(claims, 1)
    assert wrong == []
    assert proved == (
        "softmax_cross_entropy: dlogits",
        *(f"linear_backward: {name}" for name in ("dx", "dW", "db")),
        "relu_backward: dx",
        *(f"mlp_loss_and_grads: {name}" for name in ("W1", "b1", "W2", "b2")),
    )


# Checks that cannot fail

HOLLOW = """\
import numpy as np
import pytest

from autograder.checking import Draw, Reference, Student, agree, check, matches, right


@check("scale")
def test_scale(student: Student, reference: Reference, draw: Draw) -> None:
{scale}

@check("centre")
def test_centre(student: Student, reference: Reference, draw: Draw) -> None:
    matches(student.centre, reference.centre, draw.normal(size=5))
"""


@pytest.mark.parametrize(
    ("body", "passed_by"),
    [
        ("student.scale(draw.normal(size=3), 2.0)", "None always"),
        ("assert student.scale(np.ones(1), 2.0)", "True always"),
        ("assert student.scale(draw.normal(size=3), 2.0).array().shape == (3,)", "zeros in the right shape"),
        ("matches(student.scale, reference.scale, draw.normal(size=3), 0.0)", "zeros in the right shape"),
        ("matches(student.scale, reference.scale, draw.normal(size=3), 1.0)", "its argument 1"),
        ("assert student.scale(2.0, 0.5) == 1", "1 always"),
        ("agree(student.scale(1.0, 7.0), 7.0)", "its argument 2"),
        ("with pytest.raises(Exception):\n        student.scale(np.ones(2), 2.0).unpack('a', 'b')", "None always"),
        ("assert student.scale(3.0, 2.0) != 5.0", "None always"),
        ("assert not right(student.scale(3.0, 2.0), 5.0)", "None always"),
    ],
)
def test_a_check_that_no_solution_is_needed_for_is_refused(course_root: Path, body: str, passed_by: str) -> None:
    (course_root / "checks/warmup/test_warmup.py").write_text(HOLLOW.format(scale=f"    {body}\n"), encoding="utf-8")
    message = refusal(course_root)
    assert "scale: the check test_scale (checks/warmup/test_warmup.py, line 7) cannot fail as it should" in message
    assert passed_by in message
    assert "test_centre" not in message


OF_A_CLASS = """\
class scale:
    def __init__(self, x, factor):
        ### BEGIN SOLUTION
        self.x, self.factor = x, factor
        ### END SOLUTION

    def forward(self):
        ### BEGIN SOLUTION
        return self.x * self.factor
        ### END SOLUTION
"""


@pytest.mark.parametrize(
    ("body", "passed_by"),
    [
        ("assert student.scale(3.0, 2.0).forward() == 6.0", ""),
        ("assert student.scale(3.0, 2.0).attribute('x') == 3.0", ""),
        ("assert student.scale(3.0, 2.0).forward() != 5.0", "zeros in the right shape"),
        ("student.scale(3.0, 2.0).forward()", "zeros in the right shape"),
    ],
)
def test_a_check_of_a_class_is_tried_on_objects_that_give_zeros(course_root: Path, body: str, passed_by: str) -> None:
    tree = solved()
    for each in tree["cells"]:
        if each["metadata"].get("nbgrader", {}).get("grade_id") == "scale":
            each["source"] = OF_A_CLASS
        if each["metadata"].get("nbgrader", {}).get("grade_id") == "centre":
            each["source"] = each["source"].replace("scale(x, 1.0)", "x")
    write(course_root / MASTER, tree)
    reference = course_root / "solutions/warmup/__init__.py"
    centre = "import numpy as np\n\n\ndef centre(x):\n    return x - np.mean(x)\n\n\n"
    reference.write_text(centre + OF_A_CLASS, encoding="utf-8")
    (course_root / "checks/warmup/test_warmup.py").write_text(HOLLOW.format(scale=f"    {body}\n"), encoding="utf-8")
    if passed_by:
        assert passed_by in refusal(course_root)
    else:
        assert make(course_root).changed


def test_a_check_that_calls_nothing_of_its_row_is_refused(course_root: Path) -> None:
    text = HOLLOW.format(scale="    matches(student.centre, reference.centre, draw.normal(size=5))\n")
    (course_root / "checks/warmup/test_warmup.py").write_text(text, encoding="utf-8")
    assert "test_scale (checks/warmup/test_warmup.py, line 7) calls none of the row's functions" in refusal(course_root)


def test_a_plain_assert_of_the_right_value_is_a_check(course_root: Path) -> None:
    text = HOLLOW.format(scale="    assert student.scale(3.0, 2.0) == 6.0\n")
    (course_root / "checks/warmup/test_warmup.py").write_text(text, encoding="utf-8")
    assert make(course_root).changed
