"""A report as Gradescope's results.json: one test for each check, in Gradescope's words.

See https://gradescope-autograders.readthedocs.io/en/latest/specs/. Gradescope hides a test by its ``visibility``, but
whoever reaches this file reads all of it. So a check that its student may not read of now is named and explained here
no more than it is on a feedback page; only its points are there, since Gradescope has to add them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from autograder.base import visible
from autograder.course import Assignment
from autograder.feedback import carried_text, points_text
from autograder.grading import CheckResult, Report, RowResult, advice

MAX_TEXT = 20_000
"""Characters of one text: what a reader takes in, and far more than any reason has."""


def gradescope_results(report: Report, seen: Report, assignment: Assignment) -> dict[str, Any]:
    """What Gradescope is told of a submission: plain data, as its results.json has it.

    There is no score of the whole beside those of the tests, so that Gradescope shows none while one is hidden, and a
    written answer has no test at all: it is a question of Gradescope's own, which a person grades.

    Args:
        report: What grading came to; nothing of ours failed.
        seen: The same, as its student may see it now (``students_view``).
        assignment: What was graded.

    Returns:
        ``output`` with notes and what waits for a person; ``tests`` with name, points, status, output and visibility;
        in ``extra_data`` the sandbox, the digest and whose inputs were drawn, which no student is shown.

    Raises:
        ValueError: Something of ours failed, so that there is no grade.
    """
    if report.errored:
        raise ValueError("a report with an error of ours is no grade")
    return {
        "output": _text(_of_all(seen, assignment)),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "stdout_visibility": "hidden",
        "execution_time": round(report.seconds, 1),
        "tests": [
            test
            for number, (row, seen_row) in enumerate(zip(report.rows, seen.rows, strict=True), 1)
            for test in _of_row(number, row, seen_row, assignment)
        ],
        "extra_data": {
            "sandbox": report.sandbox,
            "digest": report.digest,
            "inputs_of": report.student or "",
            "autograder": report.provenance.get("autograder", ""),
        },
    }


def _of_all(seen: Report, assignment: Assignment) -> list[str]:
    """What stands above the tests: what was found of the hand-in, and what waits for a person."""
    lines = [*dict.fromkeys(seen.notes)]
    if assignment.manual:
        waiting = ", ".join(f"{name} ({points_text(most)} points)" for name, most in assignment.manual.items())
        lines.append(f"Graded by a person, and in no test below: {waiting}.")
    if seen.withheld:
        lines.append("Some checks are not shown yet.")
    return lines


def _of_row(number: int, row: RowResult, seen: RowResult, assignment: Assignment) -> list[dict[str, Any]]:
    total = sum(Fraction(check.weight) for check in row.checks)
    tests = []
    told: Sequence[str] = [*([carried_text(seen)] if seen.carried else ()), *seen.said]
    for place, (check, seen_check) in enumerate(zip(row.checks, seen.checks, strict=True), 1):
        most = float(Fraction(row.points) * Fraction(check.weight) / total) if total else 0.0
        passed = check.outcome == "passed"
        lines: list[str] = []
        if seen_check.shown and not passed:
            # What is said of the whole row stands with its first mistake.
            lines, told = [*told, *_why(seen, seen_check)], ()
        title = seen_check.title if seen_check.shown else "A check that is not shown."
        tests.append(
            {
                "number": f"{number}.{place}",
                "name": _text([f"{row.name}: {title}"]),
                "score": most if passed else 0.0,
                "max_score": most,
                "status": "passed" if passed else "failed",
                "output": _text(lines),
                "visibility": check.visibility or assignment.visibility,
            }
        )
    return tests


def _why(row: RowResult, check: CheckResult) -> list[str]:
    advised = advice(row, check)
    hint = "" if advised is None else f"{'Hint: ' if advised.is_hint else ''}{advised.text}"
    return [each for each in (check.reason, hint) if each]


def _text(lines: Sequence[str]) -> str:
    text = visible("\n".join(lines))
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
