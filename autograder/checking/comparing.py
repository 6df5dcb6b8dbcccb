"""An answer compared with the reference, or with what a check worked out itself."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from autograder.base import Cause, Stopped, Wrong
from autograder.checking.answers import Answer, Function, dtype_name
from autograder.checking.exactness import components, is_exact, same_data
from autograder.checking.identity import crossed, identical
from autograder.checking.numerics import cause_of, compare, judge, no_noise, tolerances
from autograder.checking.observing import Compared, Parts, tell
from autograder.checking.reference import ReferenceFunction, is_single
from autograder.checking.tables import TakenApart, beside, taken_apart


def matches(
    function: Function,
    reference: ReferenceFunction,
    *arguments: Any,
    parts: Parts | None = None,
    **keywords: Any,
) -> Answer:
    """Call a student's function and the reference on the same inputs, and compare by what the latter returns.

    A float may be off by a relative 1e-6 (1e-4 where an input is float32), by what one unit in the last place of the
    inputs changes in the reference, and by a floor that is 1e-12 (1e-6) of the array's largest magnitude; it may come
    as a Python float, a NumPy scalar or a 0-d array, and in float32 only where an input is. So may a complex number,
    whose parts are off by as much of its size. Integers, booleans, texts, None, sets and arrays of these are compared
    exactly: True is not 1. Tuples, lists and dicts are compared part by part.

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
        CheckError: The reference gave something that cannot be compared.
    """
    single = is_single((arguments, keywords))
    try:
        answer = function(*arguments, **keywords)
        desired, noise = reference.reference.expected(reference.name, arguments, keywords)
        tell(Compared(answer, desired, noise, single, parts=parts, exact=True))
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
    named = answer.named(f"`{what}`") if isinstance(answer, Answer) and what else answer
    label = named.label if isinstance(named, Answer) else f"`{what}`"
    relative, floor = tolerances(single)
    if np.asarray(desired).dtype.kind == "c":
        given, size = _complex(named, label, np.shape(desired)), np.abs(np.asarray(desired, dtype=np.complex128))
        actual, wanted, noise = components(given), components(desired), complex_noise(noise, size, relative)
    else:
        wanted = np.asarray(desired, dtype=np.float64)
        if isinstance(named, Answer):
            actual = np.asarray(named.scalar()) if wanted.shape == () else named.array(wanted.shape)
        else:
            actual = np.asarray(named)
    comparison = compare(actual, wanted, relative=relative, noise=noise, floor=floor)
    if not comparison.ok:
        if np.asarray(desired).dtype.kind == "c":
            right, *_ = judge(actual, wanted, relative, np.asarray(noise), floor)
            off, index = int(np.sum(~right.all(axis=-1))), comparison.index[:-1]
            comparison = replace(comparison, wrong=off, total=comparison.total // 2, index=index, factor="")
        raise Wrong(cause_of(comparison, label))
    if isinstance(named, Answer) and is_rounded(named.value, named.sent, desired, single):
        raise _rounded(named)


def precise(answer: Answer) -> Answer:
    """This answer, where it is no float of less than 64 bits, or came of one.

    What was rounded to float32 may be right to seven digits, and is not what a float64 computation gives: whoever goes
    on with it loses the others. ``agree`` and ``matches`` ask for it by themselves.

    Raises:
        Wrong: It is less precise than what it was computed from.
    """
    if is_rounded(answer.value, answer.sent, 0.0, single=False):
        raise _rounded(answer)
    return answer


def is_rounded(value: Any, sent: Any, desired: Any, single: bool) -> bool:
    """Whether a value has fewer digits than what it was computed from (``sent``) and than what is desired."""
    return is_single(value) and not (single or is_single(sent) or is_single(desired))


def complex_noise(noise: Any, size: Any, relative: float) -> np.ndarray:
    """What a part of complex numbers of this size may be off by, beside its own relative error."""
    return np.asarray(noise + relative * np.where(np.isfinite(size), size, 0.0))[..., np.newaxis]


def _rounded(answer: Answer) -> Wrong:
    return Wrong(Cause("precision", answer.function, answer.label, dtype=str(answer.dtype)))


def _complex(answer: Any, label: str, shape: tuple[int, ...]) -> npt.NDArray[np.complex128]:
    """Real or complex numbers of exactly this shape; raises ``Wrong`` where an answer holds none."""
    value = answer.value if isinstance(answer, Answer) else answer
    array = np.asarray(value) if isinstance(value, int | float | complex | np.ndarray | np.generic) else None
    if array is None or array.dtype.kind not in "iufc" or array.shape != shape:
        asked = "a complex number" if shape == () else f"an array of complex numbers of shape {shape}"
        raise Wrong(f"{label} should be {asked}, but it is {_named(value)}.")
    return array.astype(np.complex128)


def right(answer: Answer, desired: npt.ArrayLike) -> bool:
    """Whether ``agree`` would pass: for a check that goes on with what is wrong."""
    try:
        agree(answer, desired)
    except Wrong:
        return False
    return True


def equals(answer: Answer, expected: Any) -> Answer:
    """Compare an answer with what the check worked out itself, exactly: type and value, and floats bit by bit.

    1 is not 1.0 nor True, a list no tuple, float32 not float64, and 0.0 not -0.0; NaN is NaN. What is expected is taken
    as it would be once it had crossed the wall. A class of one's own, such as a named tuple's, is known by its name.

    Args:
        answer: The student's.
        expected: Data of any kind that crosses.

    Returns:
        The answer.

    Raises:
        Wrong: It differs.
        CheckError: Something of what is expected does not cross.
    """
    wanted = crossed(expected)
    tell(Compared(answer, wanted, 0.0, False, identical=True))
    if not identical(answer.value, wanted):
        raise Wrong(_not_identical(answer, wanted))
    return answer


def fault(answer: Answer, compared: Compared) -> str:
    """Why an answer is not what it was compared with, in one sentence; empty where it is right."""
    try:
        if compared.identical:
            return "" if identical(answer.value, compared.desired) else _not_identical(answer, compared.desired)
        _match(answer, compared.desired, compared.noise, compared.single, compared.parts)
    except Wrong as error:
        return str(error)
    return ""


def _not_identical(answer: Answer, wanted: Any) -> str:
    asked, found = _named(wanted), _named(answer.value)
    if asked != found:
        return f"{answer.label} should be {asked}, but it is {found}."
    if isinstance(wanted, np.ndarray) and np.shape(wanted) != np.shape(answer.value):
        return f"{answer.label} should have the shape {np.shape(wanted)}, but it has another."
    if isinstance(wanted, np.ndarray | np.generic) and wanted.dtype != answer.value.dtype:
        return f"{answer.label} should have the dtype {dtype_name(wanted.dtype)} exactly, but it has another."
    return f"{answer.label} is {found}, but not exactly the right one."


def _match(answer: Answer, desired: Any, noise: Any, single: bool, parts: Parts | None = None) -> None:
    if not _is_plain(desired) and taken_apart(desired) is not None:
        apart = taken_apart(crossed(desired))
        assert apart is not None
        return _match_parts(answer, apart, single)
    if isinstance(desired, list) and isinstance(answer.value, np.ndarray) and is_array_like(desired):
        desired, noise = np.asarray(desired), np.asarray(noise, dtype=np.float64)
    if isinstance(desired, tuple | list):
        names: Parts = parts or tuple(f"value {index}" for index in range(len(desired)))
        pieces = answer.unpack(*(name or "…" for name in names))
        looked_at = [at for at, name in enumerate(names) if name is not None]
        _match_all([(pieces[at], desired[at], noise[at]) for at in looked_at], single)
    elif isinstance(desired, Mapping):
        entries = answer.entries(*desired)
        _match_all([(entries[key], wanted, noise[key]) for key, wanted in desired.items()], single)
    elif is_exact(desired):
        _exactly(answer, desired)
    else:
        _agree(answer, desired, noise=noise, single=single)


def _is_plain(desired: Any) -> bool:
    """Whether it is no thing of parts, as a look at its class tells."""
    kind = type(desired)
    return kind in _PLAIN or (kind is np.ndarray and desired.dtype.kind in "biufcU")


_PLAIN = frozenset({int, float, bool, complex, str, bytes, type(None), list, tuple, dict, set, frozenset})


def _match_parts(answer: Answer, wanted: TakenApart, single: bool) -> None:
    """Compare a thing of parts: first what has to be the very same, such as labels, then part by part."""
    given = taken_apart(answer.value)
    if given is None or given.name != wanted.name:
        raise Wrong(f"{answer.label} should be {wanted.name}, but it is {_named(answer.value)}.")
    for name, asked in wanted.same.items():
        if not identical(given.same.get(name), asked):
            raise Wrong(f"{answer.label} is {wanted.name}, but its {name} should be another.")
    found: list[Wrong] = []
    for name, asked in wanted.compared.items():
        ours, theirs = beside(given.compared[name], asked)
        piece = replace(answer, value=ours, label=f"{name} of {answer.label}")
        places = tuple(f"{name}[{place}]" for place in range(len(theirs))) if isinstance(theirs, list) else None
        try:
            _match(piece, theirs, no_noise(theirs), single, places)
        except Wrong as error:
            found.append(error)
    if found:
        raise min(found, key=lambda error: _says_little(error.cause))


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


def is_array_like(desired: list[Any]) -> bool:
    """Whether a list could be an array of real numbers: an answer to it may be one."""
    try:
        return np.asarray(desired).dtype.kind in "iuf"
    except ValueError:
        return False


def _exactly(answer: Answer, desired: Any) -> None:
    if same_data(answer.value, desired):
        return
    if isinstance(desired, int | np.number | np.ndarray) and np.asarray(desired).dtype.kind in "iu":
        # What is off, and where; a boolean or a text is told what was asked for.
        wanted = np.asarray(desired)
        actual = np.asarray(answer.scalar()) if wanted.shape == () else answer.array(wanted.shape)
        comparison = compare(actual, wanted, relative=0.0)
        if not comparison.ok:
            raise Wrong(cause_of(comparison, answer.label))
    # Nothing of what the submission may choose freely, such as a type's name or a shape: see ``grading.answered``.
    asked, found = _named(desired), _named(answer.value)
    if asked != found:
        raise Wrong(f"{answer.label} should be {asked}, but it is {found}.")
    if isinstance(desired, np.ndarray) and np.shape(desired) != np.shape(answer.value):
        raise Wrong(f"{answer.label} should have the shape {np.shape(desired)}, but it has another.")
    raise Wrong(f"{answer.label} is {found}, but not the right one.")


_KINDS = (
    range,
    slice,
    bytearray,
    date,
    datetime,
    time,
    timedelta,
    Decimal,
    Fraction,
    OrderedDict,
    Counter,
    defaultdict,
)


def _named(value: Any) -> str:
    """What kind of thing it is, in words; nothing of its value."""
    if not _is_plain(value) and (apart := taken_apart(value)) is not None:
        return apart.name
    if isinstance(value, np.ndarray | np.generic) and np.ndim(value):
        kind = {"b": "booleans", "i": "integers", "u": "integers", "f": "numbers", "c": "complex numbers", "U": "texts"}
        kind |= {"M": "times", "m": "intervals of time", "S": "bytes"}
        return f"an array of {kind.get(value.dtype.kind, 'objects')}"
    if isinstance(value, np.datetime64 | np.timedelta64):
        return "a time of NumPy's" if isinstance(value, np.datetime64) else "an interval of time of NumPy's"
    if isinstance(value, np.ndarray | np.generic):
        value = value.item()
    words = {bool: "True or False", int: "an integer", float: "a number", complex: "a complex number", str: "a text"}
    words |= {bytes: "bytes", set: "a set", frozenset: "a set", list: "a list", tuple: "a tuple", dict: "a dict"}
    words |= {kind: f"a {kind.__name__}" for kind in _KINDS}
    return "None" if value is None else words.get(type(value), "an object of another type")
