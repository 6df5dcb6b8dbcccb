"""What a test cell costs beyond the calls that it makes.

    python benchmarks/test_cells.py [--submissions 20] [--runs 3] [--cells 11] [--assertions 10]

grades three assignments in nbgrader's style, each of one function on arrays of three numbers, with one process: one
test cell; many; and many of twice as many assertions. Each assertion calls the function once. What a cell takes is the
difference between the first two, what a call takes that between the last two, by processor time of the command and of
all that it starts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

import nbformat
from measuring import how_cpu_is_measured, measured
from nbformat.v4 import new_code_cell, new_notebook

SOLUTION = "import numpy as np\n\n\ndef double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION\n"
AUTOGRADER = str(Path(sys.executable).with_name("autograder"))


def make(root: Path, cells: int, assertions: int, submissions: int) -> Path:
    """A course of one assignment of ``cells`` test cells, and a class that has handed in the solved master."""

    def marks(name: str, *, test: bool) -> dict[str, object]:
        kind = {"grade": test, "solution": not test, "locked": test, "points": 1} if test else {"solution": True}
        return {"nbgrader": {"grade": False, "locked": False, **kind, "grade_id": name, "schema_version": 3}}

    master = new_notebook(
        cells=[new_code_cell(SOLUTION, metadata=marks("double", test=False))],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    for cell in range(cells):
        lines = [
            f"assert np.array_equal(double(np.array([{n}.0, 1.0, {cell}.0])), np.array([{2 * n}.0, 2.0, {2 * cell}.0]))"
            for n in range(assertions)
        ]
        master.cells.append(new_code_cell("\n".join(lines), metadata=marks(f"test_{cell}", test=True)))
    path = root / "source/cells/cells.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(master, path)
    root.chmod(0o700)
    (root / "gradebook_config.yaml").write_text("name: cells\ntimezone: UTC\nassignments:\n  cells: {}\n")
    (root / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'cells'\n")
    measured([AUTOGRADER, "release", "cells"], root, {})
    for number in range(submissions):
        handed_in = root / f"submitted/s{number:03}/cells/cells.ipynb"
        handed_in.parent.mkdir(parents=True)
        own = new_code_cell(f"# student {number}")
        nbformat.write(new_notebook(cells=[*master.cells, own], metadata=master.metadata), handed_in)
    return root


def main() -> None:
    """Make the courses, grade them in turn and print what a cell and a call take."""
    os.umask(0o077)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--submissions", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cells", type=int, default=11)
    parser.add_argument("--assertions", type=int, default=10)
    options = parser.parse_args()
    few, many = options.assertions, 2 * options.assertions
    with tempfile.TemporaryDirectory() as folder:
        kinds = [(1, few), (options.cells, few), (options.cells, many)]
        roots = [make(Path(folder, f"{n}-{m}"), n, m, options.submissions) for n, m in kinds]
        command = [AUTOGRADER, "grade", "cells", "--force", "--jobs", "1"]
        taken = [[measured(command, root, {}).cpu for root in roots] for _ in range(options.runs)]
    print(f"processor time: {how_cpu_is_measured()}; milliseconds, medians of {options.runs} runs")
    per = 1e3 / options.submissions
    cell = statistics.median(per * (b - a) / (options.cells - 1) for a, b, _ in taken)
    call = statistics.median(per * (c - b) / (options.cells * few) for _, b, c in taken)
    print(f"a test cell of {few} assertions {cell:6.2f}")
    print(f"an assertion with its call   {call:6.2f}")
    print(f"beyond its assertions        {cell - few * call:6.2f}")


if __name__ == "__main__":
    main()
