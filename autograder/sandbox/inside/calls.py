"""Answers the grader's messages about a student's functions. The objects that they give stay in this process.

Nothing here is a secret and nothing here is trusted: it runs in a process that belongs to the student.
"""

from __future__ import annotations

import itertools
import socket
import threading
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from . import kinds, protocol, wire
from .objects import Objects, Outside
from .protocol import (
    Answered,
    AnsweredOutside,
    Arguments,
    Ask,
    AskOutside,
    Call,
    CallMember,
    Look,
    LookUp,
    MakeGenerator,
    Missing,
    Operate,
    Printed,
    Raised,
    Refused,
    Replace,
    Replaced,
    Result,
    ShowArguments,
    ShowPrinted,
    TakeItems,
    ThrewOutside,
    TooLarge,
)
from .wire import Opaque, Ref

MAX_RESULTS = 10_000
MAX_TROUBLE = 8000


class RowFork:
    """One row's fork: answers messages, and keeps the latest results of calls and the arguments that they took."""

    def __init__(
        self,
        channel: socket.socket | None,
        names: dict[str, Any],
        printed: Callable[[], str] | None = None,
        streams: Callable[[], list[list[str]]] = list,
    ) -> None:
        """Nothing is kept yet.

        Args:
            channel: To the grader; None where messages are answered in the grader's own process.
            names: The notebook's namespace.
            printed: Gives what was printed since the last time, where that is kept for a person.
            streams: Gives what was printed since the last time for a test cell, as pairs of stream and text.
        """
        self.channel = channel
        self.printed = printed
        self.outside: Callable[[AskOutside], Any] = self._ask_outside
        self.objects = Objects(names, self._asked_outside, streams)
        self.trouble = ""
        self.names = names
        self.results: dict[int, Any] = {}
        self.arguments: dict[int, Any] = {}
        self.handles = itertools.count(1)
        self.asking = threading.RLock()

    def serve(self) -> None:
        """Answer until the other side closes."""
        while True:
            self.answer(self.receive())

    def answer(self, message: Any) -> None:
        """Reply to one message."""
        assert self.channel is not None
        if isinstance(message, Operate):
            wire.send(self.channel, self.payload(self.objects.reply(message)))
        else:
            self.send(self.reply(message))

    def payload(self, reply: tuple[Any, ...]) -> bytes:
        """The payload of a reply to ``Operate``."""
        return self.objects.encoded(reply, protocol.tree)

    def _asked_outside(self, message: AskOutside) -> Any:
        return self.outside(message)

    def _ask_outside(self, message: AskOutside) -> Any:
        """Ask about an object of the test's, and meanwhile answer what the test asks in its turn."""
        assert self.channel is not None
        with self.asking:
            wire.send(self.channel, self.payload(message))
            while not isinstance(reply := self.receive(), AnsweredOutside | ThrewOutside):
                self.answer(reply)
        return reply

    def receive(self) -> Any:
        """The next message from the other side."""
        assert self.channel is not None
        return protocol.read(wire.receive(self.channel))

    def send(self, message: tuple[Any, ...]) -> None:
        """Send a message to the other side."""
        assert self.channel is not None
        wire.send(self.channel, packed(message))

    def reply(self, message: Any) -> tuple[Any, ...]:
        """The reply to one message."""
        try:
            match message:
                case ShowPrinted() if self.printed is not None:
                    trouble, self.trouble = self.trouble, ""
                    return Printed(self.printed(), trouble)
                case Call(name, arguments, keywords):
                    function = self.names.get(name)
                    if not callable(function):
                        return Missing("" if function is None else type(function).__name__)
                    taken = self.resolve(arguments), self.resolve(keywords)
                    return self.keep(function(*taken[0], **taken[1]), taken)
                case CallMember(ref, name, arguments, keywords):
                    taken = self.resolve(arguments), self.resolve(keywords)
                    return self.keep(getattr(self.resolve(ref), name)(*taken[0], **taken[1]), taken)
                case Look(ref, name):
                    return self.keep(getattr(self.resolve(ref), name))
                case LookUp(name):
                    return self.keep(self.names[name]) if name in self.names else Missing("")
                case ShowArguments(handle):
                    return Arguments(self.arguments[handle])
                case TakeItems(ref, limit):
                    items = list(itertools.islice(iter(self.resolve(ref)), limit + 1))
                    return self.keep(items)
                case MakeGenerator(seed):
                    return self.keep(np.random.default_rng(seed))
                case Replace(names):
                    for name in names:
                        self.names[name] = self.stand_in(name)
                    return Replaced()
            return TooLarge("unknown message")
        except BaseException as error:
            if self.printed is not None:
                self.trouble = "".join(traceback.format_exception(error))[-MAX_TROUBLE:]
            return raised(error)

    def keep(self, thing: Any, taken: Any = None) -> Result:
        """Keep a result under a new handle. The part of it that is data crosses to the grader."""
        handle = next(self.handles)
        self.results[handle] = thing
        self.arguments[handle] = taken
        # Only the latest are kept: results must not use up the memory that the student's code may take.
        self.results.pop(handle - MAX_RESULTS, None)
        self.arguments.pop(handle - MAX_RESULTS, None)
        return Result(handle, thing)

    def resolve(self, tree: Any) -> Any:
        """``tree`` with every ``Ref`` replaced by the object that it names."""
        if isinstance(tree, Ref):
            match tree.path:
                case ("name", str(name)) if tree.handle == 0:
                    return self.names[name]
                case ("outside" | "library", *_) if tree.handle == 0:
                    return self.objects.found(tree)
            if tree.handle not in self.results:
                raise ValueError("a result of too many calls ago cannot be used any more")
            thing = self.results[tree.handle]
            for key in tree.path:
                thing = thing[key]
            return thing
        if isinstance(tree, dict | list | tuple):
            return kinds.with_entries(tree, self.resolve)
        return tree

    def stand_in(self, name: str) -> Any:
        """A function that takes the place of the student's: the grader answers each call of it.

        It raises ``ValueError`` where the grader refuses to answer.
        """

        def function(*arguments: Any, **keywords: Any) -> Any:
            generators = [thing for thing in (*arguments, *keywords.values()) if _is_random(thing)]
            question = protocol.tree(Ask(name, _with_states(arguments), _with_states(keywords)))
            payload = wire.encode(question, _given_back)
            # One question at a time: a student's threads may all ask.
            with self.asking:
                assert self.channel is not None
                wire.send(self.channel, payload)
                answer = self.receive()
            match answer:
                case Answered(tree, states, iterator):
                    for generator, state in zip(generators, states, strict=False):
                        _put_state(generator, state)
                    result = self.resolve(tree)
                    return iter(result) if iterator else result
                case Refused(reason):
                    raise ValueError(reason)
            raise ValueError(f"{name}: this could not be asked now")

        function.__name__ = function.__qualname__ = name
        return function


def _is_random(thing: Any) -> bool:
    """Whether something draws: a generator, NumPy's older one, or ``np.random`` itself, which holds one of these."""
    return isinstance(thing, np.random.Generator | np.random.RandomState) or thing is np.random


def _put_state(generator: Any, state: Any) -> None:
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    else:
        generator.set_state(state)


def _with_states(tree: Any) -> Any:
    """``tree`` with each generator as the state of its bit generator, which is data."""
    if isinstance(tree, np.random.Generator):
        return {"generator": tree.bit_generator.state}
    if _is_random(tree):
        return {"legacy": tree.get_state(legacy=False)}
    if isinstance(tree, dict):
        return {key: _with_states(value) for key, value in tree.items()}
    if isinstance(tree, tuple):
        return tuple(_with_states(item) for item in tree)
    return tree


def _given_back(thing: object) -> Any:
    """What stands for an object among the arguments of such a call: one of the reference's goes back as what it is."""
    if isinstance(thing, Outside) and object.__getattribute__(thing, "_number") < 0:
        return Ref(0, ("outside", object.__getattribute__(thing, "_number")))
    return opaque(thing)


def packed(message: tuple[Any, ...]) -> bytes:
    """The payload for a message, in which objects that cannot cross are named instead."""
    try:
        return wire.encode(protocol.tree(message), opaque)
    except wire.WireError as error:
        return wire.encode(protocol.tree(TooLarge(str(error))))
    except Exception as error:
        return wire.encode(protocol.tree(TooLarge(type(error).__name__)))


def opaque(thing: object) -> Opaque:
    """What stands for an object that cannot cross."""
    if isinstance(thing, np.ndarray):
        return Opaque(f"array of dtype {thing.dtype}"[:100])
    return Opaque(type(thing).__name__[:100])


def raised(error: BaseException) -> Raised:
    """What is said of an exception, with where in the student's own cells it happened, if anywhere."""
    try:
        text = str(error)[:400]
    except BaseException:
        text = ""
    function, line, source = "", 0, ""
    try:
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename.startswith("<ipython-input"):
                function, line, source = frame.name, frame.lineno or 0, (frame.line or "").strip()[:200]
    except BaseException:
        pass
    return Raised(type(error).__name__[:100], text, function, line, source)
