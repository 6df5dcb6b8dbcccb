"""The inbound folder of nbgrader's exchange, read without trusting anything in it.

Every student can write there, so an entry may be anything: a link to an answer, a pipe, a device, a gigabyte, a name
that is no text, in somebody else's name, and another one a moment after it was looked at. Every step opens by a
descriptor of the folder around it, follows no link, waits for nobody, and looks at what is open rather than at a name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from fnmatch import fnmatchcase
from pathlib import Path

from autograder.base import AutograderError, RefusedError, printable
from autograder.submission.folders import id_problem, kind_of, utc_of

MAX_FILES = 1_000
"""Files and folders of one entry."""

MAX_DEPTH = 6
"""Folders within folders of one entry."""

MAX_EACH = 100
"""Entries of one owner in one name that are looked at, from the newest on."""

MAX_WASTED = 2**28
"""Bytes that are read of one account's entries in one look without any of them being taken: a second or so."""

FILE_COSTS = 2**14
"""A file or a folder that is opened takes as long as so many bytes."""

CLOSE = timedelta(seconds=60)
"""How far the time that a student's side writes and the folder's own may be apart: a copy takes a while."""

COMING_SECONDS = 60.0
"""How long an entry is waited for that lacks what nbgrader's submit writes last."""

SECRET = "submission_secret.txt"
STAMP = "timestamp.txt"
_LEFT_OUT = (".ipynb_checkpoints", "__pycache__", "*.pyc", "feedback", ".autograder*", ".*.part")
"""What nbgrader's collect leaves in the exchange as well, and names that are the grader's own."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_CLOSED = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


@dataclass(frozen=True)
class Arrival:
    """An entry of the inbound folder, as its name and the folder itself say; nothing in it has been read.

    Attributes:
        name: The entry's name.
        student: The id that it claims.
        stamp: When it was handed in by its own word, as its name has it.
        claimed: The same as a time, in UTC.
        owner: The number of the account that owns the folder.
        changed: When the folder last changed: what the kernel says, which no student can set.
        node: What tells the folder from one that takes its place.
    """

    name: str
    student: str
    stamp: str
    claimed: datetime
    owner: int
    changed: datetime
    node: tuple[int, int]


@dataclass(frozen=True)
class Content:
    """What is in an entry.

    Attributes:
        files: Each file's bytes, by its place in the entry.
        changed: When the entry or anything in it last changed.
    """

    files: dict[str, bytes]
    changed: datetime


@contextlib.contextmanager
def open_inbound(exchange: Path, course_name: str, owners: Collection[int] | None) -> Iterator[int]:
    """The inbound folder of a course in an exchange, as a descriptor.

    Args:
        exchange: The exchange's folder.
        course_name: The course's name.
        owners: Whose the course's folder there and the inbound folder may be; anybody's where None.

    Raises:
        AutograderError: There is none that can be read, a link leads to it, or it is a stranger's.
    """
    path = exchange
    with contextlib.ExitStack() as opened:
        try:
            descriptor = os.open(path, _FOLDER)
            opened.callback(os.close, descriptor)
            for name in (course_name, "inbound"):
                path /= name
                descriptor = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
                opened.callback(os.close, descriptor)
                owner = os.fstat(descriptor).st_uid
                if owners is not None and owner not in owners:
                    raise AutograderError(
                        f"{path} belongs to the account {owner}, which is not the course's: whoever owns it can change "
                        "what others hand in, so nothing is collected from it. Release the assignment again as the "
                        "account that keeps the course, or give it the folder (chown)"
                    )
        except OSError as error:
            link = error.errno in (errno.ELOOP, errno.ENOTDIR)
            why = "it is a link, or no folder" if link else error.strerror
            raise AutograderError(f"{path} cannot be read: {why}; nothing is collected from the exchange") from error
        yield descriptor


def arrivals_in(
    inbound: int, assignment_name: str, timezone: tzinfo | None
) -> tuple[list[Arrival], list[tuple[str, str]]]:
    """What lies in the inbound folder for an assignment, and what cannot be taken for an entry: its name, and why.

    Of what one account put there in one name, the newest by their names are looked at.
    """
    pattern = re.compile(rf"(.*)\+{re.escape(assignment_name)}(?:\+(.*))?", re.DOTALL)
    found: dict[tuple[str, int], list[Arrival]] = {}
    refused: list[tuple[str, str]] = []
    for name in sorted(os.listdir(inbound)):
        parts = pattern.fullmatch(name)
        if parts is None:
            continue
        try:
            arrival = _arrival(inbound, name, parts[1], parts[2] or "", timezone)
        except FileNotFoundError:
            continue
        except RefusedError as error:
            refused.append((_shown(name), str(error)))
        except OSError as error:
            refused.append((_shown(name), f"it cannot be looked at: {error.strerror}"))
        else:
            found.setdefault((arrival.student, arrival.owner), []).append(arrival)
    newest = []
    for (student, owner), theirs in found.items():
        theirs.sort(key=lambda each: (each.claimed, each.name), reverse=True)
        newest += theirs[:MAX_EACH]
        if len(theirs) > MAX_EACH:
            count = f"{len(theirs):,} entries are in this name, of the account {owner}"
            refused.append((student, f"{count}; the newest {MAX_EACH} are looked at"))
    return newest, refused


def read_arrival(inbound: int, arrival: Arrival, limit: int, wasted: dict[int, int]) -> Content:
    """All that is to be collected of an entry, in memory.

    Args:
        inbound: The inbound folder.
        arrival: The entry.
        limit: The most bytes that all its files may have together.
        wasted: How much was read in this look, by account, of entries that were not taken; it is added to. A file
            without a byte on the disk can be as long as may be handed in, and there can be thousands.

    Raises:
        RefusedError: Anything in it is no plain file or folder of its owner's, or it is too much.
    """
    if wasted.get(arrival.owner, 0) > MAX_WASTED:
        raise RefusedError("so much of its account's could not be taken that no more was looked at")
    files: dict[str, bytes] = {}
    room = [limit, MAX_FILES]
    try:
        with _opened_entry(inbound, arrival) as folder:
            changed = _read_folder(folder, "", arrival, files, room, 1)
    except RefusedError:
        spent = limit - room[0] + FILE_COSTS * (1 + MAX_FILES - room[1])
        wasted[arrival.owner] = wasted.get(arrival.owner, 0) + spent
        raise
    return Content(files, _moment(changed))


def is_coming(inbound: int, arrival: Arrival, settled_seconds: float) -> bool:
    """Whether somebody may still be writing an entry: it changed a moment ago, or lacks what is written last."""
    age = time.time() - arrival.changed.timestamp()
    if age < settled_seconds:
        return True
    if age > COMING_SECONDS:
        return False
    try:
        with _opened_entry(inbound, arrival) as folder:
            os.stat(SECRET, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return True
    except (RefusedError, OSError):
        return False
    return False


def counted(arrival: Arrival, changed: datetime) -> tuple[datetime, str, str]:
    """When an entry counts as handed in: by its own word where the folder's own time agrees, else by the folder's.

    Returns:
        The time, the same as text for ``timestamp.txt``, and what is to be said of it; usually nothing.
    """
    if abs(changed - arrival.claimed) <= CLOSE:
        return arrival.claimed, arrival.stamp, ""
    stamp = f"{changed:%Y-%m-%d %H:%M:%S.%f} UTC"
    said = (
        f"it says that it was handed in at {arrival.stamp}, and its folder changed last at {changed:%Y-%m-%d %H:%M:%S} "
        "UTC, which counts. If the exchange was moved or restored, write the right time into timestamp.txt"
    )
    return changed, stamp, said


def _arrival(inbound: int, name: str, student: str, rest: str, timezone: tzinfo | None) -> Arrival:
    status = os.stat(name, dir_fd=inbound, follow_symlinks=False)
    if problem := id_problem(student):
        raise RefusedError(f"its name begins with what can be nobody's id: {problem}")
    if any(mark in student for mark in "*?[]"):
        raise RefusedError("an id with * ? [ or ] in it is a pattern to nbgrader")
    if not stat.S_ISDIR(status.st_mode):
        raise RefusedError(f"it is {kind_of(status.st_mode)}, not a folder")
    # Behind the time nbgrader writes a random word, unless told not to; the time itself may end in " +0100".
    head = rest.rpartition("+")[0]
    for stamp in (rest,) if head.endswith(" ") else (head, rest):
        with contextlib.suppress(ValueError, OverflowError):
            claimed = datetime.fromisoformat(utc_of(stamp, timezone))
            changed = _moment(status.st_ctime_ns)
            return Arrival(name, student, stamp, claimed, status.st_uid, changed, (status.st_dev, status.st_ino))
    raise RefusedError("its name does not end in a time as nbgrader writes it, such as 2026-11-29 23:59:00.000000 UTC")


@contextlib.contextmanager
def _opened_entry(inbound: int, arrival: Arrival) -> Iterator[int]:
    """An entry's folder, where it is still the one that was looked at."""
    folder = _open(arrival.name, "it", inbound, _FOLDER)
    try:
        status = os.fstat(folder)
        if (status.st_dev, status.st_ino) != arrival.node or status.st_uid != arrival.owner:
            raise RefusedError("it became another one while it was looked at")
        if status.st_dev != os.fstat(inbound).st_dev:
            raise RefusedError("another file system is mounted on it")
        yield folder
    finally:
        os.close(folder)


def _read_folder(
    folder: int, place: str, arrival: Arrival, files: dict[str, bytes], room: list[int], depth: int
) -> int:
    """Read what is in a folder into ``files``; ``room`` is what is left of bytes and of entries.

    Returns:
        When it or anything in it last changed, in nanoseconds.
    """
    names: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                room[1] -= 1
                if room[1] < 0:
                    raise RefusedError(f"there are more than {MAX_FILES:,} files and folders in it")
                names.append(entry.name)
    except OSError as error:
        raise RefusedError(f"{_called(place)} cannot be read: {error.strerror}") from error
    changed = os.fstat(folder).st_ctime_ns
    for name in sorted(names):
        where = f"{place}{name}"
        if any(fnmatchcase(name, pattern) for pattern in _LEFT_OUT):
            continue
        status = _status(name, where, folder)
        if stat.S_ISDIR(status.st_mode) and depth >= MAX_DEPTH:
            raise RefusedError(f"it has more than {MAX_DEPTH} folders in each other")
        opened = _open(name, _called(where), folder, _FOLDER if stat.S_ISDIR(status.st_mode) else os.O_RDONLY)
        try:
            status = os.fstat(opened)
            _require_plain(status, where, arrival)
            if stat.S_ISDIR(status.st_mode):
                changed = max(changed, _read_folder(opened, f"{where}/", arrival, files, room, depth + 1))
                continue
            content = _read(opened, where, room)
            changed = max(changed, os.fstat(opened).st_ctime_ns)
        finally:
            os.close(opened)
        if where != STAMP:
            files[where] = content
    return changed


def _status(name: str, where: str, folder: int) -> os.stat_result:
    """What a name stands for, before it is opened: opening a device may do something."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        raise RefusedError(f"{_called(where)} cannot be read: {error.strerror}") from error
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise RefusedError(f"{_called(where)} is {kind_of(status.st_mode)}, not a file")
    return status


def _require_plain(status: os.stat_result, where: str, arrival: Arrival) -> None:
    """Refuse what is no file or folder of the entry's owner's alone, of what is open."""
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise RefusedError(f"{_called(where)} is {kind_of(status.st_mode)}, not a file")
    if status.st_uid != arrival.owner:
        raise RefusedError(
            f"{_called(where)} belongs to the account {status.st_uid}, and the folder to the account {arrival.owner}"
        )
    if status.st_dev != arrival.node[0]:
        raise RefusedError(f"another file system is mounted on {_called(where)}")
    if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
        raise RefusedError(f"{_called(where)} is a hard link: the same file has {status.st_nlink} names")


def _read(file: int, where: str, room: list[int]) -> bytes:
    """A file's bytes, no more than there is room for, whatever it says of its size and however it grows."""
    parts = []
    try:
        while part := os.read(file, min(2**20, room[0] + 1)):
            parts.append(part)
            room[0] -= len(part)
            if room[0] < 0:
                raise RefusedError(f"it is too large: with {_called(where)} it has more than may be handed in")
    except OSError as error:
        raise RefusedError(f"{_called(where)} cannot be read: {error.strerror}") from error
    return b"".join(parts)


def _open(name: str, called: str, folder: int, flags: int) -> int:
    try:
        return os.open(name, flags | _CLOSED, dir_fd=folder)
    except OSError as error:
        link = error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)
        why = "is a link, or no folder" if link else f"cannot be read: {error.strerror}"
        raise RefusedError(f"{called} {why}") from error


def _called(where: str) -> str:
    return _shown(where.rstrip("/")) or "it"


def _shown(name: str) -> str:
    text = printable(name)
    return text if len(text) <= 120 else f"{text[:117]}…"


def _moment(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds // 10**9, UTC).replace(microsecond=nanoseconds // 1000 % 10**6)
