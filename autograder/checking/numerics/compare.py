"""Comparing arrays of numbers: how far off, where, by which factor, and how far off is still right."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from autograder.base import Cause, reason

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# What passes beside the conditioning of the problem: (relative error, floor as a share of the largest entry).
#   float64: 1e-6 leaves room for clips and small constants (up to 1e-12 in a probability), and the smallest
#            mistake that matters is 1000 times that. The floor covers entries that cancel to almost 0.
#   float32: the unit round-off is 6e-8; a sum of some hundred terms loses two digits and more of that.
_TOLERANCES = {
    "float64": (1e-6, 1e-12),
    "float32": (1e-4, 1e-6),
}

# A computation rounds at each of its steps; `conditioning` moves its inputs once only, and a few draws can miss
# an entry's worst. Right float32 answers whose sums cancel needed 21 of these 32
# at worst in 400 draws (benchmarks/gradient_checkers.py).
_ROUNDINGS = 32.0
_DRAWS = 6
_SEED = 20150222

_LARGEST_FACTOR = 64
# A ratio is only read off an entry that is known to this share of itself: more than enough to tell 64 from 63.
_KNOWN = 5e-4


@dataclass(frozen=True)
class Comparison:
    """How an array compares with what it should be.

    Attributes:
        ok: Whether every entry is right.
        worst: The largest error |a − d| / max(|d|, allowance) of the wrong entries, or of all when none
            is wrong; 0 for an exact match, `inf` where one of the two is not finite and the other is
            not the same.
        index: Where that is; `()` for a scalar and for an array without entries.
        wrong: How many entries are wrong.
        total: How many entries there are.
        factor: What all entries have in common, in words: "7 times too large", "7 times too small", "the sign
            is flipped" (also "…, and it is 7 times too large"), "transposed", "off by the same amount
            everywhere", "all zero"; "not finite" where some are NaN or infinite; "" when nothing was
            recognised or all is right.
    """

    ok: bool
    worst: float
    index: tuple[int, ...]
    wrong: int
    total: int
    factor: str


def tolerances(single: bool) -> tuple[float, float]:
    """Returns (relative, floor) for `compare`: for float32 inputs where `single`, else for float64 ones."""
    return _TOLERANCES["float32" if single else "float64"]


def compare(
    actual: npt.ArrayLike,
    desired: npt.ArrayLike,
    *,
    relative: float,
    noise: npt.ArrayLike = 0.0,
    floor: float = 0.0,
) -> Comparison:
    """Compares two real arrays of the same shape entry by entry, in float64.

    Entry i is right where |a_i − d_i| ≤ relative·|d_i| + noise_i + floor·max|d|, the allowance; the
    maximum is over the finite entries. NaN is right only where NaN is desired, an infinity only where
    the same one is.

    Args:
        actual: What was computed; any real dtype.
        desired: What it should be; any real dtype, the same shape.
        relative: The relative error that passes.
        noise: An absolute allowance for each entry, ≥ 0: a number, or an array that broadcasts to the shape.
        floor: The allowance of every entry as a share of the largest finite |d|.

    Returns:
        The Comparison. Without entries everything is right.

    Raises:
        ValueError: The shapes differ, or the noise is negative, NaN or infinite.
        TypeError: One of the arrays is not real.
    """
    a, d = _real(actual), _real(desired)
    if a.shape != d.shape:
        raise ValueError(f"cannot compare an array of shape {a.shape} with one of shape {d.shape}")
    allowed = _real(noise)
    if not np.all(np.isfinite(allowed) & (allowed >= 0)):
        raise ValueError("the noise of an entry must be finite and at least 0")
    if a.size == 0:
        return Comparison(ok=True, worst=0.0, index=(), wrong=0, total=0, factor="")

    right, difference, allowance, scale = judge(a, d, relative, allowed, floor)
    with np.errstate(all="ignore"):
        same = (a == d) | (np.isnan(a) & np.isnan(d))
        error = difference / np.maximum(np.abs(d) * scale, allowance)
        error = np.where(same, 0.0, np.where(np.isfinite(error), error, np.inf))
        wrong = int(a.size - np.count_nonzero(right))
        place = int(np.argmax(np.where(right, -1.0, error) if wrong else error))
        factor = _factor(a, d, allowance / scale, np.isfinite(d)) if wrong else ""
    return Comparison(
        ok=wrong == 0,
        worst=float(error.flat[place]),
        index=tuple(int(i) for i in np.unravel_index(place, a.shape)),
        wrong=wrong,
        total=a.size,
        factor=factor,
    )


def judge(a: Array, d: Array, relative: float, noise: Array, floor: float) -> tuple[Bools, Array, Array, Array]:
    """Which entries of a float64 array are right: the one formula of a tolerance, as `compare` documents it.

    Needs NumPy alone, and nothing else of this module: the script that answers an appeal has a copy of it.

    Args:
        a: What was computed.
        d: What it should be, of the same shape.
        relative: The relative error that passes.
        noise: An absolute allowance for each entry; broadcasts to the shape.
        floor: The allowance of every entry as a share of the largest finite |d|.

    Returns:
        Which entries are right; |a − d| and what it may be, both times a scale; and that scale, for each entry: 1, or
        1/4 where numbers are so large that their difference could overflow.
    """
    with np.errstate(all="ignore"):
        finite = np.isfinite(d)
        largest = float(np.max(np.abs(d), where=finite, initial=0.0))
        scale = np.where(np.maximum(np.abs(a), np.abs(d)) > 2.0**1000, 0.25, 1.0)
        allowance = relative * (np.abs(d) * scale) + noise * scale + floor * largest * scale
        difference = np.abs(a * scale - d * scale)
        same = (a == d) | (np.isnan(a) & np.isnan(d))
        return same | (finite & (difference <= allowance)), difference, allowance, scale


def cause_of(comparison: Comparison, what: str) -> Cause:
    """Why a comparison failed, as data: how much of `what` is off, where, what it looks like.

    No value and no absolute difference is in it. A relative error beside one's own value would give the
    hidden value away, a few digits with each submission, so only its power of ten is kept, from 1 to 1e-6. A
    cause of n entries is one of at most 9·258·n² (and as many again of not finite entries).

    Args:
        comparison: What `compare` returned.
        what: The name in the message: "dW", "grads['W1']".
    """
    return Cause(
        "values",
        what=what,
        factor=comparison.factor,
        decade=_decade(comparison.worst),
        index=comparison.index,
        wrong=comparison.wrong,
        total=comparison.total,
    )


def describe(comparison: Comparison, what: str, shape: tuple[int, ...]) -> str:  # noqa: ARG001 - as courses call it
    """Returns one or two sentences for the student: how much of `what` is off, where, what it looks like.

    Args:
        comparison: What `compare` returned.
        what: The name in the message: "dW", "grads['W1']".
        shape: The shape of the arrays that were compared.
    """
    return f"{what} is right." if comparison.ok else reason(cause_of(comparison, what))


def _decade(error: float) -> int:
    """N for an error of about 10⁻ⁿ, from 0 to 6; 7 for one far below 1e-6, -1 for one above 1."""
    if error > 1:
        return -1
    return min(max(round(-np.log10(error)), 0), 7) if error > 0 else 7


def conditioning(f: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], *, single: bool) -> Any:
    """How much round-off alone may change what f returns, measured.

    f is called with its inputs, and again with inputs whose float arrays are moved by up to an ulp: each entry
    times 1 ± u·eps of float32 where `single`, else of float64, u between ½ and 1 and the sign drawn from a fixed
    seed. An entry's noise is the largest change over 6 draws, times 32 for the roundings along the way. Exact
    zeros stay zero and signs stay; integers, booleans and Python's own numbers are never moved.

    What rounds inside f and does not show when its inputs move is not seen: p − 1 where a float32 p is next to
    1. Float32 inputs of ordinary size (logits about 1) are safe, saturated ones are not.

    Args:
        f: A function of trees (lists, tuples, dicts) of arrays and anything else. It gets copies, and every
            float array as float64.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        single: Whether the inputs are float32.

    Returns:
        A tree of the structure of f's result: tuples, lists and dicts; float64 arrays for float arrays,
        floats for floats, 0.0 for all else; of complex numbers, how far they
        move. Where a change is not finite or of another shape, the noise is 0.

    Raises:
        Exception: Whatever f raises.
    """
    eps = float(np.finfo(np.float32 if single else np.float64).eps)
    draw = np.random.default_rng(_SEED)
    given = (tuple(args), dict(kwargs))

    def call(size: float) -> Any:
        moved_args, moved_kwargs = _moved(given, size, draw)
        return f(*moved_args, **moved_kwargs)

    result = call(0.0)
    return _noise(result, [call(eps) for _ in range(_DRAWS)])


def no_noise(result: Any) -> Any:
    """The tree that `conditioning` gives for a result that does not move."""
    return _noise(result, [])


def _real(values: npt.ArrayLike) -> Array:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"cannot compare values of dtype {array.dtype}: they are not real numbers")
    with np.errstate(over="ignore"):
        return array.astype(np.float64)


def _factor(a: Array, d: Array, allowance: Array, finite: npt.NDArray[np.bool_]) -> str:
    """What all entries have in common (see Comparison), each within the allowance of a right entry."""
    if not np.all(np.isfinite(a[finite])):
        return "not finite"
    if not np.all(finite):
        return ""
    if not np.any(a):
        return "all zero"
    ratio = _ratio(a, d, allowance)
    if ratio:
        return ratio
    if a.ndim == 2 and a.shape[0] == a.shape[1] and np.all(np.abs(a.T - d) <= allowance):
        return "transposed"
    offset = np.median(a - d)
    rounding = 4 * np.finfo(np.float64).eps * np.abs(a)
    if a.size > 2 and np.all(np.abs(a - d - offset) <= allowance + rounding):
        return "off by the same amount everywhere"
    return ""


def _ratio(a: Array, d: Array, allowance: Array) -> str:
    """Names the integer n ≤ 64 with a = ±n·d or a = ±d/n in every entry; "" when there is none."""
    known = np.where(d != 0, allowance / np.abs(d), np.inf)
    best = int(np.argmin(known))
    if known.flat[best] > _KNOWN:
        return ""
    ratio = float(a.flat[best] / d.flat[best])
    size = abs(ratio)
    if not 0.5 / _LARGEST_FACTOR < size < 2 * _LARGEST_FACTOR:
        return ""
    n = round(max(size, 1 / size))
    exact = float(np.copysign(n if size >= 1 else 1 / n, ratio))
    if n > _LARGEST_FACTOR or exact == 1 or not np.all(np.abs(a - exact * d) <= abs(exact) * allowance):
        return ""
    times = "" if n == 1 else f"{n} times too {'large' if size >= 1 else 'small'}"
    if ratio > 0:
        return times
    return f"the sign is flipped, and it is {times}" if times else "the sign is flipped"


def _moved(tree: Any, eps: float, draw: np.random.Generator) -> Any:
    """A deep copy of the tree, its float arrays in float64 and each of their entries times 1 ± eps."""
    if isinstance(tree, np.ndarray) and tree.dtype.kind == "f":
        exact = _real(tree)
        with np.errstate(over="ignore", invalid="ignore"):
            # Sizes are drawn as well as signs: ±1 alone cancels exactly in sums of few terms, and hides their noise.
            sizes = draw.uniform(0.5, 1.0, exact.shape) * (2.0 * draw.integers(0, 2, exact.shape) - 1)
            moved = exact * (1 + eps * sizes)
        return np.asarray(np.where(np.isfinite(moved), moved, exact))
    if isinstance(tree, np.ndarray) and tree.dtype.kind == "c":
        return _moved(tree.real, eps, draw) + 1j * _moved(tree.imag, eps, draw)
    if isinstance(tree, dict):
        # A copy, since it may be an ordered one, or one that counts.
        result = copy.copy(tree)
        dict.update(result, {key: _moved(value, eps, draw) for key, value in tree.items()})
        return result
    if isinstance(tree, list):
        return [_moved(value, eps, draw) for value in tree]
    if isinstance(tree, tuple):
        values = [_moved(value, eps, draw) for value in tree]
        return cast(Any, type(tree))(*values) if hasattr(tree, "_fields") else tuple(values)
    return copy.deepcopy(tree)


def _noise(result: Any, others: list[Any]) -> Any:
    if isinstance(result, dict):
        alike = [other for other in others if isinstance(other, dict) and other.keys() == result.keys()]
        return {key: _noise(value, [other[key] for other in alike]) for key, value in result.items()}
    if isinstance(result, list | tuple):
        rows = [other for other in others if isinstance(other, type(result)) and len(other) == len(result)]
        parts = [_noise(value, [row[i] for row in rows]) for i, value in enumerate(result)]
        return parts if isinstance(result, list) else tuple(parts)
    array = isinstance(result, np.ndarray) and result.dtype.kind in "fc"
    if not array and not isinstance(result, float | complex | np.inexact):
        return 0.0
    numbers = np.asarray(result).dtype.kind == "c"
    here = np.asarray(result, dtype=np.complex128) if numbers else _real(result)
    largest = np.zeros(here.shape)
    with np.errstate(all="ignore"):
        for other in others:
            if np.shape(other) == here.shape:
                change = np.abs((np.asarray(other, dtype=np.complex128) if numbers else _real(other)) - here)
                largest = np.maximum(largest, np.where(np.isfinite(change), change, 0.0))
    noise = np.minimum(_ROUNDINGS * largest, np.finfo(np.float64).max)
    return np.asarray(noise) if array else float(noise)
