"""What a student handed in, found and known by its digest, before it is read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from autograder.base import RefusedError, SubmissionError
from autograder.course import Assignment
from autograder.submission.choosing import NotHandedInError, choose_in
from autograder.submission.folders import SubmittedFolder
from autograder.submission.reading import submitted_digest, unread_submission


@dataclass(frozen=True)
class HandIn:
    """What was handed in, found and with its digest, and not read yet.

    Attributes:
        student: The student's id.
        notebook: The submitted notebook, or None where there is none.
        timestamp: When it was submitted, ISO 8601 in UTC, or None.
        unread: Why there is no notebook, for the student; empty where there is one.
        digest: As ``Submission.digest``; empty on another machine, which need not know.
        note: What the student and the instructor are told of other notebooks beside it; usually empty.
        missing: Whether it is one of several notebooks, and another one was handed in.
        parts: Of an assignment of several notebooks: each by itself, in their order; then there is none above.
    """

    student: str
    notebook: Path | None
    timestamp: str | None
    unread: str = ""
    digest: str = ""
    note: str = ""
    missing: bool = False
    parts: tuple[HandIn, ...] = ()

    @property
    def notebooks(self) -> tuple[HandIn, ...]:
        """Each notebook of it by itself: itself, where the assignment has one."""
        return self.parts or (self,)


def find_hand_in(folder: SubmittedFolder, assignment: Assignment) -> HandIn:
    """What is to be graded of a student's folder.

    Raises:
        RefusedError: It is not taken: a link, a pipe, a device, a folder that cannot be read.
        AutograderError: The assignment has no release, or one that does not fit its master.
    """
    if folder.problem:
        raise RefusedError(folder.problem)
    if assignment.parts:
        parts = tuple(find_hand_in(folder, each) for each in assignment.parts)
        digest = hashlib.sha256(" ".join(each.digest for each in parts).encode()).hexdigest()
        note = " ".join(dict.fromkeys(each.note for each in parts if each.note))
        return HandIn(folder.student, None, folder.timestamp, digest=digest, note=note, parts=parts)
    try:
        notebook, note = choose_in(folder.folder, assignment)
        digest = submitted_digest(notebook, assignment)
    except SubmissionError as error:
        unread = unread_submission(assignment, str(error))
        missing = isinstance(error, NotHandedInError)
        return HandIn(folder.student, None, folder.timestamp, str(error), unread.digest, missing=missing)
    except OSError as error:
        raise RefusedError(str(error)) from error
    return HandIn(folder.student, notebook, folder.timestamp, digest=digest, note=note)
