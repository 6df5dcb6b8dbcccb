"""What nbgrader_config.py hands over to: the name that courses know."""

from autograder.operations.nbgrader_plugins import *  # noqa: F403
from autograder.operations.nbgrader_plugins import __all__ as __all__
