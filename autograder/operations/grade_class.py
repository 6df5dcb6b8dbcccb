"""Grading an assignment: what lies in ``submitted/`` → the pool → the gradebook, one result after the other.

What has its grade already, by the digest of all that decides it, is not graded again; so a run that was killed goes
on where it was, and a changed check or seed regrades by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from autograder.base import AutograderError, RefusedError
from autograder.course import Assignment, Course
from autograder.gradebook import (
    Gradebook,
    attempts_of,
    backup,
    damaged_result,
    database_file,
    graded_digests,
    moved_timestamps,
    only_run,
    open_gradebook,
    read_report,
    register,
    store_timestamp,
    update_late_penalties,
)
from autograder.grading import wanted_digests
from autograder.operations.closed import require_closed
from autograder.operations.graded import Graded
from autograder.operations.pool import Pool, grade_all
from autograder.operations.storing import Result, asked_for, joined_notes, not_copied, stored
from autograder.sandbox import Kind
from autograder.submission import HandIn, SubmittedFolder, find_hand_in, hand_ins

if TYPE_CHECKING:
    from autograder.operations.fleet import Scheduler

OUTDONE = "an earlier attempt is worth more, and counts"


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
        AutograderError: Nothing can be graded: no sandbox, broken checks, no release, no gradebook, or a course that
            others on the machine can get at.
    """
    require_closed(course)
    folders = hand_ins(course.root, assignment, students, timezone=course.timezone)
    started(len(folders))
    there = [folder.student for folder in folders if not folder.problem]
    pool = None
    with ExitStack() as stack:
        stack.enter_context(only_run(course))
        if there and scheduler is None and (force or _is_new(course)):
            # There is something to grade: the processes get ready while the gradebook is opened.
            pool = stack.enter_context(Pool(assignment, sandbox, min(jobs, len(there))))
        backup(course)
        gradebook = stack.enter_context(open_gradebook(course))
        register(gradebook, course, assignment, there)
        plan = _planned(gradebook, course, assignment, folders, force=force, sandbox=sandbox)
        if plan.hand_ins and scheduler is None:
            pool = pool or stack.enter_context(Pool(assignment, sandbox, min(jobs, len(plan.hand_ins))))
            pool.wait()
        yield from plan.refused
        yield from _kept(gradebook, course, assignment, plan)
        for graded in _graded(plan.hand_ins, assignment, sandbox=sandbox, jobs=jobs, scheduler=scheduler, pool=pool):
            note = plan.notes.pop(graded.hand_in.student)
            yield stored(gradebook, course, assignment, graded, note=note, now=now)
        update_late_penalties(gradebook, course, assignment)


@dataclass(frozen=True)
class _Plan:
    """What is to become of each submission.

    Attributes:
        refused: The results of those that are not taken.
        unchanged: Those that have their grade; only when they were handed in may have changed.
        outdone: Those that `autograder watch` graded, while an earlier attempt counts.
        hand_ins: Those that are to be graded.
        notes: What the instructor is told of each of these beside its grade, by student; empty where nothing is.
    """

    refused: list[Result] = field(default_factory=list)
    unchanged: list[SubmittedFolder] = field(default_factory=list)
    outdone: list[SubmittedFolder] = field(default_factory=list)
    hand_ins: list[HandIn] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)


def _planned(
    gradebook: Gradebook,
    course: Course,
    assignment: Assignment,
    folders: list[SubmittedFolder],
    *,
    force: bool,
    sandbox: Kind,
) -> _Plan:
    """Find what was handed in, and whether it has its grade; with ``force``, nothing has.

    Raises:
        AutograderError: The assignment has no release, or one that does not fit its master.
    """
    held = {} if force else graded_digests(gradebook, course, assignment)
    wanted = wanted_digests(assignment, sandbox)
    plan = _Plan()
    for folder in folders:
        try:
            found = find_hand_in(folder, assignment)
        except RefusedError as error:
            plan.refused.append(Result(folder.student, "refused", None, str(error)))
            continue
        if held.get(folder.student) == wanted(found):
            plan.unchanged.append(replace(folder, note=joined_notes(folder.note, found.note.rstrip("."))))
        elif folder.student in held and _outdone(course, assignment, folder.student, found.digest):
            plan.outdone.append(replace(folder, note=joined_notes(folder.note, OUTDONE)))
        else:
            plan.hand_ins.append(found)
            plan.notes[folder.student] = joined_notes(folder.note, _damage(folder, course, assignment))
    return plan


def _graded(
    hand_ins: list[HandIn],
    assignment: Assignment,
    *,
    sandbox: Kind,
    jobs: int,
    scheduler: Scheduler | None,
    pool: Pool | None,
) -> Iterator[Graded]:
    """Grade hand-ins, in processes of this machine or on the workers of a Dask scheduler; as they are ready."""
    if scheduler is None:
        executor = None if pool is None else pool.executor
        return grade_all(hand_ins, assignment, sandbox=sandbox, jobs=jobs, executor=executor)
    if not hand_ins:
        return iter(())
    from autograder.operations.fleet import grade_all_remotely

    return grade_all_remotely(hand_ins, assignment, sandbox=sandbox, scheduler=scheduler)


def _is_new(course: Course) -> bool:
    """Whether the gradebook is still to be made, and so holds no grade."""
    file = database_file(course)
    return file is not None and not file.exists()


def _outdone(course: Course, assignment: Assignment, student: str, submitted: str) -> bool:
    """Whether `autograder watch` graded this submission, and an earlier attempt at the assignment is worth more."""
    if assignment.attempts.counts == "last":
        return False
    attempts = attempts_of(course, assignment, student)
    return bool(attempts) and attempts[-1].submission == submitted and not attempts[-1].counts


def _kept(gradebook: Gradebook, course: Course, assignment: Assignment, plan: _Plan) -> Iterator[Result]:
    """The results of students whose grades stay, each with the time of an unchanged submission as it is now.

    When a submission that is outdone was handed in is not when the one that counts was, so that time is not stored.
    """
    times = {folder.student: folder.timestamp for folder in plan.unchanged}
    moved = moved_timestamps(gradebook, assignment, times)
    for folder in (*plan.unchanged, *plan.outdone):
        try:
            if folder.student in moved:
                store_timestamp(gradebook, assignment, folder.student, folder.timestamp)
        except AutograderError as error:
            yield Result(folder.student, "failed", None, str(error))
            continue
        report = read_report(course, folder.student, assignment)
        asked = asked_for(gradebook, assignment, folder.student, report)
        why = joined_notes(folder.note, asked, not_copied(course, assignment, folder.student))
        yield Result(folder.student, "kept", report, why)


def _damage(folder: SubmittedFolder, course: Course, assignment: Assignment) -> str:
    """A note that the last result of a submission was damaged; empty where it was not."""
    path = None if folder.problem else damaged_result(course, folder.student, assignment)
    return f"{path} was damaged; the submission was graded anew" if path else ""
