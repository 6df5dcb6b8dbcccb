"""What one student reads: made from a report, the gradebook and the executed notebook, as they are now."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from autograder.base import AutograderError, GradebookError, write_atomically
from autograder.course import Assignment, Course, joined, notebook_text
from autograder.feedback.executed import annotated, told_anew
from autograder.feedback.lateness import lateness_text
from autograder.feedback.page import feedback_html
from autograder.feedback.result import row_comment
from autograder.feedback.summary import SUMMARY_ID, with_hand_grades
from autograder.feedback.text import points_text
from autograder.feedback.visibility import grade_as_seen, students_view
from autograder.gradebook import (
    NO_RESPONSE,
    Gradebook,
    HeldGrade,
    Shown,
    comment_on_rows,
    comments_of,
    due_of,
    executed_notebook,
    graded_digest,
    held_grades,
    lateness_of,
    only_run,
    read_report,
    result_file,
    said_by,
    up_to_date_gradebook,
    write_page,
)
from autograder.grading import Report
from autograder.submission import Submission


def shown_to_student(
    gradebook: Gradebook, assignment: Assignment, submission: Submission, report: Report, now: datetime | None
) -> Shown:
    """What the student may read of a grade that is about to be stored.

    Args:
        gradebook: From ``open_gradebook``, which has the student's extensions.
        assignment: The assignment.
        submission: What was graded; its ``student`` is known.
        report: What came of it.
        now: The time, which decides what the student may see; None for a time before any date.
    """
    due = due_of(gradebook, assignment, submission.student or "")
    seen = students_view(report, assignment, now=now, due=due)
    return Shown(row_comments(seen, assignment), notebook_text(annotated(submission, seen, assignment)))


def row_comments(seen: Report, assignment: Assignment) -> dict[str, str | None]:
    """The comment on each solution cell, by ``grade_id``: what its rows have to say, None where that is nothing."""
    tests = {row.test_id: row_comment(row) for row in seen.rows}
    told: dict[str, list[str]] = {row.solution: [] for row in assignment.rows if row.solution}
    for row in assignment.rows:
        if row.solution and tests.get(row.test_id):
            told[row.solution].append(tests[row.test_id])
    return {solution: "\n\n".join(comments) or None for solution, comments in told.items()}


def write_feedback(
    gradebook: Gradebook,
    course: Course,
    assignment: Assignment,
    student: str,
    *,
    now: datetime | None = None,
    notice: str = "",
) -> Path:
    """Write ``feedback/<student>/<assignment>/<notebook>.html`` from the executed notebook and the gradebook.

    Scores and comments given by hand and the late penalty are in it as they are now. ``timestamp.txt`` and
    ``submission_secret.txt`` go beside it, as nbgrader's release_feedback wants them. Where the student may see
    more of the results than before, the executed notebook and the comments in the gradebook tell it too.

    Args:
        gradebook: From ``open_gradebook``; the assignment has been registered.
        course: The course.
        assignment: The assignment.
        student: The student's id.
        now: The time, which decides what the student may see; None for a time before any date.
        notice: A sentence for the student, below the score.

    Returns:
        The page; of several notebooks the first one's, though each has one.

    Raises:
        GradebookError: The student has no grade, or the page could not be written.
    """
    standing = [(each, *_standing(gradebook, course, each, student, now)) for each in assignment.notebooks]
    least = "at least " if any(seen.withheld for _, seen, _ in standing) else ""
    points = points_text(math.fsum(grade.score for _, _, grade in standing))
    of_all = (
        f"All notebooks of the assignment together: {least}{points} of {points_text(assignment.max_of_all)} points."
    )
    notes = [*filter(None, (notice, of_all if assignment.parts else ""))]
    pages = [_write_page(gradebook, course, each, student, seen, grade, notes) for each, seen, grade in standing]
    return pages[0]


def _standing(
    gradebook: Gradebook, course: Course, assignment: Assignment, student: str, now: datetime | None
) -> tuple[Report, HeldGrade]:
    """What a student may see of their result in a notebook now, and of the grade that the gradebook holds.

    Raises:
        GradebookError: The student has no grade.
    """
    source = executed_notebook(course, assignment, student)
    grade = next(iter(held_grades(gradebook, assignment, student=student)), None)
    if grade is None or not source.is_file():
        raise GradebookError(
            f"{source}: {student} has no graded submission of {assignment.name}. "
            f"Run autograder grade {assignment.name} --student {student}."
        )
    seen = seen_now(gradebook, course, assignment, student, now)
    return seen, grade_as_seen(grade, seen)


def _write_page(
    gradebook: Gradebook,
    course: Course,
    assignment: Assignment,
    student: str,
    seen: Report,
    grade: HeldGrade,
    notes: Sequence[str],
) -> Path:
    """Write the page of one notebook.

    Raises:
        GradebookError: The executed notebook cannot be read, or the page could not be written.
    """
    source = executed_notebook(course, assignment, student)
    comments = comments_of(gradebook, assignment, student)
    try:
        text = source.read_text(encoding="utf-8")
        tree = told_anew(json.loads(text), seen, assignment)
        if (anew := notebook_text(tree)) != text:
            write_atomically(source, anew)
        notebook = _with_scores(tree, assignment, grade, comments)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GradebookError(
            f"{source}: the executed notebook cannot be read: {said_by(error)}. "
            f"Run autograder grade {assignment.name} --student {student} --force."
        ) from error
    lateness = lateness_of(gradebook, assignment, student)
    page = feedback_html(
        notebook,
        assignment.title,
        score=grade.raw_score,
        max_score=grade.max_score,
        late_penalty=grade.late_penalty,
        notes=[*filter(None, (*notes, lateness_text(lateness, assignment, student, course.timezone)))],
        pending=grade.needs_manual_grade,
        least=seen.withheld,
    )
    return write_page(course, assignment, student, page)


@dataclass(frozen=True)
class FeedbackWritten:
    """How many pages were written, and why others were not."""

    pages: int
    troubles: tuple[str, ...]


def write_class_feedback(
    course: Course,
    assignment: Assignment,
    *,
    now: datetime | None,
    started: Callable[[int], object] = lambda _: None,
    advance: Callable[[], object] = lambda: None,
) -> FeedbackWritten:
    """As ``write_feedback`` for everybody with a grade; one whose page cannot be written keeps nobody else's back.

    Args:
        course: The course.
        assignment: The assignment.
        now: The time, which decides what the students may see.
        started: Told how many there are.
        advance: Told when one is done.

    Raises:
        GradebookError: There is no gradebook, the assignment is not in it, or another run is at work on the course.
    """
    troubles: list[str] = []
    with only_run(course), up_to_date_gradebook(course, assignment) as gradebook:
        students = [grade.student for grade in held_grades(gradebook, assignment)]
        started(len(students))
        for each in students:
            try:
                write_feedback(gradebook, course, assignment, each, now=now)
            except AutograderError as error:
                troubles.append(str(error))
            advance()
    return FeedbackWritten((len(students) - len(troubles)) * len(assignment.notebooks), tuple(troubles))


def write_attempt(
    gradebook: Gradebook,
    course: Course,
    assignment: Assignment,
    submission: Submission,
    report: Report,
    now: datetime | None,
) -> Path:
    """Write the page of an attempt that does not count, in the place of the page of the one that does.

    Returns:
        The page.

    Raises:
        GradebookError: It could not be written.
    """
    student = submission.student or ""
    seen = students_view(report, assignment, now=now, due=due_of(gradebook, assignment, student))
    title = f"{assignment.title}: this attempt, not the one that counts"
    return write_page(course, assignment, student, feedback_html(annotated(submission, seen, assignment), title))


def seen_now(
    gradebook: Gradebook, course: Course, assignment: Assignment, student: str, now: datetime | None
) -> Report:
    """What a student may see of their result now; the comments in the gradebook tell as much from here on.

    Raises:
        GradebookError: The student has no result.
    """
    folder = course.root / "autograded" / student / assignment.name
    if graded_digest(gradebook, course, student, assignment) is None:
        raise GradebookError(
            f"{folder}: the result there is damaged, or of another run than the scores in the gradebook, as "
            f"after a run that was stopped. Run autograder grade {assignment.name} --student {student}."
        )
    report = read_report(course, student, assignment)
    if report is None:
        raise GradebookError(
            f"{result_file(folder, assignment)}: the result is missing or damaged. "
            f" Run autograder grade {assignment.name} --student {student} --force."
        )
    seen = students_view(report, assignment, now=now, due=due_of(gradebook, assignment, student))
    comment_on_rows(gradebook, assignment, student, row_comments(seen, assignment))
    return seen


def _with_scores(
    notebook: dict[str, Any], assignment: Assignment, grade: HeldGrade, comments: dict[str, str | None]
) -> dict[str, Any]:
    """The executed notebook, changed in place: its texts joined, scores and comments in the cells' metadata."""
    points = {row.test_id: row.points for row in assignment.rows} | assignment.manual
    for cell in notebook["cells"]:
        cell["source"] = joined(cell["source"])
        if cell.get("id") == SUMMARY_ID:
            blank = [name for name in assignment.manual if comments.get(name) == NO_RESPONSE and not grade.scores[name]]
            cell["source"] = with_hand_grades(cell["source"], assignment.manual, grade.scores, blank)
        for output in cell.get("outputs", []):
            if "text" in output:
                output["text"] = joined(output["text"])
            bundle = output.get("data", {})
            bundle.update({mime: joined(text) for mime, text in bundle.items() if isinstance(text, list)})
        meta = cell["metadata"].get("nbgrader", {})
        name = meta.get("grade_id")
        if name in points:
            meta["score"], meta["points"] = grade.scores.get(name), points[name]
        if comments.get(name):
            meta["comment"] = comments[name]
    return notebook
