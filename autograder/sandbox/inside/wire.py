"""Frames that cross the wall: trees of plain data, length-prefixed, with every bound checked before memory is taken.

A tree is made of None, bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict, arrays and scalars of
numeric dtypes, arrays of texts, and two things that stand for what stays inside: ``Opaque`` (an object that cannot
cross, named by its type) and ``Ref`` (an object kept inside, named by a handle and a path into it). What is made of
such parts crosses as the name of its kind and a tree of them: ``kinds`` has those of the standard library and of
NumPy, ``tables`` those of pandas, SciPy and torch. Both sides import this module; the trusted side decodes with it
what a hostile process may have written, so ``decode`` raises nothing but ``WireError``.
"""

from __future__ import annotations

import math
import socket
import struct
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import kinds

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

MAX_TYPE_NAME = 400
"""Characters of the name of a class, behind which a named tuple's has a colon and the names of its fields."""

DTYPES = ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
_CODE_OF = {np.dtype(name).newbyteorder("<"): code for code, name in enumerate(DTYPES)}
_DTYPE_OF = tuple(np.dtype(name).newbyteorder("<") for name in DTYPES)

_OTHERS = ("pandas", "scipy", "torch")
"""The libraries that ``tables`` knows; the names of their kinds begin with theirs."""

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


class ListLike(list[Any]):
    """A list of a class of the student's own: what is in it, and the name of the class."""

    type_name = ""


class TupleLike(tuple[Any, ...]):
    """A tuple of a class of the student's own: what is in it, the name of the class, and of a named one its fields."""

    type_name = ""
    fields: tuple[str, ...] = ()


class DictLike(dict[Any, Any]):
    """A dictionary of a class of the student's own: what is in it, and the name of the class."""

    type_name = ""


_LIKE: dict[type, Callable[..., Any]] = {list: ListLike, tuple: TupleLike, dict: DictLike}


def encode(
    tree: object,
    opaque: Callable[[object], Opaque] | None = None,
    stays: Callable[[object], bool] = lambda _: False,
    *,
    layout: bool = False,
) -> bytes:
    """The payload of a frame that holds ``tree``.

    Args:
        tree: What is to cross.
        opaque: Called with each object that cannot cross, to say what stands for it. Where it is None, a list, a tuple
            or a dictionary of a class of one's own crosses as a plain one, without the name of the class.
        stays: Whether a list, a tuple or a dictionary of a class of one's own is an object that cannot cross.
        layout: Whether an array that lies in memory by columns comes back so: what is worked out with it is then the
            same to the last bit.

    Returns:
        The bytes, without the length prefix.

    Raises:
        Uncrossable: Something is no data and ``opaque`` is None.
        WireError: The tree exceeds a bound.
    """
    out = bytearray()
    _Encoder(out, opaque, stays, layout=layout).put(tree, 0)
    if len(out) > MAX_FRAME:
        raise WireError(f"a frame of {len(out):,} bytes is over the bound of {MAX_FRAME:,}")
    return bytes(out)


class _Encoder:
    """Appends a tree to ``out`` and counts what the bounds are on: parts, keys that are numbers, bytes of texts."""

    def __init__(
        self,
        out: bytearray,
        opaque: Callable[[object], Opaque] | None,
        stays: Callable[[object], bool],
        *,
        layout: bool = False,
    ) -> None:
        self.out = out
        self.opaque = opaque
        self.stays = stays
        self.layout = layout
        self.naming = opaque is not None
        self.nodes = 0
        self.number_keys = 0
        self.texts = 0

    def put(self, tree: object, depth: int) -> None:
        """Append one part, with all below it: a byte that says what it is, then its length or shape, then its data."""
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise WireError(f"nested deeper than {MAX_DEPTH} or more than {MAX_NODES:,} parts")
        out, kind = self.out, type(tree)
        if kind is str:
            self._text(b"s", tree)  # type: ignore[arg-type]
        elif tree is None:
            out += b"N"
        elif kind is bool:
            out += b"T" if tree else b"F"
        elif kind is int:
            self._int(tree)  # type: ignore[arg-type]
        elif kind is float:
            out += b"f" + _FLOAT.pack(tree)
        elif kind is complex:
            out += b"c" + _COMPLEX.pack(tree.real, tree.imag)  # type: ignore[attr-defined]
        elif kind is bytes:
            self._bytes(b"y", tree)  # type: ignore[arg-type]
        elif kind is list or kind is tuple:
            items = list(tree)  # type: ignore[call-overload]
            out += (b"l" if kind is list else b"t") + _LENGTH.pack(len(items))
            for item in items:
                self.put(item, depth + 1)
        elif kind is dict:
            self._dict(tree, depth)  # type: ignore[arg-type]
        elif kind is set or kind is frozenset:
            self._set(tree, depth)  # type: ignore[arg-type]
        elif kind is np.ndarray:
            self._array(tree, b"a", depth)  # type: ignore[arg-type]
        elif isinstance(tree, np.generic):
            self._array(tree, b"g", depth)
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
            self._other(tree, depth)

    def _other(self, tree: object, depth: int) -> None:
        """What is none of the plain kinds: a kind that is made of such, or of a class of one's own."""
        taken = kinds.parts(tree)
        if taken is None and type(tree).__module__.partition(".")[0] in _OTHERS:
            taken = _tables().parts(tree)
        if taken is not None:
            return self._kind(tree, *taken, depth)
        if isinstance(tree, list | tuple | dict) and self.stays(tree):
            return self._opaque(tree)
        if isinstance(tree, list | tuple):
            plain = list(tree) if isinstance(tree, list) else tuple(tree)
            return self._like(tree, plain, depth) if self.naming else self.put(plain, depth)
        if isinstance(tree, dict) and not type(tree).__module__.startswith("scipy."):
            # A matrix of SciPy's that is a dictionary would lose its shape.
            return self._dict(tree, depth)
        if isinstance(tree, np.ndarray):
            return self._array(tree, b"a", depth)
        return self._opaque(tree)

    def _kind(self, thing: object, name: str, parts: object, depth: int) -> None:
        """The name of a thing's kind and its parts. Where a part cannot cross, only a container does, without it."""
        before, opaque = (len(self.out), self.nodes, self.number_keys, self.texts), self.opaque
        if name not in kinds.CONTAINERS:
            self.opaque = None
        try:
            self.out += b"x" + bytes((len(name),)) + name.encode("ascii")
            self.put(parts, depth + 1)
        except WireError:
            if opaque is None or name in kinds.CONTAINERS:
                raise
            del self.out[before[0] :]
            _, self.nodes, self.number_keys, self.texts = before
            self.opaque = opaque
            self._opaque(thing)
        finally:
            self.opaque = opaque

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
        kind: tuple[bytes, *tuple[object, ...]] | None = (b"",) if type(tree) is dict else self._dict_kind(tree)
        if kind is None or not all(map(is_key, tree)):
            return self._opaque(tree)
        numbers = sum(map(_numbers, tree))
        if self.number_keys + numbers > MAX_NUMBER_KEYS:
            if self.opaque is None:
                raise WireError(f"more than {MAX_NUMBER_KEYS:,} keys of dictionaries that are numbers")
            return self._opaque(tree)
        self.number_keys += numbers
        tag, *told = kind
        if tag:
            depth += 1
            self.out += tag
            for each in told:
                self.put(each, depth)
            self.nodes += 1
        self.out += b"d" + _LENGTH.pack(len(tree))
        # An ordered dictionary keeps an order of its own beside that of the dictionary which it is made of.
        entries = OrderedDict.items(tree) if type(tree) is OrderedDict else dict.items(tree)
        for key, value in list(entries):
            self.put(key, depth + 1)
            self.put(value, depth + 1)

    def _dict_kind(self, tree: dict[object, object]) -> tuple[bytes, *tuple[object, ...]] | None:
        """What is written before a dictionary of another class than ``dict``; None where it stays inside."""
        if type(tree).__module__ == "collections":
            taken = kinds.dictionary(tree)
            return None if taken is None else (b"D", *taken)
        return (b"k", _type_name(tree)) if self.naming else (b"",)

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
        self.out += (b"e" if type(tree) is set else b"z") + _LENGTH.pack(len(members))
        for member in sorted(members, key=_key_of):
            self.put(member, depth + 1)

    def _like(self, tree: object, plain: list[Any] | tuple[Any, ...], depth: int) -> None:
        self.out += b"k"
        self.put(_type_name(tree), depth + 1)
        self.put(plain, depth + 1)

    def _texts(self, array: np.ndarray) -> None:
        width = array.dtype.itemsize // 4
        self.nodes += array.size
        if array.ndim > MAX_DIMENSIONS or self.nodes > MAX_NODES or max(1, array.size) * width * 4 > MAX_FRAME:
            return self._opaque(array)
        texts = array.ravel().tolist()
        try:
            "".join(texts).encode()
        except UnicodeEncodeError:
            # Written out, they are longer.
            texts = [text.encode("utf-8", "backslashreplace").decode() for text in texts]
            width = max(width, *map(len, texts))
        self.out += b"u" + bytes((array.ndim,))
        for length in array.shape:
            self.out += _SIZE.pack(length)
        self.out += _LENGTH.pack(width)
        for text in texts:
            self._text(b"", text)

    def _array(self, tree: np.ndarray | np.generic, tag: bytes, depth: int) -> None:
        array = np.asarray(tree)
        kind = array.dtype.kind
        if kind == "f" and array.dtype.itemsize > 8:
            array = array.astype("f8")
        elif kind == "c" and array.dtype.itemsize > 16:
            array = array.astype("c16")
        elif kind == "U" and tag == b"a":
            return self._texts(array)
        code = _CODE_OF.get(array.dtype.newbyteorder("<")) if kind in "biufc" else None
        if code is None or array.ndim > MAX_DIMENSIONS:
            taken = None
            if _has_room(array):
                taken = kinds.array_parts(array) if tag == b"a" else kinds.scalar_parts(tree)
            return self._opaque(tree) if taken is None else self._kind(tree, *taken, depth)
        if len(self.out) + array.nbytes > MAX_FRAME:
            raise WireError(f"an array of {array.nbytes:,} bytes is over the bound of {MAX_FRAME:,}")
        columns = self.layout and tag == b"a" and array.flags.fnc
        self.out += (b"A" if columns else tag) + bytes((code, array.ndim))
        for length in array.shape:
            self.out += _SIZE.pack(length)
        self.out += np.asarray(array.T if columns else array, dtype=_DTYPE_OF[code]).tobytes()

    def _opaque(self, thing: object) -> None:
        if self.opaque is None:
            raise Uncrossable(f"a {type(thing).__name__} cannot cross the wall")
        self.put(self.opaque(thing), MAX_DEPTH - 2)


def is_key(key: object) -> bool:
    """Whether a dictionary with this key crosses: what may be in a set, but for an int of more than 64 bits."""
    kind = type(key)
    if kind is int:
        return -(2**63) <= key < 2**64  # type: ignore[operator]
    return key is None or kind in (str, bool, float) or is_member(key)


def is_member(thing: Any) -> bool:
    """Whether a set with this in it crosses: None, a text, bytes, a number, or a tuple or a frozen set of such."""
    kind = type(thing)
    if kind is int:
        return (int(thing).bit_length() + 8) // 8 <= MAX_INT_BYTES
    if kind is tuple or kind is frozenset:
        return all(map(is_member, thing))
    if isinstance(thing, np.generic):
        return kind in (np.str_, np.bytes_) or thing.dtype.newbyteorder("<") in _CODE_OF
    return thing is None or kind in (bool, str, bytes, float, complex)


def _numbers(member: Any) -> int:
    """How many numbers a key or a member holds, whose hashes a sender can choose; each tuple and set is one more."""
    kind = type(member)
    if kind is str:
        return 0
    if kind is int or kind is float:
        return 1
    if kind is tuple or kind is frozenset:
        return 1 + sum(map(_numbers, member))
    return int(member is not None and kind not in (bool, bytes, np.str_, np.bytes_))


def _has_room(array: np.ndarray) -> bool:
    """Whether an array is within the bounds on dimensions, entries and bytes, of which a broadcast one has more."""
    few = array.ndim <= MAX_DIMENSIONS and math.prod(filter(None, array.shape)) <= MAX_FRAME
    return few and array.nbytes <= MAX_FRAME and (array.dtype.kind != "O" or array.size <= MAX_NODES)


def _type_name(thing: Any) -> str:
    """The name of a class of the student's own; of what has crossed before, the name that it came with."""
    if isinstance(thing, TupleLike) and thing.fields:
        return f"{thing.type_name}:{','.join(thing.fields)}"[:MAX_TYPE_NAME]
    if isinstance(thing, ListLike | TupleLike | DictLike):
        return thing.type_name[:MAX_TYPE_NAME]
    fields = getattr(type(thing), "_fields", None) if isinstance(thing, tuple) else None
    named = isinstance(fields, tuple) and len(fields) == len(thing) and all(type(each) is str for each in fields)
    return str(type(thing).__name__ + (f":{','.join(fields)}" if named and fields else ""))[:MAX_TYPE_NAME]


def _key_of(member: object) -> bytes:
    return encode(member)


def decode(payload: bytes | bytearray | memoryview) -> Any:
    """The tree that a payload holds.

    Arrays are fresh, writable, contiguous (by rows, where they were not encoded with ``layout``) and native.

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
        self.end = len(view)
        self.at = 0
        self.nodes = 0
        self.number_keys = 0
        self.texts = 0
        self.taken = 0

    def room(self, count: int) -> None:
        """Grant so many bytes beyond those that the frame has, in all at most as many as a frame may have."""
        self.taken += count
        if self.taken > MAX_FRAME:
            raise WireError(f"what takes more room than the bound of {MAX_FRAME:,} bytes")

    def bytes_of(self, count: int) -> memoryview:
        """The next ``count`` bytes."""
        at = self.at
        if count > self.end - at:
            raise WireError(f"{count:,} bytes are announced at {at}, and fewer are there")
        self.at = at + count
        return self.view[at : at + count]

    def count(self, smallest: int) -> int:
        """How many parts are announced; each takes at least ``smallest`` bytes, and so many have to be there."""
        at = self.at
        if at + 4 > self.end:
            raise WireError(f"4 bytes are announced at {at}, and fewer are there")
        self.at = at + 4
        count: int = _LENGTH.unpack_from(self.view, at)[0]
        if count * smallest > self.end - self.at:
            raise WireError(f"{count:,} parts are announced at {self.at}, and there is no room for so many")
        return count

    def take(self, depth: int) -> Any:
        """The next part, with all below it."""
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise WireError(f"nested deeper than {MAX_DEPTH} or more than {MAX_NODES:,} parts")
        at = self.at
        self.at = at + 1
        # What most frames are made of stands first.
        match chr(self.view[at]) if at < self.end else "":
            case "s":
                return self.text()
            case "N":
                return None
            case "t":
                return tuple([self.take(depth + 1) for _ in range(self.count(1))])
            case "T":
                return True
            case "F":
                return False
            case "i":
                (size,) = self.bytes_of(1)
                if size > MAX_INT_BYTES:
                    raise WireError(f"an integer of {size} bytes is over the bound of {MAX_INT_BYTES}")
                return int.from_bytes(self.bytes_of(size), "little", signed=True)
            case "f":
                return _FLOAT.unpack(self.bytes_of(8))[0]
            case "c":
                return complex(*_COMPLEX.unpack(self.bytes_of(16)))
            case "y":
                return bytes(self.bytes_of(self.count(1)))
            case "l":
                return [self.take(depth + 1) for _ in range(self.count(1))]
            case "d":
                return self.dictionary(depth)
            case "e":
                return self.members(depth)
            case "u":
                return self.texts_array()
            case "a":
                return self.array()
            case "A":
                return self.array(columns=True)
            case "g":
                scalar = self.array()
                if scalar.ndim:
                    raise WireError(f"a scalar with {scalar.ndim} dimensions")
                return scalar[()]
            case "o":
                return Opaque(self.text())
            case "O":
                name, traits = self.text(), self.take(depth + 1)
                if type(traits) is not tuple or not all(type(each) is str for each in traits):
                    raise WireError("traits that are no tuple of texts")
                return Opaque(name, traits)
            case "r":
                (handle,) = _SIZE.unpack(self.bytes_of(8))
                path = self.take(depth + 1)
                if type(path) is not tuple or not all(type(key) in (int, str) for key in path):
                    raise WireError("a path that is no tuple of keys")
                return Ref(handle, path)
            case "x":
                return self.kind(depth)
            case "z":
                return frozenset(self.members(depth))
            case "D":
                name, more, entries = (self.take(depth + 1) for _ in range(3))
                return _told(name, lambda: kinds.dictionary_made(name, more, entries))
            case "k":
                return self.like(depth)
            case tag:
                raise WireError(f"unknown tag {tag.encode('latin-1')!r} at {at}")

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
            if type(key) is not str:
                self.number_keys += _numbers(key)
                if self.number_keys > MAX_NUMBER_KEYS:
                    raise WireError(f"more than {MAX_NUMBER_KEYS:,} keys of dictionaries that are numbers")
            value = self.take(depth + 1)
            try:
                tree[key] = value
            except ValueError:
                raise WireError("keys that cannot be compared") from None
        return tree

    def kind(self, depth: int) -> Any:
        (length,) = self.bytes_of(1)
        name = str(self.bytes_of(length), "latin-1")
        parts = self.take(depth + 1)
        root, dot, kind = name.partition(".")
        if root not in _OTHERS or not dot:
            return _told(name, lambda: kinds.made(name, parts, self.room))
        thing = _told(name, lambda: _tables().made(name, parts, self.room))
        return Opaque(kind) if thing is None else thing

    def like(self, depth: int) -> Any:
        name, plain = self.take(depth + 1), self.take(depth + 1)
        make = _LIKE.get(type(plain))
        if type(name) is not str or len(name) > MAX_TYPE_NAME or make is None:
            raise WireError("a class of one's own that is no list, tuple or dictionary, or has no name")
        thing = make(plain)
        thing.type_name, _, fields = name.partition(":")
        if fields and isinstance(thing, TupleLike):
            thing.fields = tuple(fields.split(","))
        return thing

    def members(self, depth: int) -> set[Any]:
        members: set[Any] = set()
        for _ in range(self.count(1)):
            member = self.take(depth + 1)
            if not is_member(member):
                raise WireError(f"a {type(member).__name__} in a set")
            self.number_keys += _numbers(member)
            if self.number_keys > MAX_NUMBER_KEYS:
                raise WireError(f"more than {MAX_NUMBER_KEYS:,} numbers in sets")
            try:
                members.add(member)
            except ValueError:
                raise WireError("members that cannot be compared") from None
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
        (width,) = _LENGTH.unpack(self.bytes_of(4))
        # Each entry takes as much room as the longest may.
        self.room(max(1, count) * width * 4)
        texts = [self.text() for _ in range(count)]
        if max(map(len, texts), default=0) > width:
            raise WireError("a text that is longer than its array has room for")
        return np.array(texts, dtype=f"U{width}").reshape(shape)

    def array(self, *, columns: bool = False) -> np.ndarray:
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
        array = np.frombuffer(data, dtype).reshape(shape, order="F" if columns else "C")
        return array.astype(dtype.newbyteorder("="))


def _tables() -> Any:
    """What knows the data of other libraries, imported when such data crosses."""
    from . import tables

    return tables


def _told(name: object, make: Callable[[], Any]) -> Any:
    """What ``make`` gives; whatever it raises, of what a hostile process wrote, is told as an error of the wire."""
    try:
        return make()
    except WireError:
        raise
    except Exception as error:
        raise WireError(f"no {name!r}: {type(error).__name__}"[:200]) from None


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
