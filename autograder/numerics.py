"""Comparing arrays and checking gradients: the name that courses know. Needs nothing but NumPy."""

from autograder.checking.numerics import *  # noqa: F403
from autograder.checking.numerics import __all__ as __all__
