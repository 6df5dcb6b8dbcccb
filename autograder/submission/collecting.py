"""What students handed in elsewhere → ``submitted/``: nbgrader's exchange, Canvas's or Moodle's zip file, or a folder.

Nothing of a zip file is unpacked under its own names: each member is read into memory, bounded, and what is taken is
written under the assignment's. What could not be matched is listed, and nothing is overwritten but by something newer.
"""

from __future__ import annotations

import functools
import re
import shutil
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Literal
from zoneinfo import ZoneInfo

from autograder.base import (
    AutograderError,
    RefusedError,
    did_you_mean,
    make_closed_folder,
    printable,
    write_atomically,
    write_bytes_atomically,
)
from autograder.course import Assignment, Course
from autograder.submission.folders import find_notebook, read_regular, submissions

MAX_MEMBERS = 50_000
"""Members of a zip file: a class of 10,000 with five files each."""

MAX_TOTAL = 20_000_000_000
"""Bytes that a zip file may unpack to, by its own word, before anything of it is read."""

REPLACED = ".replaced"
"""Below ``submitted/``: what something newer took the place of."""

# Canvas: name[_LATE]_user_file_original[-attempt].ipynb, as "Download Submissions" writes them.
_CANVAS = re.compile(r"(?P<name>[^_/]*)(?:_(?P<late>LATE))?_(?P<user>\d+)_(?P<number>\d+)_(?P<file>[^/]+)")
_ATTEMPT = re.compile(r"-(?P<attempt>\d{1,6})(?=\.ipynb$)", re.IGNORECASE)
# Moodle: "Full name_participant_assignsubmission_file/original", or flat, with one more underscore.
_MOODLE = re.compile(r"(?P<name>[^/]+)_(?P<user>\d+)_assignsubmission_file(?:_?/|_)(?P<file>[^/]+)")


@dataclass(frozen=True)
class Person:
    """A student as an LMS knows them.

    Attributes:
        student: The id in the course.
        numbers: What the LMS calls them in file names: Canvas's ID, Moodle's participant.
        names: How the LMS writes the name, with nothing but lower-case letters and digits.
    """

    student: str
    numbers: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


@dataclass
class _HandIn:
    """What one student handed in at one time."""

    who: str
    name: str
    number: str
    order: int
    late: bool = False
    files: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    """What reads each file, by the name that it is kept under: of a class, not all are in memory at once."""


@dataclass(frozen=True)
class Collected:
    """What became of one hand-in.

    Attributes:
        who: The student's id, or what the source calls somebody who is not known.
        status: ``new``, ``newer`` (it took the place of an older one), ``unchanged``, ``kept`` (what is there was not
            replaced), or ``not taken``.
        why: Why it was not taken or what is odd about it; usually empty.
    """

    who: str
    status: Literal["new", "newer", "unchanged", "kept", "not taken"]
    why: str = ""


def collect(
    course: Course,
    assignment: Assignment,
    source: Path,
    *,
    known: Collection[str],
    people: Sequence[Person] = (),
    when: datetime | None = None,
) -> list[Collected]:
    """Bring what was handed in to ``submitted/STUDENT/ASSIGNMENT/``.

    Args:
        course: The course.
        assignment: The assignment.
        source: A zip file of Canvas's or Moodle's, or a folder of ``STUDENT.ipynb``.
        known: The course's students; anybody's id is taken where nobody is known yet.
        people: How the LMS calls the students, from its own table.
        when: When it was handed in, aware; where None, no time is written, and it counts as in time.

    Returns:
        What became of each, by id.

    Raises:
        AutograderError: The source is neither, or is damaged, or too large.
    """
    results: list[Collected] = []
    with ExitStack() as opened:
        found = _in_zip(source, opened, assignment, results) if source.is_file() else _in_folder(source, assignment)
        newest: dict[str, _HandIn] = {}
        for each in found:
            student = _student(each, known, people, results)
            if student is not None and (student not in newest or each.order >= newest[student].order):
                newest[student] = each
        for student, each in newest.items():
            try:
                files = {name: read() for name, read in each.files.items()}
                results.append(_put(course, assignment, student, files, each.late, when))
            except RefusedError as error:
                results.append(Collected(printable(student), "not taken", str(error)))
            except OSError as error:
                why = f"it could not be written: {error.strerror or error}"
                results.append(Collected(printable(student), "not taken", why))
    return sorted(results, key=lambda result: (result.status == "not taken", result.who, result.why))


def _in_folder(source: Path, assignment: Assignment) -> Iterator[_HandIn]:
    if not source.is_dir():
        raise AutograderError(f"{source}: expected a zip file, a folder of STUDENT.ipynb, or nbgrader's exchange")
    notebooks = sorted(path for path in source.iterdir() if path.suffix == ".ipynb" and not path.name.startswith("."))
    if not notebooks:
        raise AutograderError(f"{source}: there is no STUDENT.ipynb in it, and no inbound folder of an exchange")
    for path in notebooks:
        files = {f"{assignment.notebook}.ipynb": functools.partial(_read_file, path, assignment)}
        yield _HandIn(path.stem, "", "", 0, files={**files})


def _read_file(path: Path, assignment: Assignment) -> bytes:
    limit = assignment.limits.notebook_mb * 2**20
    content, size = read_regular(path, limit, one_name=True)
    if size > limit:
        raise RefusedError(_too_large(path.name, assignment))
    return content


def _in_zip(source: Path, opened: ExitStack, assignment: Assignment, results: list[Collected]) -> Iterable[_HandIn]:
    """What was handed in, by person and attempt, from a zip file of Canvas's or Moodle's, which stays open."""
    try:
        archive = opened.enter_context(zipfile.ZipFile(source))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, OSError, ValueError) as error:
        raise AutograderError(f"{source}: it is no zip file, or is damaged: {error}. Download it again") from error
    members = archive.infolist()
    total = sum(each.file_size for each in members)
    if len(members) > MAX_MEMBERS or total > MAX_TOTAL:
        raise AutograderError(
            f"{source}: it holds {len(members):,} files, of {total:,} bytes by its own word; at most "
            f"{MAX_MEMBERS:,} of {MAX_TOTAL:,} are read. Is it the submissions of one assignment?"
        )
    times = Counter(each.filename for each in members)
    hand_ins: dict[tuple[str, int], _HandIn] = {}
    for member in members:
        if member.is_dir() or re.match(r"\.[^.]", PurePosixPath(member.filename).name):
            continue  # what a Mac puts in beside the files
        who, file, why = _member(member, times[member.filename], assignment)
        if why:
            results.append(Collected(printable(member.filename), "not taken", why))
        elif who is not None and file:
            hand_in = hand_ins.setdefault((who.who, who.order), who)
            hand_in.files[file] = functools.partial(_read_member, archive, member)
    return _with_one_notebook(hand_ins.values(), assignment, results)


def _member(member: zipfile.ZipInfo, times: int, assignment: Assignment) -> tuple[_HandIn | None, str, str]:
    """Who handed in a member of a zip file, its own name where it is taken, and why it is not where that is wrong."""
    if wrong := _mistrusted(member, assignment):
        return None, "", wrong
    named = _named(member.filename)
    if named is None:
        return None, "", "its name is neither Canvas's nor Moodle's"
    who, file = named
    if times > 1:
        return None, "", "there are two of that name"
    if file.lower().endswith(".zip"):
        return None, "", "a zip file inside the zip file is not opened; hand in the notebook itself"
    return who, file if file.lower().endswith(".ipynb") or file in assignment.files else "", ""


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    try:
        # No more than the size that it says, which has been looked at.
        return archive.read(member)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise RefusedError(f"{printable(member.filename)} is damaged or packed in an unknown way: {error}") from error


def _with_one_notebook(
    hand_ins: Iterable[_HandIn], assignment: Assignment, results: list[Collected]
) -> Iterator[_HandIn]:
    """Those in which one notebook is the assignment's: that of its name, or the only one."""
    name = f"{assignment.notebook}.ipynb"
    for each in hand_ins:
        notebooks = [file for file in each.files if file.lower().endswith(".ipynb")]
        if name not in notebooks and len(notebooks) == 1:
            each.files[name] = each.files.pop(notebooks[0])
        elif name not in notebooks:
            said = f"there are {len(notebooks)} notebooks, none of which is called {name}: {', '.join(notebooks)}"
            why = said if notebooks else f"there is no notebook: expected {name}"
            results.append(Collected(printable(each.name or each.who), "not taken", why))
            continue
        for other in notebooks:
            if other != name:
                each.files.pop(other, None)
        yield each


def _named(member: str) -> tuple[_HandIn, str] | None:
    """Who handed in a member of a zip file and when in the order of attempts, and the file's own name."""
    if found := _MOODLE.fullmatch(member):
        return _HandIn(found["user"], found["name"], found["user"], 0), found["file"]
    if found := _CANVAS.fullmatch(member):
        # Files of one attempt have numbers of their own; the attempt alone is what they share.
        attempt = _ATTEMPT.search(found["file"])
        order = int(attempt["attempt"]) if attempt else 0
        who = _HandIn(found["user"], found["name"], found["user"], order, late=bool(found["late"]))
        return who, _ATTEMPT.sub("", found["file"])
    return None


def _mistrusted(member: zipfile.ZipInfo, assignment: Assignment) -> str:
    """Why a member of a zip file is not read; empty where nothing is wrong with it."""
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "it is no plain file, but a link or a device"
    if member.flag_bits & 1:
        return "it is encrypted"
    name = member.filename
    if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) or not name.isprintable():
        return "its name leads out of the zip file, or cannot be printed"
    if member.file_size > assignment.limits.notebook_mb * 2**20:
        return _too_large(PurePosixPath(name).name, assignment)
    return ""


def _too_large(name: str, assignment: Assignment) -> str:
    return f"{printable(name)} has more than limits.notebook_mb, {assignment.limits.notebook_mb} MB"


def _student(each: _HandIn, known: Collection[str], people: Sequence[Person], results: list[Collected]) -> str | None:
    """The course's id of who handed in, or None where nobody can be matched for certain, which is then listed."""
    if not each.number:
        if not known or each.who in known:
            return each.who
        nearest = did_you_mean(each.who, known)
        results.append(
            Collected(printable(each.who), "not taken", f"nobody of the course has this id; {nearest}".rstrip("; "))
        )
        return None
    by_number = {person.student for person in people if each.number in person.numbers}
    # Many systems let people choose the name that they are shown by: where there are numbers, these alone count.
    by_name = {person.student for person in people if not person.numbers and plain_name(each.name) in person.names}
    found = by_number or by_name
    if len(found) == 1:
        return found.pop()
    who = printable(f"{each.name} ({each.number})")
    if found:
        why = f"more than one student is called so: {', '.join(sorted(found))}; name them apart with --roster"
    else:
        why = "nobody of the course is known by this number or name"
        why += "" if people else "; name the LMS's own table of students with --roster"
    results.append(Collected(who, "not taken", why))
    return None


def plain_name(name: str) -> str:
    """A name with nothing but its letters and digits, in lower case: as Canvas writes it into file names."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _put(
    course: Course,
    assignment: Assignment,
    student: str,
    files: dict[str, bytes],
    late: bool,
    when: datetime | None,
) -> Collected:
    """Write one hand-in, where it is newer than what is there."""
    if problem := _no_id(student):
        return Collected(printable(student), "not taken", problem)
    folder = course.root / "submitted" / student / assignment.name
    if folder.parent.is_symlink():
        return Collected(student, "not taken", f"{folder.parent} is a symbolic link, not a folder")
    unsaid = late and when is None
    note = "the LMS says that it is late, and not by how much: give the time with --time" if unsaid else ""
    status: Literal["new", "newer"] = "new"
    held = submissions(course.root, assignment.name, [student], timezone=course.timezone)[0]
    if folder.exists() or folder.is_symlink():
        if held.problem:
            return Collected(student, "not taken", held.problem)
        if _same(folder, files, assignment):
            return Collected(student, "unchanged", note)
        if when is None or (held.timestamp is not None and when <= datetime.fromisoformat(held.timestamp)):
            known = "not newer" if when is not None else "not known to be newer: say with --time when it was handed in"
            return Collected(student, "kept", f"another one is there, and this one is {known}")
        status = "newer"
    # Whole, before anything gives way to it.
    coming = folder.with_name(f".{folder.name}.coming")
    shutil.rmtree(coming, ignore_errors=True)
    try:
        make_closed_folder(coming)
        for file, content in files.items():
            write_bytes_atomically(coming / file, content)
        if when is not None:
            write_atomically(coming / "timestamp.txt", f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC\n")
        if status == "newer":
            _set_aside(course, assignment, student, folder, held.timestamp)
        coming.rename(folder)
    finally:
        shutil.rmtree(coming, ignore_errors=True)
    return Collected(student, status, note)


def _no_id(student: str) -> str:
    """Why an id cannot be a folder's name; empty where it can."""
    safe = student.isprintable() and student == student.strip() and not any(mark in student for mark in '/\\<>&"')
    if safe and not student.startswith(".") and student:
        return ""
    return 'an id must be printable, with no space around, no dot before it and none of < > & " / \\ in it'


def _same(folder: Path, files: dict[str, bytes], assignment: Assignment) -> bool:
    """Whether what is there is what has come."""
    try:
        notebook = find_notebook(folder, assignment)
        for file, content in files.items():
            path = notebook if file.lower().endswith(".ipynb") else folder / file
            if read_regular(path, len(content) + 1)[0] != content:
                return False
    except (AutograderError, OSError):
        return False
    return True


def _set_aside(course: Course, assignment: Assignment, student: str, folder: Path, stamp: str | None) -> None:
    """Move what something newer replaces to where nobody grades it."""
    when = re.sub(r"[^0-9]", "", stamp or "")[:14] or "undated"
    base = course.root / "submitted" / REPLACED / student
    make_closed_folder(base)
    target = next(
        path
        for number in range(1, MAX_MEMBERS)
        if not (path := base / f"{assignment.name}-{when}{'' if number == 1 else f'-{number}'}").exists()
    )
    shutil.move(folder, target)


def local_time(text: str, zone: ZoneInfo) -> datetime:
    """A time as people type it, ``2026-11-29 23:59`` or with seconds, in the course's zone.

    Raises:
        AutograderError: It is none.
    """
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=zone)
    except ValueError as error:
        raise AutograderError(f"expected a local time such as '2026-11-29 23:59', found {text!r}") from error
