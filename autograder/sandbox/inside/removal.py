"""Removing what a submission has left, whatever it is: trees of any depth, locked folders, names of any bytes."""

from __future__ import annotations

import contextlib
import os
import stat


def empty(folder: str) -> None:
    """Remove all that is in a folder; what cannot be removed, such as a file that is mounted there, stays.

    A folder within a folder is moved to the top and emptied there, so that neither depth nor the length of a path has
    a bound. Nobody else may write to the folder meanwhile.
    """
    prefix, moved, stuck = os.urandom(8).hex(), 0, set[str]()
    while True:
        try:
            names = [name for name in os.listdir(folder) if name not in stuck]  # noqa: PTH208 - not loaded here
        except OSError:
            return
        if not names:
            return
        for name in names:
            path = f"{folder}/{name}"
            with contextlib.suppress(OSError):
                if not _unlinked(path):
                    for inner in os.listdir(path):  # noqa: PTH208
                        with contextlib.suppress(OSError):
                            if not _unlinked(f"{path}/{inner}"):
                                moved += 1
                                os.rename(f"{path}/{inner}", f"{folder}/{prefix}-{moved}")  # noqa: PTH104
                    os.rmdir(path)  # noqa: PTH106
                continue
            stuck.add(name)


def _unlinked(path: str) -> bool:
    """Whether the path was no folder and is gone; a folder is unlocked instead."""
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        os.unlink(path)  # noqa: PTH108
        return True
    os.chmod(path, 0o700)  # noqa: PTH101
    return False
