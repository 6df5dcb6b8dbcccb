"""Notebooks that are made to keep a page back, or to blow it up, with honest students between them."""

import os
import signal
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from autograder.course import Course, load_course
from autograder.feedback import Piece, plainly, rendered, write_class_feedback
from autograder.feedback.bounds import CUT_CODE, CUT_OUTPUTS
from autograder.feedback.rendering import PLAINLY, Bounds
from autograder.gradebook import open_gradebook, register
from autograder.grading import CheckResult, Report, RowResult
from autograder.nbgrader_plugins import configure
from autograder.operations.arrivals import Watched, store_attempt
from autograder.operations.graded import Graded
from autograder.sandbox import CellRun
from autograder.submission import find_hand_in, read_submission, submissions
from tests.courses import Notebook, cell, make_course, solved, submit
from tests.grades import store

NOW = datetime(2026, 11, 28, tzinfo=UTC)
QUICK = Bounds(piece_seconds=0.3, page_seconds=60.0)
MOST = 8 * 2**20
"""Bytes of a page, whatever was handed in."""

BLANK_LINES = " \n" * 50_000
LONG_CODE = "x = [1, 2, 3]\n" * 360_000
LONG_PROSE = "```perl\n" + '"\\' * 9_000 + "\n```"
PICTURE = "iVBORw0KGgo" + "A" * 400_001


def notebook_with(*cells: dict[str, Any], scale: str = "") -> Notebook:
    tree = solved()
    tree["cells"] += cells
    tree["cells"][2]["source"] += scale
    return tree


def pictured(times: int) -> dict[str, Any]:
    made = cell("![x](attachment:x.png)" * times, kind="markdown")
    return made | {"attachments": {"x.png": {"image/png": PICTURE}}}


TEXT = {"output_type": "stream", "name": "stdout", "text": "x\n"}
RAISED = {"output_type": "error", "ename": "E" * 70_000, "evalue": "&" * 70_000, "traceback": ['"' * 1_000] * 500}

ATTACKS: Mapping[str, tuple[Notebook, tuple[dict[str, Any], ...]]] = {
    "blank-lines": (notebook_with(cell(BLANK_LINES)), ()),
    "blank-answer": (notebook_with(scale=BLANK_LINES), ()),
    "five-megabytes": (notebook_with(cell(LONG_CODE)), ()),
    "slow-prose": (notebook_with(cell(LONG_PROSE, kind="markdown"), cell("~" * 20_000, kind="markdown")), ()),
    "pictures": (notebook_with(pictured(900)), ()),
    "cells": (notebook_with(*(cell(f"x{number}") for number in range(600))), ()),
    "outputs": (solved(), (TEXT,) * 200_000),
    "long-output": (solved(), (TEXT | {"text": '"' * 2**21},)),
    "errors": (solved(), (RAISED,) * 200),
}
CUT = {
    "blank-lines": PLAINLY,
    "blank-answer": PLAINLY,
    "five-megabytes": CUT_CODE,
    "slow-prose": PLAINLY,
    "outputs": CUT_OUTPUTS.strip(),
    "long-output": CUT_OUTPUTS.strip(),
    "errors": CUT_OUTPUTS.strip(),
}
"""What such a page says of what is not on it as it was handed in."""

HONEST = ("ada", "m-between", "zoe")


def report(student: str, outputs: tuple[dict[str, Any], ...]) -> Report:
    """What grading would come to: all right, with these outputs of the first function's cell."""
    rows = tuple(
        RowResult(name, f"test_{name}", points, (CheckResult("t", "It is right.", 1.0, "passed"),))
        for name, points in (("scale", 4.0), ("centre", 6.0))
    )
    cells = (CellRun(2, "ok", outputs, 0.1),) if outputs else ()
    return Report("warmup", student, f"digest of {student}", "bubblewrap", rows, cells)


def graded(root: Path, attacks: Mapping[str, Any]) -> Course:
    """A course in which honest students and those attackers have their grade."""
    course = load_course(make_course(root))
    warmup = course.assignment("warmup")
    with open_gradebook(course) as gradebook:
        register(gradebook, course, warmup)
        for student in sorted((*HONEST, *attacks)):
            tree, outputs = attacks.get(student, (solved(), ()))
            submission = read_submission(submit(root, student, tree), warmup, student=student)
            assert store(gradebook, course, warmup, submission, report(student, outputs))
    return course


def pages(course: Course) -> dict[str, bytes]:
    return {path.parts[-3]: path.read_bytes() for path in sorted(course.root.glob("feedback/*/warmup/warmup.html"))}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The honest students without the attackers."""
    return graded(tmp_path_factory.mktemp("alone") / "course", {})


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return graded(tmp_path_factory.mktemp("attacked") / "course", ATTACKS)


@pytest.fixture(scope="module")
def ours(alone: Course, attacked: Course) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Pages by student, as the command writes them: without the attackers, and with them."""
    for course in (alone, attacked):
        written = write_class_feedback(course, course.assignment("warmup"), now=NOW)
        assert written.troubles == ()
    return pages(alone), pages(attacked)


def test_everybody_has_a_page_and_the_honest_ones_are_as_without_attackers(ours: Any) -> None:
    without, with_them = ours
    assert sorted(with_them) == sorted((*HONEST, *ATTACKS))
    assert {student: with_them[student] for student in HONEST} == without


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_page_is_bounded_and_says_what_is_cut(ours: Any, attack: str) -> None:
    page = ours[1][attack]
    assert len(page) < MOST
    assert b"10 of 12 points" in page
    assert b"It is right." in page
    assert CUT.get(attack, "").encode() in page


def test_an_attached_picture_is_in_a_page_once(ours: Any) -> None:
    assert ours[1]["pictures"].count(PICTURE.encode()) == 1


def test_what_is_cut_is_cut_in_the_notebook_that_others_render(attacked: Course) -> None:
    kept = {attack: attacked.root / "autograded" / attack / "warmup/warmup.ipynb" for attack in CUT}
    assert max(path.stat().st_size for path in kept.values()) < MOST
    assert CUT_CODE in kept["five-megabytes"].read_text()


def test_nbgrader_writes_the_pages_too(alone: Course, attacked: Course, ours: Any) -> None:
    """Its own command, as the course's ``nbgrader_config.py`` configures it."""
    from nbgrader.converters import GenerateFeedback
    from nbgrader.coursedir import CourseDirectory

    made = []
    for course, students in ((alone, "zoe"), (attacked, "[bfsz]*")):
        config = Config()
        configure(config, str(course.root / "nbgrader_config.py"))
        config.CourseDirectory.assignment_id = "warmup"
        config.CourseDirectory.student_id = students
        GenerateFeedback(coursedir=CourseDirectory(config=config), config=config, force=True).start()
        made.append(pages(course))
    without, with_them = made
    assert with_them["zoe"] == without["zoe"]
    for attack in ("blank-lines", "five-megabytes", "slow-prose"):
        assert b"(Score: 10.0 / 12.0)" in with_them[attack]
        assert CUT[attack].encode() in with_them[attack]
        assert len(with_them[attack]) < MOST


def test_watch_goes_on_after_such_a_page(tmp_path: Path, ours: Any) -> None:
    course = load_course(make_course(tmp_path / "course"))
    warmup = course.assignment("warmup")
    with open_gradebook(course) as gradebook:
        watched = Watched(course, warmup, gradebook, "bubblewrap", None, lambda: NOW)
        register(gradebook, course, warmup)
        for student, tree in (("slow-prose", ATTACKS["slow-prose"][0]), ("zoe", solved())):
            path = submit(course.root, student, tree)
            hand_in = find_hand_in(submissions(course.root, "warmup", [student])[0], warmup)
            submission = read_submission(path, warmup, student=student)
            said = store_attempt(watched, Graded(hand_in, submission, report(student, ())))
            assert said == "10 of 10; feedback"
    assert pages(course) == {student: ours[1][student] for student in ("slow-prose", "zoe")}


PROSE = {
    "tildes": "~",
    "strikes": "~~a",
    "stars": "*",
    "emphasis": "*a ",
    "underscores": "_a",
    "backticks": "`",
    "ticked": "`a``b",
    "brackets": "[",
    "closed": "]",
    "pictures": "![",
    "links": "[a](",
    "addresses": "https://a",
    "references": "[a]: b\n",
    "footnotes": "[^a]: b\n",
    "quotes": ">",
    "quoted-lists": "> - ",
    "lists": "- ",
    "numbers": "1. ",
    "nested": "* a\n" + " " * 40,
    "table": "|a",
    "rows": "|a|\n|-|\n",
    "tags": "<b>",
    "boxes": "<div>\n",
    "comments": "<!--",
    "entities": "&#",
    "formulas": "$x$",
    "dollars": "$$",
    "environments": "\\begin{a}",
    "fences": "```x\n",
    "underlines": "a\n-",
    "numbers-and-dots": "1.-",
    "blank": " \n",
}


def test_no_kind_of_prose_takes_longer_than_it_may() -> None:
    """The text after each of them is rendered, and all of them are there, as HTML or as nothing."""
    pieces = [Piece("prose", (mark * 20_000)[:20_000]) for mark in PROSE.values()]
    good = Piece("prose", "It is *right*.")
    made = rendered([*pieces, good], QUICK)
    assert list(made) == [*dict.fromkeys(pieces), good]
    assert made[good] == "<p>It is <em>right</em>.</p>\n"
    assert all(html is None or len(html) <= QUICK.characters for html in made.values())


def test_what_takes_for_ever_is_ended_and_what_follows_is_rendered() -> None:
    slow, good = Piece("nbgrader", LONG_PROSE), Piece("code", "print(1)  # good")
    made = rendered([slow, good], QUICK)
    assert made[slow] is None
    assert "print" in str(made[good])


def test_a_page_has_no_more_time_than_a_page_may_have() -> None:
    good = Piece("prose", "It is *late*.")
    assert rendered([Piece("prose", LONG_PROSE), good], Bounds(piece_seconds=0.2, page_seconds=0.2))[good] is None


def test_what_takes_the_memory_is_not_rendered() -> None:
    large = Piece("html", "<b>" + "a<i>" * 2**20)
    assert rendered([large], Bounds(memory=2**23)) == {large: None}


def test_html_that_is_too_long_is_not_taken() -> None:
    formulas = Piece("prose", "$a$" * 1_000)
    assert rendered([formulas], Bounds(characters=10_000)) == {formulas: None}


def test_a_renderer_that_was_killed_is_started_again() -> None:
    rendered([Piece("prose", "before")])
    (renderer,) = (path for path in Path("/proc").glob("[0-9]*") if is_our_renderer(path))
    os.kill(int(renderer.name), signal.SIGKILL)
    after = Piece("prose", "after it")
    assert rendered([after]) == {after: "<p>after it</p>\n"}


def is_our_renderer(process: Path) -> bool:
    try:
        parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        return parent == os.getpid() and b"autograder.feedback.renderer" in (process / "cmdline").read_bytes()
    except OSError:
        return False


def test_what_is_shown_plainly_is_text() -> None:
    assert "&lt;script&gt;" in plainly("<script>")
    assert PLAINLY in plainly("")
