"""Attacks by what is handed in: a notebook that lies about itself, and what lies beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.courses import Notebook, cell
from tests.hostile.attack import RIGHT_CENTRE, RIGHT_SCALE, Attack


def for_each(change: Any) -> Any:
    """A change of the notebook that changes each of its cells."""

    def changed(tree: Notebook) -> Notebook:
        for each in tree["cells"]:
            change(each)
        return tree

    return changed


def same_ids(each: dict[str, Any]) -> None:
    each["id"] = "same"


def no_points(each: dict[str, Any]) -> None:
    each["metadata"].get("nbgrader", {}).update(points=0)


def many_points(each: dict[str, Any]) -> None:
    if "points" in each["metadata"].get("nbgrader", {}):
        each["metadata"]["nbgrader"].update(points=10**6)


def one_grade_id(each: dict[str, Any]) -> None:
    if "nbgrader" in each["metadata"]:
        each["metadata"]["nbgrader"]["grade_id"] = "scale"


def unlocked(each: dict[str, Any]) -> None:
    each["metadata"].get("nbgrader", {}).update(locked=False, grade=False, solution=True)


def own_tests(each: dict[str, Any]) -> None:
    if each["metadata"].get("nbgrader", {}).get("grade"):
        each["source"] = "import sys\nsys.displayhook(1e6)\n1e6"


def full_marks(each: dict[str, Any]) -> None:
    each["metadata"].setdefault("nbgrader", {}).update(score=10, auto_score=10, manual_score=10, max_score=10)
    if each["cell_type"] == "code":
        each["outputs"] = [
            {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": "10.0"}}
        ]


def without_tests(tree: Notebook) -> Notebook:
    return tree | {"cells": [each for each in tree["cells"] if not each["id"].startswith("test_")]}


def backwards(tree: Notebook) -> Notebook:
    return tree | {"cells": tree["cells"][::-1]}


def twice(tree: Notebook) -> Notebook:
    return tree | {"cells": [*tree["cells"], *tree["cells"]]}


def with_a_test_of_its_own(tree: Notebook) -> Notebook:
    own = cell("1e6", "test_own", role="test", points=1e6)
    return tree | {"cells": [*tree["cells"], own]}


def with_another_kernel(tree: Notebook) -> Notebook:
    kernel = {"name": "../../tmp/hostile", "display_name": "x", "language": "bash", "argv": ["touch", "/tmp/hostile"]}
    return tree | {"metadata": {"kernelspec": kernel, "language_info": {"name": "bash"}, "nbgrader": {"score": 10}}}


def too_many_cells(tree: Notebook) -> Notebook:
    return tree | {"cells": [*tree["cells"], *(cell(f"{number}") for number in range(3000))]}


def deep(tree: Notebook) -> Notebook:
    nest: Any = {}
    for _ in range(150):
        nest = {"a": [nest]}
    return tree | {"metadata": {**tree["metadata"], "nest": nest}}


def instead(text: str) -> Any:
    """Other bytes in place of the notebook."""

    def write(path: Path) -> None:
        path.write_text(text, encoding="utf-8")

    return write


FALSE = {
    "same-ids": ("have the whole class stop at a duplicated id", for_each(same_ids), 10.0),
    "no-points": ("change the points, of all", for_each(no_points), 10.0),
    "backwards": ("put the tests before what they test", backwards, 10.0),
    "twice": ("count every row twice", twice, 10.0),
    "another-kernel": ("have a program of its own started as the kernel", with_another_kernel, 10.0),
    "deleted-tests": ("leave out the tests that it would fail, or empty its score", without_tests, 10.0),
    "deep-metadata": ("overflow what reads the notebook", deep, 10.0),
}

RIGHT_BUT_CHANGED = tuple(
    Attack(f"notebook-{name}", what[0], scale=RIGHT_SCALE, centre=RIGHT_CENTRE, change=what[1], earned=what[2])
    for name, what in FALSE.items()
)

CHANGED = (
    Attack("notebook-many-points", "be worth a million points", change=for_each(many_points)),
    Attack("notebook-one-grade-id", "have every row take the first one's place", change=for_each(one_grade_id)),
    Attack("notebook-unlocked", "have its own cells pass for the tests", change=for_each(unlocked)),
    Attack("notebook-own-tests", "put tests that print a score in place of ours", change=for_each(own_tests)),
    Attack("notebook-full-marks", "have its marks read from the file", change=for_each(full_marks)),
    Attack("notebook-a-test-of-its-own", "add a row that it passes", change=with_a_test_of_its_own),
    Attack("notebook-too-many-cells", "keep the grader reading", change=too_many_cells),
    Attack("notebook-no-json", "break what reads it", files={"warmup.ipynb": instead('{"cells": [' * 10**5)}),
    Attack(
        "notebook-numbers",
        "break what reads it",
        files={
            "warmup.ipynb": instead(
                '{"cells": [], "nbformat": 1e999, "nbformat_minor": NaN, "metadata": 1' + "0" * 9**4
            )
        },
    ),
)

NUMPY = "def allclose(*a, **k): return True\nassert_allclose = testing = zeros = ones = multiply = allclose\n"
HOOK = "import pathlib\npathlib.Path('/tmp/hostile').touch()\n"

FOLDER = (
    Attack(
        "numpy-beside",
        "have the grader import a numpy, a conftest or a configuration that lies beside the notebook",
        first="import sys\nsys.path.insert(0, '')\nsys.path.insert(0, 'COURSE_ROOT/submitted')",
        scale="import numpy\ndef scale(x, factor): return numpy.zeros(5)",
        files={
            **{f"{name}.py": NUMPY for name in ("numpy", "scipy", "inside", "autograder")},
            **{f"{name}.py": HOOK for name in ("conftest", "sitecustomize", "usercustomize", "nbgrader_config")},
            "pytest.ini": "[pytest]\naddopts = --version\n",
            "gradebook_config.yaml": "assignments: {}\n",
            "numpy/__init__.py": NUMPY,
            ".git/hooks/post-checkout": "#!/bin/sh\ntouch /tmp/hostile\n",
        },
    ),
    Attack(
        "results-beside",
        "have results that were handed in pass for ours",
        files={
            "autograder-result.json": '{"score": 10, "digest": "", "rows": []}',
            "results.json": '{"score": 10}',
            "warmup.html": "<script>alert(1)</script>",
            "gradebook.db": "SQLite format 3\0",
        },
    ),
    Attack(
        "links-beside",
        "have what links lead to copied to where it can be read",
        files={
            "reference.py": lambda path: path.symlink_to(path.parents[3] / "solutions/warmup/__init__.py"),
            "course": lambda path: path.symlink_to(path.parents[3]),
            "secret.txt": lambda path: path.symlink_to("/etc/passwd"),
            "loop": lambda path: path.symlink_to("loop"),
            "pipe": os.mkfifo,
        },
    ),
    Attack(
        "notebook-is-a-link",
        "hand in the master",
        earned=None,
        files={"warmup.ipynb": lambda path: path.symlink_to(path.parents[3] / "source/warmup/warmup.ipynb")},
    ),
    Attack("notebook-is-a-pipe", "keep the grader for ever", earned=None, files={"warmup.ipynb": os.mkfifo}),
    Attack(
        "notebook-is-a-folder",
        "break what reads it",
        earned=None,
        files={"warmup.ipynb": lambda path: path.mkdir()},
    ),
)

LOOKS = r"""
import glob, os, subprocess

found = []
places = ["COURSE_ROOT", ".", "..", "../..", "../../..", "/", os.path.expanduser("~"), "/work", "/srv", "/root",
    "/home"]
for place in places:
    for inside in ("source", "solutions", "submitted", "autograded", "checks", "gradebook.db", "release",
        ".secret"):
        path = os.path.join(place, inside)
        if os.path.lexists(path):
            found.append(path)
found += glob.glob("/**/test_warmup.py", recursive=True) + glob.glob("/**/warmup.ipynb", recursive=True)
for command in ("cat COURSE_ROOT/.secret", "id", "env"):
    try:
        found.append(subprocess.run(command, shell=True, capture_output=True, timeout=1).stdout or None)
    except (OSError, subprocess.SubprocessError):
        pass
found = [each for each in found if each]
"""

WRONG_UNLESS_FOUND = "def scale(x, factor): return x * factor if found else x"

READING = (
    Attack("reads-the-course", "read the master, the reference or the checks", first=LOOKS, scale=WRONG_UNLESS_FOUND),
    Attack(
        "magics",
        "read the course with IPython's own commands",
        first=r"""
ip = get_ipython()
for name, line in [("cd", "COURSE_ROOT"), ("run", "COURSE_ROOT/solutions/warmup/__init__.py"), ("load",
    "COURSE_ROOT/.secret"),
                   ("pycat", "COURSE_ROOT/.secret"), ("sx", "cat COURSE_ROOT/.secret"), ("system",
                       "cat COURSE_ROOT/.secret"),
                   ("pip", "install scipy"), ("env", ""), ("store", "-r"), ("notebook", "/tmp/hostile.ipynb"),
                   ("logstart", "/tmp/hostile.log"), ("save", "/tmp/hostile.py 1-9"), ("history", "-g"), ("bookmark",
                       "x /")]:
    try:
        print(ip.run_line_magic(name, line))
    except BaseException as error:
        print(type(error).__name__)
try:
    ip.run_cell_magic("bash", "", "cat COURSE_ROOT/.secret; touch /tmp/hostile")
except BaseException as error:
    print(type(error).__name__)
!cat COURSE_ROOT/.secret
%cd /tmp
""",
        scale=RIGHT_SCALE,
        earned=4,
    ),
    Attack(
        "detached-writes-the-gradebook",
        "change the gradebook when everything is over",
        first=r"""
import os, sqlite3, time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for _ in range(100):
            time.sleep(0.2)
            for path in ("COURSE_ROOT/gradebook.db", "gradebook.db"):
                try:
                    with sqlite3.connect(path) as connection:
                        connection.execute("update grade set manual_score = 99")
                except sqlite3.Error:
                    pass
    os._exit(0)
""",
    ),
    Attack(
        "sql",
        "write scores into the gradebook, also into another's",
        first=r"""
import os, sqlite3

places = ["COURSE_ROOT/gradebook.db", "gradebook.db", "../gradebook.db"]
for folder, _, names in os.walk("/"):
    places += [os.path.join(folder, name) for name in names if name.endswith(".db")]
for place in places:
    try:
        with sqlite3.connect(place) as connection:
            connection.execute("update grade set auto_score = 99, manual_score = 99")
            connection.execute("update grade set auto_score = 0 where 1")
    except sqlite3.Error:
        pass
""",
    ),
)

ATTACKS = (*RIGHT_BUT_CHANGED, *CHANGED, *FOLDER, *READING)
