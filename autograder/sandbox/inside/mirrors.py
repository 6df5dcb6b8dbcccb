"""Objects that are there on both sides of the wall: those of classes that the master's locked cells define.

Such a class is made on either side, so an object of it is no stranger on the other: it is made there as well, with the
attributes that it has, and each message brings those that have changed since the last one. What an object holds
in a list, a dictionary or a set that others may hold too is one list there as well. Its class, and so what it can do,
is each side's own; only what it has crosses.
"""

from __future__ import annotations

import enum
import functools
import operator
import sys
import types
from collections.abc import Callable
from typing import Any

from . import wire
from .operands import PLAIN, Find, Refer, put
from .wire import Opaque, Ref

MAX_MIRRORED = 10_000
"""Objects of a row that are there on both sides; those beyond are asked by messages."""
MAX_ATTRIBUTES = 1_000

_FIXED = (tuple, frozenset, str, bytes, int, float, complex, BaseException)
_FILLED = (list, dict, set)
_PLAIN_BASES = frozenset({"abc", "typing", "collections", "collections.abc", "builtins", "_collections_abc"})
_EXACT: dict[str, type] = {"list": list, "dict": dict, "set": set}
"""Containers by the name that they cross under, which is no class's of a notebook: it has a colon before it."""

_NONE = object()
"""In the place of an attribute that is not there."""

State = tuple[int, str, Any, dict[str, Any]]
"""The number of an object, the name of its class, what is in it as in a list, and its attributes."""


class Mirrors:
    """Those objects of one side that are there on the other, by their numbers: above 0 those of a test's making."""

    def __init__(
        self,
        sign: int,
        named: Callable[[str], type | None],
        name_of: Callable[[type], str],
        stands: Refer | None = None,
    ) -> None:
        """Nothing is there yet.

        Args:
            sign: Of the numbers that this side gives.
            named: The class of a locked cell's that has a name; None where there is none.
            name_of: The name of such a class; empty for any other.
            stands: Gives what stands for an object in a state; where it is None, that is ``ref``.
        """
        self.sign, self._named, self._name_of, self._stands = sign, named, name_of, stands or self.ref
        self.things: dict[int, Any] = {}
        self.raw: dict[int, State] = {}
        self._numbers: dict[int, int] = {}
        self._known: dict[int, Any] = {}
        self._held: dict[int, list[Any]] = {}
        self._names: dict[type, str] = {}
        self._made = 0
        self._empty: list[tuple[int, Any, dict[str, Any]]] = []

    # What goes there

    def name(self, kind: type) -> str:
        """The name of a class of which objects are mirrored; empty for any other."""
        if kind not in self._names:
            self._names[kind] = self._mirrored_name(kind)
        return self._names[kind]

    def _mirrored_name(self, kind: type) -> str:
        name = self._name_of(kind)
        if not name or issubclass(kind, enum.Enum):
            return ""
        others = (each for each in kind.__mro__[1:] if not self._name_of(each))
        return name if all(each.__module__ in _PLAIN_BASES for each in others) else ""

    def number(self, thing: Any) -> int:
        """The number of an object, which it is given where it has none yet; 0 for one that is not mirrored."""
        known = self._numbers.get(id(thing))
        if known is not None:
            return known
        kind = type(thing)
        if kind not in _FILLED and not self.name(kind):
            return 0
        if kind in _FILLED and not self._holds_some(thing):
            return 0
        return self._numbered(thing)

    def member(self, thing: Any) -> Ref | None:
        """What stands for a class of a locked cell's, or for a member of such an enumeration."""
        if isinstance(thing, type):
            name = self._name_of(thing)
            return Ref(0, ("given class", name)) if name else None
        if isinstance(thing, enum.Enum) and (name := self._name_of(type(thing))):
            by_name = thing.name is not None and type(thing).__members__.get(thing.name) is thing
            if by_name:
                return Ref(0, ("given member", name, thing.name))
            return Ref(0, ("given member", name, thing.value)) if type(thing.value) is int else None
        return None

    def ref(self, thing: Any) -> Ref | None:
        """What stands for an object on the other side; None where nothing does."""
        number = self.number(thing)
        return Ref(0, ("mirrored", number)) if number else self.member(thing)

    def reach(self, things: tuple[Any, ...]) -> None:
        """Give these objects numbers, and the containers that they hold, before what holds the same crosses."""
        done = len(self.things)
        for each in things:
            if type(each) not in PLAIN and type(each) not in _FILLED:
                self.number(each)
        while done < len(self.things):
            numbers = [*self.things][done:]
            done = len(self.things)
            for number in numbers:
                self._state(number)

    def held(self, thing: Any) -> Any:
        """What stands for a container that a mirrored object holds; None for any other."""
        return self._stands(thing) if type(thing) in _FILLED and id(thing) in self._numbers else None

    def states(self, refer: Refer) -> list[State]:
        """What has changed since the last time, of all objects; those that they hold are among them."""
        found: list[State] = []
        done = 0
        numbers = [*self.things]
        while done < len(numbers):
            for number in numbers[done:]:
                if self._is_as_it_was(number):
                    continue
                state, before = self._state(number), self._known.get(number)
                self._note(number, state, refer)
                if self._known[number] != before:
                    found.append(state)
            done, numbers = len(numbers), [*self.things]
        return found

    def _note(self, number: int, state: State, refer: Refer) -> None:
        """Note the state of an object as one that the other side knows."""
        self._known[number] = _token(state, refer)
        held = _held(self.things[number])
        # Of what cannot change, and of what is looked at by itself, it is enough that it is the same.
        if all(type(each) in PLAIN or id(each) in self._numbers for each in held):
            self._held[number] = held
        else:
            self._held.pop(number, None)

    def _is_as_it_was(self, number: int) -> bool:
        before = self._held.get(number)
        if before is None:
            return False
        now = _held(self.things[number])
        return len(now) == len(before) and all(map(operator.is_, now, before))

    def _numbered(self, thing: Any) -> int:
        if len(self.things) >= MAX_MIRRORED:
            return 0
        self._made += 1
        number = self.sign * self._made
        self.keep(number, thing)
        return number

    def keep(self, number: int, thing: Any) -> None:
        """Have an object be the one of this number."""
        self.things[number] = thing
        self._numbers[id(thing)] = number

    def _holds_some(self, thing: Any) -> bool:
        """Whether a container that cannot cross as data, by its keys or members, has mirrored ones among them."""
        return not isinstance(thing, list) and any(self.number(each) or self.member(each) for each in [*thing])

    def _state(self, number: int) -> State:
        thing = self.things[number]
        kind = type(thing)
        name = self.name(kind) or f":{kind.__name__}"
        items = None if (listed := _content(thing)) is None else [*map(self._tree, listed)]
        return number, name, items, {key: self._tree(value) for key, value in _attributes(thing)}

    def _tree(self, value: Any) -> Any:
        kind = type(value)
        if kind in PLAIN:
            return value
        if kind is tuple:
            return tuple(map(self._tree, value))
        number = self._numbers.get(id(value)) or (self._numbered(value) if kind in _FILLED else self.number(value))
        return self._stands(value) if number else value

    # What comes from there

    def take(self, states: Any) -> list[State]:
        """The states that a message brings, of which those of objects that are not there yet are kept.

        Raises:
            ValueError: They are nothing of the kind.
        """
        if type(states) is not list or len(states) > 2 * MAX_MIRRORED:
            raise ValueError("states of objects that are none")
        changed: list[State] = []
        for each in states:
            match each:
                case (int(number), str(), None | list(), dict(attributes)) if len(attributes) <= MAX_ATTRIBUTES:
                    if not all(type(name) is str for name in attributes):
                        raise ValueError("an attribute without a name")
                case _:
                    raise ValueError("a state that is none")
            if number in self.things:
                changed.append(each)
            elif number * self.sign < 0 or number in self.raw:
                if len(self.raw) >= 2 * MAX_MIRRORED:
                    raise ValueError("too many objects")
                self.raw[number] = each
        return changed

    def change(self, states: list[State], find: Find, refer: Refer, may: Callable[[Any, str], bool]) -> None:
        """Change objects to what they are on the other side.

        Args:
            states: What ``take`` gave.
            find: Gives what a reference stands for.
            refer: Gives what stands for what is no data.
            may: Whether an object may have an attribute of this name.

        Raises:
            ValueError: An object holds what it cannot.
        """
        for number, _, content, attributes in states:
            self._put(number, content, attributes, find, may)
        for number, *_ in states:
            self._note(number, self._state(number), refer)

    def found(self, number: int, find: Find, refer: Refer, may: Callable[[Any, str], bool]) -> Any:
        """The object of a number, which is made where it is not there yet.

        Raises:
            Exception: There is no such object, or it cannot be made; of whatever type is raised.
        """
        if number in self.things:
            return self.things[number]
        if number not in self.raw or len(self.things) >= 2 * MAX_MIRRORED:
            raise ValueError("an object that has not come")
        _, name, content, attributes = self.raw.pop(number)
        kind = _EXACT.get(name[1:]) if name.startswith(":") else self._named(name)
        if kind is None:
            raise ValueError("an object of no class that is here")
        base = _base(kind)
        fixed = None if content is None or base not in _FIXED else [_within(each, find) for each in content]
        thing = _shell(kind, base, fixed)
        self.keep(number, thing)
        # What it holds is made in its turn, and not within: a list of a thousand nodes is a thousand deep.
        self._empty.append((number, content, attributes))
        if len(self._empty) == 1:
            late: list[tuple[Any, list[Any]]] = []
            try:
                for each in self._empty:
                    self._put(*each, find, may, late)
                # By what they are hashed with, all members and keys are there now.
                for filled, items in late:
                    _fill(filled, items)
                for of, *_ in self._empty:
                    self._note(of, self._state(of), refer)
            finally:
                self._empty.clear()
        return thing

    def named(self, number: int) -> str:
        """The name of the class of an object that has come and is not made yet."""
        return self.raw[number][1] if number in self.raw else ""

    def part(self, refer: Refer) -> None:
        """Leave the objects of this side as they are: those of the other are made anew where they come next."""
        for number in [*self.things]:
            state = self._state(number)
            self.raw[number] = wire.decode(wire.encode(state, refer))
        self.things.clear()
        self._numbers.clear()
        self._known.clear()
        self._held.clear()

    def forget(self) -> None:
        """Forget all of them: the other side has gone."""
        for each in (self.things, self.raw, self._numbers, self._known, self._held):
            each.clear()

    def _put(
        self,
        number: int,
        content: Any,
        attributes: dict[str, Any],
        find: Find,
        may: Callable[[Any, str], bool],
        late: list[tuple[Any, list[Any]]] | None = None,
    ) -> None:
        """Give an object what it has there; ``late`` gets the sets and dictionaries that are to be filled at last."""
        thing = self.things[number]
        if content is not None and isinstance(thing, _FILLED):
            items = [_within(each, find) for each in content]
            if late is None or isinstance(thing, list):
                _fill(thing, items)
            else:
                late.append((thing, items))
        before = dict(_attributes(thing))
        for name in before.keys() - attributes.keys():
            _unset(thing, name)
        for name, tree in attributes.items():
            if name not in before and not may(thing, name):
                continue
            new, old = _within(tree, find), before.get(name, _NONE)
            if not _is_put(old, new):
                _set(thing, name, new)


def _held(thing: Any) -> list[Any]:
    """All that an object has, with its attributes' names."""
    kind: type = type(thing)
    if kind is list:
        return list(thing)
    kept = getattr(thing, "__dict__", None)
    own: list[Any] = [*kept, *kept.values()] if type(kept) is dict else []
    if _slots(kind):
        own += [part for entry in _attributes(thing) for part in entry]
    if _base(kind) is not object:
        own += _content(thing) or ()
    return own


def _within(tree: Any, find: Find) -> Any:
    """What a state's part is made of here."""
    if isinstance(tree, Ref | Opaque):
        return find(tree)
    if type(tree) is tuple:
        return tuple(_within(each, find) for each in tree)
    return tree


def _is_put(old: Any, new: Any) -> bool:
    """Whether an array or a table that was there has now what is new: others may hold it too."""
    if old is new:
        return True
    if type(old) is not type(new) or type(old) in PLAIN or type(old) in _FILLED or type(old) is tuple:
        return False
    return put(old, new)


def _token(part: Any, refer: Refer) -> Any:
    """What is equal for equal states alone: a number is none of another type, and data is what would cross."""
    kind = type(part)
    if kind in PLAIN:
        return (kind, repr(part)) if kind is float else (kind, part)
    if kind is Ref:
        return part.handle, part.path
    if kind is Opaque:
        return part.traits
    if kind is tuple or kind is list:
        return kind, [_token(each, refer) for each in part]
    if kind is dict:
        return [(key, _token(each, refer)) for key, each in part.items()]
    try:
        return wire.encode(part, refer, layout=True)
    except (wire.WireError, RecursionError):
        return id(part)


@functools.cache
def _base(kind: type) -> type:
    """Which of Python's own classes for data a class is made of; else ``object``."""
    return next((each for each in (*_FILLED, *_FIXED) if issubclass(kind, each)), object)


def _content(thing: Any) -> list[Any] | None:
    """What is in an object as in a list; None where it is made of nothing of the kind."""
    kind: type = type(thing)
    base = _base(kind)
    if base is object:
        return None
    if base is dict:
        return [each for entry in dict.items(thing) for each in entry]
    if base in (list, set, tuple, frozenset):
        return [*base.__iter__(thing)]
    if issubclass(base, BaseException):
        return [*thing.args]
    return [_of_base(thing, base)]


def _of_base(thing: Any, base: type) -> Any:
    """A text or a number of a class of one's own as Python's own, whatever the class says that it is."""
    if base is str:
        return str.__add__(thing, "")
    if base is bytes:
        return bytes.__add__(thing, b"")
    number: Any = base
    return number.__pos__(thing)


def _fill(thing: Any, items: list[Any]) -> None:
    if isinstance(thing, list):
        list.__setitem__(thing, slice(None), items)
    elif isinstance(thing, dict):
        dict.clear(thing)
        dict.update(thing, zip(items[::2], items[1::2], strict=True))
    else:
        set.clear(thing)
        set.update(thing, items)


def _shell(kind: type, base: type, items: list[Any] | None) -> Any:
    """An object of a class without attributes; its own ``__new__`` and ``__init__`` are not asked."""
    make: Any = base.__new__
    if items is None:
        return make(kind)
    if issubclass(base, BaseException):
        return make(kind, *items)
    if base in (tuple, frozenset):
        return make(kind, items)
    if len(items) != 1 or type(items[0]) is not base:
        raise ValueError(f"what is no {base.__name__}")
    return make(kind, items[0])


@functools.cache
def _slots(kind: type) -> frozenset[str]:
    """The attributes for which a class has places of their own."""
    named = [(each, vars(each).get("__slots__", ())) for each in kind.__mro__]
    full = {
        f"_{each.__name__.lstrip('_')}{name}" if name.startswith("__") and not name.endswith("__") else name
        for each, names in named
        for name in ((names,) if isinstance(names, str) else names)
    }
    return frozenset(name for name in full if isinstance(getattr(kind, name, None), types.MemberDescriptorType))


def _attributes(thing: Any) -> list[tuple[str, Any]]:
    """The attributes that an object has of its own."""
    if type(thing) in _FILLED:
        return []
    kept = getattr(thing, "__dict__", None)
    own = [(name, value) for name, value in kept.items() if type(name) is str] if type(kept) is dict else []
    kind: type = type(thing)
    for name in _slots(kind):
        try:
            own.append((name, object.__getattribute__(thing, name)))
        except AttributeError:
            continue
    return own


def _set(thing: Any, name: str, value: Any) -> None:
    kind: type = type(thing)
    if name in _slots(kind):
        object.__setattr__(thing, name, value)
        return
    kept = getattr(thing, "__dict__", None)
    if type(kept) is not dict:
        raise ValueError(f"an attribute {name[:50]!r} that the class has no place for")
    kept[name] = value


def _unset(thing: Any, name: str) -> None:
    kept = getattr(thing, "__dict__", None)
    if type(kept) is dict and name in kept:
        del kept[name]
    else:
        object.__delattr__(thing, name)


def module_class(name: str, names: dict[str, Any]) -> type | None:
    """The class that a notebook, or a module beside it, has under a name."""
    module, dot, last = name.rpartition(".")
    there = vars(sys.modules[module]) if dot and module in sys.modules else names
    found = there.get(last)
    return found if isinstance(found, type) else None
