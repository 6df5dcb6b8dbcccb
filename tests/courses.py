"""A tiny course for tests: one assignment, ``warmup``, of two rows and a written answer.

``make_course(tmp_path)`` writes it; ``solved()`` and ``untouched()`` are its notebooks, as trees to change.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

Notebook = dict[str, Any]

CONFIG = """\
name: tiny
timezone: America/New_York
assignments:
  warmup:
    title: Warm-up
    due: 2026-11-29 23:59
    late: {grace_minutes: 15, percent_per_day: 10, max_percent: 50}
    seed: 7
    limits: {cell_seconds: 1, call_seconds: 0.5, submission_seconds: 20}
    allowed_imports: [numpy]
"""

SCALE = """\
def scale(x, factor):
    ### BEGIN SOLUTION
    return x * factor
    ### END SOLUTION
"""

CENTRE = """\
def centre(x):
    ### BEGIN SOLUTION
    return scale(x, 1.0) - x.mean()
    ### END SOLUTION
"""

REFERENCE = """\
import numpy as np


def scale(x, factor):
    return np.multiply(x, factor)


def centre(x):
    return np.subtract(x, np.mean(x))
"""

CHECKS = """\
import numpy as np

from autograder.checking import Draw, Reference, Student, check, matches


@check("scale", hint="Multiply every entry by the factor.")
def test_scale(student: Student, reference: Reference, draw: Draw) -> None:
    \"\"\"A vector is scaled.\"\"\"
    matches(student.scale, reference.scale, draw.normal(size=5), 3.0)


@check("centre", hint="Subtract the mean of all entries.")
def test_centre(student: Student, reference: Reference, draw: Draw) -> None:
    \"\"\"The mean is taken off.\"\"\"
    matches(student.centre, reference.centre, draw.normal(size=5))
"""


def cell(
    source: str, grade_id: str = "", *, kind: str = "code", role: str = "", points: float | None = None
) -> dict[str, Any]:
    """A cell; ``role`` is empty (the student's own), ``locked``, ``solution``, ``test`` or ``answer``."""
    metadata: dict[str, Any] = {}
    if role:
        metadata["nbgrader"] = {
            "grade": role in ("test", "answer"),
            "grade_id": grade_id,
            "locked": role in ("test", "locked"),
            "schema_version": 3,
            "solution": role in ("solution", "answer"),
            "task": False,
        }
        if points is not None:
            metadata["nbgrader"]["points"] = points
    made: dict[str, Any] = {
        "cell_type": kind,
        "id": grade_id or "own-" + hashlib.sha256(source.encode()).hexdigest()[:8],
        "metadata": metadata,
        "source": source,
    }
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def notebook(*cells: dict[str, Any]) -> Notebook:
    """A notebook of format 4.5 with these cells."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": list(cells), "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def solved() -> Notebook:
    """The master notebook, which is also a perfect submission."""
    return notebook(
        cell("# Warm-up", "about", kind="markdown", role="locked"),
        cell("import numpy as np", "setup", role="locked"),
        cell(SCALE, "scale", role="solution"),
        cell("assert scale(np.ones(2), 2.0).sum() == 4", "test_scale", role="test", points=4),
        cell(CENTRE, "centre", role="solution"),
        cell("assert abs(centre(np.arange(3.0)).sum()) < 1e-9", "test_centre", role="test", points=6),
        cell("Because.", "why", kind="markdown", role="answer", points=2),
    )


def mistaken(source: str = "def scale(x, factor): return 2 * x * factor") -> Notebook:
    """A submission whose first row is wrong."""
    tree = solved()
    tree["cells"][2]["source"] = source
    return tree


def untouched() -> Notebook:
    """The release, which is also the submission of somebody who did nothing."""
    tree = solved()
    for each in tree["cells"]:
        stub = "# YOUR CODE HERE\n    raise NotImplementedError()"
        each["source"] = re.sub(r"### BEGIN SOLUTION.*### END SOLUTION", stub, each["source"], flags=re.DOTALL).replace(
            "Because.", "YOUR ANSWER HERE"
        )
    return tree


def write(path: Path, tree: Any) -> Path:
    """Write JSON, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(tree, indent=1), encoding="utf-8")
    return path


def make_course(root: Path, *, config: str = CONFIG, master: Notebook | None = None) -> Path:
    """Write the course into ``root`` and return it."""
    write(root / "source/warmup/warmup.ipynb", master or solved())
    write(root / "release/warmup/warmup.ipynb", untouched())
    for name, text in (
        ("gradebook_config.yaml", config),
        ("solutions/warmup/__init__.py", REFERENCE),
        ("checks/warmup/test_warmup.py", CHECKS),
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def submit(root: Path, student: str, tree: Any = None, *, assignment: str = "warmup", timestamp: str = "") -> Path:
    """Put a notebook (the solved one by default) where a student's submission lies, and return its path."""
    path = write(root / "submitted" / student / assignment / f"{assignment}.ipynb", tree or solved())
    if timestamp:
        (path.parent / "timestamp.txt").write_text(timestamp, encoding="utf-8")
    return path


# An assignment of two notebooks, in which a row of each has the same name

PROBLEMS = """\
name: tiny
timezone: America/New_York
assignments:
  ps1:
    title: Problem set
    due: 2026-11-29 23:59
    late: {percent_per_day: 10}
    seed: 7
    limits: {cell_seconds: 1, call_seconds: 0.5, submission_seconds: 20}
    allowed_imports: [numpy]
"""

SHIFT = """\
def shift(x):
    ### BEGIN SOLUTION
    return x - 7.0
    ### END SOLUTION
"""


def problem1() -> Notebook:
    """The first master notebook: 4 points in a row."""
    return notebook(
        cell("# One", "about", kind="markdown", role="locked"),
        cell("import numpy as np", "setup", role="locked"),
        cell(SCALE, "main", role="solution"),
        cell("assert scale(np.ones(2), 2.0).sum() == 4", "test_main", role="test", points=4),
    )


def problem2() -> Notebook:
    """The second: 6 points in a row of the same name, and 2 for a written answer."""
    return notebook(
        cell("# Two", "about", kind="markdown", role="locked"),
        cell("import numpy as np", "setup", role="locked"),
        cell(SHIFT, "main", role="solution"),
        cell("assert shift(np.array([7.0]))[0] == 0", "test_main", role="test", points=6),
        cell("Because.", "why", kind="markdown", role="answer", points=2),
    )


def make_problem_set(root: Path, *, config: str = PROBLEMS) -> Path:
    """Write a course whose assignment ``ps1`` has two notebooks into ``root``, not yet released, and return it."""
    write(root / "source/ps1/problem1.ipynb", problem1())
    write(root / "source/ps1/problem2.ipynb", problem2())
    one, two = CHECKS.split('@check("centre"')[0].replace('"scale"', '"main"'), CHECKS.split('@check("scale"')[0]
    two += (
        '@check("main", hint="Take seven off.")\n'
        "def test_shift(student: Student, reference: Reference, draw: Draw) -> None:\n"
        '    """Seven is taken off."""\n'
        "    matches(student.shift, reference.shift, draw.normal(size=5))\n"
    )
    for name, text in (
        ("gradebook_config.yaml", config),
        ("solutions/ps1/problem1/__init__.py", REFERENCE.split("def centre")[0]),
        ("solutions/ps1/problem2/__init__.py", "def shift(x):\n    return x + (-7.0)\n"),
        ("checks/ps1/problem1/test_problem1.py", one),
        ("checks/ps1/problem2/test_problem2.py", two),
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def submit_problems(root: Path, student: str, *, timestamp: str = "", **trees: Notebook) -> Path:
    """Put notebooks where a student's hand-in of ``ps1`` lies, and return its folder."""
    folder = root / "submitted" / student / "ps1"
    for name, tree in trees.items():
        write(folder / f"{name}.ipynb", tree)
    if timestamp:
        (folder / "timestamp.txt").write_text(timestamp, encoding="utf-8")
    return folder
