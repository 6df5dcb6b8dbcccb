"""Data of pandas, SciPy and torch: taken apart where the library is loaded anyway, and made again where it is there.

In the sandbox no library is imported that the student's notebook has not imported: ``library`` looks among the loaded
modules. The trusted side puts a function in its place that imports what is installed (``sandbox/libraries.py``).
As in ``kinds``, what is made again was written by a process that may be hostile: lengths, codes and indices are checked
before a library sees them, texts that a library would read are of a few forms, and what is hashed is bounded.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from . import kinds
from .kinds import Room

MAX_ROWS = 2**23
MAX_HASHED = 4096
"""Categories that are no texts, whose hashes can be chosen to collide."""
_COST_OF_HASHED = 1024
_COST_OF_STEP = 1024
"""Bytes of room that one of these is charged for, and one step of a calendar: what takes time is bounded by it too."""
_COST_OF_CODE = 8
"""A code may be a byte, and what it stands for is seldom less than eight."""
MAX_STEPS = 10_000
MAX_LISTS = 100_000
_COST_OF_LIST = 256

library: Callable[[str], Any] = sys.modules.get
"""Gives a library by its name, or None where it is not to be had."""

_LIBRARIES = {"pandas": "pandas", "scipy": "scipy.sparse", "torch": "torch"}
_ZONE = re.compile(r"(?!dateutil)[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}", re.ASCII)
_FREQUENCY = re.compile(r"-?\d{0,6}[A-Za-z]{1,6}(?:-[A-Z]{3})?", re.ASCII)
_NULLABLE = re.compile(r"U?Int(?:8|16|32|64)|Float(?:32|64)|boolean", re.ASCII)
# Not the one that is a dictionary, and would be taken for one.
_SPARSE = {f"{form}_{kind}" for form in ("csr", "csc", "bsr", "dia", "coo", "lil") for kind in ("matrix", "array")}
_TENSORS = (
    *("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "bfloat16"),
    *("complex64", "complex128"),
)


def parts(thing: Any) -> tuple[str, Any] | None:
    """The name of the kind of a library's object and its parts; None where it is none that crosses."""
    root = type(thing).__module__.split(".")[0]
    take = {"pandas": _pandas_parts, "scipy": _scipy_parts, "torch": _torch_parts}.get(root)
    there = sys.modules.get(_LIBRARIES.get(root, ""))
    return None if take is None or there is None else take(there, thing)


def made(name: str, tree: Any, room: Room) -> Any:
    """The object of this kind that has these parts; None where its library is not to be had.

    A tensor is an array then.

    Raises:
        Exception: There is no such kind or no such object; of whatever type is raised.
    """
    make = _MADE[name]
    there = library(_LIBRARIES[name.split(".")[0]])
    if there is None and name.startswith("torch."):
        return array_of_tensor(tree)
    return None if there is None else make(there, tree, room)


# pandas: taken apart


def _pandas_parts(pd: Any, thing: Any) -> tuple[str, Any] | None:
    kind = type(thing)
    if kind is pd.DataFrame:
        columns = [_plain(thing.iloc[:, place]) for place in range(thing.shape[1])]
        return "pandas.DataFrame", (thing.index, thing.columns, columns)
    if kind is pd.Series:
        return "pandas.Series", (_plain(thing), thing.index, thing.name)
    if isinstance(thing, pd.Index):
        return _index_parts(pd, thing)
    if isinstance(thing, pd.api.extensions.ExtensionArray):
        return _array_parts(pd, thing)
    if kind is pd.Timestamp:
        crosses, zone = _zone_parts(thing.tzinfo)
        return ("pandas.Timestamp", (thing.to_datetime64(), zone, thing.fold)) if crosses else None
    if kind is pd.Timedelta:
        return "pandas.Timedelta", thing.to_timedelta64()
    if kind is pd.Interval:
        return "pandas.Interval", (thing.left, thing.right, thing.closed)
    if kind is pd.Period:
        return "pandas.Period", (thing.ordinal, thing.freqstr)
    if thing is pd.NA or thing is pd.NaT:
        return f"pandas.{thing!r}".replace("<", "").replace(">", ""), None
    return _pandas_dtype_parts(pd, thing)


def _plain(column: Any) -> Any:
    """The values of a series or an index, as NumPy's array where its dtype is NumPy's."""
    return column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array


def _index_parts(pd: Any, index: Any) -> tuple[str, Any] | None:
    kind = type(index)
    if len(index) > MAX_ROWS:
        return None
    if kind is pd.RangeIndex:
        return "pandas.RangeIndex", (index.start, index.stop, index.step, index.name)
    if kind is pd.MultiIndex:
        codes = [np.asarray(each) for each in index.codes]
        return "pandas.MultiIndex", (list(index.levels), codes, list(index.names))
    if kind not in (
        pd.Index,
        pd.DatetimeIndex,
        pd.TimedeltaIndex,
        pd.CategoricalIndex,
        pd.IntervalIndex,
        pd.PeriodIndex,
    ):
        return None
    frequency = index.freqstr if kind in (pd.DatetimeIndex, pd.TimedeltaIndex) else None
    if frequency is not None and (len(index) > MAX_STEPS or not _FREQUENCY.fullmatch(frequency)):
        frequency = None
    return "pandas.Index", (_plain(index), index.name, frequency)


def _array_parts(pd: Any, array: Any) -> tuple[str, Any] | None:
    dtype = array.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "pandas.Categorical", (np.asarray(array.codes), dtype)
    if isinstance(dtype, pd.StringDtype):
        texts = [text if isinstance(text, str) else None for text in array.tolist()]
        return "pandas.strings", (dtype, texts)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return "pandas.zoned", (array.tz_convert(None).to_numpy(), dtype)
    if isinstance(dtype, pd.IntervalDtype):
        return "pandas.intervals", (pd.Index(array.left), pd.Index(array.right), array.closed)
    if isinstance(dtype, pd.PeriodDtype):
        return "pandas.periods", (np.asarray(array.asi8), pd.PeriodIndex(array).freqstr)
    if _NULLABLE.fullmatch(str(dtype)) and type(array).__module__.startswith("pandas."):
        return "pandas.nullable", (str(dtype), array.to_numpy(dtype.numpy_dtype, na_value=0), np.asarray(array.isna()))
    return None


def _pandas_dtype_parts(pd: Any, dtype: Any) -> tuple[str, Any] | None:
    if isinstance(dtype, pd.CategoricalDtype):
        crosses = dtype.categories is None or _few_hashed(dtype.categories)
        return ("pandas.CategoricalDtype", (dtype.categories, bool(dtype.ordered))) if crosses else None
    if isinstance(dtype, pd.StringDtype):
        return "pandas.StringDtype", (dtype.storage, dtype.na_value is pd.NA)
    if isinstance(dtype, pd.DatetimeTZDtype):
        crosses, zone = _zone_parts(dtype.tz)
        return ("pandas.DatetimeTZDtype", (dtype.unit, zone)) if crosses else None
    if isinstance(dtype, pd.PeriodDtype):
        return "pandas.PeriodDtype", str(dtype)[len("period[") : -1]
    if isinstance(dtype, pd.IntervalDtype) and dtype.subtype is not None:
        return "pandas.IntervalDtype", (dtype.subtype, dtype.closed)
    if isinstance(dtype, pd.api.extensions.ExtensionDtype) and _NULLABLE.fullmatch(str(dtype)):
        return "pandas.dtype", str(dtype)
    return None


def _few_hashed(categories: Any) -> bool:
    return len(categories) <= MAX_HASHED or _are_texts(categories)


def _are_texts(index: Any) -> bool:
    return index.dtype.kind == "O" and all(type(each) is str for each in index.tolist())


def _zone_parts(zone: Any) -> tuple[bool, Any]:
    """As ``kinds`` has it of fixed offsets; a zone of the world by its name."""
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if isinstance(name, str):
        return bool(_ZONE.fullmatch(name)), name
    return kinds.zone_parts(zone)


# pandas: made again


def _zone(tree: Any) -> Any:
    if type(tree) is not str:
        return kinds.zone_of(tree)
    if len(tree) > kinds.MAX_ZONE_NAME or not _ZONE.fullmatch(tree):
        raise ValueError("no time zone")
    return ZoneInfo(tree)


def _name(tree: Any) -> Any:
    hash(tree)
    return tree


def _column(pd: Any, values: Any) -> Any:
    """One-dimensional values of a dtype that pandas keeps."""
    if isinstance(values, pd.api.extensions.ExtensionArray):
        return values
    units = ("s", "ms", "us", "ns")
    if type(values) is not np.ndarray or values.ndim != 1 or values.dtype.kind not in "biufcmMO":
        raise TypeError("values that are no column")
    if values.dtype.kind in "mM" and np.datetime_data(values.dtype) not in [(unit, 1) for unit in units]:
        raise TypeError("times of another unit")
    return values


def _index_of(pd: Any, thing: Any) -> Any:
    if not isinstance(thing, pd.Index) or len(thing) > MAX_ROWS:
        raise TypeError("no index")
    return thing


def _series(pd: Any, values: Any, index: Any, name: Any = None) -> Any:
    values = _column(pd, values)
    if len(values) != len(_index_of(pd, index)):
        raise ValueError("values that are more or fewer than the index has")
    return pd.Series(values, index=index, dtype=values.dtype, name=_name(name))


def _frame(pd: Any, tree: Any, _: Room) -> Any:
    index, columns, arrays = tree
    if len(_index_of(pd, columns)) != len(kinds.exactly(list, arrays)):
        raise ValueError("more or fewer columns than there are names")
    series = {place: _series(pd, values, index) for place, values in enumerate(arrays)}
    frame = pd.DataFrame(series, index=_index_of(pd, index))
    frame.columns = columns
    return frame


def _series_made(pd: Any, tree: Any, _: Room) -> Any:
    values, index, name = tree
    return _series(pd, values, index, name)


def _range_index(pd: Any, tree: Any, _: Room) -> Any:
    *numbers, name = tree
    through = range(*kinds.ints(tuple(numbers), 3))
    if kinds.length_of(through) > MAX_ROWS or max(map(abs, numbers)) >= 2**62:
        raise OverflowError("an index that is too long")
    return pd.RangeIndex(through, name=_name(name))


def _index(pd: Any, tree: Any, room: Room) -> Any:
    values, name, frequency = tree
    values = _column(pd, values)
    index = pd.Index(values, dtype=values.dtype, name=_name(name), copy=True)
    if frequency is not None:
        if not isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex) or len(index) > MAX_STEPS:
            raise TypeError("an index that has no frequency")
        room(_COST_OF_STEP * len(index))
        index = type(index)(index, freq=_frequency(frequency), name=index.name)
    return index


def _frequency(tree: Any) -> str:
    if not _FREQUENCY.fullmatch(kinds.exactly(str, tree)):
        raise ValueError("no frequency")
    return str(tree)


def _multi_index(pd: Any, tree: Any, room: Room) -> Any:
    levels, codes, names = (kinds.exactly(list, each) for each in tree)
    if not 0 < len(levels) == len(codes) == len(names) or len({len(each) for each in codes}) != 1:
        raise ValueError("levels, codes and names of several lengths")
    for level, each in zip(levels, codes, strict=True):
        _check_codes(each, len(_index_of(pd, level)))
        room(_COST_OF_CODE * len(each))
    # Whether the levels are unique would be found out by hashing them; whatever they are, the codes are within them.
    return pd.MultiIndex(levels, codes, names=list(map(_name, names)), verify_integrity=False)


def _check_codes(codes: Any, count: int) -> None:
    """Places in ``count`` things, or -1."""
    if type(codes) is not np.ndarray or codes.ndim != 1 or codes.dtype.kind != "i":
        raise TypeError("no codes")
    if codes.size and not (codes.min() >= -1 and codes.max() < count):
        raise ValueError("codes of what is not there")


def _categorical(pd: Any, tree: Any, room: Room) -> Any:
    codes, dtype = tree
    if not isinstance(dtype, pd.CategoricalDtype) or dtype.categories is None:
        raise TypeError("no categories")
    _check_codes(codes, len(dtype.categories))
    room(_COST_OF_CODE * len(codes))
    return pd.Categorical.from_codes(codes, dtype=dtype)


def _categorical_dtype(pd: Any, tree: Any, room: Room) -> Any:
    categories, ordered = tree
    if categories is not None:
        if not _few_hashed(_index_of(pd, categories)):
            raise ValueError("too many categories")
        room(_COST_OF_HASHED * len(categories) if not _are_texts(categories) else 0)
    return pd.CategoricalDtype(categories, kinds.exactly(bool, ordered))


def _string_dtype(pd: Any, tree: Any, _: Room) -> Any:
    storage, is_na = tree
    missing = pd.NA if kinds.exactly(bool, is_na) else np.nan
    if storage not in ("python", "pyarrow"):
        raise ValueError("no storage")
    try:
        return pd.StringDtype(storage, na_value=missing)
    except ImportError:
        # Where pyarrow is missing, the texts are kept in another way, and are the same.
        return pd.StringDtype("python", na_value=missing)


def _strings(pd: Any, tree: Any, _: Room) -> Any:
    dtype, texts = tree
    if not isinstance(dtype, pd.StringDtype) or not all(each is None or type(each) is str for each in texts):
        raise TypeError("no texts")
    array = np.empty(len(kinds.exactly(list, texts)), dtype=object)
    array[:] = [dtype.na_value if text is None else text for text in texts]
    return pd.array(array, dtype=dtype)


def _nullable(pd: Any, tree: Any, _: Room) -> Any:
    dtype = _nullable_dtype(pd, tree[0], _)
    _, data, mask = tree
    if type(data) is not np.ndarray or data.ndim != 1 or data.dtype != dtype.numpy_dtype:
        raise TypeError("no numbers")
    if type(mask) is not np.ndarray or mask.dtype != np.bool_ or mask.shape != data.shape:
        raise TypeError("no mask")
    return dtype.construct_array_type()(data, mask)


def _nullable_dtype(pd: Any, tree: Any, _: Room) -> Any:
    if not _NULLABLE.fullmatch(kinds.exactly(str, tree)):
        raise ValueError("an unknown dtype")
    return pd.api.types.pandas_dtype(tree)


def _zoned_dtype(pd: Any, tree: Any, _: Room) -> Any:
    unit, zone = tree
    if unit not in ("s", "ms", "us", "ns") or zone is None:
        raise ValueError("no unit, or no zone")
    return pd.DatetimeTZDtype(unit, _zone(zone))


def _zoned(pd: Any, tree: Any, _: Room) -> Any:
    values, dtype = tree
    if not isinstance(dtype, pd.DatetimeTZDtype) or _column(pd, values).dtype != np.dtype(f"M8[{dtype.unit}]"):
        raise TypeError("no times of a zone")
    return pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(dtype.tz).array


def _intervals(pd: Any, tree: Any, _: Room) -> Any:
    left, right, closed = tree
    if len(_index_of(pd, left)) != len(_index_of(pd, right)) or left.dtype != right.dtype or left.dtype.kind == "O":
        raise ValueError("no two ends")
    return pd.arrays.IntervalArray.from_arrays(left, right, closed=_closed(closed))


def _closed(tree: Any) -> str:
    if tree not in ("left", "right", "both", "neither"):
        raise ValueError("no side")
    return str(tree)


def _interval(pd: Any, tree: Any, _: Room) -> Any:
    left, right, closed = tree
    return pd.Interval(left, right, _closed(closed))


def _periods(pd: Any, tree: Any, _: Room) -> Any:
    ordinals, frequency = tree
    if type(ordinals) is not np.ndarray or ordinals.ndim != 1 or ordinals.dtype != np.int64:
        raise TypeError("no periods")
    return pd.PeriodIndex.from_ordinals(ordinals, freq=_frequency(frequency)).array


def _period(pd: Any, tree: Any, _: Room) -> Any:
    ordinal, frequency = tree
    ordinals = np.array([kinds.exactly(int, ordinal)], dtype=np.int64)
    return pd.PeriodIndex.from_ordinals(ordinals, freq=_frequency(frequency))[0]


def _interval_dtype(pd: Any, tree: Any, _: Room) -> Any:
    subtype, closed = tree
    if not isinstance(subtype, pd.DatetimeTZDtype) and not (isinstance(subtype, np.dtype) and subtype.kind in "iufmM"):
        raise ValueError("no ends")
    return pd.IntervalDtype(subtype, _closed(closed))


def _timestamp(pd: Any, tree: Any, _: Room) -> Any:
    when, zone, fold = tree
    made = pd.Timestamp(kinds.exactly(np.datetime64, when))
    if zone is not None:
        return made.tz_localize("UTC").tz_convert(_zone(zone))
    return made.replace(fold=1) if kinds.exactly(int, fold) == 1 else made


# SciPy's sparse matrices and arrays


def _scipy_parts(_: Any, thing: Any) -> tuple[str, Any] | None:
    name = type(thing).__name__
    if name not in _SPARSE or not type(thing).__module__.startswith("scipy.sparse."):
        return None
    if name[:3] in ("csr", "csc", "bsr"):
        return f"scipy.{name}", (thing.shape, thing.data, (thing.indices, thing.indptr))
    if name[:3] == "dia":
        return f"scipy.{name}", (thing.shape, thing.data, (thing.offsets,))
    if name[:3] == "lil" and thing.shape[0] > MAX_LISTS:
        return None
    entries = thing.tocoo()
    return f"scipy.{name}", (thing.shape, entries.data, tuple(entries.coords))


def _sparse(name: str) -> Callable[[Any, Any, Room], Any]:
    def make(sparse: Any, tree: Any, room: Room) -> Any:
        shape, data, places = kinds.exactly(tuple, tree)
        kinds.ints(shape, len(kinds.exactly(tuple, shape)))
        if not 1 <= len(shape) <= 16 or not all(0 <= length < 2**62 for length in shape):
            raise ValueError("no shape")
        arrays = (data, *kinds.exactly(tuple, places))
        if not all(type(each) is np.ndarray for each in arrays) or data.dtype.kind not in "biufc":
            raise TypeError("no entries")
        if not all(each.ndim == 1 and each.dtype in (np.int32, np.int64) for each in places):
            raise TypeError("no places")
        form = name[:3]
        if form in ("csr", "csc", "bsr"):
            blocks = data.shape[1:] if form == "bsr" and data.ndim == 3 else (1, 1)
            if data.ndim != (3 if form == "bsr" else 1) or 0 in blocks:
                raise ValueError("entries in another number of dimensions")
            if form == "bsr" and any(length % block for length, block in zip(shape, blocks, strict=True)):
                raise ValueError("blocks that do not fill the matrix")
            matrix = getattr(sparse, name)((data, *places), shape=shape)
            matrix.check_format(full_check=True)
            return matrix
        if form == "dia":
            return getattr(sparse, name)((data, *places), shape=shape)
        if data.ndim != 1 or len(places) != len(shape) or any(each.shape != data.shape for each in places):
            raise ValueError("entries and places of several lengths")
        kind = name[4:]
        entries = getattr(sparse, f"coo_{kind}")((data, places), shape=shape)
        if form == "lil":
            if len(shape) != 2 or shape[0] > MAX_LISTS:
                raise ValueError("too many lists")
            room(_COST_OF_LIST * shape[0])
        return entries if form == "coo" else entries.asformat(form)

    return make


# torch's tensors


def _torch_parts(torch: Any, thing: Any) -> tuple[str, Any] | None:
    kind = "Tensor" if type(thing) is torch.Tensor else "Parameter" if type(thing) is torch.nn.Parameter else ""
    name = str(getattr(thing, "dtype", "")).removeprefix("torch.")
    if not kind or name not in _TENSORS or thing.device.type != "cpu" or thing.layout is not torch.strided:
        return None
    plain = thing.detach().resolve_conj().resolve_neg()
    array = (plain.contiguous().view(torch.int16) if name == "bfloat16" else plain).numpy()
    return f"torch.{kind}", (name, array, bool(thing.requires_grad))


def _tensor(torch: Any, tree: Any, _: Room) -> Any:
    name, array, requires_grad = _tensor_parts(tree)
    tensor = torch.from_numpy(array)
    if name == "bfloat16":
        tensor = tensor.view(torch.bfloat16)
    return tensor.requires_grad_(requires_grad)


def _parameter(torch: Any, tree: Any, room: Room) -> Any:
    tensor = _tensor(torch, tree, room)
    return torch.nn.Parameter(tensor.detach(), requires_grad=tensor.requires_grad)


def _tensor_parts(tree: Any) -> tuple[str, np.ndarray, bool]:
    name, array, requires_grad = kinds.exactly(tuple, tree)
    if name not in _TENSORS or array.dtype != np.dtype("int16" if name == "bfloat16" else name):
        raise TypeError("a tensor of another dtype")
    return name, kinds.exactly(np.ndarray, array), kinds.exactly(bool, requires_grad)


def array_of_tensor(tree: Any) -> np.ndarray:
    """The same numbers; NumPy has no bfloat16, which is the first half of a float32."""
    name, array, _ = _tensor_parts(tree)
    return (array.astype(np.uint32) << 16).view(np.float32) if name == "bfloat16" else array


_MADE: dict[str, Callable[[Any, Any, Room], Any]] = {
    "pandas.DataFrame": _frame,
    "pandas.Series": _series_made,
    "pandas.Index": _index,
    "pandas.RangeIndex": _range_index,
    "pandas.MultiIndex": _multi_index,
    "pandas.Categorical": _categorical,
    "pandas.CategoricalDtype": _categorical_dtype,
    "pandas.StringDtype": _string_dtype,
    "pandas.DatetimeTZDtype": _zoned_dtype,
    "pandas.PeriodDtype": lambda pd, tree, _: pd.PeriodDtype(_frequency(tree)),
    "pandas.IntervalDtype": _interval_dtype,
    "pandas.dtype": _nullable_dtype,
    "pandas.strings": _strings,
    "pandas.nullable": _nullable,
    "pandas.zoned": _zoned,
    "pandas.intervals": _intervals,
    "pandas.periods": _periods,
    "pandas.Timestamp": _timestamp,
    "pandas.Timedelta": lambda pd, tree, _: pd.Timedelta(kinds.exactly(np.timedelta64, tree)),
    "pandas.Interval": _interval,
    "pandas.Period": _period,
    "pandas.NA": lambda pd, tree, _: {None: pd.NA}[tree],
    "pandas.NaT": lambda pd, tree, _: {None: pd.NaT}[tree],
    "torch.Tensor": _tensor,
    "torch.Parameter": _parameter,
    **{f"scipy.{name}": _sparse(name) for name in sorted(_SPARSE)},
}
