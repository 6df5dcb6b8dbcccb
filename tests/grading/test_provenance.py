"""What decides a grade: a change of it grades again, a change of anything else does not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import autograder
from autograder.base import CheckError
from autograder.course import Assignment, load_course
from autograder.grading import Suite, digest_of, provenance_for
from autograder.grading.provenance import ROOMS
from tests.courses import REFERENCE

DECIDE = (
    "source/warmup/warmup.ipynb",
    "release/warmup/warmup.ipynb",
    "checks/warmup/test_warmup.py",
    "checks/warmup/shared.py",
    "solutions/warmup/__init__.py",
    "solutions/warmup/layers.py",
)
DO_NOT = (
    "solutions/warmup/mistakes.py",
    "solutions/warmup/gradients.py",
    "solutions/warmup/equivalent.yaml",
    "solutions/warmup/.audit.json",
    "overviews/warmup.md",
    "quizzes/warmup.txt",
    "README.md",
)


def digest(root: Path) -> str:
    return digest_of(provenance_for(load_course(root).assignment("warmup"), "bubblewrap")("submission", "ada"))


def change(path: Path) -> None:
    """Write a file, or add to it what no reader minds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "") + "\n")


@pytest.mark.parametrize("name", DECIDE)
def test_a_change_of_what_an_assignment_grades_with_grades_again(course_root: Path, name: str) -> None:
    before = digest(course_root)
    change(course_root / name)
    assert digest(course_root) != before


@pytest.mark.parametrize("name", DO_NOT)
def test_a_change_of_what_only_authors_read_grades_nothing_again(course_root: Path, name: str) -> None:
    before = digest(course_root)
    change(course_root / name)
    assert digest(course_root) == before


@pytest.mark.parametrize("name", ["mistakes", "gradients"])
def test_a_reference_that_takes_a_part_of_itself_from_what_decides_nothing_is_refused(
    course_root: Path, warmup: Assignment, name: str
) -> None:
    (course_root / f"solutions/warmup/{name}.py").write_text("FACTOR = 1\n")
    (course_root / "solutions/warmup/__init__.py").write_text(f"from .{name} import FACTOR\n{REFERENCE}")
    with pytest.raises(CheckError, match=rf"imports {name}\.py, which has no part in a grade"):
        Suite(warmup)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package."""
    ours = Path(autograder.__file__).parent
    return shutil.copytree(ours, tmp_path / "copy/autograder", ignore=shutil.ignore_patterns("__pycache__"))


def source_digest(package: Path) -> str:
    ask = "from autograder.grading.provenance import source_digest; print(source_digest())"
    done = subprocess.run([sys.executable, "-c", ask], cwd=package.parent, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_change_in_a_room_that_grades_grades_again_and_one_elsewhere_does_not(package: Path) -> None:
    known = source_digest(package)
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    assert set(ROOMS) < rooms
    for room in sorted(rooms - set(ROOMS)):
        (package / room / "calendar_of_ours.py").write_text("# of no consequence\n")
    assert source_digest(package) == known
    for room in ROOMS:
        (package / room / "data.json").write_text("{}\n")
        changed = source_digest(package)
        assert changed != known, room
        known = changed


def test_nothing_that_takes_part_in_grading_lies_in_another_room() -> None:
    source = (
        "import sys, autograder.grading.grader, autograder.grading.collected, autograder.plugin\n"
        "import autograder.grading.suite\n"
        "import autograder.checking, autograder.submission, autograder.sandbox.inside.template\n"
        "print(*(name for name in sys.modules if name.startswith('autograder.')))"
    )
    loaded = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout.split()
    assert len(loaded) > 20
    assert {name.split(".")[1] for name in loaded} <= {*ROOMS, "plugin"}
