"""Where the command begins: a process of the pool imports this, as it imports the program that it belongs to."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the command."""
    # What is imported stays: it is looked through neither meanwhile nor later.
    gc.disable()
    # Not as this module is imported: a process of the pool runs no command, and would import all of them.
    from autograder.cli import program

    gc.freeze()
    gc.enable()
    program.main()
