"""The times in gradebook_config.yaml: due dates, extensions, meetings; local to the course's zone, mistakes noted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from autograder.base import closest, shown
from autograder.course.config import Activity, CourseEntry, entries_of
from autograder.course.document import Document, KeyPath

Read = TypeVar("Read")


@dataclass(frozen=True)
class Session:
    """A meeting that comes back every week.

    Attributes:
        title: What it is.
        begins: When the first begins, aware of its zone.
        ends: When the first ends.
        last: The day of the last.
        where: A place or an address; may be empty.
    """

    title: str
    begins: datetime
    ends: datetime
    last: date
    where: str = ""


def timezone_of(document: Document) -> ZoneInfo | None:
    """The course's time zone, or None where there is none of that name, which is then noted."""
    name = document.get("timezone")
    if not isinstance(name, str):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        from zoneinfo import available_timezones

        valid = {zone: zone for zone in available_timezones()}
        valid |= {zone.rpartition("/")[2]: zone for zone in sorted(valid) if "/" in zone}
        close = closest(name.strip().replace(" ", "_"), valid)
        nearest = "" if close is None else f"did you mean {valid[close]!r}? "
        message = f"there is no time zone {name!r}; {nearest}expected a name such as America/New_York"
        document.blame(("timezone",), message)
        return None


def dates_at(key: str, document: Document, zone: ZoneInfo | None) -> dict[str, datetime]:
    """The dates under ``due`` or another key by assignment, aware of the zone; mistakes are noted."""
    dates: dict[str, datetime] = {}
    for name, entry in entries_of(document).items():
        text = entry.get(key)
        if not isinstance(text, str):
            if key == "published" and not isinstance(text, bool | None):
                expected = "expected true, false, or a local date and time such as 2026-12-07 09:00"
                document.blame(("assignments", name, key), f"{expected}, found {shown(text)}")
            continue
        try:
            dates[name] = _local_time(text, zone or ZoneInfo("UTC"), until=key == "due")
        except ValueError as problem:
            document.blame(("assignments", name, key), str(problem))
    return dates


def extensions_at(document: Document, due: Mapping[str, datetime], zone: ZoneInfo) -> dict[str, dict[str, datetime]]:
    """By assignment and student: until when they may hand in; mistakes are noted."""
    found: dict[str, dict[str, datetime]] = {}
    for name, entry in entries_of(document).items():
        listed = entry.get("extensions")
        for student, text in listed.items() if isinstance(listed, dict) else ():
            where = ("assignments", name, "extensions", student)
            try:
                until = _local_time(text if isinstance(text, str) else shown(text), zone, until=True)
            except ValueError as problem:
                document.blame(where, str(problem))
                continue
            if name not in due:
                document.blame(where, "an extension needs a due date: say `due` as well")
            elif until < due[name]:
                document.blame(where, f"expected a time after the due date, {due[name]:%Y-%m-%d %H:%M}, found {text}")
            else:
                found.setdefault(name, {})[str(student)] = until
    return found


def sessions_at(document: Document, zone: ZoneInfo) -> tuple[Session, ...]:
    """The weekly meetings; mistakes are noted."""
    found = []
    listed = document.get("sessions")
    for index, each in enumerate(listed if isinstance(listed, list) else ()):
        if not isinstance(each, dict):
            continue
        where = ("sessions", index)
        days, times = {}, {}
        for key in ("first", "last"):
            if (text := each.get(key)) is not None:
                days[key] = _noted(document, (*where, key), _day, text)
        for key in ("begins", "ends"):
            times[key] = _noted(document, (*where, key), _clock, each.get(key))
        first, begins, ends = days.get("first"), times["begins"], times["ends"]
        if first is None or begins is None or ends is None:
            continue
        last = days.get("last") or first
        if ends <= begins:
            document.blame((*where, "ends"), f"expected a time after {begins:%H:%M}, found {ends:%H:%M}")
        elif last < first or (last - first).days % 7:
            weekday = f"{first:%A}"
            document.blame((*where, "last"), f"expected a {weekday} from {first} on, as the first is one, found {last}")
        else:
            title, place = str(each.get("title", "")), str(each.get("where") or "")
            start = datetime.combine(first, begins, zone)
            found.append(Session(title, start, datetime.combine(first, ends, zone), last, place))
    return tuple(found)


def activities_at(document: Document, entry: CourseEntry, zone: ZoneInfo) -> dict[str, tuple[Activity, ...]]:
    """The activities by assignment, their due dates looked at; mistakes are noted."""
    for name, assignment in entry.assignments.items():
        for index, activity in enumerate(assignment.activities):
            if activity.due:
                _noted(document, ("assignments", name, "activities", index, "due"), _local_time, activity.due, zone)
    return {name: each.activities for name, each in entry.assignments.items()}


def activity_due(activity: Activity, zone: ZoneInfo) -> datetime | None:
    """Until when an activity is to be done, aware of the zone; None where it has no date."""
    return _local_time(activity.due, zone, until=True) if activity.due else None


def _noted(document: Document, where: KeyPath, read: Callable[..., Read], text: Any, *more: Any) -> Read | None:
    """What ``read`` makes of a text, or None where it is wrong, which is then noted."""
    try:
        return read(text if isinstance(text, str) else shown(text), *more)
    except ValueError as problem:
        document.blame(where, str(problem))
        return None


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError as problem:
        raise ValueError(f"expected a date such as 2026-11-23, found {shown(text)}") from problem


def _clock(text: str) -> time:
    if not re.fullmatch(r"\d\d:\d\d", text.strip(), re.ASCII):
        raise ValueError(f"expected a time such as 19:00, found {shown(text)}")
    try:
        return time.fromisoformat(text.strip())
    except ValueError as problem:
        raise ValueError(f"expected a time such as 19:00, found {shown(text)}") from problem


def excused_at(document: Document) -> dict[str, frozenset[str]]:
    """By assignment: who is excused from it; what is no student's id is noted."""
    found: dict[str, frozenset[str]] = {}
    for name, entry in entries_of(document).items():
        listed = entry.get("excused")
        for index, student in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(student, bool) or not isinstance(student, str | int) or not str(student).strip():
                document.blame(
                    ("assignments", name, "excused", index), f"expected a student's id, found {shown(student)}"
                )
            else:
                found[name] = found.get(name, frozenset()) | {str(student)}
    return found


def _local_time(text: str, zone: ZoneInfo, *, until: bool = False) -> datetime:
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
