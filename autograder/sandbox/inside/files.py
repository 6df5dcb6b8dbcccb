"""Puts the files that a submission may read into its working folder, where it can neither change nor replace them.

They come as one descriptor that holds their bytes, one file after the other, and their names and sizes.
"""

from __future__ import annotations

import contextlib
import os
import sys

from .confine import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, mount

MS_REMOUNT, MS_BIND = 0x20, 0x1000
_STAGE = "/dev/shm"
_PIECE = 2**20

Sizes = list[tuple[str, int]]


def stage(bundle: int, sizes: Sizes) -> int:
    """Write the files into a small file system of their own and make that read-only.

    It lies where ``confine.private_mounts`` puts another on top, so that only the descriptor leads to it.

    Returns:
        A descriptor of the folder, or -1 where there are no files.

    Raises:
        OSError: The kernel refuses.
    """
    if not sizes:
        return -1
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    pages = sum(size // 4096 + 2 for _, size in sizes)
    mount("tmpfs", _STAGE, "tmpfs", flags, f"size={pages * 4096},nr_inodes={len(sizes) + 2},mode=0755")
    write(bundle, sizes, _STAGE)
    mount(None, _STAGE, None, flags | MS_REMOUNT | MS_RDONLY)
    return os.open(_STAGE, os.O_RDONLY | os.O_DIRECTORY)


def show(staged: int, sizes: Sizes) -> None:
    """Mount each file into the working folder. What is mounted upon can be neither removed nor renamed.

    Raises:
        OSError: The kernel refuses.
    """
    if staged < 0:
        return
    working = os.getcwd()  # noqa: PTH109 - pathlib is not loaded here
    for name, _ in sizes:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o444))
    os.fchdir(staged)
    for name, _ in sizes:
        mount(name, f"{working}/{name}", None, MS_BIND)
    os.chdir(working)
    os.close(staged)


def link(sizes: Sizes, folder: str | None) -> None:
    """Link the files into the working folder from another, which cannot be written to; without another, do nothing."""
    for name, _ in sizes if folder else ():
        # One that is there already could not be removed, and leads to the same file.
        with contextlib.suppress(FileExistsError):
            os.symlink(f"{folder}/{name}", name)  # noqa: PTH211 - pathlib is not loaded here


def write(bundle: int, sizes: Sizes, folder: str) -> None:
    """Write the files into a folder, to be read only.

    Raises:
        OSError: There is no room.
    """
    at = 0
    for name, size in sizes:
        descriptor = os.open(f"{folder}/{name}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o444)
        end = at + size
        while at < end:
            piece = os.pread(bundle, min(_PIECE, end - at), at)
            if not piece:
                raise OSError(f"the bytes of {name} end too early")
            view = memoryview(piece)
            while view:
                view = view[os.write(descriptor, view) :]
            at += len(piece)
        os.close(descriptor)


def importable(sizes: Sizes) -> None:
    """Let Python files be imported: the working folder comes last, so that nothing in it shadows a library."""
    if any(name.endswith(".py") for name, _ in sizes):
        working = os.getcwd()  # noqa: PTH109 - pathlib is not loaded here
        sys.path_importer_cache.pop(working, None)
        sys.path.append(working)
