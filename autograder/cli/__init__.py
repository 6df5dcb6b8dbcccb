"""The command ``autograder``: parse, call, print."""

from autograder.cli import authoring, grading, machine, results
from autograder.cli.app import app, main

__all__ = ["app", "authoring", "grading", "machine", "main", "results"]
