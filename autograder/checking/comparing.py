"""An answer compared with the reference, or with what a check worked out itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from autograder.base import Cause, Stopped, Wrong
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
    single = is_single((arguments, keywords))
    try:
        answer = function(*arguments, **keywords)
        desired, noise = reference.reference.expected(reference.name, arguments, keywords)
        tell(Compared(answer, desired, noise, single, parts=parts))
        _match(answer, desired, noise, single, parts)
    except Wrong as error:
        error.look_into = partial(_swapped, error.cause, function, reference, arguments, keywords, parts)
        raise
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
        looked_at = [at for at, name in enumerate(names) if name is not None]
        _match_all([(pieces[at], desired[at], noise[at]) for at in looked_at], single)
    elif isinstance(desired, Mapping):
        entries = answer.entries(*desired)
        _match_all([(entries[key], wanted, noise[key]) for key, wanted in desired.items()], single)
    else:
        _agree(answer, desired, noise=noise, single=single)


def _match_all(parts: Sequence[tuple[Answer, Any, Any]], single: bool) -> None:
    """Compare parts of an answer; of those that are wrong, the one is told that says most, and of equals the first."""
    found: list[Wrong] = []
    for piece, wanted, slack in parts:
        try:
            _match(piece, wanted, slack, single)
        except Wrong as error:
            found.append(error)
    if found:
        raise min(found, key=lambda error: _says_little(error.cause))


def _says_little(cause: Cause) -> int:
    """How little a cause says: a wrong form most, then numbers that have a factor in common."""
    if cause.kind != "values":
        return 0
    return 1 if cause.factor not in ("", "not finite") else 2


MAX_SWAPS = 10


def _swapped(
    cause: Cause,
    function: Function,
    reference: ReferenceFunction,
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
    parts: Parts | None,
) -> Cause | None:
    """The cause, with the two arrays among the arguments that a function takes for each other; None where it does not.

    The function itself is asked: it is right with these two in each other's place, and with no other two.
    """
    if cause.kind not in ("raised", "values", "shape"):
        return None
    names = reference.reference.parameters(reference.name)
    arrays = [at for at, each in enumerate(arguments) if isinstance(each, np.ndarray) and at < len(names)]
    desired, noise = reference.reference.expected(reference.name, arguments, keywords)
    found = []
    for one, other in list(combinations(arrays, 2))[:MAX_SWAPS]:
        others = list(arguments)
        others[one], others[other] = others[other], others[one]
        try:
            _match(function(*others, **keywords), desired, noise, is_single((arguments, keywords)), parts)
        except Stopped as stopped:
            # What hangs or ends Python costs time, and says nothing.
            if stopped.cause.kind != "raised":
                return None
        except Wrong:
            continue
        else:
            found.append((names[one], names[other]))
    return replace(cause, swapped=found[0]) if len(found) == 1 else None
