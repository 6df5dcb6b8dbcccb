"""What a student may see of a report, and from when on: the report as its student sees it.

Which hints there are is decided in ``grading/hints.py``.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

from autograder.course import Assignment
from autograder.gradebook import HeldGrade
from autograder.grading import CheckResult, Report, RowResult


def students_view(
    report: Report, assignment: Assignment, *, now: datetime | None, due: datetime | None = None
) -> Report:
    """The report as its student sees it now.

    A check that the student may not see yet keeps only its weight: its name, title, reason and hint are removed. So is
    its outcome until the grades are published, since the row's points would tell it to whoever may hand in again.

    Args:
        report: What grading came to.
        assignment: Its default visibility and when its grades are published.
        now: The time, aware of its zone; None for a time before any date.
        due: The student's own due date, with any extension, aware; None where nothing is ever due.

    Returns:
        A report of the same rows, whose checks keep their order. Where no check waits for anything it is the same.
    """
    published = is_published(assignment, now)
    is_due = due is not None and now is not None and now > due
    rows: list[RowResult] = []
    withheld = False
    for row in report.rows:
        seen = _row(row, assignment, published, is_due)
        withheld = withheld or seen.withheld
        # Which functions the reference answered could tell that a check of theirs failed that is not to be seen.
        rows.append(replace(seen, carried=()) if withheld else seen)
    return replace(report, rows=tuple(rows))


def grade_as_seen(grade: HeldGrade, seen: Report) -> HeldGrade:
    """The grade, with each row lowered to the points that the student may know of."""
    least = {row.test_id: row.least for row in seen.rows if row.withheld}
    # A person may have given less than that; and a penalty that is capped by the true score would tell it.
    scores = {
        name: score if score is None else min(score, least.get(name, score)) for name, score in grade.scores.items()
    }
    raw = math.fsum(score or 0.0 for score in scores.values())
    penalty = min(grade.late_penalty, raw) if least else grade.late_penalty
    return replace(grade, scores=scores, raw_score=raw, score=max(0.0, raw - penalty), late_penalty=penalty)


def is_published(assignment: Assignment, now: datetime | None) -> bool:
    """Whether the assignment's grades are published."""
    if isinstance(assignment.published, bool):
        return assignment.published
    return now is not None and now >= assignment.published


def _row(row: RowResult, assignment: Assignment, published: bool, is_due: bool) -> RowResult:
    checks = tuple(
        check if _is_seen(check, assignment, published, is_due) else _unseen(check, published) for check in row.checks
    )
    return replace(row, checks=checks)


def _is_seen(check: CheckResult, assignment: Assignment, published: bool, is_due: bool) -> bool:
    match check.visibility or assignment.visibility:
        case "visible":
            return True
        case "after_due_date":
            return is_due or published
        case "after_published":
            return published
        case "hidden":
            return False


def _unseen(check: CheckResult, published: bool) -> CheckResult:
    # That something of ours failed is always told: the student has no grade.
    outcome = check.outcome if published or check.outcome == "errored" else "withheld"
    return CheckResult("", "", check.weight, outcome)
