"""Reports → what a student reads: the executed notebook, comments, and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograder.base import on_demand

if TYPE_CHECKING:
    from autograder.feedback.executed import annotated, told_anew
    from autograder.feedback.lateness import lateness_text
    from autograder.feedback.page import feedback_html, in_turn
    from autograder.feedback.rendering import Piece, plainly, rendered
    from autograder.feedback.result import carried_text, first_to_fix, said_of_all, unseen_text
    from autograder.feedback.student_page import (
        FeedbackWritten,
        seen_now,
        shown_to_student,
        write_attempt,
        write_class_feedback,
        write_feedback,
    )
    from autograder.feedback.summary import SUMMARY_ID
    from autograder.feedback.text import listed, points_text
    from autograder.feedback.visibility import grade_as_seen, is_published, students_view

__all__ = [
    "SUMMARY_ID",
    "FeedbackWritten",
    "Piece",
    "annotated",
    "carried_text",
    "feedback_html",
    "first_to_fix",
    "grade_as_seen",
    "in_turn",
    "is_published",
    "lateness_text",
    "listed",
    "plainly",
    "points_text",
    "rendered",
    "said_of_all",
    "seen_now",
    "shown_to_student",
    "students_view",
    "told_anew",
    "unseen_text",
    "write_attempt",
    "write_class_feedback",
    "write_feedback",
]

__getattr__ = on_demand(
    __name__,
    {
        "executed": (
            "annotated",
            "told_anew",
        ),
        "lateness": ("lateness_text",),
        "page": (
            "feedback_html",
            "in_turn",
        ),
        "rendering": (
            "Piece",
            "plainly",
            "rendered",
        ),
        "result": (
            "carried_text",
            "first_to_fix",
            "said_of_all",
            "unseen_text",
        ),
        "student_page": (
            "FeedbackWritten",
            "seen_now",
            "shown_to_student",
            "write_attempt",
            "write_class_feedback",
            "write_feedback",
        ),
        "summary": ("SUMMARY_ID",),
        "text": (
            "listed",
            "points_text",
        ),
        "visibility": (
            "grade_as_seen",
            "is_published",
            "students_view",
        ),
    },
)
