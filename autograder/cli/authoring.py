"""Commands for whoever writes an assignment."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autograder.base import visible, write_output
from autograder.cli.command import OURS, AsJson, AssignmentName, CourseFolder, Jobs, app, open_assignment
from autograder.cli.printing import near_path, print_audit, print_release, progress, say, say_warning, waiting

if TYPE_CHECKING:
    from autograder.course import Assignment, Course


@app.command()
def release(assignment: AssignmentName, course: CourseFolder = None) -> None:
    """Make what students get, release/ASSIGNMENT, from the master notebook.

    Refused where it would leak a solution, a hidden check or an output, where the solved master does not get full
    marks in every row, where the untouched release scores anything, where a check passes a function that gives a
    constant, one of its arguments or zeros, or where finite differences say otherwise than a gradient that the
    reference claims. Says so where the hidden checks have not been audited since the assignment changed.
    """
    release_and_print(*open_assignment(course, assignment, runs_code=True))


def release_and_print(course: Course, assignment: Assignment) -> None:
    """Release an assignment, and say what was made of it and what is left to do."""
    from autograder.authoring import release as make
    from autograder.authoring import unaudited
    from autograder.operations import how_open

    with waiting(f"Releasing {assignment.name}"):
        made = make(course, assignment.name)
    print_release(made, course, assignment)
    if said := how_open(course):
        say_warning(visible(said))
    if warning := unaudited(assignment):
        say_warning(warning)


@app.command()
def audit(
    assignment: AssignmentName,
    row: Annotated[
        list[str] | None,
        typer.Option("--row", metavar="NAME", help="Only mutants of this row; may be given again."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only so many mutants, taken evenly from all.")
    ] = None,
    jobs: Jobs = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="A page to write, HTML.")] = None,
    as_json: AsJson = False,
    course: CourseFolder = None,
) -> None:
    """Prove the hidden checks before students meet them, by wrong and by right answers.

    Wrong answers are made from the solved master: small changes of its code, mistakes that students make, and those of
    solutions/ASSIGNMENT/mistakes.py. Each must lose points, in its own row alone. Right answers are the solved master
    in other words. Exit status: 0 when every mutant lost points or is listed in solutions/ASSIGNMENT/equivalent.yaml,
    none cost another row, and no right answer lost any; 1 otherwise.
    """
    from autograder.authoring import audit_page, audit_tree, keep_record, run_audit
    from autograder.operations import cores

    opened, chosen = open_assignment(course, assignment, runs_code=True)
    with progress(quiet=as_json) as (started, advance):
        found = run_audit(
            chosen,
            rows=row or (),
            limit=limit,
            jobs=jobs or cores(),
            sandbox=opened.sandbox,
            started=started,
            advance=advance,
        )
    keep_record(found)
    if as_json:
        print(json.dumps(audit_tree(found), indent=1))
    else:
        print_audit(found)
    if output is not None:
        write_output(output, audit_page(found))
        if not as_json:
            say(f"The page is {near_path(output)}.")
    if not found.passed:
        raise typer.Exit(OURS)


@app.command()
def overview(
    assignment: AssignmentName,
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where ASSIGNMENT.html and calendar.ics are written.")
    ] = Path("overview"),
    course: CourseFolder = None,
) -> None:
    """Write the page about an assignment's week, from overviews/ASSIGNMENT.md, and the course's calendar."""
    from autograder.authoring import write_overview

    opened, chosen = open_assignment(course, assignment)
    page, dates = write_overview(opened, chosen, output, datetime.now(UTC))
    say(f"{near_path(page)} and {near_path(dates)}")


@app.command()
def quiz(
    assignment: AssignmentName,
    qti: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the QTI package that Canvas imports, a zip file.")
    ] = None,
    course: CourseFolder = None,
) -> None:
    """Write the students' notebook of quizzes/ASSIGNMENT.txt, the Knowledge Check: questions that are not graded."""
    from autograder.authoring import write_quiz

    opened, chosen = open_assignment(course, assignment)
    made = write_quiz(opened, chosen.name, qti)
    say(f"{made.questions} questions in {near_path(made.notebook)}{f' and {near_path(qti)}' if qti else ''}")
