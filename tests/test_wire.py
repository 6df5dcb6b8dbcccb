"""The frames that cross the wall: data survives, anything else is refused, and hostile bytes raise one error only."""

import contextlib
import socket
import struct
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.sandbox.inside import wire
from autograder.sandbox.inside.wire import Opaque, Ref, WireError

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
keys = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text()
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner),
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
    back = wire.decode(wire.encode(np.arange(3)))
    back[0] = 7
    assert back.flags.owndata or back.base.flags.owndata


def test_a_view_in_another_memory_order_crosses_by_its_entries():
    array = np.arange(12.0).reshape(3, 4)[:, ::-2].T
    assert np.array_equal(wire.decode(wire.encode(array)), array)


def test_a_big_endian_array_comes_back_native():
    array = np.arange(3, dtype=">f8")
    back = wire.decode(wire.encode(array))
    assert back.dtype == np.dtype("f8")
    assert np.array_equal(back, array)


def test_what_stays_inside_is_named():
    tree = (Opaque("generator"), Ref(3, (0, "cache")))
    assert wire.decode(wire.encode(tree)) == tree


@pytest.mark.parametrize(
    "thing",
    [object(), {1, 2}, len, np.array(["a"]), np.array([object()]), np.zeros(2, "M8[s]"), 2**600, {(1, 2): 3}],
    ids=["object", "set", "function", "strings", "objects", "dates", "huge-int", "tuple-key"],
)
def test_anything_else_does_not_cross(thing):
    with pytest.raises(WireError):
        wire.encode(thing)


def test_anything_else_is_named_where_the_sender_says_how():
    assert wire.decode(wire.encode([1, {2}], lambda thing: Opaque(type(thing).__name__))) == [
        1,
        Opaque("set"),
    ]


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
