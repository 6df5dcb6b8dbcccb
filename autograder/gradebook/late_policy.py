"""What lateness costs, by the policy alone: penalties and late days."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from autograder.course import LatePolicy

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


def shared(lost: float, points: Mapping[str, float]) -> dict[str, float | None]:
    """A penalty shared out among an assignment's notebooks, as their points are: none loses more than it has.

    Args:
        lost: The penalty, at most the sum of the points above 0.
        points: The points of each notebook.

    Returns:
        The share of each, None where there is none; their sum is the penalty.
    """
    if len(points) == 1:
        return dict.fromkeys(points, lost)
    left, of = lost, math.fsum(max(0.0, each) for each in points.values())
    shares: dict[str, float | None] = {}
    for name, each in points.items():
        share = left if each >= of else min(left, left * each / of) if each > 0 else 0.0
        left, of = left - share, of - max(0.0, each)
        shares[name] = share or None
    return shares


def late_days_spent(handed_in: Iterable[HandedIn], allowance: int) -> dict[str, int]:
    """How many late days one student has spent on each assignment.

    They are spent without being asked for, in the order in which things were handed in, so that nothing handed in
    later changes what was spent before. Each assignment takes the fewest days that make its penalty as small as it can
    become: none where they would change nothing.

    Args:
        handed_in: What the student handed in over the term and is not excused from.
        allowance: The late days that one student has for the term.

    Returns:
        Days by assignment, for those on which any were spent.
    """
    left, spent = allowance, {}
    for one in sorted(handed_in, key=lambda one: (one.at, one.assignment)):
        if one.seconds_late <= 0:
            continue
        most = min(left, one.policy.max_late_days, math.ceil(one.seconds_late / DAY))
        days = min(range(most + 1), key=lambda days: (percent_lost(one.policy, one.seconds_late - days * DAY), days))
        if days:
            spent[one.assignment] = days
            left -= days
    return spent
