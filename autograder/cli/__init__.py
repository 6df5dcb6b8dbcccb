"""The command ``autograder``: parse, call, print."""

from autograder.cli.commands import main

__all__ = ["main"]
