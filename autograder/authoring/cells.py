"""Cells of a master notebook as nbgrader marks them, and the notebook that they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

BEGIN_SOLUTION, END_SOLUTION = "### BEGIN SOLUTION", "### END SOLUTION"
BEGIN_HIDDEN, END_HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"

Role = Literal["locked", "solution", "test", "answer"]
"""What a cell is to nbgrader: read-only, a solution, a test with points, or an answer that a person grades."""


def marks(role: Role, grade_id: str, points: float | None = None) -> dict[str, Any]:
    """What nbgrader keeps of a cell in its metadata."""
    made: dict[str, Any] = {
        "grade": role in ("test", "answer"),
        "grade_id": grade_id,
        "locked": role in ("test", "locked"),
        "schema_version": 3,
        "solution": role in ("solution", "answer"),
        "task": False,
    }
    return made if points is None else made | {"points": int(points) if points == int(points) else points}


def plain_cell(kind: str, identity: str, source: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """A cell of a notebook of format 4.5, without outputs."""
    made = {"cell_type": kind, "id": identity, "metadata": metadata, "source": source}
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def python_notebook(cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A notebook of format 4.5 with these cells."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": [*cells], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
