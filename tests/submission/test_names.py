"""Which names a cell binds and reads, and which functions may call which, by the text of the cells alone."""

import builtins
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.submission import read_later, uses
from autograder.submission.names import binds, reads


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("x = 1", {"x"}),
        ("x, (y, *z) = f()", {"x", "y", "z"}),
        ("x: int = 1", {"x"}),
        ("x += 1", {"x"}),
        ("(x := 1)", {"x"}),
        ("def f(a): b = 1", {"f"}),
        ("def f():\n    global b\n    b = 1", {"f", "b"}),
        ("class C:\n    x = 1", {"C"}),
        ("import a.b, c as d\nfrom e import f as g", {"a", "d", "g"}),
        ("for i in x:\n    j = i", {"i", "j"}),
        ("with f() as g: pass", {"g"}),
        ("try: pass\nexcept E as e: pass", {"e"}),
        ("del x", {"x"}),
        ("x.y = 1\nz['a'].b[0] = 2", {"x", "z"}),
        ("match p:\n    case {'a': a, **rest}: pass\n    case [b, *c]: pass", {"a", "rest", "b", "c"}),
        ("f(x)", set()),
        ("[i for i in x]", set()),
        ("assert all(i > 0 for i, (j, k) in x)", set()),
        ("[(y := i) for i in x if (z := i)]", {"y", "z"}),
        ("[0 for a.b in x for c[0] in y]", {"a", "c"}),
        ("lambda y: y", set()),
        ("%matplotlib inline\nx = 1", {"x"}),
    ],
)
def test_a_cell_binds_what_later_cells_can_see_changed(source, names):
    assert binds(source) == names


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("y = x", {"x"}),
        ("x = 1\ny = x", set()),
        ("y = x\nx = 1", {"x"}),
        ("x += 1", {"x"}),
        ("x.append(1)", {"x"}),
        ("x[0] = 1", {"x"}),
        ("def f(x): return x", set()),
        ("def f(): return x", {"x"}),
        ("def f(y=x): return y", {"x"}),
        ("def f():\n    x = 1\n    def g(): return x + y\n    return g", {"y"}),
        ("f = lambda x: x + y", {"y"}),
        ("class C(B):\n    x = y", {"B", "y"}),
        ("if a:\n    x = 1\nprint(x)", {"a", "x", "print"}),
        ("[x for x in y]", {"y"}),
        ("[x for x in x]", {"x"}),
        ("{x: z for x in y if x > w}", {"w", "y", "z"}),
        ("[x for x in y for z in x]", {"y"}),
        ("[[x for x in z] for z in [x]]", {"x"}),
        ("[0 for a.b in x]", {"a", "x"}),
        ("@d\ndef f(): pass", {"d"}),
        ("%timeit softmax(z)", {"timeit", "softmax", "z"}),
        ("x = = 1", {"x"}),
    ],
)
def test_a_cell_reads_what_it_has_not_bound_before(source, names):
    assert reads(source) == names


@pytest.mark.parametrize("source", ["eval('x')", "globals()['x']", "exec(code)", "get_ipython().user_ns['x']"])
def test_a_cell_that_gets_at_names_in_hidden_ways_may_read_any(source):
    assert reads(source) is None
    assert read_later("x = 1", [source]) == {"x"}


@pytest.mark.parametrize("source", ["model.eval()", "class Net:\n    def eval(self):\n        self.training = False"])
def test_the_mode_of_a_network_is_no_hidden_way(source):
    assert read_later("x = 1", [source]) == set()


def test_a_table_that_evaluates_a_text_may_read_any_name():
    assert read_later("x = 1", ["table.eval('a + @x')"]) == {"x"}


def test_what_a_cell_imports_with_a_star_counts_as_read():
    assert read_later("from m import *", ["print(1)"])


@pytest.mark.parametrize("source", ["(" * 5000, "lambda: " * 3000 + "1", "x = " + "-" * 20000 + "1", "\0", "a" * 10**5])
def test_a_cell_that_cannot_be_understood_is_no_trouble(source):
    binds(source)
    reads(source)
    uses([source])("f")


@given(st.text(max_size=200))
def test_any_text_can_be_looked_through(source):
    assert isinstance(binds(source), frozenset)
    assert reads(source) is None or isinstance(reads(source), frozenset)


NAMES = st.sampled_from(["a", "b", "c", "d"])
STATEMENTS = st.one_of(
    st.builds("{} = 1".format, NAMES),
    st.builds("{} = {}".format, NAMES, NAMES),
    st.builds("def {}({}): return {}".format, NAMES, NAMES, NAMES),
    st.builds("if {}:\n    {} = {}".format, NAMES, NAMES, NAMES),
    st.builds("{} = [{} for {} in ({},)]".format, NAMES, NAMES, NAMES, NAMES),
    st.builds("[{} for {} in [{}] for {} in [{}] if {}]".format, *[NAMES] * 6),
    st.builds("{{{}: {} for {} in ({},)}}".format, *[NAMES] * 4),
    st.builds("import math as {}".format, NAMES),
    st.builds("({} := {})".format, NAMES, NAMES),
    st.builds("for {} in ({},):\n    {} = {}".format, NAMES, NAMES, NAMES, NAMES),
)
CELLS = st.lists(STATEMENTS, min_size=1, max_size=5).map("\n".join)


@given(CELLS)
def test_a_cell_runs_with_the_names_that_it_is_said_to_read_and_no_others(source):
    """Each name that is looked up at the top level is one of those, or has been bound by the cell."""
    looked_up: set[str] = set()

    class Names(dict):
        def __missing__(self, name: str) -> int:
            looked_up.add(name)
            return 1

    names = {"__builtins__": Names(__import__=builtins.__import__)}
    with contextlib.suppress(
        UnboundLocalError, TypeError
    ):  # a comprehension's own name read too early; a list as a key
        exec(compile(source, "cell", "exec"), names)
    needed = reads(source)
    assert needed is not None
    assert looked_up <= needed
    assert set(names) - {"__builtins__"} <= binds(source)


@pytest.mark.parametrize(
    ("cells", "function", "used"),
    [
        (["def f(): return g()\ndef g(): return h()", "def h(): pass"], "f", {"g", "h"}),
        (["def f(): return 1", "def g(): return f()"], "f", set()),
        (["def f(): return act(1)", "def g(x): return x", "act = g"], "f", {"act", "g"}),
        (["def f(): return steps[0](1)", "steps = []\nsteps.append(g)\ndef g(x): pass"], "f", {"steps", "g"}),
        (["class C:\n    def m(self): return g()\ndef g(): pass", "c = C()\ndef f(): c.m()"], "f", {"c", "C", "g"}),
        (["def f(): return missing()"], "f", {"missing"}),
    ],
)
def test_a_function_uses_what_it_can_come_to_through_names(cells, function, used):
    assert used <= uses(cells)(function)
    assert (used == set()) == (uses(cells)(function) == set())


@pytest.mark.parametrize(
    "cells", [["def f(): return eval('g()')", "def g(): pass"], ["f = (", "def g(): pass"], ["def g(): pass"]]
)
def test_a_function_that_is_not_understood_may_use_all(cells):
    assert "g" in uses(cells)("f")
