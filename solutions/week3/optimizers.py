"""Optimisers that remember: a list of parameters and a list of gradients → the list of the new parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .layers import Floats, floats

Arrays = Sequence[npt.ArrayLike]


class Momentum:
    """Gradient descent with momentum (Polyak 1964), in the form v ← βv + g, θ ← θ − ηv."""

    def __init__(self, lr: float, beta: float = 0.9) -> None:
        """Take the learning rate, and how much of the velocity is kept."""
        self.lr, self.beta = lr, beta
        self._velocities: dict[int, Floats] = {}

    def step(self, params: Arrays, grads: Arrays) -> list[Floats]:
        """The new parameters; the velocities are remembered by the parameters' places."""
        new = []
        for place, (param, grad) in enumerate(zip(params, grads, strict=True)):
            gradient = floats(grad)
            self._velocities[place] = self.beta * self._velocities.get(place, np.zeros(gradient.shape)) + gradient
            new.append(floats(param) - self.lr * self._velocities[place])
        return new


class Adam:
    """Adam, as algorithm 1 of Kingma & Ba (2015)."""

    def __init__(self, lr: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> None:
        """Take the learning rate, how much of the moments is kept, and what is added to the root."""
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self._steps = 0
        self._moments: dict[int, tuple[Floats, Floats]] = {}

    def step(self, params: Arrays, grads: Arrays) -> list[Floats]:
        """The new parameters; the moments are remembered by the parameters' places, and the step is counted."""
        self._steps += 1
        new = []
        for place, (param, grad) in enumerate(zip(params, grads, strict=True)):
            gradient = floats(grad)
            zeros = np.zeros(gradient.shape)
            first, second = self._moments.get(place, (zeros, zeros))
            first = self.beta1 * first + (1 - self.beta1) * gradient
            second = self.beta2 * second + (1 - self.beta2) * np.square(gradient)
            self._moments[place] = first, second
            corrected = first / (1 - self.beta1**self._steps)
            root = np.sqrt(second / (1 - self.beta2**self._steps))
            new.append(floats(param) - self.lr * corrected / (root + self.eps))
        return new
