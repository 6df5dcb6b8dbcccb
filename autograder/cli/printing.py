"""What the commands print: on a terminal, into a pipe, on standard error. Nothing here decides anything."""

from __future__ import annotations

import itertools
import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from autograder.base import AutograderError, one_line, visible

if TYPE_CHECKING:
    from rich.console import Console

    from autograder.authoring import Audit, HandedIn, Imported, NewAssignment, NewCourse, Packed, ReleaseResult
    from autograder.authoring import Finding as LintFinding
    from autograder.course import Assignment, Course
    from autograder.feedback import FeedbackWritten
    from autograder.gradebook import HeldGrade
    from autograder.grading import Report, RowResult
    from autograder.operations import CheckedHandIn, Finding, Mark, Plan, Result, Status
    from autograder.reports import Chapter
    from autograder.submission import Collected


class Line(NamedTuple):
    """What the table tells of a result, and no more: the reports of a large class would fill the memory."""

    student: str
    status: Status
    why: str
    score: float | None
    lost: int
    """A bit for each row of the assignment that lost points, the first row's the lowest."""
    seconds: float


def line_of(result: Result) -> Line:
    """The line of a result."""
    report = result.report
    if report is None:
        return Line(result.student, result.status, result.why, None, 0, 0.0)
    lost = sum(1 << place for place, row in enumerate(report.rows) if row.fraction < 1)
    return Line(result.student, result.status, result.why, report.score, lost, report.seconds)


def open_console(*, stderr: bool = False) -> Console:
    """Standard output, or standard error, as rich writes to it."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def say(text: str) -> None:
    """Print a line, with control characters as their escapes."""
    open_console().print(visible(text), markup=False, soft_wrap=True)


def say_indented(console: Console, text: str, by: int, style: str = "") -> None:
    """A paragraph that keeps its indentation where a terminal wraps it; in a file or a pipe it is not wrapped."""
    from rich.padding import Padding
    from rich.text import Text

    for line in visible(text).splitlines():
        if console.is_terminal:
            console.print(Padding(Text(line, style=style), (0, 0, 0, by)))
        else:
            console.print(Text(" " * by + line), soft_wrap=True)


def say_error(text: str) -> None:
    """Print what went wrong, on standard error."""
    from rich.text import Text

    console = open_console(stderr=True)
    said = Text("autograder: ", style="bold red").append(visible(text), style="not bold default")
    console.print(said, soft_wrap=True)


@contextmanager
def muted(*, output: bool, errors: bool) -> Iterator[None]:
    """Keep what code of the course's prints from standard output, and from standard error, whichever way it takes.

    Args:
        output: Whether standard output is kept clean: what is printed goes to standard error.
        errors: Whether nothing at all is printed.
    """
    if not output:
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a device, not a file
        instead = nowhere if errors else sys.stderr
        try:
            os.dup2(nowhere.fileno() if errors else 2, 1)
            if errors:
                os.dup2(nowhere.fileno(), 2)
            with redirect_stdout(instead), redirect_stderr(instead):
                yield
        finally:
            for number, descriptor in enumerate(kept, start=1):
                os.dup2(descriptor, number)
                os.close(descriptor)


def say_warning(text: str) -> None:
    """Print what somebody should look at, on standard error."""
    from rich.text import Text

    console = open_console(stderr=True)
    console.print(Text("autograder: ", style="bold yellow").append(text, style="not bold default"), soft_wrap=True)


def near_path(path: Path) -> Path:
    """The path as one would type it from here."""
    path = path.resolve()
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


@contextmanager
def waiting(what: str, *, quiet: bool = False) -> Iterator[None]:
    """Say what is being done, on a terminal, until it is done."""
    console = open_console(stderr=True)
    if quiet or not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[tuple[Any, Any]]:
    """A progress bar with an ETA on standard error, as (tell it the total, go one on)."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    console = open_console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), "ETA", TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield (lambda total: bar.update(task, total=total)), (lambda: bar.advance(task))


def short(points: float | None) -> str:
    """Points as the tables have them: ``7``, ``6.67``; a dash where there are none."""
    return "—" if points is None else f"{points:.2f}".rstrip("0").rstrip(".")


def result_tree(result: Result) -> dict[str, Any]:
    """A result as a tree of JSON types, without the outputs of its cells."""
    tree: dict[str, Any] = {
        "student": result.student,
        "status": result.status,
        "why": result.why,
        "late_penalty": 0.0,
        "report": None,
    }
    if result.report is not None:
        tree["report"] = {name: value for name, value in result.report.as_dict().items() if name != "cells"}
    return tree


def with_lateness(tree: dict[str, Any], score: HeldGrade | None) -> dict[str, Any]:
    """The tree of a result, with what lateness costs by the gradebook."""
    return tree if score is None else tree | {"late_penalty": score.late_penalty}


def print_release(made: ReleaseResult, course: Course, assignment: Assignment) -> None:
    """Print what was released and what of the reference is proved."""
    say(f"{assignment.title}: released to {made.folder.relative_to(course.root)}, {assignment.max_score:g} points.")
    if made.proved:
        say(f"{len(made.proved)} gradients of the reference are proved by finite differences.")
    elif assignment.rows and assignment.has_reference:
        say(f"The reference claims no gradients: solutions/{assignment.name}/gradients.py would say what to prove.")
    if made.untagged:
        from autograder.course import SHOWS_TAG

        say(
            f"No later cell reads what these locked cells define: {', '.join(made.untagged)}. If one is there for its "
            f"output alone, such as a figure, tag it {SHOWS_TAG}: then grading does not run it."
        )


def print_collected(found: Sequence[Collected], course: Course) -> None:
    """Print what became of each hand-in of which there is something to say, and how many there are."""
    for each in found:
        if each.why:
            say(f"{one_line(each.who)}: {each.status}: {one_line(each.why)}")
    taken = sum(each.status in ("new", "newer") for each in found)
    unchanged = sum(each.status == "unchanged" for each in found)
    rest = f", {unchanged} unchanged" if unchanged else ""
    say(f"{taken} submissions in {near_path(course.root / 'submitted')}{os.sep}{rest}")


def print_feedback(written: FeedbackWritten, course: Course) -> None:
    """Print how many pages there are, and whose could not be written."""
    where = near_path(course.root / "feedback")
    anybody = written.pages or written.troubles
    say(f"{written.pages} feedback pages in {where}{os.sep}" if anybody else "Nobody has a grade yet.")
    for trouble in written.troubles:
        say_error(trouble)


def print_table(text: str) -> None:
    """Print a table as it is, for a file or another program.

    Raises:
        AutograderError: It could not be written, as on a full disk.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise AutograderError(
            f"the table could not be written: {error.strerror}. Make room, then try again."
        ) from error


def print_plan(plan: Plan, title: str, ids: str) -> None:
    """Print what would be changed in Canvas, who is left alone and why, and how many have what they should have."""
    from rich.table import Table
    from rich.text import Text

    console = open_console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 1_000
    say(f"{title!r} in Canvas, whose students are known by their {ids}:")
    if plan.changes:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("student", overflow="fold")
        table.add_column("there", justify="right", no_wrap=True)
        table.add_column("here", justify="right", no_wrap=True)
        table.add_column("why", overflow="fold")
        for each in plan.changes:
            besides = ["marked not late"] if each.not_late else []
            besides += ["with feedback"] if each.comment is not None and each.new is not None else []
            new = each.old if each.new is None else each.new
            cells = one_line(each.student), _mark(each.old), _mark(new), ", ".join([each.why, *besides])
            table.add_row(*(Text(cell) for cell in cells))
        console.print(table)
    for left in plan.left:
        say(f"{one_line(left.student)} is left alone: {one_line(left.why)}")
    if plan.set_there:
        say("--overwrite writes over what a person set in Canvas.")
    grades = sum(each.new is not None for each in plan.changes)
    comments = sum(each.comment is not None for each in plan.changes)
    counts = f"{grades} grade{'' if grades == 1 else 's'} and {comments} comment{'' if comments == 1 else 's'}"
    say(f"{counts} to send; {len(plan.unchanged)} students have there what they have here.")


def _mark(mark: Mark) -> str:
    return mark if isinstance(mark, str) else short(mark)


def print_findings(findings: Iterable[Finding]) -> bool:
    """Print what the doctor finds, as it comes; whether all is as it should be."""
    from rich.markup import escape

    console = open_console()
    well = True
    for finding in findings:
        mark = "[green]✓[/]" if finding.well else "[red]✗[/]"
        console.print(f"{mark} {escape(visible(finding.text))}", soft_wrap=True)
        well = well and finding.well
    return well


def print_lint(found: Sequence[LintFinding]) -> None:
    """Print what was found in a course's files, by file, and how much of it there is."""
    from rich.text import Text

    console = open_console()
    for file, those in itertools.groupby(found, lambda each: each.file):
        console.print(Text(visible(file), style="bold"), soft_wrap=True)
        for each in those:
            severity = Text(f"  {each.severity}: ", style="red" if each.severity == "mistake" else "yellow")
            place = f"{each.place}: " if each.place else ""
            console.print(severity.append(visible(f"{place}{each.text}"), style="default"), soft_wrap=True)
    mistakes = sum(each.severity == "mistake" for each in found)
    counts = [(mistakes, "mistake"), (len(found) - mistakes, "warning")]
    said = [f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts if count]
    say(f"{' and '.join(said)}." if said else "Nothing was found.")


def print_imported(found: Sequence[Imported]) -> None:
    """Print what was imported, what each of its test cells will do, and what somebody has to look at."""
    from rich.text import Text

    console = open_console()

    def listed(title: str, lines: Iterable[str], style: str = "") -> None:
        for number, line in enumerate(lines):
            if number == 0:
                console.print(Text(title, style=style), soft_wrap=True)
            say_indented(console, line, 2)

    for each in found:
        head = f"{each.name}: {'imported' if each.written else 'would be imported'} from {each.origin}"
        console.print(Text(visible(head), style="bold"), soft_wrap=True)
        by_hand = f", {short(sum(each.by_hand.values()))} of them graded by hand" if each.by_hand else ""
        said = [f"{len(each.files)} file{'' if len(each.files) == 1 else 's'}: {', '.join(each.files)}"]
        said.append(f"{short(each.max_score)} points{by_hand}")
        for key, value in (each.entry or {}).items():
            text = value if isinstance(value, str) else ", ".join(value)
            said.append(f"{key}: {text}{f' (from {each.due_from})' if key == 'due' else ''}")
        for line in said:
            say_indented(console, line, 2)
        listed("Test cells, where they run:", _outlooks(each))
        listed("Besides:", (f"{one.severity}: {one}" for one in each.findings), "yellow")
        listed("Look at these:", each.notes, "yellow")
        listed("Not converted, or otherwise than it was asked:", _not_converted(each), "yellow")
    if found and found[0].written:
        names = " && ".join(f"autograder release {each.name}" for each in found)
        say(f"Next: {names}; then `autograder audit` says which wrong answers the tests pass.")


def _outlooks(found: Imported) -> Iterator[str]:
    said = {"same": "as in the notebook", "may differ": "may differ", "cannot": "no verdict"}
    for each in found.tests:
        notebook = f"{each.file.rpartition('/')[2]}, " if len({one.file for one in found.tests}) > 1 else ""
        yield f"{notebook}cell {each.cell} ({each.grade_id}), {short(each.points)} points: {said[each.verdict]}"
        for finding in each.findings:
            yield f"  {finding.severity}: {f'line {finding.line}: ' if finding.line else ''}{finding.text}"


def _not_converted(found: Imported) -> Iterator[str]:
    for each in found.not_converted:
        source = f"`{each.source.strip()[:100]}`: " if each.source.strip() else ""
        yield f"{f'{each.place}: ' if each.place else ''}{source}{each.why}"


def print_results(results: list[Line], assignment: Assignment, course: Course, held: dict[str, HeldGrade]) -> None:
    """Print the table of a class, what of it was left alone, and why somebody has no grade."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    if not results:
        say(f"Nothing was submitted: there is no submitted/STUDENT/{assignment.name}/ in {course.root}.")
        return
    console = open_console()
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
    say(f"\n{len(graded)} of {len(results)} have a grade, of at most {best:g} points before answers graded by hand.")
    kept = sum(result.status == "kept" for result in results)
    if kept:
        say(f"{kept} had not changed since they were graded and were left alone (--force grades them again).")
    if excused := [one_line(result.student) for result in results if result.student in assignment.excused]:
        say(f"Excused, so that no score counts: {', '.join(excused)}")
    for result in results:
        if result.why:
            say(f"{one_line(result.student)}: {result.status}: {one_line(result.why)}")


def _table_row(line: Line, assignment: Assignment, room: int) -> tuple[str, str, str, str]:
    student = one_line(line.student)
    if line.score is None or line.status in ("refused", "failed"):
        return student, "—", line.status, ""
    lost = [row.name for place, row in enumerate(assignment.rows) if line.lost >> place & 1]
    names = "all" if 0 < len(lost) == len(assignment.rows) else _listed(lost, room)
    seconds = "" if line.status == "kept" else f"{line.seconds:.1f} s"
    return student, short(line.score), names, seconds


def _listed(names: list[str], room: int) -> str:
    """The names, or as many of them as fit on a line, and how many more there are."""
    whole = ", ".join(names)
    shown = len(names)
    while shown > 1 and len(whole) > room:
        shown -= 1
        whole = f"{', '.join(names[:shown])} and {len(names) - shown} more"
    return whole


def _lateness(grade: HeldGrade | None) -> tuple[str, str]:
    """What lateness costs and what counts in the end, the points given by hand included."""
    if grade is None:
        return "", "—"
    return f"−{short(grade.late_penalty)}" if grade.late_penalty else "", short(grade.score)


def print_report(report: Report, assignment: Assignment) -> None:
    """Print the report on one notebook: each row, what failed and the hints."""
    from rich.text import Text

    from autograder.feedback import first_to_fix, said_of_all

    console = open_console()
    points = f"at least {short(report.least)}" if report.withheld and not report.errored else short(report.score)
    console.print(Text(f"{assignment.title}: {points} of {report.max_score:g} points", style="bold"))
    if report.sandbox != "bubblewrap":
        kept = "without a sandbox" if report.sandbox == "none" else f"in the sandbox {report.sandbox!r}"
        console.print(f"Run {kept}.", style="yellow")
    if assignment.inputs == "per_student":
        nobody = "nobody in particular (--student ID takes a student's own)"
        console.print(Text(f"With the inputs of {report.student or nobody}."), soft_wrap=True)
    for note in report.notes:
        say_indented(console, f"Note: {note}", 0)
    common, first = said_of_all(report), first_to_fix(report)
    if common is not None:
        say_indented(console, f"✗ For every row: {common.reason or common.title}", 0)
    elif first is not None:
        lost = sum(row.fraction < 1 for row in report.rows if not row.withheld or _is_seen_to_fail(row))
        say_indented(console, f"Start with {first.name}; {lost} of {len(report.rows)} rows lost points.", 0)
        console.print()
    for row in report.rows if common is None else ():
        _print_row(console, row, first=row is first)
    if report.errored:
        say_error(report.trouble)


def print_threshold(result: CheckedHandIn) -> None:
    """Print whether a hand-in has the points that were asked for, where any were."""
    if result.reached is not None and result.threshold is not None:
        reached = "are reached" if result.reached else "are not reached"
        say(f"The {short(result.threshold)} points that are asked for {reached}.")


def _is_seen_to_fail(row: RowResult) -> bool:
    return any(check.outcome == "failed" and check.shown for check in row.checks)


def _print_row(console: Console, row: RowResult, *, first: bool) -> None:
    """Print a row's score and its checks that did not pass, each with its reason and what it advises."""
    from rich.text import Text

    from autograder.feedback import unseen_text
    from autograder.grading import advice

    waits = row.withheld and not _is_seen_to_fail(row)
    mark, style = ("?", "yellow") if row.errored or waits else ("✓", "green") if row.fraction == 1 else ("✗", "red")
    score = f"at least {short(row.least)}" if row.withheld and not row.errored else short(row.score)
    line = Text(f"{mark} ", style=style).append(f"{row.name}  {score} / {row.points:g}", style="default")
    if row.carried:
        line.append(f"  given a correct {', '.join(row.carried)}", style="dim")
    if first:
        line.append("  ← start here", style="bold")
    console.print(line, soft_wrap=True)
    for note in row.said:
        say_indented(console, note, 4)
    for result in row.checks:
        if not result.shown:
            continue
        if result.outcome == "errored":
            say_indented(console, f"? {result.title} This check failed for a reason of ours.", 4)
        elif result.outcome == "failed":
            say_indented(console, f"✗ {result.title}", 4)
            say_indented(console, result.reason, 6)
            if (advised := advice(row, result)) is not None:
                say_indented(console, f"{'Hint: ' if advised.is_hint else ''}{advised.text}", 6, "dim")
    if row.unseen and not row.errored:
        say_indented(console, f"… {unseen_text(row)}", 4)


def print_chapters(chapters: Sequence[Chapter]) -> None:
    """Print how a student did over the term."""
    for number, each in enumerate(chapters):
        if number:
            say("")
        print_chapter(each)


def print_chapter(chapter: Chapter) -> None:
    """Print how a student did at one assignment."""
    from rich.text import Text

    console = open_console()
    grade = chapter.grade
    points = ""
    if grade is not None and chapter.status in ("graded", "waits", "excused"):
        points = f"  {short(grade.score)} of {chapter.max_score:g}"
    line = Text(chapter.title, style="bold").append(points, style="default")
    if chapter.status != "graded":
        said = "waits for a grade by hand" if chapter.status == "waits" else chapter.status
        line.append(f"  {said}", style="yellow")
    console.print(line, soft_wrap=True)
    if grade is not None and grade.late_penalty:
        before, lost = short(grade.raw_score), short(grade.late_penalty)
        say_indented(console, f"{before} points, less {lost} for lateness.", 2)
    if chapter.lateness:
        say_indented(console, chapter.lateness, 2)
    elif chapter.due and chapter.status in ("not graded", "nothing handed in"):
        say_indented(console, f"Due {chapter.due}.", 2)
    if chapter.lost:
        rows = ", ".join(f"{each.row} {short(each.score)}/{each.points:g}" for each in chapter.lost)
        say_indented(console, f"Lost points: {rows}", 2)
    if chapter.first:
        say_indented(console, f"Begins with {chapter.first}", 2)
    if chapter.attempts:
        worth = ", ".join(f"{short(each.worth)}{'' if each.counts else ' (not counted)'}" for each in chapter.attempts)
        say_indented(console, f"Graded attempts, the oldest first: {worth}", 2)


def print_audit(found: Audit) -> None:
    """Print what an audit found."""
    from rich.table import Table
    from rich.text import Text

    from autograder.authoring import EQUIVALENT, beside_reference, diff, findings, row_counts, total

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("row", no_wrap=True)
    for name in ("mutants", "killed", "equivalent", "survived", "spilled"):
        table.add_column(name, justify="right", no_wrap=True)
    counts = row_counts(found)
    for count in (*counts, total(counts)):
        numbers = (count.made, count.killed, count.equivalent, count.survived, count.spilled)
        table.add_row(count.row, *map(str, numbers))
    console = open_console()
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
    listed = near_path(beside_reference(found.assignment, EQUIVALENT))
    for entry in found.stale:
        say(f"{listed}: no mutant of {entry.function} is like this any more: {entry.line} → {entry.becomes}")
    say(f"\n{len(found.right) - len(lost)} of {len(found.right)} right answers have full marks.")
    if not found.whole:
        say("Only a part of the mutants was tried, so this audit is not kept.")


def print_next(made: HandedIn, folder: Path) -> None:
    """Print what to look at in a demo."""
    near = near_path(folder)
    say(
        f"\nWhere to look next:\n"
        f"  {near / 'feedback'}{os.sep}…    what each student reads, such as {near / made.example_feedback}\n"
        f"  autograder export week2 --course {near}\n"
        f"  autograder check {near / made.example_submission} --course {near}\n"
        f"  autograder lab --course {near}    the formgrader, where the written answers wait to be graded by hand"
    )


def print_new_course(made: NewCourse, folder: Path) -> None:
    """Print what is in a new course, and what can be done with it at once."""
    near = near_path(folder)
    name = made.assignments[0]
    goes = "" if near == Path() else f"cd {shlex.quote(str(near))}\n  "
    if made.was_nbgraders:
        say(f"{near / 'gradebook_config.yaml'} is written, with {', '.join(made.assignments)}; all else is as it was.")
        for note in made.notes:
            say_warning(one_line(note))
        say(
            f"\nWhat to do next:\n"
            f"  {goes}put these two lines at the end of nbgrader_config.py, which let nbgrader grade in the sandbox:\n"
            f"    from autograder.nbgrader_plugins import configure\n"
            f"    configure(c, __file__)\n"
            f"  autograder lint              look for mistakes, and for tests that would give another verdict\n"
            f"  autograder release {name}   make what students get\n"
            f"  autograder audit {name}     try the tests on wrong answers"
        )
        return
    say(f"A course is in {near}{os.sep}, with an assignment to look at, {name}:")
    for path in made.written:
        say(f"  {path}")
    if made.class_of:
        say(f"  submitted{os.sep}    what {made.class_of} made-up students handed in")
    say(
        f"\nWhat to do next:\n"
        f"  {goes}autograder lint              look for mistakes\n"
        f"  autograder release {name}   make what students get\n"
        f"  autograder audit {name}     try the tests on wrong answers\n"
        f"  autograder grade {name}     grade what lies in submitted{os.sep}\n"
        f"  autograder new NAME          begin an assignment of your own"
    )


def print_new_assignment(made: NewAssignment, root: Path) -> None:
    """Print where an assignment was begun, and what is to be written into it."""
    found = made.imported
    (notebook,) = found.files
    say(f"{near_path(root / 'source' / found.name / notebook)}: write the solutions, the tests and what students read.")
    if made.reference is not None:
        say(f"{near_path(made.reference)}: write the reference, apart from the master's solutions.")
    say(f"gradebook_config.yaml: {found.name} has been added; give it a due date where it should have one.")
    say(f"Then `autograder lint {found.name}` and `autograder release {found.name}` say what is missing.")


def print_packed(packed: Packed, where: Path) -> None:
    """Print where the zip file for Gradescope is, and what is to be set there."""
    say(f"{where}: {len(packed.files)} files, with the answers in them. On Gradescope, as a programming assignment:")
    console = open_console()
    from_where = "" if packed.wheel else " (autograder is installed from PyPI; --wheel FILE packs it)"
    lines = [
        "base image: Ubuntu 24.04, or another with Python 3.11 or newer" + from_where,
        f"autograder points: {short(packed.points)}; timeout: {packed.minutes} minutes",
    ]
    if packed.manual:
        told = ", ".join(f"{name} ({short(points)})" for name, points in packed.manual.items())
        lines.append(f"manual grading on, with a question for each of: {told}")
    lines.append("lateness is Gradescope's to set: nothing is taken off for it here")
    for line in lines:
        say_indented(console, f"- {line}", 2)
