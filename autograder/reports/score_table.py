"""Scores as a table for people and other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TextIO

from autograder.base import one_line
from autograder.course import Assignment, Course
from autograder.gradebook import HeldGrade, held_grades, up_to_date_gradebook


def scores_of(course: Course, assignment: Assignment) -> tuple[HeldGrade, ...]:
    """Where every student with a submission stands, late penalties brought up to date.

    Raises:
        GradebookError: There is no gradebook, or the assignment is not in it.
    """
    with up_to_date_gradebook(course, assignment) as gradebook:
        return held_grades(gradebook, assignment)


def write_csv(found: Sequence[HeldGrade], assignment: Assignment, course: Course, file: TextIO) -> None:
    """Write one line a student: id, when it was submitted (local time), total, lateness, what waits, and each row.

    A row that waits for a hand is empty, and so is the score of who is excused. No cell starts in a way that a
    spreadsheet takes for a formula, and every text is quoted, so that none is parted in two by a spreadsheet that takes
    another character than the comma.
    """
    rows = [*(row.test_id for row in assignment.rows), *assignment.manual]
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    names = [*(row.name for row in assignment.rows), *assignment.manual]
    writer.writerow(
        ["student", "submitted", "score", "max_score", "late_penalty", "needs_manual_grade", "excused", *names]
    )
    for grade in found:
        when = grade.timestamp.astimezone(course.timezone).isoformat(" ", "seconds") if grade.timestamp else ""
        scores = ["" if (score := grade.scores.get(row)) is None else _number(score) for row in rows]
        writer.writerow(
            [
                inert(grade.student),
                when,
                "" if grade.excused else _number(grade.score),
                _number(grade.max_score),
                _number(grade.late_penalty),
                "yes" if grade.needs_manual_grade else "no",
                "yes" if grade.excused else "no",
                *scores,
            ]
        )


def table_text(found: Sequence[HeldGrade], assignment: Assignment, course: Course) -> str:
    """The table that ``write_csv`` writes, as text."""
    text = io.StringIO()
    write_csv(found, assignment, course, text)
    return text.getvalue()


def inert(text: str) -> str:
    """``text`` on one line, such that no spreadsheet takes it for a formula (OWASP: CSV injection).

    Quotes and spaces before the sign do not hide it, nor does its full-width form.
    """
    line = one_line(text)
    starts = text[:1] in ("\t", "\r", "\n") or line.lstrip("'\" \u00a0\u3000").startswith(tuple("=+-@＝＋－＠"))
    return f"'{line}" if starts else line


def _number(value: float) -> int | float:
    rounded = round(float(value), 4)
    return int(rounded) if rounded.is_integer() else rounded
