"""Layers in a row, and the loop that trains them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import chain
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from .layers import Floats, Layer, floats
from .optimizers import Arrays


class Optimizer(Protocol):
    """What makes new parameters of old ones and their gradients."""

    def step(self, params: Arrays, grads: Arrays) -> list[Floats]:
        """The new parameters."""


class Sequential(Layer):
    """Layers in a row; a layer itself."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        """Take the layers, the first one first."""
        self.training = True
        self.layers = tuple(layers)

    def forward(self, x: npt.ArrayLike) -> Floats:
        """As ``Layer.forward``."""
        return reduce(lambda inputs, layer: layer.forward(inputs), self.layers, floats(x))

    def backward(self, dout: npt.ArrayLike) -> Floats:
        """As ``Layer.backward``, through the layers in reverse."""
        return reduce(lambda upstream, layer: layer.backward(upstream), self.layers[::-1], floats(dout))

    def params(self) -> list[Floats]:
        """The parameters of all layers, in order."""
        return [*chain.from_iterable(layer.params() for layer in self.layers)]

    def grads(self) -> list[Floats]:
        """The gradients of all layers, in the order of ``params``."""
        return [*chain.from_iterable(layer.grads() for layer in self.layers)]

    def set_params(self, values: Sequence[npt.ArrayLike]) -> None:
        """Hand each layer as many of the values as it has parameters."""
        left = list(values)
        for layer in self.layers:
            count = len(layer.params())
            layer.set_params(left[:count])
            del left[:count]

    def train(self) -> None:
        """Switch all layers to the mode for learning."""
        super().train()
        for layer in self.layers:
            layer.train()

    def eval(self) -> None:
        """Switch all layers to the mode for use."""
        super().eval()
        for layer in self.layers:
            layer.eval()


def softmax_cross_entropy(logits: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[float, Floats]:
    """The mean loss of logits ``(N, C)`` with integer labels ``(N,)``, and its gradient at the logits."""
    log_probs = log_softmax(floats(logits), axis=1)
    hot = np.eye(log_probs.shape[1])[np.asarray(labels)]
    return float(-np.sum(hot * log_probs) / len(hot)), (np.exp(log_probs) - hot) / len(hot)


def train_step(model: Layer, optimizer: Optimizer, x: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """One step of learning.

    Args:
        model: The network, whose parameters are replaced.
        optimizer: Makes the new parameters.
        x: The inputs of a batch.
        labels: Integers of shape ``(N,)``.

    Returns:
        The mean loss of the batch before the update.
    """
    model.train()
    loss, dlogits = softmax_cross_entropy(model.forward(x), labels)
    model.backward(dlogits)
    model.set_params(optimizer.step(model.params(), model.grads()))
    return loss


def fit(
    model: Layer,
    optimizer: Optimizer,
    x: npt.ArrayLike,
    labels: npt.ArrayLike,
    epochs: int,
    batch_size: int,
    rng: np.random.Generator,
) -> list[float]:
    """Train a network on mini-batches, and leave it in the mode for use.

    Args:
        model: The network, whose parameters are replaced.
        optimizer: Makes the new parameters of each step.
        x: Inputs, an example a row.
        labels: Integers of shape ``(N,)``.
        epochs: How many times to go through the data.
        batch_size: Examples in a batch; the last one may be smaller.
        rng: Draws ``rng.permutation(N)`` once in each epoch.

    Returns:
        The mean loss of each epoch, over its examples.
    """
    inputs, targets = np.asarray(x), np.asarray(labels)
    history = []
    for _ in range(epochs):
        batches = np.split(rng.permutation(len(inputs)), range(batch_size, len(inputs), batch_size))
        losses = [train_step(model, optimizer, inputs[batch], targets[batch]) for batch in batches]
        history.append(float(np.average(losses, weights=[len(batch) for batch in batches])))
    model.eval()
    return history
