"""The files that an assignment allows beside its notebook: whose copy counts, and what is in it.

What a note here says is for the student.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from autograder.base import ConfigError, RefusedError
from autograder.course import Assignment
from autograder.submission.folders import read_regular


@dataclass(frozen=True)
class Beside:
    """What a submission's notebook is given to read.

    Attributes:
        contents: The files' bytes by name, in the configuration's order.
        notes: Sentences for the student on files that are missing or not used.
        decisive: What the student's own files add to the submission's digest; empty where there can be none.
    """

    contents: dict[str, bytes]
    notes: tuple[str, ...]
    decisive: bytes


def files_beside(folder: Path, assignment: Assignment) -> Beside:
    """The files for the notebook in ``folder``: the course's own where it has them, else what was handed in.

    All together have at most ``limits.file_mb``. What was handed in counts where it is a regular file of one name
    only; anything else is left out with a note.

    Args:
        folder: The folder that the notebook lies in.
        assignment: What it is a submission for.

    Raises:
        ConfigError: A file of the course's own cannot be read, or they are too large.
    """
    most = room = assignment.limits.file_mb * 2**20
    contents: dict[str, bytes] = {}
    notes: list[str] = []
    decisive = bytearray()
    for name, path in assignment.given.items():
        try:
            contents[name] = path.read_bytes()
        except OSError as problem:
            raise ConfigError(f"{path}, a file of the assignment's, cannot be read: {problem.strerror}") from problem
        room -= len(contents[name])
        if room < 0:
            raise ConfigError(f"{path}: the assignment's files have more than limits.file_mb, {most / 2**20:g} MB")
        # Students hand in files without folders: what lies in one of theirs is not looked at.
        if "/" not in name and os.path.lexists(folder / name) and not _holds(folder / name, contents[name]):
            notes.append(f"Your own {name} was not used: the course's copy of it counts. This costs nothing.")
    for name in assignment.files:
        if name in contents:
            continue
        if "/" in name:
            raise ConfigError(f"{assignment.master.parent / name}, a file of the assignment's, is not there")
        found = _handed_in(folder / name, room)
        if isinstance(found, str):
            notes.append(found)
            decisive += hashlib.sha256(f"{name}: {found}".encode()).digest()
        else:
            contents[name] = found
            room -= len(found)
            decisive += hashlib.sha256(name.encode() + b"\0" + found).digest()
    ordered = {name: contents[name] for name in assignment.files if name in contents}
    return Beside(ordered, tuple(notes), bytes(decisive))


def _handed_in(path: Path, room: int) -> bytes | str:
    """The file's bytes, or why there are none."""
    name = path.name
    if not os.path.lexists(path):
        return f"There was no {name} beside your notebook; cells that read it fail. Hand it in along with the notebook."
    try:
        content, size = read_regular(path, room, one_name=True)
    except RefusedError:
        return f"Your {name} was not used: it is a link or no ordinary file. Hand in the file itself."
    if size > room:
        return f"Your {name} was not used: it has {size / 2**20:.1f} MB, and {room / 2**20:.1f} MB are left for files."
    return content


def _holds(path: Path, content: bytes) -> bool:
    try:
        return read_regular(path, len(content)) == (content, len(content))
    except RefusedError:
        return False
