"""nbgrader's own quickstart assignment, imported and graded as nbgrader ships it, beside `nbgrader autograde`."""

from __future__ import annotations

import json
from pathlib import Path

import nbgrader
import pytest

from tests.nbgrader_classes import ATTACKS, HandIns, by_nbgrader, graded, ours

pytestmark = pytest.mark.sandbox

PS1 = Path(nbgrader.__file__).parent / "docs/source/user_guide/source/ps1"
SQUARES = "def squares(n):\n    if n < 1:\n        raise ValueError('n')\n    return [i ** 2 for i in range(1, n + 1)]"
SUM = "def sum_of_squares(n):\n    return sum(squares(n))"

ANSWERS: dict[str, dict[str, str]] = {
    "no-error": {"squares": "def squares(n):\n    return [i ** 2 for i in range(1, n + 1)]"},
    "another-error": {"squares": SQUARES.replace("ValueError", "TypeError")},
    "a-generator": {"squares": SQUARES.replace("[", "(").replace("]", ")")},
    "an-array": {
        "squares": "import numpy as np\n" + SQUARES.replace("[i ** 2 for i in range(1, n + 1)]", "np.arange(n)")
    },
    "reimplemented": {"sum_of_squares": "def sum_of_squares(n):\n    return sum(i * i for i in range(1, n + 1))"},
    "a-text": {"sum_of_squares": "def sum_of_squares(n):\n    return str(sum(squares(n)))"},
    "a-float": {"sum_of_squares": "def sum_of_squares(n):\n    return float(sum(squares(n)))"},
    "off-by-one": {"sum_of_squares": "def sum_of_squares(n):\n    return sum(squares(n)) + 1"},
    "only-the-first": {"sum_of_squares": "def sum_of_squares(n):\n    return 1 if n == 1 else sum(squares(n)) - 1"},
    "a-syntax-error": {"sum_of_squares": "def sum_of_squares(n):\n    return sum(squares(n)"},
}
"""Wrong answers, by who gives them."""

LIAR = (
    "class Liar:\n    def __eq__(self, other): return True\n    def __bool__(self): return True\n"
    "    def __radd__(self, other): return self\ndef squares(n): return Liar()\ndef sum_of_squares(n): return Liar()"
)

PROBLEMS = HandIns(
    PS1,
    {student: {"squares": SQUARES, "sum_of_squares": SUM} | answers for student, answers in ANSWERS.items()},
    ATTACKS | {"equals-everything": LIAR},
    "problem1",
)

SCORES = Path(__file__).with_name("quickstart_scores.json")
"""The scores that `nbgrader autograde` gives, by student and test cell: made by `by_nbgrader`, to which `make thorough`
holds them."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The class, graded by our command."""
    return graded(tmp_path_factory.mktemp("quickstart"), PROBLEMS)


@pytest.mark.thorough
def test_nbgrader_gives_the_scores_that_are_recorded(root: Path) -> None:
    assert by_nbgrader(root, PROBLEMS) == json.loads(SCORES.read_text(encoding="utf-8"))


@pytest.mark.parametrize("student", PROBLEMS.honest)
def test_a_submission_has_the_scores_that_nbgrader_gives(root: Path, student: str) -> None:
    assert ours(root, "ps1", student) == json.loads(SCORES.read_text(encoding="utf-8"))[student]


@pytest.mark.parametrize("student", PROBLEMS.attacks)
def test_an_attack_that_gets_full_marks_elsewhere_has_no_point(root: Path, student: str) -> None:
    scores = ours(root, "ps1", student)
    assert sum(score or 0 for score in scores.values()) <= (0.5 if student == "equals-everything" else 0)
    assert None not in scores.values()


def test_both_notebooks_are_in_nbgraders_tables(root: Path) -> None:
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{root}/gradebook.db") as gradebook:
        for student, written, score in (("solved", True, 3), ("untouched", False, 0)):
            submission = gradebook.find_submission("ps1", student)
            waiting = {each.name: each.needs_manual_grade for each in submission.notebooks}
            assert waiting == {"problem1": written, "problem2": written}
            assert submission.score == score
