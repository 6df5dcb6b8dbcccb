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
        answered: Whether the reference has answered in this fork: its answers could be in the text, so there is none.
    """
    own = _words_of(sources)
    kind = raised.type if raised.type in EXCEPTIONS or raised.type in own.classes else "Exception"
    function = raised.function if raised.function in own.words else ""
    source = raised.source if function and any(line.startswith(raised.source) for line in own.lines) else ""
    line = raised.line if 0 < raised.line < _MOST_LINES else 0
    said = "" if answered else " ".join(raised.text[: 4 * MAX_RAISED].split())[:MAX_RAISED]
    return Raised(kind, re.sub("[^\x20-\u024f]", "?", said), function, line, source)


@lru_cache(maxsize=2)
def _words_of(sources: tuple[str, ...]) -> _Words:
    code = "\n".join(sources)
    return _Words(
        frozenset(re.findall(r"\w+", code)),
        frozenset(re.findall(r"^[ \t]*class[ \t]+(\w+)", code, re.MULTILINE)),
        frozenset(line.strip() for line in code.splitlines()),
    )
