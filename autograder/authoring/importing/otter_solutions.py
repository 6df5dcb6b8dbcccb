"""A code cell with otter-assign's marks of a solution → the same cell with nbgrader's.

Where Otter shows students ``nine = ...``, they read ``# nine = ...`` here, above nbgrader's own ``# YOUR CODE HERE``:
as a comment it cannot change what the solved notebook does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from autograder.authoring.cells import BEGIN_SOLUTION, END_SOLUTION
from autograder.authoring.importing.otter_blocks import Piece
from autograder.authoring.importing.reading import NotConverted, mistake
from autograder.submission import parsed

_BEGINS = re.compile(r"(\s*)# BEGIN SOLUTION( NO PROMPT)?")
_MARKED = re.compile(r" ?# ?SOLUTION(?: NO PROMPT)?[ \t]*$")
_SOLUTION = re.compile(r"# ?SOLUTION")
_TARGET = re.compile(r"(?P<target>[\w.]+(?:\[[^=]*\])?(?:\s*,\s*[\w.]+(?:\[[^=]*\])?)*)\s*=(?!=)")
_QUOTES = re.compile(r"\s*(\"\"\"|'''|\"|');?\s*# (BEGIN|END) PROMPT\s*")
_HARMLESS = re.compile(r"\s*(#.*|pass|\.\.\.)?\s*")
_BEGINS_IGNORED = re.compile(r"\s*#\s*BEGIN\s*IGNORE\s*", re.IGNORECASE)
_OTTER_IMPORT = re.compile(r"otter(\..*)?")

_SHOWN_HERE = "students read nbgrader's `# YOUR CODE HERE` at this place, where Otter shows them nothing"
_IGNORED = "Otter ignores this line, so it is in no notebook of students or graders"
_OUTSIDE = "a mark of a solution outside any solution block: Otter leaves it for students as it is"
_PLUGIN = "a plug-in of Otter's: there is none here, so it stands as a comment"
_CLIENT = "Otter's own notebook client, which is not there: it stands as a comment"


@dataclass(frozen=True)
class Converted:
    """A cell with nbgrader's marks.

    Attributes:
        source: Its text.
        marked: Whether it has a solution.
        seeds: Lines that set a seed, in order, which students do not get.
        left: What could not be converted.
    """

    source: str
    marked: bool
    seeds: tuple[str, ...] = ()
    left: tuple[NotConverted, ...] = ()


@dataclass
class _Line:
    """A line on its way.

    ``kept`` stands in the master and the release, ``solved`` in the master alone. ``silent`` is a solution of which
    Otter shows students nothing.
    """

    kind: Literal["kept", "solved"]
    text: str
    number: int
    prompt: str = ""
    silent: bool = False


@dataclass
class _Reader:
    """What has been read of a cell so far."""

    path: Path
    piece: Piece
    lines: list[_Line] = field(default_factory=list)
    seeds: list[str] = field(default_factory=list)
    left: list[NotConverted] = field(default_factory=list)


def with_nbgrader_marks(path: Path, piece: Piece) -> Converted:
    """A code cell of a solution block, its solutions between nbgrader's marks.

    Raises:
        ConfigError: A block in it does not begin or does not end.
    """
    reader = _Reader(path, piece)
    _read(reader)
    if not any(line.kind == "solved" for line in reader.lines):
        return Converted("\n".join(line.text for line in reader.lines), False, tuple(reader.seeds), tuple(reader.left))
    text = "\n".join(_written(reader))
    return Converted(text, True, tuple(reader.seeds), tuple(reader.left))


def as_given(path: Path, piece: Piece) -> Converted:
    """A cell that is no solution: without what Otter ignores, its plug-ins and its client as comments.

    Raises:
        ConfigError: A block in it does not begin or does not end.
    """
    kept, left = _for_readers(path, piece)
    if piece.kind == "code":
        for number, line in kept:
            if _MARKED.search(line) or _BEGINS.match(line) or line.rstrip().endswith("# END SOLUTION"):
                left.append(piece.left(number, _OUTSIDE))
    return Converted("\n".join(line for _, line in kept), False, (), tuple(left))


def _for_readers(path: Path, piece: Piece) -> tuple[list[tuple[int, str]], list[NotConverted]]:
    """The lines of a cell with their numbers, from 0: ignored ones left out, what only Otter can run as comments."""
    kept: list[tuple[int, str]] = []
    left: list[NotConverted] = []
    clients = _client_lines(piece) if piece.kind == "code" else {}
    ignored = plugin = -1
    for number, line in enumerate(piece.lines):
        end = line.rstrip()
        if end.endswith("# END IGNORE"):
            if ignored < 0:
                raise _wrong(path, piece, number, "`# END IGNORE` has no `# BEGIN IGNORE` before it")
            ignored = -1
        elif ignored >= 0 or end.endswith("# IGNORE"):
            if line.strip():
                left.append(piece.left(number, _IGNORED))
        elif _BEGINS_IGNORED.match(line):
            ignored = number
        elif piece.kind == "code" and (plugin >= 0 or end.endswith(("# BEGIN PLUGIN", "# BEGIN PLUGIN EXPORT"))):
            plugin = -1 if end.endswith("# END PLUGIN") else max(plugin, number)
            kept.append((number, _comment(line)))
            if line.strip():
                left.append(piece.left(number, _PLUGIN))
        elif number in clients:
            kept.append((number, _comment(line) + ("" if not clients[number] else f"\n{clients[number]}")))
            if line.strip():
                left.append(piece.left(number, _CLIENT))
        else:
            kept.append((number, line))
    if ignored >= 0:
        raise _wrong(path, piece, ignored, "`# BEGIN IGNORE` has no `# END IGNORE` after it")
    if plugin >= 0:
        raise _wrong(path, piece, plugin, "`# BEGIN PLUGIN` has no `# END PLUGIN` after it")
    return kept, left


def _client_lines(piece: Piece) -> dict[int, str]:
    """The lines, from 0, of statements that only make or call Otter's notebook client; what has to stand there instead.

    A statement that stands alone in a block of Python has ``pass`` there.
    """
    tree = parsed(piece.source)
    if tree is None:
        return {}
    clients = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _calls_otter(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    } | {"grader"}
    found: dict[int, str] = {}
    for block in _blocks_of(tree):
        others = [each for each in block if not _is_client(each, clients)]
        for statement in block:
            if statement in others or _shares_a_line(statement, block):
                continue
            last = (statement.end_lineno or statement.lineno) - 1
            found |= dict.fromkeys(range(statement.lineno - 1, last + 1), "")
            if block is not tree.body and not others and statement is block[-1]:
                found[last] = " " * statement.col_offset + "pass"
    return found


def _blocks_of(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block:
                yield block


def _shares_a_line(statement: ast.stmt, block: Sequence[ast.stmt]) -> bool:
    lines = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    return any(each is not statement and (each.lineno in lines or each.end_lineno in lines) for each in block)


def _is_client(statement: ast.stmt, clients: set[str]) -> bool:
    match statement:
        case ast.Import(names=names):
            return all(_OTTER_IMPORT.fullmatch(each.name) for each in names)
        case ast.ImportFrom(module=str(module), level=0):
            return bool(_OTTER_IMPORT.fullmatch(module))
        case ast.Assign(value=value):
            return _calls_otter(value)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
            return name in clients
    return False


def _calls_otter(value: ast.expr) -> bool:
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="otter"), attr="Notebook") | ast.Name(id="Notebook")):
            return True
    return False


def _read(reader: _Reader) -> None:
    """Read a solution cell: each line is kept, or is part of a solution, or a mark, or a seed."""
    path, piece = reader.path, reader.piece
    lines, left = _for_readers(path, piece)
    reader.left += left
    block: tuple[int, str, bool] | None = None
    prompt = -1
    for number, line in lines:
        end = line.rstrip()
        if end.endswith(("# BEGIN PROMPT", "# END PROMPT")):
            begins = end.endswith("# BEGIN PROMPT")
            if begins == (prompt >= 0):
                why = "`# BEGIN PROMPT` stands inside another" if begins else "`# END PROMPT` has no `# BEGIN PROMPT`"
                raise _wrong(path, piece, number, why)
            if not _QUOTES.fullmatch(line):
                reader.left.append(
                    piece.left(number, "what stands beside the quotes of a prompt is left out, as by Otter")
                )
            inside = line[: len(line) - len(line.lstrip())]
            since = [each.text.lstrip() for each in reader.lines if each.number > prompt >= 0]
            if not begins and inside and all(each.startswith("#") for each in since):
                # A block of Python that holds comments alone is none.
                reader.lines.append(_Line("kept", f"{inside}pass", number))
            prompt = number if begins else -1
        elif prompt >= 0:
            reader.lines.append(_Line("kept", _as_prompt(line), number))
            if not _HARMLESS.fullmatch(line):
                reader.left.append(
                    piece.left(number, "a prompt: students read it as a comment, since the solved notebook runs it too")
                )
        elif end.endswith("# SEED"):
            _seed(reader, number, line)
        elif end.endswith("# END SOLUTION"):
            if block is None:
                raise _wrong(path, piece, number, "`# END SOLUTION` has no `# BEGIN SOLUTION` before it")
            block = None
        elif block is not None:
            reader.lines.append(_Line("solved", _MARKED.sub("", line), number, silent=block[2]))
        elif match := _BEGINS.match(line):
            block = number, match[1], bool(match[2])
            if rest := line[match.end() :].strip():
                reader.left.append(piece.left(number, f"nothing is read of `{rest[:40]}` behind the mark"))
            # An empty line of the block's own indentation, so that a block that holds nothing is one all the same.
            reader.lines.append(_Line("solved", match[1], number, silent=bool(match[2])))
        elif _SOLUTION.search(line):
            silent = bool(re.search(r"# SOLUTION NO PROMPT\s*$", line))
            bare = _MARKED.sub("", line)
            if bare == line:
                reader.left.append(
                    piece.left(number, "more stands behind the mark `# SOLUTION`; it stays in the solution")
                )
            target = _TARGET.match(bare.lstrip())
            prompted = f"# {target['target'].strip()} = ..." if target and not silent else ""
            reader.lines.append(_Line("solved", bare, number, prompted, silent))
        else:
            reader.lines.append(_Line("kept", line, number))
    if block is not None:
        raise _wrong(path, piece, block[0], "`# BEGIN SOLUTION` has no `# END SOLUTION` after it")
    if prompt >= 0:
        raise _wrong(path, piece, prompt, "`# BEGIN PROMPT` has no `# END PROMPT` after it")


def _seed(reader: _Reader, number: int, line: str) -> None:
    """A line that sets a seed: it goes to the locked cell before, where it can stand there by itself."""
    bare = re.sub(r"\s*# SEED\s*$", "", line)
    tree = parsed(bare)
    if bare.strip() and bare[:1].strip() and tree is not None:
        reader.seeds.append(bare)
    elif bare.strip():
        reader.lines.append(_Line("kept", _comment(bare), number))
        why = "a seed inside other code cannot stand in a cell before it; it stands as a comment"
        reader.left.append(reader.piece.left(number, why))


def _written(reader: _Reader) -> Iterator[str]:
    """The lines of the cell, each run of solved ones between nbgrader's marks."""
    run: list[_Line] = []
    for line in [*reader.lines, _Line("kept", "", -1)]:
        if line.kind == "solved" and (not run or not line.text.strip() or _indent(line.text) >= _indent(run[0].text)):
            run.append(line)
            continue
        if run:
            yield from _region(reader, run)
        run = [line] if line.kind == "solved" else []
        if line.kind == "kept" and line.number >= 0:
            yield line.text


def _region(reader: _Reader, run: list[_Line]) -> Iterator[str]:
    around = " " * _indent(run[0].text)
    yield from (around + line.prompt for line in run if line.prompt)
    yield around + BEGIN_SOLUTION
    yield from (line.text for line in run if line.text.strip())
    yield around + END_SOLUTION
    if all(line.silent for line in run):
        first = next((line for line in run if line.text.strip()), run[0])
        reader.left.append(reader.piece.left(first.number, _SHOWN_HERE))


def _indent(text: str) -> int:
    expanded = text.expandtabs(4)
    return len(expanded) - len(expanded.lstrip()) if text.strip() else len(expanded)


def _as_prompt(line: str) -> str:
    return line if _HARMLESS.fullmatch(line) else _comment(line)


def _comment(line: str) -> str:
    """A line as a comment, at its indentation."""
    bare = line.lstrip()
    return f"{line[: len(line) - len(bare)]}# {bare}" if bare else line


def _wrong(path: Path, piece: Piece, number: int, why: str) -> Exception:
    return mistake(path, why, cell=piece.cell, line=piece.line + number)
