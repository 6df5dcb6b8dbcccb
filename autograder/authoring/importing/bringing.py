"""Assignments of elsewhere → ``source/`` and ``gradebook_config.yaml`` of this course: all or none, with a report.

What is written is tried first, in a folder of its own: it has to load, and lint looks at it.
"""

from __future__ import annotations

import ast
import functools
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import yaml

from autograder.authoring.importing.entry import Entry, with_entries
from autograder.authoring.importing.otter_converting import convert
from autograder.authoring.importing.reading import (
    MAX_FILE,
    NotConverted,
    files_in,
    mistake,
    read_bytes,
    refuse_links_above,
)
from autograder.authoring.importing.sources import Form, Source, find_sources
from autograder.authoring.lint import apart, chance, rows, written
from autograder.authoring.lint import importing as imports
from autograder.authoring.lint.finding import Finding, read
from autograder.authoring.lint.linting import lint_course
from autograder.base import (
    AutograderError,
    ConfigError,
    machine_says,
    make_closed_folder,
    printable,
    shown,
    write_atomically,
    write_bytes_atomically,
)
from autograder.course import (
    CONFIG_NAME,
    MAX_FILES,
    Assignment,
    Limits,
    file_problems,
    import_problem,
    load_course,
    master_cells,
)
from autograder.submission import parsed

Verdict = Literal["same", "may differ", "cannot"]

_OF_VERDICTS = (*apart.RULES, *chance.RULES, *imports.RULES, *written.RULES, rows.tests_nothing)
"""The rules of lint that are about what a test cell does where test cells run."""

_KNOWN = f"{CONFIG_NAME} says something of it already, which stays as it is"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Outlook:
    """What a test cell will do where test cells run: outside the student's process.

    Attributes:
        file: Its notebook, as the course has it.
        cell: Its number there, from 1.
        grade_id: Its id.
        points: Its points.
        verdict: ``same`` where it gives the verdict that it gives in the notebook, ``may differ``, or ``cannot`` where
            no verdict can be had of it.
        findings: What lint says of it.
        origin: The cell that it was made from, in Otter's master, from 1; 0 where it is that cell itself.
    """

    file: str
    cell: int
    grade_id: str
    points: float
    verdict: Verdict
    findings: tuple[Finding, ...]
    origin: int = 0


@dataclass(frozen=True)
class Imported:
    """An assignment that was imported, or would be.

    Attributes:
        name: Its name.
        form: Where it is from.
        origin: The folder or the notebook that it was read from.
        files: What is in ``source/NAME/``.
        entry: What gradebook_config.yaml says of it; None where it said something already, which stays.
        due_from: The file of nbgrader's that its due date is from; empty where it has none.
        max_score: Its points.
        tests: What each test cell will do.
        by_hand: The points of what a person grades, by id.
        findings: What lint says besides.
        not_converted: What Otter's master has that has no counterpart.
        notes: What else there is to know.
        written: Whether it was written.
    """

    name: str
    form: Form
    origin: str
    files: tuple[str, ...]
    entry: dict[str, Any] | None
    due_from: str
    max_score: float
    tests: tuple[Outlook, ...]
    by_hand: dict[str, float]
    findings: tuple[Finding, ...]
    not_converted: tuple[NotConverted, ...]
    notes: tuple[str, ...]
    written: bool = False


@dataclass
class _Planned:
    """An assignment that is to be written."""

    source: Source
    contents: dict[str, bytes]
    entry: dict[str, str | tuple[str, ...]]
    left: tuple[NotConverted, ...] = ()
    notes: list[str] = field(default_factory=list)
    origins: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Course:
    """What is to be known of the course that something is imported into.

    Attributes:
        root: Its folder.
        timezone: Its time zone.
        written: The names of its assignments.
        unwritten: Those that its configuration names, and whose masters are not there yet.
    """

    root: Path
    timezone: ZoneInfo
    written: frozenset[str] = frozenset()
    unwritten: frozenset[str] = frozenset()


def import_assignments(
    root: Path, path: Path, *, form: Form | None = None, name: str = "", dry_run: bool = False
) -> tuple[Imported, ...]:
    """Import what lies at a path into a course: an nbgrader course, an assignment's folder or a master notebook.

    Nothing of what is imported is run, and nothing that the course has is overwritten.

    Args:
        root: The course's folder.
        path: What to import.
        form: Whose it is; found out where not given.
        name: What to call the assignment; as its folder or notebook, where not given.
        dry_run: Only look; write nothing.

    Raises:
        ConfigError: It cannot be imported; nothing was written. The message has the file, and where it can the cell and
            the line.
        AutograderError: The course's folder cannot be written; nothing is left half-written.
    """
    course = _course_in(root.resolve())
    planned = [_plan(course, each) for each in find_sources(path, form, name)]
    configuration = course.root / CONFIG_NAME
    text = configuration.read_bytes().decode("utf-8-sig")
    known = course.written | course.unwritten
    entries: dict[str, Entry] = {each.source.name: each.entry for each in planned if each.source.name not in known}
    changed = with_entries(configuration, text, entries)
    try:
        found = tuple(_rehearsed(course, planned, known))
    except RecursionError as error:
        raise ConfigError(
            f"{path}: an expression in one of its cells is nested too deeply to be looked at, such as a sum of "
            "hundreds of terms; write it as several statements"
        ) from error
    if dry_run:
        return found
    _write(course, planned, changed if changed != text else None)
    return tuple(replace(each, written=True) for each in found)


def imported_tree(found: Iterable[Imported]) -> list[dict[str, Any]]:
    """What was imported, as data."""
    return [asdict(each) for each in found]


# What is to be written


def _course_in(root: Path) -> _Course:
    """The course in a folder, which may have no assignment yet.

    Raises:
        ConfigError: Its configuration has a mistake.
    """
    try:
        course = load_course(root)
    except ConfigError:
        try:
            tree = yaml.load((root / CONFIG_NAME).read_bytes(), Loader=yaml.BaseLoader)
            if tree.get("assignments"):
                raise
            return _Course(root, ZoneInfo(tree["timezone"]))
        except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError):
            pass
        raise
    return _Course(root, course.timezone, frozenset(course.assignments), frozenset(course.unwritten))


def _plan(course: _Course, source: Source) -> _Planned:
    """What is to be written of an assignment.

    Raises:
        ConfigError: Its name is none, or is taken; or its notebook cannot be converted.
    """
    if not _NAME.fullmatch(source.name) or source.name.endswith("."):
        raise ConfigError(
            f"expected an assignment's name of letters, digits, '_', '-' and '.', found {shown(source.name)}; "
            "give it another with --name"
        )
    folder = course.root / "source" / source.name
    if os.path.lexists(folder) or source.name in course.written:
        where = f"{folder} is there" if os.path.lexists(folder) else f"{CONFIG_NAME} has {source.name}"
        raise ConfigError(f"{where} already, and nothing is overwritten: take another name with --name")
    planned = _of_otter(source) if source.form == "otter" else _of_nbgrader(source)
    if source.due is not None:
        local = source.due.astimezone(course.timezone)
        planned.entry = {"due": f"{local:%Y-%m-%d %H:%M}", **planned.entry}
    planned.notes += source.notes
    return planned


def _of_nbgrader(source: Source) -> _Planned:
    notebooks = [each.path for each in source.notebooks]
    contents = {
        each.relative_to(source.folder).as_posix(): read_bytes(each, MAX_FILE) for each in [*notebooks, *source.files]
    }
    planned = _Planned(source, contents, {})
    beside = [each.relative_to(source.folder).as_posix() for each in source.files]
    codes = [cell.source for each in source.notebooks for cell in each.cells if cell.kind == "code"]
    _say_files(planned, beside, codes)
    # What a module beside it imports, the notebook needs as well.
    modules = [contents[each].decode("utf-8", "replace") for each in beside if each.endswith(".py")]
    _say_imports(planned, [*codes, *modules], _modules_of(beside))
    return planned


def _of_otter(source: Source) -> _Planned:
    (notebook,) = source.notebooks
    made = convert(notebook)
    contents = {f"{notebook.path.stem}.ipynb": made.notebook.encode("utf-8", "backslashreplace")}
    planned = _Planned(source, contents, {}, made.left, origins=made.cells)
    beside = []
    for name in made.files:
        path = Path(name)
        if path.is_absolute() or ".." in path.parts or path.as_posix() in contents:
            raise mistake(notebook.path, f"`files`: expected a file beside the notebook, found {shown(name)}")
        refuse_links_above(source.folder, source.folder / path)
        for each in _all_of(source.folder / path):
            inside = each.relative_to(source.folder).as_posix()
            contents[inside] = read_bytes(each, MAX_FILE)
            beside.append(inside)
    codes = [cell.source for cell in notebook.cells if cell.kind == "code"]
    _say_files(planned, [*beside, *(each for each in made.made if each not in beside)], codes)
    _say_imports(planned, codes, _modules_of(beside) | {"otter"})
    return planned


def _all_of(path: Path) -> list[Path]:
    """The files that a name stands for: of a folder, all of them.

    Raises:
        ConfigError: The name is none that a file can have.
    """
    try:
        return list(files_in(path)) if path.is_dir() and not path.is_symlink() else [path]
    except OSError as error:
        raise ConfigError(f"{shown(path.name)} cannot be looked at: {error.strerror}") from error


def _modules_of(files: Iterable[str]) -> set[str]:
    """What may be imported of files: the modules, also those in folders, and the packages that they lie in."""
    modules = [Path(each) for each in files if each.endswith(".py")]
    return {each.stem for each in modules} | {each.parts[0] for each in modules if len(each.parts) > 1}


def _say_files(planned: _Planned, names: list[str], codes: Iterable[str]) -> None:
    """Have the configuration name the files that submissions read, and note those that it cannot.

    Of too many or too large ones, those come first that the notebooks' code names.
    """
    problems = file_problems(dict(enumerate(names)))
    planned.notes += (f"{names[place]}: no submission reads it: {problem}" for place, problem in problems.items())
    codes = list(codes)
    # What the solved notebook has left there: a submission writes its own.
    written_here = frozenset[str]().union(*map(written.written_files, codes))
    planned.notes += (
        f"{name}: no submission reads it: the notebook writes it" for name in names if name in written_here
    )
    named = [name for place, name in enumerate(names) if place not in problems and name not in written_here]
    text = "\n".join(codes)
    room, kept = Limits().file_mb * 2**20, set[str]()
    for name in sorted(named, key=lambda name: (Path(name).name not in text, "/" in name)):
        size = len(planned.contents.get(name, b""))
        if size <= room and len(kept) < MAX_FILES:
            room -= size
            kept.add(name)
    if left := len(named) - len(kept):
        planned.notes.append(
            f"{left} file{'s: no submission reads them' if left > 1 else ': no submission reads it'}: `files` takes "
            f"{MAX_FILES}, and {Limits().file_mb} MB in all where limits.file_mb says no more"
        )
    if kept:
        planned.entry["files"] = tuple(name for name in named if name in kept)


def _say_imports(planned: _Planned, codes: Iterable[str], beside: set[str]) -> None:
    """Have the configuration allow what the notebooks import, and note what is not installed."""
    allowed: dict[str, None] = {}
    for module in dict.fromkeys(name for code in codes for name in _imported(code)):
        if module in sys.stdlib_module_names or module in beside:
            continue
        distribution = next(iter(_owners().get(module, ())), module)
        if problem := import_problem(distribution):
            planned.notes.append(f"{module} is imported, and no submission can import it: {problem}")
        else:
            allowed[distribution] = None
    if allowed:
        planned.entry["allowed_imports"] = tuple(allowed)


@functools.cache
def _owners() -> Mapping[str, list[str]]:
    """The distributions that have each module which can be imported here."""
    from importlib import metadata

    return metadata.packages_distributions()


def _imported(code: str) -> Iterator[str]:
    for node in ast.walk(parsed(code) or ast.Module([], [])):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


# What will come of it


def _rehearsed(course: _Course, planned: list[_Planned], known: frozenset[str]) -> Iterator[Imported]:
    """Each assignment as the course will have it, in a folder of its own.

    Raises:
        ConfigError: One of them is no assignment.
    """
    with tempfile.TemporaryDirectory(prefix="autograder-import-") as temporary:
        root = Path(temporary).resolve()
        head = f"name: rehearsal\ntimezone: {course.timezone.key}\nassignments: {{}}\n"
        entries: Mapping[str, Entry] = {each.source.name: each.entry for each in planned}
        (root / CONFIG_NAME).write_text(with_entries(root / CONFIG_NAME, head, entries), encoding="utf-8")
        for each in planned:
            for name, content in each.contents.items():
                path = root / "source" / each.source.name / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        try:
            tried = load_course(root)
        except ConfigError as error:
            listed = [
                f"  - {file}{f', cell {place}' if place and file.endswith('.ipynb') else ''}: {text}"
                for file, place, text in error.problems
            ] or [str(error).replace(f"{root}/", "")]
            raise ConfigError("\n".join(["nothing was imported, since the course would not load:", *listed])) from error
        for each in planned:
            if each.source.name in tried.unwritten:
                why = tried.unwritten[each.source.name].replace(f"{root}/", "")
                raise ConfigError(f"{each.source.name} was not imported: {why}")
            yield _report(each, tried.assignment(each.source.name), root, each.source.name not in known)


def _report(planned: _Planned, assignment: Assignment, root: Path, is_new: bool) -> Imported:
    inside = f"source/{assignment.name}/"
    findings = [each for each in lint_course(root, assignment.name) if each.file.startswith(inside)]
    tests: list[Outlook] = []
    by_hand: dict[str, float] = {}
    told: set[Finding] = set()
    for part in assignment.notebooks:
        master = read(root, part.master, part)
        of_verdicts = {found for rule in _OF_VERDICTS for found in rule(master)}
        points = {row.test_id: row.points for row in part.rows}
        by_hand |= part.manual
        for cell in master_cells(part.master):
            if cell.grade_id not in points or not cell.grade or cell.solution:
                continue
            its = tuple(each for each in findings if each.file == master.file and each.cell == cell.number)
            told.update(its)
            serious = [each for each in its if each in of_verdicts]
            verdict: Verdict = "may differ" if serious else "same"
            if any(each.severity == "mistake" for each in serious):
                verdict = "cannot"
            origin = planned.origins[cell.number - 1] if planned.origins else 0
            tests.append(Outlook(master.file, cell.number, cell.grade_id, points[cell.grade_id], verdict, its, origin))
    source = planned.source
    origin_path = source.notebooks[0].path if source.form == "otter" or len(source.notebooks) == 1 else source.folder
    return Imported(
        name=assignment.name,
        form=source.form,
        origin=printable(str(origin_path)),
        files=tuple(sorted(planned.contents)),
        entry=dict(planned.entry) if is_new else None,
        due_from=source.due_from,
        max_score=assignment.max_score,
        tests=tuple(tests),
        by_hand=by_hand,
        findings=tuple(each for each in findings if each not in told),
        not_converted=planned.left,
        notes=(
            *planned.notes,
            *([] if is_new else [_KNOWN]),
        ),
    )


# Writing


def _write(course: _Course, planned: list[_Planned], configuration: str | None) -> None:
    """Put the assignments in their place, and then name them in the configuration: all of it, or none."""
    masters = course.root / "source"
    placed: list[Path] = []
    staged: Path | None = None
    try:
        make_closed_folder(masters)
        staged = Path(tempfile.mkdtemp(prefix=".import-", dir=masters))
        for each in planned:
            for name, content in each.contents.items():
                path = staged / each.source.name / name
                make_closed_folder(path.parent)
                write_bytes_atomically(path, content)
        for each in planned:
            target = masters / each.source.name
            if os.path.lexists(target):
                raise ConfigError(f"{target} is there by now, and nothing is overwritten; nothing was imported")
            (staged / each.source.name).rename(target)
            placed.append(target)
        if configuration is not None:
            path = (course.root / CONFIG_NAME).resolve()
            write_atomically(path, configuration, mode=path.stat().st_mode & 0o777)
    except BaseException as error:
        for each_placed in placed:
            shutil.rmtree(each_placed, ignore_errors=True)
        if isinstance(error, OSError):
            raise AutograderError(f"{machine_says(error)}; nothing was imported") from error
        raise
    finally:
        if staged is not None:
            shutil.rmtree(staged, ignore_errors=True)
