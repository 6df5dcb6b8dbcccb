"""The Knowledge Check: one text, a notebook for students and a package for Canvas, and no wrong answer in it."""

import html
import io
import json
import math
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

from autograder.authoring import quiz_file, quiz_notebook, quiz_qti, read_quiz
from autograder.authoring.quiz import Quiz
from autograder.base import ConfigError
from autograder.course import load_course
from tests import labflow
from tests.browsers import REPOSITORY, TOKEN, chromium_browser, jupyterlab, jupyters_environment
from tests.commands import autograder
from tests.courses import make_course

GOOD = """\
Quiz title: Warm-up
Quiz description: Not graded.

Text title: Sums
Text: About adding.

Title: Two and two
1. What is 2 + 2?
a) 3
... One too few.
*b) 4
... Right.
c) 22
... The digits were put side by side.
"""


WEEKS = ("week1", "week2", "week3")


def of_week(name: str) -> Quiz:
    return read_quiz(quiz_file(load_course(REPOSITORY), name))


@pytest.fixture(scope="module")
def week2() -> Quiz:
    return of_week("week2")


def plain(text: str) -> str:
    """HTML without its tags."""
    return html.unescape(re.sub(r"<[^>]+>", "", text))


def right(quiz: Quiz, title: str) -> str:
    """The right choice of a question, as plain text."""
    (question,) = (each for each in quiz.questions if each.title == title)
    (choice,) = (each for each in question.choices if each.correct)
    return plain(choice.text)


# The questions of Week 2


def test_there_are_questions_on_each_objective_of_the_week(week2: Quiz) -> None:
    assert [len(section.questions) for section in week2.sections] == [3, 3, 4, 2, 3, 2, 6]
    told = " ".join(plain(section.title + " " + section.text) for section in week2.sections).lower()
    for objective in (
        "multi-class", "binary", "multi-label", "softmax", "one-hot", "integer", "training loop", "chain rule",
        "update rule", "mini-batches", "momentum", "rmsprop", "adam", "learning rates",
    ):  # fmt: skip
        assert objective in told


@pytest.mark.parametrize("week", WEEKS)
def test_every_choice_says_why_and_one_of_four_is_right(week: str) -> None:
    for question in of_week(week).questions:
        assert len(question.choices) == 4
        assert sum(choice.correct for choice in question.choices) == 1
        assert all(len(plain(choice.why)) > 30 for choice in question.choices), question.title


@pytest.mark.parametrize("week", WEEKS)
def test_neither_place_nor_length_gives_the_right_answer_away(week: str) -> None:
    questions = of_week(week).questions
    places = Counter(
        next(index for index, choice in enumerate(question.choices) if choice.correct) for question in questions
    )
    assert max(places.values()) <= len(questions) / 4 + 2, places
    longest = sum(max(question.choices, key=lambda choice: len(plain(choice.text))).correct for question in questions)
    assert longest <= len(questions) / 2


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def softmax(*logits: float) -> np.ndarray:
    powers = np.exp(np.array(logits) - max(logits))
    return powers / powers.sum()


def adam_first_step(gradient: float, lr: float = 0.001) -> float:
    m, v = 0.1 * gradient / (1 - 0.9), 0.001 * gradient**2 / (1 - 0.999)
    return lr * m / (math.sqrt(v) + 1e-8)


@pytest.mark.parametrize(
    ("title", "numbers"),
    [
        ("Softmax by hand", softmax(0, math.log(2), math.log(5))),
        ("One example's loss", [-math.log(0.25)]),
        ("The gradient at the logits", np.array([0.2, 0.5, 0.3]) - [0, 1, 0]),
        ("A chain of two", [2 * (3 * 1 - 1) * 3]),
        ("Back through ReLU", np.array([5, 6, 7]) * (np.array([-1, 0.5, 2]) > 0)),
        ("One step by hand", [2 - 0.1 * -0.5]),
        ("Steps in an epoch", [math.ceil(1000 / 64)]),
        ("What momentum gathers", [0.9 * 1 + 1]),
        ("Step decay", [0.8 * 0.5 ** (25 // 10)]),
    ],
)
def test_the_right_answer_is_what_comes_out(week2: Quiz, title: str, numbers: Any) -> None:
    said = right(week2, title).replace("−", "-")
    found = [float(each) for each in re.findall(r"-?\d+(?:\.\d+)?", said.rpartition("=")[2])]
    assert found == pytest.approx(list(numbers), abs=6e-4)


def test_what_the_questions_without_a_number_say_holds() -> None:
    assert softmax(3, 1)[0] == pytest.approx(sigmoid(2)) == pytest.approx(0.881, abs=5e-4)
    assert sigmoid(3) / (sigmoid(3) + sigmoid(1)) == pytest.approx(0.566, abs=5e-4)
    assert softmax(1, 2, 4) == pytest.approx(softmax(101, 102, 104))
    assert softmax(1000, 999) == pytest.approx([0.731, 0.269], abs=5e-4)
    assert -math.log(1 / 10) == pytest.approx(2.303, abs=5e-4)
    assert adam_first_step(100) == pytest.approx(adam_first_step(0.001), rel=1e-4) == pytest.approx(0.001, rel=1e-4)
    x, dout = np.ones((5, 3)), np.ones((5, 2))
    assert (x.T @ dout).shape == (3, 2)
    assert (dout.T @ x).shape == (2, 3)


# The text


def read(tmp_path: Path, text: str) -> Quiz:
    path = tmp_path / "quiz.txt"
    path.write_text(text)
    return read_quiz(path)


def test_a_question_is_read_with_its_choices_and_why(tmp_path: Path) -> None:
    quiz = read(tmp_path, GOOD)
    ((section,), (question,)) = quiz.sections, quiz.questions
    assert (quiz.title, quiz.description, section.title, section.text) == (
        "Warm-up",
        "Not graded.",
        "Sums",
        "About adding.",
    )
    assert (question.title, question.text) == ("Two and two", "What is 2 + 2?")
    assert [(each.text, each.correct, each.why) for each in question.choices][1] == ("4", True, "Right.")


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("*b) 4", "b) 4", r"quiz.txt, line \d+: "),
        ("a) 3", "*a) 3", r"quiz.txt, line \d+: "),
        ("c) 22", "c) 3", r"quiz.txt, line \d+: "),
        ("... One too few.\n", "", r"quiz.txt, line 9: the choice '3' has no explanation"),
        ("Title: Two and two\n", "", r"quiz.txt, line 7: a `Title:` has to stand above the question"),
        ("Text title: Sums\nText: About adding.\n", "", r"quiz.txt, line \d+: a `Text title:` has to come before"),
        ("c) 22\n... The digits were put side by side.\n", "", r"'Two and two' has 2 choices; expected at least 3"),
        (GOOD[GOOD.index("Title: Two") :], "", r"quiz.txt: there is no question in it"),
        (
            GOOD[GOOD.index("a) 3") :],
            "= 4\n",
            r"line \d+: expected a question with choices a\), b\), … of which one",
        ),
        ("Text: About adding.\n", "Text: About adding.\n\nGROUP\npick: 1\n", r"quiz.txt"),
    ],
)
def test_a_mistake_in_the_text_is_named_with_its_place(tmp_path: Path, was: str, now: str, said: str) -> None:
    assert was in GOOD
    with pytest.raises(ConfigError, match=said):
        read(tmp_path, GOOD.replace(was, now))


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("What is 2 + 2?", "What is $\\sigma(0)$?", r"line 8: the notebook can show neither formulas nor pictures"),
        ("*b) 4", "*b) $\\frac{8}{2}$", r"line 11: the notebook can show neither formulas"),
        ("... Right.", "... Since $2 + 2 = 4$.", r"line 12: the notebook can show neither formulas"),
        (
            "a) 3",
            "... Think of your fingers.\na) 3",
            r"line 9: Canvas alone would show what is said of the whole question",
        ),
    ],
)
def test_what_the_notebook_or_canvas_alone_would_show_is_refused_with_its_line(
    tmp_path: Path, was: str, now: str, said: str
) -> None:
    assert was in GOOD
    with pytest.raises(ConfigError, match=said):
        read(tmp_path, GOOD.replace(was, now))


def test_formulas_in_the_text_above_the_questions_are_shown_by_both(tmp_path: Path) -> None:
    quiz = read(tmp_path, GOOD.replace("About adding.", "About $a + b$."))
    assert "About $a + b$." in quiz_notebook(quiz)


def test_two_questions_of_one_name_are_refused(tmp_path: Path) -> None:
    again = GOOD[GOOD.index("Title: Two") :].replace("1. What", "2. And what").replace("2 + 2", "1 + 3")
    with pytest.raises(ConfigError, match="two questions are called 'Two and two'"):
        read(tmp_path, f"{GOOD}\n{again}")


def test_code_in_the_text_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    code = f"```{{.python .run}}\nopen({str(mark)!r}, 'w')\n```\n"
    with pytest.raises(ConfigError):
        read(tmp_path, code + GOOD)
    assert not mark.exists()


def test_where_there_is_no_text_the_command_says_where_it_was_looked_for(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    ended = command(root, "quiz", "warmup")
    assert ended.returncode == 2
    assert f"{root / 'quizzes/warmup.txt'} cannot be read" in " ".join(ended.stderr.split())


def command(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return autograder(root, *words, PATH="")


# For students: the notebook


@pytest.mark.parametrize("week", WEEKS)
def test_the_committed_notebook_is_the_one_that_the_text_gives(week: str) -> None:
    released = REPOSITORY / f"release/{week}-knowledge-check/{week}-knowledge-check.ipynb"
    assert released.read_text(encoding="utf-8") == quiz_notebook(of_week(week))


def test_the_notebook_is_valid_and_has_neither_outputs_nor_readable_answers(week2: Quiz) -> None:
    notebook = nbformat.reads(quiz_notebook(week2), as_version=4)
    nbformat.validate(notebook)
    assert all(cell.get("outputs", []) == [] for cell in notebook.cells)
    text = quiz_notebook(week2)
    assert not [choice for question in week2.questions for choice in question.choices if plain(choice.why) in text]


def test_the_command_writes_both_and_says_where(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    (root / "quizzes").mkdir()
    (root / "quizzes/warmup.txt").write_text(GOOD)
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    ended = command(root, "quiz", "warmup", "--qti", "canvas.zip")
    assert (ended.returncode, ended.stderr) == (0, "")
    notebook = "release/warmup-knowledge-check/warmup-knowledge-check.ipynb"
    assert ended.stdout.split() == ["1", "questions", "in", notebook, "and", "canvas.zip"]
    assert (root / notebook).is_file()
    assert zipfile.is_zipfile(root / "canvas.zip")


@pytest.fixture(scope="module")
def played(week2: Quiz, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """JupyterLab in Chromium with the notebook, all of its cells run."""
    folder = tmp_path_factory.mktemp("student") / "work"
    folder.mkdir()
    shutil.copy(REPOSITORY / "release/week2-knowledge-check/week2-knowledge-check.ipynb", folder)
    with chromium_browser() as browser, jupyterlab(folder, jupyters_environment(folder.parent / "home")) as url:
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        elsewhere: list[str] = []
        page.on("request", lambda request: elsewhere.append(request.url))
        page.goto(f"{url}lab/tree/week2-knowledge-check.ipynb?token={TOKEN}")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
        labflow.run_all(page)
        page.wait_for_function(
            f"document.querySelectorAll('.Quiz .MCButton').length === {4 * len(week2.questions)}", timeout=90_000
        )
        yield page, elsewhere


@pytest.mark.thorough
@pytest.mark.browser
def test_each_choice_that_is_clicked_says_why(week2: Quiz, played: Any) -> None:
    page, elsewhere = played
    shown = page.locator(".Quiz")
    assert shown.count() == len(week2.questions)
    for number, question in enumerate(week2.questions):
        each = shown.nth(number)
        assert question.title in each.inner_text()
        for choice in question.choices:
            button = next(
                found
                for found in each.locator(".MCButton").all()
                if " ".join(found.inner_text().split()) == " ".join(plain(choice.text).split())
            )
            button.click()
            feedback = each.locator(".Feedback")
            assert " ".join(feedback.inner_text().split()) == " ".join(plain(choice.why).split())
            assert ("incorrect" in feedback.get_attribute("class")) == (not choice.correct)
    assert not [
        url for url in elsewhere if not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))
    ]


@pytest.mark.thorough
@pytest.mark.browser
def test_the_keyboard_is_enough(week2: Quiz, played: Any) -> None:
    page, _ = played
    first = page.locator(".Quiz").first
    first.locator("input[type=radio]").first.focus()
    said = set()
    for _ in range(4):
        page.keyboard.press("ArrowDown")
        said.add(" ".join(first.locator(".Feedback").inner_text().split()))
    assert said == {" ".join(plain(choice.why).split()) for choice in week2.questions[0].choices}


# For Canvas: QTI 1.2

QTI = "{http://www.imsglobal.org/xsd/ims_qtiasiv1p2}"
MANIFEST = "{http://www.imsglobal.org/xsd/imsccv1p1/imscp_v1p1}"


@pytest.fixture(scope="module")
def package(week2: Quiz) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(quiz_qti(week2)))


def test_every_file_of_the_package_is_in_its_manifest_and_reads_as_xml(package: zipfile.ZipFile) -> None:
    manifest = ET.fromstring(package.read("imsmanifest.xml"))
    listed = {each.get("href") for each in manifest.iter(f"{MANIFEST}file")}
    assert listed == {name for name in package.namelist() if not name.endswith("/")} - {"imsmanifest.xml"}
    resources = {each.get("identifier") for each in manifest.iter(f"{MANIFEST}resource")}
    assert {each.get("identifierref") for each in manifest.iter(f"{MANIFEST}dependency")} <= resources
    for name in listed:
        ET.fromstring(package.read(name))


def items(package: zipfile.ZipFile) -> list[ET.Element]:
    (name,) = (name for name in package.namelist() if re.search(r"/text2qti_assessment_\w+\.xml$", name))
    root = ET.fromstring(package.read(name))
    assert root.tag == f"{QTI}questestinterop"
    return [item for item in root.iter(f"{QTI}item") if item.find(f".//{QTI}response_lid") is not None]


def chosen(item: ET.Element, choice: str) -> tuple[float, list[str]]:
    """Score and feedback for a choice, as the item's response processing has it (QTI 1.2, section 4.5)."""
    score, told = 0.0, []
    texts = {
        feedback.get("ident"): "".join(feedback.itertext()).strip() for feedback in item.iter(f"{QTI}itemfeedback")
    }
    for condition in item.iter(f"{QTI}respcondition"):
        wanted = condition.find(f"{QTI}conditionvar/{QTI}varequal")
        if wanted is None or wanted.text != choice:
            continue
        told += [texts[shown.get("linkrefid")] for shown in condition.iter(f"{QTI}displayfeedback")]
        for variable in condition.iter(f"{QTI}setvar"):
            assert (variable.get("action"), variable.get("varname")) == ("Set", "SCORE")
            score = float(variable.text or 0)
        if condition.get("continue") == "No":
            break
    return score, told


def test_each_choice_scores_and_explains_in_canvas_as_in_the_text(week2: Quiz, package: zipfile.ZipFile) -> None:
    found = items(package)
    assert len(found) == len(week2.questions)
    identities = [label.get("ident") for item in found for label in item.iter(f"{QTI}response_label")]
    assert len(set(identities)) == len(identities)
    for item, question in zip(found, week2.questions, strict=True):
        labels = list(item.iter(f"{QTI}response_label"))
        shown = [plain("".join(label.itertext())).strip() for label in labels]
        assert shown == [plain(choice.text) for choice in question.choices]
        for label, choice in zip(labels, question.choices, strict=True):
            score, told = chosen(item, label.get("ident") or "")
            assert score == (100 if choice.correct else 0)
            assert [plain(each) for each in told] == [plain(choice.why)]


def test_a_package_is_what_its_text_says_and_nothing_of_the_machine(package: zipfile.ZipFile) -> None:
    whole = b"".join(package.read(name) for name in package.namelist())
    assert str(REPOSITORY).encode() not in whole
    assert json.dumps("Week 2 Knowledge Check").strip('"').encode() in whole
