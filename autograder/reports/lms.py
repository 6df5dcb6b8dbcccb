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
from typing import Any

from autograder.base import AutograderError, did_you_mean, write_output
from autograder.course import Assignment
from autograder.gradebook import HeldGrade
from autograder.reports.lms_table import SYSTEMS, Scores, Table, is_known_word, is_of_points, read_table
from autograder.reports.score_table import inert
from autograder.reports.who import likeliest, naming
from autograder.submission import Person, one_form, plain_name


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
    read = read_table(table, [each for each in SYSTEMS if each == system])
    column_at = _column_of(read, assignment, column)
    known = {grade.student: grade for grade in grades}
    key = _key_of(read, known, match)
    _same_points(read, column_at, assignment)
    at = column_at.place
    matched: set[str] = set()
    unmatched: list[str] = []
    waiting: list[str] = []
    excused: list[str] = []
    comma = system == "moodle" and any("," in said for _, said in read.points_said())
    named = naming({*known, *assignment.excused})
    for line, row in read.people:
        student = named(row[key])
        grade = known.get(student)
        if student in assignment.excused:
            excused.append(student)
            if system == "canvas":
                row[at] = "EX"
        elif grade is None:
            unmatched.append(
                f"line {line}: {inert(student or ' '.join(row[place] for place in read.kept[:2]).strip())}"
            )
        elif read.locked(row):
            raise AutograderError(
                f"{table}, line {line}: the grade of {student} cannot be changed there; unlock it first"
            )
        elif grade.needs_manual_grade:
            waiting.append(student)
        else:
            row[at] = _score(grade, assignment, table, line, comma=comma)
            matched.add(student)
    unknown = tuple(sorted(known.keys() - {named(row[key]) for _, row in read.people}))
    kept = sorted({*read.kept, at})
    lines = [
        [_safe(read, row[index], index, at == index, number) for index in kept]
        for number, row in enumerate(read.rows, start=1)
        if any(row)
    ]
    out = io.StringIO()
    csv.writer(out, delimiter=read.separator, lineterminator=read.newline).writerows(lines)
    return Filled(
        out.getvalue().encode(read.encoding),
        read.header[at],
        len(matched),
        unknown,
        tuple(unmatched),
        tuple(sorted(waiting)),
        tuple(sorted(excused)),
    )


def people_of(table: Path, known: Collection[str], match: str = "") -> list[Person]:
    """The students as a system's own table has them: by the course's ids, with its numbers and names.

    Args:
        table: What Canvas's gradebook, Moodle's grading worksheet or Blackboard's Grade Center exports.
        known: The course's students; where nobody is known yet, the likeliest column of ids is taken.
        match: The column that holds the course's ids; found out where empty.

    Raises:
        AutograderError: It is no such table, or a student is in it twice.
    """
    read = read_table(table)
    key = _key_of(read, dict.fromkeys(known), match)
    found = []
    named = naming(known)
    for _, row in read.people:
        student, number = named(row[key]), row[read.number].strip()
        if not student:
            continue
        names = {" ".join(row[place] for place in places) for places in read.names}
        if read.system == "canvas":
            names |= {" ".join(reversed(name.split(",", 1))) for name in names}
        elif read.system == "moodle":
            word, number = re.fullmatch(r"(.*?)(\d*)", number, re.DOTALL).groups()  # type: ignore[union-attr]
            # Where it is graded blind, the word stands for the name in the names of files.
            names |= {word}
        else:
            number = one_form(number)
        plain = {plain_name(name) for name in names}
        found.append(Person(student, frozenset({number} - {""}), frozenset(plain - {""}), read.system))
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


def _column_of(table: Table, assignment: Assignment, column: str) -> Scores:
    header, named = table.header, table.scores
    if column:
        wanted = [each for each in named if column in (header[each.place], each.number, each.title) and column]
    elif len(named) == 1 and not named[0].number:
        wanted = list(named)
    else:
        titles = {one_form(assignment.title), one_form(assignment.name)}
        wanted = [each for each in named if " ".join(one_form(each.title).split()) in titles]
    if len(wanted) == 1:
        return wanted[0]
    those = ", ".join(repr(header[each.place]) for each in wanted or named) or "none"
    what = "more than one column is" if wanted else "no column is"
    raise AutograderError(
        f"{table.path}, line 1: {what} {column or assignment.title!r}; name one with --column. There are: {those}"
    )


def _key_of(table: Table, known: Mapping[str, Any], match: str) -> int:
    """The column whose entries are the students' ids: the one asked for, or the one with the most known students."""
    path, header = table.path, table.header
    if match and match not in header:
        raise AutograderError(
            f"{path}, line 1: there is no column {match!r}; {did_you_mean(match, header)}".rstrip("; ")
        )
    places = [header.index(match)] if match else list(table.keys)
    named = naming(known)
    key, found = likeliest({place: [row[place] for _, row in table.people] for place in places}, known)
    if key is None or (table.people and known and not found):
        names = " or ".join(header[place] for place in places)
        raise AutograderError(
            f"{path}: no student of the gradebook is in {names or 'any column'}. Is it the table of "
            "another course? Otherwise name the column that holds their ids with --match"
        )
    words = ("ID number", "Username", "Email address")
    if table.system == "moodle" and not known and not match and not any(is_known_word(header[key], w) for w in words):
        names = ", ".join(header[place] for place in places)
        raise AutograderError(f"{path}: which column holds the students' ids? Name one with --match: {names}")
    seen: dict[str, int] = {}
    for line, row in table.people:
        student = named(row[key])
        if student and student in seen:
            raise AutograderError(f"{path}, lines {seen[student]} and {line}: {student} is there twice")
        seen[student] = line
    return key


def _same_points(table: Table, column: Scores, assignment: Assignment) -> None:
    """Refuse a column that is of another number of points than the assignment."""
    said = table.points_said()
    if table.system == "canvas":
        lines = enumerate(table.rows, 1)
        said = [(line, row[column.place]) for line, row in lines if is_of_points(row, table.header)]
    elif column.points:
        said = [(1, column.points)]
    for line, text in said:
        try:
            points = float(text.replace(",", "."))
        except ValueError:
            continue
        if abs(points - assignment.max_score) > 1e-6:
            raise AutograderError(
                f"{table.path}, line {line}: {table.header[column.place]} has {points:g} points there, and "
                f"{assignment.max_score:g} here. Change one of them; scores are not rescaled"
            )


def _score(grade: HeldGrade, assignment: Assignment, table: Path, line: int, *, comma: bool) -> str:
    if not 0 <= grade.score <= assignment.max_score:
        raise AutograderError(
            f"{table}, line {line}: {grade.student} has {grade.score:g} points, out of the range of 0 to "
            f"{assignment.max_score:g}. Mend it in the formgrader first"
        )
    text = f"{round(grade.score, 4):g}"
    return text.replace(".", ",") if comma else text


def _safe(table: Table, cell: str, place: int, filled: bool, line: int) -> str:
    """A cell that no spreadsheet takes for a formula."""
    number = re.fullmatch(r"\s*-?[\d.,]+\s*", cell)
    if filled or number or cell.strip() == "-" or cell.startswith("'") or not inert(cell).startswith("'"):
        return cell
    # Students write their own addresses and user names in Moodle, which knows them by the identifier alone.
    sought = (table.number,) if table.system == "moodle" else (*table.keys, table.number)
    if line > 1 and place in sought and (line, table.rows[line - 1]) in table.people:
        name = table.header[place]
        raise AutograderError(f"{table.path}, line {line}: {cell!r} in {name} would be a formula in a spreadsheet")
    # A system knows its people by their ids; a name may be written in another way.
    return inert(cell)
