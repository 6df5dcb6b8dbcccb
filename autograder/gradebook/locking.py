"""One run on a course at a time: a lock that the kernel lets go of when the process ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from autograder.base import GradebookError, make_closed_file
from autograder.course import Course

LOCK_FILE = ".autograder.lock"
"""In the course's folder. It stays there; that somebody holds a lock on it is what counts, not that it exists."""


@contextlib.contextmanager
def only_run(course: Course, *, lock: str = LOCK_FILE) -> Iterator[None]:
    """Hold the course for this process.

    Args:
        course: The course.
        lock: The file that is locked: runs that do not get into each other's way lock different ones.

    Raises:
        GradebookError: Another process holds it, or the file cannot be written or locked.
    """
    path = course.root / lock
    try:
        descriptor = _opened(path)
    except OSError as error:
        raise GradebookError(
            f"{path}: the course cannot be locked: {error.strerror}. Mend the permissions of the folder, or move the "
            "course to a disk that can be written."
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
            who = f" ({holder})" if holder and holder.isprintable() else ""
            raise GradebookError(
                f"{course.root}: another run is at work on this course{who}. Wait until it has ended, or stop it; "
                "then run again."
            ) from error
        except OSError as error:
            raise GradebookError(
                f"{path}: the course cannot be locked: {error.strerror}. Move it to a disk that knows locks."
            ) from error
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()}, since {datetime.now():%d %B, %H:%M}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    with contextlib.suppress(OSError):
        make_closed_file(path)  # who can open it can hold it
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError:
        # Somebody else's, who grades the same course: it can be locked, if not written.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
