from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from autograder.course import Assignment, load_course
from autograder.operations import cores
from tests.cores import InGroups, group_of
from tests.courses import make_course

# No test depends on how fast a machine is.
settings.register_profile("any machine", settings.default, deadline=None, max_examples=60)
settings.load_profile("any machine")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process more than there are processors: browsers, limits and watches make each of them wait now and then."""
    return cores() + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> InGroups | None:
    """Where several cores are at work by scope, the scopes are the groups of tests/cores.py."""
    return InGroups(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the groups that have a long test, so that no core is at work on one alone in the end."""
    first = {group_of(item.nodeid) for item in items if item.get_closest_marker("long") is not None}
    items.sort(key=lambda item: group_of(item.nodeid) not in first)


@pytest.fixture
def course_root(tmp_path: Path) -> Path:
    """The tiny course of tests/courses.py in a folder of its own."""
    return make_course(tmp_path / "course")


@pytest.fixture
def warmup(course_root: Path) -> Assignment:
    """Its one assignment."""
    return load_course(course_root).assignment("warmup")
