"""One submission in, one ``Report`` out: the suite of checks, errors carried forward, hints, provenance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograder.base import on_demand

if TYPE_CHECKING:
    from autograder.grading.carrying import check_rows, replacements
    from autograder.grading.check import Check
    from autograder.grading.grader import Grader, grade, process_grader, undefined_after
    from autograder.grading.hints import advice
    from autograder.grading.provenance import (
        assignment_digest,
        decisive_files,
        digest_of,
        environment,
        helpers_beside,
        provenance_for,
        wanted_digests,
    )
    from autograder.grading.recording import MAX_PRINTED, CallRecord, Checked, Recorder, RowRun
    from autograder.grading.redefined import watched_names, with_definitions
    from autograder.grading.reference_process import ReferenceProcess
    from autograder.grading.report import (
        CheckResult,
        Report,
        RowResult,
        check_tree,
        joint,
        joint_digest,
        report_from_dict,
        row_tree,
        stored_tree,
    )
    from autograder.grading.running import run_notebook
    from autograder.grading.suite import Suite

__all__ = [
    "MAX_PRINTED",
    "CallRecord",
    "Check",
    "CheckResult",
    "Checked",
    "Grader",
    "Recorder",
    "ReferenceProcess",
    "Report",
    "RowResult",
    "RowRun",
    "Suite",
    "advice",
    "assignment_digest",
    "check_rows",
    "check_tree",
    "decisive_files",
    "digest_of",
    "environment",
    "grade",
    "helpers_beside",
    "joint",
    "joint_digest",
    "process_grader",
    "provenance_for",
    "replacements",
    "report_from_dict",
    "row_tree",
    "run_notebook",
    "stored_tree",
    "undefined_after",
    "wanted_digests",
    "watched_names",
    "with_definitions",
]

__getattr__ = on_demand(
    __name__,
    {
        "carrying": (
            "check_rows",
            "replacements",
        ),
        "check": ("Check",),
        "grader": (
            "Grader",
            "grade",
            "process_grader",
            "undefined_after",
        ),
        "hints": ("advice",),
        "provenance": (
            "assignment_digest",
            "decisive_files",
            "digest_of",
            "environment",
            "helpers_beside",
            "provenance_for",
            "wanted_digests",
        ),
        "recording": (
            "CallRecord",
            "Checked",
            "MAX_PRINTED",
            "Recorder",
            "RowRun",
        ),
        "reference_process": ("ReferenceProcess",),
        "redefined": ("watched_names", "with_definitions"),
        "report": (
            "CheckResult",
            "Report",
            "RowResult",
            "check_tree",
            "joint",
            "joint_digest",
            "report_from_dict",
            "row_tree",
            "stored_tree",
        ),
        "running": ("run_notebook",),
        "suite": ("Suite",),
    },
)
