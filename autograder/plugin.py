"""The pytest plug-in, by the name that its entry point has."""

from autograder.grading.plugin import *  # noqa: F403
from autograder.grading.plugin import __all__ as __all__
