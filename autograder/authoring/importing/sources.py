"""A path that somebody names → the assignments that lie there, with what nbgrader knows of their due dates."""

from __future__ import annotations

import ast
import contextlib
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from autograder.authoring.importing.otter_blocks import is_otter
from autograder.authoring.importing.reading import (
    MAX_FILE,
    SourceNotebook,
    files_in,
    mistake,
    read_bytes,
    read_notebook,
    refuse_links_above,
)
from autograder.base import ConfigError, shown
from autograder.submission import parsed

Form = Literal["nbgrader", "otter"]

_STEPS = 2_000_000
"""Steps of SQLite's machine that reading the due dates may take: a view may ask for more than there is time for."""
_MOST_ROWS = 1_000
_MAX_CONFIG = 2**20
_LONGEST_PATH = 1_000


@dataclass(frozen=True)
class Source:
    """An assignment that is imported.

    Attributes:
        name: What it is to be called.
        form: Whose master it is.
        folder: The folder that its files lie in.
        notebooks: Its masters.
        files: What is released along with them.
        due: When it is due, aware; None where nobody says.
        due_from: The file that says so; empty where none does.
        notes: What could not be read around it.
    """

    name: str
    form: Form
    folder: Path
    notebooks: tuple[SourceNotebook, ...]
    files: tuple[Path, ...]
    due: datetime | None = None
    due_from: str = ""
    notes: tuple[str, ...] = ()


def find_sources(path: Path, form: Form | None = None, name: str = "") -> tuple[Source, ...]:
    """The assignments at a path: of an nbgrader course's folder, an assignment's folder, or one master notebook.

    Args:
        path: The folder or the notebook.
        form: Whose it is, where somebody says so; otherwise a notebook with otter-assign's cells is Otter's.
        name: What to call the assignment; otherwise as its folder, or its notebook.

    Raises:
        ConfigError: There is none, several are to have one name, or a file cannot be read.
    """
    if path.is_symlink() or not path.is_dir():
        if not path.is_symlink() and not path.exists():
            raise ConfigError(f"there is no {path}")
        return (_of_notebook(path, form, name),)
    masters = path / "source"
    if not masters.is_dir():
        return (_of_folder(path, form, name),)
    folders = sorted(each for each in masters.iterdir() if each.is_dir() and not each.name.startswith("."))
    for each in folders:
        if each.is_symlink():
            raise mistake(each, "is a link; put the folder itself in its place, or name it by itself")
    if not folders:
        raise ConfigError(f"{masters} holds no assignment's folder")
    if name and len(folders) > 1:
        names = ", ".join(each.name for each in folders)
        raise ConfigError(f"{path} has several assignments ({names}), so a --name is for one of their folders alone")
    return tuple(_of_folder(each, form, name) for each in folders)


def _of_notebook(path: Path, form: Form | None, name: str) -> Source:
    if path.suffix != ".ipynb" and not path.is_symlink():
        raise mistake(path, "expected a folder, or a notebook (.ipynb)")
    notebook = read_notebook(path)
    kind: Form = form or ("otter" if is_otter(notebook.cells) else "nbgrader")
    in_course = path.parent.parent.name == "source"
    called = name or (path.parent.name if in_course and kind == "nbgrader" else path.stem)
    due = _due(path.parent, path.parent.name) if in_course and kind == "nbgrader" else _Due()
    beside = _named(path.parent, notebook) if kind == "nbgrader" else ()
    return Source(called, kind, path.parent, (notebook,), beside, due.when, due.file, due.notes)


def _of_folder(folder: Path, form: Form | None, name: str) -> Source:
    if form == "otter":
        raise mistake(folder, "expected one master of otter-assign's: name the notebook itself")
    files = files_in(folder)
    masters = [each for each in files if each.parent == folder and each.suffix == ".ipynb"]
    if not masters:
        raise mistake(folder, "holds no notebook")
    notebooks = tuple(map(read_notebook, masters))
    for each in notebooks:
        if is_otter(each.cells):
            raise mistake(each.path, "is a master of otter-assign's: import it by its own path")
    due = _due(folder, folder.name)
    others = tuple(each for each in files if each not in masters)
    return Source(name or folder.name, "nbgrader", folder, notebooks, others, due.when, due.file, due.notes)


def _named(folder: Path, notebook: SourceNotebook) -> tuple[Path, ...]:
    """The files beside a notebook, and in folders beside it, that its cells name; notebooks are masters of others.

    Where the code names a folder, those are all that are in it. What a Python file among them names counts as well.
    """
    codes = [cell.source for cell in notebook.cells if cell.kind == "code"]
    texts = [cell.source for cell in notebook.cells]
    found: dict[Path, None] = {}
    while True:
        more = [path for path in _named_in(folder, texts, codes) if path not in found]
        if not more:
            return tuple(sorted(found))
        found |= dict.fromkeys(more)
        codes = [read_bytes(path, MAX_FILE).decode("utf-8", "replace") for path in more if path.suffix == ".py"]
        texts = codes


def _named_in(folder: Path, texts: Iterable[str], codes: Sequence[str]) -> Iterator[Path]:
    words = {word for text in texts for word in re.findall(r"[\w][\w./-]*", text)}
    modules = {word.partition(".")[0] for word in words}
    strings = [text for code in codes for text in _strings(code)]
    with contextlib.suppress(OSError):
        for each in sorted(folder.iterdir()):
            if each.name.startswith(".") or each.suffix == ".ipynb":
                continue
            is_module = each.suffix == ".py" and each.stem in modules and _imports(codes, each.stem)
            if each.is_dir() and not each.is_symlink():
                paths = {word for word in words if word.startswith(f"{each.name}/")}
                for word in sorted(paths):
                    if ".." not in word and (folder / word).is_file():
                        refuse_links_above(folder, folder / word)
                        yield folder / word
                is_package = _imports(codes, each.name)
                if is_package or any(_is_below(text, each) and not (folder / text).is_file() for text in strings):
                    # One that holds too much, or what is no file, is left as it is.
                    with contextlib.suppress(ConfigError):
                        yield from (path for path in files_in(each) if path.suffix == ".py" or not is_package)
            elif each.name in words or is_module:
                if each.is_symlink() or not each.is_file():
                    read_bytes(each, 0)  # which says what it is
                yield each


def _strings(code: str) -> Iterator[str]:
    """The texts in a cell's or a file's code that may be paths, as they are seen from the notebook."""
    for node in ast.walk(parsed(code) or ast.Module([], [])):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and len(text) < _LONGEST_PATH and "\0" not in text:
            yield text.removeprefix("./")


def _is_below(text: str, folder: Path) -> bool:
    return text == folder.name or text.startswith(f"{folder.name}/")


def _imports(codes: Iterable[str], module: str) -> bool:
    pattern = re.compile(rf"^\s*(import|from)\b.*\b{re.escape(module)}\b", re.MULTILINE)
    return any(pattern.search(code) for code in codes)


# Due dates


@dataclass(frozen=True)
class _Due:
    when: datetime | None = None
    file: str = ""
    notes: tuple[str, ...] = ()


def _due(folder: Path, name: str) -> _Due:
    """The due date of an assignment of an nbgrader course, by its gradebook or its configuration."""
    if folder.parent.name != "source":
        return _Due()
    course = folder.parent.parent
    notes: list[str] = []
    for file, read in (("gradebook.db", _in_gradebook), ("nbgrader_config.py", _in_configuration)):
        path = course / file
        if not path.is_symlink() and not path.is_file():
            continue
        try:
            said = read(path).get(name)
        except ConfigError as error:
            notes.append(f"no due date could be read: {error}")
            continue
        when = None if said is None else _time(said)
        if when is not None:
            return _Due(when, file, tuple(notes))
        if said is not None:
            notes.append(f"{path}: the due date {shown(said)} cannot be read; say `due` in gradebook_config.yaml")
    return _Due(notes=tuple(notes))


def _in_gradebook(path: Path) -> dict[str, str]:
    """The due dates in nbgrader's gradebook, by assignment: opened to be read, and for a bounded time."""
    if path.is_symlink():
        read_bytes(path, 0)  # which says that it is one
    with path.open("rb") as file:
        beginning = file.read(16)
    if not beginning.startswith(b"SQLite format 3\0"):
        raise mistake(path, "is no SQLite file")
    address = f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
    found: dict[str, str] = {}
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema=OFF")
            connection.set_progress_handler(lambda: 1, _STEPS)
            rows = connection.execute("SELECT name, duedate FROM assignment LIMIT ?", (_MOST_ROWS,))
            for name, due in rows:
                if isinstance(name, str) and isinstance(due, str):
                    found[name] = due
    except sqlite3.Error as error:
        raise mistake(path, f"is no gradebook that can be read: {error}") from error
    return found


def _in_configuration(path: Path) -> dict[str, str]:
    """The due dates that nbgrader's configuration writes down, by assignment: read as text, never run."""
    try:
        tree = ast.parse(read_bytes(path, _MAX_CONFIG))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise mistake(path, f"is no Python: {error}") from error
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Attribute(attr="db_assignments")], value=ast.List(elts=entries)):
                for entry in entries:
                    said = _constants(entry)
                    if isinstance(said.get("name"), str) and isinstance(said.get("duedate"), str):
                        found[said["name"]] = said["duedate"]
    return found


def _constants(entry: ast.expr) -> dict[str, str]:
    """What a ``dict(…)`` or ``{…}`` says in plain texts."""
    match entry:
        case ast.Call(func=ast.Name(id="dict"), keywords=keywords):
            pairs: list[tuple[Any, ast.expr]] = [(each.arg, each.value) for each in keywords]
        case ast.Dict(keys=keys, values=values):
            names = [key.value if isinstance(key, ast.Constant) else None for key in keys]
            pairs = list(zip(names, values, strict=True))
        case _:
            return {}
    return {
        key: value.value
        for key, value in pairs
        if isinstance(key, str) and isinstance(value, ast.Constant) and isinstance(value.value, str)
    }


def _time(text: str) -> datetime | None:
    """A time as nbgrader writes it: in UTC where it does not say otherwise. None where it is none."""
    bare = re.sub(r"\s*(UTC|Z)$", "", text.strip())
    try:
        when = datetime.fromisoformat(bare)
        aware = when.replace(tzinfo=UTC) if when.tzinfo is None else when
        return aware if 1970 <= aware.astimezone(UTC).year <= 2200 else None
    except (ValueError, OverflowError):
        return None
