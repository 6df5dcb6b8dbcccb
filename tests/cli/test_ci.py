"""The arrangement of docs/ci.md: a private course that grades repositories that its students write."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.commands import REPOSITORY
from tests.courses import cell, make_course, mistaken, solved, write

pytestmark = pytest.mark.sandbox

EXAMPLES = REPOSITORY / "docs/examples/ci"


def git(*words: str, cwd: Path) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *who, *words], cwd=cwd, check=True, capture_output=True)


def repository(folder: Path, tree: Any) -> Path:
    """A student's repository with one commit, in which the notebook lies in the assignment's folder."""
    write(folder / "warmup/warmup.ipynb", tree)
    git("init", cwd=folder)
    return folder


def committed(folder: Path) -> Path:
    git("add", "--all", "--force", cwd=folder)
    git("commit", "--message", "Work", cwd=folder)
    return folder


@pytest.fixture
def course(tmp_path: Path) -> Path:
    return make_course(tmp_path / "course")


def graded(course: Path, repositories: Mapping[str, Path]) -> subprocess.CompletedProcess[str]:
    lines = "".join(f"{student},{path.as_uri()}\n" for student, path in repositories.items())
    (course / "students.csv").write_text(f"student,address\n{lines}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", str(EXAMPLES / "grade-repositories.sh"), "warmup", "students.csv", "results"],
        cwd=course,
        env=os.environ | {"PATH": path, "GIT_ALLOW_PROTOCOL": "file", "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )


def test_every_students_repository_is_graded_by_the_private_course(course: Path, tmp_path: Path) -> None:
    right = committed(repository(tmp_path / "ada", solved()))
    wrong = committed(repository(tmp_path / "bob", mistaken()))
    done = graded(course, {"ada": right, "bob": wrong})
    assert done.returncode == 0, done.stderr
    assert "10 of 10 points" in (course / "results/ada.txt").read_text()
    assert "6 of 10 points" in (course / "results/bob.txt").read_text()
    assert ElementTree.parse(course / "results/bob.xml").getroot().get("failures") == "1"


def test_a_repository_that_brings_a_course_links_and_hooks_along_is_graded_by_the_private_course(
    course: Path, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    hostile = repository(tmp_path / "cy", mistaken())
    planted = f"from pathlib import Path\nPath({str(ran)!r}).touch()\n"
    make_course(hostile / "brought")
    for name in (
        "gradebook_config.yaml",
        "conftest.py",
        "nbgrader_config.py",
        "warmup/conftest.py",
        "sitecustomize.py",
    ):
        (hostile / name).write_text(planted if name.endswith(".py") else "name: mine\n")
    (hostile / "results").symlink_to(course / "checks")
    (hostile / "warmup/data.csv").symlink_to(course / "gradebook_config.yaml")
    honest = committed(repository(tmp_path / "ada", solved()))
    done = graded(course, {"cy": committed(hostile), "ada": honest})
    assert (done.returncode, ran.exists()) == (0, False)
    assert "6 of 10 points" in (course / "results/cy.txt").read_text()
    assert "10 of 10 points" in (course / "results/ada.txt").read_text()


def test_who_cannot_be_graded_is_named_and_stops_nobody(course: Path, tmp_path: Path) -> None:
    honest = committed(repository(tmp_path / "ada", solved()))
    endless = repository(tmp_path / "dee", solved())
    tree = solved()
    tree["cells"].append(cell("code", "while True: pass"))
    write(endless / "warmup/warmup.ipynb", tree)
    done = graded(course, {"none": tmp_path / "none", "dee": committed(endless), "ada": honest})
    assert done.returncode == 1
    assert re.findall(r"(?m)^not graded: (.*)$", done.stderr) == ["none (not fetched)"]
    assert "10 of 10 points" in (course / "results/ada.txt").read_text()
    assert "10 of 10 points" in (course / "results/dee.txt").read_text()


def test_the_workflow_runs_for_nothing_that_a_student_does() -> None:
    workflow = yaml.safe_load((EXAMPLES / "github.yml").read_text())
    assert set(workflow[True]) == {"schedule", "workflow_dispatch"}  # YAML 1.1 reads `on` as true
    assert workflow["permissions"] == {"contents": "read"}
    steps = workflow["jobs"]["grade"]["steps"]
    with_secrets = [step["name"] for step in steps if "secrets." in str(step)]
    assert with_secrets == ["Read the students' repositories"]


@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml"])
def test_the_examples_run_the_script_that_is_tried_here(name: str) -> None:
    assert 'bash grade-repositories.sh "$ASSIGNMENT" students.csv results' in (EXAMPLES / name).read_text()
