"""The student's objects as a test cell gets at them: each is known outside by a handle, and each step is a message.

It runs in a row's fork, which belongs to the student: nothing here is a secret and nothing here is trusted.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import inspect
import itertools
import pathlib
import random
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from . import wire
from .mirrors import Mirrors, module_class
from .operands import Sent, Taken
from .operations import COMPARISONS, DUNDER, OPERATIONS
from .protocol import AnsweredOutside, AskOutside, Done, Missing, Operate, Threw, ThrewOutside, TooLarge
from .wire import Opaque, Ref

MAX_HANDLES = 20_000
MAX_TEXT = 10_000
MAX_BASES = 30
MAX_ATTRIBUTES = 100

OF_NAMES = (
    *("name", "names", "set name", "delete name", "import", "describe", "signature", "set attribute of", "plain"),
    *("known as", "generator", "set generator", "generator state", "is one", "delete attribute of"),
)
"""Operations that are not of one object. Beside them, ``run text`` and ``value of text`` run code of the student's."""

_GONE = object()
"""In the place of a module's attribute that is not there."""

Ask = Callable[[AskOutside], Any]


class Objects:
    """Those objects of a row's fork that the grader has handles of, each kept once, and what is done with them."""

    def __init__(self, names: dict[str, Any], ask: Ask, printed: Callable[[], list[list[str]]]) -> None:
        """Nothing is kept yet.

        Args:
            names: The notebook's namespace.
            ask: Sends a question about an object of the test's, and gives the reply.
            printed: Gives what was printed since the last time, as pairs of stream and text.
        """
        self.names = names
        self.ask = ask
        self.printed = printed
        self.kept: dict[int, Any] = {}
        self.handles: dict[int, int] = {}
        self.classes: dict[int, type] = {}
        self.numbers = itertools.count(1)
        self.thrown: dict[int, BaseException] = {}
        self.outside_kinds: dict[tuple[str, str, str], type] = {}
        self.instead: dict[tuple[str, str], Any] = {}
        self.given: dict[str, type] = {}
        self.mirrors = Mirrors(-1, self._given_class, self._given_name, self.stands_for)

    def reply(self, message: Operate) -> tuple[Any, ...]:
        """What comes of an operation."""
        taken: Taken | None = None
        try:
            if message.random is not None:
                set_random_state(message.random)
            self._take(message.objects)
            taken = Taken((*message.operands, message.keywords), self.found, self.stands_for)
            *operands, keywords = taken.things
            try:
                value = self._done(message.operation, operands, keywords)
            except _NotThere:
                return Missing("")
            state = None if message.random is None else random_state()
            held = self.mirrors.held(value)
            return Done(value if held is None else held, taken.changed(), self.printed(), state)
        except BaseException as error:
            changed = None if taken is None else taken.changed()
            return self._threw(error, changed, None if message.random is None else random_state())

    def encoded(self, message: tuple[Any, ...], tree: Callable[[tuple[Any, ...]], Any]) -> bytes:
        """A reply's payload, in which objects are named by their handles."""
        try:
            payload = wire.encode(tree(message), self.stands_for, self.stays, layout=True)
            if self.given and "objects" in message._fields:  # type: ignore[attr-defined]
                states = self.mirrors.states(self.stands_for)
                if states:
                    message = message._replace(objects=states)  # type: ignore[attr-defined]
                    payload = wire.encode(tree(message), self.stands_for, self.stays, layout=True)
            return payload
        except (wire.WireError, RecursionError) as error:
            return wire.encode(tree(TooLarge(str(error)[:200])))
        except Exception as error:
            return wire.encode(tree(TooLarge(type(error).__name__)))

    def stands_for(self, thing: object) -> Opaque:
        """An object as it crosses: its handle, what it is, and the number of its class."""
        if isinstance(thing, Outside) and object.__getattribute__(thing, "_number") > 0:
            return Opaque(type(thing).__name__[:100], ("0", "outside", str(object.__getattribute__(thing, "_number"))))
        if isinstance(thing, type):
            kind, name = "class", thing.__name__
        elif isinstance(thing, types.ModuleType):
            kind, name = "module", thing.__name__
        elif isinstance(thing, types.FunctionType):
            kind, name = "function", thing.__name__
        else:
            kind, name = "object", type(thing).__name__
        of = thing if isinstance(thing, type) else type(thing)
        traits = str(self._handle(thing)), kind, str(self._class_number(of))
        if self.given and (number := self.mirrors.number(thing)):
            return Opaque(name[:100], (*traits, str(number), self._given_name(of)))
        if self.given and (member := self.mirrors.member(thing)):
            return Opaque(name[:100], (*traits, *map(str, member.path)))
        return Opaque(name[:100], traits)

    def stays(self, thing: object) -> bool:
        """Whether a list, a tuple or a dictionary of a class of one's own is an object that cannot cross."""
        return has_members(thing) or bool(self.given and self.mirrors.name(type(thing)))

    def found(self, reference: Any) -> Any:
        """The object that a reference from outside stands for."""
        match reference:
            case Ref(0, ("outside", int(number), str(name), str(can))):
                return self._outside(number, name, can)
            case Ref(0, ("library", str(module), str(name))):
                library = importlib.import_module(module)
                return getattr(library, name) if name else library
            case Ref(0, ("path", str(text))):
                return pathlib.Path(text)
            case Ref(0, ("outside", int(number), str(name), str(can), str(base))):
                return self._outside(number, name, can, base)
            case Ref(0, ("mirrored", int(number))):
                return self.mirrors.found(number, self.found, self.stands_for, _may)
            case Ref(0, ("given class", str(name))) if name in self.given:
                return self.given[name]
            case Ref(0, ("given member", str(name), member)) if name in self.given:
                members: Any = self.given[name]
                return members[member] if isinstance(member, str) else members(member)
            case Ref(handle, path) if handle in self.kept:
                thing = self.kept[handle]
                for key in path:
                    thing = thing[key]
                return thing
        raise ValueError("an object that is not kept any more")

    # Objects of classes that locked cells define

    def _take(self, objects: Any) -> None:
        """Take over what a message brings of these classes and their objects."""
        match objects:
            case [names, list(states)]:
                for name in names or ():
                    kind = module_class(name, self.names)
                    # A student may have deleted it: objects of it are something all the same.
                    self.given[name] = type(name, (), {}) if kind is None else kind
                changed = self.mirrors.take(states)
                self.mirrors.change(changed, self.found, self.stands_for, _may)

    def _given_class(self, name: str) -> type | None:
        return self.given.get(name)

    def _given_name(self, kind: type) -> str:
        name = kind.__qualname__ if kind.__module__ == "__main__" else f"{kind.__module__}.{kind.__qualname__}"
        return name if self.given.get(name) is kind else ""

    # What is done

    def _done(self, operation: str, operands: list[Any], keywords: dict[str, Any]) -> Any:
        match operation, operands:
            case "name", [str(name)]:
                if name in self.names:
                    return self.names[name]
                raise _NotThere
            case "known as", [str(name)]:
                if name in self.names:
                    return known_as(self.names[name])
                raise _NotThere
            case "names", []:
                return sorted(name for name in self.names if isinstance(name, str) and not name.startswith("_"))[:1000]
            case "set name", [str(name), value]:
                self.names[name] = value
                return None
            case "delete name", [str(name)]:
                self.names.pop(name, None)
                return None
            case "import", [str(name)]:
                return importlib.import_module(name)
            case "is one", [str(name), list(path), str(other), list(other_path)]:
                return _within(self.names[name], path) is _within(self.names[other], other_path)
            # In the student's own process, which may run whatever it likes: the text is one that it has given.
            case "run text", [str(text)]:
                exec(text, self.names)
                return None
            case "value of text", [str(text)]:
                return eval(text, self.names)
            case "describe", [int(number)]:
                return self._described(self.classes[number])
            case "generator", [dict(state)]:
                return _generator(state)
            case "set generator", [generator, dict(state)]:
                return _put_state(generator, state)
            case "generator state", [generator]:
                return generator_state(generator)
            case "plain", [thing]:
                return _plain(thing)
            case "signature", [thing]:
                return _signature(thing)
            case "set attribute of", [str(module), str(name), value]:
                return self._patched(module, name, value, put=True)
            case "set attribute of", [str(module), str(name)]:
                return self._patched(module, name, None, put=False)
            case "delete attribute of", [str(module), str(name)]:
                return self._patched(module, name, _GONE, put=True)
        return OPERATIONS[operation](*operands, **keywords)

    def _patched(self, module: str, name: str, value: Any, *, put: bool) -> None:
        """Put something in the place of a module's attribute, or what was there before."""
        of = sys.modules.get(module)
        if of is not None:
            self.instead.setdefault((module, name), getattr(of, name, _GONE))
            now = value if put else self.instead[module, name]
            if now is not _GONE:
                setattr(of, name, now)
            elif hasattr(of, name):
                delattr(of, name)

    def _described(self, kind: type) -> list[Any]:
        """A class: its name, its module, what its objects can do beside what all can, and its bases."""
        can = [
            operation
            for operation, method in DUNDER.items()
            if getattr(kind, method, None) is not None
            and getattr(kind, method, None) is not getattr(object, method, None)
            and method not in ("__repr__", "__str__", "__format__", "__dir__")
        ]
        if kind.__hash__ is None:
            can.append("unhashable")
        bases = [self._named(each) for each in kind.__mro__[1:MAX_BASES]]
        return [kind.__name__, kind.__qualname__, str(kind.__module__), sorted(can), bases]

    def _named(self, kind: type) -> str:
        """A class by its name where it is a library's own, else by its number."""
        known = getattr(sys.modules.get(str(kind.__module__)), kind.__qualname__, None)
        if known is kind and kind.__module__ != "__main__":
            return f"{kind.__module__}.{kind.__qualname__}"
        return f"#{self._class_number(kind)}"

    def _threw(self, error: BaseException, changed: Any, state: Any) -> tuple[Any, ...]:
        try:
            text = str(error)[:MAX_TEXT]
        except BaseException:
            text = ""
        where = ("", 0, "")
        try:
            for frame in traceback.extract_tb(error.__traceback__):
                if frame.filename.startswith("<ipython-input"):
                    where = frame.name, frame.lineno or 0, (frame.line or "").strip()[:200]
        except BaseException:
            pass
        number = next((number for number, each in self.thrown.items() if each is error), 0)
        bases = [self._named(each) for each in type(error).__mro__[:MAX_BASES]]
        arguments = error.args if type(error.args) is tuple else ()
        value: Any = _attributes(error)
        if bases[0].startswith("#"):
            # It is kept, and what it has come through would be with it.
            value = error.with_traceback(None)
        told = type(error).__name__[:100], text, *where
        return Threw(*told, arguments, value, bases, number, changed, self.printed(), state)

    # Objects of the test's

    def _outside(self, number: int, name: str, can: str, base: str = "") -> Any:
        kind = self.outside_kinds.get((name, can, base))
        if kind is None:
            kind = _outside_kind(name, can.split(), self._base_of_outside(base))
            self.outside_kinds[name, can, base] = kind
        made: Any = object.__new__(kind)
        object.__setattr__(made, "_number", number)
        object.__setattr__(made, "_ask", self._asked)
        return made

    def _base_of_outside(self, base: str) -> type | None:
        """The class here of which an object of the test's is: a locked cell's, or a library's."""
        if base in self.given:
            return self.given[base]
        module, _, name = base.partition(":")
        try:
            found = getattr(importlib.import_module(module), name) if name else None
        except (ImportError, AttributeError):
            return None
        return found if isinstance(found, type) else None

    def _asked(self, number: int, operation: str, *operands: Any, **keywords: Any) -> Any:
        """Have something done with an object of the test's."""
        sent = Sent(*operands, keywords, held=self.mirrors.held)
        *trees, named = sent.trees
        match self.ask(AskOutside(number, operation, tuple(trees), named)):
            case AnsweredOutside(value, changed, objects):
                self._take(objects)
                taken = Taken((value,), self.found, self.stands_for)
                sent.change(changed, self.found)
                return taken.things[0]
            case ThrewOutside(kind, text, which, objects, value):
                self._take(objects)
                of = getattr(builtins, kind, None)
                is_one = isinstance(of, type) and issubclass(of, BaseException)
                known = None if value is None else self.found(value)
                error = of(text) if is_one else RuntimeError(text)  # type: ignore[misc]
                error = known if isinstance(known, BaseException) else error
                self.thrown[which] = error
                raise error
        raise RuntimeError("this cannot be asked now")

    # What is kept

    def _handle(self, thing: object) -> int:
        known = self.handles.get(id(thing))
        if known is not None:
            return known
        handle = next(self.numbers)
        self.kept[handle] = thing
        self.handles[id(thing)] = handle
        if handle > MAX_HANDLES:
            old = self.kept.pop(handle - MAX_HANDLES, None)
            self.handles.pop(id(old), None)
        return handle

    def _class_number(self, kind: type) -> int:
        number = self._handle(kind)
        self.classes[number] = kind
        return number


def known_as(thing: Any) -> list[str]:
    """What a library's module, function or class calls itself."""
    return [type(thing).__name__, *(str(getattr(thing, each, "")) for each in ("__module__", "__name__"))]


def _within(thing: Any, path: list[Any]) -> Any:
    return functools.reduce(lambda inner, key: inner[key], path, thing)


class Outside:
    """An object of the test's, as the student's code has it: each use of it is asked outside."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return object.__getattribute__(self, "_ask")(object.__getattribute__(self, "_number"), "getattr", name)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__getattribute__(self, "_ask")(object.__getattribute__(self, "_number"), "setattr", name, value)


def _attributes(error: BaseException) -> dict[str, Any]:
    """Those attributes of an exception that are plain: a library's own keep there where a text or a file is wrong."""
    kept = getattr(error, "__dict__", None)
    named = kept.items() if type(kept) is dict else ()
    return {
        name: value
        for name, value in itertools.islice(named, MAX_ATTRIBUTES)
        if type(name) is str and type(value) in (type(None), bool, int, float, str) and len(str(value)) <= MAX_TEXT
    }


class _NotThere(Exception):  # noqa: N818 - what it is
    """There is no such name."""


@functools.cache
def _asking(operation: str) -> Callable[..., Any]:
    def method(self: Any, *operands: Any, **keywords: Any) -> Any:
        number, ask = object.__getattribute__(self, "_number"), object.__getattribute__(self, "_ask")
        return ask(number, operation, *operands, **keywords)

    return method


def _may(_thing: Any, _name: str) -> bool:
    """Whether an object may have an attribute: in this process, whatever it likes."""
    return True


def _outside_kind(name: str, can: list[str], of: type | None = None) -> type:
    members: dict[str, Any] = {DUNDER[each]: _asking(each) for each in can if each in DUNDER}
    if of is not None:
        # By that ``isinstance`` goes: whose object it is decides what it does, and not of which class it is here.
        members["__class__"] = property(lambda _: of)
    members["__repr__"] = _asking("repr")
    if any(each in COMPARISONS for each in can) and "hash" not in can:
        members["__hash__"] = None
    return type(name, (Outside,), members)


def has_members(thing: object) -> bool:
    """Whether the class of a list, a tuple or a dictionary gives it more than it has as a plain one."""
    if hasattr(type(thing), "_fields"):
        return False
    own = [each for each in type(thing).__mro__ if each.__module__ not in ("builtins", "collections")]
    return any(not name.startswith("__") or callable(member) for each in own for name, member in vars(each).items())


_BUILTIN: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (list, lambda thing: list(list.__iter__(thing))),
    (tuple, lambda thing: tuple(tuple.__iter__(thing))),
    (dict, lambda thing: dict(dict.items(thing))),
    (set, lambda thing: set(set.__iter__(thing))),
    (frozenset, lambda thing: frozenset(frozenset.__iter__(thing))),
    (str, lambda thing: str.__add__(thing, "")),
    (bytes, lambda thing: bytes.__add__(thing, b"")),
    (int, int.__pos__),
    (float, float.__pos__),
)


def _plain(thing: Any) -> Any:
    """An object of a class that is made of one of Python's own, as that."""
    for kind, plain in _BUILTIN:
        if isinstance(thing, kind):
            return plain(thing)
    raise TypeError(f"a {type(thing).__name__} is nothing of Python's own")


def _signature(thing: Any) -> list[Any]:
    """The parameters of a function: name, kind, whether it has a default, and that."""
    return [
        [each.name, int(each.kind), has, each.default if has else None]
        for each in inspect.signature(thing).parameters.values()
        for has in [each.default is not each.empty]
    ]


def _generator(state: dict[str, Any]) -> Any:
    if "legacy" in state:
        return _put_state(np.random.RandomState(0), state)
    kind = getattr(np.random, state["generator"]["bit_generator"])
    return _put_state(np.random.Generator(kind()), state)


def _put_state(generator: Any, state: dict[str, Any]) -> Any:
    if "legacy" in state:
        generator.set_state(state["legacy"])
    else:
        generator.bit_generator.state = state["generator"]
    return generator


def generator_state(generator: Any) -> dict[str, Any]:
    """The state of one of NumPy's generators of random numbers, the older kind or the newer, as data."""
    if isinstance(generator, np.random.RandomState):
        return {"legacy": dict(generator.get_state(legacy=False))}
    return {"generator": dict(generator.bit_generator.state)}


def random_state() -> list[Any]:
    """The state of ``random`` and of ``numpy.random``, as data."""
    version, words, half = random.getstate()
    return [version, np.array(words, dtype=np.uint64), half, np.random.get_state(legacy=False)]


def set_random_state(state: Any) -> None:
    """Set what ``random_state`` gave.

    Raises:
        ValueError: It is nothing of the kind.
    """
    match state:
        case [int(version), np.ndarray() as words, (float() | None) as half, dict(legacy)]:
            random.setstate((version, tuple(map(int, words)), half))
            np.random.set_state(legacy)
            return
    raise ValueError("no state of random numbers")
