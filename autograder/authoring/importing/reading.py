"""What lies in somebody else's folder, read as data: bounded, no link followed, nothing run.

Every error here is a ``ConfigError`` that names the file, and where it can the cell and the line.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.base import ConfigError, RefusedError, SubmissionError, printable
from autograder.course import cells_in, notebook_in
from autograder.submission import read_regular

MAX_NOTEBOOK = 20 * 2**20
"""Bytes of a notebook: as many as a submission may have where a course does not say otherwise."""

MAX_FILE = 32 * 2**20
"""Bytes of a file beside a notebook: as many as a submission may write where a course does not say otherwise."""

MAX_FILES = 500
"""Files of an assignment's folder."""

MAX_IN_ALL = 200 * 2**20
"""Bytes of all files of an assignment's folder."""


@dataclass(frozen=True)
class NotConverted:
    """A line of what was imported that has no counterpart here, or another one than it asks for.

    Attributes:
        cell: The cell's number in the notebook, from 1; 0 where it is about the notebook.
        line: The line in the cell, from 1; 0 where it is about the whole cell.
        source: The line as it stands there.
        why: What became of it.
    """

    cell: int
    line: int
    source: str
    why: str

    @property
    def place(self) -> str:
        """Where it stands: the cell and the line."""
        parts = (f"cell {self.cell}" if self.cell else "", f"line {self.line}" if self.line else "")
        return ", ".join(filter(None, parts))


@dataclass(frozen=True)
class SourceCell:
    """A cell of a notebook that is imported.

    Attributes:
        number: Its place in the notebook, from 1.
        kind: ``code``, ``markdown`` or ``raw``.
        source: Its text.
        shown: The text that its saved outputs show, as a doctest would have it.
        tags: Its tags.
        attachments: The pictures in it, by name, as nbformat has them.
    """

    number: int
    kind: str
    source: str
    shown: str = ""
    tags: tuple[str, ...] = ()
    attachments: dict[str, dict[str, str]] | None = None


@dataclass(frozen=True)
class SourceNotebook:
    """A notebook that is imported.

    Attributes:
        path: Its file.
        cells: Its cells.
        language: The language of its kernel, in small letters; empty where it does not say.
        notes: What could not be read as it stands there.
    """

    path: Path
    cells: tuple[SourceCell, ...]
    language: str = ""
    notes: tuple[str, ...] = ()


def mistake(path: Path, text: str, *, cell: int = 0, line: int = 0) -> ConfigError:
    """The error for a place in a file."""
    place = ", ".join(filter(None, [f"cell {cell}" if cell else "", f"line {line}" if line else ""]))
    return ConfigError(f"{printable(str(path))}{f', {place}' if place else ''}: {text}")


def read_bytes(path: Path, limit: int) -> bytes:
    """The bytes of a regular file.

    Raises:
        ConfigError: It is a link, a pipe, a device or a folder, cannot be opened, or has more bytes than the limit.
    """
    try:
        content, size = read_regular(path, limit)
    except RefusedError as error:
        said = str(error).partition("; it is not graded")[0]
        raise ConfigError(f"{said}; it is not imported: put a copy of the file in its place") from error
    if size > limit:
        way_out = "clear its outputs" if path.suffix == ".ipynb" else "leave it out"
        raise mistake(path, f"has {size / 2**20:.1f} MB; the most is {limit / 2**20:.0f} MB: {way_out}")
    return content


def refuse_links_above(folder: Path, path: Path) -> None:
    """Refuse a file below a folder that is reached through a link.

    Raises:
        ConfigError: A folder on the way is a link.
    """
    for above in path.relative_to(folder).parents:
        if above.name and (folder / above).is_symlink():
            raise mistake(folder / above, "is a link; it is not imported: put the folder itself in its place")


def read_notebook(path: Path) -> SourceNotebook:
    """A notebook, whatever is in it.

    Raises:
        ConfigError: It cannot be read, or is no notebook of format 3 or 4.
    """
    notes: list[str] = []
    try:
        tree = notebook_in(read_bytes(path, MAX_NOTEBOOK), notes)
        cells = cells_in(tree, notes)
    except SubmissionError as error:
        # What is said there is said to a student.
        said = str(error).replace(" and submit it again", "").replace(" Submit the .ipynb file itself.", "")
        raise mistake(path, said.rstrip(".")) from error
    listed = tree.get("cells")
    trees = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    if len(trees) != len(cells):
        trees = [{}] * len(cells)
    found = tuple(
        SourceCell(number, cell.kind, cell.source, _shown(cell.outputs), _tags(raw), cell.attachments)
        for number, (cell, raw) in enumerate(zip(cells, trees, strict=True), 1)
    )
    return SourceNotebook(path, found, _language(tree), tuple(notes))


def files_in(folder: Path) -> tuple[Path, ...]:
    """The files that nbgrader would release along with a folder's notebooks, the notebooks included, sorted.

    Raises:
        ConfigError: Something among them is a link, a pipe or a device, or they are too many or too large.
    """
    found: list[Path] = []
    in_all = 0
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as problem:
            raise mistake(here, f"cannot be read: {problem.strerror}") from problem
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "__pycache__" or entry.name.endswith(".pyc"):
                continue
            path = Path(entry.path)
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                waiting.append(path)
                continue
            if not stat.S_ISREG(status.st_mode):
                read_bytes(path, 0)  # says what it is
            most = MAX_NOTEBOOK if path.suffix == ".ipynb" else MAX_FILE
            if status.st_size > most:
                read_bytes(path, most)
            in_all += status.st_size
            found.append(path)
            if len(found) > MAX_FILES or in_all > MAX_IN_ALL:
                many = f"{MAX_FILES} files" if len(found) > MAX_FILES else f"{MAX_IN_ALL / 2**20:.0f} MB"
                raise mistake(folder, f"holds more than {many}; leave out what students need not have")
    return tuple(sorted(found))


def _language(tree: dict[str, Any]) -> str:
    metadata = tree.get("metadata")
    for key, inner in (("kernelspec", "language"), ("language_info", "name")):
        section = metadata.get(key) if isinstance(metadata, dict) else None
        said = section.get(inner) if isinstance(section, dict) else None
        if isinstance(said, str) and said:
            return said.lower()
    return ""


def _tags(tree: dict[str, Any]) -> tuple[str, ...]:
    metadata = tree.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return tuple(each for each in tags if isinstance(each, str)) if isinstance(tags, list) else ()


def _shown(outputs: list[Any] | None) -> str:
    """What saved outputs come to as text, one after the other: what is printed, and the text of a value."""
    found = ""
    for output in outputs or ():
        if not isinstance(output, dict):
            continue
        data = output.get("data")
        for text in (output.get("text"), data.get("text/plain") if isinstance(data, dict) else None):
            if isinstance(text, list):
                found += "".join(each for each in text if isinstance(each, str))
            elif isinstance(text, str):
                found += text
    return found
