"""What Jupyter gives each notebook beside Python's own names, where a cell of it runs outside Jupyter."""

from __future__ import annotations

from typing import Any


def of_jupyter() -> dict[str, Any]:
    """The names, of which each shows nothing and does nothing."""
    return {"display": lambda *_, **__: None, "get_ipython": lambda: None}
