"""Comparing arrays and checking gradients. Needs nothing but NumPy."""

from autograder.checking.numerics.compare import Comparison, compare, conditioning, describe, tolerances
from autograder.checking.numerics.gradients import Gradient, Slope, along, gradient, projections

__all__ = [
    "Comparison",
    "Gradient",
    "Slope",
    "along",
    "compare",
    "conditioning",
    "describe",
    "gradient",
    "projections",
    "tolerances",
]
