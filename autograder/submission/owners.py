"""Whose an entry of nbgrader's exchange is: the account that owns it has to agree with the id that it claims.

Where the ids of a course are names of accounts, the system knows. Where they are not, whoever came first in a name
keeps it, and an account hands in in one name. Where all students share one account, nothing tells them apart.
"""

from __future__ import annotations

import json
import pwd
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from autograder.base import AutograderError, printable, write_atomically
from autograder.submission.inbound import Arrival

RECORD = ".owners.json"
"""Below ``submitted/``: which account handed in first in the name of an id that is no account's."""

SUBORDINATE = Path("/etc/subuid")
"""Which numbers an account has beside its own (subuid(5)): tens of thousands, as whom it can write files."""

_SHARED = (
    "Where students share accounts, say so with c.ExchangeCollect.check_owner = False in nbgrader_config.py: then "
    "nothing tells them apart"
)


@dataclass(frozen=True)
class Ownership:
    """Which account's entries count in which name.

    Attributes:
        refused: Why those of an account in a name do not count, by id and account.
        trusted_first: Those that count since they came first in a name that no account has.
        held: To be remembered: by id, the account that has it and since when.
    """

    refused: dict[tuple[str, int], str] = field(default_factory=dict)
    trusted_first: set[tuple[str, int]] = field(default_factory=set)
    held: dict[str, tuple[int, float]] = field(default_factory=dict)


def owners_of(
    arrivals: Collection[Arrival],
    *,
    students: Collection[str],
    trusted: Collection[int],
    held: Mapping[str, tuple[int, float]],
) -> Ownership:
    """Decide whose entries count.

    Args:
        arrivals: All entries, in whatever name.
        students: The ids that the course knows.
        trusted: Accounts that may hand in for anybody: those that can write to the course as well.
        held: What is remembered from before.
    """
    _name_of.cache_clear()  # accounts come and go while a watch stays
    _account_of.cache_clear()
    since: dict[tuple[str, int], float] = {}
    ranges = _ranges(without=trusted)
    accounts_of = {owner: _account_with(owner, ranges) for owner in {each.owner for each in arrivals}}
    for each in arrivals:
        claim = each.student, accounts_of[each.owner]
        since[claim] = min(since.get(claim, float("inf")), each.changed.timestamp())
    result = Ownership()
    accounts = {claim for claim in since if claim[1] not in trusted and _is_own(*claim)}
    known = {*students, *(student for student, _ in accounts)}
    open_claims: list[tuple[str, int]] = []
    for student, owner in sorted(since, key=lambda claim: (since[claim], claim)):
        if owner in trusted or (student, owner) in accounts:
            continue
        named = _name_of(owner)
        if _account_of(student) is not None:
            why = f"it belongs to {_called(owner)}, and not to the account {student}"
            result.refused[student, owner] = why
        elif named in known and named != student:
            result.refused[student, owner] = f"it belongs to {_called(owner)}, which is another student's"
        else:
            open_claims.append((student, owner))
    _first_come(open_claims, since, held, result)
    for each in arrivals:
        claim = each.student, accounts_of[each.owner]
        if claim in result.refused:
            result.refused[each.student, each.owner] = result.refused[claim]
        if claim in result.trusted_first:
            result.trusted_first.add((each.student, each.owner))
    return result


def _ranges(without: Collection[int]) -> list[tuple[int, int, int]]:
    """The numbers that accounts have beside their own: the account, the first and the last of each range.

    Those of accounts that may hand in for anybody are left out: whoever runs in a container of theirs may not.
    """
    try:
        lines = SUBORDINATE.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        name, _, numbers = line.partition(":")
        first, _, count = numbers.partition(":")
        if first.isdecimal() and count.isdecimal():
            account = int(name) if name.isdecimal() else _account_of(name)
            if account is not None and account not in without:
                found.append((account, int(first), int(first) + int(count) - 1))
    return found


def _account_with(owner: int, ranges: Iterable[tuple[int, int, int]]) -> int:
    """The account whose number this is, or that has it beside its own; the number itself where nobody has."""
    if _name_of(owner):
        return owner
    return next((account for account, first, last in ranges if first <= owner <= last), owner)


def _first_come(
    claims: list[tuple[str, int]],
    since: Mapping[tuple[str, int], float],
    held: Mapping[str, tuple[int, float]],
    result: Ownership,
) -> None:
    """Give each id that is no account's to the account that came first in its name.

    As long as one account alone hands in, it may be one that all share. As soon as there are two, the system tells
    people apart, and each has one id.
    """
    before = [(student, owner) for student, (owner, _) in sorted(held.items(), key=lambda each: each[1][1])]
    several = len({owner for _, owner in (*before, *claims)}) > 1
    ids: dict[int, str] = {}
    for student, owner in dict.fromkeys((*before, *claims)):
        first = result.held.get(student)
        if first is not None and first[0] != owner:
            result.refused[student, owner] = (
                f"it belongs to {_called(owner)}, and what came first in this name to {_called(first[0])}. If that was "
                f"the wrong one, or they have another account now, remove {student} from submitted/{RECORD}. {_SHARED}"
            )
        elif several and ids.get(owner, student) != student:
            result.refused[student, owner] = (
                f"it belongs to {_called(owner)}, which hands in as {ids[owner]}. {_SHARED}"
            )
        else:
            ids.setdefault(owner, student)
            moments = [since[student, owner]] if (student, owner) in since else []
            moments += [held[student][1]] if student in held and held[student][0] == owner else []
            result.held[student] = owner, min(moments)
            result.trusted_first.add((student, owner))


def read_owners(submitted: Path) -> dict[str, tuple[int, float]]:
    """What is remembered of earlier collections.

    Raises:
        AutograderError: The record is damaged.
    """
    path = submitted / RECORD
    try:
        tree = json.loads(path.read_text("utf-8"))
        return {str(student): (int(owner), float(since)) for student, (owner, since) in tree.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise AutograderError(
            f"{path}, the record of which account handed in first in which name, cannot be read: {error}. Put back a "
            "copy, or remove it: then whoever comes first from now on has the name"
        ) from error


def remember_owners(submitted: Path, before: Mapping[str, tuple[int, float]], ownership: Ownership) -> None:
    """Keep what came of ``owners_of`` for the next time."""
    if ownership.held != before:
        write_atomically(submitted / RECORD, json.dumps(ownership.held, indent=0, sort_keys=True) + "\n")


def trusted_note(owner: int) -> str:
    """What is to be said of an entry that counts since it came first."""
    return f"no account is called so: it belongs to {_called(owner)}, which came first in this name"


def _called(owner: int) -> str:
    name = _name_of(owner)
    return f"the account {printable(name)}" if name else f"the account number {owner}"


def _is_own(student: str, owner: int) -> bool:
    # Two names can stand for one account.
    return _name_of(owner) == student or _account_of(student) == owner


@lru_cache(maxsize=100_000)
def _name_of(owner: int) -> str:
    try:
        return pwd.getpwuid(owner).pw_name
    except (KeyError, OverflowError):
        return ""


@lru_cache(maxsize=100_000)
def _account_of(student: str) -> int | None:
    try:
        return pwd.getpwnam(student).pw_uid
    except (KeyError, ValueError):  # a name with a NUL in it, or one that is no text
        return None
