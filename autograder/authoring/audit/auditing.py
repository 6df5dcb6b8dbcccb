"""Hidden checks put to the test.

Wrong versions of the solved master must lose points in their own row alone, right ones in other words must lose none.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from autograder.authoring.audit.alternates import Alternate, alternates
from autograder.authoring.audit.editing import functions_of, named_functions, without_docstrings
from autograder.authoring.audit.equivalents import Equivalent, equivalent_to, read_equivalents
from autograder.authoring.audit.mutants import mutants
from autograder.authoring.audit.observing import ARRAYS, Observed, observe
from autograder.authoring.audit.running import Lost, Version, graded
from autograder.authoring.audit.solved import SolvedCell, names_tested, numpy_name, parsed, reached, solved_cells, uses
from autograder.authoring.audit.stock import parameter_forms, stock_mutants
from autograder.authoring.mistakes import stock_mistakes
from autograder.authoring.own_lists import beside_reference
from autograder.base import ConfigError
from autograder.course import Assignment, Row
from autograder.grading import CheckResult
from autograder.sandbox import Kind

Status = Literal["killed", "equivalent", "survived", "errored"]

_CALL_SECONDS = 2.0


@dataclass(frozen=True)
class Mutant:
    """A wrong version of the solved master.

    Attributes:
        row: The row whose cell is changed.
        function: The function that is changed.
        kind: What is wrong, in a few words; one of the course's own mistakes has a sentence.
        before: The line that is changed.
        after: What stands in its place.
        cell: The row's cell, changed.
        right: The row's cell as it should be, written the same way.
        place: The line of the master's solution cell, from 1; 0 where there is none such.
    """

    row: str
    function: str
    kind: str
    before: str
    after: str
    cell: str
    right: str
    place: int = 0


@dataclass(frozen=True)
class Tried:
    """A mutant and what became of it.

    Attributes:
        mutant: The mutant.
        status: Killed where its row lost points; equivalent where it did not and is listed with a reason; errored where
            a check could not give a verdict; else it survived.
        lost: All rows that lost points.
        spills: Those of them that should not have.
        reason: Why it is equivalent, or what the first failed check said of it.
    """

    mutant: Mutant
    status: Status
    lost: tuple[str, ...]
    spills: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True)
class Judged:
    """A right answer in other words, and the rows where it lost points, with what the first failed check said."""

    alternate: Alternate
    lost: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        assignment: The assignment.
        mutants: All that were tried, in the order of the rows.
        right: The right answers that were tried.
        stale: Entries of the list of equivalent mutants that fit none.
        whole: Whether all rows and all mutants were tried.
    """

    assignment: Assignment
    mutants: tuple[Tried, ...]
    right: tuple[Judged, ...]
    stale: tuple[Equivalent, ...]
    whole: bool

    @property
    def passed(self) -> bool:
        """Whether every mutant lost points in its own row alone or is listed, and every right answer lost none."""
        wrong = any(each.status in ("survived", "errored") or each.spills for each in self.mutants)
        return not wrong and not any(each.lost for each in self.right)


def run_audit(
    assignment: Assignment,
    *,
    rows: Collection[str] = (),
    limit: int | None = None,
    jobs: int,
    sandbox: Kind = "bubblewrap",
    started: Callable[[int], object] = lambda _: None,
    advance: Callable[[], object] = lambda: None,
) -> Audit:
    """Put the hidden checks of an assignment to the test.

    Args:
        assignment: The assignment; its release is not needed.
        rows: Only the mutants of these rows; all where empty.
        limit: Only so many mutants, taken evenly from all.
        jobs: How many processes grade at once.
        sandbox: As for ``grade``.
        started: Is told how many versions there are to grade.
        advance: Is called after each.

    Returns:
        What was found; the same assignment gives the same.

    Raises:
        ConfigError: There is no such row, or a list beside the reference has a mistake.
        CheckError: The checks cannot be used, or the solved master does not pass them.
        SandboxError: There is no sandbox on this machine.
    """
    known = [row.name for row in assignment.rows]
    if strays := sorted(set(rows) - set(known)):
        raise ConfigError(f"{assignment.master.name} has no row {', '.join(strays)}; it has {', '.join(known)}")
    equivalents = read_equivalents(assignment)
    cells = solved_cells(assignment)
    observed = observe([cell.source for cell in cells], assignment, sandbox)
    bound = names_tested(assignment, cells)
    called = {name: functions | bound[name] for name, functions in observed.called.items()}
    own = {cell.row for cell in cells if cell.row}
    chosen = [row for row in assignment.rows if (not rows or row.name in rows) and row.name in own]
    every = [mutant for row in chosen for mutant in _mutants(row, cells, observed, assignment)]
    some = every if limit is None or limit >= len(every) else [every[i * len(every) // limit] for i in range(limit)]
    others = alternates(cells, observed)
    # Mutants that never end are many.
    call_seconds = min(assignment.limits.call_seconds, max(_CALL_SECONDS, 10 * observed.longest_call))
    of_row = {cell.row: cell for cell in cells if cell.row}
    needed = {each.row for each in some}
    started(len(needed) + len(some) + len(others))

    def run(versions: Sequence[Version]) -> list[Lost]:
        lost: dict[int, Lost] = {}
        for place, result in graded(versions, jobs):
            lost[place] = result
            advance()
        return [lost[place] for place in range(len(versions))]

    def version(row: str, source: str, still_open: frozenset[str]) -> Version:
        of, rows = of_row[row], called
        earlier = {name for each in known[: known.index(row)] for name in rows[each]}
        leans = bool(earlier & uses(cells, rows[row]))
        changed = tuple(source if cell is of else cell.source for cell in cells)
        within = reached(cells, of, rows)
        return Version(changed, assignment, sandbox, observed.rows, row, within, still_open, leans, call_seconds)

    # Rows that have full marks although none of a row's functions works at all: no mistake in it costs them anything.
    broken = [row for row in assignment.rows if row.name in needed]
    lost = run([version(row.name, _broken(row), reached(cells, of_row[row.name], called)) for row in broken])
    still_open = {row.name: frozenset(of) - {row.name} for row, of in zip(broken, lost, strict=True)}
    every_lost = run(
        [version(each.row, each.cell, still_open[each.row]) for each in some]
        + [Version(each.cells, assignment, sandbox, observed.rows) for each in others]
    )
    tried = tuple(_tried(each, of, observed, equivalents) for each, of in zip(some, every_lost, strict=False))
    judged = tuple(_judged(each, of) for each, of in zip(others, every_lost[len(some) :], strict=True))
    whole = some is every and len(chosen) == len(own)
    seen = {id(found) for each in some if (found := equivalent_to(each.function, each.before, each.after, equivalents))}
    stale = tuple(each for each in equivalents if id(each) not in seen) if whole else ()
    return Audit(assignment, tried, judged, stale, whole)


def _mutants(row: Row, cells: Sequence[SolvedCell], observed: Observed, assignment: Assignment) -> Iterator[Mutant]:
    """The mutants of a row's cell, each once: changes of its code, stock mistakes, and those that the author lists."""
    cell = next(cell for cell in cells if cell.row == row.name)
    tree = without_docstrings(parsed(cell.source))
    right, numpy = ast.unparse(tree), numpy_name(cells)
    arrays = {
        name: frozenset(
            each for each, form in parameter_forms(name, function, observed).items() if form in (*ARRAYS, "integers")
        )
        for name, function in named_functions(tree)
    }
    seen: set[str] = set()
    for change in (*mutants(tree, numpy, arrays), *stock_mutants(tree, numpy, observed)):
        if change.source not in seen:
            seen.add(change.source)
            place = change.place
            yield Mutant(
                row.name, change.function, change.kind, change.before, change.after, change.source, right, place
            )
    if beside_reference(assignment, "mistakes.py").is_file():
        for mistake in stock_mistakes(assignment):
            if mistake.row == row.name:
                wrong = without_docstrings(parsed(mistake.made_in(cell.source)))
                first = [*(each.name for each in functions_of(parsed(mistake.code))), *row.functions, row.name][0]
                yield Mutant(row.name, first, mistake.wrong, f"def {first}", mistake.name, ast.unparse(wrong), right)


def _broken(row: Row) -> str:
    """The row's functions, such that each call of one ends Python."""
    return "import os\n" + "\n".join(f"def {name}(*_, **__):\n    os._exit(1)" for name in row.functions)


def _tried(mutant: Mutant, lost: Lost, observed: Observed, equivalents: Sequence[Equivalent]) -> Tried:
    unit = _unit(mutant.row, observed)
    names = tuple(lost)
    spills = tuple(name for name in names if name not in unit)
    listed = equivalent_to(mutant.function, mutant.before, mutant.after, equivalents)
    errored = next((check for check in lost.values() if check.outcome == "errored"), None)
    if errored is not None:
        return Tried(mutant, "errored", names, spills, errored.trouble.strip().splitlines()[-1])
    own = next((check for name, check in lost.items() if name in unit), None)
    if own is not None:
        return Tried(mutant, "killed", names, spills, _reason(own))
    return Tried(mutant, "equivalent" if listed else "survived", names, spills, listed.reason if listed else "")


def _unit(row: str, observed: Observed) -> frozenset[str]:
    """The row, and those that share objects with it: what is wrong with a cache only shows where it is used."""
    return frozenset({row}).union(*(group for group in observed.units if row in group))


def _judged(alternate: Alternate, lost: Lost) -> Judged:
    return Judged(alternate, tuple((name, _reason(check)) for name, check in lost.items()))


def _reason(check: CheckResult) -> str:
    return f"{check.title} {check.reason}".strip()
