"""Files written whole: after a crash each is the old one or the new one."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from autograder.base.errors import AutograderError

OURS_ALONE = 0o600
"""The mode of what nobody else on the machine has to read: answers, grades, submissions."""

FOR_ALL = 0o644
"""The mode of what goes to students as it is: a release, a page of feedback in an exchange."""


def write_atomically(path: Path, text: str | None, *, mode: int = OURS_ALONE) -> None:
    """Replace the file by one with this text, or remove it where that is None; after a crash it is old or new."""
    if text is None:
        path.unlink(missing_ok=True)
        return
    # A lone surrogate, which UTF-8 has no bytes for, becomes JSON's own escape of it.
    replace_file(path, text.encode("utf-8", "backslashreplace"), durable=True, mode=mode)


def write_bytes_atomically(path: Path, content: bytes, *, mode: int = OURS_ALONE) -> None:
    """As ``write_atomically``, for bytes."""
    replace_file(path, content, durable=True, mode=mode)


def replace_file(path: Path, content: bytes, *, durable: bool, mode: int = OURS_ALONE) -> None:
    """As ``write_bytes_atomically``; where it need not be ``durable`` the disk may keep it later."""
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
            os.fchmod(file.fileno(), mode | _shared(path.parent) & 0o060)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_output(path: Path, content: str | bytes, *, mode: int = OURS_ALONE) -> None:
    """Write a file that somebody asked for by its name.

    Raises:
        AutograderError: It could not be written; the message names it.
    """
    written = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    try:
        write_bytes_atomically(path.resolve(), written, mode=mode)
    except OSError as error:
        raise AutograderError(f"{path} could not be written: {error.strerror}") from error


def make_folder(folder: Path) -> None:
    """Make a folder that somebody asked for, with those around it, where it is not there yet.

    Raises:
        AutograderError: It could not be made; the message names it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AutograderError(f"{error.filename or folder} could not be written: {error.strerror}") from error


def make_closed_folder(folder: Path) -> None:
    """Make a folder, with those around it that are missing, which nobody else on the machine can enter.

    What is there already stays as open or closed as it is. Inside a folder that a group shares (``chmod g+ws``), the
    group can enter.

    Raises:
        OSError: It could not be made.
    """
    for each in (*reversed(folder.parents), folder):
        if not each.is_dir():
            each.mkdir(mode=0o700, exist_ok=True)
            if shared := _shared(each.parent):
                each.chmod(0o700 | shared)


def make_closed_file(path: Path) -> None:
    """Make an empty file that nobody else can read, where none is there; as ``make_closed_folder`` does.

    Raises:
        OSError: It could not be made.
    """
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.fchmod(descriptor, OURS_ALONE | _shared(path.parent) & 0o060)
        os.close(descriptor)


def _shared(folder: Path) -> int:
    """The bits of a mode by which a folder is its group's too, for what is made in it; 0 where it is not."""
    mode = folder.stat().st_mode
    return stat.S_ISGID | 0o070 if mode & stat.S_ISGID and mode & stat.S_IWGRP else 0
