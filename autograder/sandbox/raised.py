"""What is told of an exception that a submission raised: its text is the student's own, and may carry anything."""

from __future__ import annotations

import builtins
import re
from dataclasses import dataclass
from functools import lru_cache

from autograder.sandbox.inside.protocol import Raised

MAX_RAISED = 120
"""How many characters are told of an exception's text."""

EXCEPTIONS = frozenset(name for name, each in vars(builtins).items() if isinstance(each, type)) | {
    "AxisError",
    "LinAlgError",
    "UFuncTypeError",
    "JSONDecodeError",
}
"""Names of exceptions that no notebook need define."""

_MOST_LINES = 1_000
_MOST_CODE = 2**21
"""Characters of a notebook's code that are looked through: more than anybody writes, and their words have room."""

MAX_FUNCTIONS, MAX_PLACES = 64, 256
"""Of how many functions of a notebook, and of how many lines of a cell, it is told that an exception came from there,
where the reference has answered: the place is the submission's to choose, and so could be an answer in other words."""


@dataclass(frozen=True)
class _Words:
    """What stands in a notebook's code: its words, the classes that it defines, its lines without indentation."""

    words: frozenset[str]
    classes: frozenset[str]
    lines: frozenset[str]


def bounded(raised: Raised, sources: tuple[str, ...], *, answered: bool) -> Raised:
    """An exception as it may be told of: what names it is one of Python's own or of the submission's own words.

    The fork that tells may be hostile, and all that it says is text of its choice. A line is told only where the
    notebook has it.

    Args:
        raised: The exception, as the fork tells it.
        sources: The notebook's code cells.
        answered: Whether the reference has answered in this fork. Its answers could be in all that it says: there is no
            text then, and of names, types and lines only one of a few.
    """
    if answered:
        return _where_answered(raised, sources)
    own = _words_of(sources)
    kind = raised.type if raised.type in EXCEPTIONS or raised.type in own.classes else "Exception"
    function = raised.function if raised.function in own.words else ""
    source = raised.source if function and any(line.startswith(raised.source) for line in own.lines) else ""
    line = raised.line if 0 < raised.line < _MOST_LINES else 0
    said = " ".join(raised.text[: 4 * MAX_RAISED].split())[:MAX_RAISED]
    return Raised(kind, re.sub("[^\x20-\u024f]", "?", said), function, line, source)


def _where_answered(raised: Raised, sources: tuple[str, ...]) -> Raised:
    """An exception with its type where that is one of Python's own, and its place where that is one of a few."""
    places = _places_in(sources)
    kind = raised.type if raised.type in EXCEPTIONS else "Exception"
    function = raised.function if raised.function in places else ""
    source = raised.source if raised.source in places.get(function, ()) else ""
    return Raised(kind, "", function, 0, source)


@lru_cache(maxsize=2)
def _places_in(sources: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """The first functions that a notebook defines, each with the first lines of the last cell that does."""
    found: dict[str, frozenset[str]] = {}
    for source in sources:
        lines: frozenset[str] | None = None
        for match in re.finditer(r"^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)", source, re.MULTILINE):
            name = match[1]
            if name not in found and len(found) >= MAX_FUNCTIONS:
                continue
            if lines is None:
                lines = frozenset(line.strip()[:200] for line in source.splitlines()[:MAX_PLACES])
            found[name] = lines
    return found


@lru_cache(maxsize=2)
def _words_of(sources: tuple[str, ...]) -> _Words:
    code = "\n".join(sources)[:_MOST_CODE]
    return _Words(
        frozenset(re.findall(r"\w+", code)),
        frozenset(re.findall(r"^[ \t]*class[ \t]+(\w+)", code, re.MULTILINE)),
        frozenset(line.strip() for line in code.splitlines()),
    )
