"""Commands that write what was graded for people to read."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autograder.base import write_output
from autograder.cli.command import (
    OURS,
    AsJson,
    AssignmentName,
    CourseFolder,
    SandboxChoice,
    app,
    kept_in,
    open_assignment,
    open_course,
)
from autograder.cli.printing import (
    near_path,
    print_chapters,
    print_feedback,
    print_table,
    progress,
    say,
    waiting,
)


class Format(StrEnum):
    """A file that numbers are exported to."""

    csv = "csv"
    canvas = "canvas"
    moodle = "moodle"
    blackboard = "blackboard"


@app.command()
def feedback(assignment: AssignmentName, course: CourseFolder = None) -> None:
    """Write feedback/STUDENT/ASSIGNMENT/NOTEBOOK.html for everybody with a grade."""
    from autograder.feedback import write_class_feedback

    opened, chosen = open_assignment(course, assignment)
    with progress() as (started, advance):
        written = write_class_feedback(opened, chosen, now=datetime.now(UTC), started=started, advance=advance)
    print_feedback(written, opened)
    if written.troubles:
        raise typer.Exit(OURS)


@app.command()
def export(
    assignment: AssignmentName,
    file_format: Annotated[Format, typer.Option("--format", help="The kind of file.")] = Format.csv,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to write; standard output by default.")
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The table that Canvas, Moodle or Blackboard exported, to be filled in."),
    ] = None,
    match: Annotated[
        str, typer.Option(metavar="COLUMN", help="Its column that holds the ids of students; found out by default.")
    ] = "",
    column: Annotated[
        str, typer.Option(metavar="COLUMN", help="Its column of the assignment; found by the title by default.")
    ] = "",
    course: CourseFolder = None,
) -> None:
    """Write everybody's scores as a table: one line a student, one column a row; or into an LMS's own table."""
    from autograder.reports import fill_in_file, scores_of, table_text

    opened, chosen = open_assignment(course, assignment)
    if file_format is Format.csv:
        if into or match or column:
            raise typer.BadParameter("--into, --match and --column are for --format canvas, moodle or blackboard")
        found = scores_of(opened, chosen)
        text = table_text(found, chosen, opened)
        if output is None:
            print_table(text)
        else:
            write_output(output, text)
            say(f"{len(found)} students in {output}")
        return
    if into is None or output is None:
        raise typer.BadParameter(
            f"--format {file_format.value} needs --into, the table that it exported, and --output, the file to import"
        )
    found = scores_of(opened, chosen)
    names = {"match": match, "column": column}
    for said in fill_in_file(file_format.value, into, found, chosen, near_path(output), **names):
        say(said)


@app.command()
def report(
    assignment: AssignmentName,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="The page; ASSIGNMENT-report.html here.")] = None,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Without who is who, to be shown to others.")] = False,
    course: CourseFolder = None,
) -> None:
    """Write a page about the whole class: scores, rows and checks, the commonest mistakes, who needs attention."""
    from autograder.reports import class_page, read_class

    opened, chosen = open_assignment(course, assignment)
    found = read_class(opened, chosen)
    where = output or Path(f"{chosen.name}-report.html")
    write_output(where, class_page(found, opened.timezone, anonymous=anonymous))
    say(f"{len(found.takers)} students in {near_path(where)}")


@app.command()
def history(
    student: Annotated[str, typer.Argument(metavar="STUDENT", help="The student's id.")],
    as_json: AsJson = False,
    course: CourseFolder = None,
) -> None:
    """Say how a student did over the term: scores, lateness, lost rows, what to begin with, attempts."""
    from autograder.reports import history as chapters_of

    chapters = chapters_of(open_course(course), student)
    if as_json:
        trees = [asdict(each) for each in chapters]
        for tree in trees:
            tree["standing"] = tree.pop("grade")  # the key that scripts know
        print(json.dumps(trees, indent=1, default=str))
    else:
        print_chapters(chapters)


@app.command()
def explain(
    student: Annotated[str, typer.Argument(metavar="STUDENT", help="The student's id.")],
    assignment: AssignmentName,
    row: Annotated[str, typer.Argument(metavar="ROW", help="The row, by its solution cell or one of its functions.")],
    script: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also write a Python script that makes the same calls again, with NumPy alone."
        ),
    ] = None,
    sandbox: SandboxChoice = None,
    as_json: AsJson = False,
    course: CourseFolder = None,
) -> None:
    """Say why a row has the points that it has: for instructors, to answer an appeal.

    The row is graded again in the sandbox; nothing is stored. What is printed has the hidden checks with each call and
    its inputs, the student's values beside the expected ones, errors and tolerances, what the functions printed, and
    where the result is other than the stored one. Never give it to students.
    """
    from autograder.reports import explain as explained
    from autograder.reports import explanation_text, explanation_tree
    from autograder.reports import script as script_of

    opened, chosen = open_assignment(course, assignment, runs_code=True)
    with waiting(f"Grading {row} of {student}", quiet=as_json):
        found = explained(opened, chosen, student, row, sandbox=kept_in(sandbox, opened))
    print(json.dumps(explanation_tree(found), indent=1)) if as_json else say(explanation_text(found))
    if script is not None:
        write_output(script, script_of(found))
        if not as_json:
            say(f"\nThe calls again, for you alone: python {near_path(script)}")
    if found.row.errored:
        raise typer.Exit(OURS)
