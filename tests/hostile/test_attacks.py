"""Every attack seeks an effect: it must not happen, and an honest submission beside it keeps its grade."""

import json
import os
import re
import sqlite3
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autograder import Grader
from autograder.cli import app
from autograder.course import load_course
from autograder.feedback import annotated, feedback_html
from autograder.submission import read_submission
from tests.courses import CHECKS, CONFIG, REFERENCE, cell, make_course, solved, submit, untouched, write
from tests.hostile.attacks import ANSWERS, ATTACKS, Attack

pytestmark = pytest.mark.sandbox

HIDDEN = "a-hidden-word"
LIMITS = "{cell_seconds: 1.5, call_seconds: 1, submission_seconds: 10, memory_mb: 512, file_mb: 8, processes: 24}"
MOST_SECONDS = 20.0
MOST_BYTES = 2**20


def course_of(root: Path) -> Path:
    """The tiny course with short limits, and a word in everything that is hidden."""
    make_course(root, config=re.sub(r"(?<=limits: ).*", LIMITS, CONFIG))
    (root / "autograder/checks/warmup/test_warmup.py").write_text(f"{CHECKS}\nWORD = {HIDDEN!r}\n")
    (root / "solutions/warmup/__init__.py").write_text(f"{REFERENCE}\nWORD = {HIDDEN!r}\n")
    return root


def notebook_of(attack: Attack):
    """The released notebook with the attack's cells in it."""
    tree = untouched()
    for each in tree["cells"]:
        each["source"] = {"scale": attack.scale, "centre": attack.centre}.get(each["id"]) or each["source"]
    first = [cell(attack.first)] if attack.first else []
    last = [cell(attack.last)] if attack.last else []
    return {**tree, "cells": [*first, *tree["cells"], *last]}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return course_of(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="module")
def assignment(root):
    return load_course(root).assignment("warmup")


@pytest.fixture(scope="module")
def grader(assignment):
    with Grader() as grader:
        grader.prepare(assignment)
        yield grader


def graded(grader, assignment, folder: Path, tree):
    submission = read_submission(write(folder / "warmup.ipynb", tree), assignment)
    return submission, grader.grade(submission, assignment)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_the_effect_does_not_happen(grader, assignment, tmp_path, attack):
    begun = time.monotonic()
    submission, report = graded(grader, assignment, tmp_path, notebook_of(attack))
    assert time.monotonic() - begun < MOST_SECONDS
    assert not os.path.lexists("/tmp/hostile-was-unpickled")
    assert not report.errored, "a student forced an error of ours"
    assert report.score == attack.earned
    told = json.dumps(report.as_dict())
    assert len(told) < MOST_BYTES
    assert HIDDEN not in told
    page = feedback_html(annotated(submission, report, assignment), "Warm-up")
    assert "<script" not in page
    assert len(page) < 2 * MOST_BYTES
    if attack not in ANSWERS:
        _, honest = graded(grader, assignment, tmp_path / "honest", solved())
        assert honest.score == 10


def test_there_are_enough_attacks():
    assert len(ATTACKS) >= 60
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)


def test_nothing_that_is_hidden_can_be_found_inside(grader, root, assignment, tmp_path):
    """Look for the course by its path, and for a hidden word in every file in reach that is no library's."""
    look = f"""
import os

found = []
for path in ({str(root)!r}, {str(root / "source")!r}, {str(Path.home())!r}, "/proc/1/environ", "/proc/self/maps"):
    try:
        found.append((path, os.listdir(path) if os.path.isdir(path) else open(path, "rb").read()))
    except OSError:
        pass
for folder, folders, names in os.walk("/"):
    folders[:] = [name for name in folders if name not in ("site", "lib", "lib64", "usr")]
    for name in names:
        path = os.path.join(folder, name)
        try:
            if {HIDDEN[:8]!r} + {HIDDEN[8:]!r} in open(path, errors="replace").read(10**5 if "dev" not in path else 0):
                found.append(path)
        except OSError:
            pass
print("found", [each for each in found if {str(root)!r} in str(each) or "environ" in str(each) or "maps" in str(each)])
"""
    _, report = graded(grader, assignment, tmp_path, notebook_of(Attack("look", "find the course", first=look)))
    assert report.cells[0].status in ("ok", "timeout")
    assert HIDDEN not in json.dumps(report.as_dict())
    if report.cells[0].status == "ok":
        assert report.cells[0].outputs[0]["text"] == "found []\n"


def left_behind() -> list[str]:
    """Processes of this machine with the name that the attack gave its own."""
    found = []
    for name in Path("/proc").glob("[0-9]*/comm"):
        try:
            if name.read_text().strip() == "hostile-left":
                found.append(name.parent.name)
        except OSError:
            continue
    return found


def test_nothing_survives_a_submission(grader, assignment, tmp_path):
    attack = next(attack for attack in ATTACKS if attack.name == "detached")
    graded(grader, assignment, tmp_path, notebook_of(attack))
    for _ in range(50):
        if not left_behind():
            return
        time.sleep(0.1)
    assert left_behind() == []


def sql(root: Path) -> Attack:
    """Looks for a gradebook by its path and everywhere else, and writes a score into it."""
    source = f"""
import os, sqlite3

places = [{str(root / "gradebook.db")!r}, "gradebook.db", "../gradebook.db"]
for folder, _, names in os.walk("/"):
    places += [os.path.join(folder, name) for name in names if name.endswith(".db")]
for place in places:
    try:
        with sqlite3.connect(place) as connection:
            connection.execute("update grade set auto_score = 99, manual_score = 99")
            connection.execute("update grade set auto_score = 0 where 1")
    except sqlite3.Error:
        pass
"""
    return Attack("sql", "write scores into the gradebook, also into another's", first=source)


def points(root: Path) -> dict[str, float]:
    """Each student's points in nbgrader's gradebook."""
    query = """
        select assignment.student_id, sum(grade.auto_score) from grade
        join submitted_notebook on grade.notebook_id = submitted_notebook.id
        join submitted_assignment assignment on submitted_notebook.assignment_id = assignment.id
        group by assignment.student_id
    """
    connection = sqlite3.connect(root / "gradebook.db")
    try:
        return dict(connection.execute(query).fetchall())
    finally:
        connection.close()


def test_a_class_with_attackers_is_graded_as_if_they_were_not_there(tmp_path):
    """Through the command: attackers and honest students in turn, in two processes, twice."""
    root = course_of(tmp_path / "course")
    attacks = [sql(root), *(attack for attack in ATTACKS if attack.name in ("run-cell", "ends-by-abort", "detached"))]
    for number, attack in enumerate(attacks):
        submit(root, f"s{number}-attacker", notebook_of(attack))
        submit(root, f"s{number}-honest", solved())
    submit(root, "=cmd()", notebook_of(Attack("[/x]", "", scale="def scale(x, factor): raise ValueError('[/x]')")))
    runner, arguments = CliRunner(), ["grade", "warmup", "--course", str(root), "--force", "--jobs"]
    for jobs in ("2", "1"):
        result = runner.invoke(app, [*arguments, jobs])
        assert result.exit_code == 0, result.output
        assert "\x1b" not in result.output
        scores = points(root)
        expected = {f"s{number}-attacker": attack.earned for number, attack in enumerate(attacks)}
        assert scores == {"=cmd()": 0.0} | expected | {f"s{number}-honest": 10.0 for number in range(len(attacks))}
    assert "'=cmd()," in runner.invoke(app, ["export", "warmup", "--course", str(root)]).output
    assert left_behind() == []
