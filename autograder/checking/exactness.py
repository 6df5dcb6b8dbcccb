"""What is compared exactly: everything but floats and complex numbers, for which there are tolerances."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.base import CheckError
from autograder.checking.identity import equal, is_made_of_parts


def is_exact(desired: Any) -> bool:
    """Whether this is compared exactly: None, a boolean, an integer, a text, bytes, a set, a date, or an array of such.

    Raises:
        CheckError: It is nothing that can be compared, such as an object.
    """
    if desired is None or isinstance(desired, bool | int | str | bytes | set | frozenset):
        return True
    if isinstance(desired, np.ndarray | np.generic) and desired.dtype.kind in "biufcU":
        return desired.dtype.kind in "biuU"
    if isinstance(desired, float | complex):
        return False
    if is_made_of_parts(desired):
        return True
    what = f"array of dtype {desired.dtype}" if isinstance(desired, np.ndarray) else type(desired).__name__
    raise CheckError(
        f"the reference gave a {what}, with which no answer can be compared: let it give numbers, texts, booleans, "
        "None, arrays of these, or lists, tuples, dicts and sets of them"
    )


def same_data(actual: Any, desired: Any) -> bool:
    """Whether an answer is exactly what is desired, of whatever kind that is; see ``alike`` and ``equal``."""
    return equal(actual, desired) if is_made_of_parts(desired) else alike(actual, desired)


def alike(actual: Any, desired: Any) -> bool:
    """Whether an answer is exactly what is desired.

    True is not 1, and a text is no number. An integer may come as any real number of the same value, a NumPy scalar or
    a 0-d array. Arrays have the same shape. In a set, NaN is equal to NaN.

    Needs NumPy alone, and nothing else of this module: the script that answers an appeal has a copy of it.
    """

    def kind(thing: Any) -> str:
        if isinstance(thing, np.ndarray | np.generic):
            return {"b": "truth", "i": "number", "u": "number", "f": "number", "U": "text"}.get(thing.dtype.kind, "")
        for name, types in (("truth", bool), ("number", int | float), ("text", str), ("bytes", bytes)):
            if isinstance(thing, types):
                return name
        return "none" if thing is None else ""

    def member(thing: Any) -> Any:
        if isinstance(thing, tuple):
            return ("tuple", *map(member, thing))
        plain = thing.item() if isinstance(thing, np.generic) else thing
        if plain != plain:
            return (kind(thing), "nan")
        return (kind(thing), plain)

    if isinstance(desired, set | frozenset):
        if not isinstance(actual, set | frozenset):
            return False
        return {member(each) for each in actual} == {member(each) for each in desired}
    if not kind(desired) or kind(actual) != kind(desired) or np.shape(actual) != np.shape(desired):
        return False
    if isinstance(desired, str | bytes) or desired is None:
        return bool((actual.item() if isinstance(actual, np.ndarray) else actual) == desired)
    # Not as floats, which do not hold every integer: Python compares an integer with a float exactly.
    ours, theirs = (np.asarray(each) for each in (actual, desired))
    if ours.dtype.kind != theirs.dtype.kind:
        ours, theirs = ours.astype(object), theirs.astype(object)
    return bool(np.all(ours == theirs))


def components(values: Any) -> np.ndarray:
    """Complex numbers as float64: real and imaginary parts along a new last axis."""
    numbers = np.asarray(values, dtype=np.complex128)
    return np.stack([numbers.real, numbers.imag], axis=-1)
