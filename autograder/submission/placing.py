"""A hand-in written to ``submitted/``, whole; what it takes the place of is kept."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from autograder.base import RefusedError, make_closed_folder, write_atomically, write_bytes_atomically
from autograder.course import Assignment, Course
from autograder.submission.folders import SubmittedFolder

REPLACED = ".replaced"
"""Below ``submitted/``: what something newer took the place of."""

MAX_REPLACED = 1_000
MAX_REPLACED_BYTES = 2 * 2**30
"""What is kept of one student's: beyond that nothing of theirs is replaced, since nothing is thrown away."""


def place(
    course: Course,
    assignment: Assignment,
    student: str,
    files: Mapping[str, bytes],
    *,
    stamp: str | None,
    replaced: SubmittedFolder | None,
) -> Path:
    """Write a hand-in to ``submitted/STUDENT/ASSIGNMENT``.

    Args:
        course: The course.
        assignment: The assignment.
        student: A right id.
        files: Each file's bytes, by its place in the folder.
        stamp: What ``timestamp.txt`` is to say; there is none where None.
        replaced: What is there now and gives way; None where there is nothing.

    Returns:
        The folder.

    Raises:
        RefusedError: So much of the student's is kept already that nothing more can be.
        OSError: It could not be written; what was there is there.
    """
    folder = course.root / "submitted" / student / assignment.name
    # Whole, before anything gives way to it.
    coming = folder.with_name(f".{folder.name}.coming")
    shutil.rmtree(coming, ignore_errors=True)
    try:
        make_closed_folder(coming)
        write_files(coming, files)
        if stamp is not None:
            write_atomically(coming / "timestamp.txt", stamp)
        if replaced is not None:
            _set_aside(course, assignment, student, folder, replaced.timestamp)
        coming.rename(folder)
    finally:
        shutil.rmtree(coming, ignore_errors=True)
    return folder


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder of ours, each at its place in it."""
    for name, content in files.items():
        path = folder / name
        make_closed_folder(path.parent)
        write_bytes_atomically(path, content)


def share_with_group(folder: Path) -> None:
    """Let the group read and write a folder and all in it, as nbgrader does where instructors share a course."""
    for inside, _, names in os.walk(folder):
        Path(inside).chmod(0o2770 | Path(inside).stat().st_mode & 0o7777)
        for name in names:
            path = Path(inside, name)
            path.chmod(0o660 | path.stat().st_mode & 0o777)


def _set_aside(course: Course, assignment: Assignment, student: str, folder: Path, stamp: str | None) -> None:
    """Move what something newer replaces to where nobody grades it."""
    when = re.sub(r"[^0-9]", "", stamp or "")[:14] or "undated"
    base = course.root / "submitted" / REPLACED / student
    make_closed_folder(base)
    sizes = [path.lstat().st_size for path in base.rglob("*")]
    if len(list(base.iterdir())) >= MAX_REPLACED or sum(sizes) > MAX_REPLACED_BYTES:
        raise RefusedError(
            f"{base} holds {len(list(base.iterdir())):,} earlier ones with {sum(sizes) / 2**20:,.0f} MB, and what is "
            "replaced is kept: remove some that nobody needs, then collect again"
        )
    target = next(
        path
        for number in count(1)
        if not (path := base / f"{assignment.name}-{when}{'' if number == 1 else f'-{number}'}").exists()
    )
    shutil.move(folder, target)
