"""Objects of ours that a student's code has been given: it asks for each use of one, and gets data or another."""

from __future__ import annotations

from typing import Any

from autograder.checking.test_cells.outside import can, done_outside, of_a_library
from autograder.sandbox import Ref, kinds, protocol, wire

MAX_OBJECTS = 10_000


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
        if (library := of_a_library(thing)) is not None:
            return Ref(0, library)
        if id(thing) not in self._numbers:
            if len(self._objects) >= MAX_OBJECTS:
                raise wire.WireError(f"more than {MAX_OBJECTS:,} objects")
            self._numbers[id(thing)] = self._sign * (len(self._objects) + 1)
            self._objects[self._numbers[id(thing)]] = thing
        operations = " ".join(can(thing))
        return Ref(0, ("outside", self._numbers[id(thing)], type(thing).__name__[:100], operations))

    def answer(self, question: protocol.AskOutside) -> bytes:
        """The payload of the answer to what a student's code does with one of them."""
        try:
            value = done_outside(
                self._objects[question.number],
                question.operation,
                [self.own(each) for each in question.operands],
                {name: self.own(each) for name, each in question.keywords.items()},
            )
            return wire.encode(protocol.tree(protocol.AnsweredOutside(value, None)), self.refer)
        except Exception as error:
            base = next(each for each in type(error).__mro__ if each.__module__ == "builtins")
            return wire.encode(protocol.tree(protocol.ThrewOutside(base.__name__, str(error)[:200], 0)))

    def own(self, tree: Any) -> Any:
        """An operand in which these objects, where they come back, are themselves; anything else is data."""
        match tree:
            case Ref(0, ("outside", int(number), *_)) if number in self._objects:
                return self._objects[number]
            case dict() | list() | tuple():
                return kinds.with_entries(tree, self.own)
        return tree
