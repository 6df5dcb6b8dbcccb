"""What the author of a hidden check writes with, and what compares: answers, the reference, numerics.

A check is a plain pytest test, which imports all that it needs from here.
"""

from autograder.checking.answers import Answer, Calls, Loopback, Student, short
from autograder.checking.comparing import WATCH, Compared, agree, matches, right
from autograder.checking.declaring import DECLARED, TOGETHER, Declared, Draw, check, fail_unless, together
from autograder.checking.gradient_halves import Halves, halves, telling, which_half
from autograder.checking.numerics.compare import compare, tolerances
from autograder.checking.numerics.gradients import gradient, projections
from autograder.checking.reference import Reference, answer, load_reference

__all__ = [
    "DECLARED",
    "TOGETHER",
    "WATCH",
    "Answer",
    "Calls",
    "Compared",
    "Declared",
    "Draw",
    "Halves",
    "Loopback",
    "Reference",
    "Student",
    "agree",
    "answer",
    "check",
    "compare",
    "fail_unless",
    "gradient",
    "halves",
    "load_reference",
    "matches",
    "projections",
    "right",
    "short",
    "telling",
    "together",
    "tolerances",
    "which_half",
]
