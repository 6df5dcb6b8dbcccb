"""What the author of a hidden check writes with, and what compares: answers, the reference, numerics.

A check is a plain pytest test, which imports all that it needs from here.
"""

from autograder.checking.answers import Answer, Calls, Loopback, Student, short
from autograder.checking.comparing import (
    agree,
    complex_noise,
    equals,
    fault,
    is_array_like,
    is_rounded,
    matches,
    precise,
    right,
)
from autograder.checking.declaring import DECLARED, TOGETHER, Declared, Draw, check, fail_unless, together
from autograder.checking.exactness import alike, components, is_exact, same_data
from autograder.checking.gradient_halves import Halves, halves, telling, which_half
from autograder.checking.identity import crossed, identical, is_made_of_parts
from autograder.checking.numerics.compare import compare, judge, tolerances
from autograder.checking.numerics.gradients import gradient, projections
from autograder.checking.observing import Compared, Observed, Observer, observed_by
from autograder.checking.reference import Reference, answer, load_reference

__all__ = [
    "DECLARED",
    "TOGETHER",
    "Answer",
    "Calls",
    "Compared",
    "Declared",
    "Draw",
    "Halves",
    "Loopback",
    "Observed",
    "Observer",
    "Reference",
    "Student",
    "agree",
    "alike",
    "answer",
    "check",
    "compare",
    "complex_noise",
    "components",
    "crossed",
    "equals",
    "fail_unless",
    "fault",
    "gradient",
    "halves",
    "identical",
    "is_array_like",
    "is_exact",
    "is_made_of_parts",
    "is_rounded",
    "judge",
    "load_reference",
    "matches",
    "observed_by",
    "precise",
    "projections",
    "right",
    "same_data",
    "short",
    "telling",
    "together",
    "tolerances",
    "which_half",
]
