"""Softmax and the cross-entropies.

As in Bishop, *Pattern Recognition and Machine Learning* (2006), section 4.3.4: softmax is eq. 4.104, its
cross-entropy eq. 4.108, and its gradient with respect to the logits the factor p − y of eq. 4.109.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

_SMALLEST = np.finfo(np.float64).tiny
"""Stands in for a probability of exactly 0, so that its logarithm is finite (about −708)."""


def softmax(logits: npt.ArrayLike) -> Floats:
    """Class probabilities, exp(z) / Σ exp(z) along the last axis.

    Args:
        logits: Of shape ``(C,)`` or ``(N, C)``.

    Returns:
        Probabilities of the same shape; each row adds up to 1.
    """
    exponentials = np.exp(_from_the_largest(logits))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def log_softmax(logits: npt.ArrayLike) -> Floats:
    """Logarithms of the class probabilities, z − log Σ exp(z) along the last axis.

    Args:
        logits: Of shape ``(C,)`` or ``(N, C)``.

    Returns:
        Log-probabilities of the same shape, exact for logits of any size.
    """
    shifted = _from_the_largest(logits)
    return shifted - np.logaddexp.reduce(shifted, axis=-1, keepdims=True)


def _from_the_largest(logits: npt.ArrayLike) -> Floats:
    """The logits less the largest of each row, which changes no probability and lets no exponential overflow."""
    z = np.asarray(logits, dtype=np.float64)
    return z - z.max(axis=-1, keepdims=True)


def one_hot(labels: npt.ArrayLike, num_classes: int) -> Floats:
    """Labels as rows with a single 1.

    Args:
        labels: Integers of shape ``(N,)`` in [0, num_classes).
        num_classes: The number of classes, C.

    Returns:
        An array of shape ``(N, C)`` of 0.0 and 1.0.
    """
    return np.asarray(np.asarray(labels)[:, np.newaxis] == np.arange(num_classes), dtype=np.float64)


def cross_entropy(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """The mean over the batch of −Σ_c y_c log p_c.

    Args:
        probs: Probabilities of shape ``(N, C)``.
        targets: One-hot or soft targets of shape ``(N, C)``.

    Returns:
        The loss; finite also where a probability is exactly 0.
    """
    p = np.maximum(np.asarray(probs, dtype=np.float64), _SMALLEST)
    losses = -(np.asarray(targets, dtype=np.float64) * np.log(p)).sum(axis=1)
    return float(losses.mean())


def sparse_cross_entropy(probs: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """The mean over the batch of −log p_y, the cross-entropy for integer labels.

    Args:
        probs: Probabilities of shape ``(N, C)``.
        labels: Integers of shape ``(N,)`` in [0, C).

    Returns:
        The loss; finite also where a probability is exactly 0.
    """
    p = np.asarray(probs, dtype=np.float64)
    of_the_truth = np.take_along_axis(p, np.asarray(labels)[:, np.newaxis], axis=1)
    return float(-np.log(np.maximum(of_the_truth, _SMALLEST)).mean())


def softmax_cross_entropy(logits: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[float, Floats]:
    """The cross-entropy of softmax(logits) and its gradient with respect to the logits.

    Args:
        logits: Of shape ``(N, C)``.
        labels: Integers of shape ``(N,)`` in [0, C).

    Returns:
        The mean loss, and its gradient (p − y) / N of shape ``(N, C)``.
    """
    z = np.asarray(logits, dtype=np.float64)
    classes = np.asarray(labels)
    of_the_truth = np.take_along_axis(z, classes[:, np.newaxis], axis=1)[:, 0]
    loss = float((np.logaddexp.reduce(z, axis=1) - of_the_truth).mean())
    return loss, (softmax(z) - one_hot(classes, z.shape[1])) / z.shape[0]
