"""Texts that a library runs as code while a test cell runs, as ``sympify``, ``numexpr`` and ``DataFrame.query`` do.

A library makes another text of the one that it is given, so that neither is found in the other. What is looked for are
names: a text is run out here only where no name by which it may do more than work something out is found in what the
student has given. Python itself says of each text that is compiled and of each name in what is unpickled.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from autograder.base import Cause
from autograder.checking.test_cells.executing import Texts
from autograder.checking.test_cells.formulas import powers
from autograder.checking.test_cells.remote import CELL, Link

_RUN_ELSEWHERE = (
    "The test has a library run what your code gives as a program, which is run nowhere but in the sandbox: only a "
    "formula of numbers, variables and mathematical functions can be used here."
)
_UNPICKLES = "What your code gives is unpickled by the test, and names more than data: that is done nowhere."
_MAKERS = frozenset({"collections", "dataclasses", "enum", "unittest.mock", "attr._make", "decorator"})
"""Modules of which each makes code of names alone, which it has seen to be names."""
_MAX_FRAMES = 200
_UNPICKLED = frozenset(
    {
        *("builtins.set", "builtins.frozenset", "builtins.complex", "builtins.bytearray", "builtins.range"),
        *("builtins.slice", "builtins.list", "builtins.dict", "builtins.tuple", "builtins.int", "builtins.object"),
        *("copyreg._reconstructor", "collections.OrderedDict", "collections.Counter", "collections.deque"),
        *("collections.defaultdict", "decimal.Decimal", "fractions.Fraction", "uuid.UUID", "_codecs.encode"),
        *("datetime.date", "datetime.datetime", "datetime.time", "datetime.timedelta", "datetime.timezone"),
        *("numpy.ndarray", "numpy.dtype"),
        *(
            f"numpy.{core}.{each}"
            for core in ("core", "_core")
            for each in ("multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer")
        ),
    }
)
"""What may be unpickled by name: data, and what data is made again by."""


def guard_libraries(link: Link, texts: Texts) -> None:
    """Have a library run no text of the student's that is more than a formula, and unpickle data alone.

    It holds for the rest of this process, or until it is said for another run of a test cell.

    Args:
        link: Told of what fails.
        texts: The texts that the student's process has given.
    """
    is_first = not _guarded
    _guarded[:] = [(link, texts)]
    if is_first:
        # It cannot be taken back, so it is added once.
        sys.addaudithook(_told)


_guarded: list[tuple[Link, Texts]] = []
"""For which run of a test cell it is told."""


def _told(event: str, of: tuple[Any, ...]) -> None:
    if event not in ("compile", "pickle.find_class"):
        return
    link, texts = _guarded[0]
    if event == "compile" and _is_a_librarys() and any(map(texts.gives, powers(of[0]))):
        raise link.failed(Cause("said", text=_RUN_ELSEWHERE, says_all=True))
    if event == "pickle.find_class":
        name = ".".join(map(str, of[:2]))
        if name not in _UNPICKLED and (texts.packed or texts.names(str(of[1]))):
            raise link.failed(Cause("said", text=_UNPICKLES, says_all=True))


def _is_a_librarys() -> bool:
    """Whether a text is compiled on behalf of a library's code, to be run; it may be made of what a test gives it."""
    frame: types.FrameType | None = sys._getframe(2)
    if frame is not None and str(frame.f_globals.get("__name__")) == "autograder.checking.test_cells.executing":
        frame = frame.f_back
    parses = frame is not None and frame.f_globals.get("__name__") == "ast"
    while frame is not None and frame.f_globals.get("__name__") == "ast":
        frame = frame.f_back
    if frame is None:
        return False
    module = str(frame.f_globals.get("__name__"))
    if module == "__main__" or module in _MAKERS or module.partition(".")[0] == "autograder":
        return False
    # To parse a text is not to run it, but that is how pandas begins, which runs what it has parsed by itself.
    return (not parses or module.startswith("pandas.core.computation")) and not _imports(frame)


def _imports(frame: types.FrameType | None) -> bool:
    """Whether a module is imported here: what is compiled then was there before any code of a student's."""
    for _ in range(_MAX_FRAMES):
        if frame is None or frame.f_code.co_filename.startswith(CELL):
            return False
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
