"""A grade stored as grading does, for a time before any date."""

from datetime import datetime

from autograder.course import Assignment, Course
from autograder.gradebook import Gradebook
from autograder.grading import Report
from autograder.operations import store_grade
from autograder.submission import Submission


def store(
    gradebook: Gradebook,
    course: Course,
    assignment: Assignment,
    submission: Submission,
    report: Report,
    *,
    now: datetime | None = None,
) -> bool:
    """As ``store_grade``."""
    return store_grade(gradebook, course, assignment, submission, report, now)
