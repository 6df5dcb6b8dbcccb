"""What lateness costs, in the gradebook."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from autograder.course import Assignment, Course, credible
from autograder.gradebook.late_policy import DAY, HandedIn, late_days_spent, late_penalty, shared
from autograder.gradebook.opening import Cells, Gradebook, backup, open_gradebook, transaction
from autograder.gradebook.registering import cells_of_all

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.engine import Connection


@contextlib.contextmanager
def up_to_date_gradebook(course: Course, assignment: Assignment) -> Iterator[Gradebook]:
    """The course's gradebook, once its late penalties are what they should be: for whoever reads scores.

    Yields:
        The gradebook, as ``open_gradebook`` gives it.

    Raises:
        GradebookError: There is no gradebook, the assignment is not in it, or it could not be copied or written.
    """
    with open_gradebook(course, create=False) as gradebook:
        update_late_penalties(gradebook, course, assignment, copy_first=True)
        yield gradebook


def update_late_penalties(
    gradebook: Gradebook, course: Course, assignment: Assignment, *, copy_first: bool = False
) -> None:
    """Work out anew what lateness costs in an assignment, and in those that late days bind to it.

    Penalties change by themselves after grading by hand, after a change of the policy, and where a late day is spent.

    Args:
        gradebook: From ``open_gradebook``.
        course: The course.
        assignment: The assignment.
        copy_first: Whether the gradebook is to be copied aside before the first penalty changes.

    Raises:
        GradebookError: The assignment is not registered, or the gradebook could not be copied or written.
    """
    bound = [assignment, *(_others_held(gradebook, course, assignment) if assignment.term.late_days else ())]
    for each in bound:
        with transaction(gradebook.engine) as connection:
            grant_extensions(gradebook, connection, each)
            changed = _changed_penalties(gradebook, connection, each)
            if changed and copy_first:
                backup(course)
                copy_first = False
            for notebook, penalty in changed.items():
                _write(gradebook, connection, notebook, penalty)


def _changed_penalties(
    gradebook: Gradebook, connection: Connection, assignment: Assignment, submitted: str | None = None
) -> dict[str, float | None]:
    """The penalties that differ from those in the gradebook, by the notebook's id; of all submissions, or of one."""
    submissions, notebooks = gradebook.tables["submitted_assignment"], gradebook.tables["submitted_notebook"]
    cells = cells_of_all(gradebook, connection, assignment)
    held = _held(gradebook).where(
        submissions.c.assignment_id == cells[0].assignment,
        notebooks.c.notebook_id.in_([each.notebook for each in cells]),
    )
    if submitted is not None:
        held = held.where(submissions.c.id == submitted)
    by_submission: dict[str, list[Any]] = {}
    for row in connection.execute(held):
        by_submission.setdefault(row.submitted, []).append(row)
    changed: dict[str, float | None] = {}
    for rows in by_submission.values():
        there = {each.notebook: row.id for each in cells for row in rows if row.notebook_id == each.notebook}
        new = _penalties(gradebook, connection, assignment, cells, there, rows[0])
        changed |= {row.id: new[row.id] for row in rows if new[row.id] != row.late_submission_penalty}
    return changed


def _others_held(gradebook: Gradebook, course: Course, assignment: Assignment) -> list[Assignment]:
    """The course's other assignments that are in the gradebook."""
    from sqlalchemy import select

    entries, notebooks = gradebook.tables["assignment"], gradebook.tables["notebook"]
    held = select(entries.c.name, notebooks.c.name).join(notebooks, notebooks.c.assignment_id == entries.c.id)
    with gradebook.engine.connect() as connection:
        registered = {tuple(row) for row in connection.execute(held)}
    return [
        each
        for name, each in course.assignments.items()
        if name != assignment.name and all((name, part.notebook) in registered for part in each.notebooks)
    ]


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


def write_penalty(gradebook: Gradebook, connection: Connection, assignment: Assignment, submitted: str) -> None:
    """Work out one submission's penalty from its timestamp and its points in the gradebook as they are now."""
    for notebook, penalty in _changed_penalties(gradebook, connection, assignment, submitted).items():
        _write(gradebook, connection, notebook, penalty)


def penalty_of(
    gradebook: Gradebook, assignment: Assignment, student: str, handed_in: datetime | None, score: float
) -> float:
    """Points that lateness would cost a student who handed in then, with these points; nothing is written.

    Args:
        gradebook: From ``open_gradebook``.
        assignment: The assignment.
        student: The student's id.
        handed_in: When, aware of its zone; None for the time that the gradebook has.
        score: Points before the penalty.
    """
    with gradebook.engine.connect() as connection:
        lost = _lost(gradebook, connection, assignment, student, handed_in, score)
    return lost or 0.0


@dataclass(frozen=True)
class Lateness:
    """What is to be known to say what lateness means for a submission.

    Attributes:
        handed_in: The submission, in UTC.
        extended: Whether its due date has an extension in it.
        spent: Late days that went on it.
        left: Late days that the student still has.
    """

    handed_in: HandedIn
    extended: bool
    spent: int
    left: int


def lateness_of(gradebook: Gradebook, assignment: Assignment, student: str) -> Lateness | None:
    """How late a student handed in, and what late days went on it; None where nothing is due or known."""
    with gradebook.engine.connect() as connection:
        handed_in = _handed_in(gradebook, connection, assignment, student)
    one = handed_in.get(assignment.name)
    if one is None:
        return None
    spent = late_days_spent(handed_in.values(), assignment.term.late_days)
    extended = assignment.due is not None and one.due > assignment.due
    left = assignment.term.late_days - sum(spent.values())
    return Lateness(one, extended, spent.get(assignment.name, 0), left)


def due_of(gradebook: Gradebook, assignment: Assignment, student: str) -> datetime | None:
    """Until when a student is to hand in, with any extension, aware; None where nothing is ever due."""
    from sqlalchemy import select

    if assignment.due is None:
        return None
    submissions, entries = gradebook.tables["submitted_assignment"], gradebook.tables["assignment"]
    with gradebook.engine.connect() as connection:
        extension = connection.execute(
            select(submissions.c.extension)
            .join(entries, entries.c.id == submissions.c.assignment_id)
            .where(entries.c.name == assignment.name, submissions.c.student_id == student)
        ).scalar()
    return _until(assignment.due, assignment.extensions.get(student), extension)


def counted(auto: float | None, manual: float | None, extra: float | None) -> float | None:
    """What nbgrader counts for one cell."""
    given = auto if manual is None else manual
    return None if given is None else given + (extra or 0.0)


def _write(gradebook: Gradebook, connection: Connection, notebook: str, penalty: float | None) -> None:
    notebooks = gradebook.tables["submitted_notebook"]
    connection.execute(notebooks.update().where(notebooks.c.id == notebook).values(late_submission_penalty=penalty))


def _held(gradebook: Gradebook) -> Select[Any]:
    """Each submission's notebooks, their penalty as the gradebook has it, whose they are, timestamp and extension."""
    from sqlalchemy import select

    submissions, notebooks = gradebook.tables["submitted_assignment"], gradebook.tables["submitted_notebook"]
    return select(
        submissions.c.id.label("submitted"),
        notebooks.c.id,
        notebooks.c.notebook_id,
        notebooks.c.late_submission_penalty,
        submissions.c.student_id,
        submissions.c.timestamp,
        submissions.c.extension,
    ).join(submissions, notebooks.c.assignment_id == submissions.c.id)


def _penalties(
    gradebook: Gradebook,
    connection: Connection,
    assignment: Assignment,
    cells: Sequence[Cells],
    notebooks: Mapping[str, str],
    held: Any,
) -> dict[str, float | None]:
    """One submission's penalty as it should be, by notebook; its points are only asked for where it is late.

    Args:
        gradebook: From ``open_gradebook``.
        connection: To it.
        assignment: The assignment.
        cells: Of each of its notebooks.
        notebooks: The ids of the submission's notebooks, by those of the notebooks that were released.
        held: Whose it is, when it was handed in, and its extension: a row of ``_held``.
    """
    from sqlalchemy import select

    nothing: dict[str, float | None] = dict.fromkeys(notebooks.values())
    student, when = held.student_id, credible(held.timestamp, assignment.due)
    if when is None or assignment.due is None or student in assignment.excused:
        return nothing
    until = _until(assignment.due, assignment.extensions.get(student), held.extension)
    if HandedIn(assignment.name, when, until, assignment.late).seconds_late <= 0:
        return nothing
    grades = gradebook.tables["grade"]
    points = {}
    for each in cells:
        if each.notebook in notebooks:
            found = connection.execute(
                select(grades.c.auto_score, grades.c.manual_score, grades.c.extra_credit).where(
                    grades.c.cell_id.in_(each.graded.values()), grades.c.notebook_id == notebooks[each.notebook]
                )
            ).all()
            points[notebooks[each.notebook]] = math.fsum(counted(*row) or 0.0 for row in found)
    lost = _lost(gradebook, connection, assignment, student, when, math.fsum(points.values()))
    return nothing if lost is None else shared(lost, points)


def _lost(
    gradebook: Gradebook,
    connection: Connection,
    assignment: Assignment,
    student: str,
    when: datetime | None,
    score: float,
) -> float | None:
    """The penalty of a student who handed in at a time, with points before it."""
    handed_in = _handed_in(gradebook, connection, assignment, student, when)
    one = handed_in.get(assignment.name)
    if one is None:
        return None
    spent = late_days_spent(handed_in.values(), assignment.term.late_days)
    late = one.seconds_late - DAY * spent.get(assignment.name, 0)
    return late_penalty(assignment.late, assignment.max_of_all, score, late)


def _handed_in(
    gradebook: Gradebook,
    connection: Connection,
    assignment: Assignment,
    student: str,
    when: datetime | None = None,
) -> Mapping[str, HandedIn]:
    """What a student handed in and when, by assignment: this one alone where the course has no late days.

    Args:
        gradebook: From ``open_gradebook``.
        connection: To it.
        assignment: The assignment.
        student: The student's id.
        when: When this assignment was handed in; what the gradebook holds where None.
    """
    from sqlalchemy import select

    submissions, entries = gradebook.tables["submitted_assignment"], gradebook.tables["assignment"]
    term = assignment.term
    found = select(entries.c.name, entries.c.duedate, submissions.c.timestamp, submissions.c.extension).join(
        submissions, entries.c.id == submissions.c.assignment_id
    )
    if not term.late_days:
        found = found.where(entries.c.name == assignment.name)
    handed_in = {}
    known = {row.name: row for row in connection.execute(found.where(submissions.c.student_id == student))}
    for name in {*known, assignment.name}:
        row = known.get(name)
        mine = name == assignment.name
        due = assignment.due.astimezone(UTC) if mine and assignment.due else None
        if not mine and row and row.duedate:
            due = row.duedate.replace(tzinfo=UTC)
        at = when if mine and when is not None else credible(row.timestamp, due) if row else None
        policy = assignment.late if mine else term.policies.get(name)
        excused = assignment.excused if mine else term.excused.get(name, frozenset())
        if at is None or due is None or policy is None or student in excused:
            continue
        extensions = assignment.extensions if mine else term.extensions.get(name, {})
        until = _until(due, extensions.get(student), row.extension if row else None)
        handed_in[name] = HandedIn(name, at, until, policy)
    return handed_in


def _until(due: datetime, configured: datetime | None, held: timedelta | None) -> datetime:
    """The due date of one student, in UTC: what gradebook_config.yaml says of them, else what the gradebook adds."""
    return configured.astimezone(UTC) if configured is not None else due.astimezone(UTC) + (held or timedelta())
