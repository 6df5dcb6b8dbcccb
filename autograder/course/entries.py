"""gradebook_config.yaml as pydantic reads it, once: every key with its type, its values made, its problems explained.

This module is imported where a configuration is read: pydantic takes long to import.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field, fields
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, PydanticKnownError

from autograder.base import did_you_mean, shown
from autograder.course.config import (
    STRICT,
    Activity,
    Attempts,
    Inputs,
    LatePolicy,
    Limits,
    Meeting,
    NotNegativeWhole,
    PositiveWhole,
    Seed,
    SharedWith,
    Visibility,
)
from autograder.course.database import database_url
from autograder.course.dates import clock_of, day_of, known_zone, local_time
from autograder.course.files import MAX_FILES, file_problems
from autograder.course.imports import import_problem
from autograder.course.located import KeyPath, Located


@dataclass(frozen=True)
class Around:
    """What validating a value needs to know of the rest: pydantic's context.

    Attributes:
        root: The course's folder.
        zone: The zone in which the configuration's times are local; UTC where it names none that there is.
    """

    root: Path
    zone: ZoneInfo


def _around(info: ValidationInfo) -> Around:
    return cast(Around, info.context)


def _problem(text: str) -> PydanticCustomError:
    """A problem in words."""
    return PydanticCustomError("problem", "{text}", {"text": text})


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    return value


def _zone(value: Any) -> ZoneInfo:
    return known_zone(_text(value))


def _time(value: Any, info: ValidationInfo) -> datetime:
    return local_time(_text(value), _around(info).zone)


def _until(value: Any, info: ValidationInfo) -> datetime:
    """A time until which something is allowed: the whole minute that is named belongs to it."""
    return local_time(_text(value), _around(info).zone, until=True)


def _activity_due(value: Any, info: ValidationInfo) -> datetime | None:
    return _until(value, info) if _text(value) else None


def _published(value: Any, info: ValidationInfo) -> datetime | bool:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        expected = "expected true, false, or a local date and time such as 2026-12-07 09:00"
        raise _problem(f"{expected}, found {shown(value)}")
    return _time(value, info)


def _extension(value: Any, info: ValidationInfo) -> datetime:
    """Until when one student may hand in, which is after the assignment's due date."""
    text = value if isinstance(value, str) else shown(value)
    until = local_time(text, _around(info).zone, until=True)
    if "due" not in info.data:
        return until  # the due date has a problem of its own
    due = info.data["due"]
    if due is None:
        raise _problem("an extension needs a due date: say `due` as well")
    if until < due:
        raise _problem(f"expected a time after the due date, {due:%Y-%m-%d %H:%M}, found {text}")
    return until


def _student(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _problem(f"expected a student's id, found {'nothing' if value in (None, '') else shown(value)}")
    if value != value.strip() or not value.isprintable():
        raise _problem(f"expected a student's id with no space around it and nothing hidden in it, found {value!a}")
    return value


def _groups(value: Any) -> dict[str, tuple[str, ...]]:
    """Who works with whom, by the group's name: looked at together, since nobody may be in two groups."""
    if not isinstance(value, dict):
        raise PydanticKnownError("dict_type")
    where: dict[str, str] = {}
    found = {}
    wrong: list[InitErrorDetails] = []
    for name, members in value.items():
        if not isinstance(members, list) or not members:
            problem = _problem(f"expected a list of students' ids such as [ada, bob], found {shown(members)}")
            wrong.append({"type": problem, "loc": (name,), "input": members})
            continue
        for place, each in enumerate(members):
            try:
                if (other := where.setdefault(_student(each), name)) != name or members.index(each) != place:
                    raise _problem(f"{each!r} is in the group {other!r} already; leave one out")
            except PydanticCustomError as error:
                wrong.append({"type": error, "loc": (name, place), "input": each})
        found[name] = tuple(members)
    if wrong:
        raise ValidationError.from_exception_data("groups", wrong)
    return found


def _day(value: Any) -> date:
    return day_of(_text(value))


def _clock(value: Any) -> time:
    return clock_of(_text(value))


def _after_it_begins(ends: time, info: ValidationInfo) -> time:
    begins = info.data.get("begins")
    if begins is not None and ends <= begins:
        raise _problem(f"expected a time after {begins:%H:%M}, found {ends:%H:%M}")
    return ends


def _same_weekday(last: date, info: ValidationInfo) -> date:
    first = info.data.get("first")
    if first is not None and (last < first or (last - first).days % 7):
        weekday = f"{first:%A}"
        raise _problem(f"expected a {weekday} from {first} on, as the first is one, found {last}")
    return last


def _database(value: str, info: ValidationInfo) -> str:
    return database_url(value, _around(info).root)


def _distribution(value: str) -> str:
    if problem := import_problem(value):
        raise _problem(problem)
    return value


def _files(value: Any) -> tuple[str, ...]:
    """The names of files, looked at together: whether one stands there twice, no name by itself shows."""
    if not isinstance(value, list):
        raise PydanticKnownError("tuple_type")
    names = {place: name for place, name in enumerate(value) if isinstance(name, str)}
    wrong: list[InitErrorDetails] = [
        {"type": "string_type", "loc": (place,), "input": each}
        for place, each in enumerate(value)
        if place not in names
    ]
    wrong += [
        {"type": _problem(text), "loc": (place,), "input": names[place]} for place, text in file_problems(names).items()
    ]
    if len(value) > MAX_FILES:
        most = f"expected at most {MAX_FILES} files, found {len(value)}; put them into one, such as an .npz"
        wrong.append({"type": _problem(most), "loc": (), "input": value})
    if wrong:
        raise ValidationError.from_exception_data("files", wrong)
    return tuple(names.values())


def _exchange(value: Any, info: ValidationInfo) -> Path | None:
    return (_around(info).root / text).resolve() if (text := _text(value)).strip() else None


@dataclass(frozen=True)
class ActivityEntry:
    """Something that students do in an assignment's week.

    Attributes:
        title: What they do.
        type: What kind of thing it is, in the course's own words.
        graded: Whether it is graded.
        due: Until when.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    title: str
    type: str = ""
    graded: bool = False
    due: Annotated[datetime | None, PlainValidator(_activity_due)] = None

    def activity(self) -> Activity:
        """The activity, plain."""
        return Activity(self.title, self.type, self.graded, self.due)


@dataclass(frozen=True)
class MeetingEntry:
    """A meeting that comes back every week.

    Attributes:
        title: What it is.
        begins: When it begins.
        ends: When it ends, on the same day.
        first: The day of the first; the days after it follow from it.
        last: The day of the last; without it there is one.
        where: A place or an address.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    title: str
    begins: Annotated[time, PlainValidator(_clock)]
    ends: Annotated[time, PlainValidator(_clock), AfterValidator(_after_it_begins)]
    first: Annotated[date, PlainValidator(_day)]
    last: Annotated[date, PlainValidator(_day), AfterValidator(_same_weekday)] | None = None
    where: str = ""

    def meeting(self, zone: ZoneInfo) -> Meeting:
        """The meeting, its first one in the course's zone."""
        begins, ends = (datetime.combine(self.first, at, zone) for at in (self.begins, self.ends))
        return Meeting(self.title, begins, ends, self.last or self.first, self.where)


@dataclass(frozen=True)
class AssignmentEntry:
    """What the configuration says of one assignment.

    Attributes:
        title: The name that people read; without it that of the folder.
        due: Until when students hand in; all of that minute is in time. Without it nothing is late.
        late: What lateness costs.
        attempts: What `autograder watch` grades of a student who hands in more than once.
        extensions: Who may hand in later, by id, and until when.
        excused: Students from whom no grade is wanted, by id.
        groups: Who hands in together, by the group's name.
        activities: What students do in this week beside it, for its overview page.
        seed: What all random inputs of the checks come from. Another seed is another exam.
        inputs: Whether the checks draw the same inputs for all students, or others for each. Without it: others for
            each where `attempts` is there, else the same.
        visibility: From when on students see those checks that say nothing of it themselves.
        published: Whether the grades are published, or from when on.
        limits: What a submission may use, where it is other than in the course.
        allowed_imports: Distributions that a submission may import besides the standard library, as pip knows them.
        files: Plain names of files that a submission may read beside its notebook.
        show: Whether cells that are tagged `only-shows` are run while grading.
        partial: Whether each statement of a test cell that can fail has a share of its points.
        script: Whether students get the notebook as a Python script too, `NAME.py`, and may hand that in.
        notebook: The one notebook of the folder that is the assignment, where others lie there too.
        checks: The folder of the hidden checks, if not `checks/NAME`.
        solutions: The folder of the reference, if not `solutions/NAME`.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    title: str = ""
    due: Annotated[datetime | None, PlainValidator(_until)] = None
    late: LatePolicy = field(default_factory=LatePolicy)
    attempts: Attempts = field(default_factory=Attempts)
    extensions: dict[str, Annotated[datetime, PlainValidator(_extension)]] = field(default_factory=dict)
    excused: frozenset[Annotated[str, PlainValidator(_student)]] = frozenset()
    groups: Annotated[dict[str, tuple[str, ...]], PlainValidator(_groups)] = field(default_factory=dict)
    activities: tuple[ActivityEntry, ...] = ()
    seed: Seed = 0
    inputs: Inputs | None = None
    visibility: Visibility = "visible"
    published: Annotated[datetime | bool, PlainValidator(_published)] = False
    limits: Limits = field(default_factory=Limits)
    allowed_imports: tuple[Annotated[str, AfterValidator(_distribution)], ...] = ()
    files: Annotated[tuple[str, ...], PlainValidator(_files)] = ()
    show: bool = False
    partial: bool = False
    script: bool = False
    notebook: str = ""
    checks: str = ""
    solutions: str = ""


@dataclass(frozen=True)
class CourseEntry:
    """What gradebook_config.yaml says.

    Attributes:
        name: The course's name, nbgrader's `course_id`.
        timezone: The zone in which all times here are local.
        assignments: The assignments, by the names of their folders.
        database: The gradebook: an SQLite file, whose path starts at the course's folder, or a PostgreSQL server.
        sandbox: What keeps submissions from the machine.
        limits: What one submission may use, of every assignment.
        late_days: How many days each student may hand in late over the term without losing points.
        sessions: Meetings that come back every week, for overview pages and the calendar.
        exchange: nbgrader's exchange, which starts at the course's folder; without it nbgrader's own.
        shared_with: Who else on the machine is meant to get at answers, gradebook and submissions.
        canvas_course: The course's number in Canvas, for `autograder push canvas`.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    timezone: Annotated[ZoneInfo, PlainValidator(_zone)]
    assignments: dict[str, AssignmentEntry]
    database: Annotated[str, AfterValidator(_database), Field(validate_default=True)] = "sqlite:///gradebook.db"
    sandbox: Literal["bubblewrap", "landlock", "auto"] = "bubblewrap"
    limits: Limits = field(default_factory=Limits)
    late_days: NotNegativeWhole = 0
    sessions: tuple[MeetingEntry, ...] = ()
    exchange: Annotated[Path | None, PlainValidator(_exchange)] = None
    shared_with: SharedWith = "nobody"
    canvas_course: PositiveWhole | None = None


_KEYS_AT: tuple[tuple[tuple[str, ...], type], ...] = (
    ((), CourseEntry),
    (("limits",), Limits),
    (("sessions", "*"), MeetingEntry),
    (("assignments", "*"), AssignmentEntry),
    (("assignments", "*", "late"), LatePolicy),
    (("assignments", "*", "attempts"), Attempts),
    (("assignments", "*", "activities", "*"), ActivityEntry),
    (("assignments", "*", "limits"), Limits),
)


def validated(configuration: Located, root: Path) -> CourseEntry | None:
    """What the configuration says, or None where it has problems, which are then noted with their lines."""
    try:
        zone = _zone(configuration.get("timezone"))
    except (ValueError, PydanticKnownError):
        zone = ZoneInfo("UTC")
    try:
        # By way of JSON: only there does strict validation take mappings for dataclasses, lists for tuples.
        return _adapter().validate_json(json.dumps(_without_empty(configuration.tree)), context=Around(root, zone))
    except ValidationError as problems:
        for error in problems.errors(include_url=False):
            configuration.blame(error["loc"], _explain(error))
        return None


@functools.cache
def _adapter() -> TypeAdapter[CourseEntry]:
    return TypeAdapter(CourseEntry)


def _keys_at(where: KeyPath) -> tuple[str, ...]:
    """The keys that are valid inside the mapping at ``where``."""
    for pattern, entry in _KEYS_AT:
        if len(pattern) == len(where) and all(a in ("*", b) for a, b in zip(pattern, where, strict=True)):
            return tuple(each.name for each in fields(entry))
    return ()


def _without_empty(tree: Any, where: KeyPath = ()) -> Any:
    """The tree without known keys that have no value.

    ``limits:`` with all of its lines commented out is no problem.
    """
    if not isinstance(tree, dict):
        return tree
    known = _keys_at(where)
    return {
        key: _without_empty(value, (*where, key))
        for key, value in tree.items()
        if value is not None or key not in known
    }


def _explain(error: ErrorDetails) -> str:
    """A pydantic error for somebody who writes YAML: what was expected, what was found, the nearest name."""
    where, limits = error["loc"], error.get("ctx", {})
    value = error.get("input")
    found = "nothing" if value is None else shown(value)
    match error["type"]:
        case "problem":
            return str(limits["text"])
        case "value_error":
            return str(limits["error"])
        case "unexpected_keyword_argument":
            keys = _keys_at(where[:-1])
            return f"there is no such key; {did_you_mean(str(where[-1]), keys)}expected one of: {', '.join(keys)}"
        case "missing":
            return "this key is missing or has no value"
        case "string_type":
            return f"expected text, found {found}" + ("; put it in quotes" if value is not None else "")
        case "bool_type":
            return f"expected true or false, found {found}"
        case "int_type" | "int_from_float" | "int_parsing":
            return f"expected a whole number, found {found}"
        case "float_type" | "float_parsing" | "finite_number":
            return f"expected a number, found {found}"
        case "greater_than":
            return f"expected a number above {limits['gt']:g}, found {found}"
        case "greater_than_equal":
            return f"expected a number of at least {limits['ge']:g}, found {found}"
        case "less_than_equal":
            return f"expected a number of at most {limits['le']:g}, found {found}"
        case "literal_error":
            nearest = did_you_mean(str(value), re.findall(r"'(\w+)'", limits["expected"]))
            return f"expected one of: {limits['expected'].replace(chr(39), '')}; {nearest}found {found}"
        case "tuple_type" | "list_type" | "frozen_set_type":
            return f"expected a list such as [numpy, matplotlib], found {found}"
        case "dataclass_type" | "dict_type" | "dataclass_exact_type":
            keys = _keys_at(where)
            listed = f" ({', '.join(keys)})" if keys else ""
            return f"expected keys with values{listed}, found {found}"
    return f"{error['msg']}, found {found}"
