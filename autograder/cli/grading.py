"""Commands that bring submissions in and grade them."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autograder.base import AutograderError, visible
from autograder.cli.command import (
    OURS,
    AsJson,
    AssignmentName,
    CourseFolder,
    Jobs,
    SandboxChoice,
    app,
    kept_in,
    open_assignment,
)
from autograder.cli.printing import (
    Line,
    line_of,
    print_collected,
    print_results,
    progress,
    result_tree,
    say,
    say_warning,
    with_lateness,
)

if TYPE_CHECKING:
    from autograder.course import Assignment, Course
    from autograder.operations import Scheduler
    from autograder.sandbox import Kind


@app.command()
def collect(
    assignment: AssignmentName,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="A zip file downloaded from Canvas or Moodle, a folder of STUDENT.ipynb, or nbgrader's exchange.",
        ),
    ],
    roster: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Canvas's gradebook or Moodle's worksheet (CSV): who is who in a zip file."),
    ] = None,
    match: Annotated[
        str, typer.Option(metavar="COLUMN", help="Its column that holds the course's ids; found out by default.")
    ] = "",
    time: Annotated[
        str, typer.Option(metavar="TIME", help="When it was handed in, local; neither Canvas's nor Moodle's zip says.")
    ] = "",
    course: CourseFolder = None,
) -> None:
    """Bring what students handed in elsewhere to submitted/STUDENT/ASSIGNMENT/.

    Nothing is overwritten but by something newer, and what that replaces is kept in submitted/.replaced/. Exit status:
    0 when everything was taken or is there already, 1 when something was not taken, 2 for wrong usage.
    """
    from autograder.operations import collect_from

    opened, chosen = open_assignment(course, assignment)
    found = collect_from(opened, chosen, source, people=roster, match=match, time=time)
    print_collected(found, opened)
    if any(each.status in ("not taken", "kept") for each in found):
        raise typer.Exit(OURS)


@app.command()
def grade(
    assignment: AssignmentName,
    student: Annotated[
        list[str] | None,
        typer.Option("--student", metavar="ID", help="Only this student; may be given again."),
    ] = None,
    jobs: Jobs = None,
    force: Annotated[bool, typer.Option("--force", help="Grade again what has its grade already.")] = False,
    show: Annotated[
        bool,
        typer.Option(
            "--show",
            help="Run also the cells that only show something, such as figures; otherwise the pages keep the pictures "
            "that were handed in.",
        ),
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Grade on the workers of this Dask scheduler (tcp://… or tls://…)."),
    ] = None,
    tls_ca: Annotated[Path | None, typer.Option(metavar="FILE", help="For tls://: whom to trust.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="For tls://: our certificate.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="For tls://: its key.")] = None,
    sandbox: SandboxChoice = None,
    as_json: AsJson = False,
    course: CourseFolder = None,
) -> None:
    """Grade submitted/STUDENT/ASSIGNMENT/ into the gradebook.

    What has its grade and has not changed is left alone, so a run that was stopped goes on where it was. Exit status:
    0 when every submission has a grade (a broken notebook gets one, with the reason), 1 when something of ours
    failed, 2 for wrong usage or configuration.
    """
    opened, chosen = open_assignment(course, assignment, runs_code=True)
    all_graded = grade_and_print(
        opened,
        chosen.showing() if show else chosen,
        students=student,
        jobs=jobs,
        force=force,
        scheduler=_scheduler(scheduler, tls_ca, tls_cert, tls_key),
        sandbox=kept_in(sandbox, opened),
        as_json=as_json,
    )
    if not all_graded:
        raise typer.Exit(OURS)


def grade_and_print(
    course: Course,
    assignment: Assignment,
    *,
    students: Collection[str] | None = None,
    jobs: int | None = None,
    force: bool = False,
    scheduler: Scheduler | None = None,
    sandbox: Kind | None = None,
    as_json: bool = False,
) -> bool:
    """Grade an assignment, and print what became of each submission, also where grading stops in the middle.

    Returns:
        Whether nothing of ours failed.
    """
    from autograder.gradebook import held_grades_by_student, warnings_of
    from autograder.operations import cores, grade_assignment

    lines: list[Line] = []
    trees: dict[str, dict[str, Any]] = {}
    stopped = None
    with progress(quiet=as_json) as (started, advance):
        try:
            for result in grade_assignment(
                course,
                assignment,
                students=students,
                jobs=jobs or cores(),
                force=force,
                sandbox=sandbox or kept_in(None, course),
                scheduler=scheduler,
                now=datetime.now(UTC),
                started=started,
            ):
                lines.append(line_of(result))
                if as_json:
                    trees[result.student] = result_tree(result)
                advance()
        except AutograderError as error:
            # What has its grade by now is still to be told.
            stopped = error
            if not lines:
                raise
    lines.sort(key=lambda line: line.student)
    held = {} if stopped is not None else held_grades_by_student(course, assignment)
    if as_json:
        print(json.dumps([with_lateness(trees[student], held.get(student)) for student in sorted(trees)], indent=1))
    else:
        print_results(lines, assignment, course, held)
    for said in warnings_of(course, assignment):
        say_warning(visible(said))
    if stopped is not None:
        raise stopped
    return not any(line.status == "failed" for line in lines)


def _scheduler(address: str | None, ca: Path | None, cert: Path | None, key: Path | None) -> Scheduler | None:
    if address is None:
        if ca or cert or key:
            raise typer.BadParameter("--tls-ca, --tls-cert and --tls-key are for a --scheduler")
        return None
    from autograder.operations import Scheduler

    return Scheduler(address, ca, cert, key)


@app.command()
def watch(
    assignment: AssignmentName,
    exchange: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="nbgrader's exchange: collect from there, and release feedback to it. By default the configuration's, "
            "once something has been released to it.",
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Grade what is there, then end.")] = False,
    jobs: Jobs = None,
    sandbox: SandboxChoice = None,
    course: CourseFolder = None,
) -> None:
    """Grade each submission as it arrives, and write its feedback, until stopped with Ctrl-C.

    `attempts` in gradebook_config.yaml says how many attempts a day are graded, and whether the last or the best
    counts.
    """
    import signal
    import threading

    from autograder.operations import cores, released_exchange
    from autograder.operations import watch as grade_arrivals

    opened, chosen = open_assignment(course, assignment, runs_code=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if not once:
        say(f"Watching for {chosen.title}; Ctrl-C ends it.")
    grade_arrivals(
        opened,
        chosen,
        jobs=jobs or cores(),
        sandbox=kept_in(sandbox, opened),
        exchange=exchange.resolve() if exchange else released_exchange(opened),
        once=once,
        stop=stop,
        told=lambda student, what: say(f"{datetime.now():%H:%M:%S}  {student}  {what}"),
    )
