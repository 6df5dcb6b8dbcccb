"""Why a function is not defined once the notebook has run: how the cell that should define it came to an end."""

from __future__ import annotations

import re
from collections.abc import Sequence

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
    failed = [(index, source, run) for (index, source), run in zip(cells, runs, strict=True) if run.status != "ok"]
    found = [each for each in failed if definition.search(each[1])] or [each for each in failed if each[0] == own]
    if not found:
        return None
    _, source, run = found[-1]
    start = definition.search(source)
    line = source.count("\n", 0, start.start()) + 1 if start else 0
    return Cause("missing", function, cell=_end(run, source, line))


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
