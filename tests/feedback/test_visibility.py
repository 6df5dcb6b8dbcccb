"""What a student may see of a check, and from when on: at once, after the due date, once published, or never."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autograder.base import Cause, CheckError, ConfigError, said
from autograder.checking import check
from autograder.course import Assignment, Course, load_course
from autograder.feedback import write_feedback
from autograder.feedback.visibility import students_view
from autograder.gradebook import Gradebook, held_grades, open_gradebook, read_report, register
from autograder.grading import CheckResult, Grader, Report, RowResult
from autograder.grading.report import Visibility
from autograder.submission import read_submission
from tests.courses import CHECKS, CONFIG, make_course, submit, untouched
from tests.grades import store

BEFORE = datetime(2026, 11, 30, 4, 58, tzinfo=UTC)
AFTER = datetime(2026, 11, 30, 5, 0, tzinfo=UTC)
"""The tiny course's assignment is due on 29 November 2026 at 23:59 in New York, where it is 5 hours earlier."""

TOLD = ("A secret title.", "A secret reason.", "A secret hint.")


def checked(visibility: Visibility | None, *, passed: bool = False, weight: float = 3.0) -> Report:
    """A report on warmup with one plain check for ``scale`` that passed, and another of this visibility."""
    title, reason, hint = TOLD
    plain = CheckResult("test_plain", "A plain title.", 1.0, "passed")
    other = CheckResult("test_other", title, weight, "passed", None, "", "", visibility)
    if not passed:
        other = CheckResult("test_other", title, weight, "failed", said(reason), hint, "", visibility)
    rows = (
        RowResult("scale", "test_scale", 4.0, (plain, other)),
        RowResult("centre", "test_centre", 6.0, (replace(plain, name="test_c"),)),
    )
    return Report("warmup", "ada", "digest", "bubblewrap", rows)


@pytest.fixture
def course(course_root: Path) -> Course:
    return load_course(course_root)


@pytest.fixture
def gradebook(course: Course, warmup: Assignment) -> Iterator[Gradebook]:
    with open_gradebook(course) as opened:
        register(opened, course, warmup)
        yield opened


def all_that_ada_reads(course: Course) -> str:
    """Every file and every comment that reaches a student, by our pages or by nbgrader's."""
    folders = [course.root / "feedback/ada/warmup/warmup.html", course.root / "autograded/ada/warmup/warmup.ipynb"]
    with closing(sqlite3.connect(course.root / "gradebook.db")) as connection:
        comments = connection.execute("SELECT auto_comment FROM comment").fetchall()
    return "\n".join([*(path.read_text() for path in folders), *(str(text) for (text,) in comments)])


def graded(gradebook: Gradebook, course: Course, assignment: Assignment, report: Report, now: datetime) -> str:
    submission = read_submission(submit(course.root, "ada"), assignment, student="ada")
    store(gradebook, course, assignment, submission, report, now=now)
    write_feedback(gradebook, course, assignment, "ada", now=now)
    return all_that_ada_reads(course)


@pytest.mark.parametrize(
    ("visibility", "now", "published", "seen"),
    [
        ("visible", BEFORE, False, True),
        ("after_due_date", BEFORE, False, False),
        ("after_due_date", AFTER, False, True),
        ("after_due_date", BEFORE, True, True),
        ("after_published", AFTER, False, False),
        ("after_published", AFTER, True, True),
        ("after_published", AFTER, AFTER - timedelta(seconds=1), True),
        ("after_published", BEFORE, AFTER, False),
        ("hidden", AFTER, False, False),
        ("hidden", AFTER, True, False),
    ],
)
def test_a_check_is_told_of_from_its_moment_on_and_nowhere_before(
    gradebook: Gradebook,
    course: Course,
    warmup: Assignment,
    visibility: Visibility,
    now: datetime,
    published: bool | datetime,
    seen: bool,
) -> None:
    read = graded(gradebook, course, replace(warmup, published=published), checked(visibility), now)
    assert "A plain title." in read
    assert [text in read for text in TOLD] == [seen, seen, seen]
    assert "test_other" not in read
    assert ("1 further check is not shown" in read) is not seen


def test_what_a_check_does_not_say_the_assignment_says(warmup: Assignment) -> None:
    held = replace(warmup, visibility="after_published")
    assert students_view(checked(None), held, now=AFTER).rows[0].unseen == 2
    assert students_view(checked("visible"), held, now=AFTER).rows[0].unseen == 1
    assert students_view(checked(None), warmup, now=None) == checked(None)


@pytest.mark.parametrize("passed", [True, False])
def test_points_tell_nothing_of_a_check_that_is_not_shown_yet(warmup: Assignment, passed: bool) -> None:
    seen = students_view(checked("after_published", passed=passed), warmup, now=AFTER)
    assert seen == students_view(checked("after_published", passed=not passed), warmup, now=AFTER)
    assert (seen.score, seen.least, seen.max_score) == (None, 7.0, 10.0)
    assert (seen.rows[0].score, seen.rows[0].least, seen.rows[1].score) == (None, 1.0, 6.0)


@pytest.mark.parametrize(("passed", "score"), [(True, 10.0), (False, 7.0)])
def test_once_published_the_points_of_a_hidden_check_are_told(warmup: Assignment, passed: bool, score: float) -> None:
    seen = students_view(checked("hidden", passed=passed), replace(warmup, published=True), now=AFTER)
    assert seen.score == score
    assert (seen.rows[0].unseen, seen.rows[0].checks[1].name, seen.rows[0].checks[1].title) == (1, "", "")


def test_the_page_says_at_least_and_later_the_score(gradebook: Gradebook, course: Course, warmup: Assignment) -> None:
    submission = read_submission(submit(course.root, "ada"), warmup, student="ada")
    store(gradebook, course, warmup, submission, checked("after_due_date", passed=True), now=BEFORE)
    page = write_feedback(gradebook, course, warmup, "ada", now=BEFORE).read_text()
    assert "at least 7 of 12 points" in page
    assert "at least 1 of 4 points" in page
    assert TOLD[0] not in page
    page = write_feedback(gradebook, course, warmup, "ada", now=AFTER).read_text()
    assert "at least" not in page
    assert "10 of 12 points" in page
    assert TOLD[0] in page


def test_feedback_written_again_after_the_due_date_shows_more_everywhere(
    gradebook: Gradebook, course: Course, warmup: Assignment
) -> None:
    before = graded(gradebook, course, warmup, checked("after_due_date"), BEFORE)
    write_feedback(gradebook, course, warmup, "ada", now=AFTER)
    after = all_that_ada_reads(course)
    for text in TOLD:
        assert text not in before
        assert after.count(text) >= 3


def test_feedback_is_the_same_at_the_same_time(gradebook: Gradebook, course: Course, warmup: Assignment) -> None:
    first = graded(gradebook, course, warmup, checked("after_due_date"), BEFORE)
    write_feedback(gradebook, course, warmup, "ada", now=AFTER)
    write_feedback(gradebook, course, warmup, "ada", now=BEFORE)
    assert all_that_ada_reads(course) == first


def test_an_extension_moves_the_moment_of_its_student(gradebook: Gradebook, course: Course, warmup: Assignment) -> None:
    graded(gradebook, course, warmup, checked("after_due_date"), BEFORE)
    with closing(sqlite3.connect(course.root / "gradebook.db")) as connection:
        connection.execute("UPDATE submitted_assignment SET extension = '1970-01-03 00:00:00.000000'")
        connection.commit()
    for days, seen in ((1, False), (3, True)):
        write_feedback(gradebook, course, warmup, "ada", now=AFTER + timedelta(days=days))
        assert (TOLD[0] in all_that_ada_reads(course)) is seen


def test_without_a_due_date_after_due_date_waits_until_published(warmup: Assignment) -> None:
    report = checked("after_due_date")
    assert students_view(report, warmup, now=AFTER, due=None).withheld
    assert not students_view(report, replace(warmup, published=True), now=AFTER, due=None).withheld


def test_that_an_earlier_row_was_answered_is_not_told_while_a_check_is_withheld(warmup: Assignment) -> None:
    report = checked("hidden", passed=True)
    carried = replace(report, rows=(replace(report.rows[0], carried=("earlier",)), report.rows[1]))
    assert students_view(carried, warmup, now=AFTER).rows[0].carried == ()
    assert students_view(carried, replace(warmup, published=True), now=AFTER).rows[0].carried == ("earlier",)


def test_a_later_row_does_not_tell_that_a_check_failed_that_is_not_shown_yet(warmup: Assignment) -> None:
    report = checked("after_published")
    later = replace(report, rows=(report.rows[0], replace(report.rows[1], carried=("scale",))))
    assert students_view(later, warmup, now=AFTER).rows[1].carried == ()
    assert students_view(later, replace(warmup, published=True), now=AFTER).rows[1].carried == ("scale",)


def test_the_gradebook_and_the_result_hold_everything_for_the_instructor(
    gradebook: Gradebook, course: Course, warmup: Assignment
) -> None:
    report = checked("hidden", passed=True)
    graded(gradebook, course, warmup, report, BEFORE)
    assert read_report(course, "ada", warmup) == report
    assert [grade.raw_score for grade in held_grades(gradebook, warmup)] == [10.0]


def test_an_unknown_visibility_is_refused_where_the_check_is_declared() -> None:
    with pytest.raises(CheckError, match="expected one of: visible, after_due_date, after_published, hidden"):
        check("scale", visibility="after_due")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("visibility: after_due", "expected one of: visible, after_due_date, after_published or hidden"),
        ("visibility: after_due", "did you mean 'after_due_date'?"),
        ("published: 3", "expected true, false, or a local date and time"),
        ("published: tomorrow", "expected a local date and time"),
    ],
)
def test_mistakes_in_the_configuration_are_explained(tmp_path: Path, line: str, said: str) -> None:
    root = make_course(tmp_path / "course", config=CONFIG.replace("seed: 7", f"seed: 7\n    {line}"))
    with pytest.raises(ConfigError) as refused:
        load_course(root)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("line", "published"),
    [("true", True), ("false", False), ("2026-12-07 09:00", datetime(2026, 12, 7, 14, 0, tzinfo=UTC))],
)
def test_grades_are_published_now_or_from_a_local_time_on(
    tmp_path: Path, line: str, published: bool | datetime
) -> None:
    config = CONFIG.replace("seed: 7", f"seed: 7\n    visibility: hidden\n    published: {line}")
    warmup = load_course(make_course(tmp_path / "course", config=config)).assignment("warmup")
    assert (warmup.visibility, warmup.published) == ("hidden", published)


@pytest.mark.sandbox
def test_publishing_grades_nothing_again_and_what_a_check_declares_reaches_its_result(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    checks = root / "checks/warmup/test_warmup.py"
    checks.write_text(CHECKS.replace('@check("scale", ', '@check("scale", visibility="after_published", '))
    warmup = load_course(root).assignment("warmup")
    submission = read_submission(submit(root, "ada", untouched()), warmup, student="ada")
    with Grader() as grader:
        report = grader.grade(submission, warmup)
        again = grader.grade(submission, replace(warmup, published=True, visibility="hidden"))
    assert [row.checks[0].visibility for row in report.rows] == ["after_published", None]
    assert again.digest == report.digest


@pytest.mark.sandbox
def test_a_reason_why_nothing_could_be_read_is_always_told(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    warmup = replace(load_course(root).assignment("warmup"), visibility="hidden")
    path = submit(root, "ada")
    path.write_text(json.dumps([]))
    with Grader() as grader:
        report = grader.grade(read_submission(path, warmup, student="ada"), warmup)
    assert students_view(report, warmup, now=None) == report


def test_what_a_hidden_check_has_told_shortens_no_other():
    from autograder.grading import CheckResult
    from autograder.grading.check import Verdict
    from autograder.grading.hints import told

    def failed(name: str, visibility: str | None) -> Verdict:
        cause = Cause("raised", "f", exception="ValueError")
        result = CheckResult(name, f"{name}.", 1.0, "failed", cause, "A hint.", "", visibility)
        return Verdict(result, frozenset({"f"}))

    alone = told([failed("seen", None)], lambda cause: cause)
    both = told([failed("secret", "hidden"), failed("seen", None)], lambda cause: cause)
    assert both[1] == alone[0]
