"""The process that those of the pool are forked from: it has imported all that grades, and does nothing.

Importing it takes longer than grading a submission. So it is done once, while the command does something else.
"""

import signal

# Before all that takes long: Ctrl-C is the command's to answer.
signal.signal(signal.SIGINT, signal.SIG_IGN)

import pdb  # noqa: E402, F401 - pytest imports it for its first test

from autograder.checking import Reference, check  # noqa: E402, F401
from autograder.grading import Suite, process_grader  # noqa: E402, F401
from autograder.operations.graded import grade_hand_in  # noqa: E402, F401
