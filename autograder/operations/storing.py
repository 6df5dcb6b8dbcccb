"""What came of a submission, stored with what its student may read of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from autograder.base import AutograderError, RefusedError
from autograder.course import Assignment, Course
from autograder.feedback import shown_to_student
from autograder.gradebook import Gradebook, held_grades, left_out, store
from autograder.grading import Report
from autograder.operations.graded import Graded
from autograder.submission import Submission

Status = Literal["graded", "kept", "refused", "failed"]


@dataclass(frozen=True)
class Result:
    """What became of one student's submission.

    Attributes:
        student: The student's id.
        status: Graded now; kept, since nothing changed; refused, and listed; or failed, for a reason of ours.
        report: The report, where there is one, without the outputs of the cells, of which a class has gigabytes.
        why: Why it was refused or failed, for the instructor; or a note on it. Usually empty.
    """

    student: str
    status: Status
    report: Report | None
    why: str = ""


def store_grade(
    gradebook: Gradebook,
    course: Course,
    assignment: Assignment,
    submission: Submission,
    report: Report,
    now: datetime | None,
) -> bool:
    """Store a grade, with what its student may read of it: the one way into the gradebook.

    Args:
        gradebook: From ``open_gradebook``; the assignment has been registered.
        course: The course.
        assignment: The assignment.
        submission: What was graded; its ``student`` is known.
        report: What came of it.
        now: The time, which decides what the student may see; None for a time before any date.

    Returns:
        Whether it was stored: a report with an error of ours leaves everything as it was.

    Raises:
        GradebookError: The assignment is not registered, or the files could not be written.
    """
    shown = shown_to_student(gradebook, assignment, submission, report, now)
    return store(gradebook, course, assignment, submission, report, shown)


def store_grades(
    gradebook: Gradebook, course: Course, assignment: Assignment, graded: Graded, now: datetime | None
) -> None:
    """Store the grade of each notebook of a hand-in, or of none where something of ours failed in one.

    Args:
        gradebook: As for ``store_grade``.
        course: The course.
        assignment: The assignment.
        graded: What came of the hand-in.
        now: As for ``store_grade``.

    Raises:
        RefusedError: It was not taken.
        AutograderError: Something of ours failed, or it could not be stored; the message says what.
    """
    grade_of(graded, assignment)
    for each, one in zip(assignment.notebooks, graded.notebooks, strict=True):
        if one.submission is not None and one.report is not None:
            store_grade(gradebook, course, each, one.submission, one.report, now)


def stored(
    gradebook: Gradebook, course: Course, assignment: Assignment, graded: Graded, *, note: str, now: datetime | None
) -> Result:
    """Store what came of a hand-in, where it has a grade.

    Args:
        gradebook: As for ``store_grade``.
        course: The course.
        assignment: The assignment.
        graded: What came of the hand-in.
        note: What the instructor is told beside its grade; may be empty.
        now: As for ``store_grade``.

    Returns:
        What became of it; what goes wrong is in there.
    """
    student = graded.hand_in.student
    report = None if graded.report is None else replace(graded.report, cells=())
    try:
        store_grades(gradebook, course, assignment, graded, now)
    except RefusedError as error:
        return Result(student, "refused", report, str(error))
    except AutograderError as error:
        return Result(student, "failed", report, str(error))
    left = not_copied(course, assignment, student)
    ran = joined_notes(*map(_of_the_run, graded.notebooks))
    asked = asked_for(gradebook, assignment, student, report)
    return Result(student, "graded", report, joined_notes(note, graded.hand_in.note.rstrip("."), asked, ran, left))


def asked_for(gradebook: Gradebook, assignment: Assignment, student: str, report: Report | None) -> str:
    """Which written answers a person has to look for, and why; empty where there are none, or a person has graded."""
    if report is None or not report.asked:
        return ""
    if not any(each.needs_manual_grade for each in held_grades(gradebook, assignment, student=student)):
        return ""
    return joined_notes(*(f"{name} waits for a person: {why}" for name, why in report.asked.items()))


def _of_the_run(graded: Graded) -> str:
    """What the student is told of the run itself, such as that its time ran short; empty where nothing is."""
    if graded.submission is None or graded.report is None:
        return ""
    return joined_notes(*(note for note in graded.report.notes if note not in graded.submission.notes))


def grade_of(graded: Graded, assignment: Assignment) -> Report:
    """The report of a hand-in that has a grade.

    Raises:
        RefusedError: It was not taken.
        AutograderError: Something of ours failed; the message says what.
    """
    if graded.refused:
        raise RefusedError(graded.refused)
    troubles = [graded.trouble]
    for each, one in zip(assignment.parts, graded.parts, strict=False):
        if one.report is not None and one.report.errored:
            troubles.append(each.labelled(why_ungraded(one.report)))
    if graded.report is None or (graded.parts and any(troubles)):
        raise AutograderError(joined_notes(*troubles))
    if graded.report.errored:
        raise AutograderError(why_ungraded(graded.report))
    return graded.report


def why_ungraded(report: Report) -> str:
    """Why a report has no grade, for the instructor: the last line of each error of ours, with its check."""
    reasons = [_last_line(report.trouble)] if report.trouble else []
    for row in report.rows:
        for check in row.checks:
            if check.outcome == "errored":
                reasons.append(f"{check.name}: {_last_line(check.trouble) if check.trouble else 'errored'}")
    return "; ".join(reasons)


def not_copied(course: Course, assignment: Assignment, student: str) -> str:
    """A note on those files beside a submission that were not copied to ``autograded/``; empty where all were."""
    left = left_out(course, student, assignment)
    said = f"left in submitted/ and not copied: {', '.join(left[:5])}" if left else ""
    more = f", and {len(left) - 5} more" if len(left) > 5 else ""
    return said + more


def joined_notes(*notes: str) -> str:
    """Notes on a submission in one line, without those that are empty."""
    return "; ".join(filter(None, notes))


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1]
