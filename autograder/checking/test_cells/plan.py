"""A master notebook → what its test cells need: what is made outside, what the student's, what an earlier test gives.

It is found out by the text of the cells alone. What cells that students cannot change define is made outside, from the
master. What they can change, and what is made from that, is asked of the student's process.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autograder.checking.test_cells.remote import STATEFUL
from autograder.course import SHOWS_TAG, MasterCell, autotest_line, other_language, without_magics
from autograder.submission import binds, parsed, reads, reads_when_called

_CHANGING = frozenset(
    {
        *("append", "extend", "insert", "pop", "remove", "clear", "update", "setdefault", "add", "discard", "sort"),
        *("reverse", "fill", "put", "resize", "popitem", "appendleft", "popleft", "shuffle", "write"),
    }
)
"""Methods that change the object that they are of."""

_HIDDEN = re.compile(r"^[ \t]*#+ *(BEGIN|END) HIDDEN TESTS.*$", re.MULTILINE)
_REGION = re.compile(r"^([ \t]*)#+ *BEGIN SOLUTION.*?END SOLUTION[^\n]*", re.MULTILINE | re.DOTALL)
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Import = ast.Import | ast.ImportFrom


@dataclass(frozen=True)
class Piece:
    """Some statements of a cell of the master.

    Attributes:
        number: The cell's place in the master, from 1.
        source: The whole cell, its magics left out.
        statements: Which of its top-level statements, from 0, in order.
    """

    number: int
    source: str
    statements: tuple[int, ...]


@dataclass(frozen=True)
class TestCell:
    """A test cell.

    Attributes:
        grade_id: Its ``grade_id``.
        number: Its place in the master, from 1.
        source: Its code, magics left out, with the hidden tests.
        hidden: The lines that are hidden, from 1.
        before: What it needs of earlier test cells.
        shares_random: Whether it draws or sets a seed, so that its random state and the student's have to be one.
        problem: Why it cannot be run; usually empty.
    """

    grade_id: str
    number: int
    source: str
    hidden: frozenset[int]
    before: tuple[Piece, ...]
    shares_random: bool
    problem: str = ""

    __test__ = False  # it is no test of pytest's


@dataclass(frozen=True)
class Plan:
    """What the test cells of a notebook need.

    Attributes:
        given: What is made outside, in order.
        students: Names that are asked of the student's process.
        shared: Names that functions read which are no test's: where a test binds one, the student's process gets it.
            What has been run by then reads nothing more, and what a test calls ``expected`` is none of the student's.
        tests: By ``grade_id``, in order.
        asked: Names that nothing but a solution imports: to import them is what students are asked for.
    """

    given: tuple[Piece, ...]
    students: frozenset[str]
    shared: frozenset[str]
    tests: dict[str, TestCell]
    asked: frozenset[str] = frozenset()


def plan_of(cells: Sequence[MasterCell]) -> Plan:
    """The plan for the test cells of a master notebook."""
    code = [cell for cell in cells if cell.kind == "code"]
    tests = [cell for cell in code if is_test(cell)]
    others = [cell for cell in code if not is_test(cell)]
    students = set(_students(others, tests))
    given = []
    for cell in others:
        tree = parsed(cell.source)
        if tree is None or SHOWS_TAG in cell.tags:
            continue
        kept = [
            number
            for number, statement in enumerate(tree.body)
            if (_stays_outside(statement, students) if cell.locked and not cell.solution else _is_import(statement))
        ]
        if kept:
            given.append(Piece(cell.number, without_magics(cell.source), tuple(kept)))
    shared = frozenset[str]().union(*(reads_when_called(each.source) for each in others))
    imported = {
        name for cell in others for each in _statements(cell.source) if _is_import(each) for name in binds_of(each)
    }
    return Plan(
        tuple(given),
        frozenset(students),
        shared - imported - {"*"},
        {cell.grade_id: _test(cell, code) for cell in tests if cell.grade_id},
        _asked(code) - students,
    )


def _asked(code: Sequence[MasterCell]) -> frozenset[str]:
    """The names that are imported by what of solution cells students do not get, and bound by nothing else."""
    solved, given = set[str](), set[str]()
    for cell in code:
        released = _REGION.sub(r"\1pass", cell.source) if _REGION.search(cell.source) else ""
        left = released if cell.solution else cell.source
        given |= {name for each in _statements(left) for name in binds_of(each)}
        if cell.solution:
            solved |= {name for each in _statements(cell.source) if _is_import(each) for name in binds_of(each)}
    return frozenset(solved - given)


def is_test(cell: MasterCell) -> bool:
    """Whether a cell is an autograded test."""
    return cell.kind == "code" and cell.grade and not cell.solution


def binds_of(statement: ast.stmt) -> frozenset[str]:
    """The names that a statement binds or changes."""
    return binds(ast.unparse(statement))


def hidden_lines(source: str) -> frozenset[int]:
    """The lines of a test cell that students do not get, from 1; the marks count among them."""
    hidden: set[int] = set()
    begun = 0
    for number, line in enumerate(source.splitlines(), 1):
        match = _HIDDEN.match(line)
        if match and match[1] == "BEGIN":
            begun = number
        if begun:
            hidden.add(number)
        if match and match[1] == "END":
            begun = 0
    return frozenset(hidden)


def _students(others: Sequence[MasterCell], tests: Sequence[MasterCell]) -> frozenset[str]:
    """The names that are the student's: those that cells which they can change bind, and what is made from them."""
    own: set[str] = set()
    for cell in others:
        if not cell.locked or cell.solution:
            own |= {name for each in _statements(cell.source) if not _is_import(each) for name in binds_of(each)}
            own |= set(_changed_by_methods(cell.source))
        own |= {name for each in _statements(cell.source) if _is_stateful(each) for name in binds_of(each)}
    # What only a test binds is made where the test is run, but not where a given cell is.
    by_tests = {name for cell in tests for name in binds(cell.source)}
    while True:
        more = {
            name
            for cell in others
            if cell.locked and not cell.solution
            for each in _statements(cell.source)
            if not _is_import(each) and not _stays_outside(each, own | by_tests)
            for name in binds_of(each)
        } - own
        if not more:
            return frozenset(own)
        own |= more


def _stays_outside(statement: ast.stmt, students: Iterable[str]) -> bool:
    """Whether a statement of a given cell is run outside: it needs nothing of the student's, and changes nothing."""
    if _is_import(statement):
        return not _is_stateful(statement)
    names = frozenset(students)
    if isinstance(statement, _Function):
        # Its body reads what it reads when it is called.
        at_once = [*statement.decorator_list, *statement.args.defaults, *filter(None, statement.args.kw_defaults)]
        needed = {each.id for part in at_once for each in ast.walk(part) if isinstance(each, ast.Name)}
        return not needed & names and statement.name not in names
    needed_names = reads(ast.unparse(statement))
    return needed_names is not None and not (needed_names | binds_of(statement)) & names


def _changed_by_methods(source: str) -> Iterable[str]:
    """Names of objects that a cell changes by calling a method of theirs."""
    for node in ast.walk(parsed(source) or ast.Module([], [])):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if method in _CHANGING:
                yield name


def _is_import(statement: ast.stmt) -> bool:
    return isinstance(statement, _Import) and not _is_stateful(statement)


def _is_stateful(statement: ast.stmt) -> bool:
    match statement:
        case ast.Import(names=names):
            return any(each.name.partition(".")[0] in STATEFUL for each in names)
        case ast.ImportFrom(module=str(module)):
            return module.partition(".")[0] in STATEFUL
    return False


def _statements(source: str) -> list[ast.stmt]:
    tree = parsed(source)
    return [] if tree is None else tree.body


def _test(cell: MasterCell, code: Sequence[MasterCell]) -> TestCell:
    source = without_magics(cell.source)
    magic = other_language(cell.source)
    problem = f"it is no valid Python: {magic} is left out where test cells run" if magic else ""
    try:
        ast.parse(source)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        problem = f"it is no valid Python{line}: {error.args[0]}"
    if number := autotest_line(cell.source):
        problem = (
            f"line {number}: nbgrader has made no test of this AUTOTEST line yet; `autograder release` has it do so"
        )
    return TestCell(
        cell.grade_id,
        cell.number,
        source,
        hidden_lines(source),
        tuple(_before(cell, code)),
        bool(re.search(r"\b(seed|random|rand|randn|randint|set_state|getstate|setstate|shuffle)\b", source)),
        problem,
    )


def _before(cell: MasterCell, code: Sequence[MasterCell]) -> Iterable[Piece]:
    """Those statements of earlier test cells that bind what this one reads, where no other cell has bound it since."""
    needed = set(reads(cell.source) or ())
    pieces: list[Piece] = []
    for earlier in reversed([each for each in code if each.number < cell.number]):
        bound = needed & binds(earlier.source)
        if not bound:
            continue
        if not is_test(earlier):
            needed -= bound
            continue
        statements, kept = _statements(earlier.source), []
        for number in reversed(range(len(statements))):
            here = binds_of(statements[number])
            if here & needed:
                kept.append(number)
                needed -= here
                needed |= reads(ast.unparse(statements[number])) or frozenset()
        pieces.append(Piece(earlier.number, without_magics(earlier.source), tuple(reversed(kept))))
    return reversed(pieces)
