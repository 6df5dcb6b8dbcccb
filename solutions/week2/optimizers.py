"""One step of each optimiser: from parameters and state to new ones, for arrays of any shape."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .losses import Floats


def _float64(*arrays: npt.ArrayLike) -> tuple[Floats, ...]:
    return tuple(np.asarray(array, dtype=np.float64) for array in arrays)


def sgd_step(param: npt.ArrayLike, grad: npt.ArrayLike, lr: float) -> Floats:
    """Gradient descent (Robbins & Monro 1951): θ ← θ − lr·g.

    Args:
        param: θ, of any shape.
        grad: The gradient g, of the same shape.
        lr: The learning rate.

    Returns:
        The new parameter.
    """
    theta, g = _float64(param, grad)
    return np.asarray(theta - lr * g)


def momentum_step(
    param: npt.ArrayLike, grad: npt.ArrayLike, velocity: npt.ArrayLike, lr: float, beta: float = 0.9
) -> tuple[Floats, Floats]:
    """The heavy ball (Polyak 1964) with the gradient undamped, as in PyTorch: u ← β·u + g, θ ← θ − lr·u.

    Args:
        param: θ, of any shape.
        grad: The gradient g, of the same shape.
        velocity: u, of the same shape, zeros at the start.
        lr: The learning rate.
        beta: The share of the velocity that is kept.

    Returns:
        The new parameter and the new velocity.
    """
    theta, g, u = _float64(param, grad, velocity)
    u = np.asarray(beta * u + g)
    return np.asarray(theta - lr * u), u


def rmsprop_step(
    param: npt.ArrayLike,
    grad: npt.ArrayLike,
    sq_avg: npt.ArrayLike,
    lr: float,
    rho: float = 0.9,
    eps: float = 1e-8,
) -> tuple[Floats, Floats]:
    """RMSProp (Tieleman & Hinton 2012, lecture 6e): s ← ρ·s + (1 − ρ)·g², θ ← θ − lr·g / (√s + ε).

    Args:
        param: θ, of any shape.
        grad: The gradient g, of the same shape.
        sq_avg: s, the running mean of squared gradients, zeros at the start.
        lr: The learning rate.
        rho: The share of the running mean that is kept.
        eps: Added to the root.

    Returns:
        The new parameter and the new running mean.
    """
    theta, g, s = _float64(param, grad, sq_avg)
    s = np.asarray(rho * s + (1.0 - rho) * np.square(g))
    return np.asarray(theta - lr * g / (np.sqrt(s) + eps)), s


def adam_step(
    param: npt.ArrayLike,
    grad: npt.ArrayLike,
    m: npt.ArrayLike,
    v: npt.ArrayLike,
    t: int,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> tuple[Floats, Floats, Floats]:
    """Adam (Kingma & Ba 2015, algorithm 1).

    The moments are m ← β₁·m + (1 − β₁)·g and v ← β₂·v + (1 − β₂)·g²; corrected for their start at zero,
    θ ← θ − lr·(m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε).

    Args:
        param: θ, of any shape.
        grad: The gradient g, of the same shape.
        m: The first moment, zeros at the start.
        v: The second moment, zeros at the start.
        t: The number of this step, counted from 1.
        lr: The learning rate.
        beta1: The share of the first moment that is kept.
        beta2: The share of the second moment that is kept.
        eps: Added to the root.

    Returns:
        The new parameter, first moment and second moment (the moments as they are, not corrected).
    """
    theta, g, first, second = _float64(param, grad, m, v)
    first = np.asarray(beta1 * first + (1.0 - beta1) * g)
    second = np.asarray(beta2 * second + (1.0 - beta2) * np.square(g))
    # 1 − βᵗ without the cancellation that β near 1 brings.
    corrected_first = first / -np.expm1(t * np.log(beta1)) if beta1 > 0 else first
    corrected_second = second / -np.expm1(t * np.log(beta2)) if beta2 > 0 else second
    return np.asarray(theta - lr * corrected_first / (np.sqrt(corrected_second) + eps)), first, second
