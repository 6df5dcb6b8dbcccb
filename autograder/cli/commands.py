"""The command ``autograder``: parse, call, print."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autograder import __version__
from autograder.base import AutograderError, one_line, visible
from autograder.cli.printing import (
    Line,
    line_of,
    near_path,
    open_console,
    print_audit,
    print_chapter,
    print_next,
    print_report,
    print_results,
    progress,
    say,
    say_error,
    say_warning,
    waiting,
)

if TYPE_CHECKING:
    from autograder.course import Assignment, Course
    from autograder.gradebook import Standing
    from autograder.operations import Result, Scheduler

OURS, USAGE = 1, 2

app = typer.Typer(
    help="Coursework in Jupyter notebooks that grades itself.\n\nStart with `autograder demo`: it makes a course with "
    "a class of submissions, grades it and says where to look. In a course's folder, `release` makes what students "
    "get, `grade` grades what they submitted, `feedback` writes what they read.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Sandbox(StrEnum):
    """Where a student's code runs."""

    bubblewrap = "bubblewrap"
    landlock = "landlock"
    none = "none"


class Format(StrEnum):
    """A file that numbers are exported to."""

    csv = "csv"
    canvas = "canvas"
    moodle = "moodle"
    blackboard = "blackboard"


AssignmentName = Annotated[str, typer.Argument(metavar="ASSIGNMENT", help="The assignment's name, such as week2.")]
CourseFolder = Annotated[
    Path | None,
    typer.Option(
        "--course",
        metavar="DIR",
        help="The course's folder; otherwise the nearest one above that holds gradebook_config.yaml.",
    ),
]
SandboxChoice = Annotated[
    Sandbox | None,
    typer.Option(
        help="What keeps the students' code, whatever gradebook_config.yaml says: `landlock` is for machines that "
        "forbid user namespaces and gives less (docs/operators.md); `none` runs it unprotected, as you."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]


def main() -> None:
    """Run the command; errors of ours and of the course's are printed, never a traceback."""
    for library in ("OPENBLAS", "OMP", "MKL"):
        # As in the sandbox: how many threads share a sum decides its last digits, and waiting threads take time.
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    try:
        app()
    except AutograderError as error:
        from autograder.base import ConfigError

        say_error(str(error))
        sys.exit(USAGE if isinstance(error, ConfigError) else OURS)
    except KeyboardInterrupt:
        say_error("stopped. What was graded is kept; the same command goes on from there.")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(OURS)


def _version(asked: bool) -> None:
    if asked:
        print(f"autograder {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


@app.command()
def release(assignment: AssignmentName, course: CourseFolder = None) -> None:
    """Make what students get, release/ASSIGNMENT, from the master notebook.

    Refused where it would leak a solution, a hidden check or an output, where the solved master does not get full
    marks in every row, where the untouched release scores anything, or where finite differences say otherwise than a
    gradient that the reference claims. Says so where the hidden checks have not been
    audited since the assignment changed.
    """
    from autograder.authoring import release as make
    from autograder.authoring import unaudited

    opened, chosen = _open(course, assignment)
    with waiting(f"Releasing {chosen.name}"):
        made = make(opened, chosen.name)
    say(f"{chosen.title}: released to {made.folder.relative_to(opened.root)}, {chosen.max_score:g} points.")
    if made.proved:
        say(f"{len(made.proved)} gradients of the reference are proved by finite differences.")
    else:
        say(f"The reference claims no gradients: solutions/{chosen.name}/gradients.py would say what to prove.")
    if warning := unaudited(chosen):
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
    jobs: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Processes that grade at once; one for each core by default."),
    ] = None,
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
    from autograder.authoring import audit_page, audit_tree, row_counts, run_audit, total, write_record
    from autograder.operations import cores

    opened, chosen = _open(course, assignment)
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
    if found.whole:
        sums = total(row_counts(found))
        write_record(chosen, {"mutants": sums.made, "equivalent": sums.equivalent}, passed=found.passed)
    if as_json:
        print(json.dumps(audit_tree(found), indent=1))
    else:
        print_audit(found)
    if output is not None:
        try:
            output.write_text(audit_page(found), encoding="utf-8")
        except OSError as error:
            raise AutograderError(f"{output} could not be written: {error.strerror}") from error
        if not as_json:
            say(f"The page is {near_path(output)}.")
    if not found.passed:
        raise typer.Exit(OURS)


@app.command()
def grade(
    assignment: AssignmentName,
    student: Annotated[
        list[str] | None,
        typer.Option("--student", metavar="ID", help="Only this student; may be given again."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Processes that grade at once; one for each core by default."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Grade again what has its grade already.")] = False,
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
    from autograder.operations import cores, grade_assignment

    opened, chosen = _open(course, assignment)
    lines: list[Line] = []
    results: list[Result] = []
    with progress(quiet=as_json) as (started, advance):
        running = grade_assignment(
            opened,
            chosen,
            students=student,
            jobs=jobs or cores(),
            force=force,
            sandbox=sandbox.value if sandbox else opened.sandbox,
            scheduler=_scheduler(scheduler, tls_ca, tls_cert, tls_key),
            now=datetime.now(UTC),
            started=started,
        )
        stopped = None
        try:
            for result in running:
                lines.append(line_of(result))
                if as_json:
                    results.append(result)
                advance()
        except AutograderError as error:
            # What has its grade by now is still to be told.
            stopped = error
            if not lines:
                raise
    lines.sort(key=lambda line: line.student)
    held = {} if stopped is not None else _held(opened, chosen)
    if as_json:
        results.sort(key=lambda result: result.student)
        print(json.dumps([_result_tree(result, held) for result in results], indent=1))
    else:
        print_results(lines, chosen, opened, held)
    _warn_of_strangers(opened, chosen)
    if stopped is not None:
        raise stopped
    if any(line.status == "failed" for line in lines):
        raise typer.Exit(OURS)


def _scheduler(address: str | None, ca: Path | None, cert: Path | None, key: Path | None) -> Scheduler | None:
    if address is None:
        if ca or cert or key:
            raise typer.BadParameter("--tls-ca, --tls-cert and --tls-key are for a --scheduler")
        return None
    from autograder.operations import Scheduler

    return Scheduler(address, ca, cert, key)


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
    from autograder.gradebook import only_run, open_gradebook
    from autograder.gradebook import roster as people_in
    from autograder.operations import collect_from_exchange
    from autograder.reports import people_of
    from autograder.submission import collect as collect_from
    from autograder.submission import local_time

    opened, chosen = _open(course, assignment)
    if (source / opened.name / "inbound").is_dir():
        with only_run(opened):
            collect_from_exchange(opened, chosen, source.resolve())
        say(f"Collected from {source} by nbgrader, the newest submission of each student.")
        return
    with only_run(opened):
        with open_gradebook(opened) as gradebook:
            known = people_in(gradebook)
        people = people_of(roster, known, match) if roster is not None else []
        when = local_time(time, opened.timezone) if time else None
        everybody = known or [person.student for person in people]
        found = collect_from(opened, chosen, source, known=everybody, people=people, when=when)
    taken = [each for each in found if each.status in ("new", "newer")]
    for each in found:
        if each.why:
            say(f"{one_line(each.who)}: {each.status}: {one_line(each.why)}")
    unchanged = sum(each.status == "unchanged" for each in found)
    rest = f", {unchanged} unchanged" if unchanged else ""
    say(f"{len(taken)} submissions in {near_path(opened.root / 'submitted')}{os.sep}{rest}")
    if any(each.status in ("not taken", "kept") for each in found):
        raise typer.Exit(OURS)


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
    jobs: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Processes that grade at once; one for each core by default."),
    ] = None,
    sandbox: SandboxChoice = None,
    course: CourseFolder = None,
) -> None:
    """Grade each submission as it arrives, and write its feedback, until stopped with Ctrl-C.

    `attempts` in gradebook_config.yaml says how many attempts a day are graded, and whether the last or the best
    counts.
    """
    import signal
    import threading

    from autograder.operations import cores
    from autograder.operations import watch as grade_arrivals

    opened, chosen = _open(course, assignment)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if not once:
        say(f"Watching for {chosen.title}; Ctrl-C ends it.")
    grade_arrivals(
        opened,
        chosen,
        jobs=jobs or cores(),
        sandbox=sandbox.value if sandbox else opened.sandbox,
        exchange=exchange.resolve() if exchange else _released_to(opened),
        once=once,
        stop=stop,
        told=lambda student, what: say(f"{datetime.now():%H:%M:%S}  {student}  {what}"),
    )


@app.command()
def check(
    notebook: Annotated[
        Path, typer.Argument(metavar="NOTEBOOK", exists=True, dir_okay=False, help="The notebook to grade.")
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
    sandbox: SandboxChoice = None,
    as_json: AsJson = False,
    course: CourseFolder = None,
) -> None:
    """Grade one notebook and print the result; nothing is stored."""
    from autograder.course import find_course, load_course
    from autograder.grading import standing
    from autograder.submission import read_submission, student_of

    opened = load_course(course or find_course(notebook.parent if _in_course(notebook) else Path.cwd()))
    chosen = opened.assignment(assignment or _assignment_of(notebook, opened))
    with waiting(f"Grading {notebook.name}", quiet=as_json):
        whose = chosen.inputs_of(student or student_of(notebook, opened.root)) or None
        grader = standing(sandbox.value if sandbox else opened.sandbox)
        grader.start(chosen)
        report = grader.grade(read_submission(notebook, chosen, student=whose), chosen)
    if as_json:
        print(json.dumps(report.as_dict(), indent=1))
    else:
        print_report(report, chosen)
    if report.errored:
        raise typer.Exit(OURS)


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

    opened, chosen = _open(course, assignment)
    with waiting(f"Grading {row} of {student}", quiet=as_json):
        found = explained(opened, chosen, student, row, sandbox=sandbox.value if sandbox else opened.sandbox)
    print(json.dumps(explanation_tree(found), indent=1)) if as_json else say(explanation_text(found))
    if script is not None:
        try:
            script.write_text(script_of(found), encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise AutograderError(f"{script} could not be written: {error.strerror}") from error
        if not as_json:
            say(f"\nThe calls again, for you alone: python {near_path(script)}")
    if found.row.errored:
        raise typer.Exit(OURS)


@app.command()
def feedback(assignment: AssignmentName, course: CourseFolder = None) -> None:
    """Write feedback/STUDENT/ASSIGNMENT/NOTEBOOK.html for everybody with a grade."""
    from autograder.feedback import write_feedback
    from autograder.gradebook import apply_late_penalties, only_run, open_gradebook, standings

    opened, chosen = _open(course, assignment)
    troubles: list[str] = []
    with only_run(opened), open_gradebook(opened, create=False) as gradebook:
        apply_late_penalties(gradebook, chosen, opened)
        students = [standing.student for standing in standings(gradebook, chosen)]
        with progress() as (started, advance):
            started(len(students))
            for each in students:
                try:
                    write_feedback(gradebook, opened, chosen, each, now=datetime.now(UTC))
                except AutograderError as error:
                    troubles.append(str(error))
                advance()
    where, written = opened.root / "feedback", len(students) - len(troubles)
    say(f"{written} feedback pages in {near_path(where)}{os.sep}" if students else "Nobody has a grade yet.")
    for trouble in troubles:
        say_error(trouble)
    if troubles:
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
    from autograder.gradebook import apply_late_penalties, open_gradebook, standings
    from autograder.reports import WRITERS

    opened, chosen = _open(course, assignment)
    write = WRITERS["csv"]
    with open_gradebook(opened, create=False) as gradebook:
        apply_late_penalties(gradebook, chosen, opened)
        found = standings(gradebook, chosen)
    if file_format is not Format.csv:
        _export_into(file_format, into, output, found, chosen, match, column)
        return
    if into or match or column:
        raise typer.BadParameter("--into, --match and --column are for --format canvas, moodle or blackboard")
    if output is None:
        try:
            write(found, chosen, opened, sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise AutograderError(
                f"the table could not be written: {error.strerror}. Make room, then try again."
            ) from error
        return
    try:
        with output.open("w", encoding="utf-8", newline="") as file:
            write(found, chosen, opened, file)
    except OSError as error:
        raise AutograderError(f"{output} could not be written: {error.strerror}") from error
    say(f"{len(found)} students in {output}")


def _export_into(
    system: Format,
    into: Path | None,
    output: Path | None,
    found: Sequence[Standing],
    chosen: Assignment,
    match: str,
    column: str,
) -> None:
    from autograder.base import write_bytes_atomically
    from autograder.reports import filled_in, what_came_of

    if into is None or output is None:
        raise typer.BadParameter(
            f"--format {system.value} needs --into, the table that it exported, and --output, the file to import"
        )
    filled = filled_in(system.value, into, found, chosen, match=match, column=column)
    try:
        write_bytes_atomically(output.resolve(), filled.content)
    except OSError as error:
        raise AutograderError(f"{output} could not be written: {error.strerror}") from error
    for said in what_came_of(filled, str(near_path(output))):
        say(said)


@app.command()
def report(
    assignment: AssignmentName,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="The page; ASSIGNMENT-report.html here.")] = None,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Without who is who, to be shown to others.")] = False,
    course: CourseFolder = None,
) -> None:
    """Write a page about the whole class: scores, rows and checks, the commonest mistakes, who needs attention."""
    from autograder.base import write_atomically
    from autograder.gradebook import apply_late_penalties, open_gradebook
    from autograder.reports import class_page, read_class

    opened, chosen = _open(course, assignment)
    with open_gradebook(opened, create=False) as gradebook:
        apply_late_penalties(gradebook, chosen, opened)
        found = read_class(gradebook, opened, chosen)
    where = output or Path(f"{chosen.name}-report.html")
    try:
        write_atomically(where.resolve(), class_page(found, opened.timezone, anonymous=anonymous))
    except OSError as error:
        raise AutograderError(f"{where} could not be written: {error.strerror}") from error
    say(f"{len(found.takers)} students in {near_path(where)}")


@app.command()
def history(
    student: Annotated[str, typer.Argument(metavar="STUDENT", help="The student's id.")],
    as_json: AsJson = False,
    course: CourseFolder = None,
) -> None:
    """Say how a student did over the term: scores, lateness, lost rows, what to begin with, attempts."""
    from dataclasses import asdict

    from autograder.course import find_course, load_course
    from autograder.gradebook import open_gradebook
    from autograder.reports import history as history_of

    opened = load_course(course or find_course(Path.cwd()))
    with open_gradebook(opened, create=False) as gradebook:
        chapters = history_of(gradebook, opened, student)
    if as_json:
        print(json.dumps([asdict(each) for each in chapters], indent=1, default=str))
        return
    for number, each in enumerate(chapters):
        if number:
            say("")
        print_chapter(each)


@app.command()
def overview(
    assignment: AssignmentName,
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where ASSIGNMENT.html and calendar.ics are written.")
    ] = Path("overview"),
    course: CourseFolder = None,
) -> None:
    """Write the page about an assignment's week, from overviews/ASSIGNMENT.md, and the course's calendar."""
    from autograder.authoring import calendar, overview_page
    from autograder.base import write_atomically, write_bytes_atomically

    opened, chosen = _open(course, assignment)
    page, dates = output / f"{chosen.name}.html", output / "calendar.ics"
    text = overview_page(opened, chosen)
    try:
        output.mkdir(parents=True, exist_ok=True)
        write_atomically(page.resolve(), text)
        write_bytes_atomically(dates.resolve(), calendar(opened, datetime.now(UTC)))
    except OSError as error:
        raise AutograderError(f"{error.filename or output} could not be written: {error.strerror}") from error
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
    from autograder.authoring import NAME, quiz_file, quiz_notebook, quiz_qti, read_quiz
    from autograder.base import write_atomically, write_bytes_atomically

    opened, chosen = _open(course, assignment)
    found = read_quiz(quiz_file(opened, chosen.name))
    name = f"{chosen.name}-{NAME}"
    notebook = opened.root / "release" / name / f"{name}.ipynb"
    try:
        notebook.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(notebook, quiz_notebook(found))
        if qti is not None:
            write_bytes_atomically(qti.resolve(), quiz_qti(found))
    except OSError as error:
        raise AutograderError(f"{error.filename or notebook} could not be written: {error.strerror}") from error
    say(f"{len(found.questions)} questions in {near_path(notebook)}{f' and {near_path(qti)}' if qti else ''}")


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
    from autograder.base import ConfigError
    from autograder.course import find_course, load_course
    from autograder.operations import become, check_port, configured, lab_command, prepare

    root = (course or find_course(Path.cwd())).resolve()
    try:
        told = configured(root)
        try:
            told += prepare(load_course(root))
        except ConfigError as error:
            # A mistake in a master notebook is mended in JupyterLab.
            say_warning(visible(str(error)))
        for said in told:
            say(said)
    except OSError as error:
        raise AutograderError(f"{error.filename} could not be written: {error.strerror}") from error
    if port is not None:
        check_port(port)
    say("JupyterLab starts, and prints its address; the formgrader is in its menu Nbgrader. Ctrl-C ends it.")
    sys.stdout.flush()
    become(root, lab_command(root, port, browser=not no_browser))


@app.command()
def doctor(course: CourseFolder = None) -> None:
    """Say what is there and what works: versions, the sandbox and what it blocks, the course, the gradebook."""
    from rich.markup import escape

    from autograder.operations import examine

    console = open_console()
    well = True
    for finding in examine(course):
        mark = "[green]✓[/]" if finding.well else "[red]✗[/]"
        console.print(f"{mark} {escape(visible(finding.text))}", soft_wrap=True)
        well = well and finding.well
    if not well:
        raise typer.Exit(OURS)


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
    from autograder.course import find_course, load_course

    template = load_course(course or find_course(Path.cwd()))
    made = make_course(template, folder, students)
    say(f"A course with {students} made-up students is in {near_path(folder)}{os.sep}")
    release("week2", folder)
    status = 0
    try:
        grade("week2", jobs=jobs, course=folder)
    except typer.Exit as error:
        status = error.exit_code
    feedback("week2", folder)
    print_next(made, folder)
    if status:
        raise typer.Exit(status)


def _released_to(course: Course) -> Path | None:
    """The exchange of the configuration, where something of the course has been released to it."""
    there = course.exchange is not None and (course.exchange / course.name / "inbound").is_dir()
    return course.exchange if there else None


def _open(folder: Path | None, name: str) -> tuple[Course, Assignment]:
    from autograder.course import find_course, load_course

    course = load_course(folder or find_course(Path.cwd()))
    return course, course.assignment(name)


def _in_course(notebook: Path) -> bool:
    from autograder.base import ConfigError
    from autograder.course import find_course

    try:
        find_course(notebook.resolve().parent)
    except ConfigError:
        return False
    return True


def _assignment_of(notebook: Path, course: Course) -> str:
    from autograder.base import ConfigError

    folders = notebook.resolve().parent.parts[::-1]
    for name in (*folders, *course.assignments):
        if name in course.assignments and (name in folders or course.assignments[name].notebook == notebook.stem):
            return name
    if len(course.assignments) == 1:
        return next(iter(course.assignments))
    raise ConfigError(
        f"which assignment is {notebook.name} for? Name one: --assignment {' | '.join(course.assignments)}"
    )


def _held(course: Course, assignment: Assignment) -> dict[str, Standing]:
    """Where everybody stands in the gradebook, by student."""
    from autograder.gradebook import open_gradebook, standings

    with open_gradebook(course, create=False) as gradebook:
        return {each.student: each for each in standings(gradebook, assignment)}


def _warn_of_strangers(course: Course, assignment: Assignment) -> None:
    """A mistyped id under extensions or excused helps nobody, and is no mistake that the file alone could show."""
    from autograder.gradebook import open_gradebook, strangers

    if assignment.extensions or assignment.excused:
        with open_gradebook(course, create=False) as gradebook:
            for said in strangers(gradebook, assignment).values():
                say_warning(visible(said))


def _result_tree(result: Result, held: dict[str, Standing]) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "student": result.student,
        "status": result.status,
        "why": result.why,
        "late_penalty": held[result.student].late_penalty if result.student in held else 0.0,
        "report": None,
    }
    if result.report is not None:
        tree["report"] = {name: value for name, value in result.report.as_dict().items() if name != "cells"}
    return tree
