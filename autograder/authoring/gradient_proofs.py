"""The gradients that a reference claims, proved by finite differences before students are compared with them.

An assignment's ``solutions/<assignment>/gradients.py`` says what there is to prove: ``gradients(draw)`` yields a
``Claim`` for each, at a random point. Each is proved at several points, twice over: by ``numerics.gradient`` entry by
entry, and by ``scipy.differentiate`` along a random direction.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from autograder.base import CheckError
from autograder.checking import compare, gradient, load_reference, projections
from autograder.course import Assignment

POINTS = 4
"""Points at which each gradient is proved."""

DRAWS = 40
"""Points that are drawn, at the most, where some lie too near to a kink."""

ENTRIES = 200
"""Entries from which on a gradient is proved along random directions, not entry by entry."""

_DIRECTIONS = 8
_RELATIVE = 1e-7
_FLOOR = 1e-10

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Claim:
    """A gradient that the reference gives, with the function that it is the gradient of.

    Attributes:
        name: Whose gradient it is and with respect to what, as ``"linear_backward: dW"``; the same at every point.
        function: Takes an array like ``point`` and returns the scalar: the loss, or the sum of the outputs times a
            random upstream gradient, never times ones.
        point: Where, float64, of any shape.
        gradient: What the reference says there, of the shape of ``point``.
    """

    name: str
    function: Callable[[Array], Any]
    point: Array
    gradient: Array


Claims = Callable[[np.random.Generator], Iterable[Claim]]


def claims_of(assignment: Assignment) -> Claims | None:
    """``gradients`` of the assignment's ``solutions/<assignment>/gradients.py``, or None where there is none.

    Raises:
        CheckError: The reference or that file does not import, or the file has no such function.
    """
    path = assignment.solutions / "gradients.py"
    if not path.is_file():
        return None
    package = load_reference(assignment)._module.__name__
    try:
        found = getattr(importlib.import_module(f"{package}.gradients"), "gradients", None)
    except Exception as error:
        raise CheckError(f"{path} does not import: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise CheckError(f"{path} has no function gradients(draw): it yields a Claim for each gradient to be proved")
    return found  # type: ignore[no-any-return]


def refuted(claims: Claims, seed: int) -> tuple[tuple[str, ...], list[str]]:
    """Try the claims at random points.

    Args:
        claims: Yields the claims at points drawn from the generator that it is given.
        seed: What the points are drawn from.

    Returns:
        The names of all claims, in order; and a sentence for each that is wrong or could not be proved.
    """
    proved: dict[str, int] = {}
    wrong: dict[str, str] = {}
    for number in range(DRAWS):
        rng = np.random.default_rng([seed, number])
        for claim in claims(rng):
            before = proved.setdefault(claim.name, 0)
            if claim.name in wrong or before >= POINTS:
                continue
            problem = _tried(claim, rng)
            if problem:
                wrong[claim.name] = problem
            elif problem is not None:
                proved[claim.name] += 1
        if all(name in wrong or points >= POINTS for name, points in proved.items()):
            break
    for name, points in proved.items():
        if name not in wrong and points < POINTS:
            wrong[name] = (
                f"{name} could not be proved: of {DRAWS} points drawn, all but {points} lie too near to a kink, or the "
                "function is too rough or too noisy there for finite differences. Draw other points."
            )
    return tuple(proved), [wrong[name] for name in proved if name in wrong]


def _tried(claim: Claim, rng: np.random.Generator) -> str | None:
    """What is wrong with a claim, nothing where it is right, or None where this point says nothing."""
    claimed = np.asarray(claim.gradient, dtype=np.float64)
    if claimed.shape != claim.point.shape:
        return f"{claim.name} has the shape {claimed.shape} at a point of shape {claim.point.shape}"
    if claim.point.size > ENTRIES:
        return _along(claim, claimed, rng)
    measured = gradient(claim.function, claim.point)
    if not np.all(measured.trusted):
        return None
    found = compare(claimed, measured.value, relative=_RELATIVE, noise=measured.error, floor=_FLOOR)
    if not found.ok:
        place = found.index
        whole = f", and so for {found.wrong} of {found.total} entries" if found.total > 1 else ""
        common = f" ({found.factor})" if found.factor else ""
        return (
            f"{claim.name}[{', '.join(map(str, place))}] is {claimed[place]:.10g} by the reference and "
            f"{measured.value[place]:.10g} ± {measured.error[place]:.1g} by finite differences{whole}{common}"
        )
    return _by_scipy(claim, claimed, rng)


def _along(claim: Claim, claimed: Array, rng: np.random.Generator) -> str | None:
    for direction, slope in projections(claim.function, claim.point, rng, _DIRECTIONS):
        if not slope.trusted:
            return None
        says = float(np.sum(claimed * direction))
        allowed = slope.error + _RELATIVE * abs(slope.value) + _FLOOR * float(np.sum(np.abs(claimed)))
        if not abs(says - slope.value) <= allowed:
            return (
                f"{claim.name} along a random direction is {says:.10g} by the reference and {slope.value:.10g} ± "
                f"{slope.error:.1g} by finite differences"
            )
    return _by_scipy(claim, claimed, rng)


def _by_scipy(claim: Claim, claimed: Array, rng: np.random.Generator) -> str:
    """The second opinion; empty also where it has none."""
    from scipy.differentiate import derivative

    direction = rng.choice(np.array([-1.0, 1.0]), claim.point.shape)

    def along(steps: Array) -> Array:
        flat = [float(claim.function(claim.point + step * direction)) for step in np.ravel(steps)]
        return np.reshape(np.array(flat), np.shape(steps))

    with np.errstate(all="ignore"):
        found = derivative(along, np.zeros(()), initial_step=0.01)
    says = float(np.sum(claimed * direction))
    size = float(np.sum(np.abs(claimed)))
    # Its own bar is an estimate of the truncation alone; a thousandth of the gradient is a mistake beyond any doubt.
    if bool(found.success) and abs(says - float(found.df)) > 10 * float(found.error) + 1e-3 * size:
        return (
            f"{claim.name} along a random direction is {says:.10g}, and {float(found.df):.10g} by scipy.differentiate"
        )
    return ""
