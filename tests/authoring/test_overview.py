"""The week as students meet it: its page, and a calendar that is right across changes of the clocks."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import recurring_ical_events
from dateutil.rrule import rrulestr
from dateutil.tz import tzical
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from autograder.authoring import calendar, overview_page
from autograder.base import ConfigError
from autograder.course import Course, load_course
from tests.browsers import REPOSITORY, assert_everybody_can_read, chromium_browser
from tests.commands import autograder
from tests.courses import CONFIG, make_course

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
TERM = """\
sessions:
  - {title: Live session, first: 2026-09-07, last: 2027-04-05, begins: 19:00, ends: 20:00, where: Room 4}
"""
UNIT = "## Introduction\n\nAbout *sums*.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<script>window.__owned = 1</script>\n"


def course_with(folder: Path, config: str = CONFIG, *, unit: str | None = UNIT) -> Course:
    root = make_course(folder / "course", config=config)
    if unit is not None:
        (root / "overviews").mkdir()
        (root / "overviews/warmup.md").write_text(unit)
    return load_course(root)


def dated(zone: str = "America/New_York", due: str = "2026-11-29 23:59", sessions: str = TERM) -> str:
    return sessions + CONFIG.replace("America/New_York", zone).replace("2026-11-29 23:59", due)


def unfolded(made: bytes) -> str:
    return re.sub(r"\r\n[ \t]", "", made.decode())


# The calendar


def test_a_weekly_session_stays_at_its_hour_across_both_changes_of_the_clocks(tmp_path: Path) -> None:
    made = Calendar.from_ical(calendar(course_with(tmp_path, dated()), NOW))
    found = recurring_ical_events.of(made).between(date(2026, 9, 1), date(2027, 5, 1))
    sessions = [each for each in found if each["SUMMARY"] == "Live session"]
    assert len(sessions) == 31
    begins = [each["DTSTART"].dt for each in sessions]
    assert {(at.hour, at.minute, at.strftime("%A")) for at in begins} == {(19, 0, "Monday")}
    assert {at.astimezone(UTC).hour for at in begins} == {23, 0}, "in UTC the hour changes with the clocks"
    assert {each["DTEND"].dt - each["DTSTART"].dt for each in sessions} == {timedelta(hours=1)}


def test_the_zone_that_is_written_changes_its_clocks_when_the_zone_does(tmp_path: Path) -> None:
    """Read by dateutil, which knows nothing of the zone but what the file says."""
    path = tmp_path / "calendar.ics"
    path.write_bytes(calendar(course_with(tmp_path, dated()), NOW))
    written, zone = tzical(str(path)).get("America/New_York"), ZoneInfo("America/New_York")
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    while moment < datetime(2027, 12, 1, tzinfo=UTC):
        local = moment.astimezone(zone).replace(tzinfo=None)
        if local.replace(tzinfo=zone).utcoffset() == local.replace(tzinfo=zone, fold=1).utcoffset():
            assert local.replace(tzinfo=written).astimezone(UTC) == moment
        moment += timedelta(minutes=30)


def test_a_deadline_ends_in_the_minute_that_is_due(tmp_path: Path) -> None:
    made = Calendar.from_ical(calendar(course_with(tmp_path, dated()), NOW))
    (event,) = (each for each in made.walk("VEVENT") if each["UID"] == "warmup-due@tiny")
    assert event["SUMMARY"] == "Due: Warm-up"
    assert event["DTEND"].dt == datetime(2026, 11, 29, 23, 59, tzinfo=ZoneInfo("America/New_York"))
    assert event["DTEND"].dt.astimezone(UTC) == datetime(2026, 11, 30, 4, 59, tzinfo=UTC)


@settings(max_examples=60)
@given(
    st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns"]),
    st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    st.integers(4, 23),
)
def test_all_the_year_round_a_deadline_is_the_same_moment_in_the_file(
    tmp_path_factory: pytest.TempPathFactory, zone: str, day: date, hour: int
) -> None:
    folder = tmp_path_factory.mktemp("due")
    course = course_with(folder, dated(zone, f"{day} {hour:02}:59", sessions=""), unit=None)
    due = course.assignment("warmup").due
    assert due is not None
    assert ends_in(calendar(course, NOW)) == due.astimezone(UTC) - timedelta(seconds=59)


def test_a_deadline_in_an_hour_that_comes_twice_is_the_moment_that_grading_takes(tmp_path: Path) -> None:
    course = course_with(tmp_path, dated("America/New_York", "2026-11-01 01:30", sessions=""), unit=None)
    due = course.assignment("warmup").due
    assert due is not None
    second = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    assert ends_in(calendar(course, NOW)) == due.astimezone(UTC) - timedelta(seconds=59) == second


def ends_in(made: bytes) -> datetime:
    """When the only event of a file ends, which has to be said in UTC."""
    (end,) = re.findall(r"BEGIN:VEVENT.*?DTEND:(\d{8}T\d{6})Z", unfolded(made), re.S)
    return datetime.strptime(end, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


def test_the_lines_are_as_programs_want_them(tmp_path: Path) -> None:
    """RFC 5545: CRLF, at most 75 octets a line, an id and a stamp for each event, none twice."""
    made = calendar(
        course_with(tmp_path, dated().replace("Warm-up", "Ünïcödé, commas; and a very " + "long " * 20)), NOW
    )
    assert b"\n" not in made.replace(b"\r\n", b"")
    assert all(len(line) <= 75 for line in made.split(b"\r\n"))
    events = Calendar.from_ical(made).walk("VEVENT")
    assert len({event["UID"] for event in events}) == len(events) == 2
    assert all("DTSTAMP" in event for event in events)
    rule = next(event["RRULE"].to_ical().decode() for event in events if "RRULE" in event)
    assert len(list(rrulestr(rule, dtstart=datetime(2026, 9, 7, 23, tzinfo=UTC)))) == 31


def test_a_single_meeting_does_not_recur(tmp_path: Path) -> None:
    once = "sessions:\n  - {title: Kick-off, first: 2026-09-07, begins: 09:00, ends: 10:30}\n"
    (event,) = (
        each
        for each in Calendar.from_ical(calendar(course_with(tmp_path, dated(sessions=once)), NOW)).walk("VEVENT")
        if each["SUMMARY"] == "Kick-off"
    )
    assert "RRULE" not in event


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("19:00", "7 pm", r"sessions\.0\.begins: expected a time such as 19:00, found '7 pm'"),
        ("19:00", "25:00", r"begins: expected a time such as 19:00, found '25:00'"),
        ("20:00", "18:00", r"ends: expected a time after 19:00, found 18:00"),
        ("last: 2027-04-05", "last: 2027-04-06", r"last: expected a Monday from 2026-09-07 on"),
        ("last: 2027-04-05", "last: 2026-08-31", r"last: expected a Monday from 2026-09-07 on"),
        ("first: 2026-09-07", "first: Monday", r"first: expected a date such as 2026-11-23, found 'Monday'"),
        ("title: Live session, ", "", r"sessions\.0\.title: this key is missing"),
        ("where:", "place:", r"there is no such key; .*expected one of: title, begins, ends, first, last, where"),
    ],
)
def test_a_mistake_in_a_session_is_named(tmp_path: Path, was: str, now: str, said: str) -> None:
    assert was in TERM
    with pytest.raises(ConfigError, match=said):
        course_with(tmp_path, dated(sessions=TERM.replace(was, now)))


def test_a_mistake_in_an_activity_is_named(tmp_path: Path) -> None:
    config = CONFIG + "    activities:\n      - {title: Read, type: reading, due: soon}\n"
    with pytest.raises(ConfigError, match=r"activities\.0\.due: expected a local date and time"):
        course_with(tmp_path, config)


# The page


def table(page: str) -> list[list[str]]:
    body = page[page.index("This week") :]
    rows = re.findall(r"<tr>(<th scope=\"row\">.*?)</tr>", body, re.S)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_the_week_is_a_table_in_the_order_of_its_dates(tmp_path: Path) -> None:
    config = dated() + (
        "    activities:\n      - {title: Read, type: reading, due: 2026-11-23 18:00}\n"
        "      - {title: Essay, type: essay, graded: true, due: 2026-11-27 12:00}\n      - {title: Rest, type: rest}\n"
    )
    course = course_with(tmp_path, config)
    (course.root / "quizzes").mkdir()
    (course.root / "quizzes/warmup.txt").touch()
    assert table(overview_page(course, course.assignment("warmup"))) == [
        ["Read", "reading", "no", "Monday 23 November, 18:00 EST"],
        ["Live session", "meeting", "no", "Monday 23 November, 19:00–20:00 EST, Room 4"],
        ["Essay", "essay", "yes", "Friday 27 November, 12:00 EST"],
        ["Rest", "rest", "no", ""],
        ["Knowledge Check", "self-check quiz", "no", "any time"],
        ["Warm-up", "programming assignment", "yes, 12 points", "Sunday 29 November, 23:59 EST"],
    ]


def test_the_page_has_the_units_text_and_what_comes_back_every_week(tmp_path: Path) -> None:
    course = course_with(tmp_path, dated())
    page = overview_page(course, course.assignment("warmup"))
    assert "<em>sums</em>" in page
    assert "<td>1</td>" in page
    assert "&lt;script&gt;" in page
    assert "<b>Live session</b>: Mondays, 19:00–20:00, until Monday 5 April, Room 4." in page
    assert "<b>Assignments are due</b> Sundays, 23:59; all of that minute is in time." in page


def test_without_a_text_the_command_says_what_it_looked_for(tmp_path: Path) -> None:
    course = course_with(tmp_path, unit=None)
    ended = autograder(course.root, "overview", "warmup", PATH="")
    assert ended.returncode == 2
    assert "overviews/warmup.md cannot be read: No such file or directory. It holds the unit's" in ended.stderr
    assert not (course.root / "overview").exists()


def test_this_repositorys_own_week_has_its_seven_objectives_and_its_dates() -> None:
    course = load_course(REPOSITORY)
    page = overview_page(course, course.assignment("week2"))
    objectives = page[page.index("Objectives") : page.index("How to go about it")]
    assert objectives.count("<li>") == 7
    assert table(page)[-1] == [
        "Week 2: multi-class classification and the training loop",
        "programming assignment",
        "yes, 100 points",
        "Sunday 29 November, 23:59 EST",
    ]
    assert ["Live session", "meeting", "no", "Monday 23 November, 19:00–20:00 EST"] in table(page)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium_browser() as opened:
        yield opened


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_the_overview(browser: Any, tmp_path: Path, scheme: str) -> None:
    path = tmp_path / "week2.html"
    course = load_course(REPOSITORY)
    path.write_text(overview_page(course, course.assignment("week2")))
    for width in (1000, 390):
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}, offline=True)
        page = context.new_page()
        page.goto(path.as_uri())
        assert_everybody_can_read(page)
        context.close()
