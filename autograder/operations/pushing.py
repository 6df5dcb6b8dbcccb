"""What a push of grades to a learning management system would change there, as plain data: nothing is sent here.

What counts is what the system holds now. A grade that is there already is not sent, so that a push that was stopped
goes on where it was, and one that is done again sends nothing. A grade that a person set there is never written over
unasked: it is one that a person is said to have set, and that no earlier push has sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from autograder.course import Assignment
from autograder.gradebook import HeldGrade

EXCUSED: Literal["EX"] = "EX"

Mark: TypeAlias = float | Literal["EX"] | None
"""What stands where a grade belongs: points, that no grade is wanted, or nothing."""

Sent: TypeAlias = Mapping[str, Sequence[Mark]]
"""What earlier pushes have sent, by the system's number of a student."""

SAME_WITHIN = 0.005
"""Points apart that are the same grade: Canvas has kept two decimals of what it is sent."""


@dataclass(frozen=True)
class There:
    """What a system has of one student.

    Attributes:
        number: The system's number of them.
        student: Their id in the course; where the system gives none that the course knows, what it gives.
        name: Their name, for people.
        score: The points that count there.
        entered: The points before what the system itself takes off for lateness, where it tells them apart.
        excused: Whether no grade is wanted there.
        by_person: Whether a person set the grade, through any program.
        late: Whether the system takes what was handed in for late or missing, so that it may take points off.
        comments: What others than the student have written below the submission.
    """

    number: str
    student: str
    name: str = ""
    score: float | None = None
    entered: float | None = None
    excused: bool = False
    by_person: bool = False
    late: bool = False
    comments: tuple[str, ...] = ()

    @property
    def mark(self) -> Mark:
        """What counts."""
        return EXCUSED if self.excused else self.score

    @property
    def set_mark(self) -> Mark:
        """What was set, before the system took points off."""
        return EXCUSED if self.excused else self.score if self.entered is None else self.entered


@dataclass(frozen=True)
class Comment:
    """A comment for one student.

    Attributes:
        text: What is written.
        known_by: The part of it by which it is known again, so that it is not posted twice.
        files: What is attached.
    """

    text: str
    known_by: str
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Change:
    """What would be changed for one student.

    Attributes:
        number: The system's number of them.
        student: Their id.
        old: What counts in the system now.
        new: What would be set; None where the grade stays and only a comment comes.
        why: In words.
        not_late: Whether the system is told besides to take nothing off for lateness: the course's own penalty is off.
        comment: What would be posted.
    """

    number: str
    student: str
    old: Mark
    new: Mark
    why: str
    not_late: bool = False
    comment: Comment | None = None


@dataclass(frozen=True)
class Left:
    """Somebody who is not touched, and why."""

    student: str
    why: str


@dataclass(frozen=True)
class Plan:
    """What a push would do.

    Attributes:
        changes: What would be changed, by student.
        left: Who is not touched although somebody might expect it, by student.
        set_there: Those of ``left`` whose grade a person set in the system: one can ask to have it written over.
        unchanged: The numbers of those who have there what they should have.
    """

    changes: tuple[Change, ...]
    left: tuple[Left, ...]
    set_there: tuple[str, ...]
    unchanged: tuple[str, ...]


def plan(
    grades: Sequence[HeldGrade],
    there: Sequence[There],
    assignment: Assignment,
    *,
    system: str,
    sent: Sent,
    comments: Mapping[str, Comment],
    overwrite: bool = False,
) -> Plan:
    """What a push would change.

    Args:
        grades: What the gradebook holds of each student, late penalties taken off.
        there: What the system has of each of its students.
        assignment: The assignment.
        system: The system's name, for the reasons.
        sent: What earlier pushes have sent.
        comments: What to post, by student.
        overwrite: Whether a grade that a person set in the system is to be written over.

    Returns:
        The changes, and who is left alone and why. After the changes have been made, the plan has none.
    """
    known = {grade.student: grade for grade in grades}
    changes: list[Change] = []
    left: list[Left] = []
    set_there: list[str] = []
    unchanged: list[str] = []
    for each in sorted(there, key=lambda one: (one.student, one.number)):
        new, why = _wanted(each.student, known.get(each.student), assignment)
        if new is None:
            left.append(Left(each.student or each.name, why))
            continue
        comment = comments.get(each.student) if new != EXCUSED else None
        if comment is not None and any(comment.known_by in one for one in each.comments):
            comment = None
        if is_same(each.mark, new):
            if comment is None:
                unchanged.append(each.number)
            else:
                changes.append(Change(each.number, each.student, each.mark, None, "feedback", comment=comment))
            continue
        ours = each.set_mark is None or any(is_same(each.set_mark, one) for one in sent.get(each.number, ()))
        theirs = not ours and (each.by_person or each.excused)
        if theirs and not overwrite:
            held = f"excused in {system}" if each.excused else f"a person set {_points(each.set_mark)} in {system}"
            left.append(Left(each.student, f"{held}, and it is {_points(new)} here"))
            set_there.append(each.student)
            continue
        why = _why(each, new, ours=ours, theirs=theirs, system=system)
        not_late = each.late and new != EXCUSED
        changes.append(Change(each.number, each.student, each.mark, new, why, not_late, comment))
    strangers = sorted(known.keys() - {each.student for each in there})
    left += [Left(each, f"not in {system}, or this is not assigned to them there") for each in strangers]
    return Plan(tuple(changes), tuple(left), tuple(set_there), tuple(unchanged))


def is_same(one: Mark, other: Mark) -> bool:
    """Whether two marks are the same grade."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        return abs(one - other) < SAME_WITHIN
    return one == other


def _wanted(student: str, grade: HeldGrade | None, assignment: Assignment) -> tuple[Mark, str]:
    """What a student should have; else None and why nothing is sent."""
    if student in assignment.excused:
        return EXCUSED, ""
    if grade is None:
        return None, "nothing of theirs is in the gradebook"
    if grade.needs_manual_grade:
        return None, "an answer waits for a person"
    if all(score is None for score in grade.scores.values()) and grade.scores:
        return None, "not graded yet"
    if not 0 <= grade.score <= assignment.max_score:
        most = _points(assignment.max_score)
        return None, f"{_points(grade.score)} is out of the range of 0 to {most}; mend it in the formgrader first"
    return round(grade.score, 4), ""


def _why(there: There, new: Mark, *, ours: bool, theirs: bool, system: str) -> str:
    if theirs:
        return f"in the place of what a person set in {system}"
    if new == EXCUSED:
        return "excused here"
    if there.mark is None:
        return "new"
    if is_same(there.set_mark, new):
        return f"{system} took points off for lateness as well"
    return "changed here" if ours else f"in the place of what {system} set by itself"


def _points(mark: Mark) -> str:
    return mark if isinstance(mark, str) else f"{mark or 0.0:.4f}".rstrip("0").rstrip(".")
