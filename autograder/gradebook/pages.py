"""The executed notebook in ``autograded/`` and the page in ``feedback/``: where nbgrader looks for them."""

from __future__ import annotations

from pathlib import Path

from autograder.base import FOR_ALL, GradebookError, RefusedError, make_closed_folder, write_atomically
from autograder.course import Assignment, Course
from autograder.submission import read_regular

_BESIDE = ("timestamp.txt", "submission_secret.txt")
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
        for name in _BESIDE:
            try:
                content, size = read_regular(
                    course.root / "submitted" / student / assignment.name / name, _BESIDE_BYTES, one_name=True
                )
            except RefusedError:
                continue
            if size <= _BESIDE_BYTES:
                write_atomically(folder / name, content.decode("utf-8", "replace"))
        # An exchange takes it over as it is, for the student to read; the folder around it is closed.
        write_atomically(folder / f"{assignment.notebook}.html", page, mode=FOR_ALL)
    except OSError as error:
        raise GradebookError(
            f"{error.filename or folder}: the feedback could not be written: {error.strerror or error}."
        ) from error
    return folder / f"{assignment.notebook}.html"
