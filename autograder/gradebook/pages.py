"""The executed notebook in ``autograded/`` and the page in ``feedback/``: where nbgrader looks for them."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_hex

from autograder.base import FOR_ALL, GradebookError, RefusedError, make_closed_folder, write_atomically
from autograder.course import Assignment, Course
from autograder.submission import read_regular

_SECRET = "submission_secret.txt"
_BESIDE = ("timestamp.txt", _SECRET)
"""What nbgrader's release_feedback wants beside a page, from what was handed in."""
_BESIDE_BYTES = 4096


def executed_notebook(course: Course, assignment: Assignment, student: str) -> Path:
    """Where a student's executed notebook lies, if there is one."""
    return course.root / "autograded" / student / assignment.name / f"{assignment.notebook}.ipynb"


def write_page(course: Course, assignment: Assignment, student: str, page: str) -> Path:
    """Write ``feedback/<student>/<assignment>/<notebook>.html``, and beside it what nbgrader wants there.

    Returns:
        The page.

    Raises:
        GradebookError: It could not be written.
    """
    folder = course.root / "feedback" / student / assignment.name
    try:
        make_closed_folder(folder)
        _copy_beside(course, assignment, student)
        # An exchange takes it over as it is, for the student to read; the folder around it is closed.
        write_atomically(folder / f"{assignment.notebook}.html", page, mode=FOR_ALL)
    except OSError as error:
        raise GradebookError(
            f"{error.filename or folder}: the feedback could not be written: {error.strerror or error}."
        ) from error
    return folder / f"{assignment.notebook}.html"


def write_beside(course: Course, assignment: Assignment, student: str) -> None:
    """Let the page that there is be that of what was handed in last: its time and its secret, for nbgrader.

    Raises:
        GradebookError: They could not be written.
    """
    try:
        _copy_beside(course, assignment, student)
    except OSError as error:
        raise GradebookError(
            f"{error.filename or student}: the feedback could not be written: {error.strerror or error}."
        ) from error


def is_of_an_earlier_one(course: Course, assignment: Assignment, student: str) -> bool:
    """Whether what was handed in last has a secret of nbgrader's under which no feedback was written.

    A student's side finds feedback by that secret, and each time that they submit there is another one, also where the
    notebook is the same.
    """
    place = Path(student) / assignment.name / _SECRET
    submitted, told = (_short(course.root / folder / place) for folder in ("submitted", "feedback"))
    return submitted is not None and submitted != told


def _copy_beside(course: Course, assignment: Assignment, student: str) -> None:
    """Copy what nbgrader wants beside a page.

    Raises:
        OSError: It could not be written.
    """
    for name in _BESIDE:
        content = _short(course.root / "submitted" / student / assignment.name / name)
        path = course.root / "feedback" / student / assignment.name / name
        if content is not None:
            write_atomically(path, content.decode("utf-8", "replace"))
        elif name == _SECRET and os.path.lexists(course.root / "submitted" / student / assignment.name / name):
            # One that cannot be used. Without any, nbgrader's release_feedback ends here, and the others have nothing.
            write_atomically(path, token_hex())


def _short(path: Path) -> bytes | None:
    """What is in a small file that was handed in; None where there is none that can be taken."""
    try:
        content, size = read_regular(path, _BESIDE_BYTES, one_name=True)
    except RefusedError:
        return None
    return content if size <= _BESIDE_BYTES else None
