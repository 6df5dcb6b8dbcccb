"""Why a name is not defined once the notebook has run: how the cell that should define it came to an end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from autograder.base import Cause, CellEnd
from autograder.checking import short
from autograder.sandbox import CellRun


def why_undefined(
    function: str, own: int | None, cells: Sequence[tuple[int, str]], runs: Sequence[CellRun]
) -> Cause | None:
    """Why a function is not defined after the notebook has run, where the cell that defines it did not run through.

    Args:
        function: The function's name.
        own: The position of its row's solution cell.
        cells: The code cells, as (position, source).
        runs: How they ran, one each.

    Returns:
        The cause, of the kind ``missing``; None where no such cell failed.
    """
    definition = re.compile(rf"^[ \t]*(?:async[ \t]+)?(?:def[ \t]+{function}\b|{function}[ \t]*[:=])", re.MULTILINE)
    failed = [(index, source, run) for (index, source), run in zip(cells, runs, strict=True) if not _is_over(run)]
    found = [each for each in failed if definition.search(each[1])] or [each for each in failed if each[0] == own]
    if not found:
        return None
    _, source, run = found[-1]
    start = definition.search(source)
    line = source.count("\n", 0, start.start()) + 1 if start else 0
    return Cause("missing", function, cell=_because(_end(run, source, line), cells, runs, frozenset({function})))


def why_raised(cause: Cause, cells: Sequence[tuple[int, str]], runs: Sequence[CellRun]) -> Cause:
    """A cause of the kind ``raised``, with why a name is not defined that the code uses, where that is known."""
    name = _undefined_name(cause.exception, cause.text)
    end = _end_of(name, cells, runs, frozenset()) if name else None
    return cause if end is None else replace(cause, cell=end)


def _is_over(run: CellRun) -> bool:
    """Whether a cell has run through, or was not to be run."""
    return run.status in ("ok", "unrun")


def _undefined_name(exception: str, text: str) -> str:
    """The name of which an exception says that it is not defined; empty where it says something else."""
    found = re.match(r"name '(\w+)' is not defined", text) if exception == "NameError" else None
    return found[1] if found else ""


def _end_of(
    name: str, cells: Sequence[tuple[int, str]], runs: Sequence[CellRun], seen: frozenset[str]
) -> CellEnd | None:
    """How the cell ended that should define or import a name, where it did not get there; None where there is none.

    Args:
        name: A name that code takes from the notebook's namespace.
        cells: As ``why_undefined``.
        runs: As ``why_undefined``.
        seen: Names that were asked for on the way here.
    """
    # At the margin: what stands further in may be of a function alone.
    ways = (rf"(?:async[ \t]+)?def[ \t]+{name}\b", rf"class[ \t]+{name}\b", rf"{name}[ \t]*(?::|=(?!=))")
    imports = rf"(?:from[ \t]+[\w.]+[ \t]+)?import[ \t(][^\n#]*?(?<![\w.]){name}\b(?![ \t]+as\b)"
    definition = re.compile(rf"^(?:{'|'.join((*ways, imports))})", re.MULTILINE)
    for (_, source), run in reversed(list(zip(cells, runs, strict=True))):
        start = definition.search(source)
        if start is None or _is_over(run):
            continue
        line = source.count("\n", 0, start.start()) + 1
        end = _because(_end(run, source, line), cells, runs, seen | {name})
        # What failed further down had defined the name by then.
        if end.line <= line:
            return replace(end, missing=name)
    return None


def _because(end: CellEnd, cells: Sequence[tuple[int, str]], runs: Sequence[CellRun], seen: frozenset[str]) -> CellEnd:
    """The end of a cell, with how that cell ended which should have defined what this one lacked."""
    name = _undefined_name(end.exception, end.text)
    return replace(end, because=_end_of(name, cells, runs, seen)) if name and name not in seen else end


def _end(run: CellRun, source: str, definition: int) -> CellEnd:
    """How a cell ended that should define a function, in its line ``definition``; 0 where it has no definition."""
    if run.status != "raised":
        return CellEnd(run.status, bool(definition))
    error = next((output for output in run.outputs if output.get("output_type") == "error"), {})
    exception, text = short(str(error.get("ename", "")), 60), str(error.get("evalue", ""))
    syntax = re.fullmatch(r"(.*) \(<ipython-input[^)]*, line (\d+)\)", text[:2000], re.DOTALL)
    if syntax and exception in ("SyntaxError", "IndentationError", "TabError"):
        line = int(syntax[2])
        return CellEnd("syntax", bool(definition), exception, short(syntax[1], 120), line, _line(source, line))
    trace = re.search(r"Cell In ?\[\d+\], line (\d+)", "\n".join(map(str, error.get("traceback", ())))[:4000])
    line = int(trace[1]) if trace else 0
    before = 0 < line < definition
    return CellEnd("raised", bool(definition), exception, short(text, 120), line, _line(source, line), before)


def _line(source: str, number: int) -> str:
    """A line of a cell, short; empty where there is none of that number."""
    lines = source.splitlines()
    return short(lines[number - 1], 120) if 0 < number <= len(lines) else ""
