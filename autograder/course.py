"""gradebook_config.yaml and the master notebooks → Course, Assignment, Row."""

from __future__ import annotations

import ast
import difflib
import functools
import hashlib
import json
import math
import re
import sys
import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import yaml
from annotated_types import Ge, Gt, Le

from autograder.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import ConfigDict, TypeAdapter
    from pydantic_core import ErrorDetails

CONFIG_NAME = "gradebook_config.yaml"

KeyPath = tuple[str | int, ...]
"""Where a value stands in the configuration: ``("assignments", "week2", "due")``."""

STRICT: ConfigDict = {"extra": "forbid", "strict": True, "allow_inf_nan": False}
"""How pydantic reads the configuration: no key that is not known, no text where a number belongs."""

Positive = Annotated[float, Gt(0)]
PositiveWhole = Annotated[int, Gt(0)]
Percent = Annotated[float, Ge(0), Le(100)]
NotNegative = Annotated[float, Ge(0)]
Seed = Annotated[int, Ge(0), Le(2**63 - 1)]


@dataclass(frozen=True)
class Row:
    """One row of an assignment: a solution cell and the autograded test cell that carries its points.

    Attributes:
        name: The solution cell's ``grade_id``.
        test_id: The test cell's ``grade_id`` (``test_`` + name).
        points: The row's maximum, from the master notebook.
        functions: The functions that the solution cell defines, in order, from the master notebook.
    """

    name: str
    test_id: str
    points: float
    functions: tuple[str, ...]


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
    processes: PositiveWhole = 64
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
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    grace_minutes: NotNegative = 0.0
    percent_per_day: Percent = 0.0
    max_percent: Percent = 100.0


@dataclass(frozen=True)
class Assignment:
    """One assignment of the course.

    Attributes:
        name: The folder's name, also in the gradebook.
        title: The name that people read.
        notebook: The notebook's name without ``.ipynb``.
        master: The master notebook.
        release: The released notebook.
        checks: The folder of hidden checks.
        solutions: The folder of the reference, a package.
        due: The due date, aware of its time zone, or None.
        late: The late policy.
        seed: The seed of all random inputs.
        limits: What one submission may use.
        allowed_imports: Distributions that a submission may import, beside the standard library.
        rows: The autograded rows in the notebook's order.
        manual: Points of the cells graded by hand, by ``grade_id``, in the notebook's order.
    """

    name: str
    title: str
    notebook: str
    master: Path
    release: Path
    checks: Path
    solutions: Path
    due: datetime | None
    late: LatePolicy
    seed: int
    limits: Limits
    allowed_imports: tuple[str, ...]
    rows: tuple[Row, ...]
    manual: dict[str, float]

    @property
    def max_score(self) -> float:
        """Points of the whole assignment, the written answers included."""
        return sum(row.points for row in self.rows) + sum(self.manual.values())


@dataclass(frozen=True)
class Course:
    """A course: the folder that holds gradebook_config.yaml, and what that file says.

    Attributes:
        root: The folder.
        name: The course's name (nbgrader's ``course_id``).
        timezone: The zone in which the configuration's times are local.
        database: The gradebook's URL, as SQLAlchemy takes it; a SQLite file's path in it is absolute.
        assignments: By name, in the configuration's order.
    """

    root: Path
    name: str
    timezone: ZoneInfo
    database: str
    assignments: dict[str, Assignment]

    def assignment(self, name: str) -> Assignment:
        """The assignment of that name.

        Raises:
            ConfigError: There is none; the message gives the nearest name.
        """
        if name in self.assignments:
            return self.assignments[name]
        raise ConfigError(
            f"there is no assignment {name!r} in {self.root / CONFIG_NAME}; "
            f"{_nearest(name, self.assignments)}expected one of: {', '.join(self.assignments)}"
        )


@dataclass(frozen=True)
class _AssignmentEntry:
    """What the configuration says of one assignment; the keys are documented in gradebook_config.yaml."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    title: str = ""
    due: str = ""
    late: LatePolicy = field(default_factory=LatePolicy)
    seed: Seed = 0
    limits: Limits = field(default_factory=Limits)
    allowed_imports: tuple[str, ...] = ()
    notebook: str = ""
    checks: str = ""
    solutions: str = ""


@dataclass(frozen=True)
class _CourseEntry:
    """What gradebook_config.yaml says."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    timezone: str
    assignments: dict[str, _AssignmentEntry]
    database: str = "sqlite:///gradebook.db"
    limits: Limits = field(default_factory=Limits)


_KEYS_AT: tuple[tuple[tuple[str, ...], type], ...] = (
    ((), _CourseEntry),
    (("limits",), Limits),
    (("assignments", "*"), _AssignmentEntry),
    (("assignments", "*", "late"), LatePolicy),
    (("assignments", "*", "limits"), Limits),
)


def find_course(start: Path) -> Path:
    """The nearest folder, from ``start`` upwards, that holds gradebook_config.yaml.

    Raises:
        ConfigError: There is none.
    """
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder
    misnamed = next((path for path in (here / "gradebook_config.yml",) if path.is_file()), None)
    raise ConfigError(
        f"{misnamed} should be called {CONFIG_NAME}"
        if misnamed
        else f"there is no {CONFIG_NAME} in {here} or in any folder above it: run this inside a course, "
        "name one with --course DIR, or make one to look at with `autograder demo`"
    )


def load_course(root: Path) -> Course:
    """The course in the folder ``root``: its configuration and its master notebooks.

    Raises:
        ConfigError: Mistakes in either, all of them at once, each with its place and what was expected.
    """
    root = root.resolve()
    document = _read_config(root / CONFIG_NAME)
    entry = _validated(document)
    zone = _zone(document)
    database = _database(document, root)
    due = _due_dates(document, zone)
    _check_imports(document)
    if entry is None or zone is None or database is None:
        # Only for the mistakes that it finds, so that they are reported together with the others.
        for name, tree in _entries(document).items():
            notebook = tree.get("notebook")
            known = _AssignmentEntry(notebook=notebook if isinstance(notebook, str) else "")
            _assignment(root, name, known, None, document)
        raise _error(root, document.mistakes)
    if not entry.name.strip():
        document.blame(("name",), "expected the course's name, found nothing")
    if not entry.assignments:
        document.blame(("assignments",), "expected at least one assignment, found none")
    assignments = {
        name: _assignment(root, name, _with_course_limits(each, entry, document, name), due.get(name), document)
        for name, each in entry.assignments.items()
    }
    if document.mistakes:
        raise _error(root, document.mistakes)
    return Course(
        root=root,
        name=entry.name,
        timezone=zone,
        database=database,
        assignments={name: each for name, each in assignments.items() if each is not None},
    )


def assignment_digest(assignment: Assignment) -> str:
    """SHA-256, in hex, over what decides a grade besides the submission and the environment.

    The name (inputs are drawn from it), seed, limits and allowed imports; the bytes of the master and the
    release; the relative names and bytes of all files of the checks and the solutions. Caches and hidden
    files count for nothing.
    """
    digest = hashlib.sha256()

    def add(label: str, content: bytes) -> None:
        for part in (label.encode(), content):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)

    decisive = [
        assignment.name,
        assignment.seed,
        asdict(assignment.limits),
        sorted(assignment.allowed_imports),
    ]
    add("settings", json.dumps(decisive, sort_keys=True).encode())
    for label, notebook in (("master", assignment.master), ("release", assignment.release)):
        if notebook.is_file():
            add(label, notebook.read_bytes())
    for label, folder in (("checks", assignment.checks), ("solutions", assignment.solutions)):
        for name, path in sorted((path.relative_to(folder), path) for path in folder.rglob("*")):
            cached = any(part.startswith(".") or part == "__pycache__" for part in name.parts)
            if not cached and path.is_file():
                add(f"{label}/{name.as_posix()}", path.read_bytes())
    return digest.hexdigest()


# --- gradebook_config.yaml: text → a tree that knows its lines ---


@dataclass
class _Document:
    """A YAML file as plain data, the line of each key in it, and the mistakes found so far."""

    path: Path
    tree: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    mistakes: list[tuple[str, int, str]] = field(default_factory=list)

    def blame(self, where: KeyPath, message: str) -> None:
        """Note a mistake at that key, or at the nearest one around it."""
        known = where
        while known and known not in self.lines:
            known = known[:-1]
        line = self.lines.get(known, 1)
        place = ".".join(str(part) for part in where)
        self.mistakes.append((self.path.name, line, f"{place}: {message}" if place else message))

    def get(self, *where: str) -> Any:
        """The value at that key, or None where there is none."""
        value = self.tree
        for part in where:
            value = value.get(part) if isinstance(value, dict) else None
        return value


def _read_config(path: Path) -> _Document:
    """The configuration as a tree; where it is no YAML at all, the ConfigError is raised at once."""
    document = _Document(path)
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read: {problem.strerror}") from problem
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise ConfigError(f"{path}, line {line}: this is not UTF-8; save the file as UTF-8") from problem
    for number, content in enumerate(text.splitlines(), start=1):
        indentation = content[: len(content) - len(content.lstrip())]
        if "\t" in indentation and content.strip() and not content.lstrip().startswith("#"):
            raise ConfigError(f"{path}, line {number}: indented with a tab; YAML takes spaces alone")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}" if mark else f"{path}"
        what = getattr(problem, "problem", None) or str(problem)
        raise ConfigError(f"{place}: this is not YAML: {' '.join(what.split())}") from problem
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path}: expected keys with values, such as `name: Deep Learning`; see docs/instructors.md")
    document.tree = _plain(node, (), document, ())
    return document


def _plain(node: yaml.Node, where: KeyPath, document: _Document, around: tuple[yaml.Node, ...]) -> Any:
    """The node as plain data; numbers and booleans as YAML means them, dates and everything else as text."""
    if node in around or len(document.lines) > 10_000:
        document.blame(where, "an alias that holds itself, or far too many keys")
        return None
    inside = (*around, node)
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            document.lines[(*where, index)] = item.start_mark.line + 1
            items.append(_plain(item, (*where, index), document, inside))
        return items
    if isinstance(node, yaml.MappingNode):
        tree: dict[str, Any] = {}
        for key, value in node.value:
            at = (*where, str(key.value) if isinstance(key, yaml.ScalarNode) else "?")
            first = document.lines.get(at)
            document.lines[at] = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
                document.blame(at, "expected a plain key")
            elif key.value in tree:
                document.blame(at, f"this key stands here twice; the first is on line {first}")
            else:
                tree[key.value] = _plain(value, at, document, inside)
        return tree
    return _scalar(node, where, document) if isinstance(node, yaml.ScalarNode) else None


def _scalar(node: yaml.ScalarNode, where: KeyPath, document: _Document) -> Any:
    kind, text = node.tag.rpartition(":")[2], str(node.value)
    # YAML 1.1 reads 23:59 as a number to the base 60, which nobody means.
    if kind in ("str", "timestamp", "value") or (kind in ("int", "float") and ":" in text):
        return text
    constructor = yaml.constructor.SafeConstructor()
    try:
        match kind:
            case "null":
                return None
            case "bool":
                return constructor.construct_yaml_bool(node)
            case "int":
                return constructor.construct_yaml_int(node)
            case "float":
                return constructor.construct_yaml_float(node)
    except (ValueError, LookupError):
        pass
    document.blame(where, f"expected text, a number, true or false, found {node.tag} {text!r}")
    return None


# --- the tree → what it says, with everything that is wrong in it ---


def _entries(document: _Document) -> dict[str, Any]:
    """The assignments of the tree that are mappings, by name."""
    entries = document.get("assignments")
    return {name: each for name, each in entries.items() if isinstance(each, dict)} if isinstance(entries, dict) else {}


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


@functools.cache
def _adapter() -> TypeAdapter[_CourseEntry]:
    from pydantic import TypeAdapter

    return TypeAdapter(_CourseEntry)


def _validated(document: _Document) -> _CourseEntry | None:
    """What the document says, or None where it has mistakes, which are then noted."""
    from pydantic import ValidationError

    try:
        # By way of JSON: only there does strict validation take mappings for dataclasses, lists for tuples.
        return _adapter().validate_json(json.dumps(_without_empty(document.tree)))
    except ValidationError as problem:
        for error in problem.errors(include_url=False):
            document.blame(error["loc"], _explain(error))
        return None


def _explain(error: ErrorDetails) -> str:
    """A pydantic error for somebody who writes YAML: what was expected, what was found, the nearest name."""
    where, limits = error["loc"], error.get("ctx", {})
    value = error.get("input")
    found = "nothing" if value is None else _shown(value)
    match error["type"]:
        case "unexpected_keyword_argument":
            keys = _keys_at(where[:-1])
            return f"there is no such key; {_nearest(str(where[-1]), keys)}expected one of: {', '.join(keys)}"
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
        case "tuple_type" | "list_type":
            return f"expected a list such as [numpy, matplotlib], found {found}"
        case "dataclass_type" | "dict_type" | "dataclass_exact_type":
            keys = _keys_at(where)
            listed = f" ({', '.join(keys)})" if keys else ""
            return f"expected keys with values{listed}, found {found}"
    return f"{error['msg']}, found {found}"


def _shown(value: Any) -> str:
    """A value of the configuration for a message: short, and as YAML calls it."""
    if isinstance(value, bool):
        return f"{str(value).lower()} (yes, no, on and off mean true and false)"
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "keys with values"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _nearest(name: str, valid: Iterable[str]) -> str:
    """``"did you mean 'x'? "`` for a mistyped name, or nothing where none is near."""
    by_lower = {each.lower(): each for each in valid}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"did you mean {by_lower[close[0]]!r}? " if close else ""


def _zone(document: _Document) -> ZoneInfo | None:
    name = document.get("timezone")
    if not isinstance(name, str):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        from zoneinfo import available_timezones

        valid = {zone: zone for zone in available_timezones()}
        valid |= {zone.rpartition("/")[2]: zone for zone in sorted(valid) if "/" in zone}
        wanted = name.strip().replace(" ", "_").lower()
        by_lower = {each.lower(): zone for each, zone in valid.items()}
        close = difflib.get_close_matches(wanted, by_lower, n=1, cutoff=0.6)
        nearest = f"did you mean {by_lower[close[0]]!r}? " if close else ""
        message = f"there is no time zone {name!r}; {nearest}expected a name such as America/New_York"
        document.blame(("timezone",), message)
        return None


def _due_dates(document: _Document, zone: ZoneInfo | None) -> dict[str, datetime]:
    """The due dates by assignment, aware of the zone; mistakes are noted."""
    dates: dict[str, datetime] = {}
    for name, entry in _entries(document).items():
        text = entry.get("due")
        if not isinstance(text, str):
            continue
        try:
            dates[name] = _local_time(text, zone or ZoneInfo("UTC"))
        except ValueError as problem:
            document.blame(("assignments", name, "due"), str(problem))
    return dates


def _local_time(text: str, zone: ZoneInfo) -> datetime:
    """A date and time on the clocks of ``zone``; of the two that a clock set back shows twice, the later.

    Raises:
        ValueError: No such text, or no such time on those clocks.
    """
    expected = "expected a local date and time such as 2026-11-29 23:59"
    written = re.fullmatch(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d)?)", text.strip(), re.ASCII)
    if not written:
        raise ValueError(f"{expected}, found {_shown(text)}")
    try:
        naive = datetime.fromisoformat(f"{written[1]} {written[2]}")
        local = naive.replace(tzinfo=zone, fold=1)
        shown_on_clocks = local.astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0)
    except (ValueError, OverflowError) as problem:
        raise ValueError(f"{expected}, found {_shown(text)}: {problem}") from problem
    if shown_on_clocks != naive:
        raise ValueError(f"{text} does not exist in {zone.key}: the clocks are set forward then; take another time")
    return local


def _database(document: _Document, root: Path) -> str | None:
    """The database's URL with an absolute path, or None where it is wrong.

    No message repeats the URL, which may hold a password.
    """
    url = document.get("database")
    if url is None:
        url = _CourseEntry.database
    if not isinstance(url, str):
        return None
    examples = "sqlite:///gradebook.db or postgresql://user@host/name"
    scheme, separator, rest = url.partition("://")
    backend, _, driver = scheme.partition("+")
    try:
        if not separator or backend not in ("sqlite", "postgresql"):
            nearest = _nearest(scheme, ("sqlite:///", "postgresql://")) if separator else ""
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


def _is_port_readable(url: str) -> bool:
    # What Python says of a bad port may be half of a password.
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _check_imports(document: _Document) -> None:
    """Note each allowed distribution that is not installed, or that need not or must not be named."""
    from importlib import metadata

    for name, entry in _entries(document).items():
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


def _unknown_distribution(name: str) -> str:
    from importlib import metadata

    if name in sys.stdlib_module_names:
        return f"{name} is part of Python, which is always allowed; leave it out"
    owners = metadata.packages_distributions().get(name, [])
    if owners:
        return f"expected the distribution's name, {owners[0]!r}, found the import's name {name!r}"
    installed = {each.metadata["Name"] for each in metadata.distributions()} - {None}
    nearest = _nearest(name, sorted(installed))
    return f"no installed distribution is called {name!r}; {nearest}install it beside autograder or leave it out"


def _with_course_limits(
    entry: _AssignmentEntry, course: _CourseEntry, document: _Document, name: str
) -> _AssignmentEntry:
    """The entry with the course's limits for all those that it does not set itself."""
    own = document.get("assignments", name, "limits") or {}
    set_here = {key: getattr(entry.limits, key) for key, value in own.items() if value is not None}
    return replace(entry, limits=replace(course.limits, **set_here))


def _error(root: Path, mistakes: list[tuple[str, int, str]]) -> ConfigError:
    """All mistakes in one error, a line each, in the order of the files' lines."""
    ordered = sorted(dict.fromkeys(mistakes), key=lambda mistake: (mistake[0] != CONFIG_NAME, mistake[0], mistake[1]))
    texts = [
        f"{root / file}, {'line' if file == CONFIG_NAME else 'cell'} {at}, {text}" if at else f"{root / file}: {text}"
        for file, at, text in ordered
    ]
    return ConfigError(texts[0] if len(texts) == 1 else f"{len(texts)} mistakes:\n" + "\n".join(texts))


# --- the assignments: folders and master notebooks ---


def _assignment(
    root: Path, name: str, entry: _AssignmentEntry, due: datetime | None, document: _Document
) -> Assignment | None:
    """The assignment, or None where its folders or its master have mistakes, which are then noted."""
    before = len(document.mistakes)
    where = ("assignments", name)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        document.blame(where, "expected a folder's name of letters, digits, '_', '-' and '.'")
        return None
    folders = {}
    for key, default in (("checks", f"autograder/checks/{name}"), ("solutions", f"solutions/{name}")):
        given = str(getattr(entry, key))
        folders[key] = root / (given or default)
        if given and not (root in folders[key].resolve().parents and folders[key].is_dir()):
            document.blame((*where, key), f"expected a folder inside the course, found {given!r}")
    master = _master_of(root, name, entry, document)
    rows, manual = _read_master(root, master, document) if master else ((), {})
    if master is None or len(document.mistakes) > before:
        return None
    return Assignment(
        name=name,
        title=entry.title or name,
        notebook=master.stem,
        master=master,
        release=root / "release" / name / master.name,
        checks=folders["checks"],
        solutions=folders["solutions"],
        due=due,
        late=entry.late,
        seed=entry.seed,
        limits=entry.limits,
        allowed_imports=entry.allowed_imports,
        rows=rows,
        manual=manual,
    )


def _master_of(root: Path, name: str, entry: _AssignmentEntry, document: _Document) -> Path | None:
    """The path of the master notebook, or None with a mistake noted."""
    source = root / "source"
    where = ("assignments", name)
    if not (source / name).is_dir():
        others = sorted(path.name for path in source.iterdir() if path.is_dir()) if source.is_dir() else []
        message = f"there is no folder source/{name} with its master notebook; {_nearest(name, others)}"
        document.blame(where, message.rstrip("; "))
        return None
    notebooks = sorted(path.stem for path in (source / name).glob("*.ipynb") if not path.name.startswith("."))
    if entry.notebook:
        wanted = entry.notebook.removesuffix(".ipynb")
        if wanted not in notebooks:
            nearest = _nearest(wanted, notebooks)
            message = f"there is no notebook {wanted}.ipynb in source/{name}; {nearest}"
            document.blame((*where, "notebook"), message.rstrip("; "))
            return None
        return source / name / f"{wanted}.ipynb"
    if len(notebooks) != 1:
        found = ", ".join(notebooks) or "none"
        message = f"expected one notebook in source/{name}, found {found}; name the master with the key `notebook`"
        document.blame(where, message)
        return None
    return source / name / f"{notebooks[0]}.ipynb"


@dataclass(frozen=True)
class _MasterCell:
    """A cell of the master notebook that has a part in grading."""

    number: int
    kind: str
    source: str
    grade_id: str
    grade: bool
    solution: bool
    task: bool
    points: Any


def _read_master(root: Path, path: Path, document: _Document) -> tuple[tuple[Row, ...], dict[str, float]]:
    """The rows and the points of the cells graded by hand, in the notebook's order; mistakes are noted."""
    file = path.relative_to(root).as_posix()
    try:
        cells = json.loads(path.read_bytes())["cells"]
        graded = [_master_cell(number, cell) for number, cell in enumerate(cells, start=1)]
    except OSError as problem:
        document.mistakes.append((file, 0, f"cannot be read: {problem.strerror}"))
        return (), {}
    except json.JSONDecodeError as problem:
        document.mistakes.append((file, 0, f"is not a notebook: line {problem.lineno} is no JSON: {problem.msg}"))
        return (), {}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        document.mistakes.append((file, 0, "is not a notebook of format 4; open it in Jupyter and save it again"))
        return (), {}

    def mistake(cell: _MasterCell, text: str) -> None:
        document.mistakes.append((file, cell.number, f"{cell.grade_id or 'no grade_id'}: {text}"))

    by_id: dict[str, _MasterCell] = {}
    for cell in graded:
        if cell is None:
            continue
        if not cell.grade_id:
            mistake(cell, "expected a grade_id in the cell's nbgrader metadata; give it one in Create Assignment")
        elif cell.grade_id in by_id:
            mistake(cell, f"cell {by_id[cell.grade_id].number} has the same grade_id; each needs one of its own")
        else:
            by_id[cell.grade_id] = cell

    solutions = {name: cell for name, cell in by_id.items() if cell.solution and not cell.grade}
    tests: dict[str, _MasterCell] = {}
    manual: dict[str, float] = {}
    for cell in by_id.values():
        if not (cell.grade or cell.task):
            continue
        points = cell.points
        number = isinstance(points, int | float) and not isinstance(points, bool)
        if not number or not math.isfinite(points) or points <= 0:
            mistake(cell, f"expected points above 0, found {'none' if points is None else _shown(points)}")
        elif cell.solution or cell.task:
            manual[cell.grade_id] = float(points)
        if cell.solution or cell.task:
            continue
        if cell.kind != "code":
            mistake(cell, f"expected a code cell that tests, found a {cell.kind} cell")
        name = cell.grade_id.removeprefix("test_")
        if name == cell.grade_id:
            wanted = _nearest(f"test_{name}", [f"test_{each}" for each in solutions])
            mistake(cell, f"a test cell is called test_ and its solution cell's grade_id; {wanted}".rstrip("; "))
        elif name not in solutions:
            nearest = _nearest(name, solutions)
            mistake(cell, f"this test cell has no solution cell {name!r}; {nearest}".rstrip("; "))
        else:
            tests[name] = cell

    rows: list[Row] = []
    defined: dict[str, str] = {}
    for name, cell in solutions.items():
        if cell.kind != "code":
            if name in tests:
                mistake(cell, f"expected a code cell, because {tests[name].grade_id} tests it")
            continue
        try:
            functions = _functions(cell.source)
        except (SyntaxError, ValueError) as problem:
            line = f", line {problem.lineno}" if isinstance(problem, SyntaxError) and problem.lineno else ""
            mistake(cell, f"this solution cell is no valid Python{line}: {problem.args[0]}")
            continue
        if name not in tests:
            continue
        for function in functions:
            if function in defined:
                mistake(cell, f"{function} is defined by the row {defined[function]} too; a function has one row")
            defined.setdefault(function, name)
        points = tests[name].points
        rows.append(Row(name, f"test_{name}", float(points) if isinstance(points, int | float) else 0.0, functions))
    if not tests and not any(where == file for where, _, _ in document.mistakes):
        document.mistakes.append((file, 0, "has no autograded row: expected a solution cell and its test cell"))
    return tuple(rows), manual


def _master_cell(number: int, cell: dict[str, Any]) -> _MasterCell | None:
    """The cell where nbgrader's metadata give it a part in grading, else None."""
    marks = cell["metadata"].get("nbgrader")
    if not marks or not any(marks.get(role) for role in ("grade", "solution", "locked", "task")):
        return None
    source = cell["source"]
    grade_id = marks.get("grade_id")
    return _MasterCell(
        number=number,
        kind=cell["cell_type"],
        source=source if isinstance(source, str) else "".join(source),
        grade_id=grade_id if isinstance(grade_id, str) else "",
        grade=bool(marks.get("grade")),
        solution=bool(marks.get("solution")),
        task=bool(marks.get("task")),
        points=marks.get("points"),
    )


def _functions(source: str) -> tuple[str, ...]:
    """The names of the functions that the cell defines at its top level, in order.

    Raises:
        SyntaxError: The cell is no Python, its magics and shell lines aside.
        ValueError: It holds a null character.
    """
    plain = re.sub(r"^[%!].*$", "", source, flags=re.MULTILINE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(plain)
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return tuple(dict.fromkeys(names))
