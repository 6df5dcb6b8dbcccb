"""What is told of a check in which the reference has answered the submission: nothing that its answers can be put into.

The name of a type, of a key, a shape or a length is the submission's own choice, and so can be an answer in other
words. So each is told only where it is one of a few.
"""

from __future__ import annotations

import builtins
from dataclasses import replace

from autograder.base import Cause

_TYPES = frozenset(name for name, each in vars(builtins).items() if isinstance(each, type)) | {
    "None",
    "NoneType",
    "array",
    "function",
    "generator",
}
MAX_LENGTH = 8
"""The longest tuple whose length is told."""


def discreet(cause: Cause | None) -> Cause | None:
    """The cause of a failed check, with what the submission names only where it is one of a few.

    Of an exception ``sandbox.raised`` has seen to the same.
    """
    if cause is not None and (cause.swapped or cause.cell):
        cause = replace(cause, swapped=(), cell=None)
    match cause:
        case Cause(kind="missing"):
            # Without a type, it would be said not to be defined.
            return replace(cause, type=cause.type and (_type(cause.type) or "object"))
        case Cause(kind="uncrossable", when="given"):
            return replace(cause, text="")
        case Cause(kind="said"):
            return replace(cause, exception="")
        case Cause(kind="type" | "length"):
            length = cause.length if cause.length is not None and cause.length <= MAX_LENGTH else None
            return replace(cause, type=_type(cause.type), length=length, shape=None)
        case Cause(kind="shape"):
            return replace(cause, shape=_shape(cause.shape, cause.asked_shape or ()))
        case Cause(kind="extra"):
            return replace(cause, names=())
    return cause


def _type(name: str) -> str:
    return name if name in _TYPES else ""


def _shape(shape: tuple[int, ...] | None, asked: tuple[int, ...]) -> tuple[int, ...] | None:
    """A shape that is made of the lengths that were asked for, and is hardly longer; None for any other."""
    if shape is None or len(shape) > len(asked) + 1 or not set(shape) <= {*asked, 1}:
        return None
    return shape
