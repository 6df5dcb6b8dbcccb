"""A Python script as the cells of a notebook, and a notebook's cells as a script, for whoever hands in a ``.py`` file.

A script that was made from the release, or exported by Jupyter, has lines that say where a cell begins (``# %%``,
``# In[3]:``). Any other is cut at its functions and classes, so that one which fails takes no other along.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence

from autograder.base import SubmissionError
from autograder.course import MAX_CELLS, Cell, Release, cells_in, notebook_in, text_in
from autograder.submission.file_names import is_script

MAX_PARSED = 400_000
"""Characters of a script that is cut into functions: more than anybody writes. A longer one is a single cell."""

_MARK = re.compile(r"^#[ \t]*(?:%%(?P<title>[^\n]*)|In[ \t]?\[[ \d*]{0,12}\]:[ \t]*)$", re.MULTILINE)
_MAGIC = re.compile(r"^(?=[ \t]*[%!])", re.MULTILINE)
_BEGINS = re.compile(r"(?:async[ \t]+def|def|class)\b|@")
_GOES_ON = re.compile(r"[\s#)\]}]|(?:else|elif|except|finally)\b|$")
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

NOT_RUN = 'What stands under `if __name__ == "__main__":` was not run.'


def handed_in_cells(name: str, content: bytes, release: Release | None, notes: list[str]) -> list[Cell]:
    """The cells of a notebook or of a script, by the file's name; of a notebook that is called a script as well.

    Args:
        name: The file's name.
        content: What is in it.
        release: What tells which titles of cells are ids.
        notes: Gets sentences for the student on what was changed.

    Raises:
        SubmissionError: There are none that can be found; the text is for the student.
    """
    if not is_script(name) or content.lstrip()[:1] == b"{":
        return cells_in(notebook_in(content, notes), notes)
    cells = list(script_cells(text_in(content, notes), release.known if release else (), notes))
    if len(cells) > MAX_CELLS:
        raise SubmissionError(f"The script has {len(cells)} parts; the most is {MAX_CELLS}.")
    return cells


def script_cells(text: str, known: Collection[str], notes: list[str]) -> Iterator[Cell]:
    """The cells of a script, in their order; what is run as a program alone is left out.

    Args:
        text: The script.
        known: The ids that a cell may have as its title.
        notes: Gets a sentence for the student where something was left out.
    """
    marks = list(_MARK.finditer(text))
    if not marks:
        yield from (Cell("code", each) for each in _split(text, notes) if each.strip())
        return
    ends = [each.start() for each in marks[1:]] + [len(text)]
    if beginning := _stripped(text[: marks[0].start()]):
        yield Cell("code", beginning)
    for mark, end in zip(marks, ends, strict=True):
        words = (mark["title"] or "").split()
        source = _stripped(text[mark.end() : end])
        name = next((word for word in words if word in known), "")
        if {"[markdown]", "[md]"} & set(words):
            yield Cell("markdown", _uncommented(source), name, marked=bool(name))
        else:
            yield Cell("code", _without_main(source, notes), name, marked=bool(name))


def script_text(cells: Iterable[tuple[str, str, str]]) -> str:
    """Cells, each as its kind, source and ``grade_id``, as a script that ``script_cells`` reads again.

    Jupyter's own lines (``%matplotlib inline``) and texts stand in it as comments.
    """
    parts = []
    for kind, source, name in cells:
        if kind == "code":
            parts.append(f"# %% {name}".rstrip() + "\n" + _MAGIC.sub("# ", source))
        else:
            lines = "\n".join(f"# {line}".rstrip() for line in source.splitlines())
            parts.append(f"# %% [markdown] {name}".rstrip() + "\n" + lines)
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _stripped(source: str) -> str:
    return source.strip("\n").rstrip()


def _uncommented(source: str) -> str:
    """A text cell, whose lines are comments or which is one long string."""
    for quotes in ('"""', "'''"):
        if len(source) >= 6 and source.startswith(quotes) and source.endswith(quotes):
            return source[3:-3].strip("\n")
    return "\n".join(re.sub(r"^# ?", "", line) for line in source.splitlines())


def _split(text: str, notes: list[str]) -> Iterator[str]:
    """A script without marks, cut at its functions and classes."""
    if len(text) > MAX_PARSED:
        yield text
        return
    tree = _parsed(text)
    lines = text.split("\n")
    if tree is None:
        yield from _split_at_margin(lines)
        return
    begun = 0
    waits = False
    for node in tree.body:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))]) - 1
        is_main = _is_main(node)
        if waits and (isinstance(node, _Definition) or is_main):
            at = _with_comments(lines, begun, first)
            yield "\n".join(lines[begun:at])
            begun, waits = at, False
        if isinstance(node, _Definition):
            yield "\n".join(lines[begun : node.end_lineno])
            begun = node.end_lineno or begun
        elif is_main:
            _note(notes)
            begun = node.end_lineno or begun
        else:
            waits = True
    yield "\n".join(lines[begun:])


def _with_comments(lines: Sequence[str], begun: int, first: int) -> int:
    """Where a statement begins with the comments right above it."""
    while first > begun and lines[first - 1].startswith("#"):
        first -= 1
    return first


def _split_at_margin(lines: Sequence[str]) -> Iterator[str]:
    """A script that is no Python as a whole, cut where a definition begins or ends by what stands at the margin."""
    part: list[str] = []
    defines = False
    for line in lines:
        begins = _BEGINS.match(line) is not None
        decorated = bool(part) and part[-1].startswith("@")
        if (begins and not decorated) or (defines and not begins and not _GOES_ON.match(line)):
            yield "\n".join(part)
            part = []
        defines = begins or (defines and bool(part))
        part.append(line)
    yield "\n".join(part)


def _without_main(source: str, notes: list[str]) -> str:
    """A cell without what is run as a program alone."""
    tree = _parsed(source) if "__main__" in source and len(source) <= MAX_PARSED else None
    mains = [each for each in tree.body if _is_main(each)] if tree is not None else []
    lines = source.split("\n")
    for node in reversed(mains):
        _note(notes)
        del lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(lines)


def _note(notes: list[str]) -> None:
    if NOT_RUN not in notes:
        notes.append(NOT_RUN)


def _parsed(source: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_main(node: ast.stmt) -> bool:
    match node:
        case ast.If(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right])):
            sides = (left, right)
            return any(isinstance(each, ast.Name) and each.id == "__name__" for each in sides) and any(
                isinstance(each, ast.Constant) and each.value == "__main__" for each in sides
            )
    return False
