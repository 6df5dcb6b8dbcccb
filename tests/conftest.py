from pathlib import Path

import pytest

from autograder.course import Assignment, load_course
from tests.courses import make_course


@pytest.fixture
def course_root(tmp_path: Path) -> Path:
    """The tiny course of tests/courses.py in a folder of its own."""
    return make_course(tmp_path / "course")


@pytest.fixture
def warmup(course_root: Path) -> Assignment:
    """Its one assignment."""
    return load_course(course_root).assignment("warmup")
