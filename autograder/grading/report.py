"""What grading one submission comes to: plain data, the same for the gradebook, the terminal and the feedback page."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal

from autograder.base import Cause, cause_from_tree, cause_tree, reason, said
from autograder.course import Assignment, Visibility
from autograder.sandbox import CellRun

Outcome = Literal["passed", "failed", "errored", "withheld"]
"""``failed`` is the student's; ``errored`` is ours, outranks every verdict and is never a zero; ``withheld`` stands in
what a student sees (``visibility.students_view``) for a check of which not even the outcome is told yet."""


@dataclass(frozen=True)
class CheckResult:
    """One hidden check on one submission.

    Attributes:
        name: The check's function name (with its parameters), unique in the assignment. For instructors.
        title: One sentence of what was checked, for the student.
        weight: The share of the row's points, relative to the row's other checks.
        outcome: Passed, failed or errored.
        cause: Why it failed, with nothing hidden in it; None where it did not, or where nothing is known.
        hint: The author's hint, shown where the check failed; may be empty.
        trouble: For the instructor, where it errored: the traceback.
        visibility: From when on the student sees it; None for what the assignment says.
    """

    name: str
    title: str
    weight: float
    outcome: Outcome
    cause: Cause | None = None
    hint: str = ""
    trouble: str = ""
    visibility: Visibility | None = None

    @property
    def reason(self) -> str:
        """What went wrong, in sentences for the student; empty where there is nothing to say."""
        return "" if self.cause is None else reason(self.cause)

    @property
    def shown(self) -> bool:
        """Whether it may be told of: in what a student sees, a check without a title is only counted."""
        return bool(self.title)


@dataclass(frozen=True)
class RowResult:
    """One row of the assignment: a solution cell, its test cell, and what the checks said.

    Attributes:
        name: The solution cell's ``grade_id``.
        test_id: The test cell's ``grade_id``, which carries the points.
        points: The row's maximum.
        checks: Results in the order of the check modules.
        carried: Functions of earlier rows that the reference answered to get this result; usually empty.
        notes: Sentences for the student on what was graded, read where the row lost points: which of several
            definitions of a function counted, and that its arguments stand in another order.
    """

    name: str
    test_id: str
    points: float
    checks: tuple[CheckResult, ...]
    carried: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def errored(self) -> bool:
        """Whether one of the checks failed for a reason of ours."""
        return any(check.outcome == "errored" for check in self.checks)

    @property
    def withheld(self) -> bool:
        """Whether, in what a student sees, the outcome of one of the checks is not told yet."""
        return any(check.outcome == "withheld" for check in self.checks)

    @property
    def unseen(self) -> int:
        """How many checks are only counted, in what a student sees."""
        return sum(not check.shown for check in self.checks)

    @property
    def said(self) -> tuple[str, ...]:
        """The notes, where a check is known to have failed; nobody is bothered with them where all is right."""
        failed = any(check.outcome == "failed" for check in self.checks)
        return self.notes if failed and not self.errored else ()

    @functools.cached_property
    def fraction(self) -> Fraction:
        """The share of the points, exact: passed weight over total weight."""
        total = sum(Fraction(check.weight) for check in self.checks)
        passed = sum(Fraction(check.weight) for check in self.checks if check.outcome == "passed")
        return passed / total if total else Fraction(0)

    @property
    def score(self) -> float | None:
        """Points for the row, or None where one of its checks errored or is withheld."""
        return None if self.errored or self.withheld else self.least

    @property
    def least(self) -> float:
        """Points by the checks that are known to have passed: the score, or what it is at least."""
        return float(Fraction(self.points) * self.fraction)


@dataclass(frozen=True)
class Report:
    """One submission's grade and everything that explains it.

    Attributes:
        assignment: The assignment's name.
        student: The student's id, or None for a notebook graded on its own.
        digest: SHA-256 of the submission, the assignment, the seed and the environment: what decides the grade.
        sandbox: What kept the submission while it ran: ``bubblewrap``, ``landlock`` or ``none``.
        rows: The autograded rows in the assignment's order.
        cells: How each code cell ran.
        notes: Sentences for the student on what was repaired or could not be read.
        trouble: Why there is no grade, where something of ours failed outside any check; empty otherwise.
        seconds: Wall-clock time of the grading.
        provenance: What was graded, and by what: digests and versions by name. ``digest`` is the digest of these.
        shown: Whether cells that only show something were run as well.
        asked: As ``Submission.asked``: why a person has to look at a written answer, by ``grade_id``.
    """

    assignment: str
    student: str | None
    digest: str
    sandbox: str
    rows: tuple[RowResult, ...]
    cells: tuple[CellRun, ...] = ()
    notes: tuple[str, ...] = ()
    trouble: str = ""
    seconds: float = 0.0
    provenance: dict[str, str] = field(default_factory=dict)
    shown: bool = False
    asked: dict[str, str] = field(default_factory=dict)

    @property
    def errored(self) -> bool:
        """Whether something of ours failed, so that the submission stays ungraded."""
        return bool(self.trouble) or any(row.errored for row in self.rows)

    @property
    def withheld(self) -> bool:
        """Whether, in what a student sees, the outcome of a check is not told yet."""
        return any(row.withheld for row in self.rows)

    @property
    def score(self) -> float | None:
        """Points over all autograded rows, or None where something of ours failed or a check is withheld."""
        return None if self.errored or self.withheld else self.least

    @property
    def least(self) -> float:
        """Points by the checks that are known to have passed: the score, or what it is at least."""
        return float(sum((Fraction(row.points) * row.fraction for row in self.rows), Fraction(0)))

    @property
    def max_score(self) -> float:
        """The most that the autograded rows can give."""
        return float(sum(Fraction(row.points) for row in self.rows))

    def as_dict(self) -> dict[str, Any]:
        """The report as a tree of JSON types, with the reasons and scores that follow from it."""
        return _report_tree(self, check_tree) | {"score": self.score, "max_score": self.max_score}


def joint(assignment: Assignment, reports: Sequence[Report]) -> Report:
    """One report on all notebooks of an assignment, given those on each in their order; cells are left out.

    Where there are several, rows, notes and troubles say whose they are.
    """
    if not assignment.parts:
        return reports[0]
    pairs = list(zip(assignment.parts, reports, strict=True))
    return replace(
        reports[0],
        digest=joint_digest([report.digest for report in reports]),
        rows=tuple(
            replace(row, name=part.labelled(row.name), test_id=part.labelled(row.test_id))
            for part, report in pairs
            for row in report.rows
        ),
        cells=(),
        notes=tuple(part.labelled(note) for part, report in pairs for note in report.notes),
        trouble="\n".join(part.labelled(report.trouble) for part, report in pairs if report.trouble),
        seconds=sum(report.seconds for report in reports),
        provenance={part.labelled(name): value for part, report in pairs for name, value in report.provenance.items()},
        shown=all(report.shown for report in reports),
        asked={part.labelled(name): why for part, report in pairs for name, why in report.asked.items()},
    )


def joint_digest(digests: Sequence[str]) -> str:
    """The digest of what has these digests, one for each notebook; of a single one it is that."""
    return digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()


def check_tree(check: CheckResult) -> dict[str, Any]:
    """A check's result as a tree of JSON types, with its reason in words."""
    tree = dict(vars(check))
    return {("reason" if name == "cause" else name): tree[name] if name != "cause" else check.reason for name in tree}


def row_tree(row: RowResult) -> dict[str, Any]:
    """A row's result as a tree of JSON types, with its score and its checks' reasons in words."""
    return _row_tree(row, check_tree)


def stored_tree(report: Report) -> dict[str, Any]:
    """The report as it is kept: with causes, of which words are made when it is read."""
    return _report_tree(report, _stored_check)


def report_from_dict(tree: dict[str, Any]) -> Report:
    """The report that ``stored_tree`` or ``Report.as_dict`` wrote.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: It is none.
    """
    kept = {key: value for key, value in tree.items() if key not in ("score", "max_score")}
    kept["rows"] = tuple(
        RowResult(
            row["name"],
            row["test_id"],
            row["points"],
            tuple(_check_from(check) for check in row["checks"]),
            tuple(row["carried"]),
            tuple(row.get("notes", ())),
        )
        for row in tree["rows"]
    )
    lists = ("outputs", "bound", "gone")
    kept["cells"] = tuple(
        CellRun(**(cell | {name: tuple(cell[name]) for name in lists if name in cell})) for cell in tree["cells"]
    )
    kept["notes"] = tuple(tree["notes"])
    return Report(**kept)


def _report_tree(report: Report, of_check: Callable[[CheckResult], dict[str, Any]]) -> dict[str, Any]:
    # As dataclasses.asdict, which would copy every text of every output.
    cells = [
        {**vars(run), "outputs": list(run.outputs), "bound": list(run.bound), "gone": list(run.gone)}
        for run in report.cells
    ]
    rows = [_row_tree(row, of_check) for row in report.rows]
    changed = {"rows": rows, "cells": cells, "notes": list(report.notes), "provenance": dict(report.provenance)}
    return {**vars(report), **changed}


def _row_tree(row: RowResult, of_check: Callable[[CheckResult], dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": row.name,
        "test_id": row.test_id,
        "points": row.points,
        "checks": [of_check(check) for check in row.checks],
        "carried": list(row.carried),
        "notes": list(row.notes),
        "score": row.score,
    }


def _stored_check(check: CheckResult) -> dict[str, Any]:
    return vars(check) | {"cause": None if check.cause is None else cause_tree(check.cause)}


def _check_from(tree: dict[str, Any]) -> CheckResult:
    kept = {name: value for name, value in tree.items() if name not in ("cause", "reason")}
    if tree.get("cause") is not None:
        return CheckResult(**kept, cause=cause_from_tree(tree["cause"]))
    return CheckResult(**kept, cause=said(tree["reason"]) if tree.get("reason") else None)
