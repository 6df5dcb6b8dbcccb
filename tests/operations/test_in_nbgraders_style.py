"""Two assignments of two notebooks each, written as nbgrader's courses are, graded beside `nbgrader autograde`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from autograder.course import master_cells
from tests.nbgrader_classes import ATTACKS, HandIns, Scores, by_nbgrader, graded, ours

pytestmark = [pytest.mark.sandbox, pytest.mark.long]

MASTERS = Path(__file__).with_name("nbgraders_style")
SOURCES = {
    cell.grade_id: cell.source
    for path in sorted(MASTERS.glob("*/*.ipynb"))
    for cell in master_cells(path)
    if cell.grade_id
}


def edited(grade_id: str, *edits: tuple[str, str]) -> dict[str, str]:
    """A solution cell in which some text is another."""
    source = SOURCES[grade_id]
    for old, new in edits:
        assert old in source, old
        source = source.replace(old, new)
    return {grade_id: source}


CLASSES = HandIns(
    MASTERS / "classes",
    {
        "zeros-stay": edited("polynomial", ("while len(coefficients) > 1 and coefficients[-1] == 0:", "while False:"))
        | edited("statement", ("print(account.owner)", "return account.owner")),
        "takes-the-list": edited("polynomial", ("        coefficients = list(coefficients)\n", ""))
        | edited("not_enough", ("(ValueError)", "(Exception)")),
        "asserts": edited(
            "polynomial",
            (
                'if not coefficients:\n            raise ValueError("a polynomial needs coefficients")',
                "assert coefficients",
            ),
        )
        | edited("account", ("return False", "return True")),
        "floats": edited("polynomial", ("value = 0 * x", "value = 0.0 * x"), ("return NotImplemented", "return None"))
        | edited("account", ("amount > self.balance", "amount >= self.balance")),
        "adds-in-place": edited(
            "polynomial",
            (
                "return Polynomial([a + b for a, b in pairs])",
                "self.coefficients = [a + b for a, b in pairs]; return self",
            ),
        )
        | edited("account", ("if amount <= 0:", "if amount < 0:")),
        "shows-nothing": edited("polynomial", ('return f"Polynomial({self.coefficients})"', 'print("Polynomial")'))
        | edited(
            "transfer",
            ("    except Exception:\n        source.deposit(amount)\n        raise", "    finally:\n        pass"),
        ),
        "a-list-of-steps": {"newton": "def newton(p, x):\n    return [x - p(x) / derivative(p)(x)]"}
        | edited("not_enough", ("        self.asked = asked\n", "")),
        "another-generator": edited("any_polynomial", ("np.random.randint", "np.random.default_rng().integers"))
        | edited("account", ("yield from self._changes", "return self._changes")),
        "no-derivative": edited(
            "derivative", (" or [0]", ""), ("enumerate(p.coefficients)", "enumerate(p.coefficients, 1)")
        )
        | edited(
            "account",
            ("def __len__(self):\n        return len(self._changes)", "def __len__(self):\n        return -1"),
        ),
        "a-syntax-error": edited("newton", ("while True:", "while True"))
        | edited("account", ("def history(self):", "def history(self:")),
    },
    {},
    "polynomials",
)
TABLES = HandIns(
    MASTERS / "tables",
    {
        "splits-at-spaces": {"words": "def words(text):\n    return text.lower().split()"}
        | edited("read", (".reset_index(drop=True)", "")),
        "knows-a-to-z": {
            "words": 'import re\n\ndef words(text):\n    return re.findall(r"[a-z](?:[a-z\']*[a-z])?", text.lower())'
        }
        | edited("read", ('dropna(subset=["temperature"])', "fillna(0.0)")),
        "pairs": edited("counts", ("return counted\n", "return list(counted.items())\n"))
        | {
            "means": "def means(readings):\n    by_place = readings.groupby('place')\n"
            "    return {place: part.temperature.mean() for place, part in by_place}"
        },
        "ties-as-they-come": edited("counts", ("(-pair[1], pair[0])", "-pair[1]"))
        | edited("means", ('["temperature"].mean()', '["temperature"].median()')),
        "natural-logarithm": edited("entropy", ("math.log2", "math.log"))
        | {
            "fahrenheit": "def fahrenheit(readings):\n"
            "    readings['fahrenheit'] = 32 + 1.8 * readings.temperature\n    return readings"
        },
        "divides-by-zero": edited(
            "entropy",
            ('if not total:\n        raise ValueError("there are no words")\n    ', ""),
            ("sum(n / total", "sum(1 / total and n / total"),
        )
        | edited("fahrenheit", ("1.8 *", "1.8 +")),
        "one-line-more": edited("table", ("for word, n in pairs)", 'for word, n in pairs) + "\\n"'))
        | edited("wettest", ('.groupby("day")["rain"].sum()', '.set_index("day")["rain"]')),
        "all-the-longest": edited("longest", ("max(words(TEXT), key=len)", "[max(words(TEXT), key=len)]"))
        | edited("draw", ("return axes", "return axes.figure")),
        "rounds": edited("longest", ("/ len(words(TEXT))", "// len(words(TEXT))"))
        | edited("draw", ('axes.set_ylabel("temperature / °C")', "axes.plot([0], [0])")),
        "raises": {"table": "def table(pairs):\n    raise KeyError(pairs[0])"}
        | {"wettest": "wettest, total = 'Wed', '10.5'\nraise RuntimeError('not finished')"}
        | edited("draw", ('there["temperature"], marker', 'there["rain"], marker')),
    },
    {},
    "words",
)
"""The wrong ones have a mistake in each of the two notebooks."""


LOST: dict[str, dict[str, set[str]]] = {
    "classes": {
        "solved": set(),
        "zeros-stay": {"construction", "arithmetic", "test_statement"},
        "takes-the-list": {"construction", "values", "test_not_enough"},
        "asserts": {"no_coefficients", "undoing"},
        "floats": {"values", "arithmetic", "moving_money"},
        "adds-in-place": {"arithmetic", "refusals"},
        "shows-nothing": {"shown", "test_transfer"},
        "a-list-of-steps": {"test_newton", "test_not_enough", "refusals"},
        "another-generator": {"test_any_polynomial", "changes"},
        "no-derivative": {"test_derivative", "test_newton", "changes", "refusals"},
        "a-syntax-error": {
            *("test_newton", "moving_money", "refusals", "changes", "undoing", "test_transfer", "test_statement"),
        },
    },
    "tables": {
        "solved": set(),
        "splits-at-spaces": {"test_words", "test_most", "test_longest", "test_read"},
        "knows-a-to-z": {"test_words", "test_read", "test_means", "test_fahrenheit"},
        "pairs": {"test_counts", "test_most", "test_means"},
        "ties-as-they-come": {"test_most", "test_means"},
        "natural-logarithm": {"test_entropy", "test_fahrenheit"},
        "divides-by-zero": {"test_entropy", "test_fahrenheit"},
        "one-line-more": {"test_table", "test_wettest"},
        "all-the-longest": {"test_longest", "test_draw"},
        "rounds": {"test_longest", "test_draw"},
        "raises": {"test_table", "test_wettest", "test_draw"},
    },
}
"""The test cells that a student has no points for, by assignment: those that `nbgrader autograde` gives none, to which
`make thorough` holds them. The untouched release has none at all."""

POINTS: dict[str, Scores] = {
    "classes": {
        **{"construction": 1.0, "no_coefficients": 1.0, "values": 2.0, "arithmetic": 2.0, "shown": 1.0},
        **{"test_derivative": 1.0, "test_newton": 2.0, "test_any_polynomial": 1.0, "test_not_enough": 1.0},
        **{"moving_money": 2.0, "refusals": 2.0, "changes": 1.0, "undoing": 2.0, "test_transfer": 2.0},
        "test_statement": 1.0,
    },
    "tables": {
        **{"test_words": 2.0, "test_counts": 1.0, "test_most": 1.0, "test_entropy": 2.0, "test_table": 1.0},
        **{"test_longest": 1.0, "test_read": 2.0, "test_means": 2.0, "test_fahrenheit": 2.0, "test_wettest": 1.0},
        "test_draw": 2.0,
    },
}

GRADED = (CLASSES, TABLES)
ATTACKED = tuple(replace(each, changes={}, attacks=ATTACKS) for each in GRADED)
"""Those who attack, in a class of their own: the same attacks on nbgrader's own quickstart are in `make test`."""


HONEST = [
    # The class with tables is left to make thorough, since each of its students imports pandas anew.
    pytest.param(hand_ins, student, id=f"{hand_ins.name}-{student}", marks=marks)
    for hand_ins, marks in ((CLASSES, ()), (TABLES, pytest.mark.thorough))
    for student in hand_ins.honest
]
ATTACKERS = [pytest.param(each, attack, id=f"{each.name}-{attack}") for each in ATTACKED for attack in ATTACKS]


def expected(assignment: str, student: str) -> Scores:
    points = POINTS[assignment]
    lost = set(points) if student == "untouched" else LOST[assignment][student]
    return {test: 0.0 if test in lost else of for test, of in points.items()}


Root = Callable[[HandIns], Path]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """Gives the course of a class, graded by our command when it is first asked for."""
    classes = (*GRADED, *ATTACKED)
    made = cache(lambda number: graded(tmp_path_factory.mktemp(classes[number].name), classes[number]))
    return lambda hand_ins: made(classes.index(hand_ins))


@pytest.mark.thorough
@pytest.mark.parametrize("hand_ins", GRADED, ids=[each.name for each in GRADED])
def test_nbgrader_gives_the_scores_that_are_written_down(root: Root, hand_ins: HandIns) -> None:
    assert by_nbgrader(root(hand_ins), hand_ins) == {each: expected(hand_ins.name, each) for each in hand_ins.honest}


@pytest.mark.parametrize(("hand_ins", "student"), HONEST)
def test_a_submission_has_the_scores_that_nbgrader_gives(root: Root, hand_ins: HandIns, student: str) -> None:
    assert ours(root(hand_ins), hand_ins.name, student) == expected(hand_ins.name, student)


@pytest.mark.thorough
@pytest.mark.parametrize(("hand_ins", "student"), ATTACKERS)
def test_an_attack_that_gets_full_marks_elsewhere_has_no_point(root: Root, hand_ins: HandIns, student: str) -> None:
    scores = ours(root(hand_ins), hand_ins.name, student)
    assert scores
    assert scores.items() <= expected(hand_ins.name, "untouched").items()
