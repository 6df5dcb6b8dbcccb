"""The class report as one page: it fetches nothing, and reads with and without its script, on paper, light and dark."""

from __future__ import annotations

import hashlib
import secrets
import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from autograder.base import drawn, one_line, page
from autograder.feedback import points_text
from autograder.reports.class_items import CheckItem, ClassReport, CommonMistake, Item, Taker

if TYPE_CHECKING:
    from markupsafe import Markup

MISTAKES = 25
"""How many of the commonest mistakes are listed."""

_HERE = Path(__file__).parent / "templates"
_COLOURS = ("#4c9a8a", "#d9a441", "#d55e00")
_BINS = 20


@dataclass(frozen=True)
class _Line:
    """A student's line of the table, as it is shown."""

    student: str
    score: str
    late: str
    when: str
    points: list[str]


def class_page(report: ClassReport, zone: ZoneInfo, *, anonymous: bool = False) -> str:
    """The page.

    Args:
        report: The class.
        zone: The zone in which times are told.
        anonymous: Leave out who is who: no id of a student is in the page then, times neither, and the order tells
            nothing. A mistake that a single student made, whose words might be theirs alone, is left out as well.
    """
    ids = {taker.grade.student for taker in report.takers} | set(report.missing) | set(report.ungraded)
    if anonymous:
        report = _without_names(report)
    checks = [(item, check) for item in report.items for check in item.checks if check.of]
    mistakes = _mistakes(report, anonymous=anonymous, ids=ids)
    names = [item.name for item in report.items]
    return page(
        _HERE / "class_report.html.j2",
        f"Class report: {report.assignment.title}",
        script=(_HERE / "class_report.js").read_text(encoding="utf-8"),
        numbers=_numbers(report),
        scores=_distribution(report) if report.scores else None,
        rows=_rows(report) if any(item.of for item in report.items) else None,
        items=[_row(item) for item in report.items],
        mistakes=mistakes,
        more_mistakes=len(report.mistakes) - len(mistakes),
        checks=[(item.name, check.title, check.passed, check.of, _percent(check)) for item, check in checks],
        odd_checks=_odd_checks(checks),
        people=() if anonymous else _people(report),
        names=names,
        students=[_line(taker, names, zone) for taker in report.takers],
        anonymous=anonymous,
    )


def _without_names(report: ClassReport) -> ClassReport:
    """The report with numbers for names, given in an order that a secret decides."""
    secret = secrets.token_bytes(16)
    shuffled = sorted(
        report.takers, key=lambda taker: hashlib.blake2b(taker.grade.student.encode(), key=secret).digest()
    )
    takers = tuple(
        replace(taker, grade=replace(taker.grade, student=f"{number}", timestamp=None))
        for number, taker in enumerate(shuffled, start=1)
    )
    return replace(report, takers=takers)


def _numbers(report: ClassReport) -> list[tuple[str, str]]:
    """The numbers at the top, each with what it is."""
    scores = report.scores
    most = points_text(report.assignment.max_score)
    shown = [(str(len(scores)), "with a grade")]
    if scores:
        shown += [
            (points_text(statistics.median(scores)), f"median, of {most}"),
            (points_text(statistics.fmean(scores)), "mean"),
        ]
        shown += [(points_text(min(scores)), "lowest"), (points_text(max(scores)), "highest")]
    return shown + [
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


def _distribution(report: ClassReport) -> tuple[Markup, str]:
    """How many have which score: the figure, and what it shows in words."""
    scores, most = report.scores, report.assignment.max_score
    counts = [0] * _BINS
    for score in scores:
        counts[min(_BINS - 1, int(_BINS * score / most)) if most else 0] += 1
    width = most / _BINS

    def draw(axes: Any) -> None:
        places = [width * (number + 0.5) for number in range(_BINS)]
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
    return drawn(draw, 9, 3, salt="scores"), f"How many students have which score. {label}."


def _rows(report: ClassReport) -> tuple[Markup, str]:
    """How each row was solved: the figure, and what it shows in words."""
    items = [item for item in report.items if item.of]

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
    figure = drawn(draw, 9, 0.9 + 0.3 * len(items), salt="rows")
    return figure, f"How each row was solved. {label}."


def _row(item: Item) -> tuple[str, list[str], str]:
    """A row's name, its numbers as the table has them, and what is odd about it."""
    shares = ["—" if share is None else f"{share:.2f}" for share in (item.difficulty, item.discrimination)]
    counts = (item.of, item.full, item.of - item.full - item.none, item.none)
    return item.name, [points_text(item.points), *map(str, counts), *shares], _odd(item)


def _odd(item: Item) -> str:
    """What an instructor should look at, in words; usually empty."""
    said = []
    if item.of >= 5 and item.full == item.of:
        said.append("everybody has all points")
    if item.of >= 5 and item.none == item.of and item.checks:
        said.append("nobody has any points: is the check right?")
    if item.of >= 10 and item.discrimination is not None and item.discrimination < 0:
        said.append("those who do well elsewhere do worse here: is the check right?")
    return "; ".join(said)


def _mistakes(report: ClassReport, *, anonymous: bool, ids: set[str]) -> list[CommonMistake]:
    """The commonest first mistakes, as many as are listed."""
    return [
        each
        for each in report.mistakes
        if not anonymous or (each.students > 1 and not any(name in each.reason for name in ids))
    ][:MISTAKES]


def _percent(check: CheckItem) -> str:
    return f"{100 * check.passed / check.of:.0f}"


def _odd_checks(checks: list[tuple[Item, CheckItem]]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The checks that tell nobody from anybody, with their rows, by what they are."""
    many = [each for each in checks if each[1].of >= 5]
    kinds = (
        ("Checks that nobody fails", [each for each in many if each[1].passed == each[1].of]),
        ("Checks that nobody passes", [each for each in many if not each[1].passed]),
    )
    return [(what, [(item.name, check.title) for item, check in chosen]) for what, chosen in kinds if chosen]


def _people(report: ClassReport) -> list[tuple[str, tuple[str, ...]]]:
    """Who needs somebody's attention, by name."""
    reasons = {f"{name}: {why}": "" for name, why in (*report.ungraded.items(), *report.unread.items())}
    groups = (
        ("Handed in nothing", tuple(report.missing)),
        ("Handed in, and without a grade or not to be read", tuple(reasons)),
        ("Wait for a grade by hand", tuple(report.waiting)),
        ("Lost points by lateness", tuple(report.late)),
        ("Excused", tuple(report.excused)),
    )
    return [(what, names) for what, names in groups if names]


def _line(taker: Taker, names: list[str], zone: ZoneInfo) -> _Line:
    grade = taker.grade
    return _Line(
        one_line(grade.student),
        "excused" if grade.excused else points_text(grade.score),
        points_text(grade.late_penalty) if grade.late_penalty else "",
        f"{grade.timestamp.astimezone(zone):%Y-%m-%d %H:%M}" if grade.timestamp else "",
        [points_text(taker.points[name]) if name in taker.points else "" for name in names],
    )
