"""Data that is made of plainer data: each kind comes back as it was, and no forged one is made."""

import contextlib
import datetime
import struct
import sys
import tracemalloc
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.sandbox import Opaque
from autograder.sandbox.inside import calls, kinds, wire
from autograder.sandbox.inside.wire import WireError
from tests.sandbox.test_wire import keys, trees

ZONES = st.none() | st.builds(
    datetime.timezone,
    st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23)),
    st.sampled_from(["X", "Zürich"]),
)
ZONES |= st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23)).map(datetime.timezone)
FOLDED = st.sampled_from([0, 1])
TIMES = (
    st.dates()
    | st.timedeltas()
    | st.builds(lambda when, fold: when.replace(fold=fold), st.datetimes(timezones=ZONES), FOLDED)
    | st.builds(lambda when, fold: when.replace(fold=fold), st.times(timezones=ZONES), FOLDED)
)
NUMBERS = (
    st.decimals(allow_nan=False)
    | st.sampled_from(["NaN", "-NaN", "NaN12", "-Infinity", "-0", "0E+5", "1.10", "1E-999999"]).map(Decimal)
    | st.fractions()
)
WHOLE = st.integers(-(2**70), 2**70)
RANGES = st.builds(range, st.integers(-(2**40), 2**40), WHOLE.map(lambda n: n // 2**10), WHOLE.filter(bool))
CONTAINERS = (
    st.dictionaries(keys, trees, max_size=4).map(OrderedDict)
    | st.dictionaries(keys, st.integers(), max_size=4).map(Counter)
    | st.builds(defaultdict, st.sampled_from([None, *kinds.FACTORIES.values()]), st.dictionaries(keys, trees))
    | st.builds(lambda entries, more: deque(entries, len(entries) + more), st.lists(trees), st.integers(0, 3))
    | st.lists(trees).map(deque)
)
CLASSES = st.sampled_from(list(kinds.TYPES.values()))
SLICES = st.builds(slice, trees, trees, trees)
STANDARD = TIMES | NUMBERS | RANGES.filter(lambda it: kinds.length_of(it) < 2**63) | CONTAINERS | CLASSES | SLICES
STANDARD |= st.just(...) | st.binary().map(bytearray)

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
LEAVES = (
    hnp.datetime64_dtypes(endianness="=")
    | hnp.timedelta64_dtypes(endianness="=")
    | hnp.byte_string_dtypes(endianness="=", min_len=1)
    | hnp.scalar_dtypes().map(lambda dtype: dtype.newbyteorder("=")).filter(lambda it: it.itemsize <= 8 and it.itemsize)
)
RECORDS = st.recursive(
    LEAVES,
    lambda inner: st.lists(st.tuples(inner, st.sampled_from([(), (), (2,), (1, 2), (0,)])), min_size=1, max_size=3).map(
        lambda fields: np.dtype([(f"{place}ä", *field) for place, field in enumerate(fields)])
    ),
    max_leaves=4,
).filter(lambda dtype: dtype.names)
DTYPES = (LEAVES | RECORDS).filter(lambda dtype: dtype.kind not in "U")
ARRAYS = hnp.arrays(DTYPES, SHAPES)


def back(thing: Any) -> Any:
    return wire.decode(wire.encode(thing))


def frame(name: str, parts: Any) -> bytes:
    """What a hostile process may write: any parts under the name of any kind."""
    return b"x" + bytes((len(name),)) + name.encode() + wire.encode(parts)


@given(STANDARD)
def test_what_the_standard_library_makes_comes_back_equal_and_of_the_same_type_and_look(thing: Any) -> None:
    crossed = back(thing)
    assert type(crossed) is type(thing)
    # In which order a set shows what is in it is not its own.
    assert repr(crossed) == repr(thing) or "{" in repr(thing)
    if not (isinstance(thing, Decimal) and thing.is_nan()):
        assert crossed == thing


@given(st.lists(STANDARD, max_size=3))
def test_what_crosses_twice_crosses_in_the_same_bytes(things: list[Any]) -> None:
    once = wire.encode(things)
    assert wire.encode(wire.decode(once)) == once


@given(ARRAYS)
def test_arrays_of_times_bytes_and_records_keep_dtype_shape_and_entries(array: np.ndarray) -> None:
    crossed = back(array)
    assert (crossed.dtype, crossed.shape, repr(crossed)) == (array.dtype, array.shape, repr(array))
    assert wire.encode(crossed) == wire.encode(array)
    assert crossed.flags.writeable


@given(ARRAYS.filter(lambda array: array.size))
def test_their_scalars_stay_scalars_of_numpy_s(array: np.ndarray) -> None:
    scalar = array.ravel()[0]
    crossed = back(scalar)
    assert type(crossed) is type(scalar)
    assert crossed.dtype == scalar.dtype
    assert repr(crossed) == repr(scalar)


@given(hnp.arrays(object, SHAPES, elements=trees, fill=st.nothing()))
def test_an_array_of_objects_that_cross_crosses(array: np.ndarray) -> None:
    crossed = back(array)
    assert (crossed.dtype, crossed.shape, crossed.tolist()) == (array.dtype, array.shape, array.tolist())


# NumPy's own fill value is too large for a float16.
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@given(hnp.arrays(DTYPES | st.just(np.dtype("U3")), SHAPES), st.booleans(), st.data())
def test_a_masked_array_keeps_what_is_masked_and_what_is_below(array: np.ndarray, hard: bool, data: Any) -> None:
    masks = hnp.arrays(np.ma.make_mask_descr(array.dtype), array.shape)
    masked: Any = np.ma.MaskedArray(array, data.draw(st.just(np.ma.nomask) | masks), hard_mask=hard)
    crossed = back(masked)
    assert type(crossed) is type(masked)
    assert repr(crossed) == repr(masked)
    assert (crossed.dtype, crossed.hardmask) == (masked.dtype, hard)
    assert (crossed.mask is np.ma.nomask) == (masked.mask is np.ma.nomask)
    assert wire.encode((crossed.data, np.asarray(crossed.mask))) == wire.encode((masked.data, np.asarray(masked.mask)))


def test_the_one_masked_value_is_itself() -> None:
    assert back(np.ma.masked) is np.ma.masked


@given(RECORDS)
def test_a_dtype_crosses_with_its_fields_offsets_and_alignment(dtype: np.dtype[Any]) -> None:
    crossed = back(dtype)
    assert crossed == dtype
    assert (repr(crossed), crossed.isalignedstruct) == (repr(dtype), dtype.isalignedstruct)


@pytest.mark.parametrize("text", [">f8", "<i2", "?", "O", "S5", "U7", "V3", "M8", "M8[25s]", "m8[ns]", "longdouble"])
def test_the_dtype_of_any_array_crosses_in_its_own_byte_order(text: str) -> None:
    assert back(np.dtype(text)).str == np.dtype(text).str


@pytest.mark.parametrize("aligned", [False, True])
def test_what_lies_between_the_fields_of_a_record_stays_inside(aligned: bool) -> None:
    dtype = np.dtype({"names": ["a", "b"], "formats": ["u1", "f8"], "offsets": [0, 16], "itemsize": 32}, align=aligned)
    array = np.frombuffer(b"\xff" * 64, dtype)
    crossed = back(array)
    assert crossed.dtype == array.dtype
    assert crossed["a"].tolist() == [255, 255]
    assert crossed.tobytes()[1:8] == bytes(7)


@pytest.mark.parametrize("text", [np.str_("ä"), np.bytes_(b"y")])
def test_a_text_of_numpy_s_stays_one(text: Any) -> None:
    assert type(back(text)) is type(text)
    assert back(text) == text


@pytest.mark.parametrize(
    "key", [b"y", (1, "a"), ((), frozenset({1})), frozenset(), np.float32(1.5), np.int8(1), np.str_("a"), 1j, np.True_]
)
def test_whatever_may_be_in_a_set_may_be_a_key(key: Any) -> None:
    (crossed,) = back({key: 1})
    assert type(crossed) is type(key)
    assert crossed == key


def test_a_frozen_set_stays_frozen() -> None:
    assert type(back(frozenset({1}))) is frozenset


Point = namedtuple("Point", "x y")


class Own(list):
    """A class of a student's."""


class OwnDict(dict):
    """Another."""


class OwnCounter(Counter):
    """Another, of what crosses as itself."""


@pytest.mark.parametrize("thing", [Point(1, 2.0), Own([1]), OwnDict(a=1), OwnCounter("aab")], ids=lambda it: type(it))
def test_a_class_of_one_s_own_is_told_by_its_name_and_still_is_what_it_was_made_of(thing: Any) -> None:
    crossed = wire.decode(wire.encode(thing, calls.opaque))
    assert crossed == thing
    assert crossed.type_name == type(thing).__name__
    assert isinstance(crossed, wire.TupleLike | wire.ListLike | wire.DictLike)
    assert wire.decode(wire.encode(crossed, calls.opaque)).type_name == type(thing).__name__


def test_what_the_grader_sends_of_a_class_of_its_own_is_plain() -> None:
    assert type(back(Point(1, 2))) is tuple
    assert type(back(OwnCounter("a"))) is dict


@pytest.mark.parametrize(
    "thing",
    [
        *(range(2**70), Decimal("sNaN"), Decimal("1E+1000000"), Decimal("1" * 1001), Fraction(2**600, 3)),
        *(datetime.time(tzinfo=type("Zone", (datetime.tzinfo,), {})()), len),
        *(defaultdict(lambda: 0), Counter({2**64: 1}), np.dtype([(("title", "a"), "f8")]), np.dtype([]), Exception),
        *(np.dtypes.StringDType(), np.record),
    ],
    ids=lambda thing: repr(thing)[:30],
)
def test_a_thing_beyond_the_bounds_stays_inside(thing: Any) -> None:
    assert isinstance(wire.decode(wire.encode(thing, calls.opaque)), Opaque)


def test_an_ordered_dictionary_keeps_the_order_that_it_was_given_afterwards():
    recent = OrderedDict(a=1, b=2)
    recent.move_to_end("a")
    assert list(wire.decode(wire.encode(recent))) == ["b", "a"]


def test_what_cannot_cross_is_left_out_of_a_container_and_named() -> None:
    things = (deque([1, len]), OrderedDict(a=len), slice(len, 2))
    named = Opaque("builtin_function_or_method")
    crossed = wire.decode(wire.encode(things, calls.opaque))
    assert crossed == (deque([1, named]), OrderedDict(a=named), slice(named, 2))


def test_an_array_of_objects_stays_inside_where_one_does_and_what_is_beside_it_crosses() -> None:
    things = [{1: 2}, np.array([[1, {3: 4}], [len, "x"]], object), {5: 6}]
    assert wire.decode(wire.encode(things, calls.opaque)) == [{1: 2}, Opaque("array of dtype object"), {5: 6}]


def nested(levels: int) -> Any:
    tree: Any = "<f8"
    for _ in range(levels):
        tree = (["a"], [tree], (0,), 8, False)
    return tree


COLLIDING = [n * sys.hash_info.modulus for n in range(1, wire.MAX_NUMBER_KEYS + 2)]
BEYOND = {
    "a range of no step": frame("range", (0, 1, 0)),
    "a range of texts": frame("range", ("0", "1", "2")),
    "a range that is too long": frame("range", (0, 2**64, 1)),
    "an ellipsis with parts": frame("...", 1),
    "a fraction of nothing": frame("Fraction", (1, 0)),
    "a fraction not in lowest terms": frame("Fraction", (2, 4)),
    "a negative denominator": frame("Fraction", (1, -2)),
    "a decimal of a million digits": frame("Decimal", "1" * 1_000_000),
    "a decimal of a large exponent": frame("Decimal", "1E9999999"),
    "a decimal of other digits": frame("Decimal", "٣"),
    "a signalling NaN": frame("Decimal", "sNaN"),
    "no decimal": frame("Decimal", "1e"),
    "the thirty-first of February": frame("date", (2026, 2, 31)),
    "a date of booleans": frame("date", (2026, True, True)),
    "a year beyond the calendar": frame("date", (2**70, 1, 1)),
    "an interval beyond the bounds": frame("timedelta", (2**62, 0, 0)),
    "a zone of two days": frame("time", ((0, 0, 0, 0, 0), (2, 0, 0, None))),
    "a zone with a long name": frame("time", ((0, 0, 0, 0, 0), (0, 0, 0, "x" * 101))),
    "a zone of too few parts": frame("time", ((0, 0, 0, 0, 0), (0,))),
    "a deque of more than it may have": frame("deque", (1, [1, 2])),
    "a deque of a negative length": frame("deque", (-1, [])),
    "a deque of an endless length": frame("deque", (2**70, [])),
    "a deque of a dictionary": frame("deque", (None, {})),
    "a bytearray of so many zeros": frame("bytearray", 2**40),
    "a class that is no data": frame("type", "Exception"),
    "a kind that is none": frame("Path", "/"),
    "a kind with a name that is none": b"x\xff" + b"\xff" * 255 + b"N",
    "a dtype of objects and code": frame("dtype", "O,O"),
    "a dtype of a field too many": frame("dtype", (["a"], ["<f8", "<f8"], (0,), 16, False)),
    "a dtype of too many fields": frame(
        "dtype", ([f"a{i}" for i in range(300)], ["<f8"] * 300, tuple(range(0, 2400, 8)), 2400, False)
    ),
    "a dtype whose fields lie outside": frame("dtype", (["a"], ["<f8"], (10**6,), 8, False)),
    "a dtype of fields of one name": frame("dtype", (["a", "a"], ["<f8", "<f8"], (0, 8), 16, False)),
    "a dtype of a negative size": frame("dtype", (["a"], ["<f8"], (0,), -1, False)),
    "a dtype that is nested": frame("dtype", nested(9)),
    "a dtype of a large shape": frame("dtype", ("<f8", (2**40, 2**40))),
    "times of no unit that is": frame("times", ("<M8[parsecs]", np.zeros(1, "i8"))),
    "times of numbers": frame("times", ("<f8", np.zeros(1, "i8"))),
    "times of floats": frame("times", ("<M8[s]", np.zeros(1))),
    "times of a factor that overflows": frame("times", ("<M8[999999999999s]", np.zeros(1, "i8"))),
    "a time of two": frame("time scalar", ("<M8[s]", np.zeros(2, "i8"))),
    "bytes of no length": frame("bytes array", (0, (2**40,), b"")),
    "too few bytes": frame("bytes array", (2, (2,), b"abc")),
    "bytes of a negative shape": frame("bytes array", (1, (-1, -3), b"abc")),
    "an empty array of long bytes": frame("bytes array", (2**30, (0,), b"")),
    "objects of another shape": frame("object array", ((2,), [1])),
    "objects of an overflowing shape": frame("object array", ((0, 2**62), [])),
    "objects of too many dimensions": frame("object array", ((1,) * 17, [1])),
    "a record of objects": frame("record array", ((["a"], ["|O"], (0,), 8, False), (1,), [np.array([None])])),
    "a record of large holes": frame(
        "record array", ((["a"], ["|u1"], (0,), 2**30, False), (1000,), [np.zeros(1000, "u1")])
    ),
    "a record of a field too few": frame("record array", ((["a"], ["<f8"], (0,), 8, False), (1,), [])),
    "a record of a field that is longer": frame(
        "record array", ((["a"], ["<f8"], (0,), 8, False), (1,), [np.zeros(2)])
    ),
    "a record of a field of texts": frame("record array", ((["a"], ["<f8"], (0,), 8, False), (1,), [["1"]])),
    "a mask of another shape": frame("masked array", (np.zeros(2), np.zeros(3, "?"), np.zeros(()), False)),
    "a mask of numbers": frame("masked array", (np.zeros(2), np.zeros(2), np.zeros(()), False)),
    "a mask of nothing": frame("masked array", ([1], None, np.zeros(()), False)),
    "a filling of another dtype": frame("masked array", (np.zeros(2), None, np.array("x"), False)),
    "a counter of a list": b"D" + wire.encode("Counter") + b"N" + wire.encode([1]),
    "a counter with a factory": b"D" + wire.encode("Counter") + wire.encode("int") + wire.encode({}),
    "a factory that is none": b"D" + wire.encode("defaultdict") + wire.encode("eval") + wire.encode({}),
    "a factory that has no hash": b"D" + wire.encode("defaultdict") + wire.encode([]) + wire.encode({}),
    "a dictionary that is none": b"D" + wire.encode([]) + b"NN",
    "a counter with colliding keys": b"D" + wire.encode("Counter") + b"N" + b"d" + struct.pack("<I", 4097)
    + b"".join(b"t\x01\0\0\0" + wire.encode(n) + b"N" for n in COLLIDING),
    "colliding members": b"z" + struct.pack("<I", 4097) + b"".join(b"t\x01\0\0\0" + wire.encode(n) for n in COLLIDING),
    "a list as a key": b"d" + struct.pack("<I", 1) + b"t\x01\0\0\0" + wire.encode([1]) + b"N",
    "a class of one's own without a name": b"kN" + wire.encode([1]),
    "a class of one's own with a long name": b"k" + wire.encode("x" * 401) + wire.encode([1]),
    "a class of one's own of numbers": b"k" + wire.encode("x") + wire.encode(1),
    "classes of one's own of such": (b"k" + wire.encode("x")) * 10_000 + wire.encode([1]),
    "dictionaries of such": (b"D" + wire.encode("OrderedDict") + b"N") * 10_000 + wire.encode({}),
    "a dtype nested 10,000 deep": frame("dtype", None)[:-1] + b"t\x02\0\0\0" * 10_000 + b"N",
    "kinds within kinds": b"x\x05slice" * 10_000,
}  # fmt: skip


@pytest.mark.parametrize("payload", BEYOND.values(), ids=BEYOND)
def test_what_lies_about_itself_is_refused_before_memory_is_taken(payload: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            wire.decode(payload)
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()


def test_keys_that_numpy_compares_entry_by_entry_are_refused() -> None:
    """``np.float64(x) == (1, 2)`` is an array, which is neither true nor false, where their hashes are the same."""
    pair = next((n, 0) for n in range(10**6) if abs(hash((n, 0))) < 2**53)
    twin = np.float64(hash(pair))
    assert hash(twin) == hash(pair)
    head = b"d" + struct.pack("<I", 2) + wire.encode(twin) + b"N" + wire.encode(pair) + b"N"
    with pytest.raises(WireError, match="compared"):
        wire.decode(head)
    with pytest.raises(WireError, match="compared"):
        wire.decode(b"e" + struct.pack("<I", 2) + wire.encode(twin) + wire.encode(pair))


@given(st.sampled_from(sorted([*kinds._MADE, "pandas.DataFrame", "other"])), STANDARD | trees)
def test_any_parts_under_the_name_of_any_kind_raise_nothing_but_a_wire_error(name: str, parts: Any) -> None:
    with contextlib.suppress(WireError):
        wire.decode(frame(name, parts))


@given(STANDARD | ARRAYS, st.data())
def test_a_damaged_frame_raises_nothing_but_a_wire_error(thing: Any, data: Any) -> None:
    payload = bytearray(wire.encode(thing))
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(WireError):
        wire.decode(payload[: data.draw(st.integers(0, len(payload)))])
