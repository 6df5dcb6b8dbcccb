"""What a submission of the demo class costs: this project, `nbgrader autograde` in its stock setting, and the floor.

    python benchmarks/demo_class.py [--students 30] [--runs 3] [--json FILE]

makes the demo's class twice, once whole and once without the submissions that hang, break or end Python (whom a bare
process cannot run), and grades it three ways in turn, `--runs` times:

- `autograder grade`, with one job and with one for each core;
- `nbgrader autograde` in its stock setting: no configuration but the course's, the visible checks as its tests;
- the floor: the same cells and the same calls of the students' functions, in one bare process, nothing else.

Seconds are wall clock. CPU-seconds are what the whole machine was busy with, from /proc/stat, since the processes of a
sandbox are nobody's children when they end: run it on a machine that does nothing else. Starting a command is
counted; making the gradebook's tables is not. The table gives medians.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from autograder.authoring import make_course
from autograder.course import load_course
from autograder.operations import cores

COURSE = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
STOCK = """c = get_config()
c.CourseDirectory.root = {root!r}
c.CourseDirectory.course_id = "stock"
"""
FLOOR = """
import json, sys, time
from pathlib import Path
from autograder.checking import Loopback
from autograder.course import load_course
from autograder.sandbox.inside.cells import Notebook
from autograder.submission import code_cells, read_submission, submissions
from autograder.submission.choosing import find_notebook
from autograder.grading import Suite

course = load_course(Path(sys.argv[1]))
assignment = course.assignment("week2")
notebook = Notebook()
notebook.warm()
with Suite(assignment) as suite:
    for folder in submissions(course.root, "week2"):
        submission = read_submission(find_notebook(folder.folder, assignment), assignment)
        notebook.shell.reset(new_session=False)
        for _, source in code_cells(submission):
            notebook.run(source, 65536)
        suite.run(suite.checks, Loopback(notebook.names))
"""


def busy_seconds() -> float:
    """CPU-seconds that the machine has spent on anything since it started, but idling and waiting."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def measured(into: list[tuple[float, float]]) -> Iterator[None]:
    """Adds (wall seconds, CPU-seconds) of what is done inside."""
    begun, busy = time.monotonic(), busy_seconds()
    yield
    into.append((time.monotonic() - begun, busy_seconds() - busy))


def command(*words: str, cwd: Path) -> None:
    """Run a command of this environment; what it prints is shown only where it fails for good."""
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [str(BIN / words[0]), *words[1:]], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    # nbgrader ends with 1 where a single submission failed, which some of the whole class do.
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def grade_with_us(root: Path, jobs: int, into: list[tuple[float, float]]) -> None:
    """One run of `autograder grade`."""
    with measured(into):
        command("autograder", "grade", "week2", "--force", "--jobs", str(jobs), cwd=root)


def grade_with_nbgrader(root: Path, into: list[tuple[float, float]]) -> None:
    """One run of `nbgrader autograde` in its stock setting."""
    shutil.rmtree(root / "autograded", ignore_errors=True)
    with measured(into):
        command("nbgrader", "autograde", "week2", "--force", cwd=root)


def run_bare(root: Path, into: list[tuple[float, float]]) -> None:
    """One run of the floor."""
    with measured(into):
        subprocess.run([sys.executable, "-c", FLOOR, str(root)], check=True, capture_output=True)


def stock_course(root: Path, ours: Path) -> Path:
    """The same submissions as a course that nbgrader grades by itself."""
    for name in ("source", "submitted"):
        shutil.copytree(ours / name, root / name)
    (root / "nbgrader_config.py").write_text(STOCK.format(root=str(root)))
    command("nbgrader", "generate_assignment", "week2", "--force", cwd=root)
    return root


def tame(root: Path) -> None:
    """Take out the submissions that a bare process cannot run to the end."""
    command("autograder", "grade", "week2", cwd=root)
    for result in root.glob("autograded/*/week2/autograder-result.json"):
        text = result.read_text()
        wild = ("did not finish within", "Python itself ended", "Python had ended", '"readable"')
        if any(words in text for words in wild):
            shutil.rmtree(root / "submitted" / result.parts[-3])


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=30)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole, quiet = Path(folder, "whole"), Path(folder, "quiet")
        for root in (whole, quiet):
            make_course(load_course(COURSE), root, options.students)
            command("autograder", "release", "week2", cwd=root)
        tame(quiet)
        results = {
            "the whole class": measure(
                whole, stock_course(Path(folder, "stock-whole"), whole), options.runs, bare=False
            ),
            "without those that hang, break or end Python": measure(
                quiet, stock_course(Path(folder, "stock-quiet"), quiet), options.runs, bare=True
            ),
        }
    for title, (count, table) in results.items():
        print(f"\n{title}: {count} submissions\n")
        print("| | wall s a submission | CPU-s a submission |\n| --- | ---: | ---: |")
        for name, runs in table.items():
            wall, cpu = (statistics.median(run[index] for run in runs) / count for index in (0, 1))
            print(f"| {name} | {wall:.3f} | {cpu:.3f} |")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


def measure(ours: Path, stock: Path, runs: int, *, bare: bool) -> tuple[int, dict[str, list[tuple[float, float]]]]:
    """How many submissions there are, and (wall, CPU) of each run, by what graded them."""
    table: dict[str, list[tuple[float, float]]] = {}
    ways: dict[str, Callable[[list[tuple[float, float]]], None]] = {
        f"autograder, {cores()} jobs": lambda into: grade_with_us(ours, cores(), into),
        "autograder, 1 job": lambda into: grade_with_us(ours, 1, into),
        "nbgrader autograde, stock": lambda into: grade_with_nbgrader(stock, into),
    }
    if bare:
        ways["the floor"] = lambda into: run_bare(ours, into)
    for _ in range(runs):
        for name, way in ways.items():
            way(table.setdefault(name, []))
    return len(list((ours / "submitted").iterdir())), table


if __name__ == "__main__":
    main()
