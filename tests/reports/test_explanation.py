"""What answers an appeal: a row graded again with its calls, values and tolerances, and a script that makes them."""

import contextlib
import inspect
import io
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from autograder.base import ConfigError
from autograder.checking import Compared, compare, judge, tolerances
from autograder.course import Course, load_course
from autograder.gradebook import open_gradebook, register
from autograder.grading import grade
from autograder.reports import explain, explanation_text, explanation_tree, script
from autograder.reports.explanation import FOR_INSTRUCTORS, ShownComparison, comparisons
from autograder.reports.reproduction import _BEGINNING, _literal
from autograder.submission import submission_of
from tests.courses import solved, submit
from tests.grades import store

sandbox = pytest.mark.sandbox

OFF = "def scale(x, factor):\n    print('scaling', x.shape)\n    out = x * factor\n    out[2] += 1\n    return out"
EMPTY = (
    "import numpy as np\ndef scale(x, factor):\n    out = np.empty(x.shape)\n    out[1:] = x[1:] * factor\n"
    "    return out"
)
RAISES = "def scale(x, factor):\n    print('just before')\n    return x[99]"
CENTRE_OFF = "def centre(x):\n    return scale(x, 1.0) - x.mean() + 1"


def handed_in(root: Path, scale: str = "", centre: str = "") -> Course:
    tree = solved()
    for position, source in ((2, scale), (4, centre)):
        tree["cells"][position]["source"] = source or tree["cells"][position]["source"]
    submit(root, "ada", tree)
    return load_course(root)


def explained(course: Course, row: str = "scale") -> Any:
    return explain(course, course.assignment("warmup"), "ada", row)


def run(text: str, folder: Path) -> str:
    """What the script prints, run with NumPy alone: neither this package nor IPython nor Matplotlib is found."""
    path = folder / "again.py"
    path.write_text(text)
    numpy = Path(np.__file__).parents[1]
    hidden = dict.fromkeys(("autograder", "IPython", "matplotlib"))
    hide = f"import sys; sys.path.append({str(numpy)!r}); sys.modules.update({hidden!r})"
    code = f"{hide}; exec(compile(open({str(path)!r}).read(), 'again.py', 'exec'))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@sandbox
def test_it_shows_the_call_the_values_the_errors_and_what_was_printed(course_root: Path) -> None:
    found = explained(handed_in(course_root, OFF))
    text = explanation_text(found)
    assert text.startswith(FOR_INSTRUCTORS)
    for piece in ("0 of 4 points", "test_scale", "1 of 5 wrong", "scaling (5,)", "scale(float64[5]", "[2]", "✗"):
        assert piece in text
    (checked,) = explanation_tree(found)["checks"]
    call, comparison = checked["events"]
    assert call["printed"] == "scaling (5,)\n"
    worst = comparison["entries"][0]
    assert (worst["index"], worst["wrong"], round(worst["error"], 9)) == ([2], True, 1.0)
    assert sum(entry["wrong"] for entry in comparison["entries"]) == comparison["wrong"] == 1


@sandbox
def test_it_shows_the_traceback_and_what_was_printed_before(course_root: Path) -> None:
    text = explanation_text(explained(handed_in(course_root, RAISES)))
    assert "just before" in text
    assert "IndexError: index 99" in text
    assert "return x[99]" in text


@sandbox
def test_a_carried_result_is_shown_with_what_was_answered(course_root: Path) -> None:
    found = explained(handed_in(course_root, OFF), "centre")
    assert found.row.carried == ("scale",)
    assert "given a correct scale" in explanation_text(found)
    assert "a correct scale answered float64[5]" in explanation_text(found)


@sandbox
def test_it_says_where_the_result_is_other_than_stored(course_root: Path) -> None:
    course = handed_in(course_root)
    warmup = course.assignment("warmup")
    assert explained(course).differences == ("No result of this row is stored: it has not been graded.",)
    submission = submission_of(course.root, warmup, "ada")
    with open_gradebook(course) as gradebook:
        register(gradebook, course, warmup)
        store(gradebook, course, warmup, submission, grade(submission, warmup))
    assert explained(course).differences == ()
    before = sorted(path.stat().st_mtime_ns for path in (course_root / "autograded").rglob("*"))
    changed = explained(handed_in(course_root, OFF)).differences
    assert "The row has 0 points now and 4 as stored." in changed
    assert changed[0].startswith("The submission, the assignment")
    assert sorted(path.stat().st_mtime_ns for path in (course_root / "autograded").rglob("*")) == before


@sandbox
@pytest.mark.parametrize(
    ("scale", "centre", "row", "printed"),
    [
        (OFF, "", "scale", ["scaling (5,)", "1 of 5 entries are wrong", "[2]", "1 comparisons are wrong."]),
        ("", "", "scale", ["0 of 5 entries are wrong", "0 comparisons are wrong."]),
        (EMPTY, "", "scale", ["1 of 5 entries are wrong"]),
        (RAISES, "", "scale", ["just before", "IndexError: index 99", "return x[99]"]),
        (OFF, "", "centre", ["centre(...) gave", "0 of 5 entries are wrong", "0 comparisons are wrong."]),
        (OFF, CENTRE_OFF, "centre", ["5 of 5 entries are wrong", "1 comparisons are wrong."]),
        ("%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1])\n" + OFF, "", "scale", ["1 of 5 entries"]),
    ],
)
def test_the_script_makes_the_calls_again_with_numpy_alone(
    course_root: Path, scale: str, centre: str, row: str, printed: list[str]
) -> None:
    config = course_root / "gradebook_config.yaml"
    config.write_text(config.read_text().replace("[numpy]", "[numpy, matplotlib]"))
    text = script(explained(handed_in(course_root, scale, centre), row))
    assert FOR_INSTRUCTORS in text
    said = run(text, course_root)
    for piece in printed:
        assert piece in said


@sandbox
def test_a_notebook_that_cannot_be_read_is_explained(course_root: Path) -> None:
    course = handed_in(course_root)
    (course_root / "submitted/ada/warmup/warmup.ipynb").write_text("{")
    found = explained(course)
    assert found.run is None
    assert found.row.checks[0].reason in explanation_text(found)
    assert "0 comparisons" in run(script(found), course_root)


def test_a_row_that_is_not_there_is_refused_with_the_nearest(course_root: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'scale'"):
        explained(handed_in(course_root), "scal")


@sandbox
def test_the_explanation_is_json(course_root: Path) -> None:
    tree = explanation_tree(explained(handed_in(course_root, "def scale(x, f): return x / 0 if f else 1j")))
    assert json.loads(json.dumps(tree, allow_nan=False))["row"]["score"] == 0


data = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | arrays.arrays(st.sampled_from(["f8", "f4", "i8", "?"]), arrays.array_shapes(min_dims=0, max_side=9)),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(data)
def test_whatever_crossed_the_wall_stands_in_the_script_bit_by_bit(value: Any) -> None:
    import base64

    names = {"np": np, "nan": np.nan, "inf": np.inf}
    names["encoded"] = lambda dtype, shape, text: np.frombuffer(base64.b64decode(text), dtype).reshape(shape).copy()
    assert same(eval(_literal(value), names), value)


def same(one: Any, other: Any) -> bool:
    if isinstance(other, np.ndarray):
        return (one.dtype, one.shape) == (other.dtype, other.shape) and np.array_equal(
            one, other, equal_nan=other.dtype.kind == "f"
        )
    if isinstance(other, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in other)
    return one == other or (one != one and other != other)


# One formula of a tolerance

NUMBERS = st.one_of(
    st.floats(-1e3, 1e3),
    st.sampled_from([0.0, -0.0, np.inf, -np.inf, np.nan, 1.7e308, -1.7e308, 5e-324, 1e-13]),
)
NEARLY = st.sampled_from([1.0, 1 + 1e-9, 1 + 1e-6, 1 + 1.1e-6, 1 + 1e-4, 1 + 2e-4, 2.0, -1.0])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """What came back, what should have, the noise, and whether it is float32."""
    size = draw(st.integers(1, 6))
    desired = np.array(draw(st.lists(NUMBERS, min_size=size, max_size=size)))
    with np.errstate(all="ignore"):
        near = desired * np.array(draw(st.lists(NEARLY, min_size=size, max_size=size)))
    other = np.array(draw(st.lists(NUMBERS, min_size=size, max_size=size)))
    actual = np.where(draw(st.lists(st.booleans(), min_size=size, max_size=size)), near, other)
    noise = np.array(draw(st.lists(st.sampled_from([0.0, 1e-12, 1e-3, 1e300]), min_size=size, max_size=size)))
    return actual, desired, noise, draw(st.booleans())


def judged_by_the_script(comparison: ShownComparison) -> int:
    """How many entries the script that answers an appeal calls wrong."""
    names: dict[str, Any] = {}
    source = textwrap.dedent(_BEGINNING[_BEGINNING.index("def compare(") :])
    begins = "import numpy as np\nfrom typing import Any\nArray = Bools = Any\nwrong = 0\n"
    exec(f"{begins}{source}\n{inspect.getsource(judge)}", names)
    with contextlib.redirect_stdout(io.StringIO()) as said:
        names["compare"]("it", comparison.actual, comparison.desired, *comparison.tolerance)
    return int(re.search(r"(\d+) of \d+ entries are wrong", said.getvalue())[1])


@settings(max_examples=100)
@given(pairs())
def test_a_grade_its_explanation_and_the_script_of_an_appeal_agree_on_what_is_right(
    pair: tuple[np.ndarray, np.ndarray, np.ndarray, bool],
) -> None:
    actual, desired, noise, single = pair
    relative, floor = tolerances(single)
    graded = compare(actual, desired, relative=relative, noise=noise, floor=floor)
    (explained,) = comparisons(Compared(actual, desired, noise, single))
    assert explained.wrong == graded.wrong
    assert sum(entry.wrong for entry in explained.entries) == graded.wrong
    assert judged_by_the_script(explained) == graded.wrong


def test_where_an_infinity_is_expected_nothing_but_the_same_one_is_right() -> None:
    (explained,) = comparisons(Compared(np.array([1e308, np.inf, -np.inf]), np.full(3, np.inf), 0.0, False))
    assert explained.wrong == 2
    assert {entry.index: entry.wrong for entry in explained.entries} == {(0,): True, (1,): False, (2,): True}
    assert judged_by_the_script(explained) == 2
