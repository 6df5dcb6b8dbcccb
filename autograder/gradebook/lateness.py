"""What lateness costs: by the policy, and in the gradebook."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from autograder.course import Assignment, Course, LatePolicy
from autograder.gradebook.opening import Cells, Gradebook, backup, transaction
from autograder.gradebook.registering import cells_of

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.engine import Connection


def late_penalty(policy: LatePolicy, max_score: float, score: float, seconds_late: float) -> float | None:
    """Points that a late submission loses: a share of the assignment's maximum for each day begun.

    Args:
        policy: The assignment's: a share for each day begun, and one for each hour begun.
        max_score: Points of the whole assignment.
        score: The submission's points now; it cannot lose more.
        seconds_late: Seconds after the due date, an extension included.

    Returns:
        The penalty, or None where there is none.
    """
    beyond = seconds_late - policy.grace_minutes * 60
    if beyond <= 0:
        return None
    percent = policy.percent_per_day * math.ceil(beyond / 86400) + policy.percent_per_hour * math.ceil(beyond / 3600)
    percent = min(policy.max_percent, percent)
    return min(max_score * percent / 100, max(score, 0.0)) or None


def apply_late_penalties(gradebook: Gradebook, assignment: Assignment, course: Course | None = None) -> None:
    """Work out every late penalty of the assignment anew, as after grading by hand or a change of the policy.

    Args:
        gradebook: From ``open_gradebook``.
        assignment: The assignment.
        course: The course, where its gradebook is to be copied aside before the first penalty changes.

    Raises:
        GradebookError: The assignment is not registered, or the gradebook could not be copied or written.
    """
    submissions, notebooks = gradebook.tables["submitted_assignment"], gradebook.tables["submitted_notebook"]
    with transaction(gradebook.engine) as connection:
        cells = cells_of(gradebook, connection, assignment)
        grant_extensions(gradebook, connection, assignment)
        everybody = connection.execute(
            _held(gradebook).where(
                submissions.c.assignment_id == cells.assignment, notebooks.c.notebook_id == cells.notebook
            )
        ).all()
        changed = {}
        for notebook, old, *times in everybody:
            new = _penalty(gradebook, connection, assignment, cells, notebook, *times)
            if new != old:
                changed[notebook] = new
        if changed and course is not None:
            backup(course)
        for notebook, new in changed.items():
            _write(gradebook, connection, notebook, new)


def grant_extensions(
    gradebook: Gradebook, connection: Connection, assignment: Assignment, *, student: str | None = None
) -> None:
    """Have the gradebook hold the extensions of gradebook_config.yaml, of all students or one; its own ones stay."""
    if assignment.due is None:
        return
    submissions, entries = gradebook.tables["submitted_assignment"], gradebook.tables["assignment"]
    mine = submissions.c.assignment_id.in_(
        entries.select().with_only_columns(entries.c.id).where(entries.c.name == assignment.name)
    )
    for each, until in assignment.extensions.items():
        if student in (None, each):
            # Apart in absolute time: a change of daylight saving between the two dates counts.
            more = until.astimezone(UTC) - assignment.due.astimezone(UTC)
            connection.execute(
                submissions.update().where(submissions.c.student_id == each, mine).values(extension=more)
            )


def write_penalty(
    gradebook: Gradebook, connection: Connection, assignment: Assignment, submitted: str, notebook: str
) -> None:
    """Work out one submission's penalty from its timestamp and its points in the gradebook as they are now."""
    submissions, notebooks = gradebook.tables["submitted_assignment"], gradebook.tables["submitted_notebook"]
    where = submissions.c.id == submitted, notebooks.c.id == notebook
    _, old, *times = connection.execute(_held(gradebook).where(*where)).one()
    cells = cells_of(gradebook, connection, assignment)
    new = _penalty(gradebook, connection, assignment, cells, notebook, *times)
    if new != old:
        _write(gradebook, connection, notebook, new)


def _write(gradebook: Gradebook, connection: Connection, notebook: str, penalty: float | None) -> None:
    notebooks = gradebook.tables["submitted_notebook"]
    connection.execute(notebooks.update().where(notebooks.c.id == notebook).values(late_submission_penalty=penalty))


def _held(gradebook: Gradebook) -> Select[Any]:
    """Each submission's notebook, its penalty as the gradebook has it, its timestamp, extension and due date."""
    from sqlalchemy import select

    submissions, notebooks = gradebook.tables["submitted_assignment"], gradebook.tables["submitted_notebook"]
    entries = gradebook.tables["assignment"]
    return (
        select(
            notebooks.c.id,
            notebooks.c.late_submission_penalty,
            submissions.c.timestamp,
            submissions.c.extension,
            entries.c.duedate,
        )
        .join(submissions, notebooks.c.assignment_id == submissions.c.id)
        .join(entries, entries.c.id == submissions.c.assignment_id)
    )


def _penalty(
    gradebook: Gradebook,
    connection: Connection,
    assignment: Assignment,
    cells: Cells,
    notebook: str,
    when: datetime | None,
    extension: timedelta | None,
    due: datetime | None,
) -> float | None:
    """One submission's penalty as it should be; its points are only asked for where it is late."""
    from sqlalchemy import select

    if when is None or due is None:
        return None
    late = (when - due - (extension or timedelta())).total_seconds()
    if late <= 0:
        return None
    grades = gradebook.tables["grade"]
    points = connection.execute(
        select(grades.c.auto_score, grades.c.manual_score, grades.c.extra_credit).where(
            grades.c.cell_id.in_(cells.graded.values()), grades.c.notebook_id == notebook
        )
    ).all()
    score = math.fsum(counted(*row) or 0.0 for row in points)
    return late_penalty(assignment.late, assignment.max_score, score, late)


def extension_of(gradebook: Gradebook, assignment: Assignment, student: str) -> timedelta:
    """The extension that the gradebook holds for a student; none where it holds nothing of theirs."""
    from sqlalchemy import select

    submissions, entries = gradebook.tables["submitted_assignment"], gradebook.tables["assignment"]
    with gradebook.engine.connect() as connection:
        found = connection.execute(
            select(submissions.c.extension)
            .join(entries, entries.c.id == submissions.c.assignment_id)
            .where(entries.c.name == assignment.name, submissions.c.student_id == student)
        ).scalar()
    return found or timedelta()


def due_date(gradebook: Gradebook, connection: Connection, assignment: Assignment, submitted: str) -> datetime | None:
    """When a submission is due, in UTC, with the extension that the gradebook holds; None where it never is."""
    from sqlalchemy import select

    if assignment.due is None:
        return None
    submissions = gradebook.tables["submitted_assignment"]
    extension = connection.execute(select(submissions.c.extension).where(submissions.c.id == submitted)).scalar()
    return assignment.due.astimezone(UTC) + (extension or timedelta())


def counted(auto: float | None, manual: float | None, extra: float | None) -> float | None:
    """What nbgrader counts for one cell."""
    given = auto if manual is None else manual
    return None if given is None else given + (extra or 0.0)
