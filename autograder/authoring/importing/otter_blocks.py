"""A master notebook of otter-assign's, format v1 → its blocks: prompts, solutions and tests of each question.

The format is that of otter-grader's documentation, "Notebook Format": raw cells, or fenced ones in Markdown cells,
begin and end each block.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from autograder.authoring.importing.otter_settings import Settings, read_settings
from autograder.authoring.importing.reading import NotConverted, SourceCell, SourceNotebook, mistake
from autograder.base import ConfigError, shown

Role = Literal["given", "text", "prompt", "solution", "test"]
"""What a cell is to its question; ``given`` is one outside any."""

_FENCE, _FENCE_ENDS = "```otter", "```"
_CONFIG = re.compile(r"#\s+assignment\s+config\s*", re.IGNORECASE)
_BOUNDARY = re.compile(r"#\s+(begin|end)\s+(question|prompt|solution|tests)\s*", re.IGNORECASE)
_IGNORED = re.compile(r"(##\s*ignore\s*##\s*|#\s*ignore\s*)", re.IGNORECASE)


@dataclass(frozen=True)
class Piece:
    """A cell, or a part of one that held fenced blocks.

    Attributes:
        cell: The cell's number in the notebook, from 1.
        line: The line in that cell at which it begins, from 1.
        kind: ``code``, ``markdown`` or ``raw``.
        source: Its text.
        shown: What the cell's saved outputs show.
        tags: The cell's tags.
        attachments: The pictures in it.
        fenced: Whether it stood in a fence, so that it is raw only to Otter.
    """

    cell: int
    line: int
    kind: str
    source: str
    shown: str = ""
    tags: tuple[str, ...] = ()
    attachments: dict[str, dict[str, str]] | None = None

    @property
    def lines(self) -> list[str]:
        """Its lines; one that is empty where it has none."""
        return self.source.split("\n")

    def left(self, number: int, why: str) -> NotConverted:
        """One of its lines, from 0, as not converted."""
        return NotConverted(self.cell, self.line + number, self.lines[number], why)

    def all_left(self, why: str, *, since: int = 0) -> Iterator[NotConverted]:
        """All of its lines that hold anything, as not converted."""
        return (self.left(number, why) for number, line in enumerate(self.lines) if number >= since and line.strip())


@dataclass
class Question:
    """A question: its settings and its cells, in order.

    Attributes:
        settings: What ``# BEGIN QUESTION`` says.
        at: The cell that says so.
        pieces: Its cells, each with its role.
    """

    settings: Settings
    at: Piece
    pieces: list[tuple[Role, Piece]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.settings.values["name"])

    def of(self, role: Role) -> list[Piece]:
        """Its cells of a role."""
        return [piece for each, piece in self.pieces if each == role]


@dataclass
class Blocks:
    """What a master of otter-assign's holds.

    Attributes:
        path: The notebook's file.
        settings: What ``# ASSIGNMENT CONFIG`` says; empty where there is none.
        parts: Its questions and the cells outside of them, in order.
        left: Lines that were left out so far.
    """

    path: Path
    settings: Settings
    parts: list[Question | Piece] = field(default_factory=list)
    left: list[NotConverted] = field(default_factory=list)

    @property
    def questions(self) -> list[Question]:
        """Its questions."""
        return [part for part in self.parts if isinstance(part, Question)]


def is_otter(cells: Iterable[SourceCell]) -> bool:
    """Whether a notebook is a master of otter-assign's: it has its configuration, or a question of its."""
    for cell in cells:
        for piece in _pieces(cell):
            match = _BOUNDARY.match(piece.source)
            if piece.kind == "raw" and (
                _CONFIG.match(piece.source) or (match and (match[1] + match[2]).lower() == "beginquestion")
            ):
                return True
    return False


def read_blocks(notebook: SourceNotebook) -> Blocks:
    """The blocks of a master of otter-assign's.

    Raises:
        ConfigError: A block does not end, or stands where none may; a name stands there twice; a setting is no YAML.
            The message has the file, the cell and the line.
    """
    path = notebook.path
    found = Blocks(path, Settings())
    question: Question | None = None
    inner: tuple[str, Piece] | None = None
    seen: dict[str, Piece] = {}
    ended: set[str] = set()
    for piece in _unfenced(path, notebook.cells):
        match = _BOUNDARY.match(piece.source) if piece.kind == "raw" else None
        if _IGNORED.match(piece.source):
            found.left += piece.all_left("Otter ignores this cell, so it is in no notebook of students or graders")
        elif piece.kind == "raw" and _CONFIG.match(piece.source):
            found.settings = _merged(found.settings, read_settings(path, piece.cell, piece.line, piece.source))
        elif match:
            begins, what = match[1].lower() == "begin", match[2].lower()
            found.left += _beside(piece, match.end(), has_settings=begins and what == "question")
            if what == "question":
                if inner is not None:
                    raise _misplaced(
                        path, piece, f"the block `# BEGIN {inner[0].upper()}` of {_at(inner[1])} has no end yet"
                    )
                if begins and question is not None:
                    raise _misplaced(path, piece, f"the question of {_at(question.at)} has no `# END QUESTION` yet")
                if not begins and question is None:
                    raise _misplaced(path, piece, "no question has begun")
                if begins:
                    question, ended = _question(path, piece, seen), set()
                    found.parts.append(question)
                else:
                    question = None
            elif question is None:
                raise _misplaced(path, piece, "it belongs between `# BEGIN QUESTION` and `# END QUESTION`")
            elif begins:
                if inner is not None:
                    raise _misplaced(
                        path, piece, f"the block `# BEGIN {inner[0].upper()}` of {_at(inner[1])} has no end yet"
                    )
                if what == "prompt" and "solution" in ended:
                    raise _misplaced(path, piece, "a prompt stands before its solution")
                inner = what, piece
            else:
                if inner is None or inner[0] != what:
                    other = (
                        f"the block that has begun is `# BEGIN {inner[0].upper()}`, {_at(inner[1])}" if inner else ""
                    )
                    raise _misplaced(path, piece, other or f"no `# BEGIN {what.upper()}` stands before it")
                ended.add(what)
                inner = None
        elif question is None:
            found.parts.append(piece)
        else:
            question.pieces.append((_role(path, piece, inner[0] if inner else ""), piece))
    if inner is not None:
        raise _misplaced(path, inner[1], f"this block never ends; add a raw cell `# END {inner[0].upper()}`")
    if question is not None:
        raise _misplaced(path, question.at, "this question never ends; add a raw cell `# END QUESTION`")
    return found


def _role(path: Path, piece: Piece, block: str) -> Role:
    match block:
        case "prompt":
            return "prompt"
        case "solution":
            return "solution"
        case "tests":
            if piece.kind != "code":
                raise mistake(
                    path, f"a test is a code cell, and this is a {piece.kind} cell", cell=piece.cell, line=piece.line
                )
            return "test"
    return "text"


def _question(path: Path, piece: Piece, seen: dict[str, Piece]) -> Question:
    settings = read_settings(path, piece.cell, piece.line, piece.source)
    name = settings.values.get("name")
    if isinstance(name, bool) or not isinstance(name, str | int | float) or not str(name).strip():
        line = settings.line_of("name") or piece.line
        what = "no name" if name is None else shown(name)
        raise mistake(
            path, f"expected the question's name, such as `name: q1`, found {what}", cell=piece.cell, line=line
        )
    text = str(name).strip()
    if text in seen:
        raise mistake(
            path,
            f"there is a question {shown(text)} already, in {_at(seen[text])}; give each a name of its own",
            cell=piece.cell,
            line=settings.line_of("name"),
        )
    seen[text] = piece
    return Question(replace(settings, values=settings.values | {"name": text}), piece)


def _merged(first: Settings, second: Settings) -> Settings:
    return Settings(first.values | second.values, first.places | second.places, (*first.left, *second.left))


def _beside(piece: Piece, end: int, *, has_settings: bool) -> Iterator[NotConverted]:
    """What stands in a cell that begins or ends a block, and means nothing."""
    if piece.source[end:].split("\n")[0].strip() and "\n" not in piece.source[:end]:
        yield piece.left(0, "nothing is read behind the words that begin or end a block")
    if not has_settings:
        yield from piece.all_left("nothing is read of a cell that begins or ends a block but its first line", since=1)


def _misplaced(path: Path, piece: Piece, why: str) -> ConfigError:
    return mistake(path, f"`{piece.lines[0].strip()[:60]}`: {why}", cell=piece.cell, line=piece.line)


def _at(piece: Piece) -> str:
    return f"cell {piece.cell}"


def _unfenced(path: Path, cells: Sequence[SourceCell]) -> Iterator[Piece]:
    for cell in cells:
        if cell.kind == "markdown" and (begun := _open_fence(cell.source)):
            raise mistake(
                path, f"the fence {_FENCE} never ends; add a line {_FENCE_ENDS}", cell=cell.number, line=begun
            )
        yield from _pieces(cell)


def _open_fence(source: str) -> int:
    """The line, from 1, of a fenced block of Otter's that does not end; 0 where all do."""
    begun = 0
    for number, line in enumerate(source.split("\n"), 1):
        if not begun and line.strip() == _FENCE:
            begun = number
        elif begun and line.strip() == _FENCE_ENDS:
            begun = 0
    return begun


def _pieces(cell: SourceCell) -> Iterator[Piece]:
    """A cell, or where it is a Markdown cell with fenced blocks of Otter's, these and what stands between them."""
    if cell.kind != "markdown" or _FENCE not in cell.source or _open_fence(cell.source):
        yield Piece(cell.number, 1, cell.kind, cell.source, cell.shown, cell.tags, cell.attachments)
        return
    kind, begun, lines = "markdown", 1, list[str]()
    for number, line in enumerate(cell.source.split("\n"), 1):
        begins = kind == "markdown" and line.strip() == _FENCE
        if begins or (kind == "raw" and line.strip() == _FENCE_ENDS):
            yield from _piece(cell, kind, begun, lines)
            kind, begun, lines = "raw" if begins else "markdown", number + 1, []
        else:
            lines.append(line)
    yield from _piece(cell, kind, begun, lines)


def _piece(cell: SourceCell, kind: str, begun: int, lines: list[str]) -> Iterator[Piece]:
    while lines and not lines[0].strip():
        begun, lines = begun + 1, lines[1:]
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    if lines:
        attachments: Any = cell.attachments if kind == "markdown" else None
        yield Piece(cell.number, begun, kind, "\n".join(lines), "", cell.tags, attachments)
