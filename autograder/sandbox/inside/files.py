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


def folders_of(sizes: Sizes) -> list[str]:
    """The folders that the files lie in, each before those in it."""
    found = set()
    for name, _ in sizes:
        parts = name.split("/")[:-1]
        found |= {"/".join(parts[: depth + 1]) for depth in range(len(parts))}
    return sorted(found)


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
    inodes = len(sizes) + len(folders_of(sizes)) + 2
    mount("tmpfs", _STAGE, "tmpfs", flags, f"size={pages * 4096},nr_inodes={inodes},mode=0755")
    write(bundle, sizes, _STAGE)
    mount(None, _STAGE, None, flags | MS_REMOUNT | MS_RDONLY)
    return os.open(_STAGE, os.O_RDONLY | os.O_DIRECTORY)


def show(staged: int, sizes: Sizes) -> None:
    """Mount each file into the working folder. What is mounted upon can be neither removed nor renamed.

    A folder that files lie in is mounted upon itself, and what a submission writes there stays its own.

    Raises:
        OSError: The kernel refuses.
    """
    if staged < 0:
        return
    working = os.getcwd()  # noqa: PTH109 - pathlib is not loaded here
    for folder in folders_of(sizes):
        os.mkdir(folder, 0o700)  # noqa: PTH102
        mount(f"{working}/{folder}", f"{working}/{folder}", None, MS_BIND)
    for name, _ in sizes:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o444))
    os.fchdir(staged)
    for name, _ in sizes:
        mount(name, f"{working}/{name}", None, MS_BIND)
    os.chdir(working)
    os.close(staged)


def link(sizes: Sizes, folder: str | None) -> None:
    """Link the files into the working folder from another, which cannot be written to; without another, do nothing."""
    if not folder:
        return
    for each in folders_of(sizes):
        with contextlib.suppress(FileExistsError):
            os.mkdir(each, 0o700)  # noqa: PTH102 - pathlib is not loaded here
    for name, _ in sizes:
        # One that is there already could not be removed, and leads to the same file.
        with contextlib.suppress(FileExistsError):
            os.symlink(f"{folder}/{name}", name)  # noqa: PTH211 - pathlib is not loaded here


def write(bundle: int, sizes: Sizes, folder: str) -> None:
    """Write the files into a folder, to be read only.

    Raises:
        OSError: There is no room.
    """
    at = 0
    for each in folders_of(sizes):
        os.mkdir(f"{folder}/{each}", 0o755)  # noqa: PTH102 - pathlib is not loaded here
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
