"""One notebook graded on its own; nothing is stored."""

from __future__ import annotations

from pathlib import Path

from autograder.base import ConfigError
from autograder.course import Assignment, Course
from autograder.grading import Report, process_grader
from autograder.sandbox import Kind
from autograder.submission import read_submission, student_of


def check_notebook(
    course: Course, assignment: Assignment, notebook: Path, *, student: str | None = None, sandbox: Kind
) -> Report:
    """Grade a notebook.

    Args:
        course: The course.
        assignment: What it is a submission for.
        notebook: The notebook.
        student: Whose inputs to draw, where each student has others; by default by its place in ``submitted/``.
        sandbox: What keeps it.

    Raises:
        RefusedError: The notebook is a link, a pipe, a device or a folder.
        SandboxError, CheckError: It cannot be graded here.
    """
    whose = assignment.inputs_of(student or student_of(notebook, course.root)) or None
    grader = process_grader(sandbox)
    grader.start(assignment)
    return grader.grade(read_submission(notebook, assignment, student=whose), assignment)


def assignment_of(notebook: Path, course: Course) -> Assignment:
    """The assignment that a notebook is for, by the folders around it, by its name, or since there is only one.

    Raises:
        ConfigError: That cannot be told.
    """
    folders = notebook.resolve().parent.parts[::-1]
    for name in (*folders, *course.assignments):
        if name in course.assignments and (name in folders or course.assignments[name].notebook == notebook.stem):
            return course.assignments[name]
    if len(course.assignments) == 1:
        return next(iter(course.assignments.values()))
    raise ConfigError(
        f"which assignment is {notebook.name} for? Name one: --assignment {' | '.join(course.assignments)}"
    )
