"""Test cells run outside give the verdict that they give inside: what those of real courses do, one after another."""

from __future__ import annotations

import contextlib
import io
import linecache
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from autograder.checking import Loopback, Rehearsal, TestCells, definitions, plan_of
from autograder.course import Limits, master_cells
from tests.courses import cell, notebook, write

CASES: list[dict[str, str]] = yaml.safe_load(Path(__file__).with_name("test_cells.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "words.txt").write_text("two words")
    with contextlib.chdir(tmp_path):
        yield tmp_path


def master(folder: Path, case: Mapping[str, str], answer: str) -> Path:
    """A master notebook of the case, with this answer as its solution."""
    cells = [
        cell(case.get("given", ""), "given", role="locked"),
        cell(answer, "solution", role="solution"),
        cell(case.get("after", ""), "after", role="locked"),
        cell(case.get("earlier", ""), "earlier", role="test", points=1),
        cell(case["test"], "the_test", role="test", points=1),
    ]
    path = folder / f"{len(list(folder.iterdir()))}.ipynb"
    write(path, notebook(*(each for each in cells if each["source"])))
    return path


def run(source: str, number: int, names: dict[str, Any]) -> None:
    """Run a cell as Jupyter does: its functions know their source."""
    name = f"<inside {number}>"
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source.replace("%matplotlib inline", ""), name, "exec"), names)


def passes_inside(notebook: Path) -> bool:
    """Whether the last cell passes where all cells run in one process, as in Jupyter."""
    names: dict[str, Any] = {"__name__": "__main__"}
    *before, test = master_cells(notebook)
    for each in before:
        with contextlib.suppress(Exception):
            run(each.source, each.number, names)
    try:
        run(test.source, test.number, names)
    except BaseException:
        return False
    return True


def said_outside(submitted: Path, solved: Path, running: TestCells, *, partial_credit: bool = False) -> list[str]:
    """What the last cell says outside where it fails, for each of its statements; empty for one that passes."""
    names: dict[str, Any] = {"__name__": "__main__"}
    *before, last = master_cells(submitted)
    for each in before:
        if not each.grade or each.grade_id == "earlier":
            with contextlib.suppress(Exception):
                run(each.source, each.number, names)
    test = running.plan.tests[last.grade_id]
    tested = running.run(
        test,
        Loopback(names),
        partial=partial_credit,
        sources=definitions([each.source for each in before]),
        has_object=partial(Rehearsal(solved, running.plan, running).has_object, test),
    )
    assert not [each.trouble for each in tested.statements if each.trouble], tested
    return ["" if each.cause is None else each.cause.text or each.cause.kind for each in tested.statements]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_test_cell_gives_outside_the_verdict_that_it_gives_inside(case: Mapping[str, str], folder: Path):
    right, wrong = master(folder, case, case["right"]), master(folder, case, case["wrong"])
    assert (passes_inside(right), passes_inside(wrong)) == (True, False)
    with TestCells(plan_of(master_cells(right)), folder, Limits()) as running:
        assert not any(said_outside(right, right, running))
        assert any(said_outside(wrong, right, running))
        if "also" in case:
            another = master(folder, case, case["also"])
            assert passes_inside(another)
            assert not any(said_outside(another, right, running))
