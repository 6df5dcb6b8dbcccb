"""Objects of ours that a student's code has been given: it asks for each use of one, and gets data or another."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np

from autograder.sandbox import DUNDER, OPERATIONS, REFLECTED, Ref, protocol, wire

MAX_OBJECTS = 10_000

_LIBRARIES = ("builtins", "math", "cmath", "operator", "numpy")
"""Modules whose functions a student's function gets as its own, where a test gives it one."""
_CLOSED = (types.ModuleType, types.FunctionType, types.GeneratorType, types.CodeType, types.FrameType, type)
"""What gives nothing of itself to a student's code: through its attributes it would give all of the test."""


class GivenObjects:
    """The objects that were given, by their numbers."""

    def __init__(self, *, below_zero: bool = False) -> None:
        """None is given yet; numbers are below 0 for those of the reference."""
        self._sign = -1 if below_zero else 1
        self._objects: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def refer(self, thing: object) -> Any:
        """What stands for an object.

        Raises:
            WireError: There are too many.
        """
        if (library := library_name(thing)) is not None:
            return Ref(0, ("library", *library))
        if id(thing) not in self._numbers:
            if len(self._objects) >= MAX_OBJECTS:
                raise wire.WireError(f"more than {MAX_OBJECTS:,} objects")
            self._numbers[id(thing)] = self._sign * (len(self._objects) + 1)
            self._objects[self._numbers[id(thing)]] = thing
        can = " ".join(abilities(thing))
        return Ref(0, ("outside", self._numbers[id(thing)], type(thing).__name__[:100], can))

    def answer(self, question: protocol.AskOutside) -> bytes:
        """The payload of the answer to what a student's code does with one of them."""
        try:
            value = done_with(
                self._objects[question.number],
                question.operation,
                [self._own(each) for each in question.operands],
                {name: self._own(each) for name, each in question.keywords.items()},
            )
            return wire.encode(protocol.tree(protocol.AnsweredOutside(value, None)), self.refer)
        except Exception as error:
            base = next(each for each in type(error).__mro__ if each.__module__ == "builtins")
            return wire.encode(protocol.tree(protocol.ThrewOutside(base.__name__, str(error)[:200], 0)))

    def _own(self, tree: Any) -> Any:
        """An operand, where it is one of these objects that comes back; anything else is data."""
        match tree:
            case Ref(0, ("outside", int(number), *_)) if number in self._objects:
                return self._objects[number]
        return tree


def done_with(thing: Any, operation: str, operands: list[Any], keywords: dict[str, Any]) -> Any:
    """What comes of something that a student's code does with an object of ours.

    Raises:
        AttributeError: It is nothing that a student's code may do with it: what leads to the rest of the test.
    """
    if operation == "getattr":
        (name,) = operands
        if not isinstance(name, str) or name.startswith("_") or isinstance(thing, _CLOSED):
            raise AttributeError(str(name))
        given = getattr(thing, name)
        if isinstance(given, types.ModuleType | types.FrameType | types.CodeType):
            raise AttributeError(name)
        return given
    if operation == "setattr":
        name, value = operands
        if not isinstance(name, str) or name.startswith("_") or isinstance(thing, _CLOSED):
            raise AttributeError(str(name))
        setattr(thing, name, value)
        return None
    if operation in REFLECTED:
        return OPERATIONS[REFLECTED[operation]](operands[0], thing)
    if operation in ("dir", "delattr"):
        raise AttributeError(operation)
    return OPERATIONS[operation](thing, *operands, **keywords)


def abilities(thing: Any) -> list[str]:
    """What can be done with an object of the test's, beside what all objects can."""
    kind = type(thing)
    return [
        operation
        for operation, method in DUNDER.items()
        if getattr(kind, method, None) is not None
        and getattr(kind, method, None) is not getattr(object, method, None)
        and method not in ("__repr__", "__str__", "__format__", "__dir__")
    ]


def library_name(thing: Any) -> tuple[str, str] | None:
    """Where a function or class of a library is found, or a module itself; None for anything else."""
    if isinstance(thing, types.ModuleType):
        return (thing.__name__, "") if thing.__name__.partition(".")[0] in _LIBRARIES else None
    name = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None)
    module = getattr(thing, "__module__", None) or ("numpy" if isinstance(thing, np.ufunc) else None)
    if not isinstance(name, str) or not isinstance(module, str) or module.partition(".")[0] not in _LIBRARIES:
        return None
    for place in (module, "numpy"):
        if getattr(sys.modules.get(place), name, None) is thing:
            return place, name
    return None
