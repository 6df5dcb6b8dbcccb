"""Reports → what a student reads: the executed notebook, comments, and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograder.base import on_demand

if TYPE_CHECKING:
    from autograder.feedback.lateness import lateness_text
    from autograder.feedback.notebook import (
        SUMMARY_ID,
        annotated,
        feedback_html,
        first_to_fix,
        listed,
        points_text,
        said_of_all,
        told_anew,
    )
    from autograder.feedback.student_page import (
        FeedbackWritten,
        seen_now,
        shown_to_student,
        write_attempt,
        write_class_feedback,
        write_feedback,
    )
    from autograder.feedback.visibility import standing_as_seen

__all__ = [
    "SUMMARY_ID",
    "FeedbackWritten",
    "annotated",
    "feedback_html",
    "first_to_fix",
    "lateness_text",
    "listed",
    "points_text",
    "said_of_all",
    "seen_now",
    "shown_to_student",
    "standing_as_seen",
    "told_anew",
    "write_attempt",
    "write_class_feedback",
    "write_feedback",
]

__getattr__ = on_demand(
    __name__,
    {
        "lateness": ("lateness_text",),
        "notebook": (
            "SUMMARY_ID",
            "annotated",
            "feedback_html",
            "first_to_fix",
            "listed",
            "points_text",
            "said_of_all",
            "told_anew",
        ),
        "student_page": (
            "FeedbackWritten",
            "seen_now",
            "shown_to_student",
            "write_attempt",
            "write_class_feedback",
            "write_feedback",
        ),
        "visibility": ("standing_as_seen",),
    },
)
