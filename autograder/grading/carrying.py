"""The rows of a submission, checked in order, with the errors of earlier rows carried forward.

Where a row failed and an earlier row whose functions it may call failed too, it is checked again with those functions
answered by the reference; the better result counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from autograder.base import Cause
from autograder.checking import Observer
from autograder.course import Assignment, Row
from autograder.grading.answered import discreet
from autograder.grading.hints import looked_into, told, within
from autograder.grading.reference_process import ReferenceProcess
from autograder.grading.report import RowResult
from autograder.sandbox import Refused, Session, ThrewOutside

if TYPE_CHECKING:
    from autograder.grading.check import Check, Verdict
    from autograder.grading.suite import Suite

UNWRITTEN = frozenset({"missing", "unwritten"})

MAX_TOLD = 1_000
"""Characters of what exceptions say that are told of a submission: it is the student's own, and may carry anything."""

Undefined = Callable[[Cause], Cause]
"""Gives a cause with why a name is not defined once the notebook has run, where it is of that."""


@dataclass(frozen=True)
class States:
    """The states that test cells are to see, by their ``grade_id``; all other checks see that after the notebook."""

    before: Mapping[str, int | None]

    def of(self, checks: Sequence[Check]) -> list[tuple[int | None, list[Check]]]:
        """The checks by the state that they are to see, in order."""
        found: dict[int | None, list[Check]] = {}
        for check in checks:
            state = None if check.test is None else self.before.get(check.test.grade_id)
            found.setdefault(state, []).append(check)
        return [*found.items()]


def check_rows(
    session: Session,
    assignment: Assignment,
    suite: Suite,
    known: Mapping[str, RowResult],
    undefined: Undefined = lambda cause: cause,
    observer: Observer | None = None,
    before: Mapping[str, int | None] | None = None,
) -> list[RowResult]:
    """Check each row with the student's own functions, and where that fails again with correct earlier ones.

    Args:
        session: One in which the cells have run.
        assignment: What they are a submission for.
        suite: Its checks.
        known: Results, by row, of rows that are not to be checked again.
        undefined: Gives a cause with why a name is not defined, where it is of that and that is known.
        observer: Told of all that the checks do, and of what the reference answers.
        before: The state that a test cell is to see, by its ``grade_id`` (``running.Notebook``).
    """
    observer = observer or Observer()
    states = States(before or {})
    results: list[RowResult] = []
    left = MAX_TOLD
    for row in assignment.rows:
        if row.name in known:
            results.append(known[row.name])
            continue
        checks = suite.rows()[row.name]
        observer.run_begins(row.name, ())
        verdicts: list[Verdict] = []
        for state, some in states.of(checks):
            with session.row(before=state) as calls:
                verdicts += looked_into(suite.run(some, calls, observer))
        result = _result(row, verdicts, undefined)
        written = any(_is_written(row, each.no_answer) for each in verdicts)
        if result.fraction < 1 and not result.errored and written:
            earlier = assignment.rows[: len(results)]
            called = frozenset[str]().union(*(each.called for each in verdicts))
            result = _carried(session, row, suite, earlier, results, result, undefined, observer, called, states)
        bounded, left = within(result.checks, left)
        results.append(replace(result, checks=bounded))
    return results


def _is_written(row: Row, cause: Cause | None) -> bool:
    """Whether a check came to something of the row's own: what else is missing, such as a layer, can be answered."""
    return cause is None or cause.kind not in UNWRITTEN or cause.function not in row.functions


def _carried(
    session: Session,
    row: Row,
    suite: Suite,
    earlier: Sequence[Row],
    before: Sequence[RowResult],
    alone: RowResult,
    undefined: Undefined,
    observer: Observer,
    called: frozenset[str],
    states: States,
) -> RowResult:
    """The best of the row's result and those with functions of earlier rows answered by the reference.

    Each is found in a session of its own, so that what a submission is told by the reference reaches no other row. A
    function that can call none of those that would be answered gives what it has given already; ``called`` are those
    that the row's checks have called.
    """
    best = alone
    wrong, sets = replacements(row, suite, earlier, before)
    if session.may_call is not None:
        called = called.union(row.functions)
        reached = called.union(*map(session.may_call, called))
        sets = [replaced for replaced in sets if reached.intersection(replaced)]
    for replaced in sets:
        if best.fraction < 1 and not session.may_run_again:
            session.note_out_of_time()
        elif best.fraction < 1:
            observer.run_begins(row.name, tuple(replaced))
            verdicts: list[Verdict] = []
            asked_for: set[str] = set()
            with session.anew() as again, ReferenceProcess(suite.reference, wrong, observer) as answers:
                for state, some in states.of(suite.rows()[row.name]):
                    with again.row(answers, replaced, before=state) as calls:
                        verdicts += map(_discreet, suite.run(some, calls, observer))
                    asked_for |= calls.asked
            result = _result(row, verdicts, undefined)
            asked = tuple(name for name in replaced if name in asked_for)
            if result.errored or result.fraction <= best.fraction:
                continue
            if asked and _comes_of_answers(session, row, suite, replaced, alone, result, states):
                best = replace(result, carried=asked)
    return best


def _comes_of_answers(
    session: Session,
    row: Row,
    suite: Suite,
    replaced: Sequence[str],
    alone: RowResult,
    carried: RowResult,
    states: States,
) -> bool:
    """Whether what a row gained with the reference's answers is lost without them.

    A function that sees that it is asked again could do something else, with nothing of what it is answered. So the
    checks that passed only then are run once more with the same functions replaced and none of them answered. Where a
    check failed for want of time or of a process, the answers have given it what another check took: that is no guess.
    """
    lost = {check.name: check for check in alone.checks if check.outcome != "passed"}
    spilled = {name for name, check in lost.items() if check.cause and check.cause.kind in ("timeout", "died")}
    gained = {check.name for check in carried.checks if check.outcome == "passed" and check.name in lost} - spilled
    checks = [check for check in suite.rows()[row.name] if check.name in gained]
    if not checks:
        return True
    with session.anew() as again:
        for state, some in states.of(checks):
            with again.row(_Refusing(), replaced, before=state) as calls:
                if any(verdict.result.outcome == "passed" for verdict in suite.run(some, calls)):
                    return False
    return True


def _discreet(verdict: Verdict) -> Verdict:
    return replace(verdict, result=replace(verdict.result, cause=discreet(verdict.result.cause)))


class _Refusing:
    """Answers nothing."""

    def __call__(self, name: str, *_: Any) -> Refused:
        return Refused(f"{name}: a correct one is not there now")

    def asked(self, *_: Any) -> ThrewOutside:
        return ThrewOutside("RuntimeError", "a correct one is not there now", 0)


def replacements(
    row: Row, suite: Suite, earlier: Sequence[Row], before: Sequence[RowResult]
) -> tuple[frozenset[str], list[list[str]]]:
    """The functions to be answered by the reference where a row failed, one set after the other.

    First the functions of rows that lost points, or that were right only with others' help, with those that share
    objects with them; then all: a function may be good enough for its own row and still make this one miss.
    Functions that share objects with the row's own stay as they are: their cache is part of the row.
    """
    own = set(row.functions).union(*(group for group in suite.together if group & set(row.functions)))
    known = [*dict.fromkeys(name for each in earlier for name in each.functions if name not in own)]
    wrong = {
        name
        for each, result in zip(earlier, before, strict=True)
        if result.fraction < 1 or result.carried
        for name in each.functions
    }
    wrong |= {name for group in suite.together if group & wrong for name in group}
    some = [name for name in known if name in wrong]
    return frozenset(wrong), [each for each in ([some] if some == known else [some, known]) if each]


def _result(row: Row, verdicts: Sequence[Verdict], undefined: Undefined) -> RowResult:
    return RowResult(row.name, row.test_id, row.points, told(verdicts, undefined))
