"""A class's hand-ins for an assignment as nbgrader has it, graded by `autograder grade` and by `nbgrader autograde`."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.course import load_course
from autograder.gradebook import read_report
from tests.commands import NBGRADER, autograder, run

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
    "reads-the-source": "import glob\nfor path in glob.glob('/**/source/**/*.ipynb', recursive=True):\n"
    "    exec(open(path).read())",
    "detaches": "import os\nif os.fork() == 0:\n    os.setsid()\n    while True: open('gradebook.db', 'a')",
}
"""What gave full marks to an unsolved notebook elsewhere, as a cell before all others."""

Scores = dict[str, float | None]


@dataclass(frozen=True)
class HandIns:
    """An assignment's masters, and how its students change them.

    Attributes:
        source: The folder of the masters, called as the assignment is.
        changes: What each student writes in place of some cells of the solved masters, by student and ``grade_id``.
        attacks: Cells that come before all others of the notebook that is attacked, by student. It is as it was
            released, and those who attack hand in no other.
        attacked: The notebook's name.
    """

    source: Path
    changes: Mapping[str, Mapping[str, str]]
    attacks: Mapping[str, str]
    attacked: str

    @property
    def name(self) -> str:
        """The assignment's."""
        return self.source.name

    @property
    def honest(self) -> list[str]:
        """The students who attack nothing."""
        return ["solved", "untouched", *self.changes]

    def write(self, root: Path) -> None:
        """Put all hand-ins into a course in which the assignment is released."""
        masters, released = self._notebooks(self.source), self._notebooks(root / "release" / self.name)
        self._hand_in(root, "solved", masters)
        self._hand_in(root, "untouched", released)
        for student, cells in self.changes.items():
            self._hand_in(root, student, {name: changed(tree, cells) for name, tree in masters.items()})
        name = f"{self.attacked}.ipynb"
        for student, attack in self.attacks.items():
            self._hand_in(root, student, {name: changed(released[name], {}, first=attack)})

    def _notebooks(self, folder: Path) -> dict[str, str]:
        return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.ipynb"))}

    def _hand_in(self, root: Path, student: str, notebooks: Mapping[str, str]) -> None:
        folder = root / "submitted" / student / self.name
        beside = shutil.ignore_patterns("*.ipynb", ".*")
        shutil.copytree(root / "release" / self.name, folder, ignore=beside)
        for name, text in notebooks.items():
            (folder / name).write_text(text, encoding="utf-8")


def changed(notebook: str, cells: Mapping[str, str], *, first: str = "") -> str:
    """The text of a notebook with some cells changed, and one before them."""
    tree: dict[str, Any] = json.loads(notebook)
    for each in tree["cells"]:
        name = each["metadata"].get("nbgrader", {}).get("grade_id", "")
        each["source"] = cells.get(name, each["source"])
    if first:
        own = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": first}
        tree["cells"].insert(1, own | ({"id": "attack"} if tree["nbformat_minor"] >= 5 else {}))
    return json.dumps(tree)


def graded(root: Path, *classes: HandIns) -> Path:
    """A course of these assignments, imported, released and graded by our commands."""
    root.chmod(0o700)
    (root / "gradebook_config.yaml").write_text("name: theirs\ntimezone: UTC\nassignments: {}\n")
    (root / "nbgrader_config.py").write_text("c = get_config()\n")
    for each in classes:
        for words in (("import", str(each.source)), ("release", each.name)):
            done = autograder(root, *words)
            assert done.returncode == 0, done.stderr
            if words[0] == "import":
                assert "may differ" not in done.stdout
                assert "no verdict" not in done.stdout
        each.write(root)
        done = autograder(root, "grade", each.name)
        assert done.returncode == 0, done.stdout + done.stderr
    return root


def ours(root: Path, assignment: str, student: str) -> Scores:
    """Our scores by test cell, of what the student did alone."""
    course = load_course(root)
    scores: Scores = {}
    for notebook in course.assignment(assignment).notebooks:
        report = read_report(course, student, notebook)
        if report is not None:
            scores |= {row.test_id: 0.0 if row.carried else row.score for row in report.rows}
    return scores


def by_nbgrader(root: Path, hand_ins: HandIns) -> dict[str, Scores]:
    """The scores that nbgrader's own `autograde` gives the honest students of a course, by its own API."""
    from nbgrader.api import Gradebook

    stock = root.with_name(f"{root.name}-{hand_ins.name}-stock")
    for part in ("source", "release", *(f"submitted/{student}" for student in hand_ins.honest)):
        shutil.copytree(root / part, stock / part)
    (stock / "nbgrader_config.py").write_text(f"c = get_config()\nc.CourseDirectory.root = {str(stock)!r}\n")
    programs = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    environment = {"PATH": programs, "HOME": str(stock), "LANG": "C.UTF-8"}
    for words in (("generate_assignment", hand_ins.name, "--force"), ("autograde", hand_ins.name)):
        done = run(NBGRADER, "nbgrader", *words, cwd=stock, environment=environment)
        assert done.returncode == 0, done.stderr
    tests = ours(root, hand_ins.name, "solved")
    with Gradebook(f"sqlite:///{stock}/gradebook.db") as gradebook:
        return {
            student: {
                grade.name: grade.auto_score
                for notebook in gradebook.find_submission(hand_ins.name, student).notebooks
                for grade in notebook.grades
                if grade.name in tests
            }
            for student in hand_ins.honest
        }
