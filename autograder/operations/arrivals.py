"""One submission that arrived in a watch: whether it is graded now, and what becomes of its grade."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from autograder.base import AutograderError
from autograder.course import Assignment, Course
from autograder.feedback import write_attempt, write_feedback
from autograder.gradebook import (
    Attempt,
    Gradebook,
    attempts_of,
    graded_digest,
    graded_on,
    is_of_an_earlier_one,
    moved_timestamps,
    note_attempt,
    only_run,
    penalty_of,
    register,
    store_timestamp,
    update_late_penalties,
    write_beside,
)
from autograder.grading import Report, wanted_digests
from autograder.operations.exchange import release_feedback
from autograder.operations.graded import Graded
from autograder.operations.storing import asked_for, grade_of, joined_notes, store_grades
from autograder.sandbox import Kind
from autograder.submission import HandIn, find_hand_in, hand_ins


@dataclass(frozen=True)
class Watched:
    """What is watched.

    Attributes:
        course: The course.
        assignment: The assignment.
        gradebook: The course's, open.
        sandbox: Which kind of sandbox submissions run in.
        exchange: nbgrader's exchange, which feedback is released to; None where there is none.
        clock: The time.
    """

    course: Course
    assignment: Assignment
    gradebook: Gradebook
    sandbox: Kind
    exchange: Path | None
    clock: Callable[[], datetime]


class AttemptsSpentError(AutograderError):
    """As many of a student's attempts are graded as the course grades in a day: the next waits for tomorrow."""


def to_be_graded(watched: Watched, student: str) -> HandIn | None:
    """What a student handed in, where it has to be graded; None where it has been, whether it counts or not.

    Raises:
        RefusedError: It is not taken.
        AttemptsSpentError: It has to wait for tomorrow.
        AutograderError: The assignment has no release, or one that does not fit its master.
    """
    course, assignment = watched.course, watched.assignment
    folder = hand_ins(course.root, assignment, [student], timezone=course.timezone)[0]
    found = find_hand_in(folder, assignment)
    attempts = attempts_of(course, assignment, student)
    wanted = wanted_digests(assignment, watched.sandbox)(found)
    if graded_digest(watched.gradebook, course, student, assignment) == wanted:
        return None
    known = bool(attempts) and attempts[-1].submission == found.digest
    if known and not attempts[-1].counts:
        return None
    today = watched.clock().astimezone(course.timezone).date()
    most = assignment.attempts.per_day
    if most and not known and graded_on(attempts, today, course.timezone) >= most:
        raise AttemptsSpentError(f"{most} of today's attempts are graded")
    return found


def tell_again(watched: Watched, student: str) -> str:
    """Give a student whose notebook has its grade the feedback on it, where they handed the same one in once more.

    Where the last attempt counts, it was handed in now; where the best does, that is no better than before.

    Returns:
        What was done, for the instructor; empty where they have the feedback.

    Raises:
        AutograderError: The page could not be written, or another command has the course.
    """
    course, assignment, gradebook = watched.course, watched.assignment, watched.gradebook
    if watched.exchange is None or not is_of_an_earlier_one(course, assignment, student):
        return ""
    with only_run(course):
        attempts = attempts_of(course, assignment, student)
        if attempts and not attempts[-1].counts:
            write_beside(course, assignment, student)  # the page is that attempt's, and stays
        else:
            folder = hand_ins(course.root, assignment, [student], timezone=course.timezone)[0]
            when = {student: folder.timestamp}
            if assignment.attempts.counts == "last" and moved_timestamps(gradebook, assignment, when):
                store_timestamp(gradebook, assignment, student, folder.timestamp)
                update_late_penalties(gradebook, course, assignment)
            write_feedback(gradebook, course, assignment, student, now=watched.clock())
    return f"handed in once more, unchanged; feedback{_released(watched, student)}"


def tell_to_wait(watched: Watched, student: str) -> str:
    """Tell a student, on the page of the attempt that counts, that the new one is graded tomorrow.

    Returns:
        What nbgrader warns of as the page is released; usually nothing.

    Raises:
        AutograderError: The page could not be written or released, or another command has the course.
    """
    course, assignment, most = watched.course, watched.assignment, watched.assignment.attempts.per_day
    attempts = "1 attempt is" if most == 1 else f"{most} attempts are"
    notice = (
        f"You handed in again. {attempts} graded on one day, and today's are: this one is graded after midnight. Until "
        "then this page is about the attempt that counts so far."
    )
    with only_run(course):
        write_feedback(watched.gradebook, course, assignment, student, now=watched.clock(), notice=notice)
    if watched.exchange is None:
        return ""
    return release_feedback(course, assignment, watched.exchange, student)[1]


def store_attempt(watched: Watched, graded: Graded) -> str:
    """Store the grade of an attempt where it counts, and write and release its feedback.

    Returns:
        What became of it, for the instructor: its points, whether it counts, and whether feedback was released.

    Raises:
        RefusedError: It was not taken.
        AutograderError: Something of ours failed, so that it is not graded; or it could not be stored.
    """
    course, assignment, gradebook = watched.course, watched.assignment, watched.gradebook
    report = grade_of(graded, assignment)
    student, digest = graded.hand_in.student, graded.hand_in.digest
    worth = _worth(watched, graded.hand_in, report)
    earlier = [each.worth for each in attempts_of(course, assignment, student) if each.submission != digest]
    counts = assignment.attempts.counts == "last" or not earlier or worth >= max(earlier)
    register(gradebook, course, assignment, [student])
    note_attempt(course, assignment, student, Attempt(digest, watched.clock().isoformat(), worth, counts))
    if counts:
        store_grades(gradebook, course, assignment, graded, watched.clock())
        update_late_penalties(gradebook, course, assignment)
        write_feedback(gradebook, course, assignment, student, now=watched.clock())
    else:
        for each, one in zip(assignment.notebooks, graded.notebooks, strict=True):
            if one.submission is not None and one.report is not None:
                write_attempt(gradebook, course, each, one.submission, one.report, watched.clock())
    best = "" if counts else "; an earlier attempt counts"
    asked = asked_for(gradebook, assignment, student, report) if counts else ""
    told = joined_notes(graded.hand_in.note.rstrip("."), asked)
    told = f"; {told}" if told else ""
    return f"{report.score:g} of {report.max_score:g}{best}; feedback{_released(watched, student)}{told}"


def _released(watched: Watched, student: str) -> str:
    """Release a student's feedback where there is an exchange, and say whether that could be done."""
    if watched.exchange is None:
        return ""
    try:
        released, warned = release_feedback(watched.course, watched.assignment, watched.exchange, student)
    except AutograderError as error:
        return f", not released: {error}"
    return (" and released" if released else "") + (f", and nbgrader warns: {warned}" if warned else "")


def _worth(watched: Watched, hand_in: HandIn, report: Report) -> float:
    """The points by the checks, less the late penalty of this attempt."""
    score = report.least
    if hand_in.timestamp is None:
        return score
    handed_in = datetime.fromisoformat(hand_in.timestamp)
    return score - penalty_of(watched.gradebook, watched.assignment, hand_in.student, handed_in, score)
