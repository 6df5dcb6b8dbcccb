"""``exec`` and ``eval`` of a test cell: what a student has written is run in the student's process and nowhere else."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from autograder.base import Cause, Stopped

_CALLED = re.compile(r"\b(exec|eval)\b")
_TELLING = re.compile(r"\w\W*[^\w\s]|[^\w\s]\W*\w")
"""What is more than a name or a number: only that can do anything."""
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
        self._known: set[str] = set()
        self._own = {text.strip() for source in of_the_test for text in _texts_in(source)}
        self.note(list(sources))

    def note(self, tree: Any) -> None:
        """Note the texts in what has crossed."""
        waiting = [tree]
        while waiting:
            part = waiting.pop()
            if isinstance(part, bytes | bytearray):
                part = bytes(part).decode("utf-8", "replace")
            if isinstance(part, str):
                if _TELLING.search(part):
                    self._known.add(part.strip())
            elif isinstance(part, list | tuple | set | frozenset):
                waiting.extend(part)
            elif isinstance(part, dict):
                waiting.extend([*part.keys(), *part.values()])
            elif isinstance(part, np.ndarray) and part.dtype.kind in "SUOV":
                waiting.append(part.tolist())

    def has(self, text: str) -> bool:
        """Whether a text is the student's own, and can do anything."""
        whole = text.strip()
        return bool(_TELLING.search(whole)) and whole not in self._own and any(whole in each for each in self._known)

    def is_in(self, text: str) -> bool:
        """Whether something of the student's is in a text that is not the author's as it stands."""
        return text.strip() not in self._own and any(each in text for each in self._known)


def _texts_in(source: str) -> list[str]:
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


def executes(sources: Iterable[str]) -> bool:
    """Whether one of these cells may run a text as code."""
    return any(map(_CALLED.search, sources))


def guard(link: Any, sources: Mapping[str, str], of_the_test: Iterable[str]) -> None:
    """Have ``exec``, ``eval`` and ``compile`` of this process run what is the student's over the link.

    A text that is the test's in part and the student's in part is run nowhere: the first may not go in, the second may
    not stay out.

    Args:
        link: The ``StudentLink``. Its texts are noted from now on.
        sources: The code of the student's functions and classes.
        of_the_test: The code of the test cell, and of what is run before it.
    """
    texts = link.texts = Texts(sources.values(), of_the_test)

    def guarded(name: str, operation: str, own: Any) -> Any:
        def run(text: Any, /, *where: Any, **named: Any) -> Any:
            if isinstance(text, str | bytes | bytearray):
                code = text if isinstance(text, str) else bytes(text).decode("utf-8", "replace")
                if texts.has(code):
                    return link.operate(name, operation, code)
                if texts.is_in(code):
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
        if not flags & ast.PyCF_ONLY_AST and isinstance(source, str | bytes | bytearray):
            code = source if isinstance(source, str) else bytes(source).decode("utf-8", "replace")
            if texts.has(code):
                return code  # which exec and eval take as well
            if texts.is_in(code):
                raise Stopped(Cause("said", text=_MIXED, says_all=True))
        return compiled(source, *arguments, **named)

    vars(builtins).update(
        compile=compile_own,
        exec=guarded("exec", "run text", builtins.exec),
        eval=guarded("eval", "value of text", builtins.eval),
    )
