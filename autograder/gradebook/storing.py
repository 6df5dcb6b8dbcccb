"""One submission's grade, written: scores and comments, the executed notebook, the result with its digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from autograder.base import GradebookError, make_closed_folder, write_atomically
from autograder.course import Assignment, Course, joined
from autograder.gradebook.comments import write_comments
from autograder.gradebook.files import answers_file, copy_companions, read_answers, result_file, settle
from autograder.gradebook.late_penalties import grant_extensions, write_penalty
from autograder.gradebook.opening import Cells, Gradebook, transaction
from autograder.gradebook.registering import cells_of, new_id
from autograder.gradebook.released import checksum_of, source_cells
from autograder.grading import Report, stored_tree
from autograder.submission import NOTHING_OF_ONES_OWN, Submission

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

NO_RESPONSE = "No response."
"""The comment on a written answer that nobody wrote."""


@dataclass(frozen=True)
class Shown:
    """What a student may read of a grade.

    Attributes:
        comments: The comment on each row, by ``grade_id``; None where there is nothing to say.
        notebook: The executed notebook with its results, as the text of its file.
    """

    comments: Mapping[str, str | None]
    notebook: str


def store(
    gradebook: Gradebook,
    course: Course,
    assignment: Assignment,
    submission: Submission,
    report: Report,
    shown: Shown,
) -> bool:
    """Write one submission's grade: scores and comments, the executed notebook, the result with its digest.

    Of several notebooks, each is written by itself. The result, which reaches no student, tells all; what a student
    reads is the caller's to make.

    Grades given by hand stay: a manual score, extra credit and a manual comment are never touched. An answer
    graded by hand is put on the list for grading again only where the answer changed since, a row only where
    its automatic score did.

    Args:
        gradebook: From ``open_gradebook``; the assignment has been registered.
        course: The course.
        assignment: The assignment.
        submission: What was graded; its ``student`` is known and is added to the gradebook where missing.
        report: What came of it.
        shown: What the student may read of it.

    Returns:
        Whether the grade was written. A report with an error of ours leaves everything as it was, and is
        False.

    Raises:
        GradebookError: The assignment is not registered, or the files could not be written.
        sqlalchemy.exc.SQLAlchemyError: Something in the database; ``open_gradebook`` explains it.
    """
    if report.errored:
        return False
    student = _known_student(submission.student)
    folder = course.root / "autograded" / student / assignment.name
    before = read_answers(folder, assignment)
    answers = _answers(submission, assignment)
    with transaction(gradebook.engine) as connection:
        cells = cells_of(gradebook, connection, assignment)
        submitted, notebook = _entry(gradebook, connection, cells, student, submission.timestamp)
        grant_extensions(gradebook, connection, assignment, student=student)
        _write_scores(gradebook, connection, cells, notebook, assignment, report, answers, before)
        texts = dict(shown.comments)
        texts |= {name: NO_RESPONSE if untouched else None for name, (_, untouched) in answers.items()}
        texts |= {name: f"Waits for a person: {why}." for name, why in submission.asked.items()}
        write_comments(gradebook, connection, cells, notebook, texts)
        write_penalty(gradebook, connection, assignment, submitted)
    try:
        make_closed_folder(folder)
        left_out = copy_companions(course, assignment, student, folder)
        write_atomically(folder / f"{assignment.notebook}.ipynb", shown.notebook)
        write_atomically(folder / "timestamp.txt", f"{submission.timestamp}\n" if submission.timestamp else None)
        settle(folder)
        checksums = {name: checksum for name, (checksum, _) in answers.items()}
        write_atomically(answers_file(folder, assignment), json.dumps(checksums, indent=1) + "\n")
        result = {
            "report": stored_tree(replace(report, cells=())),
            "answers": checksums,
            "left_out": list(left_out),
        }
        write_atomically(result_file(folder, assignment), json.dumps(result, ensure_ascii=False) + "\n")
    except OSError as error:
        raise GradebookError(
            f"{error.filename or folder}: the executed notebook could not be written: {error.strerror or error}. "
            "The scores are in the gradebook; mend this and grade again, and this submission is done again."
        ) from error
    return True


def enter(gradebook: Gradebook, assignment: Assignment, student: str) -> None:
    """Make room for a student's submission in the gradebook, without a grade; where there is one it stays."""
    with transaction(gradebook.engine) as connection:
        for each in assignment.notebooks:
            _entry(gradebook, connection, cells_of(gradebook, connection, each), _known_student(student))
        grant_extensions(gradebook, connection, assignment, student=student)


def store_timestamp(gradebook: Gradebook, assignment: Assignment, student: str, timestamp: str | None) -> None:
    """Note when a submission that needs no new grade was handed in, and what lateness costs it now."""
    with transaction(gradebook.engine) as connection:
        for each in assignment.notebooks:
            cells = cells_of(gradebook, connection, each)
            submitted, _ = _entry(gradebook, connection, cells, student, timestamp)
        grant_extensions(gradebook, connection, assignment, student=student)
        write_penalty(gradebook, connection, assignment, submitted)


def moved_timestamps(gradebook: Gradebook, assignment: Assignment, said: Mapping[str, str | None]) -> set[str]:
    """Of these students, with when they handed in, those of whom the gradebook holds another time or none at all."""
    from sqlalchemy import select

    if not said:
        return set()
    submissions = gradebook.tables["submitted_assignment"]
    with gradebook.engine.connect() as connection:
        cells = cells_of(gradebook, connection, assignment)
        held = dict(
            connection.execute(
                select(submissions.c.student_id, submissions.c.timestamp).where(
                    submissions.c.assignment_id == cells.assignment
                )
            ).all()
        )
    return {
        student
        for student, timestamp in said.items()
        if student not in held or held[student] != (None if timestamp is None else _utc(timestamp))
    }


def _known_student(student: str | None) -> str:
    if not student:
        raise GradebookError("A submission without a student has no place in the gradebook.")
    return student


def _entry(
    gradebook: Gradebook,
    connection: Connection,
    cells: Cells,
    student: str,
    timestamp: str | EllipsisType | None = ...,
) -> tuple[str, str]:
    """Ids of the submission and its notebook, made where missing, with a grade and a comment for each cell."""
    from sqlalchemy import select

    people, submissions = gradebook.tables["student"], gradebook.tables["submitted_assignment"]
    notebooks, grades, comments = (
        gradebook.tables["submitted_notebook"],
        gradebook.tables["grade"],
        gradebook.tables["comment"],
    )
    if connection.execute(select(people.c.id).where(people.c.id == student)).first() is None:
        connection.execute(people.insert().values(id=student))
    when = _utc(timestamp) if isinstance(timestamp, str) else None
    found = connection.execute(
        select(submissions.c.id, submissions.c.timestamp).where(
            submissions.c.assignment_id == cells.assignment, submissions.c.student_id == student
        )
    ).first()
    if found is None:
        submitted = new_id()
        connection.execute(
            submissions.insert().values(
                id=submitted, assignment_id=cells.assignment, student_id=student, timestamp=when
            )
        )
    else:
        submitted = found[0]
        if timestamp is not ... and found[1] != when:
            connection.execute(submissions.update().where(submissions.c.id == submitted).values(timestamp=when))
    notebook = connection.execute(
        select(notebooks.c.id).where(notebooks.c.assignment_id == submitted, notebooks.c.notebook_id == cells.notebook)
    ).scalar()
    if notebook is None:
        notebook = new_id()
        connection.execute(
            notebooks.insert().values(id=notebook, assignment_id=submitted, notebook_id=cells.notebook, flagged=False)
        )
    waiting = {"needs_manual_grade": True}
    for table, wanted, fields in ((grades, cells.graded, waiting), (comments, cells.commented, {})):
        # nbgrader's index is by cell first: without the cells, all grades of the class would be looked through.
        here = table.c.cell_id.in_(wanted.values()), table.c.notebook_id == notebook
        present = set(connection.execute(select(table.c.cell_id).where(*here)).scalars())
        missing = [
            {"id": new_id(), "cell_id": cell, "notebook_id": notebook} | fields
            for cell in wanted.values()
            if cell not in present
        ]
        if missing:
            connection.execute(table.insert(), missing)
    return submitted, notebook


def _write_scores(
    gradebook: Gradebook,
    connection: Connection,
    cells: Cells,
    notebook: str,
    assignment: Assignment,
    report: Report,
    answers: dict[str, tuple[str, bool]],
    earlier_answers: dict[str, str],
) -> None:
    """Write the rows' scores; ask for a grade by hand where an answer or score changed since a person gave one."""
    from sqlalchemy import bindparam, select

    grades = gradebook.tables["grade"]
    present = {
        row.cell_id: row
        for row in connection.execute(
            select(grades.c.cell_id, grades.c.auto_score, grades.c.manual_score, grades.c.needs_manual_grade).where(
                grades.c.cell_id.in_(cells.graded.values()), grades.c.notebook_id == notebook
            )
        )
    }
    scores: list[dict[str, Any]] = []
    for row in report.rows:
        old = present[_cell_id(cells.graded, row.test_id, assignment)]
        overridden = old.manual_score is not None
        again = overridden and (old.needs_manual_grade or old.auto_score != row.score)
        scores.append({"cell": old.cell_id, "auto": row.score, "needs": again})
    for name, (answer, untouched) in answers.items():
        old = present[_cell_id(cells.graded, name, assignment)]
        auto = 0.0 if untouched else None
        same = earlier_answers.get(name) == answer
        by_hand = old.manual_score is not None
        needs = old.needs_manual_grade or not same if by_hand else not untouched
        scores.append({"cell": old.cell_id, "auto": auto, "needs": needs})
    connection.execute(
        grades.update()
        .where(grades.c.notebook_id == notebook, grades.c.cell_id == bindparam("cell"))
        .values(auto_score=bindparam("auto"), needs_manual_grade=bindparam("needs")),
        scores,
    )


def _cell_id(known: dict[str, str], name: str, assignment: Assignment) -> str:
    if name not in known:
        raise GradebookError(
            f"The gradebook has no cell {name!r} of {assignment.name}: the assignment changed since it was "
            f"registered. Run autograder release {assignment.name}, then grade again."
        )
    return known[name]


def _answers(submission: Submission, assignment: Assignment) -> dict[str, tuple[str, bool]]:
    """By ``grade_id``: the answer's checksum, and whether there is none: an empty cell, or the text as released.

    A task has its answer in whatever cells the student made. Where it is not known whether that is all, it is for a
    person to say: no program gives somebody's text a 0.
    """
    cells = source_cells(assignment)
    released = {cell.name: cell.checksum for cell in cells}
    tasks = {cell.name for cell in cells if cell.task}
    found = dict.fromkeys(assignment.manual, ("", True))
    for tree in submission.notebook["cells"]:
        name = tree.get("metadata", {}).get("nbgrader", {}).get("grade_id")
        if name in assignment.manual:
            source = joined(tree["source"])
            checksum = checksum_of(source, tree["cell_type"], True, True, False, name, assignment.manual[name])
            empty = checksum == released.get(name) or not source.strip()
            if pictures := tree.get("attachments"):
                checksum += f" {hashlib.sha256(json.dumps(pictures, sort_keys=True).encode()).hexdigest()}"
                empty = False
            if name in tasks:
                checksum, empty = submission.own, submission.own == NOTHING_OF_ONES_OWN
            if name in submission.asked:
                checksum, empty = f"{checksum} {submission.own}", False
            found[name] = (checksum, empty)
    return found


def _utc(timestamp: str) -> datetime:
    """Naive, in UTC: what nbgrader's tables hold."""
    when = datetime.fromisoformat(timestamp)
    return when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when
