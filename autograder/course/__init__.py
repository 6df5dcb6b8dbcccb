"""gradebook_config.yaml and master notebooks → ``Course``, ``Assignment`` and ``Row``."""

from autograder.course.config import Activity, LatePolicy, Limits, Meeting, Visibility
from autograder.course.loading import CONFIG_NAME, Assignment, Course, find_course, load_course
from autograder.course.master import Row
from autograder.course.notebook import Cell, cells_in, joined, notebook_in, notebook_text

__all__ = [
    "CONFIG_NAME",
    "Activity",
    "Assignment",
    "Cell",
    "Course",
    "LatePolicy",
    "Limits",
    "Meeting",
    "Row",
    "Visibility",
    "cells_in",
    "find_course",
    "joined",
    "load_course",
    "notebook_in",
    "notebook_text",
]
