"""Objects of a test's that a student's code has been given: what it may do with one, which is done out here.

It may use operators of any of them and call what can be called. Of their attributes it gets those that the notebook's
own code has given them, and those of a few of Python's classes. Others reach further than the test meant to give: a
path reads and writes any file, a connection to a database attaches any other, a table is written anywhere.
"""

from __future__ import annotations

import pathlib
import sys
import types
from typing import Any

import numpy as np

from autograder.sandbox import DUNDER, OPERATIONS, REFLECTED

_CLOSED = (types.ModuleType, types.FunctionType, types.GeneratorType, types.CodeType, types.FrameType, type)
"""What gives nothing of itself to a student's code: through its attributes it would give all of the test."""
_OPEN = frozenset(
    {
        *("__main__", "builtins", "types", "enum", "dataclasses", "unittest.mock"),
        *("collections", "collections.abc", "_collections", "_collections_abc", "queue", "_queue", "array"),
        *("io", "_io", "csv", "_csv", "re", "random", "_random"),
    }
)
"""Modules whose classes reach nothing beyond the object itself."""
REFERENCE = "autograder_reference_"
"""How the names of modules begin that hold a reference: objects of its classes answer for those of the student's."""
_OF_ARRAYS = frozenset(
    {
        *("shape", "ndim", "size", "dtype", "T", "tolist", "copy", "astype", "reshape", "ravel", "flatten"),
        *("sum", "mean", "min", "max", "any", "all", "item"),
    }
)


def done_outside(thing: Any, operation: str, operands: list[Any], keywords: dict[str, Any]) -> Any:
    """What comes of an operation of the student's code on an object of the test's; raises what it raises."""
    if operation in ("getattr", "setattr"):
        name, *value = operands
        if not isinstance(name, str) or not (_sets(thing, name) if value else _gives(thing, name)):
            raise AttributeError(str(name))
        if operation == "setattr":
            return setattr(thing, name, *value)
        given = getattr(thing, name)
        if isinstance(given, types.ModuleType | types.FrameType | types.CodeType):
            raise AttributeError(name)
        return given
    if operation in REFLECTED:
        return OPERATIONS[REFLECTED[operation]](operands[0], thing)
    if operation in ("dir", "delattr"):
        raise AttributeError(operation)
    return OPERATIONS[operation](thing, *operands, **keywords)


def can(thing: Any) -> list[str]:
    """What can be done with an object of the test's, beside what all objects can."""
    kind = type(thing)
    return [
        operation
        for operation, method in DUNDER.items()
        if getattr(kind, method, None) is not None
        and getattr(kind, method, None) is not getattr(object, method, None)
        and method not in ("__repr__", "__str__", "__format__", "__dir__")
    ]


def of_a_library(thing: Any) -> tuple[str, ...] | None:
    """What stands for a module, for a library's function or class, or for a path; None for anything else.

    The student's process then uses its own, and none of this process.
    """
    if isinstance(thing, pathlib.PurePath) and type(thing).__module__.partition(".")[0] == "pathlib":
        return "path", str(thing)
    if isinstance(thing, types.ModuleType):
        return None if _is_own(thing) else ("library", thing.__name__, "")
    name = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None)
    module = getattr(thing, "__module__", None) or ("numpy" if isinstance(thing, np.ufunc) else None)
    if not isinstance(name, str) or not isinstance(module, str):
        return None
    for place in (module, "numpy") if module.partition(".")[0] == "numpy" else (module,):
        there = sys.modules.get(place)
        if there is not None and getattr(there, name, None) is thing and not _is_own(there):
            return "library", place, name
    return None


def _is_own(module: types.ModuleType) -> bool:
    """Whether a module is the notebook itself, the grader's, or lies beside the master."""
    root = module.__name__.partition(".")[0]
    if root in ("__main__", "autograder") or root.startswith(REFERENCE):
        return True
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and pathlib.Path(file).is_relative_to(pathlib.Path.cwd())


def is_closed(thing: Any) -> bool:
    """Whether an object is of a library's class of which a student's code gets no attribute, such as a picture."""
    module = type(thing).__module__
    return not (
        isinstance(thing, _CLOSED)
        or module in _OPEN
        or module.partition(".")[0] in ("numpy", "pathlib", "__main__")
        or module.startswith(REFERENCE)
    )


def _gives(thing: Any, name: str) -> bool:
    """Whether an object gives this attribute to a student's code."""
    if name.startswith("_") or isinstance(thing, _CLOSED):
        return False
    if name in getattr(thing, "__dict__", ()) or (isinstance(thing, np.ndarray) and name in _OF_ARRAYS):
        return True
    kinds = type(thing).__mro__
    owner = next((each for each in kinds if name in vars(each)), None)
    if owner is None:
        owner = next((each for each in kinds if "__getattr__" in vars(each)), None)
    return owner is not None and (owner.__module__ in _OPEN or owner.__module__.startswith(REFERENCE))


def _sets(thing: Any, name: str) -> bool:
    return not name.startswith("_") and not isinstance(thing, _CLOSED) and type(thing).__module__ in _OPEN
