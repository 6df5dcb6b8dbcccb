"""Commands about this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from autograder.base import visible
from autograder.cli.command import OURS, CourseFolder, app, open_course
from autograder.cli.printing import near_path, print_findings, say, say_warning


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


@app.command()
def hub(
    courses: Annotated[
        list[Path], typer.Argument(metavar="COURSE...", help="The folders of the courses that the hub is to have.")
    ],
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder to write into; nothing is written anywhere else.")
    ],
    grader: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=ACCOUNT", help="Who grades the course of that name; may be given again."),
    ] = None,
) -> None:
    """Write what a JupyterHub needs to have courses: its configuration, nbgrader's, and the commands that apply them.

    For a machine with accounts for everybody. Each course has an account that keeps its folder, and a service of the
    hub where its graders have the formgrader; its students are those of its gradebook. README.md says what to do with
    it. Afterwards `autograder doctor` says who can get at a course.
    """
    from autograder.operations import write_hub

    graders: dict[str, list[str]] = {}
    for each in grader or ():
        name, _, account = each.partition("=")
        if not (name and account):
            raise typer.BadParameter(f"--grader is a course's name and an account, NAME=ACCOUNT, and not {each!r}")
        graders.setdefault(name, []).append(account)
    written = write_hub([open_course(folder) for folder in courses], output, graders)
    for said in written.warnings:
        say_warning(visible(said))
    for path in written.files:
        say(f"  {near_path(path)}")
    say(f"Nothing is in its place yet: {near_path(output / 'README.md')} says what comes next.")
