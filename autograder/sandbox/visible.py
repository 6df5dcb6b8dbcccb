"""What a submission can see, built up from nothing: this Python, its standard library, and allowed distributions."""

from __future__ import annotations

import csv
import functools
import importlib.metadata
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from autograder.base import SandboxError

NEEDED = ("ipython", "numpy")
"""What the code inside needs by itself, whatever a course allows."""


def standard_library() -> list[str]:
    """The folders of the standard library, for ``sys.path``."""
    stdlib = sysconfig.get_path("stdlib")
    return [stdlib, f"{stdlib}/lib-dynload"]


def interpreter() -> Iterator[Path]:
    """The interpreter, its standard library and the shared libraries that both need."""
    yield Path(os.path.realpath(sys.executable))
    yield Path(sysconfig.get_path("stdlib"))
    library = Path(sysconfig.get_config_var("LIBDIR") or "/", sysconfig.get_config_var("INSTSONAME") or "")
    if library.is_file() and library.suffix != ".a":
        yield library
    triple = sysconfig.get_config_var("MULTIARCH") or ""
    for folder in (f"/usr/lib/{triple}", "/usr/lib64"):
        if triple and Path(folder).is_dir():
            yield Path(folder)
    for folder in (f"/lib/{triple}", "/lib64", "/lib/ld-linux-aarch64.so.1"):
        if triple and Path(folder).exists() and not Path(folder).parent.is_symlink() and not Path(folder).is_symlink():
            yield Path(folder)


def library_links() -> Iterator[tuple[str, str]]:
    """Folders of shared libraries that are links on this machine, each with where it leads."""
    for folder in ("/lib", "/lib64"):
        if Path(folder).is_symlink():
            yield folder, str(Path(folder).readlink())


@functools.cache
def site_entries(allowed: tuple[str, ...]) -> dict[str, Path]:
    """The files and folders of the allowed distributions and of all that these need.

    Returns:
        Paths outside, by their place below the site folder inside.

    Raises:
        SandboxError: An allowed distribution is not installed.
    """
    entries: dict[str, Path] = {}
    for distribution in _closure((*NEEDED, *allowed)):
        entries.update(_entries(distribution))
    return entries


def _closure(names: Iterable[str]) -> Iterator[importlib.metadata.Distribution]:
    """The distributions of these names and, through their requirements, of all that they need."""
    seen: set[str] = set()
    waiting = [(name, True) for name in names]
    while waiting:
        name, asked = waiting.pop()
        name = name.lower().replace("_", "-").replace(".", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if asked:
                raise SandboxError(
                    f"allowed_imports names {name!r}, which is not installed here: `pip install {name}`, or take it "
                    "out of gradebook_config.yaml."
                ) from None
            continue
        yield distribution
        for text in distribution.requires or ():
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                continue
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append((requirement.name, False))


def _entries(distribution: importlib.metadata.Distribution) -> dict[str, Path]:
    """A distribution's own files: whole folders where a folder is its own, single files where it is shared."""
    entries: dict[str, Path] = {}
    for file in _files(distribution):
        first = file.partition("/")[0] or "/"
        if first in entries or first in ("..", "__pycache__") or file.endswith(".pth"):
            continue
        path = Path(str(distribution.locate_file(first)))
        whole = path.is_file() or (path / "__init__.py").exists() or path.suffix in (".libs", ".dist-info")
        if not whole:
            first = file
            path = Path(str(distribution.locate_file(file)))
        if path.exists():
            entries[first] = path
    return entries


def _files(distribution: importlib.metadata.Distribution) -> Iterable[str]:
    """The paths of a distribution's files. A wheel's record is read as it is: an object for each path takes longer."""
    record = distribution.read_text("RECORD")
    if record is None:
        return map(str, distribution.files or ())
    return (row[0] for row in csv.reader(record.splitlines()) if row)
