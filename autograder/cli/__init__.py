"""The command ``autograder``: parse, call, print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograder.base import on_demand
from autograder.cli.entrance import main

if TYPE_CHECKING:
    from autograder.cli.program import app

__all__ = ["app", "main"]

__getattr__ = on_demand(__name__, {"program": ("app",)})
