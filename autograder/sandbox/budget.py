"""How the time of a submission is shared out, so that what is slow keeps nothing else from its turn."""

from __future__ import annotations

import time

from autograder.sandbox.runs import Role

CELLS = 3 / 4
"""The share of a submission's time after which no further cell is run: the rest belongs to its rows."""

SHARES: dict[Role, float] = {"needed": CELLS, "own": 1 / 3, "shows": 1 / 6}
"""The share of it that the cells of a role may use, all together. With the other roles' at their most, those that rows
need still have a fourth."""


class Budget:
    """The seconds that a submission has from now on, and what its cells have used of them.

    ``spent`` is that by role, and ``idle`` of all of it the time in which they had no processor.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.begun = time.monotonic()
        self.spent = dict.fromkeys(SHARES, 0.0)
        self.idle = 0.0

    @property
    def end(self) -> float:
        """When the time is used up, on ``time.monotonic``'s clock."""
        return self.begun + self.seconds

    def left(self, role: Role) -> float:
        """How many seconds are left for the cells of a role."""
        until_rows = self.begun + CELLS * self.seconds - time.monotonic()
        return min(SHARES[role] * self.seconds - self.spent[role], until_rows)
