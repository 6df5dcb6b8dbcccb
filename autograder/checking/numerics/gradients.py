"""Derivatives by finite differences that know their own error, to prove analytic gradients with.

Central differences, extrapolated to step 0 (C. J. F. Ridders, "Accurate computation of F'(x) and
F'(x)F''(x)", Advances in Engineering Software 4(2), 1982; Press et al., Numerical Recipes, 3rd edition,
section 5.7), on ladders of halved steps that start at 1e-2, 2e-4 and 4e-6. Each ladder gives a value and an
error bar, the sum of

- truncation: how much the last extrapolation changed the value;
- a kink: for a smooth f, (f(x+h) − 2f(x) + f(x−h))/h = h·f''(x) + O(h³) goes to 0 with h. What it is
  extrapolated to is the jump of the slope;
- round-off: f's own noise, measured from its high differences at tiny steps (J. J. Moré and S. M. Wild,
  "Estimating computational noise", SIAM J. Sci. Comput. 33(3), 2011) and from the last bit that its values
  use, times what the extrapolation makes of it.

A value is trusted where two adjacent ladders agree within their bars and the smaller bar is either small
or all round-off. Where it is not, there is a kink nearby, or f is too rough or too noisy: draw another point.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Function = Callable[[Array], Any]
# (line, step) → f that far along that line, and the step that was really taken after rounding.
Probe = Callable[[int, float], tuple[float, float]]

# (first step, rungs): each rung costs two evaluations and halves the step. Two rungs of the short steps are
# as exact as their round-off; the last ladder is only climbed where the first two leave a doubt.
_LADDERS = ((1e-2, 3), (2e-4, 2), (4e-6, 2))
# A bar is small at this share of the value, or of a thousandth of the gradient's largest entry: a tenth of
# the smallest mistake that a gradient check has to see, one entry off by 0.01 %.
_SMALL = 1e-5
_MINOR = 1e-3
# The round-off in a bar is 4 standard deviations; its other parts, when they too are round-off, stay below 9
# times that.
_DEVIATIONS = 4.0
_ALL_NOISE = 10.0
# A bar that is all round-off may be this share of the gradient's largest entry, or, so that a gradient of 0
# has one, a change of f by this share of itself over a step of the size of x.
_NOISY = 1e-2
_NOTHING = 1e-9

_NOISE_STEP = 1e-6
_NOISE_POINTS = 8
_SEED = 19821982


@dataclass(frozen=True)
class Slope:
    """A derivative along a line.

    Attributes:
        value: The derivative.
        error: Its error bar, absolute.
        trusted: Whether the bar may be believed; False near a kink, and where f is too rough or too noisy.
    """

    value: float
    error: float
    trusted: bool


@dataclass(frozen=True, eq=False)
class Gradient:
    """A gradient, entry by entry.

    Attributes:
        value: The partial derivatives, float64, of x's shape.
        error: Their error bars, absolute, float64, of x's shape; the `noise` for `compare`.
        trusted: Which bars may be believed, bool, of x's shape.
    """

    value: Array
    error: Array
    trusted: npt.NDArray[np.bool_]


def gradient(f: Function, x: npt.ArrayLike) -> Gradient:
    """Differentiates f at x, entry by entry, in 10 evaluations an entry (14 where those leave a doubt) and 8.

    Args:
        f: Takes a float64 array of x's shape, a new one at each call, and returns a real scalar.
        x: The point, of any shape; it is not changed.

    Returns:
        The Gradient.

    Raises:
        ValueError: f returns an array.
        Exception: Whatever f raises.
    """
    point = np.array(x, dtype=np.float64)
    if point.size == 0:
        return Gradient(point.copy(), point.copy(), np.zeros(point.shape, dtype=np.bool_))
    entries = point.reshape(-1)

    def probe(line: int, step: float) -> tuple[float, float]:
        moved = point.copy()
        there = moved.reshape(-1)
        there[line] += step
        taken = float(there[line] - entries[line])
        return _scalar(f(moved)), taken

    value, error, trusted = _slopes(f, point, probe, np.maximum(np.abs(entries), 1.0))
    return Gradient(value.reshape(point.shape), error.reshape(point.shape), trusted.reshape(point.shape))


def along(f: Function, x: npt.ArrayLike, direction: npt.ArrayLike) -> Slope:
    """Differentiates t ↦ f(x + t·direction) at t = 0, in 18 to 22 evaluations.

    Args:
        f: Takes a float64 array of x's shape, a new one at each call, and returns a real scalar.
        x: The point, of any shape; it is not changed.
        direction: What x moves along, of x's shape; of any length but 0.

    Returns:
        The Slope.

    Raises:
        ValueError: The shapes differ, the direction is 0 or not finite, or f returns an array.
        Exception: Whatever f raises.
    """
    point = np.array(x, dtype=np.float64)
    line = np.array(direction, dtype=np.float64)
    length = float(np.linalg.norm(line))
    if line.shape != point.shape:
        raise ValueError(f"a direction of shape {line.shape} at a point of shape {point.shape}")
    if not 0 < length < np.inf:
        raise ValueError("a direction must be finite and have a length")
    # The first step is as long as `gradient`'s: the length counts, however many entries move.
    scale = max(float(np.linalg.norm(point * (line / length))), 1.0) / length

    def probe(_: int, step: float) -> tuple[float, float]:
        return _scalar(f(point + step * line)), step

    value, error, trusted = _slopes(f, point, probe, np.array([scale]))
    return Slope(float(value[0]), float(error[0]), bool(trusted[0]))


def projections(f: Function, x: npt.ArrayLike, rng: np.random.Generator, count: int) -> list[tuple[Array, Slope]]:
    """Differentiates f at x along random directions of ±1 in every entry: for large tensors.

    A gradient g is right, but for an unlucky draw, where Σ g·direction is each Slope's value.

    Args:
        f: Takes a float64 array of x's shape, a new one at each call, and returns a real scalar.
        x: The point, of any shape; it is not changed.
        rng: Draws the directions.
        count: How many.

    Returns:
        The directions, float64 of x's shape, each with its Slope.

    Raises:
        ValueError: x has no entries, or f returns an array.
        Exception: Whatever f raises.
    """
    directions = [rng.choice(np.array([-1.0, 1.0]), np.shape(x)) for _ in range(count)]
    return [(direction, along(f, x, direction)) for direction in directions]


def _slopes(f: Function, x: Array, probe: Probe, scale: Array) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """The derivatives along scale.size lines at x, with their bars and whether to trust them."""
    lines = np.arange(scale.size)
    with np.errstate(all="ignore"):
        middle = _scalar(f(x.copy()))
        walks = [_walk(probe, lines, scale, *ladder) for ladder in _LADDERS[:2]]
        granule = _granule(np.concatenate([walk.values.ravel() for walk in walks]))
        noise = max(_noise(f, x, middle), granule / 2)
        long, short = (_climb(walk, middle, noise) for walk in walks)
        largest = float(np.max(np.where(np.isfinite(short[0]), np.abs(short[0]), 0.0)))
        nothing = _NOTHING * abs(middle) / scale
        value, error, trusted = _agreed(long, short, largest, nothing)
        doubt = lines[~trusted]
        if doubt.size:
            tiny = _climb(_walk(probe, doubt, scale[doubt], *_LADDERS[2]), middle, noise)
            again = _agreed(short[:, doubt], tiny, largest, nothing[doubt])
            value[doubt], error[doubt], trusted[doubt] = again
    return value, np.where(np.isnan(error), np.inf, error), trusted


@dataclass(frozen=True, eq=False)
class _Walk:
    """f at one ladder's steps (rungs, lines): values and real steps, each (forth and back, rungs, lines)."""

    steps: Array
    values: Array
    taken: Array


def _walk(probe: Probe, lines: npt.NDArray[np.intp], scale: Array, first: float, rungs: int) -> _Walk:
    steps = first * scale / 2.0 ** np.arange(rungs)[:, np.newaxis]
    values, taken = np.empty((2, *steps.shape)), np.empty((2, *steps.shape))
    for rung in range(rungs):
        for place, line in enumerate(lines.tolist()):
            step = float(steps[rung, place])
            values[0, rung, place], taken[0, rung, place] = probe(line, step)
            values[1, rung, place], taken[1, rung, place] = probe(line, -step)
    return _Walk(steps, values, taken)


def _climb(walk: _Walk, middle: float, noise: float) -> Array:
    """Extrapolates one ladder on each line: rows of values, of error bars, and of the round-off in these."""
    rungs = len(walk.steps)
    centrals = (walk.values[0] - walk.values[1]) / (walk.taken[0] - walk.taken[1])
    bends = ((walk.values[0] - middle) + (walk.values[1] - middle)) / walk.steps
    # central = f' + O(h²) + O(h⁴) + …; bend = jump + O(h) + O(h³) + …: each column removes one power.
    before = centrals
    # What the round-off of the central differences, each independent of the others, becomes in the result.
    weights = np.eye(rungs)
    for column in range(1, rungs):
        before, centrals = centrals, _extrapolated(centrals, 4.0**column)
        weights = _extrapolated(weights, 4.0**column)
        bends = _extrapolated(bends, 2.0 ** (2 * column - 1))
    spread = np.max(np.abs(centrals - before), axis=0)
    amplified = np.sqrt(np.sum((weights[0, :, np.newaxis] / walk.steps) ** 2, axis=0) / 2)
    roundoff = _DEVIATIONS * noise * amplified
    bar = spread + np.abs(bends[0]) + roundoff
    return np.stack([centrals[0], bar, roundoff])


def _extrapolated(rows: Array, power: float) -> Array:
    """Ridders' column: rows at steps h, h/2, … without the error term that shrinks by `power` a rung."""
    return np.asarray((power * rows[1:] - rows[:-1]) / (power - 1))


def _agreed(one: Array, other: Array, largest: float, nothing: Array) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Takes the smaller bar's ladder; trusts it where the two agree and the bar is small, or mere noise."""
    apart = np.abs(one[0] - other[0])
    value, bar, roundoff = np.where(one[1] <= other[1], one, other)
    size = np.abs(value)
    small = _SMALL * np.maximum(size, _MINOR * largest)
    noise = np.minimum(_ALL_NOISE * roundoff, np.maximum(_NOISY * np.maximum(size, largest), nothing))
    trusted = (apart <= one[1] + other[1]) & (bar <= small + noise) & np.isfinite(bar)
    return value, np.where(trusted, bar, bar + apart), trusted


def _noise(f: Function, x: Array, middle: float) -> float:
    """The standard deviation of f's round-off near x (Moré and Wild 2011, equation 2.2)."""
    rng = np.random.default_rng(_SEED)
    first = _noise_of_line(f, x, middle, rng)
    # A kink among the points looks like noise; it would have to be among the points of another line as well.
    if first <= 100 * float(np.finfo(np.float64).eps) * abs(middle):
        return first
    return min(first, _noise_of_line(f, x, middle, rng))


def _noise_of_line(f: Function, x: Array, middle: float, rng: np.random.Generator) -> float:
    line = (2.0 * rng.integers(0, 2, x.shape) - 1.0) * np.maximum(np.abs(x), 1.0) * _NOISE_STEP
    values = np.array([middle, *(_scalar(f(x + k * line)) for k in range(1, _NOISE_POINTS))])
    least = float(np.finfo(np.float64).eps) * abs(middle) / 2
    differences = np.diff(values, 5)
    measured = []
    # E[(Δᵏf)²] = σ²·(2k)!/(k!)² for independent noise; a smooth f has next to nothing in Δ⁵ and Δ⁶.
    for factor in (252.0, 924.0):
        measured.append(float(np.sqrt(np.mean(differences**2) / factor)))
        differences = np.diff(differences)
    return float(np.max([least, *measured]))


def _granule(values: Array) -> float:
    """The last bit that any of the values uses: large for float32 arithmetic and after cancellation.

    Round-off that is the same at neighbouring points does not show in their differences, but it shows here.
    """
    values = values[np.isfinite(values) & (values != 0)]
    if values.size == 0 or np.all(values == values[0]):
        return 0.0
    mantissas, exponents = np.frexp(values)
    bits = np.ldexp(mantissas, 53).astype(np.int64)
    return float(np.min(np.ldexp((bits & -bits).astype(np.float64), exponents - 53)))


def _scalar(value: Any) -> float:
    if np.ndim(value) != 0:
        raise ValueError(f"f must return a scalar, not an array of shape {np.shape(value)}")
    return float(value)
