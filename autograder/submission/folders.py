"""The folders below ``submitted/``: whose they are and when they came; and how a file there is read."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from autograder.base import RefusedError, did_you_mean, printable
from autograder.course import is_credible

_NBGRADER_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?"
    r" ?([A-Za-z][A-Za-z0-9_+/-]*|[+-]\d\d:?\d\d)?",
    re.ASCII,
)


MAX_ENTRIES = 10_000
"""More than anybody hands in: where the notebook goes by another name, no more are looked through for it."""

MAX_ID = 128
"""Characters of a student's id: as many as nbgrader's gradebook has room for."""

MAX_ID_BYTES = 200
"""Bytes of it: files are named after ids, with a little around them."""


@dataclass(frozen=True)
class SubmittedFolder:
    """A student's folder for one assignment, as it was found.

    Attributes:
        student: The student's id, safe to print.
        folder: ``submitted/<student>/<assignment>``.
        timestamp: When it was submitted, ISO 8601 in UTC, or None where unknown; then it is not late.
        note: For the instructor: what is odd about it, such as a malformed timestamp.txt. Usually empty.
        problem: For the instructor: why it is not taken, such as a link for a folder. Usually empty.
    """

    student: str
    folder: Path
    timestamp: str | None = None
    note: str = ""
    problem: str = ""


def submissions(
    course_root: Path,
    assignment_name: str,
    students: Collection[str] | None = None,
    *,
    timezone: tzinfo | None = None,
    due: datetime | None = None,
) -> list[SubmittedFolder]:
    """What lies in ``submitted/`` for the assignment, in the order of the students' ids.

    Args:
        course_root: The course's folder.
        assignment_name: The assignment's name.
        students: Only these; whoever of them has submitted nothing is listed with that problem.
        timezone: The course's zone, for timestamps that end in its abbreviations (EST, EDT).
        due: When the assignment is due, aware: a timestamp far from it is malformed. Where None, one far from now is.
    """
    submitted = course_root / "submitted"
    found = sorted(submitted.iterdir()) if submitted.is_dir() else []
    found = [path for path in found if not path.name.startswith(".")]
    wanted = None if students is None else set(students)
    listed = [
        _submitted_folder(path, assignment_name, timezone, due)
        for path in found
        if wanted is None or path.name in wanted
    ]
    present = [each for each in listed if each is not None]
    for student in sorted((wanted or set()) - {each.folder.parent.name for each in present}):
        near = did_you_mean(student, [each.name for each in found])
        problem = f"{printable(student)} has submitted nothing for {assignment_name}"
        problem += f"; {near.strip()}" if near else ""
        present.append(SubmittedFolder(printable(student), submitted / student / assignment_name, problem=problem))
    return sorted(present, key=lambda each: each.student)


def student_of(notebook: Path, course_root: Path) -> str | None:
    """Whose submission a notebook is, by its place in ``submitted/``; None where it lies elsewhere.

    Links are followed on both sides: ``submitted/`` may be one to a larger disk. So may a student's folder in it be.
    """
    submitted = course_root / "submitted"
    for path, folder in ((notebook.resolve(), submitted.resolve()), (_as_given(notebook), _as_given(submitted))):
        if folder in path.parents:
            return path.relative_to(folder).parts[0]
    return None


def _as_given(path: Path) -> Path:
    """The path made absolute, its links as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - `absolute` would leave `..` in it


def id_problem(student: str) -> str:
    """Why a name can be no student's id; empty where it can."""
    # nbgrader's formgrader puts ids into its pages as they are.
    safe = student.isprintable() and student == student.strip() and not any(mark in student for mark in '/\\<>&"')
    if not safe or not student or student.startswith("."):
        return 'it must be printable, with no space around, no dot before it and none of < > & " / \\ in it'
    if len(student) > MAX_ID or len(student.encode()) > MAX_ID_BYTES:
        return f"it has {len(student)} characters, more than the {MAX_ID} that a gradebook holds"
    return ""


def _submitted_folder(
    path: Path, assignment_name: str, timezone: tzinfo | None, due: datetime | None
) -> SubmittedFolder | None:
    """What is to be said of ``submitted/<student>``, or None where it holds nothing for the assignment."""
    student = path.name
    folder = path / assignment_name
    if wrong := id_problem(student):
        problem = f"the folder's name {student!a} is no student's id: {wrong}"
        return SubmittedFolder(printable(student), folder, problem=problem)
    for each in (path, folder):
        if not os.path.lexists(each):
            return None
        if each.is_symlink() or not each.is_dir():
            return SubmittedFolder(student, folder, problem=f"{each} is {kind_at(each)}, not a folder")
    stamp = folder / "timestamp.txt"
    if not os.path.lexists(stamp):
        return SubmittedFolder(student, folder)
    try:
        text = read_regular(stamp, 1024)[0].decode("utf-8-sig").strip()
        handed_in = utc_of(text, timezone)
        if not is_credible(datetime.fromisoformat(handed_in), due):
            raise ValueError(f"nobody hands in then: {text!r}")
        return SubmittedFolder(student, folder, timestamp=handed_in)
    except (RefusedError, ValueError, OverflowError):
        # Not the file's own date: a copy or a checkout changes that, and with it the penalty.
        note = f"{stamp} holds no time such as 2026-11-29 23:59:00 UTC; the submission counts as on time"
        return SubmittedFolder(student, folder, note=note)


def utc_of(text: str, timezone: tzinfo | None) -> str:
    """A timestamp as nbgrader writes it (``2026-11-29 23:59:00.123456 UTC``) in ISO 8601 and UTC.

    As for nbgrader, no zone at all means UTC.

    Raises:
        ValueError: It is none, or its zone is not known.
        OverflowError: It is so near the years 1 or 9999 that it has no UTC.
    """
    written = _NBGRADER_TIME.fullmatch(text)
    if not written:
        raise ValueError(f"no timestamp: {text[:80]!r}")
    date, clock, fraction, zone = written.groups()
    local = datetime.fromisoformat(f"{date} {clock}.{(fraction or '0')[:6]:0<6}")
    if zone in (None, "UTC", "GMT", "Z"):
        aware = local.replace(tzinfo=UTC)
    elif zone[0] in "+-":
        aware = datetime.fromisoformat(f"{local.isoformat()}{zone}")
    else:
        abbreviated = [local.replace(tzinfo=timezone, fold=fold) for fold in (0, 1)] if timezone else []
        named = [each for each in abbreviated if each.tzname() == zone]
        try:
            aware = named[0] if named else local.replace(tzinfo=ZoneInfo(zone))
        except (KeyError, OSError) as problem:
            raise ValueError(f"no time zone: {zone!r}") from problem
    return aware.astimezone(UTC).isoformat()


def read_regular(path: Path, limit: int, *, one_name: bool = False) -> tuple[bytes, int]:
    """At most ``limit`` bytes of a regular file, and its size, which is above ``limit`` where that cut it.

    Args:
        path: The file.
        limit: The most that is read, in bytes.
        one_name: Refuse a hard link: an archive can make one to a file of the course's or of another student's.

    Raises:
        RefusedError: It is anything but a regular file, or cannot be opened.
    """
    name = printable(str(path))
    try:
        # Neither follows a link nor waits for somebody to write into a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as problem:
        if problem.errno in (errno.ELOOP, errno.ENXIO, errno.EMLINK):
            raise RefusedError(f"{name} is {kind_at(path)}, not a file; it is not graded") from problem
        raise RefusedError(f"{name} cannot be read: {problem.strerror}; it is not graded") from problem
    except ValueError as problem:
        raise RefusedError(f"{name} is no file's name; it is not graded") from problem
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise RefusedError(f"{name} is {kind_of(status.st_mode)}, not a file; it is not graded")
    if one_name and status.st_nlink > 1:
        os.close(descriptor)
        raise RefusedError(
            f"{name} is a hard link: the same file has {status.st_nlink} names, and may be somebody else's; it is not "
            "graded. If it is the student's own, put a copy in its place"
        )
    with os.fdopen(descriptor, "rb") as file:
        try:
            content = file.read(min(limit, status.st_size) + 1)
        except OSError as problem:
            raise RefusedError(f"{name} cannot be read: {problem.strerror}; it is not graded") from problem
    if len(content) > limit:
        return content[:limit], max(status.st_size, len(content))
    return content, len(content)


def kind_at(path: Path) -> str:
    """What lies at a path, for a sentence."""
    try:
        return kind_of(path.lstat().st_mode)
    except OSError:
        return "missing"


def kind_of(mode: int) -> str:
    """What a file's mode says that it is, in words."""
    kinds = (
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISREG, "a file"),
    )
    return next((name for test, name in kinds if test(mode)), "a device")
