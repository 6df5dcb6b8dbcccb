"""The package as it is published: a wheel and an sdist have everything that a newcomer's first commands need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.commands import REPOSITORY
from tests.packages import build

pytestmark = pytest.mark.long

RUN = "from autograder.cli import main; main()"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", REPOSITORY, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the wheel is installed into; what it needs is that of the tests."""
    site = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return site


def run(site: Path, folder: Path, *words: str, code: str = RUN) -> str:
    """What a program prints that sees the installed package, and none of this repository."""
    environment = os.environ | {"PYTHONPATH": str(site), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_wheel_of_the_sdist_is_the_wheel(wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(build("sdist", REPOSITORY, tmp_path / "sdist")) as sdist:
        sdist.extractall(tmp_path / "unpacked", filter="data")
    (project,) = (tmp_path / "unpacked").iterdir()
    assert content(build("wheel", project, tmp_path / "wheel")) == content(wheel)


def content(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel, what it needs and what it calls itself among them."""
    with zipfile.ZipFile(wheel) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_the_wheel_says_that_it_is_typed_and_holds_no_test_and_no_grade(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "autograder/py.typed" in names
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"autograder"}
    assert not [name for name in names if "gradebook.db" in name or name.endswith(".pyc") or "/submitted/" in name]


def test_the_installed_package_is_the_one_that_is_tried(installed: Path, tmp_path: Path) -> None:
    said = run(installed, tmp_path, code="import autograder; print(autograder.__file__)")
    assert Path(said.strip()).is_relative_to(installed)


def test_it_begins_a_course_that_lint_finds_nothing_in(installed: Path, tmp_path: Path) -> None:
    run(installed, tmp_path, "init", "course", "--students", "1")
    assert "Nothing was found" in run(installed, tmp_path / "course", "lint")


def test_the_course_that_the_demo_copies_comes_along(installed: Path, tmp_path: Path) -> None:
    code = (
        "from autograder.authoring import flagship, unaudited\n"
        "from autograder.course import load_course\n"
        "for each in load_course(flagship()).assignments.values():\n"
        "    print(each.name, each.release.is_file(), unaudited(each) == '')"
    )
    said = run(installed, tmp_path, code=code).split("\n")
    assert said[:-1] == ["week1 True True", "week2 True True", "week3 True True"]


def newest_python() -> str:
    """The newest Python that runs here and can make environments; a name on the path may run nothing."""
    minor = sys.version_info.minor
    for name in (f"3.{each}" for each in range(minor + 5, minor, -1)):
        installed_apart = sorted(Path.home().glob(f".pyenv/versions/{name}.*/bin/python"))
        for program in filter(None, (*map(str, installed_apart), shutil.which(f"python{name}"))):
            asked = [program, "-c", "import ensurepip, sys; print(sys.version_info[1])"]
            done = subprocess.run(asked, capture_output=True, text=True, check=False)
            if done.returncode == 0 and f"3.{done.stdout.strip()}" == name:
                return program
    return sys.executable


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("kind", "which"),
    # A wheel of the sdist is the wheel, and what a wheel needs is asked of the same lines for each Python.
    [("sdist", "newest"), pytest.param("wheel", "this", marks=pytest.mark.thorough)],
)
def test_it_installs_into_an_empty_environment_and_grades_there(kind: str, which: str, tmp_path: Path) -> None:
    python = sys.executable if which == "this" else newest_python()
    package = build(kind, REPOSITORY, tmp_path / "dist")
    subprocess.run([python, "-m", "venv", tmp_path / "empty"], check=True)
    programs = tmp_path / "empty/bin"
    subprocess.run([programs / "pip", "install", "--quiet", "--no-compile", package], check=True)
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    for folder, words in (
        (tmp_path, ("init", "course", "--students", "1")),
        (tmp_path / "course", ("release", "nearest")),
        (tmp_path / "course", ("grade", "nearest")),
        (tmp_path / "course", ("feedback", "nearest")),
    ):
        command = [programs / "autograder", *words]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
