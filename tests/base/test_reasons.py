"""Causes are data, and every one of them has its sentences."""

import json
import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.base import Cause, CellEnd, Half, cause_from_tree, cause_tree, common_reason, reason, said, wrong
from autograder.base.causes import NO_ANSWER, Kind
from autograder.base.errors import Stopped, Wrong

NAMES = st.sampled_from(["softmax", "linear_forward"])
WHAT = st.sampled_from(["`dW`", "`softmax(…)`", "item 0 of `minibatches(…)`"])
SHAPES = st.lists(st.integers(0, 9), max_size=3).map(tuple)
FACTORS = st.sampled_from(
    [
        "",
        "7 times too large",
        "the sign is flipped, and it is 2 times too small",
        "transposed",
        "all zero",
        "not finite",
    ]
)
ENDS = st.builds(
    CellEnd,
    st.sampled_from(["raised", "syntax", "timeout", "died", "skipped"]),
    st.booleans(),
    st.sampled_from(["ValueError", "IndentationError", ""]),
    st.sampled_from(["", "it is `odd`"]),
    st.integers(0, 9),
    st.sampled_from(["", "x = `y`"]),
    st.booleans(),
    st.sampled_from(["", "special"]),
    st.none() | st.just(CellEnd("raised", True, "ImportError", "no", 1, "import x", False, "x")),
)
VALUES = st.builds(
    Cause,
    st.just("values"),
    what=WHAT,
    factor=FACTORS,
    decade=st.integers(-1, 7),
    index=SHAPES,
    wrong=st.just(2),
    total=st.just(6),
)
HALVES = st.builds(
    Half,
    st.sampled_from(["backward", "forward", "both"]),
    st.just("loss"),
    st.sampled_from([(), ("dx",), ("dx", "dW")]),
    st.sampled_from(["", "N", "1/N"]),
    st.booleans(),
    st.none() | VALUES,
)
CAUSES = st.builds(
    Cause,
    st.sampled_from(get_args(Kind)),
    function=NAMES,
    what=WHAT,
    asked=st.sampled_from(["array", "number", "parts", "dict", "iterable"]),
    names=st.sampled_from([("loss",), ("loss", "dlogits"), ("params['W']", "x", "y")]),
    type=st.sampled_from(["list", "None", "str"]),
    length=st.none() | st.integers(0, 9),
    shape=st.none() | SHAPES,
    asked_shape=SHAPES,
    dtype=st.just("complex128"),
    factor=FACTORS,
    decade=st.integers(-1, 7),
    index=SHAPES,
    wrong=st.integers(1, 6),
    total=st.just(6),
    exception=st.sampled_from(["ValueError", ""]),
    text=st.sampled_from(["It is 3 off.", "shapes (3,4) and (5,) do not fit"]),
    where=st.sampled_from(["softmax", "helper"]),
    line=st.integers(0, 9),
    source=st.sampled_from(["", "return x / 0"]),
    when=st.sampled_from(["call", "earlier", "submission", "during", "before", "since", "sent", "given"]),
    seconds=st.sampled_from([1.0, 2.5]),
    cell=st.none() | ENDS,
    swapped=st.sampled_from([(), ("param", "grad")]),
    half=st.none() | HALVES,
    again=st.booleans(),
).filter(
    # What is None is not defined, and a length is known where it is what is wrong.
    lambda cause: (
        (cause.length is not None or cause.kind not in ("length", "endless"))
        and (cause.kind, cause.type) != ("missing", "None")
    )
)


@given(CAUSES)
def test_a_cause_survives_being_stored(cause: Cause) -> None:
    assert cause_from_tree(json.loads(json.dumps(cause_tree(cause)))) == cause


@given(CAUSES)
def test_every_cause_has_sentences_for_the_student_and_is_made_of_nothing_else(cause: Cause) -> None:
    text = reason(cause)
    assert text
    for said_of_none in ("it is None (does the function return its result?)", "gave None"):
        text = text.replace(said_of_none, "")
    assert "None" not in text
    assert not re.search(r"  |\{|\}|\.\.", reason(cause))


@given(CAUSES)
def test_what_many_have_in_common_tells_of_no_numbers(cause: Cause) -> None:
    if cause.kind not in ("said", "unreadable", "uncrossable", "dtype", "missing"):
        assert not re.search(r"\d", re.sub(r"`[^`]*`|item 0|\b\d+ (?:values|second)\b", "", common_reason(cause)))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_where_there_was_no_answer_the_verdict_says_so(kind: Kind) -> None:
    verdict = wrong(Cause(kind, "softmax"))
    assert isinstance(verdict, Wrong)
    assert isinstance(verdict, Stopped) == (kind in NO_ANSWER)


def test_a_verdict_reads_as_its_cause_for_an_author_who_runs_pytest() -> None:
    assert str(Wrong("It came in the order of the rows.")) == "It came in the order of the rows."
    assert str(wrong(Cause("unwritten", "softmax"))) == reason(Cause("unwritten", "softmax"))


def test_a_cause_that_was_told_is_told_shortly_and_a_wrong_array_once_more() -> None:
    died = Cause("died", "softmax", when="during", again=True)
    assert reason(died) == "`softmax` ended Python here too."
    assert reason(Cause("values", what="`dW`", total=1, again=True)) == reason(Cause("values", what="`dW`", total=1))


@pytest.mark.parametrize("damaged", [None, 3, {}, {"kind": "wonderful"}, {"kind": "said", "text": ["x"]}])
def test_what_is_no_cause_is_refused(damaged: object) -> None:
    with pytest.raises(ValueError, match="validation error"):
        cause_from_tree(damaged)


def test_a_sentence_of_the_author_stands_as_it_is() -> None:
    assert reason(said("Two epochs came in the same order.")) == "Two epochs came in the same order."


@pytest.mark.parametrize("decade", [-2, 8, 10**30])
def test_an_error_that_no_sentence_tells_is_no_cause(decade: int) -> None:
    with pytest.raises(ValueError, match="decade"):
        cause_from_tree({"kind": "values", "decade": decade})


def test_a_cell_without_an_exceptions_name_has_its_sentence() -> None:
    sentence = reason(Cause("missing", "f", cell=CellEnd("syntax", defines=True)))
    assert sentence == "`f` is not defined: the cell that defines it has a SyntaxError."
