"""The files beside the gradebook: what is replaced at once or not at all, and what goes along."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograder.course import Assignment, Course

RESULT_FILE = "autograder-result.json"
"""Beside the executed notebook: the report and its digest. ``nbgrader_plugins.configure`` has nbgrader leave
it there, so that it reaches no student."""


def read_result(folder: Path) -> dict[str, Any]:
    """What ``store`` wrote into the folder, or nothing where that is missing or damaged."""
    try:
        tree = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return tree if isinstance(tree, dict) else {}


def write_atomically(path: Path, text: str | None) -> None:
    """Replace the file by one with this text, or remove it where that is None; after a crash it is old or new."""
    if text is None:
        path.unlink(missing_ok=True)
        return
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        # A lone surrogate, which UTF-8 has no bytes for, becomes JSON's own escape of it.
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


_READ_BY_PEOPLE = {
    ".txt",
    ".md",
    ".py",
    ".csv",
    ".tsv",
    ".json",
    ".npy",
    ".npz",
    ".png",
    ".jpg",
    ".jpeg",
    ".gif",
    ".webp",
}


def copy_companions(course: Course, assignment: Assignment, student: str, folder: Path) -> None:
    """What else was handed in, and what the course gives along (which wins), for those who grade by hand.

    Links, hidden files and the grader's own names stay behind; so does more than the assignment's limit of bytes, and
    what a browser would run, since the formgrader serves this folder to the instructor's.
    """
    room = assignment.limits.file_mb * 1024 * 1024
    kept_back = {"timestamp.txt", RESULT_FILE}
    given = course.root / "submitted" / student / assignment.name
    for origin in (given, assignment.master.parent):
        for path in _plain_files(origin):
            relative = path.relative_to(origin)
            if path.suffix == ".ipynb" or path.name in kept_back or path.stat().st_size > room:
                continue
            if origin is given:
                if path.suffix.lower() not in _READ_BY_PEOPLE:
                    continue
                room -= path.stat().st_size
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copyfile(path, target, follow_symlinks=False)


def _plain_files(folder: Path) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name) if folder.is_dir() else ():
        if entry.name.startswith(".") or entry.name in ("__pycache__", "feedback"):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _plain_files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
