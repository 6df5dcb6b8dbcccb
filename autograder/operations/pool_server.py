"""Imported by the process that a pool's processes are forked from, and by nothing else: it ends with its program.

Otherwise it would stay where the program was killed, since it and its forks keep each other's pipes open. What it
imports is to stay: nothing is collected until its forks say so.
"""

import gc

from autograder.sandbox import confine

gc.disable()
confine.die_with_parent()
