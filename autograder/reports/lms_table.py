"""The tables that Canvas, Moodle and Blackboard export, read: which column is which, and which lines are students'.

The forms are those of the systems' own sources: Canvas's ``lib/gradebook_exporter.rb`` and ``gradebook_importer.rb``,
whose columns are always in English; Moodle's ``mod/assign/gradingtable.php``, whose columns are in the language of
whoever exports, in one order; Blackboard's *Work offline*, whose columns of scores end in their number.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autograder.base import AutograderError, did_you_mean

System = Literal["canvas", "moodle", "blackboard"]
SYSTEMS: tuple[System, ...] = ("canvas", "moodle", "blackboard")

MAX_BYTES = 50_000_000

_EXPECTED: dict[System, str] = {
    "canvas": "Student (or LastName and FirstName), ID, Section, and the assignments as 'Title (number)'",
    "moodle": "Identifier, Full name, Grade, Maximum grade, 'Grade can be changed', in the language of the export",
    "blackboard": "Last Name, First Name, Username, and a column such as 'Week 2 [Total Pts: 100 Score] |1234'",
}
_SEPARATORS = ",;\t|:"

_CANVAS_KEYS = ("SIS User ID", "SIS Login ID", "Integration ID", "ID")
_CANVAS_PEOPLE = ("Student", "LastName", "FirstName", "Root Account", "Section")
_CANVAS_SCORES = re.compile(r"(?P<title>.*) \((?P<id>\d+)\)", re.DOTALL)
_CANVAS_ASIDE = re.compile(r"\s*(?:Muted|Manual Posting.*)?\s*", re.IGNORECASE | re.DOTALL)
_BLACKBOARD_SCORES = re.compile(
    r"(?P<title>.*) \[[^\]\d]*(?P<points>\d[\d.,]*)[^\]]*\] ?\|(?P<id>\d+)|(?P<other>.*) \[[^\]]*\] ?\|(?P<number>\d+)",
    re.DOTALL,
)

# What Moodle calls its columns in the languages of most sites; others are known by their place and what they hold.
_MOODLE_WORDS: dict[str, str] = {
    "ID number": "ID number|ID-Nummer|Número de ID|Número ID|Numéro d'identification|Numero ID|Codice identificativo|"
    "ID-nummer|Número de identificação|Numer ID|Индивидуальный номер|ID-numero|Azonosító szám|学号|学籍番号|IDナンバー",
    "Username": "Username|Anmeldename|Nombre de usuario|Nom d'utilisateur|Gebruikersnaam|Identificação de usuário|"
    "Nome de utilizador|Nazwa użytkownika|Логин|Brugernavn|Brukernavn|Användarnamn|用户名|ユーザ名",
    "Email address": "Email address|E-Mail-Adresse|Dirección de correo|Dirección Email|Adresse de courriel|"
    "Indirizzo email|E-mailadres|Endereço de email|Adres e-mail|Адрес электронной почты|电子邮件地址|メールアドレス",
    "Full name": "Full name|Vollständiger Name|Nombre completo|Nom complet|Nome completo|Cognome Nome|"
    "Volledige naam|Nome / Sobrenome|Pełna nazwa|Imię i nazwisko|Полное имя|Fulde navn|Fullständigt namn|全名|"
    "フルネーム",
}
_LOCKED = frozenset(
    {
        "no", "nein", "non", "nee", "não", "nao", "nej", "nei", "ei", "nie", "ne",
        "нет", "ні", "не", "όχι", "hayır", "nem", "nu", "nē", "いいえ", "否", "不",
        "아니오", "아니요", "لا", "לא",
    }
)  # fmt: skip
"""What Moodle says of a grade that cannot be changed."""


@dataclass(frozen=True)
class Scores:
    """A column of scores.

    Attributes:
        place: Which column it is, from 0.
        title: The assignment's title there; empty where the table is of one assignment.
        points: Its points where the header says them.
        number: The system's number of it; may be empty.
    """

    place: int
    title: str = ""
    points: str = ""
    number: str = ""


@dataclass(frozen=True)
class Table:
    """A system's table.

    Attributes:
        path: The file, for messages.
        system: Whose it is.
        encoding: How it is encoded, with the mark at its start.
        separator: What parts its columns.
        newline: How its lines end.
        rows: All of its lines, each as long as the first.
        header: The columns' names, without spaces around.
        people: The lines of students, by their numbers from 1.
        keys: Columns that may hold the ids of the course's students, the likeliest first.
        kept: Columns that say who it is; an import needs no others beside the one of scores.
        scores: Columns of scores.
        number: The column of the system's own numbers or accounts, as they stand in the names of files.
        names: Columns that give the name, in the order in which they are said; each inside is put together.
        maximum: The column that says the points of each line, where there is one.
        changeable: The column that says whether a grade can be changed, where there is one.
    """

    path: Path
    system: System
    encoding: str
    separator: str
    newline: str
    rows: list[list[str]]
    header: list[str]
    people: list[tuple[int, list[str]]]
    keys: tuple[int, ...]
    kept: tuple[int, ...]
    scores: tuple[Scores, ...]
    number: int
    names: tuple[tuple[int, ...], ...]
    maximum: int | None = None
    changeable: int | None = None

    def locked(self, row: Sequence[str]) -> bool:
        """Whether a line says that its grade cannot be changed."""
        return self.changeable is not None and row[self.changeable].strip().casefold() in _LOCKED

    def points_said(self) -> list[tuple[int, str]]:
        """Lines that say how many points there are, of systems that have lines for it."""
        if self.maximum is not None:
            return [(line, row[self.maximum]) for line, row in self.people]
        return []


def read_table(path: Path, systems: Collection[System] = SYSTEMS) -> Table:
    """A system's table.

    Args:
        path: The file as it was exported.
        systems: Whose it may be.

    Raises:
        AutograderError: It cannot be read, or is none of theirs: what was found and what was expected is said.
    """
    text, encoding = _text(path)
    headers: list[list[str]] = []
    for separator in sorted(_SEPARATORS, key=lambda each: -text.partition("\n")[0].count(each)):
        try:
            rows = list(csv.reader(io.StringIO(text), delimiter=separator))
        except csv.Error:
            continue
        header = [" ".join(name.split()) for name in rows[0]] if rows else []
        headers.append(header)
        for row in rows:
            row.extend([""] * (len(header) - len(row)))
        for system in systems:
            if (columns := _COLUMNS[system](rows, header)) is not None:
                return Table(
                    path, system, encoding, separator, "\r\n" if "\r\n" in text else "\n", rows, header, *columns
                )
    header = max(headers, key=len, default=[])
    whose = " or ".join(f"{system.title()}'s" for system in systems)
    missing = _missing(header, systems)
    expected = "; ".join(_EXPECTED[system] for system in systems)
    raise AutograderError(
        f"{path}, line 1: this is no table of {whose}: {missing}found {', '.join(header[:8]) or 'nothing'}; expected "
        f"{expected}. Export it anew, and leave its first line as it is"
    )


def is_known_word(word: str, name: str) -> bool:
    """Whether a column's name is what Moodle calls this one in any language that is known here."""
    return word.casefold() in {each.casefold() for each in _MOODLE_WORDS[name].split("|")}


_Columns = tuple[
    list[tuple[int, list[str]]],
    tuple[int, ...],
    tuple[int, ...],
    tuple[Scores, ...],
    int,
    tuple[tuple[int, ...], ...],
    int | None,
    int | None,
]


def _canvas(rows: list[list[str]], header: list[str]) -> _Columns | None:
    one, split = "Student" in header, {"LastName", "FirstName"} <= set(header)
    if not (one or split) or "ID" not in header or "Section" not in header:
        return None
    at = header.index
    people = []
    for line, row in enumerate(rows[1:], start=2):
        said = [cell for cell in row if cell.strip()]
        name = (row[at("Student")],) if one else (row[at("LastName")], row[at("FirstName")])
        test = ", ".join(part.strip() for part in name) == "Student, Test"
        if test or is_of_points(row, header) or all(_CANVAS_ASIDE.fullmatch(cell) for cell in said):
            continue
        people.append((line, row))
    keys = tuple(at(name) for name in _CANVAS_KEYS if name in header)
    kept = tuple(place for place, name in enumerate(header) if name in (*_CANVAS_KEYS, *_CANVAS_PEOPLE))
    scores = tuple(
        Scores(place, found["title"], number=found["id"])
        for place, name in enumerate(header)
        if place not in kept and (found := _CANVAS_SCORES.fullmatch(name))
    )
    names = ((at("Student"),),) if one else ((at("LastName"), at("FirstName")), (at("FirstName"), at("LastName")))
    return people, keys, kept, scores, at("ID"), names, None, None


def _blackboard(rows: list[list[str]], header: list[str]) -> _Columns | None:
    found = {place: match for place, name in enumerate(header) if (match := _BLACKBOARD_SCORES.fullmatch(name))}
    named = {"Last Name", "First Name", "Username"} <= set(header)
    if not named and (not found or min(found) < 3):
        return None
    last, first, account = (
        (header.index(name) for name in ("Last Name", "First Name", "Username")) if named else range(3)
    )
    student = header.index("Student ID") if "Student ID" in header else 3 if not named and min(found) > 3 else None
    keys = (account,) if student is None else (account, student)
    scores = tuple(
        Scores(place, match["title"] or match["other"], match["points"] or "", match["id"] or match["number"])
        for place, match in found.items()
    )
    people = [(line, row) for line, row in enumerate(rows[1:], start=2) if any(cell.strip() for cell in row)]
    # No file's name holds a person's name.
    return people, keys, tuple(sorted({last, first, *keys})), scores, account, (), None, None


def _moodle(rows: list[list[str]], header: list[str]) -> _Columns | None:
    people = [(line, row) for line, row in enumerate(rows[1:], start=2) if any(cell.strip() for cell in row)]
    number = header.index("Identifier") if "Identifier" in header else 0
    if {"Identifier", "Grade"} <= set(header) and (most := _place(header, "Maximum Grade")) is not None:
        grade, changeable = header.index("Grade"), _place(header, "Grade can be changed")
    elif (found := _moodle_by_content(people, header)) is not None:
        grade, most, changeable = found
    else:
        return None
    before = [place for place in range(grade) if place != number]
    keys = [
        place
        for name in ("ID number", "Username", "Email address")
        for place in before
        if is_known_word(header[place], name)
    ]
    full = [place for place in before if is_known_word(header[place], "Full name")]
    first, last = (
        _place(header, "First name"),
        next((place for name in ("Last name", "Surname") if (place := _place(header, name)) is not None), None),
    )
    names: list[tuple[int, ...]] = [(place,) for place in full[:1]]
    if first is not None and last is not None:
        names += [(first, last), (last, first)]
    if not names and before and before[0] not in keys and _are_names(people, before[0]):
        names = [(before[0],)]  # always the first behind the number, where names are shown at all
    others = [place for place in before if place not in keys and (place,) not in names]
    keys += others
    return (
        people,
        (*keys, number),
        tuple(range(len(header))),
        (Scores(grade),),
        number,
        tuple(names),
        most,
        changeable,
    )


def _moodle_by_content(people: list[tuple[int, list[str]]], header: list[str]) -> tuple[int, int, int | None] | None:
    """The columns of the grade, of the most that there is, and of whether it can be changed, in any language.

    The first column is a word with a number, the same word and another number in each line. Behind whoever it is come
    the grade, the maximum, which is the same everywhere, perhaps a state of marking, and a yes or no.
    """
    identifiers = [re.fullmatch(r"(.*\D)(\d+)", row[0].strip(), re.DOTALL) for _, row in people]
    if not people or not all(identifiers):
        return None
    if len({found[1] for found in identifiers if found}) > 1 or len({row[0] for _, row in people}) < len(people):
        return None
    fitting = []
    for place in range(2, len(header) - 1):
        most = {_number(row[place]) for _, row in people}
        (top,) = most if len(most) == 1 else (None,)
        if top is None or top <= 0 or not _is_word(people, place + 1):
            continue
        grades = [row[place - 1].strip() for _, row in people]
        values = [_number(grade) for grade in grades]
        if all(
            grade in ("", "-") or (value is not None and 0 <= value <= top)
            for grade, value in zip(grades, values, strict=True)
        ):
            fitting.append(place)
    if len(fitting) != 1:
        return None
    (most_at,) = fitting
    changeable = most_at + 2 if _is_word(people, most_at + 2) else most_at + 1
    return most_at - 1, most_at, changeable


def _is_word(people: list[tuple[int, list[str]]], place: int) -> bool:
    """Whether a column holds few words and no numbers, as one of yes and no does."""
    words = {row[place].strip() if place < len(row) else "" for _, row in people}
    return 0 < len(words) <= 8 and all(word and word != "-" and not re.search(r"\d", word) for word in words)


def _are_names(people: list[tuple[int, list[str]]], place: int) -> bool:
    """Whether a column may hold the names of people: each has one, most another, and none an address."""
    names = [row[place].strip() for _, row in people]
    return all(names) and not any("@" in name for name in names) and 3 * len(set(names)) >= 2 * len(names)


def _number(text: str) -> float | None:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def _place(header: list[str], name: str) -> int | None:
    """Where a column of that name is, whatever letters are large in it."""
    found = [place for place, each in enumerate(header) if each.casefold() == name.casefold()]
    return found[0] if found else None


def _missing(header: list[str], systems: Collection[System]) -> str:
    """Which column that is always there is not, of one system; nothing where there are several."""
    if len(systems) != 1:
        return ""
    (system,) = systems
    needed: dict[System, tuple[str, ...]] = {
        "canvas": ("ID", "Section") if "LastName" in header else ("Student", "ID", "Section"),
        "moodle": ("Identifier", "Grade", "Maximum Grade"),
        "blackboard": ("Last Name", "First Name", "Username"),
    }
    missing = [name for name in needed[system] if _place(header, name) is None]
    return f"there is no column {missing[0]!r}; {did_you_mean(missing[0], header)}" if missing else ""


_COLUMNS = {"canvas": _canvas, "moodle": _moodle, "blackboard": _blackboard}


def _text(table: Path) -> tuple[str, str]:
    """The text of a table and its encoding, with the mark at its start, if it has one."""
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
        return content.decode(encoding), encoding
    except UnicodeDecodeError as error:
        raise AutograderError(
            f"{table} is no text in {encoding}: {error.reason} at byte {error.start}. Export it anew, or save it "
            "as UTF-8"
        ) from error


def is_of_points(row: Sequence[str], header: Sequence[str]) -> bool:
    """Whether a line of Canvas's says how many points there are: it has no number, which who is called so has."""
    at = header.index("ID") if "ID" in header else len(row)
    return bool(row) and row[0].strip() == "Points Possible" and not "".join(row[at : at + 1]).strip()
