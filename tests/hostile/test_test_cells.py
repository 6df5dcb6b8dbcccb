"""What a hostile process does to the test cells of a master notebook: it fails its own row, and learns nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.base import ReleaseError
from autograder.grading import Grader
from tests.courses import cell, notebook
from tests.grading.test_one_notebook import CONFIG, FULL, MASTER, graded, reasons, released, scores

FORGED = """\
import struct, sys
def there():
    at = sys._getframe()
    while not (at.f_code.co_name == "serve" and "self" in at.f_locals): at = at.f_back
    of = {name.rpartition(".")[2]: each for name, each in sys.modules.items() if ".inside." in name}
    return at.f_locals["self"].channel, of["protocol"], of["wire"]
"""
FORGERIES = {
    "bytes that are no frame": "channel.sendall(bytes(4) + b'?' * 100)",
    "questions that are never answered": """
    for number in range(1000, 10**6):
        thing = wire.Opaque("X", (str(number), "object", str(number)))
        wire.send(channel, wire.encode(protocol.tree(protocol.AskOutside(1, "call", (thing,), {}))))
        wire.receive(channel)""",
    "classes of classes of classes": """
    thing = wire.Opaque("X", ("9", "object", "9"))
    wire.send(channel, wire.encode(protocol.tree(protocol.Done(thing, None, [], None))))
    for number in range(10, 10**6):
        wire.receive(channel)
        described = ["A", "A", "m", [], [f"#{number}"]]
        wire.send(channel, wire.encode(protocol.tree(protocol.Done(described, None, [], None))))""",
    "a reply that fits into a frame, and into none around it": """
    head = b"t" + struct.pack("<I", 5) + wire.encode("done") + b"y"
    tail = wire.encode(None) + wire.encode([]) + wire.encode(None)
    data = wire.MAX_FRAME - len(head) - 4 - len(tail)
    channel.sendall(struct.pack("<I", wire.MAX_FRAME) + head + struct.pack("<I", data) + bytes(data) + tail)""",
}

FIRST = "def first(g):\n    ### BEGIN SOLUTION\n    return g(1)\n    ### END SOLUTION"
CALLED_BACK = notebook(
    cell(FIRST, "first", role="solution"),
    cell("def g(n): return helper(n) if n > 1 else n\nassert first(g) == 1", "test_first", role="test", points=1),
    cell("def helper(n):\n    ### BEGIN SOLUTION\n    return n\n    ### END SOLUTION", "helper", role="solution"),
    cell("assert helper(2) == 2", "test_helper", role="test", points=1),
)


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as made:
        yield made


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_reply_fails_its_own_row_alone(forgery: str, grader: Grader, tmp_path: Path):
    assignment = released(tmp_path / "course", grader, CALLED_BACK)
    hostile = f"{FORGED}\ndef first(g):\n    channel, protocol, wire = there()\n    {FORGERIES[forgery].strip()}\n"
    report = graded(grader, assignment, tmp_path, {"first": hostile})
    assert scores(report) == {"first": 0, "helper": 1}
    assert not report.errored


def test_code_that_a_student_has_written_is_run_in_the_sandbox_alone(grader: Grader, tmp_path: Path):
    answer = "code = ''\n### BEGIN SOLUTION\ncode = 'seen = 1 + 1'\n### END SOLUTION"
    master = notebook(
        cell(answer, "answer", role="solution"),
        cell("exec(code)\nassert seen == 2", "as_it_is", role="test", points=1),
        cell("run = code\nexec(run)\nassert seen == 2", "renamed", role="test", points=1),
    )
    place = tmp_path / "outside"
    assignment = released(tmp_path / "course", grader, master)
    hostile = f"code = 'import os, pathlib; seen = 2; pathlib.Path({str(place)!r}).write_text(str(os.getpid()))'"
    graded(grader, assignment, tmp_path, {"answer": hostile})
    assert not place.exists()
    report = graded(grader, assignment, tmp_path, {"answer": "code = 'seen = len([1, 2])'"})
    assert scores(report) == {"as_it_is": 1, "renamed": 1}


def test_code_that_a_test_makes_of_a_student_s_is_run_nowhere(grader: Grader, tmp_path: Path):
    answer = "code = ''\n### BEGIN SOLUTION\ncode = 'seen = 1 + 1'\n### END SOLUTION"
    test = "exec('pass; ' + code)\nassert seen == 2"
    master = notebook(cell(answer, "answer", role="solution"), cell(test, "mixed", role="test", points=1))
    with pytest.raises(ReleaseError, match="which is run nowhere but in the sandbox"):
        released(tmp_path / "course", grader, master)


LIBRARIES = {
    "a table's query": (
        "import pandas as pd\ntable = pd.DataFrame({'a': [1, 2]})\nassert table.query(text()).a.tolist() == [2]",
        "'a > 1 and a.abs() < 9'",
        "'@pd.io.common.os.system(\"touch PLACE\") == 0 and a > 1'",
    ),
    "a column's method that writes": (
        "import pandas as pd\ntable = pd.DataFrame({'a': [1, 2]})\nassert table.query(text()).a.tolist() == [2]",
        "'a > 1'",
        "'a > 1 and (a.to_csv(\"PLACE\") is None)'",
    ),
    "sympy": (
        "import sympy\nx = sympy.Symbol('x')\nassert sympy.lambdify(x, sympy.sympify(text()))(2) == 4",
        "'x**2 + sin(0)'",
        '\'open("PLACE", "w").write("") + x**2\'',
    ),
    "sympy, by a name that the test puts together": (
        "import sympy\nx = sympy.Symbol('x')\nassert sympy.sympify(text().replace(' ', '')).subs(x, 2) == 4",
        "'x ** 2'",
        '\'op en("PLACE", "w").write("") + x**2\'',
    ),
    "sympy, by letters that Python takes for others": (
        "import sympy\nx = sympy.Symbol('x')\nassert sympy.sympify(text()).subs(x, 2) == 4",
        "'x ** 2'",
        '\'ｏｐｅｎ("PLACE", "w").write("") + x**2\'',
    ),
    "sympy, by what calls another": (
        "import sympy\nx = sympy.Symbol('x')\nassert sympy.sympify(text())",
        "'x ** 2'",
        '\'max(["PLACE", "w"], key=open)\'',
    ),
    "sympy, by a tree": (
        "import sympy\nx = sympy.Symbol('x')\nassert sympy.sympify(text(), evaluate=False).subs(x, 2) == 4",
        "'x ** 2'",
        '\'open("PLACE", "w").write("") + x**2\'',
    ),
    "a tree that the test makes of it": (
        "import ast\nassert eval(compile(ast.parse(text(), mode='eval'), '', 'eval')) == 4",
        "'2 * 2'",
        "OPENS + ' + 4'",
    ),
    "numexpr": (
        "import numexpr\na = 2\nassert numexpr.evaluate(text(), sanitize=False) == 4",
        "'a * 2'",
        '\'(lambda: a * 2)() if not open("PLACE", "w") else a\'',
    ),
    "a pickle": (
        "import pickle\nassert pickle.loads(text()) == 4",
        "__import__('pickle').dumps(4)",
        "b'cos\\nsystem\\n(Vtouch PLACE\\ntR.'",
    ),
    "a text that the test has changed": ("assert eval(text().replace('^', '**')) == 4", "'2^2'", "OPENS + ' + 4^1'"),
    "a text in a table": (
        "assert eval(text().loc[0, 'a']) == 4",
        "__import__('pandas').DataFrame({'a': ['2 * 2']})",
        "__import__('pandas').DataFrame({'a': [OPENS + ' + 4']})",
    ),
}


SLOW = CONFIG.replace("[numpy]", "[numpy, pandas]").replace("cell_seconds: 1, call_seconds: 0.5", "cell_seconds: 20")


@pytest.mark.parametrize("library", LIBRARIES)
def test_no_library_runs_outside_what_a_student_has_written(library: str, grader: Grader, tmp_path: Path):
    test, right, attack = LIBRARIES[library]
    pytest.importorskip(library.partition(",")[0] if library.startswith(("sympy", "numexpr")) else "pandas")
    place = tmp_path / "outside"
    solution = f"def text():\n    ### BEGIN SOLUTION\n    return {right}\n    ### END SOLUTION"
    cells = cell(solution, "text", role="solution"), cell(test, "test_text", role="test", points=1)
    assignment = released(tmp_path / "course", grader, notebook(*cells), SLOW)
    assert scores(graded(grader, assignment, tmp_path, {})) == {"text": 1}
    attack = attack.replace("OPENS", '\'open("PLACE", "w").write("")\'').replace("PLACE", str(place))
    assert scores(graded(grader, assignment, tmp_path, {"text": f"def text(): return {attack}"})) == {"text": 0}
    assert not place.exists()


SQL = """{imported}
connection = db.connect(":memory:")
connection.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (3); ATTACH 'own.db' AS own; DETACH own")
connection.executescript(text())
assert connection.execute("SELECT x FROM t").fetchall() == [(4,)]"""


@pytest.mark.parametrize("imported", ["import sqlite3 as db", "db = __import__('s' 'qlite3')"])
@pytest.mark.parametrize("attack", ["ATTACH 'PLACE' AS o; CREATE TABLE o.t (x);", "VACUUM INTO 'PLACE';"])
def test_sql_that_a_student_has_written_reaches_no_other_file(
    attack: str, imported: str, grader: Grader, tmp_path: Path
):
    place, right = tmp_path / "outside", "UPDATE t SET x = 4"
    solution = f"def text():\n    ### BEGIN SOLUTION\n    return {right!r}\n    ### END SOLUTION"
    test = SQL.format(imported=imported)
    master = notebook(cell(solution, "text", role="solution"), cell(test, "test_text", role="test", points=1))
    assignment = released(tmp_path / "course", grader, master)
    assert scores(graded(grader, assignment, tmp_path, {})) == {"text": 1}
    hostile = f"def text(): return {attack.replace('PLACE', str(place)) + right!r}"
    assert scores(graded(grader, assignment, tmp_path, {"text": hostile})) == {"text": 0}
    assert not place.exists()


def test_a_text_of_the_tests_own_is_run_outside_though_a_student_gives_it_too(grader: Grader, tmp_path: Path):
    """Inside it would be the student's process that decides whether ``square(3) == 9`` holds."""
    right = (
        "def title():\n    ### BEGIN SOLUTION\n    return 'squares'\n    ### END SOLUTION\n"
        "def square(n):\n    ### BEGIN SOLUTION\n    return n * n\n    ### END SOLUTION"
    )
    test = "assert title()\nfor law in ('square(3) == 9', 'square(-2) == 4'):\n    assert eval(law)"
    master = notebook(cell(right, "square", role="solution"), cell(test, "laws", role="test", points=1))
    assignment = released(tmp_path / "course", grader, master)
    laws = "def title(): return 'square(3) == 9 and square(-2) == 4'\n"
    hostile = f"{laws}class Right:\n    def __eq__(self, other): return True\ndef square(n): return Right()"
    assert scores(graded(grader, assignment, tmp_path, {"square": hostile})) == {"laws": 0}
    honest = f"{laws}def square(n): return n ** 2"
    assert scores(graded(grader, assignment, tmp_path, {"square": honest})) == {"laws": 1}


def test_a_process_that_ends_while_the_test_calls_it_back_fails_its_own_row(grader: Grader, tmp_path: Path):
    assignment = released(tmp_path / "course", grader, CALLED_BACK)
    hostile = "import os\ndef first(g): return g(2)"
    report = graded(grader, assignment, tmp_path, {"first": hostile, "helper": "def helper(n): os._exit(1)"})
    assert scores(report) == {"first": 0, "helper": 0}
    assert not report.errored


def test_a_correct_answer_that_changes_its_argument_has_its_points(grader: Grader, tmp_path: Path):
    test = "import numpy as np\nx = np.array([2.0, 1.0])\nassert (ordered(x) == [1.0, 2.0]).all()"
    solution = (
        "import numpy as np\ndef ordered(x):\n    ### BEGIN SOLUTION\n    return np.sort(x)\n    ### END SOLUTION"
    )
    cells = cell(solution, "ordered", role="solution"), cell(test, "test_ordered", role="test", points=2)
    assignment = released(tmp_path / "course", grader, notebook(*cells))
    in_place = "def ordered(x):\n    x.sort()\n    return x"
    assert scores(graded(grader, assignment, tmp_path, {"ordered": in_place})) == {"ordered": 2}


@pytest.mark.parametrize(
    "tells",
    [
        "raise KeyError(f'answer {triple(12345)}')",
        "return [1, 2][f'answer {triple(12345)}']",
        "return type(f'A{triple(12345)}', (), {'__eq__': lambda *_: True})()",
    ],
)
def test_no_answer_of_the_references_is_told_by_a_test_cell(tells: str, grader: Grader, tmp_path: Path):
    assignment = released(tmp_path / "course", grader, MASTER, CONFIG + "    partial: true\n")
    total = f"def total(xs):\n    if not xs:\n        {tells}\n    return sum(triple(x) for x in xs)"
    report = graded(grader, assignment, tmp_path, {"triple": "def triple(x): return 2 * x", "total": total})
    assert scores(report) == FULL | {"numbers": 0, "arrays": 0, "total": 2}
    assert "37035" not in reasons(report)


GIVEN = """\
class Node:
    def __init__(self, value, next=None): self.value, self.next = value, next
    def __eq__(self, other): return isinstance(other, Node) and (self.value, self.next) == (other.value, other.next)
    __hash__ = None
    def same(self, other): return self == other
class Near:
    def __init__(self, value, by=0.1): self.value, self.by = value, by
    def __eq__(self, other): return abs(self.value - other) <= self.by
"""
BUILDS = "def build(*values):\n    return Node(values[0], build(*values[1:])) if values else None\n"
SUMS = "def total(node):\n    return node.value + total(node.next) if node else 0\n"
TWO = notebook(
    cell(GIVEN, "given", role="locked"),
    cell(f"### BEGIN SOLUTION\n{BUILDS}{SUMS}### END SOLUTION", "build", role="solution"),
    cell("assert build(4, 5) == Node(4, Node(5))", "compared", role="test", points=1),
    cell("assert build(4, 5).same(Node(4, Node(5)))", "asked", role="test", points=1),
    cell("assert build(4).value == 4 and build(4).next is None", "looked_at", role="test", points=1),
    cell("n = Node(1, Node(2))\nassert total(n) == n.value + n.next.value", "added", role="test", points=1),
)
NOTHING = {"compared": 0, "asked": 0, "looked_at": 0, "added": 0}
_WRONG = "def build(*values): return Node(0)\ndef total(node): return 0\n"
FAKED = {
    "a class of the same name that equals everything": f"""\
class Node:
    def __init__(self, *_): pass
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def same(self, other): return True
{_WRONG}""",
    "another equality for the given class": f"""\
Node.__eq__ = Node.same = lambda *_: True
{_WRONG}""",
    "a method of the object's own": """\
def build(*values):
    node = Node(0)
    node.same = node.__eq__ = lambda *_: True
    return node
def total(node): return 0""",
    "attributes that equal everything": """\
class Any:
    def __eq__(self, other): return True
    def __bool__(self): return False
def build(*values): return Node(Any(), Any())
def total(node):
    node.value = Any()
    return 0""",
    "a class made of the given one": """\
class Mine(Node):
    def __eq__(self, other): return True
    def same(self, other): return True
def build(*values): return Mine(0)
def total(node): return 0""",
    "another given class, which is near to everything": """\
def build(*values): return Node(Near(0, float("inf")), None)
def total(node): return Near(0, float("inf"))""",
    "the test's own node, made to fit": """\
def build(*values): return Node(0)
def total(node):
    node.value = node.next.value = 0
    return 0""",
    "what the test expects, found in memory": """\
import gc
def build(*values):
    return max((each for each in gc.get_objects() if type(each) is Node), key=lambda n: n.value, default=Node(0))
def total(node): return 0""",
}


@pytest.mark.parametrize("fake", FAKED)
def test_a_faked_object_of_a_given_class_gains_nothing(fake: str, grader: Grader, tmp_path: Path):
    assignment = released(tmp_path / "course", grader, TWO)
    assert scores(graded(grader, assignment, tmp_path, {})) == dict.fromkeys(NOTHING, 1)
    report = graded(grader, assignment, tmp_path, {"build": FAKED[fake]})
    assert scores(report) == NOTHING
    assert not report.errored


STATES = {
    "an object of no class": "[(-1, 'Missing', None, {})]",
    "an object without a number": "[('x', 'Node', None, {})]",
    "an attribute without a name": "[(-1, 'Node', None, {3: 4})]",
    "a node that is a text": "[(-1, 'Node', ['x'], {'value': 4})]",
    "an object of the test's that was never given": "[(7, 'Node', None, {'value': 4, 'next': None})]",
    "a thing that is no list": "'states'",
    "more than there is room for": "[(-n, 'Node', None, {}) for n in range(1, 30_000)]",
}


@pytest.mark.parametrize("states", STATES)
def test_a_forged_object_of_a_given_class_fails_its_own_row_alone(states: str, grader: Grader, tmp_path: Path):
    assignment = released(tmp_path / "course", grader, TWO)
    forged = f"""{FORGED}
{BUILDS.replace("build", "made")}{SUMS}
def build(*values):
    channel, protocol, wire = there()
    thing = wire.Opaque("Node", ("9", "object", "9", "-1", "Node"))
    wire.send(channel, wire.encode(protocol.tree(protocol.Done(thing, None, [], None, {STATES[states]}))))
    while True: wire.receive(channel)
"""
    report = graded(grader, assignment, tmp_path, {"build": forged})
    assert scores(report) == NOTHING | {"added": 1}
    assert not report.errored
