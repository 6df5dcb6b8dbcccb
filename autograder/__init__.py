"""Coursework in Jupyter notebooks that grades itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograder.base.faces import on_demand

__version__ = "0.1.0"

if TYPE_CHECKING:
    from autograder.course import Assignment, Course, load_course
    from autograder.grading import CheckResult, Grader, Report, RowResult, grade
    from autograder.submission import Submission, read_submission

__all__ = [
    "Assignment",
    "CheckResult",
    "Course",
    "Grader",
    "Report",
    "RowResult",
    "Submission",
    "__version__",
    "grade",
    "load_course",
    "read_submission",
]

# `autograder --version` needs none of it.
__getattr__ = on_demand(
    __name__,
    {
        "course": ("Assignment", "Course", "load_course"),
        "grading": ("CheckResult", "Grader", "Report", "RowResult", "grade"),
        "submission": ("Submission", "read_submission"),
    },
)
