"""The solved master as the code cells that grading depends on, and which rows a change of one of them can reach."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from autograder.authoring.showing import sets_seed
from autograder.course import Assignment, master_cells


@dataclass(frozen=True)
class SolvedCell:
    """A code cell of the solved master.

    Attributes:
        row: The row that it solves; empty for a cell that only defines what others need.
        source: Its source, without magics and shell lines.
        defines: The names that it binds at its top level.
        mentions: The names that it uses anywhere, and words in strings, by which a name can be looked up too.
    """

    row: str
    source: str
    defines: frozenset[str]
    mentions: frozenset[str]


def solved_cells(assignment: Assignment) -> tuple[SolvedCell, ...]:
    """The cells of the answers, those that define what they need or set a seed, in the master's order.

    No tests and no figures.
    """
    cells: list[SolvedCell] = []
    # A solution may have several test cells: its mutants are those of the first.
    rows = {row.solution: row.name for row in reversed(assignment.rows) if row.solution}
    answers: set[int] = set()
    for each in master_cells(assignment.master):
        if each.kind == "code" and not each.grade:
            if each.solution:
                answers.add(len(cells))
            cells.append(_cell(rows.get(each.grade_id, "") if each.solution else "", each.source))
    wanted = {name for place in answers for name in cells[place].mentions}
    needed: set[int] = set()
    while True:
        more = {
            number
            for number, cell in enumerate(cells)
            if number not in answers and (cell.defines & (wanted | {"*"}) or sets_seed(cell.source))
        } - needed
        if not more:
            return tuple(cell for number, cell in enumerate(cells) if number in answers | needed)
        needed |= more
        wanted |= {name for number in more for name in cells[number].mentions}


def names_tested(assignment: Assignment, cells: Iterable[SolvedCell]) -> dict[str, frozenset[str]]:
    """What each row's solution cell binds, for rows whose answers are no functions; empty for the others."""
    solutions = {row.name: row.solution for row in assignment.rows}
    bound = {solutions[cell.row]: cell.defines for cell in cells if cell.row}
    return {row.name: frozenset() if row.functions else bound.get(row.solution, frozenset()) for row in assignment.rows}


def reached(cells: Sequence[SolvedCell], changed: SolvedCell, called: Mapping[str, Collection[str]]) -> frozenset[str]:
    """The rows whose results a change of one cell can change.

    Checks are deterministic: as long as every function that they call answers as before, they call the same ones. So
    a row can only change where a function that its checks call (see ``called``, of the solved master), or one that
    such a function mentions, and so on, is defined by the changed cell.
    """
    rows = ((row, uses(cells, functions)) for row, functions in called.items())
    return frozenset(row for row, names in rows if row == changed.row or changed.defines & names)


def uses(cells: Iterable[SolvedCell], functions: Collection[str]) -> set[str]:
    """The names that functions mention, those that these mention, and so on, the functions' own among them."""
    mentions: dict[str, set[str]] = {}
    for cell in cells:
        for name in cell.defines:
            mentions.setdefault(name, set()).update(cell.mentions)
    found: set[str] = set()
    waiting = list(functions)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += mentions.get(name, ())
    return found


def parsed(source: str) -> ast.Module:
    """The syntax tree of code without magics.

    Raises:
        SyntaxError: It is no Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _cell(row: str, source: str) -> SolvedCell:
    plain = re.sub(r"^[%!].*$", "", source, flags=re.MULTILINE)
    try:
        tree = parsed(plain)
    except SyntaxError:  # a cell of the instructor's in another language (%%html): it defines nothing
        return SolvedCell(row, "", frozenset(), frozenset())
    return SolvedCell(row, plain, frozenset(_bound(tree.body)), frozenset(_mentioned(tree)))


def _bound(body: Iterable[ast.stmt]) -> set[str]:
    names: set[str] = set()
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(statement.name)
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.alias):
                names.add((node.asname or node.name).partition(".")[0])
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
    return names


def _mentioned(tree: ast.AST) -> set[str]:
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return names | {word for word in words if word.isidentifier()}


def numpy_name(cells: Iterable[SolvedCell]) -> str:
    """What the cells call NumPy; empty where none imports it."""
    for cell in cells:
        for node in ast.walk(parsed(cell.source)):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name == "numpy":
                        return alias.asname or alias.name
    return ""
