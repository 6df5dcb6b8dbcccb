"""A Python script as the cells of a notebook, and a notebook's cells as a script, for whoever hands in a ``.py`` file.

A script that was made from the release, or exported by Jupyter, has lines that say where a cell begins (``# %%``,
``# In[3]:``). Any other is cut at its functions and classes, so that one which fails takes no other along.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from autograder.base import SubmissionError
from autograder.course import MAX_CELLS, Cell, Release, cells_in, notebook_in, text_in, without_magics
from autograder.submission.file_names import is_script

MAX_SCRIPT = 2_000_000
"""Characters of a script: more than anybody writes."""

MAX_PARSED = 400_000
"""Characters of a script that is looked through as Python, which takes memory; a longer one is cut by its lines."""

NOT_RUN = 'What stands under `if __name__ == "__main__":` was not run.'

_MARK = re.compile(r"^#[ \t]*(?:%%(?P<title>[^\n]*)|In[ \t]?\[[ \d*]{0,12}\]:[ \t]*)$", re.MULTILINE)
_MAGIC = re.compile(r"^(?=[ \t]*[%!])", re.MULTILINE)
_BEGINS = re.compile(r"(?:async[ \t]+def|def|class)\b|@")
_GOES_ON = re.compile(r"[\s#)\]}]|(?:else|elif|except|finally)\b|$")
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


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
    if not is_script(name):
        return cells_in(notebook_in(content, notes), notes)
    if content.lstrip()[:1] == b"{":
        try:
            return cells_in(notebook_in(content, []), notes)
        except SubmissionError:
            pass  # a script may begin with a bracket
    text = text_in(content, notes)
    if len(text) > MAX_SCRIPT:
        raise SubmissionError(f"The script has {len(text):,} characters; the most is {MAX_SCRIPT:,}.")
    return script_cells(text, release.known if release else (), notes)


def script_cells(text: str, known: Collection[str], notes: list[str]) -> list[Cell]:
    """The cells of a script, in their order; what is run as a program alone is left out.

    Args:
        text: The script.
        known: The ids that a cell may have as its title.
        notes: Gets a sentence for the student where something was left out.

    Raises:
        SubmissionError: It has more parts than a notebook may have cells.
    """
    whole = _parsed(text)
    if whole is not None:
        text = _as_imported(text, whole, notes)
        whole = _parsed(text)
    marks = list(_marks(text, whole))
    found = list(_marked(text, marks, known) if marks else _unmarked(text, whole))
    if len(found) > MAX_CELLS:
        raise SubmissionError(f"The script has more than {MAX_CELLS:,} parts.")
    return found


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


def _marks(text: str, whole: ast.Module | None) -> Iterator[re.Match[str]]:
    """The lines that begin cells: those that stand between statements, where that can be told."""
    inside = set[int]()
    for node in whole.body if whole is not None else ():
        inside.update(range(_first_line(node) + 1, (node.end_lineno or node.lineno) + 1))
    line = 1
    at = count = 0
    for mark in _MARK.finditer(text):
        line += text.count("\n", at, mark.start())
        at = mark.start()
        if line in inside:
            continue
        count += 1
        if count > MAX_CELLS:
            raise SubmissionError(f"The script has more than {MAX_CELLS:,} parts.")
        yield mark


def _marked(text: str, marks: Sequence[re.Match[str]], known: Collection[str]) -> Iterator[Cell]:
    """The cells that lines in the script begin."""
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
            yield Cell("code", source, name, marked=bool(name))


def _unmarked(text: str, whole: ast.Module | None) -> Iterator[Cell]:
    """A script without such lines, cut at its functions and classes."""
    lines = text.split("\n")
    parts = _cut_at_margin(lines) if whole is None else _cut(lines, whole)
    yield from (Cell("code", each.strip("\n")) for each in parts if each.strip())


def _stripped(source: str) -> str:
    return source.strip("\n").rstrip()


def _uncommented(source: str) -> str:
    """A text cell, whose lines are comments or which is one long string."""
    for quotes in ('"""', "'''"):
        if len(source) >= 6 and source.startswith(quotes) and source.endswith(quotes):
            return source[3:-3].strip("\n")
    return "\n".join(re.sub(r"^# ?", "", line) for line in source.splitlines())


def _cut(lines: Sequence[str], whole: ast.Module) -> Iterator[str]:
    """The parts of a script: each function and class, and what stands between."""
    begun = 0
    waits = False
    for node in whole.body:
        if not isinstance(node, _Definition):
            waits = True
            continue
        if waits:
            first = _first_line(node) - 1
            while first > begun and lines[first - 1].startswith("#"):
                first -= 1  # the comments right above it are its own
            yield "\n".join(lines[begun:first])
            begun, waits = first, False
        yield "\n".join(lines[begun : node.end_lineno])
        begun = node.end_lineno or begun
    yield "\n".join(lines[begun:])


def _cut_at_margin(lines: Sequence[str]) -> Iterator[str]:
    """The parts of a script that is no Python as a whole, by what stands at the margin."""
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


# What a script is run as


def _as_imported(text: str, whole: ast.Module, notes: list[str]) -> str:
    """The script with the branches alone that are taken where it is imported, not run as a program."""
    guards = [
        (node, chosen)
        for node in whole.body
        if isinstance(node, ast.If) and (chosen := _taken(node)) is not None and _asks_for_name(node.test)
    ]
    if not guards:
        return text
    if NOT_RUN not in notes:
        notes.append(NOT_RUN)
    lines = text.split("\n")
    kept: list[str] = []
    begun = 0
    for node, chosen in guards:
        kept += lines[begun : node.lineno - 1]
        kept += _unparsed(chosen)
        begun = node.end_lineno or node.lineno
    return "\n".join(kept + lines[begun:])


def _unparsed(body: list[ast.stmt]) -> list[str]:
    try:
        return ast.unparse(ast.Module(body, [])).split("\n") if body else []
    except RecursionError:
        return []


def _asks_for_name(test: ast.expr) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "__name__" for each in ast.walk(test))


def _taken(node: ast.If) -> list[ast.stmt] | None:
    """The branch that an import takes, of an ``if`` that asks how the script is run; None where that is not known."""
    try:
        return node.body if _value(node.test) else node.orelse
    except (ValueError, TypeError, RecursionError):
        return None


def _value(test: ast.expr) -> object:
    """The value of an expression of ``__name__``, as an import has it, and of constants.

    Raises:
        ValueError, TypeError: It is of something else.
    """
    match test:
        case ast.Constant(value=value):
            return value
        case ast.Name("__name__"):
            return "script"
        case ast.Tuple(elts) | ast.List(elts) | ast.Set(elts):
            return [_value(each) for each in elts]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand)
        case ast.BoolOp(op=op, values=values):
            found = [bool(_value(each)) for each in values]
            return all(found) if isinstance(op, ast.And) else any(found)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            values_of = [_value(left), *map(_value, comparators)]
            pairs = zip(values_of, ops, values_of[1:], strict=False)
            return all(_holds(one, op, other) for one, op, other in pairs)
    raise ValueError("not only of __name__")


def _holds(one: Any, op: ast.cmpop, other: Any) -> bool:
    match op:
        case ast.Eq() | ast.Is():
            return bool(one == other)
        case ast.NotEq() | ast.IsNot():
            return bool(one != other)
        case ast.In():
            return one in other
        case ast.NotIn():
            return one not in other
    raise ValueError("no comparison of names")


def _parsed(text: str) -> ast.Module | None:
    if len(text) > MAX_PARSED:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(without_magics(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _first_line(node: ast.stmt) -> int:
    """The line in which a statement begins, with its decorators, from 1."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])
