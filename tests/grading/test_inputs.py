"""Inputs of one's own: drawn for each student where the course says so, and as good an exam for everybody."""

import contextlib
import io
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder import cli
from autograder.authoring import release
from autograder.authoring.mistakes import Mistake, stock_mistakes
from autograder.base import ConfigError, ReleaseError
from autograder.checking import Loopback, reference
from autograder.course import Assignment, load_course
from autograder.grading import Grader, Report, Suite, assignment_digest
from autograder.submission import read_submission
from tests import commands
from tests.courses import CHECKS, CONFIG, make_course, solved, submit

ROOT = Path(__file__).parents[2]
PER_STUDENT = CONFIG.replace("seed: 7", "seed: 7\n    inputs: per_student")
STUDENTS = [f"student-{number}" for number in range(25)]

ECHO = "def scale(x, factor):\n    raise ValueError(repr(x.tolist()))"


def echoed(path: Path, assignment: Assignment, grader: Grader, student: str | None) -> Report:
    return grader.grade(read_submission(path, assignment, student=student), assignment)


def inputs(report: Report) -> str:
    """What the check called ``scale`` with."""
    return report.rows[0].checks[0].reason


@pytest.fixture
def echo(tmp_path: Path) -> tuple[Path, Assignment]:
    """A submission that tells what it is called with, in a course where each student has inputs of their own."""
    root = make_course(tmp_path / "course", config=PER_STUDENT)
    tree = solved()
    tree["cells"][2]["source"] = ECHO
    return submit(root, "ada", tree), load_course(root).assignment("warmup")


@pytest.mark.sandbox
def test_each_student_has_inputs_of_their_own_and_the_same_ones_every_time(echo: tuple[Path, Assignment]) -> None:
    path, warmup = echo
    with Grader() as grader:
        ada, bob, nobody = (echoed(path, warmup, grader, student) for student in ("ada", "bob", None))
        again = echoed(path, warmup, grader, "ada")
        same = [echoed(path, replace(warmup, inputs="same"), grader, student) for student in ("ada", "bob", None)]
    assert len({inputs(report) for report in (ada, bob, nobody)}) == 3
    assert inputs(again) == inputs(ada)
    assert len({inputs(report) for report in same}) == 1
    assert (ada.digest == again.digest, ada.digest == bob.digest) == (True, False)
    assert len({report.digest for report in same}) == 1


def test_where_attempts_are_graded_at_once_there_are_ten_a_day_and_each_has_other_inputs(tmp_path: Path) -> None:
    """Unless the course says otherwise: what one learns from a page is of no use to another."""
    counted = CONFIG.replace("    seed: 7\n", "    seed: 7\n    attempts: {counts: best}\n")
    known = [
        load_course(make_course(tmp_path / name, config=config)).assignment("warmup")
        for name, config in (("counted", counted), ("plain", CONFIG))
    ]
    assert [(each.attempts.per_day, each.inputs) for each in known] == [(10, "per_student"), (10, "same")]
    assert len({known[0].inputs_of(student) for student in ("ada", "bob")}) == 2


@pytest.mark.sandbox
def test_a_right_answer_has_full_marks_whoever_gives_it(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course", config=PER_STUDENT)
    warmup = load_course(root).assignment("warmup")
    path = submit(root, "ada")
    with Grader() as grader:
        assert {echoed(path, warmup, grader, student).score for student in ("ada", "bob", None)} == {10.0}


def test_whose_inputs_decides_the_digest_of_the_assignment(warmup: Assignment) -> None:
    assert assignment_digest(warmup) != assignment_digest(replace(warmup, inputs="per_student"))


def test_what_the_reference_gave_is_kept_within_bounds(warmup: Assignment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "MAX_EXPECTED", 3)
    loaded = reference.load_reference(warmup)
    for number in (1.0, 2.0, 3.0, 1.0, 4.0, 5.0):
        assert loaded.expected("scale", (np.ones(2), number), {})[0].tolist() == [number, number]
    assert len(loaded._expected) == 3


@pytest.mark.sandbox
@pytest.mark.parametrize(("asked", "whose"), [([], "ada"), (["--student", "bob"], "bob")])
def test_pytest_draws_for_whose_submission_the_notebook_is(tmp_path: Path, asked: list[str], whose: str) -> None:
    """As `autograder check` does: otherwise what an instructor tries there is not what was graded."""
    root = make_course(tmp_path / "course", config=PER_STUDENT)
    notebook = submit(root, "ada")
    show = (
        'from autograder.checking import check\n\n\n@check("scale")\n'
        'def test_scale(draw):\n    """Drawn."""\n    raise AssertionError(f"drew {draw.normal()!r}")\n'
    )
    (root / "checks/warmup/test_warmup.py").write_text(show)
    drawn = []
    for words in ([*asked, "--submission", str(notebook)], ["--student", whose]):
        options = ["-q", "-p", "no:cacheprovider", *words, "checks/warmup"]
        done = commands.run(commands.PYTEST, "pytest", *options, cwd=root, environment=dict(os.environ))
        drawn += re.findall(r"^E +AssertionError: (drew .*)$", done.stdout, re.MULTILINE)
    assert len(drawn) == 2
    assert drawn[0] == drawn[1]


def test_a_mistake_in_the_spelling_is_explained(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course", config=PER_STUDENT.replace("per_student", "per-student"))
    with pytest.raises(ConfigError, match=r"expected one of: same or per_student; did you mean 'per_student'\?"):
        load_course(root)


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("where", "options", "said"),
    [
        ("submitted/ada/warmup/warmup.ipynb", [], "With the inputs of ada."),
        ("submitted/ada/warmup/warmup.ipynb", ["--student", "bob"], "With the inputs of bob."),
        ("elsewhere.ipynb", [], "With the inputs of nobody in particular"),
    ],
)
def test_check_says_whose_inputs_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, where: str, options: list[str], said: str
) -> None:
    root = make_course(tmp_path / "course", config=PER_STUDENT)
    submit(root, "ada").rename(path := root / where)
    monkeypatch.setattr("sys.argv", ["autograder", "check", str(path), "--course", str(root), *options])
    with contextlib.suppress(SystemExit):
        cli.main()
    assert said in capsys.readouterr().out


@pytest.mark.sandbox
def test_a_check_that_a_right_answer_passes_by_luck_alone_is_not_released(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course", config=PER_STUDENT)
    lucky = CHECKS + '    fail_unless(bool(draw.uniform() < 0.5), "Bad luck.")\n'
    lucky = lucky.replace("check, matches", "check, fail_unless, matches")
    (root / "checks/warmup/test_warmup.py").write_text(lucky)
    with pytest.raises(ReleaseError, match=r"with the inputs of made-up student \d: centre: .*Bad luck\."):
        release(load_course(root), "warmup")


# Week 2, for a whole class


@pytest.fixture(scope="module")
def week2() -> Assignment:
    return replace(load_course(ROOT).assignment("week2"), inputs="per_student")


@pytest.fixture(scope="module")
def suite(week2: Assignment) -> Iterator[Suite]:
    with Suite(week2) as collected:
        yield collected


@pytest.fixture(scope="module")
def right(week2: Assignment) -> dict[str, Any]:
    """The functions of the solved master."""
    names: dict[str, Any] = {"np": np}
    for each in json.loads(week2.master.read_text())["cells"]:
        if each["metadata"].get("nbgrader", {}).get("grade_id") in {row.name for row in week2.rows}:
            exec("".join(each["source"]), names)
    return names


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Mistakes overflow, divide by 0 and print."""
    with np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        yield


def can_run_here(mistake: Mistake) -> bool:
    """Whether it neither hangs nor ends Python, which only a sandbox takes."""
    return not mistake.hangs and "exit(" not in mistake.source


@pytest.mark.parametrize("student", STUDENTS)
def test_the_solved_master_of_week_2_passes_with_every_students_inputs(
    suite: Suite, right: dict[str, Any], student: str
) -> None:
    suite.draw_for(student)
    results = [verdict.result for verdict in suite.run(suite.checks, Loopback(dict(right)))]
    assert [(result.name, result.reason, result.trouble) for result in results if result.outcome != "passed"] == []


@pytest.mark.parametrize("share", [4, pytest.param(1, marks=pytest.mark.thorough)])
def test_a_mistake_in_week_2_costs_every_student_the_same(
    suite: Suite, right: dict[str, Any], week2: Assignment, share: int
) -> None:
    """Of each mistake, or of one in four."""
    varying = {}
    for mistake in [each for each in stock_mistakes(week2) if can_run_here(each)][::share]:
        names = dict(right)
        exec(mistake.code, names)
        if all(names[name] is right[name] for name in right):  # it leaves the function out, whatever is drawn
            continue
        lost = {}
        for student in STUDENTS[: 2 if mistake.row == "train" else 6]:
            suite.draw_for(student)
            verdicts = suite.run(suite.rows()[mistake.row], Loopback(dict(names)))
            lost[student] = frozenset(each.result.name for each in verdicts if each.result.outcome != "passed")
        if len(set(lost.values())) > 1 or frozenset() in lost.values():
            varying[mistake.name] = sorted(map(sorted, set(lost.values())))
    assert varying == {}
