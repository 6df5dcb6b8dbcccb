"""The face of a room whose insides take long to import: each is imported when one of its names is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def on_demand(room: str, insides: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a room's ``__init__`` (PEP 562).

    Args:
        room: The room's ``__name__``.
        insides: The names that each of its modules gives; behind a folder's name and a dot, the modules in it.
    """
    home = {name: module for module, names in insides.items() for name in names}

    def get(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        if home[name].endswith("."):
            return importlib.import_module(f"{room}.{home[name]}{name}")
        return getattr(importlib.import_module(f"{room}.{home[name]}"), name)

    return get
