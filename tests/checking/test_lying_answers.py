"""Answers that lie to a test cell: each loses its points, and none of them is an error of ours."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path

import pytest

from autograder.checking import Loopback, Rehearsal, TestCells, Tested, plan_of
from autograder.course import Limits, master_cells
from tests.courses import cell, notebook, write

DOUBLE = "import numpy as np\ndef f(x): return np.asarray(x) * 2.0"
ALL_CLOSE = "import numpy as np\nassert np.allclose(f(np.ones(3)), 2)"


def ran(folder: Path, right: str, test: str, answer: str, *, partial_credit: bool = False) -> Tested:
    """What comes of a test cell where the answer stands in the place of the right one."""
    path = folder / "master.ipynb"
    write(path, notebook(cell(right, "solution", role="solution"), cell(test, "the_test", role="test", points=1)))
    plan = plan_of(master_cells(path))
    names = {"__name__": "__main__"}
    exec(compile(answer, "<ipython-input-1>", "exec"), names)
    with contextlib.chdir(folder), TestCells(plan, folder, Limits()) as running:
        rehearsal = Rehearsal(path, plan, running)
        cell_of_test = plan.tests["the_test"]
        has_object = partial(rehearsal.has_object, cell_of_test)
        return running.run(cell_of_test, Loopback(names), partial=partial_credit, has_object=has_object)


def fails(tested: Tested) -> bool:
    """Whether it failed by the student's fault."""
    assert not [each.trouble for each in tested.statements if each.trouble], tested
    return any(each.cause is not None for each in tested.statements)


LIES = {
    "an object that says at which address of the grader its numbers are": (
        DOUBLE,
        ALL_CLOSE,
        "class L:\n    @property\n    def __array_interface__(self):\n"
        "        return {'data': (4096, False), 'shape': (3,), 'typestr': '<f8', 'version': 3}\n"
        "def f(x): return L()",
    ),
    "an object that answers for NumPy's functions": (
        DOUBLE,
        ALL_CLOSE,
        "class L:\n    def __array_function__(self, *_): return True\ndef f(x): return L()",
    ),
    "an object that answers for NumPy's operators": (
        DOUBLE,
        "import numpy as np\nassert (abs(np.full(3, 2.0) - f(np.ones(3))) < 1e-6).all()",
        "import numpy as np\nclass L:\n    def __array_ufunc__(self, *_, **__): return np.zeros(3)\n"
        "def f(x): return L()",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_lies_has_no_points(lie: str, tmp_path: Path):
    right, test, answer = LIES[lie]
    assert fails(ran(tmp_path, right, test, answer))
