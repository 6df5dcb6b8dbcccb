"""Makes each run of the same code give the same: sets random state, and fills memory that is never written to.

The hash seed and the number of threads are set in the environment, before Python starts. What code asks the system
for (``os.urandom``, a generator without a seed, the time) stays what it is, and so do addresses (``id``).
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import Any

import numpy as np

# Bound while nobody has changed the module's names.
_seed, _state, _set_state = random.seed, random.getstate, random.setstate


def seed(number: int) -> None:
    """Start ``random`` and ``numpy.random`` from this seed, 0 ≤ number < 2**63."""
    _seed(number)
    np.random.seed([number & 0xFFFF_FFFF, number >> 32])


def keep_random_state() -> Callable[[], None]:
    """A function that gives ``random`` back the state that it has now: Python sets a new one in each fork."""
    state = _state()
    return lambda: _set_state(state)


def fill_empty_arrays() -> None:
    """Have ``numpy.empty`` and ``numpy.empty_like`` give NaN, and the largest integer, for what is never written to.

    Otherwise an answer that reads such an entry would be right in one run, by luck, and wrong in the next.
    """
    for name in ("empty", "empty_like"):
        setattr(np, name, _filled(getattr(np, name)))


def _filled(make: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(make)
    def made(*arguments: Any, **keywords: Any) -> Any:
        array = make(*arguments, **keywords)
        if type(array) is np.ndarray:
            if array.dtype.kind in "fc":
                array.fill(np.nan)
            elif array.dtype.kind in "iu":
                array.fill(np.iinfo(array.dtype).max)
            elif array.dtype.kind == "b":
                array.fill(True)
        return array

    return made
