"""What somebody may have meant: the nearest of the names that are valid, and values as a message shows them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def closest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name that a mistyped one most likely stands for, or None where none is near."""
    by_lower = {each.lower(): each for each in valid}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """``"did you mean 'x'? "`` for a mistyped name, or nothing where none is near."""
    found = closest(name, valid)
    return "" if found is None else f"did you mean {found!r}? "


def shown(value: Any) -> str:
    """A value of the configuration for a message: short, and as YAML calls it."""
    if isinstance(value, bool):
        return f"{str(value).lower()} (yes, no, on and off mean true and false)"
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "keys with values"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
