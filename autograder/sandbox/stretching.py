"""Time limits that do not count the time in which a process waits for a processor."""

from __future__ import annotations

from collections.abc import Callable

from autograder.sandbox import processes

PATIENCE = 4.0
"""How far a time limit is stretched, at the most, for a process that has to wait for a processor."""


def stretched_deadline(latest: float, process: int | None, begun: float, seconds: float) -> Callable[[], float]:
    """A function that gives the deadline of what a process has just begun.

    Time in which the process waits for a processor does not count; with it, the limit is at most ``PATIENCE`` times as
    long.

    Args:
        latest: When it is too late in any case.
        process: The process, by its number outside; None where that is not known.
        begun: When it began, on ``time.monotonic``'s clock.
        seconds: What it may take.
    """
    before = processes.waited(process)

    def stretched() -> float:
        waited = processes.waited(process) - before
        return min(begun + seconds + waited, begun + PATIENCE * seconds, latest)

    return stretched
