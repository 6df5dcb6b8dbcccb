"""The code cells of a submission, and how they ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["needed", "own", "shows", "later", "unrun"]
"""What a code cell is for.

``needed``: rows may need what it defines. ``own``: a student's own, which may change what there is. ``shows``: only
its output counts, so that it runs in a fork, whose state is thrown away. ``later``: likewise, and whether anybody looks
is known once the rows have been checked. ``unrun``: likewise, and nobody looks.
"""


@dataclass(frozen=True)
class CellRun:
    """How one code cell of the submission ran.

    Attributes:
        index: The cell's position in the repaired notebook.
        status: ``ok``, ``raised``, ``timeout``, ``died``, ``skipped`` (the submission's time was used up) or
            ``unrun`` (it only shows something, and nobody looks; the outputs are those that were handed in).
        outputs: Notebook outputs (nbformat 4), bounded and of passive types only.
        seconds: Wall-clock time.
        bound: Watched names (``Session.run``) that stand for another object than before the cell.
        gone: Watched names that the cell removed.
    """

    index: int
    status: Literal["ok", "raised", "timeout", "died", "skipped", "unrun"]
    outputs: tuple[dict[str, Any], ...]
    seconds: float
    bound: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
