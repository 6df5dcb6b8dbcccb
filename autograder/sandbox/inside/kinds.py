"""Kinds of data that are made of plainer ones: each crosses as its name and a tree of parts, and is made again.

``parts`` takes a thing apart, ``made`` puts it together. What ``made`` is given was written by a process that may be
hostile: each part's type is looked at, and nothing is made that takes more memory than the parts, but for what ``room``
has granted. The standard library's kinds and NumPy's are here; those of other libraries are in ``tables``.
"""

from __future__ import annotations

import copy
import datetime
import math
import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

MAX_DIGITS = 1000
MAX_EXPONENT = 999_999
"""Bounds a ``Decimal``: an integer made of one, or its text written out, has at most so many digits."""
MAX_FIELDS = 256
MAX_NESTING = 8
MAX_ZONE_NAME = 100
MAX_LENGTH = 2**63 - 1

Room = Callable[[int], None]
"""Asked before so many bytes are taken that the frame does not have; raises where they are too many."""

FACTORIES = {kind.__name__: kind for kind in (int, float, list, dict, set, str, bool)}
_SCALAR_TYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "longlong", "ulonglong"),
    *("float16", "float32", "float64", "longdouble", "complex64", "complex128", "clongdouble"),
    *("str_", "bytes_", "object_", "void", "datetime64", "timedelta64"),
    *("generic", "number", "integer", "signedinteger", "unsignedinteger", "inexact", "floating", "complexfloating"),
)
_PLAIN_TYPES = (int, float, str, bool, list, tuple, dict, set, frozenset, complex, bytes, bytearray, type(None))
TYPES: dict[str, type] = {kind.__name__: kind for kind in _PLAIN_TYPES} | {
    f"numpy.{name}": getattr(np, name) for name in (*_SCALAR_TYPES, "ndarray")
}
"""The classes that are data, by name."""
_NAME_OF_TYPE = {kind: name for name, kind in TYPES.items()}

_UNIT = r"(?:\[\d{0,9}(?:Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?"
_TIMES = re.compile(rf"<[mM]8{_UNIT}", re.ASCII)
_SIMPLE = re.compile(rf"\|[?O]|\|[bui]1|[<>][iufc]\d{{1,2}}|\|[SV]\d{{1,9}}|[<>]U\d{{1,9}}|[<>][mM]8{_UNIT}", re.ASCII)
_DECIMAL = re.compile(r"-?(?:(?P<digits>\d+(?:\.\d*)?)(?:E(?P<exponent>[+-]?\d{1,7}))?|Infinity|NaN\d*)", re.ASCII)


def parts(thing: Any) -> tuple[str, Any] | None:
    """The name of a thing's kind and the parts that it is made of; None where it is none of these kinds.

    Dictionaries are not among them: ``dictionary`` says what is to be told of one beside its entries.
    """
    take = _APART.get(type(thing))
    if take is not None:
        return take(thing)
    if isinstance(thing, np.dtype):
        tree = _dtype_tree(thing)
        return None if tree is None else ("dtype", tree)
    if isinstance(thing, type):
        name = _NAME_OF_TYPE.get(thing)
        return None if name is None else ("type", name)
    return None


def made(name: str, tree: Any, room: Room) -> Any:
    """The thing of this kind that has these parts.

    Raises:
        Exception: There is no such kind or no such thing; of whatever type Python, NumPy or ``room`` raises.
    """
    return _MADE[name](tree, room)


CONTAINERS = frozenset({"deque", "slice"})
"""Kinds of which what cannot cross is left out and named. The others cross with all their parts or not at all."""


# Dictionaries of other classes


def dictionary(thing: dict[Any, Any]) -> tuple[str, Any] | None:
    """The name of the kind of such a dictionary, and what else there is to it; None where it is none of these."""
    kind = type(thing)
    if kind is OrderedDict or kind is Counter:
        return kind.__name__, None
    if isinstance(thing, defaultdict) and kind is defaultdict:
        factory = thing.default_factory
        if factory is None or FACTORIES.get(getattr(factory, "__name__", "")) is factory:
            return "defaultdict", None if factory is None else factory.__name__
    return None


def dictionary_made(name: str, more: Any, entries: Any) -> dict[Any, Any]:
    """The dictionary of a kind with these entries; raises as ``made``."""
    if type(entries) is not dict:
        raise TypeError("entries that are no dictionary")
    if name == "defaultdict":
        return defaultdict(None if more is None else FACTORIES[exactly(str, more)], entries)
    if more is not None:
        raise ValueError("more than entries")
    if name == "Counter":
        # Counter(…) would add the values up.
        counter: Counter[Any] = Counter()
        dict.update(counter, entries)
        return counter
    return {"OrderedDict": OrderedDict}[name](entries)


def with_entries(thing: Any, change: Callable[[Any], Any]) -> Any:
    """A list, a tuple or a dictionary of the same class, with what ``change`` gives for each entry."""
    if isinstance(thing, dict):
        changed = {key: change(value) for key, value in thing.items()}
        if type(thing) is dict:
            return changed
        # Not by its class, which may take other arguments, or count.
        made = copy.copy(thing)
        dict.update(made, changed)
        return made
    entries = [change(each) for each in thing]
    if hasattr(thing, "_fields"):
        return type(thing)(*entries)
    return type(thing)(entries)


# The standard library's


def exactly(kind: type, thing: Any) -> Any:
    """The thing, which is to be of this very class."""
    if type(thing) is not kind:
        raise TypeError(f"a {type(thing).__name__} for a {kind.__name__}")
    return thing


def ints(tree: Any, count: int) -> tuple[int, ...]:
    """A tuple of ``count`` ints."""
    if type(tree) is not tuple or len(tree) != count or any(type(each) is not int for each in tree):
        raise TypeError(f"no tuple of {count} integers")
    return tree


def _range(tree: Any, _: Room) -> range:
    made = range(*ints(tree, 3))
    # Longer ones have no length that ``len`` would give.
    if length_of(made) > MAX_LENGTH:
        raise OverflowError("a range of more than 2⁶³ integers")
    return made


def length_of(of: range) -> int:
    """How many integers a range has; ``len`` refuses to say for a long one."""
    return max(0, (of.stop - of.start + of.step - (1 if of.step > 0 else -1)) // of.step)


def _range_parts(thing: range) -> tuple[str, Any] | None:
    return ("range", (thing.start, thing.stop, thing.step)) if length_of(thing) <= MAX_LENGTH else None


def _slice(tree: Any, _: Room) -> slice:
    start, stop, step = exactly(tuple, tree)
    return slice(start, stop, step)


def _bytearray(tree: Any, _: Room) -> bytearray:
    return bytearray(exactly(bytes, tree))


def _deque(tree: Any, _: Room) -> deque[Any]:
    longest, entries = exactly(tuple, tree)
    if longest is not None and not len(exactly(list, entries)) <= exactly(int, longest) <= MAX_LENGTH:
        raise ValueError("more entries than a deque may have")
    return deque(exactly(list, entries), longest)


def _decimal_parts(thing: Decimal) -> tuple[str, Any] | None:
    # Whatever is compared with a signalling NaN raises.
    text = str(thing)
    return ("Decimal", text) if _is_decimal(text) else None


def _is_decimal(text: str) -> bool:
    read = _DECIMAL.fullmatch(text)
    return len(text) <= MAX_DIGITS and read is not None and abs(int(read["exponent"] or 0)) <= MAX_EXPONENT


def _decimal(tree: Any, _: Room) -> Decimal:
    if not _is_decimal(exactly(str, tree)):
        raise ValueError("no decimal number within the bounds")
    return Decimal(tree)


def _fraction(tree: Any, _: Room) -> Fraction:
    numerator, denominator = ints(tree, 2)
    if denominator < 1 or math.gcd(numerator, denominator) != 1:
        raise ValueError("a fraction that is not in lowest terms")
    return Fraction(numerator, denominator)


def zone_parts(zone: datetime.tzinfo | None) -> tuple[bool, Any]:
    """Whether a time zone crosses, which is none or a fixed offset, and its parts."""
    if zone is None:
        return True, None
    if type(zone) is not datetime.timezone:
        return False, None
    # Its own arguments: the offset, and a name where it was given one.
    offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]
    if name and len(name[0]) > MAX_ZONE_NAME:
        return False, None
    return True, (offset.days, offset.seconds, offset.microseconds, name[0] if name else None)


def zone_of(tree: Any) -> datetime.timezone | None:
    """The time zone that has these parts; raises as ``made``."""
    if tree is None:
        return None
    offset = datetime.timedelta(*ints(exactly(tuple, tree)[:3], 3))
    (name,) = tree[3:]
    if name is None:
        return datetime.timezone(offset)
    if len(exactly(str, name)) > MAX_ZONE_NAME:
        raise ValueError("a time zone with a long name")
    return datetime.timezone(offset, name)


def _date_parts(thing: datetime.date) -> tuple[str, Any]:
    return "date", (thing.year, thing.month, thing.day)


def _time_parts(thing: datetime.time) -> tuple[str, Any] | None:
    crosses, zone = zone_parts(thing.tzinfo)
    clock = thing.hour, thing.minute, thing.second, thing.microsecond, thing.fold
    return ("time", (clock, zone)) if crosses else None


def _datetime_parts(thing: datetime.datetime) -> tuple[str, Any] | None:
    crosses, zone = zone_parts(thing.tzinfo)
    clock = thing.hour, thing.minute, thing.second, thing.microsecond, thing.fold
    return ("datetime", ((thing.year, thing.month, thing.day, *clock), zone)) if crosses else None


def _timedelta_parts(thing: datetime.timedelta) -> tuple[str, Any]:
    return "timedelta", (thing.days, thing.seconds, thing.microseconds)


def _time(tree: Any, _: Room) -> datetime.time:
    clock, zone = exactly(tuple, tree)
    hour, minute, second, microsecond, fold = ints(clock, 5)
    return datetime.time(hour, minute, second, microsecond, zone_of(zone), fold=fold)


def _datetime(tree: Any, _: Room) -> datetime.datetime:
    clock, zone = exactly(tuple, tree)
    year, month, day, hour, minute, second, microsecond, fold = ints(clock, 8)
    return datetime.datetime(year, month, day, hour, minute, second, microsecond, zone_of(zone), fold=fold)


def _ellipsis(tree: Any, _: Room) -> Any:
    return {None: ...}[tree]


# NumPy's: dtypes and classes


def _dtype_tree(dtype: np.dtype[Any], nested: int = 0) -> Any:
    """A dtype as a tree: a text; an element's tree and a shape; or fields. None where it does not cross."""
    if nested > MAX_NESTING:
        return None
    if dtype.subdtype is not None:
        base = _dtype_tree(dtype.subdtype[0], nested + 1)
        return None if base is None else (base, dtype.subdtype[1])
    if dtype.names is None:
        return dtype.str if _SIMPLE.fullmatch(dtype.str) and np.dtype(dtype.str) == dtype else None
    fields = [dtype.fields[name] for name in dtype.names]  # type: ignore[index]
    # Titles are second names of fields, and a class of its own is ``np.record``, for arrays of another class.
    if not 0 < len(fields) <= MAX_FIELDS or any(len(field) != 2 for field in fields) or dtype.type is not np.void:
        return None
    trees = [_dtype_tree(field[0], nested + 1) for field in fields]
    if any(tree is None for tree in trees):
        return None
    offsets = tuple(int(field[1]) for field in fields)
    return list(dtype.names), trees, offsets, dtype.itemsize, dtype.isalignedstruct


def _dtype(tree: Any, nested: int = 0) -> np.dtype[Any]:
    if nested > MAX_NESTING:
        raise ValueError("a dtype that is nested too deep")
    if type(tree) is str:
        if not _SIMPLE.fullmatch(tree):
            raise ValueError("an unknown dtype")
        return np.dtype(tree)
    if len(exactly(tuple, tree)) == 2:
        base, shape = tree
        return np.dtype((_dtype(base, nested + 1), _shape(shape)))
    names, trees, offsets, itemsize, aligned = tree
    if not 0 < len(exactly(list, names)) == len(exactly(list, trees)) <= MAX_FIELDS:
        raise ValueError("a dtype with so many fields")
    described = {
        "names": [exactly(str, name) for name in names],
        "formats": [_dtype(each, nested + 1) for each in trees],
        "offsets": list(ints(offsets, len(names))),
        "itemsize": exactly(int, itemsize),
    }
    return np.dtype(described, align=exactly(bool, aligned))  # type: ignore[call-overload,no-any-return]


def _shape(tree: Any) -> tuple[int, ...]:
    """A shape of at most 16 dimensions, whose lengths do not overflow even where one is 0."""
    if len(exactly(tuple, tree)) > 16 or any(length < 0 for length in ints(tree, len(tree))):
        raise ValueError("no shape")
    if math.prod(length for length in tree if length) > 2**26:
        raise OverflowError("a shape that is too large")
    return tuple(tree)


def _type(tree: Any, _: Room) -> type:
    return TYPES[exactly(str, tree)]


# NumPy's: arrays and scalars


def array_parts(array: np.ndarray) -> tuple[str, Any] | None:
    """As ``parts``, for an array whose dtype is none of the numeric ones."""
    match array.dtype.kind:
        case "m" | "M":
            native = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
            return ("times", (native.dtype.str, native.view("<i8"))) if _TIMES.fullmatch(native.dtype.str) else None
        case "S" if array.dtype.itemsize:
            return "bytes array", (array.dtype.itemsize, array.shape, array.tobytes())
        case "O":
            return "object array", (array.shape, array.ravel().tolist())
        case "V" if array.dtype.names:
            return _record_parts(array, "record array")
    return None


def scalar_parts(scalar: Any) -> tuple[str, Any] | None:
    """As ``parts``, for a scalar whose dtype is none of the numeric ones."""
    match scalar:
        case np.str_():
            return "np.str", str(scalar)
        case np.bytes_():
            return "np.bytes", bytes(scalar)
        case np.datetime64() | np.timedelta64():
            taken = array_parts(np.asarray(scalar))
            return None if taken is None else ("time scalar", taken[1])
        case np.void() if type(scalar) is np.void and scalar.dtype.names:
            return _record_parts(np.asarray(scalar), "record")
    return None


def _times(tree: Any, _: Room) -> np.ndarray:
    text, numbers = exactly(tuple, tree)
    if not _TIMES.fullmatch(exactly(str, text)) or exactly(np.ndarray, numbers).dtype != np.int64:
        raise ValueError("no times")
    return np.asarray(numbers.view(np.dtype(text).newbyteorder("=")))


def _time_scalar(tree: Any, room: Room) -> Any:
    times = _times(tree, room)
    if times.ndim:
        raise ValueError("a scalar with dimensions")
    return times[()]


def _bytes_array(tree: Any, room: Room) -> np.ndarray:
    itemsize, shape, data = exactly(tuple, tree)
    count = math.prod(_shape(shape))
    if not 0 < exactly(int, itemsize) <= 2**26 or len(exactly(bytes, data)) != count * itemsize:
        raise ValueError("more or fewer bytes than the array has")
    room(itemsize)
    return (
        np.frombuffer(data, f"S{itemsize}", count).reshape(shape).copy() if count else np.zeros(shape, f"S{itemsize}")
    )


def _object_array(tree: Any, _: Room) -> np.ndarray:
    shape, entries = exactly(tuple, tree)
    if len(exactly(list, entries)) != math.prod(_shape(shape)):
        raise ValueError("more or fewer entries than the array has")
    array = np.empty(len(entries), dtype=object)
    for place, entry in enumerate(entries):
        array[place] = entry
    return array.reshape(shape)


def _record_parts(array: np.ndarray, name: str) -> tuple[str, Any] | None:
    """Field by field: what lies between the fields is whatever was in memory there, and stays inside."""
    dtype = array.dtype.newbyteorder("=")
    tree = _dtype_tree(dtype)
    if tree is None or not _is_record(dtype):
        return None
    return name, (tree, array.shape, [array[field] for field in dtype.names or ()])


def _is_record(dtype: np.dtype[Any]) -> bool:
    """Whether arrays of every field cross, in the field's own dtype."""
    if dtype.subdtype is not None:
        return _is_record(dtype.subdtype[0])
    if dtype.names is None:
        return dtype.kind in "biufcmMSU" and 0 < dtype.itemsize <= {"f": 8, "c": 16}.get(dtype.kind, dtype.itemsize)
    return all(_is_record(dtype.fields[name][0]) for name in dtype.names)  # type: ignore[index]


def _records(tree: Any, room: Room) -> np.ndarray:
    described, shape, fields = exactly(tuple, tree)
    dtype = _dtype(described)
    if not dtype.names or not _is_record(dtype):
        raise ValueError("no record")
    room(max(1, math.prod(_shape(shape))) * max(1, dtype.itemsize))
    array = np.zeros(shape, dtype)
    for name, field in zip(dtype.names, exactly(list, fields), strict=True):
        place = array[name]
        # A scalar's fields are arrays without dimensions; records within records are arrays of these.
        if exactly(np.ndarray, field).shape != place.shape or field.dtype != place.dtype:
            raise ValueError("a field of another shape or dtype")
        array[name] = field
    return array


def _record(tree: Any, room: Room) -> Any:
    records = _records(tree, room)
    if records.ndim:
        raise ValueError("a scalar with dimensions")
    return records[()]


def _masked_parts(thing: Any) -> tuple[str, Any]:
    data, mask = np.asarray(thing.data), None if thing.mask is np.ma.nomask else np.asarray(thing.mask)
    # Not as the property has it, which would set the default where there is none of its own.
    own = getattr(thing, "_fill_value", None)
    fill = None if own is None else np.asarray(own, object if data.dtype.hasobject else None)
    return "masked array", (data, mask, fill, bool(thing.hardmask))


def _masked_array(tree: Any, _: Room) -> Any:
    data, mask, fill, hard = exactly(tuple, tree)
    if type(data) is not np.ndarray or not (fill is None or (type(fill) is np.ndarray and fill.shape == ())):
        raise TypeError("no data, or no value to fill it with")
    if mask is not None and (type(mask) is not np.ndarray or mask.dtype != np.ma.make_mask_descr(data.dtype)):
        raise TypeError("no mask")
    if mask is not None and mask.shape != data.shape:
        raise ValueError("a mask of another shape")
    mask = np.ma.nomask if mask is None else mask
    masked: Any = np.ma.MaskedArray
    return masked(data, mask, fill_value=None if fill is None else fill[()], hard_mask=exactly(bool, hard))


_APART: dict[type, Callable[[Any], tuple[str, Any] | None]] = {
    range: _range_parts,
    slice: lambda thing: ("slice", (thing.start, thing.stop, thing.step)),
    type(...): lambda _: ("...", None),
    bytearray: lambda thing: ("bytearray", bytes(thing)),
    deque: lambda thing: ("deque", (thing.maxlen, list(thing))),
    Decimal: _decimal_parts,
    Fraction: lambda thing: ("Fraction", (thing.numerator, thing.denominator)),
    datetime.date: _date_parts,
    datetime.time: _time_parts,
    datetime.datetime: _datetime_parts,
    datetime.timedelta: _timedelta_parts,
    np.ma.MaskedArray: _masked_parts,
    type(np.ma.masked): lambda _: ("masked", None),
}
_MADE: dict[str, Callable[[Any, Room], Any]] = {
    "range": _range,
    "slice": _slice,
    "...": _ellipsis,
    "bytearray": _bytearray,
    "deque": _deque,
    "Decimal": _decimal,
    "Fraction": _fraction,
    "date": lambda tree, _: datetime.date(*ints(tree, 3)),
    "time": _time,
    "datetime": _datetime,
    "timedelta": lambda tree, _: datetime.timedelta(*ints(tree, 3)),
    "dtype": lambda tree, _: _dtype(tree),
    "type": _type,
    "times": _times,
    "time scalar": _time_scalar,
    "np.str": lambda tree, _: np.str_(exactly(str, tree)),
    "np.bytes": lambda tree, _: np.bytes_(exactly(bytes, tree)),
    "bytes array": _bytes_array,
    "object array": _object_array,
    "record array": _records,
    "record": _record,
    "masked array": _masked_array,
    "masked": lambda tree, _: {None: np.ma.masked}[tree],
}
