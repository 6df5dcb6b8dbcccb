"""A course, or one assignment of it → what is found, by all rules at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autograder.authoring.lint import apart, beside, chance, importing, marks, rows, written
from autograder.authoring.lint.finding import Finding, Master, read
from autograder.base import ConfigError
from autograder.course import CONFIG_NAME, Assignment, Course, load_course

OF_MASTERS = (*marks.RULES, *rows.RULES, *apart.RULES, *chance.RULES, *importing.RULES, *written.RULES)
OF_ASSIGNMENTS = (*rows.OF_ASSIGNMENTS, *beside.OF_ASSIGNMENTS)
OF_COURSES = beside.OF_COURSES


def lint_course(root: Path, only: str = "") -> tuple[Finding, ...]:
    """What is found of the course in a folder, and of all its assignments or one.

    Where the configuration or a master keeps the course from being loaded, that is among it, and the masters' cells are
    looked at all the same. An assignment that is not written yet is told of, and stops nothing but itself.

    Raises:
        ConfigError: The configuration cannot be read at all, or there is no such assignment.
    """
    root = root.resolve()
    try:
        course = load_course(root)
    except ConfigError as error:
        if not error.problems:
            raise
        return _sorted([*_of_problems(error), *_of_unloaded(root, only)])
    found = [finding for rule in OF_COURSES for finding in rule(course)]
    for assignment in [course.assignment(only)] if only else course.assignments.values():
        found += lint_assignment(course, assignment)
    if not only:
        found += (
            Finding("warning", CONFIG_NAME, 0, "", 0, f"{name} is not written yet: {_below(root, why)}")
            for name, why in course.unwritten.items()
        )
    return _sorted(found)


def lint_assignment(course: Course, assignment: Assignment) -> tuple[Finding, ...]:
    """What is found of one assignment, the mistakes first to last as they stand in its files."""
    masters = tuple(read(course.root, each.master, each) for each in assignment.notebooks)
    found = [finding for master in masters for finding in _of_master(master)]
    found += (finding for rule in OF_ASSIGNMENTS for finding in rule(course, assignment, masters))
    return _sorted(found)


def lint_tree(found: Iterable[Finding]) -> list[dict[str, Any]]:
    """The findings as data."""
    return [asdict(each) for each in found]


def _of_master(master: Master) -> Iterator[Finding]:
    for rule in OF_MASTERS:
        yield from rule(master)


def _of_problems(error: ConfigError) -> Iterator[Finding]:
    """What keeps the course from being loaded."""
    for file, place, text in error.problems:
        if not file.endswith(".ipynb") or not place:
            yield Finding("mistake", file, 0, "", place, text)
            continue
        grade_id, _, said = text.partition(": ")
        yield Finding("mistake", file, place, "" if grade_id == "no grade_id" else grade_id, 0, said)


def _of_unloaded(root: Path, only: str) -> Iterator[Finding]:
    """What the rules find in the cells of masters of a course that does not load."""
    for path in sorted((root / "source").glob(f"{only or '*'}/*.ipynb")):
        try:
            yield from _of_master(read(root, path, None))
        except (OSError, ValueError):
            continue  # that is among what keeps the course from being loaded


def _sorted(found: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(dict.fromkeys(found), key=lambda each: (each.file, each.cell, each.line, each.text)))


def _below(root: Path, text: str) -> str:
    return text.replace(f"{root}/", "")
