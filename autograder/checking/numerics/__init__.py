"""Comparing arrays and checking gradients. Needs NumPy alone."""

from autograder.checking.numerics.compare import (
    Comparison,
    cause_of,
    compare,
    conditioning,
    describe,
    judge,
    no_noise,
    tolerances,
)
from autograder.checking.numerics.gradients import Gradient, Slope, along, gradient, projections

__all__ = [
    "Comparison",
    "Gradient",
    "Slope",
    "along",
    "cause_of",
    "compare",
    "conditioning",
    "describe",
    "gradient",
    "judge",
    "no_noise",
    "projections",
    "tolerances",
]
