"""Where the command begins: a process of the pool imports this, as it imports the program that it belongs to."""

from __future__ import annotations


def main() -> None:
    """Run the command."""
    # Not as this module is imported: a process of the pool runs no command, and would import all of them.
    from autograder.cli import program

    program.main()
