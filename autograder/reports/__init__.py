"""What an instructor reads: the class, a student's term, an answer to an appeal, tables for an LMS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograder.base import on_demand

if TYPE_CHECKING:
    from autograder.reports.class_reading import read_class
    from autograder.reports.explanation import explain, explanation_text, explanation_tree
    from autograder.reports.gradescope import gradescope_results
    from autograder.reports.junit import junit_text
    from autograder.reports.lms import fill_in_file, filled_in, people_of
    from autograder.reports.page import class_page
    from autograder.reports.reproduction import script
    from autograder.reports.score_table import scores_of, table_text
    from autograder.reports.student_history import Chapter, history
    from autograder.reports.who import likeliest, naming

__all__ = [
    "Chapter",
    "class_page",
    "explain",
    "explanation_text",
    "explanation_tree",
    "fill_in_file",
    "filled_in",
    "gradescope_results",
    "history",
    "junit_text",
    "likeliest",
    "naming",
    "people_of",
    "read_class",
    "scores_of",
    "script",
    "table_text",
]

__getattr__ = on_demand(
    __name__,
    {
        "class_reading": ("read_class",),
        "explanation": (
            "explain",
            "explanation_text",
            "explanation_tree",
        ),
        "junit": ("junit_text",),
        "gradescope": ("gradescope_results",),
        "lms": (
            "fill_in_file",
            "filled_in",
            "people_of",
        ),
        "page": ("class_page",),
        "reproduction": ("script",),
        "score_table": (
            "scores_of",
            "table_text",
        ),
        "student_history": (
            "Chapter",
            "history",
        ),
        "who": (
            "likeliest",
            "naming",
        ),
    },
)
