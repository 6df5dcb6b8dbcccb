"""gradebook_config.yaml and master notebooks → ``Course``, ``Assignment`` and ``Row``."""

from autograder.course.config import Activity, LatePolicy, Limits, Meeting, Visibility
from autograder.course.dates import credible, is_credible
from autograder.course.files import MAX_FILES, file_problems
from autograder.course.finding import (
    CONFIG_NAME,
    COURSE_VARIABLE,
    STUDENTS,
    chosen_course,
    find_course,
    hand_in_on_the_way,
)
from autograder.course.imports import import_problem
from autograder.course.loading import AUTHORS_OWN, Assignment, Course, load_course
from autograder.course.magics import MAGIC, other_language, without_magics
from autograder.course.master import (
    SHOWS_TAG,
    WITH_TESTS,
    MasterCell,
    Row,
    autotest_line,
    has_autotests,
    master_cells,
)
from autograder.course.notebook import MAX_CELLS, Cell, cells_in, joined, notebook_in, notebook_text, text_in
from autograder.course.released import Release, ReleasedCell, release_of

__all__ = [
    "AUTHORS_OWN",
    "CONFIG_NAME",
    "COURSE_VARIABLE",
    "MAGIC",
    "MAX_CELLS",
    "MAX_FILES",
    "SHOWS_TAG",
    "STUDENTS",
    "WITH_TESTS",
    "Activity",
    "Assignment",
    "Cell",
    "Course",
    "LatePolicy",
    "Limits",
    "MasterCell",
    "Meeting",
    "Release",
    "ReleasedCell",
    "Row",
    "Visibility",
    "autotest_line",
    "cells_in",
    "chosen_course",
    "credible",
    "file_problems",
    "find_course",
    "hand_in_on_the_way",
    "has_autotests",
    "import_problem",
    "is_credible",
    "joined",
    "load_course",
    "master_cells",
    "notebook_in",
    "notebook_text",
    "other_language",
    "release_of",
    "text_in",
    "without_magics",
]
