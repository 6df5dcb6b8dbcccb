"""One submission in, one ``Report`` out: the suite of checks, errors carried forward, reasons, provenance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograder.base import on_demand

if TYPE_CHECKING:
    from autograder.grading.grader import Grader, check_rows, grade, place_runs, replacements, standing, undefined_after
    from autograder.grading.provenance import (
        AUTHORS_OWN,
        assignment_digest,
        decisive_files,
        digest_of,
        environment,
        provenance_for,
    )
    from autograder.grading.recording import MAX_PRINTED, Attempt, Call, Checked, RecordingSuite
    from autograder.grading.report import CheckResult, Report, RowResult, report_from_dict
    from autograder.grading.standin import StandIn
    from autograder.grading.suite import Suite

__all__ = [
    "AUTHORS_OWN",
    "MAX_PRINTED",
    "Attempt",
    "Call",
    "CheckResult",
    "Checked",
    "Grader",
    "RecordingSuite",
    "Report",
    "RowResult",
    "StandIn",
    "Suite",
    "assignment_digest",
    "check_rows",
    "decisive_files",
    "digest_of",
    "environment",
    "grade",
    "place_runs",
    "provenance_for",
    "replacements",
    "report_from_dict",
    "standing",
    "undefined_after",
]

__getattr__ = on_demand(
    __name__,
    {
        "grader": (
            "Grader",
            "check_rows",
            "grade",
            "place_runs",
            "replacements",
            "standing",
            "undefined_after",
        ),
        "provenance": (
            "AUTHORS_OWN",
            "assignment_digest",
            "decisive_files",
            "digest_of",
            "environment",
            "provenance_for",
        ),
        "recording": (
            "Attempt",
            "Call",
            "Checked",
            "MAX_PRINTED",
            "RecordingSuite",
        ),
        "report": (
            "CheckResult",
            "Report",
            "RowResult",
            "report_from_dict",
        ),
        "standin": ("StandIn",),
        "suite": ("Suite",),
    },
)
