"""An audit as one page of HTML: it fetches nothing, runs nothing, and follows the reader's light or dark setting."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.authoring.audit.auditing import Audit, Mutant, Tried
from autograder.base import drawn, page

if TYPE_CHECKING:
    from markupsafe import Markup

_COLOURS = {"killed": "#4c9a8a", "equivalent": "#8a8f98", "survived": "#d55e00", "spilled": "#cc79a7"}
_TEMPLATE = Path(__file__).parents[1] / "templates/audit.html.j2"


@dataclass(frozen=True)
class RowCount:
    """How many mutants of a row there were, and what became of them; one that spills counts there as well."""

    row: str
    made: int
    killed: int
    equivalent: int
    survived: int
    spilled: int


def row_counts(audit: Audit) -> list[RowCount]:
    """The counts of each row that was audited, in the assignment's order; what a check erred on has survived."""
    counts = []
    for row in audit.assignment.rows:
        tried = [each for each in audit.mutants if each.mutant.row == row.name]
        if tried:
            killed, equivalent = (sum(each.status == status for each in tried) for status in ("killed", "equivalent"))
            spilled = sum(bool(each.spills) for each in tried)
            rest = len(tried) - killed - equivalent
            counts.append(RowCount(row.name, len(tried), killed, equivalent, rest, spilled))
    return counts


def total(counts: Iterable[RowCount]) -> RowCount:
    """The sums of the counts."""
    every = list(counts)
    fields = ("made", "killed", "equivalent", "survived", "spilled")
    return RowCount("all", *(sum(getattr(count, name) for count in every) for name in fields))


def findings(audit: Audit) -> list[Tried]:
    """The mutants that somebody has to look at: they survived, a check erred on them, or another row lost as well."""
    return [each for each in audit.mutants if each.status in ("survived", "errored") or each.spills]


def diff(mutant: Mutant) -> str:
    """A mutant as the lines that are changed, with those around them."""
    lines = difflib.unified_diff(mutant.right.splitlines(), mutant.cell.splitlines(), lineterm="", n=2)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def audit_tree(audit: Audit) -> dict[str, Any]:
    """The audit as a tree of JSON types."""
    counts = row_counts(audit)

    def tree(each: Tried) -> dict[str, Any]:
        mutant = {name: value for name, value in asdict(each.mutant).items() if name not in ("cell", "right")}
        return mutant | {
            "status": each.status,
            "lost": list(each.lost),
            "spills": list(each.spills),
            "reason": each.reason,
            "diff": diff(each.mutant),
        }

    return {
        "assignment": audit.assignment.name,
        "passed": audit.passed,
        "whole": audit.whole,
        "rows": [asdict(count) for count in counts],
        "total": asdict(total(counts)),
        "mutants": [tree(each) for each in audit.mutants],
        "right_answers": [{"name": each.alternate.name, "lost": dict(each.lost)} for each in audit.right],
        "stale": [asdict(each) for each in audit.stale],
    }


def audit_page(audit: Audit) -> str:
    """The page."""
    counts = row_counts(audit)
    return page(
        _TEMPLATE,
        f"Audit of {audit.assignment.title}",
        passed=audit.passed,
        whole=audit.whole,
        counts=counts,
        total=total(counts),
        figure=(_figure(counts), _figure_label(counts)) if counts else None,
        findings=[_finding(each) for each in findings(audit)],
        right=audit.right,
        stale=audit.stale,
        equivalent=[each for each in audit.mutants if each.status == "equivalent"],
    )


def _figure_label(counts: list[RowCount]) -> str:
    parts = (f"{count.row}: {count.killed} of {count.made - count.equivalent}" for count in counts)
    return f"How many mutants of each row lost points, of those that are not equivalent. {'; '.join(parts)}."


def _figure(counts: list[RowCount]) -> Markup:
    """Stacked bars, one a row, as SVG in the reader's own text colour."""

    def draw(axes: Any) -> None:
        names = [count.row for count in counts]
        left = [0] * len(counts)
        for kind in ("killed", "equivalent", "survived"):
            widths = [getattr(count, kind) for count in counts]
            if any(widths):
                axes.barh(names, widths, left=left, color=_COLOURS[kind], label=kind)
            left = [start + width for start, width in zip(left, widths, strict=True)]
        spilled = [(at, count) for at, count in enumerate(counts) if count.spilled]
        if spilled:
            places, ends = [at for at, _ in spilled], [count.made + 1 for _, count in spilled]
            axes.scatter(ends, places, marker="D", color=_COLOURS["spilled"], label="cost another row")
        axes.set_ylim(len(counts) - 0.4, -0.6)
        axes.set_xlabel("mutants")
        axes.figure.legend(frameon=False, loc="outside upper left", ncols=4)

    return drawn(draw, 9, 0.8 + 0.28 * len(counts), salt="audit")


def _finding(each: Tried) -> dict[str, Any]:
    """A mutant that somebody has to look at: what is said of it, and its lines with the elements they go in."""
    said = {"survived": "survived: it lost no points", "errored": "a check could not give a verdict"}.get(each.status)
    spills = f"lost points in {', '.join(each.spills)}" if each.spills else None
    tags = {"+": "ins", "-": "del"}
    return {
        "mutant": each.mutant,
        "said": "; ".join(filter(None, (said, spills))),
        "reason": each.reason,
        "diff": [(tags.get(line[:1]), line) for line in diff(each.mutant).splitlines()],
    }
