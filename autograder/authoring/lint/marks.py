"""Rules about the marks around solutions and hidden tests, in the cells of a master notebook."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator

from autograder.authoring.lint.finding import Finding, Master, tree_of
from autograder.course import MasterCell

_MARKS = ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME")
_ALIKE = 0.8
"""How much of a mark a comment has to have to be taken for it."""
_LONGEST = 20


def regions(master: Master) -> Iterator[Finding]:
    """Marks that have no partner, and those in cells where nbgrader does not want them."""
    for cell in master.cells:
        for mark in _MARKS:
            begun = 0
            for number, line in enumerate(cell.source.splitlines(), 1):
                if f"BEGIN {mark}" in line:
                    if begun:
                        yield master.mistake(
                            cell,
                            f"BEGIN {mark} stands here before the one of line {begun} has its END; add that",
                            number,
                        )
                    else:
                        yield from _in_its_place(master, cell, mark, number)
                    begun = number
                elif f"END {mark}" in line:
                    if not begun:
                        yield master.mistake(
                            cell, f"END {mark} has no BEGIN {mark} before it, so nothing is taken out; add it", number
                        )
                    begun = 0
            if begun:
                yield master.mistake(cell, f"BEGIN {mark} has no END {mark} after it; add it", begun)


def _in_its_place(master: Master, cell: MasterCell, mark: str, line: int) -> Iterator[Finding]:
    match mark:
        case "SOLUTION" if not cell.solution:
            yield master.mistake(
                cell,
                "a solution in a cell that nbgrader knows as no answer, so students would get it whole; make it an "
                "answer in Create Assignment, or take the marks away",
                line,
            )
        case "HIDDEN TESTS" if not cell.grade:
            yield master.mistake(
                cell,
                "hidden tests in a cell that is no test, so nothing takes them out; make it Autograded tests in Create "
                "Assignment, or move them to one",
                line,
            )
        case "MARK SCHEME" if not cell.task:
            yield master.mistake(
                cell, "a mark scheme in a cell that is no manually graded task; move it to one, or take it away", line
            )


def spelling(master: Master) -> Iterator[Finding]:
    """Comments that are nearly a mark, and so are none, or are one by chance: of these, each notebook's first."""
    by_chance: set[str] = set()
    for cell in master.cells:
        # In prose a line that begins with # is a heading.
        options = re.IGNORECASE if cell.kind == "code" else 0
        for number, line in enumerate(cell.source.splitlines(), 1):
            match = re.match(r"[ \t]*(#+[ \t#-]*)(BEGIN|END)\b[ \t_-]*([^\n]*)", line, options)
            exact = next((mark for mark in _MARKS if re.search(rf"(BEGIN|END) {mark}", line)), "")
            if exact and not match and exact == "HIDDEN TESTS" and cell.kind == "code":
                yield master.mistake(
                    cell, f"a mark stands in a line of its own: ### BEGIN {exact}, and ### END {exact}", number
                )
            if not match or not (mark := exact or _meant(match[3])):
                continue
            right = f"### {match[2].upper()} {mark}"
            if not exact:
                yield master.mistake(
                    cell,
                    f"{line.strip()!r} is no mark of nbgrader's, so students get what should be taken out; write "
                    f"{right}",
                    number,
                )
            elif not re.match(rf"#+ (BEGIN|END) {mark}(?![A-Z])", line.strip()) and mark not in by_chance:
                by_chance.add(mark)
                yield master.warning(
                    cell, f"{line.strip()!r} is taken for {right} only because it has that in it; write {right}", number
                )


def _meant(text: str) -> str:
    """The mark that a text nearly is; empty where it is none."""
    words = " ".join(re.findall(r"[A-Z]+", text.upper()))
    if not words or len(text.strip()) > _LONGEST:
        return ""
    return next((mark for mark in _MARKS if words == mark or _ratio(words, mark) >= _ALIKE), "")


def _ratio(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def unmarked_solutions(master: Master) -> Iterator[Finding]:
    """Solution cells whose functions and classes have no marks: nbgrader replaces the whole of them."""
    for cell in master.code:
        if not cell.solution or cell.grade or "BEGIN SOLUTION" in cell.source:
            continue
        defining = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        defined = [node for node in tree_of(cell).body if isinstance(node, defining)]
        if defined:
            names = ", ".join(node.name for node in defined)
            yield master.mistake(
                cell,
                f"this solution cell has no marks, so nothing of it is left for students, not even the first line of "
                f"{names}; put ### BEGIN SOLUTION and ### END SOLUTION around the solution",
                defined[0].lineno,
            )


RULES = (regions, spelling, unmarked_solutions)
