import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from autograder.course import Assignment, load_course
from autograder.operations import cores
from tests.cores import InGroups, group_of
from tests.courses import make_course

# Each process that imports NumPy would start threads on all processors first, as the command has none do.
os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

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


class Forking:
    """`multiprocessing` for a pool, in which a process that grades alone is forked as several are."""

    active_children = staticmethod(multiprocessing.active_children)

    @staticmethod
    def get_context(how: str) -> Any:
        there_is_room = len(os.fsencode(tempfile.gettempdir())) < 60
        return multiprocessing.get_context("forkserver" if there_is_room else how)


@pytest.fixture(scope="session", autouse=True)
def pools_of_forks() -> Iterator[None]:
    """Pools in the tests' own processes share what they import with those of the tests before.

    A command in a process of its own, which makes one pool, starts it as ever.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autograder.operations.pool.multiprocessing", Forking())
        yield
