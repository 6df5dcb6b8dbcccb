"""Imported by the process that a pool's processes are forked from, and by nothing else: it ends with its program.

Otherwise it would stay where the program was killed, since it and its forks keep each other's pipes open.
"""

from autograder.sandbox import confine

confine.die_with_parent()
