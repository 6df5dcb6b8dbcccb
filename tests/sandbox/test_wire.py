"""The frames that cross the wall: data survives, anything else is refused, and hostile bytes raise one error only."""

import contextlib
import socket
import struct
import sys
import threading
import time
import tracemalloc
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.sandbox import Opaque, Ref
from autograder.sandbox.inside import calls, wire
from autograder.sandbox.inside.wire import WireError

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**500), 2**500)
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary()
)
dtypes = st.sampled_from(wire.DTYPES).map(np.dtype)
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
members = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=2),
    max_leaves=4,
)
keys = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text() | st.binary() | st.tuples(members)
trees = st.recursive(
    scalars,
    lambda inner: (
        (st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner))
        | (st.sets(members) | st.frozensets(members))
    ),
    max_leaves=20,
)


@given(trees)
def test_a_tree_of_plain_data_crosses_unchanged(tree):
    assert wire.decode(wire.encode(tree)) == tree


@given(trees)
def test_types_survive_the_crossing(tree):
    def types(thing):
        if isinstance(thing, dict):
            return {key: types(value) for key, value in thing.items()}
        if isinstance(thing, list | tuple):
            return type(thing)(types(item) for item in thing)
        return type(thing)

    assert types(wire.decode(wire.encode(tree))) == types(tree)


@given(st.sets(members | arrays.filter(lambda array: array.size and array.dtype.kind != "c").map(lambda a: a.flat[0])))
def test_a_set_crosses_in_the_same_bytes_whatever_its_order(things):
    other_order: set[object] = set()
    for thing in sorted(things, key=repr):
        other_order.add(thing)
    assert wire.encode(other_order) == wire.encode(things)
    assert wire.encode(frozenset(other_order)) == wire.encode(frozenset(things))


def arrays_of_texts(longest: int) -> st.SearchStrategy[np.ndarray]:
    # Halves of characters are written out, which makes texts longer; NumPy takes a last null character for none.
    texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=longest)
    return hnp.arrays(f"U{longest}", hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4), elements=texts)


@given(st.sampled_from([1, 5]).flatmap(arrays_of_texts))
def test_an_array_of_texts_crosses(array):
    back = wire.decode(wire.encode(array))
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tolist() == array.tolist()


@pytest.mark.parametrize(
    "payload",
    [
        b"e" + struct.pack("<I", 1) + wire.encode([1]),
        b"e" + struct.pack("<I", 1) + wire.encode({1}),
        b"e" + struct.pack("<I", 2**31),
        b"e"
        + struct.pack("<I", wire.MAX_NUMBER_KEYS + 1)
        + b"".join(map(wire.encode, range(wire.MAX_NUMBER_KEYS + 1))),
        b"e" + struct.pack("<I", 1) + wire.encode(tuple(range(wire.MAX_NUMBER_KEYS))),
        b"u\x01" + struct.pack("<Q", 2**40),
        b"u\x20",
        b"u\x02" + struct.pack("<2Q", 0, 2**60),
        b"u\x01" + struct.pack("<QI", 1, 1) + struct.pack("<I", 1) + b"\xff",
    ],
)
def test_sets_and_texts_beyond_the_bounds_are_refused(payload):
    with pytest.raises(WireError):
        wire.decode(payload)


def test_one_long_text_does_not_make_an_array_of_many_as_long():
    count = 50_000
    head = b"u\x01" + struct.pack("<Q", count)
    texts = struct.pack("<I", 4000) + b"a" * 4000 + bytes(4) * (count - 1)
    tracemalloc.start()
    try:
        for width, why in ((4000, "more room than the bound"), (10, "longer than its array has room for")):
            with pytest.raises(WireError, match=why):
                wire.decode(head + struct.pack("<I", width) + texts)
        assert tracemalloc.get_traced_memory()[1] < 50 * 2**20
    finally:
        tracemalloc.stop()


def test_the_room_of_all_arrays_of_texts_together_is_bounded():
    """Each takes a little of the frame, and as much memory as a frame may."""
    array = b"u\x01" + struct.pack("<QI", 1000, 10_000) + bytes(4) * 1000
    assert wire.decode(array).nbytes == 40_000_000
    with pytest.raises(WireError, match="more room than the bound"):
        wire.decode(b"l\x02\x00\x00\x00" + array * 2)


def test_a_set_of_too_many_numbers_stays_inside():
    assert wire.decode(wire.encode(set(range(5000)), calls.opaque)) == Opaque("set")


@given(arrays)
def test_an_array_crosses_to_the_bit(array):
    back = wire.decode(wire.encode(array))
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())


@given(arrays.filter(lambda array: array.size))
def test_a_numpy_scalar_stays_a_numpy_scalar(array):
    scalar = array.ravel()[0]
    back = wire.decode(wire.encode(scalar))
    assert type(back) is type(scalar)
    assert back.tobytes() == scalar.tobytes()


def test_an_array_that_crossed_is_writable_and_its_own():
    frame = bytearray(wire.encode(np.arange(3)))
    back = wire.decode(frame)
    frame[-1] = 255
    assert back.tolist() == [0, 1, 2]
    back[0] = 7
    assert back.tolist() == [7, 1, 2]


def test_a_view_in_another_memory_order_crosses_by_its_entries():
    array = np.arange(12.0).reshape(3, 4)[:, ::-2].T
    assert np.array_equal(wire.decode(wire.encode(array)), array)


def test_a_big_endian_array_comes_back_native():
    array = np.arange(3, dtype=">f8")
    back = wire.decode(wire.encode(array))
    assert back.dtype == np.dtype("f8")
    assert np.array_equal(back, array)


@given(arrays, st.data())
def test_an_array_crosses_whatever_its_order_and_strides(array, data):
    """Views: transposed, of a negative step, of every other entry, broadcast, with an axis of length 1 put in."""
    view = array[..., *(slice(None, None, data.draw(st.sampled_from([1, 2, -1, -2]))) for _ in array.shape)]
    view = data.draw(st.sampled_from([view, view.T, view[np.newaxis], np.broadcast_to(view, (3, *view.shape))]))
    view = view.view(view.dtype.newbyteorder(data.draw(st.sampled_from("<>")))) if view.size else view
    back = wire.decode(wire.encode(view))
    assert (back.dtype, back.shape) == (view.dtype.newbyteorder("="), view.shape)
    assert back.tobytes() == view.astype(view.dtype.newbyteorder("="), copy=True).tobytes()
    assert back.flags.c_contiguous
    assert back.flags.writeable


@given(arrays)
def test_an_array_that_lies_by_columns_comes_back_so_where_that_is_asked_for(array):
    for view in (array, array.T):
        back = wire.decode(wire.encode(view, layout=True))
        assert (back.dtype, back.shape) == (view.dtype.newbyteorder("="), view.shape)
        assert back.tobytes() == view.astype(view.dtype.newbyteorder("=")).tobytes()
        assert (back.flags.c_contiguous, back.flags.f_contiguous) == (view.flags.c_contiguous, view.flags.f_contiguous)
        assert back.flags.writeable


@given(st.binary(min_size=8, max_size=64).filter(lambda data: len(data) % 8 == 0))
def test_every_bit_of_a_float_survives(data):
    """NaN payloads, quiet and signalling, signed zeros, subnormal numbers, infinities."""
    for array in (np.frombuffer(data, "<f8"), np.frombuffer(data, "<f4"), np.frombuffer(data, "<f2")):
        back = wire.decode(wire.encode((array, *array)))
        assert back[0].tobytes() == data
        assert b"".join(scalar.tobytes() for scalar in back[1:]) == data
    for number in struct.unpack(f"<{len(data) // 8}d", data):
        assert struct.pack("<d", wire.decode(wire.encode(number))) == struct.pack("<d", number)
        crossed = wire.decode(wire.encode(complex(number, -number)))
        assert struct.pack("<dd", crossed.real, crossed.imag) == struct.pack("<dd", number, -number)


@pytest.mark.parametrize("number", [2**511 - 1, 1 - 2**511, 2**63, -(2**63), 2**64 - 1, 255, -256, 0])
def test_an_integer_of_up_to_64_bytes_crosses(number):
    assert wire.decode(wire.encode(number)) == number


@given(st.text(st.characters(codec=None, categories=["Cs", "L"])))
def test_a_text_with_lone_surrogates_crosses_with_these_written_out(text):
    back = wire.decode(wire.encode(text))
    assert back == text.encode("utf-8", "backslashreplace").decode()


@given(st.dictionaries(st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(), scalars))
def test_every_kind_of_key_keeps_its_type_and_its_place(tree):
    back = wire.decode(wire.encode(tree))
    assert [(type(key), repr(key)) for key in back] == [(type(key), repr(key)) for key in tree]
    assert list(back.values()) == list(tree.values())


@pytest.mark.parametrize("dtype", ["longdouble", "clongdouble"])
def test_a_wider_float_crosses_in_64_bits_a_part(dtype):
    back = wire.decode(wire.encode(np.array([0.5, 1.25], dtype)))
    assert back.dtype == np.dtype({"longdouble": "f8", "clongdouble": "c16"}[dtype])
    assert back.tolist() == [0.5, 1.25]


def test_what_stays_inside_is_named():
    tree = (Opaque("generator"), Ref(3, (0, "cache")))
    assert wire.decode(wire.encode(tree)) == tree


@pytest.mark.parametrize(
    "thing",
    [
        *(object(), {(len,)}, {frozenset({len})}, len, 2**600, {(1, len): 3}, {2**64: 3}),
        *(np.array(["a"], np.dtypes.StringDType()), np.array([object()]), np.array([[1, object()]])),
        *(np.zeros(2, "V8"), np.zeros(2, [("a", "O")]), np.zeros(2, [("a", "V3")]), np.zeros((1,) * 17)),
        *(np.broadcast_to(np.array(None), (10**6, 10**6)), np.zeros(1, [("a", "longdouble")])),
    ],
    ids=lambda thing: type(thing).__name__ if not isinstance(thing, np.ndarray) else f"{thing.dtype} {thing.ndim}-d",
)
def test_anything_else_does_not_cross(thing):
    with pytest.raises(wire.Uncrossable):
        wire.encode(thing)
    assert wire.decode(wire.encode([thing], calls.opaque)) == [calls.opaque(thing)]


def test_anything_else_is_named_where_the_sender_says_how():
    assert wire.decode(wire.encode([1, len], calls.opaque)) == [1, Opaque("builtin_function_or_method")]


def test_a_list_that_contains_itself_is_refused():
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(WireError, match="deeper"):
        wire.encode(loop)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_a_wire_error(data):
    with contextlib.suppress(WireError):
        wire.decode(data)


@given(trees | arrays, st.data())
def test_a_damaged_frame_raises_nothing_but_a_wire_error(tree, data):
    payload = bytearray(wire.encode(tree))
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(WireError):
        wire.decode(payload[: data.draw(st.integers(0, len(payload)))])


def array_frame(code: int, shape: tuple[int, ...], data: bytes = b"") -> bytes:
    return b"a" + bytes((code, len(shape))) + b"".join(struct.pack("<Q", n) for n in shape) + data


@pytest.mark.parametrize(
    "payload",
    [
        array_frame(11, (2**40,)),
        array_frame(11, (2**63, 2**63)),
        array_frame(11, (2**62, 4)),
        array_frame(11, (0, 2**40, 2**40)),
        array_frame(200, (1,), bytes(8)),
        array_frame(11, (1,) * 200, bytes(8)),
        array_frame(0, (2,), b"\x02\x00"),
        b"g" + array_frame(11, (1,), bytes(8))[1:],
        b"l" + struct.pack("<I", 2**32 - 1),
        b"l\x01\x00\x00\x00" * 200 + b"N",
        b"i\xff" + bytes(255),
        b"d" + struct.pack("<I", 1) + b"l\x00\x00\x00\x00N",
        b"s" + struct.pack("<I", 2) + b"\xff\xfe",
        b"r" + bytes(8) + b"N",
        b"NN",
        b"",
    ],
)
def test_a_frame_that_lies_is_refused_before_memory_is_taken(payload):
    with pytest.raises(WireError):
        wire.decode(payload)


def test_what_is_over_a_bound_is_not_sent():
    """Deeper, more parts, more bytes in one piece, or in all, than the other side would take."""
    deep = reduce(lambda tree, _: [tree], range(wire.MAX_DEPTH + 1), [])
    half = bytes(wire.MAX_FRAME // 2)
    for tree in (
        deep,
        [None] * wire.MAX_NODES,
        bytes(wire.MAX_FRAME),
        [half, half],
        np.broadcast_to(0.0, (10**5,) * 2),
    ):
        with pytest.raises(WireError):
            wire.encode(tree)
    for tree in (deep[0], [None] * (wire.MAX_NODES - 1), half):
        assert wire.decode(wire.encode(tree)) == tree


def colliding(count: int) -> bytes:
    """A dictionary whose keys all have the same hash."""
    modulus = sys.hash_info.modulus
    keys = b"".join(b"i\x20" + (n * modulus).to_bytes(32, "little") + b"N" for n in range(count))
    return b"d" + struct.pack("<I", count) + keys


def test_keys_that_collide_are_refused():
    assert len({hash(n * sys.hash_info.modulus) for n in range(100)}) == 1
    with pytest.raises(WireError, match="64 bits"):
        wire.decode(colliding(100))


def test_keys_that_are_numbers_are_bounded_in_all_dictionaries_together():
    """A hostile sender can place numbers in a dictionary's table so that each insertion passes all before it."""
    many = dict.fromkeys(range(wire.MAX_NUMBER_KEYS))
    assert wire.decode(wire.encode(many)) == many
    with pytest.raises(WireError, match="keys"):
        wire.encode([many, {1.5: 1}])
    frame = b"l\x02\x00\x00\x00" + wire.encode(many) + wire.encode({1.5: 1})
    with pytest.raises(WireError, match="keys"):
        wire.decode(frame)


def test_a_table_of_many_numbers_stays_inside_and_the_rest_crosses():
    tree = (1.0, dict.fromkeys(range(2 * wire.MAX_NUMBER_KEYS)), {"W1": 2.0})
    assert wire.decode(wire.encode(tree, calls.opaque)) == (1.0, Opaque("dict"), {"W1": 2.0})


SHARE = 10
"""What is measured is so much smaller than the largest frame; measuring is slow."""

PARTS = wire.MAX_NODES // SHARE
TEXT = wire.MAX_TEXT // SHARE
LARGEST = {
    "texts": wire.encode(["x" * (TEXT - 4) + "𝄞", bytes((wire.MAX_FRAME - wire.MAX_TEXT) // SHARE)]),
    "one array": array_frame(5, (wire.MAX_FRAME // SHARE,), bytes(wire.MAX_FRAME // SHARE)),
    "tiny arrays": b"l" + struct.pack("<I", PARTS) + array_frame(11, (1,) * 16, bytes(8)) * PARTS,
    "empty arrays": b"l" + struct.pack("<I", PARTS) + array_frame(11, (0, 2**26)) * PARTS,
    "lists": b"l" + struct.pack("<I", PARTS) + b"l\0\0\0\0" * PARTS,
}


@pytest.mark.parametrize("frame", LARGEST.values(), ids=LARGEST)
def test_what_a_frame_takes_is_a_small_multiple_of_its_bound(frame):
    tracemalloc.start()
    try:
        tree = wire.decode(frame)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert tree is not None
    assert most < 4 * wire.MAX_FRAME / SHARE


def test_a_frame_announced_over_the_bound_is_refused_unread():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(struct.pack("<I", wire.MAX_FRAME + 1))
        with pytest.raises(WireError, match="over the bound"):
            wire.receive(ours, time.monotonic() + 5)


def test_a_frame_that_never_ends_is_late():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(struct.pack("<I", 100) + b"half")
        with pytest.raises(wire.Late):
            wire.receive(ours, time.monotonic() + 0.05)


def test_a_side_that_has_gone_is_told_from_one_that_is_late():
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        with pytest.raises(wire.Closed):
            wire.receive(ours, time.monotonic() + 5)


def test_a_large_frame_crosses_a_socket():
    ours, theirs = socket.socketpair()
    array = np.arange(1_000_000.0)
    with ours, theirs:
        sender = threading.Thread(target=wire.send, args=(theirs, wire.encode(array)))
        sender.start()
        assert np.array_equal(wire.receive(ours, time.monotonic() + 30), array)
        sender.join()
