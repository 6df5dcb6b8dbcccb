"""IPython's own lines in a code cell, such as ``%matplotlib inline`` and ``!ls``, and the cell without them."""

from __future__ import annotations

import ast
import re
import warnings

MAGIC = re.compile(r"^([ \t]*)(?:[%!?]|[^\W\d][\w.]*[ \t]*=[ \t]*[%!]).*$", re.MULTILINE)
"""Lines that may be IPython's own, with what they are indented by."""

_TIMED = re.compile(r"^([ \t]*)%time[ \t]+([^\s-].*)$", re.MULTILINE)
_GIVES = re.compile(r"^([ \t]*[^\W\d][\w.]*[ \t]*=[ \t]*)[%!].*$", re.MULTILINE)
_PARSED = 50_000
"""Characters of the longest cell that is parsed to see whether it is Python as it is."""


def without_magics(source: str) -> str:
    """A cell's code with IPython's own lines replaced by ones that do nothing; ``%time`` leaves what it times.

    Where the code is Python as it is, such a line is one of a text, and stays.
    """
    if not MAGIC.search(source) or _is_python(source):
        return source
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
