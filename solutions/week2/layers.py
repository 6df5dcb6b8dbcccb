"""The layers of a two-layer network, forward and backward.

Backpropagation as in Rumelhart, Hinton & Williams, *Learning representations by back-propagating errors*
(1986), in the matrix form of Goodfellow, Bengio & Courville, *Deep Learning* (2016), section 6.5.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from .losses import Floats, softmax_cross_entropy


def linear_forward(x: npt.ArrayLike, W: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Floats, tuple[Floats, Floats]]:
    """The affine map x W + b.

    Args:
        x: Inputs of shape ``(N, D)``.
        W: Weights of shape ``(D, H)``.
        b: Biases of shape ``(H,)``.

    Returns:
        Outputs of shape ``(N, H)``, and what ``linear_backward`` needs.
    """
    inputs, weights, biases = (np.asarray(a, dtype=np.float64) for a in (x, W, b))
    return inputs @ weights + biases, (inputs, weights)


def linear_backward(dout: npt.ArrayLike, cache: tuple[Floats, Floats]) -> tuple[Floats, Floats, Floats]:
    """The gradients of a scalar through x W + b.

    Args:
        dout: Its gradient with respect to the outputs, of shape ``(N, H)``.
        cache: From ``linear_forward``.

    Returns:
        Its gradients with respect to x ``(N, D)``, W ``(D, H)`` and b ``(H,)``.
    """
    upstream = np.asarray(dout, dtype=np.float64)
    inputs, weights = cache
    return upstream @ weights.T, inputs.T @ upstream, upstream.sum(axis=0)


def relu_forward(x: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The rectifier max(x, 0), entry by entry.

    Args:
        x: Of any shape.

    Returns:
        The outputs of the same shape, and what ``relu_backward`` needs.
    """
    inputs = np.asarray(x, dtype=np.float64)
    return np.maximum(inputs, 0.0), inputs


def relu_backward(dout: npt.ArrayLike, cache: Floats) -> Floats:
    """The gradient of a scalar through the rectifier, taken as 0 at the kink.

    Args:
        dout: Its gradient with respect to the outputs.
        cache: From ``relu_forward``.

    Returns:
        Its gradient with respect to x: ``dout`` where x > 0, and 0 where x ≤ 0.
    """
    return np.where(cache > 0, np.asarray(dout, dtype=np.float64), 0.0)


def mlp_loss_and_grads(
    params: Mapping[str, npt.ArrayLike], x: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[float, dict[str, Floats]]:
    """The loss of a two-layer network (linear, ReLU, linear, softmax cross-entropy) and its gradients.

    Args:
        params: ``W1`` ``(D, H)``, ``b1`` ``(H,)``, ``W2`` ``(H, C)``, ``b2`` ``(C,)``.
        x: Inputs of shape ``(N, D)``.
        labels: Integers of shape ``(N,)`` in [0, C).

    Returns:
        The mean loss over the batch, and its gradients by the same keys and in the same shapes as ``params``.
    """
    before, first = linear_forward(x, params["W1"], params["b1"])
    hidden, rectifier = relu_forward(before)
    logits, second = linear_forward(hidden, params["W2"], params["b2"])
    loss, dlogits = softmax_cross_entropy(logits, labels)
    dhidden, dW2, db2 = linear_backward(dlogits, second)
    _, dW1, db1 = linear_backward(relu_backward(dhidden, rectifier), first)
    return loss, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
