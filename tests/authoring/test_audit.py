"""The audit: wrong versions of the solved master, right ones in other words, and what is said of them."""

import ast
import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from autograder import cli
from autograder.authoring import Audit, audit_page, audit_tree, run_audit, stock_mistakes, unaudited, write_record
from autograder.authoring.audit.alternates import alternates
from autograder.authoring.audit.editing import without_docstrings
from autograder.authoring.audit.equivalents import equivalent_to, read_equivalents
from autograder.authoring.audit.mutants import mutants
from autograder.authoring.audit.observing import Observed, common_form
from autograder.authoring.audit.record import audited_digest
from autograder.authoring.audit.solved import names_tested, numpy_name, parsed, reached, solved_cells
from autograder.authoring.audit.stock import stock_mutants
from autograder.base import CheckError, ConfigError
from autograder.course import Assignment, load_course
from autograder.grading import assignment_digest
from autograder.operations import cores
from tests.courses import CENTRE, CHECKS, SCALE, cell, make_course, notebook, solved

Run = Callable[..., tuple[int, str, str]]

ROOT = Path(__file__).parents[2]

THOROUGH = """\
import numpy as np

from autograder.checking import Draw, Reference, Student, agree, check, matches


@check("scale")
def test_scale(student: Student, reference: Reference, draw: Draw) -> None:
    \"\"\"Vectors and matrices are scaled, and stay as they are.\"\"\"
    for shape, factor in [((5,), 3.5), ((2, 3), -2.5), ((1, 4), 0.25), ((1,), 2.5)]:
        matches(student.scale, reference.scale, draw.normal(size=shape), factor).unchanged()
    for x in large(draw):
        matches(student.scale, reference.scale, x, 20.0)


@check("centre")
def test_centre(student: Student, reference: Reference, draw: Draw) -> None:
    \"\"\"The mean is taken off.\"\"\"
    for shape in [(5,), (2, 3), (1, 4), (1,)]:
        matches(student.centre, reference.centre, 1.0 + draw.exponential(size=shape)).unchanged()
    for x in large(draw):
        matches(student.centre, reference.centre, x)


def large(draw: Draw) -> list[np.ndarray]:
    \"\"\"Numbers beyond any limit on the way, and in float32 with a 0 among them.\"\"\"
    x = 1e4 * draw.normal(size=6)
    x[2] = 0.0
    return [x, x.astype(np.float32)]
"""
"""Checks of the tiny course that no mutant gets past, but for one that is right."""

EQUIVALENT = """\
- function: centre
  line: return scale(x, 1.0) - x.mean()
  becomes: return scale(1.0, x) - x.mean()
  reason: A product is the same the other way round.
"""

WITH_NUMPY = SCALE.replace("x * factor", "np.multiply(x, factor)")

MISTAKES = """\
from autograder.authoring import Mistake

MISTAKES = (
    Mistake("adds", "scale", "Adds the factor.", "def scale(x, factor): return factor + x"),
    Mistake("never-ends", "scale", "Never ends.", "def scale(x, factor):\\n    while True: pass", hangs=True),
)
"""

NOTHING_OBSERVED = Observed({}, {}, {}, {}, (), 0.0)


def afters(code: str, *, arrays: tuple[str, ...] = ()) -> list[str]:
    """The changed lines of a function's mutants."""
    tree = without_docstrings(parsed(code))
    names = {node.name: frozenset(arrays) for node in tree.body if isinstance(node, ast.FunctionDef)}
    return [change.after for change in mutants(tree, "np", names)]


# Mutants


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("return x + y", "return x - y"),
        ("return x - y", "return y - x"),
        ("return x - y", "return x"),
        ("return -x", "return x"),
        ("return x < y", "return x <= y"),
        ("return x.T @ y", "return x @ y"),
        ("return x @ y", "return x @ y.T"),
        ("return np.sum(x, axis=-1, keepdims=True)", "return np.mean(x, axis=-1, keepdims=True)"),
        ("return np.sum(x, axis=-1, keepdims=True)", "return np.sum(x, axis=0, keepdims=True)"),
        ("return np.sum(x, axis=-1, keepdims=True)", "return np.sum(x, axis=-1)"),
        ("return np.sqrt(x) + y", "return np.sqrt(x + y)"),
        ("return np.where(x > 0, x, y)", "return np.where(x > 0, y, x)"),
        ("return x.copy()", "return x"),
        ("return x[1:]", "return x[:]"),
        ("return x[y, 0]", "return x[0, y]"),
        ("return x / 2.5", "return x / 5.0"),
        ("return x * 0.5", "return x * 0.5005"),
        ("return {'a': x, 'b': y}", "return {'a': x}"),
        ("x = x * y", "x[...] = x * y"),
        ("for z in x: y += z", "for z in list(x)[:-1]:"),
        ("for z in x: y += z", "y -= z"),
        ("if x: return y", "if not x:"),
        ("yield x, y", "yield (y, x)"),
        ("x, y = y", "y, x = y"),
    ],
)
def test_a_line_is_changed_in_the_ways_in_which_people_go_wrong(line: str, becomes: str) -> None:
    assert becomes in afters(f"def f(x, y):\n    {line}", arrays=("x",))


def test_names_are_taken_for_others_that_are_spelt_alike() -> None:
    assert "return beta2 * x" in afters("def f(x, beta1, beta2):\n    return beta1 * x")


def test_what_makes_no_difference_is_not_changed() -> None:
    code = '''
def f(x: "np.ndarray" = None) -> "float":
    """Two times x + 1."""
    if x is None:
        raise ValueError(f"x is {x!r}, 1 + 1")
    assert x > 0, "x - 1 should be positive"
    return x
'''
    right = without_docstrings(parsed(code))
    kept = [ast.unparse(node) for node in ast.walk(right) if isinstance(node, ast.Raise | ast.Assert)]
    made = list(mutants(right, "np", {}))
    assert made
    for change in made:
        assert '"np.ndarray"' in change.source.replace("'", '"')
        # A condition that never holds, or always, is another matter than what is raised.
        if change.before == "return x":
            assert all(each in change.source for each in kept)


def test_a_mutant_is_a_program_of_its_own(week2: Assignment) -> None:
    for each in solved_cells(week2):
        if each.row:
            right = without_docstrings(parsed(each.source))
            sources = [change.source for change in mutants(right, "np", {})]
            assert len(set(sources)) == len(sources) > 0
            assert ast.unparse(right) not in sources
            for source in sources:
                compile(source, "cell", "exec")


def test_stock_mistakes_follow_what_the_checks_passed_and_got() -> None:
    import numpy as np

    tree = parsed(
        "def step(param, velocity, lr, beta=0.9):\n    velocity = beta * velocity\n    return param, velocity"
    )
    arrays = np.ones((2, 3)), np.ones((2, 3))
    seen = replace(NOTHING_OBSERVED, arguments={"step": [((*arrays, 0.1), {})]}, results={"step": ("floats", "floats")})
    shown = [change.after for change in stock_mutants(tree, "np", seen)]
    assert "beta = 0.9  # at the start" not in shown, "beta was never passed"
    for expected in [
        "param = np.ones_like(param)  # at the start",
        "given_velocity += 1",
        "return … given_velocity",
        "return param",
        "return (np.zeros_like(param), velocity)",
        "return (param * 1.001, velocity)",
        "return (param, velocity / len(param))",
    ]:
        assert expected in shown


def of_one_call(code: str, given: tuple[object, ...], result: object) -> list[str]:
    """The stock mistakes in a function, where the checks call it once."""
    tree = without_docstrings(parsed(code))
    (name,) = (node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    seen = replace(NOTHING_OBSERVED, arguments={name: [(given, {})]}, results={name: result})
    return [change.after for change in stock_mutants(tree, "np", seen)]


@pytest.mark.parametrize(
    ("code", "given", "result", "expected"),
    [
        (
            "def f(x, lr, steps): return x * lr * steps",
            (2 * np.ones((2, 3)), 2.0, 3),
            "floats",
            [
                "x = np.clip(x, -1000.0, 1000.0)  # at the start",
                "lr = min(lr, 10.0)  # at the start",
                "steps = min(steps, 100)  # at the start",
                "return np.clip(x * lr * steps, -1000.0, 1000.0)",
                "return np.float32(x * lr * steps)",
                "x = np.where(x == 0, np.nan, x) if x.dtype == np.float32 else x  # at the start",
                "x = np.where(abs(x) > 100.0, np.nan, x) if x.dtype == np.float32 else x  # at the start",
            ],
        ),
        (
            "def f(params): return params",
            ({"W": 2 * np.ones((2, 3))},),
            {"W": "floats"},
            [
                "return {key: np.float32(value) for key, value in params.items()}",
                "params = {key: np.clip(value, -1000.0, 1000.0) for key, value in params.items()}  # at the start",
            ],
        ),
        (
            "def f(x, labels, classes): return x[labels, classes]",
            (np.ones((2, 3)), np.array([0, 2]), 3),
            "floats",
            [
                "classes = int(np.max(labels)) + 1  # at the start",
                "classes = len(np.unique(labels))  # at the start",
                "x = x[:, :int(np.max(labels)) + 1]  # at the start",
            ],
        ),
    ],
)
def test_what_ordinary_inputs_do_not_show_is_tried(
    code: str, given: tuple[object, ...], result: object, expected: list[str]
) -> None:
    assert set(expected) <= set(of_one_call(code, given, result))


def test_a_method_is_changed_by_what_the_checks_passed_to_it_and_named_with_its_class() -> None:
    code = """
class Linear:
    def __init__(self, W, rate=0.5):
        self.W = rate * W
    def forward(self, x):
        return x @ self.W
class Other:
    def forward(self, x):
        return x
"""
    W, x = 2 * np.ones((3, 4)), 2 * np.ones((2, 3))
    seen = replace(
        NOTHING_OBSERVED,
        arguments={"Linear": [((W,), {"rate": 0.1})], "Linear.forward": [((x,), {})]},
        results={"Linear.forward": "floats"},
    )
    made = {(change.function, change.after) for change in stock_mutants(parsed(code), "np", seen)}
    assert {
        ("Linear.__init__", "rate = 0.5  # at the start"),
        ("Linear.__init__", "W = np.clip(W, -1000.0, 1000.0)  # at the start"),
        ("Linear.forward", "given_x += 1"),
        ("Linear.forward", "return x @ self.W / len(x)"),
    } <= made
    # What another class's method is passed says nothing of this one's.
    assert {after for function, after in made if function == "Other.forward"} == {
        "self.first = getattr(self, 'first', None) or (x,); return self.first[0]"
    }
    assert {change.function for change in mutants(parsed(code), "np", {})} == {
        "Linear.__init__",
        "Linear.forward",
        "Other.forward",
    }


def test_what_is_never_above_1_is_a_share_and_not_cut_off() -> None:
    shown = of_one_call("def f(p, beta): return p * beta", (np.full(3, 0.5), 0.9), "vector")
    assert not [each for each in shown if each.startswith(("p = np.clip", "beta = min"))]


def test_a_floor_that_float32_rounds_to_0_is_tried() -> None:
    assert "return np.log(x + 1e-300)" in afters("def f(x): return np.log(x + 1e-30)")


@pytest.fixture(scope="module")
def week2() -> Assignment:
    return load_course(ROOT).assignment("week2")


def test_the_same_master_gives_the_same_mutants(week2: Assignment) -> None:
    def once() -> list[str]:
        trees = [without_docstrings(parsed(each.source)) for each in solved_cells(week2) if each.row]
        return [change.source for tree in trees for change in mutants(tree, "np", {})]

    assert once() == once()


# The solved master


def test_the_cells_that_count_are_the_rows_and_what_they_need(week2: Assignment) -> None:
    cells = solved_cells(week2)
    assert [each.row for each in cells if each.row] == [row.name for row in week2.rows]
    (setup,) = [each for each in cells if not each.row]
    assert "import numpy as np" in setup.source
    assert numpy_name(cells) == "np"


def test_a_change_reaches_the_rows_that_call_it(week2: Assignment) -> None:
    cells = solved_cells(week2)
    called = {row.name: set(row.functions) for row in week2.rows}
    softmax = next(each for each in cells if each.row == "softmax")
    assert reached(cells, softmax, called) == {"softmax", "softmax_cross_entropy", "mlp_loss_and_grads", "train"}
    assert "one_hot" in reached(cells, softmax, called | {"one_hot": {"one_hot", "softmax"}})


def test_right_answers_are_programs_that_define_the_same_functions(week2: Assignment) -> None:
    made = alternates(solved_cells(week2), NOTHING_OBSERVED)
    assert len({each.name for each in made}) == len(made) > 20
    wanted = {name for row in week2.rows for name in row.functions}
    for each in made:
        defined = set()
        for source in each.cells:
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.FunctionDef):
                    defined.add(node.name)
        assert wanted <= defined, each.name


class Page(HTMLParser):
    """What there is on a page: tags with their attributes, and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


# Auditing


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ``autograder …`` in the course's folder: (exit status, standard output, standard error)."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["autograder", *arguments])
        status = 0
        try:
            cli.main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def course(
    root: Path, checks: str = THOROUGH, equivalent: str = EQUIVALENT, scale: str = WITH_NUMPY, centre: str = CENTRE
) -> Path:
    """The tiny course, without its tight limits, with these checks and solutions."""
    tree = solved()
    tree["cells"][2]["source"], tree["cells"][4]["source"] = scale, centre
    make_course(root, master=tree)
    config = root / "gradebook_config.yaml"
    config.write_text(re.sub(r"(?m)^    limits: .*\n", "", config.read_text(encoding="utf-8")), encoding="utf-8")
    (root / "checks/warmup/test_warmup.py").write_text(checks, encoding="utf-8")
    (root / "solutions/warmup/equivalent.yaml").write_text(equivalent, encoding="utf-8")
    return root


@pytest.mark.sandbox
def test_checks_that_catch_every_mutant_pass_their_audit(tmp_path: Path, run: Run) -> None:
    course(tmp_path, equivalent=EQUIVALENT + EQUIVALENT.replace("scale(1.0, x) -", "scale(2.0, x) -"))
    (tmp_path / "solutions/warmup/mistakes.py").write_text(MISTAKES, encoding="utf-8")
    status, out, _ = run("audit", "warmup", "--jobs", "1", "--output", "audit.html")
    assert status == 0, out
    assert re.search(r"^scale +(\d+) +\1 +0 +0 +0$", out, re.MULTILINE)
    assert re.search(r"^centre +\d+ +\d+ +1 +0 +0$", out, re.MULTILINE)
    assert "23 of 23 right answers have full marks" in out
    # An entry for no mutant is reported, and is no failure.
    assert "no mutant of centre is like this any more: return scale(x, 1.0) - x.mean() → return scale(2.0, x)" in out
    assert "A product is the same the other way round." in (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert unaudited(load_course(tmp_path).assignment("warmup")) == ""


@pytest.mark.sandbox
def test_what_survives_is_printed_with_its_change(tmp_path: Path, run: Run) -> None:
    course(tmp_path, checks=CHECKS)
    status, out, _ = run("audit", "warmup", "--jobs", "1", "--row", "scale")
    assert status == 1
    assert "✗ scale: an argument ignored: def scale(x, factor): → factor = 3.0  # at the start\n  survived" in out
    assert "+    factor = 3.0\n" in out
    assert "Only a part of the mutants was tried, so this audit is not kept." in out
    assert "never audited" in unaudited(load_course(tmp_path).assignment("warmup"))


IN_PARTS = """\
def scale(x, factor):
    return x * factor if "<b>" else 0
"""

BY_ANOTHER_NAME = """\
by_another_name = scale


def centre(x):
    return by_another_name(x, 1.0) - x.mean()


def pair(x):
    return x, x
"""

ODD = """

@check("scale")
def test_careless(student: Student) -> None:
    assert (student.scale(np.ones(2), 3.0).value - 3.0).sum() == 0


@check("centre")
def test_picky(student: Student) -> None:
    \"\"\"A pair is a tuple.\"\"\"
    if not isinstance(student.pair(1.0).value, tuple):
        raise Wrong("Yours is none.")
"""


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """The audit of a course with all that can be wrong: careless and picky checks, a row that cannot be helped."""
    checks = THOROUGH.replace("\n\n\n", "\nfrom autograder.base import Wrong\n\n\n", 1) + ODD
    root = course(tmp_path_factory.mktemp("odd"), checks=checks, scale=IN_PARTS, centre=BY_ANOTHER_NAME)
    with (root / "solutions/warmup/__init__.py").open("a", encoding="utf-8") as reference:
        reference.write("\n\ndef pair(x):\n    return x, x\n")
    return run_audit(load_course(root).assignment("warmup"), jobs=cores())


@pytest.mark.sandbox
def test_a_mutant_that_costs_another_row_is_reported(odd: Audit) -> None:
    # By another name, a function cannot be answered by the reference where it is wrong.
    spilled = {each.mutant.after: each.spills for each in odd.mutants if each.mutant.row == "scale" and each.spills}
    assert spilled["return x + factor if '<b>' else 0"] == ("centre",)
    assert "factor = 3.5  # at the start" in spilled
    assert not odd.passed


@pytest.mark.sandbox
def test_a_right_answer_that_loses_points_is_reported(odd: Audit) -> None:
    lost = {each.alternate.name: each.lost for each in odd.right if each.lost}
    assert lost == {"lists returned for tuples": (("centre", "A pair is a tuple. Yours is none."),)}


@pytest.mark.sandbox
def test_a_mutant_on_which_a_check_itself_fails_is_reported(odd: Audit) -> None:
    errored = {each.mutant.after: each.reason for each in odd.mutants if each.status == "errored"}
    assert "TypeError" in errored["return"]


@pytest.mark.sandbox
def test_the_page_and_the_json_say_what_was_found(odd: Audit) -> None:
    tree = json.loads(json.dumps(audit_tree(odd)))
    assert tree["total"]["made"] == len(tree["mutants"]) == sum(row["made"] for row in tree["rows"])
    page = Page(audit_page(odd))
    survived = [each for each in tree["mutants"] if each["status"] == "survived"]
    assert survived
    for each in survived:
        assert each["diff"] in page.text
    assert "A pair is a tuple. Yours is none." in page.text
    names = [tag for tag, _ in page.tags]
    assert {"main", "h1", "table", "svg", "figure"} <= set(names)
    assert "b" not in names, "what stands in code is no markup"


@pytest.mark.sandbox
def test_the_page_fetches_nothing_and_runs_nothing(odd: Audit) -> None:
    page = Page(audit_page(odd))
    assert "script" not in [tag for tag, _ in page.tags]
    policy = next(attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    fetched = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")]
    assert all(value is not None and value.startswith("#") for value in fetched)


@pytest.mark.sandbox
def test_the_page_follows_the_reader_s_colours_and_names_its_figure(odd: Audit) -> None:
    text = audit_page(odd)
    page = Page(text)
    assert "prefers-color-scheme: dark" in text
    assert "currentColor" in text
    (figure,) = [attributes for tag, attributes in page.tags if tag == "figure"]
    assert re.search(r"scale: \d+ of \d+; centre: \d+ of \d+", str(figure["aria-label"]))
    heads = [attributes.get("scope") for tag, attributes in page.tags if tag == "th"]
    assert heads
    assert all(heads)


@pytest.mark.sandbox
def test_a_master_that_does_not_pass_its_checks_cannot_be_audited(tmp_path: Path) -> None:
    tiny = load_course(course(tmp_path, scale="def scale(x, factor):\n    return x")).assignment("warmup")
    with pytest.raises(CheckError, match=r"warmup\.ipynb does not pass its checks, so there is nothing to audit"):
        run_audit(tiny, jobs=1)


@pytest.mark.sandbox
@pytest.mark.thorough
def test_week_2_kills_a_sample_of_its_mutants_and_takes_right_answers(week2: Assignment) -> None:
    rows = ["softmax", "relu_forward", "linear_backward", "adam_step"]
    found = run_audit(week2, rows=rows, limit=60, jobs=cores())
    assert len(found.mutants) == 60
    assert [each.mutant.after for each in found.mutants if each.status not in ("killed", "equivalent")] == []
    assert found.passed


def test_a_row_that_is_not_there_is_refused(warmup: Assignment) -> None:
    with pytest.raises(ConfigError, match=r"warmup\.ipynb has no row scales; it has scale, centre"):
        run_audit(warmup, rows=["scales"], jobs=1)


# Equivalent mutants


def test_an_entry_knows_its_mutants_by_their_text(warmup: Assignment) -> None:
    (warmup.solutions / "equivalent.yaml").write_text(
        "- function: scale\n  line: return x * factor\n  becomes: [return factor*x, return   x]\n"
        "  reason: It is\n    the same.\n"
    )
    entries = read_equivalents(warmup)
    assert [each.becomes for each in entries] == ["return factor*x", "return   x"]
    found = equivalent_to("scale", "return x*factor", "return factor * x", entries)
    assert found is not None
    assert found.reason == "It is the same."
    assert equivalent_to("scale", "return x * factor", "return x + factor", entries) is None
    assert equivalent_to("centre", "return x * factor", "return x", entries) is None


def test_the_lists_of_a_master_that_is_its_own_reference_lie_hidden_beside_it(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    shutil.rmtree(root / "solutions")
    warmup = load_course(root).assignment("warmup")
    assert read_equivalents(warmup) == ()
    grade, audited = assignment_digest(warmup), audited_digest(warmup)
    (root / "source/warmup/.warmup.equivalent.yaml").write_text(EQUIVALENT, encoding="utf-8")
    (root / "source/warmup/.warmup.mistakes.py").write_text(MISTAKES, encoding="utf-8")
    assert [each.function for each in read_equivalents(warmup)] == ["centre"]
    assert [each.name for each in stock_mistakes(warmup)] == ["adds", "never-ends"]
    assert assignment_digest(warmup) == grade
    assert audited_digest(warmup) != audited


def test_what_has_other_keys_at_each_call_has_no_form_in_common() -> None:
    assert common_form({"W": "floats"}, {"w": "vector"}) == ""
    assert common_form({"w": "vector"}, "float") == ""
    assert common_form("vector", ("float", "float")) == ""
    assert common_form({"w": "vector"}, {"w": "floats"}) == {"w": "floats"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- {function: f, line: a, becomes: b}\n", r"entry 1: expected the keys becomes, function, line, reason"),
        ("- {function: f, line: a, becomes: [], reason: 3}\n", r"entry 1: expected text for each key"),
        ("function: f\n", r"expected a list of entries"),
        ("- [\n", r"is no YAML"),
    ],
)
def test_a_list_of_equivalent_mutants_that_cannot_be_read_is_refused(
    warmup: Assignment, text: str, problem: str
) -> None:
    (warmup.solutions / "equivalent.yaml").write_text(text)
    with pytest.raises(ConfigError, match=problem):
        read_equivalents(warmup)


# What is kept of an audit


def test_an_assignment_that_was_never_audited_says_so(warmup: Assignment) -> None:
    said = "the hidden checks of warmup were never audited: `autograder audit warmup` tries them on "
    assert unaudited(warmup) == said + "wrong and on right answers"


def test_an_audit_holds_until_the_assignment_changes(warmup: Assignment) -> None:
    write_record(warmup, {}, passed=True)
    assert unaudited(warmup) == ""
    warmup.release.write_text("another release of the same")
    assert unaudited(warmup) == ""
    checks = next(warmup.checks.glob("*.py"))
    checks.write_text(checks.read_text() + "\n")
    assert unaudited(warmup).startswith("warmup has changed since its hidden checks were audited")


def test_an_audit_that_found_something_does_not_count(warmup: Assignment) -> None:
    write_record(warmup, {}, passed=False)
    assert unaudited(warmup).startswith("the audit of warmup found something")


def test_listing_an_equivalent_mutant_asks_for_another_audit_and_for_no_other_grade(warmup: Assignment) -> None:
    write_record(warmup, {}, passed=True)
    before = assignment_digest(warmup)
    (warmup.solutions / "equivalent.yaml").write_text("[]\n")
    assert assignment_digest(warmup) == before
    assert "has changed since" in unaudited(warmup)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"digest": 1}'])
def test_a_record_that_cannot_be_read_is_none(warmup: Assignment, text: str) -> None:
    (warmup.solutions / ".audit.json").write_text(text)
    assert "never audited" in unaudited(warmup)


@pytest.mark.sandbox
def test_a_release_warns_of_an_assignment_that_was_not_audited(tmp_path: Path, run: Run) -> None:
    course(tmp_path)
    status, _, err = run("release", "warmup")
    assert status == 0
    assert "the hidden checks of warmup were never audited" in err


def test_cells_of_the_master_in_another_language_are_passed_over(tmp_path: Path) -> None:
    tree = notebook(cell("%%html\n<b>bold</b>"), cell("%load_ext x\nscale_it = 3"), *solved()["cells"])
    root = make_course(tmp_path, master=tree)
    assert [each.row for each in solved_cells(load_course(root).assignment("warmup"))] == ["scale", "centre"]


ANSWERS = notebook(
    cell("import numpy as np", "setup", role="locked"),
    cell("np.random.seed(1)", "seed", role="locked"),
    cell("### BEGIN SOLUTION\nfirst = 2 + 3\n### END SOLUTION", "first", role="solution"),
    cell("### BEGIN SOLUTION\nsecond = first * 2\n### END SOLUTION", "second", role="solution"),
    cell("assert first == 5", "small", role="test", points=1),
    cell("assert second == 10", "large", role="test", points=1),
)
"""A master whose answers are values, and whose test cells are those of two solution cells."""


def test_answers_that_are_no_functions_are_changed_too(tmp_path: Path) -> None:
    assignment = load_course(make_course(tmp_path, master=ANSWERS)).assignment("warmup")
    cells = solved_cells(assignment)
    assert [each.row for each in cells] == ["", "", "", "small"], "and what sets a seed is among them"
    of_answer = cells[-1]
    assert names_tested(assignment, cells) == {"small": {"second"}, "large": {"second"}}
    changed = [each.after for each in mutants(without_docstrings(parsed(of_answer.source)), "np", {})]
    assert "second = first / 2" in changed
    assert "second = first * 3" in changed
    assert reached(cells, of_answer, {"small": {"second"}, "large": {"second"}}) == {"small", "large"}
