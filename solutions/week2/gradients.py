"""Every gradient that the reference gives, for ``autograder release`` to prove by finite differences.

The points have as many rows as no other axis has entries, one row, two classes and large logits among them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autograder.proving import Claim

from .layers import linear_backward, linear_forward, mlp_loss_and_grads, relu_backward, relu_forward
from .losses import Floats, softmax_cross_entropy


def gradients(draw: np.random.Generator) -> Iterator[Claim]:
    """The claims at one random point each.

    Args:
        draw: Draws the point and the upstream gradient.
    """
    n, d, h, c = draw.choice([1, 3, 5, 7]), draw.choice([2, 4, 6]), draw.choice([3, 8]), draw.choice([2, 9, 10])
    yield from _of_the_loss(draw, int(n), int(c))
    yield from _of_the_linear_layer(draw, int(n), int(d), int(h))
    yield from _of_the_rectifier(draw, (int(n), int(h)))
    yield from _of_the_network(draw, int(n), int(d), int(h), int(c))


def _of_the_loss(draw: np.random.Generator, n: int, c: int) -> Iterator[Claim]:
    logits = draw.normal(size=(n, c)) * draw.choice([0.1, 1.0, 5.0])
    labels = draw.integers(c, size=n)
    yield Claim(
        "softmax_cross_entropy: dlogits",
        lambda z: softmax_cross_entropy(z, labels)[0],
        logits,
        softmax_cross_entropy(logits, labels)[1],
    )


def _of_the_linear_layer(draw: np.random.Generator, n: int, d: int, h: int) -> Iterator[Claim]:
    at = {"dx": draw.normal(size=(n, d)), "dW": draw.normal(size=(d, h)), "db": draw.normal(size=h)}
    upstream = draw.normal(size=(n, h))

    def loss(name: str, value: Floats) -> float:
        x, W, b = (at | {name: value}).values()
        return float(np.sum(linear_forward(x, W, b)[0] * upstream))

    answers = linear_backward(upstream, linear_forward(*at.values())[1])
    for name, answer in zip(at, answers, strict=True):
        yield Claim(f"linear_backward: {name}", lambda value, name=name: loss(name, value), at[name], answer)


def _of_the_rectifier(draw: np.random.Generator, shape: tuple[int, ...]) -> Iterator[Claim]:
    x, upstream = draw.normal(size=shape), draw.normal(size=shape)
    yield Claim(
        "relu_backward: dx",
        lambda value: float(np.sum(relu_forward(value)[0] * upstream)),
        x,
        relu_backward(upstream, relu_forward(x)[1]),
    )


def _of_the_network(draw: np.random.Generator, n: int, d: int, h: int, c: int) -> Iterator[Claim]:
    shapes = {"W1": (d, h), "b1": (h,), "W2": (h, c), "b2": (c,)}
    params = {key: draw.normal(size=shape) for key, shape in shapes.items()}
    x, labels = draw.normal(size=(n, d)), draw.integers(c, size=n)
    _, grads = mlp_loss_and_grads(params, x, labels)
    for key in shapes:
        yield Claim(
            f"mlp_loss_and_grads: {key}",
            lambda value, key=key: mlp_loss_and_grads(params | {key: value}, x, labels)[0],
            params[key],
            grads[key],
        )
