"""Which cell's definition was graded, where a notebook defines a row's function more than once.

What counts is the state after the whole notebook. A later cell that defines a function again, assigns to its name,
imports over it or deletes it undoes the right code above, whose visible checks have passed by then.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from autograder.checking import Reference, short
from autograder.course import Assignment
from autograder.grading.report import RowResult
from autograder.sandbox import CellRun
from autograder.submission import LOOKED_AT, LOOKED_AT_IN_ALL, Submission, code_cells, parsed, solution_cells

MAX_WATCHED = 1_000
MAX_HELPERS = 2
MAX_NAMED = 5

_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
_INNER = _FUNCTION | ast.ClassDef | ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(frozen=True)
class _Cell:
    """A code cell: its number in the submitted notebook, from 1 (0 where it has none), and its text."""

    number: int
    source: str


def watched_names(submission: Submission, assignment: Assignment) -> tuple[str, ...]:
    """The names of which it matters which cell bound them last: the rows' functions, and what these use."""
    own = [name for row in assignment.rows for name in row.functions]
    used = {name for each in _used_in(submission).values() for names in each.values() for name in names}
    return tuple(dict.fromkeys([*own, *sorted(used)]))[:MAX_WATCHED]


def with_definitions(
    rows: Iterable[RowResult],
    assignment: Assignment,
    submission: Submission,
    runs: Sequence[CellRun],
    reference: Reference,
) -> tuple[RowResult, ...]:
    """The rows, with a note on each function of which another definition was graded than its student may think.

    Args:
        rows: The assignment's, or the first of them.
        assignment: What was graded.
        submission: The notebook.
        runs: How its code cells ran, by their places in it, with ``watched_names``.
        reference: Knows the order of the functions' arguments.
    """
    cells = {index: _Cell(_number(submission, index), source) for index, source in code_cells(submission)}
    uses = _used_in(submission)
    last = {run.index: run for run in runs}
    own = solution_cells(submission)
    told = []
    for row, result in zip(assignment.rows, rows, strict=False):
        notes: list[str] = []
        for function in row.functions:
            changes = [run.index for run in last.values() if function in (*run.bound, *run.gone)]
            if len(changes) > 1 or (changes and function in last[changes[-1]].gone):
                notes.append(_told(function, "", changes, last, cells))
            place = changes[-1] if changes else own.get(row.solution)
            if place is not None:
                notes += _other_order(function, cells[place].source, reference)
                notes += _helpers(function, place, last, cells, uses, own.keys() | _rows_functions(assignment))
        told.append(replace(result, notes=tuple(notes)))
    return tuple(told)


def _rows_functions(assignment: Assignment) -> set[str]:
    return {name for row in assignment.rows for name in row.functions}


def _number(submission: Submission, index: int) -> int:
    """A cell's number in the notebook as it was handed in; 0 for one that was not in it."""
    return submission.numbers[index] if index < len(submission.numbers) else index + 1


def _told(name: str, user: str, changes: Sequence[int], runs: Mapping[int, CellRun], cells: Mapping[int, _Cell]) -> str:
    """Which cell decides what a name stands for, and which were there before; ``user`` is the function that uses it."""
    final, gone = cells[changes[-1]], name in runs[changes[-1]].gone
    number = f"cell {final.number}" if final.number else "a cell of yours"
    before = [str(cells[each].number) for each in changes[:-1] if cells[each].number][-MAX_NAMED:]
    listed = " and ".join(filter(None, (", ".join(before[:-1]), *before[-1:])))
    earlier = f"cells {listed} do" if len(before) > 1 else f"cell {listed} does"
    used = f"`{user}` uses `{name}`, which" if user else f"`{name}`"
    if gone:
        after = f", after cell {before[-1]} had defined it" if before else ""
        said = f"{used} is not there any more at the end: {number} removes it{after}."
    else:
        instead = f", not as {earlier}" if before else ""
        graded = "counts" if user else "was graded"
        said = f"{used} {graded} as {number} leaves it{instead}: the last definition in the notebook counts."
    return f"{said} {number[0].upper()}{number[1:]}, counted from the top with the text cells, {_looks(final, name)}."


def _looks(cell: _Cell, name: str) -> str:
    """How a cell is found: its first line, and the line that binds or removes a name where that is another."""
    lines = _lines(cell.source)
    first = next((number for number, line in enumerate(lines, 1) if line.strip()), 1)
    line = _line_that_binds(cell.source, name) or first
    more = f"; its line {line} is `{_code(lines, line)}`" if line != first else ""
    return f"begins `{_code(lines, first)}`{more}"


def _code(lines: Sequence[str], number: int) -> str:
    return short(lines[number - 1], 80).replace("`", "’") if 0 < number <= len(lines) else ""


def _helpers(
    function: str,
    place: int,
    runs: Mapping[int, CellRun],
    cells: Mapping[int, _Cell],
    uses: Mapping[int, Mapping[str, tuple[str, ...]]],
    rows: set[str],
) -> Iterator[str]:
    """What is said of other names that a function uses, and that a cell below its own has changed."""
    count = 0
    for name in _reached(function, place, uses):
        changes = [run.index for run in runs.values() if name in (*run.bound, *run.gone)]
        again = len(changes) > 1 or hasattr(builtins, name)
        if name in rows or not again or not changes or changes[-1] <= place:
            continue
        count += 1
        if count > MAX_HELPERS:
            return
        yield _told(name, function, changes, runs, cells)


def _reached(function: str, place: int, uses: Mapping[int, Mapping[str, tuple[str, ...]]]) -> list[str]:
    """The global names that a function of a cell uses, itself and by the functions that it calls."""
    known = {name: names for each in uses.values() for name, names in each.items()} | dict(uses.get(place, {}))
    found: dict[str, None] = {}
    waiting = [function]
    while waiting:
        for name in known.get(waiting.pop(), ()):
            if name not in found and name != function:
                found[name] = None
                waiting.append(name)
    return list(found)


def _used_in(submission: Submission) -> dict[int, dict[str, tuple[str, ...]]]:
    """By the place of each code cell: the functions that it defines, each with the global names that it uses."""
    found, left = {}, LOOKED_AT_IN_ALL
    for index, source in code_cells(submission):
        if len(source) <= min(LOOKED_AT, left):
            left -= len(source)
            found[index] = _uses(source)
    return found


@lru_cache(maxsize=256)
def _uses(source: str) -> dict[str, tuple[str, ...]]:
    """The functions that a cell defines, each with the names that it takes from the notebook's namespace."""
    return {
        node.name: tuple(dict.fromkeys(_globals_of(node))) for node in _scope(source) if isinstance(node, _FUNCTION)
    }


def _globals_of(function: ast.AST) -> Iterator[str]:
    nodes = list(ast.walk(function))
    arguments = {each.arg for each in nodes if isinstance(each, ast.arg)}
    names = [each for each in nodes if isinstance(each, ast.Name)]
    outer = {name for each in nodes if isinstance(each, ast.Global) for name in each.names}
    stored = {each.id for each in names if not isinstance(each.ctx, ast.Load)} - outer
    inner = {each.name for each in nodes if isinstance(each, _FUNCTION | ast.ClassDef)}
    imported = {
        (alias.asname or alias.name).split(".")[0]
        for each in nodes
        if isinstance(each, ast.Import | ast.ImportFrom)
        for alias in each.names
    }
    local = arguments | stored | (inner - {getattr(function, "name", "")}) | imported
    yield from (each.id for each in names if isinstance(each.ctx, ast.Load) and each.id not in local)


def _other_order(function: str, source: str, reference: Reference) -> Iterator[str]:
    """What is said where a function takes its arguments, by their names, in another order than was asked for."""
    defined = [node for node in _scope(source) if isinstance(node, _FUNCTION) and node.name == function]
    asked = reference.parameters(function)
    if not defined or not asked:
        return
    given = defined[-1].args
    theirs = [each.arg for each in (*given.posonlyargs, *given.args)]
    if theirs != list(asked) and sorted(theirs) == sorted(asked):
        yield (
            f"`{function}` takes its arguments in another order than was asked for: `{', '.join(theirs)}` stands where "
            f"`{', '.join(asked)}` should."
        )


def _line_that_binds(source: str, name: str) -> int:
    """The last line of a cell that binds or removes a name in the notebook's namespace; 0 where that is not seen."""
    nodes = _scope(source)
    lines = [node.lineno for node in nodes if name in _binds(node)]
    if not lines:
        lines = [node.lineno for node in nodes if "*" in _binds(node)]
    if not lines:
        # A line of IPython's own, or code that is run as text.
        lines = [at for at, line in enumerate(_lines(source), 1) if re.search(rf"\b{re.escape(name)}\b", line)]
    return lines[-1] if lines else 0


def _binds(node: ast.stmt | ast.expr | ast.excepthandler) -> tuple[str, ...]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return (name,)
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return tuple((each.asname or each.name).split(".")[0] for each in names)
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return (name,)
        case ast.ExceptHandler(name=str(name)):
            return (name,)
    return ()


def _scope(source: str) -> list[ast.stmt | ast.expr | ast.excepthandler]:
    """What stands in a cell's own scope, in the order of its lines: the insides of functions and classes do not."""
    found = []
    waiting: list[ast.AST] = [parsed(source) or ast.Module([], [])]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt | ast.expr | ast.excepthandler):
            found.append(node)
        if not isinstance(node, _INNER):
            waiting.extend(reversed(list(ast.iter_child_nodes(node))))
    return found


def _lines(source: str) -> list[str]:
    """A cell's lines, as Python counts them."""
    return re.split(r"\r\n|\r|\n", source)
