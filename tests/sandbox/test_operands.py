"""Operands of a remote call: the call gives and changes what a local one does, for all kinds of data."""

from __future__ import annotations

import copy
import itertools
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.sandbox import Opaque, Ref, Sent, Taken, protocol, wire
from autograder.sandbox.inside.objects import Objects

plain = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.text(max_size=5), st.binary()
)
trees = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=3), inner, max_size=4),
        st.tuples(inner, inner),
        st.sets(st.integers(-5, 5), max_size=4),
        st.integers(0, 4).map(lambda length: np.arange(float(length))),
    ),
    max_leaves=12,
)


def shape(thing: Any) -> Any:
    """A thing with its types, and with the number of the first place where each container has been seen."""
    seen: dict[int, int] = {}

    def of(each: Any) -> Any:
        if isinstance(each, list | dict | set | np.ndarray):
            if id(each) in seen:
                return "seen", seen[id(each)]
            seen[id(each)] = len(seen)
        match each:
            case list() | tuple():
                return type(each).__name__, [of(inner) for inner in each]
            case dict():
                return "dict", [(key, of(inner)) for key, inner in each.items()]
            case np.ndarray():
                return "array", each.dtype.str, each.tolist()
        return type(each).__name__, each

    return of(thing)


def change(thing: Any, seed: int) -> int:
    """Change containers somewhere in a thing, the same for the same seed; how many were changed."""
    draw, changed = random.Random(seed), 0
    waiting, seen = [thing], set()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        if isinstance(each, list | dict | set | np.ndarray):
            seen.add(id(each))
        inner = list(each.values()) if isinstance(each, dict) else list(each) if isinstance(each, list | tuple) else []
        waiting.extend(inner)
        if draw.random() < 0.5:
            continue
        changed += 1
        match each:
            case list():
                each.append(draw.choice(inner) if inner else [7])
            case dict():
                each["new"] = draw.choice(inner) if inner else {"a": 1}
            case set():
                each.add(99)
            case np.ndarray():
                each += 1
            case _:
                changed -= 1
    return changed


def call(names: dict[str, Any], name: str, *operands: Any) -> tuple[Any, Sent]:
    """The reply to a call of a function by its name, through the encoding of the wall both ways."""
    objects = Objects(names, lambda _: None, list)

    def exchanged(message: tuple[Any, ...]) -> Any:
        received = protocol.read(wire.decode(wire.encode(protocol.tree(message))))
        return protocol.read(wire.decode(objects.encoded(objects.reply(received), protocol.tree)))

    function = exchanged(protocol.Operate("name", (name,), {}, None)).value
    assert isinstance(function, Opaque)
    sent = Sent(*operands, {})
    *trees_, keywords = sent.trees
    return exchanged(protocol.Operate("call", (Ref(int(function.traits[0])), *trees_), keywords, None)), sent


def nothing(tree: Any) -> Any:
    raise ValueError(f"{tree} was not sent")


@given(trees)
def test_what_a_function_gives_back_is_what_it_got(thing: Any) -> None:
    reply, _ = call({"same": lambda each: each}, "same", thing)
    assert shape(reply.value) == shape(copy.deepcopy(thing)) or _has_aliases(thing)


def _has_aliases(thing: Any) -> bool:
    return "seen" in str(shape(thing))


@settings(max_examples=120)
@given(trees, trees, st.integers(0, 1000), st.booleans())
def test_a_call_changes_its_arguments_as_a_local_one_does(one: Any, other: Any, seed: int, twice: bool) -> None:
    arguments = [one, [other, one], one] if twice else [one, other]
    local = copy.deepcopy(arguments)
    changed = change(tuple(local), seed)
    reply, sent = call({"change": lambda *taken: change(taken, seed)}, "change", *arguments)
    assert reply.value == changed
    sent.change(reply.changed, nothing)
    assert shape(arguments) == shape(local)


@given(trees)
def test_what_was_not_changed_is_not_sent_back(thing: Any) -> None:
    reply, _ = call({"look": lambda each: None}, "look", thing)
    assert reply.changed is None


@pytest.mark.parametrize(
    "changed",
    [
        [],
        [[1], [2]],
        [{"a": 1}],
        [Ref(0, ("same", 1))],
        [[Ref(0, ("same", 7))]],
        [[Ref(0, ("same", "x"))]],
        [[Ref(3)]],
        "all",
        {"0": [1]},
    ],
)
def test_changes_that_are_none_of_what_was_sent_are_refused_and_change_nothing_else(changed: Any) -> None:
    mine, other = [1, 2], [3]
    sent = Sent(mine)
    with pytest.raises(ValueError, match=r"."):
        sent.change(changed, nothing)
    assert other == [3]


def test_an_array_cannot_become_one_of_another_shape() -> None:
    sent = Sent(np.zeros(3))
    for now in (np.zeros(4), np.zeros((3, 1)), np.zeros(3, dtype=np.float32), [0.0, 0.0, 0.0]):
        with pytest.raises(ValueError, match=r"."):
            sent.change([now], nothing)


def test_a_container_in_itself_crosses_as_itself() -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    taken = Taken(Sent(loop).trees, nothing, lambda thing: Opaque(type(thing).__name__))
    assert taken.things[0][1] is taken.things[0]
    assert next(itertools.islice(taken.things[0], 1)) == 1


def test_tensors_are_changed_where_they_are() -> None:
    torch = pytest.importorskip("torch", reason="NOT TESTED: torch is not installed (pip install torch)")

    def change(x: Any, weights: Any, b: Any) -> None:
        x.mul_(2)
        with torch.no_grad():
            weights.sub_(1)
        b.unsqueeze_(0)

    x, weights, b = torch.ones(3), torch.nn.Parameter(torch.ones(2)), torch.zeros(2, dtype=torch.bfloat16)
    view = x[:2]
    reply, sent = call({"change": change}, "change", x, weights, b)
    sent.change(reply.changed, nothing)
    assert (x.tolist(), view.tolist(), weights.tolist(), b.shape) == ([2, 2, 2], [2, 2], [0, 0], (1, 2))
    assert type(weights) is torch.nn.Parameter
    assert weights.requires_grad


def test_a_tensor_takes_the_numbers_of_an_array_where_the_other_side_has_no_torch() -> None:
    torch = pytest.importorskip("torch", reason="NOT TESTED: torch is not installed (pip install torch)")
    x = torch.ones(2, dtype=torch.bfloat16)
    Sent(x).change([np.array([1.5, 2.0], dtype=np.float32)], nothing)
    assert x.tolist() == [1.5, 2.0]
    assert x.dtype == torch.bfloat16
    with pytest.raises(ValueError, match="cannot become"):
        Sent(x).change(["text"], nothing)
