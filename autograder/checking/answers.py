"""The student's functions as a check calls them, and what they give back.

Whatever a student's function gives back is an ``Answer``, which turns into numbers only through methods that say to
the student what is wrong with it, so a check has no other way to fail than by a verdict.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from autograder.base import Cause, CheckError, Stopped, Wrong, without_host_paths, wrong
from autograder.checking.given import GivenObjects
from autograder.checking.identity import crossed, equal, identical, is_made_of_parts, parts_of
from autograder.sandbox import Opaque, Ref, calls, kinds, protocol, wire


class Calls(Protocol):
    """The way to a student's functions: one message there, one reply back.

    Attributes:
        outside: Answers what the student's code does with an object of a test's, while a message is out.
    """

    outside: Callable[[protocol.AskOutside], Any]

    @property
    def code(self) -> tuple[str, ...]:
        """The code cells that have run in the process behind it."""

    @property
    def generation(self) -> int:
        """Counts the processes behind it: what one gave cannot be passed to the next."""

    def told(self, raised: protocol.Raised) -> protocol.Raised:
        """An exception that an operation raised, as it may be told of."""

    def renew(self) -> None:
        """Have the next message answered by a fresh process, with the state at first; raises ``Stopped``."""

    def exchange(self, message: tuple[Any, ...], function: str) -> Any:
        """Send a message (``protocol``) about ``function`` and give the reply, None for none; raises ``Stopped``."""


class Loopback:
    """The way to functions in this very process, through the same encoding: for an author who tries checks."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.printed = io.StringIO()
        self.row = calls.RowFork(None, names, streams=self._streams)
        self.generation = 1
        self.code: tuple[str, ...] = ()

    @property
    def outside(self) -> Callable[[protocol.AskOutside], Any]:
        """As ``Calls.outside``."""
        return self.row.outside

    @outside.setter
    def outside(self, answers: Callable[[protocol.AskOutside], Any]) -> None:
        def asked(question: protocol.AskOutside) -> Any:
            sent = protocol.read(wire.decode(self.row.payload(question)))
            if not isinstance(sent, protocol.AskOutside):
                return protocol.ThrewOutside("ValueError", "what is asked with cannot cross", 0)
            return protocol.read(wire.decode(wire.encode(protocol.tree(answers(sent)), layout=True)))

        self.row.outside = asked

    def told(self, raised: protocol.Raised) -> protocol.Raised:
        """All of it: it is the author's own."""
        return raised

    def renew(self) -> None:
        """Nothing: there is but this process."""

    def exchange(self, message: tuple[Any, ...], function: str) -> Any:  # noqa: ARG002 - as Calls.exchange
        """As ``Calls.exchange``."""
        layout = isinstance(message, protocol.Operate)
        sent = protocol.read(wire.decode(wire.encode(protocol.tree(message), layout=layout)))
        if isinstance(sent, protocol.Operate):
            with contextlib.redirect_stdout(self.printed):
                reply = self.row.objects.reply(sent)
            return protocol.read(wire.decode(self.row.payload(reply)))
        return protocol.read(wire.decode(calls.packed(self.row.reply(sent))))

    def _streams(self) -> list[list[str]]:
        text = self.printed.getvalue()
        self.printed.seek(0)
        self.printed.truncate()
        return [["stdout", text]] if text else []


class Student:
    """The student's functions, as attributes: ``student.softmax(logits)``."""

    def __init__(self, calls: Calls, parameters: Callable[[str], tuple[str, ...]] = lambda _: ()) -> None:
        """Take the way to them, and what says the names of a function's arguments, as the reference knows them."""
        self._calls = calls
        self._parameters = parameters

    def __getattr__(self, name: str) -> Function:
        if name.startswith("_"):
            raise AttributeError(name)
        return Function(name, self._calls, self._parameters(name))

    def value(self, name: str) -> Answer:
        """What a name stands for once the notebook has run, such as a variable that it asks for.

        Raises:
            Stopped: There is no such name.
        """
        return replace(_result(self._calls, protocol.LookUp(name), name, ()), label=f"`{name}`")

    def rng(self, seed: int) -> Answer:
        """A ``numpy.random.Generator`` made inside, to pass to a function; the same object each time it is passed."""
        return _result(self._calls, protocol.MakeGenerator(seed), "rng", ())


@dataclass(frozen=True)
class Function:
    """One of the student's functions or classes, looked up by name when it is called."""

    name: str
    calls: Calls
    parameters: tuple[str, ...] = ()

    def __call__(self, *arguments: Any, **keywords: Any) -> Answer:
        """Call it in the sandbox: a class makes an object, which stays there.

        An argument may be data, an answer, another function of the student's, or a function or object of the check's
        own, which is asked out here whenever the student's code uses it.

        Raises:
            Stopped: It is missing, raised, hung, died or gave too much.
        """
        own = _Own(self.calls)
        sent = own.sent(arguments), own.sent(keywords)
        with own:
            answer = _result(self.calls, protocol.Call(self.name, *sent), self.name, sent)
        return replace(answer, parameters=self.parameters)


@dataclass(frozen=True)
class Member:
    """A method of an object that a student's function or class gave, looked up when it is called."""

    of: Answer
    name: str

    def __call__(self, *arguments: Any, **keywords: Any) -> Answer:
        """Call it in the sandbox, as a function of the student's.

        Raises:
            Stopped: It is missing, raised, hung, died or gave too much.
        """
        answer, own = self.of, _Own(self.of.calls)
        ref = _by_reference(answer, answer.calls)
        sent = own.sent(arguments), own.sent(keywords)
        label = f"{_short_name(answer)}.{self.name}"
        with own:
            message = protocol.CallMember(ref, self.name, *sent)
            return replace(_result(answer.calls, message, answer.function, sent), label=f"`{label}(…)`")


class _Own:
    """The functions and objects of a check's own that are among the arguments of a call."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.given = GivenObjects()
        self._before: Callable[[protocol.AskOutside], Any] | None = None

    def sent(self, tree: Any) -> Any:
        """Arguments as they are sent: answers, functions and objects as references."""
        return _by_reference(tree, self.calls, self._refer)

    def __enter__(self) -> None:
        if self.given:
            self._before, self.calls.outside = self.calls.outside, self.asked

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            self.calls.outside = self._before

    def asked(self, question: protocol.AskOutside) -> Any:
        """The answer to what the student's code does with one of them."""
        return protocol.read(wire.decode(self.given.answer(question)))

    def _refer(self, thing: Any) -> Ref | None:
        if isinstance(thing, Function):
            return Ref(0, ("name", thing.name))
        if not callable(thing) or isinstance(thing, type | Answer):
            return None
        reference: Ref = self.given.refer(thing)
        return reference


@dataclass(frozen=True, eq=False)
class Answer:
    """What a student's function gave back. The object itself stays inside, and is what another function gets.

    Its truth and its equality are those of the data that it holds, so that a plain ``assert`` says what it seems to.

    Attributes:
        value: As much of it as is plain data; ``Opaque`` stands for the rest.
        ref: Names the object inside.
        label: What to call it in messages.
        function: The function that gave it.
    """

    value: Any
    ref: Ref
    label: str
    function: str
    calls: Calls = field(repr=False)
    generation: int = 0
    sent: tuple[Any, ...] = field(default=(), repr=False)
    parameters: tuple[str, ...] = field(default=(), repr=False)

    def __bool__(self) -> bool:
        """Whether the data that it holds is true, as Python and NumPy have it.

        Raises:
            Wrong: It is an array of several entries or of none, which is neither true nor false.
            CheckError: The object stayed inside, so nothing out here knows.
        """
        if isinstance(self.value, np.ndarray) and self.value.size != 1:
            raise self._of_another_type("truth")
        if isinstance(self.value, Opaque):
            raise self._out_of_reach("true")
        try:
            return bool(self.value)
        except Exception:
            # A table, or a tensor of several numbers.
            raise self._of_another_type("truth") from None

    def __eq__(self, other: object) -> Any:
        """Whether it holds the same data: for two arrays of one shape entry by entry, else True or False.

        Raises:
            CheckError: Both are objects that stayed inside, so nothing out here knows.
        """
        if isinstance(other, Answer):
            if isinstance(self.value, Opaque) and isinstance(other.value, Opaque):
                if (self.calls, self.generation, self.ref) == (other.calls, other.generation, other.ref):
                    return True
                raise self._out_of_reach("equal")
            other = other.value
        return _equal(self.value, other)

    def __ne__(self, other: object) -> Any:
        """The opposite of ``==``."""
        equal = self == other
        return np.logical_not(equal) if isinstance(equal, np.ndarray) else not equal

    __hash__ = None  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Member:
        """A method of the object, to be called: ``layer.forward(x)``."""
        if name.startswith("_"):
            raise AttributeError(name)
        return Member(self, name)

    def method(self, name: str) -> Member:
        """A method of the object by its name, for one that is called as something here: ``parameters``, ``items``."""
        return Member(self, name)

    def attribute(self, name: str) -> Answer:
        """An attribute of the object.

        Raises:
            Stopped: There is none, or it could not be looked at.
        """
        message = protocol.Look(_by_reference(self, self.calls), name)
        label = f"`{_short_name(self)}.{name}`"
        return replace(_result(self.calls, message, self.function, ()), label=label)

    def named(self, label: str) -> Answer:
        """The same answer under another name."""
        return replace(self, label=label)

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """The dtype of an array or a NumPy scalar, None for anything else."""
        return self.value.dtype if isinstance(self.value, np.ndarray | np.generic) else None

    def array(self, shape: tuple[int, ...] | None = None) -> npt.NDArray[Any]:
        """A real array, of exactly this shape where one is given; for the shape () any real scalar will do.

        Raises:
            Wrong: It is no such array.
        """
        if shape == () and isinstance(self.value, bool | int | float | np.generic) and self._real_kind():
            return np.asarray(self.value)
        if not isinstance(self.value, np.ndarray):
            raise self._of_another_type("array")
        if not self._real_kind():
            raise Wrong(Cause("dtype", self.function, self.label, dtype=dtype_name(self.value.dtype)))
        if shape is not None and self.value.shape != shape:
            raise Wrong(Cause("shape", self.function, self.label, shape=self.value.shape, asked_shape=shape))
        return np.asarray(self.value)

    def scalar(self) -> float:
        """One real number: a Python or NumPy number, or a 0-d array.

        Raises:
            Wrong: It is not one real number; an array of shape (1,) does not count.
        """
        if isinstance(self.value, np.ndarray) and self.value.shape != ():
            raise Wrong(Cause("shape", self.function, self.label, "number", shape=self.value.shape))
        if not isinstance(self.value, int | float | np.generic | np.ndarray) or not self._real_kind():
            raise self._of_another_type("number")
        return (
            float(np.float64(np.asarray(self.value)))
            if isinstance(self.value, np.ndarray | np.generic)
            else _float(self.value)
        )

    def unpack(self, *names: str) -> tuple[Answer, ...]:
        """The parts of a tuple or list of exactly ``len(names)``.

        Raises:
            Wrong: It is no tuple or list, or has another length.
        """
        if not isinstance(self.value, tuple | list):
            raise self._of_another_type("parts", names)
        if len(self.value) != len(names):
            raise Wrong(Cause("length", self.function, self.label, "parts", names, length=len(self.value)))
        return tuple(self._part(part, index, f"`{names[index]}`") for index, part in enumerate(self.value))

    def entries(self, *keys: str) -> dict[str, Answer]:
        """The entries of a dict that has exactly these keys, in any order.

        Raises:
            Wrong: It is no dict, or keys are missing or too many.
        """
        if not isinstance(self.value, dict):
            raise self._of_another_type("dict", _keys(keys))
        missing = _keys(key for key in keys if key not in self.value)
        extra = tuple(short(repr(key)) for key in self.value if key not in keys)
        if missing:
            raise Wrong(Cause("lacks", self.function, self.label, names=missing))
        if extra:
            raise Wrong(Cause("extra", self.function, self.label, names=extra[:5]))
        return {
            key: self._part(self.value[key], key, f"{self.label}[{key!r}]".replace("`[", "[") + "`") for key in keys
        }

    def items(self, limit: int) -> list[Answer]:
        """What an iterable yields, a generator included; it is used up inside.

        Raises:
            Wrong: It is no iterable, or yields more than ``limit``.
            Stopped: It raised or hung on the way.
        """
        _by_reference(self, self.calls)
        match self.calls.exchange(protocol.TakeItems(self.ref, limit), self.function):
            case protocol.Result(handle, list(values)) if _is_handle(handle):
                if len(values) > limit:
                    raise Wrong(Cause("endless", self.function, self.label, length=limit))
                return [
                    replace(self, value=value, ref=Ref(handle, (index,)), label=f"item {index} of {self.label}")
                    for index, value in enumerate(values)
                ]
            case protocol.Raised("TypeError", text) if "not iterable" in text:
                raise self._of_another_type("iterable")
            case reply:
                raise stopped(reply, self.function)

    def unchanged(self) -> Answer:
        """This answer, where the call that gave it left its array arguments as they were.

        Raises:
            Wrong: One was changed in place.
        """
        _by_reference(self, self.calls)
        match self.calls.exchange(protocol.ShowArguments(self.ref.handle), self.function):
            case protocol.Arguments(now):
                if not _same(self.sent, now):
                    raise Wrong(Cause("changed", self.function, names=_changed(self.sent, now, self.parameters)))
                return self
            case reply:
                raise stopped(reply, self.function)

    def _out_of_reach(self, what: str) -> CheckError:
        return CheckError(
            f"whether {self.label} is {what} cannot be told: it gave a {_form(self.value)['type']}, which stays in the "
            "sandbox; ask for data, by a function of the student's that takes it, or by `.array()`, `.scalar()`, "
            "`.unpack(…)`, `.entries(…)` or `.items(…)`"
        )

    def _of_another_type(
        self, asked: Literal["array", "number", "parts", "dict", "iterable", "truth"], names: tuple[str, ...] = ()
    ) -> Wrong:
        """The verdict on an answer of another type than was asked for; None is no answer at all."""
        kind: Literal["nothing", "type"] = "nothing" if self.value is None and not self.ref.path else "type"
        return wrong(Cause(kind, self.function, self.label, asked, names, **_form(self.value)))

    def _part(self, value: Any, key: int | str, label: str) -> Answer:
        return replace(self, value=value, ref=Ref(self.ref.handle, (*self.ref.path, key)), label=label)

    def _real_kind(self) -> bool:
        return np.asarray(self.value).dtype.kind in "iuf" if not isinstance(self.value, bool) else False


def stopped(reply: Any, function: str) -> Stopped:
    """What to tell the student of a reply that is no result."""
    match reply:
        case protocol.Missing(kind):
            return Stopped(Cause("missing", function, type=short(kind) if kind else ""))
        case protocol.Raised("NotImplementedError", _, where):
            if where in (function, ""):
                return Stopped(Cause("unwritten", function))
            return Stopped(Cause("raised", function, where=short(where)))
        case protocol.Raised(kind, text, where, line, source):
            # An address differs from run to run, and the same submission gets the same report.
            text = short(re.sub(r"\b0x[0-9A-Fa-f]{6,}", "0x…", text), 300)
            cause = Cause("raised", function, exception=short(kind), text=text)
            if source:
                return Stopped(replace(cause, where=short(where), source=short(source, 160)))
            return Stopped(replace(cause, line=line if 0 < line < 10**6 else 0))
        case protocol.TooLarge(why):
            return Stopped(Cause("uncrossable", function, text=short(why, 120), when="given"))
    return Stopped(Cause("protocol", function))


def _result(calls: Calls, message: tuple[Any, ...], function: str, sent: tuple[Any, ...]) -> Answer:
    match calls.exchange(message, function):
        case protocol.Result(handle, value) if _is_handle(handle):
            return Answer(value, Ref(handle), f"`{function}(…)`", function, calls, calls.generation, sent)
        case reply:
            raise stopped(reply, function)


def _short_name(answer: Answer) -> str:
    """What an object is called in the name of a method of it."""
    return answer.value.type_name if isinstance(answer.value, Opaque) else answer.label.strip("`")


def _is_handle(handle: int) -> bool:
    """Whether a reply's handle can be sent back: the process that made it up may have been hostile."""
    return type(handle) is int and 0 < handle < 2**63


def _by_reference(tree: Any, calls: Calls, refer: Callable[[Any], Ref | None] = lambda _: None) -> Any:
    """``tree`` with answers as references to the objects inside; ``refer`` may name others."""
    if isinstance(tree, Answer):
        if tree.generation != calls.generation:
            raise Stopped(Cause("died", tree.function, tree.label, when="since"))
        return tree.ref
    if isinstance(tree, dict | list | tuple):
        return kinds.with_entries(tree, lambda each: _by_reference(each, calls, refer))
    return tree if (ref := refer(tree)) is None else ref


def _same(sent: Any, now: Any) -> bool:
    if isinstance(sent, Ref):
        return True
    if type(sent) is np.ndarray and sent.dtype.kind not in "OV":
        return (
            isinstance(now, np.ndarray)
            and sent.dtype == now.dtype
            and sent.shape == now.shape
            and sent.tobytes() == now.tobytes()
        )
    if isinstance(sent, dict):
        return isinstance(now, dict) and sent.keys() == now.keys() and all(_same(sent[key], now[key]) for key in sent)
    if isinstance(sent, list | tuple):
        return isinstance(now, list | tuple) and len(sent) == len(now) and all(map(_same, sent, now))
    if isinstance(sent, set | frozenset):
        return isinstance(now, set | frozenset) and sent == now
    # What cannot be changed needs no second look; of a table or a deque, all that shows is looked at.
    return parts_of(sent) is None or identical(crossed(sent), now)


def _changed(sent: Any, now: Any, parameters: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the arguments that are not as they were sent, an entry of a dict by its key; some three at most."""
    match sent, now:
        case (tuple(given), dict(keywords)), (tuple() | list() as places, dict(named)) if len(given) == len(places):
            pass
        case _:
            return ()
    pairs = list(zip(given, places, strict=True)) + [(keywords[key], named.get(key)) for key in keywords]
    names = [parameters[at] if at < len(parameters) else f"number {at + 1}" for at in range(len(given))] + [*keywords]
    found: list[str] = []
    for name, (before, after) in zip(names, pairs, strict=True):
        if _same(before, after):
            continue
        keys = [key for key in before if not _same(before[key], after.get(key))] if _are_dicts(before, after) else []
        inner = [f"{name}[{key!r}]" for key in keys if not name.startswith("number ")]
        found += inner or [name]
    return tuple(found[:_MOST_NAMED])


_MOST_NAMED = 3


def _are_dicts(before: Any, after: Any) -> bool:
    return isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys()


def _equal(ours: Any, other: Any) -> Any:
    """Whether two pieces of plain data are equal; an array of booleans for two arrays of one shape."""
    if is_made_of_parts(ours) or is_made_of_parts(other):
        # As a whole: tables compare themselves entry by entry, and raise where their labels differ.
        return equal(ours, other)
    if isinstance(ours, np.ndarray) or isinstance(other, np.ndarray):
        if not _is_numeric(ours) or not _is_numeric(other) or np.shape(ours) != np.shape(other):
            # What compares itself with arrays, such as `pytest.approx`, does so.
            return ours == other if not _is_numeric(other) and not isinstance(other, _DATA) else np.False_
        return np.asarray(ours) == np.asarray(other)
    if isinstance(ours, dict) and isinstance(other, dict):
        return ours.keys() == other.keys() and all(_is_equal(value, other[key]) for key, value in ours.items())
    for kind in (list, tuple):
        if isinstance(ours, kind) and isinstance(other, kind):
            return len(ours) == len(other) and all(map(_is_equal, ours, other))
    return ours == other


_DATA = (bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict, type(None), Opaque)


def _is_equal(ours: Any, other: Any) -> bool:
    return bool(np.all(_equal(ours, other)))


def _is_numeric(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.generic | bool | int | float | complex)


def _keys(keys: Iterable[Any]) -> tuple[str, ...]:
    """Keys for a message, each as a text."""
    return tuple(key if type(key) is str else short(repr(key)) for key in keys)


def dtype_name(dtype: np.dtype[Any]) -> str:
    """A dtype for a message: nothing of the names, the lengths and the units in it, which are the student's choice."""
    kinds = {"M": "datetime64", "m": "timedelta64", "S": "bytes", "U": "str", "O": "object"}
    return str(dtype) if dtype.kind in "biufc" else kinds.get(dtype.kind, "record")


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def _form(value: Any) -> dict[str, Any]:
    """What a value is, for a cause: its type, with the length of a list and the shape of an array."""
    match value:
        case None:
            return {"type": "None"}
        case Opaque(type_name):
            return {"type": short(type_name)}
        case np.ndarray():
            return {"type": "array", "shape": value.shape}
        case wire.ListLike() | wire.TupleLike():
            return {"type": short(value.type_name), "length": len(value)}
        case wire.DictLike():
            return {"type": short(value.type_name)}
        case tuple() | list():
            return {"type": type(value).__name__, "length": len(value)}
    return {"type": type(value).__name__}


def short(text: str, most: int = 80) -> str:
    """A text of the student's as one line that is safe to print, cut to ``most`` characters."""
    line = " ".join(without_host_paths(text[: 4 * most]).split())[:most]
    return "".join(character if character.isprintable() else "�" for character in line)
