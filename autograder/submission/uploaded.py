"""What a system unpacked of a student's upload: in which of its folders the notebooks lie."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

from autograder.base import RefusedError, SubmissionError, printable
from autograder.course import Assignment
from autograder.submission.file_names import is_called, is_litter, is_notebook
from autograder.submission.folders import MAX_ENTRIES, kind_at

MAX_DEPTH = 4
"""Folders in each other that are looked into: a zip file of a folder makes one or two."""

MAX_NAMED = 5


def folder_of_notebooks(upload: Path, assignment: Assignment) -> tuple[Path, str]:
    """The folder of an upload in which the notebooks lie: the upload itself, or the one folder in it that has some.

    Of several it is the one that is called as the assignment is, as in a repository with a folder for each. A script of
    the assignment's name counts as a notebook. No link is followed, and what browsers, Macs and Jupyter put beside a
    student's files counts for nothing.

    Returns:
        The folder, and what the student is told of it, usually nothing. Where there is no notebook at all it is the
        upload itself.

    Raises:
        SubmissionError: Several folders have notebooks, and none of them lies outside; the text is for the student.
        RefusedError: The upload is no folder, or cannot be read.
    """
    if upload.is_symlink() or not upload.is_dir():
        raise RefusedError(f"{printable(str(upload))} is {kind_at(upload)}, not a folder; it is not graded")
    wanted = assignment.names_of_notebooks
    found: list[Path] = []
    waiting = deque([(upload, 0)])
    left = MAX_ENTRIES
    while waiting and left > 0:
        folder, depth = waiting.popleft()
        names, folders, left = _looked_into(folder, left)
        if any(is_notebook(name) or any(is_called(name, each) for each in wanted) for name in names):
            if folder == upload:
                return upload, ""
            found.append(folder)
        elif depth < MAX_DEPTH:
            waiting.extend((each, depth + 1) for each in folders)
    if not found:
        return upload, ""
    if upload / assignment.name in found:
        return upload / assignment.name, ""
    if len(own := [each for each in found if each.name == assignment.name]) == 1:
        return own[0], ""
    shown = [printable(each.relative_to(upload).as_posix()) for each in sorted(found)]
    if len(found) > 1:
        listed = ", ".join(shown[:MAX_NAMED])
        raise SubmissionError(
            f"There are notebooks in several folders of your submission: {listed}. Hand in the one that counts, by "
            "itself and in no folder."
        )
    return found[0], f"Your notebook lies in the folder {shown[0]}; hand it in outside of any. This costs nothing."


def _looked_into(folder: Path, most: int) -> tuple[list[str], list[Path], int]:
    """Names of what is no folder, and folders, in the order of their names; and how many entries may still be seen.

    Raises:
        RefusedError: The folder cannot be read.
    """
    names, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                most -= 1
                if most < 0:
                    break
                if entry.name.startswith(".") or is_litter(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                else:
                    names.append(entry.name)
    except OSError as error:
        raise RefusedError(f"{printable(str(folder))} cannot be read: {error.strerror}; it is not graded") from error
    return names, sorted(folders), most
