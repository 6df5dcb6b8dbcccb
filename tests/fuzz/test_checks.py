"""Week 2's hidden checks, with the right replies changed in one node: each ends in a verdict, none in an error of ours.

``python -m tests.fuzz.test_checks`` tries every change of every node, which takes long; the test tries some by chance.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.checking import Loopback
from autograder.course import load_course
from autograder.grading import Suite
from autograder.grading.check import Check, Verdict
from autograder.sandbox.inside import protocol, wire
from tests.fuzz.mutations import node_at, places, replaced, variants

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def suite():
    with Suite(load_course(ROOT).assignment("week2")) as suite:
        yield suite


class Tampered(Loopback):
    """The reference in the student's place, whose replies are noted, and one of them changed."""

    def __init__(self, names: dict[str, Any], at: int = -1, change: Callable[[Any], Any] = lambda tree: tree) -> None:
        super().__init__(names)
        self.at = at
        self.change = change
        self.replies: list[Any] = []

    def exchange(self, message: tuple[Any, ...], function: str) -> Any:
        reply = protocol.tree(super().exchange(message, function))
        if len(self.replies) == self.at:
            reply = wire.decode(wire.encode(self.change(reply)))
        self.replies.append(reply)
        return protocol.read(reply)


def ran(suite: Suite, check: Check, calls: Tampered) -> Verdict:
    with np.errstate(all="ignore"):
        (verdict,) = suite.run([check], calls)
    return verdict


def names(suite: Suite) -> dict[str, Any]:
    return dict(vars(suite.reference._module))


def with_change(suite: Suite, check: Check, at: int, place: tuple[int, ...], new: Any) -> str:
    """The trouble that a changed reply makes; empty where it ends in a verdict, or cannot cross."""
    try:
        verdict = ran(suite, check, Tampered(names(suite), at, lambda reply: replaced(reply, place, lambda _: new)))
    except wire.WireError:
        return ""
    return verdict.result.trouble


def test_the_reference_passes_every_check(suite):
    for check in suite.checks:
        calls = Tampered(names(suite))
        assert ran(suite, check, calls).result.outcome == "passed"
        assert calls.replies


@settings(max_examples=120)
@given(st.data())
def test_whatever_comes_back_a_check_gives_a_verdict(suite, data):
    check = data.draw(st.sampled_from(suite.checks), label="check")
    calls = Tampered(names(suite))
    ran(suite, check, calls)
    at = data.draw(st.integers(0, len(calls.replies) - 1), label="reply")
    place = data.draw(st.sampled_from(places(calls.replies[at])), label="place")
    choices = variants(node_at(calls.replies[at], place))
    new = choices[data.draw(st.integers(0, len(choices) - 1), label="change")]
    assert not with_change(suite, check, at, place, new)


def sweep() -> int:
    """Every change of every node of every reply, but for those that are as the ones before; how many made trouble."""
    tried, troubles = 0, set()
    with Suite(load_course(ROOT).assignment("week2")) as suite:
        for check in suite.checks:
            calls = Tampered(names(suite))
            ran(suite, check, calls)
            for at in sorted({0, 1, len(calls.replies) // 2, len(calls.replies) - 1} & set(range(len(calls.replies)))):
                seen: list[str] = []
                for place in places(calls.replies[at]):
                    node = node_at(calls.replies[at], place)
                    kind = f"{type(node).__name__} {np.shape(node) if isinstance(node, np.ndarray) else ''} {place[:2]}"
                    if kind in seen:
                        continue
                    seen.append(kind)
                    for number in range(len(variants(node))):
                        tried += 1
                        trouble = with_change(suite, check, at, place, variants(node)[number])
                        if trouble:
                            troubles.add((check.name, trouble.strip().splitlines()[-1]))
            print(f"{check.name}: {tried:,} so far, {len(troubles)} troubles", flush=True)
    for name, trouble in sorted(troubles):
        print(f"{name}: {trouble}")
    return len(troubles)


if __name__ == "__main__":
    sys.exit(sweep())
