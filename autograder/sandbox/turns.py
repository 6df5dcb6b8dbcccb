"""Whose turn it is, where one submission could use up what another needs."""

from __future__ import annotations

import fcntl
import os
import platform
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autograder.base import SandboxError
from autograder.sandbox.kind import Kind

_PLACE = Path("/tmp")
"""Where a user has no folder of their own: one place for all commands and Dask workers of a machine, whatever their
TMPDIR is. No submission can enter it, but whoever has an account on the machine can take the name of a file there."""


@contextmanager
def one_at_a_time(kind: Kind) -> Iterator[None]:
    """Wait for one's turn to run a submission, and have it until the end of the block.

    Under Landlock the kernel counts an ordinary user's processes together, whichever submission they are of. So of all
    that this user grades on this machine, one submission is run at a time. All other kinds keep submissions apart.

    Raises:
        SandboxError: The lock that says so cannot be used.
    """
    user = os.geteuid()
    if kind != "landlock" or user == 0:
        yield
        return
    path = _lock_of(user)
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SandboxError(f"{path}, which keeps submissions apart, cannot be used: {error.strerror}") from error
    try:
        if os.fstat(lock).st_uid != user:
            raise SandboxError(f"{path}, which keeps submissions apart, belongs to somebody else: have it removed")
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


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
