"""The graded attempts of each student at an assignment: a small file each, beside the course, written at once."""

from __future__ import annotations

import functools
import json
from dataclasses import asdict, dataclass
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.base import make_closed_folder, write_atomically
from autograder.course import Assignment, Course

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FOLDER = ".autograder-attempts"


@dataclass(frozen=True)
class Attempt:
    """One graded attempt.

    Attributes:
        submission: The submission's digest.
        at: When it was graded, ISO 8601 with its zone.
        worth: Its points by the checks, less the late penalty.
        counts: Whether it was written into the gradebook.
    """

    submission: str
    at: str
    worth: float
    counts: bool


def attempts_of(course: Course, assignment: Assignment, student: str) -> list[Attempt]:
    """The student's attempts so far, the oldest first. What cannot be read is taken for none: nobody loses a grade."""
    try:
        found = _attempts().validate_json(_file(course, assignment, student).read_bytes(), strict=True)
        return found if all(_is_moment(each.at, course.timezone) for each in found) else []
    except (OSError, ValueError):
        return []


def note_attempt(course: Course, assignment: Assignment, student: str, attempt: Attempt) -> None:
    """Write an attempt down; one of the same submission as the last takes its place."""
    earlier = attempts_of(course, assignment, student)
    if earlier and earlier[-1].submission == attempt.submission:
        del earlier[-1]
    path = _file(course, assignment, student)
    make_closed_folder(path.parent)
    write_atomically(path, json.dumps([asdict(each) for each in [*earlier, attempt]], indent=1) + "\n")


def graded_on(attempts: list[Attempt], day: date, timezone: tzinfo) -> int:
    """How many of the attempts were graded on a day of the course's."""
    return sum(datetime.fromisoformat(each.at).astimezone(timezone).date() == day for each in attempts)


def _is_moment(text: str, timezone: tzinfo) -> bool:
    """Whether a text is a time with its zone that the course's calendar has."""
    try:
        moment = datetime.fromisoformat(text)
        moment.astimezone(timezone)
    except (ValueError, OverflowError):
        return False
    return moment.tzinfo is not None


@functools.cache
def _attempts() -> TypeAdapter[list[Attempt]]:
    from pydantic import TypeAdapter

    return TypeAdapter(list[Attempt], config={"allow_inf_nan": False})


def _file(course: Course, assignment: Assignment, student: str) -> Path:
    return course.root / FOLDER / assignment.name / f"{student}.json"
