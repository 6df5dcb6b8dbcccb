"""The linear layer, ReLU and the two-layer network, forward and backward.

All sizes of a case differ from each other, so that no transposed product and no accidental broadcast fits.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial

import numpy as np
import pytest

from autograder.base import CheckError
from autograder.checking import (
    Answer,
    Draw,
    Halves,
    Reference,
    Student,
    agree,
    check,
    halves,
    matches,
    right,
    telling,
    together,
    which_half,
)
from autograder.numerics import projections

Sloped = tuple[np.ndarray, float, float]
"""A direction of ±1 entries, the slope along it by finite differences, and the slope's error."""


def sloped(f: Callable[[np.ndarray], float], x: np.ndarray, draw: Draw) -> Sloped:
    """How f changes at x along a random direction."""
    for direction, slope in projections(f, x, draw, 4):
        if slope.trusted:
            return direction, slope.value, slope.error
    raise CheckError("finite differences disagree in four directions: this point lies on a kink")


def agree_along(answer: Answer, sloped: Sloped, name: str) -> None:
    """Compare a gradient with a slope along the slope's direction."""
    direction, slope, error = sloped
    with np.errstate(all="ignore"):
        mine = float(np.sum(direction * answer.array(direction.shape)))
    agree(mine, slope, what=f"{name} along a random direction", noise=error)


# A cache is the student's own: backward can only read what their own forward wrote.
together("linear_forward", "linear_backward")
together("relu_forward", "relu_backward")

LARGE = 2e4
"""What numbers are multiplied with that no limit on the way may cut off."""


def with_a_zero(array: np.ndarray) -> np.ndarray:
    """A copy with its first entry 0."""
    new = array.copy()
    new.flat[0] = 0.0
    return new


# linear_forward


def linear_case(draw: Draw, n: int, d: int, h: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The arrays x (n, d), W (d, h) and b (h,)."""
    return draw.normal(size=(n, d)), draw.normal(size=(d, h)), draw.normal(size=h)


@check("linear_forward", weight=3, hint="x @ W + b: b, of shape (H,), is added to every row.")
def test_linear_forward_of_a_batch(student: Student, reference: Reference, draw: Draw) -> None:
    """The outputs for a batch."""
    # The last is the shape that `of_the_linear_layer` looks at: whoever is wrong there alone is wrong here too.
    for n, d, h in [(5, 3, 4), (2, 6, 3), (5, 2, 3)]:
        matches(student.linear_forward, reference.linear_forward, *linear_case(draw, n, d, h), parts=("out", None))
    large = [LARGE * array for array in linear_case(draw, 4, 3, 2)]
    matches(student.linear_forward, reference.linear_forward, *large, parts=("out", None))


@check("linear_forward", hint="Nothing may depend on N, D or H being larger than 1, and nothing on the dtype.")
def test_linear_forward_of_one_row_and_float32(student: Student, reference: Reference, draw: Draw) -> None:
    """A single example, a single input or output, and float32 work."""
    of = student.linear_forward, reference.linear_forward
    for n, d, h in [(1, 4, 3), (3, 1, 5), (4, 3, 1)]:
        matches(*of, *linear_case(draw, n, d, h), parts=("out", None))
    for size in (1.0, LARGE):
        single = [with_a_zero(size * array).astype(np.float32) for array in linear_case(draw, 4, 5, 2)]
        matches(*of, *single, parts=("out", None))


@check("linear_forward")
def test_linear_forward_leaves_its_inputs_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """The outputs are right and the inputs are unchanged."""
    case = linear_case(draw, 3, 4, 2)
    matches(student.linear_forward, reference.linear_forward, *case, parts=("out", None)).unchanged()


# linear_backward


def backward_of(student: Student, case: tuple[np.ndarray, ...], dout: np.ndarray) -> tuple[Answer, Answer, Answer]:
    """The student's (dx, dW, db) for dout, with the cache of their own forward pass."""
    _, cache = student.linear_forward(*case).unpack("out", "cache")
    dx, dW, db = student.linear_backward(dout, cache).unpack("dx", "dW", "db")
    return dx, dW, db


def right_backward(
    reference: Reference, case: tuple[np.ndarray, ...], dout: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The reference's (dx, dW, db)."""
    _, cache = reference.linear_forward(*case)
    dx, dW, db = reference.linear_backward(dout, cache)
    return dx, dW, db


def of_the_linear_layer(student: Student, reference: Reference, draw: Draw) -> Halves:
    """Which half is wrong: the outputs, or the gradients."""
    names = ("dx", "dW", "db")

    def look() -> Halves:
        case, dout = linear_case(draw, 5, 2, 3), draw.normal(size=(5, 3))

        def weighted(point: Mapping[str, np.ndarray]) -> float:
            out, _ = student.linear_forward(*point.values()).unpack("out", "cache")
            return float(np.sum(dout * out.array(dout.shape)))

        out, _ = student.linear_forward(*case).unpack("out", "cache")
        gradients = dict(zip(names, backward_of(student, case, dout), strict=True))
        desired = dict(zip(names, right_backward(reference, case, dout), strict=True))
        of = weighted, dict(zip(names, case, strict=True)), gradients, desired
        forward_right = right(out, reference.linear_forward(*case)[0])
        return halves(*of, forward_right=forward_right, named="`linear_forward`", examples=5)

    return which_half(student, "linear_backward", look)


@pytest.mark.parametrize(("part", "name"), [(0, "dx"), (1, "dW"), (2, "db")])
@check(
    "linear_backward",
    weight=2,
    hint="dx = dout·Wᵀ, dW = xᵀ·dout, and db is the sum of dout over the examples (not their mean).",
)
def test_linear_backward_of_a_batch(student: Student, reference: Reference, draw: Draw, part: int, name: str) -> None:
    """{name} of a batch, for a random upstream gradient."""
    for n, d, h in [(5, 3, 4), (2, 4, 6)]:
        case, dout = linear_case(draw, n, d, h), draw.normal(size=(n, h))
        with telling(partial(of_the_linear_layer, student, reference, draw)):
            agree(backward_of(student, case, dout)[part], right_backward(reference, case, dout)[part], what=name)
    case, dout = linear_case(draw, 3, 2, 5), LARGE * draw.normal(size=(3, 5))
    agree(backward_of(student, case, dout)[part], right_backward(reference, case, dout)[part], what=name)


@lru_cache(maxsize=64)
def linear_slopes(reference: Reference, seed: int) -> tuple[tuple[np.ndarray, ...], np.ndarray, list[Sloped]]:
    """A case, an upstream gradient, and the slopes of Σ dout·out; worked out once for a seed."""
    draw = np.random.default_rng(seed)
    case, dout = linear_case(draw, 4, 2, 3), draw.normal(size=(4, 3))

    def weighted(array: np.ndarray, part: int) -> float:
        moved = [*case[:part], array, *case[part + 1 :]]
        return float(np.sum(dout * reference.linear_forward(*moved)[0]))

    return case, dout, [sloped(partial(weighted, part=part), case[part], draw) for part in range(3)]


@check("linear_backward", weight=2, hint="Each gradient says how Σ dout·out changes when its array does.")
def test_linear_backward_by_finite_differences(student: Student, reference: Reference, draw: Draw) -> None:
    """dx, dW and db say how your own outputs change with x, W and b (finite differences)."""
    case, dout, slopes = linear_slopes(reference, int(draw.integers(2**32)))
    with telling(partial(of_the_linear_layer, student, reference, draw), credit=True):
        for answer, slope, name in zip(backward_of(student, case, dout), slopes, ("dx", "dW", "db"), strict=True):
            agree_along(answer, slope, name)


@check(
    "linear_backward",
    hint="Whatever backward needs of the forward pass is in its cache, not in a global variable.",
)
def test_linear_backward_uses_the_cache_it_is_given(student: Student, reference: Reference, draw: Draw) -> None:
    """The gradients belong to the cache that is passed, not to the latest forward pass."""
    first, second = linear_case(draw, 4, 3, 2), linear_case(draw, 4, 3, 2)
    _, cache = student.linear_forward(*first).unpack("out", "cache")
    student.linear_forward(*second)
    for _ in range(2):
        dout = draw.normal(size=(4, 2))
        answers = student.linear_backward(dout, cache).unpack("dx", "dW", "db")
        desired = right_backward(reference, first, dout)
        for answer, array, name in zip(answers, desired, ("dx", "dW", "db"), strict=True):
            agree(answer, array, what=name)


@check(
    "linear_backward",
    hint="Sum over axis 0 always, also for N = 1, and leave the cache as it is: it may be used again.",
)
def test_linear_backward_of_one_row_and_float32(student: Student, reference: Reference, draw: Draw) -> None:
    """A single example and float32 work, and dout is unchanged."""
    for n, d, h, size in [(1, 4, 3, 0.0), (3, 5, 1, 0.0), (4, 3, 5, 1.0), (4, 3, 5, LARGE)]:
        single = size > 0
        dtype = np.float32 if single else np.float64
        case = tuple(array.astype(dtype) for array in linear_case(draw, n, d, h))
        dout = draw.normal(size=(n, h)).astype(dtype)
        if single:
            dout = with_a_zero(size * dout).astype(dtype)
        _, cache = student.linear_forward(*case).unpack("out", "cache")
        answers = student.linear_backward(dout, cache).unchanged().unpack("dx", "dW", "db")
        desired = right_backward(reference, case, dout)
        for answer, array, name in zip(answers, desired, ("dx", "dW", "db"), strict=True):
            agree(answer, array, what=name, single=single)


# relu_forward and relu_backward


def rectifier_input(draw: Draw, n: int, h: int) -> np.ndarray:
    """Inputs (n, h) with entries of both signs, none of them 0."""
    x = draw.uniform(0.1, 2.0, size=(n, h)) * draw.choice([-1.0, 1.0], size=(n, h))
    x.flat[0], x.flat[-1] = -0.7, 0.7
    return np.asarray(x)


def of_the_rectifier(student: Student, draw: Draw) -> Halves:
    """Which half is wrong: relu_forward, or relu_backward."""

    def look() -> Halves:
        signs = draw.permutation(np.repeat([-1.0, 1.0], 6)).reshape(4, 3)
        x = draw.uniform(0.5, 2.0, size=(4, 3)) * signs
        dout = draw.uniform(0.5, 1.0, size=(4, 3)) * draw.choice([-1.0, 1.0], size=(4, 3))

        def weighted(point: Mapping[str, np.ndarray]) -> float:
            out, _ = student.relu_forward(point["dx"]).unpack("out", "cache")
            return float(np.sum(dout * out.array(dout.shape)))

        out, cache = student.relu_forward(x).unpack("out", "cache")
        of = weighted, {"dx": x}, {"dx": student.relu_backward(dout, cache)}, {"dx": np.where(x > 0, dout, 0.0)}
        return halves(*of, forward_right=right(out, np.maximum(x, 0.0)), named="`relu_forward`", examples=4)

    return which_half(student, "relu_forward", look)


@check("relu_forward", weight=3, hint="max(x, 0) entry by entry: np.maximum, not np.max.")
def test_relu_forward_of_a_batch(student: Student, reference: Reference, draw: Draw) -> None:
    """relu_forward keeps what is positive and gives 0 elsewhere; its input is unchanged."""
    for n, h in [(5, 3), (1, 4), (4, 3)]:
        x = rectifier_input(draw, n, h)
        matches(student.relu_forward, reference.relu_forward, x, parts=("out", None)).unchanged()
    for size in (1.0, LARGE):
        x = with_a_zero(size * rectifier_input(draw, 4, 6))
        for case in (x, x.astype(np.float32)):
            matches(student.relu_forward, reference.relu_forward, case, parts=("out", None)).unchanged()


@check(
    "relu_forward",
    weight=3,
    hint="dx is dout where the input was positive, else 0: the mask comes from x, not from dout.",
)
def test_relu_backward_of_a_batch(student: Student, draw: Draw) -> None:
    """relu_backward passes the upstream gradient where x > 0, and only there."""
    for n, h in [(4, 3), (1, 5)]:
        x, dout = 3.0 * rectifier_input(draw, n, h), draw.normal(size=(n, h))
        _, cache = student.relu_forward(x).unpack("out", "cache")
        with telling(partial(of_the_rectifier, student, draw)):
            agree(student.relu_backward(dout, cache), np.where(x > 0, dout, 0.0), what="dx")
    x, dout = LARGE * rectifier_input(draw, 3, 4), LARGE * rectifier_input(draw, 3, 4)
    _, cache = student.relu_forward(x).unpack("out", "cache")
    agree(student.relu_backward(dout, cache), np.where(x > 0, dout, 0.0), what="dx")


@check("relu_forward", hint="dx says how Σ dout·out changes with each entry of x.")
def test_relu_backward_by_finite_differences(student: Student, draw: Draw) -> None:
    """relu_backward says how your own outputs change with x (finite differences)."""
    x, dout = rectifier_input(draw, 3, 5), draw.normal(size=(3, 5))
    _, cache = student.relu_forward(x).unpack("out", "cache")
    with telling(partial(of_the_rectifier, student, draw), credit=True):
        agree(student.relu_backward(dout, cache), np.where(x > 0, dout, 0.0), what="dx")


@check("relu_forward", hint="At the kink this course takes the gradient 0: the mask is x > 0, not x >= 0.")
def test_relu_backward_at_the_kink(student: Student, draw: Draw) -> None:
    """Where x is exactly 0, dx is 0 (and right everywhere else)."""
    x, dout = rectifier_input(draw, 3, 4), draw.normal(size=(3, 4))
    x[:, 1] = 0.0
    _, cache = student.relu_forward(x).unpack("out", "cache")
    agree(student.relu_backward(dout, cache), np.where(x > 0, dout, 0.0), what="dx")


@check("relu_forward", hint="The mask comes from the cache that is passed, which may be used again.")
def test_relu_backward_leaves_dout_alone(student: Student, draw: Draw) -> None:
    """relu_backward is right for the cache that is passed, in float32 too, and leaves dout unchanged."""
    for size in (1.0, LARGE):
        x, other = rectifier_input(draw, 5, 2).astype(np.float32), rectifier_input(draw, 5, 2)
        dout = (size * draw.normal(size=(5, 2))).astype(np.float32)
        dout[-1, -1] = 0.0  # where x is positive
        _, cache = student.relu_forward(x).unpack("out", "cache")
        student.relu_forward(other)
        answer = student.relu_backward(dout, cache).unchanged()
        agree(answer, np.where(x > 0, dout, 0.0), what="dx", single=True)


# mlp_loss_and_grads

KEYS = ("W1", "b1", "W2", "b2")
Network = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]


def network(draw: Draw, n: int, d: int, h: int, c: int) -> Network:
    """Parameters, x (n, d) and labels (n,), with both signs among the hidden units' inputs."""
    params = {
        "W1": draw.normal(size=(d, h)),
        "b1": draw.normal(size=h),
        "W2": draw.normal(size=(h, c)),
        "b2": draw.normal(size=c),
    }
    return params, draw.normal(size=(n, d)), draw.integers(c, size=n)


def grads_of(answer: Answer) -> dict[str, Answer]:
    """The student's gradients by name."""
    _, grads = answer.unpack("loss", "grads")
    return grads.entries(*KEYS)


def of_the_network(student: Student, reference: Reference, draw: Draw) -> Halves:
    """Which half is wrong: the loss, or its gradients."""

    def look() -> Halves:
        params, x, labels = network(draw, 5, 2, 3, 2)

        def loss(point: Mapping[str, np.ndarray]) -> float:
            return student.mlp_loss_and_grads(dict(point), x, labels).unpack("loss", "grads")[0].scalar()

        own, grads = student.mlp_loss_and_grads(params, x, labels).unpack("loss", "grads")
        desired, gradients = reference.mlp_loss_and_grads(params, x, labels)
        of = loss, params, grads.entries(*KEYS), gradients
        return halves(*of, forward_right=right(own, desired), named="loss", examples=5)

    return which_half(student, "mlp_loss_and_grads", look)


@check(
    "mlp_loss_and_grads",
    weight=2,
    hint="linear → ReLU → linear → softmax cross-entropy, with your own functions.",
)
def test_mlp_loss(student: Student, reference: Reference, draw: Draw) -> None:
    """The loss of a batch."""
    # The last are the sizes that `of_the_network` looks at: whoever is wrong there alone is wrong here too.
    for sizes in [(7, 3, 5, 4), (2, 4, 3, 5), (5, 2, 3, 2)]:
        case = network(draw, *sizes)
        loss, _ = student.mlp_loss_and_grads(*case).unpack("loss", "grads")
        agree(loss, reference.mlp_loss_and_grads(*case)[0], what="loss")
    # No example is of the last class, and not every one of the others occurs.
    params, x, _ = network(draw, 4, 3, 2, 6)
    of = student.mlp_loss_and_grads, reference.mlp_loss_and_grads
    matches(*of, params, x, draw.permutation([0, 2, 2, 3]), parts=("loss", "grads"))


@pytest.mark.parametrize("key", KEYS)
@check(
    "mlp_loss_and_grads",
    weight=1.5,
    hint="Walk back through the layers, each with its own cache: dlogits → W2, b2 → ReLU → W1, b1.",
)
def test_mlp_gradient(student: Student, reference: Reference, draw: Draw, key: str) -> None:
    """The gradient of the loss for {key}."""
    for sizes in [(7, 3, 5, 4), (4, 5, 6, 3)]:
        case = network(draw, *sizes)
        _, desired = reference.mlp_loss_and_grads(*case)
        with telling(partial(of_the_network, student, reference, draw)):
            agree(grads_of(student.mlp_loss_and_grads(*case))[key], desired[key], what=f"grads['{key}']")


@lru_cache(maxsize=64)
def network_slopes(reference: Reference, seed: int) -> tuple[Network, dict[str, Sloped]]:
    """A network, and how its loss changes with each of its parameters; worked out once for a seed."""
    draw = np.random.default_rng(seed)
    params, x, labels = network(draw, 5, 2, 4, 3)

    def loss(array: np.ndarray, key: str) -> float:
        return float(reference.mlp_loss_and_grads({**params, key: array}, x, labels)[0])

    return (params, x, labels), {key: sloped(partial(loss, key=key), params[key], draw) for key in KEYS}


@check(
    "mlp_loss_and_grads",
    weight=2,
    hint="Check your gradients on a small network of your own with finite differences.",
)
def test_mlp_gradients_by_finite_differences(student: Student, reference: Reference, draw: Draw) -> None:
    """The gradients say how your own loss changes with each parameter (finite differences)."""
    case, slopes = network_slopes(reference, int(draw.integers(2**32)))
    grads = grads_of(student.mlp_loss_and_grads(*case))
    with telling(partial(of_the_network, student, reference, draw), credit=True):
        for key in KEYS:
            agree_along(grads[key], slopes[key], f"grads['{key}']")


@check(
    "mlp_loss_and_grads",
    weight=1.5,
    hint="Use softmax_cross_entropy on the logits; don't go through probabilities.",
)
def test_mlp_of_large_logits(student: Student, reference: Reference, draw: Draw) -> None:
    """Logits of ±1e4 give the exact loss and gradients."""
    params, x, labels = network(draw, 6, 3, 5, 4)
    hidden = np.maximum(x @ params["W1"] + params["b1"], 0.0)
    params["W2"] *= 9.9e3 / np.max(np.abs(hidden @ params["W2"]))
    of = student.mlp_loss_and_grads, reference.mlp_loss_and_grads
    matches(*of, params, x, labels, parts=("loss", "grads"))


@check(
    "mlp_loss_and_grads",
    hint="Where a hidden unit's input is exactly 0, ReLU passes no gradient; N, D, H or C may be 1.",
)
def test_mlp_of_one_example_and_at_the_kink(student: Student, reference: Reference, draw: Draw) -> None:
    """A single example works, and so do a single input, hidden unit or class, and an input to a unit of exactly 0."""
    of = student.mlp_loss_and_grads, reference.mlp_loss_and_grads
    matches(*of, *network(draw, 1, 4, 5, 3), parts=("loss", "grads"))
    params, x, labels = network(draw, 3, 2, 5, 4)
    params["b1"] = np.zeros(5)
    x[1] = 0.0
    matches(*of, params, x, labels, parts=("loss", "grads"))
    for sizes in [(4, 1, 3, 2), (5, 2, 1, 3)]:
        matches(*of, *network(draw, *sizes), parts=("loss", "grads"))
    # With one class the gradients are 0 but for round-off, which is not looked at.
    grads = grads_of(student.mlp_loss_and_grads(*network(draw, 3, 2, 4, 1)))
    for key, shape in [("W1", (2, 4)), ("b1", (4,)), ("W2", (4, 1)), ("b2", (1,))]:
        grads[key].array(shape)


@check("mlp_loss_and_grads")
def test_mlp_leaves_its_inputs_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """The results are right, for float32 too, and the inputs are unchanged."""
    of = student.mlp_loss_and_grads, reference.mlp_loss_and_grads
    params, x, labels = network(draw, 5, 3, 6, 2)
    matches(*of, params, x, labels, parts=("loss", "grads")).unchanged()
    # Half the weights give logits of scale 1: near saturation a right float32 answer would be called wrong.
    half = {key: 0.5 * value for key, value in params.items()}
    # Inputs and hidden units, or inputs and weights, are large, and the logits are as they were.
    wide = half | {"b1": LARGE * half["b1"], "W2": half["W2"] / LARGE}
    steep = {
        "W1": half["W1"] / LARGE**2,
        "b1": half["b1"] / LARGE,
        "W2": half["W2"] * LARGE,
        "b2": with_a_zero(half["b2"]),
    }
    for weights, inputs in [(half, with_a_zero(x)), (wide, LARGE * x), (steep, LARGE * x)]:
        matches(*of, weights, inputs, labels, parts=("loss", "grads"))
        single = {key: value.astype(np.float32) for key, value in weights.items()}
        matches(*of, single, inputs.astype(np.float32), labels, parts=("loss", "grads")).unchanged()
