"""Commands for Gradescope: an assignment's zip file, and what runs in Gradescope's containers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.command import AssignmentName, CourseFolder, app, open_assignment
from autograder.cli.printing import near_path, print_packed, say


@app.command()
def gradescope(
    assignment: AssignmentName,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The zip file; ASSIGNMENT-gradescope.zip here.")
    ] = None,
    wheel: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A wheel of this version of autograder, packed along; by default Gradescope installs it from PyPI.",
        ),
    ] = None,
    course: CourseFolder = None,
) -> None:
    """Write the zip file that Gradescope takes as the autograder of a programming assignment.

    It has the answers and the hidden checks of this one assignment, and nothing of any student. Gradescope then grades
    each submission by itself; the gradebook here does not know of it.
    """
    from autograder.authoring import pack_for_gradescope

    opened, chosen = open_assignment(course, assignment)
    packed = pack_for_gradescope(opened, chosen, output or Path(f"{chosen.name}-gradescope.zip"), wheel=wheel)
    print_packed(packed, near_path(packed.path))


@app.command("gradescope-run", hidden=True)
def gradescope_run(
    home: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where Gradescope has everything; /autograder by default.")
    ] = None,
    try_it: Annotated[bool, typer.Option("--try", help="Only try what each submission will need.")] = False,
) -> None:
    """Grade a submission in a container of Gradescope's, and write its results.json; the zip file's scripts run this.

    What it prints is for the instructor.
    """
    from autograder.operations import HOME, grade_for_gradescope, place_in, try_for_gradescope

    place = place_in(home or HOME)
    if try_it:
        sandbox, _ = try_for_gradescope(place)
        say(f"The sandbox {sandbox} holds here, and the solved master gets full marks.")
        return
    report = grade_for_gradescope(place)
    whose = f", with the inputs of --student {report.student}" if report.student else ""
    say(f"{report.score:g} of {report.max_score:g} points, in the sandbox {report.sandbox}{whose}.")
