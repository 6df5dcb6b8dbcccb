"""The class report as one page: it fetches nothing, and reads with and without its script, on paper, light and dark."""

from __future__ import annotations

import hashlib
import html
import re
import secrets
import statistics
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from autograder.base import document, drawn, one_line
from autograder.feedback import points_text
from autograder.reports.class_items import CheckItem, ClassReport, Item, Taker

MISTAKES = 25
"""How many of the commonest mistakes are listed."""

_COLOURS = ("#4c9a8a", "#d9a441", "#d55e00")
_STYLE = """
:root { --text: #1f2328; --page: #fff; --quiet: #59636e; --line: #d1d9e0; --soft: #f6f8fa; --wrong: #b3261e;
  --focus: #0550ae; }
@media screen and (prefers-color-scheme: dark) { :root { --text: #e6edf3; --page: #0d1117; --quiet: #9da7b3;
  --line: #3d444d; --soft: #161b22; --wrong: #ff9e94; --focus: #79b8ff; } }
* { box-sizing: border-box; }
body { background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto;
  max-width: 76rem; padding: 1.5rem 1rem 4rem; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; margin: 0 0 .5rem; } h2 { font-size: 1.3rem; margin: 2.4rem 0 .6rem; }
h3 { font-size: 1.05rem; margin: 1.4rem 0 .3rem; }
.numbers { display: flex; flex-wrap: wrap; gap: .6rem 2.2rem; margin: 1rem 0; padding: 0; list-style: none; }
.numbers b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.numbers li, .quiet, figcaption { color: var(--quiet); } .numbers b { color: var(--text); }
figure { margin: 1rem 0; } svg { height: auto; max-width: 100%; width: 100%; }
.wide { overflow-x: auto; } table { border-collapse: collapse; overflow-wrap: normal; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .7rem .25rem 0; text-align: left; vertical-align: top; }
.n { font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }
thead th { border-bottom: 2px solid var(--line); } tbody th { font-weight: normal; }
.wrong { color: var(--wrong); font-weight: 600; }
code { background: var(--soft); border-radius: 3px; font-size: .9em; padding: .1em .3em; }
th button { background: none; border: 0; color: inherit; cursor: pointer; font: inherit; font-weight: 600; padding: 0;
  text-align: inherit; }
th button::after { color: var(--quiet); content: " \\2195"; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
input { background: var(--page); border: 1px solid var(--quiet); border-radius: 4px; color: inherit; font: inherit;
  padding: .3rem .5rem; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
details summary { cursor: pointer; }
@media print { body { max-width: none; padding: 0; } .tools { display: none; } figure, tr { break-inside: avoid; } }
"""
# Sorting is stable, so that sorting by one column and then by another does what people expect.
_SCRIPT = """
for (const table of document.querySelectorAll("table.sorts")) {
  const body = table.tBodies[0];
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim();
    return text === "" || text === "\\u2014" ? null : isNaN(text) ? text.toLowerCase() : Number(text);
  };
  const compare = (one, other) =>
    typeof one === typeof other ? (one < other ? -1 : one > other ? 1 : 0) : typeof one === "number" ? -1 : 1;
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [value(row, column), row]);
      rows.sort(([one], [other]) =>
        one === null || other === null ? (one === null) - (other === null) : (down ? -1 : 1) * compare(one, other));
      body.append(...rows.map(([, row]) => row));
    });
  });
  const tools = document.getElementById(table.dataset.tools);
  const input = tools.querySelector("input"), told = tools.querySelector("output");
  tools.hidden = false;
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let shown = 0;
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    told.textContent = wanted.length ? `${shown} of ${body.rows.length}` : "";
  });
}
"""


def class_page(report: ClassReport, zone: ZoneInfo, *, anonymous: bool = False) -> str:
    """The page.

    Args:
        report: The class.
        zone: The zone in which times are told.
        anonymous: Leave out who is who: no id of a student is in the page then, times neither, and the order tells
            nothing. A mistake that a single student made, whose words might be theirs alone, is left out as well.
    """
    ids = {taker.standing.student for taker in report.takers} | set(report.missing) | set(report.ungraded)
    if anonymous:
        report = _without_names(report)
    title = f"Class report: {report.assignment.title}"
    sections = [
        f"<h1>{_text(title)}</h1>",
        _numbers(report),
        _distribution(report),
        _rows(report),
        _mistakes(report, anonymous=anonymous, ids=ids),
        _checks(report),
        _people(report, anonymous=anonymous),
        _table(report, zone, anonymous=anonymous),
        _how(),
    ]
    return document(title, "\n".join(filter(None, sections)), _STYLE, _SCRIPT)


def _without_names(report: ClassReport) -> ClassReport:
    """The report with numbers for names, given in an order that a secret decides."""
    secret = secrets.token_bytes(16)
    shuffled = sorted(
        report.takers, key=lambda taker: hashlib.blake2b(taker.standing.student.encode(), key=secret).digest()
    )
    takers = tuple(
        replace(taker, standing=replace(taker.standing, student=f"{number}", timestamp=None))
        for number, taker in enumerate(shuffled, start=1)
    )
    return replace(report, takers=takers)


def _text(text: str) -> str:
    return html.escape(one_line(text))


def _coded(text: str) -> str:
    """A reason or a title, what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(text))


def _numbers(report: ClassReport) -> str:
    scores = report.scores
    most = points_text(report.assignment.max_score)
    shown = [(str(len(scores)), "with a grade")]
    if scores:
        shown += [
            (points_text(statistics.median(scores)), f"median, of {most}"),
            (points_text(statistics.fmean(scores)), "mean"),
        ]
        shown += [(points_text(min(scores)), "lowest"), (points_text(max(scores)), "highest")]
    shown += [
        (str(len(people)), what)
        for people, what in (
            (report.late, "lost points by lateness"),
            (report.missing, "handed in nothing"),
            (report.unread, "notebooks that could not be read"),
            (report.ungraded, "handed in without a grade"),
            (report.waiting, "wait for a grade by hand"),
            (report.excused, "excused"),
        )
        if people
    ]
    return '<ul class="numbers">' + "".join(f"<li><b>{count}</b>{_text(what)}</li>" for count, what in shown) + "</ul>"


def _distribution(report: ClassReport) -> str:
    scores, most = report.scores, report.assignment.max_score
    if not scores:
        return "<p>Nobody has a grade yet.</p>"
    bins = 20
    counts = [0] * bins
    for score in scores:
        counts[min(bins - 1, int(bins * score / most)) if most else 0] += 1
    width = most / bins

    def draw(axes: Any) -> None:
        places = [width * (number + 0.5) for number in range(bins)]
        axes.bar(places, counts, width=0.92 * width, color=_COLOURS[0])
        middle = statistics.median(scores)
        axes.axvline(middle, linestyle="--", linewidth=1.2, color=_COLOURS[2])
        axes.annotate(
            f"median {points_text(middle)}", (middle, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom"
        )
        axes.set(xlim=(0, most), xlabel="score that counts", ylabel="students")
        axes.yaxis.get_major_locator().set_params(integer=True)

    label = "; ".join(
        f"{points_text(width * number)} to {points_text(width * (number + 1))}: {count}"
        for number, count in enumerate(counts)
        if count
    )
    return (
        f"<h2>Scores</h2>{_figure(drawn(draw, 9, 3, salt='scores'), f'How many students have which score. {label}.')}"
    )


def _figure(svg: str, label: str) -> str:
    return f'<figure role="img" aria-label="{_text(label)}">{svg}</figure>'


def _rows(report: ClassReport) -> str:
    items = [item for item in report.items if item.of]
    if not items:
        return ""

    def draw(axes: Any) -> None:
        names = [item.name for item in items]
        left = [0.0] * len(items)
        shares = (
            ("all points", [item.full / item.of for item in items]),
            ("some", [(item.of - item.full - item.none) / item.of for item in items]),
            ("none", [item.none / item.of for item in items]),
        )
        for colour, (label, widths) in zip(_COLOURS, shares, strict=True):
            axes.barh(names, [100 * width for width in widths], left=left, color=colour, label=label)
            left = [start + 100 * width for start, width in zip(left, widths, strict=True)]
        axes.set(xlim=(0, 100), xlabel="percent of those graded")
        axes.set_ylim(len(items) - 0.4, -0.6)
        axes.figure.legend(frameon=False, loc="outside upper left", ncols=3)

    label = "; ".join(f"{item.name}: {item.full} of {item.of} all points, {item.none} none" for item in items)
    heads = (
        '<th scope="col">row</th>'
        + "".join(
            f'<th scope="col" class="n">{name}</th>'
            for name in ("points", "graded", "all", "some", "none", "difficulty", "discrimination")
        )
        + '<th scope="col">to look at</th>'
    )
    body = "\n".join(_row(item) for item in report.items)
    return (
        "<h2>Rows</h2>"
        + _figure(drawn(draw, 9, 0.9 + 0.3 * len(items), salt="rows"), f"How each row was solved. {label}.")
        + f'<div class="wide" tabindex="0" role="region" aria-label="Rows"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _row(item: Item) -> str:
    difficulty = "—" if item.difficulty is None else f"{item.difficulty:.2f}"
    discrimination = "—" if item.discrimination is None else f"{item.discrimination:.2f}"
    numbers = (points_text(item.points), item.of, item.full, item.of - item.full - item.none, item.none)
    cells = "".join(f'<td class="n">{number}</td>' for number in (*numbers, difficulty, discrimination))
    return f'<tr><th scope="row"><code>{_text(item.name)}</code></th>{cells}<td>{_odd(item)}</td></tr>'


def _odd(item: Item) -> str:
    """What an instructor should look at, in words; usually empty."""
    said = []
    if item.of >= 5 and item.full == item.of:
        said.append("everybody has all points")
    if item.of >= 5 and item.none == item.of and item.checks:
        said.append("nobody has any points: is the check right?")
    if item.of >= 10 and item.discrimination is not None and item.discrimination < 0:
        said.append("those who do well elsewhere do worse here: is the check right?")
    return f'<span class="wrong">{"; ".join(said)}</span>' if said else ""


def _mistakes(report: ClassReport, *, anonymous: bool, ids: set[str]) -> str:
    shown = [
        each
        for each in report.mistakes
        if not anonymous or (each.students > 1 and not any(name in each.reason for name in ids))
    ][:MISTAKES]
    if not shown:
        return ""
    body = "\n".join(
        f'<tr><td class="n">{each.students}</td><th scope="row"><code>{_text(each.row)}</code></th>'
        f"<td>{_coded(each.title)}</td><td>{_coded(each.reason)}</td></tr>"
        for each in shown
    )
    heads = '<th scope="col" class="n">students</th>' + "".join(
        f'<th scope="col">{name}</th>' for name in ("row", "what was checked", "what went wrong first")
    )
    more = len(report.mistakes) - len(shown)
    rest = f'<p class="quiet">{more} more mistakes are not listed.</p>' if more else ""
    return (
        "<h2>The commonest first mistakes</h2>"
        f'<div class="wide" tabindex="0" role="region" aria-label="Mistakes"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></div>{rest}"
    )


def _checks(report: ClassReport) -> str:
    parts = []
    heads = '<th scope="col">row</th><th scope="col">check</th>' + "".join(
        f'<th scope="col" class="n">{name}</th>' for name in ("passed", "of", "percent")
    )
    every = [(item, check) for item in report.items for check in item.checks if check.of]
    if not every:
        return ""
    for what, chosen in (
        ("Checks that nobody fails", [each for each in every if each[1].of >= 5 and each[1].passed == each[1].of]),
        ("Checks that nobody passes", [each for each in every if each[1].of >= 5 and not each[1].passed]),
    ):
        if chosen:
            items = "".join(f"<li><code>{_text(item.name)}</code> {_coded(check.title)}</li>" for item, check in chosen)
            parts.append(f"<details><summary>{what}: {len(chosen)}</summary><ul>{items}</ul></details>")
    body = "\n".join(_check(item, check) for item, check in every)
    parts.append(
        f"<details><summary>All {len(every)} checks</summary>"
        f'<div class="wide" tabindex="0" role="region" aria-label="Checks"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></div></details>"
    )
    return "<h2>Hidden checks</h2>" + "\n".join(parts)


def _check(item: Item, check: CheckItem) -> str:
    numbers = (check.passed, check.of, f"{100 * check.passed / check.of:.0f}")
    cells = "".join(f'<td class="n">{number}</td>' for number in numbers)
    return f"<tr><td><code>{_text(item.name)}</code></td><td>{_coded(check.title)}</td>{cells}</tr>"


def _people(report: ClassReport, *, anonymous: bool) -> str:
    """Who needs somebody's attention, by name."""
    if anonymous:
        return ""
    reasons = {f"{name}: {why}": "" for name, why in (*report.ungraded.items(), *report.unread.items())}
    groups = (
        ("Handed in nothing", report.missing),
        ("Handed in, and without a grade or not to be read", tuple(reasons)),
        ("Wait for a grade by hand", report.waiting),
        ("Lost points by lateness", report.late),
        ("Excused", report.excused),
    )
    items = "".join(
        f"<details><summary>{what}: {len(names)}</summary><ul>"
        + "".join(f"<li>{_text(name)}</li>" for name in names)
        + "</ul></details>"
        for what, names in groups
        if names
    )
    return f"<h2>To follow up</h2>{items}" if items else ""


def _table(report: ClassReport, zone: ZoneInfo, *, anonymous: bool) -> str:
    if not report.takers:
        return ""
    names = [item.name for item in report.items]
    columns = ["student", "score", "late"] + ([] if anonymous else ["handed in"]) + names
    heads = "".join(
        f'<th scope="col"{" class=n" if name not in ("student", "handed in") else ""}>{_text(name)}</th>'
        for name in columns
    )
    body = "\n".join(_line(taker, names, zone, anonymous=anonymous) for taker in report.takers)
    return (
        '<h2>Students</h2><p class="tools" id="filter" hidden><label>Show those with <input type="search"></label> '
        '<output role="status"></output></p>'
        '<div class="wide" tabindex="0" role="region" aria-label="Students"><table class="sorts" data-tools="filter">'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _line(taker: Taker, names: list[str], zone: ZoneInfo, *, anonymous: bool) -> str:
    standing = taker.standing
    when = f"{standing.timestamp.astimezone(zone):%Y-%m-%d %H:%M}" if standing.timestamp else ""
    cells = [
        f"<td class=n>{'excused' if standing.excused else points_text(standing.score)}",
        f"<td class=n>{points_text(standing.late_penalty) if standing.late_penalty else ''}",
    ]
    cells += [] if anonymous else [f"<td>{when}"]
    cells += [f"<td class=n>{points_text(taker.points[name]) if name in taker.points else ''}" for name in names]
    return f"<tr><th scope=row>{_text(standing.student)}{''.join(cells)}"


def _how() -> str:
    return (
        '<h2>How to read this</h2><p class="quiet"><b>Difficulty</b> is the mean share of a row\'s points, from 0 '
        "(nobody had any) to 1 (everybody had all). <b>Discrimination</b> is the correlation of a row's points with "
        "the sum of all the others: near 0, the row has little to do with the rest; below 0, look at it. With few "
        "students, or where all have the same, neither says much. What went wrong <b>first</b> is a row's first failed "
        "check, with … for numbers and places, so that the same mistake counts once. Scores are those that count: late "
        "penalties taken off, grades by hand included; who is excused is in no figure.</p>"
    )
