"""A submitted notebook → Submission: read, and repaired against the release."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any

from autograder.base import RefusedError, SubmissionError, printable
from autograder.course import SHOWS_TAG, Assignment, release_of
from autograder.submission.beside import files_beside
from autograder.submission.choosing import NotHandedInError, choose_in, find_notebook
from autograder.submission.file_names import is_script
from autograder.submission.folders import SubmittedFolder, read_regular, submissions
from autograder.submission.groups import hand_ins
from autograder.submission.repair import notebook_of, repaired
from autograder.submission.scripts import handed_in_cells
from autograder.submission.written import own_content, unread, unsettled

__all__ = [
    "Submission",
    "SubmittedFolder",
    "code_cells",
    "find_notebook",
    "read_submission",
    "solution_cells",
    "submission_of",
    "submissions",
    "submitted_digest",
    "unread_submission",
]

NOTHING_OF_ONES_OWN = hashlib.sha256().hexdigest()
"""``Submission.own`` of a student who wrote in no cell but those of the release."""


@dataclass(frozen=True)
class Submission:
    """One submission, ready to run.

    Attributes:
        assignment: The assignment's name.
        student: The student's id, or None for a notebook graded on its own.
        notebook: The repaired notebook as nbformat 4.5 JSON (a tree of plain data), outputs cleared.
        notes: Sentences for the student on what was repaired.
        unreadable: Why the notebook could not be read, for the student; then ``notebook`` is the release,
            nothing is run, and every row has 0. Empty for a notebook that could be read.
        digest: SHA-256 of the submitted bytes, in hex, with those of the student's own files that count.
        timestamp: When it was submitted, ISO 8601 in UTC, or None where unknown.
        files: What the notebook finds in its working folder, by name.
        handed_in: The outputs that came along of cells that only show something, by their places in ``notebook``: a
            student's words, of any form.
        asked: Written answers that a person has to look at although their cells hold nothing, by ``grade_id``: why.
        own: SHA-256 of what the student wrote in cells of their own, in hex; with ``asked``, it is part of the answer.
        numbers: Each cell's number in the notebook as it was handed in, from 1; 0 for one that was put back. Empty
            where it could not be read.
    """

    assignment: str
    student: str | None
    notebook: dict[str, Any]
    notes: tuple[str, ...]
    unreadable: str
    digest: str
    timestamp: str | None = None
    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    handed_in: dict[int, list[Any]] = field(default_factory=dict, repr=False)
    asked: dict[str, str] = field(default_factory=dict)
    own: str = ""
    numbers: tuple[int, ...] = ()


def read_submission(
    path: Path, assignment: Assignment, *, student: str | None = None, timestamp: str | None = None, note: str = ""
) -> Submission:
    """The submission in the notebook at ``path``, repaired against the release, with the files that lie beside it.

    Whatever is in the file, the result holds a valid notebook with each graded cell of the release once.

    Args:
        path: The submitted notebook.
        assignment: What it is a submission for.
        student: The student's id; with it, the notes tell of a file of another name.
        timestamp: When it was submitted, ISO 8601 in UTC.
        note: What the student is told of other notebooks beside it; may be empty.

    Raises:
        RefusedError: The file is a link, a pipe, a device or a folder, or cannot be opened.
        AutograderError: The assignment has no release, or one that does not fit its master.
    """
    release = release_of(assignment)
    limit = assignment.limits.notebook_mb * 2**20
    content, size = read_regular(path, limit, one_name=student is not None)
    beside = files_beside(path.parent, assignment)
    notes: list[str] = [note] if note else []
    expected = f"{assignment.notebook}{'.py' if is_script(path.name) else '.ipynb'}"
    if student is not None and path.name != expected:
        notes.append(f"Your file is called {printable(path.name)}; call it {expected}. This costs nothing.")
    unreadable = ""
    numbers: tuple[int, ...] = ()
    try:
        if size > limit:
            most = assignment.limits.notebook_mb
            raise SubmissionError(
                f"The file has {size / 2**20:.1f} MB; the most is {most} MB. Clear the outputs in "
                "Jupyter (Edit, Clear Outputs of All Cells), save it and submit it again."
            )
        handed_in = handed_in_cells(path.name, content, release, notes)
        cells = repaired(handed_in, release, notes, tests_last=is_script(path.name))
        places = {id(cell): number for number, cell in enumerate(handed_in, 1)}
        numbers = tuple(places.get(id(cell), 0) for cell, _ in cells)
        notes += beside.notes
        asked = unsettled(cells, release)
        notes += [f"{name} waits for a person: {why}." for name, why in asked.items()]
    except SubmissionError as problem:
        unreadable, cells = str(problem), repaired(release.untouched(), release, [])
        asked = unread(release)
    return Submission(
        assignment=assignment.name,
        student=student,
        notebook=notebook_of(cells, release),
        notes=tuple(dict.fromkeys(notes)),
        unreadable=unreadable,
        digest=_digest(content, size, limit, beside.decisive),
        timestamp=timestamp,
        files=beside.contents,
        handed_in={
            place: cell.outputs
            for place, (cell, released) in enumerate(cells)
            if released is not None and cell.outputs and is_tagged(released.metadata)
        },
        asked=asked,
        own=hashlib.sha256("\0".join(own_content(cells, release)).encode()).hexdigest(),
        numbers=numbers,
    )


def submission_of(
    course_root: Path, assignment: Assignment, student: str, *, timezone: tzinfo | None = None
) -> Submission:
    """What a student has submitted, as it lies in ``submitted/``.

    Raises:
        RefusedError: There is nothing, or a link, a pipe or a device in its place.
        AutograderError: The assignment has no release, or one that does not fit its master.
    """
    found = hand_ins(course_root, assignment, [student], timezone=timezone)[0]
    if found.problem:
        raise RefusedError(found.problem)
    try:
        path, note = choose_in(found.folder, assignment)
    except SubmissionError as error:
        known = {"student": student, "timestamp": found.timestamp}
        return unread_submission(assignment, str(error), **known, missing=isinstance(error, NotHandedInError))
    return read_submission(path, assignment, student=student, timestamp=found.timestamp, note=note)


def submitted_digest(path: Path, assignment: Assignment) -> str:
    """The digest that ``read_submission`` would give, of a submitted notebook that is only looked at.

    Raises:
        RefusedError: The file is a link, a pipe, a device or a folder, or cannot be opened.
    """
    limit = assignment.limits.notebook_mb * 2**20
    content, size = read_regular(path, limit, one_name=True)
    return _digest(content, size, limit, files_beside(path.parent, assignment).decisive)


def unread_submission(
    assignment: Assignment,
    reason: str,
    *,
    student: str | None = None,
    timestamp: str | None = None,
    missing: bool = False,
) -> Submission:
    """The submission of a student whose folder holds no notebook: the release, and the reason to read.

    Args:
        assignment: What it is a submission for.
        reason: Why there is none, for the student.
        student: The student's id.
        timestamp: When it was submitted, ISO 8601 in UTC.
        missing: Whether another of the assignment's notebooks was handed in: then no person has to look for what was
            written in this one.

    Raises:
        AutograderError: The assignment has no release, or one that does not fit its master.
    """
    release = release_of(assignment)
    return Submission(
        assignment=assignment.name,
        student=student,
        notebook=notebook_of(repaired(release.untouched(), release, []), release),
        notes=(),
        unreadable=reason,
        digest=hashlib.sha256(reason.encode()).hexdigest(),
        timestamp=timestamp,
        asked={} if missing else unread(release),
        own=NOTHING_OF_ONES_OWN if missing else hashlib.sha256(reason.encode()).hexdigest(),
    )


def code_cells(submission: Submission) -> list[tuple[int, str]]:
    """The code cells of a submission, as (position in the notebook, source)."""
    cells: list[dict[str, Any]] = submission.notebook["cells"]
    return [(index, cell["source"]) for index, cell in enumerate(cells) if cell["cell_type"] == "code"]


def is_tagged(metadata: Mapping[str, Any]) -> bool:
    """Whether a cell of the release is one of which its author says that it only shows something."""
    tags = metadata.get("tags")
    return bool(metadata.get("nbgrader")) and isinstance(tags, list) and SHOWS_TAG in tags


def solution_cells(submission: Submission) -> dict[str, int]:
    """The positions of the solution cells in the notebook, by ``grade_id``."""
    marks = [cell["metadata"].get("nbgrader", {}) for cell in submission.notebook["cells"]]
    return {mark["grade_id"]: index for index, mark in enumerate(marks) if mark.get("solution")}


def _digest(content: bytes, size: int, limit: int, files: bytes) -> str:
    digest = hashlib.sha256(content)
    if size > limit:
        # The rest of a file that is too large is not read; that it is too large decides the grade.
        digest.update(str(size).encode())
    digest.update(files)
    return digest.hexdigest()
