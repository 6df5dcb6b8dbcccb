"""One hand-in graded on its own, a notebook or a folder; nothing is stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from autograder.base import ConfigError, RefusedError, SubmissionError
from autograder.course import Assignment, Course
from autograder.feedback import students_view
from autograder.grading import CheckResult, Report, RowResult, advice, joint, process_grader
from autograder.sandbox import Kind
from autograder.submission import (
    Submission,
    SubmittedFolder,
    find_hand_in,
    folder_of_notebooks,
    is_called,
    read_submission,
    student_of,
    unread_submission,
)

NOT_GRADED = "This could not be graded, for a reason of ours; autograder grade says which."
VERSION = 1
"""Of the JSON that ``autograder check`` prints: another one where a key goes or changes its sense."""


@dataclass(frozen=True)
class CheckedHandIn:
    """What came of one hand-in.

    Attributes:
        status: ``graded``; ``refused``, as a link is, or what is not there; or ``failed``, for a reason of ours.
        why: Why it was not graded; empty where it was.
        report: What its student may see of the result; without rows where there is none.
        threshold: The points that were asked for, or None.
    """

    status: Literal["graded", "refused", "failed"]
    why: str
    report: Report
    threshold: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the points that the student may know of reach the threshold; None without one, or without a grade."""
        return None if self.threshold is None or self.status != "graded" else self.report.least >= self.threshold

    def for_students(self) -> CheckedHandIn:
        """The same with no hint but those that students read, and without what is there for instructors.

        That is the names of checks, and what the digest is made of.
        """
        rows = tuple(
            replace(row, checks=tuple(replace(each, name="", hint=_hint(row, each)) for each in row.checks))
            for row in self.report.rows
        )
        return replace(self, report=replace(self.report, rows=rows, digest="", provenance={}))

    def as_dict(self) -> dict[str, Any]:
        """The result as a tree of JSON types: the report's keys, and these."""
        own = {"version": VERSION, "status": self.status, "why": self.why}
        return own | {"threshold": self.threshold, "reached": self.reached} | self.report.as_dict()


def _hint(row: RowResult, check: CheckResult) -> str:
    """The hint that a student reads with a check; empty where there is none."""
    advised = advice(row, check) if check.shown and check.outcome == "failed" else None
    return advised.text if advised is not None and advised.is_hint else ""


def checked_hand_in(report: Report, threshold: float | None = None) -> CheckedHandIn:
    """What came of a hand-in that has a report."""
    if report.errored:
        return CheckedHandIn("failed", report.trouble, report, threshold)
    return CheckedHandIn("graded", "", report, threshold)


def unchecked_hand_in(why: str, *, refused: bool, assignment: str = "") -> CheckedHandIn:
    """What came of a hand-in without a report, since it was refused or something of ours failed."""
    report = Report(assignment, None, digest="", sandbox="", rows=(), trouble=why)
    return CheckedHandIn("refused" if refused else "failed", why, report)


def check_hand_in(
    course: Course,
    assignment: Assignment,
    handed_in: Path,
    *,
    student: str | None = None,
    sandbox: Kind,
    now: datetime,
) -> Report:
    """Grade a hand-in, for whoever asks: what comes of it is what its student may see.

    Students run this too where they can read the course, so nothing of a check that they may not see yet is in it, and
    nothing of what went wrong in a check: ``grade`` tells that.

    Args:
        course: The course.
        assignment: What it is a submission for; for a notebook, an assignment's one notebook (``part_of``).
        handed_in: A notebook, or a folder with all that a student handed in.
        student: Whose inputs to draw, where each student has others; by default by its place in ``submitted/``.
        sandbox: What keeps it.
        now: The time, aware: it decides what may be seen.

    Returns:
        The report, with the visibility of each check that is shown as the assignment resolves it.

    Raises:
        RefusedError: It is a link, a pipe or a device, or not there.
        SandboxError, CheckError: It cannot be graded here.
    """
    who = student or student_of(handed_in, course.root)
    grader = process_grader(sandbox)
    for each in assignment.notebooks:
        grader.prepare(each)
    submissions = _submissions(handed_in, assignment, assignment.inputs_of(who) or None)
    graded = [grader.grade(one, each) for one, each in zip(submissions, assignment.notebooks, strict=True)]
    report = joint(assignment, graded)
    seen = students_view(report, assignment, now=now, due=assignment.extensions.get(who or "", assignment.due))
    rows = tuple(replace(row, checks=tuple(_resolved(each, assignment) for each in row.checks)) for row in seen.rows)
    return replace(seen, rows=rows, trouble=NOT_GRADED if report.errored else "")


def _resolved(check: CheckResult, assignment: Assignment) -> CheckResult:
    """A check without what went wrong in it, and with its visibility; of one that is not shown not even that."""
    return replace(check, trouble="", visibility=(check.visibility or assignment.visibility) if check.shown else None)


def _submissions(handed_in: Path, assignment: Assignment, student: str | None) -> Iterator[Submission]:
    """What was handed in, read: one for each notebook of the assignment."""
    if not handed_in.is_dir():
        yield read_submission(handed_in, assignment, student=student)
        return
    try:
        folder, note = folder_of_notebooks(handed_in, assignment)
    except SubmissionError as error:
        yield from (unread_submission(each, str(error), student=student) for each in assignment.notebooks)
        return
    found = find_hand_in(SubmittedFolder(student or "", folder), assignment)
    for one, each in zip(found.notebooks, assignment.notebooks, strict=True):
        if one.notebook is None:
            yield unread_submission(each, one.unread, student=student, missing=one.missing)
        else:
            said = " ".join(filter(None, (note, one.note)))
            yield read_submission(one.notebook, each, student=student, note=said)


def part_of(assignment: Assignment, handed_in: Path) -> Assignment:
    """Which of an assignment's notebooks a notebook is for, by its name, whatever a browser added to it.

    A folder is for all of them.

    Raises:
        ConfigError: That cannot be told.
    """
    if not assignment.parts or handed_in.is_dir():
        return assignment
    for each in assignment.parts:
        if is_called(handed_in.name, each.notebook):
            return each
    names = " or ".join(f"{name}.ipynb" for name in assignment.names_of_notebooks)
    raise ConfigError(f"which notebook of {assignment.name} is {handed_in.name}? Call it {names}")


def assignment_of(handed_in: Path, course: Course) -> Assignment:
    """The assignment that a hand-in is for, by the folders around it, by its name, or since there is only one.

    Raises:
        ConfigError: That cannot be told.
        RefusedError: It is a folder that cannot be read.
    """
    path = handed_in.resolve()
    try:
        notebooks = [each.name for each in path.iterdir()] if path.is_dir() else [path.name]
    except OSError as error:
        raise RefusedError(f"{handed_in} cannot be read: {error.strerror}") from error
    folders = (path if path.is_dir() else path.parent).parts[::-1]
    for name in folders:
        if name in course.assignments:
            return course.assignments[name]
    for each in course.assignments.values():
        if any(is_called(one, wanted) for one in notebooks for wanted in each.names_of_notebooks):
            return each
    if len(course.assignments) == 1:
        return next(iter(course.assignments.values()))
    raise ConfigError(
        f"which assignment is {handed_in.name} for? Name one: --assignment {' | '.join(course.assignments)}"
    )
