"""What is said through the wall: every message, its parts, and who sends it to whom.

A message crosses as a tuple of its word and its parts (``tree``, which ``wire`` encodes). What comes back was written
by a process that belongs to the student: ``read`` gives the message that it is, or None where it is none.

- The warm worker has everything imported, and forks itself for each submission.
- The keeper is that fork, process 1 of a submission: it starts, signals and buries the student's processes.
- The student's process runs the cells, and forks itself for each row. What only shows something runs in a fork that
  serves as it does; another such fork waits as a checkpoint, to go on from where a cell ends Python.
- A row's fork answers calls of the student's functions.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from .wire import Ref

# The warm worker and the keeper to the grader, before any code of a student's has run


class Ready(NamedTuple):
    """The warm worker to the grader: it has imported everything, and forks for submissions from now on."""


class Started(NamedTuple):
    """The keeper to the grader: the submission is isolated, and commands may come."""


class NotIsolated(NamedTuple):
    """The fork that was to become the keeper, to the grader: why the submission could not be isolated."""

    why: str


# The grader to the student's process


class RunCell(NamedTuple):
    """The grader to the student's process: run a cell, and watch these names meanwhile. The reply is ``CellRan``."""

    source: str
    watched: list[str]


class CellRan(NamedTuple):
    """The student's process to the grader: how a cell ran, ``ok`` or ``raised``, and its outputs.

    ``bound`` are the watched names that stand for another object than before the cell, ``gone`` those that it removed.
    """

    status: str
    outputs: list[Any]
    bound: list[Any]
    gone: list[Any]


class Fork(NamedTuple):
    """The grader to the student's process: fork. The fork serves as the process does, on the socket that comes along.

    The reply is ``Forked``.
    """


class ForkRow(NamedTuple):
    """The grader to the student's process: fork for a row. The fork answers on the socket that comes along.

    It keeps ``printed_limit`` characters of what a call prints. The reply is ``Forked``.
    """

    printed_limit: int


class Forked(NamedTuple):
    """The student's process to the grader: the fork's number in the submission's own PID namespace."""

    pid: int


# The grader to a row's fork


class Call(NamedTuple):
    """The grader to a row's fork: call a function of the student's, or make an object of a class.

    Among the arguments, a ``Ref`` to handle 0 names a function by its name (``("name", "f")``), or an object of the
    check's, as in ``Operate``. The reply is ``Result``, ``Missing``, ``Raised`` or ``TooLarge``.
    """

    name: str
    arguments: tuple[Any, ...]
    keywords: dict[Any, Any]


class CallMember(NamedTuple):
    """The grader to a row's fork: call a method of an object. The reply is as to a call."""

    ref: Ref
    name: str
    arguments: tuple[Any, ...]
    keywords: dict[Any, Any]


class Look(NamedTuple):
    """The grader to a row's fork: look at an attribute of an object. The reply is as to a call."""

    ref: Ref
    name: str


class LookUp(NamedTuple):
    """The grader to a row's fork: look a name of the notebook's up. The reply is ``Result`` or ``Missing``."""

    name: str


class TakeItems(NamedTuple):
    """The grader to a row's fork: take what an iterable yields, at most one more than the limit.

    The reply is ``Result`` with a list, or as to a call.
    """

    ref: Ref
    limit: int


class MakeGenerator(NamedTuple):
    """The grader to a row's fork: make a ``numpy.random.Generator``. The reply is ``Result``."""

    seed: int


class ShowArguments(NamedTuple):
    """The grader to a row's fork: show the arguments of the call with this handle. The reply is ``Arguments``."""

    handle: int


class ShowPrinted(NamedTuple):
    """The grader to a row's fork: show what was printed since the last time, and the last traceback.

    The reply is ``Printed``.
    """


class Replace(NamedTuple):
    """The grader to a row's fork: from now on the grader answers these functions. The reply is ``Replaced``."""

    names: list[str]


class Operate(NamedTuple):
    """The grader to a row's fork: do something with an object, for a test cell.

    ``operation`` is one of ``operations.OPERATIONS`` or of ``objects.OF_NAMES``. Among the operands, a ``Ref`` to a
    handle names an object here, one to handle 0 an object of the test's (``("outside", number)``) or a container that
    has come before (``("same", number)``). ``random`` is the state of ``random`` and ``numpy.random``, where that is
    shared. ``objects`` are the names of the classes that locked cells define, where they have not been told yet, else
    None, and those states of ``mirrors`` that have changed; in replies it is these states alone, or None.
    The reply is ``Done``, ``Threw`` or ``TooLarge``; before it may come ``AskOutside``.
    """

    operation: str
    operands: tuple[Any, ...]
    keywords: dict[Any, Any]
    random: Any
    objects: Any = None


# A row's fork to the grader


class Done(NamedTuple):
    """A row's fork to the grader: what an operation gave; what cannot cross is an ``Opaque`` with its description.

    ``changed`` are the operands' containers as they are now, in the order in which they came, where one has changed;
    ``printed`` what was printed, as pairs of stream and text; ``random`` the state after it, where it was given.
    """

    value: Any
    changed: Any
    printed: list[Any]
    random: Any
    objects: Any = None


class Threw(NamedTuple):
    """A row's fork to the grader: an operation raised.

    ``type`` to ``source`` are as in ``Raised``. ``arguments`` are its ``args``; ``value`` is the exception itself as an
    ``Opaque`` where its class is the notebook's own, else a dictionary of those of its attributes that are plain.
    ``bases`` are the names of the classes that it is of, from its own on; ``outside`` is the number of the exception of
    the test's that it is, or 0. The rest is as in ``Done``.
    """

    type: str
    text: str
    function: str
    line: int
    source: str
    arguments: Any
    value: Any
    bases: list[Any]
    outside: int
    changed: Any
    printed: list[Any]
    random: Any
    objects: Any = None


class Result(NamedTuple):
    """A row's fork to the grader: what a call gave, as far as it is data, and the handle that it is kept under."""

    handle: int
    value: Any


class Missing(NamedTuple):
    """A row's fork to the grader: there is no such function, but an object of this type, or with "" nothing."""

    type: str


class Raised(NamedTuple):
    """A row's fork to the grader: a call raised. The exception's type and text, and where in the student's cells."""

    type: str
    text: str
    function: str
    line: int
    source: str


class TooLarge(NamedTuple):
    """A row's fork to the grader: what a call gave is too large or too deep to cross, and why."""

    why: str


class Arguments(NamedTuple):
    """A row's fork to the grader: the arguments of a call as they are now, to see whether it has changed them."""

    now: Any


class Printed(NamedTuple):
    """A row's fork to the grader: what was printed, and the last traceback."""

    text: str
    trouble: str


class Replaced(NamedTuple):
    """A row's fork to the grader: the functions are replaced."""


# While a call is answered: a row's fork asks the grader


class Ask(NamedTuple):
    """A row's fork to the grader: the student's code calls a function that the grader answers.

    A random generator among the arguments crosses as its state.
    """

    name: str
    arguments: tuple[Any, ...]
    keywords: dict[Any, Any]


class AskOutside(NamedTuple):
    """A row's fork to the grader: the student's code does something with an object of the test's.

    The reply is ``AnsweredOutside`` or ``ThrewOutside``; before it may come ``Operate``.
    """

    number: int
    operation: str
    operands: tuple[Any, ...]
    keywords: dict[Any, Any]
    objects: Any = None


class AnsweredOutside(NamedTuple):
    """The grader to a row's fork: what came of it, and the operands' containers where one has changed."""

    value: Any
    changed: Any
    objects: Any = None


class ThrewOutside(NamedTuple):
    """The grader to a row's fork: it raised an exception of a builtin type; ``number`` names it.

    ``value`` is a ``Ref`` to it where it is one that is there as well, as in ``Operate``, else None.
    """

    type: str
    text: str
    number: int
    objects: Any = None
    value: Any = None


class Answered(NamedTuple):
    """The grader to a row's fork: what the reference gave, and the states of the generators after that.

    ``iterator`` says whether it gave an iterator; ``result`` is then the list of what that yields.
    """

    result: Any
    states: list[Any]
    iterator: bool


class Refused(NamedTuple):
    """The grader to a row's fork: why the question was not answered."""

    reason: str


_WORDS: dict[str, tuple[Any, tuple[type, ...]]] = {
    "ready": (Ready, ()),
    "started": (Started, ()),
    "not isolated": (NotIsolated, (str,)),
    "cell": (RunCell, (str, list)),
    "ran": (CellRan, (str, list, list, list)),
    "fork": (Fork, ()),
    "row": (ForkRow, (int,)),
    "forked": (Forked, (int,)),
    "call": (Call, (str, tuple, dict)),
    "call member": (CallMember, (Ref, str, tuple, dict)),
    "look": (Look, (Ref, str)),
    "look up": (LookUp, (str,)),
    "items": (TakeItems, (Ref, int)),
    "rng": (MakeGenerator, (int,)),
    "show arguments": (ShowArguments, (int,)),
    "show printed": (ShowPrinted, ()),
    "replace": (Replace, (list,)),
    "operate": (Operate, (str, tuple, dict, object, object)),
    "done": (Done, (object, object, list, object, object)),
    "threw": (Threw, (str, str, str, int, str, object, object, list, int, object, list, object, object)),
    "ask outside": (AskOutside, (int, str, tuple, dict, object)),
    "answer outside": (AnsweredOutside, (object, object, object)),
    "threw outside": (ThrewOutside, (str, str, int, object, object)),
    "result": (Result, (int, object)),
    "missing": (Missing, (str,)),
    "raised": (Raised, (str, str, str, int, str)),
    "toolarge": (TooLarge, (str,)),
    "arguments": (Arguments, (object,)),
    "printed": (Printed, (str, str)),
    "replaced": (Replaced, ()),
    "ask": (Ask, (str, tuple, dict)),
    "answer": (Answered, (object, list, bool)),
    "failed": (Refused, (str,)),
}
"""Each message by its word, with the types that its parts must have."""

_WORD_OF = {kind: word for word, (kind, _) in _WORDS.items()}


def tree(message: tuple[Any, ...]) -> tuple[Any, ...]:
    """A message as the tuple that crosses."""
    return (_WORD_OF[type(message)], *message)


def read(sent: Any) -> Any:
    """The message that a decoded tree is; None where it is none, or where a part is of another type."""
    # By types first: an array that is compared with a text has no truth value.
    if type(sent) is not tuple or not sent or type(sent[0]) is not str or sent[0] not in _WORDS:
        return None
    kind, forms = _WORDS[sent[0]]
    if len(sent) != len(forms) + 1 or not all(map(isinstance, sent[1:], forms)):
        return None
    return kind(*sent[1:])


# The grader and the keeper: one packet each

PACKET = struct.Struct("<cii")
"""A command, a process and a number; the reply has the same command."""
START = b"S"
"""Start a student's process on the socket that comes along; the reply has its pid."""
SIGNAL = b"K"
"""Send a signal, the number, to a process; there is no reply."""
ENDED = b"W"
"""How a process ended; the reply's number is its wait status, or -1."""
KEEP = b"P"
"""Remember what files there are and what they hold, in one of the places ``SHOWN``, ``CHECKPOINT`` and ``ROWS``.

The reply's number is 0 where they are too many, or lie too deep, to be remembered all."""
RESTORE = b"R"
"""Put files back as they were when they were last kept in a place, the number; the reply's is 1 where any differed."""
SHOWN, CHECKPOINT, ROWS = 0, 1, 2
