"""One hand-in graded: read, run in the sandbox and checked, with all that came of it as plain data."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from autograder.base import AutograderError, RefusedError
from autograder.course import Assignment
from autograder.grading import Report, joint
from autograder.sandbox import Kind
from autograder.submission import HandIn, Submission, read_submission, unread_submission


@dataclass(frozen=True)
class Graded:
    """What came of a hand-in: a submission and its report, or why there is none.

    Attributes:
        hand_in: What was handed in.
        submission: As it was read, without the files beside it; None where there is no report.
        report: Its report; None where it was refused, or where something of ours failed around it.
        refused: Why it was not taken, for the instructor; empty otherwise.
        trouble: What of ours failed, for the instructor; empty otherwise.
        parts: Of an assignment of several notebooks: what came of each, in their order. Then there is no submission
            above; and a report, on all of them, only where there is one on each.
    """

    hand_in: HandIn
    submission: Submission | None
    report: Report | None
    refused: str = ""
    trouble: str = ""
    parts: tuple[Graded, ...] = ()

    @property
    def notebooks(self) -> tuple[Graded, ...]:
        """What came of each notebook: itself, where the assignment has one."""
        return self.parts or (self,)


def joined(hand_in: HandIn, assignment: Assignment, parts: Sequence[Graded]) -> Graded:
    """What came of the hand-in of an assignment of several notebooks, from what came of each."""

    def told(of: Callable[[Graded], str]) -> str:
        return "; ".join(
            part.labelled(of(each)) for part, each in zip(assignment.parts, parts, strict=True) if of(each)
        )

    reports = [each.report for each in parts if each.report is not None]
    return Graded(
        hand_in,
        None,
        joint(assignment, reports) if len(reports) == len(parts) else None,
        refused=told(lambda each: each.refused),
        trouble=told(lambda each: each.trouble),
        parts=tuple(parts),
    )


def require_gradable(assignment: Assignment, sandbox: Kind) -> None:
    """Try all that grading an assignment needs, so that what is missing is known before the first submission.

    Raises:
        SandboxError: There is no sandbox on this machine, or it does not hold.
        CheckError: The assignment's checks cannot be used.
    """
    from autograder.grading import Grader

    with Grader(sandbox) as grader:
        for each in assignment.notebooks:
            grader.prepare(each)


def make_ready(assignment: Assignment, sandbox: Kind, *, tries: bool) -> None:
    """As ``require_gradable``, in a process of the pool, which goes on to grade with what this has started.

    Args:
        assignment: The assignment.
        sandbox: Which kind of sandbox submissions run in.
        tries: Whether this process is the one of the pool that tries the sandbox.
    """
    # What this makes stays as long as the process: it is looked through neither meanwhile nor later.
    gc.disable()
    try:
        from autograder.grading import process_grader

        grader = process_grader(sandbox, probed=True)
        for each in assignment.notebooks:
            grader.prepare(each)
        if tries:
            grader.probe(assignment)
    finally:
        gc.freeze()
        gc.enable()


def grade_hand_in(hand_in: HandIn, assignment: Assignment, sandbox: Kind, *, probed: bool = True) -> Graded:
    """Read and grade one hand-in; what is wrong with it, or with us, is in the result.

    Args:
        hand_in: The submission.
        assignment: What it is a submission for.
        sandbox: What keeps it.
        probed: Whether the sandbox of this machine has been tried, as by the process that the pool belongs to.
    """
    if assignment.parts:
        pairs = zip(hand_in.parts, assignment.parts, strict=True)
        return joined(hand_in, assignment, [grade_hand_in(one, each, sandbox, probed=probed) for one, each in pairs])
    # Not as this module is imported: a process of the pool has to answer Ctrl-C before it loads all that grades.
    from autograder.grading import process_grader

    known = {"student": hand_in.student, "timestamp": hand_in.timestamp}
    try:
        if hand_in.notebook is None:
            submission = unread_submission(assignment, hand_in.unread, **known, missing=hand_in.missing)
        else:
            submission = read_submission(hand_in.notebook, assignment, **known, note=hand_in.note)
        report = process_grader(sandbox, probed=probed).grade(submission, assignment)
        # These have done their part; back through the pool's pipe they would cost more than all the rest.
        return Graded(hand_in, replace(submission, files={}, handed_in={}), report)
    except RefusedError as error:
        return Graded(hand_in, None, None, refused=str(error))
    except (AutograderError, OSError) as error:
        return Graded(hand_in, None, None, trouble=str(error))
