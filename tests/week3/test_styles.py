"""Answers to Week 3 in other styles and with other mistakes, against its hidden checks, in this very process."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from autograder.authoring import stock_mistakes
from autograder.checking import Loopback
from autograder.course import Assignment, load_course
from autograder.grading import CheckResult, Suite

ROOT = Path(__file__).parents[2]
STYLES = sorted((ROOT / "tests/week3/styles").glob("*.ipy"))


@pytest.fixture(scope="module")
def week3() -> Assignment:
    return load_course(ROOT).assignment("week3")


@pytest.fixture(scope="module")
def suite(week3: Assignment) -> Iterator[Suite]:
    with Suite(week3) as suite:
        yield suite


@pytest.fixture(scope="module")
def checked(week3: Assignment, suite: Suite) -> Callable[..., list[CheckResult]]:
    """The results of a row's checks, where the notebook's code is the master's and then this."""
    cells = json.loads(week3.master.read_text(encoding="utf-8"))["cells"]
    wanted = {"layer"} | {row.name for row in week3.rows}
    sources = ["".join(cell["source"]) for cell in cells if cell["id"] in wanted]

    def results(row: str, code: str, only: str = "") -> list[CheckResult]:
        names: dict[str, Any] = {"np": np, "__name__": "__main__"}
        for source in (*sources, code):
            exec(source, names)
        checks = [check for check in suite.rows()[row] if only in check.name]
        return [verdict.result for verdict in suite.run(checks, Loopback(names))]

    return results


def lost(results: list[CheckResult]) -> list[str]:
    return [f"{check.name}: {check.reason or check.trouble}" for check in results if check.outcome != "passed"]


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.stem)
def test_a_right_answer_in_another_style_has_full_marks(
    checked: Callable[..., list[CheckResult]], week3: Assignment, path: Path
) -> None:
    code = path.read_text(encoding="utf-8")
    rows = [row.name for row in week3.rows if f"# {row.name}\n" in code]
    assert rows
    for row in rows:
        assert lost(checked(row, code)) == []


@pytest.mark.thorough
def test_the_right_answers_of_the_stock_mistakes_have_full_marks(
    checked: Callable[..., list[CheckResult]], week3: Assignment
) -> None:
    for row, code in mistakes_of(week3).RIGHT.items():
        assert lost(checked(row, code)) == []


def mistakes_of(assignment: Assignment) -> ModuleType:
    specification = importlib.util.spec_from_file_location("mistakes_of_week3", assignment.solutions / "mistakes.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


SHARE = 8
"""One in so many stock mistakes is tried each time, and all in a thorough run."""


@pytest.mark.parametrize(
    "part", [pytest.param(part, marks=() if part == 0 else pytest.mark.thorough) for part in range(SHARE)]
)
def test_a_stock_mistake_loses_points(checked: Callable[..., list[CheckResult]], week3: Assignment, part: int) -> None:
    for mistake in stock_mistakes(week3)[part::SHARE]:
        results = checked(mistake.row, mistake.code)
        assert lost(results), mistake.name
        assert not [check for check in results if check.outcome == "errored"], mistake.name


def test_each_row_has_stock_mistakes(week3: Assignment) -> None:
    named = [mistake.row for mistake in stock_mistakes(week3)]
    assert len(named) >= 60
    assert {row.name for row in week3.rows} == set(named)


@pytest.mark.parametrize(
    ("row", "only", "right", "wrong", "said"),
    [
        ("linear", "gradients_are_those", "x @ self.W + self.b", "x @ self.W + 2 * self.b", ""),
        ("linear", "linear_gradients[dW]", "self.x.T @ dout", "self.x.T @ dout / len(dout)", "times too small"),
        ("batch_norm", "gradients[dx]", "- np.mean(grad, axis=0) - stretch", "- stretch", "dx has both sums in it"),
        ("conv2d", "conv2d_gradients[dx]", "dpadded[place] +=", "dpadded[place] =", "where filters overlap"),
        ("adam", "tiny_gradients", "(np.sqrt(square) + self.eps)", "np.sqrt(square + self.eps)", "of the corrected v"),
    ],
)
def test_what_is_told_of_a_mistake(
    checked: Callable[..., list[CheckResult]], week3: Assignment, row: str, only: str, right: str, wrong: str, said: str
) -> None:
    cells = json.loads(week3.master.read_text(encoding="utf-8"))["cells"]
    source = next("".join(cell["source"]) for cell in cells if cell["id"] == row)
    assert right in source
    (result,) = checked(row, source.replace(right, wrong), only)
    assert (result.outcome == "passed") == (said == "")
    assert said in f"{result.reason} {result.hint}"
