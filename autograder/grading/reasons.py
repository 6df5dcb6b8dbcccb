"""What a student is told of a row: one cause once, hints only where they apply, and why a function is not there."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from autograder.checking import short
from autograder.grading.report import CheckResult
from autograder.sandbox import CellRun

if TYPE_CHECKING:
    from autograder.grading.suite import Verdict

_COMMON = re.compile(
    r"\d+ times too (?:large|small)|sign is flipped|transpose would be right|off by the same amount|Every entry is 0"
)


def told(verdicts: Sequence[Verdict], undefined: Callable[[str], str]) -> tuple[CheckResult, ...]:
    """The results of a row's checks as the student reads them: ``_told`` for those that are seen at the same time.

    What a check that is not seen yet has told must neither shorten nor lengthen what another tells.
    """
    groups: dict[str | None, list[int]] = {}
    for place, verdict in enumerate(verdicts):
        groups.setdefault(verdict.result.visibility, []).append(place)
    results = [verdict.result for verdict in verdicts]
    for places in groups.values():
        for place, result in zip(places, _told([verdicts[each] for each in places], undefined), strict=True):
            results[place] = result
    return tuple(results)


def _told(verdicts: Sequence[Verdict], undefined: Callable[[str], str]) -> tuple[CheckResult, ...]:
    """The results of checks, with one cause told once.

    A cause that an earlier check has told is named shortly, and without the hint: what a check is about is not what
    makes it fail then. Where a function works in none of the checks that call it, the first hint is left out too,
    unless it raises: a hint is about what a working function gets wrong.

    Args:
        verdicts: Of one row, in order.
        undefined: Why a function is not defined, as a sentence; empty where nothing is known.
    """
    never = {
        name
        for name in {verdict.function for verdict in verdicts if verdict.kind}
        if all(verdict.function == name for verdict in verdicts if name in verdict.called)
    }
    results: list[CheckResult] = []
    known: set[tuple[str, ...]] = set()
    for verdict in verdicts:
        result, cause = verdict.result, _cause(verdict)
        if verdict.kind == "missing":
            result = replace(result, reason=undefined(verdict.function) or result.reason)
        if cause in known:
            result = replace(result, reason=_again(verdict) if verdict.kind else result.reason, hint="")
        elif verdict.function in never and (verdict.kind != "raised" or known):
            result = replace(result, hint="")
        if cause:
            known.add(cause)
        results.append(result)
    return tuple(results)


def _cause(verdict: Verdict) -> tuple[str, ...]:
    """What makes two failures one; nothing where that cannot be told.

    An exception counts by its type and its place, since its text may tell of shapes; a wrong array by what all of its
    entries have in common, whatever the number in that.
    """
    if not verdict.kind:
        common = _COMMON.search(verdict.result.reason)
        return ("wrong", *sorted(verdict.called), re.sub(r"\d+", "#", common[0])) if common else ()
    if verdict.kind != "raised":
        return verdict.kind, verdict.function
    said, _, place = verdict.result.reason.partition(" It happened in ")
    return verdict.kind, verdict.function, _exception(said), place


def _exception(reason: str) -> str:
    found = re.search(r" raised (\w+)", reason)
    return found[1] if found else ""


def _again(verdict: Verdict) -> str:
    name, exception = f"`{verdict.function}`", _exception(verdict.result.reason) or "an exception"
    return {
        "missing": f"{name} is not defined, as said above.",
        "unwritten": f"{name} is not written yet, as said above.",
        "nothing": f"{name} gave None here too.",
        "raised": f"{name} raised {exception} here too.",
        "timeout": f"{name} did not finish, as said above.",
        "died": f"{name} ended Python here too.",
    }.get(verdict.kind, f"{name} failed here in the same way.")


def why_undefined(function: str, own: int | None, cells: Sequence[tuple[int, str]], runs: Sequence[CellRun]) -> str:
    """Why a function is not defined after the notebook has run, where the cell that defines it did not run through.

    Args:
        function: The function's name.
        own: The position of its row's solution cell.
        cells: The code cells, as (position, source).
        runs: How they ran, one each.

    Returns:
        A sentence for the student; empty where no such cell failed.
    """
    definition = re.compile(rf"^[ \t]*(?:async[ \t]+)?(?:def[ \t]+{function}\b|{function}[ \t]*[:=])", re.MULTILINE)
    failed = [(index, source, run) for (index, source), run in zip(cells, runs, strict=True) if run.status != "ok"]
    found = [each for each in failed if definition.search(each[1])] or [each for each in failed if each[0] == own]
    if not found:
        return ""
    _, source, run = found[-1]
    start = definition.search(source)
    line = source.count("\n", 0, start.start()) + 1 if start else 0
    return f"`{function}` is not defined: {_stopped(run, source, line)}"


def _stopped(run: CellRun, source: str, definition: int) -> str:
    """How the cell that defines a function, in line ``definition``, came to an end."""
    cell = "the cell that defines it" if definition else "its cell"
    match run.status:
        case "timeout":
            return f"{cell} did not finish within its time limit and was stopped before it got there."
        case "died":
            return f"Python itself ended while {cell} ran: it left with `exit`, ran out of memory, or crashed."
        case "skipped":
            return f"{cell} was not run: the cells before it used up the notebook's time, or ended Python too often."
    error = next((output for output in run.outputs if output.get("output_type") == "error"), {})
    name, said = short(str(error.get("ename", "")) or "an exception", 60), str(error.get("evalue", ""))
    syntax = re.fullmatch(r"(.*) \(<ipython-input[^)]*, line (\d+)\)", said[:2000], re.DOTALL)
    if syntax and name in ("SyntaxError", "IndentationError", "TabError"):
        line, said, article = int(syntax[2]), syntax[1], "an" if name[0] == "I" else "a"
        return f"{cell} has {article} {name}{_at(line, source, short(said, 120))}."
    trace = re.search(r"Cell In ?\[\d+\], line (\d+)", "\n".join(map(str, error.get("traceback", ())))[:4000])
    line = int(trace[1]) if trace else 0
    before = ", before it got there" if 0 < line < definition else ""
    return f"{cell} raised {name}{_at(line, source, short(said, 120))}{before}."


def _at(line: int, source: str, said: str) -> str:
    lines = source.splitlines()
    place = f" in line {line}" if line else ""
    text = short(lines[line - 1], 120).replace("`", "’") if 0 < line <= len(lines) else ""
    return f"{place}{f': {said}' if said else ''}{f' in `{text}`' if text else ''}"
