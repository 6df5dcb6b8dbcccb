"""A grade stored with what its student may read of it, as grading does."""

from datetime import datetime

from autograder import gradebook as room
from autograder.course import Assignment, Course
from autograder.feedback import shown_to_student
from autograder.gradebook import Gradebook
from autograder.grading import Report
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
    """As ``gradebook.store``."""
    shown = shown_to_student(gradebook, assignment, submission, report, now)
    return room.store(gradebook, course, assignment, submission, report, shown)
