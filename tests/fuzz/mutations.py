"""Trees changed into what a hostile process may send in their place: one node at a time, by a seeded generator."""

from __future__ import annotations

import datetime
import random
from collections import Counter, deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse

from autograder.sandbox import Opaque, Ref
from autograder.sandbox.inside import wire

NUMBERS = (
    *(0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 2**500, -(2**500), True, False),
    *(0.0, -0.0, 1e308, -1e308, 5e-324, float("inf"), float("-inf"), float("nan"), 1e-12, 0.5, 1 + 2j, complex("nan")),
)
TEXTS = ("", "x", "a\nb", "\x00", "\x1b[2J", "\u202e", "𝄞" * 50, "x" * 5000, "<script>", "result", "ask", "ok", "W1")
KEYS = (None, True, False, 0, 1, -1, 2**63, 0.5, float("nan"), "", "W1", "extra", "output_type", "generator", "é" * 200)
SHAPES = ((), (1,), (2,), (5,), (0,), (0, 5), (1, 5), (5, 1), (2, 3), (0, 2**20), (1,) * 16)
OTHERS = (
    None,
    b"",
    b"y",
    Opaque(""),
    Opaque("x\n" * 500),
    Ref(1),
    Ref(2**63, ("a", 0)),
    [],
    (),
    {},
    {1, (2, "a")},
    [[[[[]]]]],
    *(range(3), ..., deque([1]), Counter("aab"), Fraction(1, 3), Decimal("NaN"), datetime.date(1, 1, 1), np.str_("x")),
    *(np.ma.masked, np.array([None]), np.array([b"a"]), np.zeros(2, "M8[s]"), np.zeros(2, [("a", "f8")])),
    *(pd.DataFrame({"a": [1.5, 2.5]}), pd.Series(["a", None]), pd.NaT, scipy.sparse.eye_array(2).tocsr()),
)


def mutated(tree: Any, chance: random.Random) -> Any:
    """A copy of ``tree`` in which one node is another."""
    places = list(_places(tree))
    return _with_change(tree, chance.choice(places), chance)


def variants(node: Any) -> list[Any]:
    """Everything that ``mutated`` may put in place of a node, apart from what it draws by chance."""
    changed: list[Any] = [*NUMBERS, *TEXTS, *OTHERS, [node], (node,), {"W1": node}, *map(np.float64, (0, np.nan))]
    if type(node) is np.ndarray and node.dtype.kind in "biufc":
        changed += _arrays(node)
    if isinstance(node, list | tuple):
        changed += [node[:-1], node[1:], node[::-1], (*node, None), list(node), tuple(node), dict(enumerate(node))]
    if isinstance(node, dict):
        items = list(node.items())
        changed += [dict(items[:-1]), dict(items[1:]), node | {"extra": 1}, items, list(node.values())]
        changed += [{key: 1} | node for key in KEYS]
    return changed


def _arrays(node: np.ndarray) -> list[Any]:
    with np.errstate(all="ignore"):
        changed: list[Any] = [node.astype(dtype) for dtype in wire.DTYPES if node.dtype.kind != "c"]
    changed += [
        node[np.newaxis],
        node[..., np.newaxis],
        node.T.copy(),
        node.ravel(),
        node.tolist(),
        node.ravel()[:0],
        node * -1.0,
    ]
    changed += [np.zeros(shape, dtype) for shape in SHAPES for dtype in ("?", "i8", "u8", "f2", "f8", "c16")]
    if node.size and node.dtype.kind == "f":
        for number in (np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0):
            with np.errstate(all="ignore"):
                filled, touched = np.full_like(node, number), node.copy()
                touched.flat[-1] = number
            changed += [filled, touched]
    if node.size and node.dtype.kind in "iu":
        info = np.iinfo(node.dtype)
        for whole in (info.min, info.max, -1 if info.min < 0 else 0, 1):
            touched = node.copy()
            touched.flat[-1] = whole
            changed += [np.full_like(node, whole), touched]
    return changed


Place = tuple[int, ...]


def _places(tree: Any, at: Place = ()) -> list[Place]:
    found = [at]
    for index, part in enumerate(_parts(tree)):
        found += _places(part, (*at, index))
    return found


def places(tree: Any) -> list[Place]:
    """Where the nodes of a tree are."""
    return _places(tree)


def replaced(tree: Any, place: Place, new: Callable[[Any], Any]) -> Any:
    """A copy of ``tree`` with ``new(node)`` at a place."""
    if not place:
        return new(tree)
    parts = _parts(tree)
    parts[place[0]] = replaced(parts[place[0]], place[1:], new)
    if isinstance(tree, dict):
        return dict(zip(tree, parts, strict=True))
    return type(tree)(parts)


def node_at(tree: Any, place: Place) -> Any:
    """The node at a place."""
    for index in place:
        tree = _parts(tree)[index]
    return tree


def _with_change(tree: Any, place: Place, chance: random.Random) -> Any:
    return replaced(tree, place, lambda node: chance.choice(variants(node)))


def _parts(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return list(tree.values())
    return list(tree) if type(tree) in (list, tuple) else []
