"""What is kept of a row's calls, for appeals and the audit."""

from __future__ import annotations

import tracemalloc
from types import SimpleNamespace
from typing import Any

import pytest

from autograder.grading import MAX_PRINTED, CallRecord, Recorder
from autograder.sandbox import protocol


def recorded(printed: str) -> CallRecord:
    """The record of a call, of which the student's process says that it printed this."""
    recorder = Recorder("scale")
    calls: Any = SimpleNamespace(exchange=lambda message, function: protocol.Printed(printed, ""))
    recorder.run_begins("scale", ())
    recorder.replied("scale", protocol.Call("scale", (1,), {}), protocol.Result(1, 2), 0.0, calls)
    recorder.check_ends(None)
    (event,) = recorder.runs[0].checks[0].events
    assert isinstance(event, CallRecord)
    return event


@pytest.mark.parametrize(
    ("printed", "kept"), [("a\tb\n", "a       b\n"), ("\x1b[2Jx", "�[2Jx"), ("x\t" * MAX_PRINTED, "x       " * 1000)]
)
def test_what_was_printed_is_kept_cut_and_without_what_would_move_a_terminal(printed: str, kept: str) -> None:
    assert recorded(printed).printed == kept


def test_a_long_text_of_tabs_takes_no_more_memory_than_it_has() -> None:
    printed = "\t" * 2**22
    tracemalloc.start()
    recorded(printed)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < len(printed)
