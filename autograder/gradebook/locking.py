"""One run on a course at a time, and one watch: locks that the kernel lets go of when their process ends, however."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from autograder.base import GradebookError, make_closed_file, make_closed_folder
from autograder.course import Assignment, Course
from autograder.gradebook.attempts import FOLDER

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
    taken = (
        f"{course.root}: another run is at work on this course{{who}}. Wait until it has ended, or stop it; "
        "then run again."
    )
    with _held(course.root / lock, taken):
        yield


@contextlib.contextmanager
def only_watch(course: Course, assignment: Assignment) -> Iterator[None]:
    """Be the one that watches an assignment: a second one would collect, grade and count each attempt once more.

    Raises:
        GradebookError: Another process watches it, or the file cannot be written or locked.
    """
    taken = (
        f"{course.root}: another watch is at work on {assignment.name} of this course{{who}}, and grades what arrives. "
        "Stop that one first, or leave it to its work."
    )
    path = course.root / FOLDER / f".{assignment.name}.lock"
    try:
        make_closed_folder(path.parent)
    except OSError as error:
        raise GradebookError(_unlockable(path, error)) from error
    with _held(path, taken):
        yield


@contextlib.contextmanager
def _held(path: Path, taken: str) -> Iterator[None]:
    """Hold a lock; ``taken`` is what is said where another process has it, with ``{who}`` for which one.

    Raises:
        GradebookError: Another process holds it, or the file cannot be written or locked.
    """
    try:
        descriptor = _opened(path)
    except OSError as error:
        raise GradebookError(_unlockable(path, error)) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
            who = f" ({holder})" if holder and holder.isprintable() else ""
            raise GradebookError(taken.replace("{who}", who)) from error
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


def _unlockable(path: Path, error: OSError) -> str:
    return (
        f"{path}: the course cannot be locked: {error.strerror}. Mend the permissions of the folder, or move the "
        "course to a disk that can be written."
    )


def _opened(path: Path) -> int:
    with contextlib.suppress(OSError):
        make_closed_file(path)  # who can open it can hold it
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError:
        # Somebody else's, who grades the same course: it can be locked, if not written.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
