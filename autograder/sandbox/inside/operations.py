"""What can be done with an object on the other side of the wall: the words for it, and what each does.

Both sides use the same words: the grader for the student's objects, the student's code for objects that a test has
given to it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

BINARY = (
    *("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow"),
    *("lshift", "rshift", "and", "or", "xor"),
)
"""Operators of two operands, as in ``__add__``; each has a form with the operands in the other order, ``__radd__``."""

REFLECTED = {f"r{name}": name for name in BINARY}
INPLACE = tuple(f"i{name}" for name in BINARY if name != "divmod")
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
UNARY = ("neg", "pos", "abs", "invert", "int", "float", "complex", "index", "trunc", "floor", "ceil")
WHOLE = ("len", "iter", "next", "reversed", "bool", "hash", "repr", "str", "bytes", "dir", "enter", "aiter", "anext")
"""Operations of one object alone."""
WITH_MORE = ("call", "getattr", "setattr", "delattr", "getitem", "setitem", "delitem", "contains", "format", "round")
"""Operations that take more: ``getattr`` a name, ``setitem`` a key and a value, ``call`` any arguments."""

DUNDER = {
    **{name: f"__{name}__" for name in (*BINARY, *REFLECTED, *INPLACE, *COMPARISONS, *UNARY)},
    **{name: f"__{name}__" for name in WHOLE if name != "dir"},
    **{name: f"__{name}__" for name in WITH_MORE if "attr" not in name},
    "exit": "__exit__",
}
"""The special method that an object has where it can be asked for an operation."""


def _two(name: str) -> Callable[..., Any]:
    if name == "divmod":
        return divmod
    return getattr(operator, f"{name}_" if name in ("and", "or") else name)  # type: ignore[no-any-return]


def _by_method(name: str) -> Callable[..., Any]:
    def called(thing: Any, *arguments: Any) -> Any:
        return getattr(type(thing), name)(thing, *arguments)

    return called


def _call(thing: Any, *arguments: Any, **keywords: Any) -> Any:
    return thing(*arguments, **keywords)


OPERATIONS: dict[str, Callable[..., Any]] = {
    **{name: _two(name) for name in BINARY},
    **{name: getattr(operator, name) for name in INPLACE},
    **{name: getattr(operator, name) for name in COMPARISONS},
    **{"neg": operator.neg, "pos": operator.pos, "abs": abs, "invert": operator.invert},
    **{"int": int, "float": float, "complex": complex, "index": operator.index},
    **{name: _by_method(f"__{name}__") for name in ("trunc", "floor", "ceil", "enter", "exit", "aiter", "anext")},
    **{"len": len, "iter": iter, "next": next, "reversed": reversed, "bool": bool, "hash": hash},
    **{"repr": repr, "str": str, "bytes": bytes, "dir": dir, "format": format, "round": round},
    **{"call": _call, "getattr": getattr, "setattr": setattr, "delattr": delattr},
    **{"getitem": operator.getitem, "setitem": operator.setitem, "delitem": operator.delitem},
    "contains": operator.contains,
}
