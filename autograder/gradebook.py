"""Reports → nbgrader's gradebook, ``autograded/`` and ``feedback/``: the one module that writes there.

A grade is written in this order: the scores and comments of one submission in one transaction, then the
executed notebook, then the result with its digest. Each step replaces the one before at once or not at all,
and only the last makes ``graded_digests`` take the submission for graded: a grader that is killed anywhere
leaves either the old state or one that the next run grades again.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import math
import os
import re
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from autograder.course import Assignment, Course, LatePolicy
from autograder.errors import GradebookError
from autograder.feedback import annotated, feedback_html, row_comment
from autograder.report import Report, report_from_dict
from autograder.submission import Submission

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection, Engine

RESULT_FILE = "autograder-result.json"
"""Beside the executed notebook: the report and its digest. ``nbgrader_plugins.configure`` has nbgrader leave
it there, so that it reaches no student."""

_NO_RESPONSE = "No response."
_BUSY_SECONDS = 30.0
_BACKUPS = 5


@dataclass(frozen=True)
class Gradebook:
    """An open gradebook.

    Attributes:
        engine: SQLAlchemy's engine.
        tables: nbgrader's tables, by name.
        url: The database's URL without a password, for messages.
    """

    engine: Engine
    tables: Mapping[str, Table]
    url: str
    _cells: dict[str, _Cells] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Standing:
    """Where one student stands in one assignment, as the gradebook has it now.

    Attributes:
        student: The student's id.
        timestamp: When it was submitted, or None where unknown.
        scores: Points by the graded cell's ``grade_id``, extra credit included; None where not graded yet.
        raw_score: The sum of these.
        late_penalty: Points lost for lateness.
        score: What counts, never below 0.
        max_score: The most that the assignment gives.
        needs_manual_grade: Whether an answer waits for a person.
    """

    student: str
    timestamp: datetime | None
    scores: dict[str, float | None]
    raw_score: float
    late_penalty: float
    score: float
    max_score: float
    needs_manual_grade: bool


@dataclass(frozen=True)
class _Cells:
    """One assignment's notebook in the gradebook: what its cells are called and where they are."""

    assignment: str
    notebook: str
    graded: dict[str, str]
    commented: dict[str, str]


# Opening


@contextlib.contextmanager
def open_gradebook(course: Course, *, create: bool = True) -> Iterator[Gradebook]:
    """The course's gradebook, made where there is none.

    Args:
        course: The course.
        create: Whether to make a database that is missing, and to make sure that it can be written to.

    Yields:
        The gradebook, to hand to the functions of this module.

    Raises:
        GradebookError: The database is missing, locked, read-only, no gradebook, or of another version of
            nbgrader. What goes wrong in the database inside the ``with`` block is raised as this too.
    """
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    try:
        url = make_url(course.database)
        arguments = {"timeout": _BUSY_SECONDS} if url.get_backend_name() == "sqlite" else {}
        engine = create_engine(url, connect_args=arguments)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise GradebookError(
            f"gradebook_config.yaml: the database cannot be used: {_one_line(error)}. "
            "Expected sqlite:///gradebook.db, or postgresql+psycopg://… with autograder[postgresql] installed."
        ) from error
    shown = url.render_as_string(hide_password=True)
    file = database_file(course)
    if file is not None and not file.exists():
        if not create:
            raise GradebookError(f"{file}: there is no gradebook yet. Grade first: autograder grade ASSIGNMENT.")
        if not file.parent.is_dir():
            raise GradebookError(f"{file.parent}: there is no such folder to keep the gradebook in. Make it first.")
    try:
        _prepare(engine, shown, course, create)
        yield Gradebook(engine, _tables(engine), shown)
    except SQLAlchemyError as error:
        raise _explained(error, shown) from error
    finally:
        engine.dispose()


def database_file(course: Course) -> Path | None:
    """The SQLite file that holds the gradebook, or None where it is kept elsewhere."""
    from sqlalchemy import make_url

    url = make_url(course.database)
    if url.get_backend_name() != "sqlite" or not url.database or url.database.startswith((":memory:", "file:")):
        return None
    return course.root / url.database


def backup(course: Course) -> Path | None:
    """Copy an SQLite gradebook aside, into ``.gradebook-backups/`` beside it; the last five are kept.

    Returns:
        The copy, or None where there is nothing to copy: no gradebook yet, or one on a server, whose own
        tools (``pg_dump``) do this.

    Raises:
        GradebookError: The gradebook could not be copied.
    """
    file = database_file(course)
    if file is None or not file.exists() or file.stat().st_size == 0:
        return None
    folder = file.parent / ".gradebook-backups"
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    target = folder / f"{file.stem}-{stamp}{file.suffix}"
    try:
        folder.mkdir(exist_ok=True)
        with (
            contextlib.closing(
                sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
            ) as old,
            contextlib.closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
    except (sqlite3.Error, OSError) as error:
        target.unlink(missing_ok=True)
        raise GradebookError(
            f"{file}: the gradebook could not be copied to {folder} before this run changes it: {_one_line(error)}. "
            "Make room or mend the permissions there, then run again."
        ) from error
    for older in sorted(folder.glob(f"{file.stem}-*{file.suffix}"))[:-_BACKUPS]:
        older.unlink(missing_ok=True)
    return target


def _prepare(engine: Engine, shown: str, course: Course, create: bool) -> None:
    from sqlalchemy import inspect, text

    head = _schema_version()
    with _transaction(engine) if create else engine.connect() as connection:
        tables = set(inspect(connection).get_table_names())
        if not tables and not create:
            raise GradebookError(f"{shown}: there is no gradebook yet. Grade first: autograder grade ASSIGNMENT.")
        if not tables:
            from nbgrader.api import Base

            # What nbgrader's own Gradebook does, in one transaction and without calling alembic by its bare name.
            Base.metadata.create_all(connection)
            connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
            connection.execute(text("INSERT INTO alembic_version (version_num) VALUES (:head)"), {"head": head})
        else:
            found = None
            if "alembic_version" in tables:
                found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            if found is None or "submitted_notebook" not in tables:
                raise GradebookError(
                    f"{shown}: this database is no gradebook of nbgrader's. Name another under `database` in "
                    "gradebook_config.yaml, or move this one away and a new one is made."
                )
            if found != head:
                raise GradebookError(
                    f"{shown}: the gradebook has version {found}, this nbgrader needs {head}. Copy it aside, "
                    "then run `nbgrader db upgrade` in the course's folder."
                )
        if create:
            # A write, of nothing: only that tells whether the gradebook can be written to.
            connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
            known = connection.execute(text("SELECT id FROM course WHERE id = :id"), {"id": course.name}).first()
            if known is None:
                connection.execute(text("INSERT INTO course (id) VALUES (:id)"), {"id": course.name})


@lru_cache(maxsize=1)
def _schema_version() -> str:
    """The newest revision among nbgrader's migrations, read and not imported: nbgrader takes seconds to import."""
    found = importlib.util.find_spec("nbgrader")
    if found is None or not found.submodule_search_locations:
        raise GradebookError("nbgrader is not installed beside autograder: pip install nbgrader.")
    folder = Path(found.submodule_search_locations[0]) / "alembic" / "versions"
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.py")]
    revisions: set[str] = {name for text in texts for name in re.findall(r"^revision = ['\"](\w+)", text, re.MULTILINE)}
    parents = {name for text in texts for name in re.findall(r"^down_revision = ['\"](\w+)", text, re.MULTILINE)}
    heads: set[str] = revisions - parents
    if len(heads) != 1:
        raise GradebookError(f"{folder}: expected one newest revision of the gradebook, found {sorted(heads)}.")
    return heads.pop()


def _tables(engine: Engine) -> Mapping[str, Table]:
    from sqlalchemy import Column, Interval, MetaData, Table

    metadata = MetaData()
    # SQLite has no intervals: what nbgrader keeps there reads as a date unless the column is named for what it is.
    Table("submitted_assignment", metadata, Column("extension", Interval), autoload_with=engine)
    metadata.reflect(engine)
    return metadata.tables


@contextlib.contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    """A connection whose writes come true together, or not at all.

    Raises:
        GradebookError: The database does not take them.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                # sqlite3 begins by itself only before the first write, too late for what was read to stay true.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()
    except SQLAlchemyError as error:
        raise _explained(error, engine.url.render_as_string(hide_password=True)) from error


def _explained(error: Exception, url: str) -> GradebookError:
    said = _one_line(getattr(error, "orig", None) or error)
    if "locked" in said:
        way_out = "Another program has it open for writing. Close it (or wait), then run again."
    elif "readonly" in said or "read-only" in said or "permission denied" in said.lower():
        way_out = "It can be read but not written. Mend the permissions of the file and its folder."
    elif "unable to open" in said:
        way_out = "Its folder is missing, or closed to you. Look at `database` in gradebook_config.yaml."
    elif "not a database" in said or "malformed" in said:
        way_out = "The file is damaged or no database. Put back a copy from .gradebook-backups/, or move it away."
    elif "disk" in said and "full" in said:
        way_out = "Make room on the disk, then run again."
    else:
        way_out = "Run `autograder doctor`; nothing of the grade that was being written has been kept."
    return GradebookError(f"{url}: the gradebook says: {said}. {way_out}")


# Registering


def register(gradebook: Gradebook, course: Course, assignment: Assignment, students: Iterable[str] = ()) -> None:
    """Make sure that the assignment, its cells and the students are in the gradebook as they are now.

    What nbgrader's generate_assignment records: each graded cell with its points, each solution cell, and the
    source and checksum of each cell of the release that nbgrader knows. Cells may be added and points changed
    while there are submissions.

    Args:
        gradebook: From ``open_gradebook``.
        course: The course.
        assignment: The assignment; points come from it, cells from its release.
        students: Ids to add where they are missing.

    Raises:
        GradebookError: There is no release, it does not fit the master notebook, or a cell that has grades is
            gone.
    """
    from sqlalchemy import select

    cells, kernelspec = _release_cells(assignment)
    table = gradebook.tables
    entries, notebooks = table["assignment"], table["notebook"]
    with _transaction(gradebook.engine) as connection:
        due = {} if assignment.due is None else {"duedate": assignment.due.astimezone(UTC).replace(tzinfo=None)}
        entry = _put(connection, entries, {"name": assignment.name}, due, {"course_id": course.name})
        notebook = _put(
            connection,
            notebooks,
            {"name": assignment.notebook, "assignment_id": entry},
            {"kernelspec": json.dumps(kernelspec)},
        )
        _put_cells(gradebook, connection, assignment, notebook, cells)
        sources = table["source_cell"]
        for cell in cells:
            fields = {"cell_type": cell.cell_type, "locked": cell.locked, "source": cell.source}
            place = {"name": cell.name, "notebook_id": notebook}
            _put(connection, sources, place, fields | {"checksum": cell.checksum})
        connection.execute(
            sources.delete().where(
                sources.c.notebook_id == notebook, sources.c.name.not_in([cell.name for cell in cells])
            )
        )
        people = table["student"]
        known = set(connection.execute(select(people.c.id)).scalars())
        if missing := [{"id": student} for student in dict.fromkeys(students) if student not in known]:
            connection.execute(people.insert(), missing)
    gradebook._cells.pop(assignment.name, None)


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
        identity = _new_id()
        connection.execute(table.insert().values(id=identity, **place, **fields, **(first or {})))
        return identity
    if any(found._mapping[name] != value for name, value in fields.items()):
        connection.execute(table.update().where(table.c.id == found.id).values(**fields))
    return str(found.id)


_KINDS = {"GradeCell": "grade_cells", "SolutionCell": "solution_cells", "TaskCell": "task_cells"}


def _put_cells(
    gradebook: Gradebook,
    connection: Connection,
    assignment: Assignment,
    notebook: str,
    cells: list[_ReleaseCell],
) -> None:
    from sqlalchemy import select

    base, submitted = gradebook.tables["base_cell"], gradebook.tables["submitted_notebook"]
    present = {
        (row.type, row.name): row.id
        for row in connection.execute(select(base.c.id, base.c.type, base.c.name).where(base.c.notebook_id == notebook))
    }
    wanted: dict[tuple[str, str], dict[str, Any]] = {}
    for cell in cells:
        if cell.points is not None:
            wanted["GradeCell", cell.name] = {"max_score": cell.points, "cell_type": cell.cell_type}
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
        identity = present.get((kind, name)) or _new_id()
        if (kind, name) not in present:
            connection.execute(base.insert().values(id=identity, name=name, notebook_id=notebook, type=kind))
            connection.execute(special.insert().values(id=identity, **fields))
        elif fields:
            connection.execute(special.update().where(special.c.id == identity).values(**fields))


def _new_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True)
class _ReleaseCell:
    name: str
    cell_type: str
    source: str
    checksum: str
    locked: bool
    solution: bool
    points: float | None


def _release_cells(assignment: Assignment) -> tuple[list[_ReleaseCell], dict[str, Any]]:
    points = {row.test_id: float(row.points) for row in assignment.rows}
    points |= {name: float(most) for name, most in assignment.manual.items()}
    cells = []
    try:
        notebook = json.loads(assignment.release.read_text(encoding="utf-8"))
        kernelspec = dict(notebook["metadata"].get("kernelspec", {}))
        for tree in notebook["cells"]:
            meta = tree["metadata"].get("nbgrader", {})
            graded, solution = bool(meta.get("grade")), bool(meta.get("solution"))
            locked = not solution and (graded or bool(meta.get("locked")))
            if not (graded or solution or locked):
                continue
            name, source = str(meta["grade_id"]), _joined(tree["source"])
            if graded and name not in points:
                raise _stale(assignment, f"the release has points for {name!r}, the master notebook has none")
            most = points[name] if graded else None
            checksum = _checksum(source, tree["cell_type"], graded, solution, locked, name, most)
            cells.append(_ReleaseCell(name, tree["cell_type"], source, checksum, locked, solution, most))
    except FileNotFoundError as error:
        raise GradebookError(
            f"{assignment.release}: {assignment.name} has not been released. Run autograder release {assignment.name}."
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GradebookError(
            f"{assignment.release}: the release cannot be read: {_one_line(error)}. "
            f"Make it again: autograder release {assignment.name}."
        ) from error
    if missing := set(points) - {cell.name for cell in cells if cell.points is not None}:
        raise _stale(assignment, f"the master notebook has points for {', '.join(sorted(missing))}")
    return cells, kernelspec


def _checksum(
    source: str, cell_type: str, grade: bool, solution: bool, locked: bool, name: str, points: float | None
) -> str:
    """What nbgrader's ``utils.compute_checksum`` gives for such a cell."""
    parts = [source, cell_type, str(grade), str(solution), str(locked), name]
    if points is not None:
        parts.append(str(float(points)))
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def _joined(source: Any) -> str:
    return "".join(source) if isinstance(source, list) else str(source)


def _stale(assignment: Assignment, difference: str) -> GradebookError:
    return GradebookError(
        f"{assignment.release}: the release is not of this master notebook ({difference}). "
        f"Run autograder release {assignment.name}."
    )


def _cells_of(gradebook: Gradebook, connection: Connection, assignment: Assignment) -> _Cells:
    from sqlalchemy import select

    if (known := gradebook._cells.get(assignment.name)) is not None:
        return known
    table = gradebook.tables
    entries, notebooks, base = table["assignment"], table["notebook"], table["base_cell"]
    found = connection.execute(
        select(entries.c.id, notebooks.c.id)
        .join(notebooks, notebooks.c.assignment_id == entries.c.id)
        .where(entries.c.name == assignment.name, notebooks.c.name == assignment.notebook)
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
    known = _Cells(
        found[0], found[1], kinds["GradeCell"] | kinds["TaskCell"], kinds["SolutionCell"] | kinds["TaskCell"]
    )
    gradebook._cells[assignment.name] = known
    return known


# Storing


def store(gradebook: Gradebook, course: Course, assignment: Assignment, submission: Submission, report: Report) -> bool:
    """Write one submission's grade: scores and comments, the executed notebook, the result with its digest.

    Grades given by hand stay: a manual score, extra credit and a manual comment are never touched. An answer
    graded by hand is put on the list for grading again only where the answer changed since, a row only where
    its automatic score did.

    Args:
        gradebook: From ``open_gradebook``; the assignment has been registered.
        course: The course.
        assignment: The assignment.
        submission: What was graded; its ``student`` is known and is added to the gradebook where missing.
        report: What came of it.

    Returns:
        Whether the grade was written. A report with an error of ours leaves everything as it was, and is
        False.

    Raises:
        GradebookError: The assignment is not registered, or the files could not be written.
        sqlalchemy.exc.SQLAlchemyError: Something in the database; ``open_gradebook`` explains it.
    """
    if report.errored:
        return False
    student = _known_student(submission.student)
    folder = course.root / "autograded" / student / assignment.name
    before = _read_result(folder)
    answers = _answers(submission, assignment)
    with _transaction(gradebook.engine) as connection:
        cells = _cells_of(gradebook, connection, assignment)
        submitted, notebook = _entry(gradebook, connection, cells, student, submission.timestamp)
        _write_scores(gradebook, connection, cells, notebook, assignment, report, answers, before.get("answers", {}))
        _write_penalty(gradebook, connection, assignment, submitted, notebook)
    notebook_tree = annotated(submission, report, assignment)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _copy_companions(course, assignment, student, folder)
        _write_atomically(folder / f"{assignment.notebook}.ipynb", notebook_text(notebook_tree))
        _write_atomically(folder / "timestamp.txt", f"{submission.timestamp}\n" if submission.timestamp else None)
        result = {
            "report": replace(report, cells=()).as_dict(),
            "answers": {n: a for n, (a, _) in answers.items()},
        }
        _write_atomically(folder / RESULT_FILE, json.dumps(result, ensure_ascii=False, indent=1) + "\n")
    except OSError as error:
        raise GradebookError(
            f"{error.filename or folder}: the executed notebook could not be written: {error.strerror or error}. "
            "The scores are in the gradebook; mend this and grade again, and this submission is done again."
        ) from error
    return True


def notebook_text(notebook: dict[str, Any]) -> str:
    """A notebook as the text of its file, to the byte as nbformat writes it, which takes a second to import."""
    cells = []
    for cell in notebook["cells"]:
        outputs = [
            output | {key: _split(output[key]) for key in ("text", "data") if key in output}
            for output in cell.get("outputs", [])
        ]
        cells.append(cell | {"source": _split(cell["source"])} | ({"outputs": outputs} if "outputs" in cell else {}))
    tree = notebook | {"cells": cells}
    return json.dumps(tree, ensure_ascii=False, indent=1, sort_keys=True, separators=(",", ": ")) + "\n"


def _split(text: Any) -> Any:
    """Text as a list of its lines, and so each text of a MIME bundle; pictures as they are."""
    if isinstance(text, dict):
        lines = ("text/", "image/svg+xml", "application/javascript")
        return {mime: _split(value) if mime.startswith(lines) else value for mime, value in text.items()}
    return text.splitlines(True) if isinstance(text, str) else text


def enter(gradebook: Gradebook, assignment: Assignment, student: str) -> None:
    """Make room for a student's submission in the gradebook, without a grade; where there is one it stays."""
    with _transaction(gradebook.engine) as connection:
        _entry(gradebook, connection, _cells_of(gradebook, connection, assignment), _known_student(student))


def store_timestamp(gradebook: Gradebook, assignment: Assignment, student: str, timestamp: str | None) -> None:
    """Note when a submission that needs no new grade was handed in, and what lateness costs it now."""
    with _transaction(gradebook.engine) as connection:
        cells = _cells_of(gradebook, connection, assignment)
        submitted, notebook = _entry(gradebook, connection, cells, student, timestamp)
        _write_penalty(gradebook, connection, assignment, submitted, notebook)


def _known_student(student: str | None) -> str:
    if not student:
        raise GradebookError("A submission without a student has no place in the gradebook.")
    return student


def _entry(
    gradebook: Gradebook,
    connection: Connection,
    cells: _Cells,
    student: str,
    timestamp: str | EllipsisType | None = ...,
) -> tuple[str, str]:
    """Ids of the submission and its notebook, made where missing, with a grade and a comment for each cell."""
    from sqlalchemy import select

    people, submissions = gradebook.tables["student"], gradebook.tables["submitted_assignment"]
    notebooks, grades, comments = (
        gradebook.tables["submitted_notebook"],
        gradebook.tables["grade"],
        gradebook.tables["comment"],
    )
    if connection.execute(select(people.c.id).where(people.c.id == student)).first() is None:
        connection.execute(people.insert().values(id=student))
    when = _utc(timestamp) if isinstance(timestamp, str) else None
    found = connection.execute(
        select(submissions.c.id, submissions.c.timestamp).where(
            submissions.c.assignment_id == cells.assignment, submissions.c.student_id == student
        )
    ).first()
    if found is None:
        submitted = _new_id()
        connection.execute(
            submissions.insert().values(
                id=submitted, assignment_id=cells.assignment, student_id=student, timestamp=when
            )
        )
    else:
        submitted = found[0]
        if timestamp is not ... and found[1] != when:
            connection.execute(submissions.update().where(submissions.c.id == submitted).values(timestamp=when))
    notebook = connection.execute(
        select(notebooks.c.id).where(notebooks.c.assignment_id == submitted, notebooks.c.notebook_id == cells.notebook)
    ).scalar()
    if notebook is None:
        notebook = _new_id()
        connection.execute(
            notebooks.insert().values(id=notebook, assignment_id=submitted, notebook_id=cells.notebook, flagged=False)
        )
    waiting = {"needs_manual_grade": True}
    for table, wanted, fields in ((grades, cells.graded, waiting), (comments, cells.commented, {})):
        present = set(connection.execute(select(table.c.cell_id).where(table.c.notebook_id == notebook)).scalars())
        missing = [
            {"id": _new_id(), "cell_id": cell, "notebook_id": notebook} | fields
            for cell in wanted.values()
            if cell not in present
        ]
        if missing:
            connection.execute(table.insert(), missing)
    return submitted, notebook


def _write_scores(
    gradebook: Gradebook,
    connection: Connection,
    cells: _Cells,
    notebook: str,
    assignment: Assignment,
    report: Report,
    answers: dict[str, tuple[str, bool]],
    earlier_answers: dict[str, str],
) -> None:
    from sqlalchemy import bindparam, select

    grades, comments = gradebook.tables["grade"], gradebook.tables["comment"]
    present = {
        row.cell_id: row
        for row in connection.execute(
            select(grades.c.cell_id, grades.c.auto_score, grades.c.manual_score, grades.c.needs_manual_grade).where(
                grades.c.notebook_id == notebook
            )
        )
    }
    scores: list[dict[str, Any]] = []
    for row in report.rows:
        old = present[_cell_id(cells.graded, row.test_id, assignment)]
        overridden = old.manual_score is not None
        again = overridden and (old.needs_manual_grade or old.auto_score != row.score)
        scores.append({"cell": old.cell_id, "auto": row.score, "needs": again})
    for name, (answer, untouched) in answers.items():
        old = present[_cell_id(cells.graded, name, assignment)]
        auto = 0.0 if untouched else None
        same = earlier_answers.get(name) == answer
        by_hand = old.manual_score is not None
        needs = old.needs_manual_grade or not same if by_hand else not untouched
        scores.append({"cell": old.cell_id, "auto": auto, "needs": needs})
    connection.execute(
        grades.update()
        .where(grades.c.notebook_id == notebook, grades.c.cell_id == bindparam("cell"))
        .values(auto_score=bindparam("auto"), needs_manual_grade=bindparam("needs")),
        scores,
    )
    texts = {row.name: row_comment(row) or None for row in report.rows}
    texts |= {name: _NO_RESPONSE if untouched else None for name, (_, untouched) in answers.items()}
    said = [{"cell": cells.commented[name], "auto": text} for name, text in texts.items() if name in cells.commented]
    if said:
        connection.execute(
            comments.update()
            .where(comments.c.notebook_id == notebook, comments.c.cell_id == bindparam("cell"))
            .values(auto_comment=bindparam("auto")),
            said,
        )


def _cell_id(known: dict[str, str], name: str, assignment: Assignment) -> str:
    if name not in known:
        raise GradebookError(
            f"The gradebook has no cell {name!r} of {assignment.name}: the assignment changed since it was "
            f"registered. Run autograder release {assignment.name}, then grade again."
        )
    return known[name]


def _answers(submission: Submission, assignment: Assignment) -> dict[str, tuple[str, bool]]:
    """By ``grade_id``: the answer's checksum, and whether there is none: an empty cell, or the text as released."""
    released = {cell.name: cell.checksum for cell in _release_cells_cached(assignment)}
    found = dict.fromkeys(assignment.manual, ("", True))
    for tree in submission.notebook["cells"]:
        name = tree.get("metadata", {}).get("nbgrader", {}).get("grade_id")
        if name in assignment.manual:
            source = _joined(tree["source"])
            checksum = _checksum(source, tree["cell_type"], True, True, False, name, assignment.manual[name])
            found[name] = (checksum, checksum == released.get(name) or not source.strip())
    return found


def _release_cells_cached(assignment: Assignment) -> tuple[_ReleaseCell, ...]:
    points = tuple((row.test_id, row.points) for row in assignment.rows) + tuple(assignment.manual.items())
    try:
        modified = assignment.release.stat().st_mtime_ns
    except OSError:
        modified = 0
    key = (assignment.release, modified, points)
    if key not in _RELEASES:
        _RELEASES.clear()
        _RELEASES[key] = tuple(_release_cells(assignment)[0])
    return _RELEASES[key]


_RELEASES: dict[Any, tuple[_ReleaseCell, ...]] = {}


# Lateness


def late_penalty(policy: LatePolicy, max_score: float, score: float, seconds_late: float) -> float | None:
    """Points that a late submission loses: a share of the assignment's maximum for each day begun.

    Args:
        policy: The assignment's.
        max_score: Points of the whole assignment.
        score: The submission's points now; it cannot lose more.
        seconds_late: Seconds after the due date, an extension included.

    Returns:
        The penalty, or None where there is none.
    """
    beyond = seconds_late - policy.grace_minutes * 60
    if beyond <= 0:
        return None
    percent = min(policy.max_percent, policy.percent_per_day * math.ceil(beyond / 86400))
    return min(max_score * percent / 100, max(score, 0.0)) or None


def apply_late_penalties(gradebook: Gradebook, assignment: Assignment) -> None:
    """Work out every late penalty of the assignment anew, as after grading by hand or a change of the policy."""
    from sqlalchemy import select

    submissions, notebooks = gradebook.tables["submitted_assignment"], gradebook.tables["submitted_notebook"]
    with _transaction(gradebook.engine) as connection:
        cells = _cells_of(gradebook, connection, assignment)
        for submitted, notebook in connection.execute(
            select(submissions.c.id, notebooks.c.id)
            .join(notebooks, notebooks.c.assignment_id == submissions.c.id)
            .where(submissions.c.assignment_id == cells.assignment, notebooks.c.notebook_id == cells.notebook)
        ).all():
            _write_penalty(gradebook, connection, assignment, submitted, notebook)


def _write_penalty(
    gradebook: Gradebook, connection: Connection, assignment: Assignment, submitted: str, notebook: str
) -> None:
    from sqlalchemy import select

    submissions, notebooks = gradebook.tables["submitted_assignment"], gradebook.tables["submitted_notebook"]
    entries, grades = gradebook.tables["assignment"], gradebook.tables["grade"]
    when, extension, due, old = connection.execute(
        select(
            submissions.c.timestamp,
            submissions.c.extension,
            entries.c.duedate,
            notebooks.c.late_submission_penalty,
        )
        .join(entries, entries.c.id == submissions.c.assignment_id)
        .join(notebooks, notebooks.c.assignment_id == submissions.c.id)
        .where(submissions.c.id == submitted, notebooks.c.id == notebook)
    ).one()
    penalty = None
    if when is not None and due is not None:
        late = (when - due - (extension or timedelta())).total_seconds()
        points = connection.execute(
            select(grades.c.auto_score, grades.c.manual_score, grades.c.extra_credit).where(
                grades.c.notebook_id == notebook
            )
        ).all()
        score = math.fsum(_points(*row) or 0.0 for row in points)
        penalty = late_penalty(assignment.late, assignment.max_score, score, late)
    if penalty != old:
        connection.execute(notebooks.update().where(notebooks.c.id == notebook).values(late_submission_penalty=penalty))


def _points(auto: float | None, manual: float | None, extra: float | None) -> float | None:
    """What nbgrader counts for one cell."""
    given = auto if manual is None else manual
    return None if given is None else given + (extra or 0.0)


def _utc(timestamp: str) -> datetime:
    """Naive, in UTC: what nbgrader's tables hold."""
    when = datetime.fromisoformat(timestamp)
    return when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when


# Reading


def graded_digests(gradebook: Gradebook, course: Course, assignment: Assignment) -> dict[str, str]:
    """By student: the digest of the grade that the gradebook holds, for those that have a whole one.

    Whole means: the result and the executed notebook are there, and each row's score in the gradebook is the
    one in the result. So a submission is graded again where a run was killed in the middle, where
    ``autograded/`` was emptied, and where an older copy of the gradebook was put back.
    """
    from sqlalchemy import select

    submissions, notebooks = gradebook.tables["submitted_assignment"], gradebook.tables["submitted_notebook"]
    grades, base = gradebook.tables["grade"], gradebook.tables["base_cell"]
    held: dict[str, dict[str, float | None]] = {}
    with gradebook.engine.connect() as connection:
        try:
            cells = _cells_of(gradebook, connection, assignment)
        except GradebookError:
            return {}
        for student, name, score in connection.execute(
            select(submissions.c.student_id, base.c.name, grades.c.auto_score)
            .join(notebooks, notebooks.c.assignment_id == submissions.c.id)
            .join(grades, grades.c.notebook_id == notebooks.c.id)
            .join(base, base.c.id == grades.c.cell_id)
            .where(submissions.c.assignment_id == cells.assignment, notebooks.c.notebook_id == cells.notebook)
        ):
            held.setdefault(student, {})[name] = score
    digests = {}
    for student, scores in held.items():
        folder = course.root / "autograded" / student / assignment.name
        report = read_report(course, student, assignment)
        if report is None or not (folder / f"{assignment.notebook}.ipynb").is_file():
            continue
        expected = {row.test_id: row.score for row in report.rows}
        if {name: score for name, score in scores.items() if name not in assignment.manual} == expected:
            digests[student] = report.digest
    return digests


def graded_digest(gradebook: Gradebook, course: Course, student: str, assignment: Assignment) -> str | None:
    """The digest of one student's grade, or None where there is no whole one; for many, ``graded_digests``."""
    return graded_digests(gradebook, course, assignment).get(student)


def read_report(course: Course, student: str, assignment: Assignment) -> Report | None:
    """The report of the last grading, without the cells' outputs, or None where there is none."""
    try:
        return report_from_dict(_read_result(course.root / "autograded" / student / assignment.name)["report"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def standings(gradebook: Gradebook, assignment: Assignment, *, student: str | None = None) -> tuple[Standing, ...]:
    """Where every student with a submission stands, by id, for tables and exports; or one of them alone."""
    from sqlalchemy import select, true

    submissions, notebooks = gradebook.tables["submitted_assignment"], gradebook.tables["submitted_notebook"]
    grades, base = gradebook.tables["grade"], gradebook.tables["base_cell"]
    order = (*(row.test_id for row in assignment.rows), *assignment.manual)
    with gradebook.engine.connect() as connection:
        cells = _cells_of(gradebook, connection, assignment)
        found = connection.execute(
            select(
                submissions.c.student_id,
                submissions.c.timestamp,
                notebooks.c.late_submission_penalty,
                base.c.name,
                grades.c.auto_score,
                grades.c.manual_score,
                grades.c.extra_credit,
                grades.c.needs_manual_grade,
            )
            .join(notebooks, notebooks.c.assignment_id == submissions.c.id)
            .join(grades, grades.c.notebook_id == notebooks.c.id)
            .join(base, base.c.id == grades.c.cell_id)
            .where(submissions.c.assignment_id == cells.assignment, notebooks.c.notebook_id == cells.notebook)
            .where(submissions.c.student_id == student if student is not None else true())
            .order_by(submissions.c.student_id)
        ).all()
    by_student: dict[str, list[Any]] = {}
    for row in found:
        by_student.setdefault(row.student_id, []).append(row)
    result = []
    for name, rows in by_student.items():
        scores = {row.name: _points(row.auto_score, row.manual_score, row.extra_credit) for row in rows}
        raw = math.fsum(score or 0.0 for score in scores.values())
        lost = rows[0].late_submission_penalty or 0.0
        when = rows[0].timestamp
        result.append(
            Standing(
                student=name,
                timestamp=None if when is None else when.replace(tzinfo=UTC),
                scores={name: scores.get(name) for name in order},
                raw_score=raw,
                late_penalty=lost,
                score=max(0.0, raw - lost),
                max_score=assignment.max_score,
                needs_manual_grade=any(row.needs_manual_grade for row in rows),
            )
        )
    return tuple(result)


def write_feedback(gradebook: Gradebook, course: Course, assignment: Assignment, student: str) -> Path:
    """Write ``feedback/<student>/<assignment>/<notebook>.html`` from the executed notebook and the gradebook.

    Scores and comments given by hand and the late penalty are in it as they are now. ``timestamp.txt`` and
    ``submission_secret.txt`` go beside it, as nbgrader's release_feedback wants them.

    Returns:
        The page.

    Raises:
        GradebookError: The student has no grade, or the page could not be written.
    """
    from sqlalchemy import select

    source = course.root / "autograded" / student / assignment.name / f"{assignment.notebook}.ipynb"
    standing = next(iter(standings(gradebook, assignment, student=student)), None)
    if standing is None or not source.is_file():
        raise GradebookError(
            f"{source}: {student} has no graded submission of {assignment.name}. "
            f"Run autograder grade {assignment.name} --student {student}."
        )
    comments, base = gradebook.tables["comment"], gradebook.tables["base_cell"]
    submissions, notebooks = gradebook.tables["submitted_assignment"], gradebook.tables["submitted_notebook"]
    with gradebook.engine.connect() as connection:
        cells = _cells_of(gradebook, connection, assignment)
        said = connection.execute(
            select(base.c.name, comments.c.manual_comment, comments.c.auto_comment)
            .join(base, base.c.id == comments.c.cell_id)
            .join(notebooks, notebooks.c.id == comments.c.notebook_id)
            .join(submissions, submissions.c.id == notebooks.c.assignment_id)
            .where(submissions.c.student_id == student, submissions.c.assignment_id == cells.assignment)
        ).all()
    words = {name: manual or (auto if name in assignment.manual else None) for name, manual, auto in said}
    points = {row.test_id: row.points for row in assignment.rows} | assignment.manual
    try:
        notebook = json.loads(source.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            cell["source"] = _joined(cell["source"])
            for output in cell.get("outputs", []):
                if "text" in output:
                    output["text"] = _joined(output["text"])
                bundle = output.get("data", {})
                bundle.update({mime: _joined(text) for mime, text in bundle.items() if isinstance(text, list)})
            meta = cell["metadata"].get("nbgrader", {})
            name = meta.get("grade_id")
            if name in points:
                meta["score"], meta["points"] = standing.scores.get(name), points[name]
            if words.get(name):
                meta["comment"] = words[name]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GradebookError(
            f"{source}: the executed notebook cannot be read: {_one_line(error)}. "
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
            if given.is_file() and not given.is_symlink() and given.stat().st_size < 4096:
                _write_atomically(folder / name, given.read_text(encoding="utf-8", errors="replace"))
        _write_atomically(folder / f"{assignment.notebook}.html", page)
    except OSError as error:
        raise GradebookError(
            f"{error.filename or folder}: the feedback could not be written: {error.strerror or error}."
        ) from error
    return folder / f"{assignment.notebook}.html"


# Files


def _read_result(folder: Path) -> dict[str, Any]:
    try:
        tree = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _write_atomically(path: Path, text: str | None) -> None:
    """Replace the file by one with this text, or remove it where that is None; after a crash it is old or new."""
    if text is None:
        path.unlink(missing_ok=True)
        return
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        # A lone surrogate, which UTF-8 has no bytes for, becomes JSON's own escape of it.
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _copy_companions(course: Course, assignment: Assignment, student: str, folder: Path) -> None:
    """What else was handed in, and what the course gives along (which wins), for those who grade by hand.

    Links, hidden files and the grader's own names stay behind; more than the assignment's limit of bytes does
    too.
    """
    room = assignment.limits.file_mb * 1024 * 1024
    kept_back = {"timestamp.txt", RESULT_FILE}
    given = course.root / "submitted" / student / assignment.name
    for origin in (given, assignment.master.parent):
        for path in _plain_files(origin):
            relative = path.relative_to(origin)
            if path.suffix == ".ipynb" or path.name in kept_back or path.stat().st_size > room:
                continue
            if origin is given:
                room -= path.stat().st_size
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copyfile(path, target, follow_symlinks=False)


def _plain_files(folder: Path) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name) if folder.is_dir() else ():
        if entry.name.startswith(".") or entry.name in ("__pycache__", "feedback"):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _plain_files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


def _one_line(error: object) -> str:
    return re.sub(r"\s+", " ", str(error)).strip().rstrip(".")
