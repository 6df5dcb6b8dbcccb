"""One submission in, one Report out: what a row costs, what it does not, and what the student is told."""

import json
import os
import resource
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from autograder import Grader, grade
from autograder.base import CheckError, SandboxError
from autograder.course import load_course
from autograder.grading import report_from_dict, stored_tree
from autograder.submission import read_submission
from tests.courses import CHECKS, CONFIG, make_course, solved, untouched, write
from tests.courses import cell as own_cell

pytestmark = pytest.mark.sandbox

MORE_CHECKS = '''

@check("scale", weight=3)
def test_scale_leaves_its_input_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """The vector given is {unchanged} afterwards."""
    matches(student.scale, reference.scale, draw.normal(size=4), 2.0).unchanged()
'''


@pytest.fixture(scope="module")
def grader():
    with Grader() as grader:
        yield grader


@pytest.fixture(scope="module")
def assignment(tmp_path_factory):
    return checked_by(CHECKS + MORE_CHECKS, tmp_path_factory.mktemp("course"))


def checked_by(checks: str, root: Path):
    """The assignment of a new course, with these hidden checks."""
    make_course(root)
    (root / "checks/warmup/test_warmup.py").write_text(checks)
    return load_course(root).assignment("warmup")


def submitted(tmp_path: Path, assignment, **sources: str):
    """A submission: the solved notebook, with these sources in its solution cells."""
    tree = solved()
    for cell in tree["cells"]:
        cell["source"] = sources.get(cell["id"], cell["source"])
    return read_submission(write(tmp_path / "warmup.ipynb", tree), assignment)


def rows(report):
    return {row.name: row for row in report.rows}


def reasons(report) -> list[str]:
    return [check.reason for row in report.rows for check in row.checks if check.outcome == "failed"]


def test_a_right_submission_has_full_marks(grader, assignment, tmp_path):
    report = grader.grade(submitted(tmp_path, assignment), assignment)
    assert (report.score, report.max_score, report.sandbox) == (10.0, 10.0, "bubblewrap")


def test_an_untouched_submission_has_none(grader, assignment, tmp_path):
    submission = read_submission(write(tmp_path / "warmup.ipynb", untouched()), assignment)
    report = grader.grade(submission, assignment)
    assert report.score == 0
    assert reasons(report)[0] == "`scale` is not written yet: it raises NotImplementedError."


def test_a_row_is_shared_by_the_weights_of_its_checks(grader, assignment, tmp_path):
    in_place = "def scale(x, factor):\n    x *= factor\n    return x"
    report = grader.grade(submitted(tmp_path, assignment, scale=in_place), assignment)
    assert rows(report)["scale"].score == 1.0
    assert "changed its argument `x` in place" in reasons(report)[0]


def test_a_mistake_costs_its_own_row_alone(grader, assignment, tmp_path):
    wrong = "def scale(x, factor):\n    return x * factor * 2"
    report = grader.grade(submitted(tmp_path, assignment, scale=wrong), assignment)
    assert (rows(report)["scale"].score, rows(report)["centre"].score) == (0.0, 6.0)
    assert rows(report)["centre"].carried == ("scale",)
    assert "2 times too large" in reasons(report)[0]


def test_a_row_that_inlines_the_earlier_one_is_not_said_to_be_carried(grader, assignment, tmp_path):
    report = grader.grade(
        submitted(tmp_path, assignment, scale="def scale(x, f): return x", centre="def centre(x): return x - x.mean()"),
        assignment,
    )
    assert rows(report)["centre"].score == 6.0
    assert rows(report)["centre"].carried == ()


def test_an_argument_of_the_students_own_is_left_out_where_the_function_is_wrong(grader, assignment, tmp_path):
    wrong = "def scale(x, factor, shift=0.0): return x * factor * 2 + shift"
    centre = "def centre(x): return scale(x, 1.0, 0.0) - x.mean()"
    report = grader.grade(submitted(tmp_path, assignment, scale=wrong, centre=centre), assignment)
    assert (rows(report)["centre"].score, rows(report)["centre"].carried) == (6.0, ("scale",))


def test_an_argument_that_makes_a_row_wrong_is_not_left_out_of_a_right_function(grader, assignment, tmp_path):
    right = "def scale(x, factor, shift=0.0): return x * factor + shift"
    centre = "def centre(x): return scale(x, 1.0, 5.0) - x.mean()"
    report = grader.grade(submitted(tmp_path, assignment, scale=right, centre=centre), assignment)
    assert (rows(report)["scale"].score, rows(report)["centre"].score) == (4.0, 0.0)


def test_an_earlier_row_is_never_answered_from_a_later_one(grader, assignment, tmp_path):
    derived = "def scale(x, factor):\n    return centre(x) * 0 + x * factor"
    broken = "def centre(x):\n    raise ValueError('no')"
    report = grader.grade(submitted(tmp_path, assignment, scale=derived, centre=broken), assignment)
    assert report.score == 0


def test_a_function_defined_in_another_cell_counts(grader, assignment, tmp_path):
    source = "def centre(x): return x - x.mean()\ndef scale(x, factor): return x * factor"
    report = grader.grade(submitted(tmp_path, assignment, scale="# below", centre=source), assignment)
    assert report.score == 10


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def scale(x, factor): return None", "it is None (does the function return its result?)."),
        ("def scale(x, factor): return list(x * factor)", "should be a NumPy array, but it is a list of length 5"),
        ("def scale(x, factor): return (x * factor)[:, None]", "should have the shape (5,), but its shape is (5, 1)"),
        ("def scale(x, factor): return x * factor + 0j", "should hold real numbers, but its dtype is complex128"),
        ("def scale(x): return x", "`scale` raised TypeError: scale() takes 1 positional argument but 2 were given"),
        ("scale = 3", "is not a function but a `int`"),
        ("def scale(x, factor): return x[99]", "It happened in `scale`: `def scale(x, factor): return x[99]`."),
        ("def scale(x, factor):\n    while True: pass", "did not finish within 0.5 seconds."),
        ("import os\ndef scale(x, factor): os._exit(1)", "Python itself ended while `scale` ran"),
        ("def scale(x, factor): return object()", "it is a `object`"),
        ("def scale(x, factor): return {1, 2}", "it is a `set`"),
        (
            "# mine\ndef scale(x, factor) return x",
            "`scale` is not defined: the cell that defines it has a SyntaxError in line 2: expected ':' "
            "in `def scale(x, factor) return x`.",
        ),
        (
            "def scale(x, factor):\nreturn x",
            "the cell that defines it has an IndentationError in line 2: expected an indented block",
        ),
        (
            "prnt(1)\n\ndef scale(x, factor): return x",
            "`scale` is not defined: the cell that defines it raised NameError in line 1: "
            "name 'prnt' is not defined in `prnt(1)`, before it got there.",
        ),
        (
            "while True: pass\ndef scale(x, factor): return x",
            "the cell that defines it did not finish within its time limit and was stopped before it got there.",
        ),
        ("import os\nos._exit(0)\ndef scale(x, f): pass", "Python itself ended while the cell that defines it ran"),
        ("del scale", "`scale` is not defined: its cell raised NameError in line 1: name 'scale' is not defined"),
        ("def Scale(x, factor): pass", "`scale` is not defined once your notebook has run from top to bottom."),
    ],
)
def test_the_student_is_told_what_is_wrong(grader, assignment, tmp_path, source, told):
    report = grader.grade(submitted(tmp_path, assignment, scale=source), assignment)
    assert rows(report)["scale"].score == 0
    assert told in reasons(report)[0]
    assert rows(report)["centre"].score == 6.0


def test_a_cell_that_was_not_run_is_named_as_the_cause(grader, assignment, tmp_path):
    tree = solved()
    tree["cells"].insert(2, own_cell("def slow(x=[each for each in iter(int, 1)]): pass"))
    short = replace(assignment, limits=replace(assignment.limits, cell_seconds=3.0, submission_seconds=3.0))
    report = grader.grade(read_submission(write(tmp_path / "warmup.ipynb", tree), short), short)
    told = "`scale` is not defined: the cell that defines it was not run: the cells before it used up"
    assert rows(report)["scale"].checks[0].reason.startswith(told)


@pytest.mark.parametrize(
    ("source", "first", "again", "hints"),
    [
        ("raise NotImplementedError", "is not written yet: it raises", "`scale` is not written yet, as said above.", 0),
        ("return None", "it is None (does the function", "`scale` gave None here too.", 0),
        ("return x[99]", "raised IndexError", "`scale` raised IndexError here too.", 1),
        ("while True: pass", "did not finish within 0.5 seconds", "`scale` did not finish, as said above.", 0),
    ],
)
def test_a_function_that_never_works_has_its_cause_told_once_and_no_hints_but_on_what_it_is_for(
    grader, tmp_path, source, first, again, hints
):
    hinted = CHECKS + MORE_CHECKS.replace("weight=3", 'weight=3, hint="Make a copy."')
    assignment = checked_by(hinted, tmp_path / "course")
    wrong = f"def scale(x, factor):\n    {source}"
    one, other = rows(grader.grade(submitted(tmp_path, assignment, scale=wrong), assignment))["scale"].checks
    assert first in one.reason
    assert other.reason == again
    assert [one.hint, other.hint] == ["Multiply every entry by the factor."[: None if hints else 0], ""]


def test_what_all_entries_have_in_common_is_one_cause_and_has_one_hint(grader, tmp_path):
    hinted = CHECKS + MORE_CHECKS.replace("weight=3", 'weight=3, hint="Make a copy."')
    assignment = checked_by(hinted, tmp_path / "course")
    wrong = "def scale(x, factor): return x * factor * len(x)"
    one, other = rows(grader.grade(submitted(tmp_path, assignment, scale=wrong), assignment))["scale"].checks
    assert "5 times too large" in one.reason
    assert "4 times too large" in other.reason
    assert (one.hint, other.hint) == ("Multiply every entry by the factor.", "")


def test_a_function_that_works_in_one_check_keeps_the_hints_of_the_others(grader, tmp_path):
    hinted = CHECKS + MORE_CHECKS.replace("weight=3", 'weight=3, hint="Make a copy."')
    assignment = checked_by(hinted, tmp_path / "course")
    sometimes = "def scale(x, factor):\n    return x * factor if len(x) > 4 else None"
    one, other = rows(grader.grade(submitted(tmp_path, assignment, scale=sometimes), assignment))["scale"].checks
    assert (one.outcome, other.hint) == ("passed", "Make a copy.")


def test_printing_warning_and_plotting_cost_nothing(grader, assignment, tmp_path):
    noisy = (
        "import sys, warnings\ndef scale(x, factor):\n    print('x' * 10000); warnings.warn('slow')\n"
        "    print('oops', file=sys.stderr)\n    return x * factor"
    )
    report = grader.grade(submitted(tmp_path, assignment, scale=noisy), assignment)
    assert report.score == 10


def test_the_students_namespace_can_be_anything(grader, assignment, tmp_path):
    hostile = "sum = 0\nlen = None\nprint = 3\nfrom numpy import *\ndef scale(x, factor): return x * factor"
    report = grader.grade(submitted(tmp_path, assignment, scale=hostile), assignment)
    assert report.score == 10


@pytest.mark.parametrize(("name", "value"), [("PYTEST_ADDOPTS", "-p not_there"), ("PYTEST_PLUGINS", "not_there")])
def test_what_pytest_is_told_by_the_environment_decides_nothing(assignment, tmp_path, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with Grader("bubblewrap") as grader:
        report = grader.grade(submitted(tmp_path, assignment), assignment)
    assert (report.score, report.trouble) == (10, "")
    assert os.environ[name] == value


def test_grading_twice_gives_the_same_report(grader, assignment, tmp_path):
    submission = submitted(tmp_path, assignment, scale="def scale(x, factor): return x * factor + 1e-3")

    def timeless(report):
        return replace(report, seconds=0, cells=tuple(replace(cell, seconds=0) for cell in report.cells))

    assert timeless(grader.grade(submission, assignment)) == timeless(grader.grade(submission, assignment))


def test_the_digest_follows_the_submission_the_seed_and_the_checks(grader, assignment, tmp_path):
    first = grader.grade(submitted(tmp_path, assignment), assignment).digest
    other = grader.grade(submitted(tmp_path, assignment, scale="scale = 1"), assignment).digest
    reseeded = grader.grade(submitted(tmp_path, assignment), replace(assignment, seed=8)).digest
    assert len({first, other, reseeded}) == 3
    assert grader.grade(submitted(tmp_path, assignment), assignment).digest == first


def test_a_conftest_above_the_checks_decides_nothing(grader, tmp_path):
    assignment = checked_by(CHECKS, tmp_path / "course")
    for folder in (assignment.checks.parent, tmp_path / "course"):
        (folder / "conftest.py").write_text("raise RuntimeError('this is not in the digest')")
    (assignment.checks / "conftest.py").write_text("import os\nos.environ['OWN_CONFTEST'] = 'loaded'")
    grader.prepare(assignment)
    assert os.environ.pop("OWN_CONFTEST") == "loaded"


OF_PYTEST = {
    "a fixture of its own": (
        '''
@pytest.fixture
def factor() -> float:
    return 3.0


@check("scale")
def test_own(student: Student, reference: Reference, factor: float) -> None:
    """It is scaled."""
    assert factor == 3.0
''',
        "",
    ),
    "a fixture that stands in for one of ours": (
        '''
@pytest.fixture
def draw() -> Draw:
    return np.random.default_rng(5)


@check("scale")
def test_own(student: Student, reference: Reference, draw: Draw) -> None:
    """It is scaled."""
    assert draw.integers(10**9) == np.random.default_rng(5).integers(10**9)
''',
        "",
    ),
    "a parameter that stands in for one of ours": (
        '''
@check("scale")
@pytest.mark.parametrize("draw", [3.0])
def test_own(student: Student, draw: float) -> None:
    """It is scaled."""
    assert draw == 3.0
''',
        "",
    ),
    "a fixture for all": (
        '''
RAN = []


@pytest.fixture(autouse=True)
def always() -> None:
    RAN.append(1)


@check("scale")
def test_own(student: Student) -> None:
    """It is scaled."""
    assert RAN
''',
        "",
    ),
    "setup for the module": (
        '''
def setup_module() -> None:
    globals()["READY"] = True


@check("scale")
def test_own(student: Student) -> None:
    """It is scaled."""
    assert READY
''',
        "",
    ),
    "a parameter that a fixture makes": (
        '''
@pytest.fixture
def factor(request: pytest.FixtureRequest) -> float:
    return 2 * request.param


@check("scale")
@pytest.mark.parametrize("factor", [1.5], indirect=True)
def test_own(student: Student, factor: float) -> None:
    """It is scaled."""
    assert factor == 3.0
''',
        "",
    ),
    "the request": (
        '''
@check("scale")
def test_own(student: Student, request: pytest.FixtureRequest) -> None:
    """It is scaled."""
    assert request.node.name == "test_own"
''',
        "",
    ),
    "a class": (
        '''
class TestScale:
    def setup_method(self) -> None:
        self.ready = True

    @check("scale")
    def test_own(self, student: Student) -> None:
        """It is scaled."""
        assert self.ready
''',
        "",
    ),
    "a hook in conftest.py": (
        '''
@check("scale")
def test_own(student: Student) -> None:
    """It is scaled."""
    import os

    assert os.environ.pop("OWN_HOOK") == "test_own"
''',
        "import os\n\n\ndef pytest_runtest_setup(item):\n    os.environ['OWN_HOOK'] = item.name\n",
    ),
}


@pytest.mark.parametrize("what", OF_PYTEST)
def test_whatever_a_check_asks_of_pytest_it_gets(grader, tmp_path, what):
    checks, conftest = OF_PYTEST[what]
    assignment = checked_by(CHECKS.replace("import numpy", "import pytest\nimport numpy") + checks, tmp_path / "course")
    (assignment.checks / "conftest.py").write_text(conftest)
    report = grader.grade(submitted(tmp_path, assignment), assignment)
    assert report.score == 10.0, report
    assert [check.name for check in rows(report)["scale"].checks][-1].startswith("test_own")


@pytest.mark.parametrize("ends", ["pytest.skip('later')", "pytest.fail('so')", "raise SystemExit", "1 / 0"])
def test_a_check_that_ends_in_any_other_way_than_a_verdict_is_an_error_of_ours(grader, tmp_path, ends):
    own = f"\n\n@check('scale')\ndef test_own(student: Student) -> None:\n    {ends}\n"
    assignment = checked_by("import pytest\n" + CHECKS + own, tmp_path / "course")
    report = grader.grade(submitted(tmp_path, assignment), assignment)
    assert [check.outcome for check in rows(report)["scale"].checks] == ["passed", "errored"]
    assert report.score is None


def test_an_unreadable_submission_has_a_grade_and_the_reason(grader, assignment, tmp_path):
    broken = tmp_path / "warmup.ipynb"
    broken.write_text('{"cells": [')
    report = grader.grade(read_submission(broken, assignment), assignment)
    assert report.score == 0
    assert not report.errored
    assert all(reason for reason in reasons(report))


def test_a_broken_check_is_ours_and_never_a_zero(grader, tmp_path):
    broken = CHECKS.replace(
        "student.scale, reference.scale, draw.normal(size=5), 3.0", "student.scale, reference.scale, 1 / 0"
    )
    assignment = checked_by(broken, tmp_path / "course")
    report = grader.grade(submitted(tmp_path, assignment), assignment)
    assert report.score is None
    assert rows(report)["scale"].checks[0].outcome == "errored"
    assert "ZeroDivisionError" in rows(report)["scale"].checks[0].trouble


def test_a_plain_assert_gives_the_title_and_the_hint_alone(grader, tmp_path):
    plain = CHECKS.replace(
        "    matches(student.scale", "    assert student.scale(1, 42).value == 43\n    matches(student.scale"
    )
    assignment = checked_by(plain, tmp_path / "course")
    check = rows(grader.grade(submitted(tmp_path, assignment), assignment))["scale"].checks[0]
    assert (check.outcome, check.reason, check.hint) == ("failed", "", "Multiply every entry by the factor.")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('@check("centre"', '@check("center"'), "checks the row 'center', which is not in warmup.ipynb"),
        (('@check("centre"', 'with_test_cell("centr")\n\n\n@check("centre"'), "there is no row 'centr'"),
        (("import numpy as np", "import nump as np"), "No module named 'nump'"),
        (('@check("scale", hint', '@check("scale", weight=0, hint'), "a weight is above 0"),
    ],
)
def test_checks_that_do_not_fit_the_assignment_are_refused(tmp_path, grader, change, said):
    assignment = checked_by(
        CHECKS.replace(*change).replace("check, matches", "check, matches, with_test_cell"), tmp_path / "course"
    )
    with pytest.raises(CheckError, match=said):
        grader.prepare(assignment)


def test_a_reference_that_lacks_a_function_is_refused(tmp_path, grader):
    root = make_course(tmp_path / "course")
    (root / "solutions/warmup/__init__.py").write_text("def scale(x, factor): ...")
    with pytest.raises(CheckError, match="lacks centre"):
        grader.prepare(load_course(root).assignment("warmup"))


def test_a_worker_that_was_killed_is_replaced(grader, assignment, tmp_path):
    grader.grade(submitted(tmp_path, assignment), assignment)
    grader._worker.process.kill()
    grader._worker.process.wait()
    assert grader.grade(submitted(tmp_path, assignment), assignment).score == 10


def test_without_a_sandbox_the_report_says_so(assignment, tmp_path):
    with Grader("none") as open_grader:
        report = open_grader.grade(submitted(tmp_path, assignment), assignment)
    assert (report.score, report.sandbox) == (10.0, "none")


def test_a_report_survives_json(grader, assignment, tmp_path):
    report = grader.grade(submitted(tmp_path, assignment, scale="print(1)\n1/0"), assignment)
    assert report_from_dict(json.loads(json.dumps(stored_tree(report)))) == report


def test_grade_is_one_call(tmp_path):
    root = make_course(tmp_path / "course", config=CONFIG)
    assignment = load_course(root).assignment("warmup")
    assert grade(submitted(tmp_path, assignment), assignment).score == 10


FORGED_HANDLE = """
from inside.calls import Result, RowFork
keep = RowFork.keep
RowFork.keep = lambda row, thing, taken=None: Result(HANDLE, keep(row, thing, taken).value)
def scale(x, factor): return x * factor
"""


@pytest.mark.parametrize("handle", ["-1", "0", "2**63", "2**64", "True"])
def test_a_forged_handle_is_the_students_and_not_an_error_of_ours(grader, assignment, tmp_path, handle):
    report = grader.grade(submitted(tmp_path, assignment, scale=FORGED_HANDLE.replace("HANDLE", handle)), assignment)
    assert not report.errored
    assert rows(report)["scale"].score == 0


@pytest.mark.parametrize(
    "question",
    [
        "scale(np.zeros((30000, 1)), np.zeros((1, 30000)))",
        "scale(3, 2) and scale(np.zeros((10**4, 1, 1)), np.ones((1, 10**4, 50)))",
    ],
)
def test_what_a_submission_asks_of_the_reference_is_bounded_in_memory_and_time(grader, assignment, tmp_path, question):
    greedy = f"import numpy as np\ndef centre(x):\n    {question}\n    return x - x.mean()"
    wrong = "def scale(x, factor): return x"
    report = grader.grade(submitted(tmp_path, assignment, scale=wrong, centre=greedy), assignment)
    assert not report.errored
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2 * 2**20


PICTURES = """
import base64, os
from IPython.display import display
class Picture:
    def _repr_mimebundle_(self, **_):
        return {"image/png": base64.b64encode(b"\\x89PNG\\r\\n\\x1a\\n" + os.urandom(700_000)).decode()}
for _ in range(16): display(Picture())
"""


def test_pictures_are_bounded_for_the_whole_submission(grader, assignment, tmp_path):
    tree = solved()
    tree["cells"] += [own_cell(f"# {number}{PICTURES}") for number in range(6)]
    report = grader.grade(read_submission(write(tmp_path / "warmup.ipynb", tree), assignment), assignment)
    kept = sum(len(output.get("data", {}).get("image/png", "")) for cell in report.cells for output in cell.outputs)
    assert 0 < kept <= 12 * 2**20
    assert report.score == 10


def test_a_sandbox_that_does_not_hold_is_refused_before_the_first_submission(warmup, monkeypatch):
    """A filter that allows everything lets a submission open a socket."""
    everything = struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF_0000)
    monkeypatch.setattr("autograder.sandbox.seccomp.program", lambda _: everything)
    with Grader() as grader, pytest.raises(SandboxError, match=r"does not hold .* open a network socket"):
        grader.prepare(warmup)
