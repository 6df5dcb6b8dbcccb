"""A course of four small functions, and a class that has handed them in: the same for this project and its peers.

Each function has one visible and three hidden tests, drawn from fixed seeds: pytest checks against a reference here,
hidden tests in the master's test cells for nbgrader, doctests for otter-grader.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

SOLUTIONS = {
    "relu": "def relu(x):\n    return np.maximum(x, 0)\n",
    "scale": "def scale(x, factor):\n    return x * factor\n",
    "softmax": (
        "def softmax(z):\n    e = np.exp(z - z.max(axis=1, keepdims=True))\n"
        "    return e / e.sum(axis=1, keepdims=True)\n"
    ),
    "nll": "def nll(p, y):\n    return -np.mean(np.log(p[np.arange(len(y)), y]))\n",
}
MISTAKES = {
    "relu": ("np.maximum", "np.minimum"),
    "scale": ("x * factor", "x + factor"),
    "softmax": ("e.sum(axis=1, keepdims=True)", "e.sum()"),
    "nll": ("np.mean", "np.sum"),
}
VISIBLE = {
    "relu": "assert relu(np.array([-1.0, 2.0])).sum() == 2",
    "scale": "assert scale(np.ones(2), 2.0).sum() == 4",
    "softmax": "assert abs(softmax(np.eye(3)).sum() - 3) < 1e-9",
    "nll": "assert nll(np.full((2, 2), 0.5), np.array([0, 1])) > 0",
}
DRAWN = {
    "relu": "draw.normal(size=(4, 3))",
    "scale": "draw.normal(size=5), 3.0",
    "softmax": "draw.normal(size=(5, 3))",
    "nll": "draw.dirichlet(np.ones(3), size=5), draw.integers(3, size=5)",
}
COMPARED = {
    "relu": "x = draw.normal(size=(4, 3)); np.testing.assert_allclose(relu(x), np.maximum(x, 0), rtol=1e-6)",
    "scale": "x = draw.normal(size=5); np.testing.assert_allclose(scale(x, 3.0), x * 3.0, rtol=1e-6)",
    "softmax": (
        "z = draw.normal(size=(5, 3)); e = np.exp(z); "
        "np.testing.assert_allclose(softmax(z), e / e.sum(axis=1, keepdims=True), rtol=1e-6)"
    ),
    "nll": (
        "p = draw.dirichlet(np.ones(3), size=5); y = draw.integers(3, size=5); "
        "np.testing.assert_allclose(nll(p, y), -np.mean(np.log(p[np.arange(5), y])), rtol=1e-6)"
    ),
}
HIDDEN = 3
POINTS = 3

CONFIG = """\
name: benchmark
timezone: UTC
assignments:
  four:
    title: Four functions
    seed: 7
    allowed_imports: [numpy]
"""
NBGRADER_CONFIG = """\
c = get_config()
c.CourseDirectory.root = {root!r}
c.CourseDirectory.course_id = "benchmark"
"""


def make_ours(root: Path) -> None:
    """The course as this project has it."""
    write(root / "gradebook_config.yaml", CONFIG)
    write(root / "source/four/four.ipynb", text_of(master(VISIBLE)))
    write(root / "solutions/four/__init__.py", "import numpy as np\n\n\n" + "\n\n".join(SOLUTIONS.values()))
    checks = ["import numpy as np\n\nfrom autograder.checking import Draw, Reference, Student, check, matches\n"]
    for name, drawn in DRAWN.items():
        for number in range(HIDDEN):
            checks.append(
                f'@check("{name}", hint="Look at its definition again.")\n'
                f"def test_{name}_{number}(student: Student, reference: Reference, draw: Draw) -> None:\n"
                f'    """{name} is right for random inputs, {number + 1}."""\n'
                f"    matches(student.{name}, reference.{name}, {drawn})\n"
            )
    write(root / "checks/four/test_four.py", "\n\n".join(checks))


def make_nbgraders(root: Path) -> None:
    """The course as nbgrader has it: the hidden tests stand in the master's test cells."""
    write(root / "nbgrader_config.py", NBGRADER_CONFIG.format(root=str(root)))
    tests = {
        name: "\n".join([VISIBLE[name], "### BEGIN HIDDEN TESTS", *hidden_tests(name), "### END HIDDEN TESTS"])
        for name in SOLUTIONS
    }
    write(root / "source/four/four.ipynb", text_of(master(tests)))


def make_otters(root: Path) -> None:
    """Otter-grader's tests, a doctest file for each function; ``otter generate`` makes its archive of them."""
    for name in SOLUTIONS:
        lines = [VISIBLE[name], *hidden_tests(name)]
        cases = [{"code": f">>> {line}\n", "hidden": False, "locked": False} for line in lines]
        suite = {"cases": cases, "scored": True, "setup": "", "teardown": "", "type": "doctest"}
        test = {"name": name, "points": POINTS, "suites": [suite]}
        write(root / f"tests/{name}.py", f"OK_FORMAT = True\n\ntest = {test!r}\n")


def hand_in(root: Path, count: int, *, flat: bool = False) -> None:
    """``count`` submissions below ``root/submitted``: two of six right, the others with one mistake, by turns."""
    for number in range(count):
        student = f"s{number:05}"
        notebook = text_of(submission(mistake_of(number)))
        if flat:
            write(root / f"submitted/{student}.ipynb", notebook)
        else:
            write(root / f"submitted/{student}/four/four.ipynb", notebook)
            write(root / f"submitted/{student}/four/timestamp.txt", "2026-11-28 10:00:00 UTC\n")


def mistake_of(number: int) -> str | None:
    """The function that a student has wrong; None for two of six."""
    return random.Random(number).choice([None, None, *MISTAKES])


def hidden_tests(name: str) -> list[str]:
    """The same tests as one-line statements."""
    return [f"draw = np.random.default_rng({number}); {COMPARED[name]}" for number in range(HIDDEN)]


def submission(wrong: str | None) -> dict[str, Any]:
    """The solved notebook, with one function wrong."""
    sources = dict(SOLUTIONS)
    if wrong:
        sources[wrong] = sources[wrong].replace(*MISTAKES[wrong])
    return notebook(sources, VISIBLE)


def master(tests: dict[str, str]) -> dict[str, Any]:
    """The master notebook with these test cells."""
    marked = {}
    for name, source in SOLUTIONS.items():
        head, body = source.rstrip("\n").split("\n", 1)
        marked[name] = f"{head}\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION\n"
    return notebook(marked, tests)


def notebook(sources: dict[str, str], tests: dict[str, str]) -> dict[str, Any]:
    """A notebook of format 4.5, with nbgrader's marks."""
    cells = [cell("# Four functions", "about", kind="markdown"), cell("import numpy as np", "setup")]
    for name, source in sources.items():
        cells += [cell(source, name, solution=True), cell(tests[name], f"test_{name}", points=POINTS)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def cell(
    source: str, grade_id: str, *, kind: str = "code", solution: bool = False, points: float | None = None
) -> dict[str, Any]:
    """A cell that nbgrader knows."""
    marks: dict[str, Any] = {"grade": points is not None, "grade_id": grade_id, "locked": not solution}
    marks |= {"schema_version": 3, "solution": solution, "task": False}
    if points is not None:
        marks["points"] = points
    made: dict[str, Any] = {"cell_type": kind, "id": grade_id, "metadata": {"nbgrader": marks}, "source": source}
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def text_of(tree: dict[str, Any]) -> str:
    """A notebook's file."""
    return json.dumps(tree, indent=1) + "\n"


def write(path: Path, text: str) -> None:
    """Write a file, and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
