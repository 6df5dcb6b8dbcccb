"""A submitted notebook, repaired against the release: what students may not change is put back."""

from __future__ import annotations

import copy
import errno
import functools
import hashlib
import json
import os
import re
import stat
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from autograder.course import Assignment
from autograder.errors import AutograderError, RefusedError, SubmissionError

MAX_CELLS = 2_000
"""More cells than anybody writes; each costs time and memory before a single one runs."""

MAX_BRACKETS = 1_000_000
"""Lists and objects in a file: parsed, each takes some 60 bytes, so 20 MB of ``[],`` would take 500 MB."""

_SAVE_AGAIN = "Open it in Jupyter, save it again and submit it again."
_NBGRADER_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?"
    r" ?([A-Za-z][A-Za-z0-9_+/-]*|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)
_OTHER_FILES = (
    (b"pk\x03\x04", "a zip file"),
    (b"%pdf", "a PDF"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"\x89png", "a picture"),
)
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")


@dataclass(frozen=True)
class Submission:
    """One submission, ready to run.

    Attributes:
        assignment: The assignment's name.
        student: The student's id, or None for a notebook graded on its own.
        notebook: The repaired notebook as nbformat 4.5 JSON (a tree of plain data), outputs cleared.
        notes: Sentences for the student on what was repaired.
        unreadable: Why the notebook could not be read, for the student; then ``notebook`` is the release,
            nothing is run, and every row has 0. Empty for a notebook that could be read.
        digest: SHA-256 of the submitted bytes, in hex.
        timestamp: When it was submitted, ISO 8601 in UTC, or None where unknown.
    """

    assignment: str
    student: str | None
    notebook: dict[str, Any]
    notes: tuple[str, ...]
    unreadable: str
    digest: str
    timestamp: str | None = None


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
) -> list[SubmittedFolder]:
    """What lies in ``submitted/`` for the assignment, in the order of the students' ids.

    Args:
        course_root: The course's folder.
        assignment_name: The assignment's name.
        students: Only these; whoever of them has submitted nothing is listed with that problem.
        timezone: The course's zone, for timestamps that end in its abbreviations (EST, EDT).
    """
    submitted = course_root / "submitted"
    found = sorted(submitted.iterdir()) if submitted.is_dir() else []
    found = [path for path in found if not path.name.startswith(".")]
    wanted = None if students is None else set(students)
    listed = [
        _submitted_folder(path, assignment_name, timezone) for path in found if wanted is None or path.name in wanted
    ]
    present = [each for each in listed if each is not None]
    for student in sorted((wanted or set()) - {each.folder.parent.name for each in present}):
        problem = f"{_printable(student)} has submitted nothing for {assignment_name}"
        present.append(SubmittedFolder(_printable(student), submitted / student / assignment_name, problem=problem))
    return sorted(present, key=lambda each: each.student)


def find_notebook(folder: Path, assignment: Assignment) -> Path:
    """The notebook that counts in a submitted folder.

    The one of the assignment's name; else the only one; else the one with most of the assignment's cells.
    ``read_submission`` tells the student about the name.

    Raises:
        SubmissionError: There is no notebook in it; the text is for the student.
        RefusedError: It is no folder.
    """
    name = f"{assignment.notebook}.ipynb"
    if folder.is_symlink() or not folder.is_dir():
        raise RefusedError(f"{folder} is {_kind_at(folder)}, not a folder; it is not graded")
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if any(path.name == name for path in entries):
        return folder / name
    # Browsers like to add a .txt or a .json to what they download.
    notebooks = [path for path in entries if re.search(r"\.ipynb(\.txt|\.json)?$", path.name, re.IGNORECASE)]
    if not notebooks:
        others = ", ".join(_printable(path.name) for path in entries[:5]) or "nothing"
        raise SubmissionError(f"There is no notebook in your submission: expected {name}, found {others}.")
    if len(notebooks) == 1:
        return notebooks[0]
    counted = {path: _matching_cells(path, assignment) for path in notebooks[:50]}
    return max(counted, key=lambda path: (counted[path], path.name.lower() == name.lower()))


def read_submission(
    path: Path, assignment: Assignment, *, student: str | None = None, timestamp: str | None = None
) -> Submission:
    """The submission in the notebook at ``path``, repaired against the release.

    Whatever is in the file, the result holds a valid notebook with each graded cell of the release once.

    Args:
        path: The submitted notebook.
        assignment: What it is a submission for.
        student: The student's id; with it, the notes tell of a file of another name.
        timestamp: When it was submitted, ISO 8601 in UTC.

    Raises:
        RefusedError: The file is a link, a pipe, a device or a folder, or cannot be opened.
        AutograderError: The assignment has no release, or one that does not fit its master.
    """
    release = _release(assignment)
    limit = assignment.limits.notebook_mb * 2**20
    content, size = _read_regular(path, limit)
    notes: list[str] = []
    expected = f"{assignment.notebook}.ipynb"
    if student is not None and path.name != expected:
        notes.append(f"Your file is called {_printable(path.name)}; call it {expected}. This costs nothing.")
    unreadable = ""
    try:
        if size > limit:
            most = assignment.limits.notebook_mb
            raise SubmissionError(
                f"The file has {size / 2**20:.1f} MB; the most is {most} MB. Clear the outputs in "
                "Jupyter (Edit, Clear Outputs of All Cells), save it and submit it again."
            )
        cells = _repaired(_cells(_notebook_in(content, notes), notes), release, notes)
    except SubmissionError as problem:
        unreadable, cells = str(problem), _repaired(release.untouched(), release, [])
    return Submission(
        assignment=assignment.name,
        student=student,
        notebook=_notebook_of(cells, release),
        notes=tuple(dict.fromkeys(notes)),
        unreadable=unreadable,
        digest=_digest(content, size, limit),
        timestamp=timestamp,
    )


def submitted_digest(path: Path, assignment: Assignment) -> str:
    """The digest that ``read_submission`` would give, of a notebook that is only looked at.

    Raises:
        RefusedError: The file is a link, a pipe, a device or a folder, or cannot be opened.
    """
    limit = assignment.limits.notebook_mb * 2**20
    return _digest(*_read_regular(path, limit), limit)


def unread_submission(
    assignment: Assignment, reason: str, *, student: str | None = None, timestamp: str | None = None
) -> Submission:
    """The submission of a student whose folder holds no notebook: the release, and the reason to read.

    Raises:
        AutograderError: The assignment has no release, or one that does not fit its master.
    """
    release = _release(assignment)
    return Submission(
        assignment=assignment.name,
        student=student,
        notebook=_notebook_of(_repaired(release.untouched(), release, []), release),
        notes=(),
        unreadable=reason,
        digest=hashlib.sha256(reason.encode()).hexdigest(),
        timestamp=timestamp,
    )


# --- files ---


def _digest(content: bytes, size: int, limit: int) -> str:
    digest = hashlib.sha256(content)
    if size > limit:
        # The rest of a file that is too large is not read; that it is too large decides the grade.
        digest.update(str(size).encode())
    return digest.hexdigest()


def _read_regular(path: Path, limit: int) -> tuple[bytes, int]:
    """At most ``limit`` bytes of a regular file, and its size, which is above ``limit`` where that cut it.

    Raises:
        RefusedError: It is anything but a regular file, or cannot be opened.
    """
    name = _printable(str(path))
    try:
        # Neither follows a link nor waits for somebody to write into a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as problem:
        if problem.errno in (errno.ELOOP, errno.ENXIO, errno.EMLINK):
            raise RefusedError(f"{name} is {_kind_at(path)}, not a file; it is not graded") from problem
        raise RefusedError(f"{name} cannot be read: {problem.strerror}; it is not graded") from problem
    except ValueError as problem:
        raise RefusedError(f"{name} is no file's name; it is not graded") from problem
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise RefusedError(f"{name} is {_kind(status.st_mode)}, not a file; it is not graded")
    with os.fdopen(descriptor, "rb") as file:
        try:
            content = file.read(min(limit, status.st_size) + 1)
        except OSError as problem:
            raise RefusedError(f"{name} cannot be read: {problem.strerror}; it is not graded") from problem
    if len(content) > limit:
        return content[:limit], max(status.st_size, len(content))
    return content, len(content)


def _kind_at(path: Path) -> str:
    try:
        return _kind(path.lstat().st_mode)
    except OSError:
        return "missing"


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISREG, "a file"),
    )
    return next((name for test, name in kinds if test(mode)), "a device")


def _printable(name: str) -> str:
    """The name where it can be printed as it is, else with escapes for what cannot."""
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")


def _submitted_folder(path: Path, assignment_name: str, timezone: tzinfo | None) -> SubmittedFolder | None:
    """What is to be said of ``submitted/<student>``, or None where it holds nothing for the assignment."""
    student = path.name
    folder = path / assignment_name
    safe = student.isprintable() and student == student.strip() and not any(mark in student for mark in "/\\")
    if not safe:
        problem = f"the folder's name {student!a} is no student's id: it must be printable, with no space around"
        return SubmittedFolder(_printable(student), folder, problem=problem)
    for each in (path, folder):
        if not os.path.lexists(each):
            return None
        if each.is_symlink() or not each.is_dir():
            return SubmittedFolder(student, folder, problem=f"{each} is {_kind_at(each)}, not a folder")
    stamp = folder / "timestamp.txt"
    if not os.path.lexists(stamp):
        return SubmittedFolder(student, folder)
    try:
        text = _read_regular(stamp, 1024)[0].decode("utf-8-sig").strip()
        return SubmittedFolder(student, folder, timestamp=_utc(text, timezone))
    except (RefusedError, ValueError, OverflowError):
        # Not the file's own date: a copy or a checkout changes that, and with it the penalty.
        note = f"{stamp} holds no time such as 2026-11-29 23:59:00 UTC; the submission counts as on time"
        return SubmittedFolder(student, folder, note=note)


def _utc(text: str, timezone: tzinfo | None) -> str:
    """A timestamp as nbgrader writes it (``2026-11-29 23:59:00.123456 UTC``) in ISO 8601 and UTC.

    As for nbgrader, no zone at all means UTC.

    Raises:
        ValueError: It is none, or its zone is not known.
        OverflowError: The year is out of range.
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


def _matching_cells(path: Path, assignment: Assignment) -> int:
    """How many of the assignment's graded cells a notebook has; 0 where it cannot be read."""
    graded = {each for row in assignment.rows for each in (row.name, row.test_id)} | set(assignment.manual)
    limit = assignment.limits.notebook_mb * 2**20
    try:
        content, size = _read_regular(path, limit)
        if size > limit:
            return 0
        return len(graded & {cell.grade_id for cell in _cells(_notebook_in(content, []), [])})
    except (RefusedError, SubmissionError):
        return 0


# --- bytes → cells, whatever the bytes are ---


@dataclass
class _Cell:
    """What is taken of a cell, and nothing else."""

    kind: str
    source: str
    grade_id: str = ""
    marked: bool = False
    id: str = ""
    attachments: dict[str, dict[str, str]] | None = None


def _notebook_in(content: bytes, notes: list[str]) -> dict[str, Any]:
    """The JSON object in the bytes.

    Raises:
        SubmissionError: There is none; the text is for the student.
    """
    if not content.strip():
        raise SubmissionError(f"The file is empty. {_SAVE_AGAIN}")
    beginning = content[:100].lstrip().lower()
    for start, what in _OTHER_FILES:
        if beginning.startswith(start):
            raise SubmissionError(f"The file is {what}, not a notebook. Submit the .ipynb file itself.")
    text = _decoded(content, notes)
    if text.count("[") + text.count("{") > MAX_BRACKETS:
        raise SubmissionError(f"The file is far too complex for a notebook. Clear its outputs. {_SAVE_AGAIN}")
    try:
        # Whole numbers as floats: Python refuses an int of thousands of digits, and none is needed here.
        tree = json.loads(text, parse_int=float)
    except json.JSONDecodeError as problem:
        raise SubmissionError(_not_json(text, problem)) from problem
    except RecursionError as problem:
        raise SubmissionError(f"The file is not a notebook: it is nested too deeply. {_SAVE_AGAIN}") from problem
    if not isinstance(tree, dict):
        raise SubmissionError(f"The file is not a notebook: it holds other data. {_SAVE_AGAIN}")
    return tree


def _decoded(content: bytes, notes: list[str]) -> str:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode(encoding, "replace")
        notes.append("The file is not UTF-8 throughout; what could not be read is shown as �.")
    return text


def _not_json(text: str, problem: json.JSONDecodeError) -> str:
    """Why the text is no notebook, for the student."""
    if re.search(r"^(<{7}|>{7}) ", text, re.MULTILINE):
        return "The file holds an unresolved Git merge (<<<<<<<). Resolve it, save it and submit it again."
    if problem.pos >= len(text.rstrip()) or problem.msg.startswith("Unterminated string"):
        last = text.rstrip().count("\n") + 1
        return f"The file ends too early, in line {last}, as if it was only saved in part. {_SAVE_AGAIN}"
    return f"The file is not a notebook: line {problem.lineno} cannot be read ({problem.msg}). {_SAVE_AGAIN}"


def _cells(tree: dict[str, Any], notes: list[str]) -> list[_Cell]:
    """The notebook's cells, each reduced to what can be taken from it.

    Raises:
        SubmissionError: It has none that can be found; the text is for the student.
    """
    version = tree.get("nbformat")
    cells = tree.get("cells")
    if version == 3 and isinstance(tree.get("worksheets"), list):
        sheets = [sheet.get("cells") for sheet in tree["worksheets"] if isinstance(sheet, dict)]
        cells = [_from_format_3(cell) for sheet in sheets if isinstance(sheet, list) for cell in sheet]
        notes.append("The notebook was saved in the old format 3; it was converted.")
    elif isinstance(version, float) and version != 4:
        raise SubmissionError(f"The file is in the notebook format {version:g}; expected 4. {_SAVE_AGAIN}")
    if not isinstance(cells, list):
        raise SubmissionError(f"The file is not a notebook: it has no list of cells. {_SAVE_AGAIN}")
    if len(cells) > MAX_CELLS:
        raise SubmissionError(f"The notebook has {len(cells)} cells; the most is {MAX_CELLS}. {_SAVE_AGAIN}")
    if any(not isinstance(cell, dict) for cell in cells):
        notes.append("Some of what stands among the cells is no cell; it was left out.")
    return [_cell(cell, notes) for cell in cells if isinstance(cell, dict)]


def _from_format_3(cell: Any) -> Any:
    """A cell of notebook format 3 in the terms of format 4."""
    if not isinstance(cell, dict):
        return cell
    kind = cell.get("cell_type")
    if kind == "code":
        return cell | {"source": cell.get("input", "")}
    if kind == "heading":
        level = cell.get("level")
        marks = "#" * min(6, max(1, int(level))) if isinstance(level, float) and abs(level) < 10 else "#"
        return cell | {"cell_type": "markdown", "source": [f"{marks} ", _joined(cell.get("source"))]}
    return cell | {"cell_type": "markdown"} if kind == "html" else cell


def _cell(tree: dict[str, Any], notes: list[str]) -> _Cell:
    kind = tree.get("cell_type")
    if kind not in ("code", "markdown", "raw"):
        kind = "code" if "outputs" in tree or "execution_count" in tree else "raw"
        notes.append("Some cells were of no known type; they were taken for code where they had outputs.")
    source = tree.get("source")
    if not isinstance(source, str | list):
        notes.append("Some cells had no text that could be read; they were taken as empty.")
    metadata = tree.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = marks.get("grade_id") if isinstance(marks, dict) else None
    identity = tree.get("id")
    return _Cell(
        kind=kind,
        source=_clean(_joined(source), notes),
        grade_id=grade_id if isinstance(grade_id, str) else "",
        marked=marks is not None,
        id=identity if isinstance(identity, str) and _CELL_ID.fullmatch(identity) else "",
        attachments=None if kind == "code" else _attachments(tree.get("attachments")),
    )


def _joined(source: Any) -> str:
    """The source of a cell, which the format has as text or as a list of lines."""
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def _clean(text: str, notes: list[str]) -> str:
    """The text with plain line ends, and without what no file and no parser of Python takes."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text or not text.isascii():
        # Halves of a surrogate pair written apart belong together; a lone one stands for no character.
        cleaned = text.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if cleaned != text:
            notes.append("Some characters in the notebook are no text; they were replaced.")
        return cleaned
    return text


def _attachments(tree: Any) -> dict[str, dict[str, str]] | None:
    """The pictures attached to a text cell, as far as they are pictures."""
    if not isinstance(tree, dict):
        return None
    kept: dict[str, dict[str, str]] = {}
    for name, bundle in tree.items():
        if not isinstance(bundle, dict):
            continue
        pictures = {kind: _joined(bundle[kind]) for kind in _IMAGES if isinstance(bundle.get(kind), str | list)}
        if pictures and all(text.isascii() for text in pictures.values()):
            kept[_clean(name, [])] = pictures
    return kept or None


# --- the release, and repairing against it ---


@dataclass(frozen=True)
class _ReleasedCell:
    """A cell of the release."""

    cell: _Cell
    metadata: dict[str, Any]
    locked: bool
    graded: bool

    @property
    def grade_id(self) -> str:
        """Empty for a cell that has no part in grading, and so belongs to the student."""
        return self.cell.grade_id


@dataclass(frozen=True)
class _Release:
    """The release that students got, with the master's points."""

    cells: tuple[_ReleasedCell, ...]
    metadata: dict[str, Any]
    points: dict[str, float]

    @property
    def known(self) -> dict[str, _ReleasedCell]:
        """The cells that have a part in grading, by ``grade_id``, in order."""
        return {each.grade_id: each for each in self.cells if each.grade_id}

    def untouched(self) -> list[_Cell]:
        """The release as if it had been submitted."""
        return [each.cell for each in self.cells]


def _release(assignment: Assignment) -> _Release:
    """The assignment's release.

    Raises:
        AutograderError: There is none, or it does not fit the master.
    """
    again = f"run `autograder release {assignment.name}`"
    try:
        status = assignment.release.stat()
    except OSError as problem:
        raise AutograderError(f"{assignment.name} has not been released: {again}") from problem
    try:
        cells, metadata = _parsed_release(assignment.release, status.st_mtime_ns, status.st_size, status.st_ino)
    except (OSError, SubmissionError, ValueError, TypeError, AttributeError) as problem:
        raise AutograderError(f"{assignment.release} is no notebook ({problem}): {again}") from problem
    points = {row.test_id: row.points for row in assignment.rows} | assignment.manual
    release = _Release(cells, metadata, points)
    known = release.known
    ids = [each.grade_id for each in cells if each.grade_id]
    graded = {name for name, each in known.items() if each.graded}
    if len(ids) > len(known) or graded != set(points) or any(row.name not in known for row in assignment.rows):
        raise AutograderError(f"{assignment.release} does not fit {assignment.master.name} any more: {again}")
    return release


@functools.lru_cache(maxsize=8)
def _parsed_release(path: Path, *_version: int) -> tuple[tuple[_ReleasedCell, ...], dict[str, Any]]:
    """The cells and the metadata of a release; ``_version`` is what changes with the file."""
    tree = _notebook_in(path.read_bytes(), [])
    cells = []
    for raw, cell in zip(tree.get("cells", ()), _cells(tree, []), strict=True):
        metadata = copy.deepcopy(raw.get("metadata", {}))
        marks = metadata.get("nbgrader") or {}
        grade, solution, task = (bool(marks.get(role)) for role in ("grade", "solution", "task"))
        if not (grade or solution or task or marks.get("locked")):
            metadata.pop("nbgrader", None)
            cell.grade_id, cell.marked = "", False
        # As nbgrader has it: a test is always locked, a solution never, anything else where it says so.
        locked = not solution and (grade or bool(marks.get("locked")))
        cells.append(_ReleasedCell(cell, _whole_numbers(metadata), locked, grade or task))
    return tuple(cells), _whole_numbers(tree.get("metadata", {}))


def _whole_numbers(tree: Any) -> Any:
    """The tree with those floats as ints that were ints in the file."""
    if isinstance(tree, dict):
        return {key: _whole_numbers(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_whole_numbers(value) for value in tree]
    return int(tree) if isinstance(tree, float) and tree.is_integer() else tree


def _repaired(cells: Sequence[_Cell], release: _Release, notes: list[str]) -> list[tuple[_Cell, _ReleasedCell | None]]:
    """The student's cells in the student's order, with what students may not change put back.

    Returns:
        Each cell, and the cell of the release that it is, or None for one of the student's own. Every cell of
        the release that has a part in grading is there exactly once.
    """
    known = release.known
    owners = _owners(cells, known, notes)
    changed: list[str] = []
    retyped: list[str] = []
    result: list[tuple[_Cell, _ReleasedCell | None]] = []
    for index, cell in enumerate(cells):
        released = known.get(owners.get(index, ""))
        if released is None:
            result.append((cell, None))
            continue
        ours = released.cell
        if not released.locked:
            if cell.kind != ours.kind:
                retyped.append(released.grade_id)
            result.append((cell, released))
            continue
        if ours.kind == "code" and (cell.kind != "code" or not _same(cell.source, ours.source)):
            changed.append(released.grade_id)
        result.append((ours, released))
    missing = _reinsert(result, known)

    tests = [name for name in changed if known[name].graded]
    others = [name for name in changed if not known[name].graded]
    if tests:
        notes.append(f"The visible checks had been changed and were restored: {', '.join(tests)}.")
    if others:
        notes.append(f"Read-only cells had been changed and were restored: {', '.join(others)}.")
    if retyped:
        notes.append(f"These cells were of another type (code, text) and were restored: {', '.join(retyped)}.")
    if known and len(missing) == len(known):
        notes.append("None of this assignment's cells is in the notebook: is it the right one?")
        return result
    if solutions := [name for name in missing if not known[name].locked]:
        notes.append(f"These cells had been deleted and stand empty in their place: {', '.join(solutions)}.")
    if checks := [name for name in missing if known[name].locked and known[name].graded]:
        notes.append(f"The visible checks had been deleted and were restored: {', '.join(checks)}.")
    return result


def _owners(cells: Sequence[_Cell], known: dict[str, _ReleasedCell], notes: list[str]) -> dict[int, str]:
    """Which cell of the release each cell is, by its position; of several with one id, the first is it."""
    owners: dict[int, str] = {}
    taken: set[str] = set()
    repeated: list[str] = []
    for index, cell in enumerate(cells):
        if cell.grade_id not in known:
            continue
        if cell.grade_id in taken:
            repeated.append(cell.grade_id)
            continue
        owners[index] = cell.grade_id
        taken.add(cell.grade_id)
    # Some editors drop nbgrader's metadata but keep the ids of the cells.
    by_id = {each.cell.id: name for name, each in known.items() if each.cell.id}
    for index, cell in enumerate(cells):
        name = by_id.get(cell.id, "")
        if name and not cell.marked and name not in taken:
            owners[index] = name
            taken.add(name)
    if repeated:
        names = ", ".join(dict.fromkeys(repeated))
        notes.append(f"These cells are there more than once; all but the first run as your own cells: {names}.")
    return owners


def _reinsert(result: list[tuple[_Cell, _ReleasedCell | None]], known: dict[str, _ReleasedCell]) -> list[str]:
    """Put the release's missing cells behind those that precede them there, and return their ids."""
    present = {released.grade_id for _, released in result if released is not None}
    missing = [name for name in known if name not in present]
    if not missing:
        return []
    place = 0
    for name, released in known.items():
        if name in present:
            places = (at for at, (_, each) in enumerate(result) if each is not None and each.grade_id == name)
            place = next(places) + 1
            continue
        # An empty solution cell, not the released stub: that would overwrite a function defined elsewhere.
        cell = released.cell if released.locked else _Cell(released.cell.kind, "", name)
        result.insert(place, (cell, released))
        place += 1
    return missing


def _same(one: str, other: str) -> bool:
    """Whether two sources are the same but for spaces at the ends of lines and blank lines around."""
    if one == other:
        return True
    return [line.rstrip() for line in one.strip().splitlines()] == [
        line.rstrip() for line in other.strip().splitlines()
    ]


def _notebook_of(cells: Iterable[tuple[_Cell, _ReleasedCell | None]], release: _Release) -> dict[str, Any]:
    """The cells as a notebook of format 4.5, every field of it written here."""
    pairs = list(cells)
    names = _unique_ids(pairs)
    built: list[dict[str, Any]] = []
    for (cell, released), name in zip(pairs, names, strict=True):
        metadata: dict[str, Any] = {}
        if released is not None:
            metadata = copy.deepcopy(released.metadata)
            if released.graded:
                points = release.points[released.grade_id]
                metadata["nbgrader"]["points"] = int(points) if points.is_integer() else points
        kind = cell.kind if released is None else released.cell.kind
        tree: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": metadata, "source": cell.source}
        if kind == "code":
            tree |= {"execution_count": None, "outputs": []}
        elif cell.attachments:
            tree["attachments"] = copy.deepcopy(cell.attachments)
        built.append(tree)
    return {"cells": built, "metadata": copy.deepcopy(release.metadata), "nbformat": 4, "nbformat_minor": 5}


def _unique_ids(pairs: Sequence[tuple[_Cell, _ReleasedCell | None]]) -> list[str]:
    """An id for each cell: the release's for its own cells, the student's where it is free, else a number."""
    taken: set[str] = set()
    names: list[str] = [""] * len(pairs)
    for turn in ("the release's", "the student's"):
        for index, (cell, released) in enumerate(pairs):
            wanted = cell.id if released is None else released.cell.id
            theirs = "the student's" if released is None else "the release's"
            if theirs == turn and wanted and wanted not in taken:
                names[index] = wanted
                taken.add(wanted)
    numbers = (f"cell-{number}" for number in range(1, 2 * len(pairs) + 1))
    free = (name for name in numbers if name not in taken)
    return [name or next(free) for name in names]
