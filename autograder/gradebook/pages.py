"""The feedback page of one student, from the executed notebook and the gradebook as it is now."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from autograder.course import Assignment, Course
from autograder.errors import GradebookError, RefusedError
from autograder.feedback import SUMMARY_ID, feedback_html, row_comment, told_anew, with_hand_grades
from autograder.folders import read_regular
from autograder.gradebook.files import RESULT_FILE, write_atomically
from autograder.gradebook.lateness import due_date, lateness_told
from autograder.gradebook.opening import Gradebook, said_by, transaction
from autograder.gradebook.reading import Standing, graded_digest, read_report, standings
from autograder.gradebook.registering import cells_of
from autograder.gradebook.storing import write_comments
from autograder.notebook import joined, notebook_text
from autograder.report import Report
from autograder.visibility import students_view


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
        The page.

    Raises:
        GradebookError: The student has no grade, or the page could not be written.
    """
    source = course.root / "autograded" / student / assignment.name / f"{assignment.notebook}.ipynb"
    standing = next(iter(standings(gradebook, assignment, student=student)), None)
    if standing is None or not source.is_file():
        raise GradebookError(
            f"{source}: {student} has no graded submission of {assignment.name}. "
            f"Run autograder grade {assignment.name} --student {student}."
        )
    seen = seen_now(gradebook, course, assignment, student, now)
    comments = _comments(gradebook, assignment, student)
    standing = as_seen(standing, seen)
    try:
        text = source.read_text(encoding="utf-8")
        tree = told_anew(json.loads(text), seen, assignment)
        if (anew := notebook_text(tree)) != text:
            write_atomically(source, anew)
        notebook = _with_scores(tree, assignment, standing, comments)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GradebookError(
            f"{source}: the executed notebook cannot be read: {said_by(error)}. "
            f"Run autograder grade {assignment.name} --student {student} --force."
        ) from error
    page = feedback_html(
        notebook,
        assignment.title,
        score=standing.raw_score,
        max_score=standing.max_score,
        late_penalty=standing.late_penalty,
        notes=[*filter(None, (notice, lateness_told(gradebook, assignment, student, course.timezone)))],
        pending=standing.needs_manual_grade,
        least=seen.withheld,
    )
    folder = course.root / "feedback" / student / assignment.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("timestamp.txt", "submission_secret.txt"):
            given = course.root / "submitted" / student / assignment.name / name
            try:
                content, size = read_regular(given, 4096, one_name=True)
            except RefusedError:
                continue
            if size <= 4096:
                write_atomically(folder / name, content.decode("utf-8", "replace"))
        write_atomically(folder / f"{assignment.notebook}.html", page)
    except OSError as error:
        raise GradebookError(
            f"{error.filename or folder}: the feedback could not be written: {error.strerror or error}."
        ) from error
    return folder / f"{assignment.notebook}.html"


def seen_now(
    gradebook: Gradebook, course: Course, assignment: Assignment, student: str, now: datetime | None
) -> Report:
    """What a student may see of their result now; the comments in the gradebook tell as much from here on.

    Raises:
        GradebookError: The student has no result.
    """
    from sqlalchemy import select

    folder = course.root / "autograded" / student / assignment.name
    if graded_digest(gradebook, course, student, assignment) is None:
        raise GradebookError(
            f"{folder}: the result there is damaged, or of another run than the scores in the gradebook, as "
            f"after a run that was stopped. Run autograder grade {assignment.name} --student {student}."
        )
    report = read_report(course, student, assignment)
    if report is None:
        raise GradebookError(
            f"{course.root / 'autograded' / student / assignment.name / RESULT_FILE}: the result is missing or "
            f"damaged. Run autograder grade {assignment.name} --student {student} --force."
        )
    submissions, notebooks = gradebook.tables["submitted_assignment"], gradebook.tables["submitted_notebook"]
    with transaction(gradebook.engine) as connection:
        cells = cells_of(gradebook, connection, assignment)
        submitted, notebook = connection.execute(
            select(submissions.c.id, notebooks.c.id)
            .join(notebooks, notebooks.c.assignment_id == submissions.c.id)
            .where(submissions.c.student_id == student, submissions.c.assignment_id == cells.assignment)
            .where(notebooks.c.notebook_id == cells.notebook)
        ).one()
        seen = students_view(report, assignment, now=now, due=due_date(gradebook, connection, assignment, submitted))
        texts = {row.name: row_comment(row) or None for row in seen.rows}
        write_comments(gradebook, connection, cells, notebook, texts)
    return seen


def as_seen(standing: Standing, seen: Report) -> Standing:
    """The standing with no more points for a row than its student may know of."""
    least = {row.test_id: row.least for row in seen.rows if row.withheld}
    # A person may have given less than that; and a penalty that is capped by the true score would tell it.
    scores = {
        name: score if score is None else min(score, least.get(name, score)) for name, score in standing.scores.items()
    }
    raw = math.fsum(score or 0.0 for score in scores.values())
    penalty = min(standing.late_penalty, raw) if least else standing.late_penalty
    return replace(standing, scores=scores, raw_score=raw, score=max(0.0, raw - penalty), late_penalty=penalty)


def _comments(gradebook: Gradebook, assignment: Assignment, student: str) -> dict[str, str | None]:
    """By ``grade_id``: what a person wrote, else under an answer graded by hand what the grader did.

    A row's own comment says nothing that is not in the notebook already.
    """
    from sqlalchemy import select

    comments, base = gradebook.tables["comment"], gradebook.tables["base_cell"]
    submissions, notebooks = gradebook.tables["submitted_assignment"], gradebook.tables["submitted_notebook"]
    with gradebook.engine.connect() as connection:
        cells = cells_of(gradebook, connection, assignment)
        said = connection.execute(
            select(base.c.name, comments.c.manual_comment, comments.c.auto_comment)
            .join(base, base.c.id == comments.c.cell_id)
            .join(notebooks, notebooks.c.id == comments.c.notebook_id)
            .join(submissions, submissions.c.id == notebooks.c.assignment_id)
            .where(comments.c.cell_id.in_(cells.commented.values()), notebooks.c.notebook_id == cells.notebook)
            .where(submissions.c.student_id == student, submissions.c.assignment_id == cells.assignment)
        ).all()
    return {name: manual or (auto if name in assignment.manual else None) for name, manual, auto in said}


def _with_scores(
    notebook: dict[str, Any], assignment: Assignment, standing: Standing, comments: dict[str, str | None]
) -> dict[str, Any]:
    """The executed notebook, changed in place: its texts joined, scores and comments in the cells' metadata."""
    points = {row.test_id: row.points for row in assignment.rows} | assignment.manual
    for cell in notebook["cells"]:
        cell["source"] = joined(cell["source"])
        if cell.get("id") == SUMMARY_ID:
            cell["source"] = with_hand_grades(cell["source"], assignment.manual, standing.scores)
        for output in cell.get("outputs", []):
            if "text" in output:
                output["text"] = joined(output["text"])
            bundle = output.get("data", {})
            bundle.update({mime: joined(text) for mime, text in bundle.items() if isinstance(text, list)})
        meta = cell["metadata"].get("nbgrader", {})
        name = meta.get("grade_id")
        if name in points:
            meta["score"], meta["points"] = standing.scores.get(name), points[name]
        if comments.get(name):
            meta["comment"] = comments[name]
    return notebook
