"""The command ``autograder``: parse, call, print."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from autograder import __version__
from autograder.errors import AutograderError
from autograder.plain import one_line, visible

if TYPE_CHECKING:
    from rich.console import Console

    from autograder.audit.auditing import Audit
    from autograder.course import Assignment, Course
    from autograder.gradebook import Standing
    from autograder.history import Chapter
    from autograder.remote import Scheduler
    from autograder.report import Report, RowResult
    from autograder.run import Result, Status

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
        from autograder.errors import ConfigError

        _say_error(str(error))
        sys.exit(USAGE if isinstance(error, ConfigError) else OURS)
    except KeyboardInterrupt:
        _say_error("stopped. What was graded is kept; the same command goes on from there.")
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
    from autograder.audit.record import unaudited
    from autograder.release import release as make

    opened, chosen = _open(course, assignment)
    with _waiting(f"Releasing {chosen.name}"):
        made = make(opened, chosen.name)
    _print(f"{chosen.title}: released to {made.folder.relative_to(opened.root)}, {chosen.max_score:g} points.")
    if made.proved:
        _print(f"{len(made.proved)} gradients of the reference are proved by finite differences.")
    else:
        _print(f"The reference claims no gradients: solutions/{chosen.name}/gradients.py would say what to prove.")
    if warning := unaudited(chosen):
        _say_warning(warning)


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
    from autograder.audit.auditing import audit as try_out
    from autograder.audit.page import audit_page, audit_tree, row_counts, total
    from autograder.audit.record import write_record
    from autograder.fleet import cores

    opened, chosen = _open(course, assignment)
    with _progress(quiet=as_json) as (started, advance):
        found = try_out(
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
        _print_audit(found)
    if output is not None:
        try:
            output.write_text(audit_page(found), encoding="utf-8")
        except OSError as error:
            raise AutograderError(f"{output} could not be written: {error.strerror}") from error
        if not as_json:
            _print(f"The page is {_near(output)}.")
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
    from autograder.fleet import cores
    from autograder.run import grade_assignment

    opened, chosen = _open(course, assignment)
    lines: list[_Line] = []
    results: list[Result] = []
    with _progress(quiet=as_json) as (started, advance):
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
                lines.append(_line(result))
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
        _print_results(lines, chosen, opened, held)
    _warn_of_strangers(opened, chosen)
    if stopped is not None:
        raise stopped
    if any(line.status == "failed" for line in lines):
        raise typer.Exit(OURS)


class _Line(NamedTuple):
    """What the table tells of a result, and no more: the reports of a large class would fill the memory."""

    student: str
    status: Status
    why: str
    score: float | None
    lost: int
    """A bit for each row of the assignment that lost points, the first row's the lowest."""
    seconds: float


def _line(result: Result) -> _Line:
    report = result.report
    if report is None:
        return _Line(result.student, result.status, result.why, None, 0, 0.0)
    lost = sum(1 << place for place, row in enumerate(report.rows) if row.fraction < 1)
    return _Line(result.student, result.status, result.why, report.score, lost, report.seconds)


def _scheduler(address: str | None, ca: Path | None, cert: Path | None, key: Path | None) -> Scheduler | None:
    if address is None:
        if ca or cert or key:
            raise typer.BadParameter("--tls-ca, --tls-cert and --tls-key are for a --scheduler")
        return None
    from autograder.remote import Scheduler

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
    from autograder import collecting, exchange
    from autograder.gradebook import only_run, open_gradebook
    from autograder.gradebook import roster as people_in
    from autograder.lms import people_of

    opened, chosen = _open(course, assignment)
    if (source / opened.name / "inbound").is_dir():
        with only_run(opened):
            exchange.collect(opened, chosen, source.resolve())
        _print(f"Collected from {source} by nbgrader, the newest submission of each student.")
        return
    with only_run(opened):
        with open_gradebook(opened) as gradebook:
            known = people_in(gradebook)
        people = people_of(roster, known, match) if roster is not None else []
        when = collecting.local_time(time, opened.timezone) if time else None
        everybody = known or [person.student for person in people]
        found = collecting.collect(opened, chosen, source, known=everybody, people=people, when=when)
    taken = [each for each in found if each.status in ("new", "newer")]
    for each in found:
        if each.why:
            _print(f"{one_line(each.who)}: {each.status}: {one_line(each.why)}")
    unchanged = sum(each.status == "unchanged" for each in found)
    rest = f", {unchanged} unchanged" if unchanged else ""
    _print(f"{len(taken)} submissions in {_near(opened.root / 'submitted')}{os.sep}{rest}")
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

    from autograder.fleet import cores
    from autograder.watch import watch as grade_arrivals

    opened, chosen = _open(course, assignment)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if not once:
        _print(f"Watching for {chosen.title}; Ctrl-C ends it.")
    grade_arrivals(
        opened,
        chosen,
        jobs=jobs or cores(),
        sandbox=sandbox.value if sandbox else opened.sandbox,
        exchange=exchange.resolve() if exchange else _released_to(opened),
        once=once,
        stop=stop,
        told=lambda student, what: _print(f"{datetime.now():%H:%M:%S}  {student}  {what}"),
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
    from autograder.folders import student_of
    from autograder.grader import standing
    from autograder.submission import read_submission

    opened = load_course(course or find_course(notebook.parent if _in_course(notebook) else Path.cwd()))
    chosen = opened.assignment(assignment or _assignment_of(notebook, opened))
    with _waiting(f"Grading {notebook.name}", quiet=as_json):
        whose = chosen.inputs_of(student or student_of(notebook, opened.root)) or None
        grader = standing(sandbox.value if sandbox else opened.sandbox)
        grader.start(chosen)
        report = grader.grade(read_submission(notebook, chosen, student=whose), chosen)
    if as_json:
        print(json.dumps(report.as_dict(), indent=1))
    else:
        _print_report(report, chosen)
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
    from autograder.explain import explain as explained
    from autograder.explain import explanation_text, explanation_tree
    from autograder.reproduce import script as script_of

    opened, chosen = _open(course, assignment)
    with _waiting(f"Grading {row} of {student}", quiet=as_json):
        found = explained(opened, chosen, student, row, sandbox=sandbox.value if sandbox else opened.sandbox)
    print(json.dumps(explanation_tree(found), indent=1)) if as_json else _print(explanation_text(found))
    if script is not None:
        try:
            script.write_text(script_of(found), encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise AutograderError(f"{script} could not be written: {error.strerror}") from error
        if not as_json:
            _print(f"\nThe calls again, for you alone: python {_near(script)}")
    if found.row.errored:
        raise typer.Exit(OURS)


@app.command()
def feedback(assignment: AssignmentName, course: CourseFolder = None) -> None:
    """Write feedback/STUDENT/ASSIGNMENT/NOTEBOOK.html for everybody with a grade."""
    from autograder.gradebook import apply_late_penalties, only_run, open_gradebook, standings, write_feedback

    opened, chosen = _open(course, assignment)
    troubles: list[str] = []
    with only_run(opened), open_gradebook(opened, create=False) as gradebook:
        apply_late_penalties(gradebook, chosen, opened)
        students = [standing.student for standing in standings(gradebook, chosen)]
        with _progress() as (started, advance):
            started(len(students))
            for each in students:
                try:
                    write_feedback(gradebook, opened, chosen, each, now=datetime.now(UTC))
                except AutograderError as error:
                    troubles.append(str(error))
                advance()
    where, written = opened.root / "feedback", len(students) - len(troubles)
    _print(f"{written} feedback pages in {_near(where)}{os.sep}" if students else "Nobody has a grade yet.")
    for trouble in troubles:
        _say_error(trouble)
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
    from autograder.export import WRITERS
    from autograder.gradebook import apply_late_penalties, open_gradebook, standings

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
    _print(f"{len(found)} students in {output}")


def _export_into(
    system: Format,
    into: Path | None,
    output: Path | None,
    found: Sequence[Standing],
    chosen: Assignment,
    match: str,
    column: str,
) -> None:
    from autograder.gradebook import write_bytes_atomically
    from autograder.lms import filled_in, what_came_of

    if into is None or output is None:
        raise typer.BadParameter(
            f"--format {system.value} needs --into, the table that it exported, and --output, the file to import"
        )
    filled = filled_in(system.value, into, found, chosen, match=match, column=column)
    try:
        write_bytes_atomically(output.resolve(), filled.content)
    except OSError as error:
        raise AutograderError(f"{output} could not be written: {error.strerror}") from error
    for said in what_came_of(filled, str(_near(output))):
        _print(said)


@app.command()
def report(
    assignment: AssignmentName,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="The page; ASSIGNMENT-report.html here.")] = None,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Without who is who, to be shown to others.")] = False,
    course: CourseFolder = None,
) -> None:
    """Write a page about the whole class: scores, rows and checks, the commonest mistakes, who needs attention."""
    from autograder.classreport.page import class_page
    from autograder.classreport.reading import read_class
    from autograder.gradebook import apply_late_penalties, open_gradebook, write_atomically

    opened, chosen = _open(course, assignment)
    with open_gradebook(opened, create=False) as gradebook:
        apply_late_penalties(gradebook, chosen, opened)
        found = read_class(gradebook, opened, chosen)
    where = output or Path(f"{chosen.name}-report.html")
    try:
        write_atomically(where.resolve(), class_page(found, opened.timezone, anonymous=anonymous))
    except OSError as error:
        raise AutograderError(f"{where} could not be written: {error.strerror}") from error
    _print(f"{len(found.takers)} students in {_near(where)}")


@app.command()
def history(
    student: Annotated[str, typer.Argument(metavar="STUDENT", help="The student's id.")],
    as_json: AsJson = False,
    course: CourseFolder = None,
) -> None:
    """Say how a student did over the term: scores, lateness, lost rows, what to begin with, attempts."""
    from dataclasses import asdict

    from autograder import history as past
    from autograder.course import find_course, load_course
    from autograder.gradebook import open_gradebook

    opened = load_course(course or find_course(Path.cwd()))
    with open_gradebook(opened, create=False) as gradebook:
        chapters = past.history(gradebook, opened, student)
    if as_json:
        print(json.dumps([asdict(each) for each in chapters], indent=1, default=str))
        return
    for number, each in enumerate(chapters):
        if number:
            _print("")
        _print_chapter(each)


@app.command()
def overview(
    assignment: AssignmentName,
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where ASSIGNMENT.html and calendar.ics are written.")
    ] = Path("overview"),
    course: CourseFolder = None,
) -> None:
    """Write the page about an assignment's week, from overviews/ASSIGNMENT.md, and the course's calendar."""
    from autograder.gradebook import write_atomically, write_bytes_atomically
    from autograder.overview import calendar, overview_page

    opened, chosen = _open(course, assignment)
    page, dates = output / f"{chosen.name}.html", output / "calendar.ics"
    text = overview_page(opened, chosen)
    try:
        output.mkdir(parents=True, exist_ok=True)
        write_atomically(page.resolve(), text)
        write_bytes_atomically(dates.resolve(), calendar(opened, datetime.now(UTC)))
    except OSError as error:
        raise AutograderError(f"{error.filename or output} could not be written: {error.strerror}") from error
    _print(f"{_near(page)} and {_near(dates)}")


@app.command()
def quiz(
    assignment: AssignmentName,
    qti: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the QTI package that Canvas imports, a zip file.")
    ] = None,
    course: CourseFolder = None,
) -> None:
    """Write the students' notebook of quizzes/ASSIGNMENT.txt, the Knowledge Check: questions that are not graded."""
    from autograder.gradebook import write_atomically, write_bytes_atomically
    from autograder.quiz import NAME, quiz_file, quiz_notebook, quiz_qti, read_quiz

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
    _print(f"{len(found.questions)} questions in {_near(notebook)}{f' and {_near(qti)}' if qti else ''}")


@app.command()
def lab(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, metavar="N", help="The port; the first free one from 8888 on.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    course: CourseFolder = None,
) -> None:
    """Start JupyterLab on the course: formgrader, assignment list and validation, with our grader behind them.

    On this machine's loopback interface alone, with a token in the address. Ctrl-C ends it.
    """
    from autograder.course import find_course, load_course
    from autograder.lab import become, free_port, lab_command, prepare

    opened = load_course(course or find_course(Path.cwd()))
    try:
        for said in prepare(opened):
            _print(said)
    except OSError as error:
        raise AutograderError(f"{error.filename} could not be written: {error.strerror}") from error
    chosen = free_port(port)
    _print(f"JupyterLab starts on http://127.0.0.1:{chosen}/; the formgrader is in its menu Nbgrader. Ctrl-C ends it.")
    sys.stdout.flush()
    become(opened, lab_command(opened, chosen, browser=not no_browser))


@app.command()
def doctor(course: CourseFolder = None) -> None:
    """Say what is there and what works: versions, the sandbox and what it blocks, the course, the gradebook."""
    from rich.markup import escape

    from autograder.doctor import examine

    console = _console()
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
    from autograder.course import find_course, load_course
    from autograder.demo import make_course

    template = load_course(course or find_course(Path.cwd()))
    made = make_course(template, folder, students)
    _print(f"A course with {students} made-up students is in {_near(folder)}{os.sep}")
    release("week2", folder)
    status = 0
    try:
        grade("week2", jobs=jobs, course=folder)
    except typer.Exit as error:
        status = error.exit_code
    feedback("week2", folder)
    _print_next(made, folder)
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
    from autograder.course import find_course
    from autograder.errors import ConfigError

    try:
        find_course(notebook.resolve().parent)
    except ConfigError:
        return False
    return True


def _assignment_of(notebook: Path, course: Course) -> str:
    from autograder.errors import ConfigError

    folders = notebook.resolve().parent.parts[::-1]
    for name in (*folders, *course.assignments):
        if name in course.assignments and (name in folders or course.assignments[name].notebook == notebook.stem):
            return name
    if len(course.assignments) == 1:
        return next(iter(course.assignments))
    raise ConfigError(
        f"which assignment is {notebook.name} for? Name one: --assignment {' | '.join(course.assignments)}"
    )


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def _print(text: str) -> None:
    _console().print(visible(text), markup=False, soft_wrap=True)


def _print_indented(console: Console, text: str, by: int, style: str = "") -> None:
    """A paragraph that keeps its indentation where a terminal wraps it; in a file or a pipe it is not wrapped."""
    from rich.padding import Padding
    from rich.text import Text

    for line in visible(text).splitlines():
        if console.is_terminal:
            console.print(Padding(Text(line, style=style), (0, 0, 0, by)))
        else:
            console.print(Text(" " * by + line), soft_wrap=True)


def _say_error(text: str) -> None:
    from rich.text import Text

    console = _console(stderr=True)
    said = Text("autograder: ", style="bold red").append(visible(text), style="not bold default")
    console.print(said, soft_wrap=True)


def _say_warning(text: str) -> None:
    from rich.text import Text

    console = _console(stderr=True)
    console.print(Text("autograder: ", style="bold yellow").append(text, style="not bold default"), soft_wrap=True)


def _near(path: Path) -> Path:
    """The path as one would type it from here."""
    path = path.resolve()
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


@contextmanager
def _waiting(what: str, *, quiet: bool = False) -> Iterator[None]:
    console = _console(stderr=True)
    if quiet or not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


@contextmanager
def _progress(*, quiet: bool = False) -> Iterator[tuple[Any, Any]]:
    """A progress bar with an ETA on standard error, as (tell it the total, go one on)."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    console = _console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), "ETA", TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield (lambda total: progress.update(task, total=total)), (lambda: progress.advance(task))


def _points(points: float | None) -> str:
    return "—" if points is None else f"{points:.2f}".rstrip("0").rstrip(".")


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
                _say_warning(visible(said))


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


def _print_results(results: list[_Line], assignment: Assignment, course: Course, held: dict[str, Standing]) -> None:
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    if not results:
        _print(f"Nothing was submitted: there is no submitted/STUDENT/{assignment.name}/ in {course.root}.")
        return
    console = _console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 1_000  # a file or a pipe has one line for each student
    table = Table(box=None, pad_edge=False, header_style="bold")
    widest = max(16, console.width // 3)
    anybody_late = any(result.student in held and held[result.student].late_penalty for result in results)
    room = console.width - min(widest, max(cell_len(result.student) for result in results))
    room -= 38 if anybody_late else 22
    table.add_column("student", overflow="fold", max_width=widest)
    table.add_column("score", justify="right", no_wrap=True)
    if anybody_late:
        table.add_column("late", justify="right", no_wrap=True)
        table.add_column("counts", justify="right", no_wrap=True)
    table.add_column("rows lost", overflow="fold")
    table.add_column("time", justify="right", no_wrap=True)
    for result in results:
        student, score, *rest = _table_row(result, assignment, room)
        lateness = _lateness(held.get(result.student)) if anybody_late else ()
        table.add_row(*(Text(cell) for cell in (student, score, *lateness, *rest)))
    console.print(table)
    graded = [result for result in results if result.status in ("graded", "kept")]
    best = sum(row.points for row in assignment.rows)
    _print(f"\n{len(graded)} of {len(results)} have a grade, of at most {best:g} points before answers graded by hand.")
    kept = sum(result.status == "kept" for result in results)
    if kept:
        _print(f"{kept} had not changed since they were graded and were left alone (--force grades them again).")
    if excused := [one_line(result.student) for result in results if result.student in assignment.excused]:
        _print(f"Excused, so that no score counts: {', '.join(excused)}")
    for result in results:
        if result.why:
            _print(f"{one_line(result.student)}: {result.status}: {one_line(result.why)}")


def _table_row(line: _Line, assignment: Assignment, room: int) -> tuple[str, str, str, str]:
    student = one_line(line.student)
    if line.score is None or line.status in ("refused", "failed"):
        return student, "—", line.status, ""
    lost = [row.name for place, row in enumerate(assignment.rows) if line.lost >> place & 1]
    names = "all" if len(lost) == len(assignment.rows) else _listed(lost, room)
    seconds = "" if line.status == "kept" else f"{line.seconds:.1f} s"
    return student, _points(line.score), names, seconds


def _listed(names: list[str], room: int) -> str:
    """The names, or as many of them as fit on a line, and how many more there are."""
    whole = ", ".join(names)
    shown = len(names)
    while shown > 1 and len(whole) > room:
        shown -= 1
        whole = f"{', '.join(names[:shown])} and {len(names) - shown} more"
    return whole


def _lateness(standing: Standing | None) -> tuple[str, str]:
    """What lateness costs and what counts in the end, the points given by hand included."""
    if standing is None:
        return "", "—"
    return f"−{_points(standing.late_penalty)}" if standing.late_penalty else "", _points(standing.score)


def _print_report(report: Report, assignment: Assignment) -> None:
    from rich.text import Text

    from autograder.feedback import first_to_fix, said_of_all

    console = _console()
    console.print(Text(f"{assignment.title}: {_points(report.score)} of {report.max_score:g} points", style="bold"))
    if report.sandbox != "bubblewrap":
        kept = "without a sandbox" if report.sandbox == "none" else f"in the sandbox {report.sandbox!r}"
        console.print(f"Run {kept}.", style="yellow")
    if assignment.inputs == "per_student":
        nobody = "nobody in particular (--student ID takes a student's own)"
        console.print(Text(f"With the inputs of {report.student or nobody}."), soft_wrap=True)
    for note in report.notes:
        _print_indented(console, f"Note: {note}", 0)
    common, first = said_of_all(report), first_to_fix(report)
    if common is not None:
        _print_indented(console, f"✗ For every row: {common.reason or common.title}", 0)
    elif first is not None:
        lost = sum(row.fraction < 1 for row in report.rows)
        _print_indented(console, f"Start with {first.name}; {lost} of {len(report.rows)} rows lost points.\n ", 0)
    for row in report.rows if common is None else ():
        _print_row(console, row, assignment, first=row is first)
    if report.errored:
        from autograder.run import trouble

        _say_error(trouble(report))


def _print_row(console: Console, row: RowResult, assignment: Assignment, *, first: bool) -> None:
    from rich.text import Text

    mark, style = ("?", "yellow") if row.errored else ("✓", "green") if row.fraction == 1 else ("✗", "red")
    line = Text(f"{mark} ", style=style).append(f"{row.name}  {_points(row.score)} / {row.points:g}", style="default")
    if row.carried:
        line.append(f"  given a correct {', '.join(row.carried)}", style="dim")
    if first:
        line.append("  ← start here", style="bold")
    console.print(line, soft_wrap=True)
    for result in row.checks:
        if result.outcome == "errored":
            _print_indented(console, f"? {result.title} This check failed for a reason of ours.", 4)
        elif result.outcome == "failed":
            _print_indented(console, f"✗ {result.title}", 4)
            _print_indented(console, result.reason, 6)
            if result.hint:
                _print_indented(console, f"Hint: {result.hint}", 6, "dim")
            if (seen := result.visibility or assignment.visibility) != "visible":
                _print_indented(console, f"To the student: {seen.replace('_', ' ')}", 6, "dim")


def _print_chapter(chapter: Chapter) -> None:
    from rich.text import Text

    console = _console()
    standing = chapter.standing
    points = ""
    if standing is not None and chapter.status in ("graded", "waits", "excused"):
        points = f"  {_points(standing.score)} of {chapter.max_score:g}"
    line = Text(chapter.title, style="bold").append(points, style="default")
    if chapter.status != "graded":
        said = "waits for a grade by hand" if chapter.status == "waits" else chapter.status
        line.append(f"  {said}", style="yellow")
    console.print(line, soft_wrap=True)
    if standing is not None and standing.late_penalty:
        before, lost = _points(standing.raw_score), _points(standing.late_penalty)
        _print_indented(console, f"{before} points, less {lost} for lateness.", 2)
    if chapter.lateness:
        _print_indented(console, chapter.lateness, 2)
    elif chapter.due and chapter.status in ("not graded", "nothing handed in"):
        _print_indented(console, f"Due {chapter.due}.", 2)
    if chapter.lost:
        rows = ", ".join(f"{each.row} {_points(each.score)}/{each.points:g}" for each in chapter.lost)
        _print_indented(console, f"Lost points: {rows}", 2)
    if chapter.first:
        _print_indented(console, f"Begins with {chapter.first}", 2)
    if chapter.attempts:
        worth = ", ".join(
            f"{_points(each.worth)}{'' if each.counts else ' (not counted)'}" for each in chapter.attempts
        )
        _print_indented(console, f"Graded attempts, the oldest first: {worth}", 2)


def _print_audit(found: Audit) -> None:
    from rich.table import Table
    from rich.text import Text

    from autograder.audit.page import diff, findings, row_counts, total
    from autograder.course import EQUIVALENT

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("row", no_wrap=True)
    for name in ("mutants", "killed", "equivalent", "survived", "spilled"):
        table.add_column(name, justify="right", no_wrap=True)
    counts = row_counts(found)
    for count in (*counts, total(counts)):
        numbers = (count.made, count.killed, count.equivalent, count.survived, count.spilled)
        table.add_row(count.row, *map(str, numbers))
    console = _console()
    console.print(table)
    for each in findings(found):
        mutant = each.mutant
        what = f"{mutant.row}: {mutant.kind}: {mutant.before} → {mutant.after}"
        said = f"lost points in {', '.join(each.spills)} too" if each.spills else each.status
        console.print(
            Text(f"\n✗ {what}", style="red"), Text(f"  {said} {each.reason}".rstrip()), sep="\n", soft_wrap=True
        )
        console.print(Text(diff(mutant)), soft_wrap=True)
    lost = [each for each in found.right if each.lost]
    for answer in lost:
        console.print(Text(f"\n✗ a right answer lost points: {answer.alternate.name}", style="red"), soft_wrap=True)
        for name, reason in answer.lost:
            console.print(Text(f"  {name}: {reason}"), soft_wrap=True)
    listed = _near(found.assignment.solutions / EQUIVALENT)
    for entry in found.stale:
        _print(f"{listed}: no mutant of {entry.function} is like this any more: {entry.line} → {entry.becomes}")
    _print(f"\n{len(found.right) - len(lost)} of {len(found.right)} right answers have full marks.")
    if not found.whole:
        _print("Only a part of the mutants was tried, so this audit is not kept.")


def _print_next(made: Any, folder: Path) -> None:
    near = _near(folder)
    _print(
        f"\nWhere to look next:\n"
        f"  {near / 'feedback'}{os.sep}…    what each student reads, such as {near / made.example_feedback}\n"
        f"  autograder export week2 --course {near}\n"
        f"  autograder check {near / made.example_submission}\n"
        f"  cd {near} && jupyter lab    the formgrader, where the written answers wait to be graded by hand"
    )
