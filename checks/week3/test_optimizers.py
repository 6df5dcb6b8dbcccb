"""Optimisers as objects: what they make of lists of parameters, and what they remember from step to step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograder.checking import Answer, Draw, Reference, Student, agree, check

LARGE = 2e4
SHAPES: list[tuple[int, ...]] = [(3, 5), (4,), (3, 5), (2, 3, 1, 2), (1,)]
"""Two parameters of one shape among them: a memory that goes by shapes mixes these up."""

Make = Callable[[Any], Any]
"""Makes an optimiser of the student's, or of the reference's."""


def away_from_0(draw: Draw, size: float, shape: tuple[int, ...]) -> np.ndarray:
    """Entries between size/2 and 3·size/2, of both signs."""
    return np.asarray(size * draw.uniform(0.5, 1.5, size=shape) * draw.choice([-1.0, 1.0], size=shape))


def arrays(draw: Draw, size: float = 1.0, shapes: Sequence[tuple[int, ...]] = SHAPES) -> list[np.ndarray]:
    """An array of each shape."""
    return [away_from_0(draw, size, shape) for shape in shapes]


def parts(answer: Answer, params: Sequence[np.ndarray]) -> tuple[Answer, ...]:
    """The new parameters that a step gave."""
    return answer.unpack(*(f"params[{place}]" for place in range(len(params))))


def agree_on_steps(
    student: Student,
    reference: Reference,
    make: Make,
    params: Sequence[np.ndarray],
    steps: Sequence[Sequence[np.ndarray]],
    *,
    single: bool = False,
) -> None:
    """Compare the parameters after each of some steps, each from what the one before should have given."""
    ours, theirs = make(student), make(reference)
    now = list(params)
    for number, grads in enumerate(steps, start=1):
        wanted = theirs.step(now, grads)
        given = parts(ours.step(now, grads), params)
        for place, (answer, array) in enumerate(zip(given, wanted, strict=True)):
            agree(answer, array, what=f"params[{place}] after step {number}", single=single)
        now = [array.astype(param.dtype) for array, param in zip(wanted, params, strict=True)]


def agree_unchanged(student: Student, reference: Reference, make: Make, draw: Draw) -> None:
    """Compare two steps, and see that neither has changed what it was given."""
    for dtype in (np.float64, np.float32):
        params, ours, theirs = [each.astype(dtype) for each in arrays(draw)], make(student), make(reference)
        for _ in range(2):
            grads = [each.astype(dtype) for each in arrays(draw)]
            answer = ours.step(params, grads)
            for given, wanted in zip(parts(answer, params), theirs.step(params, grads), strict=True):
                agree(given, wanted, single=dtype is np.float32)
            answer.unchanged()


def agree_side_by_side(student: Student, reference: Reference, makes: tuple[Make, Make], draw: Draw) -> None:
    """Compare two optimisers whose steps alternate, the second with other parameters."""
    pairs = [(make(student), make(reference)) for make in makes]
    params = arrays(draw), arrays(draw, shapes=[(4, 2), (3, 5)])
    for _ in range(3):
        for (ours, theirs), of in zip(pairs, params, strict=True):
            grads = arrays(draw, shapes=[each.shape for each in of])
            for given, wanted in zip(parts(ours.step(of, grads), of), theirs.step(of, grads), strict=True):
                agree(given, wanted)


OWN = "What is remembered is kept in `self`, for each place of the list: not in the class, nor by shape or by identity."

# momentum


@check("momentum", weight=2, hint="v ← beta·v + g from v = 0, then θ − lr·v: g itself, not (1 − beta)·g.")
def test_momentum_over_several_steps(student: Student, reference: Reference, draw: Draw) -> None:
    """Four steps of several parameters, each with a velocity of its own."""
    agree_on_steps(
        student, reference, lambda names: names.Momentum(0.3), arrays(draw, 3.0), [arrays(draw) for _ in range(4)]
    )


@check("momentum", hint="Use the arguments `lr` and `beta`, and nothing that depends on the shapes.")
def test_momentum_with_other_settings(student: Student, reference: Reference, draw: Draw) -> None:
    """Another beta and learning rate, one parameter or many, and large numbers."""
    for shapes in ([(2, 3)], SHAPES, [(150,)]):
        params, steps = arrays(draw, LARGE, shapes), [arrays(draw, LARGE, shapes) for _ in range(3)]
        agree_on_steps(student, reference, lambda names: names.Momentum(20.0, beta=0.6), params, steps)
        agree_on_steps(student, reference, lambda names: names.Momentum(lr=0.5, beta=0.0), params, steps)


@check("momentum", hint=OWN)
def test_momentum_objects_remember_their_own(student: Student, reference: Reference, draw: Draw) -> None:
    """Two optimisers side by side do not disturb each other."""
    makes = (lambda names: names.Momentum(0.1)), (lambda names: names.Momentum(0.2, 0.5))
    agree_side_by_side(student, reference, makes, draw)


@check("momentum")
def test_momentum_leaves_what_it_is_given_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """The new parameters are right, in float32 too, and neither the old ones nor the gradients have changed."""
    agree_unchanged(student, reference, lambda names: names.Momentum(0.2), draw)


# adam

WHERE_EPS_STANDS = "eps is added to the root of the corrected v (algorithm 1), not under it and not before."


@check(
    "adam",
    weight=2,
    hint="At t = 1 the corrections are m / (1 − beta1) and v / (1 − beta2).",
    if_small=WHERE_EPS_STANDS,
)
def test_adam_first_step(student: Student, reference: Reference, draw: Draw) -> None:
    """The first step, with the default settings."""
    # Beside a parameter of some thousandths, a step of the default rate of 1e-3 is seen with all its digits.
    agree_on_steps(student, reference, lambda names: names.Adam(), arrays(draw, 3e-3), [arrays(draw, 0.5)])


@check(
    "adam",
    weight=3,
    hint="t counts the calls of step, not the parameters; m and v are remembered without their corrections.",
    if_small=WHERE_EPS_STANDS,
)
def test_adam_over_several_steps(student: Student, reference: Reference, draw: Draw) -> None:
    """Six steps of several parameters, each with moments of its own."""
    agree_on_steps(
        student, reference, lambda names: names.Adam(lr=0.1), arrays(draw, 3.0), [arrays(draw, 0.5) for _ in range(6)]
    )


@check("adam", weight=2, hint=WHERE_EPS_STANDS)
def test_adam_with_tiny_gradients(student: Student, reference: Reference, draw: Draw) -> None:
    """Gradients as small as eps, and of exactly 0, from the first step on."""
    steps = [arrays(draw, 1e-8) for _ in range(3)]
    for grads in steps:
        grads[0][1] = 0.0
    agree_on_steps(student, reference, lambda names: names.Adam(lr=0.7), arrays(draw), steps)


@check("adam", weight=2, hint="Use the arguments lr, beta1, beta2 and eps, and nothing that depends on the shapes.")
def test_adam_with_other_settings(student: Student, reference: Reference, draw: Draw) -> None:
    """Other settings, one parameter or many, and large numbers."""
    for shapes, size in [([(2, 3)], 1.0), (SHAPES, 1.0), ([(150,)], LARGE)]:
        params, steps = arrays(draw, size, shapes), [arrays(draw, size, shapes) for _ in range(4)]
        lr, beta1, beta2, eps = (float(each) for each in draw.uniform([0.1, 0.3, 0.8, 0.1], [0.9, 0.7, 0.95, 0.3]))
        lr, eps = lr * size, eps * size
        agree_on_steps(student, reference, lambda names: names.Adam(lr, beta1, beta2, eps), params, steps)  # noqa: B023
        agree_on_steps(
            student,
            reference,
            lambda names: names.Adam(lr=lr, beta2=beta2, eps=eps, beta1=beta1),  # noqa: B023
            params,
            steps,
        )


@check("adam", hint=OWN)
def test_adam_objects_remember_their_own(student: Student, reference: Reference, draw: Draw) -> None:
    """Two optimisers side by side do not disturb each other."""
    makes = (lambda names: names.Adam(0.1)), (lambda names: names.Adam(0.2, beta1=0.5))
    agree_side_by_side(student, reference, makes, draw)


@check("adam")
def test_adam_leaves_what_it_is_given_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """The new parameters are right, in float32 too, and neither the old ones nor the gradients have changed."""
    agree_unchanged(student, reference, lambda names: names.Adam(lr=0.05), draw)
