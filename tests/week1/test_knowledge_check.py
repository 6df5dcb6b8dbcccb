"""The Knowledge Check of Week 1: its numbers are worked out here once more; test_quiz has what holds of any."""

import html
import math
import re
from pathlib import Path

import numpy as np
import pytest

from autograder.authoring import quiz_file, read_quiz
from autograder.authoring.quiz import Quiz
from autograder.course import load_course

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def quiz() -> Quiz:
    return read_quiz(quiz_file(load_course(ROOT), "week1"))


def plain(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", text))


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def softplus(z: float) -> float:
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


def test_there_are_twenty_one_questions(quiz: Quiz) -> None:
    assert len(quiz.questions) == 21


@pytest.mark.parametrize(
    ("title", "numbers"),
    [
        ("Four to one", [4 / 5, 4, math.log(4)]),
        ("The sign turned", [sigmoid(-math.log(0.9 / 0.1))]),
        ("Some evidence more", [sigmoid(0 + math.log(2))]),
        ("What the probabilities sum to", [0.9 + 0.8 + 0.1]),
        ("One example's loss", [0.2, -math.log(1 - 0.8)]),
        ("A model that knows nothing", [4, 2, -4 * math.log(0.5)]),
        ("What a floor does", [-math.log(1e-12), softplus(1000)]),
        ("At the logit", [0.7 - 1]),
        ("One step by hand", [1 - 0.1 * -2]),
        ("What weight decay adds", [0.1 * 3]),
        ("Always healthy", [99, 0]),
        ("Precision and recall by hand", [6 / 8, 6 / 10]),
        ("All labels at once", [0.9**3]),
    ],
)
def test_the_right_answer_is_what_comes_out(quiz: Quiz, title: str, numbers: list[float]) -> None:
    (question,) = (each for each in quiz.questions if each.title == title)
    (choice,) = (each for each in question.choices if each.correct)
    found = [float(each) for each in re.findall(r"-?\d+(?:\.\d+)?", plain(choice.text).replace("−", "-"))]
    assert found == pytest.approx(numbers, abs=0.04 if title == "What a floor does" else 6e-4)


def test_what_the_questions_say_of_numpy_holds() -> None:
    z = np.array([-1000.0, -40.0, 0.0, 1000.0])
    e = np.exp(-np.abs(z))
    assert np.where(z >= 0, 1, e) / (1 + e) == pytest.approx([0, 4.25e-18, 0.5, 1], rel=1e-2)
    assert np.log(1 + np.exp(-40)) == 0 != np.log1p(np.exp(-40))
    assert np.log1p(np.exp(-40)) == pytest.approx(4.25e-18, rel=1e-3)
    assert (np.ones((32, 5)).T @ np.ones(32)).shape == (5,)
    assert (np.ones((32, 5)).T * np.ones(32)).shape == (5, 32)
    for logit, target in [(1.5, 1), (-2.0, 0), (3.0, 0.25)]:
        p = sigmoid(logit)
        written = -target * math.log(p) - (1 - target) * math.log(1 - p)
        assert max(logit, 0) - target * logit + math.log1p(math.exp(-abs(logit))) == pytest.approx(written)
