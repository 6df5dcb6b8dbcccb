"""Same in, same out: a class graded by one process or by eight, in any order, has the same reports."""

from dataclasses import replace
from pathlib import Path

import pytest

from autograder.course import load_course
from autograder.grading import Report
from autograder.operations.pool import grade_all
from autograder.submission.hand_in import HandIn
from tests.courses import cell, make_course, solved, submit, untouched

pytestmark = pytest.mark.sandbox

FICKLE = """
import random, threading
import numpy as np

print(random.random(), np.random.rand(), hash("a"), {"a", "b", "c", "d"}, np.empty(5), np.empty_like(np.ones(300)))
drawn = []
threads = [threading.Thread(target=lambda: drawn.append(random.random())) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

def scale(x, factor):
    moved = np.empty(5)
    moved[:4] = sorted(drawn)
    moved[4] = np.empty(1000, dtype=int)[-1] % 97
    return x * factor + moved * np.random.rand() * random.random() * hash(str(sorted(drawn))) * 1e-19
"""
"""Wrong by what comes out of all that is random by accident; the report tells by how much, to two digits."""

ADDRESSED = """
def scale(x, factor):
    raise ValueError(f"no {scale} and no {object()}")
"""

ENTROPY = """
import os, time, tempfile, uuid
import numpy as np

print(os.urandom(8), time.time(), id(object()), uuid.uuid4(), tempfile.mktemp(), np.random.default_rng().normal())
"""
"""Asks the system for what is never the same; nothing of it is in the answers."""


def variant(source: str, position: int = 2):
    tree = solved()
    tree["cells"][position]["source"] = source
    return tree


CLASS = {
    "honest": solved(),
    "untouched": untouched(),
    "doubled": variant("def scale(x, factor): return 2 * x * factor"),
    "off": variant("def centre(x): return scale(x, 1.0) - x.mean() * 1.01", 4),
    "fickle": variant(FICKLE),
    "addressed": variant(ADDRESSED),
    "dying": variant("import os\ndef scale(x, factor): os._exit(1)"),
    "entropy": {**solved(), "cells": [*solved()["cells"], cell(ENTROPY)]},
}


def timeless(report: Report) -> Report:
    return replace(report, seconds=0, cells=tuple(replace(run, seconds=0) for run in report.cells))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Report]]:
    """The class graded by one process, backwards by eight, and by eight again."""
    root = make_course(tmp_path_factory.mktemp("course") / "course")
    warmup = load_course(root).assignment("warmup")
    entries = [HandIn(student, submit(root, student, tree), None) for student, tree in CLASS.items()]
    graded = []
    for ordered, jobs in ((entries, 1), (entries[::-1], 8), (entries[3:] + entries[:3], 8)):
        results = grade_all(ordered, warmup, sandbox="bubblewrap", jobs=jobs)
        reports = {result.hand_in.student: result.report for result in results}
        graded.append({student: timeless(report) for student, report in reports.items() if report is not None})
    return graded


@pytest.mark.parametrize("student", [student for student in CLASS if student not in ("entropy", "addressed")])
def test_the_same_submission_has_the_same_report_whoever_grades_it_and_when(
    runs: list[dict[str, Report]], student: str
) -> None:
    assert not runs[0][student].errored
    assert runs[0][student] == runs[1][student] == runs[2][student]


@pytest.mark.parametrize("student", ["entropy", "addressed"])
def test_entropy_and_addresses_make_a_difference_in_the_cells_outputs_alone(
    runs: list[dict[str, Report]], student: str
) -> None:
    first, second, _ = (run[student] for run in runs)
    assert first.cells != second.cells
    assert replace(first, cells=()) == replace(second, cells=())


def test_what_is_random_by_accident_is_told_to_the_digit(runs: list[dict[str, Report]]) -> None:
    assert "wrong" in runs[0]["fickle"].rows[0].checks[0].reason


def test_no_address_is_in_a_reason(runs: list[dict[str, Report]]) -> None:
    reason = runs[0]["addressed"].rows[0].checks[0].reason
    assert "no <function scale at 0x…> and no <object object at 0x…>" in reason


def test_memory_that_was_never_written_to_gives_no_right_answer(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    warmup = load_course(root).assignment("warmup")
    unwritten = (
        "import numpy as np\ndef scale(x, factor):\n    out = np.empty(len(x))\n    out += x * factor\n    return out"
    )
    path = submit(root, "ada", variant(unwritten))
    (result,) = grade_all([HandIn("ada", path, None)], warmup, sandbox="bubblewrap", jobs=1)
    assert result.report is not None
    assert "NaN" in result.report.rows[0].checks[0].reason
