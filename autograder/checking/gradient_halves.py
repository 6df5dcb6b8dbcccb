"""Which half is wrong: a student's gradient beside finite differences of their own forward pass.

Where a gradient is wrong, the student's own forward pass tells why: either the gradient is not that of the forward
pass, or it is, and the forward pass is wrong. What is differentiated is all the student's own. Of what is hidden, one
bit is said here, whether the forward pass is right, and one more decides credit, whether it is nearly so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from autograder.base import Half, Stopped, Wrong, half_text
from autograder.checking.answers import Answer, Calls, Student
from autograder.checking.numerics import Comparison, Gradient, cause_of, compare, gradient

Array = npt.NDArray[np.float64]
Point = Mapping[str, Array]

EVALUATIONS = 600
"""Calls of a student's forward pass, at most, to tell which half of a row is wrong."""
_SECONDS = 10.0
_SLOW_SECONDS = 0.05
"""A forward pass that takes longer for a handful of examples, the quickest of three times, is not differentiated: that
would use up the time of the rows behind it."""
_RELATIVE = 1e-5
_TRUSTED = 0.75
_NEAR = 0.95
"""From this cosine on between the slopes of a student's forward pass and the right ones that pass is no trivial one.

A factor or a small constant is forgiven. A constant, a loss that is linear in the logits, and a ReLU without its kink
are not: their cosines are 0, at most 0.82, and about 0.7.
"""


@dataclass(frozen=True)
class Halves:
    """What finite differences of a student's own forward pass say of their gradient.

    Attributes:
        half: Which half to mend; None where that cannot be told.
        backward: Whether the gradient is that of their own forward pass, and that pass is right but for a factor, or
            nearly so: what is worth a part of the credit.
    """

    half: Half | None = None
    backward: bool = False

    @property
    def said(self) -> str:
        """Which half to mend, for the student; empty where that cannot be told."""
        return "" if self.half is None else half_text(self.half)


def halves(
    forward: Callable[[Point], float],
    point: Point,
    gradients: Mapping[str, Answer],
    right: Point,
    *,
    forward_right: bool,
    named: str,
    examples: int,
) -> Halves:
    """Compare a student's gradient with finite differences of their own forward pass, entry by entry.

    Args:
        forward: The student's forward pass as a number (a loss, or Σ dout·out), for such arrays as ``point`` has.
        point: The arrays that it is differentiated by, float64, away from kinks of a right forward pass.
        gradients: The student's gradients there, by the same names.
        right: The reference's gradients there.
        forward_right: Whether the student's forward pass is right there.
        named: What to call it: "loss", "`linear_forward`".
        examples: N, which a wrong factor may be.

    Returns:
        What that says; nothing where the forward pass is too rough or too slow to be differentiated.

    Raises:
        Wrong: A gradient has another shape or is none, or the forward pass gave no number.
    """
    own = {name: gradients[name].array(array.shape).astype(np.float64) for name, array in point.items()}
    try:
        with np.errstate(all="ignore"):
            slopes = _slopes(forward, point)
    except _TooManyError:
        return Halves()
    if any(np.mean(slope.trusted) < _TRUSTED for slope in slopes.values()):
        return Halves()
    found = {name: _beside(own[name], slope) for name, slope in slopes.items()}
    off = [name for name, comparison in found.items() if not comparison.ok]
    near = all(_alike(slope.value, right[name]) for name, slope in slopes.items())
    if forward_right:
        return Halves(_of_a_right_forward(found, off, named, examples) if off else None)
    if off:
        return Halves(Half("both", named, beside=cause_of(found[off[0]], off[0])))
    return Halves(Half("forward", named, near=near), near)


def which_half(student: Student, row: str, look: Callable[[], Halves]) -> Halves:
    """What ``look`` finds for a row, looked for once for all of the row's checks.

    Args:
        student: Whose functions are called; the same object's row is not looked at again.
        row: The row's name.
        look: Calls ``halves``; where the student's functions fail on the way, nothing is found.
    """
    seen = _FOUND.setdefault(student._calls, {})
    if row not in seen:
        try:
            seen[row] = look()
        except Wrong:
            seen[row] = Halves()
    return seen[row]


_FOUND: WeakKeyDictionary[Calls, dict[str, Halves]] = WeakKeyDictionary()


@contextmanager
def telling(half: Callable[[], Halves], *, credit: bool = False) -> Iterator[None]:
    """Say which half is wrong where the comparison inside fails.

    Args:
        half: Finds out; called only then.
        credit: Pass where the gradient is that of the student's own forward pass (``Halves.backward``).

    Raises:
        Wrong: What the comparison raised, with the sentence behind it.
    """
    try:
        yield
    except Stopped:
        raise
    except Wrong as error:
        found = half()
        if not (credit and found.backward):
            raise Wrong(replace(error.cause, half=found.half)) from None


class _TooManyError(Exception):
    """The forward pass was called as often, or for as long, as it may be."""


def _slopes(forward: Callable[[Point], float], point: Point) -> dict[str, Gradient]:
    if min(_seconds(forward, point) for _ in range(3)) > _SLOW_SECONDS:
        raise _TooManyError
    calls, begun = 0, time.monotonic()

    def at(name: str, array: Array) -> float:
        nonlocal calls
        calls += 1
        if calls > EVALUATIONS or time.monotonic() - begun > _SECONDS:
            raise _TooManyError
        return forward({**point, name: array})

    return {name: gradient(partial(at, name), array) for name, array in point.items()}


def _seconds(forward: Callable[[Point], float], point: Point) -> float:
    begun = time.monotonic()
    forward(point)
    return time.monotonic() - begun


def _beside(own: Array, slope: Gradient) -> Comparison:
    """The gradient beside the slopes; entries whose slope cannot be trusted are left out."""
    trusted = slope.trusted
    value, error = (np.where(trusted, array, 0.0) for array in (slope.value, slope.error))
    return compare(np.where(trusted, own, 0.0), value, relative=_RELATIVE, noise=error, floor=1e-3 * _RELATIVE)


def _alike(slope: Array, right: Array) -> bool:
    lengths = float(np.linalg.norm(slope) * np.linalg.norm(right))
    return bool(abs(float(np.sum(slope * right))) >= _NEAR * lengths > 0)


def _of_a_right_forward(found: Mapping[str, Comparison], off: list[str], named: str, examples: int) -> Half:
    only = tuple(off) if len(off) < len(found) else ()
    factors = {found[name].factor for name in off}
    factor: Literal["", "N", "1/N"] = ""
    if factors == {f"{examples} times too large"}:
        factor = "N"
    elif factors == {f"{examples} times too small"}:
        factor = "1/N"
    return Half("backward", named, only, factor)
