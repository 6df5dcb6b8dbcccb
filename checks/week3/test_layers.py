"""Linear, ReLU, dropout, batch normalisation and convolution, forward and backward.

All sizes of a case differ from each other, so that no transposed product and no accidental broadcast fits. A layer has
a state, so beside its numbers the order of calls is tried: two layers of a kind, two passes of one, backward twice, and
modes that are switched on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest

from autograder.checking import (
    Answer,
    Draw,
    Halves,
    Reference,
    Student,
    agree,
    check,
    fail_unless,
    halves,
    right,
    telling,
    which_half,
)

LARGE = 2e4
"""What numbers are multiplied with that no limit on the way may cut off."""

Make = Callable[[Any], Any]
"""Makes a layer of the student's, or of the reference's."""


def upstream(reference: Reference, make: Make, x: np.ndarray, draw: Draw) -> np.ndarray:
    """A random gradient in the shape of a layer's outputs."""
    return draw.normal(size=np.shape(make(reference).forward(x)))


def agree_forward(student: Student, reference: Reference, make: Make, x: np.ndarray, *, single: bool = False) -> None:
    """Compare the outputs of a new layer."""
    agree(make(student).forward(x), make(reference).forward(x), what="the outputs", single=single)


def slack(wanted: np.ndarray, single: bool) -> float:
    """What a difference of rounded numbers may be off by: some digits of the largest."""
    return (1e-5 if single else 1e-11) * float(np.max(np.abs(wanted), initial=0.0))


def f32(array: np.ndarray, size: float) -> np.ndarray:
    """An array in float32, multiplied, with a first entry of exactly 0."""
    new = (size * array).astype(np.float32)
    new.flat[0] = 0.0
    return new


def passed(layer: Any, x: np.ndarray, dout: np.ndarray) -> Any:
    """What ``backward`` of a layer gives once its ``forward`` has run."""
    layer.forward(x)
    return layer.backward(dout)


def agree_backward(
    student: Student,
    reference: Reference,
    make: Make,
    x: np.ndarray,
    dout: np.ndarray,
    parts: Sequence[str],
    *,
    single: bool = False,
) -> None:
    """Compare gradients of a new layer: ``dx`` is what backward returns, others are attributes."""
    ours, theirs = make(student), make(reference)
    dx, right_dx = passed(ours, x, dout), passed(theirs, x, dout)
    for part in parts:
        wanted = right_dx if part == "dx" else getattr(theirs, part)
        agree(
            dx if part == "dx" else ours.attribute(part), wanted, what=part, noise=slack(wanted, single), single=single
        )


def of_layer(
    student: Student,
    reference: Reference,
    row: str,
    make: Callable[[Any, Mapping[str, np.ndarray]], Any],
    at: Callable[[], tuple[dict[str, np.ndarray], np.ndarray]],
) -> Halves:
    """Which half of a layer is wrong: the outputs, or the gradients.

    Args:
        student: The student's functions.
        reference: Their right ones.
        row: The layer's row.
        make: Makes the layer with the parameters of a point, by the names of their gradients.
        at: Draws the point, the inputs under ``dx``, and the upstream gradient.
    """

    def look() -> Halves:
        point, dout = at()

        def weighted(point: Mapping[str, np.ndarray]) -> float:
            return float(np.sum(dout * make(student, point).forward(point["dx"]).array(dout.shape)))

        ours, theirs = make(student, point), make(reference, point)
        out, wanted = ours.forward(point["dx"]), theirs.forward(point["dx"])
        dx, right_dx = ours.backward(dout), theirs.backward(dout)
        others = [name for name in point if name != "dx"]
        own = {"dx": dx} | {name: ours.attribute(name) for name in others}
        desired = {"dx": right_dx} | {name: getattr(theirs, name) for name in others}
        forward_right = right(out, wanted)
        return halves(
            weighted, point, own, desired, forward_right=forward_right, named="`forward`", examples=len(point["dx"])
        )

    return which_half(student, row, look)


def agree_over_two_passes(
    student: Student,
    reference: Reference,
    makes: tuple[Make, Make],
    xs: tuple[np.ndarray, np.ndarray],
    draw: Draw,
    parts: Sequence[str],
) -> None:
    """Compare the gradients of two layers of a kind, of which one runs twice and both go backward twice."""
    first, second = (make(student) for make in makes)
    right_first, right_second = (make(reference) for make in makes)
    for ours, theirs, x in (
        (first, right_first, xs[1]),
        (first, right_first, xs[0]),
        (second, right_second, xs[1]),
    ):
        agree(ours.forward(x), theirs.forward(x), what="the outputs")
    for ours, theirs, make, x in (
        (first, right_first, makes[0], xs[0]),
        (second, right_second, makes[1], xs[1]),
        (first, right_first, makes[0], xs[0]),
    ):
        dout = upstream(reference, make, x, draw)
        dx, right_dx = ours.backward(dout), theirs.backward(dout)
        agree(dx, right_dx, what="dx", noise=slack(right_dx, False))
        for part in parts:
            agree(ours.attribute(part), getattr(theirs, part), what=part)


def agree_unchanged(student: Student, reference: Reference, make: Make, x: np.ndarray, dout: np.ndarray) -> None:
    """Compare a pass there and back, and see that nothing that was given has changed."""
    ours, theirs = make(student), make(reference)
    single = x.dtype == np.float32
    agree(ours.forward(x).unchanged(), theirs.forward(x), what="the outputs", single=single)
    dx, wanted = ours.backward(dout).unchanged(), theirs.backward(dout)
    agree(dx, wanted, what="dx", noise=slack(wanted, single), single=single)
    ours.unchanged()


MEMORY = (
    "backward belongs to the latest forward of the same object: keep what it needs in `self`, change nothing of it in "
    "backward, and set the gradients anew each time."
)

# linear


def linear(draw: Draw, d: int, m: int, *, single: bool = False, size: float = 1.0) -> Make:
    """A linear layer from d to m features."""
    W, b = (size * draw.normal(size=shape) for shape in [(d, m), (m,)])
    if single:
        W, b = f32(W, 1.0), f32(b, 1.0)
    return lambda names: names.Linear(W, b)


@check("linear", weight=3, hint="x @ W + b: b, of shape (M,), is added to every row.")
def test_linear_outputs(student: Student, reference: Reference, draw: Draw) -> None:
    """The outputs of a batch."""
    for n, d, m in [(5, 3, 4), (2, 6, 3)]:
        agree_forward(student, reference, linear(draw, d, m), draw.normal(size=(n, d)))
    agree_forward(student, reference, linear(draw, 3, 2, size=LARGE), LARGE * draw.normal(size=(4, 3)))


@pytest.mark.parametrize("part", ["dx", "dW", "db"])
@check(
    "linear",
    weight=2,
    hint="dx = dout·Wᵀ is returned; dW = xᵀ·dout and db, the sum of dout over the examples, are attributes.",
)
def test_linear_gradients(student: Student, reference: Reference, draw: Draw, part: str) -> None:
    """{part} of a batch, for a random upstream gradient."""
    for n, d, m, size in [(5, 3, 4, 1.0), (2, 4, 6, 1.0), (3, 5, 2, LARGE)]:
        make, x, dout = linear(draw, d, m), draw.normal(size=(n, d)), size * draw.normal(size=(n, m))
        with telling(partial(of_the_linear_layer, student, reference, draw)):
            agree_backward(student, reference, make, x, dout, [part])


def of_the_linear_layer(student: Student, reference: Reference, draw: Draw) -> Halves:
    """Which half of the linear layer is wrong."""

    def at() -> tuple[dict[str, np.ndarray], np.ndarray]:
        sizes = {"dx": (5, 2), "dW": (2, 3), "db": (3,)}
        return {name: draw.normal(size=size) for name, size in sizes.items()}, draw.normal(size=(5, 3))

    return of_layer(student, reference, "linear", lambda names, point: names.Linear(point["dW"], point["db"]), at)


@check("linear", weight=2, hint="Each gradient says how Σ dout·outputs changes when its array does.")
def test_linear_gradients_are_those_of_the_own_outputs(student: Student, reference: Reference, draw: Draw) -> None:
    """dx, dW and db say how your own outputs change with x, W and b."""
    make, x = linear(draw, 2, 3), draw.normal(size=(4, 2))
    with telling(partial(of_the_linear_layer, student, reference, draw), credit=True):
        agree_backward(student, reference, make, x, upstream(reference, make, x, draw), ["dx", "dW", "db"])


@check("linear", hint="Nothing may depend on N, D or M being larger than 1, and nothing on the dtype.")
def test_linear_with_one_row_and_float32(student: Student, reference: Reference, draw: Draw) -> None:
    """A single example, input or output, and float32 work, there and back."""
    for n, d, m in [(1, 4, 3), (3, 1, 5), (4, 3, 1)]:
        make, x = linear(draw, d, m), draw.normal(size=(n, d))
        agree_forward(student, reference, make, x)
        agree_backward(student, reference, make, x, upstream(reference, make, x, draw), ["dx", "dW", "db"])
    for size in (1.0, LARGE):
        make, x = linear(draw, 5, 2, single=True, size=size), f32(draw.normal(size=(4, 5)), size)
        agree_forward(student, reference, make, x, single=True)
        dout = f32(draw.normal(size=(4, 2)), size)
        agree_backward(student, reference, make, x, dout, ["dx", "dW", "db"], single=True)


@check("linear", weight=2, hint=MEMORY)
def test_linear_layers_remember_their_own_pass(student: Student, reference: Reference, draw: Draw) -> None:
    """Two layers, of which one runs twice, each go back along their own latest pass, and again."""
    xs = draw.normal(size=(2, 4, 3))
    agree_over_two_passes(
        student, reference, (linear(draw, 3, 2), linear(draw, 3, 2)), (xs[0], xs[1]), draw, ["dW", "db"]
    )


@check("linear", weight=2, hint="forward and backward use `self.W` and `self.b` as they are when they are called.")
def test_linear_takes_new_parameters(student: Student, reference: Reference, draw: Draw) -> None:
    """The parameters are W and b, in this order, and after set_params the new ones count."""
    make = linear(draw, 3, 4)
    layers = [make(names) for names in (student, reference)]
    new, x, dout = [draw.normal(size=(3, 4)), draw.normal(size=4)], draw.normal(size=(5, 3)), draw.normal(size=(5, 4))
    ours, theirs = layers
    before, right_before = ours.params().unpack("W", "b"), theirs.params()
    for answer, wanted, name in zip(before, right_before, ("W", "b"), strict=True):
        agree(answer, wanted, what=name)
        agree(ours.attribute(name), wanted, what=name)
    ours.forward(x)
    for layer in layers:
        layer.set_params(new)
    agree(ours.forward(x), theirs.forward(x), what="the outputs after set_params")
    agree(ours.backward(dout), theirs.backward(dout), what="dx after set_params")
    for answer, wanted, name in zip(ours.grads().unpack("dW", "db"), theirs.grads(), ("dW", "db"), strict=True):
        agree(answer, wanted, what=name)


@check("linear")
def test_linear_leaves_what_it_is_given_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """A pass there and back is right, in float32 too, and changes nothing that was given."""
    for single in (False, True):
        dtype = np.float32 if single else np.float64
        make, x = linear(draw, 4, 2, single=single), draw.normal(size=(3, 4)).astype(dtype)
        agree_unchanged(student, reference, make, x, draw.normal(size=(3, 2)).astype(dtype))


# relu


def rectified(draw: Draw, shape: tuple[int, ...]) -> np.ndarray:
    """Inputs of both signs, none of them 0."""
    x = draw.uniform(0.1, 2.0, size=shape) * draw.choice([-1.0, 1.0], size=shape)
    x.flat[0], x.flat[-1] = -0.7, 0.7
    return np.asarray(x)


def make_relu(names: Any) -> Any:
    """A ReLU."""
    return names.ReLU()


@check("relu", weight=2, hint="max(x, 0) entry by entry: np.maximum, not np.max.")
def test_relu_outputs(student: Student, reference: Reference, draw: Draw) -> None:
    """What is positive is kept, and the rest is 0, whatever the shape."""
    for shape in [(5, 3), (1, 4), (6,), (2, 3, 4, 5)]:
        agree_forward(student, reference, make_relu, LARGE * rectified(draw, shape))
    for size in (1.0, LARGE):
        agree_forward(student, reference, make_relu, f32(rectified(draw, (4, 3)), size), single=True)


@check(
    "relu",
    weight=2,
    hint="The gradient is dout where the input was positive, else 0: the mask comes from x, not from dout.",
)
def test_relu_gradient(student: Student, reference: Reference, draw: Draw) -> None:
    """The upstream gradient passes where x > 0, and only there, whatever the shape."""
    for shape in [(4, 3), (1, 5), (2, 3, 4, 5)]:
        x = 3.0 * rectified(draw, shape)
        agree_backward(student, reference, make_relu, x, LARGE * draw.normal(size=shape), ["dx"])
    for size in (1.0, LARGE):
        # Where dout is 0, x is positive.
        x, dout = f32(rectified(draw, (3, 2)), size)[::-1], f32(draw.normal(size=(3, 2)), size)
        x[0, 0] = 0.5 * size
        agree_backward(student, reference, make_relu, x, dout, ["dx"], single=True)


@check("relu", hint="At the kink this course takes the gradient 0: the mask is x > 0, not x >= 0.")
def test_relu_at_the_kink(student: Student, reference: Reference, draw: Draw) -> None:
    """Where x is exactly 0, the gradient is 0 (and right everywhere else)."""
    x = rectified(draw, (3, 4))
    x[:, 1] = 0.0
    agree_backward(student, reference, make_relu, x, draw.normal(size=(3, 4)), ["dx"])


@check("relu", weight=2, hint=MEMORY)
def test_relu_layers_remember_their_own_pass(student: Student, reference: Reference, draw: Draw) -> None:
    """Two layers, of which one runs twice, each go back along their own latest pass, and have no parameters."""
    xs = rectified(draw, (4, 3)), -rectified(draw, (4, 3))
    agree_over_two_passes(student, reference, (make_relu, make_relu), xs, draw, [])
    layer = student.ReLU()
    passed(layer, xs[0], xs[1])
    for name, answer in [("params", layer.params()), ("grads", layer.grads())]:
        fail_unless(len(answer.items(10)) == 0, f"ReLU has no parameters, so {name}() should give an empty list.")


@check("relu")
def test_relu_leaves_what_it_is_given_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """A pass there and back is right, in float32 too, and changes nothing that was given."""
    for dtype in (np.float64, np.float32):
        x, dout = rectified(draw, (5, 2)).astype(dtype), draw.normal(size=(5, 2)).astype(dtype)
        agree_unchanged(student, reference, make_relu, x, dout)


# dropout


def dropout(p: float, seed: int) -> Make:
    """A dropout layer with a generator of its own; the reference's draws the same."""
    return lambda names: names.Dropout(
        p, names.rng(seed) if isinstance(names, Student) else np.random.default_rng(seed)
    )


def masks(p: float, seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    """The factors of the passes in the mode for learning, one after the other."""
    rng = np.random.default_rng(seed)
    return [np.where(rng.random(shape) < p, 0.0, 1.0 / (1.0 - p)) for shape in shapes]


@check("dropout", weight=3, hint="Drop where `rng.random(x.shape) < p`, and divide what is kept by 1 − p.")
def test_dropout_outputs(student: Student, draw: Draw) -> None:
    """The mask is the generator's, the rest is scaled, and each pass draws anew, whatever the shape."""
    for p, seed in [(0.3, 1), (0.75, 2), (0.0, 3)]:
        shapes: list[tuple[int, ...]] = [(5, 8), (5, 8), (2, 3, 4, 5), (6,)]
        layer = dropout(p, seed)(student)
        for factors in masks(p, seed, *shapes):
            x = LARGE * draw.normal(size=factors.shape)
            agree(layer.forward(x), factors * x, what="the outputs")


@check("dropout", weight=3, hint="backward multiplies by the very factors of the forward pass: it draws nothing.")
def test_dropout_gradient(student: Student, draw: Draw) -> None:
    """The gradient goes back through the mask of its pass, scaled likewise, as often as it is asked for."""
    layer = dropout(0.4, 5)(student)
    for factors in masks(0.4, 5, (6, 7), (4, 9)):
        layer.forward(draw.normal(size=factors.shape))
        for size in (1.0, LARGE):
            dout = size * draw.normal(size=factors.shape)
            agree(layer.backward(dout), factors * dout, what="dx")


@check("dropout", weight=3, hint="In the mode for use the outputs are the inputs, and nothing is drawn.")
def test_dropout_in_use(student: Student, draw: Draw) -> None:
    """In use nothing is dropped, scaled or drawn; back in learning the generator goes on where it was."""
    layer = dropout(0.6, 8)(student)
    first, second = masks(0.6, 8, (5, 6), (5, 6))
    x, dout = draw.normal(size=(2, 5, 6))
    agree(layer.forward(x), first * x, what="the outputs while learning")
    layer.eval()
    for _ in range(2):
        agree(layer.forward(x), x, what="the outputs in use")
        agree(layer.backward(dout), dout, what="dx in use")
    layer.train()
    agree(layer.forward(x), second * x, what="the outputs after train()")
    agree(layer.backward(dout), second * dout, what="dx after train()")


@check("dropout", weight=2, hint="What backward multiplies by is decided in forward, and kept in `self`.")
def test_dropout_goes_back_in_the_mode_of_its_pass(student: Student, draw: Draw) -> None:
    """A switch of the mode between forward and backward changes nothing, nor does another layer."""
    x, dout = draw.normal(size=(2, 4, 7))
    layer, other = dropout(0.5, 11)(student), dropout(0.5, 12)(student)
    first, second = (masks(0.5, seed, (4, 7))[0] for seed in (11, 12))
    layer.forward(x)
    agree(other.forward(x), second * x, what="the outputs of a second layer")
    layer.eval()
    agree(layer.backward(dout), first * dout, what="dx of a pass while learning")
    layer.forward(x)
    layer.train()
    agree(layer.backward(dout), dout, what="dx of a pass in use")
    agree(other.backward(dout), second * dout, what="dx of the second layer")


@check("dropout")
def test_dropout_leaves_what_it_is_given_alone(student: Student, draw: Draw) -> None:
    """Both modes are right for float32, one row and one column too, and change nothing that was given."""
    cases = [((3, 5), 0.0), ((4, 3), 1.0), ((5, 3), LARGE), ((1, 6), 0.0), ((7, 1), 0.0)]
    for shape, size in cases:
        single = size > 0
        x, dout = ((f32(each, size) if single else each) for each in draw.normal(size=(2, *shape)))
        layer = dropout(0.35, 21)(student)
        factors = masks(0.35, 21, shape)[0]
        agree(layer.forward(x).unchanged(), factors * x, what="the outputs", single=single)
        agree(layer.backward(dout).unchanged(), factors * dout, what="dx", single=single)
        layer.eval()
        agree(layer.forward(x).unchanged(), x, what="the outputs in use", single=single)
        agree(layer.backward(dout).unchanged(), dout, what="dx in use", single=single)


# batch_norm


def batch_norm(draw: Draw, d: int, *, single: bool = False, size: float = 1.0, **options: float) -> Make:
    """A batch normalisation of d features."""
    gamma = size * draw.uniform(0.5, 2.0, size=d) * draw.choice([-1.0, 1.0], size=d)
    beta = size * draw.normal(size=d)
    if single:
        gamma, beta = f32(gamma, 1.0), f32(beta, 1.0)
    return lambda names: names.BatchNorm(gamma, beta, **options)


def batch(draw: Draw, n: int, d: int) -> np.ndarray:
    """A batch whose features have different means and spreads."""
    return np.asarray(draw.normal(size=d) + draw.uniform(0.5, 3.0, size=d) * draw.normal(size=(n, d)))


def agree_statistics(ours: Answer, theirs: Any, when: str) -> None:
    """Compare the running statistics."""
    for name in ("running_mean", "running_var"):
        agree(ours.attribute(name), getattr(theirs, name), what=f"{name} {when}")


@check("batch_norm", weight=3, hint="Mean and variance over axis 0, the variance with 1/N; eps goes under the root.")
def test_batch_norm_outputs(student: Student, reference: Reference, draw: Draw) -> None:
    """While learning each feature is normalised over the batch, then scaled and shifted."""
    for n, d in [(6, 4), (3, 5), (2, 3), (4, 1)]:
        agree_forward(student, reference, batch_norm(draw, d), batch(draw, n, d))
    agree_forward(student, reference, batch_norm(draw, 3, size=LARGE), LARGE * batch(draw, 5, 3))
    agree_forward(student, reference, batch_norm(draw, 3, eps=0.5), batch(draw, 5, 3))
    agree_forward(student, reference, batch_norm(draw, 3), 3e-3 * batch(draw, 5, 3))


@pytest.mark.parametrize("part", ["dx", "dgamma", "dbeta"])
@check(
    "batch_norm",
    weight=2,
    hint="dgamma and dbeta are sums over the batch; dx has both sums in it, each with 1/N, since all share μ and σ.",
)
def test_batch_norm_gradients(student: Student, reference: Reference, draw: Draw, part: str) -> None:
    """{part} while learning, for a random upstream gradient."""
    for n, d, size, options in [(6, 4, 1.0, {}), (3, 5, LARGE, {}), (5, 2, 1.0, {"eps": 0.3})]:
        make, x, dout = batch_norm(draw, d, **options), batch(draw, n, d), size * draw.normal(size=(n, d))
        with telling(partial(of_the_batch_norm, student, reference, draw)):
            agree_backward(student, reference, make, x, dout, [part])


def of_the_batch_norm(student: Student, reference: Reference, draw: Draw) -> Halves:
    """Which half of the batch normalisation is wrong."""

    def at() -> tuple[dict[str, np.ndarray], np.ndarray]:
        point = {"dx": batch(draw, 5, 2), "dgamma": draw.uniform(0.5, 2.0, size=2), "dbeta": draw.normal(size=2)}
        return point, draw.normal(size=(5, 2))

    def make(names: Any, point: Mapping[str, np.ndarray]) -> Any:
        return names.BatchNorm(point["dgamma"], point["dbeta"])

    return of_layer(student, reference, "batch_norm", make, at)


@check("batch_norm", weight=2, hint="Each gradient says how Σ dout·outputs changes when its array does.")
def test_batch_norm_gradients_are_those_of_the_own_outputs(student: Student, reference: Reference, draw: Draw) -> None:
    """dx, dgamma and dbeta say how your own outputs change with x, gamma and beta."""
    make, x = batch_norm(draw, 3), batch(draw, 5, 3)
    with telling(partial(of_the_batch_norm, student, reference, draw), credit=True):
        agree_backward(student, reference, make, x, draw.normal(size=(5, 3)), ["dx", "dgamma", "dbeta"])


@check(
    "batch_norm",
    weight=3,
    hint="Each pass while learning: running ← (1 − momentum)·running + momentum·the batch's, from 0 and from 1.",
)
def test_batch_norm_running_statistics(student: Student, reference: Reference, draw: Draw) -> None:
    """Mean 0 and variance 1 at first; each batch replaces the share `momentum` of them."""
    for options in ({}, {"momentum": 0.4}):
        make = batch_norm(draw, 4, **options)
        ours, theirs = make(student), make(reference)
        agree_statistics(ours, theirs, "of a new layer")
        for number, n in enumerate([6, 3, 5, 2], start=1):
            x = batch(draw, n, 4)
            agree(ours.forward(x), theirs.forward(x), what="the outputs")
            agree_statistics(ours, theirs, f"after {number} batches")
            dout = draw.normal(size=(n, 4))
            agree(ours.backward(dout), theirs.backward(dout), what="dx", noise=1e-11)
        agree_statistics(ours, theirs, "after backward")


@check("batch_norm", weight=3, hint="In use the running statistics take the place of the batch's, and do not change.")
def test_batch_norm_in_use(student: Student, reference: Reference, draw: Draw) -> None:
    """In use the running statistics count, for one example as for many, and stay as they are."""
    make = batch_norm(draw, 4, momentum=0.3, eps=0.01)
    ours, theirs = make(student), make(reference)
    for layer in (ours, theirs):
        layer.eval()
    x = batch(draw, 5, 4)
    agree(ours.forward(x), theirs.forward(x), what="the outputs of a new layer in use")
    for layer in (ours, theirs):
        layer.train()
    for n in (6, 3):
        x = batch(draw, n, 4)
        agree(ours.forward(x), theirs.forward(x), what="the outputs while learning")
    for layer in (ours, theirs):
        layer.eval()
    for n in (5, 1, 2):
        x = batch(draw, n, 4)
        agree(ours.forward(x), theirs.forward(x), what="the outputs in use")
        agree_statistics(ours, theirs, "in use")


@check(
    "batch_norm",
    weight=2,
    hint="In use μ and σ are constants: dx = gamma·dout/√(running_var + eps), and x̂ is made of the running statistics.",
)
def test_batch_norm_gradients_in_use(student: Student, reference: Reference, draw: Draw) -> None:
    """In use the gradients are those of the outputs in use."""
    make = batch_norm(draw, 3, momentum=0.5, eps=0.02)
    ours, theirs = make(student), make(reference)
    for layer in (ours, theirs):
        layer.forward(batch(np.random.default_rng(3), 6, 3))
        layer.eval()
    for n in (5, 1):
        x, dout = batch(draw, n, 3), draw.normal(size=(n, 3))
        agree(passed(ours, x, dout), passed(theirs, x, dout), what="dx in use")
        for name in ("dgamma", "dbeta"):
            agree(ours.attribute(name), getattr(theirs, name), what=f"{name} in use")


@check("batch_norm", weight=2, hint="Which statistics a pass used is decided in forward, and kept in `self`.")
def test_batch_norm_goes_back_in_the_mode_of_its_pass(student: Student, reference: Reference, draw: Draw) -> None:
    """A switch of the mode between forward and backward changes nothing."""
    make, dout = batch_norm(draw, 3), draw.normal(size=(5, 3))
    for begins, ends in (("train", "eval"), ("eval", "train")):
        gradients = []
        x = batch(draw, 5, 3)
        for names in (student, reference):
            layer = make(names)
            layer.forward(batch(np.random.default_rng(4), 6, 3))
            getattr(layer, begins)()
            layer.forward(x)
            getattr(layer, ends)()
            gradients.append(layer.backward(dout))
        agree(*gradients, what=f"dx after {ends}()", noise=1e-11)


@check("batch_norm", weight=2, hint=MEMORY)
def test_batch_norm_layers_remember_their_own_pass(student: Student, reference: Reference, draw: Draw) -> None:
    """Two layers, of which one runs twice, each go back along their own latest pass, with their own statistics."""
    makes = batch_norm(draw, 3), batch_norm(draw, 3)
    agree_over_two_passes(student, reference, makes, (batch(draw, 5, 3), batch(draw, 5, 3)), draw, ["dgamma", "dbeta"])
    (first, second), (right_first, right_second) = ([make(names) for make in makes] for names in (student, reference))
    x = batch(draw, 4, 3)
    for one in (first, right_first):
        one.forward(x)
    agree_statistics(second, right_second, "of a second layer")
    agree_statistics(first, right_first, "of the first layer")


@check("batch_norm", hint="forward and backward use `self.gamma` and `self.beta` as they are when they are called.")
def test_batch_norm_takes_new_parameters(student: Student, reference: Reference, draw: Draw) -> None:
    """The parameters are gamma and beta, in this order, and after set_params the new ones count."""
    make = batch_norm(draw, 3)
    ours, theirs = make(student), make(reference)
    for answer, wanted, name in zip(
        ours.params().unpack("gamma", "beta"), theirs.params(), ("gamma", "beta"), strict=True
    ):
        agree(answer, wanted, what=name)
        agree(ours.attribute(name), wanted, what=name)
    new, x, dout = [draw.normal(size=3), draw.normal(size=3)], batch(draw, 4, 3), draw.normal(size=(4, 3))
    for layer in (ours, theirs):
        layer.set_params(new)
    agree(ours.forward(x), theirs.forward(x), what="the outputs after set_params")
    agree(ours.backward(dout), theirs.backward(dout), what="dx after set_params", noise=1e-11)
    names = ("dgamma", "dbeta")
    for answer, wanted, name in zip(ours.grads().unpack(*names), theirs.grads(), names, strict=True):
        agree(answer, wanted, what=name)


@check(
    "batch_norm",
    hint="A batch of one is its own mean: x̂ is 0, and nothing else is special. Nothing depends on the dtype.",
)
def test_batch_norm_with_one_row_and_float32(student: Student, reference: Reference, draw: Draw) -> None:
    """A single example while learning, and float32, work there and back."""
    make, x, dout = batch_norm(draw, 4), batch(draw, 1, 4), draw.normal(size=(1, 4))
    agree_forward(student, reference, make, x)
    agree(passed(make(student), x, dout), np.zeros((1, 4)), what="dx of one example", noise=1e-9)
    for size in (1.0, LARGE):
        make, x = batch_norm(draw, 3, single=True, size=size), f32(batch(draw, 6, 3), size)
        agree_forward(student, reference, make, x, single=True)
        dout = f32(draw.normal(size=(6, 3)), size)
        agree_backward(student, reference, make, x, dout, ["dx", "dgamma", "dbeta"], single=True)


@check("batch_norm")
def test_batch_norm_leaves_what_it_is_given_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """A pass there and back is right in both modes, in float32 too, and changes nothing that was given."""
    for single in (False, True):
        dtype = np.float32 if single else np.float64
        make, x = batch_norm(draw, 3, single=single), batch(draw, 5, 3).astype(dtype)
        dout = draw.normal(size=(5, 3)).astype(dtype)
        agree_unchanged(student, reference, make, x, dout)
        layer, theirs = make(student), make(reference)
        layer.eval()
        theirs.eval()
        agree(layer.forward(x).unchanged(), theirs.forward(x), what="the outputs in use", single=single)
        agree(layer.backward(dout).unchanged(), theirs.backward(dout), what="dx in use", single=single)
        layer.unchanged()


# conv2d


def conv2d(
    draw: Draw, filters: tuple[int, int, int, int], *, single: bool = False, size: float = 1.0, **options: int
) -> Make:
    """A convolution with filters of this shape (F, C, K, L)."""
    W, b = size * draw.normal(size=filters), size * draw.normal(size=filters[0])
    if single:
        W, b = f32(W, 1.0), f32(b, 1.0)
    return lambda names: names.Conv2D(W, b, **options)


PLAIN: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((2, 3, 5, 6), (4, 2, 3)), ((3, 2, 7, 4), (5, 4, 1))]
"""Pictures (N, C, H, W), and filters (F, K, L): all sizes of a case differ where they could be taken for each other."""
STRIDED: list[tuple[tuple[int, ...], tuple[int, ...], int, int]] = [
    ((2, 3, 7, 5), (4, 3, 2), 2, 0),
    ((2, 3, 6, 8), (4, 3, 2), 2, 0),
    ((3, 2, 5, 8), (4, 3, 2), 3, 2),
    ((2, 3, 8, 6), (5, 1, 2), 3, 0),
    ((1, 2, 6, 5), (3, 3, 4), 1, 1),
    ((2, 1, 4, 5), (3, 2, 3), 2, 1),
    ((1, 2, 3, 4), (3, 2, 1), 104, 104),
]
"""Pictures, filters, strides and paddings: some leave rows and columns at the end that no filter covers."""


def filtered(draw: Draw, pictures: tuple[int, ...], filters: tuple[int, ...], **options: int) -> Make:
    """A convolution with filters (F, K, L) for pictures (N, C, H, W)."""
    count, high, wide = filters
    return conv2d(draw, (count, pictures[1], high, wide), **options)


@check(
    "conv2d",
    weight=3,
    hint="Out[n, f, i, j] = b[f] + Σ W[f]·(what it covers), over channels, rows and columns; no flip.",
)
def test_conv2d_outputs(student: Student, reference: Reference, draw: Draw) -> None:
    """The outputs with stride 1 and no padding."""
    for pictures, filters in PLAIN:
        agree_forward(student, reference, filtered(draw, pictures, filters), draw.normal(size=pictures))
    large = conv2d(draw, (4, 3, 2, 3), size=LARGE)
    agree_forward(student, reference, large, LARGE * draw.normal(size=(2, 3, 5, 6)))


@check(
    "conv2d",
    weight=3,
    hint="p zeros on each of the four sides; H' = ⌊(H + 2p − K)/s⌋ + 1, and the filter moves by s down and across.",
)
def test_conv2d_outputs_with_stride_and_padding(student: Student, reference: Reference, draw: Draw) -> None:
    """The outputs with other strides and paddings, where the last stride does not fit too."""
    for pictures, filters, stride, padding in STRIDED:
        make = filtered(draw, pictures, filters, stride=stride, padding=padding)
        agree_forward(student, reference, make, draw.normal(size=pictures))


@pytest.mark.parametrize("part", ["dx", "dW", "db"])
@check(
    "conv2d",
    weight=2,
    hint="dW gathers what each weight met, times dout; dx adds up W times dout where filters overlap; db sums dout.",
)
def test_conv2d_gradients(student: Student, reference: Reference, draw: Draw, part: str) -> None:
    """{part} with stride 1 and no padding, for a random upstream gradient."""
    for pictures, filters in PLAIN:
        make, x = filtered(draw, pictures, filters), draw.normal(size=pictures)
        dout = upstream(reference, make, x, draw)
        with telling(partial(of_the_convolution, student, reference, draw)):
            agree_backward(student, reference, make, x, dout, [part])
    agree_backward(student, reference, make, x, LARGE * dout, [part])


def of_the_convolution(student: Student, reference: Reference, draw: Draw) -> Halves:
    """Which half of the convolution is wrong."""

    def at() -> tuple[dict[str, np.ndarray], np.ndarray]:
        point = {"dx": draw.normal(size=(1, 2, 3, 4)), "dW": draw.normal(size=(3, 2, 2, 1)), "db": draw.normal(size=3)}
        return point, draw.normal(size=(1, 3, 2, 4))

    return of_layer(student, reference, "conv2d", lambda names, point: names.Conv2D(point["dW"], point["db"]), at)


@check("conv2d", weight=2, hint="Each gradient says how Σ dout·outputs changes when its array does.")
def test_conv2d_gradients_are_those_of_the_own_outputs(student: Student, reference: Reference, draw: Draw) -> None:
    """dx, dW and db say how your own outputs change with x, W and b."""
    make, x = conv2d(draw, (3, 2, 2, 1)), draw.normal(size=(1, 2, 3, 4))
    with telling(partial(of_the_convolution, student, reference, draw), credit=True):
        agree_backward(student, reference, make, x, upstream(reference, make, x, draw), ["dx", "dW", "db"])


@pytest.mark.parametrize("part", ["dx", "dW"])
@check(
    "conv2d",
    weight=2,
    hint="backward reads and adds to the very places that forward read, then cuts the padding off; what no filter "
    "covered has the gradient 0.",
)
def test_conv2d_gradients_with_stride_and_padding(
    student: Student, reference: Reference, draw: Draw, part: str
) -> None:
    """{part} with other strides and paddings, where the last stride does not fit too."""
    for pictures, filters, stride, padding in STRIDED:
        make, x = filtered(draw, pictures, filters, stride=stride, padding=padding), draw.normal(size=pictures)
        agree_backward(student, reference, make, x, upstream(reference, make, x, draw), [part, "db"])


@check("conv2d", hint="Nothing may depend on a size being larger than 1, and nothing on the dtype.")
def test_conv2d_of_small_sizes_and_float32(student: Student, reference: Reference, draw: Draw) -> None:
    """One picture, channel, filter or pixel, filters as large as the picture, and float32 work, there and back."""
    small: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((1, 3, 4, 5), (2, 2, 3)),
        ((3, 1, 5, 4), (2, 2, 3)),
        ((2, 3, 4, 5), (1, 3, 2)),
        ((2, 3, 4, 5), (4, 1, 1)),
        ((2, 3, 4, 5), (6, 4, 5)),
    ]
    for pictures, filters in small:
        make, x = filtered(draw, pictures, filters), draw.normal(size=pictures)
        agree_forward(student, reference, make, x)
        agree_backward(student, reference, make, x, upstream(reference, make, x, draw), ["dx", "dW", "db"])
    for size in (1.0, LARGE):
        make = conv2d(draw, (4, 3, 2, 3), single=True, size=size, stride=2, padding=1)
        x = f32(draw.normal(size=(2, 3, 5, 6)), size)
        agree_forward(student, reference, make, x, single=True)
        dout = f32(upstream(reference, make, x, draw), size)
        agree_backward(student, reference, make, x, dout, ["dx", "dW", "db"], single=True)


@check("conv2d", weight=2, hint=MEMORY)
def test_conv2d_layers_remember_their_own_pass(student: Student, reference: Reference, draw: Draw) -> None:
    """Two layers of other strides, of which one runs twice, each go back along their own latest pass, and again."""
    makes = conv2d(draw, (4, 3, 2, 3), stride=2, padding=1), conv2d(draw, (4, 3, 2, 3))
    xs = draw.normal(size=(2, 3, 5, 6)), draw.normal(size=(1, 3, 7, 8))
    agree_over_two_passes(student, reference, makes, xs, draw, ["dW", "db"])


@check("conv2d", hint="forward and backward use `self.W` and `self.b` as they are when they are called.")
def test_conv2d_takes_new_parameters(student: Student, reference: Reference, draw: Draw) -> None:
    """The parameters are W and b, in this order, and after set_params the new ones count."""
    make, x = conv2d(draw, (4, 3, 2, 1)), draw.normal(size=(2, 3, 5, 6))
    ours, theirs = make(student), make(reference)
    for answer, wanted, name in zip(ours.params().unpack("W", "b"), theirs.params(), ("W", "b"), strict=True):
        agree(answer, wanted, what=name)
        agree(ours.attribute(name), wanted, what=name)
    new = [draw.normal(size=(4, 3, 2, 1)), draw.normal(size=4)]
    for layer in (ours, theirs):
        layer.set_params(new)
    agree(ours.forward(x), theirs.forward(x), what="the outputs after set_params")
    dout = upstream(reference, make, x, draw)
    agree(ours.backward(dout), theirs.backward(dout), what="dx after set_params")
    for answer, wanted, name in zip(ours.grads().unpack("dW", "db"), theirs.grads(), ("dW", "db"), strict=True):
        agree(answer, wanted, what=name)


@check("conv2d")
def test_conv2d_leaves_what_it_is_given_alone(student: Student, reference: Reference, draw: Draw) -> None:
    """A pass there and back is right, without padding too, and changes nothing that was given."""
    for single, options in [(False, {}), (True, {"padding": 1}), (False, {"stride": 2})]:
        dtype = np.float32 if single else np.float64
        make, x = conv2d(draw, (2, 3, 3, 2), single=single, **options), draw.normal(size=(4, 3, 6, 5)).astype(dtype)
        agree_unchanged(student, reference, make, x, upstream(reference, make, x, draw).astype(dtype))
