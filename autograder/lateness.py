"""What lateness costs, by the policy alone: penalties, late days, and the words for them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from autograder.config import LatePolicy

DAY = 86400
"""Seconds of a late day: 24 hours, also where a change of the clocks makes the day longer or shorter."""


@dataclass(frozen=True)
class HandedIn:
    """One assignment that a student handed in.

    Attributes:
        assignment: The assignment's name.
        at: When it was handed in, aware of its zone or naive like ``due``.
        due: The last second in which the student was to hand in, with any extension.
        policy: The assignment's.
    """

    assignment: str
    at: datetime
    due: datetime
    policy: LatePolicy

    @property
    def seconds_late(self) -> int:
        """Whole seconds after the due date; not above 0 until that second is over."""
        return math.floor((self.at - self.due).total_seconds())


def percent_lost(policy: LatePolicy, seconds_late: float) -> float:
    """Percent of the assignment's maximum that lateness costs: for each day and each hour begun after the grace.

    Args:
        policy: The assignment's.
        seconds_late: Seconds after the due date, an extension and late days taken off.
    """
    beyond = seconds_late - policy.grace_minutes * 60
    if beyond <= 0:
        return 0.0
    percent = policy.percent_per_day * math.ceil(beyond / DAY) + policy.percent_per_hour * math.ceil(beyond / 3600)
    return min(policy.max_percent, percent)


def late_penalty(policy: LatePolicy, max_score: float, score: float, seconds_late: float) -> float | None:
    """Points that a late submission loses: a share of the assignment's maximum.

    Args:
        policy: The assignment's.
        max_score: Points of the whole assignment.
        score: The submission's points now; it cannot lose more.
        seconds_late: Seconds after the due date, an extension and late days taken off.

    Returns:
        The penalty, or None where there is none.
    """
    return min(max_score * percent_lost(policy, seconds_late) / 100, max(score, 0.0)) or None


def late_days_spent(handed_in: Iterable[HandedIn], each: int) -> dict[str, int]:
    """How many late days one student has spent on each assignment.

    They are spent without being asked for, in the order in which things were handed in, so that nothing handed in
    later changes what was spent before. Each assignment takes the fewest days that make its penalty as small as it can
    become: none where they would change nothing.

    Args:
        handed_in: What the student handed in over the term and is not excused from.
        each: The late days that a student has.

    Returns:
        Days by assignment, for those on which any were spent.
    """
    left, spent = each, {}
    for one in sorted(handed_in, key=lambda one: (one.at, one.assignment)):
        if one.seconds_late <= 0:
            continue
        most = min(left, one.policy.max_late_days, math.ceil(one.seconds_late / DAY))
        days = min(range(most + 1), key=lambda days: (percent_lost(one.policy, one.seconds_late - days * DAY), days))
        if days:
            spent[one.assignment] = days
            left -= days
    return spent


def told(one: HandedIn, max_score: float, *, extended: bool, spent: int, left: int) -> str:
    """What lateness means for a submission, in sentences for its student; empty where it was in time.

    Args:
        one: The submission; its times are aware and in the zone that the student is told.
        max_score: Points of the whole assignment.
        extended: Whether its due date has an extension in it.
        spent: Late days that went on it.
        left: Late days that the student still has.
    """
    late = one.seconds_late
    if late <= 0:
        return ""
    due = f"{one.due:%A} {one.due.day} {one.due:%B %Y, %H:%M %Z}" + (", your extension included" if extended else "")
    said = [f"Handed in {_how_long(late)} after it was due ({due})."]
    if spent:
        remain = "none is left" if not left else f"{left} {'is' if left == 1 else 'are'} left"
        said.append(f"{spent} late {'day was' if spent == 1 else 'days were'} spent on it; {remain}.")
    percent = percent_lost(one.policy, late - spent * DAY)
    if percent:
        most = ", the most that it can cost" if percent == one.policy.max_percent < 100 else ""
        said.append(f"That costs {_short(percent)} % of the {_short(max_score)} points{most}.")
    elif not spent and late <= one.policy.grace_minutes * 60:
        said.append(f"The first {_short(one.policy.grace_minutes)} minutes cost nothing.")
    else:
        said.append("It costs nothing.")
    return " ".join(said)


def _how_long(seconds: float) -> str:
    """A length of time in its two largest units, rounded down."""
    units = (("day", DAY), ("hour", 3600), ("minute", 60))
    parts, rest = [], int(seconds)
    for name, size in units:
        count, rest = divmod(rest, size)
        parts.append((count, f"{count} {name}{'' if count == 1 else 's'}"))
    first = next((index for index, (count, _) in enumerate(parts) if count), None)
    if first is None:
        return "less than a minute"
    return " ".join(text for count, text in parts[first : first + 2] if count)


def _short(number: float) -> str:
    return f"{round(number, 2):g}"
