"""The notebook's names as a test cell's code sees them: its own, those of given cells, and the student's."""

from __future__ import annotations

import builtins
import types
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from autograder.base import Cause, Stopped
from autograder.checking.test_cells.link import PATCHES, Absent, StudentLink
from autograder.checking.test_cells.remote import is_remote, position
from autograder.sandbox import known_as, wire

_MOST_LOOKED_AT, _DEEPEST = 100, 3
"""How long lists are in which arrays are looked for, and how deep."""

_GONE = object()
"""In the place of an attribute that is not there."""


class Names(dict[str, Any]):
    """A namespace in which a name that is not there is looked up in the student's process.

    What a test binds to a name that the notebook's code reads is set there before the next call; so is what it puts in
    the place of a library's attribute.
    """

    def __init__(self, students: Collection[str], shared: Collection[str]) -> None:
        """Nothing is in it.

        Args:
            students: Names that are the student's.
            shared: Names that the notebook's own code reads or binds.
        """
        super().__init__(__name__="__main__", __builtins__=builtins)
        self.link: StudentLink | None = None
        self.students = frozenset(students)
        self.shared = frozenset(shared)
        self.absent: set[str] = set()
        self.asked: dict[str, Any] = {}
        self.watched: dict[tuple[str, str], Any] = {}
        self.traceless: dict[tuple[int, str], bool] = {}
        self._first: dict[tuple[str, str], Any] = {}
        self._pushed: dict[tuple[str, str], Any] = {}
        self._fetched: dict[str, tuple[int, Any, bytes]] = {}
        self._bound: dict[str, Any] = {}
        self._given: dict[str, type] = {}
        self._deleted: set[str] = set()
        self._gone: set[str] = set()
        self._pushing = False

    def __missing__(self, name: str) -> Any:
        if self.link is None or self._hides(name):
            raise KeyError(name)
        if name.startswith("__"):
            raise KeyError(name)
        if name in self.asked:
            return self._imported_there(name)
        known = self._fetched.get(name)
        stays = known is not None and not known[2] and not self.link.is_mirrored(known[1])
        if known is not None and (stays or known[0] == self.link.operations):
            return known[1]
        try:
            value = self.link.operate(name, "name", name)
        except Absent:
            self.absent.add(name)
            raise KeyError(name) from None
        value = self._with_shared_arrays(name, value)
        content = _content(value)
        if known is not None and content and content == known[2]:
            # It is as it was there: what the test has changed of it in place stays.
            value = known[1]
        self._fetched[name] = self.link.operations, value, content
        return value

    def ask_for(self, names: Collection[str]) -> None:
        """Have these, which the solution has imported, be there only where the student has imported the same."""
        self.asked = {name: super(Names, self).pop(name) for name in names if super(Names, self).__contains__(name)}

    def _imported_there(self, name: str) -> Any:
        link = self.link
        assert link is not None
        try:
            known = link.operate(name, "known as", name)
        except Absent:
            self.absent.add(name)
            raise KeyError(name) from None
        ours = self.asked[name]
        if known != known_as(ours):
            raise Stopped(Cause("said", name, text=f"{name} is something else than what was to be imported."))
        super().__setitem__(name, ours)
        return ours

    def _with_shared_arrays(self, name: str, value: Any) -> Any:
        """A variable that was fetched, with those arrays in it that are one with an array of another variable there.

        Python takes two lists for equal where both hold the same array, without a look at it.
        """
        link = self.link
        assert link is not None

        def shared(path: list[Any], array: Any) -> Any:
            for other, (_, fetched, _) in list(self._fetched.items()):
                for other_path, known in _arrays_in(fetched) if other != name else ():
                    if _is_alike(array, known) and link.operate(name, "is one", name, path, other, other_path) is True:
                        return known if link.has_object("is one", position()) else array
            return array

        for path, array in [*_arrays_in(value)]:
            found = shared(path, array)
            if found is not array:
                value = _with(value, path, found)
        return value

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        self._gone.discard(name)
        self._deleted.discard(name)
        if self.link is None and isinstance(value, type) and value.__module__ == "__main__":
            self._given[name] = value
        if self.link is not None and name in self.shared:
            self._bound[name] = value

    def __delitem__(self, name: str) -> None:
        if super().__contains__(name):
            super().__delitem__(name)
        elif self.link is None or name in self._gone or name not in self:
            raise KeyError(name)
        if name in self.shared or name in self.students:
            self._bound.pop(name, None)
            self._deleted.add(name)
        self._gone.add(name)

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name):
            return True
        try:
            self[name]  # type: ignore[index]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        own = list(super().__iter__())
        theirs = [] if self.link is None else self.link.operate("", "names")
        more = [each for each in theirs if isinstance(each, str) and each not in own and not self._hides(each)]
        return iter([*own, *more])

    def _hides(self, name: str) -> bool:
        """Whether a name of the student's process is none here: it is deleted, or Python's own, such as ``exit``."""
        return name in self._gone or (name not in self.students and hasattr(builtins, name))

    def given(self, name: str) -> type | None:
        """The class that a given cell has made here under a name; one of the test's own is none."""
        return self._given.get(name)

    def names_given(self) -> list[str]:
        """The names of the classes that given cells have made here."""
        return [*self._given]

    def keys(self) -> list[str]:  # type: ignore[override]
        """The names, those of the student's process among them."""
        return list(self)

    def forget(self) -> None:
        """Forget what was fetched from a process that is gone."""
        self._fetched.clear()

    def watch(self, module: Any, name: str) -> None:
        """Set an attribute of a module in the student's process too, whenever it is another than now."""
        if isinstance(module, types.ModuleType) and name not in ("stdout", "stderr") and not name.startswith("__"):
            self.watched[module.__name__, name] = module
            self._first[module.__name__, name] = self._pushed[module.__name__, name] = getattr(module, name, _GONE)

    def watch_text(self, text: str) -> None:
        """As ``watch``, for the full name of an attribute."""
        import sys

        if PATCHES.match(text):
            module, _, name = text.rpartition(".")
            self.watch(sys.modules.get(module), name)

    def push(self) -> None:
        """Set in the student's process what has been bound, deleted or patched here since the last time."""
        if self._pushing or self.link is None:
            return
        self._pushing = True
        try:
            for name in sorted(self._deleted):
                self.link.operate(name, "delete name", name)
            self._deleted.clear()
            bound, self._bound = self._bound, {}
            for name, value in bound.items():
                self.link.operate(name, "set name", name, value)
            for (module, name), of in self.watched.items():
                now = getattr(of, name, _GONE)
                if now is not self._pushed[module, name]:
                    self._pushed[module, name] = now
                    if now is _GONE and self._first[module, name] is not _GONE:
                        self.link.operate(name, "delete attribute of", module, name)
                        continue
                    value = () if now is self._first[module, name] else (now,)
                    self.link.operate(name, "set attribute of", module, name, *value)
        finally:
            self._pushing = False


def _arrays_in(value: Any) -> Iterator[tuple[list[Any], Any]]:
    """The arrays in plain data and the ways to them: itself, or in lists and tuples."""
    waiting: list[tuple[list[Any], Any]] = [([], value)]
    while waiting:
        path, part = waiting.pop()
        if type(part) is np.ndarray:
            yield path, part
        elif type(part) in (list, tuple) and len(part) <= _MOST_LOOKED_AT and len(path) < _DEEPEST:
            waiting += (([*path, place], inner) for place, inner in enumerate(part))


def _with(value: Any, path: list[Any], array: Any) -> Any:
    """Data with an array at the end of a way; lists stay the ones that they are."""
    if not path:
        return array
    place, *rest = path
    inner = _with(value[place], rest, array)
    if type(value) is tuple:
        return (*value[:place], inner, *value[place + 1 :])
    value[place] = inner
    return value


def _is_alike(one: Any, other: Any) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and _content(one) == _content(other)


def _content(value: Any) -> bytes:
    """Data as it would cross; empty for a remote object, which stays the same one."""
    if is_remote(value):
        return b""
    try:
        return wire.encode(value)
    except wire.WireError:
        return b""
