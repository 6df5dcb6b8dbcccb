"""``exec`` and ``eval`` of a test cell: what a student has written is run in the student's process and nowhere else."""

from __future__ import annotations

import ast
import builtins
import re
import sys
import types
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from autograder.base import Cause, Stopped
from autograder.checking.test_cells.formulas import powers
from autograder.sandbox import Opaque, Ref, kinds, tables

_CALLED = re.compile(r"\b(exec|eval)\b")
_TELLING = re.compile(r"\w\W*[^\w\s]|[^\w\s]\W*\w")
"""What is more than a name or a number: only that can do anything."""
_PACKED = re.compile(r"[\w+/=-]{20,}")
"""A text that may be bytes, written as one."""
_NUMBERS = frozenset({type(None), bool, int, float, complex})
_MIXED = "The test makes code of its own out of what your code gives, which is run nowhere but in the sandbox."


class Texts:
    """The texts that a student's process has given."""

    def __init__(self, sources: Iterable[str], of_the_test: Iterable[str]) -> None:
        """Nothing has been given yet.

        Args:
            sources: What the student has written.
            of_the_test: The code of the author's. A text in it is the author's, though a student gives it as well:
                what comes of it is not for the student's process to say.
        """
        self.packed = False
        of_the_test = list(of_the_test)
        self._authors = {name for text in of_the_test for name in re.findall(r"\w+", text)}
        self._known: set[str] = set()
        self._squeezed: dict[str, str] = {}
        self._own = {text.strip() for source in of_the_test for text in texts_in(source)}
        self.note(list(sources))

    def note(self, tree: Any) -> None:
        """Note the texts in what has crossed."""
        waiting = [tree]
        while waiting:
            part = waiting.pop()
            if isinstance(part, bytes | bytearray):
                self.packed = True
                part = bytes(part).decode("utf-8", "replace")
            if isinstance(part, str):
                self.packed = self.packed or bool(_PACKED.fullmatch(part))
                if _TELLING.search(part):
                    self._known.add(part.strip())
            elif isinstance(part, list | tuple | set | frozenset):
                if not set(map(type, part)) <= _NUMBERS:
                    waiting.extend(part)
            elif isinstance(part, dict):
                waiting.extend([*part.keys(), *part.values()])
            elif isinstance(part, np.ndarray) and part.dtype.kind in "SUOV":
                waiting.append(part.tolist())
            elif type(part) not in _NUMBERS and not isinstance(part, np.ndarray | np.generic):
                waiting.extend(_parts(part))

    def has(self, text: str) -> bool:
        """Whether a text is the student's own, and can do anything."""
        whole = text.strip()
        return bool(_TELLING.search(whole)) and whole not in self._own and any(whole in each for each in self._known)

    def is_in(self, text: str) -> bool:
        """Whether something of the student's is in a text that is not the author's as it stands."""
        return text.strip() not in self._own and any(each in text for each in self._known)

    def names(self, name: str) -> bool:
        """Whether something of the student's may have this name in it, were it written together or in other letters."""
        name = _squeezed(name)
        for text in self._known - self._squeezed.keys():
            self._squeezed[text] = _squeezed(text)
        return bool(name) and any(name in each for each in self._squeezed.values())

    def gives(self, name: str) -> bool:
        """As ``names``; one of the author's own that reaches nothing of Python's is theirs, whoever gives it too."""
        is_authors = name in self._authors and not name.startswith("_") and not hasattr(builtins, name)
        return not is_authors and self.names(name)

    def is_mixed(self, text: str) -> bool:
        """Whether a text that the test has made of a student's is more than a formula, by what is the student's in it.

        A name that is called in it is one of the notebook's: where it is the student's, that is done in the sandbox.
        """
        return text.strip() not in self._own and any(self.gives(each) for each in powers(text, of_notebook=True))


def _parts(thing: Any) -> list[Any]:
    """What data of a library's is made of, such as the columns of a table."""
    if isinstance(thing, Opaque | Ref):
        return []
    taken = kinds.parts(thing) or tables.parts(thing)
    return [] if taken is None else [taken[1]]


def _squeezed(text: str) -> str:
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", text).casefold())


def texts_in(source: str) -> list[str]:
    """The texts that stand in a cell's code."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    found = [each.value for each in ast.walk(tree) if isinstance(each, ast.Constant)]
    return [
        each if isinstance(each, str) else each.decode("utf-8", "replace")
        for each in found
        if isinstance(each, str | bytes)
    ]


class _Inner(dict[str, Any]):
    """A function's names, and around them the notebook's: for these Python would not ask the student's process."""

    def __init__(self, names: Mapping[str, Any], around: Mapping[str, Any]) -> None:
        super().__init__(names)
        self._around = around

    def __missing__(self, name: str) -> Any:
        return self._around[name]


def _is_notebooks(frame: types.FrameType) -> bool:
    """Whether this is code of the notebook's; a library's is looked after by ``evaluating``."""
    return frame.f_globals.get("__name__") == "__main__"


def executes(sources: Iterable[str]) -> bool:
    """Whether one of these cells may run a text as code."""
    return any(map(_CALLED.search, sources))


def guard(link: Any, texts: Texts) -> None:
    """Have ``exec``, ``eval`` and ``compile`` of this process run what is the student's over the link.

    A text that is the test's in part and the student's in part is run nowhere: the first may not go in, the second may
    not stay out.

    Args:
        link: The ``StudentLink``.
        texts: Those that the student's process gives.
    """

    def guarded(name: str, operation: str, own: Any) -> Any:
        def run(text: Any, /, *where: Any, **named: Any) -> Any:
            if isinstance(text, str | bytes | bytearray) and _is_notebooks(sys._getframe(1)):
                code = text if isinstance(text, str) else bytes(text).decode("utf-8", "replace")
                if texts.has(code):
                    return link.operate(name, operation, code)
                if texts.is_in(code) or texts.is_mixed(code):
                    raise Stopped(Cause("said", text=_MIXED, says_all=True))
            if not any(each is not None for each in where) and not named:
                frame = sys._getframe(1)
                where = frame.f_globals, frame.f_locals
                if frame.f_locals is not frame.f_globals:
                    where = frame.f_globals, _Inner(frame.f_locals, frame.f_globals)
            return own(text, *where, **named)

        run.__name__ = run.__qualname__ = name
        return run

    compiled = builtins.compile

    def compile_own(source: Any, *arguments: Any, **named: Any) -> Any:
        flags = arguments[2] if len(arguments) > 2 else named.get("flags", 0)
        runs = not flags & ast.PyCF_ONLY_AST and _is_notebooks(sys._getframe(1))
        if runs and isinstance(source, ast.AST) and texts.is_mixed(ast.unparse(source)):
            raise Stopped(Cause("said", text=_MIXED, says_all=True))
        if runs and isinstance(source, str | bytes | bytearray):
            code = source if isinstance(source, str) else bytes(source).decode("utf-8", "replace")
            if texts.has(code):
                return code  # which exec and eval take as well
            if texts.is_in(code) or texts.is_mixed(code):
                raise Stopped(Cause("said", text=_MIXED, says_all=True))
        return compiled(source, *arguments, **named)

    vars(builtins).update(
        compile=compile_own,
        exec=guarded("exec", "run text", builtins.exec),
        eval=guarded("eval", "value of text", builtins.eval),
    )
