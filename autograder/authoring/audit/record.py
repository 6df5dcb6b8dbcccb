"""What was audited last, kept beside the reference in ``.audit.json`` and committed with the course.

Where the master is its own reference, it is kept beside that, under the notebook's name.

An audit takes minutes and says something of the checks, not of a machine: whoever has the same files need not repeat
it. The file is a hidden one, so it is no part of what decides a grade.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from autograder.authoring.audit.auditing import Audit
from autograder.authoring.audit.page import row_counts, total
from autograder.authoring.own_lists import beside_reference
from autograder.base import AutograderError
from autograder.course import AUTHORS_OWN, Assignment
from autograder.grading import assignment_digest

FILE = ".audit.json"


def record_of(assignment: Assignment) -> Path:
    """Where the record of an assignment is kept."""
    return beside_reference(assignment, FILE)


def audited_digest(assignment: Assignment) -> str:
    """SHA-256, in hex, of what an audit depends on: what decides a grade, but the release, and its authors' lists."""
    decides = assignment_digest(replace(assignment, release=assignment.solutions / "no release"))
    digest = hashlib.sha256(decides.encode())
    for name in sorted(AUTHORS_OWN):
        path = beside_reference(assignment, name)
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def write_record(assignment: Assignment, counts: dict[str, int], *, passed: bool) -> Path:
    """Keep that the assignment, as it is, was audited, and return the file.

    Raises:
        AutograderError: It could not be written.
    """
    path = record_of(assignment)
    tree = {"digest": audited_digest(assignment), "passed": passed} | counts
    try:
        path.write_text(json.dumps(tree, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise AutograderError(f"{path} could not be written: {error.strerror}") from error
    return path


def keep_record(found: Audit) -> None:
    """Keep what an audit came to, where the whole of the assignment was audited.

    Raises:
        AutograderError: It could not be written.
    """
    if found.whole:
        sums = total(row_counts(found))
        write_record(found.assignment, {"mutants": sums.made, "equivalent": sums.equivalent}, passed=found.passed)


def unaudited(assignment: Assignment) -> str:
    """Why the assignment's checks should be audited before students meet them; empty where they were and passed."""
    if assignment.parts:
        return next(filter(None, map(unaudited, assignment.parts)), "")
    if not assignment.rows:
        return ""
    again = f"`autograder audit {assignment.name}` tries them on wrong and on right answers"
    try:
        record = json.loads(record_of(assignment).read_text(encoding="utf-8"))
        digest, passed = record["digest"], record["passed"]
    except (OSError, ValueError, KeyError, TypeError):
        return f"the hidden checks of {assignment.name} were never audited: {again}"
    if digest != audited_digest(assignment):
        return f"{assignment.name} has changed since its hidden checks were audited: {again}"
    if passed is not True:
        return f"the audit of {assignment.name} found something: {again}"
    return ""
