"""A new assignment: a master notebook with a place for each exercise, its solution and its tests."""

from __future__ import annotations

import ast
import contextlib
import keyword
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.authoring.cells import BEGIN_SOLUTION, END_SOLUTION, Role, marks, plain_cell, python_notebook
from autograder.authoring.importing.bringing import Imported, import_assignments
from autograder.authoring.importing.reading import MAX_NOTEBOOK, SourceCell, mistake, read_bytes, read_notebook
from autograder.base import AutograderError, ConfigError, make_closed_folder, shown
from autograder.course import notebook_text, without_magics
from autograder.submission import parsed

POINTS = 10
"""Of each exercise, until its author says otherwise."""

_FILE = re.compile(r"[\w.-][\w. -]*")

_HOW = """\
- **Write your code** where it says `YOUR CODE HERE`, and delete the line `raise NotImplementedError()`. Keep the names
  of the functions and of their arguments.
- The cell under each exercise **tries your function on small numbers** and says what is wrong. After you have
  submitted, hidden tests try it on others; both decide your points.
- **A mistake costs its own exercise alone.** Where a later exercise calls an earlier one that is wrong, it is tried
  again with a right one."""

_FUNCTION = '''\
def {name}(x):
    """Say in a sentence what it returns.

    Parameters
    ----------
    x : ndarray of float, shape (N,)
        Not changed.

    Returns
    -------
    ndarray of float, shape (N,)
    """
    {begin}
    raise NotImplementedError("the solution of {name} is still to be written")
    {end}
'''

_CLASS = '''\
class {name}:
    """Say in a sentence what it is.

    Parameters
    ----------
    size : int
    """

    def __init__(self, size):
        {begin}
        raise NotImplementedError("the solution of {name}.__init__ is still to be written")
        {end}

    def forward(self, x):
        """Say in a sentence what it returns."""
        {begin}
        raise NotImplementedError("the solution of {name}.forward is still to be written")
        {end}
'''

_TEST = '''\
"""{title}"""

# What students read: small numbers that they can work out by hand. The words behind the comma are what they are told.
result = {call}
assert np.allclose(result, [1.0, 2.0]), "say here what to look at"
### BEGIN HIDDEN TESTS
# What decides as well, and no student reads: other shapes, large numbers, arguments that must not change.
rng = np.random.default_rng({number})
x = rng.normal(size=7)
given = x.copy()
assert np.shape({other}) == (7,), "it should hold for any length"
assert np.array_equal(x, given), "do not change `x`"
### END HIDDEN TESTS
'''


@dataclass(frozen=True)
class NewAssignment:
    """An assignment that was begun.

    Attributes:
        imported: What was written into ``source/`` and gradebook_config.yaml.
        reference: The reference's file that was begun, or None.
    """

    imported: Imported
    reference: Path | None


def new_assignment(
    root: Path,
    name: str,
    *,
    functions: Sequence[str] = (),
    classes: Sequence[str] = (),
    notebook: Path | None = None,
    reference: bool = False,
) -> NewAssignment:
    """Begin an assignment in a course: its master, and its entry in gradebook_config.yaml.

    Args:
        root: The course's folder.
        name: The assignment's name.
        functions: A row for each of these functions; of a notebook, only these are exercises.
        classes: A row for each of these classes.
        notebook: A notebook that solves it, of which the master is made: what defines functions and classes becomes an
            exercise, all else stays as it is and is locked.
        reference: Whether a reference is begun in ``solutions/``, for its author to write apart from the master.

    Raises:
        ConfigError: A name is none or is taken, or the notebook defines no such function; nothing is written.
        AutograderError: It cannot be written.
    """
    if not name.strip() or name in (".", ".."):
        raise ConfigError(f"expected the assignment's name, such as week2, found {shown(name)}")
    names = [*functions, *classes]
    if wrong := next((each for each in names if not each.isidentifier() or keyword.iskeyword(each)), None):
        raise ConfigError(f"expected a name that Python takes, such as softmax, found {shown(wrong)}")
    ids = ["about", "setup", *(id_ for each in names for id_ in (each, f"{each}-intro", f"test_{each}"))]
    if clash := next((each for each in names if ids.count(each) > 1 and names.count(each) == 1), None):
        raise ConfigError(f"{clash} is what a cell beside the exercises is called; take another name for it")
    if twice := next((each for each in names if names.count(each) > 1), None):
        raise ConfigError(f"{twice} is named twice; an exercise has one row")
    at = root / "solutions" / name
    if reference and os.path.lexists(at):
        raise ConfigError(f"{at} is there already, and nothing is overwritten: take another name")
    if notebook is None:
        cells = list(_fresh(name, functions or (() if classes else ("first_function",)), classes))
    else:
        cells = list(_made_of(notebook, frozenset(names)))
    defined = [line for each in cells for line in _signatures(each)]
    with tempfile.TemporaryDirectory(prefix="autograder-new-") as folder:
        # The name itself is judged where it is written; a file needs one that a file can have.
        master = Path(folder, "assignment", f"{name if _FILE.fullmatch(name) else 'assignment'}.ipynb")
        master.parent.mkdir()
        master.write_text(notebook_text(python_notebook(cells)), encoding="utf-8")
        (imported,) = import_assignments(root, master.parent, form="nbgrader", name=name)
    return NewAssignment(imported, _write_reference(at, name, defined) if reference else None)


def _fresh(name: str, functions: Sequence[str], classes: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The cells of a master with a place for everything."""
    title = f"# {name}\n\nSay here what students learn, and what they need to know before.\n\n{_HOW}"
    yield _cell("markdown", "about", title)
    yield _cell("code", "setup", "import matplotlib.pyplot as plt\nimport numpy as np")
    for number, each in enumerate([*functions, *classes], 1):
        yield _cell(
            "markdown",
            f"{each}-intro",
            f"## Exercise {number} · `{each}` ({POINTS} points)\n\nSay here what it is, with a formula: $y = x$.",
        )
        text = _CLASS if each in classes else _FUNCTION
        yield _cell("code", each, text.format(name=each, begin=BEGIN_SOLUTION, end=END_SOLUTION), "solution")
        yield _test(each, number, is_class=each in classes)


def _test(name: str, number: int, *, is_class: bool) -> dict[str, Any]:
    call = f"{name}(2).forward(np.array([1.0, 2.0]))" if is_class else f"{name}(np.array([1.0, 2.0]))"
    other = f"{name}(7).forward(x)" if is_class else f"{name}(x)"
    return _cell(
        "code",
        f"test_{name}",
        _TEST.format(title=f"{name} gives what it should.", call=call, other=other, number=number),
        "test",
    )


def _cell(kind: str, grade_id: str, source: str, role: Role = "locked") -> dict[str, Any]:
    identity = re.sub(r"[^A-Za-z0-9_-]", "-", grade_id)[:64]
    metadata = {"nbgrader": marks(role, grade_id, POINTS if role == "test" else None)}
    return plain_cell(kind, identity, source.rstrip("\n"), metadata)


# Of a notebook that there is

_MARKED = re.compile(r"#+[ \t]*(?:BEGIN|END)[ \t]+(?:SOLUTION|HIDDEN TESTS)\b")


def _made_of(notebook: Path, wanted: frozenset[str]) -> Iterator[dict[str, Any]]:
    """The cells of a master that is made of a solved notebook.

    Raises:
        ConfigError: The notebook cannot be read, is a master already, or defines not what is wanted.
    """
    found = read_notebook(notebook)
    if b'"grade_id"' in read_bytes(notebook, MAX_NOTEBOOK):
        raise ConfigError(
            f"{notebook} has been marked for nbgrader already: `autograder import {notebook}` takes it as it is"
        )
    taken: set[str] = set()
    number = 0
    for place, cell in enumerate(found.cells, 1):
        defined = _defined(cell) if cell.kind == "code" else {}
        chosen = [each for each in defined if (not wanted or each in wanted) and each not in taken]
        if not chosen:
            kind = "code" if cell.kind == "code" else "markdown"
            yield _cell(kind, f"cell-{place}", cell.source)
            continue
        if _MARKED.search(cell.source):
            raise mistake(
                notebook, "the marks of a solution are there already: `autograder import` takes it as it is", cell=place
            )
        taken.update(chosen)
        number += 1
        marked = _with_marks(cell.source, [defined[each] for each in chosen])
        if not _is_same_code(marked, cell.source):
            raise mistake(notebook, f"put the code of {', '.join(chosen)} on lines of its own", cell=place)
        yield _cell("code", chosen[0], marked, "solution")
        yield _test(chosen[0], number, is_class=isinstance(defined[chosen[0]], ast.ClassDef))
    if missing := sorted(wanted - taken):
        raise ConfigError(f"{notebook} defines no {', '.join(missing)} at the top of a cell")
    if not taken:
        raise ConfigError(f"{notebook} defines no function and no class at the top of a cell, so there is no exercise")


_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _defined(cell: SourceCell) -> dict[str, _Definition]:
    """The functions and classes that a cell defines at its top; none where it is no Python."""
    tree = parsed(cell.source)
    return {} if tree is None else {node.name: node for node in tree.body if isinstance(node, _Definition)}


def _with_marks(source: str, definitions: Sequence[_Definition]) -> str:
    """The cell's source with the marks of a solution around each body; docstrings are left for students."""
    lines = source.splitlines()
    bodies = [body for each in definitions for body in _bodies(each)]
    for function, body in sorted(bodies, key=lambda each: each[1][0].lineno, reverse=True):
        first = min([body[0].lineno, *(each.lineno for each in getattr(body[0], "decorator_list", ()))])
        last = body[-1].end_lineno or body[-1].lineno
        line = lines[first - 1]
        start = len(line.encode()[: body[0].col_offset].decode())
        if first == last and line[:start].strip():  # `def f(x): return x`, whose body gets a line of its own
            indent = " " * (function.col_offset + 4)
            own = [f"{indent}{BEGIN_SOLUTION}", indent + line[start:], f"{indent}{END_SOLUTION}"]
            lines[first - 1 : first] = [line[:start].rstrip(), *own]
            continue
        indent = line[: len(line) - len(line.lstrip())]
        first, last = _with_comments(lines, function, first, last, len(indent))
        lines[last:last] = [f"{indent}{END_SOLUTION}"]
        lines[first - 1 : first - 1] = [f"{indent}{BEGIN_SOLUTION}"]
    return "\n".join(lines)


def _with_comments(lines: Sequence[str], function: _Function, first: int, last: int, indent: int) -> tuple[int, int]:
    """The first and the last line of a body, with the comments before and behind it, which may tell the answer too."""
    docstring = function.body[0] if ast.get_docstring(function) is not None else None
    head = (docstring.end_lineno or docstring.lineno) if docstring is not None else function.lineno
    before = first - 1
    while before > head and lines[before - 1].strip()[:1] in ("", "#"):
        before -= 1
        first = before + 1 if lines[before].strip() else first
    behind = last
    while behind < len(lines) and lines[behind].strip()[:1] in ("", "#"):
        behind += 1
        text = lines[behind - 1]
        if text.strip():
            if len(text) - len(text.lstrip()) < indent:
                break
            last = behind
    return first, last


def _is_same_code(one: str, other: str) -> bool:
    try:
        return ast.dump(ast.parse(without_magics(one))) == ast.dump(ast.parse(without_magics(other)))
    except (SyntaxError, RecursionError):
        return False


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _bodies(definition: _Definition) -> Iterator[tuple[_Function, list[ast.stmt]]]:
    """Each function that is defined, with its statements, the docstring left out."""
    if isinstance(definition, ast.ClassDef):
        for each in definition.body:
            if isinstance(each, _Definition):
                yield from _bodies(each)
        return
    body = definition.body[1:] if ast.get_docstring(definition) is not None else definition.body
    if body:
        yield definition, body


# The reference


def _signatures(cell: dict[str, Any]) -> Iterator[str]:
    """What a solution cell defines, as a reference begins: each function and class with nothing in it yet."""
    if not cell["metadata"]["nbgrader"]["solution"]:
        return
    tree = parsed(cell["source"])
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            with contextlib.suppress(RecursionError):
                yield ast.unparse(_emptied(node))


def _emptied(node: _Definition) -> _Definition:
    """A definition with its docstring and no code."""
    docstring = node.body[:1] if ast.get_docstring(node) is not None else []
    if isinstance(node, ast.ClassDef):
        inside: list[ast.stmt] = [
            _emptied(each) if isinstance(each, _Definition) else each for each in node.body[len(docstring) :]
        ]
    else:
        inside = list(ast.parse("raise NotImplementedError").body)
    node.body = [*docstring, *inside]
    return node


def _write_reference(folder: Path, name: str, defined: list[str]) -> Path:
    """Write a reference to begin with, and return its file.

    Raises:
        AutograderError: It cannot be written.
    """
    head = f'"""The reference of {name}, written apart from the master\'s solutions: each checks the other."""\n'
    path = folder / "__init__.py"
    try:
        make_closed_folder(folder)
        path.write_text("\n\n".join([f"{head}\nimport numpy as np\n", *(f"{each}\n" for each in defined)]), "utf-8")
    except OSError as error:
        raise AutograderError(f"{name} was begun without a reference: {path} cannot be written: {error}") from error
    return path
