"""One notebook graded on its own; nothing is stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from autograder.base import ConfigError
from autograder.course import Assignment, Course
from autograder.feedback import students_view
from autograder.grading import Report, process_grader
from autograder.sandbox import Kind
from autograder.submission import is_called, read_submission, student_of

NOT_GRADED = "This could not be graded, for a reason of ours; autograder grade says which."


def check_notebook(
    course: Course,
    assignment: Assignment,
    notebook: Path,
    *,
    student: str | None = None,
    sandbox: Kind,
    now: datetime,
) -> Report:
    """Grade a notebook, for whoever asks: what comes of it is what its student may see.

    Students run this too where they can read the course, so nothing of a check that they may not see yet is in it, and
    nothing of what went wrong in a check: ``grade`` tells that.

    Args:
        course: The course.
        assignment: What it is a submission for: an assignment's one notebook.
        notebook: The notebook.
        student: Whose inputs to draw, where each student has others; by default by its place in ``submitted/``.
        sandbox: What keeps it.
        now: The time, aware: it decides what may be seen.

    Raises:
        RefusedError: The notebook is a link, a pipe, a device or a folder.
        SandboxError, CheckError: It cannot be graded here.
    """
    whose = assignment.inputs_of(student or student_of(notebook, course.root)) or None
    grader = process_grader(sandbox)
    grader.prepare(assignment)
    report = grader.grade(read_submission(notebook, assignment, student=whose), assignment)
    due = assignment.extensions.get(student or student_of(notebook, course.root) or "", assignment.due)
    seen = students_view(report, assignment, now=now, due=due)
    rows = tuple(replace(row, checks=tuple(replace(each, trouble="") for each in row.checks)) for row in seen.rows)
    return replace(seen, rows=rows, trouble=NOT_GRADED if report.errored else "")


def part_of(assignment: Assignment, notebook: Path) -> Assignment:
    """Which of an assignment's notebooks a notebook is for, by its name, whatever a browser added to it.

    Raises:
        ConfigError: That cannot be told.
    """
    if not assignment.parts:
        return assignment
    for each in assignment.parts:
        if is_called(notebook.name, each.notebook):
            return each
    names = " or ".join(f"{name}.ipynb" for name in assignment.names_of_notebooks)
    raise ConfigError(f"which notebook of {assignment.name} is {notebook.name}? Call it {names}")


def assignment_of(notebook: Path, course: Course) -> Assignment:
    """The assignment that a notebook is for, by the folders around it, by its name, or since there is only one.

    Raises:
        ConfigError: That cannot be told.
    """
    folders = notebook.resolve().parent.parts[::-1]
    for name in (*folders, *course.assignments):
        if name in course.assignments and (
            name in folders or notebook.stem in course.assignments[name].names_of_notebooks
        ):
            return course.assignments[name]
    if len(course.assignments) == 1:
        return next(iter(course.assignments.values()))
    raise ConfigError(
        f"which assignment is {notebook.name} for? Name one: --assignment {' | '.join(course.assignments)}"
    )
