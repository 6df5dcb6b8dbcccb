"""What a submission's folders hold after its notebook, kept so that each row finds the same.

It runs in the keeper, in which no student's code runs, while nothing of the submission's writes there.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import NamedTuple

from .removal import empty

MOST = 10_000
DEEPEST = 100
"""Folders in folders: with each, its path takes longer to follow."""


class Entry(NamedTuple):
    """A file, a folder, a link or a pipe: its path, its status, and its bytes or where it leads."""

    path: str
    mode: int
    inode: int
    size: int
    changed: int
    modified: int
    content: bytes


def entries(folders: tuple[str, ...]) -> list[Entry]:
    """What lies in the folders, each folder before what it holds; what cannot be read counts as empty."""
    return [
        Entry(path, found.st_mode, found.st_ino, found.st_size, found.st_ctime_ns, found.st_mtime_ns, _content(path))
        for path, found in _walk(folders)
    ]


def is_whole(kept: list[Entry]) -> bool:
    """Whether all that lies there was looked at: neither too many files nor too deep ones."""
    return len(kept) < MOST and not any(each.path.count("/") >= DEEPEST and stat.S_ISDIR(each.mode) for each in kept)


def differs(kept: list[Entry], folders: tuple[str, ...]) -> bool:
    """Whether anything was made, removed or changed. The kernel sets the time of a change, and nobody else can."""
    now = [(path, each.st_mode, each.st_ino, each.st_size, each.st_ctime_ns) for path, each in _walk(folders)]
    return now != [(each.path, each.mode, each.inode, each.size, each.changed) for each in kept]


def restore(kept: list[Entry], folders: tuple[str, ...]) -> None:
    """Make the folders hold what was kept, and nothing else. Files that are mounted there stay as they are.

    What was kept is then known by its new inodes and times.
    """
    for folder in folders:
        empty(folder)
    for each in kept:
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(each.mode):
                os.mkdir(each.path, 0o700)  # noqa: PTH102 - pathlib is not loaded here
            elif stat.S_ISLNK(each.mode):
                os.symlink(os.fsdecode(each.content), each.path)  # noqa: PTH211
            elif stat.S_ISFIFO(each.mode):
                os.mkfifo(each.path, 0o600)
            elif stat.S_ISREG(each.mode):
                written = os.open(each.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
                try:
                    view = memoryview(each.content)
                    while view:
                        view = view[os.write(written, view) :]
                finally:
                    os.close(written)
    for each in reversed(kept):
        with contextlib.suppress(OSError):
            if not stat.S_ISLNK(each.mode):
                os.chmod(each.path, stat.S_IMODE(each.mode))  # noqa: PTH101
            os.utime(each.path, ns=(each.modified, each.modified), follow_symlinks=False)
    contents = {each.path: each.content for each in kept}
    kept[:] = [
        Entry(path, now.st_mode, now.st_ino, now.st_size, now.st_ctime_ns, now.st_mtime_ns, contents.get(path, b""))
        for path, now in _walk(folders)
    ]


def _walk(folders: tuple[str, ...]) -> list[tuple[str, os.stat_result]]:
    found: list[tuple[str, os.stat_result]] = []
    waiting = list(reversed(folders))
    while waiting and len(found) < MOST:
        folder = waiting.pop()
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(folder)):  # noqa: PTH208
                path = f"{folder}/{name}"
                status = os.lstat(path)
                found.append((path, status))
                if stat.S_ISDIR(status.st_mode) and path.count("/") < DEEPEST:
                    waiting.append(path)
    return found


def _content(path: str) -> bytes:
    with contextlib.suppress(OSError):
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            return os.fsencode(os.readlink(path))  # noqa: PTH115
        if stat.S_ISREG(mode):
            opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                pieces = []
                while piece := os.read(opened, 2**20):
                    pieces.append(piece)
                return b"".join(pieces)
            finally:
                os.close(opened)
    return b""
