"""IPython's own lines in a code cell, such as ``%matplotlib inline`` and ``!ls``, and the cell without them."""

from __future__ import annotations

import ast
import re
import warnings

MAGIC = re.compile(r"^([ \t]*)(?:[%!?]|[^\W\d][\w.]*[ \t]*=[ \t]*[%!]).*$", re.MULTILINE)
"""Lines that may be IPython's own, with what they are indented by."""

_TIMED = re.compile(r"^([ \t]*)%time[ \t]+([^\s-].*)$", re.MULTILINE)
_GIVES = re.compile(r"^([ \t]*[^\W\d][\w.]*[ \t]*=[ \t]*)[%!].*$", re.MULTILINE)
_WHOLE = re.compile(r"\s*%%(\w+)")
_OTHERS = frozenset(
    {
        *("bash", "sh", "script", "cmd", "perl", "ruby", "python2", "pypy", "javascript", "js", "R", "sql", "cython"),
        *("html", "HTML", "latex", "markdown", "svg", "SVG", "writefile", "file"),
    }
)
"""Magics of a whole cell that take it for a text or for another language."""
_PYTHONS = frozenset({"time", "timeit", "capture", "prun", "debug"})
"""Those that run it: where it is no Python, that is a mistake."""
_PARSED = 50_000
"""Characters of the longest cell that is parsed to see whether it is Python as it is."""


def without_magics(source: str) -> str:
    """A cell's code with IPython's own lines replaced by ones that do nothing; ``%time`` leaves what it times.

    Where the code is Python as it is, such a line is one of a text, and stays. Of a cell that is no Python at all, such
    as one of ``%%bash`` or ``%%writefile``, nothing is left but its lines.
    """
    if not MAGIC.search(source) or _is_python(source):
        return source
    return "\n" * source.count("\n") if other_language(source) else _plain(source)


def other_language(source: str) -> str:
    """The magic by which a whole cell is no Python, such as ``%%bash``; empty where it is Python."""
    whole = _WHOLE.match(source)
    if whole and (whole[1] in _OTHERS or (whole[1] not in _PYTHONS and not _is_python(_plain(source)))):
        return f"%%{whole[1]}"
    return ""


def _plain(source: str) -> str:
    return MAGIC.sub(r"\1pass", _GIVES.sub(r"\1None", _TIMED.sub(r"\1\2", source)))


def _is_python(source: str) -> bool:
    if len(source) > _PARSED:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
