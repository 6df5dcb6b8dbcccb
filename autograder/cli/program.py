"""The app, with all commands in it."""

from __future__ import annotations

# Imported for what they do: each enters its commands into the app.
import autograder.cli.authoring
import autograder.cli.checking
import autograder.cli.gradescope
import autograder.cli.grading
import autograder.cli.machine
import autograder.cli.pushing
import autograder.cli.results
import autograder.cli.starting  # noqa: F401
from autograder.cli.command import app, main

__all__ = ["app", "main"]
