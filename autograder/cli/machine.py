"""Commands about this machine."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from autograder.base import visible
from autograder.cli.command import OURS, CourseFolder, app
from autograder.cli.printing import print_findings, say, say_warning


@app.command()
def lab(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, metavar="N", help="The port; a free one by default.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    course: CourseFolder = None,
) -> None:
    """Start JupyterLab on the course: formgrader, assignment list and validation, with our grader behind them.

    On this machine's loopback interface alone, with a token in the address. Ctrl-C ends it.
    """
    from autograder.course import chosen_course
    from autograder.operations import become, check_port, lab_command, prepare_lab

    root = chosen_course(course)
    prepared = prepare_lab(root)
    for said in prepared.warnings:
        say_warning(visible(said))
    for said in prepared.said:
        say(said)
    if port is not None:
        check_port(port)
    say("JupyterLab starts, and prints its address; the formgrader is in its menu Nbgrader. Ctrl-C ends it.")
    sys.stdout.flush()
    become(root, lab_command(root, port, browser=not no_browser))


@app.command()
def doctor(course: CourseFolder = None) -> None:
    """Say what is there and what works: versions, the sandbox and what it blocks, the course, the gradebook."""
    from autograder.operations import examine

    if not print_findings(examine(course)):
        raise typer.Exit(OURS)
