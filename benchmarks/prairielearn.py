"""This project beside pytest-prairielearn-grader on the same submissions, and what the walls of both stop.

    PYTHONPATH=. python benchmarks/prairielearn.py [--size 40] [--runs 3] [--cache DIR]

pytest-prairielearn-grader is the peer with the nearest design: pytest outside, the student's functions in a process
apart. It is run without PrairieLearn, as that would run it: one pytest for each submission, here two at a time, each
with one process for all of its tests (``module_sandbox``, its faster way). What PrairieLearn puts around it, a
container for each submission, is neither timed nor tried.

The attempts are a student's functions, in the same words in both. What the peer can be told to keep is switched on: its
process becomes ``nobody`` (``--worker-username``), and NumPy alone may be imported.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import four
from measuring import Taken, measured

from autograder.course import load_course
from autograder.operations import cores
from autograder.sandbox import Worker, protocol

OURS = Path(sys.executable).parent
# It needs more than it asks pip for.
PACKAGES = ["pytest-prairielearn-grader>=0.3,<0.4", "numpy", "networkx", "pandas", "matplotlib", "plot-serializer"]
HEAD = """\
import numpy as np
import pytest
from pytest_prairielearn_grader import ConfigObject

autograder_config = ConfigObject(sandbox_timeout=5.0, import_whitelist=["numpy"])
"""
TEST = """

@pytest.mark.grading_data(name="{name}, {number}", points=1)
def test_{name}_{number}(module_sandbox):
    {name} = lambda *given: module_sandbox.query_function("{name}", *given)
    {statement}
"""
POOL = """
import subprocess, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

def grade(folder):
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *sys.argv[1:]]
    subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL)
    assert (folder / "autograder_results.json").exists(), folder

with ThreadPoolExecutor(2) as pool:
    list(pool.map(grade, sorted(Path("submitted").iterdir())))
"""
REACH = """\
import numpy as np
modules = np.__spec__.loader.__init__.__globals__["sys"].modules
builtins = modules["builtins"]
load = builtins.__import__
os, socket, subprocess = load("os"), load("socket"), load("subprocess")
"""
"""No import but NumPy's, which is allowed; the others, and builtins, are reached through it."""

MARKER = "86399.25"
"""Seconds of sleep by which a process is found again: nothing else on the machine asks for so many."""


def attempts(place: Path, port: int) -> dict[str, str]:
    """What is tried, each an expression; it succeeds where it raises nothing."""
    sleep = f"subprocess.Popen(['/usr/bin/sleep', '{MARKER}'], start_new_session=True, stdin=-3, stdout=-3, stderr=-3)"
    return {
        "read the tests": f"builtins.open({str(place / 'test_four.py')!r}).read()",
        "read another's submission": f"builtins.open({str(place / 'another.ipynb')!r}).read()",
        "see other processes of the machine": "[each for each in os.listdir('/proc') if each.isdigit()][20]",
        "connect to a port of the machine": f"socket.create_connection(('127.0.0.1', {port}), 2)",
        "start a process that outlives the test": sleep,
        "write where others read": f"builtins.open({str(place / 'shared/note')!r}, 'w').write('x')",
        "take four gigabytes": "builtins.bytearray(4 * 2**30)",
    }


def student_code(tried: dict[str, str]) -> str:
    """A submission whose functions are the attempts: each gives what it was refused with, or an empty text."""
    functions = [
        f"def attempt_{number}():\n    try:\n        {expression}\n    except builtins.BaseException as error:\n"
        "        return error.__class__.__name__\n    return ''\n"
        for number, expression in enumerate(tried.values())
    ]
    return "\n".join([REACH, *functions])


def environment(cache: Path) -> Path:
    """The ``bin`` of the peer's own environment, made where there is none, by a Python that other users can run."""
    home = cache / "prairielearn"
    if not (home / "installed").exists():
        python = next(filter(os.path.exists, ("/usr/bin/python3", sys.executable)))
        subprocess.run([python, "-m", "venv", str(home)], check=True)
        subprocess.run([home / "bin/python", "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        (home / "installed").touch()
    return home / "bin"


def worker_of(programs: Path) -> list[str]:
    """What makes the peer's process another user, where that user can run the peer's Python."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        words = [programs / "python", "-c", "import pytest_prairielearn_grader"]
        subprocess.run(words, user="nobody", cwd="/", check=True, stderr=subprocess.DEVNULL)
        return ["--worker-username=nobody"]
    print(
        f"The user nobody cannot run {programs / 'python'}, so the peer's process is of this user: --cache elsewhere."
    )
    return []


def make_theirs(root: Path, size: int) -> None:
    """The course of four functions in the peer's form: for each submission a folder with the tests and its code."""
    tests = [HEAD]
    for name, visible in four.VISIBLE.items():
        for number, statement in enumerate([visible, *four.hidden_tests(name)]):
            tests.append(TEST.format(name=name, number=number, statement=statement))
    for number in range(size):
        folder = root / f"submitted/s{number:05}"
        four.write(folder / "test_four.py", "".join(tests))
        cells = four.submission(four.mistake_of(number))["cells"]
        code = [each["source"] for each in cells if each["cell_type"] == "code"]
        solutions = [source for source in code if "assert" not in source]
        four.write(folder / "test_four/student_code.py", "\n\n".join(solutions))


def timed(root: Path, programs: Path, worker: list[str], size: int, runs: int) -> dict[str, list[Taken]]:
    """Both on the same submissions, in turn."""
    shutil.rmtree(root, ignore_errors=True)
    ours, theirs = root / "ours", root / "theirs"
    four.make_ours(ours)
    four.hand_in(ours, size)
    make_theirs(theirs, size)
    ours.chmod(0o700)
    path = {"PATH": f"{OURS}{os.pathsep}{os.environ['PATH']}"}
    measured([str(OURS / "autograder"), "release", "four"], ours, path)
    taken: dict[str, list[Taken]] = {"autograder": [], "pytest-prairielearn-grader": []}
    words = [str(OURS / "autograder"), "grade", "four", "--force", "--jobs", str(cores())]
    for _ in range(runs):
        taken["autograder"].append(measured(words, ours, path))
        taken["pytest-prairielearn-grader"].append(
            measured([str(programs / "python"), "-c", POOL, *worker], theirs, {})
        )
    return taken


def what_theirs_stops(place: Path, programs: Path, worker: list[str], tried: dict[str, str]) -> list[str]:
    """What each attempt was refused with by the peer; empty where it succeeded."""
    calls = "".join(
        f"    found.append(module_sandbox.query_function('attempt_{number}', query_timeout=20))\n"
        for number in range(len(tried))
    )
    test = f"{HEAD}import json\n\n\ndef test_all(module_sandbox):\n    found = []\n{calls}"
    four.write(place / "test_four.py", f"{test}    open('found.json', 'w').write(json.dumps(found))\n")
    four.write(place / "test_four/student_code.py", student_code(tried))
    words = [programs / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *worker]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
    if not (place / "found.json").exists():
        raise SystemExit(f"{done.stdout[-3000:]}{done.stderr[-3000:]}")
    found: list[str] = json.loads((place / "found.json").read_text())
    return found


def what_ours_stops(tried: dict[str, str]) -> list[str]:
    """As ``what_theirs_stops``, in bubblewrap."""
    limits = load_course(Path(__file__).parents[1]).assignment("week2").limits
    with Worker("bubblewrap", ("numpy",)) as worker, worker.session(limits) as session:
        session.run([student_code(tried)])
        with session.row() as row:
            return [row.exchange(protocol.Call(f"attempt_{at}", (), {}), "attempt").value for at in range(len(tried))]


def survivors() -> list[int]:
    """Processes that an attempt has left; they are ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if MARKER.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                found.append(int(folder.name))
                os.kill(found[-1], signal.SIGKILL)
    return found


def main() -> None:
    """Run both, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=40)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir(), "autograder-benchmarks"))
    options = parser.parse_args()
    cache = options.cache.resolve()
    programs = environment(cache)
    worker = worker_of(programs)
    # Both below a folder that everybody may enter: the peer's process becomes another user.
    with tempfile.TemporaryDirectory(prefix="walls-") as temporary, socket.create_server(("127.0.0.1", 0)) as server:
        place = Path(temporary)
        place.chmod(0o755)
        (place / "shared").mkdir()
        (place / "shared").chmod(0o777)
        four.write(place / "another.ipynb", "theirs")
        tried = attempts(place, server.getsockname()[1])
        theirs = what_theirs_stops(place, programs, worker, tried)
        theirs_left = survivors()
        ours = what_ours_stops(tried)
        ours_left = survivors()
    print("| attempt | pytest-prairielearn-grader | autograder |\n| --- | --- | --- |")
    for what, at_theirs, at_ours in zip(tried, theirs, ours, strict=True):
        outlives = "outlives" in what
        ends = (_said(at_theirs, not outlives or bool(theirs_left)), _said(at_ours, not outlives or bool(ours_left)))
        print(f"| {what} | {' | '.join(ends)} |")
    taken = timed(cache / f"prairielearn-{options.size}", programs, worker, options.size, options.runs)
    print("\n| way | wall s | CPU-s |\n| --- | ---: | ---: |")
    for name, each in taken.items():
        wall, cpu = (statistics.median(getattr(one, what) for one in each) for what in ("wall", "cpu"))
        print(f"| {name} | {wall:.2f} | {cpu:.2f} |")


def _said(refused: str, lasts: bool) -> str:
    """What came of an attempt: what it was refused with, or that it succeeds where its effect lasts."""
    if refused:
        return f"stopped ({refused})"
    return "**succeeds**" if lasts else "stopped (ended with the submission)"


if __name__ == "__main__":
    main()
