"""Frames that cross the wall: trees of plain data, length-prefixed, with every bound checked before memory is taken.

A tree is made of None, bool, int, float, complex, str, bytes, list, tuple, set, dict, arrays and scalars of numeric
dtypes, arrays of texts, and two things that stand for what stays inside: ``Opaque`` (an object that cannot cross, named
by its type) and ``Ref`` (an object kept inside, named by a handle and a path into it). Both sides import this module;
the trusted side decodes with it what a hostile process may have written, so ``decode`` raises nothing but
``WireError``.
"""

from __future__ import annotations

import math
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

MAX_FRAME = 64 * 2**20
MAX_TEXT = 24 * 2**20
"""Bytes of all texts together: one wide character makes each of its text's take four."""
MAX_DEPTH = 48
MAX_NODES = 200_000
MAX_DIMENSIONS = 16
MAX_INT_BYTES = 64
MAX_NUMBER_KEYS = 4096
"""Numbers hash to themselves, so a sender can choose keys that all collide: a dict of n of them costs n² steps.
The same holds for what is in a set."""

DTYPES = ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
_CODE_OF = {np.dtype(name).newbyteorder("<"): code for code, name in enumerate(DTYPES)}
_DTYPE_OF = tuple(np.dtype(name).newbyteorder("<") for name in DTYPES)

_LENGTH = struct.Struct("<I")
_SIZE = struct.Struct("<Q")
_SHAPES = tuple(struct.Struct(f"<{dimensions}Q") for dimensions in range(MAX_DIMENSIONS + 1))
_FLOAT = struct.Struct("<d")
_COMPLEX = struct.Struct("<dd")


class WireError(ValueError):
    """Bytes that are no frame within the bounds, or a tree that does not fit into one."""


class Uncrossable(WireError):  # noqa: N818 - what it is
    """A tree holds something that is no data."""


class Closed(WireError):  # noqa: N818 - what has happened
    """The other side has gone."""


class Late(WireError):  # noqa: N818 - what has happened
    """Nothing came before the deadline."""


@dataclass(frozen=True)
class Opaque:
    """Stands for an object that stays inside; ``type_name`` is for messages, ``traits`` say what it can do."""

    type_name: str
    traits: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ref:
    """Names an object that is kept inside: the handle of a call's result, and keys that lead into it."""

    handle: int
    path: tuple[int | str, ...] = ()


def encode(tree: object, opaque: Callable[[object], Opaque] | None = None) -> bytes:
    """The payload of a frame that holds ``tree``.

    Args:
        tree: What is to cross.
        opaque: Called with each object that cannot cross, to say what stands for it.

    Returns:
        The bytes, without the length prefix.

    Raises:
        Uncrossable: Something is no data and ``opaque`` is None.
        WireError: The tree exceeds a bound.
    """
    out = bytearray()
    _Encoder(out, opaque).put(tree, 0)
    if len(out) > MAX_FRAME:
        raise WireError(f"a frame of {len(out):,} bytes is over the bound of {MAX_FRAME:,}")
    return bytes(out)


class _Encoder:
    """Appends a tree to ``out`` and counts what the bounds are on: parts, keys that are numbers, bytes of texts."""

    def __init__(self, out: bytearray, opaque: Callable[[object], Opaque] | None) -> None:
        self.out = out
        self.opaque = opaque
        self.nodes = 0
        self.number_keys = 0
        self.texts = 0

    def put(self, tree: object, depth: int) -> None:
        """Append one part, with all below it: a byte that says what it is, then its length or shape, then its data."""
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise WireError(f"nested deeper than {MAX_DEPTH} or more than {MAX_NODES:,} parts")
        out, kind = self.out, type(tree)
        if tree is None:
            out += b"N"
        elif kind is bool:
            out += b"T" if tree else b"F"
        elif kind is int:
            self._int(tree)  # type: ignore[arg-type]
        elif kind is float:
            out += b"f" + _FLOAT.pack(tree)
        elif kind is complex:
            out += b"c" + _COMPLEX.pack(tree.real, tree.imag)  # type: ignore[attr-defined]
        elif kind is str or kind is np.str_:
            self._text(b"s", str(tree))
        elif kind is bytes:
            self._bytes(b"y", tree)  # type: ignore[arg-type]
        elif isinstance(tree, list | tuple):
            items = list(tree)
            out += (b"l" if isinstance(tree, list) else b"t") + _LENGTH.pack(len(items))
            for item in items:
                self.put(item, depth + 1)
        elif isinstance(tree, dict):
            self._dict(tree, depth)
        elif kind is set or kind is frozenset:
            self._set(tree, depth)  # type: ignore[arg-type]
        elif isinstance(tree, np.ndarray) and tree.dtype.kind == "U":
            self._texts(tree)
        elif isinstance(tree, np.ndarray):
            self._array(tree, b"a")
        elif isinstance(tree, np.generic):
            self._array(np.asarray(tree), b"g")
        elif kind is Opaque:
            traits = tree.traits  # type: ignore[attr-defined]
            self._text(b"O" if traits else b"o", tree.type_name[:200])  # type: ignore[attr-defined]
            if traits:
                self.put(traits, depth + 1)
        elif kind is Ref:
            if not 0 <= tree.handle < 2**64:  # type: ignore[attr-defined]
                raise WireError("a handle that is no 64-bit number")
            out += b"r" + _SIZE.pack(tree.handle)  # type: ignore[attr-defined]
            self.put(tree.path, depth + 1)  # type: ignore[attr-defined]
        else:
            self._opaque(tree)

    def _int(self, number: int) -> None:
        size = (number.bit_length() + 8) // 8
        if size > MAX_INT_BYTES:
            return self._opaque(number)
        self.out += b"i" + bytes((size,)) + number.to_bytes(size, "little", signed=True)

    def _text(self, tag: bytes, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        self.texts += len(data)
        if self.texts > MAX_TEXT:
            raise WireError(f"texts of {self.texts:,} bytes are over the bound of {MAX_TEXT:,}")
        self._bytes(tag, data)

    def _bytes(self, tag: bytes, data: bytes) -> None:
        if len(self.out) + len(data) > MAX_FRAME:
            raise WireError(f"a string of {len(data):,} bytes is over the bound of {MAX_FRAME:,}")
        self.out += tag + _LENGTH.pack(len(data)) + data

    def _dict(self, tree: dict[object, object], depth: int) -> None:
        if not all(map(is_key, tree)):
            return self._opaque(tree)
        numbers = sum(type(key) in (int, float) for key in tree)
        if self.number_keys + numbers > MAX_NUMBER_KEYS:
            if self.opaque is None:
                raise WireError(f"more than {MAX_NUMBER_KEYS:,} keys of dictionaries that are numbers")
            return self._opaque(tree)
        self.number_keys += numbers
        self.out += b"d" + _LENGTH.pack(len(tree))
        for key, value in list(tree.items()):
            self.put(key, depth + 1)
            self.put(value, depth + 1)

    def _set(self, tree: set[object] | frozenset[object], depth: int) -> None:
        members = list(tree)
        if not all(map(is_member, members)):
            return self._opaque(tree)
        numbers = sum(map(_numbers, members))
        if self.number_keys + numbers > MAX_NUMBER_KEYS:
            if self.opaque is None:
                raise WireError(f"more than {MAX_NUMBER_KEYS:,} numbers in sets")
            return self._opaque(tree)
        self.number_keys += numbers
        # The order in which a set gives what is in it differs from run to run.
        self.out += b"e" + _LENGTH.pack(len(members))
        for member in sorted(members, key=_key_of):
            self.put(member, depth + 1)

    def _texts(self, array: np.ndarray) -> None:
        self.nodes += array.size
        if array.ndim > MAX_DIMENSIONS or self.nodes > MAX_NODES:
            return self._opaque(array)
        self.out += b"u" + bytes((array.ndim,))
        for length in array.shape:
            self.out += _SIZE.pack(length)
        for text in array.ravel().tolist():
            self._text(b"", text)

    def _array(self, array: np.ndarray, tag: bytes) -> None:
        if array.dtype.kind == "f" and array.dtype.itemsize > 8:
            array = array.astype("f8")
        elif array.dtype.kind == "c" and array.dtype.itemsize > 16:
            array = array.astype("c16")
        code = _CODE_OF.get(array.dtype.newbyteorder("<")) if array.dtype.kind in "biufc" else None
        if code is None or array.ndim > MAX_DIMENSIONS:
            return self._opaque(array)
        if len(self.out) + array.nbytes > MAX_FRAME:
            raise WireError(f"an array of {array.nbytes:,} bytes is over the bound of {MAX_FRAME:,}")
        self.out += tag + bytes((code, array.ndim))
        for length in array.shape:
            self.out += _SIZE.pack(length)
        self.out += np.asarray(array, dtype=_DTYPE_OF[code]).tobytes()

    def _opaque(self, thing: object) -> None:
        if self.opaque is None:
            raise Uncrossable(f"a {type(thing).__name__} cannot cross the wall")
        self.put(self.opaque(thing), MAX_DEPTH - 2)


def is_key(key: object) -> bool:
    """Whether a dictionary with this key crosses: None, bool, str, float, or an int of at most 64 bits."""
    return key is None or type(key) in (str, bool, float) or (type(key) is int and -(2**63) <= key < 2**64)


def is_member(thing: Any) -> bool:
    """Whether a set with this in it crosses: None, a text, bytes, a number, or a tuple of such."""
    kind = type(thing)
    if kind is tuple:
        return all(map(is_member, thing))
    if kind is int:
        return (int(thing).bit_length() + 8) // 8 <= MAX_INT_BYTES
    if isinstance(thing, np.generic):
        return thing.dtype.newbyteorder("<") in _CODE_OF
    return thing is None or kind in (bool, str, bytes, float, complex)


def _numbers(member: object) -> int:
    """How many numbers a member of a set holds, whose hashes a sender can choose; each tuple is one more."""
    if isinstance(member, tuple):
        return 1 + sum(map(_numbers, member))
    return int(member is not None and type(member) not in (bool, str, bytes))


def _key_of(member: object) -> bytes:
    return encode(member)


def decode(payload: bytes | bytearray | memoryview) -> Any:
    """The tree that a payload holds.

    Arrays are fresh, writable, C-contiguous and native.

    Raises:
        WireError: The bytes are no tree within the bounds.
    """
    decoder = _Decoder(memoryview(payload))
    tree = decoder.take(0)
    if decoder.at != len(decoder.view):
        raise WireError(f"{len(decoder.view) - decoder.at:,} bytes are left over behind the tree")
    return tree


class _Decoder:
    """Reads a tree from ``view``, from ``at`` on, and holds the bounds before it takes memory."""

    def __init__(self, view: memoryview) -> None:
        self.view = view
        self.at = 0
        self.nodes = 0
        self.number_keys = 0
        self.texts = 0

    def bytes_of(self, count: int) -> memoryview:
        """The next ``count`` bytes."""
        if count > len(self.view) - self.at:
            raise WireError(f"{count:,} bytes are announced at {self.at}, and fewer are there")
        piece = self.view[self.at : self.at + count]
        self.at += count
        return piece

    def count(self, smallest: int) -> int:
        """How many parts are announced; each takes at least ``smallest`` bytes, and so many have to be there."""
        (count,) = _LENGTH.unpack(self.bytes_of(4))
        if count * smallest > len(self.view) - self.at:
            raise WireError(f"{count:,} parts are announced at {self.at}, and there is no room for so many")
        return int(count)

    def take(self, depth: int) -> Any:
        """The next part, with all below it."""
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise WireError(f"nested deeper than {MAX_DEPTH} or more than {MAX_NODES:,} parts")
        match bytes(self.bytes_of(1)):
            case b"N":
                return None
            case b"T":
                return True
            case b"F":
                return False
            case b"i":
                (size,) = self.bytes_of(1)
                if size > MAX_INT_BYTES:
                    raise WireError(f"an integer of {size} bytes is over the bound of {MAX_INT_BYTES}")
                return int.from_bytes(self.bytes_of(size), "little", signed=True)
            case b"f":
                return _FLOAT.unpack(self.bytes_of(8))[0]
            case b"c":
                return complex(*_COMPLEX.unpack(self.bytes_of(16)))
            case b"s":
                return self.text()
            case b"y":
                return bytes(self.bytes_of(self.count(1)))
            case b"l":
                return [self.take(depth + 1) for _ in range(self.count(1))]
            case b"t":
                return tuple([self.take(depth + 1) for _ in range(self.count(1))])
            case b"d":
                return self.dictionary(depth)
            case b"e":
                return self.set(depth)
            case b"u":
                return self.texts_array()
            case b"a":
                return self.array()
            case b"g":
                scalar = self.array()
                if scalar.ndim:
                    raise WireError(f"a scalar with {scalar.ndim} dimensions")
                return scalar[()]
            case b"o":
                return Opaque(self.text())
            case b"O":
                name, traits = self.text(), self.take(depth + 1)
                if type(traits) is not tuple or not all(type(each) is str for each in traits):
                    raise WireError("traits that are no tuple of texts")
                return Opaque(name, traits)
            case b"r":
                (handle,) = _SIZE.unpack(self.bytes_of(8))
                path = self.take(depth + 1)
                if type(path) is not tuple or not all(type(key) in (int, str) for key in path):
                    raise WireError("a path that is no tuple of keys")
                return Ref(handle, path)
            case tag:
                raise WireError(f"unknown tag {tag!r} at {self.at - 1}")

    def text(self) -> str:
        length = self.count(1)
        self.texts += length
        if self.texts > MAX_TEXT:
            raise WireError(f"texts of {self.texts:,} bytes are over the bound of {MAX_TEXT:,}")
        try:
            return str(self.bytes_of(length), "utf-8")
        except UnicodeDecodeError as error:
            raise WireError(f"a string that is not UTF-8: {error.reason}") from None

    def dictionary(self, depth: int) -> dict[Any, Any]:
        tree: dict[Any, Any] = {}
        for _ in range(self.count(2)):
            key = self.take(depth + 1)
            if not is_key(key):
                raise WireError(f"a dictionary key of type {type(key).__name__}, or beyond 64 bits")
            self.number_keys += type(key) in (int, float)
            if self.number_keys > MAX_NUMBER_KEYS:
                raise WireError(f"more than {MAX_NUMBER_KEYS:,} keys of dictionaries that are numbers")
            tree[key] = self.take(depth + 1)
        return tree

    def set(self, depth: int) -> set[Any]:
        members: set[Any] = set()
        for _ in range(self.count(1)):
            member = self.take(depth + 1)
            if not is_member(member):
                raise WireError(f"a {type(member).__name__} in a set")
            self.number_keys += _numbers(member)
            if self.number_keys > MAX_NUMBER_KEYS:
                raise WireError(f"more than {MAX_NUMBER_KEYS:,} numbers in sets")
            members.add(member)
        return members

    def texts_array(self) -> np.ndarray:
        (dimensions,) = self.bytes_of(1)
        if dimensions > MAX_DIMENSIONS:
            raise WireError(f"an array of {dimensions} dimensions")
        shape = _SHAPES[dimensions].unpack(self.bytes_of(8 * dimensions))
        count = math.prod(_without_overflow(shape))
        self.nodes += count
        if self.nodes > MAX_NODES:
            raise WireError(f"more than {MAX_NODES:,} parts")
        texts = [self.text() for _ in range(count)]
        # Each entry takes as much room as the longest.
        if count * max(map(len, texts), default=0) * 4 > MAX_FRAME:
            raise WireError(f"an array of texts over the bound of {MAX_FRAME:,} bytes")
        return np.array(texts, dtype=np.str_).reshape(shape)

    def array(self) -> np.ndarray:
        code, dimensions = self.bytes_of(2)
        if code >= len(_DTYPE_OF) or dimensions > MAX_DIMENSIONS:
            raise WireError(f"an array of dtype code {code} with {dimensions} dimensions")
        dtype = _DTYPE_OF[code]
        shape = _SHAPES[dimensions].unpack(self.bytes_of(8 * dimensions))
        if shape and max(shape) > MAX_FRAME:
            raise WireError(f"an array with an axis longer than {MAX_FRAME:,}")
        data = self.bytes_of(math.prod(shape) * dtype.itemsize)
        if code == 0 and data and np.frombuffer(data, "u1").max() > 1:
            raise WireError("a boolean that is neither 0 nor 1")
        if not data:
            return np.zeros(_without_overflow(shape), dtype.newbyteorder("="))
        return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _without_overflow(shape: tuple[int, ...]) -> tuple[int, ...]:
    """``shape``, checked to be one that NumPy takes for an empty array: its non-zero lengths must not overflow."""
    if math.prod(length for length in shape if length) > MAX_FRAME:
        raise WireError("an array whose axes overflow")
    return shape


def send(channel: socket.socket, payload: bytes) -> None:
    """Write one frame.

    Raises:
        Closed: The other side has gone.
        Late: The channel's own timeout ran out.
    """
    try:
        channel.sendall(_LENGTH.pack(len(payload)) + payload)
    except TimeoutError:
        raise Late("the other side does not read") from None
    except OSError as error:
        raise Closed(f"the channel is closed: {error.strerror}") from None


def receive(channel: socket.socket, deadline: float | None = None, stretched: Callable[[], float] | None = None) -> Any:
    """Read one frame and decode it.

    Args:
        channel: A connected stream socket.
        deadline: On ``time.monotonic``'s clock; None waits for ever.
        stretched: Asked for another deadline when this one has passed; the wait ends where that has passed too.

    Raises:
        Closed: The other side has gone.
        Late: The deadline passed.
        WireError: The bytes are no frame within the bounds.
    """
    (length,) = _LENGTH.unpack(_exactly(channel, 4, deadline, stretched))
    if length > MAX_FRAME:
        raise WireError(f"a frame of {length:,} bytes is over the bound of {MAX_FRAME:,}")
    return decode(_exactly(channel, length, deadline, stretched))


def _exactly(
    channel: socket.socket, count: int, deadline: float | None, stretched: Callable[[], float] | None
) -> bytearray:
    """Read ``count`` bytes; the arguments, and what is raised, are those of ``receive``.

    The buffer grows with what has come, not with what was announced.
    """
    data = bytearray()
    while len(data) < count:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0 and stretched is not None:
                deadline = stretched()
                left = deadline - time.monotonic()
            if left <= 0:
                raise Late("nothing came before the deadline")
            channel.settimeout(left)
        try:
            piece = channel.recv(min(count - len(data), 2**20))
        except TimeoutError:
            if deadline is None:
                raise Late("nothing came in time") from None
            continue
        except OSError as error:
            raise Closed(f"the channel is closed: {error.strerror}") from None
        if not piece:
            raise Closed("the other side has gone")
        data += piece
    return data
