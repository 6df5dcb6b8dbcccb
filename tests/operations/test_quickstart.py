"""nbgrader's own quickstart assignment, imported and graded as nbgrader ships it, beside `nbgrader autograde`."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbgrader
import pytest

from autograder.course import load_course
from autograder.gradebook import read_report
from tests.commands import NBGRADER, autograder, run

pytestmark = pytest.mark.sandbox

PS1 = Path(nbgrader.__file__).parent / "docs/source/user_guide/source/ps1"
SQUARES = "def squares(n):\n    if n < 1:\n        raise ValueError('n')\n    return [i ** 2 for i in range(1, n + 1)]"
SUM = "def sum_of_squares(n):\n    return sum(squares(n))"

ANSWERS: dict[str, dict[str, str]] = {
    "no-error": {"squares": "def squares(n):\n    return [i ** 2 for i in range(1, n + 1)]"},
    "another-error": {"squares": SQUARES.replace("ValueError", "TypeError")},
    "a-generator": {"squares": SQUARES.replace("[", "(").replace("]", ")")},
    "an-array": {
        "squares": "import numpy as np\n" + SQUARES.replace("[i ** 2 for i in range(1, n + 1)]", "np.arange(n)")
    },
    "reimplemented": {"sum_of_squares": "def sum_of_squares(n):\n    return sum(i * i for i in range(1, n + 1))"},
    "a-text": {"sum_of_squares": "def sum_of_squares(n):\n    return str(sum(squares(n)))"},
    "a-float": {"sum_of_squares": "def sum_of_squares(n):\n    return float(sum(squares(n)))"},
    "off-by-one": {"sum_of_squares": "def sum_of_squares(n):\n    return sum(squares(n)) + 1"},
    "only-the-first": {"sum_of_squares": "def sum_of_squares(n):\n    return 1 if n == 1 else sum(squares(n)) - 1"},
    "a-syntax-error": {"sum_of_squares": "def sum_of_squares(n):\n    return sum(squares(n)"},
}
"""Wrong answers, by who gives them."""

ATTACKS: dict[str, str] = {
    "empties-later-cells": "import ast\nclass Empty(ast.NodeTransformer):\n    def visit_Module(self, node):\n"
    "        node.body = []\n        return node\nget_ipython().ast_transformers.append(Empty())",
    "transforms-input": "get_ipython().input_transformers_post.append(lambda lines: [])",
    "patches-the-shell": "import IPython\nshell = type(get_ipython())\n"
    "async def nothing(self, *_, **__): return False\nshell.run_ast_nodes = nothing",
    "shows-points": "import sys\nsys.displayhook(3.0)\nraise SystemExit",
    "patches-testing": "import builtins, numpy.testing as testing\nfor name in dir(testing):\n"
    "    if name.startswith('assert'):\n        setattr(testing, name, lambda *_, **__: None)\n"
    "builtins.AssertionError = type('E', (Exception,), {})",
    "brings-a-numpy": "open('numpy.py', 'w').write('')\nimport sys\nsys.path.insert(0, '.')",
    "reads-the-source": "import glob\nfor path in glob.glob('/**/problem1.ipynb', recursive=True):\n"
    "    exec(open(path).read())",
    "detaches": "import os\nif os.fork() == 0:\n    os.setsid()\n    while True: open('gradebook.db', 'a')",
    "equals-everything": "class Liar:\n    def __eq__(self, other): return True\n    def __bool__(self): return True\n"
    "    def __radd__(self, other): return self\ndef squares(n): return Liar()\ndef sum_of_squares(n): return Liar()",
}
"""What gave full marks to an unsolved notebook elsewhere."""


def changed(notebook: Path, cells: Mapping[str, str], *, first: str = "") -> str:
    """The text of a notebook with some cells changed, and one before them."""
    tree: dict[str, Any] = json.loads(notebook.read_text(encoding="utf-8"))
    for each in tree["cells"]:
        name = each["metadata"].get("nbgrader", {}).get("grade_id", "")
        each["source"] = cells.get(name, each["source"])
    if first:
        own = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": first}
        tree["cells"].insert(1, own | ({"id": "attack"} if tree["nbformat_minor"] >= 5 else {}))
    return json.dumps(tree)


def hand_in(root: Path, student: str, problem1: str) -> None:
    folder = root / "submitted" / student / "ps1"
    folder.mkdir(parents=True)
    (folder / "problem1.ipynb").write_text(problem1, encoding="utf-8")
    shutil.copy(root / "release/ps1/problem2.ipynb", folder)
    shutil.copy(PS1 / "jupyter.png", folder)


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The class, graded by our command."""
    root = tmp_path_factory.mktemp("quickstart")
    root.chmod(0o700)
    (root / "gradebook_config.yaml").write_text("name: quickstart\ntimezone: UTC\nassignments: {}\n")
    (root / "nbgrader_config.py").write_text("c = get_config()\n")
    done = autograder(root, "import", str(PS1))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("points: as in the notebook") == 4
    done = autograder(root, "release", "ps1")
    assert done.returncode == 0, done.stderr
    released = root / "release/ps1/problem1.ipynb"
    hand_in(root, "solved", (PS1 / "problem1.ipynb").read_text(encoding="utf-8"))
    hand_in(root, "untouched", released.read_text(encoding="utf-8"))
    for student, answers in ANSWERS.items():
        hand_in(root, student, changed(released, {"squares": SQUARES, "sum_of_squares": SUM} | answers))
    for student, attack in ATTACKS.items():
        hand_in(root, student, changed(released, {}, first=attack))
    done = autograder(root, "grade", "ps1")
    assert done.returncode == 0, done.stdout + done.stderr
    return root


def ours(root: Path, student: str) -> dict[str, float | None]:
    """Our scores by row, of what the student did alone."""
    assignment = load_course(root).assignment("ps1").notebooks[0]
    report = read_report(load_course(root), student, assignment)
    assert report is not None
    return {row.test_id: 0.0 if row.carried else row.score for row in report.rows}


SCORES = Path(__file__).with_name("quickstart_scores.json")
"""The scores that `nbgrader autograde` gives, by student and test cell: made by `by_nbgrader`, to which `make thorough`
holds them."""


def by_nbgrader(root: Path) -> dict[str, dict[str, float | None]]:
    """The scores that nbgrader's own `autograde` gives the honest students of a course, by its own API."""
    from nbgrader.api import Gradebook

    stock = root.with_name(root.name + "-stock")
    honest = ["solved", "untouched", *ANSWERS]
    for part in ("source", "release", *(f"submitted/{student}" for student in honest)):
        shutil.copytree(root / part, stock / part)
    (stock / "nbgrader_config.py").write_text(f"c = get_config()\nc.CourseDirectory.root = {str(stock)!r}\n")
    programs = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    environment = {"PATH": programs, "HOME": str(stock), "LANG": "C.UTF-8"}
    for words in (("generate_assignment", "ps1", "--force"), ("autograde", "ps1")):
        done = run(NBGRADER, "nbgrader", *words, cwd=stock, environment=environment)
        assert done.returncode == 0, done.stderr
    with Gradebook(f"sqlite:///{stock}/gradebook.db") as gradebook:
        found = {each: gradebook.find_submission_notebook("problem1", "ps1", each).grades for each in honest}
        tests = ours(root, "solved")
        return {
            student: {grade.name: grade.auto_score for grade in grades if grade.cell.name in tests}
            for student, grades in found.items()
        }


@pytest.mark.thorough
def test_nbgrader_gives_the_scores_that_are_recorded(graded: Path) -> None:
    assert by_nbgrader(graded) == json.loads(SCORES.read_text(encoding="utf-8"))


@pytest.mark.parametrize("student", ["solved", "untouched", *ANSWERS])
def test_a_submission_has_the_scores_that_nbgrader_gives(graded: Path, student: str) -> None:
    assert ours(graded, student) == json.loads(SCORES.read_text(encoding="utf-8"))[student]


@pytest.mark.parametrize("student", ATTACKS)
def test_an_attack_that_gets_full_marks_elsewhere_has_no_point(graded: Path, student: str) -> None:
    scores = ours(graded, student)
    assert sum(score or 0 for score in scores.values()) <= (0.5 if student == "equals-everything" else 0)
    assert None not in scores.values()


def test_both_notebooks_are_in_nbgraders_tables(graded: Path) -> None:
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{graded}/gradebook.db") as gradebook:
        submission = gradebook.find_submission("ps1", "solved")
        waiting = {each.name: each.needs_manual_grade for each in submission.notebooks}
        assert waiting == {"problem1": True, "problem2": False}, "the second is as it was released"
        assert submission.score == 3
