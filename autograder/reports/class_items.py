"""What the results of a class say of an assignment's rows and checks: plain data.

The figures are those of classical test theory (Crocker and Algina, *Introduction to Classical and Modern Test Theory*,
1986, chapter 14).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from autograder.base import common_reason
from autograder.course import Assignment
from autograder.feedback import said_of_all
from autograder.gradebook import HeldGrade
from autograder.grading import CheckResult, Report, RowResult


@dataclass(frozen=True)
class Taker:
    """One student's results.

    Attributes:
        grade: As the gradebook has it, late penalty and hand grades included.
        points: Points by item, as far as they are known: rows and answers graded by hand, by their names.
        carried: How many rows were right only with a correct earlier function.
    """

    grade: HeldGrade
    points: dict[str, float]
    carried: int


@dataclass(frozen=True)
class CheckItem:
    """One hidden check: how many passed it, of how many on whom it gave a verdict."""

    name: str
    title: str
    passed: int
    of: int


@dataclass(frozen=True)
class Item:
    """A row, or an answer graded by hand.

    Attributes:
        name: Its name.
        points: Its maximum.
        of: How many were graded on it, with 0 points too.
        full: How many have all of the points.
        none: How many have none.
        difficulty: The mean share of the points, from 0 (nobody had any) to 1; None where nobody has been graded.
        discrimination: How the points go with all the others, from -1 to 1; None where that cannot be told.
        checks: Its hidden checks; none for an answer graded by hand.
    """

    name: str
    points: float
    of: int
    full: int
    none: int
    difficulty: float | None
    discrimination: float | None
    checks: tuple[CheckItem, ...] = ()


@dataclass(frozen=True)
class CommonMistake:
    """A first mistake that several made: the row, what was checked, and what went wrong, with … for what varies."""

    row: str
    title: str
    reason: str
    students: int


@dataclass(frozen=True)
class ClassReport:
    """A class at one assignment.

    Attributes:
        assignment: The assignment.
        takers: Who has a grade, by id.
        items: The rows in their order, then the answers graded by hand.
        mistakes: The first mistakes of each row, the commonest first.
        missing: Who is in the gradebook and handed in nothing.
        excused: Who is excused.
        unread: Whose notebook could not be read, with the reason.
        ungraded: Who handed in and has no grade, with the reason.
    """

    assignment: Assignment
    takers: tuple[Taker, ...]
    items: tuple[Item, ...]
    mistakes: tuple[CommonMistake, ...]
    missing: tuple[str, ...]
    excused: tuple[str, ...]
    unread: dict[str, str]
    ungraded: dict[str, str]

    @property
    def scores(self) -> list[float]:
        """What counts, of everybody with a grade and not excused."""
        return [taker.grade.score for taker in self.takers if not taker.grade.excused]

    @property
    def late(self) -> tuple[str, ...]:
        """Who lost points by lateness."""
        return tuple(taker.grade.student for taker in self.takers if taker.grade.late_penalty)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Who waits for a person's grade."""
        return tuple(taker.grade.student for taker in self.takers if taker.grade.needs_manual_grade)


@dataclass
class _Seen:
    """What has been counted so far."""

    titles: dict[tuple[str, str], str] = field(default_factory=dict)
    passed: Counter[tuple[str, str]] = field(default_factory=Counter)
    judged: Counter[tuple[str, str]] = field(default_factory=Counter)
    mistakes: Counter[tuple[str, str, str]] = field(default_factory=Counter)


def class_report(
    assignment: Assignment,
    results: Iterable[tuple[HeldGrade, Report]],
    *,
    roster: Sequence[str],
    ungraded: Mapping[str, str],
) -> ClassReport:
    """What the results of a class say.

    Args:
        assignment: The assignment.
        results: Of everybody with a grade: where they stand, and the report. Taken one after the other.
        roster: Everybody who is in the gradebook.
        ungraded: Who handed in and has no grade, with the reason.
    """
    seen = _Seen()
    takers: list[Taker] = []
    unread: dict[str, str] = {}
    for grade, report in results:
        if report.rows and all(check.name == "readable" for row in report.rows for check in row.checks):
            unread[grade.student] = report.rows[0].checks[0].reason
        else:
            _count(report, seen)
        takers.append(_taker(assignment, grade, report))
    takers.sort(key=lambda taker: taker.grade.student)
    counted = [taker for taker in takers if not taker.grade.excused]
    here = {taker.grade.student for taker in takers}
    most = sorted(seen.mistakes.items(), key=lambda each: (-each[1], each[0]))
    return ClassReport(
        assignment=assignment,
        takers=tuple(takers),
        items=_items(assignment, counted, seen),
        mistakes=tuple(CommonMistake(*what, count) for what, count in most),
        missing=tuple(sorted(name for name in set(roster) - here - set(ungraded) if name not in assignment.excused)),
        excused=tuple(sorted(assignment.excused)),
        unread=unread,
        ungraded=dict(sorted(ungraded.items())),
    )


def discrimination(points: Sequence[float], rest: Sequence[float]) -> float | None:
    """The corrected item-total correlation: Pearson's, of an item's points with the sum of all the other items.

    The item is left out of the total, which it would otherwise be correlated with for being part of it (Henrysson,
    *Psychometrika* 28, 1963).

    Args:
        points: The item's points, one a student.
        rest: The sum of the others, in the same order.

    Returns:
        From -1 to 1; None for fewer than three students, or where all have the same points in either.
    """
    one, other = np.asarray(points, float), np.asarray(rest, float)
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) <= 1e-9 * max(1.0, float(np.abs(other).max())):
        return None
    # Points that differ by less than any that were ever given have no variance left.
    with np.errstate(all="ignore"):
        found = float(np.corrcoef(one, other)[0, 1])
    return None if math.isnan(found) else min(1.0, max(-1.0, found))


def _count(report: Report, seen: _Seen) -> None:
    common = said_of_all(report)
    for row in report.rows:
        for check in row.checks:
            # Of several notebooks one may have been missing, or not readable.
            if check.outcome in ("passed", "failed") and check.name != "readable":
                place = row.name, check.name
                seen.titles[place] = check.title
                seen.judged[place] += 1
                seen.passed[place] += check.outcome == "passed"
        first = _first_failed(row)
        if first is not None and common is None:
            what = "" if first.cause is None else common_reason(first.cause)
            seen.mistakes[row.name, first.title, what] += 1


def _first_failed(row: RowResult) -> CheckResult | None:
    return next((check for check in row.checks if check.outcome == "failed"), None)


def _taker(assignment: Assignment, grade: HeldGrade, report: Report) -> Taker:
    names = {row.test_id: row.name for row in assignment.rows} | {name: name for name in assignment.manual}
    points = {names[name]: score for name, score in grade.scores.items() if score is not None}
    return Taker(grade, points, sum(bool(row.carried) for row in report.rows))


def _items(assignment: Assignment, takers: Sequence[Taker], seen: _Seen) -> tuple[Item, ...]:
    """One item for each row and answer.

    Each says how many have all, some or none of its points, how hard it was, and how well it tells strong from weak
    students.
    """
    most = {row.name: row.points for row in assignment.rows} | assignment.manual
    items = []
    for name, maximum in most.items():
        have = [taker for taker in takers if name in taker.points]
        points = [taker.points[name] for taker in have]
        rest = [math.fsum(taker.points.values()) - taker.points[name] for taker in have]
        checks = tuple(
            CheckItem(check, title, seen.passed[row, check], seen.judged[row, check])
            for (row, check), title in seen.titles.items()
            if row == name
        )
        items.append(
            Item(
                name=name,
                points=maximum,
                of=len(have),
                full=sum(each >= maximum for each in points),
                none=sum(each <= 0 for each in points),
                difficulty=math.fsum(points) / len(points) / maximum if points and maximum else None,
                discrimination=discrimination(points, rest),
                checks=checks,
            )
        )
    return tuple(items)
