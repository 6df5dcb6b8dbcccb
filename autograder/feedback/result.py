"""What is said of a row: the box under its test cell, and the comment in the gradebook.

Everything here is what a student gets to read, so nothing hidden may be in it: an errored check says only that it
could not be made, never why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autograder.base import one_line, template
from autograder.feedback.text import encodable, listed, plain_or_code, points_text, prose
from autograder.grading import CheckResult, Report, RowResult, advice

NOT_GRADED = "This could not be graded, through no fault of yours. Your instructor was told."
_TEMPLATE = Path(__file__).parent / "templates/result.html.j2"
_SAID_ABOVE = CheckResult("said_above", "See the top of the notebook.", 1.0, "failed")


def row_comment(row: RowResult) -> str:
    """The row's result in a few lines, for the gradebook's comment; empty where there is nothing to say.

    nbgrader renders comments as Markdown and shows them as plain text too, so what could be markup is put
    between backticks, which reads well both ways.
    """
    if row.errored:
        return NOT_GRADED
    lines = []
    if row.carried:
        lines.append(carried_text(row))
    lines += [plain_or_code(note) for note in row.said]
    for told in _told(row):
        if told.mark != "✗":
            continue
        line = f"✗ {plain_or_code(told.title)}"
        if told.reason:
            line = f"{line.rstrip('.')}: {plain_or_code(told.reason)}"
        if told.advice:
            line += f" (Hint: {told.advice})" if told.is_hint else f" ({told.advice.rstrip('.')})"
        lines.append(line)
    if row.unseen:
        lines.append(f"… {unseen_text(row)}")
    return str(encodable("\n\n".join(lines)))


def said_of_all(report: Report) -> CheckResult | None:
    """The one failed check that every row has, as where the notebook could not be read; None where they differ."""
    said = {(check.title, check.reason) for row in report.rows for check in row.checks}
    checks = [check for row in report.rows for check in row.checks]
    alike = len(said) == 1 and len(checks) == len(report.rows) > 1 and checks[0].outcome == "failed"
    alike = alike and checks[0].shown
    return checks[0] if alike else None


def first_to_fix(report: Report) -> RowResult | None:
    """The row to begin with: the first that is seen to be wrong, since later ones build on it; None where none is."""
    for row in report.rows:
        if not row.errored and any(check.outcome == "failed" and check.shown for check in row.checks):
            return row
    return None


def result_output(row: RowResult, common: CheckResult | None) -> dict[str, Any]:
    """What stands under a row's test cell; ``common`` is what is said of all rows at the top, and not again here."""
    row = row if common is None else replace(row, checks=(_SAID_ABOVE,))
    data = {"text/html": _result_html(row), "text/plain": _result_text(row)}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def _score_line(row: RowResult) -> str:
    if row.errored:
        return f"– of {points_text(row.points)} points"
    if row.score is None:
        return f"at least {points_text(row.least)} of {points_text(row.points)} points"
    return f"{points_text(row.score)} of {points_text(row.points)} points"


def unseen_text(row: RowResult) -> str:
    """What is said of the checks of a row that are not shown, one at least."""
    checks = "1 further check is" if row.unseen == 1 else f"{row.unseen} further checks are"
    whose = "its" if row.unseen == 1 else "their"
    if row.withheld:
        return f"{checks} not shown yet; {whose} points are added later."
    return f"{checks} not shown; {whose} points are counted."


def carried_text(row: RowResult) -> str:
    """What is said of a row that was checked again with the reference in place of earlier functions."""
    names = listed(tuple(f"`{name}`" for name in row.carried))
    if row.fraction == 1:
        return f"Right, given a correct {names}: an earlier mistake does not cost points twice."
    return f"Checked with a correct {names} in place of yours: an earlier mistake does not cost points twice."


@dataclass(frozen=True)
class _Told:
    """A check as a student reads of it."""

    mark: str
    title: str
    reason: str = ""
    advice: str = ""
    is_hint: bool = False
    """Whether the advice is the check's hint, and not that it may come of the first mistake alone."""

    begin: bool = False
    """Whether it is the first of several to mend."""


def _told(row: RowResult) -> list[_Told]:
    """The checks that are shown, failed ones first: the first of them is the first thing to mend."""
    shown = [check for check in row.checks if check.shown]
    failed = sum(check.outcome == "failed" for check in row.checks)
    told = []
    for check in sorted(shown, key=lambda check: ("failed", "errored", "passed").index(check.outcome)):
        if check.outcome == "passed":
            told.append(_Told("✓", check.title))
        elif check.outcome == "errored":
            told.append(_Told("?", check.title, NOT_GRADED))
        else:
            advised = advice(row, check)
            text, is_hint = ("", False) if advised is None else (one_line(advised.text), advised.is_hint)
            told.append(_Told("✗", check.title, check.reason, text, is_hint, not told and failed > 1))
    return told


def _result_text(row: RowResult) -> str:
    lines = [f"{row.name}: {_score_line(row)}"]
    if row.carried and not row.errored:
        lines.append(carried_text(row).replace("`", ""))
    lines += row.said
    for told in _told(row):
        lines.append(f"{told.mark} {told.title}{' (fix this first)' if told.begin else ''}")
        lines += [f"    {line}" for line in told.reason.splitlines()]
        if told.advice:
            lines.append(f"    {'Hint: ' if told.is_hint else ''}{told.advice}")
    if row.unseen:
        lines.append(f"… {unseen_text(row)}")
    return "\n".join(lines)


def _result_html(row: RowResult) -> str:
    whole = row.score is not None and row.fraction == 1
    waits = row.withheld and not any(check.outcome == "failed" for check in row.checks)
    return template(_TEMPLATE).render(
        row=row,
        mark="✓" if whole else "?" if row.errored else "…" if waits else "✗",
        edge="#2e8b57" if whole else "#8a8a8a" if row.errored or waits else "#d1603d",
        score=_score_line(row),
        carried=carried_text(row) if row.carried and not row.errored else "",
        told=_told(row),
        unseen=unseen_text(row) if row.unseen else "",
        prose=prose,
    )
