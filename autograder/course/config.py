"""gradebook_config.yaml → validated values; every mistake is noted with its line and the nearest name."""

from __future__ import annotations

import functools
import json
import keyword
import re
import sys
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le

from autograder.base import did_you_mean, shown
from autograder.course.document import Document, KeyPath

if TYPE_CHECKING:
    from pydantic import ConfigDict, TypeAdapter
    from pydantic_core import ErrorDetails

STRICT: ConfigDict = {"extra": "forbid", "strict": True, "allow_inf_nan": False}
"""How pydantic reads the configuration: no key that is not known, no text where a number belongs."""

Positive = Annotated[float, Gt(0)]
PositiveWhole = Annotated[int, Gt(0)]
Percent = Annotated[float, Ge(0), Le(100)]
NotNegative = Annotated[float, Ge(0)]
NotNegativeWhole = Annotated[int, Ge(0)]
Seed = Annotated[int, Ge(0), Le(2**63 - 1)]
Inputs = Literal["same", "per_student"]
"""Whether the checks draw the same inputs for all students, or for each student others."""
Visibility = Literal["visible", "after_due_date", "after_published", "hidden"]
"""From when on a student sees a check, in Gradescope's words."""

MAX_FILES = 100
"""Files of one assignment; each is mounted for each submission."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes:
        cell_seconds: Wall-clock time for one cell.
        call_seconds: Wall-clock time for one call of a student's function.
        submission_seconds: Wall-clock time for the whole submission.
        memory_mb: Address space beyond what the warm worker holds, in MiB.
        processes: Processes and threads.
        file_mb: Size of one file, and of the private /tmp, in MiB.
        output_kb: What one cell may print, in KiB.
        notebook_mb: Size of a submitted notebook, in MiB.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    cell_seconds: Positive = 10.0
    call_seconds: Positive = 5.0
    submission_seconds: Positive = 180.0
    memory_mb: PositiveWhole = 1024
    processes: PositiveWhole = 16
    file_mb: PositiveWhole = 32
    output_kb: PositiveWhole = 64
    notebook_mb: PositiveWhole = 20


@dataclass(frozen=True)
class LatePolicy:
    """What a late submission loses.

    Attributes:
        grace_minutes: Minutes after the due date that cost nothing.
        percent_per_day: Percent of the assignment's maximum lost for each day begun after the grace.
        max_percent: The most that lateness can cost, in percent of the maximum.
        percent_per_hour: As ``percent_per_day``, for each hour begun; both add up.
        max_late_days: The most late days of the course's that may go on this assignment.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    grace_minutes: NotNegative = 0.0
    percent_per_day: Percent = 0.0
    max_percent: Percent = 100.0
    percent_per_hour: Percent = 0.0
    max_late_days: NotNegativeWhole = 365


@dataclass(frozen=True)
class Attempts:
    """What `autograder watch` grades of a student who hands in more than once.

    Attributes:
        per_day: How many attempts are graded on one day, local to the course; 0 for any number.
        counts: Whether the last graded attempt counts, or the best after its late penalty.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    per_day: NotNegativeWhole = 0
    counts: Literal["last", "best"] = "last"


@dataclass(frozen=True)
class Activity:
    """Something that students do in an assignment's week, beside the assignment itself.

    Attributes:
        title: What they do.
        type: What kind of thing it is, in the course's own words.
        graded: Whether it is graded.
        due: Until when, as the configuration says it; empty where it has no date.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    title: str
    type: str = ""
    graded: bool = False
    due: str = ""


@dataclass(frozen=True)
class SessionEntry:
    """A meeting that comes back every week; the keys are documented in gradebook_config.yaml."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    title: str
    begins: str
    ends: str
    first: str
    last: str = ""
    where: str = ""


@dataclass(frozen=True)
class AssignmentEntry:
    """What the configuration says of one assignment; the keys are documented in gradebook_config.yaml."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    title: str = ""
    due: str = ""
    late: LatePolicy = field(default_factory=LatePolicy)
    attempts: Attempts = field(default_factory=Attempts)
    extensions: dict[Any, Any] = field(default_factory=dict)
    excused: tuple[Any, ...] = ()
    activities: tuple[Activity, ...] = ()
    seed: Seed = 0
    inputs: Inputs = "same"
    visibility: Visibility = "visible"
    published: Any = False
    limits: Limits = field(default_factory=Limits)
    allowed_imports: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    notebook: str = ""
    checks: str = ""
    solutions: str = ""


@dataclass(frozen=True)
class CourseEntry:
    """What gradebook_config.yaml says."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    timezone: str
    assignments: dict[str, AssignmentEntry]
    database: str = "sqlite:///gradebook.db"
    sandbox: Literal["bubblewrap", "landlock"] = "bubblewrap"
    limits: Limits = field(default_factory=Limits)
    late_days: NotNegativeWhole = 0
    sessions: tuple[SessionEntry, ...] = ()
    exchange: str = ""


_KEYS_AT: tuple[tuple[tuple[str, ...], type], ...] = (
    ((), CourseEntry),
    (("limits",), Limits),
    (("sessions", "*"), SessionEntry),
    (("assignments", "*"), AssignmentEntry),
    (("assignments", "*", "late"), LatePolicy),
    (("assignments", "*", "attempts"), Attempts),
    (("assignments", "*", "activities", "*"), Activity),
    (("assignments", "*", "limits"), Limits),
)


def validated(document: Document) -> CourseEntry | None:
    """What the document says, or None where it has mistakes, which are then noted."""
    from pydantic import ValidationError

    try:
        # By way of JSON: only there does strict validation take mappings for dataclasses, lists for tuples.
        return _adapter().validate_json(json.dumps(_without_empty(document.tree)))
    except ValidationError as problem:
        for error in problem.errors(include_url=False):
            document.blame(error["loc"], _explain(error))
        return None


def entries_of(document: Document) -> dict[str, Any]:
    """The assignments of the tree that are mappings, by name."""
    entries = document.get("assignments")
    return {name: each for name, each in entries.items() if isinstance(each, dict)} if isinstance(entries, dict) else {}


def with_course_limits(entry: AssignmentEntry, course: CourseEntry, document: Document, name: str) -> AssignmentEntry:
    """The entry with the course's limits for all those that it does not set itself."""
    own = document.get("assignments", name, "limits") or {}
    set_here = {key: getattr(entry.limits, key) for key, value in own.items() if value is not None}
    return replace(entry, limits=replace(course.limits, **set_here))


def database_of(document: Document, root: Path) -> str | None:
    """The database's URL with an absolute path, or None where it is wrong.

    No message repeats the URL, which may hold a password.
    """
    url = document.get("database")
    if url is None:
        url = CourseEntry.database
    if not isinstance(url, str):
        return None
    examples = "sqlite:///gradebook.db or postgresql://user@host/name"
    scheme, separator, rest = url.partition("://")
    backend, _, driver = scheme.partition("+")
    try:
        if not separator or backend not in ("sqlite", "postgresql"):
            nearest = did_you_mean(scheme, ("sqlite:///", "postgresql://")) if separator else ""
            raise ValueError(f"expected a URL such as {examples}; {nearest}".rstrip("; "))
        if backend == "sqlite":
            name, mark, options = rest.removeprefix("/").partition("?")
            if not rest.startswith("/") or name in ("", ":memory:"):
                raise ValueError("expected a file, such as sqlite:///gradebook.db (three slashes, then the path)")
            path = (root / name).resolve()
            if path.is_dir() or not path.parent.is_dir():
                raise ValueError(f"expected a file in a folder that exists, found {path}")
            return f"{scheme}:///{path}{mark}{options}"
        if not _is_port_readable(url):
            raise ValueError("expected a number for the port; in a password, write %2F for / and %40 for @")
        if not urlsplit(url).path.strip("/"):
            raise ValueError("expected the database's name at the end, as in postgresql://user@host/name")
    except ValueError as problem:
        document.blame(("database",), str(problem))
        return None
    # SQLAlchemy 2.0 takes a bare postgresql:// for psycopg2; the extra `postgresql` installs psycopg 3.
    return url if driver else f"postgresql+psycopg://{rest}"


def check_imports(document: Document) -> None:
    """Note each allowed distribution that is not installed, or that need not or must not be named."""
    from importlib import metadata

    for name, entry in entries_of(document).items():
        allowed = entry.get("allowed_imports")
        for index, each in enumerate(allowed if isinstance(allowed, list) else ()):
            where = ("assignments", name, "allowed_imports", index)
            if not isinstance(each, str):
                continue
            if re.sub(r"[-_.]+", "-", each).lower() == "autograder":
                document.blame(where, "autograder holds the grader itself; no submission may import it")
                continue
            try:
                metadata.distribution(each)
            except (metadata.PackageNotFoundError, ValueError):
                document.blame(where, _unknown_distribution(each))


def check_files(document: Document) -> None:
    """Note each file's name that a submission cannot be given, and each that stands there twice."""
    for name, entry in entries_of(document).items():
        files = entry.get("files")
        if isinstance(files, list) and len(files) > MAX_FILES:
            most = f"expected at most {MAX_FILES} files, found {len(files)}; put them into one, such as an .npz"
            document.blame(("assignments", name, "files"), most)
        seen: dict[str, str] = {}
        for index, each in enumerate(files if isinstance(files, list) else ()):
            where = ("assignments", name, "files", index)
            if not isinstance(each, str):
                continue
            if each.casefold() in seen:
                document.blame(where, f"{each!r} stands here twice (as {seen[each.casefold()]!r}); leave one out")
            elif mistake := _file_mistake(each):
                document.blame(where, mistake)
            seen.setdefault(each.casefold(), each)


def _file_mistake(name: str) -> str:
    """What is wrong with a file's name, and the way out; empty where nothing is."""
    if "/" in name or "\\" in name:
        return f"expected a file's name without a folder, found {shown(name)}; put the file beside the notebook"
    if name.startswith("."):
        return f"expected a file that is not hidden, found {shown(name)}; leave out the dot at its beginning"
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", name):
        return f"expected a name of letters, digits, '_', '-' and '.' (at most 100), found {shown(name)}; rename it"
    if re.search(r"\.ipynb(\.|$)", name, re.IGNORECASE):
        return f"{name!r} is a notebook's name; only the assignment's own notebook is run, and needs no entry here"
    if name.lower() in _TAKEN or name.lower().endswith((".pyc", ".pth")):
        return f"{name!r} is taken by nbgrader, Python or autograder; give the file another name"
    stem, dot, suffix = name.rpartition(".")
    if f"{dot}{suffix}".lower() == ".py":
        if not stem.isidentifier() or keyword.iskeyword(stem) or suffix != "py":
            return f"{name!r} cannot be imported; expected a name such as helpers.py"
        if stem in _importable():
            return f"{name!r} would hide behind the module {stem!r}, which is there already; give it another name"
    return ""


_TAKEN = frozenset(
    {
        "timestamp.txt",
        "submission_secret.txt",
        "autograder-result.json",
        "feedback",
        "__pycache__",
        "ipython",
        "matplotlib",
    }
)


@functools.cache
def _importable() -> frozenset[str]:
    """The top-level modules that are there without any file of a submission's."""
    from importlib import metadata

    return frozenset({*sys.stdlib_module_names, *metadata.packages_distributions(), "inside", "autograder"})


@functools.cache
def _adapter() -> TypeAdapter[CourseEntry]:
    from pydantic import TypeAdapter

    return TypeAdapter(CourseEntry)


def _keys_at(where: KeyPath) -> tuple[str, ...]:
    """The keys that are valid inside the mapping at ``where``."""
    for pattern, entry in _KEYS_AT:
        if len(pattern) == len(where) and all(a in ("*", b) for a, b in zip(pattern, where, strict=True)):
            return tuple(each.name for each in fields(entry))
    return ()


def _without_empty(tree: Any, where: KeyPath = ()) -> Any:
    """The tree without known keys that have no value.

    ``limits:`` with all of its lines commented out is no mistake.
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
        case "unexpected_keyword_argument":
            keys = _keys_at(where[:-1])
            return f"there is no such key; {did_you_mean(str(where[-1]), keys)}expected one of: {', '.join(keys)}"
        case "missing":
            return "this key is missing or has no value"
        case "string_type":
            return f"expected text, found {found}" + ("; put it in quotes" if value is not None else "")
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
        case "tuple_type" | "list_type":
            return f"expected a list such as [numpy, matplotlib], found {found}"
        case "dataclass_type" | "dict_type" | "dataclass_exact_type":
            keys = _keys_at(where)
            listed = f" ({', '.join(keys)})" if keys else ""
            return f"expected keys with values{listed}, found {found}"
    return f"{error['msg']}, found {found}"


def _is_port_readable(url: str) -> bool:
    # What Python says of a bad port may be half of a password.
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _unknown_distribution(name: str) -> str:
    from importlib import metadata

    if name in sys.stdlib_module_names:
        return f"{name} is part of Python, which is always allowed; leave it out"
    owners = metadata.packages_distributions().get(name, [])
    if owners:
        return f"expected the distribution's name, {owners[0]!r}, found the import's name {name!r}"
    installed = {each.metadata["Name"] for each in metadata.distributions()} - {None}
    nearest = did_you_mean(name, sorted(installed))
    return f"no installed distribution is called {name!r}; {nearest}install it beside autograder or leave it out"
