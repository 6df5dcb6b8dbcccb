"""The assignment, its cells and the students, put into the gradebook as they are now, and found there."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterable
from datetime import UTC
from typing import TYPE_CHECKING, Any

from autograder.base import GradebookError
from autograder.course import Assignment, Course
from autograder.gradebook.opening import Cells, Gradebook, transaction
from autograder.gradebook.released import SourceCell, kernel_of, source_cells

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

_KINDS = {"GradeCell": "grade_cells", "SolutionCell": "solution_cells", "TaskCell": "task_cells"}


def register(gradebook: Gradebook, course: Course, assignment: Assignment, students: Iterable[str] = ()) -> None:
    """Make sure that the assignment, its cells and the students are in the gradebook as they are now.

    What nbgrader's generate_assignment records: each graded cell with its points, each solution cell, and the
    source and checksum of each cell of the release that nbgrader knows. Cells may be added and points changed
    while there are submissions.

    Args:
        gradebook: From ``open_gradebook``.
        course: The course.
        assignment: The assignment; points come from it, cells from its release.
        students: Ids to add where they are missing. One that the database does not take is left out: storing that
            student's grade fails then, and nobody else's.

    Raises:
        GradebookError: There is no release, it does not fit the master notebook, or a cell that has grades is
            gone.
    """
    from sqlalchemy import select

    table = gradebook.tables
    with transaction(gradebook.engine) as connection:
        due = {} if assignment.due is None else {"duedate": assignment.due.astimezone(UTC).replace(tzinfo=None)}
        entry = _put(connection, table["assignment"], {"name": assignment.name}, due, {"course_id": course.name})
        for each in assignment.notebooks:
            _put_notebook(gradebook, connection, each, entry)
        people = table["student"]
        known = set(connection.execute(select(people.c.id)).scalars())
        if missing := [{"id": student} for student in dict.fromkeys(students) if student not in known]:
            _add_students(connection, people, missing)
    for each in assignment.notebooks:
        gradebook.cells.pop((each.name, each.notebook), None)


def cells_of(gradebook: Gradebook, connection: Connection, assignment: Assignment) -> Cells:
    """The cells of an assignment's notebook in the gradebook, read once.

    Raises:
        GradebookError: The assignment is not registered.
    """
    return _cells_of(gradebook, connection, assignment, assignment.notebook)


def cells_of_all(gradebook: Gradebook, connection: Connection, assignment: Assignment) -> tuple[Cells, ...]:
    """As ``cells_of``, of all of the assignment's notebooks, also where this is one of them; in their order."""
    return tuple(_cells_of(gradebook, connection, assignment, name) for name in assignment.names_of_notebooks)


def _cells_of(gradebook: Gradebook, connection: Connection, assignment: Assignment, notebook: str) -> Cells:
    from sqlalchemy import select

    if (known := gradebook.cells.get((assignment.name, notebook))) is not None:
        return known
    table = gradebook.tables
    entries, notebooks, base = table["assignment"], table["notebook"], table["base_cell"]
    found = connection.execute(
        select(entries.c.id, notebooks.c.id)
        .join(notebooks, notebooks.c.assignment_id == entries.c.id)
        .where(entries.c.name == assignment.name, notebooks.c.name == notebook)
    ).first()
    if found is None:
        raise GradebookError(
            f"{gradebook.url}: {assignment.name} is not in the gradebook. Run autograder release {assignment.name}, "
            f"then autograder grade {assignment.name}."
        )
    cells = connection.execute(select(base.c.name, base.c.type, base.c.id).where(base.c.notebook_id == found[1]))
    kinds: dict[str, dict[str, str]] = {"GradeCell": {}, "SolutionCell": {}, "TaskCell": {}}
    for name, kind, identity in cells:
        kinds[kind][name] = identity
    known = Cells(found[0], found[1], kinds["GradeCell"] | kinds["TaskCell"], kinds["SolutionCell"] | kinds["TaskCell"])
    gradebook.cells[assignment.name, notebook] = known
    return known


def _put_notebook(gradebook: Gradebook, connection: Connection, assignment: Assignment, entry: str) -> None:
    """Make the gradebook's notebook and its cells as those of the release are.

    Raises:
        GradebookError: There is no release, it does not fit the master notebook, or a cell that has grades is gone.
    """
    cells, kernelspec = source_cells(assignment), kernel_of(assignment)
    place = {"name": assignment.notebook, "assignment_id": entry}
    notebook = _put(connection, gradebook.tables["notebook"], place, {"kernelspec": json.dumps(kernelspec)})
    _put_cells(gradebook, connection, assignment, notebook, cells)
    sources = gradebook.tables["source_cell"]
    for cell in cells:
        fields = {"cell_type": cell.cell_type, "locked": cell.locked, "source": cell.source}
        place = {"name": cell.name, "notebook_id": notebook}
        _put(connection, sources, place, fields | {"checksum": cell.checksum})
    names = [cell.name for cell in cells]
    connection.execute(sources.delete().where(sources.c.notebook_id == notebook, sources.c.name.not_in(names)))


def _put(
    connection: Connection,
    table: Table,
    place: dict[str, Any],
    fields: dict[str, Any],
    first: dict[str, Any] | None = None,
) -> str:
    """Make the row at ``place`` have these fields, with ``first`` beside them where it is new; return its id."""
    from sqlalchemy import select

    here = [table.c[name] == value for name, value in place.items()]
    found = connection.execute(select(table.c.id, *(table.c[name] for name in fields)).where(*here)).first()
    if found is None:
        identity = new_id()
        connection.execute(table.insert().values(id=identity, **place, **fields, **(first or {})))
        return identity
    if any(found._mapping[name] != value for name, value in fields.items()):
        connection.execute(table.update().where(table.c.id == found.id).values(**fields))
    return str(found.id)


def _add_students(connection: Connection, people: Table, missing: list[dict[str, str]]) -> None:
    """Add students; one by one where the database does not take them all, and without those that it does not take."""
    from sqlalchemy.exc import DataError

    try:
        with connection.begin_nested():
            connection.execute(people.insert(), missing)
    except DataError:  # such as a letter that its encoding has no place for
        for each in missing:
            with contextlib.suppress(DataError), connection.begin_nested():
                connection.execute(people.insert(), [each])


def _put_cells(
    gradebook: Gradebook,
    connection: Connection,
    assignment: Assignment,
    notebook: str,
    cells: tuple[SourceCell, ...],
) -> None:
    """Bring the notebook's cells in the gradebook to those of the release; one that has grades is never dropped."""
    from sqlalchemy import select

    base, submitted = gradebook.tables["base_cell"], gradebook.tables["submitted_notebook"]
    present = {
        (row.type, row.name): row.id
        for row in connection.execute(select(base.c.id, base.c.type, base.c.name).where(base.c.notebook_id == notebook))
    }
    wanted: dict[tuple[str, str], dict[str, Any]] = {}
    for cell in cells:
        if cell.points is not None:
            wanted["TaskCell" if cell.task else "GradeCell", cell.name] = {
                "max_score": cell.points,
                "cell_type": cell.cell_type,
            }
        if cell.solution:
            wanted["SolutionCell", cell.name] = {}
    gone = {key: identity for key, identity in present.items() if key not in wanted}
    graded = select(submitted.c.id).where(submitted.c.notebook_id == notebook)
    if gone and connection.execute(graded).first() is not None:
        names = ", ".join(sorted({name for _, name in gone}))
        raise GradebookError(
            f"{assignment.release}: the gradebook has submissions of {assignment.name} with grades for cells that "
            f"are no longer there: {names}. Put them back (with 0 points, if they are not to count), or start "
            "anew with another gradebook."
        )
    for (kind, _), identity in gone.items():
        for each in (gradebook.tables[_KINDS[kind]], base):
            connection.execute(each.delete().where(each.c.id == identity))
    for (kind, name), fields in wanted.items():
        special = gradebook.tables[_KINDS[kind]]
        identity = present.get((kind, name)) or new_id()
        if (kind, name) not in present:
            connection.execute(base.insert().values(id=identity, name=name, notebook_id=notebook, type=kind))
            connection.execute(special.insert().values(id=identity, **fields))
        elif fields:
            connection.execute(special.update().where(special.c.id == identity).values(**fields))


def new_id() -> str:
    """An id as nbgrader makes them."""
    return uuid.uuid4().hex
