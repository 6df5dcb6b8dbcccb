"""Layers as objects: what all have in common, and those that work on rows of numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def floats(array: npt.ArrayLike) -> Floats:
    """The array in float64; no copy where it is that already."""
    return np.asarray(array, dtype=np.float64)


class Layer:
    """Parameters by their names, and two modes.

    Attributes:
        names: The names of the parameters, in order; that of a gradient is ``d`` and the parameter's.
        training: Whether the layer is in the mode for learning.
    """

    names: tuple[str, ...] = ()

    def __init__(self, *values: npt.ArrayLike) -> None:
        """Take the parameters, in the order of their names."""
        self.training = True
        self.set_params(values)

    def forward(self, x: npt.ArrayLike) -> Floats:
        """The outputs; what ``backward`` needs is kept."""
        raise NotImplementedError

    def backward(self, dout: npt.ArrayLike) -> Floats:
        """The gradient at the inputs of the latest ``forward``; sets the gradients of the parameters."""
        raise NotImplementedError

    def params(self) -> list[Floats]:
        """The parameters, in the order of their names."""
        return [getattr(self, name) for name in self.names]

    def grads(self) -> list[Floats]:
        """The gradients that the latest ``backward`` has set, in the order of ``params``."""
        return [getattr(self, f"d{name}") for name in self.names]

    def set_params(self, values: Sequence[npt.ArrayLike]) -> None:
        """Take new parameters, in the order of ``params``."""
        for name, value in zip(self.names, values, strict=True):
            setattr(self, name, floats(value))

    def train(self) -> None:
        """Switch to the mode for learning."""
        self.training = True

    def eval(self) -> None:
        """Switch to the mode for use."""
        self.training = False


class Flatten(Layer):
    """Pictures ``(N, C, H, W)`` as rows ``(N, C·H·W)``."""

    def forward(self, x: npt.ArrayLike) -> Floats:
        """As ``Layer.forward``."""
        pictures = floats(x)
        self._shape = pictures.shape
        return pictures.reshape(len(pictures), -1)

    def backward(self, dout: npt.ArrayLike) -> Floats:
        """As ``Layer.backward``."""
        return floats(dout).reshape(self._shape)


class Linear(Layer):
    """The affine map x W + b from ``(N, D)`` to ``(N, M)``, with W ``(D, M)`` and b ``(M,)``."""

    names = ("W", "b")
    W: Floats
    b: Floats

    def __init__(self, W: npt.ArrayLike, b: npt.ArrayLike) -> None:
        """Take weights and biases."""
        super().__init__(W, b)

    def forward(self, x: npt.ArrayLike) -> Floats:
        """As ``Layer.forward``."""
        self._inputs = floats(x)
        return np.einsum("nd,dm->nm", self._inputs, self.W) + self.b

    def backward(self, dout: npt.ArrayLike) -> Floats:
        """As ``Layer.backward``; sets ``dW`` and ``db``."""
        upstream = floats(dout)
        self.dW = np.einsum("nd,nm->dm", self._inputs, upstream)
        self.db = np.einsum("nm->m", upstream)
        return np.einsum("nm,dm->nd", upstream, self.W)


class ReLU(Layer):
    """The rectifier max(x, 0) on arrays of any shape; its derivative at the kink is taken as 0."""

    def __init__(self) -> None:
        """There is nothing to take."""
        super().__init__()

    def forward(self, x: npt.ArrayLike) -> Floats:
        """As ``Layer.forward``."""
        self._slopes = np.heaviside(floats(x), 0.0)
        return floats(x) * self._slopes

    def backward(self, dout: npt.ArrayLike) -> Floats:
        """As ``Layer.backward``."""
        return floats(dout) * self._slopes


class Dropout(Layer):
    """Inverted dropout on arrays of any shape (Srivastava et al. 2014, section 10)."""

    def __init__(self, p: float, rng: np.random.Generator) -> None:
        """Take the probability with which an entry is dropped, and what draws ``rng.random(x.shape)``."""
        super().__init__()
        self.p, self.rng = p, rng

    def forward(self, x: npt.ArrayLike) -> Floats:
        """As ``Layer.forward``."""
        inputs = floats(x)
        self._factors = np.ones(inputs.shape)
        if self.training:
            dropped = self.rng.random(inputs.shape) < self.p
            self._factors = np.where(dropped, 0.0, 1.0 / (1.0 - self.p))
        return inputs * self._factors

    def backward(self, dout: npt.ArrayLike) -> Floats:
        """As ``Layer.backward``."""
        return floats(dout) * self._factors


class BatchNorm(Layer):
    """Batch normalisation of ``(N, D)`` (Ioffe & Szegedy 2015), with variances of 1/N throughout.

    Attributes:
        running_mean: Of shape ``(D,)``: each forward pass of learning replaces the share ``momentum`` of it.
        running_var: Likewise for the variance.
    """

    names = ("gamma", "beta")
    gamma: Floats
    beta: Floats

    def __init__(self, gamma: npt.ArrayLike, beta: npt.ArrayLike, momentum: float = 0.1, eps: float = 1e-5) -> None:
        """Take scale and shift ``(D,)``, the share, and what is added to the variance."""
        super().__init__(gamma, beta)
        self.momentum, self.eps = momentum, eps
        self.running_mean, self.running_var = np.zeros(self.gamma.shape), np.ones(self.gamma.shape)

    def forward(self, x: npt.ArrayLike) -> Floats:
        """As ``Layer.forward``."""
        inputs = floats(x)
        self._of_batch = self.training
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean = inputs.mean(axis=0)
            var = np.square(inputs - mean).mean(axis=0)
            self.running_mean = self.running_mean + self.momentum * (mean - self.running_mean)
            self.running_var = self.running_var + self.momentum * (var - self.running_var)
        self._inverse = (var + self.eps) ** -0.5
        self._normalised = (inputs - mean) * self._inverse
        return self._normalised * self.gamma + self.beta

    def backward(self, dout: npt.ArrayLike) -> Floats:
        """As ``Layer.backward``; sets ``dgamma`` and ``dbeta``.

        In the form of the paper's section 3: with the sums dβ and dγ, the gradient at x is
        γ (N·dout − dβ − x̂·dγ) / (N √(σ² + ε)).
        """
        upstream = floats(dout)
        self.dgamma = np.einsum("nd,nd->d", upstream, self._normalised)
        self.dbeta = np.einsum("nd->d", upstream)
        if not self._of_batch:
            return upstream * self.gamma * self._inverse
        n = len(upstream)
        return self.gamma * self._inverse / n * (n * upstream - self.dbeta - self._normalised * self.dgamma)
