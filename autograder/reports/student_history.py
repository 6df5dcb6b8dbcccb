"""One student over the term: what the gradebook and the course's folders have of them, assignment by assignment."""

from __future__ import annotations

from dataclasses import dataclass

from autograder.base import AutograderError, GradebookError, did_you_mean
from autograder.course import Assignment, Course
from autograder.feedback import first_to_fix, lateness_text
from autograder.gradebook import (
    Attempt,
    Gradebook,
    HeldGrade,
    attempts_of,
    due_of,
    held_grades,
    lateness_of,
    open_gradebook,
    read_report,
    roster,
)


@dataclass(frozen=True)
class Lost:
    """A row that lost points: those that it has, and what it may have."""

    row: str
    score: float
    points: float


@dataclass(frozen=True)
class Chapter:
    """A student at one assignment.

    Attributes:
        assignment: The assignment's name.
        title: Its title.
        max_score: The most that it gives.
        due: Until when the student was to hand in, local time, with any extension; empty where it is never due.
        status: ``graded``, ``waits`` (for a grade by hand), ``excused``, ``not graded`` or ``nothing handed in``.
        grade: What the gradebook holds of them; None without a submission in the gradebook.
        lateness: What lateness meant, in words; empty where it was in time.
        lost: Rows that lost points.
        first: The row to begin with and what went wrong there; empty where nothing did.
        attempts: What `autograder watch` graded, the oldest first.
    """

    assignment: str
    title: str
    max_score: float
    due: str
    status: str
    grade: HeldGrade | None
    lateness: str
    lost: tuple[Lost, ...]
    first: str
    attempts: tuple[Attempt, ...]


def history(course: Course, student: str) -> list[Chapter]:
    """A student's assignments in the order of the configuration.

    Raises:
        AutograderError: There is no gradebook; or nobody of that name is in it or has handed in, and the message gives
            the nearest.
    """
    with open_gradebook(course, create=False) as gradebook:
        return _history(gradebook, course, student)


def _history(gradebook: Gradebook, course: Course, student: str) -> list[Chapter]:
    known = set(roster(gradebook))
    handed_in = {name for name in course.assignments if (course.root / "submitted" / student / name).is_dir()}
    if student not in known and not handed_in:
        nearest = did_you_mean(student, known)
        raise AutograderError(f"{student!r} is not in the gradebook and has handed in nothing; {nearest}".rstrip("; "))
    return [_chapter(gradebook, course, each, student, name in handed_in) for name, each in course.assignments.items()]


def _chapter(gradebook: Gradebook, course: Course, assignment: Assignment, student: str, handed_in: bool) -> Chapter:
    """How a student did at one assignment, by what the gradebook and the stored result say."""
    try:
        grade = next(iter(held_grades(gradebook, assignment, student=student)), None)
    except GradebookError:
        grade = None  # nothing of it has been graded yet
    report = read_report(course, student, assignment) if grade is not None else None
    due = due_of(gradebook, assignment, student)
    if student in assignment.excused:
        status = "excused"
    elif report is not None and grade is not None:
        status = "waits" if grade.needs_manual_grade else "graded"
    else:
        status = "not graded" if handed_in else "nothing handed in"
    lost: tuple[Lost, ...] = ()
    first = ""
    if report is not None and grade is not None:
        found = ((row, grade.scores.get(row.test_id)) for row in report.rows)
        lost = tuple(Lost(row.name, score or 0.0, row.points) for row, score in found if (score or 0.0) < row.points)
        if (row := first_to_fix(report)) is not None:
            check = next(check for check in row.checks if check.outcome == "failed")
            first = f"{row.name}: {check.reason or check.title}"
    late = lateness_of(gradebook, assignment, student)
    return Chapter(
        assignment=assignment.name,
        title=assignment.title,
        max_score=assignment.max_score,
        due="" if due is None else f"{due.astimezone(course.timezone):%Y-%m-%d %H:%M}",
        status=status,
        grade=grade,
        lateness=lateness_text(late, assignment, student, course.timezone) if grade is not None else "",
        lost=lost,
        first=first,
        attempts=tuple(attempts_of(course, assignment, student)),
    )
