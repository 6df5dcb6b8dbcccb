"""Which cell of a release each cell of a student's is: by its mark, its id, its text, what it defines, or its place.

Editors drop nbgrader's marks, copies double them, and people write their answer into a new cell. What a student wrote
belongs to its row all the same, wherever only one row can be meant.
"""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from autograder.course import Cell, Release, ReleasedCell
from autograder.submission.names import parsed

How = Literal["mark", "id", "text", "function", "place"]

MAX_PARSED = 4_000
"""Characters of a code cell that may be a text for people: parsing more costs time, and nobody answers at such length
in a cell of code."""

MAX_LOOKED_AT = 200
"""Cells of a student's own of which it is asked whether they hold text for people."""

_DEFINES = re.compile(r"^(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)
_SHOWS = re.compile(r"\b(?:Image|Markdown|HTML|Latex|Math|SVG|imread|Image\.open)\(")
_SHOWS_TEXT = re.compile(r"%%(?:markdown|html|latex|svg)\b", re.IGNORECASE)


@dataclass
class Matched:
    """Which cell is which.

    Attributes:
        names: The ``grade_id`` of each of the student's cells that has one in the release, by its place.
        how: How each of them was known, by ``grade_id``.
        first: Cells that are there more than once, of which the first counts.
        later: Cells that are there more than once, of which a later one counts, since the first is as it was released.
    """

    names: dict[int, str] = field(default_factory=dict)
    how: dict[str, How] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    later: tuple[str, ...] = ()


def matched(cells: Sequence[Cell], release: Release) -> Matched:
    """Which of the release's cells each of these is; each of the release's at most once."""
    found = Matched()
    known = release.known
    _by_mark(cells, known, found)
    # A further copy of a cell that is marked is the student's own.
    free = [index for index, cell in enumerate(cells) if cell.grade_id not in known]
    _by_id(cells, free, known, found)
    positions = {name: at for at, name in enumerate(each.grade_id for each in release.cells) if name}
    places = {positions[name]: index for index, name in found.names.items()}
    _by_text(cells, free, release, [at for at, each in enumerate(release.cells) if each.locked], places, found)
    _by_function(cells, free, release, places, found)
    _by_text(cells, free, release, [at for at, each in enumerate(release.cells) if not each.grade_id], places, found)
    _by_place(cells, free, release, places, found)
    _by_text(cells, free, release, list(range(len(release.cells))), places, found)
    return found


def same_text(one: str, other: str) -> bool:
    """Whether two sources are the same but for spaces at the ends of lines, blank lines around and forms of letters."""
    return one == other or plain_lines(one) == plain_lines(other)


def is_untouched(cell: Cell, released: ReleasedCell) -> bool:
    """Whether a student's cell holds nothing, or what it held as it was released, and no picture."""
    return not cell.pictured and (not cell.source.strip() or same_text(cell.source, released.cell.source))


def is_prose(cell: Cell) -> bool:
    """Whether a cell holds text for people: any cell but one of code, and code that is none or only shows text."""
    if not cell.source.strip():
        return False
    if cell.kind != "code":
        return True
    source = cell.source.strip()
    if _SHOWS_TEXT.match(source):
        return True
    if len(source) > MAX_PARSED:
        return False
    try:
        tree = ast.parse(re.sub(r"^[ \t]*[%!?].*$|^.*\?$", "", source, flags=re.MULTILINE))
    except (RecursionError, MemoryError):
        return False
    except (SyntaxError, ValueError):
        return True
    return all(_only_text(statement) for statement in tree.body) and (bool(tree.body) or "#" in source)


def shows(cell: Cell) -> bool:
    """Whether a cell of code shows a text or a picture from a file."""
    return cell.kind == "code" and _SHOWS.search(cell.source) is not None


def added_comments(cell: Cell, released: Cell) -> str:
    """Comments that a student wrote into a read-only cell of code; empty where anything else was changed."""
    theirs = set(plain_lines(released.source))
    added = [line.strip() for line in plain_lines(cell.source) if line not in theirs and line.strip()]
    return "\n".join(added) if all(line.startswith("#") for line in added) else ""


def _only_text(statement: ast.stmt) -> bool:
    """Whether a statement is a text, gives one a name, or prints one."""
    value = statement.value if isinstance(statement, ast.Expr | ast.Assign | ast.AnnAssign) else None
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in ("print", "Markdown"):
        return bool(value.args) and all(_is_text(each) for each in value.args)
    return value is not None and _is_text(value)


def _is_text(value: ast.expr) -> bool:
    return isinstance(value, ast.JoinedStr) or (isinstance(value, ast.Constant) and isinstance(value.value, str))


def plain_lines(text: str) -> tuple[str, ...]:
    """A source's lines in one form of their letters, without spaces at their ends and blank lines around."""
    return tuple(line.rstrip() for line in unicodedata.normalize("NFC", text).strip().splitlines())


def _by_mark(cells: Sequence[Cell], known: dict[str, ReleasedCell], found: Matched) -> None:
    """By nbgrader's mark; of several with one, the first that is not as it was released, where students write."""
    copies: dict[str, list[int]] = {}
    for index, cell in enumerate(cells):
        if cell.grade_id in known:
            copies.setdefault(cell.grade_id, []).append(index)
    later = []
    for name, places in copies.items():
        touched = [] if known[name].locked else [at for at in places if not is_untouched(cells[at], known[name])]
        chosen = touched[0] if touched else places[0]
        if chosen != places[0]:
            later.append(name)
        found.names[chosen], found.how[name] = name, "mark"
    found.first = tuple(name for name, places in copies.items() if len(places) > 1 and name not in later)
    found.later = tuple(later)


def _by_id(cells: Sequence[Cell], free: Iterable[int], known: dict[str, ReleasedCell], found: Matched) -> None:
    """By the cell's own id: some editors drop nbgrader's marks and keep it."""
    by_id = {each.cell.id: name for name, each in known.items() if each.cell.id}
    for index in free:
        name = by_id.get(cells[index].id, "")
        if name and name not in found.how:
            found.names[index], found.how[name] = name, "id"


def _take(index: int, at: int, how: How, release: Release, places: dict[int, int], found: Matched) -> None:
    places[at] = index
    if name := release.cells[at].grade_id:
        found.names[index], found.how[name] = name, how


def _by_text(
    cells: Sequence[Cell],
    free: Iterable[int],
    release: Release,
    wanted: Sequence[int],
    places: dict[int, int],
    found: Matched,
) -> None:
    """By the text that the release has: each in turn, so that two of one text are told apart by their order."""
    open_places: dict[tuple[bool, str], list[int]] = {}
    for at in wanted:
        if at not in places and release.cells[at].cell.source.strip():
            open_places.setdefault(_key(release.cells[at].cell), []).append(at)
    taken = set(places.values())
    for index in free:
        if index not in taken and (those := open_places.get(_key(cells[index]))):
            _take(index, those.pop(0), "text", release, places, found)


def _key(cell: Cell) -> tuple[bool, str]:
    return cell.kind == "code", "\n".join(plain_lines(cell.source))


def _by_function(
    cells: Sequence[Cell], free: Iterable[int], release: Release, places: dict[int, int], found: Matched
) -> None:
    """By the functions and classes that it defines, where no other cell of the student's defines any of them."""
    taken = set(places.values())
    defining: dict[str, list[int]] = {}
    for index, cell in enumerate(cells):
        for name in set(_defined(cell.source)):
            defining.setdefault(name, []).append(index)
    unowned = set(free) - taken
    for at, released in enumerate(release.cells):
        if at in places or released.locked or not released.grade_id or released.cell.kind != "code":
            continue
        names = set(_defined(released.cell.source))
        those = {index for name in names for index in defining.get(name, [])}
        if len(those) == 1 and those <= unowned and all(name in defining for name in names):
            (index,) = those
            unowned.discard(index)
            _take(index, at, "function", release, places, found)


def _defined(source: str) -> list[str]:
    """The functions and classes that a cell defines at its top level; by its text where it is no Python."""
    if _DEFINES.search(source) is None:
        return []
    tree = parsed(source)
    if tree is None:
        return _DEFINES.findall(source)
    return [each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]


def _by_place(
    cells: Sequence[Cell], free: Iterable[int], release: Release, places: dict[int, int], found: Matched
) -> None:
    """By what stands before and behind it: where as many cells are missing there as the student has of their own."""
    owned = set(places.values())
    open_cells = set(free) - owned
    for missing, between in list(_gaps(release, places, len(cells))):
        if any(index in owned for index in between):
            continue  # the student's order is another, so that a place says nothing
        own = [
            index for index in between if index in open_cells and (cells[index].source.strip() or cells[index].pictured)
        ]
        if len(own) > MAX_LOOKED_AT:
            continue
        code = {index for index in own if cells[index].kind == "code" and not is_prose(cells[index])}
        for is_code in (False, True):
            wanted = [at for at in missing if (release.cells[at].cell.kind == "code") == is_code]
            fitting = [index for index in own if (index in code) == is_code]
            if len(wanted) == len(fitting):
                for at, index in zip(wanted, fitting, strict=True):
                    _take(index, at, "place", release, places, found)


def _gaps(release: Release, places: dict[int, int], count: int) -> Iterator[tuple[list[int], range]]:
    """Of each run of the release's cells that are not there: those that students write in, and where they would be."""
    if not places:
        return
    before = -1
    missing: list[int] = []
    for at in [*range(len(release.cells)), len(release.cells)]:
        if at in places or at == len(release.cells):
            if missing:
                yield missing, range(places.get(before, -1) + 1, places.get(at, count))
            before, missing = at, []
        elif release.cells[at].grade_id and not release.cells[at].locked:
            missing.append(at)
