"""The database itself: opened, made where there is none, copied aside, and its errors explained."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.base import GradebookError, NoGradebookError, make_closed_file, make_closed_folder, one_line
from autograder.course import Course

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection, Engine

_BUSY_SECONDS = 30.0
_BACKUPS = 5
_LEFT_BEHIND_SECONDS = 3600
_PLAIN_FILE = re.compile(r"sqlite:///([\w./-]+)", re.ASCII)


@dataclass(frozen=True)
class Cells:
    """One assignment's notebook in the gradebook: what its cells are called and where they are.

    Attributes:
        assignment: The assignment's id there.
        notebook: The notebook's id there.
        graded: Ids of the cells that have points, by ``grade_id``.
        commented: Ids of the cells that take a comment, by ``grade_id``.
    """

    assignment: str
    notebook: str
    graded: dict[str, str]
    commented: dict[str, str]


@dataclass(frozen=True)
class Gradebook:
    """An open gradebook.

    Attributes:
        engine: SQLAlchemy's engine.
        tables: nbgrader's tables, by name.
        url: The database's URL without a password, for messages.
        cells: What ``cells_of`` found, by assignment and notebook.
    """

    engine: Engine
    tables: Mapping[str, Table]
    url: str
    cells: dict[tuple[str, str], Cells] = field(default_factory=dict, repr=False)


@contextlib.contextmanager
def open_gradebook(course: Course, *, create: bool = True) -> Iterator[Gradebook]:
    """The course's gradebook, made where there is none.

    Args:
        course: The course.
        create: Whether to make a database that is missing, and to make sure that it can be written to.

    Yields:
        The gradebook, to hand to the functions of this package.

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
            f"gradebook_config.yaml: the database cannot be used: {said_by(error)}. "
            "Expected sqlite:///gradebook.db, or postgresql+psycopg://… with notebook-autograder[postgresql] installed."
        ) from error
    shown = url.render_as_string(hide_password=True)
    file = database_file(course)
    if file is not None and not file.exists():
        if not create:
            raise NoGradebookError(f"{file}: there is no gradebook yet. Grade first: autograder grade ASSIGNMENT.")
        if not file.parent.is_dir():
            raise GradebookError(f"{file.parent}: there is no such folder to keep the gradebook in. Make it first.")
        with contextlib.suppress(OSError):  # SQLite says it better
            make_closed_file(file)
    try:
        _prepare(engine, shown, course, create)
        yield Gradebook(engine, _tables(engine), shown)
    except SQLAlchemyError as error:
        raise _explained(error, shown) from error
    finally:
        engine.dispose()


def database_file(course: Course) -> Path | None:
    """The SQLite file that holds the gradebook, or None where it is kept elsewhere."""
    if plain := _PLAIN_FILE.fullmatch(course.database):
        # SQLAlchemy takes longer to import than most commands that ask for no more than this.
        return course.root / plain[1]
    from sqlalchemy import make_url

    url = make_url(course.database)
    if url.get_backend_name() != "sqlite" or not url.database or url.database.startswith((":memory:", "file:")):
        return None
    return course.root / url.database


def backup(course: Course) -> Path | None:
    """Copy an SQLite gradebook aside, into ``.gradebook-backups/`` beside it; the last five states are kept.

    The copy is of one moment, is looked through for damage, and is there as a whole or not at all.

    Returns:
        The copy, which may be an earlier one where nothing has changed since; or None where there is nothing to copy:
        no gradebook yet, or one on a server, whose own tools (``pg_dump``) do this.

    Raises:
        GradebookError: The gradebook is damaged, or could not be copied.
    """
    file = database_file(course)
    if file is None or not file.exists() or file.stat().st_size == 0:
        return None
    folder = file.parent / ".gradebook-backups"
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    target = folder / f"{file.stem}-{stamp}{file.suffix}"
    part = folder / f".{target.name}.part"
    try:
        make_closed_folder(folder)
        make_closed_file(part)
        _copy_database(file, part)
        earlier = sorted(folder.glob(f"{file.stem}-*{file.suffix}"))
        if earlier and _contents(part) == _contents(earlier[-1]):
            part.unlink()
            target = earlier.pop()
        else:
            part.replace(target)
    except (sqlite3.Error, OSError) as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        said = said_by(getattr(error, "strerror", None) or error)
        raise GradebookError(
            f"{file}: the gradebook could not be copied to {folder} before this run changes it: {said}. "
            f"{_way_out(said) or 'Make room or mend the permissions there, then run again.'}"
        ) from error
    for older in earlier[: 1 - _BACKUPS]:
        older.unlink(missing_ok=True)
    for left in folder.glob(".*.part"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _LEFT_BEHIND_SECONDS:
                left.unlink()
    return target


def _copy_database(file: Path, target: Path) -> None:
    """Copy an SQLite database as it is at one moment.

    Raises:
        sqlite3.Error: It is locked for too long, or damaged.
    """
    last = time.monotonic() + _BUSY_SECONDS

    def in_time(status: int, remaining: int, total: int) -> None:  # noqa: ARG001 - sqlite3's signature
        # By itself it would wait for a lock for ever.
        if time.monotonic() > last and remaining:
            raise sqlite3.OperationalError("database is locked")

    address = f"{file.resolve().as_uri()}?mode=ro"
    with (
        contextlib.closing(sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        old.execute("SELECT 1 FROM sqlite_master").fetchall()
        old.backup(new, progress=in_time)
        damage = new.execute("PRAGMA quick_check(1)").fetchall()
    if damage != [("ok",)]:
        raise sqlite3.DatabaseError(f"database disk image is malformed ({said_by(damage[0][0])})")


def _contents(database: Path) -> bytes:
    """A database's bytes without the counters in its header, which change where nothing else does."""
    content = database.read_bytes()
    return content[:24] + content[28:92] + content[100:]


def _prepare(engine: Engine, shown: str, course: Course, create: bool) -> None:
    """Make the tables where there are none and ``create`` says so; refuse a database of another kind or version."""
    from sqlalchemy import inspect, text

    head = _schema_version()
    with transaction(engine) if create else engine.connect() as connection:
        tables = set(inspect(connection).get_table_names())
        if not tables and not create:
            raise NoGradebookError(f"{shown}: there is no gradebook yet. Grade first: autograder grade ASSIGNMENT.")
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
    from sqlalchemy import Column, Interval, MetaData, Table, inspect

    metadata = MetaData()
    # Their keys and constraints, which the database looks after itself, would take as long again to find.
    for (_, table), columns in inspect(engine).get_multi_columns().items():
        # SQLite has no intervals: what nbgrader keeps there reads as a date unless the column is named for what it is.
        kinds = {each["name"]: Interval() if each["name"] == "extension" else each["type"] for each in columns}
        Table(table, metadata, *(Column(name, kind) for name, kind in kinds.items()))
    return metadata.tables


@contextlib.contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
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
    said = said_by(getattr(error, "orig", None) or error)
    otherwise = "Run `autograder doctor`; nothing of the grade that was being written has been kept."
    return GradebookError(f"{url}: the gradebook says: {said}. {_way_out(said) or otherwise}")


def _way_out(said: str) -> str:
    """What to do where a database says this; empty where nobody knows."""
    if "locked" in said:
        return "Another program has it open for writing. Close it (or wait), then run again."
    if re.search("read-?only|permission denied", said, re.IGNORECASE):
        return "It can be read but not written. Mend the permissions of the file and its folder, or the disk's."
    if "unable to open" in said:
        return "Its folder is missing, or closed to you. Look at `database` in gradebook_config.yaml."
    if "not a database" in said or "malformed" in said:
        return "The file is damaged or no database. Put back a copy from .gradebook-backups/, or move it away."
    if "full" in said or "No space left" in said:
        return "Make room on the disk, then run again."
    return ""


def said_by(error: object) -> str:
    """What an error says, to stand within a sentence."""
    return one_line(str(error)).rstrip(".")
