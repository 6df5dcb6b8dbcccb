"""The command that grades one hand-in and stores nothing: at a desk, or in CI."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autograder.base import AutograderError, ConfigError, RefusedError, visible, write_output
from autograder.cli.command import (
    BELOW,
    OURS,
    USAGE,
    AsJson,
    CourseFolder,
    SandboxChoice,
    app,
    kept_in,
    open_course_for,
)
from autograder.cli.printing import muted, print_report, print_threshold, say_error, waiting

if TYPE_CHECKING:
    from autograder.course import Assignment

NOT_FOR_STUDENTS = (
    "This could not be graded, for a reason that is not yours. Whoever keeps the course sees it by the same command "
    "without --for-students."
)


@app.command()
def check(
    handed_in: Annotated[
        Path,
        typer.Argument(
            metavar="NOTEBOOK", help="The notebook to grade, or a folder with all that one student handed in."
        ),
    ],
    assignment: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The assignment; by default the one whose notebook has this name, or the only one.",
        ),
    ] = None,
    student: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Whose inputs to draw, where each student has others; by default those of whom the notebook is of, "
            "by its place in submitted/.",
        ),
    ] = None,
    threshold: Annotated[
        str, typer.Option(metavar="POINTS", help="Exit with 3 below these points, such as 60, or this share, 60%.")
    ] = "",
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the result as JUnit's XML, which CI systems show.")
    ] = None,
    for_students: Annotated[
        bool,
        typer.Option(
            "--for-students",
            help="Print and write nothing that a student may not read, whatever goes wrong: for a log that they see.",
        ),
    ] = False,
    sandbox: SandboxChoice = None,
    as_json: AsJson = False,
    course: CourseFolder = None,
) -> None:
    """Grade one hand-in and print what its student may see of the result by now; nothing is stored.

    The course is the one that --course or AUTOGRADER_COURSE names, or that you stand in, and never one that the hand-in
    brings along. Exit status: 0 when it was graded, 1 when it was refused or something of ours failed, 2 for wrong
    usage or configuration, 3 when it has fewer points than --threshold.
    """
    from autograder.operations import assignment_of, check_hand_in, checked_hand_in, part_of, unchecked_hand_in
    from autograder.reports import junit_text

    share, points = _threshold(threshold)
    if junit is not None and junit.is_symlink():
        raise typer.BadParameter(f"--junit: {visible(str(junit))} is a link, and what it leads to would be lost")
    chosen: Assignment | None = None
    status = 0
    try:
        # What the course's own code prints is for nobody who reads JSON, or who is a student.
        with muted(output=as_json or for_students, errors=for_students):
            _require_there(handed_in)
            opened = open_course_for(handed_in, course, warns=not for_students)
            found = opened.assignment(assignment) if assignment else assignment_of(handed_in, opened)
            chosen = part_of(found, handed_in)
            kind, now = kept_in(sandbox, opened), datetime.now(UTC)
            with waiting(f"Grading {handed_in.name}", quiet=as_json or for_students):
                report = check_hand_in(opened, chosen, handed_in, student=student, sandbox=kind, now=now)
        result = checked_hand_in(report, report.max_score * points / 100 if share and points is not None else points)
    except (Exception, SystemExit) as error:
        ended = isinstance(error, SystemExit)
        if not (isinstance(error, AutograderError) or ended or for_students):
            raise
        refused = isinstance(error, RefusedError)
        status = USAGE if isinstance(error, ConfigError) else OURS
        why = f"a check or the reference of the course ends Python: SystemExit({error})" if ended else str(error)
        result = unchecked_hand_in(why if refused or not for_students else NOT_FOR_STUDENTS, refused=refused)
    if for_students:
        result = result.for_students()
    if as_json:
        print(json.dumps(result.as_dict(), indent=1))
    elif chosen is None or not result.report.rows:
        say_error(result.why)
    else:
        print_report(result.report, chosen)
        print_threshold(result)
    if junit is not None:
        write_output(junit, junit_text(result.report, chosen.title if chosen else handed_in.name))
    if result.status != "graded":
        raise typer.Exit(status or OURS)
    if result.reached is False:
        raise typer.Exit(BELOW)


def _require_there(handed_in: Path) -> None:
    """See that there is something to grade.

    Raises:
        RefusedError: There is nothing, or a link, which may lead to anybody's work.
    """
    if not os.path.lexists(handed_in):
        raise RefusedError(f"{handed_in} is not there: nothing was handed in, or under another name.")
    if handed_in.is_symlink():
        raise RefusedError(f"{handed_in} is a link, which is not followed.")


def _threshold(text: str) -> tuple[bool, float | None]:
    """Whether a threshold is a share of the points, in per cent, and how much it is; None where there is none."""
    if not text:
        return False, None
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s?(%?)", text.strip())
    if found is None or (found[2] and float(found[1]) > 100):
        raise typer.BadParameter(
            f"--threshold is a number of points, such as 60, or a share, such as 60%, not {visible(text)}"
        )
    return bool(found[2]), float(found[1])
