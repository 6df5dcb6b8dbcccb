"""Reports → nbgrader's gradebook, ``autograded/`` and ``feedback/``: the one package that writes there.

A grade is written in this order: the scores and comments of one submission in one transaction, then the
executed notebook, then the result with its digest. Each step replaces the one before at once or not at all,
and only the last makes ``graded_digests`` take the submission for graded: a grader that is killed anywhere
leaves either the old state or one that the next run grades again.

A gradebook is opened (``opening``), the assignment's release registered in it (``released``, ``registering``),
grades stored (``storing``, with ``lateness`` and ``files``), read again (``reading``) and shown (``pages``).
"""

from autograder.gradebook.files import RESULT_FILE, write_atomically, write_bytes_atomically
from autograder.gradebook.lateness import apply_late_penalties, extension_of, late_penalty
from autograder.gradebook.locking import only_run
from autograder.gradebook.opening import Gradebook, backup, database_file, open_gradebook
from autograder.gradebook.pages import as_seen, seen_now, write_feedback
from autograder.gradebook.reading import (
    Standing,
    damaged_result,
    graded_digest,
    graded_digests,
    left_out,
    read_report,
    standings,
)
from autograder.gradebook.registering import register
from autograder.gradebook.storing import enter, moved_timestamps, store, store_timestamp
from autograder.notebook import notebook_text

__all__ = [
    "RESULT_FILE",
    "Gradebook",
    "Standing",
    "apply_late_penalties",
    "as_seen",
    "backup",
    "damaged_result",
    "database_file",
    "enter",
    "extension_of",
    "graded_digest",
    "graded_digests",
    "late_penalty",
    "left_out",
    "moved_timestamps",
    "notebook_text",
    "only_run",
    "open_gradebook",
    "read_report",
    "register",
    "seen_now",
    "standings",
    "store",
    "store_timestamp",
    "write_atomically",
    "write_bytes_atomically",
    "write_feedback",
]
