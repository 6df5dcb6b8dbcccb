"""What a student reads of a cause: the sentences, and what many students have in common in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import Any

from autograder.base.causes import Cause, CellEnd, Half

VARIES = "…"
"""Stands for what differs from student to student."""

_FAR = ("about 1", "about 0.1", "about 0.01", "about 1e-3", "about 1e-4", "about 1e-5", "about 1e-6", "less than 1e-6")
"""The relative errors that a student is told of, by ``Cause.decade``."""

_NUMBER = re.compile(r"(?<![\w.])[-+−]?\d(?:[\d.,]*\d)?(?:[eE][-+−]?\d+)?(?!\w)")

Show = Callable[[Any], str]


def reason(cause: Cause) -> str:
    """Why a check failed, in sentences for the student."""
    if cause.again and cause.no_answer:
        return _again(cause)
    half = "" if cause.half is None else half_text(cause.half)
    return " ".join(filter(None, (_sentence(cause, str), _more(cause), _swapped(cause), half)))


def common_reason(cause: Cause) -> str:
    """What went wrong in one sentence, with … for numbers, places and shapes: the same mistake reads the same."""
    return _sentence(cause, lambda _: VARIES)


def half_text(half: Half) -> str:
    """Which half of a wrong gradient to mend, in sentences."""
    match half.mend:
        case "backward":
            only = f", in {' and '.join(half.only)} alone" if half.only else ""
            factor = {
                "N": " The factor is N, the number of examples: a sum stands where a mean belongs.",
                "1/N": " The factor is 1/N, N being the number of examples: a mean stands where a sum belongs.",
                "": "",
            }[half.factor]
            return f"Your {half.named} is right, so the mistake is in the backward pass{only}.{factor}"
        case "both":
            beside = "" if half.beside is None else f" Beside yours, {reason(half.beside)}"
            return f"Your {half.named} is wrong too, and this is not how it changes either.{beside}"
        case "forward":
            how = "" if half.near else ", which changes in quite another way than it should"
            return f"It is how your own {half.named} changes, though{how}: mend the forward pass first."


def _sentence(cause: Cause, show: Show) -> str:
    """The first sentence; ``show`` writes what differs from one student to another."""
    function, what = f"`{cause.function}`", cause.what
    match cause.kind:
        case "missing":
            return _missing(cause)
        case "unwritten":
            return f"{function} is not written yet: it raises NotImplementedError."
        case "raised":
            return _raised(cause, show)
        case "nothing" | "type":
            return f"{what} should be {_asked(cause)}, but it is {_found(cause, show)}."
        case "timeout":
            return _timeout(cause, show)
        case "died":
            return _died(cause)
        case "uncrossable":
            if cause.when == "sent":
                return f"What {function} was to get is too large or too deep: {cause.text}."
            why = f" ({cause.text})" if cause.text else ""
            return f"What {function} gave is too large or too deep to be looked at{why}."
        case "protocol":
            return f"{function} gave something that cannot be read."
        case "dtype":
            return f"{what} should hold real numbers, but its dtype is {cause.dtype}."
        case "precision":
            return f"{what} came back as `{cause.dtype}`, though it was computed from `float64`: keep all its digits."
        case "shape" if cause.asked == "number" and cause.shape is None:
            return f"{what} should be one number, but it is an array."
        case "shape" if cause.asked == "number":
            return f"{what} should be one number, but it is an array of shape {_shape(cause.shape, show)}."
        case "shape":
            asked = _shape(cause.asked_shape, show)
            if cause.shape is None:
                return f"{what} should have the shape {asked}, but it has another."
            return f"{what} should have the shape {asked}, but its shape is {_shape(cause.shape, show)}."
        case "length":
            holds = "another number" if cause.length is None else show(cause.length)
            return f"{what} should be {_asked(cause)}, but it holds {holds}."
        case "lacks":
            return f"{what} lacks the {_plural(cause.names, 'key')} {', '.join(cause.names)}."
        case "extra" if not cause.names:
            return f"{what} has keys that should not be there."
        case "extra":
            return f"{what} has the {_plural(cause.names, 'key')} {', '.join(cause.names)}, which should not be there."
        case "endless":
            return f"{what} yields more than {show(cause.length)} items."
        case "changed":
            return _changed(cause)
        case "values":
            return _values(cause, show)
        case "said" if cause.exception:
            return f"{cause.text.removesuffix('.')}: {cause.exception}."
        case "said" | "unreadable":
            return cause.text


def _more(cause: Cause) -> str:
    """What is told behind the first sentence."""
    if cause.kind == "timeout" and cause.when == "call":
        return "Is there a loop that never ends?"
    if cause.kind == "raised":
        place = f"It happened in line {cause.line} of a cell." if cause.line else ""
        place = f"It happened in `{cause.where}`: `{cause.source}`." if cause.source else place
        return " ".join(filter(None, (place, _not_there(cause.cell))))
    return factor_text(cause) if cause.kind == "values" else ""


def _swapped(cause: Cause) -> str:
    if not cause.swapped:
        return ""
    one, other = cause.swapped
    return f"With `{one}` and `{other}` in each other's place it is right: your function takes the one for the other."


def _changed(cause: Cause) -> str:
    """Which arguments were changed in place, and what does that."""
    function = f"`{cause.function}`"
    if not cause.names:
        return f"{function} changed one of its arguments in place. Work on a copy, or make a new array."
    names = [name if name.startswith("number ") else f"`{name}`" for name in cause.names]
    listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    first = cause.names[0] if names[0].startswith("`") else "x"
    ways = (f"{first} = …", f"{first} -= …") if "[" in first else (f"{first} -= …", f"{first}[…] = …", f"out={first}")
    shown = " or ".join((", ".join(f"`{way}`" for way in ways[:-1]), f"`{ways[-1]}`"))
    return (
        f"{function} changed its {_plural(names, 'argument')} {listed} in place, as {shown} would: that is the "
        "caller's own. Make a new array, or work on a copy."
    )


def factor_text(cause: Cause) -> str:
    """What all wrong entries have in common, as a sentence; empty where nothing was recognised."""
    factor, subject = cause.factor, "Every entry" if cause.index or cause.total > 1 else "It"
    match factor:
        case "" | "not finite":
            return ""
        case "transposed":
            return "Its transpose would be right."
        case "all zero":
            return f"{subject} is 0."
    if factor.startswith("the sign"):
        return f"{factor[0].upper()}{factor[1:]}."
    return f"{subject} is {factor.removesuffix(' everywhere')}."


def _again(cause: Cause) -> str:
    function = f"`{cause.function}`"
    match cause.kind:
        case "missing":
            return f"{function} is not defined, as said above."
        case "unwritten":
            return f"{function} is not written yet, as said above."
        case "nothing":
            return f"{function} gave None here too."
        case "raised":
            return f"{function} raised {cause.exception or 'an exception'} here too."
        case "timeout":
            return f"{function} did not finish, as said above."
        case "died":
            return f"{function} ended Python here too."
    return f"{function} failed here in the same way."


def _missing(cause: Cause) -> str:
    function = f"`{cause.function}`"
    if cause.cell is not None:
        return f"{function} is not defined: {_cell_end(cause.cell)}"
    if cause.type:
        return f"{function} is not a function but a `{cause.type}` once your notebook has run."
    return f"{function} is not defined once your notebook has run from top to bottom."


def _not_there(end: CellEnd | None) -> str:
    """Why a name is not defined that code uses; empty where nothing is known."""
    if end is None or not end.missing:
        return ""
    return f"`{end.missing}` is not there, since {_cell_end(end)}"


def _cell_end(end: CellEnd) -> str:
    return " ".join(filter(None, (_own_end(end), _not_there(end.because))))


def _own_end(end: CellEnd) -> str:
    imports = end.missing and end.exception in ("ModuleNotFoundError", "ImportError")
    cell = f"the cell that {'imports' if imports else 'defines'} it" if end.defines else "its cell"
    match end.status:
        case "timeout":
            return f"{cell} did not finish within its time limit and was stopped before it got there."
        case "died":
            return f"Python itself ended while {cell} ran: it left with `exit`, ran out of memory, or crashed."
        case "skipped":
            return f"{cell} was not run: the cells before it used up the notebook's time."
    place = f" in line {end.line}" if end.line else ""
    text = end.source.replace("`", "’")
    place = f"{place}{f': {end.text}' if end.text else ''}{f' in `{text}`' if text else ''}"
    if end.status == "syntax":
        exception = end.exception or "SyntaxError"
        return f"{cell} has {'an' if exception.startswith('I') else 'a'} {exception}{place}."
    return f"{cell} raised {end.exception or 'an exception'}{place}{', before it got there' if end.before else ''}."


def _raised(cause: Cause, show: Show) -> str:
    if not cause.exception:
        return f"`{cause.function}` calls `{cause.where}`, which is not written yet."
    # Only where it is to be the same for many is the student's own text looked into.
    text = cause.text if show is str else _NUMBER.sub(VARIES, cause.text)
    told = f"{cause.exception}: {text}" if text else cause.exception
    return f"`{cause.function}` raised {told.rstrip('.')}."


def _timeout(cause: Cause, show: Show) -> str:
    match cause.when:
        case "submission":
            return "The submission's time was used up before this could be checked."
        case "earlier":
            return (
                f"`{cause.function}` did not finish within the time limit in earlier checks, so it was "
                "not called again."
            )
    limit = "1 second" if cause.seconds == 1 else f"{show(f'{cause.seconds:g}')} seconds"
    short = ", all that it gets once a call of it, or of what it calls, has hung" if cause.when == "short" else ""
    return f"`{cause.function}` did not finish within {limit}{short}."


def _died(cause: Cause) -> str:
    match cause.when:
        case "before":
            return f"Python had ended before `{cause.function}` could be called."
        case "since":
            return f"The process that gave {cause.what} has ended, so it could not be used again."
    return f"Python itself ended while `{cause.function}` ran: it left with `exit`, ran out of memory, or crashed."


def _values(cause: Cause, show: Show) -> str:
    far = show("more than 1" if cause.decade < 0 else _FAR[cause.decade])
    scalar = not cause.index and cause.total == 1
    if scalar:
        if cause.factor == "not finite":
            return f"{cause.what} is NaN or infinite."
        return f"{cause.what} is off by a relative error of {far}."
    place = f"[{', '.join(map(str, cause.index))}]" if show is str else f"[{VARIES}]"
    are = "is" if cause.wrong == 1 and show is str else "are"
    count = f"{show(cause.wrong)} of {show(cause.total)} entries {are}"
    if cause.factor == "not finite":
        return f"{cause.what}: {count} wrong, and some are NaN or infinite, as at {place}."
    return f"{cause.what}: {count} wrong; the largest relative error is {far}, at {place}."


def _asked(cause: Cause) -> str:
    match cause.asked:
        case "array":
            return "a NumPy array"
        case "number":
            return "one real number"
        case "parts":
            return f"{len(cause.names)} values ({', '.join(cause.names)})"
        case "dict":
            return f"a dict with the keys {', '.join(cause.names)}"
        case "iterable":
            return "something to iterate over"
        case "truth":
            return "one value that is true or false"
    return "something else"


def _found(cause: Cause, show: Show) -> str:
    if cause.kind == "nothing" or cause.type == "None":
        return "None (does the function return its result?)"
    if cause.shape is not None:
        return f"an array of shape {_shape(cause.shape, show)}"
    if cause.length is not None:
        return f"a {cause.type} of length {show(cause.length)}"
    return f"a `{cause.type}`" if cause.type else "an object of another type"


def _shape(shape: Iterable[int] | None, show: Show) -> str:
    return str(tuple(shape or ())) if show is str else f"({VARIES})"


def _plural(things: Collection[str], word: str) -> str:
    return word if len(things) == 1 else f"{word}s"
