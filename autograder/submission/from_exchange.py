"""nbgrader's exchange → ``submitted/``: the newest of each student's that can be taken, and of all others the reason.

Nothing in the exchange is changed. One entry never keeps another from being collected.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Literal

from autograder.base import AutograderError, RefusedError, make_closed_folder, printable, write_atomically
from autograder.course import Assignment, Course
from autograder.submission.collecting import Collected, too_alike
from autograder.submission.file_names import one_form
from autograder.submission.folders import SubmittedFolder, read_regular, submissions
from autograder.submission.inbound import (
    SECRET,
    STAMP,
    Arrival,
    Content,
    arrivals_in,
    counted,
    is_coming,
    open_inbound,
    read_arrival,
)
from autograder.submission.owners import Ownership, owners_of, read_owners, remember_owners, trusted_note
from autograder.submission.placing import place, share_with_group, write_files

PUT_ASIDE = ".put-aside"
"""Below ``submitted/``: what somebody handed in whose account and name do not agree. Nobody grades it."""

MAX_PUT_ASIDE = 10
"""What is kept of one account there; what else it puts into the exchange stays in the exchange."""

MAX_PUT_ASIDE_BYTES = 2 * 2**30
"""What is kept there of all accounts together: one person can have thousands."""

MAX_LISTED = 200
"""Entries that are not taken, and are listed one by one."""


@dataclass(frozen=True)
class Terms:
    """How an exchange is collected from, as nbgrader's configuration calls it.

    Attributes:
        check_owner: Whether the account that owns an entry has to agree with its name.
        group_shared: Whether a group of instructors shares the course's folder and the exchange.
        update: Whether something newer takes the place of what has been collected.
        before: The newest before this time is wanted, where there is one; the newest of all where None.
        students: A pattern of the ids that are collected.
    """

    check_owner: bool = True
    group_shared: bool = False
    update: bool = True
    before: datetime | None = None
    students: str = "*"


@dataclass
class _Spent:
    """What a look at an exchange has spent on what it does not take.

    Attributes:
        wasted: Bytes that were read, by account.
        aside: Bytes of what is kept aside; None where that was not counted yet.
    """

    wasted: dict[int, int] = field(default_factory=dict)
    aside: int | None = None


@dataclass
class Look:
    """What came of one look at an exchange.

    Attributes:
        results: What became of each student's, and of each entry that was not taken.
        coming: Whether somebody is still writing an entry, so that it has to be looked at again.
    """

    results: list[Collected] = field(default_factory=list)
    coming: bool = False


def collect_arrivals(
    course: Course,
    assignment: Assignment,
    exchange: Path,
    *,
    terms: Terms,
    known: Collection[str],
    settled_seconds: float | None = None,
) -> Look:
    """Bring the newest of each student's in an exchange to ``submitted/STUDENT/ASSIGNMENT/``.

    Args:
        course: The course.
        assignment: The assignment.
        exchange: The exchange's folder.
        terms: How it is collected from.
        known: The ids that the gradebook has.
        settled_seconds: How long nothing may have changed in an entry before it is taken; None where nobody is waited
            for.

    Raises:
        AutograderError: The exchange cannot be read, or is not the course's.
    """
    submitted = course.root / "submitted"
    make_closed_folder(submitted)
    look = Look()
    trusted = {os.geteuid(), 0, course.root.stat().st_uid}
    with open_inbound(exchange, course.name, None if terms.group_shared else trusted) as inbound:
        arrivals, refused = arrivals_in(inbound, assignment.name, course.timezone)
        here = {
            each.folder.parent.name: each
            for each in submissions(course.root, assignment.name, timezone=course.timezone, due=assignment.due)
        }
        ownership = Ownership()
        if terms.check_owner:
            held = read_owners(submitted)
            students = {*known, *(path.name for path in submitted.iterdir() if not path.name.startswith("."))}
            ownership = owners_of(arrivals, students=students, trusted=trusted, held=held)
            remember_owners(submitted, held, ownership)
        theirs: dict[str, list[Arrival]] = {}
        forged: list[tuple[Arrival, str]] = []
        spent = _Spent()
        for each in arrivals:
            if not fnmatch.fnmatchcase(each.student, terms.students):
                continue
            if why := ownership.refused.get((each.student, each.owner)):
                forged.append((each, why))
            elif settled_seconds is not None and is_coming(inbound, each, settled_seconds):
                look.coming = True
            else:
                theirs.setdefault(each.student, []).append(each)
        own = set()
        if terms.check_owner:  # the account itself has handed in, or who may do so for anybody
            trusted_first = ownership.trusted_first
            own = {each for each in theirs if any((each, one.owner) not in trusted_first for one in theirs[each])}
        for student, why in _too_alike(theirs, {*known, *here, *own}).items():
            refused.append((student, why))
            del theirs[student]
        for student in sorted(theirs):
            look.results += _of_student(
                course, assignment, inbound, theirs[student], here.get(student), terms, ownership, refused, spent
            )
        for each, why in forged:
            said = _put_aside(course, assignment, inbound, each, why, spent)
            refused.append((each.student, f"{_when(each)}: {why}{said}"))
    look.results += _listed(refused)
    return look


def _of_student(
    course: Course,
    assignment: Assignment,
    inbound: int,
    arrivals: list[Arrival],
    held: SubmittedFolder | None,
    terms: Terms,
    ownership: Ownership,
    refused: list[tuple[str, str]],
    spent: _Spent,
) -> list[Collected]:
    """Take the newest of a student's entries that can be taken, where it is newer than what is there."""
    student = arrivals[0].student
    if held is not None and held.problem:
        refused.append((student, held.problem))
        return []
    if held is not None and not terms.update and terms.before is None:
        return [Collected(student, "unchanged")]
    limit = (len(assignment.notebooks) * assignment.limits.notebook_mb + assignment.limits.file_mb) * 2**20
    for arrival in _in_turn(arrivals, terms.before):
        if held is not None and not _wanted(counted(arrival, arrival.changed)[0], held, terms):
            break
        try:
            content = read_arrival(inbound, arrival, limit, spent.wasted)
            result = _take(course, assignment, arrival, content, held, terms)
        except RefusedError as error:
            refused.append((student, f"{_when(arrival)}: {error}"))
            continue
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            refused.append((student, f"{_when(arrival)}: it could not be written: {why}"))
            continue
        if result.status in ("new", "newer") and (student, arrival.owner) in ownership.trusted_first:
            why = "; ".join(filter(None, (result.why, trusted_note(arrival.owner))))
            result = Collected(student, result.status, why)
        return [result]
    return [Collected(student, "unchanged")] if held is not None else []


def _too_alike(theirs: dict[str, list[Arrival]], there: Collection[str]) -> dict[str, str]:
    """Of the ids that are new, why those are not taken that read as one that is there or came first."""
    places: dict[str, set[str]] = {}
    for student in there:
        places.setdefault(one_form(student), set()).add(student)
    found = {}
    new = [student for student in theirs if student not in there]
    for student in sorted(new, key=lambda each: (min(arrival.changed for arrival in theirs[each]), each)):
        rivals = places.setdefault(one_form(student), set())
        if why := too_alike(student, rivals, ()):
            found[student] = why
        else:
            rivals.add(student)
    return found


def _in_turn(arrivals: Iterable[Arrival], before: datetime | None) -> list[Arrival]:
    """A student's entries from the one that is wanted most: the newest, before a time where that is given."""

    def worth(arrival: Arrival) -> tuple[bool, datetime, str]:
        when = counted(arrival, arrival.changed)[0]
        return before is None or when <= before, when, arrival.name

    return sorted(arrivals, key=worth, reverse=True)


def _wanted(when: datetime, held: SubmittedFolder, terms: Terms) -> bool:
    """Whether an entry of that time takes the place of what is there."""
    there = None if held.timestamp is None else datetime.fromisoformat(held.timestamp)
    if terms.before is not None and when <= terms.before:
        return there is None or there != when
    return there is None or when > there


def _take(
    course: Course,
    assignment: Assignment,
    arrival: Arrival,
    content: Content,
    held: SubmittedFolder | None,
    terms: Terms,
) -> Collected:
    """Write an entry to ``submitted/``, unless it is what is there.

    Raises:
        RefusedError: There is no room for what it would replace.
        OSError: It could not be written.
    """
    when, stamp, said = counted(arrival, content.changed)
    status: Literal["new", "newer"] = "new" if held is None else "newer"
    if held is not None and (_same(held.folder, content.files) or not _wanted(when, held, terms)):
        return Collected(arrival.student, "unchanged")
    # Without a secret nbgrader's release_feedback would end here, and nobody who comes later would have theirs.
    files = {SECRET: token_hex().encode(), **content.files}
    folder = place(course, assignment, arrival.student, files, stamp=stamp, replaced=held)
    if terms.group_shared:
        share_with_group(folder.parent)
    return Collected(arrival.student, status, said)


def _same(folder: Path, files: dict[str, bytes]) -> bool:
    """Whether a folder holds these files and no others, but for the time."""
    try:
        there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}
        return there - {STAMP} == files.keys() | (there & {SECRET}) and all(
            read_regular(folder / name, len(content) + 1)[0] == content for name, content in files.items()
        )
    except (AutograderError, OSError):
        return False


def _put_aside(course: Course, assignment: Assignment, inbound: int, arrival: Arrival, why: str, spent: _Spent) -> str:
    """Keep a copy of an entry whose account and name do not agree, and say where; it stays in the exchange as well."""
    digest = hashlib.sha256(os.fsencode(arrival.name)).hexdigest()[:8]
    when = re.sub(r"[^0-9]", "", arrival.stamp)[:14]
    base = course.root / "submitted" / PUT_ASIDE / f"account-{arrival.owner}"
    folder = base / f"{assignment.name}-{when}-{digest}"
    said = f"; it is not graded, and a copy is in submitted/{folder.relative_to(course.root / 'submitted')}"
    try:
        if folder.is_dir():
            return said
        make_closed_folder(base)
        if spent.aside is None:
            spent.aside = sum(path.stat().st_size for path in base.parent.rglob("*") if path.is_file())
        if sum(1 for _ in base.iterdir()) >= MAX_PUT_ASIDE or spent.aside >= MAX_PUT_ASIDE_BYTES:
            return "; it is not graded, and stays in the exchange"
        limit = (len(assignment.notebooks) * assignment.limits.notebook_mb + assignment.limits.file_mb) * 2**20
        files = read_arrival(inbound, arrival, limit, spent.wasted).files
        spent.aside += sum(map(len, files.values()))
        coming = base / ".coming"
        shutil.rmtree(coming, ignore_errors=True)
        make_closed_folder(coming)
        write_files(coming / "handed-in", files)
        claimed = f"handed in for {arrival.student}, {assignment.name}, at {arrival.stamp} by its own word"
        write_atomically(coming / "why.txt", f"{printable(arrival.name)}\n{claimed}\n{why}\n")
        coming.rename(folder)
    except (RefusedError, OSError, ValueError):
        return "; it is not graded, and stays in the exchange"
    return said


def _when(arrival: Arrival) -> str:
    return f"the one of {arrival.stamp}"


def _listed(refused: list[tuple[str, str]]) -> list[Collected]:
    """What was not taken; of very many, how many more there are."""
    refused = sorted(dict.fromkeys(refused))
    listed = [Collected(printable(who), "not taken", why) for who, why in refused[:MAX_LISTED]]
    if len(refused) > MAX_LISTED:
        more = f"{len(refused) - MAX_LISTED:,} more entries of the exchange were not taken"
        listed.append(Collected("…", "not taken", more))
    return listed
