"""Before students meet an assignment: new courses, lint, release, proofs, audit, quiz, overview, import, demo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograder.base import on_demand

if TYPE_CHECKING:
    from autograder.authoring.audit.auditing import Audit, run_audit
    from autograder.authoring.audit.equivalents import EQUIVALENT
    from autograder.authoring.audit.page import audit_page, audit_tree, diff, findings, row_counts, total
    from autograder.authoring.audit.record import keep_record, unaudited, write_record
    from autograder.authoring.demo import flagship, make_course
    from autograder.authoring.gradescope.packing import Packed, pack_for_gradescope
    from autograder.authoring.gradient_proofs import Claim
    from autograder.authoring.importing.bringing import Imported, import_assignments, imported_tree
    from autograder.authoring.lint.finding import Finding
    from autograder.authoring.lint.linting import lint_assignment, lint_course, lint_tree
    from autograder.authoring.made_up_class import HandedIn, hand_in
    from autograder.authoring.mistakes import Mistake, stock_mistakes
    from autograder.authoring.overview import calendar, overview_page, write_overview
    from autograder.authoring.own_lists import beside_reference
    from autograder.authoring.quiz import quiz_file, quiz_notebook, quiz_qti, read_quiz, write_quiz
    from autograder.authoring.releasing import ReleaseResult, release
    from autograder.authoring.starting.new_assignment import NewAssignment, new_assignment
    from autograder.authoring.starting.new_course import NewCourse, init_course

__all__ = [
    "EQUIVALENT",
    "Audit",
    "Claim",
    "Finding",
    "HandedIn",
    "Imported",
    "Mistake",
    "NewAssignment",
    "NewCourse",
    "Packed",
    "ReleaseResult",
    "audit_page",
    "audit_tree",
    "beside_reference",
    "calendar",
    "diff",
    "findings",
    "flagship",
    "hand_in",
    "import_assignments",
    "imported_tree",
    "init_course",
    "keep_record",
    "lint_assignment",
    "lint_course",
    "lint_tree",
    "make_course",
    "new_assignment",
    "overview_page",
    "pack_for_gradescope",
    "quiz_file",
    "quiz_notebook",
    "quiz_qti",
    "read_quiz",
    "release",
    "row_counts",
    "run_audit",
    "stock_mistakes",
    "total",
    "unaudited",
    "write_overview",
    "write_quiz",
    "write_record",
]

__getattr__ = on_demand(
    __name__,
    {
        "audit.auditing": (
            "Audit",
            "run_audit",
        ),
        "audit.equivalents": ("EQUIVALENT",),
        "audit.page": (
            "audit_page",
            "audit_tree",
            "diff",
            "findings",
            "row_counts",
            "total",
        ),
        "audit.record": (
            "keep_record",
            "unaudited",
            "write_record",
        ),
        "own_lists": ("beside_reference",),
        "demo": (
            "flagship",
            "make_course",
        ),
        "gradient_proofs": ("Claim",),
        "gradescope.packing": (
            "Packed",
            "pack_for_gradescope",
        ),
        "importing.bringing": (
            "Imported",
            "import_assignments",
            "imported_tree",
        ),
        "lint.finding": ("Finding",),
        "lint.linting": (
            "lint_assignment",
            "lint_course",
            "lint_tree",
        ),
        "made_up_class": (
            "HandedIn",
            "hand_in",
        ),
        "mistakes": (
            "Mistake",
            "stock_mistakes",
        ),
        "overview": (
            "calendar",
            "overview_page",
            "write_overview",
        ),
        "quiz": (
            "quiz_file",
            "quiz_notebook",
            "quiz_qti",
            "read_quiz",
            "write_quiz",
        ),
        "releasing": (
            "ReleaseResult",
            "release",
        ),
        "starting.new_assignment": (
            "NewAssignment",
            "new_assignment",
        ),
        "starting.new_course": (
            "NewCourse",
            "init_course",
        ),
    },
)
