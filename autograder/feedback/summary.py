"""The first cell of the executed notebook: what the autograder found, row by row, and where to begin."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from autograder.course import Assignment
from autograder.feedback.result import NOT_GRADED, first_to_fix, said_of_all, unseen_text
from autograder.feedback.text import listed, literal, points_text
from autograder.grading import CheckResult, Report

SUMMARY_ID = "autograder-summary"


def summary_cell(report: Report, assignment: Assignment, unreadable: str, notes: tuple[str, ...]) -> dict[str, Any]:
    """The summary as a Markdown cell: the score, where to begin, and a table of the rows.

    Args:
        report: What the student may see.
        assignment: What was graded.
        unreadable: Why the notebook could not be read; empty where it could.
        notes: Sentences about the submission, such as what was restored in it.
    """
    lines = ["## What the autograder found", ""]
    if unreadable:
        lines += [f"**The notebook could not be read.** {literal(unreadable)}", ""]
    if report.errored:
        lines += [f"**{NOT_GRADED}**", ""]
    else:
        least = "At least " if report.withheld else ""
        later = " Some checks are not shown yet; their points are added later." if report.withheld else ""
        points = f"{least}{points_text(report.least)} of {points_text(report.max_score)} points"
        lines += [f"**{points}** by the autograder.{later}", ""]
    if assignment.manual:
        count = "One answer" if len(assignment.manual) == 1 else f"{len(assignment.manual)} answers"
        points = points_text(sum(assignment.manual.values()))
        lines += [
            f"{count} ({points} points) {'is' if count == 'One answer' else 'are'} graded by a person.",
            "",
        ]
    if report.sandbox == "none":
        lines += ["This was run without a sandbox.", ""]
    common, first = said_of_all(report), first_to_fix(report)
    if common is not None and common.reason != unreadable:
        lines += [f"**For every row:** {literal(common.reason or common.title)}", ""]
    elif first is not None and common is None:
        failed = [check for check in first.checks if check.outcome == "failed" and check.shown]
        said = literal(_common_reason(failed) or f"{failed[0].title} {failed[0].reason}")
        said = " ".join([*map(literal, first.said), said])
        lines += [f"**Start with [{literal(first.name)}](#{first.test_id}).** {said}", ""]
    elif report.rows and not report.errored and all(row.fraction == 1 for row in report.rows):
        lines += ["Every row is right.", ""]
    told = [note for note in dict.fromkeys(notes) if note != unreadable]
    lines += [f"- {literal(note)}" for note in told]
    if told:
        lines.append("")
    lines += ["| Right | Row | Points | What to look at |", "|:-:|:--|--:|:--|"]
    for row in report.rows:
        failed = [check for check in row.checks if check.outcome == "failed" and check.shown]
        mark = "?" if row.errored else "✗" if failed else "…" if row.withheld else "✗" if row.fraction < 1 else "✓"
        note = NOT_GRADED if row.errored else ""
        if failed and not row.errored and common is None:
            same = _common_reason(failed)
            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 and not same else ""
            # Which definition was graded says more than what is wrong with it.
            graded = row.said[0].partition(": ")[0] if row.said else ""
            note = f"{literal(graded)}." if graded else f"{literal(same or failed[0].title)}{more}"
        elif row.carried:
            note = f"right, given a correct {literal(listed(row.carried))}"
        elif row.unseen and not row.errored:
            note = unseen_text(row)
        score = "–" if row.errored else f"{'≥ ' if row.withheld else ''}{points_text(row.least)}"
        lines.append(
            f"| {mark} | [{literal(row.name)}](#{row.test_id}) | {score} / {points_text(row.points)} | {note} |"
        )
    for name, most in assignment.manual.items():
        lines.append(_waiting_line(name, most))
    source = "\n".join(lines) + "\n"
    return {"cell_type": "markdown", "id": SUMMARY_ID, "metadata": {"deletable": False}, "source": source}


def with_hand_grades(
    summary: str, manual: Mapping[str, float], scores: Mapping[str, float | None], blank: Collection[str] = ()
) -> str:
    """The summary's text with the points that a person has given since.

    Args:
        summary: The source of the summary cell, from ``annotated``.
        manual: The most that each answer graded by hand gives, by ``grade_id``.
        scores: What the gradebook holds now; None where an answer waits.
        blank: Answers that nobody wrote, and to which nobody gave a grade.
    """
    for name, most in manual.items():
        score = scores.get(name)
        if score is not None:
            mark, points = "✓" if score >= most else "✗", f"{points_text(score)} / {points_text(most)}"
            said = "nothing was written, here or in a cell of your own" if name in blank else "graded by a person"
            line = f"| {mark} | [{literal(name)}](#{name}) | {points} | {said} |"
            summary = summary.replace(_waiting_line(name, most), line)
    return summary


def _waiting_line(name: str, most: float) -> str:
    return f"| … | [{literal(name)}](#{name}) | – / {points_text(most)} | waits to be graded by a person |"


def _common_reason(failed: list[CheckResult]) -> str:
    """The reason that several failed checks of a row share, as where its function is not written; else empty."""
    return failed[0].reason if len(failed) > 1 and len({check.reason for check in failed}) == 1 else ""
