"""Scores into the table that a learning management system exports and takes back: Canvas, Moodle, Blackboard.

The system's own file says who is who; the assignment's column in it is filled in, and nothing else is changed but what
a spreadsheet would take for a formula. What does not fit is refused, and what is left open is listed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from autograder.base import AutograderError, did_you_mean, write_output
from autograder.course import Assignment
from autograder.gradebook import HeldGrade
from autograder.reports.score_table import inert
from autograder.submission import Person, plain_name

MAX_BYTES = 50_000_000


@dataclass(frozen=True)
class _Form:
    """How a system writes its table.

    Attributes:
        required: Columns that are always there.
        keys: Columns that may hold the ids of the course's students, the likeliest first.
        people: Columns that say who it is, kept and never compared.
        sought: Columns by which an import may look for a student; what stands there cannot be written another way.
        column: What an assignment's column is called: its ``title``, where it says so its ``points``, its ``id``.
    """

    required: tuple[str, ...]
    keys: tuple[str, ...]
    people: tuple[str, ...]
    sought: tuple[str, ...]
    column: re.Pattern[str]


_FORMS: dict[str, _Form] = {
    # community.canvaslms.com: "How do I import grades in the Gradebook?"
    "canvas": _Form(
        ("Student", "ID", "Section"),
        ("SIS User ID", "SIS Login ID", "Integration ID", "ID"),
        ("Student", "Section"),
        ("SIS User ID", "SIS Login ID", "Integration ID", "ID"),
        re.compile(r"(?P<title>.*) \((?P<id>\d+)\)", re.DOTALL),
    ),
    # docs.moodle.org: "Offline grading worksheet".
    "moodle": _Form(
        ("Identifier", "Grade", "Maximum Grade"),
        ("ID number", "Username", "Email address", "Identifier"),
        ("Full name", "First name", "Last name", "Surname", "Status"),
        ("Identifier",),
        re.compile(r"(?P<title>Grade)"),
    ),
    # help.blackboard.com: "Work offline with grade data".
    "blackboard": _Form(
        ("Last Name", "First Name", "Username"),
        ("Username", "Student ID"),
        ("Last Name", "First Name"),
        ("Username", "Student ID"),
        re.compile(r"(?P<title>.*) \[Total Pts: (?:up to )?(?P<points>[\d.,]+)[^\]]*\] \|(?P<id>\d+)", re.DOTALL),
    ),
}


@dataclass(frozen=True)
class Filled:
    """A table filled in.

    Attributes:
        content: The file to import, in the encoding of the one that was given.
        column: The column that was filled in.
        matched: How many students have a score in it.
        unknown: Students of the gradebook that the table does not have.
        unmatched: Lines of the table, each with its number, for whom the gradebook has no submission.
        waiting: Students whose score waits for a person, and is left as it was.
        excused: Students from whom no grade is wanted: ``EX`` for Canvas, elsewhere left as they were.
    """

    content: bytes
    column: str
    matched: int
    unknown: tuple[str, ...]
    unmatched: tuple[str, ...]
    waiting: tuple[str, ...]
    excused: tuple[str, ...]


def filled_in(
    system: str,
    table: Path,
    grades: Sequence[HeldGrade],
    assignment: Assignment,
    *,
    match: str = "",
    column: str = "",
) -> Filled:
    """Fill an assignment's scores into a system's own table.

    Args:
        system: Whose table it is: ``canvas``, ``moodle`` or ``blackboard``.
        table: The file as the system exported it.
        grades: What the gradebook holds of each student.
        assignment: The assignment.
        match: The column that holds the course's ids of students; found out where empty.
        column: The assignment's column, or its number; found by the assignment's title where empty.

    Returns:
        The filled table, late penalties taken off.

    Raises:
        AutograderError: The file is none of the system's, a student is in it twice, the column is missing or ambiguous,
            its points differ, or a score is out of range. The message names the line.
    """
    form = _FORMS[system]
    text, encoding, dialect = _read(table)
    rows = list(csv.reader(io.StringIO(text), delimiter=dialect))
    header = [name.strip() for name in rows[0]] if rows else []
    missing = [name for name in form.required if name not in header]
    if missing:
        raise AutograderError(
            f"{table}, line 1: this is no table of {system.title()}'s: there is no column {missing[0]!r}; "
            f"{did_you_mean(missing[0], header)}found {', '.join(header[:8]) or 'nothing'}. Export it anew, and leave "
            "its first line as it is"
        )
    at = _column_of(form, header, assignment, column, table)
    people = _people(system, rows, header)
    known = {grade.student: grade for grade in grades}
    key = _key_of(form, header, people, known, match, table)
    _same_points(system, form, rows, header, at, assignment, table)
    matched: set[str] = set()
    unmatched: list[str] = []
    waiting: list[str] = []
    excused: list[str] = []
    comma = system == "moodle" and any("," in row[header.index("Maximum Grade")] for _, row in people)
    for line, row in people:
        student = row[key].strip()
        grade = known.get(student)
        if student in assignment.excused:
            excused.append(student)
            if system == "canvas":
                row[at] = "EX"
        elif grade is None:
            unmatched.append(f"line {line}: {inert(student or row[0])}")
        elif system == "moodle" and _said(row, header, "Grade can be changed").lower() in ("no", "nein", "non"):
            raise AutograderError(
                f"{table}, line {line}: the grade of {student} cannot be changed there; unlock it first"
            )
        elif grade.needs_manual_grade:
            waiting.append(student)
        else:
            row[at] = _score(grade, assignment, table, line, comma=comma)
            matched.add(student)
    unknown = tuple(sorted(known.keys() - {row[key].strip() for _, row in people}))
    kept = list(range(len(header))) if system == "moodle" else _kept(form, header, at)
    lines = [
        [_safe(row[index], rows[0][index], form, at == index, table, number) for index in kept]
        for number, row in enumerate(rows, start=1)
        if row
    ]
    out = io.StringIO()
    csv.writer(out, delimiter=dialect, lineterminator="\r\n" if "\r\n" in text else "\n").writerows(lines)
    return Filled(
        out.getvalue().encode(encoding),
        header[at],
        len(matched),
        unknown,
        tuple(unmatched),
        tuple(sorted(waiting)),
        tuple(sorted(excused)),
    )


def people_of(table: Path, known: Collection[str], match: str = "") -> list[Person]:
    """The students as a system's own table has them: by the course's ids, with its numbers and names.

    Args:
        table: What Canvas's gradebook or Moodle's grading worksheet exports.
        known: The course's students; where nobody is known yet, the likeliest column of ids is taken.
        match: The column that holds the course's ids; found out where empty.

    Raises:
        AutograderError: It is no such table, or a student is in it twice.
    """
    text, _, dialect = _read(table)
    rows = list(csv.reader(io.StringIO(text), delimiter=dialect))
    header = [name.strip() for name in rows[0]] if rows else []
    systems: tuple[Literal["canvas", "moodle"], ...] = ("canvas", "moodle")
    system = next((name for name in systems if set(_FORMS[name].required[:2]) <= set(header)), None)
    if system is None:
        raise AutograderError(
            f"{table}, line 1: this is no table of Canvas's or Moodle's; found {', '.join(header[:8]) or 'nothing'}"
        )
    people = _people(system, rows, header)
    key = _key_of(_FORMS[system], header, people, dict.fromkeys(known), match, table)
    found = []
    for _, row in people:
        student = row[key].strip()
        if not student:
            continue
        if system == "canvas":
            last, _, first = _said(row, header, "Student").partition(",")
            numbers, names = {_said(row, header, "ID")}, {f"{last} {first}", f"{first} {last}"}
        else:
            numbers = {re.sub(r"\D", "", _said(row, header, "Identifier"))}
            names = {_said(row, header, "Full name")} | {
                f"{_said(row, header, 'First name')} {_said(row, header, name)}" for name in ("Last name", "Surname")
            }
        plain = {plain_name(name) for name in names}
        found.append(Person(student, frozenset(numbers - {""}), frozenset(plain - {""}), system))
    return found


def fill_in_file(
    system: str,
    table: Path,
    grades: Sequence[HeldGrade],
    assignment: Assignment,
    output: Path,
    *,
    match: str = "",
    column: str = "",
) -> list[str]:
    """As ``filled_in``, written into ``output``.

    Returns:
        What came of it, in words for the instructor.

    Raises:
        AutograderError: The table cannot be filled in, or the file could not be written.
    """
    filled = filled_in(system, table, grades, assignment, match=match, column=column)
    write_output(output, filled.content)
    return what_came_of(filled, str(output))


def what_came_of(filled: Filled, output: str) -> list[str]:
    """In words for the instructor: how many scores are in the file, and who has none and why."""
    lists = {
        "wait for a person and were left as they were": filled.waiting,
        "are excused": filled.excused,
        "are in the gradebook and not in the table": filled.unknown,
        "are in the table and have submitted nothing": filled.unmatched,
    }
    return [
        f"{filled.matched} scores in the column {filled.column!r} of {output}.",
        *(f"{len(names)} {what}: {', '.join(names)}" for what, names in lists.items() if names),
    ]


def _read(table: Path) -> tuple[str, str, str]:
    """The text of a table, its encoding (with the mark at its start, if it has one), and what parts its columns."""
    try:
        with table.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise AutograderError(f"{table} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise AutograderError(f"{table} has more than {MAX_BYTES // 10**6} MB, which no table of scores has")
    encoding = "utf-8"
    for mark, name in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            encoding = name
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise AutograderError(f"{table} is no text in {encoding}: {error.reason} at byte {error.start}") from error
    first = text.partition("\n")[0]
    return text, encoding, max(",;\t", key=first.count)


def _column_of(form: _Form, header: list[str], assignment: Assignment, column: str, table: Path) -> int:
    named = {index: found for index, name in enumerate(header) if (found := form.column.fullmatch(name))}
    if column:
        wanted = [index for index, found in named.items() if column in (header[index], found.groupdict().get("id"))]
    elif len(named) == 1 and "id" not in form.column.groupindex:
        wanted = list(named)
    else:
        titles = {assignment.title.casefold(), assignment.name.casefold()}
        wanted = [index for index, found in named.items() if found["title"].strip().casefold() in titles]
    if len(wanted) == 1:
        return wanted[0]
    those = ", ".join(repr(header[index]) for index in wanted or named) or "none"
    what = "more than one column is" if wanted else "no column is"
    raise AutograderError(
        f"{table}, line 1: {what} {column or assignment.title!r}; name one with --column. There are: {those}"
    )


def _people(system: str, rows: list[list[str]], header: list[str]) -> list[tuple[int, list[str]]]:
    """The lines of students, with their numbers; each is as long as the header."""
    people = []
    for number, row in enumerate(rows[1:], start=2):
        row.extend([""] * (len(header) - len(row)))
        first = row[0].strip()
        if not any(cell.strip() for cell in row):
            continue
        if system == "canvas" and (first in ("", "Student, Test") or _is_of_points(row, header)):
            continue
        people.append((number, row))
    return people


def _is_of_points(row: list[str], header: list[str]) -> bool:
    """Whether a line of Canvas's says how many points there are: it has no number, which who is called so has."""
    return bool(row) and row[0].strip() == "Points Possible" and not _said(row, header, "ID")


def _key_of(
    form: _Form,
    header: list[str],
    people: list[tuple[int, list[str]]],
    known: Mapping[str, Any],
    match: str,
    table: Path,
) -> int:
    """The column whose entries are the students' ids: the one asked for, or the one with the most known students."""
    names = [match] if match else [name for name in form.keys if name in header]
    if match and match not in header:
        raise AutograderError(
            f"{table}, line 1: there is no column {match!r}; {did_you_mean(match, header)}".rstrip("; ")
        )
    counts = {name: sum(row[header.index(name)].strip() in known for _, row in people) for name in names}
    best = max(counts, key=lambda name: counts[name], default="")
    if not best or (people and known and not counts[best]):
        raise AutograderError(
            f"{table}: no student of the gradebook is in {' or '.join(names) or 'any column'}. Is it the table of "
            "another course? Otherwise name the column that holds their ids with --match"
        )
    key = header.index(best)
    seen: dict[str, int] = {}
    for line, row in people:
        student = row[key].strip()
        if student and student in seen:
            raise AutograderError(f"{table}, lines {seen[student]} and {line}: {student} is there twice")
        seen[student] = line
    return key


def _same_points(
    system: str,
    form: _Form,
    rows: list[list[str]],
    header: list[str],
    at: int,
    assignment: Assignment,
    table: Path,
) -> None:
    """Refuse a column that is of another number of points than the assignment."""
    said: list[tuple[int, str]] = []
    if system == "canvas":
        said = [(line, row[at]) for line, row in enumerate(rows, 1) if len(row) > at and _is_of_points(row, header)]
    elif system == "moodle":
        place = header.index("Maximum Grade")
        said = [(line, row[place]) for line, row in enumerate(rows[1:], 2) if len(row) > place]
    elif found := form.column.fullmatch(header[at]):
        said = [(1, found["points"])]
    for line, text in said:
        try:
            points = float(text.replace(",", "."))
        except ValueError:
            continue
        if abs(points - assignment.max_score) > 1e-6:
            raise AutograderError(
                f"{table}, line {line}: {header[at]} has {points:g} points there, and {assignment.max_score:g} here. "
                "Change one of them; scores are not rescaled"
            )


def _score(grade: HeldGrade, assignment: Assignment, table: Path, line: int, *, comma: bool) -> str:
    if not 0 <= grade.score <= assignment.max_score:
        raise AutograderError(
            f"{table}, line {line}: {grade.student} has {grade.score:g} points, out of the range of 0 to "
            f"{assignment.max_score:g}. Mend it in the formgrader first"
        )
    text = f"{round(grade.score, 4):g}"
    return text.replace(".", ",") if comma else text


def _said(row: list[str], header: list[str], name: str) -> str:
    return row[header.index(name)].strip() if name in header else ""


def _kept(form: _Form, header: list[str], at: int) -> list[int]:
    """Who it is, and the one column: an import changes nothing else."""
    wanted = {*form.required, *form.keys, *form.people}
    return [index for index, name in enumerate(header) if name in wanted or index == at]


def _safe(cell: str, name: str, form: _Form, filled: bool, table: Path, line: int) -> str:
    """A cell that no spreadsheet takes for a formula."""
    number = re.fullmatch(r"\s*-?[\d.,]+\s*", cell)
    if filled or number or cell.startswith("'") or not inert(cell).startswith("'"):
        return cell
    if name.strip() in form.sought and line > 1:
        raise AutograderError(f"{table}, line {line}: {cell!r} in {name.strip()} would be a formula in a spreadsheet")
    # A system knows its people by their ids; a name may be written in another way.
    return inert(cell)
