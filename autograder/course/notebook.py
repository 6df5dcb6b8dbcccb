"""Notebook files: bytes → cells, whatever the bytes are; and a notebook → the text of its file.

What a message here says is for the student whose file it is.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

from autograder.base import MAX_PIXELS, MAX_PIXELS_IN_ALL, SubmissionError, pixels_of

MAX_CELLS = 2_000
"""More cells than anybody writes; each costs time and memory before a single one runs."""

MAX_BRACKETS = 1_000_000
"""Lists and objects in a file: parsed, each takes some 60 bytes, so 20 MB of ``[],`` would take 500 MB."""

_ENCODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.MULTILINE)
"""How a script says in which encoding it is: PEP 263."""

_ENCODINGS = frozenset(
    {
        *("latin-1", "latin1", "iso-8859-1", "iso8859-1", "iso-8859-2", "iso-8859-15", "ascii", "us-ascii"),
        *("cp1250", "cp1251", "cp1252", "windows-1250", "windows-1251", "windows-1252", "koi8-r", "mac-roman"),
        *("gbk", "gb2312", "gb18030", "big5", "shift-jis", "euc-jp", "euc-kr"),
    }
)
"""Those that people write in, besides UTF-8."""

_SAVE_AGAIN = "Open it in Jupyter, save it again and submit it again."
_CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)
_OTHER_FILES = (
    (b"pk\x03\x04", "a zip file"),
    (b"%pdf", "a PDF"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"\x89png", "a picture"),
)
_PICTURES = f"a picture may have {MAX_PIXELS // 10**6} million pixels, and all together {MAX_PIXELS_IN_ALL // 10**6}"
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")


@dataclass
class Cell:
    """What is taken of a cell, and nothing else."""

    kind: str
    source: str
    grade_id: str = ""
    marked: bool = False
    id: str = ""
    attachments: dict[str, dict[str, str]] | None = None
    outputs: list[Any] | None = None
    pictured: bool = False
    """Whether anything is attached to it, kept or not."""


@dataclass
class _Room:
    """What a notebook may still have."""

    pixels: int = MAX_PIXELS_IN_ALL


def notebook_in(content: bytes, notes: list[str]) -> dict[str, Any]:
    """The JSON object in the bytes.

    Raises:
        SubmissionError: There is none; the text is for the student.
    """
    _require_text(content, "a notebook", ".ipynb")
    text = _decoded(content, notes)
    if text.count("[") + text.count("{") > MAX_BRACKETS:
        raise SubmissionError(f"The file is far too complex for a notebook. Clear its outputs. {_SAVE_AGAIN}")
    try:
        # Whole numbers as floats: Python refuses an int of thousands of digits, and none is needed here.
        tree = json.loads(text, parse_int=float)
    except json.JSONDecodeError as problem:
        raise SubmissionError(_not_json(text, problem)) from problem
    except RecursionError as problem:
        raise SubmissionError(f"The file is not a notebook: it is nested too deeply. {_SAVE_AGAIN}") from problem
    if not isinstance(tree, dict):
        raise SubmissionError(f"The file is not a notebook: it holds other data. {_SAVE_AGAIN}")
    return tree


def text_in(content: bytes, notes: list[str]) -> str:
    """The text of a script, with plain line ends.

    Raises:
        SubmissionError: There is none; the text is for the student.
    """
    _require_text(content, "a Python script", ".py")
    said = _ENCODING.search(b"\n".join(content.split(b"\n", 2)[:2]))
    encoding = said[1].decode("ascii").lower().replace("_", "-") if said else ""
    text = content.decode(encoding, "replace") if encoding in _ENCODINGS else _decoded(content, notes)
    return _clean(text, notes)


def _require_text(content: bytes, what: str, ending: str) -> None:
    if not content.strip():
        raise SubmissionError(f"The file is empty. {_SAVE_AGAIN}")
    beginning = content[:100].lstrip().lower()
    for start, other in _OTHER_FILES:
        if beginning.startswith(start):
            raise SubmissionError(f"The file is {other}, not {what}. Submit the {ending} file itself.")


def cells_in(tree: dict[str, Any], notes: list[str]) -> list[Cell]:
    """The notebook's cells, each reduced to what can be taken from it.

    Raises:
        SubmissionError: It has none that can be found; the text is for the student.
    """
    version = tree.get("nbformat")
    cells = tree.get("cells")
    if version == 3 and isinstance(tree.get("worksheets"), list):
        sheets = [sheet.get("cells") for sheet in tree["worksheets"] if isinstance(sheet, dict)]
        cells = [_from_format_3(cell) for sheet in sheets if isinstance(sheet, list) for cell in sheet]
        notes.append("The notebook was saved in the old format 3; it was converted.")
    elif isinstance(version, float) and version != 4:
        raise SubmissionError(f"The file is in the notebook format {version:g}; expected 4. {_SAVE_AGAIN}")
    if not isinstance(cells, list):
        raise SubmissionError(f"The file is not a notebook: it has no list of cells. {_SAVE_AGAIN}")
    if len(cells) > MAX_CELLS:
        raise SubmissionError(f"The notebook has {len(cells)} cells; the most is {MAX_CELLS}. {_SAVE_AGAIN}")
    if any(not isinstance(cell, dict) for cell in cells):
        notes.append("Some of what stands among the cells is no cell; it was left out.")
    room = _Room()
    return [_cell(cell, notes, room) for cell in cells if isinstance(cell, dict)]


def notebook_text(notebook: dict[str, Any]) -> str:
    """A notebook as the text of its file, to the byte as nbformat writes it, which takes a second to import."""
    cells = []
    for cell in notebook["cells"]:
        outputs = [
            output | {key: _split(output[key]) for key in ("text", "data") if key in output}
            for output in cell.get("outputs", [])
        ]
        cells.append(cell | {"source": _split(cell["source"])} | ({"outputs": outputs} if "outputs" in cell else {}))
    tree = notebook | {"cells": cells}
    return json.dumps(tree, ensure_ascii=False, indent=1, sort_keys=True, separators=(",", ": ")) + "\n"


def joined(text: Any) -> str:
    """A text, which the format has as it is or as a list of its lines."""
    return "".join(text) if isinstance(text, list) else str(text)


def _decoded(content: bytes, notes: list[str]) -> str:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode(encoding, "replace")
        notes.append("The file is not UTF-8 throughout; what could not be read is shown as �.")
    return text


def _not_json(text: str, problem: json.JSONDecodeError) -> str:
    """Why the text is no notebook, for the student."""
    if re.search(r"^(<{7}|>{7}) ", text, re.MULTILINE):
        return "The file holds an unresolved Git merge (<<<<<<<). Resolve it, save it and submit it again."
    if problem.pos >= len(text.rstrip()) or problem.msg.startswith("Unterminated string"):
        last = text.rstrip().count("\n") + 1
        return f"The file ends too early, in line {last}, as if it was only saved in part. {_SAVE_AGAIN}"
    return f"The file is not a notebook: line {problem.lineno} cannot be read ({problem.msg}). {_SAVE_AGAIN}"


def _from_format_3(cell: Any) -> Any:
    """A cell of notebook format 3 in the terms of format 4."""
    if not isinstance(cell, dict):
        return cell
    kind = cell.get("cell_type")
    if kind == "code":
        return cell | {"source": cell.get("input", "")}
    if kind == "heading":
        level = cell.get("level")
        marks = "#" * min(6, max(1, int(level))) if isinstance(level, float) and abs(level) < 10 else "#"
        return cell | {"cell_type": "markdown", "source": [f"{marks} ", _lines(cell.get("source"))]}
    return cell | {"cell_type": "markdown"} if kind == "html" else cell


def _cell(tree: dict[str, Any], notes: list[str], room: _Room) -> Cell:
    kind = tree.get("cell_type")
    if kind not in ("code", "markdown", "raw"):
        kind = "code" if "outputs" in tree or "execution_count" in tree else "raw"
        notes.append("Some cells were of no known type; they were taken for code where they had outputs.")
    source = tree.get("source")
    if not isinstance(source, str | list):
        notes.append("Some cells had no text that could be read; they were taken as empty.")
    metadata = tree.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = marks.get("grade_id") if isinstance(marks, dict) else None
    identity = tree.get("id")
    if identity is None and isinstance(metadata, dict):
        identity = metadata.get("id")  # where Colab keeps it
    attached = tree.get("attachments")
    return Cell(
        kind=kind,
        source=_clean(_lines(source), notes),
        grade_id=grade_id if isinstance(grade_id, str) else "",
        marked=marks is not None,
        id=identity if isinstance(identity, str) and _CELL_ID.fullmatch(identity) else "",
        attachments=None if kind == "code" else _attachments(attached, notes, room),
        pictured=isinstance(attached, dict) and bool(attached),
        outputs=outputs if isinstance(outputs := tree.get("outputs"), list) else None,
    )


def _lines(source: Any) -> str:
    """The source of a cell, which the format has as text or as a list of lines."""
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def _clean(text: str, notes: list[str]) -> str:
    """The text with plain line ends, and without what no file and no parser of Python takes."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text or not text.isascii():
        # Halves of a surrogate pair written apart belong together; a lone one stands for no character.
        cleaned = text.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if cleaned != text:
            notes.append("Some characters in the notebook are no text; they were replaced.")
        return cleaned
    return text


def _attachments(tree: Any, notes: list[str], room: _Room) -> dict[str, dict[str, str]] | None:
    """The pictures attached to a text cell, as far as they are encoded ones that a browser can show."""
    if not isinstance(tree, dict):
        return None
    kept: dict[str, dict[str, str]] = {}
    for name, bundle in tree.items():
        if not isinstance(bundle, dict):
            continue
        pictures = {}
        for kind in _IMAGES:
            text = _lines(bundle.get(kind))
            try:
                picture = base64.b64decode("".join(text.split()), validate=True)
            except (binascii.Error, ValueError):
                continue
            pixels = pixels_of(picture)
            if pixels > min(MAX_PIXELS, room.pixels):
                notes.append(f"A picture in the notebook was left out: {_PICTURES}.")
            elif picture and text.isascii():
                room.pixels -= pixels
                pictures[kind] = text
        if pictures:
            kept[_clean(name, [])] = pictures
    return kept or None


def _split(text: Any) -> Any:
    """Text as a list of its lines, and so each text of a MIME bundle; pictures as they are."""
    if isinstance(text, dict):
        lines = ("text/", "image/svg+xml", "application/javascript")
        return {mime: _split(value) if mime.startswith(lines) else value for mime, value in text.items()}
    return text.splitlines(True) if isinstance(text, str) else text
