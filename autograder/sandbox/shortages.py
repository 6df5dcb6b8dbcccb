"""What happens to a submission that another one may have caused, by what it has taken of the machine."""

from __future__ import annotations

IDLE = 3 / 4
"""A limit that was reached with less than this share of it on a processor was spent on waiting."""

SHORTAGES = frozenset({"MemoryError", "_ArrayMemoryError", "OSError", "BlockingIOError", "RuntimeError"})
"""Exceptions for want of memory, processes, threads, files, or room for them."""


def is_idle(ran: float, seconds: float) -> bool:
    """Whether what took longer than its limit of so many seconds may have waited for something that others had."""
    return ran < IDLE * seconds


def tells_shortage(exception: object, text: object) -> bool:
    """Whether an exception may come of a shortage, by its type and its text."""
    # Both may be anything that a hostile process has written.
    return (
        isinstance(exception, str)
        and exception in SHORTAGES
        and (exception != "RuntimeError" or text == "can't start new thread")
    )
