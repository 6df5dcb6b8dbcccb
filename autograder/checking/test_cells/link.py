"""The way from a test cell's code to the student's process, by way of the grader: one message there, one reply back."""

from __future__ import annotations

import collections
import contextlib
import enum
import inspect
import random
import re
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autograder.base import Cause, Stopped
from autograder.checking.test_cells.executing import Texts
from autograder.checking.test_cells.outside import can, done_outside, is_closed, of_a_library
from autograder.checking.test_cells.remote import (
    CELL,
    RemoteError,
    RemoteFunction,
    RemoteModule,
    RemoteObject,
    class_made,
    exception_named,
    is_remote,
    made,
    parts,
    position,
)
from autograder.sandbox import Mirrors, Opaque, Ref, Sent, Taken, generator_state, protocol, random_state, wire, within

_HIDES = "Some entries of what your code gives are masked or missing, where values are asked for."
NO_ROOM = "What your code gives takes too much memory to test."


_NO_SUCH = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What is raised where a student's process tells of an object that cannot be."""


class Absent(Exception):  # noqa: N818 - what it is
    """The student's notebook has no such name."""


class MoreThanData(BaseException):
    """A student's code has given an object, or changed one of the test's, where data alone may cross.

    It is none of Python's ordinary exceptions, since a test may catch these.
    """


class StudentLink:
    """The way to one student's objects, for one run of a test cell."""

    def __init__(self, channel: socket.socket, *, shares_random: bool, keeps: bool) -> None:
        """Nothing has been asked yet.

        Args:
            channel: To the grader.
            shares_random: Whether the test sets or reads the state of ``random`` or ``numpy.random``.
            keeps: Whether the test's own lists, dictionaries and arrays stay as they are where the student's code has
                changed them and the solved master does not.
        """
        self.channel = channel
        self.shares_random = shares_random
        self.keeps = keeps
        self.changed = False
        self.swallowed: AssertionError | Stopped | None = None
        self.recorded: set[tuple[str, str]] | None = None
        self.before: Callable[[], None] = lambda: None
        self.givens: Callable[[str], type | None] = lambda _: None
        self.texts: Texts | None = None
        self.runs_texts = False
        self.operations = 0
        self.thrown: dict[int, protocol.Threw] = {}
        self.stopped: Cause | None = None
        self.lost = False
        self.data_alone = False
        self.gave_more = False
        self._asking = threading.RLock()
        self._objects: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}
        self._proxies: dict[int, Any] = {}
        self._classes: dict[int, type] = {}
        self._errors: dict[int, BaseException] = {}
        self._generators: dict[int, tuple[Any, Any]] = {}
        self._given: dict[int, tuple[Any, str]] = {}
        self.names_given: Callable[[], list[str]] = list
        self.mirrors = Mirrors(1, self.given, self._given_name)
        self._tells_given = True
        self._granted: dict[str, bool] = {}

    # What is asked

    def operate(self, label: str, operation: str, *operands: Any, **keywords: Any) -> Any:
        """Have an operation done in the student's process.

        Args:
            label: What to call the function or object in messages.
            operation: One of ``operations.OPERATIONS`` or ``objects.OF_NAMES``.
            operands: Data, remote objects, or objects of the test's.
            keywords: Keyword arguments of a call.

        Returns:
            Data, or a remote object.

        Raises:
            Absent: There is no such name.
            Stopped: There was no reply that can be used.
            BaseException: What it raised.
        """
        self.before()
        self.mirrors.reach((*operands, *keywords.values()))
        sent = Sent(*operands, keywords, held=self.mirrors.held)
        *trees, named = sent.trees
        state = random_state() if self.shares_random else None
        used: list[Any] = []
        payload = self._payload(protocol.Operate(operation, tuple(trees), named, state), used)
        self.operations += 1
        reply = self._exchanged(label, payload)
        self.settle(used)
        match reply:
            case protocol.Done(value, changed, printed, random_now, objects):
                self._replay(printed)
                self._draw(state, random_now)
                self._take(objects, label)
                self._change(sent, changed, label)
                given = self._found_in(value, label)
                if hides(given) and not self.has_object("hide", position()):
                    raise Stopped(Cause("said", label, text=_HIDES, says_all=True))
                return given
            case protocol.Threw():
                self._replay(reply.printed)
                self._draw(state, reply.random)
                self._take(reply.objects, label)
                self._change(sent, reply.changed, label)
                error = self._error(reply)
                # It would end the test's loop, or its ``all``, as if there was nothing more to look at.
                stops = isinstance(error, StopIteration | StopAsyncIteration) and operation not in ("next", "anext")
                if stops and not self.has_object("stop", position()):
                    error = self._thrown(RuntimeError(reply.text), reply)
                raise error
            case protocol.Missing():
                raise Absent(label)
            case protocol.TooLarge(why):
                raise self._ended(Cause("uncrossable", label, text=why[:120], when="given"))
        raise self._ended(Cause("protocol", label))

    def has_object(self, operation: str, position: str) -> bool:
        """As ``remote.Link.has_object``."""
        if self.recorded is not None:
            self.recorded.add((operation, position))
            return True
        # To know it, the master's test cells may have to be run first, by the process that this one may be.
        self._refuse_more()
        wire.send(self.channel, wire.encode(("approve", operation, position)))
        match wire.receive(self.channel):
            case ("approved", bool(approved)):
                return approved
        return False

    def knows_given(self, names: Mapping[str, Any]) -> None:
        """Have the student's code use its own where a test gives it an object of a library's that a given cell made."""
        self._given = {id(each): (each, name) for name, each in names.items() if is_closed(each)}

    def class_of(self, number: int) -> type:
        """As ``remote.Link.class_of``."""
        if number not in self._classes:
            self._refuse_more()
            # A class that says it is made of itself would have no end.
            self._classes[number] = RemoteObject
            self._classes[number] = class_made(self, number, self.operate("", "describe", number))
        return self._classes[number]

    def failed(self, cause: Cause) -> Stopped:
        """As ``remote.Link.failed``."""
        if not isinstance(self.swallowed, Stopped):
            self.swallowed = Stopped(cause)
        return self.swallowed

    def given(self, name: str) -> type | None:
        """As ``remote.Link.given``."""
        return self.givens(name)

    def forget(self) -> None:
        """Forget what a process that is gone has given."""
        self._proxies.clear()
        self._classes.clear()
        self.mirrors.forget()
        self._tells_given = True

    # How it crosses

    def _exchanged(self, label: str, payload: bytes) -> Any:
        # A test's threads may all ask; what one is answered is none of another's.
        with self._asking:
            return self._exchanged_alone(label, payload)

    def _exchanged_alone(self, label: str, payload: bytes) -> Any:
        no_room = Cause("said", label, text=NO_ROOM, says_all=True)
        if self.lost:
            raise Stopped(no_room)
        wire.send(self.channel, wire.encode(("do", label[:100], payload)))
        while True:
            try:
                said = wire.receive(self.channel)
                self._granted.clear()
            except MemoryError:
                # The rest of a reply is still to be read, and there is nowhere to put it.
                self.lost = True
                raise self._ended(no_room) from None
            match said:
                case ("reply", tree):
                    if self.texts is not None:
                        self.texts.note(tree)
                    return protocol.read(tree)
                case ("ask", tree):
                    if self.texts is not None:
                        self.texts.note(tree)
                    answer = self._answer(protocol.read(tree))
                    wire.send(self.channel, wire.encode(("answered", answer)))
                case ("stopped", cause):
                    from autograder.base import cause_from_tree

                    raise self._ended(cause_from_tree(cause))
                case _:
                    raise self._ended(Cause("protocol", label))

    def _refuse_more(self) -> None:
        """Note that there is more than data, and go no further where there may be nothing else.

        Raises:
            MoreThanData: There may not.
        """
        if self.data_alone:
            self.gave_more = True
            raise MoreThanData

    def _ended(self, cause: Cause) -> Stopped:
        if self.stopped is None:
            self.stopped = cause
        self.forget()
        return Stopped(cause)

    def _payload(self, message: tuple[Any, ...], used: list[Any]) -> bytes:
        def refer(thing: object) -> Any:
            return self._refer(thing, used)

        try:
            payload = wire.encode(protocol.tree(message), refer, self.is_mirrored, layout=True)
            names = self.names_given()
            states = self.mirrors.states(refer) if names else []
            if states or (names and self._tells_given):
                objects = [names if self._tells_given else None, states]
                self._tells_given = False
                message = message._replace(objects=objects)  # type: ignore[attr-defined]
                payload = wire.encode(protocol.tree(message), refer, self.is_mirrored, layout=True)
            return payload
        except RecursionError:
            raise wire.WireError("nested too deeply") from None

    def _refer(self, thing: object, used: list[Any]) -> Any:
        """What stands for an object that is no data."""
        if is_remote(thing):
            return Ref(parts(thing)[1])
        if (mirrored := self.mirrors.ref(thing)) is not None:
            return mirrored
        if isinstance(thing, np.random.Generator | np.random.RandomState):
            if id(thing) not in self._generators:
                remote = self.operate("", "generator", generator_state(thing))
                self._generators[id(thing)] = thing, remote
            elif all(thing is not each for each in used):
                self.operate("", "set generator", self._generators[id(thing)][1], generator_state(thing))
            used.append(thing)
            return Ref(parts(self._generators[id(thing)][1])[1])
        if (library := of_a_library(thing)) is not None:
            return Ref(0, library)
        if id(thing) in self._given:
            with contextlib.suppress(Absent):
                remote = self.operate("", "name", self._given[id(thing)][1])
                if is_remote(remote):
                    return Ref(parts(remote)[1])
        named = type(thing).__name__[:100], " ".join(can(thing))
        return Ref(0, ("outside", self._number(thing), *named, self._base_of(type(thing))))

    def _base_of(self, kind: type) -> str:
        """The name of the nearest class of an object of the test's that the student's process has too."""
        for each in kind.__mro__[:-1]:
            if (name := self._given_name(each)) or not (library := of_a_library(each)):
                if name:
                    return name
                continue
            return f"{library[1]}:{library[2]}"
        return ""

    def _given_name(self, kind: type) -> str:
        """The name under which a locked cell defines a class; empty for any other."""
        name = kind.__qualname__ if kind.__module__ == "__main__" else ""
        return name if name and self.givens(name) is kind else ""

    def is_mirrored(self, thing: object) -> bool:
        """Whether something is of a locked cell's class, and there on both sides."""
        return bool(self.mirrors.name(type(thing)))

    def _take(self, objects: Any, label: str) -> None:
        """Take over what has become of the objects that are there on both sides.

        Those of the test's stay as they are where the solved master's code does not change any here, and others come.
        """
        if objects is None:
            return
        self._refuse_more()
        try:
            changed = self.mirrors.take(objects)
            if changed and not self.has_object("change", position()):
                self.changed = True
                if self.keeps:
                    self.mirrors.part(self._referring)
                    changed = self.mirrors.take(objects)
            self.mirrors.change(changed, self._finding(label), self._referring, self._may_have)
        except _NO_SUCH:
            raise self._ended(Cause("protocol", label)) from None

    def _finding(self, label: str) -> Callable[[Any], Any]:
        return lambda tree: self._found(tree, label)

    def _referring(self, thing: object) -> Any:
        return self._refer(thing, [])

    def _may_have(self, thing: Any, name: str) -> bool:
        """Whether an object that is here may have an attribute that the student's code has set.

        It would be called in the place of what the object's class does.
        """
        return not callable(getattr(type(thing), name, None)) or self.has_object(f"shadow {name}", position())

    def _is_granted(self, what: str, kind: type) -> bool:
        """Whether the solved master gives such a class here, its object, or one that is made of the same."""
        names = [name for each in kind.__mro__ if (name := self._given_name(each))]
        for name in names:
            operation = f"{what} {name}"
            if operation not in self._granted:
                self._granted[operation] = self.has_object(operation, position())
        return any(self._granted[f"{what} {name}"] for name in names)

    def _mirrored(self, more: tuple[Any, ...], label: str) -> tuple[Any] | None:
        """What is here of an object of a locked cell's class, where it may be one; else None."""
        match more:
            case (str(text), str()) if text.lstrip("-").isdigit() and len(text) < 12:
                number = int(text)
                if number < 0 and not self._may_come(number):
                    return None
                return (self.mirrors.found(number, self._finding(label), self._referring, self._may_have),)
            case ("given class", str(name)) if (of := self.givens(name)) and self._is_granted("give class", of):
                return (of,)
            case ("given member", str(name), str(member)) if (of := self.givens(name)) and issubclass(of, enum.Enum):
                if self._is_granted("give", of):
                    members: Any = of
                    return (members[member] if member in of.__members__ else members(int(member)),)
        return None

    def _may_come(self, number: int) -> bool:
        """Whether an object that the student's code has made may be one of a locked cell's class here."""
        name = self.mirrors.named(number)
        kind = self.givens(name) if name else type(self.mirrors.things.get(number))
        # A list, a dictionary or a set is data, whatever is in it.
        return (
            name.startswith(":") or kind in (list, dict, set) or (kind is not None and self._is_granted("give", kind))
        )

    def _own(self, reference: Ref) -> Any:
        """What a reference stands for that this side has made itself."""
        match reference:
            case Ref(0, ("mirrored", int(number))):
                return self.mirrors.found(number, self._finding(""), self._referring, self._may_have)
            case Ref(0, ("outside", int(number), *_)):
                return self._objects[number]
            case Ref(0, ("given class", str(name))):
                return self.givens(name)
            case Ref(0, ("given member", str(name), member)):
                of: Any = self.givens(name)
                return of[member] if isinstance(member, str) else of(member)
            case Ref(0, ("library", str(module), str(name))):
                return getattr(sys.modules[module], name) if name else sys.modules[module]
            case Ref(handle) if handle in self._proxies:
                return self._proxies[handle]
        raise ValueError("a reference of another side")

    def _number(self, thing: Any) -> int:
        if id(thing) not in self._numbers:
            self._numbers[id(thing)] = len(self._objects) + 1
            self._objects[len(self._objects) + 1] = thing
        return self._numbers[id(thing)]

    def settle(self, used: list[Any]) -> None:
        """Bring generators that an operation has had to the state that they are in now on the other side."""
        for generator in used:
            state = self.operate("", "generator state", self._generators[id(generator)][1])
            if _encoded(state) != wire.encode(generator_state(generator)) and self.has_object("draw", position()):
                put_generator_state(generator, state)

    def _found_in(self, tree: Any, label: str) -> Any:
        if isinstance(tree, Opaque | Ref):
            return self._found(tree, label)
        if isinstance(tree, wire.TupleLike) and tree.fields:
            with contextlib.suppress(ValueError, TypeError):
                made_of = (self._found_in(part, label) for part in tree)
                return collections.namedtuple(tree.type_name, tree.fields)(*made_of)
        return within(tree, lambda part: self._found_in(part, label))

    def _found(self, tree: Any, label: str = "") -> Any:
        match tree:
            case Opaque(_, ("0", "outside", str(number))) if number.isdigit() and int(number) in self._objects:
                return self._objects[int(number)]
            case Opaque(name, (str(handle), str(kind), str(number), *more)) if handle.isdigit() and number.isdigit():
                try:
                    known = self._mirrored(tuple(more), label) if more else None
                except _NO_SUCH:
                    raise self._ended(Cause("protocol", label)) from None
                if known is not None:
                    return known[0]
                return self._proxy(int(handle), kind, int(number), name, label)
            case Ref() if self.keeps:
                return self._own(tree)
        raise self._ended(Cause("protocol", label))

    def _proxy(self, handle: int, kind: str, number: int, name: str, label: str) -> Any:
        if handle not in self._proxies:
            if kind != "function":
                self._refuse_more()
            if kind == "class":
                self._proxies[handle] = self.class_of(number)
            elif kind == "function":
                self._proxies[handle] = made(RemoteFunction, self, handle, name if name.isidentifier() else label)
            elif kind == "module":
                self._proxies[handle] = made(RemoteModule, self, handle, label)
            else:
                of = self.class_of(number)
                of = of if issubclass(of, RemoteObject | RemoteError) else RemoteObject
                self._proxies[handle] = made(of, self, handle, label)
        return self._proxies[handle]

    def _change(self, sent: Sent, changed: Any, label: str) -> None:
        if changed is None:
            return
        self._refuse_more()
        if not self.has_object("change", position()):
            self.changed = True
            if self.keeps:
                return
        try:
            sent.change(changed, lambda tree: self._found(tree, label))
        except ValueError:
            raise self._ended(Cause("protocol", label)) from None

    def _replay(self, printed: list[Any]) -> None:
        for each in printed:
            match each:
                case ["stdout", str(text)]:
                    sys.stdout.write(text)
                case ["stderr", str(text)]:
                    sys.stderr.write(text)

    def _draw(self, before: Any, now: Any) -> None:
        """Take over the state of random numbers from the student's process, where the solved master draws as well."""
        if before is None or now is None or wire.encode(before) == _encoded(now):
            return
        if self.has_object("draw", position()):
            _set_random_state(now)

    def _error(self, threw: protocol.Threw) -> BaseException:
        """What a student's code raised, as an exception of the same type where that is known here."""
        if threw.outside in self._errors:
            return self._errors[threw.outside]
        of_theirs = self._found(threw.value) if isinstance(threw.value, Opaque) else None
        if isinstance(of_theirs, BaseException):
            return self._thrown(of_theirs, threw)
        kind: type[BaseException] = Exception
        for base in threw.bases:
            if isinstance(base, str) and base.startswith("#") and base[1:].isdigit() and len(base) < 12:
                of = self.class_of(int(base[1:]))
                if issubclass(of, BaseException):
                    kind = of
                    break
            elif isinstance(base, str) and (known := exception_named(base)) is not None:
                kind = known
                break
        arguments = self._found_in(threw.arguments, "") if isinstance(threw.arguments, tuple) else (threw.text,)
        return self._thrown(_made_error(kind, arguments, threw), threw)

    def _thrown(self, error: BaseException, threw: protocol.Threw) -> BaseException:
        self.thrown[id(error)] = threw
        self._errors[-len(self.thrown)] = error
        return error

    # Objects of the test's

    def _answer(self, asked: Any) -> bytes:
        """The answer to what the student's code does with an object of the test's."""
        used: list[Any] = []
        try:
            assert isinstance(asked, protocol.AskOutside)
            self._take(asked.objects, "")
            thing = self._objects[asked.number]
            taken = Taken((*asked.operands, asked.keywords), self._found, lambda each: self._refer(each, used))
            *operands, keywords = taken.things
            value = done_outside(thing, asked.operation, operands, keywords)
            return self._payload(protocol.AnsweredOutside(value, taken.changed()), used)
        except BaseException as error:
            number = len(self._errors) + 1
            self._errors[number] = error
            base = next(each for each in type(error).__mro__ if each.__module__ == "builtins")
            said = object.__getattribute__(error, "args")
            text = said[0] if said and isinstance(said[0], str) else ""
            if is_remote(error) and id(error) in self.thrown:
                text = self.thrown[id(error)].text
            if isinstance(error, AssertionError) and id(error) not in self.thrown:
                # It says what the test expects. Who may go on after it could try one value after the other.
                text = ""
                if self.swallowed is None and not self.has_object("assert", _raised_at(error)):
                    self.swallowed = error
            threw = protocol.ThrewOutside(base.__name__, text[:1000], number)
            return self._payload(threw._replace(value=self._known_there(error)), [])

    def _known_there(self, error: BaseException) -> Any:
        """What stands for an exception that the student's code knows: its own, or of a locked cell's class."""
        if isinstance(error, AssertionError):
            return None
        if is_remote(error):
            return Ref(parts(error)[1])
        return self.mirrors.ref(error)


def _made_error(kind: type[BaseException], arguments: tuple[Any, ...], threw: protocol.Threw) -> BaseException:
    """An exception of a class that is loaded here, with the text and the plain attributes of the student's."""
    try:
        error = kind(*arguments)
        if str(error) != threw.text:
            error = kind(threw.text)
    except Exception:
        # A library's class may be made of other things than its ``args``, such as a text and a place in it.
        try:
            error = kind.__new__(kind, *arguments)
            error.args = arguments
            if str(error) != threw.text:
                raise TypeError(threw.text)
        except Exception:
            return Exception(threw.text)
    if isinstance(threw.value, dict) and type(getattr(error, "__dict__", None)) is dict:
        plain = {name: value for name, value in threw.value.items() if isinstance(name, str) and name[:1] != "_"}
        vars(error).update(plain)
    return error


def _raised_at(error: BaseException) -> str:
    """The lines of the cells' code in which an exception came up."""
    at, lines = error.__traceback__, []
    while at is not None:
        if at.tb_frame.f_code.co_filename.startswith(CELL):
            lines.append(f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}")
        at = at.tb_next
    return " ".join(lines)


def _encoded(tree: Any) -> bytes:
    try:
        return wire.encode(tree)
    except wire.WireError:
        return b""


def hides(value: Any) -> bool:
    """Whether data has masked or missing entries: these are equal to nothing and different from nothing."""
    if isinstance(value, list | tuple):
        return any(map(hides, value))
    if isinstance(value, dict):
        return any(map(hides, value.values()))
    if isinstance(value, np.ma.MaskedArray):
        return bool(np.any(np.ma.getmaskarray(value)))
    kind = type(value)
    if kind.__module__.partition(".")[0] != "pandas":
        return False
    if kind.__name__ == "DataFrame":
        return any(hides(value.iloc[:, place]) for place in range(value.shape[1]))
    array = getattr(value, "array", value)
    is_nullable = type(array).__name__ in ("IntegerArray", "FloatingArray", "BooleanArray", "StringArray")
    return kind.__name__ == "NAType" or (is_nullable and bool(array.isna().any()))


def signature_of(link: StudentLink, remote: Any) -> inspect.Signature:
    """The signature of a student's function, as it says itself."""
    found = link.operate(parts(remote)[2], "signature", remote)
    return inspect.Signature(
        [
            inspect.Parameter(name, kind, default=default if has else inspect.Parameter.empty)
            for name, number, has, default in found
            for kind in [list(inspect._ParameterKind)[number]]
        ]
    )


def put_generator_state(generator: Any, state: Any) -> None:
    """Set what ``generator_state`` gave on the other side, once it is checked to be a state."""
    from autograder.checking.reference import generator_from

    try:
        now = generator_from(state)
    except ValueError:
        return
    if isinstance(generator, np.random.Generator) and isinstance(now, np.random.Generator):
        generator.bit_generator.state = now.bit_generator.state
    elif isinstance(generator, np.random.RandomState) and isinstance(now, np.random.RandomState):
        generator.set_state(now.get_state(legacy=False))


def _set_random_state(state: Any) -> None:
    """Take over the state that a student's process says it is in, where it is one."""
    from autograder.checking.reference import generator_from

    match state:
        case [3, np.ndarray() as words, (float() | None) as half, dict(legacy)]:
            pass
        case _:
            return
    try:
        legacy_now = generator_from({"legacy": legacy})
        assert isinstance(legacy_now, np.random.RandomState)
        if words.shape == (625,) and words.dtype == np.uint64 and words.max() < 2**32 and words[-1] <= 624:
            random.setstate((3, tuple(map(int, words)), half))
        np.random.set_state(legacy_now.get_state(legacy=False))
    except (ValueError, TypeError):
        return


PATCHES = re.compile(r"^[A-Za-z_][\w.]*\.[A-Za-z_]\w*$")
"""What names an attribute of a module in a text, as ``patch("numpy.linalg.inv")`` has it."""
