"""A test cell that leaves no trace is run where the next ones are forked from, and no verdict is another for it."""

from __future__ import annotations

import ast
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder.checking import Loopback, TestCells, plan_of
from autograder.checking.test_cells.running import Tested
from autograder.checking.test_cells.traceless import leaves_nothing
from autograder.course import Limits, MasterCell, master_cells
from tests.courses import cell, notebook, write

NAMES = {"np": np, "numpy": np, "math": math, "data": [1, 2], "helper": lambda: None}


def traceless(source: str) -> bool:
    return leaves_nothing(ast.parse(source), NAMES, {"f", "found"}, {"state"})


@pytest.mark.parametrize(
    "source",
    [
        "assert f(1) == [1, 4]",
        "'''It gives the squares.'''\nassert f(1) == 2 and found == 3",
        "result = f(np.array([1.0, 2.0]))\nassert result.shape == (2,)\nassert np.allclose(result, [1, 2])",
        "np.testing.assert_allclose(f(np.eye(3)), np.eye(3), rtol=1e-6)",
        "from numpy.testing import assert_array_equal\nassert_array_equal(f(3), [0, 1, 2])",
        "import numpy as np\nfor n in range(3):\n    assert math.isclose(f(n), n / 2), f'f({n})'",
        "try:\n    f(0)\nexcept ValueError as error:\n    assert error.args\nelse:\n    raise AssertionError",
        "assert sorted(f('a b').split()) == [each.strip() for each in ('a', 'b')]",
    ],
)
def test_a_cell_that_calls_and_compares_leaves_nothing(source: str):
    assert traceless(source)


@pytest.mark.parametrize(
    "source",
    [
        "data.append(f(1))",
        "data[0] = f(1)",
        "np.pi = 3\nassert f(1) == 3",
        "np.random.seed(1)\nassert f(1) == 1",
        "np.seterr(all='raise')\nassert f(1) == 1",
        "np.add(1, f(1), out=np.zeros(1))",
        "np = 3\nassert f(np) == 3",
        "state = 3\nassert f(1) == 3",
        "f = 3\nassert f == 3",
        "del f",
        "len = f\nassert len(3) == 3",
        "total = 0\ntotal += f(1)",
        "assert helper() is f(1)",
        "assert data == f(1)",
        "import os\nassert f(1) == os.getcwd()",
        "import numpy.random\nassert f(1) == 1",
        "from numpy import random\nassert f(1) == 1",
        "from math import *\nassert f(1) == pi",
        "def helper_of_the_test(): return f(1)\nassert helper_of_the_test()",
        "assert f(lambda x: x) == 1",
        "with open('file') as file:\n    assert f(file.read())",
        "print(f(1), file=data)",
        "assert eval('f(1)')",
        "assert getattr(f(1), 'x')",
        "assert f(1).__class__",
        "assert f(**{'x': 1})",
        "while True:\n    f(1)",
        "f(1)",
        "2.5",
        "assert_points(f(1))",
        "(n := f(1))\nassert n",
    ],
)
def test_a_cell_of_which_anything_else_is_not_known_is_taken_to_leave_something(source: str):
    assert not traceless(source)


def plan(folder: Path, *tests: str) -> list[MasterCell]:
    path = folder / "master.ipynb"
    cells = [cell("def f(x): return x", "f", role="solution")]
    cells += [cell(each, f"test_{number}", role="test", points=1) for number, each in enumerate(tests)]
    write(path, notebook(*cells))
    return master_cells(path)


def verdicts(folder: Path, answer: str, *tests: str, seconds: float = 5.0, apart: bool = False) -> list[str]:
    """What comes of each test cell in turn, all in one process: why it fails, or nothing."""
    found = []
    with TestCells(plan_of(plan(folder, *tests)), folder, Limits(cell_seconds=seconds, memory_mb=300)) as running:
        for test in running.plan.tests.values():
            names: dict[str, Any] = {"__name__": "__main__"}
            exec(answer, names)
            tested = running.run(test, Loopback(names), has_object=lambda *_: False, apart=apart)
            found.append(said(tested))
    return found


def said(tested: Tested) -> str:
    assert not [each.trouble for each in tested.statements if each.trouble], tested
    causes = [each.cause for each in tested.statements if each.cause is not None]
    return causes[0].text or causes[0].kind if causes else ""


ANSWERS = {
    "right": "def f(x): return x",
    "wrong": "def f(x): return [x]",
    "raises": "def f(x): raise KeyError(x)",
    "gives an object": "class Thing:\n    def __eq__(self, other): return True\ndef f(x): return Thing()",
    "raises its own exception": "class Mine(ValueError): pass\ndef f(x): raise Mine(x)",
    "gives an array with a mask": "import numpy as np\ndef f(x): return np.ma.masked_array([1.0], [True])",
    "changes what it is given": "def f(x):\n    x.append(3) if isinstance(x, list) else None\n    return x",
    "is no function": "f = 3",
    "is not there": "",
}
TESTS = (
    "assert f(1) == 1",
    "x = [1, 2]\nassert f(x) == [1, 2]",
    "try:\n    f(1)\nexcept ValueError:\n    pass\nelse:\n    assert f(2) == 2",
    "try:\n    assert f(3) == 3\nexcept:\n    pass",
    "import numpy as np\nnp.testing.assert_equal(f(1), 1)",
)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_it_has_the_verdict_that_it_has_in_a_process_of_its_own(answer: str, tmp_path: Path):
    given = partial(verdicts, tmp_path, answer, *TESTS)
    assert given() == given(apart=True)


def test_what_takes_too_long_to_test_costs_its_own_cell_alone(tmp_path: Path):
    endless = "def f(x): return range(10**15)"
    first, second = verdicts(tmp_path, endless, "assert sum(f(1)) == 3", "assert len(f(1)) == 10**15", seconds=0.5)
    assert "takes too long to test" in first
    assert second == ""


def test_what_takes_too_much_memory_costs_its_own_cell_alone(tmp_path: Path):
    large = "def f(x): return 10**10"
    first, second = verdicts(tmp_path, large, "assert bytes(f(1)) == b''", "assert f(1) == 10**10")
    assert "memory" in first
    assert second == ""


def test_a_cell_that_leaves_python_costs_itself_alone(tmp_path: Path):
    first, second = verdicts(tmp_path, "def f(x): return x", "raise SystemExit", "assert f(1) == 1")
    assert first
    assert second == ""


class Counting(Loopback):
    """Counts the calls of a student's functions."""

    called = 0

    def exchange(self, message: tuple[Any, ...], function: str) -> Any:
        self.called += message[:1] == ("call",)
        return super().exchange(message, function)


@pytest.mark.parametrize(("apart", "times"), [(True, 1), (False, 2)])
def test_where_it_fails_it_is_run_again_but_not_where_somebody_looks_on(apart: bool, times: int, tmp_path: Path):
    calls = Counting({"f": lambda x: [x]})
    with TestCells(plan_of(plan(tmp_path, "assert f(1) == 1")), tmp_path, Limits()) as running:
        (test,) = running.plan.tests.values()
        assert said(running.run(test, calls, has_object=lambda *_: False, apart=apart))
    assert calls.called == times
