"""Whether others on this machine can get at a course: its answers, its gradebook, what students handed in.

What counts is whether somebody can reach a file, so a course below a folder that only its owner may enter is closed,
whatever the modes of the files in it.
"""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from autograder.base import AutograderError, GradebookError, printable
from autograder.course import CONFIG_NAME, STUDENTS, Course
from autograder.gradebook import database_file, open_gradebook, roster

READ, WRITE, ENTER = 4, 2, 1


class Other(NamedTuple):
    """Somebody else on the machine: everybody, the members of a group, whom an access list names, or another user."""

    kind: Literal["everybody", "group", "listed", "user"]
    number: int = 0

    def __str__(self) -> str:
        match self.kind:
            case "everybody":
                return "everybody on this machine"
            case "group":
                return f"the group {_name_of_group(self.number)}"
            case "listed":
                return "whoever an access list (getfacl) names"
        return f"the user {_name_of_user(self.number)}"


EVERYBODY, LISTED = Other("everybody"), Other("listed")


@dataclass(frozen=True)
class Meant:
    """Who is meant to get at a course.

    Attributes:
        kinds: Kinds of others.
        students: The course's students: a group that one of them is in is not meant, whatever the configuration says.
    """

    kinds: frozenset[str] = frozenset()
    students: frozenset[str] = frozenset()

    def __contains__(self, other: Other) -> bool:
        return other.kind in self.kinds and not self.students_in(other)

    def students_in(self, other: Other) -> list[str]:
        """Those of the students who are in a group."""
        return sorted(self.students & _members(other.number)) if other.kind == "group" else []

    def students_said(self, other: Other) -> str:
        """The same, to be said behind the group's name; empty where there are none."""
        found = self.students_in(other)
        if not found:
            return ""
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        return f", in which {', '.join(map(printable, found[:3]))}{more}, of the course's students,"


@dataclass(frozen=True)
class Exposure:
    """A file or a folder of a course that somebody else can read or write."""

    path: Path
    other: Other
    write: bool


def require_closed(course: Course) -> None:
    """Grade nothing while others on the machine can get at the course.

    Raises:
        AutograderError: They can, and the course does not say that they are meant to; the message has the way out.
    """
    if said := how_open(course):
        raise AutograderError(said)


def how_open(course: Course) -> str:
    """What others can read or write of a course who are not meant to, and the way out; empty where there is nothing."""
    meant = meant_by(course)
    found = _exposures(course, meant)
    if not found:
        return ""
    said = []
    for (other, write), paths in _together(found).items():
        who = f"{other}{meant.students_said(other)}"
        said.append(f"{who} can {'write to' if write else 'read'} {', '.join(_near(path, course) for path in paths)}")
    return (
        f"the course in {printable(str(course.root))} is open to others: {'; '.join(said)}. Close it: "
        f"{' && '.join(_commands(course, found, meant))} "
        f"(where they are meant to, `shared_with` in {CONFIG_NAME} says so)"
    )


def _exposures(course: Course, meant: Meant) -> list[Exposure]:
    """What others can read or write of a course who are not meant to, of each of its parts the first that is found.

    The answers, the gradebook with its backups, and what students handed in or get back are neither to be read nor
    written; the configuration, the releases and the folders around the course are not to be written.
    """
    if course.shared_with == "everybody":
        return []
    ours = ours_of(course.root)
    found = []
    secret, public = (_resolved(parts) for parts in (_secret(course), _public(course)))
    # Who can write to a folder around one of them can put another in its place.
    around = {course.root, *(folder for part in (*secret, *public) for folder in part.parents)}
    for path in sorted(around, key=lambda path: len(path.parts), reverse=True):
        status = path.stat()
        for other, bits in _access(path, status, ours, meant, top=path == course.root).items():
            # A sticky folder's entries belong to their owners.
            if bits & WRITE and (path == course.root or not status.st_mode & stat.S_ISVTX):
                found.append(Exposure(path, other, write=True))
    for part in secret:
        found += _first_of_each(_within(part, ours, meant), {False, True})
    for part in public:
        found += _first_of_each(_within(part, ours, meant), {True})
    return list(dict.fromkeys(found))


def meant_by(course: Course) -> Meant:
    """Who is meant to get at a course, as its configuration says."""
    if course.shared_with != "group":
        return Meant()
    students = {path.name for path in (course.root / "submitted").glob("[!.]*")}
    try:
        with open_gradebook(course, create=False) as gradebook:
            students |= set(roster(gradebook))
    except GradebookError:
        pass  # whoever opens it says why it cannot be
    return Meant(frozenset({"group", "listed"}), frozenset(students))


def unshared(course: Course) -> str:
    """Where a course is meant to be shared with a group, a folder in which what is made is not; empty where none is."""
    if course.shared_with != "group":
        return ""
    wanted = stat.S_ISGID | stat.S_IRWXG
    for path in (course.root, *(course.root / name for name in ("source", "release", *STUDENTS))):
        if path.is_dir() and path.stat().st_mode & wanted != wanted:
            root = shlex.quote(str(course.root))
            return (
                f"{_near(path, course)} is not all its group's, though `shared_with: group` says that the course is: "
                f"what one of you makes there, the others cannot change: find {root} -type d -exec chmod g+rwxs {{}} +"
            )
    return ""


def _secret(course: Course) -> Iterator[Path]:
    """What others are neither to read nor to write."""
    yield course.root / "source"
    for each in [one for assignment in course.assignments.values() for one in (assignment, *assignment.parts)]:
        if not each.master.resolve().is_relative_to((course.root / "source").resolve()):
            yield each.master.resolve().parent
        yield from (each.solutions, each.checks)
    yield from (course.root / name for name in STUDENTS)
    if (file := database_file(course)) is not None:
        yield from (file.with_name(file.name + suffix) for suffix in ("", "-journal", "-wal"))
        yield file.parent / ".gradebook-backups"


def _public(course: Course) -> Iterator[Path]:
    """What others may read and not write."""
    yield from (course.root / name for name in (CONFIG_NAME, "nbgrader_config.py", "nbgrader_config.json", "release"))


def _resolved(parts: Iterator[Path]) -> tuple[Path, ...]:
    """Those of the paths at which there is something, where links lead to."""
    return tuple(dict.fromkeys(path.resolve() for path in parts if path.exists()))


def _first_of_each(found: Iterator[Exposure], kinds: set[bool]) -> Iterator[Exposure]:
    """Of what was found in one part, the first that can be read and the first that can be written, as is asked for."""
    left = set(kinds)
    for each in found:
        if each.write in left:
            left.discard(each.write)
            yield each
        if not left:
            return


def _within(part: Path, ours: frozenset[int], meant: Meant) -> Iterator[Exposure]:
    """What others can reach of a file, or of a folder with all that is in it; where no one can enter, nobody looks."""
    status = part.stat()
    waiting = [(part, status, who_can_enter(part, ours, meant))]
    while waiting:
        path, status, entering = waiting.pop()
        here = bits_of(path, status, entering, ours, meant)
        for other, bits in here.items():
            folder = stat.S_ISDIR(status.st_mode)
            if bits & WRITE and (bits & ENTER or not folder):
                yield Exposure(path, other, write=True)
            if bits & READ:
                yield Exposure(path, other, write=False)
        if stat.S_ISDIR(status.st_mode) and any(bits & ENTER for bits in here.values()):
            inside = {other: bool(bits & ENTER) for other, bits in here.items()}
            try:
                with os.scandir(path) as entries:
                    for entry in entries:
                        status = entry.stat(follow_symlinks=False)
                        if stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):
                            waiting.append((Path(entry.path), status, inside))
            except OSError:
                continue


def who_can_enter(path: Path, ours: frozenset[int], meant: Meant) -> dict[Other, bool]:
    """Who can enter all the folders that lead to a path."""
    entering = {EVERYBODY: True}
    for folder in reversed(path.parents):
        bits = bits_of(folder, folder.stat(), entering, ours, meant)
        entering = {other: bool(each & ENTER) for other, each in bits.items()}
    return entering


def _access(path: Path, status: os.stat_result, ours: frozenset[int], meant: Meant, *, top: bool) -> dict[Other, int]:
    """What others can do with a folder on the way to a course, or with the course's own."""
    bits = bits_of(path, status, who_can_enter(path, ours, meant), ours, meant)
    # The folder's own owner counts where it is above the course; who owns that is one of us.
    return bits if not top else {other: each for other, each in bits.items() if other.kind != "user"}


def bits_of(
    path: Path, status: os.stat_result, entering: Mapping[Other, bool], ours: frozenset[int], meant: Meant
) -> dict[Other, int]:
    """What everybody, and whoever the files on the way and this one belong to, can do with it: bits as in a mode."""
    own = []
    if status.st_uid not in ours:
        own.append(Other("user", status.st_uid))
    listed = bool(status.st_mode & 0o070) and _has_list(path)
    if _is_shared(status.st_gid, ours):
        own.append(Other("group", status.st_gid))
    if listed:
        own.append(LISTED)
    found = {}
    for other in dict.fromkeys((*entering, *own)):
        if other in meant:
            continue
        if not entering.get(other, entering[EVERYBODY]):
            found[other] = 0
        elif other == Other("user", status.st_uid):
            found[other] = READ | WRITE | ENTER  # who owns it can open it
        elif other == Other("group", status.st_gid) or (other == LISTED and listed):
            found[other] = status.st_mode >> 3 & 7
        else:
            found[other] = status.st_mode & 7
    return found


def _has_list(path: Path) -> bool:
    try:
        return bool(os.getxattr(path, "system.posix_acl_access", follow_symlinks=False))
    except OSError:
        return False


def ours_of(root: Path) -> frozenset[int]:
    """Users who may do as they like with the course: oneself, root, and whoever owns its folder."""
    return frozenset({0, os.geteuid(), root.stat().st_uid, *_unmapped()})


@cache
def _unmapped() -> tuple[int, ...]:
    """In a user namespace, as of a container without root: the number that stands for the host's root, among others."""
    mapped = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
    return () if mapped == ["0", "0", "4294967295"] else (65534,)


def _members(group: int) -> frozenset[str]:
    """The names of the accounts in a group, of which it is the first or another one."""
    try:
        others = grp.getgrgid(group).gr_mem
    except KeyError:
        others = []
    return frozenset({*others, *(each.pw_name for each in pwd.getpwall() if each.pw_gid == group)})


@cache
def _is_shared(group: int, ours: frozenset[int]) -> bool:
    """Whether a group has members beside ourselves, or may have: the group of one user is called as they are."""
    if group == 0 or group in _unmapped():
        return False
    names = {_name_of_user(user) for user in ours}
    try:
        called = grp.getgrgid(group).gr_name
    except KeyError:
        return bool(_members(group) - names) or group not in ours
    return bool(_members(group) - names) or called not in names


def _is_first(group: int, name: str) -> bool:
    """Whether a group is an account's first, which it cannot be taken out of."""
    try:
        return pwd.getpwnam(name).pw_gid == group
    except KeyError:
        return False


def _name_of_user(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _name_of_group(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)


def _together(found: list[Exposure]) -> dict[tuple[Other, bool], list[Path]]:
    """The paths by who can do what with them."""
    together: dict[tuple[Other, bool], list[Path]] = {}
    for each in found:
        together.setdefault((each.other, each.write), []).append(each.path)
    return together


def _near(path: Path, course: Course) -> str:
    """A path as the course's owner knows it."""
    if path == course.root or not path.is_relative_to(course.root):
        return printable(str(path))
    return printable(str(path.relative_to(course.root)))


def _commands(course: Course, found: list[Exposure], meant: Meant) -> list[str]:
    """What closes a course, to be typed."""
    whom = "o" if course.shared_with == "group" else "go"
    within = [each.path for each in found if each.path.is_relative_to(course.root)]
    used = course.exchange is not None and course.exchange.is_relative_to(course.root) and _is_used(course.exchange)
    commands: dict[str, None] = {}
    for each in found:
        path = shlex.quote(str(each.path))
        if course.shared_with == "group" and (students := meant.students_in(each.other)):
            name = shlex.quote(_name_of_group(each.other.number))
            for student in students:
                if _is_first(each.other.number, student):
                    commands[f"chgrp -R GROUP {shlex.quote(str(course.root))}"] = None  # they cannot be taken out of it
                else:
                    commands[f"gpasswd -d {shlex.quote(student)} {name}"] = None
        elif each.path in course.root.parents:
            owned = each.other.kind == "user"
            commands[f"chown {os.geteuid()} {path}" if owned else f"chmod {whom}-w {path}"] = None
        elif each.path in within and not used and not (each.other.kind == "user" and whom == "o"):
            commands[f"chmod {whom}= {shlex.quote(str(course.root))}"] = None
        elif each.path == course.root:
            commands[f"chmod {whom}-w {path}"] = None
        elif each.other.kind == "user":
            commands[f"chown -R {os.geteuid()} {path}"] = None
        else:
            commands[f"chmod -R {whom}= {path}"] = None
    return list(commands)


def _is_used(exchange: Path) -> bool:
    """Whether students with accounts of their own can get to an exchange, which closing the course would end."""
    if not exchange.is_dir():
        return False
    return who_can_enter(exchange.resolve() / "inbound", frozenset({0, os.geteuid()}), Meant())[EVERYBODY]
