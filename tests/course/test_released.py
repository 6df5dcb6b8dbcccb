"""The release as its one reader gives it: its cells in order, what each is for, and the master's points."""

from pathlib import Path

import pytest

from autograder.base import AutograderError
from autograder.course import Assignment, load_course, release_of
from tests.courses import cell, untouched, write


def test_the_cells_come_in_order_each_with_what_it_is_for(warmup: Assignment):
    known = release_of(warmup).known
    assert list(known) == ["about", "setup", "scale", "test_scale", "centre", "test_centre", "why"]
    assert (known["scale"].solution, known["scale"].graded, known["scale"].locked) == (True, False, False)
    assert (known["test_scale"].solution, known["test_scale"].graded, known["test_scale"].locked) == (False, True, True)


def test_the_points_are_the_masters(course_root: Path):
    tree = untouched()
    tree["cells"][3]["metadata"]["nbgrader"]["points"] = 40
    write(course_root / "release/warmup/warmup.ipynb", tree)
    assert release_of(load_course(course_root).assignment("warmup")).points["test_scale"] == 4.0


def test_a_release_that_has_changed_is_read_again(warmup: Assignment):
    before = len(release_of(warmup).cells)
    tree = untouched()
    tree["cells"].append(cell("1 + 1"))
    write(warmup.release, tree)
    assert len(release_of(warmup).cells) == before + 1


def test_a_cell_with_points_that_the_master_does_not_have_is_named(warmup: Assignment):
    tree = untouched()
    tree["cells"].append(cell("assert True", "test_more", role="test", points=1))
    write(warmup.release, tree)
    with pytest.raises(AutograderError, match=r"does not fit warmup.ipynb any more \(test_more: only one"):
        release_of(warmup)
