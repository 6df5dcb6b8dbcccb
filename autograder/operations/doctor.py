"""What is there and what works, each thing tried for real."""

from __future__ import annotations

import importlib.metadata
import platform
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder import __version__
from autograder.base import AutograderError, ConfigError, NoGradebookError
from autograder.course import Course, chosen_course, load_course
from autograder.gradebook import open_gradebook
from autograder.grading import Suite
from autograder.operations.closed import how_open
from autograder.operations.nbgrader_configuration import runs_by_itself
from autograder.sandbox import NOT_PROMISED, Kind, Worker, bubblewrap_version, find_bubblewrap, probe, site_entries


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and whether it is as it should be."""

    text: str
    well: bool = True


def examine(folder: Path | None) -> Iterator[Finding]:
    """Look at this machine, and at the course in ``folder`` or the nearest above where there is one.

    Yields:
        Findings as they come.
    """
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "scipy", "nbgrader", "pytest")
    )
    yield Finding(f"autograder {__version__}, Python {platform.python_version()} at {sys.prefix}, {versions}")
    course, mistake = None, ""
    try:
        course = load_course(chosen_course(folder))
    except ConfigError as error:
        mistake = str(error)
    yield from _sandboxes(course.sandbox if course else "bubblewrap")
    if course is None:
        yield Finding(mistake, well=False)
        return
    yield Finding(f"course {course.name!r} in {course.root}, times in {course.timezone.key}")
    yield from _assignments(course)
    yield _gradebook(course)
    yield _closed(course)
    yield _through_us(course)


def _closed(course: Course) -> Finding:
    """Whether others on this machine can get at the course."""
    if said := how_open(course):
        return Finding(said, well=False)
    if course.shared_with == "nobody":
        return Finding("nobody else on this machine can read or write answers, gradebook and submissions")
    return Finding(f"answers, gradebook and submissions are open to `shared_with: {course.shared_with}` at most")


def _through_us(course: Course) -> Finding:
    """Whether nbgrader's own commands grade by our grader."""
    if said := runs_by_itself(course.root):
        return Finding(said, well=False)
    return Finding("nbgrader autograde and the formgrader grade by autograder, in the sandbox")


def _sandboxes(chosen: Kind) -> Iterator[Finding]:
    """The sandbox that the course chose, tried for real; where it does not hold, whether the other one would."""
    if chosen == "bubblewrap":
        found = find_bubblewrap()
        yield Finding(f"{bubblewrap_version(found)} at {found}" if found else "no bubblewrap", well=found is not None)
    finding = _sandbox(chosen)
    yield finding
    other: Kind = "landlock" if chosen == "bubblewrap" else "bubblewrap"
    if not finding.well and (instead := _sandbox(other)).well:
        yield instead
        yield Finding(
            f"grade with it on this machine: `sandbox: {other}` in gradebook_config.yaml, or `--sandbox {other}`"
        )


def _sandbox(kind: Kind) -> Finding:
    try:
        with Worker(kind, ("numpy",)) as worker:
            escapes = probe(worker)
    except AutograderError as error:
        return Finding(f"{kind}: {error}", well=False)
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
            with Suite(assignment) as suite:
                about += f", {len(suite.checks)} hidden checks"
            site_entries(assignment.allowed_imports)
        except AutograderError as error:
            yield Finding(f"{about}; {error}", well=False)
            continue
        if not assignment.release.is_file():
            yield Finding(f"{about}; not released yet: `autograder release {assignment.name}`", well=False)
        else:
            yield Finding(about)


def _gradebook(course: Course) -> Finding:
    try:
        with open_gradebook(course, create=False) as gradebook:
            return Finding(f"gradebook at {gradebook.url} (SQLite {sqlite3.sqlite_version})")
    except NoGradebookError as error:
        return Finding(str(error))
    except AutograderError as error:
        return Finding(str(error), well=False)
