"""The operands of an operation as they cross, so that a container changed on the other side is changed on this one too.

A container that comes twice is sent once: the second time a reference says which of those before it is meant.
"""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import numpy as np

from . import wire
from .wire import Opaque, Ref

PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes})
_CONTAINERS = frozenset(
    {list, dict, set, bytearray, np.ndarray, deque, Counter, OrderedDict, defaultdict, np.ma.MaskedArray}
)
_OF_LIBRARIES = {
    "pandas": frozenset({"DataFrame", "Series"}),
    "scipy": frozenset(
        f"{form}_{kind}" for form in ("csr", "csc", "bsr", "dia", "coo", "lil") for kind in ("matrix", "array")
    ),
    "torch": frozenset({"Tensor", "Parameter"}),
}
"""What changes in place of the data that ``tables`` knows, by the library and the name of the class."""

Refer = Callable[[object], Any]
"""Gives what stands for an object that is no data."""
Find = Callable[[Any], Any]
"""Gives the object that an ``Opaque`` or a ``Ref`` stands for."""


def _can_change(kind: type) -> bool:
    """Whether what is of this class is data that changes in place."""
    return kind in _CONTAINERS or kind.__name__ in _OF_LIBRARIES.get(kind.__module__.partition(".")[0], ())


def _crosses(thing: Any) -> bool:
    """Whether what can change crosses as data; what does not is an object, and is no container on the other side."""
    if isinstance(thing, list | deque | bytearray):
        return True
    if isinstance(thing, dict):
        return all(map(wire.is_key, thing))
    if isinstance(thing, set):
        return all(map(wire.is_member, thing))
    if type(thing) is np.ndarray and not thing.dtype.hasobject:
        return True
    try:
        wire.encode(thing)
    except wire.WireError:
        return False
    return True


def same(number: int) -> Ref:
    """Stands for the container that came as this one, from 0."""
    return Ref(0, ("same", number))


class Sent:
    """Operands that are about to cross: their tree, and the containers in it in the order in which they stand."""

    def __init__(self, *operands: Any, held: Refer = lambda _: None) -> None:
        """Take them apart; ``held`` gives what stands for a container that ``mirrors`` looks after, else None."""
        self.containers: list[Any] = []
        self._held = held
        self._places: dict[int, int] = {}
        self.trees = tuple(map(self._tree, operands))

    def _tree(self, thing: Any) -> Any:
        kind = type(thing)
        if kind in PLAIN:
            return thing
        if kind is tuple:
            return tuple(map(self._tree, thing))
        if not _can_change(kind):
            return thing
        if id(thing) in self._places:
            return same(self._places[id(thing)])
        if (stands := self._held(thing)) is not None:
            return stands
        if not _crosses(thing):
            return thing
        self._places[id(thing)] = len(self.containers)
        self.containers.append(thing)
        if kind is list:
            return thing if set(map(type, thing)) <= PLAIN else [*map(self._tree, thing)]
        if kind is dict:
            return thing if set(map(type, thing.values())) <= PLAIN else {k: self._tree(v) for k, v in thing.items()}
        return thing

    def change(self, changed: Any, find: Find) -> None:
        """Change the containers as the other side has; ``changed`` is what ``Taken.changed`` gave there.

        Raises:
            ValueError: It is nothing of the kind.
        """
        if changed is None:
            return
        if not isinstance(changed, list) or len(changed) != len(self.containers):
            raise ValueError("changed operands that are not those that were sent")

        def found(tree: Any) -> Any:
            if isinstance(tree, Ref) and tree.handle == 0 and tree.path[:1] == ("same",):
                match tree.path:
                    case ("same", int(number)) if 0 <= number < len(self.containers):
                        return self.containers[number]
                raise ValueError("a reference to an operand that was not sent")
            return find(tree) if isinstance(tree, Ref | Opaque) else within(tree, found)

        for container, now in zip(self.containers, changed, strict=True):
            _put(container, now, found)


class Taken:
    """Operands that have crossed: the things themselves, and the containers among them in the order they came in."""

    def __init__(self, trees: tuple[Any, ...], find: Find, refer: Refer) -> None:
        self.containers: list[Any] = []
        self._find, self._refer = find, refer
        self.things = tuple(map(self._thing, trees))
        self._before = self._encoded()

    def changed(self) -> list[Any] | None:
        """The containers as they are now, where one has changed, else None."""
        if self._before == self._encoded():
            return None
        places = {id(container): number for number, container in enumerate(self.containers)}

        def named(thing: Any) -> Any:
            return same(places[id(thing)]) if id(thing) in places else within(thing, named)

        try:
            return [_shallow(container, named) for container in self.containers]
        except RecursionError:
            # What is new in them holds itself, and could not cross.
            return None

    def _thing(self, tree: Any) -> Any:
        kind = type(tree)
        if kind in PLAIN:
            return tree
        if kind is Ref and tree.handle == 0 and tree.path[:1] == ("same",):
            match tree.path:
                case ("same", int(number)) if 0 <= number < len(self.containers):
                    return self.containers[number]
            raise ValueError("a reference to an operand that did not come")
        if kind in (Ref, Opaque):
            return self._find(tree)
        if kind is tuple:
            return tuple(map(self._thing, tree))
        if not _can_change(kind):
            return tree
        if kind is list and not set(map(type, tree)) <= PLAIN:
            made: list[Any] = []
            self.containers.append(made)
            made.extend(map(self._thing, tree))
            return made
        if kind is dict and not set(map(type, tree.values())) <= PLAIN:
            filled: dict[Any, Any] = {}
            self.containers.append(filled)
            filled.update((key, self._thing(value)) for key, value in tree.items())
            return filled
        self.containers.append(tree)
        return tree

    def _encoded(self) -> bytes:
        if not self.containers:
            return b""
        try:
            return wire.encode(self.things, self._refer)
        except (wire.WireError, RecursionError):
            # Too large to look at: it counts as unchanged.
            return b""


def within(tree: Any, found: Callable[[Any], Any]) -> Any:
    """Data in which what stands for an object is replaced by it; the data itself where there is nothing of it."""
    match tree:
        case list() if not set(map(type, tree)) <= PLAIN:
            return [*map(found, tree)]
        case tuple() if not set(map(type, tree)) <= PLAIN:
            return tuple(map(found, tree))
        case dict() if not set(map(type, tree.values())) <= PLAIN:
            return {key: found(value) for key, value in tree.items()}
    return tree


def _shallow(container: Any, named: Callable[[Any], Any]) -> Any:
    if type(container) is list:
        return [*map(named, container)]
    if type(container) is dict:
        return {key: named(value) for key, value in container.items()}
    return container


def put(container: Any, now: Any) -> bool:
    """Give a container of data what another of its kind has; whether it is one, and could be given that."""
    if not _can_change(type(container)):
        return False
    try:
        _put(container, now, lambda tree: tree)
    except ValueError:
        return False
    return True


def _put(container: Any, now: Any, found: Callable[[Any], Any]) -> None:
    """Give a container what another of its kind has.

    Raises:
        ValueError: The other is of another kind, or an array of another shape.
    """
    if _is_tensor(container):
        return _put_tensor(container, now)
    if type(now) is not type(container):
        raise ValueError(f"a {type(container).__name__} cannot become a {type(now).__name__}")
    if isinstance(container, list):
        container[:] = map(found, now)
    elif isinstance(container, dict | set):
        filled = {key: found(value) for key, value in now.items()} if isinstance(now, dict) else set(now)
        container.clear()
        container.update(filled)
    elif isinstance(container, bytearray):
        container[:] = now
    elif isinstance(container, deque):
        items = [*map(found, now)]
        container.clear()
        container.extend(items)
    elif not isinstance(container, np.ndarray):
        # A table or a sparse matrix has no method that makes it another, but is made of another when it begins.
        type(container).__init__(container, now)
    elif container.shape == now.shape and container.dtype == now.dtype:
        if container.flags.writeable:
            container[...] = now
    else:
        raise ValueError("an array cannot become one of another shape or dtype")


def _is_tensor(thing: Any) -> bool:
    return type(thing).__name__ in _OF_LIBRARIES["torch"] and type(thing).__module__.partition(".")[0] == "torch"


def _put_tensor(tensor: Any, now: Any) -> None:
    """As ``_put``; an array comes where there is no torch on the other side."""
    new = sys.modules["torch"].from_numpy(now).to(tensor.dtype) if type(now) is np.ndarray else now
    if type(now) is not np.ndarray and type(now) is not type(tensor):
        raise ValueError(f"a tensor cannot become a {type(now).__name__}")
    if new.shape == tensor.shape and new.dtype == tensor.dtype:
        # Other tensors may be views of it.
        tensor.detach().copy_(new.detach())
    else:
        tensor.data = new.detach()
    if type(now) is type(tensor) and tensor.is_leaf:
        tensor.requires_grad_(now.requires_grad)
