"""Learning-rate schedules: the rate as a function of the epoch or the step."""

from __future__ import annotations

import math


def step_decay(lr0: float, epoch: int, factor: float = 0.5, every: int = 10) -> float:
    """The rate falls in stairs: lr0·factor^⌊epoch/every⌋.

    Args:
        lr0: The rate at epoch 0.
        epoch: The number of epochs done.
        factor: What the rate is multiplied by at each stair.
        every: The epochs from one stair to the next.

    Returns:
        The rate for this epoch.
    """
    return float(lr0 * factor ** (epoch // every))


def exponential_decay(lr0: float, epoch: int, rate: float) -> float:
    """The rate falls smoothly: lr0·e^(−rate·epoch).

    Args:
        lr0: The rate at epoch 0.
        epoch: The number of epochs done.
        rate: How fast it falls, per epoch.

    Returns:
        The rate for this epoch.
    """
    return float(lr0 * math.exp(-rate * epoch))


def cosine_decay(lr0: float, step: int, total_steps: int, lr_min: float = 0.0) -> float:
    """The rate follows half a cosine (Loshchilov & Hutter 2017, eq. 5, without restarts).

    Args:
        lr0: The rate at step 0.
        step: The number of steps done.
        total_steps: The step from which the rate stays at ``lr_min``.
        lr_min: The rate at the end.

    Returns:
        The rate for this step.
    """
    if step >= total_steps:
        return float(lr_min)
    return float(lr_min + (lr0 - lr_min) * (1.0 + math.cos(math.pi * step / total_steps)) / 2.0)
