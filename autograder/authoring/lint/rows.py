"""Rules about rows: what tests them, what they are worth, and whether students have them by the same name."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.authoring.lint.finding import Finding, Master, tree_of
from autograder.base import did_you_mean
from autograder.checking import statement_titles
from autograder.course import Assignment, Course, MasterCell, master_cells
from autograder.submission import parsed


def tests_nothing(master: Master) -> Iterator[Finding]:
    """Test cells without a statement that tests, in rows that have no checks of their own."""
    if master.assignment is None or (checks := _checks_of(master.assignment)).worked_out:
        return
    checked = {row.test_id for row in master.assignment.rows if row.name in checks.rows}
    for cell in master.tests:
        test = master.plan.tests.get(cell.grade_id)
        if test is None or test.problem or cell.grade_id in checked:
            continue
        if parsed(cell.source) is None:
            continue  # too long to look at
        body = tree_of(cell).body
        if statement_titles(test) or (body and _may_be_points(body[-1])):
            continue
        compared = next(
            (each for each in body if isinstance(each, ast.Expr) and isinstance(each.value, ast.Compare)), None
        )
        if compared is not None:
            text = "what this compares is thrown away, so the cell tests nothing; put `assert` before it"
            yield master.mistake(cell, text, compared.lineno)
        elif any(map(master.names_students, body)):
            text = "this test cell only runs what students wrote and tests nothing that comes of it; add an `assert`"
            yield master.warning(cell, text)
        else:
            yield master.mistake(cell, "this test cell tests nothing, so everybody has its points; add an `assert`")


def _may_be_points(statement: ast.stmt) -> bool:
    """Whether a cell's last statement may be a number that a test works out: its points, as nbgrader has it."""
    if not isinstance(statement, ast.Expr):
        return False
    return not isinstance(statement.value, ast.Constant | ast.Compare | ast.Call | ast.JoinedStr)


def no_points(master: Master) -> Iterator[Finding]:
    """Graded cells that are worth nothing."""
    for cell in master.cells:
        if not (cell.grade or cell.task):
            continue
        try:
            nothing = float(cell.points) == 0
        except (TypeError, ValueError, OverflowError):
            continue  # the course does not load with these
        if nothing:
            yield master.warning(
                cell, "0 points: it is graded, and counts for nothing; give it points if it should count"
            )


def checks_fit(course: Course, assignment: Assignment, masters: tuple[Master, ...]) -> Iterator[Finding]:
    """Checks of rows that are not there, and checks that take the place of hidden tests."""
    for part, master in zip(assignment.notebooks, masters, strict=True):
        found = _checks_of(part)
        checks, together = found.rows, found.together
        rows = {row.name: row for row in part.rows}
        for name, (path, line) in (checks | together).items():
            if name not in rows:
                text = (
                    f"there is no row {name!r} in {part.master.name}; {did_you_mean(name, list(rows))}name a row that "
                    "is there"
                )
                yield Finding("mistake", path.relative_to(course.root).as_posix(), 0, "", line, text)
        for cell in master.tests:
            name = next((row.name for row in part.rows if row.test_id == cell.grade_id), "")
            test = master.plan.tests.get(cell.grade_id)
            if name in checks and name not in together and test is not None and test.hidden:
                path, line = checks[name]
                where = f"{path.relative_to(course.root).as_posix()}, line {line}"
                yield master.warning(
                    cell,
                    f"the checks of this row ({where}) take the test cell's place, so its hidden tests count for "
                    f"nothing; write `with_test_cell({name!r})` beside the checks, or take the hidden tests away",
                    min(test.hidden),
                )


_Places = dict[str, tuple[Path, int]]


@dataclass(frozen=True)
class _Checks:
    """The checks of a notebook, as far as their text tells.

    Attributes:
        rows: The first check of each row.
        together: Where a row's test cell is said to count as well.
        worked_out: Whether some name their row by an expression, so that any row may have checks.
    """

    rows: _Places
    together: _Places
    worked_out: bool


def _checks_of(assignment: Assignment) -> _Checks:
    rows: _Places = {}
    together: _Places = {}
    worked_out = False
    for path in sorted(assignment.checks.rglob("*.py")) if assignment.checks.is_dir() else ():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError):
            worked_out = True
            continue  # `release` says so
        nodes = [*ast.walk(tree)]
        decorators = {id(each) for node in nodes if isinstance(node, ast.FunctionDef) for each in node.decorator_list}
        for node in nodes:
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name == "with_test_cell":
                together |= dict.fromkeys(_texts(node.args), (path, node.lineno))
            elif name == "check":
                row = [*node.args[:1], *(each.value for each in node.keywords if each.arg == "row")]
                if id(node) in decorators and (found := _texts(row)):
                    rows.setdefault(found[0], (path, node.lineno))
                else:
                    worked_out = True
    return _Checks(rows, together, worked_out)


def _texts(nodes: list[ast.expr]) -> list[str]:
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def ids_since_release(course: Course, assignment: Assignment, masters: tuple[Master, ...]) -> Iterator[Finding]:
    """Graded cells and answers that the release has under other ids than the master."""
    handed_in = next((course.root / "submitted").glob(f"*/{assignment.name}"), None) is not None
    if not handed_in and not _has_gradebook(course):
        return
    for part, master in zip(assignment.notebooks, masters, strict=True):
        try:
            released = {cell.grade_id: cell for cell in master_cells(part.release) if _is_students(cell)}
        except (OSError, ValueError):
            continue
        now = {cell.grade_id: cell for cell in master.cells if _is_students(cell)}
        for name in released.keys() - now.keys() - {""}:
            new = sorted(now.keys() - released.keys())
            nearest = did_you_mean(name, new)
            text = (
                f"the release has a cell {name}, which is not here any more; {nearest}"
                + ("students have handed it in, so give the cell its id again" if handed_in else "")
                + ("" if handed_in else "give the cell its id again if students have the release already")
            )
            yield Finding("mistake" if handed_in else "warning", master.file, 0, name, 0, text)
        for name in now.keys() - released.keys() - {""} if handed_in else ():
            text = "the release has no such cell, and students have handed in already: in what they did it is missing"
            yield master.warning(now[name], text)


def _is_students(cell: MasterCell) -> bool:
    return cell.grade or cell.solution or cell.task


def _has_gradebook(course: Course) -> bool:
    kind, _, path = course.database.partition(":///")
    return kind != "sqlite" or Path(path).is_file()


RULES = (tests_nothing, no_points)
OF_ASSIGNMENTS = (checks_fit, ids_since_release)
