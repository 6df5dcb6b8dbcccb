"""What students handed in elsewhere → ``submitted/``: the zip file of an LMS, what it unpacks to, or a folder.

What is taken is written under the assignment's names. What could not be matched is listed, as is everything that two
people claim to have handed in for one student, and nothing is overwritten but by something newer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from autograder.base import AutograderError, RefusedError, did_you_mean, printable
from autograder.course import Assignment, Course, is_credible
from autograder.submission.choosing import find_notebook
from autograder.submission.file_names import is_notebook, is_script, one_form, plain_stem
from autograder.submission.folders import id_problem, read_regular, submissions
from autograder.submission.members import Member, members_in_folder, members_in_zip
from autograder.submission.placing import place
from autograder.submission.uploads import System, Upload, explained_by, uploads_of


@dataclass(frozen=True)
class Person:
    """A student as an LMS knows them.

    Attributes:
        student: The id in the course.
        numbers: What the LMS calls them in file names: Canvas's ID, Moodle's participant, Blackboard's name of the
            account.
        names: How the LMS writes the name, with nothing but lower-case letters and digits; none where it is in no
            file's name.
        system: The LMS whose table says so: its numbers are no other's.
    """

    student: str
    numbers: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    system: System = field(default="", compare=False)


@dataclass(frozen=True)
class Collected:
    """What became of one hand-in.

    Attributes:
        who: The student's id, or what the source calls somebody who is not known.
        status: ``new``, ``newer`` (it took the place of an older one), ``unchanged``, ``kept`` (what is there was not
            replaced), or ``not taken``.
        why: Why it was not taken or what is odd about it; usually empty.
    """

    who: str
    status: Literal["new", "newer", "unchanged", "kept", "not taken"]
    why: str = ""


def collect(
    course: Course,
    assignment: Assignment,
    source: Path,
    *,
    known: Collection[str],
    people: Sequence[Person] = (),
    when: datetime | None = None,
) -> list[Collected]:
    """Bring what was handed in to ``submitted/STUDENT/ASSIGNMENT/``.

    Args:
        course: The course.
        assignment: The assignment.
        source: A zip file of Canvas's, Moodle's or Blackboard's, a folder that one was unpacked to, or a folder of
            ``STUDENT.ipynb``.
        known: The course's students; anybody's id is taken where nobody is known yet.
        people: How the LMS calls the students, from its own table.
        when: When it was handed in, aware; where None, no time is written, and it counts as in time.

    Returns:
        What became of each, by id.

    Raises:
        AutograderError: The source is neither, or is damaged, or too large.
    """
    refused: list[tuple[str, str]] = []
    results: list[Collected] = []
    with ExitStack() as opened:
        found = _uploads(source, opened, assignment, known, people, refused)
        for student, upload in _uncontested(found, course, known, people, refused):
            try:
                files = {name: read() for name, read in upload.files.items()}
                result = _put(course, assignment, student, files, upload.late, when)
                results.append(replace(result, why="; ".join(filter(None, (result.why, upload.note)))))
            except RefusedError as error:
                refused.append((printable(student), str(error)))
            except OSError as error:
                refused.append((printable(student), f"it could not be written: {error.strerror or error}"))
    results += [Collected(who, "not taken", why) for who, why in refused]
    return sorted(results, key=lambda result: (result.status == "not taken", result.who, result.why))


def _uncontested(
    uploads: Iterable[Upload],
    course: Course,
    known: Collection[str],
    people: Sequence[Person],
    refused: list[tuple[str, str]],
) -> list[tuple[str, Upload]]:
    """The upload of each student for whom one person alone handed in; of the others, none.

    A place in ``submitted/`` belongs to one student: ids that some file system takes for the same are two claims on it,
    unless both are the course's own.
    """
    claims: dict[str, list[tuple[str, Upload]]] = {}
    for upload in _of_one_name(uploads, refused):
        if (student := _student(upload, known, people, refused)) is not None:
            claims.setdefault(one_form(student), []).append((student, upload))
    submitted = course.root / "submitted"
    there = {path.name for path in submitted.iterdir()} if submitted.is_dir() else set()
    others: dict[str, set[str]] = {}
    for name in (*there, *known):
        others.setdefault(one_form(name), set()).add(name)
    taken = []
    for folder, claimed in claims.items():
        for student in dict.fromkeys(student for student, _ in claimed):
            theirs = [upload for its, upload in claimed if its == student]
            if exact := [upload for upload in theirs if upload.who == student]:
                # A file that is called by the id itself is not held up by one of nearly its name.
                also = f"{printable(student)}.ipynb is there as well"
                refused.extend((_called(upload), also) for upload in theirs if upload not in exact)
                theirs = exact
            rivals = {its for its, _ in claimed} | others.get(folder, set())
            if why := _contested(student, theirs, rivals, known):
                refused.extend(dict.fromkeys((_called(upload), why) for upload in theirs))
            else:
                taken.append((student, theirs[0]))
    return taken


def _of_one_name(uploads: Iterable[Upload], refused: list[tuple[str, str]]) -> Iterator[Upload]:
    """The uploads without those whose number is there with another name as well: a system gives each number once."""
    by_number: dict[str, list[Upload]] = {}
    for upload in uploads:
        by_number.setdefault(upload.number or upload.who, []).append(upload)
    for number, theirs in by_number.items():
        if len(theirs) > 1:
            called = ", ".join(sorted({_called(upload) for upload in theirs}))
            why = f"{len(theirs)} people have the number {printable(number)}: {called}. A person has to say whose it is"
            refused.extend((_called(upload), why) for upload in theirs)
        else:
            yield theirs[0]


def _contested(student: str, theirs: Sequence[Upload], rivals: Collection[str], known: Collection[str]) -> str:
    """Why it cannot be said that these are one student's uploads; empty where it can."""
    who = {upload.who for upload in theirs}
    if len(who) > 1:
        called = ", ".join(sorted({_called(upload) for upload in theirs}))
        return f"{len(who)} people would hand in for {printable(student)}: {called}. A person has to say whose it is"
    return too_alike(student, rivals, known)


def too_alike(student: str, rivals: Collection[str], known: Collection[str]) -> str:
    """Why an id cannot be told from others of the same place; empty where it can, or where all are the course's own."""
    alike = sorted(rival for rival in rivals if rival != student)
    if alike and not {student, *alike} <= set(known):
        names = ", ".join(printable(rival) for rival in alike)
        return f"its id differs from {names} in nothing but how the letters are written. Give it the right id"
    return ""


def _called(upload: Upload) -> str:
    return printable(
        f"{upload.name} ({upload.number})" if upload.name and upload.number else upload.number or upload.who
    )


def _uploads(
    source: Path,
    opened: ExitStack,
    assignment: Assignment,
    known: Collection[str],
    people: Sequence[Person],
    refused: list[tuple[str, str]],
) -> Iterator[Upload]:
    """What was handed in, by person, from whatever the source is."""
    systems = {person.system for person in people}
    roster = systems.pop() if len(systems) == 1 else ""
    accounts = {number for person in people for number in person.numbers} or {*known}
    if source.is_file():
        if not (members := members_in_zip(source, opened, assignment)):
            raise AutograderError(f"{source}: there is nothing in it that anybody handed in. Download it again")
        return uploads_of(source, members, assignment, roster, accounts, refused)
    if not source.is_dir():
        raise AutograderError(f"{source}: expected a zip file, a folder of STUDENT.ipynb, or nbgrader's exchange")
    members = members_in_folder(source, assignment)
    names = [each.name for each in members if is_notebook(each.name)]
    if names and any(len(those) == len(names) for those in explained_by(names).values()):
        return uploads_of(source, members, assignment, roster, accounts, refused)
    return _by_id(source, members, assignment, refused)


def _by_id(
    source: Path, members: Sequence[Member], assignment: Assignment, refused: list[tuple[str, str]]
) -> Iterator[Upload]:
    """What a folder of ``STUDENT.ipynb`` holds."""
    if assignment.parts:
        yield from _by_id_and_name(source, members, assignment, refused)
        return
    notebooks = [
        each
        for each in members
        if "/" not in each.name and (is_notebook(each.name) or (assignment.script and is_script(each.name)))
    ]
    if not notebooks:
        raise AutograderError(f"{source}: there is no STUDENT.ipynb in it, and no inbound folder of an exchange")
    by_kind: dict[str, dict[str, Upload]] = {".ipynb": {}, ".py": {}}
    uploads: list[Upload] = []
    for each in members:
        if each not in notebooks:
            refused.append((printable(each.name), "expected a notebook called STUDENT.ipynb, in no other folder"))
        elif each.why:
            refused.append((printable(each.name), each.why))
        else:
            ending = ".py" if is_script(each.name) else ".ipynb"
            stem = re.sub(rf"{re.escape(ending)}.*$", "", each.name, flags=re.IGNORECASE)
            other = by_kind[".ipynb" if ending == ".py" else ".py"].get(stem)
            if other is not None and f"{assignment.notebook}{ending}" not in other.files:
                other.files[f"{assignment.notebook}{ending}"] = each.read  # which counts is found out when it is graded
                continue
            uploads.append(Upload(stem, files={f"{assignment.notebook}{ending}": each.read}))
            by_kind[ending][stem] = uploads[-1]
    yield from uploads


def _by_id_and_name(
    source: Path, members: Sequence[Member], assignment: Assignment, refused: list[tuple[str, str]]
) -> Iterator[Upload]:
    """What a folder of ``STUDENT/NOTEBOOK.ipynb`` holds, for an assignment of several notebooks."""
    names = {f"{name}.ipynb" for name in assignment.names_of_notebooks}
    by_student: dict[str, dict[str, Member]] = {}
    for each in members:
        student, _, name = each.name.partition("/")
        if name not in names:
            refused.append((printable(each.name), f"expected STUDENT/{' or STUDENT/'.join(sorted(names))}"))
        elif each.why:
            refused.append((printable(each.name), each.why))
        else:
            by_student.setdefault(student, {})[name] = each
    if not by_student and not refused:
        raise AutograderError(f"{source}: there is no STUDENT/{min(names)} in it, and no inbound folder of an exchange")
    for student, found in by_student.items():
        yield Upload(student, files={name: member.read for name, member in found.items()})


def _student(
    each: Upload, known: Collection[str], people: Sequence[Person], refused: list[tuple[str, str]]
) -> str | None:
    """The course's id of who handed in, or None where nobody can be matched for certain, which is then listed."""
    if not each.number or not (people or each.name):
        return _by_name_of_file(each.number or each.who, known, refused)
    found = {person.student for person in people if _is(person, each.name, each.number)}
    # A file can be called as if another's name began it, and a person can be called as if another's name were it.
    doubles = {
        person.student
        for name, number in each.doubles
        for person in people
        if number in person.numbers and plain_name(name) in person.names
    }
    if len(found) == 1 and not doubles - found:
        return found.pop()
    if len(found) == 1:
        others = ", ".join(sorted(doubles - found))
        why = f"its name can also be read as that of {others}. A person has to say whose it is"
    elif found:
        why = f"more than one student is called so: {', '.join(sorted(found))}; name them apart with --roster"
    else:
        why = _unmatched(each, people)
    refused.append((_called(each), why))
    return None


def _by_name_of_file(who: str, known: Collection[str], refused: list[tuple[str, str]]) -> str | None:
    """The id that a file is called by, as the course writes it, whatever a browser or a Mac made of the name."""
    if not known or who in known:
        return who
    for form in (one_form, plain_stem):
        alike = [student for student in known if form(student) == form(who)]
        if len(alike) == 1:
            return alike[0]
    why = f"nobody of the course has this id; {did_you_mean(who, known)}".rstrip("; ")
    refused.append((printable(who), why))
    return None


def _is(person: Person, name: str, number: str) -> bool:
    """Whether a person is of that name and number, as far as the system's table has them.

    Numbers of people, of groups and of another assignment's participants are counted apart, and people may choose the
    name that they are shown by: neither alone says who it is where both are there.
    """
    if person.numbers and number not in person.numbers:
        return False
    return plain_name(name) in person.names if person.names else bool(person.numbers)


def _unmatched(each: Upload, people: Sequence[Person]) -> str:
    """Why nobody is known by the name and the number of an upload."""
    by_number = sorted(person.student for person in people if each.number in person.numbers)
    by_name = sorted(person.student for person in people if plain_name(each.name) in person.names)
    if by_number:
        return (
            f"its number is that of {by_number[0]}, whose name is another. A team's number may be the same as a "
            "person's, and a name may have changed: export the table anew, or say whose it is"
        )
    if by_name:
        return (
            f"its name is that of {by_name[0]}, whose number is another, so nobody of the course is known by this "
            "number or name together. Is the table another assignment's? Export it anew"
        )
    why = "nobody of the course is known by this number or name"
    return why if people else f"{why}; name the LMS's own table of students with --roster"


def plain_name(name: str) -> str:
    """A name with nothing but its letters and digits, in one form and without case: as it stands in files' names."""
    return "".join(letter for letter in one_form(name) if letter.isalnum())


def _put(
    course: Course,
    assignment: Assignment,
    student: str,
    files: dict[str, bytes],
    late: bool,
    when: datetime | None,
) -> Collected:
    """Write one hand-in, where it is newer than what is there."""
    if problem := id_problem(student):
        return Collected(printable(student), "not taken", f"this can be nobody's id: {problem}")
    folder = course.root / "submitted" / student / assignment.name
    if folder.parent.is_symlink():
        return Collected(student, "not taken", f"{folder.parent} is a symbolic link, not a folder")
    unsaid = late and when is None
    note = "the LMS says that it is late, and not by how much: give the time with --time" if unsaid else ""
    status: Literal["new", "newer"] = "new"
    held = submissions(course.root, assignment.name, [student], timezone=course.timezone, due=assignment.due)[0]
    if folder.exists() or folder.is_symlink():
        if held.problem:
            return Collected(student, "not taken", held.problem)
        if _same(folder, files, assignment):
            return Collected(student, "unchanged", note)
        if when is None or (held.timestamp is not None and when <= datetime.fromisoformat(held.timestamp)):
            known = "not newer" if when is not None else "not known to be newer: say with --time when it was handed in"
            return Collected(student, "kept", f"another one is there, and this one is {known}")
        status = "newer"
    stamp = None if when is None else f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC\n"
    place(course, assignment, student, files, stamp=stamp, replaced=held if status == "newer" else None)
    return Collected(student, status, note)


def _same(folder: Path, files: dict[str, bytes], assignment: Assignment) -> bool:
    """Whether what is there is what has come."""
    try:
        notebooks = {f"{each.notebook}.ipynb": each for each in assignment.notebooks}
        if assignment.parts and any(name not in files and os.path.lexists(folder / name) for name in notebooks):
            return False
        for file, content in files.items():
            path = find_notebook(folder, notebooks[file]) if file in notebooks else folder / file
            if read_regular(path, len(content) + 1)[0] != content:
                return False
    except (AutograderError, OSError):
        return False
    return True


def local_time(text: str, zone: ZoneInfo) -> datetime:
    """A time as people type it, ``2026-11-29 23:59`` or with seconds, in the course's zone.

    Raises:
        AutograderError: It is none.
    """
    try:
        when = datetime.fromisoformat(text.strip()).replace(tzinfo=zone)
        if not is_credible(when, None):
            raise ValueError("out of the century")
    except ValueError as error:
        raise AutograderError(f"expected a local time such as '2026-11-29 23:59', found {text!r}") from error
    return when
