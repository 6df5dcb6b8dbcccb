"""What lateness means for a submission, in sentences for its student."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from autograder.course import Assignment
from autograder.gradebook import DAY, Lateness, percent_lost


def lateness_text(lateness: Lateness | None, assignment: Assignment, student: str, zone: ZoneInfo) -> str:
    """What lateness means for a student's submission, in sentences for them; empty where it was in time.

    Args:
        lateness: As ``gradebook.lateness_of`` gives it.
        assignment: The assignment.
        student: The student's id.
        zone: The zone of the times that they are told.
    """
    if student in assignment.excused:
        return "You are excused from this assignment: it does not count."
    return "" if lateness is None else _late_text(lateness, assignment.max_of_all, zone)


def _late_text(lateness: Lateness, max_score: float, zone: ZoneInfo) -> str:
    one, spent, left = lateness.handed_in, lateness.spent, lateness.left
    until = one.due.astimezone(zone)
    late = one.seconds_late
    if late <= 0:
        return ""
    due = f"{until:%A} {until.day} {until:%B %Y, %H:%M %Z}" + (", your extension included" if lateness.extended else "")
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
