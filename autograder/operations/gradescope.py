"""A submission graded where Gradescope runs autograders: its folders in, its results.json out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autograder.base import AutograderError, RefusedError, SubmissionError, make_folder, write_output
from autograder.course import Assignment, Course, load_course
from autograder.feedback import students_view
from autograder.grading import Report, process_grader
from autograder.operations.graded import Graded, grade_hand_in, require_gradable
from autograder.reports import gradescope_results
from autograder.sandbox import Kind, chosen
from autograder.submission import (
    HandIn,
    SubmittedFolder,
    find_hand_in,
    folder_of_notebooks,
    read_regular,
    read_submission,
)

HOME = Path("/autograder")
"""Where Gradescope has everything, in its containers."""

COURSE_FOLDER = "course"
"""Where the course lies below what was uploaded to Gradescope as the autograder."""

MAX_METADATA_MB = 32
"""The results of all earlier submissions are in it."""


@dataclass(frozen=True)
class Place:
    """The folders of a Gradescope container.

    Attributes:
        course: The course, of one assignment.
        submission: What the student handed in.
        metadata: Gradescope's submission_metadata.json.
        results: The results.json that is written.
    """

    course: Path
    submission: Path
    metadata: Path
    results: Path


def place_in(home: Path) -> Place:
    """The folders, as Gradescope documents them."""
    return Place(
        home / "source" / COURSE_FOLDER,
        home / "submission",
        home / "submission_metadata.json",
        home / "results/results.json",
    )


def grade_for_gradescope(place: Place, *, now: datetime | None = None) -> Report:
    """Grade what a student handed in to Gradescope, and write its results.json.

    Whatever was handed in gets results with a reason to read. Where something of ours fails there are none, and an old
    file is gone: Gradescope then tells the student that the autograder failed, which is no zero.

    Args:
        place: The folders.
        now: The time, which decides what the student may read; the clock's, by default.

    Returns:
        The report.

    Raises:
        AutograderError: Something of ours failed; the message says what, for the instructor.
    """
    with contextlib.suppress(FileNotFoundError):
        place.results.unlink()
    course = load_course(place.course)
    assignment = only_assignment(course)
    student = _whose_inputs(assignment, place.metadata)
    sandbox = chosen(course.sandbox)
    report = _graded(place.submission, assignment, student, sandbox, probed=course.sandbox == "auto")
    if report.errored:
        troubles = [report.trouble, *(check.trouble for row in report.rows for check in row.checks)]
        raise AutograderError("\n".join(["this could not be graded, for a reason of ours.", *filter(None, troubles)]))
    seen = students_view(report, assignment, now=now or datetime.now(UTC), due=assignment.due)
    results = gradescope_results(report, seen, assignment)
    make_folder(place.results.parent)
    write_output(place.results, json.dumps(results, indent=1))
    return report


def try_for_gradescope(place: Place) -> tuple[Kind, Report]:
    """Try at set-up what each submission will need: the sandbox, the checks, and the solved master's full marks.

    Returns:
        The kind of sandbox that holds here, and the report on the solved master.

    Raises:
        AutograderError: Something is missing, or the master does not get full marks here.
    """
    course = load_course(place.course)
    assignment = only_assignment(course)
    sandbox = chosen(course.sandbox)
    require_gradable(assignment, sandbox)
    grader = process_grader(sandbox, probed=True)
    lost: list[str] = []
    reports = []
    for each in assignment.notebooks:
        student = "0" if each.inputs == "per_student" else None
        report = grader.grade(read_submission(each.master, each, student=student), each)
        troubles = [report.trouble, *(check.trouble for row in report.rows for check in row.checks)]
        lost += [f"  - {each.notebook}: {trouble}" for trouble in troubles if trouble]
        lost += [f"  - {row.name}: {row.score} of {row.points:g} points" for row in report.rows if row.fraction < 1]
        reports.append(report)
    if lost:
        raise AutograderError("\n".join(["the solved master does not get full marks on this machine:", *lost]))
    return sandbox, reports[0]


def only_assignment(course: Course) -> Assignment:
    """The one assignment of a course for Gradescope.

    Raises:
        AutograderError: There is none that can be graded, or more than one.
    """
    if len(course.assignments) != 1:
        unwritten = "".join(f"\n{why}" for why in course.unwritten.values())
        raise AutograderError(
            f"{course.root} has {len(course.assignments)} assignments that can be graded, and a course for Gradescope "
            f"has one: make the zip file anew with `autograder gradescope`{unwritten}"
        )
    return next(iter(course.assignments.values()))


def _graded(upload: Path, assignment: Assignment, student: str, sandbox: Kind, *, probed: bool) -> Report:
    """The report on an upload; what cannot be taken is graded as unread, with the reason for its student.

    Raises:
        AutograderError: Something of ours failed.
    """
    notes: tuple[str, ...] = ()
    try:
        folder, told = folder_of_notebooks(upload, assignment)
        notes = (told,) if told else ()
        hand_in = find_hand_in(SubmittedFolder(student, folder), assignment)
    except (RefusedError, SubmissionError) as error:
        hand_in = _unread(assignment, student, _of_the_upload(str(error), upload))
    graded = grade_hand_in(hand_in, assignment, sandbox, probed=probed)
    if refused := _refusals(graded):
        why = _of_the_upload("; ".join(refused), upload)
        graded = grade_hand_in(_unread(assignment, student, why), assignment, sandbox, probed=probed)
    if graded.report is None:
        raise AutograderError(graded.trouble or graded.refused)
    report = graded.report
    return replace(report, student=student or None, notes=(*notes, *report.notes))


def _refusals(graded: Graded) -> Sequence[str]:
    return [each.refused for each in graded.notebooks if each.refused]


def _unread(assignment: Assignment, student: str, why: str) -> HandIn:
    """A hand-in of which nothing is read, and why, for the student."""
    parts = tuple(_unread(each, student, why) for each in assignment.parts)
    return HandIn(student, None, None, "" if parts else why, parts=parts)


def _of_the_upload(text: str, upload: Path) -> str:
    """A reason for the student, without the path of the upload on the machine that grades."""
    return text.replace(f"{upload}/", "").replace(str(upload), "your submission")


def _whose_inputs(assignment: Assignment, metadata: Path) -> str:
    """Whose inputs the checks draw: ``""`` where all students get the same, and then the metadata is not looked at.

    Raises:
        AutograderError: Each student has inputs of their own, and the metadata does not say who the student is.
    """
    return student_in(metadata) if assignment.inputs == "per_student" else ""


def student_in(metadata: Path) -> str:
    """Who handed in, by what Gradescope says of the submission.

    It is Gradescope's own number of the student, which nobody can change as they can a name or an address; of a group
    the smallest, so that all its members get the same inputs whoever hands in.

    Args:
        metadata: Gradescope's submission_metadata.json, of which nothing is believed but numbers.

    Raises:
        AutograderError: It does not say who the student is.
    """
    without = (
        f"{metadata} does not say who handed in, and where each student has inputs of their own, that decides the "
        "grade: expected a list `users`, each with a number `id`"
    )
    limit = MAX_METADATA_MB * 2**20
    try:
        content, size = read_regular(metadata, limit)
        if size > limit:
            raise AutograderError(f"{metadata} has more than {MAX_METADATA_MB} MB, and is not read")
        tree: Any = json.loads(content)
    except (RefusedError, ValueError, RecursionError) as error:
        raise AutograderError(f"{without}; {error}") from error
    users = tree.get("users") if isinstance(tree, dict) else None
    numbers = [each.get("id") if isinstance(each, dict) else None for each in users] if isinstance(users, list) else []
    known = [number for number in numbers if type(number) is int and 0 < number < 2**63]
    if not known or len(known) != len(numbers):
        raise AutograderError(without)
    return str(min(known))
