"""Masters of otter-assign's: converted line by line, and graded as Otter grades them."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from autograder.authoring import import_assignments, release, run_audit
from autograder.authoring.importing.otter_converting import OtterMaster, convert
from autograder.authoring.importing.reading import read_notebook
from autograder.base import ConfigError
from autograder.course import load_course
from autograder.grading import grade
from autograder.submission import read_submission
from tests.authoring.otter_masters import (
    FILES,
    MASTERS,
    SUBMISSIONS,
    Cell,
    answered,
    cases,
    code,
    fenced,
    notebook,
    prompt,
    question,
    raw,
    solution,
    text,
)

SCORES: dict[str, dict[str, dict[str, list[float]]]] = json.loads(
    Path(__file__).with_name("otter_scores.json").read_text(encoding="utf-8")
)["scores"]
"""What Otter gives each submission: points and their maximum, by question; ``otter_scores.py`` wrote it down."""

CONFIG = "name: tiny\ntimezone: UTC\nassignments: {}\n"


def make_course(root: Path) -> Path:
    root.mkdir(mode=0o700, exist_ok=True)
    root.chmod(0o700)
    (root / "gradebook_config.yaml").write_text(CONFIG)
    (root / "nbgrader_config.py").write_text("c = get_config()\n")
    return root


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course with both masters imported and released."""
    root = make_course(tmp_path_factory.mktemp("otter"))
    for name, make in MASTERS.items():
        folder = root / "theirs" / name
        folder.mkdir(parents=True)
        (folder / f"{name}.ipynb").write_text(json.dumps(make()))
        for file, content in FILES[name].items():
            (folder / file).write_text(content)
        import_assignments(root, folder / f"{name}.ipynb")
        release(load_course(root), name)
    return root


# As Otter grades


IN_EVERY_RUN = ("right", "untouched", "half")
"""Submissions that `make test` grades; `make thorough` grades them all."""


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("name", "student"),
    [
        pytest.param(name, each, marks=() if each in IN_EVERY_RUN else pytest.mark.thorough)
        for name in MASTERS
        for each in SUBMISSIONS[name]
    ],
)
def test_a_submission_has_the_points_that_otter_gives_each_question(released: Path, name: str, student: str) -> None:
    assignment = load_course(released).assignment(name)
    tree = json.loads(assignment.release.read_text(encoding="utf-8"))
    path = released / f"{student}.ipynb"
    path.write_text(json.dumps(answered(tree, SUBMISSIONS[name][student])))
    report = grade(read_submission(path, assignment), assignment)
    points: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for row in report.rows:
        of = row.test_id.removeprefix("test_").partition("_test_")[0]
        assert row.score is not None
        # What the student did alone: Otter carries nothing forward.
        points[of] += 0 if row.carried else row.score  # type: ignore[assignment]
        most[of] += row.points  # type: ignore[assignment]
    theirs = SCORES[name][student]
    assert dict(points) == pytest.approx({each: score for each, (score, _) in theirs.items()})
    assert dict(most) == pytest.approx({each: possible for each, (_, possible) in theirs.items()})


@pytest.mark.sandbox
@pytest.mark.thorough
def test_an_audit_says_which_wrong_answers_the_tests_of_otter_pass(released: Path) -> None:
    found = run_audit(load_course(released).assignment("exceptions"), jobs=2)
    survived = {each.mutant.after for each in found.mutants if each.status == "survived"}
    assert "if x < 1:" in survived, "no test tries a root between 0 and 1"
    assert any(each.status == "killed" for each in found.mutants if each.mutant.row == "walk_test_1")


# Line by line


def converted(folder: Path, *cells: Cell, config: str = "") -> OtterMaster:
    listed = [raw("# ASSIGNMENT CONFIG", *config.splitlines()), *cells]
    path = folder / "master.ipynb"
    path.write_text(json.dumps(notebook(*listed)))
    return convert(read_notebook(path))


def cells_of(made: OtterMaster) -> list[dict[str, Any]]:
    tree = json.loads(made.notebook)
    return [each | {"source": "".join(each["source"])} for each in tree["cells"]]


def of_id(made: OtterMaster, grade_id: str) -> dict[str, Any]:
    (found,) = [each for each in cells_of(made) if each["metadata"].get("nbgrader", {}).get("grade_id") == grade_id]
    return found


def solved(folder: Path, source: str) -> str:
    """What becomes of a solution cell."""
    made = converted(folder, *question("name: q1", *solution(code(source)), *cases(code("x == 1", "True"))))
    return str(of_id(made, "q1")["source"])


def cases_of(folder: Path, *cells: Cell, config: str = "", said: str = "name: q1") -> list[str]:
    """What becomes of a question's test cells, without their titles."""
    made = converted(folder, *question(said, *solution(code("x = 1 # SOLUTION")), *cases(*cells)), config=config)
    listed = [each["source"] for each in cells_of(made) if "points" in each["metadata"].get("nbgrader", {})]
    return [each.partition("\n\n")[2] for each in listed]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("x = 1 # SOLUTION", "# x = ...\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION"),
        ("x, y = 1, 2 #SOLUTION", "# x, y = ...\n### BEGIN SOLUTION\nx, y = 1, 2\n### END SOLUTION"),
        ("x[0] = 1 # SOLUTION", "# x[0] = ...\n### BEGIN SOLUTION\nx[0] = 1\n### END SOLUTION"),
        ("print(x == 1) # SOLUTION", "### BEGIN SOLUTION\nprint(x == 1)\n### END SOLUTION"),
        ("x = 1\ny = 2 # SOLUTION NO PROMPT", "x = 1\n### BEGIN SOLUTION\ny = 2\n### END SOLUTION"),
        (
            "def f():\n    # BEGIN SOLUTION\n    a = 1\n\n    return a\n    # END SOLUTION\nx = 1",
            "def f():\n    ### BEGIN SOLUTION\n    a = 1\n    return a\n    ### END SOLUTION\nx = 1",
        ),
        (
            "def f():\n    return 1 # SOLUTION\nx = f() # SOLUTION",
            "def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n"
            "# x = ...\n### BEGIN SOLUTION\nx = f()\n### END SOLUTION",
        ),
        (
            "# BEGIN SOLUTION NO PROMPT\nx = 1\n# END SOLUTION\n"
            "''' # BEGIN PROMPT\n# Now x.\nx = ...\n''' # END PROMPT",
            "### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n# Now x.\n# x = ...",
        ),
        (
            'def f():\n    """ # BEGIN PROMPT\n    y = 1\n    """; # END PROMPT\nx = 1 # SOLUTION',
            "def f():\n    # y = 1\n    pass\n# x = ...\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION",
        ),
        (
            "x = 1 # SOLUTION\nimport otter\ngrader = otter.Notebook('a.ipynb')\ngrader.check('q1')",
            "# x = ...\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n"
            "# import otter\n# grader = otter.Notebook('a.ipynb')\n# grader.check('q1')",
        ),
        (
            'x = 1 # SOLUTION\n""" # BEGIN PLUGIN\nplugin: a.B\n""" # END PLUGIN\ny = 2',
            "# x = ...\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n"
            '# """ # BEGIN PLUGIN\n# plugin: a.B\n# """ # END PLUGIN\ny = 2',
        ),
    ],
)
def test_a_solution_stands_between_marks_of_nbgrader_s(tmp_path: Path, theirs: str, ours: str) -> None:
    assert solved(tmp_path, theirs) == ours


@pytest.mark.parametrize(
    ("cell", "ours"),
    [
        (code("f(2)", "4"), "assert shown(lambda: f(2)) == '4'"),
        (code("f(2)", "1"), "assert shown(lambda: f(2)) in ('1', 'True')"),
        (code("f(2) # two", "4"), "assert shown(lambda: f(2)) == '4'  # two"),
        (code("f(2);"), "assert shown(lambda: f(2)) == ''"),
        (code("f(\n    2,\n)", "4"), "assert shown(lambda: (\nf(\n    2,\n)\n)) == '4'"),
        (code("y = f(1)\ny", "1.5"), "with shows():\n    y = f(1)\nassert shown(lambda: y) == '1.5'"),
        (code("f(1)\nf(2)", "2"), "assert shown(lambda: f(1)) == ''\nassert shown(lambda: f(2)) in ('2')"),
        (code("assert f(1) == 2"), "with shows():\n    assert f(1) == 2"),
        (code("print('ä', f(1))", "", "ä 2\n"), "assert shown(lambda: print('ä', f(1))) == 'ä 2'"),
        (code("if x:\n    print(2)", "", "2\n"), "with shows('2'):\n    if x:\n        print(2)"),
        (code("if x:\n    print(0)", "", "0\n"), "with shows('0', 'False'):\n    if x:\n        print(0)"),
        (code("(y := f(1))", "1.5"), "with shows('1.5'):\n    (y := f(1))"),
    ],
)
def test_a_test_in_ok_format_wants_what_its_cell_showed(tmp_path: Path, cell: Cell, ours: str) -> None:
    assert cases_of(tmp_path, cell) == [ours.replace("in ('2')", "== '2'")]


def test_an_exception_based_test_is_called_with_what_its_parameters_name(tmp_path: Path) -> None:
    cells = [
        code("def test_a(x):\n    assert x\n\ntest_a(x)"),
        code("def test_b(env, unknown, x):\n    assert env['x']"),
        code("def test_c(x):\n    assert x\ntest_c(1)"),
    ]
    assert cases_of(tmp_path, *cells, config="tests:\n  ok_format: false") == [
        "def test_a(x):\n    assert x\n\ntest_a(x)",
        "def test_b(env, unknown, x):\n    assert env['x']\n\n\ntest_b(env=globals(), unknown=None, x=x)",
        "def test_c(x):\n    assert x\n# test_c(1)\ntest_c(x=x)",
    ]


@pytest.mark.parametrize(
    ("said", "of_tests", "points"),
    [
        ("", ["", ""], [0.5, 0.5]),
        ("points: 3", ["", "", ""], [1, 1, 1]),
        ("points: [1, 2]", ["", ""], [1, 2]),
        ("points: [1, null]", ["", ""], [1, 0]),
        ("points: 6", ["2", "2", "", ""], [2, 2, 1, 1]),
        ("", ["2", ""], [2, 0]),
        ("", ["0", ""], [0, 1]),
        ("points: {each: 2}", ["", ""], [2, 2]),
        ("points: 0", ["", ""], [0, 0]),
        ("points: 2\nall_or_nothing: true", ["", ""], [2]),
    ],
)
def test_points_are_shared_as_otter_shares_them(
    tmp_path: Path, said: str, of_tests: list[str], points: list[float]
) -> None:
    config = '""" # BEGIN TEST CONFIG\npoints: {}\n""" # END TEST CONFIG\nx'
    cells = [code(config.format(each) if each else "x", "2") for each in of_tests]
    made = converted(tmp_path, *question(f"name: q1\n{said}", *solution(code("x = 2 # SOLUTION")), *cases(*cells)))
    found = [each["metadata"].get("nbgrader", {}).get("points") for each in cells_of(made)]
    assert [each for each in found if each is not None] == points


def test_what_is_answered_in_words_is_graded_by_hand(tmp_path: Path) -> None:
    made = converted(
        tmp_path,
        *question(
            "name: why\nmanual: true\npoints: 3",
            text("Why?"),
            *prompt(text("Because …"), code("# Try it here.")),
            *solution(code("x = 1 # SOLUTION"), text("It is."), text("And so on.")),
        ),
        *question("name: how\nmanual: true\npoints: 2", *solution(code("y = 1 # SOLUTION"))),
        *question("name: bare\nmanual: true"),
    )
    assert of_id(made, "why_2")["source"] == "Because …\n\n### BEGIN SOLUTION\nIt is.\n### END SOLUTION"
    by_hand = {
        each["metadata"]["nbgrader"]["grade_id"]: each["metadata"]["nbgrader"]["points"]
        for each in cells_of(made)
        if each["metadata"].get("nbgrader", {}).get("grade")
    }
    assert by_hand == {"why_2": 0, "why_3": 3, "how": 2, "bare": 0}
    (own,) = [each for each in cells_of(made) if each["source"] == "# Try it here."]
    assert own["metadata"] == {}, "students may write in it"


def test_a_seed_stands_in_a_locked_cell_before_what_it_decides(tmp_path: Path) -> None:
    asked = question(
        "name: q1", *solution(code("np.random.seed(4) # SEED\nx = draw() # SOLUTION")), *cases(code("x", "1"))
    )
    before = [each["source"] for each in cells_of(converted(tmp_path, *asked))]
    assert before[1] == "np.random.seed(4)"
    seeded = [each["source"] for each in cells_of(converted(tmp_path, *asked, config="generate:\n  seed: 4"))]
    assert [each.endswith("random.seed(4)") for each in seeded] == [False, True, True, False, True, False]
    by_name = "seed:\n  variable: s\n  autograder_value: 4\n  student_value: 5"
    named = converted(
        tmp_path,
        code("s = 4"),
        *question("name: q1", *solution(code("x = s # SOLUTION"))),
        *question("name: q2", *solution(code("y = s # SOLUTION")), *cases(code("y", "4"))),
        config=by_name,
    )
    assert [each["source"] == "s = 4" for each in cells_of(named)][1:] == [True, False, True, False, True, False]
    assert "student_value: 5" in [each.source.strip() for each in named.left]


def test_settings_in_a_file_count_less_than_those_of_the_notebook(tmp_path: Path) -> None:
    (tmp_path / "shared.yml").write_text("name: theirs\nfiles: [a.csv]\n")
    asked = question("name: q1", *solution(code("x = 1 # SOLUTION")), *cases(code("x", "1")))
    made = converted(tmp_path, *asked, config="config_file: shared.yml\nname: ours")
    assert (made.name, made.files) == ("ours", ("a.csv",))


def test_a_name_that_the_notebook_has_is_left_to_it(tmp_path: Path) -> None:
    asked = question("name: q1", *solution(code("shown = shows = 1 # SOLUTION")), *cases(code("shown", "1")))
    sources = [each["source"] for each in cells_of(converted(tmp_path, *asked))]
    assert "def shown_(" in sources[0]
    assert "def shows_(" in sources[0]
    assert "assert shown_(lambda: shown)" in sources[-1]


# What cannot be


BEGIN = raw("# BEGIN QUESTION", "name: q1")
END = raw("# END QUESTION")


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ([BEGIN], "cell 2, line 1: `# BEGIN QUESTION`: this question never ends"),
        ([BEGIN, raw("# BEGIN TESTS"), END], "cell 4, line 1: `# END QUESTION`: the block `# BEGIN TESTS` of cell 3"),
        ([BEGIN, raw("# BEGIN SOLUTION"), code("x = 1")], "cell 3, line 1: `# BEGIN SOLUTION`: this block never ends"),
        ([raw("# BEGIN TESTS")], "cell 2, line 1: `# BEGIN TESTS`: it belongs between"),
        ([BEGIN, END, END], "cell 4, line 1: `# END QUESTION`: no question has begun"),
        ([BEGIN, BEGIN], "cell 3, line 1: `# BEGIN QUESTION`: the question of cell 2 has no `# END QUESTION` yet"),
        ([BEGIN, END, BEGIN, END], "cell 4, line 2: there is a question 'q1' already, in cell 2"),
        ([raw("# BEGIN QUESTION", "points: 1"), END], "cell 2, line 1: expected the question's name"),
        ([raw("# BEGIN QUESTION", "name: [1"), END], "cell 2, line 2: this is no YAML"),
        ([raw("# BEGIN QUESTION", "name: &a q1", "points: *a"), END], "cell 2, line 1: aliases"),
        (
            question("name: q1\npoints: many", *cases(code("x"))),
            "cell 2, line 3: question 'q1': expected points",
        ),
        (
            question("name: q1\npoints: -1", *cases(code("x"))),
            "cell 2, line 3: question 'q1': expected points",
        ),
        (question("name: q1\npoints: [1, x]", *cases(code("x"))), "cell 2, line 3: question 'q1': expected points"),
        (
            question("name: q1\npoints: [1, 2]", *cases(code("x"))),
            "cell 2, line 3: question 'q1': points are listed",
        ),
        (question("name: q1\nmanual: maybe"), "cell 2, line 3: `manual`: expected true or false"),
        (
            question("name: q1", *cases(code('""" # BEGIN TEST CONFIG\npoints: x\n""" # END TEST CONFIG\n1'))),
            "cell 4, line 2: expected points of at least 0, found 'x'",
        ),
        (
            question("name: q1", *cases(code('""" # BEGIN TEST CONFIG\npoints: 1'))),
            "cell 4, line 1: `# BEGIN TEST CONF",
        ),
        (question("name: q1", *cases(code("# HIDDEN\nx = = 1"))), "cell 4, line 2: this test is no Python"),
        (question("name: q1", *cases(text("x"))), "cell 4, line 1: a test is a code cell"),
        (question("name: q1", *solution(code("x = 1\n# BEGIN SOLUTION"))), "cell 4, line 2: `# BEGIN SOLUTION` has no"),
        (question("name: q1", *solution(code("x = 1\n# END SOLUTION"))), "cell 4, line 2: `# END SOLUTION` has no"),
        (question("name: q1", *solution(code("''' # BEGIN PROMPT"))), "cell 4, line 1: `# BEGIN PROMPT` has no"),
        ([code("# BEGIN IGNORE\nx"), BEGIN, END], "cell 2, line 1: `# BEGIN IGNORE` has no `# END IGNORE` after it"),
        ([text("Words", "```otter", "# BEGIN QUESTION")], "cell 2, line 2: the fence ```otter never ends"),
        ([text("No question.")], "there is no question in it"),
    ],
)
def test_what_is_not_as_the_format_has_it_is_refused_with_its_place(
    tmp_path: Path, cells: list[Cell], told: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        converted(tmp_path, *cells)
    assert str(refused.value).startswith(f"{tmp_path}/master.ipynb")
    assert told in str(refused.value)


def test_an_exception_based_test_with_more_in_it_is_refused(tmp_path: Path) -> None:
    asked = question("name: q1", *cases(code("import numpy\ndef test_a():\n    pass")))
    with pytest.raises(ConfigError, match="cell 4, line 1: an exception-based test is a function"):
        converted(tmp_path, *asked, config="tests: {ok_format: false}")


def test_a_master_in_another_language_is_refused(tmp_path: Path) -> None:
    tree = notebook(*question("name: q1"))
    tree["metadata"]["kernelspec"] = {"display_name": "R", "language": "R", "name": "ir"}
    (tmp_path / "r.ipynb").write_text(json.dumps(tree))
    with pytest.raises(ConfigError, match="is written in r"):
        convert(read_notebook(tmp_path / "r.ipynb"))


def test_what_is_not_converted_is_listed_with_its_cell_and_line(tmp_path: Path) -> None:
    made = converted(
        tmp_path,
        code("# IGNORE\nprint(1)"),
        raw("# BEGIN QUESTION", "# A note.", "name: q1", "check_cell: false", "nonsense: 1"),
        *solution(code("x = 1")),
        *cases(code('""" # BEGIN TEST CONFIG\nsuccess_message: Yes!\n""" # END TEST CONFIG\nx', "1")),
        raw("# END QUESTION", "left: over"),
        config="runs_on: colab\ngenerate:\n  points_possible: 10\n  token: a",
    )
    assert [(each.cell, each.line, each.source.strip()) for each in made.left] == [
        (1, 2, "runs_on: colab"),
        (1, 4, "points_possible: 10"),
        (1, 5, "token: a"),
        (2, 1, "# IGNORE"),
        (2, 2, "print(1)"),
        (3, 2, "# A note."),
        (3, 4, "check_cell: false"),
        (3, 5, "nonsense: 1"),
        (5, 1, "x = 1"),
        (8, 2, "success_message: Yes!"),
        (10, 2, "left: over"),
    ]
    assert all(each.why for each in made.left)


# Any cells


MARKS = re.compile(
    r"#\s+((BEGIN|END)\s+(QUESTION|PROMPT|SOLUTION|TESTS)( NO PROMPT)?|ASSIGNMENT CONFIG)"
    r"|[\"']{3};? # (BEGIN|END) (PROMPT|TEST CONFIG)|# (BEGIN|END) IGNORE|```(otter)?|# HIDDEN"
)
"""Lines that mean something to Otter alone."""

TAKEN = re.compile(r"(name|points|manual|all_or_nothing|hidden|failure_message): .*|tests:|ok_format: .*")
"""Settings that decide what is made."""

LINES = """\
# BEGIN SOLUTION
# BEGIN SOLUTION NO PROMPT
# END SOLUTION
x = 1 # SOLUTION
y = f(2) # SOLUTION NO PROMPT
""\" # BEGIN PROMPT
""\"; # END PROMPT
np.random.seed(1) # SEED
    np.random.seed(1) # SEED
z  # IGNORE
# HIDDEN
# IGNORE
# BEGIN IGNORE
# END IGNORE
""\" # BEGIN TEST CONFIG
""\" # END TEST CONFIG
points: 2
points: [1, 2]
name: q1
name: q2
manual: true
hidden: true
failure_message: No!
success_message: Yes!
odd: 1
tests:
  ok_format: false
```otter
```
def f(x):
    return x
def test_a(x, env):
    assert x == 1
f(3) == 4
f(3); f(4)
%matplotlib inline
import otter
grader = otter.Notebook()
grader.check('q1')
if x:
    grader.check('q1')
text = '''
ä = f('ö'), (1,
2)
print('''a
b''')

Some words.
# A heading
await g()
(w := 3)
""\" # BEGIN PLUGIN
""\" # END PLUGIN
""".splitlines()

sources = st.lists(st.sampled_from(LINES) | st.text(max_size=8).map(lambda each: each.replace("\n", " ")), max_size=6)
shown = st.sampled_from(["", "True", "1", "4\n\n5", "'a'"])
code_cells = st.builds(lambda lines, out: code("\n".join(lines), out), sources, shown)
text_cells = sources.map(lambda lines: text(*lines))
raw_cells = st.builds(
    lambda first, lines: raw(first, *lines),
    st.sampled_from([f"# {b} {w}" for b in ("BEGIN", "END") for w in ("QUESTION", "PROMPT", "SOLUTION", "TESTS")]),
    st.lists(st.sampled_from(["points: 2", "odd: 1", "# note"]), max_size=1),
)
any_cells = code_cells | text_cells | raw_cells | sources.map(lambda lines: fenced(*lines))
questions = st.builds(
    lambda config, given, inner, each: question(config, *given, *solution(*inner), *cases(*each)),
    st.sampled_from(["name: q1", "name: q2\npoints: 2", "name: q3\nmanual: true", "name: q4\nall_or_nothing: true"]),
    st.lists(text_cells | code_cells, max_size=2),
    st.lists(text_cells | code_cells, max_size=2),
    st.lists(code_cells, max_size=2),
)
SNIPPETS = [
    "# BEGIN SOLUTION\nx = 1\n# END SOLUTION",
    "def f(x):\n    # BEGIN SOLUTION NO PROMPT\n    return x\n    # END SOLUTION",
    'def g(x):\n    """ # BEGIN PROMPT\n    return ...\n    # Go on.\n    """; # END PROMPT\n    return 1 # SOLUTION',
    "# BEGIN IGNORE\nsecret = 1\n# END IGNORE",
    '""" # BEGIN PLUGIN\nplugin: a.B\n""" # END PLUGIN',
    "if x:\n    grader.check('q1')\nimport otter",
    "for i in range(3):\n    np.random.seed(i) # SEED\n    print(i)",
    "a, b = 1, (2,\n  3) # SOLUTION",
    'text = """\n# SOLUTION\n"""',
    "z = 1  # IGNORE",
    "x = 2 # SOLUTION",
    "np.random.seed(1) # SEED",
]
PYTHON = [
    *("f(3) == 4", "y = f(1)", "f(3); f(4)", "%matplotlib inline", "(w := 3)", "await g()", "# only words", "assert x"),
    *(
        'text = """a\n  b"""',
        "f(\n  1,  # one\n  2\n)",
        "if x:\n    print('ä')",
        "@d\ndef h():\n    pass",
        "x = [f(1)\n]",
    ),
]
FUNCTIONS = [
    "def test_a(x, env):\n    assert x",
    'def test_b():\n    """Words.\n\n    More."""\n\ntest_b()',
    "@d\ndef test_c(*, x, y=1):\n    pass\n\n# and\ntest_c(x=1)  # so",
]
SETTINGS = [
    "",
    "# HIDDEN\n",
    '""" # BEGIN TEST CONFIG\nhidden: true\nodd: 1\nfailure_message: No!\n""" # END TEST CONFIG\n',
]

tidy = st.lists(st.sampled_from(SNIPPETS + PYTHON), max_size=5)


@st.composite
def well_formed(draw: st.DrawFn, ok_format: bool) -> list[list[Cell]]:
    """Questions as the format has them, of code as people write it and stranger."""
    made: list[list[Cell]] = []
    for number in range(draw(st.integers(1, 3))):
        body = st.lists(st.sampled_from(PYTHON if ok_format else FUNCTIONS), min_size=1, max_size=3 if ok_format else 1)
        case = st.builds(
            lambda said, lines, out: code(said + "\n".join(lines), out), st.sampled_from(SETTINGS), body, shown
        )
        cell = tidy.map(lambda lines: code("\n".join(lines))) | text_cells
        said = draw(st.sampled_from(["", "points: 2", "manual: true", "all_or_nothing: true", "odd: 1"]))
        blocks = [*draw(st.lists(text_cells, max_size=1)), *prompt(*draw(st.lists(cell, max_size=1)))]
        blocks += [*solution(*draw(st.lists(cell, max_size=2))), *cases(*draw(st.lists(case, max_size=2)))]
        made += [draw(st.lists(cell, max_size=1)), question(f"name: q{number}\n{said}", *blocks)]
    return made


masters = st.lists(any_cells.map(lambda each: [each]) | questions, min_size=1, max_size=4)
drawn_masters = st.booleans().flatmap(
    lambda ok_format: st.tuples(st.just(ok_format), well_formed(ok_format) | well_formed(ok_format) | masters)
)


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(drawn_masters)
def test_every_line_of_any_cells_is_found_again_or_listed(tmp_path: Path, drawn: tuple[bool, list[list[Cell]]]) -> None:
    ok_format, groups = drawn
    cells = [each for some in groups for each in some]
    try:
        made = converted(tmp_path, *cells, config=f"tests:\n  ok_format: {str(ok_format).lower()}")
    except ConfigError:
        return
    event("converted")
    written = "\n".join(each["source"] for each in cells_of(made))
    listed = {(each.cell, each.line) for each in made.left}
    read = read_notebook(tmp_path / "master.ipynb")
    lost = [
        (cell.number, number, line)
        for cell in read.cells
        for number, line in enumerate(cell.source.split("\n"), 1)
        if line.strip() and (cell.number, number) not in listed and not is_found(line.strip(), written)
    ]
    assert lost == []
    for each in cells_of(made):
        marks = each["metadata"].get("nbgrader", {})
        if marks.get("grade") and not marks["solution"]:
            plain = re.sub(r"^%.*", "", each["source"], flags=re.MULTILINE)
            compile(plain, "a test cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def is_found(line: str, written: str) -> bool:
    bare = re.sub(r" ?# ?(SOLUTION( NO PROMPT)?|SEED)$", "", line).rstrip("; ")
    return bare in written or bool(MARKS.match(line) or TAKEN.fullmatch(line))
