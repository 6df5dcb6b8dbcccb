"""Grading an assignment: what lies in ``submitted/`` → the pool → the gradebook, one result after the other.

What has its grade already, by the digest of all that decides it, is not graded again; so a run that was killed goes
on where it was, and a changed check or seed regrades by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from autograder.course import Assignment, Course
from autograder.errors import AutograderError, RefusedError, SubmissionError
from autograder.fleet import Entry, Graded, grade_all
from autograder.folders import SubmittedFolder, find_notebook, submissions
from autograder.gradebook import (
    Gradebook,
    apply_late_penalties,
    backup,
    graded_digests,
    open_gradebook,
    read_report,
    register,
    store,
    store_timestamp,
)
from autograder.grader import Grader, decisive_digest
from autograder.report import Report
from autograder.sandbox.worker import Kind
from autograder.submission import submitted_digest, unread_submission

Status = Literal["graded", "kept", "refused", "failed"]


@dataclass(frozen=True)
class Result:
    """What became of one student's submission.

    Attributes:
        student: The student's id.
        status: Graded now; kept, since nothing changed; refused, and listed; or failed, for a reason of ours.
        report: The report, where there is a grade.
        why: Why it was refused or failed, for the instructor; or what is odd about it. Usually empty.
    """

    student: str
    status: Status
    report: Report | None
    why: str = ""


def grade_assignment(
    course: Course,
    assignment: Assignment,
    *,
    students: Collection[str] | None = None,
    jobs: int,
    force: bool = False,
    sandbox: Kind = "bubblewrap",
    started: Callable[[int], None] = lambda _: None,
) -> Iterator[Result]:
    """Grade what was submitted and store it, one result after the other.

    Args:
        course: The course.
        assignment: The assignment.
        students: Only these; all of them where None.
        jobs: How many processes grade.
        force: Grade also what has its grade already.
        sandbox: ``"none"`` runs the students' code unprotected.
        started: Told how many submissions there are.

    Yields:
        A result for each submission, those that need no grading first.

    Raises:
        AutograderError: Nothing can be graded: no sandbox, broken checks, no release, no gradebook.
    """
    folders = submissions(course.root, assignment.name, students, timezone=course.timezone)
    started(len(folders))
    with Grader(sandbox) as grader:
        grader.prepare(assignment)
    with open_gradebook(course) as gradebook:
        register(gradebook, course, assignment, [folder.student for folder in folders if not folder.problem])
        held = {} if force else graded_digests(gradebook, course, assignment)
        entries: list[Entry] = []
        for folder in folders:
            found = _find(folder, course, assignment, held, sandbox)
            if isinstance(found, Result):
                if found.status == "kept":
                    store_timestamp(gradebook, assignment, folder.student, folder.timestamp)
                yield found
            else:
                entries.append(found)
        if entries:
            backup(course)
        odd = {folder.student: folder.note for folder in folders}
        for graded in grade_all(entries, assignment, sandbox=sandbox, jobs=jobs):
            yield _store(gradebook, course, assignment, graded, odd[graded.entry.student])
        apply_late_penalties(gradebook, assignment)


def _find(
    folder: SubmittedFolder, course: Course, assignment: Assignment, held: dict[str, str], sandbox: Kind
) -> Entry | Result:
    """What to grade for a student, or the result where there is nothing to grade."""
    if folder.problem:
        return Result(folder.student, "refused", None, folder.problem)
    try:
        notebook = find_notebook(folder.folder, assignment)
        entry, digest = Entry(folder.student, notebook, folder.timestamp), submitted_digest(notebook, assignment)
    except SubmissionError as error:
        entry = Entry(folder.student, None, folder.timestamp, str(error))
        digest = unread_submission(assignment, str(error)).digest
    except (RefusedError, OSError) as error:
        return Result(folder.student, "refused", None, str(error))
    if held.get(folder.student) == decisive_digest(digest, assignment, sandbox):
        return Result(folder.student, "kept", read_report(course, folder.student, assignment), folder.note)
    return entry


def _store(gradebook: Gradebook, course: Course, assignment: Assignment, graded: Graded, note: str) -> Result:
    student = graded.entry.student
    if graded.refused:
        return Result(student, "refused", None, graded.refused)
    if graded.submission is None or graded.report is None:
        return Result(student, "failed", None, graded.trouble)
    if graded.report.errored:
        return Result(student, "failed", graded.report, trouble(graded.report))
    try:
        store(gradebook, course, assignment, graded.submission, graded.report)
    except AutograderError as error:
        return Result(student, "failed", graded.report, str(error))
    return Result(student, "graded", graded.report, note)


def trouble(report: Report) -> str:
    """Why there is no grade, for the instructor: the last line of each trouble, with the check that had it."""
    troubles = [report.trouble.strip().splitlines()[-1]] if report.trouble else []
    for row in report.rows:
        for check in row.checks:
            if check.outcome == "errored":
                troubles.append(
                    f"{check.name}: {check.trouble.strip().splitlines()[-1] if check.trouble else 'errored'}"
                )
    return "; ".join(troubles)
