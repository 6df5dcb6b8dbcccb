"""Cells that only show something: which these are, what is done with them, and what a page has of them."""

import base64
from dataclasses import replace

import numpy as np
import pytest

from autograder import Grader
from autograder.authoring.showing import tagged_wrongly, untagged
from autograder.course import SHOWS_TAG, load_course
from autograder.feedback import annotated
from autograder.grading.running import cell_roles
from autograder.submission import read_submission
from tests.courses import cell, make_course, notebook, solved, untouched, write

pytestmark = pytest.mark.sandbox

PNG = base64.b64encode(
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xff\xff?\0\x05"
    b"\xfe\x02\xfe\xdc\xccY\xe7\0\0\0\0IEND\xaeB`\x82"
).decode()
FIGURE = "print('drawn', scale(np.ones(1), 2.0))"


def with_figure(tree, source: str = FIGURE, *, tags: tuple[str, ...] = (SHOWS_TAG,), outputs: list | None = None):
    """A notebook with a locked cell behind the first test."""
    figure = cell(source, "figure", role="locked")
    figure["metadata"]["tags"] = list(tags)
    figure["outputs"] = outputs or []
    tree["cells"].insert(4, figure)
    return tree


@pytest.fixture(scope="module")
def grader():
    with Grader() as grader:
        yield grader


@pytest.fixture
def assignment(tmp_path):
    root = make_course(tmp_path / "course", master=with_figure(solved()))
    write(root / "release/warmup/warmup.ipynb", with_figure(untouched()))
    return load_course(root).assignment("warmup")


def submission_of(tmp_path, assignment, tree):
    return read_submission(write(tmp_path / "warmup.ipynb", tree), assignment)


def roles_by_id(submission, *, show: bool = False) -> dict[str, str]:
    codes = [each for each in submission.notebook["cells"] if each["cell_type"] == "code"]
    return dict(zip((each["id"] for each in codes), cell_roles(submission, show=show), strict=True))


def test_visible_tests_and_tagged_cells_only_show_something(tmp_path, assignment):
    submission = submission_of(tmp_path, assignment, with_figure(solved()))
    assert roles_by_id(submission) == {
        "setup": "needed",
        "scale": "needed",
        "test_scale": "shows",
        "figure": "unrun",
        "centre": "needed",
        "test_centre": "shows",
    }
    assert roles_by_id(submission, show=True)["figure"] == "shows"


def test_a_tag_that_a_student_puts_on_a_cell_says_nothing(tmp_path, assignment):
    tree = with_figure(solved())
    for each in tree["cells"]:
        each["metadata"]["tags"] = [SHOWS_TAG]
    own = cell("x = 1")
    own["metadata"]["tags"] = [SHOWS_TAG]
    tree["cells"].append(own)
    roles = roles_by_id(submission_of(tmp_path, assignment, tree))
    assert [roles[name] for name in ("setup", "scale", own["id"])] == ["needed", "needed", "own"]


@pytest.mark.parametrize(
    ("test", "student", "role"),
    [
        ("answer = scale(np.ones(1), 1.0)", "print(answer)", "needed"),
        ("answer = scale(np.ones(1), 1.0)", "def centre(x): return x - x.mean() + 0 * answer", "needed"),
        ("answer = scale(np.ones(1), 1.0)", "answer = 2\nprint(answer)", "shows"),
        ("def check(): assert scale(1, 2) == 2", "check()", "needed"),
        ("np.x = 1", "np.y", "needed"),
    ],
)
def test_a_test_whose_names_a_later_cell_reads_counts(tmp_path, test, student, role):
    tree = solved()
    tree["cells"][3]["source"] = test
    root = make_course(tmp_path / "course", master=tree)
    released = untouched()
    released["cells"][3]["source"] = test
    # In this test alone later cells of the release must not mention NumPy.
    released["cells"][5]["source"] = tree["cells"][5]["source"] = "pass"
    write(root / "release/warmup/warmup.ipynb", released)
    tree["cells"][4]["source"] = "def centre(x): return x"
    tree["cells"].append(cell(student))
    submission = submission_of(tmp_path, load_course(root).assignment("warmup"), tree)
    assert roles_by_id(submission)["test_scale"] == role


def test_a_tagged_cell_whose_names_a_student_reads_is_run(tmp_path):
    source = "def picture(): return 1"
    root = make_course(tmp_path / "course", master=with_figure(solved(), source))
    write(root / "release/warmup/warmup.ipynb", with_figure(untouched(), source))
    tree = with_figure(solved(), source)
    tree["cells"].append(cell("picture()"))
    assert roles_by_id(submission_of(tmp_path, load_course(root).assignment("warmup"), tree))["figure"] == "needed"


def test_the_page_keeps_the_picture_that_was_handed_in_and_says_so(tmp_path, assignment, grader):
    picture = {"image/png": [PNG, "\n"], "text/plain": ["<Figure ", "size>"], "text/html": "<script>alert(1)</script>"}
    outputs = [
        {"output_type": "display_data", "data": picture, "metadata": {}},
        {"output_type": "stream", "name": "stdout", "text": ["their ", "words\x1b[2J"]},
        {"output_type": "error", "ename": "E", "evalue": "", "traceback": ["forged"]},
        "no output",
    ]
    submission = submission_of(tmp_path, assignment, with_figure(solved(), "changed", outputs=outputs))
    report = grader.grade(submission, assignment)
    assert report.score == 10
    shown = annotated(submission, report, assignment)["cells"][5]
    assert (shown["id"], shown["source"], shown["execution_count"]) == ("figure", FIGURE, None)
    display, stream, said = shown["outputs"]
    assert display["data"] == {"image/png": PNG + "\n", "text/plain": "<Figure size>"}
    assert stream["text"] == "their words"
    assert said["text"].startswith("As handed in: this cell only shows something")


def test_where_somebody_looks_a_tagged_cell_is_run_in_place_of_what_was_handed_in(tmp_path, assignment, grader):
    forged = [{"output_type": "stream", "name": "stdout", "text": "forged"}]
    submission = submission_of(tmp_path, assignment, with_figure(solved(), outputs=forged))
    report = grader.grade(submission, replace(assignment, show=True))
    (run,) = [each for each in report.cells if each.index == 4]
    assert (run.status, run.outputs[0]["text"]) == ("ok", "drawn [2.]\n")
    assert report.digest == grader.grade(submission, assignment).digest


def test_pictures_that_are_none_or_too_large_are_not_kept(tmp_path, assignment, grader):
    bad = [PNG[:-40] + "!!!", "x" * 3 * 2**20, base64.b64encode(b"GIF89a").decode(), 7, None, [1, 2]]
    outputs = [{"output_type": "display_data", "data": {"image/png": each}} for each in bad]
    submission = submission_of(tmp_path, assignment, with_figure(solved(), outputs=outputs))
    report = grader.grade(submission, assignment)
    (run,) = [each for each in report.cells if each.index == 4]
    assert not any("image/png" in output.get("data", {}) for output in run.outputs)


def test_a_visible_check_that_fills_memory_or_kills_python_costs_the_rows_after_it_nothing(tmp_path, grader):
    for source in ("x = np.ones(2**30)", "import os; os.abort()", "while True: pass"):
        tree, released = solved(), untouched()
        tree["cells"][3]["source"] = released["cells"][3]["source"] = source
        root = make_course(tmp_path / "course", master=tree)
        write(root / "release/warmup/warmup.ipynb", released)
        assignment = load_course(root).assignment("warmup")
        assert grader.grade(submission_of(tmp_path, assignment, tree), assignment).score == 10


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        (with_figure(solved()), []),
        (with_figure(solved(), "x = 1\ny = 2"), []),
        (
            notebook(*with_figure(solved(), "x = 1")["cells"], cell("print(x)", "later", role="locked")),
            ["figure: has the tag only-shows, so grading does not run it, but later cells may read what it binds (x)"],
        ),
        (
            notebook(*solved()["cells"], cell("x = 1") | {"metadata": {"tags": [SHOWS_TAG]}}),
            ["cell 8: has the tag only-shows, which is for locked code cells without points"],
        ),
    ],
)
def test_a_tag_on_the_wrong_cell_is_refused_with_the_way_out(tmp_path, tree, told):
    root = make_course(tmp_path, master=tree)
    found = list(tagged_wrongly(load_course(root).assignment("warmup")))
    assert len(found) == len(told)
    assert all(each.startswith(start) for each, start in zip(found, told, strict=True))


def test_locked_cells_that_only_show_something_and_have_no_tag_are_named(tmp_path):
    tree = with_figure(solved(), "def draw(): pass\ndraw()", tags=())
    root = make_course(tmp_path, master=tree)
    assert untagged(load_course(root).assignment("warmup")) == ("figure",)
    assert np.array_equal(untagged(load_course(make_course(tmp_path / "other")).assignment("warmup")), ())


def test_a_locked_cell_that_sets_a_seed_is_there_for_what_comes_after_it(tmp_path):
    root = make_course(tmp_path, master=with_figure(solved(), "np.random.seed(3)", tags=()))
    assert untagged(load_course(root).assignment("warmup")) == ()
