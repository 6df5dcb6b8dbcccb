"""Data that is made of others, compared part by part: what the parts are, and what they are called.

``taken_apart`` gives for such a thing the parts that have to be the very same, such as labels and dtypes, and those
that are compared as any answer is. What is said of a part names a label that the answer has too.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.checking.answers import short
from autograder.sandbox import tables


@dataclass(frozen=True)
class TakenApart:
    """A thing of parts.

    Attributes:
        name: What kind of thing it is, in words: "a DataFrame".
        same: What has to be the very same, by name: "index", "columns".
        compared: What is compared with tolerance, by name: "column 'a'".
    """

    name: str
    same: dict[str, Any]
    compared: dict[str, Any]


def taken_apart(thing: Any) -> TakenApart | None:
    """The parts of a thing that is made of others; None of anything else."""
    if isinstance(thing, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(thing)
        plain = np.where(mask, np.zeros((), thing.dtype), np.asarray(thing)) if mask.any() else np.asarray(thing)
        return TakenApart("a masked array", {"mask": mask}, {"entries": plain})
    if isinstance(thing, np.ndarray | np.void) and thing.dtype.names is not None:
        fields = {f"field {short(repr(name))}": thing[name] for name in thing.dtype.names}
        return TakenApart("a record" if np.ndim(thing) == 0 else "an array of records", {"dtype": thing.dtype}, fields)
    if isinstance(thing, np.ndarray) and thing.dtype.kind == "O":
        return TakenApart("an array of objects", {"shape": thing.shape}, {"entries": thing.ravel().tolist()})
    if type(thing) is deque:
        return TakenApart("a deque", {"maxlen": thing.maxlen}, {"entries": list(thing)})
    take = _OF_LIBRARIES.get(type(thing).__module__.partition(".")[0])
    return None if take is None else take(thing)


def _parts(thing: Any) -> tuple[str, Any]:
    return tables.parts(thing) or ("", None)


def _of_pandas(thing: Any) -> TakenApart | None:
    kind, parts = _parts(thing)
    match kind:
        case "pandas.DataFrame":
            index, columns, values = parts
            # Names may be there twice, and are then told apart by their places.
            labels = [short(repr(label), 40) for label in columns.tolist()]
            often = Counter(labels)
            names = [
                f"column {label}" if often[label] == 1 else f"column {label} (number {place})"
                for place, label in enumerate(labels)
            ]
            same = {"columns": _labels(columns), "index": _labels(index)}
            same |= {f"dtype of {name}": _dtype(each) for name, each in zip(names, values, strict=True)}
            return TakenApart("a DataFrame", same, dict(zip(names, map(_values, values), strict=True)))
        case "pandas.Series":
            values, index, name = parts
            return TakenApart(
                "a Series",
                {"index": _labels(index), "name": name, "dtype": _dtype(values)},
                {"values": _values(values)},
            )
        case "pandas.Index" | "pandas.RangeIndex" | "pandas.MultiIndex":
            return TakenApart("an index", {"labels": _labels(thing)}, {})
    return None


def _labels(index: Any) -> Any:
    """The labels of an index and its names, in whatever way they are kept: as a range, or with a frequency."""
    kind, parts = _parts(index)
    if kind == "pandas.MultiIndex":
        return [_labels(index.get_level_values(place)) for place in range(index.nlevels)]
    values = parts[0] if kind == "pandas.Index" else index.to_numpy()
    return _dtype(values), _values(values), index.name


def _dtype(values: Any) -> Any:
    """The dtype; of texts not how they are kept, of unordered categories not their order."""
    kind, _ = _parts(values)
    if kind == "pandas.strings":
        return str(values.dtype)
    if kind == "pandas.Categorical" and not values.ordered:
        return _dtype(values.categories.array), sorted(map(repr, values.categories))
    return values.dtype


def _values(values: Any) -> Any:
    """Numbers as NumPy's array, with a mask where some are missing; texts and categories as lists."""
    kind, parts = _parts(values)
    if kind == "pandas.nullable":
        return np.ma.MaskedArray(parts[1], parts[2])
    if kind == "pandas.strings":
        return parts[1]
    return list(values) if kind == "pandas.Categorical" else values


def _of_scipy(thing: Any) -> TakenApart | None:
    if tables.parts(thing) is None:
        return None
    return TakenApart("a sparse matrix", {"shape": tuple(thing.shape)}, {"entries": _Entries(thing)})


class _Entries:
    """The entries of a sparse matrix, of which another may have others that are 0."""

    def __init__(self, matrix: Any) -> None:
        entries = matrix.tocoo(copy=True)
        entries.sum_duplicates()
        self.places = np.stack([np.asarray(each, np.int64) for each in entries.coords], axis=-1)
        self.data = entries.data


def beside(ours: Any, theirs: Any) -> tuple[Any, Any]:
    """Two parts as they can be compared: the entries of sparse matrices of one shape at the same places."""
    if not isinstance(ours, _Entries) or not isinstance(theirs, _Entries):
        return ours, theirs
    places, where = np.unique(np.concatenate([ours.places, theirs.places]), axis=0, return_inverse=True)
    where = where.ravel()
    ends = len(ours.data)
    one, other = np.zeros(len(places), ours.data.dtype), np.zeros(len(places), theirs.data.dtype)
    one[where[:ends]], other[where[ends:]] = ours.data, theirs.data
    return one, other


def _of_torch(thing: Any) -> TakenApart | None:
    kind, parts = _parts(thing)
    if not kind:
        return None
    return TakenApart("a tensor", {"dtype": parts[0]}, {"entries": tables.array_of_tensor(parts)})


_OF_LIBRARIES: dict[str, Callable[[Any], TakenApart | None]] = {
    "pandas": _of_pandas,
    "scipy": _of_scipy,
    "torch": _of_torch,
}
