"""Who can do what in nbgrader's exchange, where students with accounts of their own can get to it."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from autograder.base import printable
from autograder.course import Course
from autograder.operations.closed import (
    ENTER,
    EVERYBODY,
    READ,
    WRITE,
    Meant,
    Other,
    bits_of,
    meant_by,
    ours_of,
    who_can_enter,
)


def exchange_troubles(course: Course) -> list[str]:
    """What is wrong with who can read or write what in the course's exchange, each with the way out.

    An exchange that students with accounts of their own cannot get to has nothing wrong with it.
    """
    exchange = course.exchange
    if exchange is None or not exchange.is_dir():
        return []
    ours, meant = ours_of(course.root), meant_by(course)
    part = exchange / course.name
    said = [
        *_exchange_folder(exchange, ours, meant, takes=True, shows=True),
        *_exchange_folder(part, ours, meant, takes=False, shows=True),
        *_exchange_folder(part / "inbound", ours, meant, takes=True, shows=False),
        *_exchange_folder(part / "outbound", ours, meant, takes=False, shows=True),
        *_exchange_folder(part / "feedback", ours, meant, takes=False, shows=False),
    ]
    return said


def _exchange_folder(path: Path, ours: frozenset[int], meant: Meant, *, takes: bool, shows: bool) -> Iterator[str]:
    """What is wrong with a folder of an exchange.

    Args:
        path: The folder.
        ours: Users who may do as they like with the course.
        meant: Who else may.
        takes: Whether students put something into it.
        shows: Whether they may see what is in it; otherwise, what is in it is open to whoever knows its name.
    """
    try:
        status = path.lstat()
    except OSError:
        return
    name, shown = shlex.quote(str(path)), printable(str(path))
    if not stat.S_ISDIR(status.st_mode):
        yield f"{shown} is no folder, and somebody put it there: remove it"
        return
    who_enters = who_can_enter(path, ours, meant)
    if not who_enters[EVERYBODY]:
        return
    if status.st_uid not in ours:
        owner = Other("user", status.st_uid)
        yield f"{shown} belongs to {owner}, who can change what others hand in: chown {os.geteuid()} {name}"
    for other, bits in bits_of(path, status, who_enters, ours, meant).items():
        if other.kind == "user" or not bits & ENTER:
            continue
        if bits & READ and not shows:
            yield f"{other} can list {shown}, and so read what is others' there: chmod go-r {name}"
        if bits & WRITE and not takes:
            yield f"{other} can write to {shown}: chmod go-w {name}"
        if bits & WRITE and takes and not status.st_mode & stat.S_ISVTX:
            yield f"{other} can remove and rename what is others' in {shown}: chmod +t {name}"
    if takes and not status.st_mode & stat.S_IWOTH:
        yield f"students cannot hand in, since nbgrader asks for {shown} to be everybody's to write: chmod o+w {name}"
