"""Why a check fails, as data. The sentences are made of it where people read them (``reasons``).

Whatever is in a cause may be told to the student: it holds nothing hidden, and text of the student's own is bounded and
safe to print when it gets here.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Interval

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Kind = Literal[
    # there is no answer to look at
    "missing",
    "unwritten",
    "raised",
    "nothing",
    "timeout",
    "died",
    "uncrossable",
    "protocol",
    # the answer has another form than was asked for
    "type",
    "dtype",
    "precision",
    "shape",
    "length",
    "lacks",
    "extra",
    "endless",
    # the answer is wrong
    "changed",
    "values",
    "said",
    "unreadable",
]
"""``nothing``: it gave None. ``uncrossable``: too large or too deep to be looked at. ``protocol``: no message at all.
``lacks`` and ``extra``: keys of a dict. ``changed``: an argument, in place. ``said``: what the check itself says.
``unreadable``: the whole notebook."""

NO_ANSWER = frozenset({"missing", "unwritten", "raised", "nothing", "timeout", "died", "uncrossable", "protocol"})
"""The kinds where there is no answer to look at."""


@dataclass(frozen=True)
class CellEnd:
    """How the cell that should define a function came to an end.

    Attributes:
        status: ``raised``, ``syntax`` (it is no Python), ``timeout``, ``died`` or ``skipped``.
        defines: Whether the cell has a definition of the function.
        exception: The type of what it raised; it may be empty.
        text: The exception's text.
        line: The line of the cell where that happened; 0 where it is not known.
        source: That line.
        before: Whether that was before the definition.
        missing: The name that was not defined there, where an earlier cell should have defined it; else empty.
        because: How that earlier cell ended.
    """

    status: str
    defines: bool
    exception: str = ""
    text: str = ""
    line: int = 0
    source: str = ""
    before: bool = False
    missing: str = ""
    because: CellEnd | None = None


@dataclass(frozen=True)
class Half:
    """Which half of a wrong gradient is to be mended, by finite differences of the student's own forward pass.

    Attributes:
        mend: ``backward``: the forward pass is right. ``forward``: the gradient is that of the student's own forward
            pass. ``both``: neither.
        named: What the forward pass is called: "loss", "`linear_forward`".
        only: The gradients that are wrong, where others are right.
        factor: ``N`` or ``1/N`` where all gradients are off by the number of examples.
        near: Whether the forward pass is right but for a factor, or nearly so.
        beside: How the first wrong gradient compares with the slopes of the student's own forward pass.
    """

    mend: Literal["backward", "forward", "both"]
    named: str
    only: tuple[str, ...] = ()
    factor: Literal["", "N", "1/N"] = ""
    near: bool = True
    beside: Cause | None = None


@dataclass(frozen=True)
class Cause:
    """What is known of a check's failure.

    Attributes:
        kind: What is wrong.
        function: The student's function that was called.
        what: What the answer, or the part of it, is called: "`dW`", "item 0 of `minibatches(…)`".
        asked: What was asked for, where the answer has another type or shape: ``array``, ``number``, ``parts``,
            ``dict``, ``iterable`` or ``truth``.
        names: Names of the parts or keys that were asked for (``type``, ``length``), that are missing (``lacks``), or
            that should not be there (``extra``); of the arguments that were changed (``changed``).
        type: The type of what came.
        length: How many parts it has, or the most that it may yield (``endless``).
        shape: Its shape.
        asked_shape: The shape that was asked for.
        dtype: Its dtype.
        factor: What all wrong entries have in common, as ``numerics.Comparison`` has it.
        decade: How far off the worst entry is: n for a relative error of about 10⁻ⁿ, 7 for less than 1e-6, -1 for
            more than 1. The error itself, beside one's own value, would give the hidden one away.
        index: Where that is; () for a number.
        wrong: How many entries are wrong.
        total: How many there are.
        exception: The type of what was raised; empty where a function that is called is not written yet. Of
            ``said``: what the sentence ends with, of the student's own choice.
        text: The exception's text; or a sentence of the check's author (``said``), or of ours (``uncrossable``,
            ``unreadable``).
        where: The function in which that happened; or that is not written yet.
        line: The line of a cell in which it happened; 0 where it is not known.
        source: That line.
        when: Of ``timeout``: ``call``, ``short`` (it had less time than a call has, since something had hung before),
            ``earlier`` (in earlier checks; it was not called again) or ``submission``. Of
            ``died``: ``during`` the call, ``before`` it, or ``since`` (what it gave is gone). Of ``uncrossable``:
            ``sent`` or ``given``.
        seconds: The time limit.
        cell: Of ``missing``: how the cell that should define the function ended, where it did not run through. Of
            ``raised``: how the cell ended that should define the name that is not defined, ``where``.
        swapped: Two arguments with which the function is right once they change places.
        half: Which half of a wrong gradient to mend, where that was found out.
        again: Whether an earlier check of the row has told the same.
        says_all: Whether a check's sentence (``said``) says what to mend, so that its hint would only lead astray.
    """

    kind: Kind
    function: str = ""
    what: str = ""
    asked: Literal["", "array", "number", "parts", "dict", "iterable", "truth"] = ""
    names: tuple[str, ...] = ()
    type: str = ""
    length: int | None = None
    shape: tuple[int, ...] | None = None
    asked_shape: tuple[int, ...] | None = None
    dtype: str = ""
    factor: str = ""
    decade: Annotated[int, Interval(ge=-1, le=7)] = 0
    index: tuple[int, ...] = ()
    wrong: int = 0
    total: int = 0
    exception: str = ""
    text: str = ""
    where: str = ""
    line: int = 0
    source: str = ""
    when: Literal["", "call", "short", "earlier", "submission", "during", "before", "since", "sent", "given"] = ""
    seconds: float = 0.0
    cell: CellEnd | None = None
    swapped: tuple[str, ...] = ()
    half: Half | None = None
    again: bool = False
    says_all: bool = False

    @property
    def needs_no_hint(self) -> bool:
        """Whether what is told says what to mend, so that an author's hint on something else would lead astray."""
        not_there = self.kind == "raised" and self.cell is not None
        return self.kind == "changed" or bool(self.swapped) or self.says_all or not_there

    @property
    def is_small(self) -> bool:
        """Whether a wrong answer is off by about 1e-3 at the most."""
        return self.kind == "values" and self.decade >= 3 and self.factor != "not finite"

    @property
    def no_answer(self) -> bool:
        """Whether there was no answer to look at."""
        return self.kind in NO_ANSWER


def said(text: str) -> Cause:
    """The cause that a sentence of the check's author gives."""
    return Cause("said", text=text)


def cause_tree(cause: Cause) -> dict[str, Any]:
    """The cause as a tree of JSON types, without what is not known."""
    tree: dict[str, Any] = _adapter().dump_python(cause, mode="json", exclude_defaults=True)
    return tree


def cause_from_tree(tree: Any) -> Cause:
    """The cause that ``cause_tree`` wrote.

    Raises:
        ValueError: It is none.
    """
    return _adapter().validate_python(tree)


@functools.cache
def _adapter() -> TypeAdapter[Cause]:
    from pydantic import TypeAdapter

    return TypeAdapter(Cause)
