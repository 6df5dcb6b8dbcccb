"""Times on a course's clocks, as a configuration writes them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from autograder.base import closest, shown

HALF_A_CENTURY = timedelta(days=18_262)


def is_credible(when: datetime, due: datetime | None) -> bool:
    """Whether something may have been handed in then: within the century around the time that it is due.

    Whoever hands in may have written the time. Within the century it can be computed with, on the clocks of every
    zone; near the years 1 and 9999 it cannot.

    Args:
        when: The time; where it is naive, in UTC.
        due: When the assignment is due, aware; None for now, where nothing is due.
    """
    aware = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return abs(aware - (due or datetime.now(UTC))) <= HALF_A_CENTURY


def credible(when: datetime | None, due: datetime | None) -> datetime | None:
    """A time of the gradebook's, in UTC and aware; None where there is none or it is not credible.

    ``nbgrader autograde`` and ``nbgrader collect`` put whatever a student wrote into the gradebook.
    """
    if when is None or not is_credible(when, due):
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when


def known_zone(name: str) -> ZoneInfo:
    """The time zone of this name.

    Raises:
        ValueError: There is none; the message gives the nearest.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as problem:
        from zoneinfo import available_timezones

        valid = {zone: zone for zone in available_timezones()}
        valid |= {zone.rpartition("/")[2]: zone for zone in sorted(valid) if "/" in zone}
        close = closest(name.strip().replace(" ", "_"), valid)
        nearest = "" if close is None else f"did you mean {valid[close]!r}? "
        raise ValueError(
            f"there is no time zone {name!r}; {nearest}expected a name such as America/New_York"
        ) from problem


def day_of(text: str) -> date:
    """The day that a text names.

    Raises:
        ValueError: It names none.
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError as problem:
        raise ValueError(f"expected a date such as 2026-11-23, found {shown(text)}") from problem


def clock_of(text: str) -> time:
    """The time of day that a text names.

    Raises:
        ValueError: It names none.
    """
    try:
        if not re.fullmatch(r"\d\d:\d\d", text.strip(), re.ASCII):
            raise ValueError("another form")
        return time.fromisoformat(text.strip())
    except ValueError as problem:
        raise ValueError(f"expected a time such as 19:00, found {shown(text)}") from problem


def local_time(text: str, zone: ZoneInfo, *, until: bool = False) -> datetime:
    """A date and time on the clocks of ``zone``; of the two that a clock set back shows twice, the later.

    Args:
        text: The time, with or without seconds.
        zone: Where it holds.
        until: Whether something is allowed until then: the whole minute that is named belongs to it.

    Raises:
        ValueError: No such text, or no such time on those clocks.
    """
    expected = "expected a local date and time such as 2026-11-29 23:59"
    written = re.fullmatch(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d)?)", text.strip(), re.ASCII)
    if not written:
        raise ValueError(f"{expected}, found {shown(text)}")
    try:
        naive = datetime.fromisoformat(f"{written[1]} {written[2]}")
        local = naive.replace(tzinfo=zone, fold=1)
        shown_on_clocks = local.astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0)
    except (ValueError, OverflowError) as problem:
        raise ValueError(f"{expected}, found {shown(text)}: {problem}") from problem
    if shown_on_clocks != naive:
        raise ValueError(f"{text} does not exist in {zone.key}: the clocks are set forward then; take another time")
    if not until:
        return local
    return local if written[2].count(":") == 2 else local.replace(second=59)
