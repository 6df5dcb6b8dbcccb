"""Grading an assignment: what lies in ``submitted/`` → the pool → the gradebook, one result after the other.

What has its grade already, by the digest of all that decides it, is not graded again; so a run that was killed goes
on where it was, and a changed check or seed regrades by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from autograder.base import AutograderError, RefusedError
from autograder.course import Assignment, Course
from autograder.feedback import shown_to_student
from autograder.gradebook import (
    Gradebook,
    attempts_of,
    backup,
    damaged_result,
    graded_digests,
    left_out,
    moved_timestamps,
    only_run,
    open_gradebook,
    read_report,
    register,
    store,
    store_timestamp,
    update_late_penalties,
)
from autograder.grading import Report, digest_of, provenance_for
from autograder.operations.graded import Graded, require_gradable
from autograder.operations.pool import grade_all
from autograder.sandbox import Kind
from autograder.submission import HandIn, SubmittedFolder, find_hand_in, submissions

if TYPE_CHECKING:
    from autograder.operations.fleet import Scheduler

OUTDONE = "an earlier attempt is worth more, and counts"

Status = Literal["graded", "kept", "refused", "failed"]


@dataclass(frozen=True)
class Result:
    """What became of one student's submission.

    Attributes:
        student: The student's id.
        status: Graded now; kept, since nothing changed; refused, and listed; or failed, for a reason of ours.
        report: The report, where there is one, without the outputs of the cells, of which a class has gigabytes.
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
    scheduler: Scheduler | None = None,
    now: datetime | None = None,
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
        scheduler: The Dask scheduler whose workers grade; this machine's own processes where None.
        now: The time, which decides what students may see of their results; None for a time before any date.
        started: Told how many submissions there are.

    Yields:
        A result for each submission, those that need no grading first.

    Raises:
        AutograderError: Nothing can be graded: no sandbox, broken checks, no release, no gradebook.
    """
    folders = submissions(course.root, assignment.name, students, timezone=course.timezone)
    started(len(folders))
    with only_run(course):
        backup(course)
        with open_gradebook(course) as gradebook:
            yield from _grade_all(
                gradebook,
                course,
                assignment,
                folders,
                jobs=jobs,
                force=force,
                sandbox=sandbox,
                scheduler=scheduler,
                now=now,
            )


def _grade_all(
    gradebook: Gradebook,
    course: Course,
    assignment: Assignment,
    folders: list[SubmittedFolder],
    *,
    jobs: int,
    force: bool,
    sandbox: Kind,
    scheduler: Scheduler | None,
    now: datetime | None,
) -> Iterator[Result]:
    register(gradebook, course, assignment, [folder.student for folder in folders if not folder.problem])
    held = {} if force else graded_digests(gradebook, course, assignment)
    provenance = provenance_for(assignment, sandbox)
    refused: list[Result] = []
    kept: list[SubmittedFolder] = []
    outdone: list[SubmittedFolder] = []
    hand_ins: list[HandIn] = []
    odd: dict[str, str] = {}
    for folder in folders:
        try:
            found = find_hand_in(folder, assignment)
        except RefusedError as error:
            refused.append(Result(folder.student, "refused", None, str(error)))
            continue
        if held.get(folder.student) == digest_of(provenance(found.digest, folder.student)):
            kept.append(folder)
        elif folder.student in held and _outdone(course, assignment, folder.student, found.digest):
            # When this one was handed in is not when the one that counts was.
            outdone.append(replace(folder, note="; ".join(filter(None, (folder.note, OUTDONE)))))
        else:
            hand_ins.append(found)
            odd[folder.student] = _with_damage(folder, course, assignment)
    if hand_ins and scheduler is None:
        require_gradable(assignment, sandbox)
    yield from refused
    moved = moved_timestamps(gradebook, assignment, {folder.student: folder.timestamp for folder in kept})
    for folder in (*kept, *outdone):
        yield _kept(gradebook, course, assignment, folder, moved=folder.student in moved)
    if scheduler is None:
        grading = grade_all(hand_ins, assignment, sandbox=sandbox, jobs=jobs)
    else:
        from autograder.operations.fleet import grade_all_remotely

        grading = (
            grade_all_remotely(hand_ins, assignment, sandbox=sandbox, scheduler=scheduler) if hand_ins else iter(())
        )
    for graded in grading:
        yield store_graded(gradebook, course, assignment, graded, odd.pop(graded.hand_in.student), now)
    update_late_penalties(gradebook, course, assignment)


def _outdone(course: Course, assignment: Assignment, student: str, submitted: str) -> bool:
    """Whether `autograder watch` graded this submission, and an earlier attempt at the assignment is worth more."""
    if assignment.attempts.counts == "last":
        return False
    attempts = attempts_of(course, assignment, student)
    return bool(attempts) and attempts[-1].submission == submitted and not attempts[-1].counts


def _kept(
    gradebook: Gradebook, course: Course, assignment: Assignment, folder: SubmittedFolder, *, moved: bool
) -> Result:
    """The result of a student whose grade stays as it is; only when it was handed in may have changed."""
    try:
        if moved:
            store_timestamp(gradebook, assignment, folder.student, folder.timestamp)
    except AutograderError as error:
        return Result(folder.student, "failed", None, str(error))
    report = read_report(course, folder.student, assignment)
    return Result(folder.student, "kept", report, _odd(folder.note, course, assignment, folder.student))


def store_graded(
    gradebook: Gradebook, course: Course, assignment: Assignment, graded: Graded, note: str, now: datetime | None
) -> Result:
    """Store what came of a submission, where there is a grade, and say what became of it."""
    student = graded.hand_in.student
    if graded.refused:
        return Result(student, "refused", None, graded.refused)
    if graded.submission is None or graded.report is None:
        return Result(student, "failed", None, graded.trouble)
    shown = replace(graded.report, cells=())
    if graded.report.errored:
        return Result(student, "failed", shown, trouble(graded.report))
    try:
        shown_to = shown_to_student(gradebook, assignment, graded.submission, graded.report, now)
        store(gradebook, course, assignment, graded.submission, graded.report, shown_to)
    except AutograderError as error:
        return Result(student, "failed", shown, str(error))
    return Result(student, "graded", shown, _odd(note, course, assignment, student))


def _with_damage(folder: SubmittedFolder, course: Course, assignment: Assignment) -> str:
    """The note on a submission, and that its last result was damaged."""
    path = None if folder.problem else damaged_result(course, folder.student, assignment)
    said = f"{path} was damaged; the submission was graded anew"
    return "; ".join(filter(None, (folder.note, said if path else "")))


def _odd(note: str, course: Course, assignment: Assignment, student: str) -> str:
    """The note on a submission, and what of it was not copied to ``autograded/``."""
    left = left_out(course, student, assignment)
    said = f"left in submitted/ and not copied: {', '.join(left[:5])}" if left else ""
    more = f", and {len(left) - 5} more" if len(left) > 5 else ""
    return "; ".join(filter(None, (note, said + more)))


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
