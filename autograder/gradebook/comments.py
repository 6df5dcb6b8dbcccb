"""Comments in the gradebook: the grader's own, and what a person wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from autograder.course import Assignment
from autograder.gradebook.opening import Cells, Gradebook, transaction
from autograder.gradebook.registering import cells_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def comment_on_rows(
    gradebook: Gradebook, assignment: Assignment, student: str, texts: Mapping[str, str | None]
) -> None:
    """Have the grader's comments on a student's rows say this, by ``grade_id``; a person's own stay.

    Raises:
        GradebookError: The assignment is not registered.
        sqlalchemy.exc.SQLAlchemyError: The student has no submission, or the database failed.
    """
    from sqlalchemy import select

    submissions, notebooks = gradebook.tables["submitted_assignment"], gradebook.tables["submitted_notebook"]
    with transaction(gradebook.engine) as connection:
        cells = cells_of(gradebook, connection, assignment)
        notebook = connection.execute(
            select(notebooks.c.id)
            .join(submissions, notebooks.c.assignment_id == submissions.c.id)
            .where(submissions.c.student_id == student, submissions.c.assignment_id == cells.assignment)
            .where(notebooks.c.notebook_id == cells.notebook)
        ).scalar_one()
        write_comments(gradebook, connection, cells, notebook, texts)


def write_comments(
    gradebook: Gradebook, connection: Connection, cells: Cells, notebook: str, texts: Mapping[str, str | None]
) -> None:
    """Write the grader's comments on one notebook, by ``grade_id``; a person's own stay."""
    from sqlalchemy import bindparam

    comments = gradebook.tables["comment"]
    said = [{"cell": cells.commented[name], "auto": text} for name, text in texts.items() if name in cells.commented]
    if said:
        connection.execute(
            comments.update()
            .where(comments.c.notebook_id == notebook, comments.c.cell_id == bindparam("cell"))
            .values(auto_comment=bindparam("auto")),
            said,
        )


def comments_of(gradebook: Gradebook, assignment: Assignment, student: str) -> dict[str, str | None]:
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
