"""One step of each optimiser, and several steps from a fresh start."""

from typing import Any

import numpy as np

from autograder.checking import Draw, Reference, Student, agree, check, matches

SHAPES: list[tuple[int, ...]] = [(4,), (2, 1, 4), (2, 3, 1, 2)]
"""Of one dimension, three and four; arrays of none are no arrays any more after NumPy's arithmetic."""

LARGE = 2e4
"""What numbers are multiplied with that no limit on the way may cut off."""


def with_edges(*arrays: np.ndarray) -> list[np.ndarray]:
    """Copies in float32 with a 0 in each, at different places, and with a large last entry in all."""
    singles = [array.astype(np.float32) for array in arrays]
    for place, single in enumerate(singles):
        single.flat[place] = 0.0
        single.flat[-1] *= np.float32(LARGE)
    return singles


def away_from_0(draw: Draw, size: float, *shape: int) -> np.ndarray:
    """Numbers of both signs and of this size or up to twice as large.

    Beside a parameter or a gradient that happens to be almost 0, an eps in another place would cost points in one exam
    and none in another; there is a check of its own for it.
    """
    return np.asarray(size * draw.uniform(1.0, 2.0, size=shape) * draw.choice([-1.0, 1.0], size=shape))


# sgd_step


@check("sgd_step", weight=2, hint="param − lr·grad: against the gradient, with the learning rate that is given.")
def test_sgd_step(student: Student, reference: Reference, draw: Draw) -> None:
    """One step against the gradient, for parameters of any shape."""
    for shape in [(3, 5), *SHAPES]:
        param, grad = np.asarray(draw.normal(size=shape)), np.asarray(draw.normal(size=shape))
        matches(student.sgd_step, reference.sgd_step, param, grad, float(draw.uniform(0.1, 0.9)))
    param, grad = LARGE * draw.normal(size=(2, 3, 2))
    matches(student.sgd_step, reference.sgd_step, param, grad, 30.0)


@check("sgd_step")
def test_sgd_step_leaves_its_inputs_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """The new parameter is right, for float32 too, and the inputs are unchanged."""
    param, grad = draw.normal(size=(4, 2)), draw.normal(size=(4, 2))
    matches(student.sgd_step, reference.sgd_step, param, grad, lr=0.3).unchanged()
    matches(student.sgd_step, reference.sgd_step, *with_edges(param, grad), 0.3).unchanged()


# momentum_step


@check(
    "momentum_step",
    weight=2,
    hint="velocity ← beta·velocity + grad; param ← param − lr·velocity, with the new velocity.",
)
def test_momentum_step(student: Student, reference: Reference, draw: Draw) -> None:
    """One step with the default beta; the new parameter and the new velocity come back."""
    param, grad, velocity = draw.normal(size=(3, 3, 5))
    of = student.momentum_step, reference.momentum_step
    # From a velocity of 0 first: a factor that the gradient should not have is seen there.
    for start in (np.zeros((3, 5)), velocity):
        matches(*of, param, grad, start, 0.2, parts=("param", "velocity"))


@check("momentum_step", weight=2, hint="Return the velocity that the next step has to start from.")
def test_momentum_over_several_steps(student: Student, reference: Reference, draw: Draw) -> None:
    """Five steps from a velocity of 0, each with what the one before gave back."""
    param = draw.normal(size=(4, 3))
    desired, velocity = param, np.zeros((4, 3))
    state: tuple[Any, ...] = (param, velocity)
    for t in range(1, 6):
        grad = draw.normal(size=(4, 3))
        state = student.momentum_step(state[0], grad, state[1], 0.1).unpack("param", "velocity")
        desired, velocity = reference.momentum_step(desired, grad, velocity, 0.1)
        agree(state[1], velocity, what=f"velocity after step {t}")
        agree(state[0], desired, what=f"param after step {t}")


@check("momentum_step", hint="Use the argument `beta`, and nothing that depends on the number of dimensions.")
def test_momentum_with_other_settings(student: Student, reference: Reference, draw: Draw) -> None:
    """Another beta, and parameters of any shape."""
    for shape in [(2, 5), *SHAPES]:
        arrays = [np.asarray(draw.normal(size=shape)) for _ in range(3)]
        lr, beta = float(draw.uniform(0.1, 0.9)), float(draw.uniform(0.3, 0.7))
        of = student.momentum_step, reference.momentum_step
        matches(*of, *arrays, lr, beta=beta, parts=("param", "velocity"))
    of = student.momentum_step, reference.momentum_step
    matches(*of, *(LARGE * draw.normal(size=(3, 2, 3))), 30.0, parts=("param", "velocity"))


@check("momentum_step")
def test_momentum_step_leaves_its_inputs_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """The results are right, for float32 too, and the inputs are unchanged."""
    given = [draw.normal(size=(4, 2)) for _ in range(3)]
    for arrays in (given, with_edges(*given)):
        of = student.momentum_step, reference.momentum_step
        matches(*of, *arrays, 0.3, 0.8, parts=("param", "velocity")).unchanged()


# rmsprop_step


@check(
    "rmsprop_step",
    weight=2,
    hint="sq_avg ← rho·sq_avg + (1 − rho)·grad²; then param ← param − lr·grad / (√sq_avg + eps).",
)
def test_rmsprop_step(student: Student, reference: Reference, draw: Draw) -> None:
    """One step with the default settings; the new parameter and the new average come back."""
    param, grad = away_from_0(draw, 3.0, 3, 5), away_from_0(draw, 0.5, 3, 5)
    sq_avg = draw.uniform(0.1, 2.0, size=(3, 5))
    of = student.rmsprop_step, reference.rmsprop_step
    matches(*of, param, grad, sq_avg, 0.2, parts=("param", "sq_avg"))


@check("rmsprop_step", weight=2, hint="Return the average that the next step has to start from.")
def test_rmsprop_over_several_steps(student: Student, reference: Reference, draw: Draw) -> None:
    """Five steps from an average of 0, each with what the one before gave back."""
    param = away_from_0(draw, 3.0, 4, 3)
    desired, sq_avg = param, np.zeros((4, 3))
    state: tuple[Any, ...] = (param, sq_avg)
    for t in range(1, 6):
        grad = away_from_0(draw, 0.5, 4, 3)
        state = student.rmsprop_step(state[0], grad, state[1], 0.1).unpack("param", "sq_avg")
        desired, sq_avg = reference.rmsprop_step(desired, grad, sq_avg, 0.1)
        agree(state[1], sq_avg, what=f"sq_avg after step {t}")
        agree(state[0], desired, what=f"param after step {t}")


@check(
    "rmsprop_step",
    weight=2,
    hint="eps is added to the root, not under it, and keeps a gradient of 0 from giving 0/0.",
)
def test_rmsprop_with_tiny_gradients(student: Student, reference: Reference, draw: Draw) -> None:
    """Gradients as small as eps, and of exactly 0, from an average of 0."""
    param, grad = draw.normal(size=(3, 4)), 1e-8 * draw.uniform(0.5, 2.0, size=(3, 4))
    grad[1] = 0.0
    of = student.rmsprop_step, reference.rmsprop_step
    matches(*of, param, grad, np.zeros((3, 4)), 5.0, parts=("param", "sq_avg"))


@check(
    "rmsprop_step",
    hint="Use the arguments `rho` and `eps`, and nothing that depends on the number of dimensions.",
)
def test_rmsprop_with_other_settings(student: Student, reference: Reference, draw: Draw) -> None:
    """Another rho and eps, and parameters of any shape."""
    of = student.rmsprop_step, reference.rmsprop_step
    for shape in [(2, 5), *SHAPES]:
        param, grad = np.asarray(draw.normal(size=shape)), np.asarray(draw.normal(size=shape))
        sq_avg = np.asarray(draw.uniform(0.1, 2.0, size=shape))
        lr, rho, eps = (float(value) for value in draw.uniform([0.1, 0.3, 0.1], [0.9, 0.7, 0.3]))
        matches(*of, param, grad, sq_avg, lr, rho=rho, eps=eps, parts=("param", "sq_avg"))
    param, grad = LARGE * draw.normal(size=(2, 2, 3))
    matches(*of, param, grad, LARGE * draw.uniform(1.0, 2.0, size=(2, 3)), 30.0, parts=("param", "sq_avg"))


@check("rmsprop_step")
def test_rmsprop_step_leaves_its_inputs_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """The results are right, for float32 too, and the inputs are unchanged."""
    given = [*draw.normal(size=(2, 4, 2)), draw.uniform(0.1, 2.0, size=(4, 2))]
    for arrays in (given, with_edges(*given)):
        of = student.rmsprop_step, reference.rmsprop_step
        matches(*of, *arrays, 0.3, 0.8, 0.01, parts=("param", "sq_avg")).unchanged()


# adam_step

PARTS = ("param", "m", "v")
WHERE_EPS_STANDS = "eps is added to the root of the corrected v (algorithm 1), not under it and not before."


@check(
    "adam_step",
    weight=2,
    hint="At t = 1 the corrections are m / (1 − beta1) and v / (1 − beta2).",
    if_small=WHERE_EPS_STANDS,
)
def test_adam_first_step(student: Student, reference: Reference, draw: Draw) -> None:
    """The first step, t = 1, from moments of 0, with the default settings."""
    param, grad = away_from_0(draw, 3.0, 3, 5), away_from_0(draw, 0.5, 3, 5)
    zeros = np.zeros((3, 5))
    # Beside a parameter of some thousandths, a step of the default rate of 1e-3 is seen with all its digits.
    matches(student.adam_step, reference.adam_step, 1e-3 * param, grad, zeros, zeros, 1, parts=PARTS)


@check(
    "adam_step",
    weight=3,
    hint="Correct with the t that is given, 1 − beta1**t and 1 − beta2**t, and return m and v uncorrected.",
    if_small=WHERE_EPS_STANDS,
)
def test_adam_over_several_steps(student: Student, reference: Reference, draw: Draw) -> None:
    """Six steps from t = 1, each with what the one before gave back."""
    param = away_from_0(draw, 3.0, 4, 3)
    desired, m, v = param, np.zeros((4, 3)), np.zeros((4, 3))
    state: tuple[Any, ...] = (param, m, v)
    for t in range(1, 7):
        grad = away_from_0(draw, 0.5, 4, 3)
        state = student.adam_step(*state[:1], grad, *state[1:], t, lr=0.1).unpack(*PARTS)
        desired, m, v = reference.adam_step(desired, grad, m, v, t, lr=0.1)
        # The moments first: where one is wrong, so is the parameter, which says less.
        for answer, array, name in reversed(list(zip(state, (desired, m, v), PARTS, strict=True))):
            agree(answer, array, what=f"{name} after step {t}")


@check(
    "adam_step",
    weight=2,
    hint=WHERE_EPS_STANDS,
)
def test_adam_with_tiny_gradients(student: Student, reference: Reference, draw: Draw) -> None:
    """Gradients as small as eps, and of exactly 0, from moments of 0."""
    param, grad = draw.normal(size=(3, 4)), 1e-8 * draw.uniform(0.5, 2.0, size=(3, 4))
    grad[1] = 0.0
    zeros = np.zeros((3, 4))
    matches(student.adam_step, reference.adam_step, param, grad, zeros, zeros, 1, 0.7, parts=PARTS)


@check(
    "adam_step",
    weight=2,
    hint="Use the arguments lr, beta1, beta2 and eps, and nothing that depends on the shape.",
)
def test_adam_with_other_settings(student: Student, reference: Reference, draw: Draw) -> None:
    """Other settings, a later step, and parameters of any shape."""
    for shape, t in zip([(2, 5), *SHAPES], (7, 2, 30, 4), strict=True):
        param, grad, m = (np.asarray(draw.normal(size=shape)) for _ in range(3))
        v = np.asarray(draw.uniform(0.1, 2.0, size=shape))
        lr, beta1, beta2, eps = (float(a) for a in draw.uniform([0.1, 0.3, 0.8, 0.1], [0.9, 0.7, 0.95, 0.3]))
        of = student.adam_step, reference.adam_step
        matches(*of, param, grad, m, v, t, lr=lr, beta1=beta1, beta2=beta2, eps=eps, parts=PARTS)
        matches(*of, param, grad, m, v, t, lr, beta1, beta2, eps, parts=PARTS)
    of = student.adam_step, reference.adam_step
    param, grad, m = LARGE * draw.normal(size=(3, 2, 3))
    matches(*of, param, grad, m, LARGE * draw.uniform(1.0, 2.0, size=(2, 3)), 150, 30.0, parts=PARTS)


@check("adam_step")
def test_adam_step_leaves_its_inputs_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """The results are right, for float32 too, and the inputs are unchanged."""
    given = [*draw.normal(size=(3, 4, 2)), draw.uniform(0.1, 2.0, size=(4, 2))]
    for arrays in (given, with_edges(*given)):
        of = student.adam_step, reference.adam_step
        matches(*of, *arrays, 3, 0.05, parts=PARTS).unchanged()
