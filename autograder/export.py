"""Scores as a table for people and other programs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import TextIO

from autograder.course import Assignment, Course
from autograder.gradebook import Standing


def write_csv(standings: Sequence[Standing], assignment: Assignment, course: Course, file: TextIO) -> None:
    """Write one line a student: id, when it was submitted (local time), total, lateness, what waits, and each row.

    A row that waits for a hand is empty. No cell starts in a way that a spreadsheet takes for a formula.
    """
    rows = [*(row.test_id for row in assignment.rows), *assignment.manual]
    writer = csv.writer(file, lineterminator="\n")
    names = [name.removeprefix("test_") for name in rows]
    writer.writerow(["student", "submitted", "score", "max_score", "late_penalty", "needs_manual_grade", *names])
    for standing in standings:
        when = standing.timestamp.astimezone(course.timezone).isoformat(" ", "seconds") if standing.timestamp else ""
        scores = ["" if (score := standing.scores.get(row)) is None else _number(score) for row in rows]
        writer.writerow(
            [
                inert(standing.student),
                when,
                _number(standing.score),
                _number(standing.max_score),
                _number(standing.late_penalty),
                "yes" if standing.needs_manual_grade else "no",
                *scores,
            ]
        )


def inert(text: str) -> str:
    """``text`` such that no spreadsheet takes it for a formula (OWASP: CSV injection)."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def _number(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")


WRITERS = {"csv": write_csv}
