"""How the cells of a submission ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class CellRun:
    """How one code cell of the submission ran.

    Attributes:
        index: The cell's position in the repaired notebook.
        status: ``ok``, ``raised``, ``timeout``, ``died`` or ``skipped`` (the submission's time was used up).
        outputs: Notebook outputs (nbformat 4), bounded and of passive types only.
        seconds: Wall-clock time.
        bound: Watched names (``Session.run``) that stand for another object than before the cell.
        gone: Watched names that the cell removed.
    """

    index: int
    status: Literal["ok", "raised", "timeout", "died", "skipped"]
    outputs: tuple[dict[str, Any], ...]
    seconds: float
    bound: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
