"""What was handed in: found, collected, read, and repaired against the release."""

from autograder.submission.beside import files_beside
from autograder.submission.collecting import Collected, Person, collect, local_time, plain_name
from autograder.submission.file_names import is_called, one_form
from autograder.submission.folders import SubmittedFolder, id_problem, read_regular, student_of, submissions
from autograder.submission.from_exchange import Look, Terms, collect_arrivals
from autograder.submission.groups import hand_ins
from autograder.submission.hand_in import HandIn, find_hand_in
from autograder.submission.names import (
    LOOKED_AT,
    LOOKED_AT_IN_ALL,
    binds,
    only_asserts,
    only_defines,
    parsed,
    read_later,
    reads,
    reads_when_called,
    uses,
)
from autograder.submission.reading import (
    NOTHING_OF_ONES_OWN,
    Submission,
    code_cells,
    is_tagged,
    read_submission,
    solution_cells,
    submission_of,
    unread_submission,
)
from autograder.submission.scripts import script_cells, script_text
from autograder.submission.uploaded import folder_of_notebooks

__all__ = [
    "LOOKED_AT",
    "LOOKED_AT_IN_ALL",
    "NOTHING_OF_ONES_OWN",
    "Collected",
    "HandIn",
    "Look",
    "Person",
    "Submission",
    "SubmittedFolder",
    "Terms",
    "binds",
    "code_cells",
    "collect",
    "collect_arrivals",
    "files_beside",
    "find_hand_in",
    "folder_of_notebooks",
    "hand_ins",
    "id_problem",
    "is_called",
    "is_tagged",
    "local_time",
    "one_form",
    "only_asserts",
    "only_defines",
    "parsed",
    "plain_name",
    "read_later",
    "read_regular",
    "read_submission",
    "reads",
    "reads_when_called",
    "script_cells",
    "script_text",
    "solution_cells",
    "student_of",
    "submission_of",
    "submissions",
    "unread_submission",
    "uses",
]
