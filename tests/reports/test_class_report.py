"""The class report and a student's history: what is counted, what is said, and who can read it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autograder.base import Cause, Half, common_reason, said
from autograder.course import Assignment, load_course
from autograder.gradebook import HeldGrade
from autograder.grading import CheckResult, Report, RowResult
from autograder.reports import class_page
from autograder.reports.class_items import ClassReport, class_report, discrimination
from tests.browsers import assert_everybody_can_read, chromium_browser
from tests.commands import autograder
from tests.courses import CONFIG, make_course, solved, submit, untouched

OFF = Cause("values", what="`scale`", decade=2, index=(0, 3), wrong=2, total=12)


def verdict(row: str, number: int, *, passed: bool) -> CheckResult:
    outcome = "passed" if passed else "failed"
    return CheckResult(f"test_{row}_{number}", f"{row} {number}.", 1.0, outcome, None if passed else OFF)


def taken(
    warmup: Assignment, student: str, scale: float, centre: float, why: float | None = 2.0, *, late: float = 0.0
) -> tuple[HeldGrade, Report]:
    """A student's results: shares of the points of two rows, and the points of the answer graded by hand."""
    rows = []
    for row, share in zip(warmup.rows, (scale, centre), strict=True):
        checks = tuple(verdict(row.name, number, passed=number < int(share * 2)) for number in range(2))
        rows.append(RowResult(row.name, row.test_id, row.points, checks))
    points = {row.test_id: row.points * share for row, share in zip(warmup.rows, (scale, centre), strict=True)}
    scores: dict[str, float | None] = {**points, "why": why}
    raw = sum(score or 0.0 for score in scores.values())
    grade = HeldGrade(student, None, scores, raw, late, max(0.0, raw - late), warmup.max_score, why is None)
    return grade, Report("warmup", student, "d", "bubblewrap", tuple(rows))


def reported(warmup: Assignment, *results: Any, roster: tuple[str, ...] = (), **ungraded: str) -> ClassReport:
    return class_report(warmup, results, roster=roster, ungraded=ungraded)


# What is counted


def test_each_row_says_how_many_have_all_some_and_no_points(warmup: Assignment) -> None:
    found = reported(
        warmup, taken(warmup, "a", 1, 1), taken(warmup, "b", 0.5, 0), taken(warmup, "c", 0, 1), taken(warmup, "d", 1, 1)
    )
    scale, centre, why = found.items
    assert (scale.name, scale.of, scale.full, scale.none, scale.difficulty) == ("scale", 4, 2, 1, 0.625)
    assert (centre.full, centre.none, centre.difficulty) == (3, 1, 0.75)
    assert (why.name, why.points, why.full) == ("why", 2.0, 4)
    assert [(check.passed, check.of) for check in scale.checks] == [(3, 4), (2, 4)]


def test_who_is_excused_is_in_no_figure(warmup: Assignment) -> None:
    grade, report = taken(warmup, "b", 0, 0)
    found = reported(warmup, taken(warmup, "a", 1, 1), (replace(grade, excused=True), report))
    assert [item.of for item in found.items] == [1, 1, 1]
    assert found.scores == [12.0]


def test_an_answer_that_waits_for_a_person_counts_for_nobody(warmup: Assignment) -> None:
    found = reported(warmup, taken(warmup, "a", 1, 1, None), taken(warmup, "b", 1, 1, 1.0))
    assert (found.items[-1].of, found.items[-1].difficulty) == (1, 0.5)
    assert found.waiting == ("a",)


def test_who_handed_in_nothing_is_who_is_in_the_gradebook_alone(warmup: Assignment) -> None:
    excusing = replace(warmup, excused=frozenset({"d"}))
    found = reported(excusing, taken(warmup, "a", 1, 1), roster=("a", "b", "c", "d"), c="a pipe")
    assert (found.missing, found.ungraded, found.excused) == (("b",), {"c": "a pipe"}, ("d",))


def test_a_notebook_that_could_not_be_read_is_told_once_and_is_no_mistake_of_a_row(warmup: Assignment) -> None:
    grade, report = taken(warmup, "a", 0, 0)
    check = CheckResult("readable", "The notebook can be read.", 1.0, "failed", said("The file is empty."))
    rows = tuple(replace(row, checks=(check,)) for row in report.rows)
    found = reported(warmup, (grade, replace(report, rows=rows)))
    assert found.unread == {"a": "The file is empty."}
    assert found.mistakes == ()
    assert found.items[0].none == 1


def test_the_same_mistake_with_other_numbers_is_one(warmup: Assignment) -> None:
    other = taken(warmup, "b", 0.5, 1)
    failed = replace(other[1].rows[0].checks[1], cause=replace(OFF, index=(11,), wrong=7, total=30, decade=1))
    checks = (other[1].rows[0].checks[0], failed)
    rows = (replace(other[1].rows[0], checks=checks), other[1].rows[1])
    found = reported(warmup, taken(warmup, "a", 0.5, 1), (other[0], replace(other[1], rows=rows)))
    assert [(each.row, each.title, each.students) for each in found.mistakes] == [("scale", "scale 1.", 2)]


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (OFF, "`scale`: … of … entries are wrong; the largest relative error is …, at […]."),
        (
            replace(OFF, what="`db`", wrong=1, factor="2 times too small", half=Half("backward", "loss")),
            "`db`: … of … entries are wrong; the largest relative error is …, at […].",
        ),
        (
            replace(OFF, factor="not finite"),
            "`scale`: … of … entries are wrong, and some are NaN or infinite, as at […].",
        ),
        (
            Cause("shape", "f", "`dW`", shape=(4,), asked_shape=(3, 4)),
            "`dW` should have the shape (…), but its shape is (…).",
        ),
        (
            Cause("raised", "f", exception="ValueError", text="x1 is float64 not -3.5e-7", where="g", source="g(x)"),
            "`f` raised ValueError: x1 is float64 not ….",
        ),
        (Cause("timeout", "f", when="call", seconds=1.5), "`f` did not finish within … seconds."),
        (said("The examples came in the order of the rows."), "The examples came in the order of the rows."),
    ],
)
def test_what_varies_in_a_cause_becomes_dots(cause: Cause, expected: str) -> None:
    assert common_reason(cause) == expected


def test_a_row_that_goes_with_the_others_discriminates_and_one_that_goes_against_them_shows() -> None:
    assert discrimination([0, 1, 2, 3], [10, 20, 30, 40]) == pytest.approx(1)
    assert discrimination([3, 2, 1, 0], [10, 20, 30, 40]) == pytest.approx(-1)


@pytest.mark.parametrize(
    ("points", "rest"), [([1, 2], [3, 4]), ([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [5, 5, 5]), ([], [])]
)
def test_where_nothing_varies_or_few_are_there_nothing_is_claimed(points: list[float], rest: list[float]) -> None:
    assert discrimination(points, rest) is None


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 90)), min_size=3, max_size=40))
@example([(0.0, 0.0), (0.0, 1.0), (1e-273, 2.0)])
def test_discrimination_is_a_correlation(pairs: list[tuple[float, float]]) -> None:
    points, rest = zip(*pairs, strict=True)
    found = discrimination(points, rest)
    assert found is None or -1 <= found <= 1
    assert found == discrimination(points[::-1], rest[::-1]) or np.isclose(
        found or 0, discrimination(points[::-1], rest[::-1]) or 0, atol=1e-6
    )


# The page

HOSTILE = "<script>window.__owned=1</script><img src=x onerror=window.__owned=1>"


def klass(warmup: Assignment) -> ClassReport:
    """Thirty students, one of whom hands in what tries to be a program."""
    rng = np.random.default_rng(3)
    results = []
    for number in range(30):
        able = rng.random()
        shares = [float(np.clip(np.round(2 * (able + 0.3 * rng.normal())) / 2, 0, 1)) for _ in range(2)]
        results.append(taken(warmup, f"student{number:02}", *shares, late=float(number % 7 == 0)))
    grade, report = taken(warmup, HOSTILE, 0, 0)
    failed = replace(report.rows[0].checks[0], cause=said(HOSTILE))
    results.append((grade, replace(report, rows=(replace(report.rows[0], checks=(failed,)), report.rows[1]))))
    return class_report(
        warmup,
        results,
        roster=("student00", "zelda"),
        ungraded={"pipe": "it is a pipe: not taken", HOSTILE * 2: HOSTILE},
    )


@pytest.fixture(scope="module")
def assignment(tmp_path_factory: pytest.TempPathFactory) -> Assignment:
    return load_course(make_course(tmp_path_factory.mktemp("course") / "course")).assignment("warmup")


@pytest.fixture(scope="module")
def page_file(assignment: Assignment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(class_page(klass(assignment), ZoneInfo("America/New_York")))
    return path


def test_without_names_nobody_is_in_the_page(assignment: Assignment) -> None:
    report = klass(assignment)
    page = class_page(report, ZoneInfo("America/New_York"), anonymous=True)
    for name in ("student0", "student1", "student2", "zelda", "pipe", "owned"):
        assert name not in page


def test_without_names_the_order_tells_nothing(assignment: Assignment) -> None:
    report = klass(assignment)
    pages = {class_page(report, ZoneInfo("UTC"), anonymous=True) for _ in range(3)}
    assert len(pages) == 3


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium_browser() as opened:
        yield opened


@pytest.fixture
def page(browser: Any, page_file: Path) -> Iterator[Any]:
    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 900})
    shown = context.new_page()
    shown.goto(page_file.as_uri())
    yield shown
    context.close()


def column(page: Any, name: str) -> list[str]:
    """What a column of the students' table shows, from top to bottom."""
    heads = page.locator("table.sorts thead th").all_inner_texts()
    at = next(index for index, head in enumerate(heads) if head.split()[0] == name)
    return page.evaluate(
        "(at) => [...document.querySelectorAll('table.sorts tbody tr')].filter(r => !r.hidden)"
        ".map(r => r.cells[at].textContent.trim())",
        at,
    )


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_everybody_can_read_the_report(browser: Any, page_file: Path, scheme: str, width: int) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    shown = context.new_page()
    shown.goto(page_file.as_uri())
    shown.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert_everybody_can_read(shown)
    context.close()


@pytest.mark.browser
def test_the_table_sorts_by_a_click_and_by_the_keyboard(page: Any) -> None:
    head = page.get_by_role("button", name="score")
    head.click()
    scores = [float(each) for each in column(page, "score")]
    assert scores == sorted(scores)
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    head.focus()
    page.keyboard.press("Enter")
    scores = [float(each) for each in column(page, "score")]
    assert scores == sorted(scores, reverse=True)
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"


@pytest.mark.browser
def test_the_table_filters(page: Any) -> None:
    page.get_by_label("Show those with").fill("student1")
    assert column(page, "student") == [f"student1{number}" for number in range(10)]
    assert page.get_by_role("status").inner_text() == "10 of 31"
    page.get_by_label("Show those with").fill("")
    assert len(column(page, "student")) == 31


@pytest.mark.browser
def test_without_a_script_the_table_is_whole_and_has_no_dead_controls(browser: Any, page_file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.goto(page_file.as_uri())
    assert shown.locator("table.sorts tbody tr").count() == 31
    assert not shown.locator("input").is_visible()
    assert shown.locator("th button").count() == 0
    context.close()


@pytest.mark.browser
def test_nothing_of_a_students_runs_and_nothing_is_fetched(browser: Any, page_file: Path) -> None:
    context = browser.new_context()
    shown = context.new_page()
    asked: list[str] = []
    shown.on("request", lambda request: asked.append(request.url))
    shown.goto(page_file.as_uri())
    shown.wait_for_timeout(300)
    assert shown.evaluate("window.__owned") is None
    assert asked == [page_file.as_uri()]
    context.close()


@pytest.mark.browser
def test_on_paper_it_is_black_on_white_without_controls(browser: Any, page_file: Path) -> None:
    context = browser.new_context(color_scheme="dark")
    shown = context.new_page()
    shown.goto(page_file.as_uri())
    shown.emulate_media(media="print", color_scheme="dark")
    colours = "(() => { const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]; })()"
    assert shown.evaluate(colours) == ["rgb(31, 35, 40)", "rgb(255, 255, 255)"]
    assert not shown.locator("input").is_visible()
    context.close()


# The commands


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = CONFIG.replace("    seed: 7\n", "    seed: 7\n    excused: [dan]\n")
    root = make_course(tmp_path_factory.mktemp("class") / "course", config=config)
    submit(root, "ada", solved())
    submit(root, "bob", untouched(), timestamp="2026-12-01 12:00:00 UTC")
    wrong = solved()
    wrong["cells"][2]["source"] = "def scale(x, factor):\n    return x + factor"
    submit(root, "cyd", wrong, timestamp="2026-12-01 12:00:00 UTC")
    submit(root, "dan", solved())
    pipe = submit(root, "eve", solved())
    pipe.unlink()
    pipe.symlink_to("/etc/passwd")
    done = autograder(root, "grade", "warmup", "--jobs", "1")
    assert "1 of 5" not in done.stdout
    return root


@pytest.mark.sandbox
def test_the_command_writes_the_page_of_a_class(graded: Path) -> None:
    done = autograder(graded, "report", "warmup")
    assert (done.returncode, done.stdout) == (0, "4 students in warmup-report.html\n"), done.stderr
    page = (graded / "warmup-report.html").read_text()
    for text in ("Class report: Warm-up", "cyd", "eve: ", "Excused: 1", "The commonest first mistakes"):
        assert text in page


@pytest.mark.sandbox
def test_a_page_that_cannot_be_written_is_named(graded: Path) -> None:
    done = autograder(graded, "report", "warmup", "--output", "nowhere/report.html")
    assert done.returncode == 1
    assert "nowhere/report.html could not be written" in done.stderr


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("student", "said"),
    [
        ("ada", ["Warm-up", "waits for a grade by hand"]),
        (
            "cyd",
            ["less 2.4 for lateness.", "Handed in 1 day 7 hours", "Lost points: scale", "Begins with scale"],
        ),
        ("dan", ["excused", "You are excused"]),
        ("eve", ["not graded", "Due 2026-11-29 23:59."]),
    ],
)
def test_a_students_history_says_how_they_did(graded: Path, student: str, said: list[str]) -> None:
    done = autograder(graded, "history", student)
    assert done.returncode == 0, done.stderr
    for text in said:
        assert text in done.stdout


@pytest.mark.sandbox
def test_a_history_is_also_given_as_json(graded: Path) -> None:
    (chapter,) = json.loads(autograder(graded, "history", "cyd", "--json").stdout)
    assert (chapter["assignment"], chapter["status"], chapter["standing"]["late_penalty"]) == ("warmup", "waits", 2.4)


@pytest.mark.sandbox
def test_a_mistyped_student_is_named_with_the_nearest(graded: Path) -> None:
    done = autograder(graded, "history", "cid")
    assert done.returncode == 1
    assert "'cid' is not in the gradebook and has handed in nothing; did you mean 'cyd'?" in done.stderr
