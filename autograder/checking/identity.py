"""Whether two pieces of data are the very same: of one type, with the same in them, bit by bit."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

from autograder.base import CheckError
from autograder.sandbox import Opaque, kinds, tables, wire

Like = wire.ListLike | wire.TupleLike | wire.DictLike


def crossed(thing: Any) -> Any:
    """A thing as it is once it has crossed the wall, which is what a right answer is then.

    Raises:
        CheckError: Something of it does not cross.
    """
    stays: list[str] = []

    def named(inner: object) -> Opaque:
        stays.append(type(inner).__name__)
        return Opaque(stays[-1])

    try:
        back = wire.decode(wire.encode(thing, named))
    except wire.WireError as error:
        raise CheckError(f"what an answer should be is too large or too deep to be compared: {error}") from None
    if stays:
        raise CheckError(f"what an answer should be has a {stays[0]} in it, which does not cross the wall")
    return back


def identical(ours: Any, theirs: Any) -> bool:
    """Whether two pieces of data that have crossed are of one type and the same in everything that shows.

    A NaN is the same as any other, and -0.0 is not 0.0. The order counts in a list, not in a dictionary or a set. A
    class of one's own is the same as another of that name.
    """
    if type(ours) is not type(theirs) or isinstance(ours, Opaque):
        return False
    if isinstance(ours, Like) and ours.type_name != theirs.type_name:
        return False
    if isinstance(ours, np.ndarray) and not isinstance(ours, np.ma.MaskedArray):
        return _same_arrays(ours, theirs)
    if isinstance(ours, float | complex | np.generic):
        return _same_arrays(np.asarray(ours), np.asarray(theirs))
    if isinstance(ours, list | tuple):
        return len(ours) == len(theirs) and all(map(identical, ours, theirs))
    if isinstance(ours, dict):
        return _same_dictionaries(ours, theirs)
    if isinstance(ours, set | frozenset):
        return wire.encode(ours) == wire.encode(theirs)
    parts = parts_of(ours)
    if parts is not None:
        return identical(parts, parts_of(theirs))
    return bool(ours == theirs)


def is_made_of_parts(thing: Any) -> bool:
    """Whether it is of a kind that is made of plainer ones, or an array or a scalar of no plain dtype."""
    if isinstance(thing, np.ndarray | np.generic) and type(thing) is not np.ma.MaskedArray:
        return thing.dtype.kind in "mMSOV"
    return parts_of(thing) is not None


def equal(ours: Any, theirs: Any) -> bool:
    """Whether two such things are of one class and equal: times in another unit too, and ``1.10`` for ``1.1``."""
    if isinstance(ours, np.ndarray | np.generic) and isinstance(theirs, np.ndarray | np.generic):
        if ours.dtype.kind != theirs.dtype.kind or np.shape(ours) != np.shape(theirs):
            return False
        if theirs.dtype.kind in "mM":
            try:
                same = np.asarray(ours == theirs) | (np.isnat(ours) & np.isnat(theirs))
            except (OverflowError, TypeError):
                return False
            return bool(np.all(same))
        if theirs.dtype.kind == "S":
            return bool(np.all(np.asarray(ours) == np.asarray(theirs)))
    if identical(ours, theirs):
        return True
    try:
        same = ours == theirs
    except Exception:
        return False
    return type(ours) is type(theirs) and isinstance(same, bool) and same


def parts_of(thing: Any) -> tuple[str, Any] | None:
    """The kind and the parts of a thing that crosses as such; None of a plain one."""
    return kinds.parts(thing) or tables.parts(thing)


def _same_dictionaries(ours: dict[Any, Any], theirs: dict[Any, Any]) -> bool:
    # By their bytes: 1, 1.0 and True are one key to Python.
    one, other = ({wire.encode(key): value for key, value in each.items()} for each in (ours, theirs))
    if one.keys() != other.keys() or getattr(ours, "default_factory", None) != getattr(theirs, "default_factory", None):
        return False
    if isinstance(ours, OrderedDict) and list(one) != list(other):
        return False
    return all(identical(value, other[key]) for key, value in one.items())


def _same_arrays(ours: np.ndarray, theirs: np.ndarray) -> bool:
    if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
        return False
    if ours.dtype.names is not None:
        return all(_same_arrays(ours[name], theirs[name]) for name in ours.dtype.names)
    if ours.dtype.kind == "O":
        return all(map(identical, ours.ravel().tolist(), theirs.ravel().tolist()))
    if ours.tobytes() == theirs.tobytes():
        return True
    if ours.dtype.kind == "c":
        return _same_arrays(ours.real, theirs.real) and _same_arrays(ours.imag, theirs.imag)
    if ours.dtype.kind != "f":
        return False
    bits = f"u{ours.dtype.itemsize}"
    one, other = (np.ascontiguousarray(each) for each in (ours, theirs))
    return bool(np.all((one.view(bits) == other.view(bits)) | (np.isnan(one) & np.isnan(other))))
