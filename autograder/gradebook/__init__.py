"""Reports → nbgrader's gradebook and ``autograded/``: the one room that writes there.

A grade is written in this order: the scores and comments of one submission in one transaction, then the executed
notebook, then the result with its digest. Each step replaces the one before at once or not at all, and only the last
makes ``graded_digests`` take the submission for graded: a grader that is killed anywhere leaves either the old state or
one that the next run grades again.
"""

from autograder.gradebook.attempts import Attempt, attempts_of, graded_on, note_attempt
from autograder.gradebook.comments import comment_on_rows, comments_of
from autograder.gradebook.files import RESULT_FILE, RESULT_FILES, result_file
from autograder.gradebook.late_penalties import (
    Lateness,
    due_of,
    lateness_of,
    penalty_of,
    up_to_date_gradebook,
    update_late_penalties,
)
from autograder.gradebook.late_policy import DAY, percent_lost
from autograder.gradebook.locking import only_run, only_watch
from autograder.gradebook.opening import Gradebook, backup, database_file, open_gradebook, said_by
from autograder.gradebook.pages import executed_notebook, is_of_an_earlier_one, write_beside, write_page
from autograder.gradebook.reading import (
    HeldGrade,
    damaged_result,
    graded_digest,
    graded_digests,
    held_grades,
    held_grades_by_student,
    left_out,
    read_report,
    roster,
    strangers,
    warnings_of,
)
from autograder.gradebook.registering import register
from autograder.gradebook.storing import NO_RESPONSE, Shown, enter, moved_timestamps, store, store_timestamp

__all__ = [
    "DAY",
    "NO_RESPONSE",
    "RESULT_FILE",
    "RESULT_FILES",
    "Attempt",
    "Gradebook",
    "HeldGrade",
    "Lateness",
    "Shown",
    "attempts_of",
    "backup",
    "comment_on_rows",
    "comments_of",
    "damaged_result",
    "database_file",
    "due_of",
    "enter",
    "executed_notebook",
    "graded_digest",
    "graded_digests",
    "graded_on",
    "held_grades",
    "held_grades_by_student",
    "is_of_an_earlier_one",
    "lateness_of",
    "left_out",
    "moved_timestamps",
    "note_attempt",
    "only_run",
    "only_watch",
    "open_gradebook",
    "penalty_of",
    "percent_lost",
    "read_report",
    "register",
    "result_file",
    "roster",
    "said_by",
    "store",
    "store_timestamp",
    "strangers",
    "up_to_date_gradebook",
    "update_late_penalties",
    "warnings_of",
    "write_beside",
    "write_page",
]
