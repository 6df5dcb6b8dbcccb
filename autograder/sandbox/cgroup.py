"""Control groups: one bound on all of a submission's memory and processes together, where the machine delegates them.

Version 2 only (Documentation/admin-guide/cgroup-v2.rst). A group is delegated where this process may write to it and
is alone in it, as in ``systemd-run --user --scope -p Delegate=yes autograder grade week2``.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import time
from pathlib import Path

from autograder.base import SandboxError

GRADER = "grader"
_numbers = itertools.count(1)


@functools.cache
def delegated() -> Path | None:
    """The group that submissions' groups are made in, or None where there is none.

    Only the leaves of the tree may hold processes, so this process moves into a group of its own below it.
    """
    group = _own_group()
    if group is None:
        return None
    if group.name == GRADER:
        group = group.parent
    try:
        if "memory" not in (group / "cgroup.controllers").read_text().split():
            return None
        if "memory" in (group / "cgroup.subtree_control").read_text().split():
            return group if os.access(group / "cgroup.procs", os.W_OK) else None
        leaf = group / GRADER
        leaf.mkdir(exist_ok=True)
        try:
            (leaf / "cgroup.procs").write_text(str(os.getpid()))
            (group / "cgroup.subtree_control").write_text("+memory +pids")
        except OSError:
            # Other processes are in it as well, so this one cannot divide it among groups below.
            (group / "cgroup.procs").write_text(str(os.getpid()))
            leaf.rmdir()
            return None
    except OSError:
        return None
    return group


def make(parent: Path, *, memory_mb: int, processes: int) -> Path:
    """A group for one submission.

    Args:
        parent: As ``delegated`` gives it.
        memory_mb: All the memory that its processes and its files in /tmp may take together, in MiB.
        processes: How many processes and threads there may be.

    Raises:
        SandboxError: It cannot be made.
    """
    group = parent / f"submission-{os.getpid()}-{next(_numbers)}"
    try:
        group.mkdir()
        (group / "memory.max").write_text(str(memory_mb * 2**20))
        (group / "pids.max").write_text(str(processes))
        with contextlib.suppress(OSError):  # not there where the kernel does not count swap
            (group / "memory.swap.max").write_text("0")
    except OSError as error:
        raise SandboxError(f"the control group {group} cannot be made: {error.strerror}") from error
    return group


def enter(group: Path, pid: int | None) -> None:
    """Move a process, with all that it will ever start, into a group.

    Raises:
        SandboxError: It cannot be moved.
    """
    try:
        (group / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        raise SandboxError(f"a submission cannot be moved into {group}: {error.strerror}") from error


def remove(group: Path) -> None:
    """End what is left in a group, and remove it."""
    with contextlib.suppress(OSError):
        (group / "cgroup.kill").write_text("1")
    for _ in range(200):
        with contextlib.suppress(OSError):
            group.rmdir()
        if not group.exists():
            return
        time.sleep(0.01)


def _own_group() -> Path | None:
    """The folder of the group (version 2) that this process is in, or None where none is mounted."""
    try:
        groups = Path("/proc/self/cgroup").read_text().splitlines()
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return None
    own = next((line[3:] for line in groups if line.startswith("0::")), None)
    for line in mounts:
        fields, _, kind = line.partition(" - ")
        if kind.startswith("cgroup2 ") and own is not None:
            root, place = fields.split()[3:5]
            if own.startswith(root):
                return Path(place, own.removeprefix(root).lstrip("/"))
    return None
