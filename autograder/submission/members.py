"""The files of a zip file, or of a folder that one was unpacked to, each with its place and what reads it.

Nothing is unpacked under its own name: a member is read into memory, in pieces, up to the size that it says.
"""

from __future__ import annotations

import functools
import io
import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from autograder.base import AutograderError, RefusedError, printable
from autograder.course import Assignment
from autograder.submission.file_names import is_litter
from autograder.submission.folders import read_regular

MAX_MEMBERS = 50_000
"""Members of a zip file: a class of 10,000 with five files each."""

MAX_TOTAL = 20_000_000_000
"""Bytes that a zip file may unpack to, by its own word, before anything of it is read."""

MAX_DIRECTORY = 16 * 2**20
"""Bytes of a zip file's list of members: more than twice what ``MAX_MEMBERS`` take."""

MAX_DEPTH = 20
"""Folders in each other that are looked into."""

_PIECE = 2**20
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What the systems write. Python unpacks these in bounded pieces, and the others (bzip2, LZMA) in one."""

_UTF8 = 0x800
_UNICODE_PATH = 0x7075


@dataclass(frozen=True)
class Member:
    """A file that somebody may have handed in.

    Attributes:
        name: Its place, with ``/`` between folders and its letters in one form.
        read: What gives its bytes; it raises RefusedError where it is damaged.
        why: Why it is not read; empty where nothing is wrong with it.
    """

    name: str
    read: Callable[[], bytes]
    why: str = ""


def members_in_zip(source: Path, opened: ExitStack, assignment: Assignment) -> list[Member]:
    """The files of a zip file, without folders and what a Mac or Windows adds.

    Args:
        source: The zip file.
        opened: What keeps it open until everything is read.
        assignment: What was handed in for.

    Raises:
        AutograderError: It is no zip file, is damaged or too large.
    """
    archive = _opened(source, opened)
    found = []
    for info in archive.infolist():
        name = _name_of(info)
        if not (info.is_dir() or name.endswith("/") or is_litter(name)):
            found.append(Member(name, functools.partial(_read, archive, info), _mistrusted(info, name, assignment)))
    return _each_once(found)


def members_in_folder(source: Path, assignment: Assignment) -> list[Member]:
    """The files of a folder and of those in it, without hidden ones and what a Mac or Windows adds; links too.

    Raises:
        AutograderError: There are too many.
    """
    found: list[Member] = []
    for path in _files_below(source, MAX_DEPTH):
        name = unicodedata.normalize("NFC", path.relative_to(source).as_posix())
        if is_litter(name) or name.startswith("."):
            continue
        if len(found) >= MAX_MEMBERS:
            raise AutograderError(f"{source}: it holds more than {MAX_MEMBERS:,} files. Is it one assignment's?")
        found.append(Member(name, functools.partial(_read_file, path, assignment)))
    return _each_once(found)


def too_large(name: str, assignment: Assignment) -> str:
    """Why a file is not read that has more bytes than a notebook may have."""
    return f"{printable(name)} has more than limits.notebook_mb, {assignment.limits.notebook_mb} MB"


def _each_once(found: Sequence[Member]) -> list[Member]:
    times = Counter(each.name for each in found)
    twice = "there are two of that name"
    return [Member(each.name, each.read, each.why or twice) if times[each.name] > 1 else each for each in found]


class _Bounded(io.FileIO):
    """A zip file's own file, of which no more is read at once than a list of its members may have."""

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(os.fstat(self.fileno()).st_size - self.tell(), 0)
        size = left if size is None or size < 0 else min(size, left)
        if size > MAX_DIRECTORY:
            raise zipfile.BadZipFile(f"its list of members has more than {MAX_DIRECTORY:,} bytes")
        return super().read(size) or b""


def _opened(source: Path, opened: ExitStack) -> zipfile.ZipFile:
    try:
        archive = opened.enter_context(zipfile.ZipFile(opened.enter_context(_Bounded(source))))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise AutograderError(f"{source}: it is no zip file, or is damaged: {error}. Download it again") from error
    members = archive.infolist()
    total = sum(each.file_size for each in members)
    if len(members) > MAX_MEMBERS or total > MAX_TOTAL:
        raise AutograderError(
            f"{source}: it holds {len(members):,} files, of {total:,} bytes by its own word; at most "
            f"{MAX_MEMBERS:,} of {MAX_TOTAL:,} are read. Is it the submissions of one assignment?"
        )
    return archive


def _name_of(info: zipfile.ZipInfo) -> str:
    r"""A member's place. Macs and older libraries write UTF-8 and do not say so; Windows may write ``\``."""
    name = info.filename
    if not info.flag_bits & _UTF8 and not name.isascii():
        try:
            name = _unicode_path(info.extra) or name.encode("cp437").decode()
        except UnicodeError:
            name = info.filename
    return unicodedata.normalize("NFC", name.replace("\\", "/"))


def _unicode_path(extra: bytes) -> str:
    """The name in a member's extra fields, where Info-ZIP puts it; empty where there is none."""
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == _UNICODE_PATH and size > 5:
            return extra[9 : 4 + size].decode()
        extra = extra[4 + size :]
    return ""


def _mistrusted(info: zipfile.ZipInfo, name: str, assignment: Assignment) -> str:
    """Why a member of a zip file is not read; empty where nothing is wrong with it."""
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "it is no plain file, but a link or a device"
    if info.flag_bits & 1:
        return "it is encrypted"
    if name.startswith("/") or ".." in re.split(r"[/\\]", name) or not name.isprintable():
        return "its name leads out of the zip file, or cannot be printed"
    if info.compress_type not in _PACKINGS:
        return "it is packed in a way that neither Canvas nor Moodle packs; unpack it and zip it again"
    if info.file_size > assignment.limits.notebook_mb * 2**20:
        return too_large(PurePosixPath(name).name, assignment)
    return ""


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The bytes of a member, no more than it says, unpacked in pieces.

    Raises:
        RefusedError: It is damaged, or not of the size that it says.
    """
    pieces = bytearray()
    try:
        with archive.open(info) as file:
            while len(pieces) <= info.file_size and (piece := file.read(_PIECE)):
                pieces += piece
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise RefusedError(f"{printable(info.filename)} is damaged or packed in an unknown way: {error}") from error
    if len(pieces) != info.file_size:
        raise RefusedError(f"{printable(info.filename)} is damaged: it has not the size that it says")
    return bytes(pieces)


def _files_below(folder: Path, depth: int) -> Iterator[Path]:
    """What is no folder below a folder, links among it, which are not followed."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise AutograderError(f"{folder} cannot be read: {error.strerror}") from error
    for path in entries:
        if not path.is_dir() or path.is_symlink():
            yield path
        elif depth and not path.name.startswith("."):
            yield from _files_below(path, depth - 1)


def _read_file(path: Path, assignment: Assignment) -> bytes:
    limit = assignment.limits.notebook_mb * 2**20
    content, size = read_regular(path, limit, one_name=True)
    if size > limit:
        raise RefusedError(too_large(path.name, assignment))
    return content
