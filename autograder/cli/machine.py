"""Commands about this machine, and for a first look."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from autograder.base import visible
from autograder.cli.authoring import release_and_print
from autograder.cli.command import OURS, CourseFolder, app, open_assignment, open_course
from autograder.cli.grading import grade_and_print
from autograder.cli.printing import (
    near_path,
    print_feedback,
    print_findings,
    print_next,
    progress,
    say,
    say_warning,
)


@app.command()
def demo(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Where to make it; it must not exist yet, or be an earlier demo."),
    ] = Path("demo"),
    students: Annotated[
        int, typer.Option(min=1, max=100_000, metavar="N", help="How many students the class has.")
    ] = 30,
    jobs: Annotated[int | None, typer.Option(min=1, metavar="N", help="Processes that grade at once.")] = None,
    course: CourseFolder = None,
) -> None:
    """Make a course with a class of made-up submissions, then release, grade, and write feedback."""
    from autograder.authoring import make_course
    from autograder.feedback import write_class_feedback

    made = make_course(open_course(course), folder, students)
    say(f"A course with {students} made-up students is in {near_path(folder)}{os.sep}")
    opened, chosen = open_assignment(folder, "week2")
    release_and_print(opened, chosen)
    all_graded = grade_and_print(opened, chosen, jobs=jobs)
    with progress() as (started, advance):
        print_feedback(
            write_class_feedback(opened, chosen, now=datetime.now(UTC), started=started, advance=advance), opened
        )
    print_next(made, folder)
    if not all_graded:
        raise typer.Exit(OURS)


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
