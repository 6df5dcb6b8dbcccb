"""Commands for whoever writes an assignment."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from autograder.base import ConfigError, ReleaseError, visible, write_output
from autograder.cli.command import OURS, AsJson, AssignmentName, CourseFolder, Jobs, app, kept_in, open_assignment
from autograder.cli.printing import (
    near_path,
    print_audit,
    print_imported,
    print_lint,
    print_release,
    progress,
    say,
    say_warning,
    waiting,
)

if TYPE_CHECKING:
    from autograder.course import Assignment, Course


class Form(StrEnum):
    """Whose master notebooks are imported."""

    nbgrader = "nbgrader"
    otter = "otter"


@app.command()
def lint(
    assignment: Annotated[
        str, typer.Argument(metavar="[ASSIGNMENT]", help="The assignment's name; all of them by default.")
    ] = "",
    as_json: AsJson = False,
    course: CourseFolder = None,
) -> None:
    """Find mistakes in master notebooks, checks and configuration before students meet them, all at once.

    Reads, and runs nothing of the course. Each finding has its file, its cell and line, and what to do. Exit status: 1
    where one of them is a mistake, 0 where there are warnings alone or nothing.
    """
    from autograder.authoring import lint_course, lint_tree
    from autograder.course import chosen_course

    found = lint_course(chosen_course(course), assignment)
    if as_json:
        print(json.dumps(lint_tree(found), indent=1))
    else:
        print_lint(found)
    if any(each.severity == "mistake" for each in found):
        raise typer.Exit(OURS)


@app.command()
def release(assignment: AssignmentName, course: CourseFolder = None) -> None:
    """Make what students get, release/ASSIGNMENT, from the master notebook.

    Refused where `autograder lint` finds a mistake, where it would leak a solution, a hidden check or an output,
    where the solved master does not get full marks in every row, where the untouched release scores anything, where
    a check passes a function that gives a constant, one of its arguments or zeros, or where finite differences say
    otherwise than a gradient that the reference claims. Says so where the hidden checks have not been audited since
    the assignment changed.
    """
    release_and_print(*open_assignment(course, assignment, runs_code=True))


def release_and_print(course: Course, assignment: Assignment) -> None:
    """Release an assignment, and say what was made of it and what is left to do."""
    from autograder.authoring import lint_assignment, unaudited
    from autograder.authoring import release as make
    from autograder.operations import how_open

    found = lint_assignment(course, assignment)
    for each in found:
        if each.severity == "warning":
            say_warning(visible(str(each)))
    if mistakes := [f"  - {each}" for each in found if each.severity == "mistake"]:
        raise ReleaseError("\n".join([f"{assignment.name} was not released, and nothing of it was run:", *mistakes]))
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
    trees = []
    passed = True
    for each, rows in _audited(chosen, row or ()):
        with progress(quiet=as_json) as (started, advance):
            found = run_audit(
                each,
                rows=rows,
                limit=limit,
                jobs=jobs or cores(),
                sandbox=kept_in(None, opened),
                started=started,
                advance=advance,
            )
        keep_record(found)
        passed = passed and found.passed
        trees.append(audit_tree(found))
        if not as_json:
            if each.others:
                say(f"{each.title}:")
            print_audit(found)
        if output is not None:
            page = output.with_stem(f"{output.stem}-{each.notebook}") if each.others else output
            write_output(page, audit_page(found))
            if not as_json:
                say(f"The page is {near_path(page)}.")
    if as_json:
        print(json.dumps(trees if chosen.parts else trees[0], indent=1))
    if not passed:
        raise typer.Exit(OURS)


def _audited(assignment: Assignment, rows: Collection[str]) -> list[tuple[Assignment, list[str]]]:
    """Those of the assignment's notebooks that have rows to audit, each with the rows of it that are named.

    Raises:
        ConfigError: No notebook has a row.
    """
    checked = [each for each in assignment.notebooks if each.rows]
    if not checked:
        raise ConfigError(f"{assignment.name} has no autograded row, so there are no checks to audit")
    if not assignment.parts:
        return [(assignment, list(rows))]
    if strays := [name for name in rows if name not in {row.name for row in assignment.rows}]:
        known = ", ".join(row.name for row in assignment.rows)
        raise ConfigError(f"{assignment.name} has no row {', '.join(strays)}; it has {known}")
    named = [(each, [row.name for row in each.rows if each.labelled(row.name) in rows]) for each in checked]
    return [(each, own) for each, own in named if own or not rows]


@app.command("import")
def bring_in(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="An nbgrader course, an assignment's folder, or a master notebook.")
    ],
    form: Annotated[
        Form | None,
        typer.Option("--from", help="Whose master it is; by default, a notebook with otter-assign's cells is Otter's."),
    ] = None,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What to call the assignment; by default, as its folder or notebook.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come of it; write nothing.")] = False,
    as_json: AsJson = False,
    course: CourseFolder = None,
) -> None:
    """Import assignments of nbgrader, or a master of otter-assign's, into source/ and gradebook_config.yaml.

    An nbgrader master is copied as it is, with the files beside it that are released along. One of Otter's is
    converted, and what has no counterpart here is listed with its cell and line. Then each test cell is listed with
    what it will do where test cells run. Nothing of what is imported is run, nothing is overwritten, and either all of
    it is written or nothing.
    """
    from autograder.authoring import import_assignments, imported_tree
    from autograder.course import chosen_course

    whose: Literal["nbgrader", "otter"] | None = form.value if form else None
    found = import_assignments(chosen_course(course), path, form=whose, name=name, dry_run=dry_run)

    if as_json:
        print(json.dumps(imported_tree(found), indent=1))
    else:
        print_imported(found)


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
