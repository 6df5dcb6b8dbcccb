"""What `matches` takes as right for each kind of data, and that an appeal is told the same."""

import contextlib
import inspect
import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from autograder.base import CheckError, Wrong
from autograder.checking import Loopback, Observer, Reference, Student, alike, judge, matches, observed_by
from autograder.reports.explanation import comparisons
from autograder.reports.reproduction import _BEGINNING, _literal

ARRAYS = st.sampled_from(["i8", "?", "f8", "f4", "c16"]).flatmap(
    lambda name: arrays.arrays(name, st.sampled_from([(2,), (1, 2)]), elements=st.sampled_from([0, 1]))
)
TEXTS = st.lists(st.sampled_from(["a", "bc"]), min_size=2, max_size=2).map(np.array)
DATA = st.recursive(
    st.none() | st.booleans() | ARRAYS | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.tuples(inner) | st.dictionaries(st.sampled_from(["k"]), inner),
    max_leaves=3,
)


class Kept(Observer):
    """Keeps what was compared."""

    def __init__(self) -> None:
        self.compared: list[Any] = []

    def compares(self, compared: Any) -> None:
        self.compared.append(compared)


def verdict(given_: Any, desired: Any) -> tuple[str, list[Any]]:
    """Why an answer is wrong, empty where it is right; and what was compared."""
    reference = Reference(SimpleNamespace(f=lambda: desired))  # type: ignore[arg-type]
    kept = Kept()
    try:
        with observed_by(kept):
            matches(Student(Loopback({"f": lambda: given_})).f, reference.f)
    except Wrong as wrong:
        return str(wrong) or "wrong", kept.compared
    return "", kept.compared


@pytest.mark.parametrize(
    ("desired", "answer"),
    [
        (True, np.True_),
        (np.False_, False),
        (3, 3.0),
        (3, np.int8(3)),
        (3, np.array(3)),
        (2**60 + 1, np.int64(2**60 + 1)),
        (1.5, np.float64(1.5 + 1e-9)),
        (1.5, np.array(1.5)),
        (1.0, 1),
        ("cat", np.str_("cat")),
        (b"cat", b"cat"),
        (None, None),
        ([1, "a", None], (1, "a", None)),
        ([1.0, 2.0], np.array([1.0, 2.0 + 1e-9])),
        ({1, 2}, {2, 1.0}),
        (frozenset({(0, 1)}), {(0, 1)}),
        ({"k": {1}, "n": None}, {"n": None, "k": {1}}),
        (1 + 1j, 1 + 1j + 1e-9),
        (2 + 0j, 2.0),
        (np.array([1, 2]), np.array([1.0, 2.0])),
        (np.array([True]), np.array([True])),
        (np.array(["a", "bc"]), np.array(["a", "bc"])),
        (np.array([1j, 2.0]), np.array([1j + 1e-9, 2.0])),
        (np.float32([0.5]), np.float32([0.5])),
    ],
)
def test_a_right_answer_matches_in_any_style(desired: Any, answer: Any) -> None:
    assert verdict(answer, desired)[0] == ""


@pytest.mark.parametrize(
    ("desired", "answer", "said"),
    [
        (True, 1, "should be True or False, but it is an integer"),
        (1, True, "should be one real number"),
        (True, False, "is True or False, but not the right one"),
        (3, 4, "off by a relative error of about 1"),
        (2**60 + 1, 2**60, "is an integer, but not the right one"),
        (2**53 + 1, float(2**53), "not the right one|should be an integer"),
        (1.5, None, "None"),
        (1.5, np.float32(1.5), "came back as `float32`"),
        (np.zeros(2), np.zeros(2, np.float16), "came back as `float16`"),
        ("cat", "dog", "is a text, but not the right one"),
        ("1", 1, "should be a text, but it is an integer"),
        (None, 0, "should be None, but it is an integer"),
        ([1, 2], [1], "2 values"),
        ([1, True], [1, 1], "should be True or False"),
        ({1, 2}, {1}, "is a set, but not the right one"),
        ({1}, {True}, "is a set, but not the right one"),
        ({1}, [1], "should be a set, but it is a list"),
        (1 + 1j, 1 - 1j, "relative error"),
        (np.array([1j, 2]), np.array([1j, 3]), "1 of 2 entries is wrong"),
        (np.array([1j]), np.array([[1j]]), "should be an array of complex numbers of shape"),
        (np.array([1, 2]), np.array([1, 3]), "1 of 2 entries is wrong"),
        (np.array([1, 0]), np.array([True, False]), "its dtype is bool"),
        (np.array([True, False]), np.array([1, 0]), "an array of booleans"),
        (np.array(["a"]), np.array(["b"]), "an array of texts, but not the right one"),
        (np.array(["a"]), ["a"], "but it is a list"),
    ],
)
def test_a_wrong_answer_is_told_what_kind_of_thing_was_asked_for(desired: Any, answer: Any, said: str) -> None:
    with pytest.raises(Wrong, match=said):
        raise Wrong(verdict(answer, desired)[0])


def test_what_cannot_be_compared_is_the_references_mistake() -> None:
    with pytest.raises(CheckError, match="the reference gave a object, with which no answer can be compared"):
        verdict(1, object())


def wrong_in_an_appeal(compared: list[Any]) -> tuple[bool, bool]:
    """Whether the explanation of a grade finds anything wrong, and whether the script for an appeal does."""
    names: dict[str, Any] = {"nan": np.nan, "inf": np.inf}
    begins = "import base64\nimport numpy as np\nfrom typing import Any\nArray = Bools = Any\nwrong = 0\n"
    source = _BEGINNING[_BEGINNING.index("def encoded(") :]
    # The functions between the two need modules that nothing here does.
    source = source[: source.index("def run_cell(")] + source[source.index("def compare_exactly(") :]
    exec(f"{begins}{source}\n{inspect.getsource(judge)}\n{inspect.getsource(alike)}", names)
    explained = False
    for each in compared:
        value = each.actual.value
        for shown in comparisons(each):
            explained |= bool(shown.wrong or shown.problem)
            if shown.ref is None or not shown.scripted:
                continue
            part = value
            for key in shown.ref.path:
                part = part[key]
            actual, desired = (eval(_literal(one), names) for one in (part, shown.desired))
            with contextlib.redirect_stdout(io.StringIO()):
                if shown.tolerance is None:
                    names["compare_exactly"]("it", actual, desired)
                else:
                    of = {"of_complex": shown.of_complex, "of_float64": shown.of_float64}
                    names["compare"]("it", actual, desired, *shown.tolerance, **of)
    return explained, bool(names["wrong"])


NUMBERS = st.sampled_from(
    [0, 1, 2**60, 2**60 + 1, 0.0, 1.0, 1 + 1e-9, 1.01, 1j, 1j + 1e-9, np.float32(1), np.float64(1)]
)
OTHERS = st.sampled_from(["", "a", {1}, {True}, {(0, 1)}, set()])
THINGS = DATA | NUMBERS | OTHERS | st.tuples(NUMBERS, OTHERS) | st.lists(NUMBERS, max_size=2)


@settings(max_examples=60, deadline=None)
@given(THINGS, THINGS, st.booleans())
def test_a_grade_its_explanation_and_the_script_of_an_appeal_agree_on_all_data(
    desired: Any, other: Any, same: bool
) -> None:
    wrong, compared = verdict(desired if same else other, desired)
    explained, by_script = wrong_in_an_appeal(compared)
    assert not (same and wrong)
    # Of a tuple, a list or a dict of another form, the script has the parts that are there.
    assert bool(wrong) == explained or (wrong and not isinstance(desired, int | float | complex | np.ndarray | str))
    assert by_script <= bool(wrong)
