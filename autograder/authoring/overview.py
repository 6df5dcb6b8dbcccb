"""The week as students meet it: a page about an assignment's week, and the course's dates as an iCalendar file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from autograder.base import FOR_ALL, ConfigError, make_folder, page, write_output
from autograder.course import Activity, Assignment, Course, Meeting
from autograder.feedback import points_text

if TYPE_CHECKING:
    from icalendar import Timezone

FOLDER = "overviews"
MAX_BYTES = 1_000_000
_DEADLINE = timedelta(minutes=30)
"""How long a deadline is in a calendar, where something of no length is not seen. It ends when it is due."""

_TEMPLATE = Path(__file__).parent / "templates/overview.html.j2"


@dataclass(frozen=True)
class _Planned:
    """A line of the week's table; ``at`` sorts it, and None comes last."""

    title: str
    type: str
    graded: str
    when: str
    at: datetime | None


def overview_file(course: Course, assignment: Assignment) -> Path:
    """Where the unit's text of an assignment lies: Markdown."""
    return course.root / FOLDER / f"{assignment.name}.md"


def overview_page(course: Course, assignment: Assignment) -> str:
    """The page about an assignment's week: the unit's text, what is to be done and when, what comes back every week.

    Raises:
        ConfigError: There is no text of the unit, or it cannot be read.
    """
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    path = overview_file(course, assignment)
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}. It holds the unit's introduction and "
            "objectives, in Markdown"
        ) from error
    # Raw HTML is shown as it is written: the page's policy would not let it do much, and would not say so.
    unit = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return page(
        _TEMPLATE,
        assignment.title,
        course=course.name,
        unit=Markup(unit),
        planned=_week(course, assignment),
        meetings=list(_weekly(course)),
        due=_weekly_due(course),
        zone=course.timezone.key.replace("_", " "),
    )


def write_overview(course: Course, assignment: Assignment, folder: Path, now: datetime) -> tuple[Path, Path]:
    """Write the page about an assignment's week and the course's calendar into a folder, and return both.

    Raises:
        ConfigError: The week's text has a problem.
        AutograderError: One of them could not be written.
    """
    week, dates = folder / f"{assignment.name}.html", folder / "calendar.ics"
    text = overview_page(course, assignment)
    make_folder(folder)
    write_output(week, text, mode=FOR_ALL)
    write_output(dates, calendar(course, now), mode=FOR_ALL)
    return week, dates


def calendar(course: Course, now: datetime) -> bytes:
    """The course's meetings and due dates as an iCalendar file (RFC 5545).

    Meetings are in the course's zone, which is in the file too: they stay at their hour when the clocks change. Due
    dates are in UTC, since an hour that the clocks skip or repeat means another moment to each program.

    Args:
        course: The course.
        now: When the file is made, aware; programs take the newer of two files.
    """
    from icalendar import Calendar, Event

    made = Calendar()
    made.add("prodid", "-//autograder//course calendar//EN")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("x-wr-calname", course.name)
    made.add("x-wr-timezone", course.timezone.key)
    dates = [meeting.begins.date() for meeting in course.meetings] + [meeting.last for meeting in course.meetings]
    if dates and course.timezone.key != "UTC":
        made.add_component(_zone(course.timezone, min(dates) - timedelta(days=366), max(dates) + timedelta(days=366)))
    for number, meeting in enumerate(course.meetings, start=1):
        event = Event()
        event.add("uid", f"session-{number}@{course.name}")
        event.add("summary", meeting.title)
        event.add("dtstart", meeting.begins)
        event.add("dtend", meeting.ends)
        if meeting.last != meeting.begins.date():
            end = datetime.combine(meeting.last, meeting.begins.time(), course.timezone).astimezone(UTC)
            event.add("rrule", {"freq": "weekly", "until": end})
        if meeting.where:
            event.add("location", meeting.where)
        event.add("dtstamp", now.astimezone(UTC))
        made.add_component(event)
    for name, assignment in course.assignments.items():
        for title, uid, due in _deadlines(name, assignment):
            event = Event()
            event.add("uid", f"{uid}@{course.name}")
            event.add("summary", f"Due: {title}")
            minute = due.astimezone(UTC).replace(second=0, microsecond=0)
            event.add("dtstart", minute - _DEADLINE)
            event.add("dtend", minute)
            event.add("transp", "TRANSPARENT")
            event.add("dtstamp", now.astimezone(UTC))
            made.add_component(event)
    return bytes(made.to_ical())


def _zone(zone: ZoneInfo, first: date, last: date) -> Timezone:
    """The zone's VTIMEZONE for these days: an observance for each change of the clocks.

    icalendar's own ``Timezone.from_tzinfo`` dates the change to daylight saving an hour too late (RFC 5545, 3.6.5,
    wants the onset in the time before it).
    """
    from icalendar import Timezone, TimezoneDaylight, TimezoneStandard

    made = Timezone()
    made.add("tzid", zone.key)
    begins = datetime.combine(first, datetime.min.time(), UTC)
    for change in (begins, *_changes(zone, begins, datetime.combine(last, datetime.min.time(), UTC))):
        before, after = (change - timedelta(seconds=1)).astimezone(zone), change.astimezone(zone)
        observance = TimezoneDaylight() if after.dst() else TimezoneStandard()
        observance.add("dtstart", (change + _offset(before)).replace(tzinfo=None))
        observance.add("tzoffsetfrom", _offset(before))
        observance.add("tzoffsetto", _offset(after))
        observance.add("tzname", after.tzname())
        made.add_component(observance)
    return made


def _offset(at: datetime) -> timedelta:
    return at.utcoffset() or timedelta()


def _changes(zone: ZoneInfo, begins: datetime, ends: datetime) -> Iterator[datetime]:
    """When the zone's offset changes, in UTC, to the second."""
    day = begins
    while day < ends:
        low, high = day, day + timedelta(days=1)
        if _offset(low.astimezone(zone)) != _offset(high.astimezone(zone)):
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
                same = _offset(middle.astimezone(zone)) == _offset(low.astimezone(zone))
                low, high = (middle, high) if same else (low, middle)
            yield high
        day += timedelta(days=1)


def _deadlines(name: str, assignment: Assignment) -> Iterator[tuple[str, str, datetime]]:
    if assignment.due is not None:
        yield assignment.title, f"{name}-due", assignment.due
    for number, activity in enumerate(assignment.activities, start=1):
        if (due := activity.due) is not None:
            yield activity.title, f"{name}-activity-{number}", due


def _week(course: Course, assignment: Assignment) -> list[_Planned]:
    """What is to be done in the assignment's week, in order."""
    planned = [*_meetings(course, assignment), *(_activity(each) for each in assignment.activities)]
    if (course.root / "quizzes" / f"{assignment.name}.txt").is_file():
        planned.append(_Planned("Knowledge Check", "self-check quiz", "no", "any time", None))
    due = assignment.due
    worth = f"yes, {points_text(assignment.max_score)} points"
    planned.append(_Planned(assignment.title, "programming assignment", worth, _when(due) if due else "", due))
    # What has no date of its own stands before the last.
    dated = [each.at.timestamp() for each in planned if each.at is not None]
    last = max(dated, default=0.0)
    return sorted(planned, key=lambda each: last - 1 if each.at is None else each.at.timestamp())


def _meetings(course: Course, assignment: Assignment) -> Iterator[_Planned]:
    """The meetings in the seven days before the assignment is due."""
    if assignment.due is None:
        return
    for meeting in course.meetings:
        for day in _days(meeting):
            begins = datetime.combine(day, meeting.begins.time(), course.timezone)
            if assignment.due - timedelta(days=7) < begins <= assignment.due:
                ends = datetime.combine(day, meeting.ends.time(), course.timezone)
                when = f"{_date(begins)}, {begins:%H:%M}–{ends:%H:%M} {begins:%Z}"
                place = f", {meeting.where}" if meeting.where else ""
                yield _Planned(meeting.title, "meeting", "no", when + place, begins)


def _days(meeting: Meeting) -> Iterator[date]:
    day = meeting.begins.date()
    while day <= meeting.last:
        yield day
        day += timedelta(days=7)


def _activity(activity: Activity) -> _Planned:
    due = activity.due
    return _Planned(activity.title, activity.type, "yes" if activity.graded else "no", _when(due) if due else "", due)


def _weekly(course: Course) -> Iterator[_Planned]:
    """The meetings that come back every week."""
    for meeting in course.meetings:
        if meeting.last != meeting.begins.date():
            when = f"{meeting.begins:%A}s, {meeting.begins:%H:%M}–{meeting.ends:%H:%M}, until {_date(meeting.last)}"
            place = f", {meeting.where}" if meeting.where else ""
            yield _Planned(meeting.title, "meeting", "no", when + place, meeting.begins)


def _weekly_due(course: Course) -> str:
    """When assignments are due, where it is the same every week; else empty."""
    due = {f"{each.due:%A}s, {each.due:%H:%M}" for each in course.assignments.values() if each.due is not None}
    return due.pop() if len(due) == 1 else ""


def _date(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B}"


def _when(at: datetime) -> str:
    return f"{_date(at)}, {at:%H:%M %Z}"
