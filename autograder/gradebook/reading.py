"""What the gradebook holds: whose grade is whole, and every student's scores, late penalty and score that counts."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.base import GradebookError, did_you_mean
from autograder.course import CONFIG_NAME, Assignment, Course, credible
from autograder.gradebook.files import read_result, result_file
from autograder.gradebook.late_penalties import counted
from autograder.gradebook.opening import Gradebook, open_gradebook
from autograder.gradebook.registering import cells_of
from autograder.grading import Report, joint, joint_digest, report_from_dict

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


@dataclass(frozen=True)
class HeldGrade:
    """What the gradebook holds now of one student in one assignment.

    Attributes:
        student: The student's id.
        timestamp: When it was submitted, or None where unknown.
        scores: Points by the graded cell's ``grade_id``, extra credit included; None where not graded yet.
        raw_score: The sum of these.
        late_penalty: Points lost for lateness.
        score: What counts, never below 0.
        max_score: The most that the assignment gives.
        needs_manual_grade: Whether an answer waits for a person.
        excused: Whether no grade is wanted from the student: the score does not count.
    """

    student: str
    timestamp: datetime | None
    scores: dict[str, float | None]
    raw_score: float
    late_penalty: float
    score: float
    max_score: float
    needs_manual_grade: bool
    excused: bool = False


def graded_digests(
    gradebook: Gradebook, course: Course, assignment: Assignment, *, student: str | None = None
) -> dict[str, str]:
    """By student, or for one alone: the digest of the grade that the gradebook holds, where there is a whole one.

    Whole means: the result and the executed notebook are there, with the outputs of what only shows something where the
    assignment asks for them, and each row's score in the gradebook is the one in the result. So a submission is graded
    again where a run was killed in the middle, where ``autograded/`` was emptied, and where an older copy of the
    gradebook was put back.
    """
    by_notebook = [_digests(gradebook, course, each, student) for each in assignment.notebooks]
    whole = set(by_notebook[0]).intersection(*by_notebook[1:])
    return {each: joint_digest([digests[each] for digests in by_notebook]) for each in by_notebook[0] if each in whole}


def _digests(gradebook: Gradebook, course: Course, assignment: Assignment, student: str | None) -> dict[str, str]:
    """As ``graded_digests``, of one notebook."""
    with gradebook.engine.connect() as connection:
        try:
            held = _grades_by_student(gradebook, connection, assignment, student)
        except GradebookError:
            return {}
    digests = {}
    for each, grades in held.items():
        folder = course.root / "autograded" / each / assignment.name
        report = read_report(course, each, assignment)
        if report is None or not (folder / f"{assignment.notebook}.ipynb").is_file():
            continue
        if assignment.show and not report.shown:
            continue
        expected = {row.test_id: row.score for row in report.rows}
        if {grade.name: grade.auto_score for grade in grades if grade.name not in assignment.manual} == expected:
            digests[each] = report.digest
    return digests


def graded_digest(gradebook: Gradebook, course: Course, student: str, assignment: Assignment) -> str | None:
    """The digest of one student's grade, or None where there is no whole one; for many, ``graded_digests``."""
    return graded_digests(gradebook, course, assignment, student=student).get(student)


def read_report(course: Course, student: str, assignment: Assignment) -> Report | None:
    """The report of the last grading, without the cells' outputs, or None where there is none.

    Of several notebooks it is the one on all, as ``joint`` makes it; None where one of them has none.
    """
    reports = [_read_report(course, student, each) for each in assignment.notebooks]
    known = [report for report in reports if report is not None]
    return joint(assignment, known) if len(known) == len(reports) else None


def _read_report(course: Course, student: str, assignment: Assignment) -> Report | None:
    folder = course.root / "autograded" / student / assignment.name
    try:
        report = report_from_dict(read_result(folder, assignment)["report"])
        # What is damaged may read as a report, and not be one that has a score.
        whole = isinstance(report.digest, str) and report.score is not None
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
        return None
    return report if whole else None


def damaged_result(course: Course, student: str, assignment: Assignment) -> Path | None:
    """The file with the result of the last grading where it is there and cannot be read, else None."""
    folder = course.root / "autograded" / student / assignment.name
    for each in assignment.notebooks:
        path = result_file(folder, each)
        if os.path.lexists(path) and _read_report(course, student, each) is None:
            return path
    return None


def left_out(course: Course, student: str, assignment: Assignment) -> tuple[str, ...]:
    """What was handed in beside the notebook and not copied to ``autograded/``, each with the reason, for people."""
    folder = course.root / "autograded" / student / assignment.name
    found = [read_result(folder, each).get("left_out") for each in assignment.notebooks]
    return tuple(dict.fromkeys(each for one in found if isinstance(one, list) for each in one if isinstance(each, str)))


def held_grades(gradebook: Gradebook, assignment: Assignment, *, student: str | None = None) -> tuple[HeldGrade, ...]:
    """The grade of every student with a submission, by id, for tables and exports; or of one of them alone."""
    if assignment.parts:
        return _held_in_all(assignment, [held_grades(gradebook, each, student=student) for each in assignment.parts])
    order = (*(row.test_id for row in assignment.rows), *assignment.manual)
    with gradebook.engine.connect() as connection:
        by_student = _grades_by_student(gradebook, connection, assignment, student)
    result = []
    for name, rows in by_student.items():
        scores = {row.name: counted(row.auto_score, row.manual_score, row.extra_credit) for row in rows}
        raw = math.fsum(score or 0.0 for score in scores.values())
        lost = rows[0].late_submission_penalty or 0.0
        result.append(
            HeldGrade(
                student=name,
                timestamp=credible(rows[0].timestamp, assignment.due),
                scores={name: scores.get(name) for name in order},
                raw_score=raw,
                late_penalty=lost,
                score=max(0.0, raw - lost),
                max_score=assignment.max_score,
                needs_manual_grade=any(row.needs_manual_grade for row in rows),
                excused=name in assignment.excused,
            )
        )
    return tuple(result)


def _held_in_all(assignment: Assignment, by_notebook: Sequence[tuple[HeldGrade, ...]]) -> tuple[HeldGrade, ...]:
    """What the gradebook holds of each student in an assignment of several notebooks, from that in each of these."""
    known = [{grade.student: grade for grade in grades} for grades in by_notebook]
    result = []
    for student in sorted(set().union(*known)):
        theirs = [grades.get(student) for grades in known]
        there = [grade for grade in theirs if grade is not None]
        scores: dict[str, float | None] = {}
        for part, grade in zip(assignment.parts, theirs, strict=True):
            names = (*(row.test_id for row in part.rows), *part.manual)
            scores |= {part.labelled(name): None if grade is None else grade.scores[name] for name in names}
        raw, lost = (
            math.fsum(grade.raw_score for grade in there),
            math.fsum(grade.late_penalty for grade in there),
        )
        order = (*(row.test_id for row in assignment.rows), *assignment.manual)
        result.append(
            replace(
                there[0],
                scores={name: scores[name] for name in order},
                raw_score=raw,
                late_penalty=lost,
                score=max(0.0, raw - lost),
                max_score=assignment.max_score,
                needs_manual_grade=any(grade.needs_manual_grade for grade in there),
            )
        )
    return tuple(result)


def held_grades_by_student(course: Course, assignment: Assignment) -> dict[str, HeldGrade]:
    """The grade of everybody with a submission that the course's gradebook holds, by student.

    Raises:
        GradebookError: There is no gradebook, or the assignment is not in it.
    """
    with open_gradebook(course, create=False) as gradebook:
        return {each.student: each for each in held_grades(gradebook, assignment)}


def warnings_of(course: Course, assignment: Assignment) -> list[str]:
    """What an instructor should look at: a mistyped id under extensions or excused helps nobody."""
    if not (assignment.extensions or assignment.excused):
        return []
    with open_gradebook(course, create=False) as gradebook:
        return list(strangers(gradebook, assignment).values())


def roster(gradebook: Gradebook) -> tuple[str, ...]:
    """Everybody who is in the gradebook, by id."""
    from sqlalchemy import select

    people = gradebook.tables["student"]
    with gradebook.engine.connect() as connection:
        return tuple(connection.execute(select(people.c.id).order_by(people.c.id)).scalars())


def strangers(gradebook: Gradebook, assignment: Assignment) -> dict[str, str]:
    """Who has an extension or is excused and is not in the gradebook: by id, the key and the nearest id, in words."""
    known = set(roster(gradebook))
    found = {}
    for key, named in (("extensions", assignment.extensions), ("excused", sorted(assignment.excused))):
        for student in named:
            if student not in known:
                where = f"{CONFIG_NAME}, assignments.{assignment.name}.{key}"
                nearest = did_you_mean(student, known).rstrip()
                found[student] = f"{where}: {student!r} is nobody in the gradebook; {nearest}".rstrip("; ")
    return found


def _grades_by_student(
    gradebook: Gradebook, connection: Connection, assignment: Assignment, student: str | None = None
) -> dict[str, list[Any]]:
    """For every student with a submission, or for one, in the order of their ids: a row for each graded cell.

    Raises:
        GradebookError: The assignment is not registered.
    """
    from sqlalchemy import select, true

    submissions, notebooks = gradebook.tables["submitted_assignment"], gradebook.tables["submitted_notebook"]
    grades, base = gradebook.tables["grade"], gradebook.tables["base_cell"]
    cells = cells_of(gradebook, connection, assignment)
    found = connection.execute(
        select(
            submissions.c.student_id,
            submissions.c.timestamp,
            notebooks.c.late_submission_penalty,
            base.c.name,
            grades.c.auto_score,
            grades.c.manual_score,
            grades.c.extra_credit,
            grades.c.needs_manual_grade,
        )
        .join(notebooks, notebooks.c.assignment_id == submissions.c.id)
        .join(grades, grades.c.notebook_id == notebooks.c.id)
        .join(base, base.c.id == grades.c.cell_id)
        .where(submissions.c.assignment_id == cells.assignment, notebooks.c.notebook_id == cells.notebook)
        .where(grades.c.cell_id.in_(cells.graded.values()))
        .where(submissions.c.student_id == student if student is not None else true())
        .order_by(submissions.c.student_id)
    )
    by_student: dict[str, list[Any]] = {}
    for row in found:
        by_student.setdefault(row.student_id, []).append(row)
    return by_student
