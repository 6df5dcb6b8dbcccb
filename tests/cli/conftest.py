import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder import cli
from autograder.course import load_course
from autograder.gradebook import open_gradebook
from tests.courses import make_course


@pytest.fixture(scope="package")
def empty_gradebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gradebook as nbgrader makes it, which takes seconds."""
    course = load_course(make_course(tmp_path_factory.mktemp("course")))
    with open_gradebook(course):
        pass
    return course.root / "gradebook.db"


@pytest.fixture
def run(
    course_root: Path,
    empty_gradebook: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    """Runs ``autograder …`` in the course's folder: (exit status, standard output, standard error)."""
    shutil.copy(empty_gradebook, course_root)
    monkeypatch.chdir(course_root)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["autograder", *arguments])
        status = 0
        try:
            cli.main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run
