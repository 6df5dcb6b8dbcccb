"""An audit as one page of HTML: it fetches nothing, runs nothing, and follows the reader's light or dark setting."""

from __future__ import annotations

import difflib
import html
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from autograder.authoring.audit.auditing import Audit, Mutant, Tried
from autograder.base import document, drawn

_COLOURS = {"killed": "#4c9a8a", "equivalent": "#8a8f98", "survived": "#d55e00", "spilled": "#cc79a7"}
_STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; --wrong: #b3261e;
  --added: #1b7f4b2e; --gone: #b3261e2e; }
@media (prefers-color-scheme: dark) { :root { --wrong: #ff9e94; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; } h3 { font-size: 1rem; margin-bottom: .3rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .25rem .8rem .25rem 0; vertical-align: top; }
thead th, tfoot th, tfoot td { border-bottom: 2px solid var(--line); } tbody th { font-weight: normal; }
tfoot th, tfoot td { border: 0; border-top: 2px solid var(--line); font-weight: bold; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } .wrong { color: var(--wrong); font-weight: bold; }
.wide { overflow-x: auto; } svg { width: 100%; height: auto; }
pre { background: var(--soft); border-radius: 4px; padding: .6rem .8rem; overflow-x: auto; font-size: .85rem; }
pre ins { background: var(--added); text-decoration: none; } pre del { background: var(--gone); text-decoration: none; }
details { margin: .6rem 0; } summary { cursor: pointer; } code { font-size: .9em; }
"""


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
    title = f"Audit of {audit.assignment.title}"
    sections = [
        f"<h1>{_text(title)}</h1>",
        _summary(audit, total(counts)),
        _table([*counts], total(counts)),
        f'<figure role="img" aria-label="{_text(_figure_label(counts))}">{_figure(counts)}</figure>' if counts else "",
        _found(audit),
        _right(audit),
        _listed(audit),
    ]
    return document(title, "\n".join(filter(None, sections)), _STYLE)


def _text(text: str) -> str:
    return html.escape(text)


def _summary(audit: Audit, count: RowCount) -> str:
    verdict = (
        "Every wrong version lost points in its own row alone or is listed as equivalent, and no right answer lost any."
        if audit.passed
        else "There is something to look at."
    )
    part = "" if audit.whole else "<p>Only a part of the mutants was tried.</p>"
    return (
        f"<p><strong>{verdict}</strong></p>{part}"
        f"<p>{count.made} wrong versions of the solved master were graded: {count.killed} lost points, "
        f"{count.equivalent} are listed as equivalent, {count.survived} survived, {count.spilled} cost another row. "
        f"Of {len(audit.right)} right answers in other words, {sum(bool(each.lost) for each in audit.right)} lost "
        "points.</p>"
    )


def _table(counts: list[RowCount], sums: RowCount) -> str:
    names = ("made", "killed", "equivalent", "survived", "spilled")

    def cells(count: RowCount) -> str:
        made = []
        for name in names:
            number = getattr(count, name)
            wrong = " wrong" if name in ("survived", "spilled") and number else ""
            made.append(f'<td class="n{wrong}">{number}</td>')
        return "".join(made)

    heads = "".join(f'<th scope="col" class="n">{name}</th>' for name in names)
    body = "\n".join(f'<tr><th scope="row"><code>{_text(count.row)}</code></th>{cells(count)}</tr>' for count in counts)
    return (
        '<div class="wide"><table>\n<caption hidden>Mutants of each row</caption>\n'
        f'<thead><tr><th scope="col">row</th>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n'
        f'<tfoot><tr><th scope="row">all</th>{cells(sums)}</tr></tfoot>\n</table></div>'
    )


def _figure_label(counts: list[RowCount]) -> str:
    parts = (f"{count.row}: {count.killed} of {count.made - count.equivalent}" for count in counts)
    return f"How many mutants of each row lost points, of those that are not equivalent. {'; '.join(parts)}."


def _figure(counts: list[RowCount]) -> str:
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


def _found(audit: Audit) -> str:
    found = findings(audit)
    if not found:
        return ""
    return "<h2>To look at</h2>" + "\n".join(_finding(each) for each in found)


def _finding(each: Tried) -> str:
    mutant = each.mutant
    said = {"survived": "survived: it lost no points", "errored": "a check could not give a verdict"}.get(
        each.status, ""
    )
    if each.spills:
        said = f"{said}; " if said else ""
        said += f"lost points in {', '.join(each.spills)}"
    place = f", line {mutant.place} of its cell" if mutant.place else ""
    reason = f"<p>{_text(each.reason)}</p>" if each.reason else ""
    return (
        f"<h3><code>{_text(mutant.function)}</code>{place}: {_text(mutant.kind)}</h3>"
        f'<p class="wrong">{_text(said)}</p>{reason}{_diff(mutant)}'
    )


def _diff(mutant: Mutant) -> str:
    tags = {"+": "ins", "-": "del"}
    lines = []
    for line in diff(mutant).splitlines():
        tag = tags.get(line[:1])
        lines.append(f"<{tag}>{_text(line)}</{tag}>" if tag else _text(line))
    return f"<pre>{chr(10).join(lines)}</pre>"


def _right(audit: Audit) -> str:
    items = []
    for each in audit.right:
        lost = "".join(f'<li class="wrong">{_text(row)}: {_text(reason)}</li>' for row, reason in each.lost)
        mark = f"<ul>{lost}</ul>" if lost else " — full marks"
        items.append(f"<li>{_text(each.alternate.name)}{mark}</li>")
    return f"<h2>Right answers</h2><ul>{''.join(items)}</ul>" if items else ""


def _listed(audit: Audit) -> str:
    equivalent = [each for each in audit.mutants if each.status == "equivalent"]
    parts = []
    if audit.stale:
        entries = "".join(
            f"<li><code>{_text(each.function)}</code>: <code>{_text(each.line)}</code> → "
            f"<code>{_text(each.becomes)}</code></li>"
            for each in audit.stale
        )
        parts.append(f"<h2>Listed as equivalent, but no mutant any more</h2><ul>{entries}</ul>")
    if equivalent:
        heads = "".join(f'<th scope="col">{name}</th>' for name in ("function", "line", "becomes", "reason"))
        entries = "".join(
            f"<tr><td><code>{_text(each.mutant.function)}</code></td><td><code>{_text(each.mutant.before)}</code></td>"
            f"<td><code>{_text(each.mutant.after)}</code></td><td>{_text(each.reason)}</td></tr>"
            for each in equivalent
        )
        parts.append(
            f"<h2>Equivalent</h2><details><summary>{len(equivalent)} mutants and why they are right</summary>"
            f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{entries}</tbody></table></div>'
            "</details>"
        )
    return "\n".join(parts)
