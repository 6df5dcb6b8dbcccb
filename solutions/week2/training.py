"""Mini-batches and the training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from .layers import mlp_loss_and_grads
from .losses import Floats, Labels
from .optimizers import adam_step, momentum_step, rmsprop_step, sgd_step

State = tuple[Floats, ...]
Rule = Callable[[Floats, Floats, State, int, float], tuple[Floats, State]]


def minibatches(
    x: npt.NDArray[np.floating], y: Labels, batch_size: int, rng: np.random.Generator
) -> Iterator[tuple[npt.NDArray[np.floating], Labels]]:
    """One epoch in random order, batch by batch.

    Args:
        x: Inputs of shape ``(N, D)``.
        y: Labels of shape ``(N,)``.
        batch_size: The size of each batch; the last may be smaller.
        rng: Where the order comes from.

    Yields:
        Inputs and labels of one batch, every example exactly once.
    """
    order = rng.permutation(len(x))
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        yield x[chosen], y[chosen]


def _sgd(param: Floats, grad: Floats, _state: State, _t: int, lr: float) -> tuple[Floats, State]:
    return sgd_step(param, grad, lr), ()


def _momentum(param: Floats, grad: Floats, state: State, _t: int, lr: float) -> tuple[Floats, State]:
    new, velocity = momentum_step(param, grad, state[0], lr)
    return new, (velocity,)


def _rmsprop(param: Floats, grad: Floats, state: State, _t: int, lr: float) -> tuple[Floats, State]:
    new, sq_avg = rmsprop_step(param, grad, state[0], lr)
    return new, (sq_avg,)


def _adam(param: Floats, grad: Floats, state: State, t: int, lr: float) -> tuple[Floats, State]:
    new, m, v = adam_step(param, grad, state[0], state[1], t, lr)
    return new, (m, v)


_RULES: dict[str, tuple[Rule, int]] = {
    "sgd": (_sgd, 0),
    "momentum": (_momentum, 1),
    "rmsprop": (_rmsprop, 1),
    "adam": (_adam, 2),
}
"""Each optimiser's rule, and how many arrays of state it keeps for a parameter."""


def _initial(inputs: int, hidden_size: int, num_classes: int, rng: np.random.Generator) -> dict[str, Floats]:
    """Weights of variance 2 / fan-in (He, Zhang, Ren & Sun 2015, eq. 10), biases 0."""
    return {
        "W1": rng.normal(scale=np.sqrt(2.0 / inputs), size=(inputs, hidden_size)),
        "b1": np.zeros(hidden_size),
        "W2": rng.normal(scale=np.sqrt(2.0 / hidden_size), size=(hidden_size, num_classes)),
        "b2": np.zeros(num_classes),
    }


def train(
    x: npt.NDArray[np.floating],
    y: Labels,
    hidden_size: int,
    num_classes: int,
    epochs: int = 50,
    batch_size: int = 32,
    lr: float = 1e-2,
    optimizer: str = "adam",
    seed: int = 0,
) -> tuple[dict[str, Floats], list[float]]:
    """Train the network of ``mlp_loss_and_grads`` with mini-batches.

    Args:
        x: Inputs of shape ``(N, D)``.
        y: Labels of shape ``(N,)``.
        hidden_size: The number of hidden units, H.
        num_classes: The number of classes, C.
        epochs: Passes over the data.
        batch_size: Examples a step.
        lr: The learning rate.
        optimizer: ``"sgd"``, ``"momentum"``, ``"rmsprop"`` or ``"adam"``, each with its default settings.
        seed: What the first weights and the order of the examples come from.

    Returns:
        The parameters, and the mean loss over the examples of each epoch.

    Raises:
        ValueError: For another optimiser.
    """
    if optimizer not in _RULES:
        raise ValueError(f"optimizer is {optimizer!r}; it must be one of {', '.join(_RULES)}")
    rule, arrays = _RULES[optimizer]
    rng = np.random.default_rng(seed)
    params = _initial(x.shape[1], hidden_size, num_classes, rng)
    state: dict[str, State] = {key: (np.zeros_like(param),) * arrays for key, param in params.items()}
    history: list[float] = []
    t = 0
    for _ in range(epochs):
        total = 0.0
        for xb, yb in minibatches(x, y, batch_size, rng):
            t += 1
            loss, grads = mlp_loss_and_grads(params, xb, yb)
            total += loss * len(xb)
            for key, grad in grads.items():
                params[key], state[key] = rule(params[key], grad, state[key], t, lr)
        history.append(total / len(x))
    return params, history
