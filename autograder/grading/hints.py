"""Which hints a student is given: where a hint is decided.

One cause is told once, and an author's hint only where it is about what went wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autograder.base import Cause
from autograder.grading.report import CheckResult, RowResult

if TYPE_CHECKING:
    from autograder.grading.check import Verdict

FOLLOWS = "This may come of the first mistake alone: mend that, then look here again."


@dataclass(frozen=True)
class Advice:
    """What stands behind a failed check's reason: its author's hint, or that the row's first mistake may be why."""

    text: str
    is_hint: bool


def advice(row: RowResult, check: CheckResult) -> Advice | None:
    """What the student is advised where a check of the row failed; None where there is nothing to say."""
    if _follows(row, check):
        return Advice(FOLLOWS, is_hint=False)
    return Advice(check.hint, is_hint=True) if check.hint else None


def _follows(row: RowResult, check: CheckResult) -> bool:
    """Whether this failure may only follow from an earlier one of the row, which found the same value far off.

    Then the check's own hint, which supposes that value right, would mislead.
    Small errors are another thing: they are often just what a later check looks for, such as a clip that is too coarse.
    """
    again = check.cause
    if again is None:
        return False
    earlier = [each for each in row.checks[: row.checks.index(check)] if each.outcome == "failed" and each.shown]
    for found in (each.cause for each in earlier if each.cause is not None):
        if found.swapped and again.kind in ("values", "shape"):
            return True
        if _is_finite(found) and _is_finite(again) and found.decade <= 0 and found.what == again.what:
            return True
    return False


def _is_finite(cause: Cause | None) -> bool:
    return cause is not None and cause.kind == "values" and cause.factor != "not finite"


def looked_into(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts of a row, the first that can be looked into with what was found; the student's functions are called.

    Only where none of them is answered from outside: what is found is told of the student's own.
    """
    found = list(verdicts)
    for place, verdict in enumerate(found):
        if verdict.look_into is not None:
            if cause := verdict.look_into():
                found[place] = replace(verdict, result=replace(verdict.result, cause=cause, hint=""))
            break
    return found


def told(verdicts: Sequence[Verdict], undefined: Callable[[Cause], Cause]) -> tuple[CheckResult, ...]:
    """The results of a row's checks as the student reads them: ``_told`` for those that are seen at the same time.

    A check that the student cannot see yet changes nothing of the text of one that they can.

    Args:
        verdicts: Of one row, in order.
        undefined: Gives a cause with why a name is not defined, where it is of that and that is known.
    """
    groups: dict[str | None, list[int]] = {}
    for place, verdict in enumerate(verdicts):
        groups.setdefault(verdict.result.visibility, []).append(place)
    results = [verdict.result for verdict in verdicts]
    for places in groups.values():
        for place, result in zip(places, _told([verdicts[each] for each in places], undefined), strict=True):
            results[place] = result
    return tuple(results)


def _told(verdicts: Sequence[Verdict], undefined: Callable[[Cause], Cause]) -> tuple[CheckResult, ...]:
    """The results of checks, with one cause told once.

    A cause that an earlier check already told is repeated in brief and without a hint: the hint is about this check's
    own subject, which is not why it failed. Where a function works in none of the checks that call it, the first hint
    is left out too, unless it raises: a hint is about what a working function gets wrong.
    """
    stopped = [cause for verdict in verdicts if (cause := verdict.no_answer) is not None]
    never = {
        cause.function
        for cause in stopped
        if all(_fails(verdict, cause.function) for verdict in verdicts if cause.function in verdict.called)
    }
    results: list[CheckResult] = []
    known: set[Hashable] = set()
    raised = False
    for verdict in verdicts:
        result, cause = verdict.result, verdict.result.cause
        same = None if cause is None else _sameness(cause, verdict.called)
        if cause is not None and cause.kind in ("missing", "raised"):
            cause = undefined(cause)
            result = replace(result, cause=cause, hint="" if cause.needs_no_hint else result.hint)
        if same is not None and same in known:
            result = replace(result, cause=replace(cause, again=True) if cause is not None else None, hint="")
        elif cause is not None and cause.no_answer and cause.function in never and (cause.kind != "raised" or known):
            result = replace(result, hint="")
        if same is not None:
            known.add(same)
        if result.cause is not None and result.cause.kind == "raised":
            # An exception's text is the student's own, and may carry anything: one is enough to be taught by.
            result = replace(result, cause=replace(result.cause, text="")) if raised else result
            raised = True
        results.append(result)
    return tuple(results)


def within(checks: Sequence[CheckResult], characters: int) -> tuple[tuple[CheckResult, ...], int]:
    """A row's results with at most so many characters of what exceptions say, and how many are left for later rows."""
    kept = []
    for check in checks:
        if check.cause is not None and check.cause.kind == "raised":
            text = check.cause.text[:characters]
            characters -= len(text)
            check = replace(check, cause=replace(check.cause, text=text))  # noqa: PLW2901
        elif check.cause is not None and check.cause.kind == "said":
            text = check.cause.exception[:characters]
            characters -= len(text)
            check = replace(check, cause=replace(check.cause, exception=text))  # noqa: PLW2901
        kept.append(check)
    return tuple(kept), characters


def _fails(verdict: Verdict, function: str) -> bool:
    """Whether it was this function that gave no answer."""
    return verdict.no_answer is not None and verdict.no_answer.function == function


def _sameness(cause: Cause, called: frozenset[str]) -> Hashable | None:
    """What makes two failures one; None where that cannot be told.

    An exception counts by its type and its place, since its text may tell of shapes; a wrong array by what all of its
    entries have in common, whatever the number in that.
    """
    if cause.kind == "raised":
        return cause.kind, cause.function, cause.exception, cause.where, cause.line, cause.source
    if cause.no_answer:
        return cause.kind, cause.function
    common = _in_common(cause) or (cause.half and cause.half.beside and _in_common(cause.half.beside))
    return ("wrong", *sorted(called), common) if common else None


def _in_common(cause: Cause) -> str:
    """What all wrong entries have in common, whatever the number in it; empty where nothing was recognised."""
    factor, is_scalar = cause.factor, not cause.index and cause.total == 1
    if cause.kind != "values" or factor in ("", "not finite") or (factor == "all zero" and is_scalar):
        return ""
    for known in ("sign is flipped", "times too large", "times too small"):
        if known in factor:
            return known
    return factor
