"""The student's functions as a check calls them, and what they give back.

Whatever a student's function gives back is an ``Answer``, which turns into numbers only through methods that say to
the student what is wrong with it, so a check has no other way to fail than by a verdict.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from autograder.base import Stopped, Wrong, without_host_paths
from autograder.sandbox import Opaque, Ref, calls, wire


class Calls(Protocol):
    """The way to a student's functions: one message there, one reply back."""

    @property
    def generation(self) -> int:
        """Counts the processes behind it: what one gave cannot be passed to the next."""

    def exchange(self, message: tuple[Any, ...], function: str) -> Any:
        """Send a message about ``function`` and give the reply; raises ``Stopped``."""


class Loopback:
    """The way to functions in this very process, through the same encoding: for an author who tries checks."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.row = calls.Row(None, names)
        self.generation = 1

    def exchange(self, message: tuple[Any, ...], function: str) -> Any:  # noqa: ARG002 - as Calls.exchange
        """As ``Calls.exchange``."""
        return wire.decode(calls.packed(self.row.reply(wire.decode(wire.encode(message)))))


class Student:
    """The student's functions, as attributes: ``student.softmax(logits)``."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def __getattr__(self, name: str) -> Function:
        if name.startswith("_"):
            raise AttributeError(name)
        return Function(name, self._calls)

    def rng(self, seed: int) -> Answer:
        """A ``numpy.random.Generator`` made inside, to pass to a function; the same object each time it is passed."""
        return _result(self._calls, ("rng", seed), "rng", ())


@dataclasses.dataclass(frozen=True)
class Function:
    """One of the student's functions, looked up by name when it is called."""

    name: str
    calls: Calls

    def __call__(self, *arguments: Any, **keywords: Any) -> Answer:
        """Call it in the sandbox.

        Raises:
            Stopped: It is missing, raised, hung, died or gave too much.
        """
        message = (
            "call",
            self.name,
            _by_reference(arguments, self.calls),
            _by_reference(keywords, self.calls),
        )
        return _result(self.calls, message, self.name, (message[2], message[3]))


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a student's function gave back. The object itself stays inside, and is what another function gets.

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
    calls: Calls = dataclasses.field(repr=False)
    generation: int = 0
    sent: tuple[Any, ...] = dataclasses.field(default=(), repr=False)

    def named(self, label: str) -> Answer:
        """The same answer under another name."""
        return dataclasses.replace(self, label=label)

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """The dtype of an array or a NumPy scalar, None for anything else."""
        return self.value.dtype if isinstance(self.value, np.ndarray | np.generic) else None

    def array(self, shape: tuple[int, ...] | None = None) -> npt.NDArray[Any]:
        """A real array, of exactly this shape where one is given; for the shape () any real scalar will do.

        Raises:
            Wrong: It is none.
        """
        if shape == () and isinstance(self.value, bool | int | float | np.generic) and self._real_kind():
            return np.asarray(self.value)
        if not isinstance(self.value, np.ndarray):
            raise self._verdict(f"{self.label} should be a NumPy array, but it is {_kind(self.value)}.")
        if not self._real_kind():
            raise Wrong(f"{self.label} should hold real numbers, but its dtype is {self.value.dtype}.")
        if shape is not None and self.value.shape != shape:
            raise Wrong(f"{self.label} should have the shape {shape}, but its shape is {self.value.shape}.")
        return self.value

    def scalar(self) -> float:
        """One real number: a Python or NumPy number, or a 0-d array.

        Raises:
            Wrong: It is none; an array of shape (1,) is none.
        """
        if isinstance(self.value, np.ndarray) and self.value.shape != ():
            raise Wrong(f"{self.label} should be one number, but it is an array of shape {self.value.shape}.")
        if not isinstance(self.value, int | float | np.generic | np.ndarray) or not self._real_kind():
            raise self._verdict(f"{self.label} should be one real number, but it is {_kind(self.value)}.")
        return float(np.float64(self.value)) if isinstance(self.value, np.ndarray | np.generic) else _float(self.value)

    def unpack(self, *names: str) -> tuple[Answer, ...]:
        """The parts of a tuple or list of exactly ``len(names)``.

        Raises:
            Wrong: It is none, or of another length.
        """
        expected = f"{len(names)} values ({', '.join(names)})"
        if not isinstance(self.value, tuple | list):
            raise self._verdict(f"{self.label} should be {expected}, but it is {_kind(self.value)}.")
        if len(self.value) != len(names):
            raise Wrong(f"{self.label} should be {expected}, but it holds {len(self.value)}.")
        return tuple(self._part(part, index, f"`{names[index]}`") for index, part in enumerate(self.value))

    def entries(self, *keys: str) -> dict[str, Answer]:
        """The entries of a dict that has exactly these keys, in any order.

        Raises:
            Wrong: It is none, or keys are missing or too many.
        """
        if not isinstance(self.value, dict):
            raise self._verdict(
                f"{self.label} should be a dict with the keys {', '.join(keys)}, but it is {_kind(self.value)}."
            )
        missing = [key for key in keys if key not in self.value]
        extra = [key for key in self.value if key not in keys]
        if missing:
            raise Wrong(f"{self.label} lacks the {_plural(missing, 'key')} {', '.join(missing)}.")
        if extra:
            named = ", ".join(short(repr(key)) for key in extra[:5])
            raise Wrong(f"{self.label} has the {_plural(extra, 'key')} {named}, which should not be there.")
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
        match self.calls.exchange(("items", self.ref, limit), self.function):
            case (str("result"), int(handle), list(values)) if _is_handle(handle):
                if len(values) > limit:
                    raise Wrong(f"{self.label} yields more than {limit} items.")
                return [
                    dataclasses.replace(
                        self, value=value, ref=Ref(handle, (index,)), label=f"item {index} of {self.label}"
                    )
                    for index, value in enumerate(values)
                ]
            case (str("raised"), str("TypeError"), str(text), *_) if "not iterable" in text:
                raise self._verdict(f"{self.label} should be something to iterate over, but it is {_kind(self.value)}.")
            case reply:
                raise stopped(reply, self.function)

    def unchanged(self) -> Answer:
        """This answer, where the call that gave it left its array arguments as they were.

        Raises:
            Wrong: One was changed in place.
        """
        _by_reference(self, self.calls)
        match self.calls.exchange(("arguments", self.ref.handle), self.function):
            case (str("arguments"), now):
                if not _same(self.sent, now):
                    raise Wrong(
                        f"`{self.function}` changed one of its arguments in place. Work on a copy, or make a new array."
                    )
                return self
            case reply:
                raise stopped(reply, self.function)

    def _verdict(self, said: str) -> Wrong:
        """The verdict on an answer of another kind than was asked for; None is no answer at all."""
        nothing = self.value is None and not self.ref.path
        return Stopped(said, "nothing", self.function) if nothing else Wrong(said)

    def _part(self, value: Any, key: int | str, label: str) -> Answer:
        return dataclasses.replace(self, value=value, ref=Ref(self.ref.handle, (*self.ref.path, key)), label=label)

    def _real_kind(self) -> bool:
        return np.asarray(self.value).dtype.kind in "iuf" if not isinstance(self.value, bool) else False


def stopped(reply: Any, function: str) -> Stopped:
    """What to tell the student of a reply that is no result."""
    # ``str("missing")``, not ``"missing"``, here and elsewhere: a literal is compared with whatever was sent, and an
    # array that is compared with a text has no truth value.
    match reply:
        case (str("missing"), str("")):
            return Stopped(
                f"`{function}` is not defined once your notebook has run from top to bottom.", "missing", function
            )
        case (str("missing"), str(kind)):
            return Stopped(
                f"`{function}` is not a function but a `{short(kind)}` once your notebook has run.",
                "missing",
                function,
            )
        case (str("raised"), str("NotImplementedError"), _, str(where), int(), str()):
            if where in (function, ""):
                return Stopped(
                    f"`{function}` is not written yet: it raises NotImplementedError.", "unwritten", function
                )
            return Stopped(f"`{function}` calls `{short(where)}`, which is not written yet.", "raised", function)
        case (str("raised"), str(kind), str(text), str(where), int(line), str(source)):
            # An address differs from run to run, and the same submission gets the same report.
            text = re.sub(r"\b0x[0-9A-Fa-f]{6,}", "0x…", text)
            said = f"{short(kind)}: {short(text, 300)}" if text else short(kind)
            place = f" It happened in `{short(where)}`: `{short(source, 160)}`." if source else ""
            if 0 < line < 10**6 and not source:
                place = f" It happened in line {line} of a cell."
            return Stopped(f"`{function}` raised {said.rstrip('.')}.{place}", "raised", function)
        case (str("toolarge"), str(why)):
            return Stopped(
                f"What `{function}` gave is too large or too deep to be looked at ({short(why, 120)}).",
                "uncrossable",
                function,
            )
    return Stopped(f"`{function}` gave something that cannot be read.", "protocol", function)


def _result(calls: Calls, message: tuple[Any, ...], function: str, sent: tuple[Any, ...]) -> Answer:
    match calls.exchange(message, function):
        case (str("result"), int(handle), value) if _is_handle(handle):
            return Answer(value, Ref(handle), f"`{function}(…)`", function, calls, calls.generation, sent)
        case reply:
            raise stopped(reply, function)


def _is_handle(handle: int) -> bool:
    """Whether a reply's handle can be sent back: the process that made it up may have been hostile."""
    return type(handle) is int and 0 < handle < 2**63


def _by_reference(tree: Any, calls: Calls) -> Any:
    """``tree`` with answers as references to the objects inside."""
    if isinstance(tree, Answer):
        if tree.generation != calls.generation:
            raise Stopped(f"The process that gave {tree.label} has ended, so it could not be used again.", "died")
        return tree.ref
    if isinstance(tree, dict):
        return {key: _by_reference(value, calls) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(_by_reference(item, calls) for item in tree)
    return tree


def _same(sent: Any, now: Any) -> bool:
    if isinstance(sent, Ref):
        return True
    if isinstance(sent, np.ndarray):
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
    return True


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def _kind(value: Any) -> str:
    match value:
        case None:
            return "None (does the function return its result?)"
        case Opaque(type_name):
            return f"a `{short(type_name)}`"
        case np.ndarray():
            return f"an array of shape {value.shape}"
        case tuple() | list():
            return f"a {type(value).__name__} of length {len(value)}"
    return f"a `{type(value).__name__}`"


def _plural(things: list[Any], word: str) -> str:
    return word if len(things) == 1 else word + "s"


def short(text: str, most: int = 80) -> str:
    """A text of the student's as one line that is safe to print, cut to ``most`` characters."""
    line = " ".join(without_host_paths(text[: 4 * most]).split())[:most]
    return "".join(character if character.isprintable() else "�" for character in line)
