"""A zip file of Canvas's or Moodle's → what each person handed in, by the names that the system gave its members.

Which system wrote the file is decided once, by all its members and by the system of the table that says who is who.
The system writes the start of a member's name and the student its end. So a name is read from its start, and what a
student calls a file never says whose it is.

Nothing is unpacked under its own name: a member is read into memory, in pieces, up to the size that it says.
"""

from __future__ import annotations

import functools
import io
import os
import re
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Literal

from autograder.base import AutograderError, RefusedError, printable
from autograder.course import Assignment

System = Literal["", "canvas", "moodle"]
"""Which learning management system; empty where it is not known."""

MAX_MEMBERS = 50_000
"""Members of a zip file: a class of 10,000 with five files each."""

MAX_TOTAL = 20_000_000_000
"""Bytes that a zip file may unpack to, by its own word, before anything of it is read."""

MAX_DIRECTORY = 16 * 2**20
"""Bytes of a zip file's list of members: more than twice what ``MAX_MEMBERS`` take."""

MAX_READINGS = 20
"""Ways in which one name is read at most."""

_PIECE = 2**20
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What Canvas and Moodle write. Python unpacks these in bounded pieces, and the others (bzip2, LZMA) in one."""

# Canvas: name[_LATE]_user_file_original[-attempt].ipynb, as "Download Submissions" writes them; no _ is in the name.
_CANVAS = re.compile(r"(?P<name>[^_/]*)(?:_(?P<late>LATE))?_(?P<user>[0-9]+)_(?P<number>[0-9]+)_(?P<file>[^/]+)")
_CANVAS_LATER = re.compile(r"(?:_LATE)?_(?P<user>[0-9]+)(?=_[0-9]+_.)")
"""Where a name ends that has a _ in it after all."""
_ATTEMPT = re.compile(r"-(?P<attempt>[0-9]{1,6})(?=\.ipynb$)", re.IGNORECASE)
# Moodle: "Full name_participant_assignsubmission_file/original": the whole folder's name is the system's …
_MOODLE_FOLDER = re.compile(r"(?P<name>[^/]+)_(?P<user>[0-9]+)_assignsubmission_file_?/(?P<file>[^/]+)")
# … or flat, where the first place that can be the participant's number is it.
_MOODLE_FLAT = re.compile(r"_(?P<user>[0-9]+)_assignsubmission_file(?=_.)")
_MOODLE = re.compile(r"[^/]+_[0-9]+_assign(?:submission|feedback)_[a-z]")
"""How every name of Moodle's begins, of files, texts written online and comments."""


@dataclass
class Upload:
    """What one person handed in at one time.

    Attributes:
        who: What tells the person from others of the same source.
        name: What the system calls the person; empty where the source has ids.
        number: The system's number of the person; empty where the source has ids.
        order: Which attempt it is: the highest counts.
        late: Whether the system says so.
        doubles: Other ways to read the names, as (name, number): a person of exactly that name and number may claim it.
        files: What reads each file, by the name that it is kept under: of a class, not all are in memory at once.
    """

    who: str
    name: str = ""
    number: str = ""
    order: int = 0
    late: bool = False
    doubles: tuple[tuple[str, str], ...] = ()
    files: dict[str, Callable[[], bytes]] = field(default_factory=dict)


def uploads_in_zip(
    source: Path, opened: ExitStack, assignment: Assignment, roster: System, refused: list[tuple[str, str]]
) -> Iterator[Upload]:
    """What was handed in, by person and attempt, each with one notebook.

    Args:
        source: The zip file.
        opened: What keeps it open until everything is read.
        assignment: What was handed in for.
        roster: The system whose table says who is who; empty where there is none.
        refused: Takes what is not taken, and why.

    Raises:
        AutograderError: It is no zip file, is damaged or too large, or its names are not those of the roster's system.
    """
    archive = _opened(source, opened)
    members = [each for each in archive.infolist() if not _is_beside_the_point(each)]
    times = Counter(each.filename for each in members)
    sound = []
    for member in members:
        why = _mistrusted(member, assignment)
        if not why and times[member.filename] > 1:
            why = "there are two of that name"
        if why:
            refused.append((printable(member.filename), why))
        else:
            sound.append(member)
    system = _system_of([each.filename for each in sound], roster, source)
    uploads: dict[tuple[str, int], Upload] = {}
    for member in sound:
        named = _named(member.filename, system)
        if named is None:
            whose = {"canvas": "not Canvas's", "moodle": "not Moodle's"}.get(system, "neither Canvas's nor Moodle's")
            refused.append((printable(member.filename), f"its name is {whose}"))
            continue
        who, file = named
        if file.lower().endswith(".zip"):
            why = "a zip file inside the zip file is not opened; hand in the notebook itself"
            refused.append((printable(member.filename), why))
        elif file.lower().endswith(".ipynb") or file in assignment.files:
            upload = uploads.setdefault((who.who, who.order), who)
            upload.doubles += who.doubles if upload is not who else ()
            if file in upload.files:
                refused.append((printable(member.filename), f"the same person handed in another file called {file}"))
            else:
                upload.files[file] = functools.partial(_read_member, archive, member)
    return _with_one_notebook(uploads.values(), assignment, refused)


def too_large(name: str, assignment: Assignment) -> str:
    """Why a file is not read that has more bytes than a notebook may have."""
    return f"{printable(name)} has more than limits.notebook_mb, {assignment.limits.notebook_mb} MB"


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


def _is_beside_the_point(member: zipfile.ZipInfo) -> bool:
    """Whether a member is a folder, or what a Mac puts in beside the files."""
    name = PurePosixPath(member.filename)
    return member.is_dir() or name.parts[:1] == ("__MACOSX",) or name.name == ".DS_Store" or name.name.startswith("._")


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
    if member.compress_type not in _PACKINGS:
        return "it is packed in a way that neither Canvas nor Moodle packs; unpack it and zip it again"
    if member.file_size > assignment.limits.notebook_mb * 2**20:
        return too_large(PurePosixPath(name).name, assignment)
    return ""


def _system_of(names: Sequence[str], roster: System, source: Path) -> System:
    """The system that wrote a zip file with these names: one that explains all that any of them explains.

    A system writes the start of every name, so it explains all names of its own files, whatever their students chose.
    Where both do, it is Canvas, whose part of a name ends first.

    Raises:
        AutograderError: None does, or not the one whose table says who is who.
    """
    explained: dict[System, set[str]] = {
        "canvas": {name for name in names if _CANVAS.fullmatch(name)},
        "moodle": {name for name in names if _MOODLE.match(name)},
    }
    every = explained["canvas"] | explained["moodle"]
    possible = [system for system, those in explained.items() if every and those == every]
    if not every:
        return roster
    if roster and roster not in possible:
        odd = printable(min(every - explained[roster]))
        raise AutograderError(
            f"{source}: the table of who is who is {roster.title()}'s, and not all names in the zip file are, such as "
            f"{odd}. Give the table of the system that the zip file is from"
        )
    if not possible:
        one, other = (printable(min(those)) for those in explained.values())
        raise AutograderError(
            f"{source}: some of its names are Canvas's ({one}), others Moodle's ({other}), so nobody can say whose "
            "they are. Collect what each system gave by itself"
        )
    return roster or possible[0]


def _named(member: str, system: System) -> tuple[Upload, str] | None:
    """Who handed in a member of a zip file and when in the order of attempts, and the file's own name."""
    if system == "canvas" and (found := _CANVAS.fullmatch(member)):
        # Files of one attempt have numbers of their own; the attempt alone is what they share.
        attempt = _ATTEMPT.search(found["file"])
        order = int(attempt["attempt"]) if attempt else 0
        name, number = found["name"], found["user"]
        later = islice(_CANVAS_LATER.finditer(member, found.end("name") + 1), MAX_READINGS)
        doubles = tuple((member[: other.start()], other["user"]) for other in later)
        who = Upload(_who(name, number), name, number, order, bool(found["late"]), doubles)
        return who, _ATTEMPT.sub("", found["file"])
    if system == "moodle" and (found := _MOODLE_FOLDER.fullmatch(member)):
        return Upload(_who(found["name"], found["user"]), found["name"], found["user"]), found["file"]
    if system == "moodle" and "/" not in member:
        ends = [*islice(_MOODLE_FLAT.finditer(member, 1), MAX_READINGS)]
        (name, number), *others = [(member[: end.start()], end["user"]) for end in ends] or [("", "")]
        if name:
            return Upload(_who(name, number), name, number, doubles=tuple(others)), member[ends[0].end() + 1 :]
    return None


def _who(name: str, number: str) -> str:
    return f"{name}\0{number}"


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """The bytes of a member, no more than it says, unpacked in pieces.

    Raises:
        RefusedError: It is damaged, or not of the size that it says.
    """
    pieces = bytearray()
    try:
        with archive.open(member) as file:
            while len(pieces) <= member.file_size and (piece := file.read(_PIECE)):
                pieces += piece
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise RefusedError(f"{printable(member.filename)} is damaged or packed in an unknown way: {error}") from error
    if len(pieces) != member.file_size:
        raise RefusedError(f"{printable(member.filename)} is damaged: it has not the size that it says")
    return bytes(pieces)


def _with_one_notebook(
    uploads: Iterable[Upload], assignment: Assignment, refused: list[tuple[str, str]]
) -> Iterator[Upload]:
    """Those in which one notebook is the assignment's: that of its name, or the only one."""
    name = f"{assignment.notebook}.ipynb"
    for each in uploads:
        notebooks = [file for file in each.files if file.lower().endswith(".ipynb")]
        if name not in notebooks and len(notebooks) == 1:
            each.files[name] = each.files.pop(notebooks[0])
        elif name not in notebooks:
            said = f"there are {len(notebooks)} notebooks, none of which is called {name}: {', '.join(notebooks)}"
            why = said if notebooks else f"there is no notebook: expected {name}"
            refused.append((printable(each.name or each.number), why))
            continue
        for other in notebooks:
            if other != name:
                each.files.pop(other, None)
        yield each
