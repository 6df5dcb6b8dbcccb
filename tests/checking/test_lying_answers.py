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
    with contextlib.chdir(folder), TestCells(plan, folder, Limits(memory_mb=256)) as running:
        rehearsal = Rehearsal(path, plan, running)
        cell_of_test = plan.tests["the_test"]
        has_object = partial(rehearsal.has_object, cell_of_test)
        return running.run(cell_of_test, Loopback(names), partial=partial_credit, has_object=has_object)


def fails(tested: Tested) -> bool:
    """Whether it failed by the student's fault."""
    assert not [each.trouble for each in tested.statements if each.trouble], tested
    return any(each.cause is not None for each in tested.statements)


_RAISES = "class Bad(ValueError):\n    def __init__(self, n):\n        super().__init__(n)\n        self.n = n\n"

LIES = {
    "an exception that knows what is equal to everything": (
        f"{_RAISES}def f(x): raise Bad(x)",
        "try:\n    f(3)\nexcept Bad as error:\n    assert error.n == 3",
        f"{_RAISES}class L:\n    def __eq__(self, _): return True\ndef f(x): raise Bad(L())",
    ),
    "an exception that is called as one of the test's own": (
        "def f(g): return g()",
        "class Stop(Exception): pass\ndef g(): raise Stop\n"
        "try:\n    f(g)\nexcept Stop:\n    pass\nelse:\n    assert False",
        "class Stop(Exception): pass\ndef f(g): raise Stop",
    ),
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
    "an argument that is changed to what is given back": (
        DOUBLE,
        "import numpy as np\nx = np.arange(3.0)\nnp.testing.assert_allclose(f(x), x * 2)",
        "def f(x):\n    x[:] = 0\n    return x",
    ),
    "a state of random numbers in which all are 0": (
        DOUBLE,
        "import numpy as np\nnp.random.seed(1)\nf(0.0)\nfor _ in range(5):\n    x = np.random.rand()\n"
        "    assert f(x) == 2 * x",
        "import numpy as np\ndef f(x):\n    state = np.random.get_state(legacy=False)\n"
        "    state['state']['key'][:] = 0\n    np.random.set_state(state)\n    return 0.0",
    ),
    "a generator in another state": (
        "def f(x, rng): return 2 * x",
        "import numpy as np\nrng = np.random.default_rng(1)\nf(0.0, rng)\n"
        "for _ in range(5):\n    x = rng.random()\n    assert f(x, rng) == 2 * x",
        "import numpy as np\ndef f(x, rng):\n    now = np.random.default_rng(7).bit_generator.state\n"
        "    rng.bit_generator.state = now\n    return 2 * 0.625095466604667",
    ),
    "an end of the test's loop": (
        DOUBLE,
        "for got, want in zip(map(f, [1, 2]), [2, 4]):\n    assert got == want",
        "def f(x): raise StopIteration",
    ),
    "a context that takes the test's failure": (
        "class C:\n    n = 1\n    def __enter__(self): return self\n    def __exit__(self, *_): return False",
        "with C() as c:\n    assert c.n == 1",
        "class C:\n    n = 0\n    def __enter__(self): return self\n    def __exit__(self, *_): return True",
    ),
    "masked entries": (
        DOUBLE,
        ALL_CLOSE,
        "import numpy as np\ndef f(x): return np.ma.array([2.0, 0, 0], mask=[0, 1, 1])",
    ),
    "an object where the test compares objects and numbers by the same line": (
        "class V:\n    def __init__(self, a): self.a = a\n    def __eq__(self, other): return self.a == other.a\n"
        "    def norm(self): return 5",
        "def check(got, want): assert got == want\nfor got, want in [(V(1), V(1)), (V(1).norm(), 5)]: check(got, want)",
        "class V:\n    def __init__(self, a): pass\n    def __eq__(self, other): return True\n"
        "    def norm(self): return V(1)",
    ),
    "one guess after the other": (
        "def f(given): given(42)",
        "def given(x):\n    assert x == 42\nf(given)",
        "def f(given):\n    for n in range(50):\n        try: return given(n)\n        except AssertionError: pass",
    ),
    "a number of points that is none": (
        "def f(x): return 1",
        "1 - abs(f(1) - 1)",
        "def f(x): return float('nan')",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_lies_has_no_points(lie: str, tmp_path: Path):
    right, test, answer = LIES[lie]
    assert not fails(ran(tmp_path, right, test, right))
    tested = ran(tmp_path, right, test, answer)
    assert fails(tested) or tested.number == 0


ESCAPES = {
    "a path": (
        "def f(p): return True",
        "from pathlib import Path\nassert f(Path('words.txt'))\nassert not Path('written').exists()",
        "def f(p):\n    p.with_name('written').write_text('x')\n    return True",
    ),
    "a database": (
        "def f(c): return True",
        "import os, sqlite3\nassert f(sqlite3.connect(':memory:'))\nassert not os.path.exists('written')",
        "def f(c):\n    c.execute('ATTACH \"written\" AS w')\n    c.execute('CREATE TABLE w.t (a)')\n    return True",
    ),
    "a table": (
        "def f(d): return True",
        "import os, pandas as pd\nassert f(pd.DataFrame({'a': [object()]}))\nassert not os.path.exists('written')",
        "def f(d):\n    d.to_csv('written')\n    return True",
    ),
    "an array of objects": (
        "def f(a): return True",
        "import os, numpy as np\nassert f(np.array([object()]))\nassert not os.path.exists('written')",
        "def f(a):\n    a.dump('written')\n    return True",
    ),
    "a function that opens files": (
        "def f(g): return True",
        "import os\nassert f(os.makedirs)\nassert not os.path.exists('written')",
        "def f(g):\n    g('written')\n    return True",
    ),
}


@pytest.mark.parametrize("given", ESCAPES)
def test_what_a_test_gives_to_an_answer_reaches_nothing_outside(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    right, test, answer = ESCAPES[given]
    inside = tmp_path / "inside"
    inside.mkdir()
    with monkeypatch.context() as there:
        # The answer is run in this process, from another folder than the test.
        there.setattr(contextlib, "chdir", lambda _: contextlib.nullcontext())
        there.chdir(inside)
        ran(tmp_path, right, test, answer)
    assert not (tmp_path / "written").exists()


FAULTS = {
    "an exception that cannot be shown": (
        f"{_RAISES}def f(x): raise Bad(x)",
        "try:\n    f(3)\nexcept ValueError as error:\n    assert str(error) == '3'",
        "class Bad(ValueError):\n    def __str__(self): raise SystemExit\ndef f(x): raise Bad(x)",
    ),
    "no value for a later part of the test": (
        "def f(x): return 2",
        "try:\n    r = f(1)\nexcept ValueError:\n    pass\nassert r == 2",
        "def f(x): raise ValueError",
    ),
    "an object that cannot be shown": (
        "def f(x): return 2",
        "assert {2: 3}[f(1)] == 3",
        "class L:\n    def __hash__(self): return 1\n    def __repr__(self): raise SystemExit\ndef f(x): return L()",
    ),
    "more than there is memory for": (
        "def f(x): return [1]",
        "xs = []\nfor _ in range(10_000):\n    xs.append(f(1))\nassert len(xs) == 10_000",
        "import numpy as np\ndef f(x): return np.ones(1_000_000)",
    ),
    "more than there is memory for, in one go": (
        "def f(x): return [1]",
        "xs = []\nfor _ in range(10_000):\n    xs.append(f(1))\nassert len(xs) == 10_000",
        "import numpy as np\ndef f(x): return np.ones(2_000_000)",
    ),
    "an end of the process": (
        "def f(x): return 0",
        "import ctypes\nctypes.string_at(f(1) or id(f), 1)",
        "def f(x): return 8",
    ),
    "calls that call each other for ever": (
        "def f(g): return g(0)",
        "def g(n): return f(g) if n else 1\nassert f(g) == 1",
        "def f(g): return g(1)",
    ),
    "an exception of the grader's own": (
        "def f(x): return 1",
        "assert f(1) == 1",
        "import sys\ndef f(x): raise sys.modules['autograder.base'].Stopped('')",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_an_answer_does_to_the_test_is_its_own_fault(fault: str, tmp_path: Path):
    right, test, answer = FAULTS[fault]
    assert fails(ran(tmp_path, right, test, answer))


def test_a_part_of_a_test_that_needs_an_earlier_one_fails_with_it(tmp_path: Path):
    test = "r = f(1)\nassert r == 2\nassert f(2) == 2"
    answer = "def f(x):\n    if x == 1: raise ValueError\n    return 2"
    tested = ran(tmp_path, "def f(x): return 2", test, answer, partial_credit=True)
    assert fails(tested)
    assert [each.cause is None for each in tested.statements] == [False, False, True]


def test_a_name_of_the_tests_that_no_function_reads_stays_outside(tmp_path: Path):
    solution = "expected = 5\ndef f(x): return [1, 4, 9]"
    test = "expected = [1, 4, 9]\nassert f(3) == expected"
    assert not fails(ran(tmp_path, solution, test, solution))
    assert fails(ran(tmp_path, solution, test, "def f(x): return globals()['expected']"))
    assert fails(ran(tmp_path, solution, test, "expected = 5\ndef f(x): return globals()['expected']"))


def test_a_visible_function_tells_nothing_of_a_hidden_call(tmp_path: Path):
    test = (
        "def check(got, table): return table[got]\nassert check(f(1), {1: 1})\n"
        "### BEGIN HIDDEN TESTS\nassert check(f(2), {2: 'secret'}) == 'secret'\n### END HIDDEN TESTS"
    )
    tested = ran(tmp_path, "def f(x): return x", test, "def f(x): return x if x == 1 else 'another'")
    assert fails(tested)
    causes = [each.cause for each in tested.statements if each.cause is not None]
    assert [cause.exception for cause in causes] == [""]
    assert "hidden" in causes[0].text
