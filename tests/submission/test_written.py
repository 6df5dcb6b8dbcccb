"""What a student wrote is its row's, wherever an editor put it; and no program says that a text is no answer."""

import copy
import json
from typing import Any

import pytest

from autograder.course import Assignment
from autograder.submission import Submission, read_submission
from tests.courses import Notebook, cell, notebook, solved, untouched, write

TEXT = "Because the mean of what is left is zero."
PICTURE = {"photo.png": {"image/png": "aGk="}}
HERE = "YOUR ANSWER HERE"


def read(warmup: Assignment, tree: Notebook) -> Submission:
    path = warmup.master.parents[2] / "submitted/ada/warmup/warmup.ipynb"
    return read_submission(write(path, tree), warmup, student="ada")


def answered(text: str = TEXT, **fields: Any) -> Notebook:
    tree = solved()
    tree["cells"][-1] |= {"source": text} | fields
    return tree


def added(*cells: dict[str, Any], before: int = 7, text: str = HERE) -> Notebook:
    """A notebook with cells of the student's own before the place ``before`` (behind the answer's by default)."""
    tree = answered(text)
    tree["cells"][before:before] = cells
    return tree


def without_marks(tree: Notebook) -> Notebook:
    """As Deepnote saves it: neither nbgrader's marks nor the cells' ids."""
    cells = [{**each, "metadata": {"cell_id": f"d{at}"}} for at, each in enumerate(tree["cells"])]
    return tree | {"cells": [{key: each[key] for key in each if key != "id"} for each in cells]}


def colab(tree: Notebook) -> Notebook:
    """As Colab saves it: the ids are among the metadata, and nbgrader's marks are gone."""
    cells = [{**each, "metadata": {"id": each["id"]}} for each in tree["cells"]]
    return tree | {"cells": [{key: each[key] for key in each if key != "id"} for each in cells]}


def text(source: str = TEXT, **fields: Any) -> dict[str, Any]:
    return cell(source, kind="markdown") | fields


def doubled(first: str, second: str) -> Notebook:
    tree = answered(first)
    tree["cells"].append(copy.deepcopy(tree["cells"][-1]) | {"id": "again", "source": second})
    return tree


def commented(place: int) -> Notebook:
    tree = answered(HERE)
    tree["cells"][place]["source"] += f"\n# {TEXT}"
    return tree


def at(submission: Submission, grade_id: str) -> dict[str, Any]:
    cells = submission.notebook["cells"]
    return next(each for each in cells if each["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)


def replaced(*cells: dict[str, Any]) -> Notebook:
    tree = solved()
    tree["cells"][-1:] = cells
    return tree


@pytest.mark.parametrize(
    "tree",
    [
        without_marks(answered()),
        colab(answered()),
        replaced(text()),
        replaced(cell(TEXT, kind="raw")),
        replaced(cell(f"# {TEXT}")),
        replaced(cell(f'"""{TEXT}"""')),
        replaced(cell(f"%%markdown\n{TEXT}")),
        replaced(cell("plt = 1"), text()),
        doubled(HERE, TEXT),
        doubled("", TEXT),
        answered(cell_type="code", outputs=[], execution_count=None),
    ],
    ids=range(11),
)
def test_an_answer_whose_cell_can_be_told_is_in_its_cell_and_nobody_is_asked(warmup: Assignment, tree: Notebook):
    submission = read(warmup, tree)
    assert TEXT in at(submission, "why")["source"]
    assert submission.asked == {}
    assert any(" why" in note for note in submission.notes)


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (added(text(), text="", before=6), f"its cell is empty or missing, and another cell holds “{TEXT}”"),
        (added(text()), f"its cell is as it was released, and another cell holds “{TEXT}”"),
        (added(text(), before=0), "another cell holds"),
        (added(cell(TEXT, kind="raw")), "another cell holds"),
        (added(cell(f"# {TEXT}")), "another cell holds"),
        (added(cell(f"print('{TEXT}')")), "another cell holds"),
        (added(cell(f"answer = '''{TEXT}'''")), "another cell holds"),
        (added(cell(TEXT)), "another cell holds"),
        (added(text("", attachments=PICTURE)), "another cell holds a picture"),
        (added(text("![it](attachment:photo.png)", attachments=PICTURE)), "another cell holds “![it]"),
        (added(text("", attachments={"a.svg": {"image/svg+xml": "<svg/>"}})), "another cell holds a picture"),
        (doubled("It is ", "zero."), "its cell is there more than once, and another one holds “zero.”"),
        (added(cell("from IPython.display import Image\nImage('photo.png')")), "another cell holds “from IPython"),
        (added(cell("plt.imshow(plt.imread('photo.png'))")), "another cell holds “plt.imshow"),
        (commented(5), f"another cell holds “# {TEXT}”"),
        (replaced(text("It is "), text("zero.")), "its cell is empty or missing, and another cell holds “It is”"),
        (doubled(HERE, HERE) | {"cells": [*doubled(HERE, HERE)["cells"], text()]}, "another cell holds"),
    ],
    ids=range(17),
)
def test_an_answer_that_cannot_be_told_from_other_text_waits_for_a_person(
    warmup: Assignment, tree: Notebook, said: str
):
    submission = read(warmup, tree)
    assert said in submission.asked["why"]
    assert f"why waits for a person: {submission.asked['why']}." in submission.notes


def test_an_answer_written_into_the_courses_own_text_is_kept_below_it_and_waits(warmup: Assignment):
    tree = answered(HERE)
    tree["cells"][0]["source"] += f"\n\n{TEXT}"
    submission = read(warmup, tree)
    assert [each["source"] for each in submission.notebook["cells"][:2]] == ["# Warm-up", f"# Warm-up\n\n{TEXT}"]
    assert list(submission.asked) == ["why"]
    assert "yours stands below it: about" in submission.notes[0]


def test_a_picture_in_the_answers_own_cell_needs_no_text(warmup: Assignment):
    assert read(warmup, answered(HERE, attachments=PICTURE)).asked == {}


@pytest.mark.parametrize(
    "own",
    [
        cell("x = scale(np.ones(3), 2)\nprint(x)"),
        cell("%timeit scale(np.ones(3), 2)"),
        text("   \n"),
        text(HERE),
        text("# Warm-up"),
    ],
    ids=range(5),
)
def test_code_and_copies_of_what_was_released_are_no_answer(warmup: Assignment, own: dict[str, Any]):
    assert read(warmup, added(own)).asked == {}
    assert read(warmup, untouched()).asked == {}


def test_a_notebook_that_cannot_be_read_may_hold_an_answer(warmup: Assignment):
    path = warmup.master.parents[2] / "submitted/ada/warmup/warmup.ipynb"
    write(path, solved()).write_text(json.dumps(answered())[:-40])
    assert "could not be read" in read_submission(path, warmup).asked["why"]


@pytest.mark.parametrize("drop", [without_marks, colab])
def test_solution_cells_without_marks_are_known_and_how_is_said(warmup: Assignment, drop: Any):
    submission = read(warmup, drop(solved()))
    assert submission.notebook == read(warmup, solved()).notebook
    assert "These cells had lost their mark and were known by" in " ".join(submission.notes)
    assert "None of this assignment's cells" not in " ".join(submission.notes)


def test_of_a_doubled_solution_cell_the_one_with_the_work_counts(warmup: Assignment):
    tree = solved()
    tree["cells"].insert(2, untouched()["cells"][2] | {"id": "again"})
    submission = read(warmup, tree)
    assert at(submission, "scale")["source"] == solved()["cells"][2]["source"]
    assert submission.notes == ("These cells are there more than once; the one with your work counts: scale.",)


def test_a_place_says_nothing_in_somebody_elses_notebook(warmup: Assignment):
    submission = read(warmup, notebook(text("Another course."), cell("a = 1"), cell("b = 2")))
    assert at(submission, "why")["source"] == at(submission, "scale")["source"] == ""
    assert list(submission.asked) == ["why"]
