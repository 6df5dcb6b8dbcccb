"""The files beside the gradebook: what is replaced at once or not at all, and what goes along."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from autograder.base import (
    MAX_PIXELS,
    MAX_PIXELS_IN_ALL,
    RefusedError,
    make_closed_folder,
    pixels_of,
    printable,
    replace_file,
)
from autograder.course import Assignment, Course
from autograder.submission import hand_ins, read_regular

RESULT_FILE = "autograder-result.json"
"""Beside the executed notebook: the report and its digest. ``nbgrader_plugins.configure`` has nbgrader leave
it there, so that it reaches no student."""

RESULT_FILES = "autograder-result-*.json"
"""The same of an assignment of several notebooks, one for each."""


def result_file(folder: Path, assignment: Assignment) -> Path:
    """Where the result of a notebook graded in ``folder`` is kept."""
    return folder / (RESULT_FILES.replace("*", assignment.notebook) if assignment.others else RESULT_FILE)


def read_result(folder: Path, assignment: Assignment) -> dict[str, Any]:
    """What ``store`` wrote into the folder, or nothing where that is missing or damaged."""
    try:
        tree = json.loads(result_file(folder, assignment).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


def answers_file(folder: Path, assignment: Assignment) -> Path:
    """Where the checksums of the answers graded in ``folder`` are kept: beside it, as nbgrader's --force removes it."""
    notebook = f"-{assignment.notebook}" if assignment.others else ""
    return folder.with_name(f".{folder.name}{notebook}-answers.json")


def read_answers(folder: Path, assignment: Assignment) -> dict[str, Any]:
    """By ``grade_id``: the checksum of the answer that was graded last, as far as it is known."""
    try:
        tree = json.loads(answers_file(folder, assignment).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        tree = read_result(folder, assignment).get("answers")
    return tree if isinstance(tree, dict) else {}


def settle(folder: Path) -> None:
    """Have the disk keep what was replaced in the folder so far, before anything else is written there."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".webp"}
_READ_BY_PEOPLE = _PICTURES | {
    ".txt",
    ".md",
    ".py",
    ".csv",
    ".tsv",
    ".json",
    ".npy",
    ".npz",
}


MAX_COPIED = 200
"""Files of one submission that are copied."""

MAX_DEPTH = 6
"""Folders within folders that are looked into."""

MAX_SEEN = 5_000
"""Entries of one submission's folder that are looked at; beyond that nothing of it is copied."""


def copy_companions(course: Course, assignment: Assignment, student: str, folder: Path) -> tuple[str, ...]:
    """What else was handed in, and what the course gives along (which wins), for those who grade by hand.

    Links (hard links too), hidden files and the grader's own names stay behind; so do names that cannot be printed,
    what is too much, too deep or too large, and what a browser would run, since the formgrader serves this folder to
    the instructor's. Whatever else lies in the folder, such as what an earlier submission left there, is removed.

    Returns:
        What was left out of what was handed in, each safe to print, with the reason.
    """
    names = assignment.names_of_notebooks
    own = {"timestamp.txt", RESULT_FILE, *(RESULT_FILES.replace("*", name) for name in names if len(names) > 1)}
    own |= {f"{name}.ipynb" for name in names}
    beside = assignment.master.parent
    given = {path.relative_to(beside): path for path in _walk(beside, []) if _is_plain(path)}
    given = {place: path for place, path in given.items() if place.suffix != ".ipynb" and place.parts[0] not in own}
    left_out: list[str] = []
    copies: dict[Path, bytes] = {}
    for place, content in _handed_in(_folder_of(course, assignment, student), assignment, left_out):
        if place.parts[0] in own or place in given:
            continue
        if any(one in other.parents for each in given for one, other in ((place, each), (each, place))):
            left_out.append(f"{printable(str(place))} (the course has a folder or a file of that name)")
        else:
            copies[place] = content
    for place, path in given.items():
        _copy(path.read_bytes(), folder, place)
    for place, content in copies.items():
        _copy(content, folder, place)
    _sweep(folder, {*map(Path, own), *given, *copies})
    return tuple(left_out)


def _folder_of(course: Course, assignment: Assignment, student: str) -> Path:
    """Where what counts for a student lies: with one of the group, where there is a group."""
    if len(assignment.members_with(student)) > 1:
        return hand_ins(course.root, assignment, [student], timezone=course.timezone)[0].folder
    return course.root / "submitted" / student / assignment.name


def _handed_in(folder: Path, assignment: Assignment, left_out: list[str]) -> Iterator[tuple[Path, bytes]]:
    """The files of a submission that can be copied, by their place in it; and why others cannot, in ``left_out``."""
    room = assignment.limits.file_mb * 2**20
    pixels_left = MAX_PIXELS_IN_ALL
    copied = 0
    try:
        found = _walk(folder, left_out, MAX_SEEN)
    except _TooManyError:
        left_out.append(f"everything beside the notebook (more than {MAX_SEEN:,} files and folders)")
        return
    for path in found:
        place = path.relative_to(folder)
        name = printable(str(place))
        shown = name if len(name) <= 120 else f"{name[:117]}…"
        if path.suffix == ".ipynb":
            continue
        if name != str(place):
            left_out.append(f"{shown} (a name that cannot be printed)")
        elif path.suffix.lower() not in _READ_BY_PEOPLE and name not in assignment.files:
            left_out.append(f"{shown} (of a kind that is not shown)")
        elif copied == MAX_COPIED:
            left_out.append(f"{shown} (more than {MAX_COPIED} files)")
        else:
            try:
                content, size = read_regular(path, room, one_name=True)
            except RefusedError:
                left_out.append(f"{shown} (a link, or no ordinary file)")
                continue
            if size > room:
                left_out.append(f"{shown} (more than {assignment.limits.file_mb} MB in all)")
                continue
            pixels = pixels_of(content) if path.suffix.lower() in _PICTURES else 0
            if pixels > min(MAX_PIXELS, pixels_left):
                left_out.append(f"{shown} (a picture of too many pixels)")
                continue
            pixels_left -= pixels
            room -= size
            copied += 1
            yield place, content


class _TooManyError(Exception):
    """There are more entries than anybody looks at."""


def _walk(folder: Path, left_out: list[str], most: float = math.inf) -> list[Path]:
    """What lies in the folder and in folders within it, but no folder and no hidden file, in order.

    Raises:
        _TooManyError: There is more than ``most``.
    """
    found: list[Path] = []
    waiting = [(folder, 0)]
    seen = 0
    while waiting:
        here, depth = waiting.pop()
        name = printable(str(here.relative_to(folder)))
        if depth > MAX_DEPTH:
            left_out.append(f"{name} (more than {MAX_DEPTH} folders deep)")
            continue
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    seen += 1
                    if seen > most:
                        raise _TooManyError
                    if entry.name.startswith(".") or entry.name in ("__pycache__", "feedback"):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((Path(entry.path), depth + 1))
                    else:
                        found.append(Path(entry.path))
        except PermissionError:
            left_out.append(f"{name} (a folder that cannot be read)")
    return sorted(found)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _copy(content: bytes, folder: Path, place: Path) -> None:
    """Put a file where it belongs, in the way of whatever is there."""
    around = [folder / parent for parent in reversed(place.parents) if parent.parts]
    for parent in around:
        if parent.is_symlink() or not parent.is_dir():
            parent.unlink(missing_ok=True)
            make_closed_folder(parent)
    target = folder / place
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    replace_file(target, content, durable=False)


def _sweep(folder: Path, kept: Collection[Path]) -> None:
    """Remove everything from the folder but the files that are kept and the folders around them."""
    around = {parent for place in kept for parent in place.parents}
    for path in [Path(entry.path) for entry in os.scandir(folder)]:
        _remove_unless_kept(path, folder, kept, around)


def _remove_unless_kept(path: Path, folder: Path, kept: Collection[Path], around: Collection[Path]) -> None:
    place = path.relative_to(folder)
    if path.is_symlink() or not path.is_dir():
        if place not in kept:
            path.unlink()
    elif place not in around:
        shutil.rmtree(path)
    else:
        for entry in list(os.scandir(path)):
            _remove_unless_kept(Path(entry.path), folder, kept, around)
