"""A plain assert on what a student's function gave says what it seems to say."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from autograder.base import CheckError, Wrong
from autograder.checking import Answer, Loopback, Student

DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.complex_numbers(allow_nan=False),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=3), part, max_size=3) | st.tuples(part),
    max_leaves=6,
)


class Layer:
    """An object that cannot cross."""


def answer(value: Any) -> Answer:
    return Student(Loopback({"f": lambda: value})).f()


@settings(max_examples=50)
@given(DATA)
def test_an_answer_is_true_and_equal_as_the_data_that_it_holds(value: Any) -> None:
    assert bool(answer(value)) == bool(value)
    assert answer(value) == value
    assert bool(answer(value) != value) is False


@settings(max_examples=50)
@given(DATA, DATA)
def test_two_answers_are_equal_as_their_data_are(one: Any, other: Any) -> None:
    assert (answer(one) == answer(other)) == (one == other)
    assert (answer(one) != other) == (one != other)


@settings(max_examples=50)
@given(arrays.arrays(np.int64, arrays.array_shapes(max_side=3)), st.integers(-1, 1))
def test_arrays_of_one_shape_are_equal_entry_by_entry(value: Any, shift: int) -> None:
    assert np.array_equal(answer(value) == value + shift, value == value + shift)
    assert np.array_equal(answer(value) != value + shift, value != value + shift)


def test_arrays_of_other_shapes_differ_and_are_not_broadcast() -> None:
    assert answer(np.ones(3)) != 1.0
    assert not (answer(np.ones((2, 1))) == np.ones(2)).all()
    assert answer(np.ones(3)) != [1.0, 1.0, 1.0]


def test_arrays_within_a_list_are_compared_whole() -> None:
    assert answer([np.ones(2), "a"]) == [np.ones(2), "a"]
    assert answer([np.ones(2)]) != [np.zeros(2)]


@pytest.mark.parametrize("value", [4.0, np.float64(4.0), np.asarray(4.0), 4])
def test_a_number_is_equal_in_any_style(value: Any) -> None:
    assert answer(value) == 4.0
    assert answer(value) == pytest.approx(4.0 + 1e-9)
    assert answer(np.ones(2) * 4) == pytest.approx(np.ones(2) * 4)


def test_an_array_of_several_entries_is_no_truth_and_a_wrong_answer() -> None:
    with pytest.raises(Wrong, match=r"should be one value that is true or false, but it is an array of shape \(2,\)"):
        bool(answer(np.array([True, True])))


def test_an_object_that_stays_inside_has_no_truth_and_the_author_is_told_what_to_write() -> None:
    with pytest.raises(CheckError, match=r"whether `f\(…\)` is true cannot be told: it gave a Layer.*\.array\(\)"):
        bool(answer(Layer()))


def test_an_object_that_stays_inside_is_equal_to_itself_and_to_no_data() -> None:
    layer = answer(Layer())
    same = layer.named("the layer")
    assert layer == same
    assert layer != 3
    with pytest.raises(CheckError, match="is equal cannot be told"):
        bool(layer == answer(Layer()))


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("y[0] = 9.0", ("y",)),
        ("x.sort(); y += 1", ("x", "y")),
        ("params['W'] -= 1; params['c'] = 2 * params['c']", ("params['W']", "params['c']")),
        ("params.pop('W')", ("params",)),
        ("z *= 2", ("z",)),
    ],
)
def test_the_arguments_that_were_changed_are_named(body, names):
    inside: dict[str, Any] = {}
    exec(f"def f(x, y, params, z):\n    {body}", inside)
    student = Student(Loopback(inside), lambda _: ("x", "y", "params"))
    params = {"W": np.ones(2), "c": np.ones(3)}
    with pytest.raises(Wrong) as verdict:
        student.f(np.array([2.0, 1.0]), np.zeros(3), params, z=np.ones(2)).unchanged()
    assert verdict.value.cause.names == names


def test_an_argument_whose_name_is_not_known_is_told_by_its_number():
    inside: dict[str, Any] = {}
    exec("def f(x, y):\n    y += 1", inside)
    with pytest.raises(Wrong, match="changed its argument number 2 in place"):
        Student(Loopback(inside)).f(np.zeros(2), np.zeros(3)).unchanged()
