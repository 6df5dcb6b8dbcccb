"""The feedback page of one student, from the executed notebook and the gradebook as it is now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from autograder.course import Assignment, Course
from autograder.errors import GradebookError, RefusedError
from autograder.feedback import SUMMARY_ID, feedback_html, with_hand_grades
from autograder.folders import read_regular
from autograder.gradebook.files import write_atomically
from autograder.gradebook.opening import Gradebook, one_line
from autograder.gradebook.reading import Standing, graded_digest, standings
from autograder.gradebook.registering import cells_of
from autograder.notebook import joined


def write_feedback(gradebook: Gradebook, course: Course, assignment: Assignment, student: str) -> Path:
    """Write ``feedback/<student>/<assignment>/<notebook>.html`` from the executed notebook and the gradebook.

    Scores and comments given by hand and the late penalty are in it as they are now. ``timestamp.txt`` and
    ``submission_secret.txt`` go beside it, as nbgrader's release_feedback wants them.

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
    if graded_digest(gradebook, course, student, assignment) is None:
        raise GradebookError(
            f"{source.parent}: the result there is damaged, or of another run than the scores in the gradebook, as "
            f"after a run that was stopped. Run autograder grade {assignment.name} --student {student}."
        )
    comments = _comments(gradebook, assignment, student)
    try:
        notebook = _with_scores(json.loads(source.read_text(encoding="utf-8")), assignment, standing, comments)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GradebookError(
            f"{source}: the executed notebook cannot be read: {one_line(error)}. "
            f"Run autograder grade {assignment.name} --student {student} --force."
        ) from error
    page = feedback_html(
        notebook,
        assignment.title,
        score=standing.raw_score,
        max_score=standing.max_score,
        late_penalty=standing.late_penalty,
        pending=standing.needs_manual_grade,
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
