"""Whose turn it is to run a submission, and whether others run beside it: what one uses up, another may need."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import platform
import pwd
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autograder.base import SandboxError
from autograder.sandbox.kind import Kind

_PLACE = Path("/tmp")
"""Where a user has no folder of their own: one place for all commands and Dask workers of a machine, whatever their
TMPDIR is. No submission can enter it, but whoever has an account on the machine can take the name of a file there."""

LONGEST_WAIT = 900.0
"""Seconds after which nobody waits any more for the others to end: one of their graders may have been stopped."""

_NO_LOCKS = (errno.EROFS, errno.ENOENT, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
"""Why there are no locks at all, as in a container in which nothing can be written."""

_COUNT = 8


@dataclass(frozen=True)
class Turn:
    """One submission's turn.

    Attributes:
        alone: Whether no other submission can run before it ends.
        begun: When it began, on ``time.monotonic``'s clock.
        counted: The file that counts turns, where this one could have neighbours; -1 otherwise.
        number: Its own number there.
        first: Whether no other submission was running when it began.
    """

    alone: bool
    begun: float
    counted: int = -1
    number: int = 0
    first: bool = True

    def has_had_neighbours(self) -> bool:
        """Whether another submission that this user grades on this machine has run beside it."""
        return not self.alone and not (self.first and _number(self.counted) == self.number)


@contextmanager
def turn(kind: Kind, *, alone: bool = False) -> Iterator[Turn]:
    """Wait for a turn to run a submission, and have it until the end of the block.

    Submissions run beside one another, in all that this user grades on this machine: in pools, by ``watch``, on Dask
    workers. Where one is to be run ``alone``, it waits until those that run have ended, and the next ones wait for it.

    Under Landlock the kernel counts an ordinary user's processes together, whichever submission they are of. So there
    each has a turn alone.

    Raises:
        SandboxError: The locks that say so cannot be used, or the others do not end.
    """
    user = os.geteuid()
    must = kind == "landlock" and user != 0
    path = _lock_of(user)
    with contextlib.ExitStack() as opened:
        try:
            mine = _begun(path, user, opened, alone=alone or must)
        except OSError as error:
            if must or error.errno not in _NO_LOCKS:
                why = f"{path}, which keeps submissions apart, cannot be used: {error.strerror}"
                raise SandboxError(why) from error
            # There are no locks here, for any command: nothing tells which submissions are neighbours.
            mine = Turn(alone=False, begun=time.monotonic())
        yield mine


def _begun(path: Path, user: int, opened: contextlib.ExitStack, *, alone: bool) -> Turn:
    """A turn, which lasts until the stack ends.

    Raises:
        OSError: A lock cannot be made, or nothing written there.
        SandboxError: A lock is somebody else's, or the others do not end.
    """
    # Whoever has the gate is the next: otherwise one that has to be alone would wait for ever.
    gate, lock = (_opened(each, user, opened) for each in (path.with_suffix(".next"), path))
    # A process that was forked meanwhile may hold the file open, and the lock with it.
    opened.callback(fcntl.flock, lock, fcntl.LOCK_UN)
    fcntl.flock(gate, fcntl.LOCK_EX)
    if alone:
        _wait_for(lock, path)
    first = alone or _is_free(lock)
    number = _number(gate) + 1
    os.pwrite(gate, number.to_bytes(_COUNT, "little"), 0)
    if not alone:
        fcntl.flock(lock, fcntl.LOCK_SH)
    fcntl.flock(gate, fcntl.LOCK_UN)
    return Turn(alone, time.monotonic(), gate, number, first)


def _opened(path: Path, user: int, opened: contextlib.ExitStack) -> int:
    """A file for locks, opened until the stack ends.

    Raises:
        OSError: It cannot be made.
        SandboxError: It is somebody else's.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    opened.callback(os.close, file)
    if os.fstat(file).st_uid != user:
        raise SandboxError(f"{path}, which keeps submissions apart, belongs to somebody else: have it removed")
    return file


def _is_free(lock: int) -> bool:
    """Take a lock for oneself, where nobody has it; whether that was so."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_for(lock: int, path: Path) -> None:
    """Take a lock for oneself, once those that have it have ended.

    Raises:
        SandboxError: They do not end.
    """
    latest = time.monotonic() + LONGEST_WAIT
    while not _is_free(lock):
        if time.monotonic() > latest:
            raise SandboxError(f"a submission waits to be run alone, and others do not end: see who has {path} open")
        time.sleep(0.02)


def _number(file: int) -> int:
    """How many turns have begun, of those that a file counts."""
    return int.from_bytes(os.pread(file, _COUNT, 0), "little") if file >= 0 else 0


def _lock_of(user: int) -> Path:
    """The file whose lock says whose turn it is, in the user's own folder, where nobody else can take its name."""
    try:
        home = Path(pwd.getpwuid(user).pw_dir)
        if home.stat().st_uid == user and os.access(home, os.W_OK | os.X_OK):
            # A home may be on several machines, each of which keeps its own submissions apart.
            return home / f".autograder-{platform.node()}.lock"
    except (KeyError, OSError):
        pass
    return _PLACE / f"autograder-{user}.lock"
