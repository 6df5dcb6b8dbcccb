"""Every gradient that the reference gives, for ``autograder release`` to prove by finite differences.

The points have as many rows as no other axis has entries, one row, strides that leave pixels over, and both modes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import numpy as np

from autograder.proving import Claim

from .convolution import Conv2D
from .layers import BatchNorm, Dropout, Floats, Layer, Linear, ReLU
from .networks import Sequential, softmax_cross_entropy


def gradients(draw: np.random.Generator) -> Iterator[Claim]:
    """The claims at one random point each.

    Args:
        draw: Draws the point and the upstream gradient.
    """
    n, d, m = int(draw.choice([1, 3, 5])), int(draw.choice([2, 4])), int(draw.choice([3, 6]))
    W, b, gamma, beta = (draw.normal(size=size) for size in [(d, m), m, d, d])
    seed = int(draw.integers(2**32))
    yield from _of_layer("Linear", lambda: Linear(W, b), draw.normal(size=(n, d)), draw)
    yield from _of_layer("ReLU", ReLU, draw.normal(size=(2, n, d)), draw)
    yield from _of_layer("Dropout", lambda: Dropout(0.4, np.random.default_rng(seed)), draw.normal(size=(n, d)), draw)
    yield from _of_layer("BatchNorm", lambda: BatchNorm(gamma, beta), draw.normal(size=(n + 2, d)), draw)
    yield from _of_layer("BatchNorm in use", lambda: _in_use(gamma, beta, seed), draw.normal(size=(n, d)), draw)
    yield from _of_convolution(draw)
    yield from _of_network(draw, n + 2, d, m)


def _in_use(gamma: Floats, beta: Floats, seed: int) -> BatchNorm:
    layer = BatchNorm(gamma, beta, momentum=0.5)
    layer.forward(np.random.default_rng(seed).normal(2.0, 3.0, size=(6, len(gamma))))
    layer.eval()
    return layer


def _of_layer(name: str, make: Callable[[], Layer], x: Floats, draw: np.random.Generator) -> Iterator[Claim]:
    """The gradients of Σ upstream · outputs, at the inputs and at each parameter."""
    layer = make()
    upstream = draw.normal(size=layer.forward(x).shape)
    dx = layer.backward(upstream)

    def loss(value: Floats, place: int | None) -> float:
        # A new layer each time: what it draws and what it keeps start from the same state.
        fresh = make()
        if place is not None:
            values = fresh.params()
            fresh.set_params([*values[:place], value, *values[place + 1 :]])
        return float(np.sum(upstream * fresh.forward(value if place is None else x)))

    yield Claim(f"{name}: dx", lambda value: loss(value, None), x, dx)
    for place, at, answer in zip(count(), layer.params(), layer.grads(), strict=False):
        yield Claim(f"{name}: d{layer.names[place]}", lambda value, place=place: loss(value, place), at, answer)


def _of_convolution(draw: np.random.Generator) -> Iterator[Claim]:
    filters, biases = draw.normal(size=(3, 2, 2, 3)), draw.normal(size=3)
    stride, padding = (int(each) for each in draw.choice([(1, 0), (2, 1), (2, 0), (3, 2)]))
    pictures = draw.normal(size=(int(draw.choice([1, 4])), 2, 5, 6))
    yield from _of_layer("Conv2D", lambda: Conv2D(filters, biases, stride, padding), pictures, draw)


def _of_network(draw: np.random.Generator, n: int, d: int, m: int) -> Iterator[Claim]:
    """The gradients of the loss itself, through a network within a network."""
    x, labels = draw.normal(size=(n, d)), draw.integers(2, size=n)
    values = [draw.normal(size=size) for size in [(d, m), m, m, m, (m, 2), 2]]

    def made(arrays: list[Floats]) -> Sequential:
        W1, b1, gamma, beta, W2, b2 = arrays
        return Sequential([Linear(W1, b1), Sequential([BatchNorm(gamma, beta), ReLU()]), Linear(W2, b2)])

    model = made(values)
    dlogits = softmax_cross_entropy(model.forward(x), labels)[1]
    model.backward(dlogits)

    def loss(value: Floats, place: int) -> float:
        return softmax_cross_entropy(made([*values[:place], value, *values[place + 1 :]]).forward(x), labels)[0]

    for place, (at, answer) in enumerate(zip(values, model.grads(), strict=True)):
        if place != 1:  # the biases before a normalisation have the gradient 0, of which round-off is all
            yield Claim(f"Sequential: parameter {place}", lambda value, place=place: loss(value, place), at, answer)
