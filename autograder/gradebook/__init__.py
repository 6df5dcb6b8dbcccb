"""Reports → nbgrader's gradebook, ``autograded/`` and ``feedback/``: the one package that writes there.

A grade is written in this order: the scores and comments of one submission in one transaction, then the
executed notebook, then the result with its digest. Each step replaces the one before at once or not at all,
and only the last makes ``graded_digests`` take the submission for graded: a grader that is killed anywhere
leaves either the old state or one that the next run grades again.

A gradebook is opened (``opening``), the assignment's release registered in it (``released``, ``registering``),
grades stored (``storing``, with ``lateness`` and ``files``), read again (``reading``) and shown (``pages``).
"""

from autograder.gradebook.files import RESULT_FILE, write_atomically, write_bytes_atomically
from autograder.gradebook.lateness import (
    apply_late_penalties,
    apply_late_penalties_elsewhere,
    due_of,
    lateness_told,
    penalty_of,
)
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
    roster,
    standings,
    strangers,
)
from autograder.gradebook.registering import register
from autograder.gradebook.storing import enter, moved_timestamps, store, store_timestamp
from autograder.notebook import notebook_text

__all__ = [
    "RESULT_FILE",
    "Gradebook",
    "Standing",
    "apply_late_penalties",
    "apply_late_penalties_elsewhere",
    "as_seen",
    "backup",
    "damaged_result",
    "database_file",
    "due_of",
    "enter",
    "graded_digest",
    "graded_digests",
    "lateness_told",
    "left_out",
    "moved_timestamps",
    "notebook_text",
    "only_run",
    "open_gradebook",
    "penalty_of",
    "read_report",
    "register",
    "roster",
    "seen_now",
    "standings",
    "store",
    "store_timestamp",
    "strangers",
    "write_atomically",
    "write_bytes_atomically",
    "write_feedback",
]
