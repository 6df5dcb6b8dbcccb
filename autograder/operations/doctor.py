"""What is there and what works, each thing tried for real."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from autograder import __version__
from autograder.base import AutograderError, NoGradebookError, machine_says
from autograder.course import Course, chosen_course, load_course
from autograder.gradebook import open_gradebook
from autograder.grading import Suite
from autograder.operations.closed import how_open, unshared
from autograder.operations.exchange_access import exchange_troubles
from autograder.operations.nbgrader_configuration import runs_by_itself
from autograder.sandbox import (
    NOT_PROMISED,
    Choice,
    Kind,
    Worker,
    bubblewrap_version,
    find_bubblewrap,
    probe,
    site_entries,
)

TEMPORARY_MB, COURSE_MB = 64, 64


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and whether it is as it should be."""

    text: str
    well: bool = True


def examine(folder: Path | None) -> Iterator[Finding]:
    """Look at this machine, and at the course in ``folder`` or the nearest above where there is one.

    It is what people run where things fail, so whatever fails here is a finding too, and the next thing is looked at.

    Yields:
        Findings as they come.
    """
    yield from _tried("autograder and what it needs", _versions)
    yield from _tried("the folder for temporary files", _temporary)
    courses: list[Course] = []
    mistakes = list(_tried("the course", lambda: _course(folder, courses)))
    course = courses[0] if courses else None
    yield from _tried("the sandbox", lambda: _sandboxes(course.sandbox if course else "bubblewrap"))
    yield from mistakes
    if course is None:
        return
    yield Finding(f"course {course.name!r} in {course.root}, times in {course.timezone.key}")
    yield from _tried("the course's folder", lambda: _room(course))
    yield from _tried("the assignments", lambda: _assignments(course))
    yield from _tried("the gradebook", lambda: [_gradebook(course)])
    yield from _tried("who can read the course", lambda: _closed(course))
    yield from _tried("nbgrader's configuration", lambda: [_through_us(course)])


def _tried(what: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings, and where looking fails a finding of that."""
    try:
        yield from look()
    except AutograderError as error:
        yield Finding(str(error), well=False)
    except Exception as error:
        yield Finding(f"{what}: {machine_says(error)}", well=False)


def _versions() -> Iterator[Finding]:
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "scipy", "nbgrader", "pytest")
    )
    yield Finding(f"autograder {__version__}, Python {platform.python_version()} at {sys.prefix}, {versions}")


def _course(folder: Path | None, courses: list[Course]) -> Iterator[Finding]:
    """Puts the course into the list, where there is one; what is wrong with it is raised."""
    courses.append(load_course(chosen_course(folder)))
    yield from ()


def _temporary() -> Iterator[Finding]:
    """What is not as it should be with the folder for temporary files; nothing where all is well."""
    folder, wanted = Path(tempfile.gettempdir()), os.environ.get("TMPDIR", "")
    if wanted and not (Path(wanted).is_dir() and folder.samefile(wanted)):
        yield Finding(
            f"TMPDIR, {wanted}, cannot be used, so temporary files go to {folder}: "
            "let it name a folder that can be written and has room, or unset it",
            well=False,
        )
    if (free := _free_mb(folder)) < TEMPORARY_MB:
        yield Finding(
            f"{folder}, where temporary files go, has {free} MB left of the {TEMPORARY_MB} that grading may need. Make "
            "room there, or let TMPDIR name a folder that has it",
            well=False,
        )


def _room(course: Course) -> Iterator[Finding]:
    """What would keep grades from being stored; nothing where all is well."""
    if not os.access(course.root, os.W_OK | os.X_OK):
        yield Finding(
            f"{course.root} cannot be written by this user, or lies on a read-only disk: `check` works, and `grade` "
            "has no place for its results. Give the folder to whoever grades, or copy the course",
            well=False,
        )
    elif (free := _free_mb(course.root)) < COURSE_MB:
        yield Finding(
            f"the disk of {course.root} has {free} MB left: make room for grades, pages and copies of the gradebook",
            well=False,
        )


def _free_mb(folder: Path) -> int:
    """How many MB an ordinary user may still write there."""
    about = os.statvfs(folder)
    return int(about.f_bavail * about.f_frsize // 2**20)


def _closed(course: Course) -> Iterator[Finding]:
    """Whether others on this machine can get at the course, and at what is others' in its exchange."""
    if said := how_open(course):
        yield Finding(said, well=False)
    elif course.shared_with == "nobody":
        yield Finding("nobody else on this machine can read or write answers, gradebook and submissions")
    else:
        yield Finding(f"answers, gradebook and submissions are open to `shared_with: {course.shared_with}` at most")
    if said := unshared(course):
        yield Finding(said, well=False)
    yield from (Finding(said, well=False) for said in exchange_troubles(course))


def _through_us(course: Course) -> Finding:
    """Whether nbgrader's own commands grade by our grader."""
    if said := runs_by_itself(course.root):
        return Finding(said, well=False)
    return Finding("nbgrader autograde and the formgrader grade by autograder, in the sandbox")


def _sandboxes(wanted: Choice) -> Iterator[Finding]:
    """The sandbox that the course wants, tried for real; where it does not hold, whether the other one would."""
    first: Kind = "bubblewrap" if wanted == "auto" else wanted
    finding = _sandbox(first)
    other: Kind = "landlock" if first == "bubblewrap" else "bubblewrap"
    instead = None if finding.well else _sandbox(other)
    # `auto` is content with either: what is missing of the first is then nothing to mend.
    content = wanted == "auto" and instead is not None and instead.well
    if first == "bubblewrap":
        found = find_bubblewrap()
        text = f"{bubblewrap_version(found)} at {found}" if found else "no bubblewrap"
        yield Finding(text, well=found is not None or content)
    yield replace(finding, well=finding.well or content)
    if instead is None:
        if wanted == "auto":
            yield Finding(f"`sandbox: auto` takes {first} on this machine")
        return
    if instead.well or wanted == "auto":
        yield instead
    if content:
        yield Finding(f"`sandbox: auto` takes {other} on this machine")
    elif instead.well:
        yield Finding(
            f"grade with it on this machine: `sandbox: {other}` in gradebook_config.yaml, or `--sandbox {other}`"
        )


def _sandbox(kind: Kind) -> Finding:
    try:
        with Worker(kind, ("numpy",)) as worker:
            escapes = probe(worker)
    except AutograderError as error:
        return Finding(f"{kind}: {error}", well=False)
    except Exception as error:
        return Finding(f"{kind}: {machine_says(error)}", well=False)
    reached = [escape.what for escape in escapes if not escape.blocked]
    if reached:
        return Finding(f"{kind}: a submission can {'; '.join(reached)}. Do not grade with it here.", well=False)
    lacks = f". It does not give all: {'; '.join(NOT_PROMISED[kind])}" if NOT_PROMISED[kind] else ""
    return Finding(
        f"{kind} was seen to block {len(escapes)} escapes: {'; '.join(each.what for each in escapes)}{lacks}"
    )


def _assignments(course: Course) -> Iterator[Finding]:
    for assignment in course.assignments.values():
        due = f"due {assignment.due:%A %d %B %Y, %H:%M %Z}" if assignment.due else "without a due date"
        about = f"{assignment.name}: {assignment.max_score:g} points in {len(assignment.rows)} rows, {due}"
        try:
            checks = 0
            for each in assignment.notebooks:
                if each.rows:
                    with Suite(each) as suite:
                        checks += len(suite.checks)
            about += f", {checks} hidden checks" if checks else ""
            site_entries(assignment.allowed_imports)
        except AutograderError as error:
            yield Finding(f"{about}; {error}", well=False)
            continue
        except Exception as error:
            yield Finding(f"{about}; its checks: {machine_says(error)}", well=False)
            continue
        if not all(each.release.is_file() for each in assignment.notebooks):
            yield Finding(f"{about}; not released yet: `autograder release {assignment.name}`", well=False)
        else:
            yield Finding(about)
    for name, why in course.unwritten.items():
        yield Finding(f"{name} is not written yet: {why}", well=False)


def _gradebook(course: Course) -> Finding:
    try:
        with open_gradebook(course, create=False) as gradebook:
            return Finding(f"gradebook at {gradebook.url} (SQLite {sqlite3.sqlite_version})")
    except NoGradebookError as error:
        return Finding(str(error))
    except AutograderError as error:
        return Finding(str(error), well=False)
