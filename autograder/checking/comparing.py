"""An answer compared with the reference, or with what a check worked out itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from autograder.base import Wrong
from autograder.checking.answers import Answer, Function
from autograder.checking.numerics import cause_of, compare, tolerances
from autograder.checking.observing import Compared, Parts, tell
from autograder.checking.reference import ReferenceFunction, is_single


def matches(
    function: Function,
    reference: ReferenceFunction,
    *arguments: Any,
    parts: Parts | None = None,
    **keywords: Any,
) -> Answer:
    """Call a student's function and the reference on the same inputs, and compare by what the latter returns.

    An entry may be off by a relative 1e-6 (1e-4 where an input is float32), by what one unit in the last place of the
    inputs changes in the reference, and by a floor that is 1e-12 (1e-6) of the array's largest magnitude.

    Args:
        function: The student's, as ``student.softmax``.
        reference: The reference's, as ``reference.softmax``.
        arguments: Plain data for both.
        parts: Names of the parts of a tuple, for messages; None for a part that is not looked at, such as a cache.
        keywords: As ``arguments``.

    Returns:
        The student's answer.

    Raises:
        Wrong: It differs; or ``Stopped``, where there is no answer.
    """
    answer = function(*arguments, **keywords)
    desired, noise = reference.reference.expected(reference.name, arguments, keywords)
    single = is_single((arguments, keywords))
    tell(Compared(answer, desired, noise, single, parts=parts))
    _match(answer, desired, noise, single, parts)
    return answer


def agree(
    answer: Answer | npt.ArrayLike,
    desired: npt.ArrayLike,
    *,
    what: str = "",
    noise: npt.ArrayLike = 0.0,
    single: bool = False,
) -> None:
    """Compare one array or number with what the check computed itself.

    Args:
        answer: The student's.
        desired: What it should be; its shape is the shape that is asked for.
        what: What to call it in messages; an answer's own label where empty.
        noise: An absolute allowance for each entry, beside the relative one.
        single: Whether float32 accuracy is enough.

    Raises:
        Wrong: It differs.
    """
    tell(Compared(answer, desired, noise, single, what))
    _agree(answer, desired, what=what, noise=noise, single=single)


def _agree(
    answer: Answer | npt.ArrayLike,
    desired: npt.ArrayLike,
    *,
    what: str = "",
    noise: npt.ArrayLike = 0.0,
    single: bool = False,
) -> None:
    wanted = np.asarray(desired, dtype=np.float64)
    if isinstance(answer, Answer):
        named = answer.named(f"`{what}`") if what else answer
        actual = np.asarray(named.scalar()) if wanted.shape == () else named.array(wanted.shape)
        label = named.label
    else:
        actual, label = np.asarray(answer), f"`{what}`"
    relative, floor = tolerances(single)
    comparison = compare(actual, wanted, relative=relative, noise=noise, floor=floor)
    if not comparison.ok:
        raise Wrong(cause_of(comparison, label))


def right(answer: Answer, desired: npt.ArrayLike) -> bool:
    """Whether ``agree`` would pass: for a check that goes on with what is wrong."""
    try:
        agree(answer, desired)
    except Wrong:
        return False
    return True


def _match(answer: Answer, desired: Any, noise: Any, single: bool, parts: Parts | None = None) -> None:
    if isinstance(desired, tuple):
        names: Parts = parts or tuple(f"value {index}" for index in range(len(desired)))
        pieces = answer.unpack(*(name or "…" for name in names))
        for name, piece, wanted, slack in zip(names, pieces, desired, noise, strict=True):
            if name is not None:
                _match(piece, wanted, slack, single)
    elif isinstance(desired, Mapping):
        entries = answer.entries(*desired)
        for key, wanted in desired.items():
            _match(entries[key], wanted, noise[key], single)
    else:
        _agree(answer, desired, noise=noise, single=single)
