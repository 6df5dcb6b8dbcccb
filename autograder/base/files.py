"""Files written whole: after a crash each is the old one or the new one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from autograder.base.errors import AutograderError


def write_atomically(path: Path, text: str | None) -> None:
    """Replace the file by one with this text, or remove it where that is None; after a crash it is old or new."""
    if text is None:
        path.unlink(missing_ok=True)
        return
    # A lone surrogate, which UTF-8 has no bytes for, becomes JSON's own escape of it.
    replace_file(path, text.encode("utf-8", "backslashreplace"), durable=True)


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """As ``write_atomically``, for bytes."""
    replace_file(path, content, durable=True)


def replace_file(path: Path, content: bytes, *, durable: bool) -> None:
    """As ``write_bytes_atomically``; where it need not be ``durable`` the disk may keep it later."""
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_output(path: Path, content: str | bytes) -> None:
    """Write a file that somebody asked for by its name.

    Raises:
        AutograderError: It could not be written; the message names it.
    """
    written = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    try:
        write_bytes_atomically(path.resolve(), written)
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
