"""Where an author's lists about an assignment lie: beside its reference, and so where students' release never comes."""

from __future__ import annotations

from pathlib import Path

from autograder.course import Assignment


def beside_reference(assignment: Assignment, name: str) -> Path:
    """Where a file of the author's is, or would be: in the folder of the reference.

    Where the master is its own reference, it is a hidden file beside that, under the notebook's name: it is not
    released and decides no grade.
    """
    if assignment.solutions.is_dir():
        return assignment.solutions / name
    return assignment.master.with_name(f".{assignment.notebook}.{name.removeprefix('.')}")
