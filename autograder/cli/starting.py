"""Commands to begin with: a course to look at, and a course of one's own."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.authoring import release_and_print
from autograder.cli.command import OURS, AssignmentName, CourseFolder, app, open_assignment, open_course
from autograder.cli.grading import grade_and_print
from autograder.cli.printing import (
    near_path,
    print_feedback,
    print_new_assignment,
    print_new_course,
    print_next,
    progress,
    say,
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
    course: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The course to copy, which has a week2; otherwise the one that comes along."),
    ] = None,
) -> None:
    """Make a course with a class of made-up submissions, then release, grade, and write feedback."""
    from autograder.authoring import flagship, make_course
    from autograder.feedback import write_class_feedback

    made = make_course(open_course(course or flagship()), folder, students)
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
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to make it; the folder that one stands in: `.`.")
    ],
    students: Annotated[
        int,
        typer.Option(min=0, max=100_000, metavar="N", help="How many made-up students hand in, to try grading with."),
    ] = 0,
) -> None:
    """Make a course of one's own, with a small assignment in it that can be released and graded at once.

    In the folder of a course that nbgrader has run until now, gradebook_config.yaml is written from what is there (its
    name, its assignments and their due dates), and nothing else is touched.
    """
    from autograder.authoring import init_course

    print_new_course(init_course(folder, students, datetime.now(UTC)), folder)


@app.command()
def new(
    name: AssignmentName,
    rows: Annotated[
        str, typer.Option(metavar="F,G", help="Functions that students write, with commas between: a row for each.")
    ] = "",
    classes: Annotated[
        list[str] | None, typer.Option("--class", metavar="C", help="A class that students write; may be given again.")
    ] = None,
    notebook: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="NOTEBOOK",
            help="A solved notebook to make the master of: what defines functions and classes becomes an exercise, or "
            "of those only what --rows and --class name.",
        ),
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="Begin a reference in solutions/NAME too, to write apart.")
    ] = False,
    course: CourseFolder = None,
) -> None:
    """Begin an assignment: a master notebook with a place for each solution and its tests, and its entry."""
    from autograder.authoring import new_assignment
    from autograder.course import chosen_course

    root = chosen_course(course)
    functions = [each.strip() for each in rows.split(",") if each.strip()]
    made = new_assignment(
        root, name, functions=functions, classes=classes or [], notebook=notebook, reference=reference
    )
    print_new_assignment(made, root)
