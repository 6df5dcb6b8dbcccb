"""What ``matches`` and ``equals`` take as right of data that is made of other data, and what is said of wrong data."""

import datetime
import json
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given, settings

from autograder.base import CheckError, Wrong
from autograder.checking import Answer, Loopback, Student, crossed, equals, identical, observed_by
from autograder.reports.explanation import _shown, _tree, comparisons
from autograder.reports.reproduction import _literal
from autograder.sandbox.inside import wire
from tests.checking.test_matching import Kept, verdict, wrong_in_an_appeal
from tests.sandbox.test_kinds import ARRAYS, STANDARD
from tests.sandbox.test_tables import columns, frames, indexes
from tests.sandbox.test_wire import arrays, trees

Point = namedtuple("Point", "x y")
HIDDEN = 987.25


class Own(list):
    """A class of a student's."""


def given_back(thing: Any) -> Answer:
    return Student(Loopback({"f": lambda: thing})).f()


def difference(thing: Any, expected: Any) -> str:
    """Why an answer is not the very same; empty where it is."""
    try:
        equals(given_back(thing), expected)
    except Wrong as wrong:
        return str(wrong)
    return ""


TABLE = pd.DataFrame(
    {"n": [1, 2, 3], "x": [0.5, np.nan, HIDDEN], "t": ["a", None, "c"], "m": pd.array([1, None, 3], dtype="Int64")},
    index=pd.Index(["p", "q", "r"], name="who"),
)
SPARSE = scipy.sparse.csr_array(np.array([[0, 1.5], [2.0, 0]]))
RECORDS = np.array([(1, 0.5), (2, 1.5)], dtype=[("n", "i8"), ("x", "f8")])
MASKED = np.ma.MaskedArray([1.0, 5.0, 3.0], [False, True, False])


def changed(column: str, value: Any) -> Any:
    table = TABLE.copy()
    table[column] = value
    return table


@pytest.mark.parametrize(
    ("desired", "answer"),
    [
        (Point(1, 2.0), (1, 2.0)),
        ((1, 2.0), Point(1, 2.0 + 1e-9)),
        ([1, 2], Own([1, 2])),
        ({"a": 1}, Counter("a")),
        ({"a": 1}, OrderedDict(a=1)),
        (frozenset({1}), {1}),
        (range(3), range(0, 3, 1)),
        (Fraction(1, 2), Fraction(1, 2)),
        (Decimal("1.1"), Decimal("1.10")),
        (datetime.date(2026, 1, 2), datetime.date(2026, 1, 2)),
        (deque([1.0, "a"]), deque([1.0 + 1e-9, "a"])),
        (np.array(["2026-01-01"], "M8[D]"), np.array(["2026-01-01T00"], "M8[h]")),
        (np.array(["NaT"], "m8[s]"), np.array(["NaT"], "m8[s]")),
        (np.array([b"a"]), np.array([b"a"], "S5")),
        (np.float64, np.float64),
        (np.dtype("f4"), np.dtype("f4")),
        (RECORDS, np.array([(1, 0.5 + 1e-9), (2, 1.5)], dtype=RECORDS.dtype)),
        (MASKED, np.ma.MaskedArray([1.0 + 1e-9, 77.0, 3.0], [False, True, False])),
        (np.array([1, "a", [0.5]], object), np.array([1.0, "a", [0.5 + 1e-9]], object)),
        (TABLE, changed("x", [0.5 + 1e-9, np.nan, HIDDEN])),
        ({"table": [TABLE]}, {"table": [TABLE.copy()]}),
        (pd.DataFrame({"a": [1.0]}, index=pd.Index([0])), pd.DataFrame({"a": [1.0]})),
        (pd.Series([1, 2], name="n"), pd.Series([1, 2], name="n")),
        (pd.Series(pd.Categorical(["a", "b"], ["a", "b"])), pd.Series(pd.Categorical(["a", "b"], ["b", "a"]))),
        (pd.date_range("2026", periods=2), pd.DatetimeIndex(list(pd.date_range("2026", periods=2)))),
        (pd.Timestamp("2026"), pd.Timestamp("2026")),
        (pd.NA, pd.NA),
        (SPARSE, SPARSE.tocoo()),
        (SPARSE, scipy.sparse.csc_matrix(np.array([[1e-15, 1.5 + 1e-9], [2.0, 0]]))),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_a_right_answer_matches(desired: Any, answer: Any) -> None:
    assert verdict(answer, desired)[0] == ""


@pytest.mark.parametrize(
    ("desired", "answer", "said"),
    [
        (range(3), [0, 1, 2], "should be a range, but it is a list"),
        (range(3), range(4), "is a range, but not the right one"),
        (Fraction(1, 2), 0.5, "should be a Fraction, but it is a number"),
        (deque([1]), [1], "should be a deque, but it is a list"),
        (deque([1, 2]), deque([1, 3]), "relative error"),
        (deque([1], 5), deque([1]), "its maxlen should be another"),
        (np.array(["2026"], "M8[Y]"), np.array(["2027"], "M8[Y]"), "an array of times, but not the right one"),
        (np.array(["2026"], "M8[Y]"), np.array([56]), "an array of times, but it is an array of integers"),
        (RECORDS, RECORDS[["x", "n"]], "an array of records, but its dtype should be another"),
        (RECORDS, np.array([(1, 0.5), (2, 9.0)], RECORDS.dtype), "field 'x' of .*1 of 2 entries is wrong"),
        (MASKED, MASKED.data, "should be a masked array, but it is an array of numbers"),
        (MASKED, np.ma.MaskedArray(MASKED.data, [True, True, False]), "its mask should be another"),
        (TABLE, TABLE.to_numpy(), "should be a DataFrame, but it is an array of objects"),
        (TABLE, TABLE.reset_index(drop=True), "its index should be another"),
        (TABLE, TABLE[["x", "n", "t", "m"]], "its columns should be another"),
        (TABLE, TABLE.head(2), "its index should be another"),
        (TABLE, changed("n", [1.0, 2.0, 3.0]), "its dtype of column 'n' should be another"),
        (TABLE, changed("x", [0.5, 1.0, HIDDEN]), r"column 'x' of .*not finite|column 'x' of .*at \[1\]"),
        (TABLE, changed("x", [0.5, np.nan, 1.0]), r"column 'x' of `f\(…\)`: 1 of 3 entries is wrong.*\[2\]"),
        (TABLE, changed("t", ["a", None, "d"]), r"`column 't'\[2\]` is a text, but not the right one"),
        (TABLE, changed("m", pd.array([1, 2, 3], dtype="Int64")), "a masked array, but its mask should be another"),
        (pd.Series([1]), pd.DataFrame([1]), "should be a Series, but it is a DataFrame"),
        (pd.Series([1], name="a"), pd.Series([1], name="b"), "its name should be another"),
        (SPARSE, SPARSE.toarray(), "should be a sparse matrix, but it is an array of numbers"),
        (SPARSE, SPARSE * 2, "2 of 2 entries are wrong.*2 times too large"),
        (SPARSE, SPARSE[:1], "its shape should be another"),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_a_wrong_answer_is_told_where_and_never_what_would_be_right(desired: Any, answer: Any, said: str) -> None:
    message = verdict(answer, desired)[0]
    with pytest.raises(Wrong, match=said):
        raise Wrong(message)
    assert "987" not in message


SCRIPTED = (
    *(Counter("aab"), OrderedDict(a=1), defaultdict(int, a=2), defaultdict(None), deque([1, [2]], 5), range(3)),
    *(Decimal("1.10"), Fraction(1, 3), datetime.date(2026, 1, 2), datetime.timedelta(1), slice(1, 2), bytearray(b"y")),
)
THINGS = trees | arrays | STANDARD | ARRAYS | frames() | columns(2) | indexes(2)


@settings(max_examples=80)
@given(THINGS)
def test_whatever_crosses_is_the_very_same_as_itself(thing: Any) -> None:
    assert difference(thing, thing) == ""


@settings(max_examples=80)
@given(THINGS, THINGS)
def test_two_things_are_the_very_same_only_where_their_bytes_are_or_differ_in_order_and_nan(
    one: Any, other: Any
) -> None:
    one, other = crossed(one), crossed(other)
    assert identical(one, other) == identical(other, one)
    if wire.encode(one) == wire.encode(other):
        assert identical(one, other)


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        *((1, 1.0), (1, True), (1, np.int64(1)), (1.0, np.float64(1)), (0.0, -0.0), (1.0, 1 + 1e-16 * 4), (1, 1 + 0j)),
        *(([1], (1,)), ({1}, frozenset({1})), ({1: 2}, {1.0: 2}), ({1: 2}, {True: 2}), ({"a": 1}, Counter("a"))),
        *((OrderedDict(a=1, b=2), OrderedDict(b=2, a=1)), (Decimal("1.1"), Decimal("1.10")), ("a", np.str_("a"))),
        *(((1, 2), Point(1, 2)), ([1], Own([1])), (deque([1]), deque([1], 1)), (b"a", bytearray(b"a"))),
        *((defaultdict(int), defaultdict(list)), (range(0, 3, 2), range(0, 4, 2)), (None, False)),
        *((np.zeros(2), np.zeros(2, "f4")), (np.zeros(2), np.zeros((1, 2))), (np.zeros(2), -np.zeros(2))),
        *((np.array(["a"], "U1"), np.array(["a"], "U2")), (np.array([1], object), np.array([1.0], object))),
        *((TABLE, changed("x", [0.5 + 1e-9, np.nan, HIDDEN])), (pd.Series([1]), pd.Series([1], index=pd.Index([0])))),
        *((SPARSE, SPARSE.tocsc()), (SPARSE, scipy.sparse.csr_matrix(SPARSE)), (MASKED, MASKED.data)),
    ],
    ids=lambda thing: repr(thing)[:20],
)
def test_what_only_looks_the_same_is_not(expected: Any, answer: Any) -> None:
    assert difference(answer, expected)
    assert "987" not in difference(answer, expected)


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        (float("nan"), -float("nan")),
        (np.array([np.nan, 1j * np.nan]), np.array([-np.nan, 1j * np.nan])),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (Point(1, 2), Point(1, 2)),
        (np.longdouble(0.5), np.longdouble(0.5)),
        (TABLE, TABLE.copy()),
    ],
    ids=lambda thing: repr(thing)[:20],
)
def test_nan_and_the_order_of_a_dictionary_make_no_difference(expected: Any, answer: Any) -> None:
    assert difference(answer, expected) == ""


def test_it_is_told_what_kind_of_thing_was_expected() -> None:
    assert difference([1], (1,)) == "`f(…)` should be a tuple, but it is a list."
    assert (
        difference(np.float32([1]), np.zeros(1)) == "`f(…)` should have the dtype float64 exactly, but it has another."
    )
    assert difference(np.zeros(3), np.zeros(2)) == "`f(…)` should have the shape (2,), but it has another."
    assert difference(1.5, 2.5) == "`f(…)` is a number, but not exactly the right one."


def test_what_cannot_cross_cannot_be_expected() -> None:
    with pytest.raises(CheckError, match="has a function in it, which does not cross"):
        equals(given_back(1), [lambda: 1])


def test_a_table_that_is_changed_in_place_is_an_argument_that_is_changed() -> None:
    def f(table: Any, names: Any) -> None:
        table["new"] = 1

    student = Student(Loopback({"f": f, "g": lambda table, names: None}))
    student.g(TABLE.copy(), deque(["a"])).unchanged()
    with pytest.raises(Wrong, match="changed"):
        student.f(TABLE.copy(), deque(["a"])).unchanged()


def test_arguments_arrive_as_what_they_are() -> None:
    seen: list[Any] = []
    student = Student(Loopback({"f": lambda *given: seen.extend(given)}))
    sent = (TABLE, Counter("aab"), OrderedDict(a=student.rng(1)), defaultdict(list, a=[1]), deque([1]), frozenset({1}))
    student.f(*sent)
    assert [type(each) for each in seen] == [type(each) for each in sent]
    assert isinstance(seen[2]["a"], np.random.Generator)
    assert seen[3]["new"] == []
    assert seen[0].equals(TABLE)


def test_a_plain_assert_compares_tables_as_a_whole() -> None:
    answer = given_back(TABLE)
    assert answer == TABLE
    assert answer != changed("n", [1, 2, 4])
    assert given_back(deque([np.zeros(2)])) != deque([np.ones(2)])
    with pytest.raises(Wrong):
        bool(answer)


def test_the_names_of_fields_are_not_told_of_an_array_that_has_them() -> None:
    with pytest.raises(Wrong, match="its dtype is record"):
        given_back(np.zeros(2, [("secret", "f8")])).array()


KINDS = (range(3), {"a": deque([1.5])}, MASKED, RECORDS, TABLE, TABLE["x"], SPARSE, [Counter("a"), Fraction(1, 2)])


@pytest.mark.parametrize("desired", KINDS, ids=lambda thing: type(thing).__name__)
@pytest.mark.parametrize("other", [None, *KINDS[2:5]], ids=lambda thing: type(thing).__name__)
def test_a_grade_its_explanation_and_the_script_of_an_appeal_agree_on_it(desired: Any, other: Any) -> None:
    for answer in (desired, other):
        wrong, compared = verdict(answer, desired)
        explained, by_script = wrong_in_an_appeal(compared)
        assert bool(wrong) == explained
        assert by_script <= bool(wrong)


def test_an_appeal_is_told_what_equals_has_said() -> None:
    kept = Kept()
    with observed_by(kept), pytest.raises(Wrong):
        equals(given_back(1.5 + 1e-12), 1.5)
    (shown,) = comparisons(kept.compared[0])
    assert shown.problem == "f(…) is a number, but not exactly the right one."


@pytest.mark.parametrize("thing", [*KINDS, *SCRIPTED, pd.NaT], ids=repr)
def test_an_explanation_has_it_as_text_and_as_json(thing: Any) -> None:
    assert json.dumps(_tree([thing]))
    assert _shown([thing]).isprintable()


@pytest.mark.parametrize("thing", [*SCRIPTED, frozenset({frozenset({1})})], ids=repr)
def test_the_script_of_an_appeal_writes_it_out(thing: Any) -> None:
    names = {each.__name__: each for each in (Counter, OrderedDict, defaultdict, deque, Decimal, Fraction)}
    assert identical(eval(_literal(thing), {**names, "datetime": datetime}), thing)


def test_of_what_the_script_of_an_appeal_cannot_write_out_it_says_so() -> None:
    assert _literal(TABLE) == "unmade('DataFrame')"
    assert _literal(RECORDS).startswith('unmade("an array of dtype')
