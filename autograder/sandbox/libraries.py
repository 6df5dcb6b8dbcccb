"""Libraries of which data may come out of the sandbox: imported when such data comes, and only where installed."""

from __future__ import annotations

import functools
import importlib
from types import ModuleType

from autograder.sandbox.inside import tables


@functools.cache
def imported(name: str) -> ModuleType | None:
    """The library, or None where it is not installed or does not import."""
    try:
        return importlib.import_module(name)
    except Exception:
        return None


# What crosses into this process is made with libraries that are installed, and not only with those that are loaded.
tables.library = imported
