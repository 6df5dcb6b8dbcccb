"""Everything that this package raises on purpose, each with the place and the way out.

``AutograderError`` is ours to report: the command prints it and exits. ``Wrong`` and its kin are verdicts on a
submission: they end a check, never a run, and their text is written for the student.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autograder.base.causes import Cause, said
from autograder.base.reasons import reason


class AutograderError(Exception):
    """Something of ours, or of the course's, that a person has to mend. The message says what, where and how."""


class ConfigError(AutograderError):
    """The course's configuration or a master notebook has a mistake.

    Attributes:
        problems: Where several were looked for at once: each one's file, as the course has it, its line there, or in a
            notebook its cell, from 1 or 0, and its text.
    """

    def __init__(self, message: str, problems: Sequence[tuple[str, int, str]] = ()) -> None:
        """The message says all of the problems."""
        super().__init__(message)
        self.problems = tuple(problems)


class SubmissionError(AutograderError):
    """A submission that cannot be read at all: it gets a grade of zero with this message, for the student to read."""


class RefusedError(AutograderError):
    """A submission that is not taken (a link, a pipe, a device, a folder): no grade, but listed."""


class ReleaseError(AutograderError):
    """The release would leak, or the assignment contradicts itself."""


class SandboxError(AutograderError):
    """The sandbox is missing, does not hold, or failed by itself: never the student's fault."""


class CheckError(AutograderError):
    """A hidden check is itself broken."""


class GradebookError(AutograderError):
    """The gradebook could not be read or written."""


class NoGradebookError(GradebookError):
    """There is no gradebook yet: nothing has been graded."""


class Wrong(AssertionError):  # noqa: N818 - a verdict, not an error
    """A student's answer is wrong; ``cause`` says how, and its text is what the student reads of it."""

    def __init__(self, cause: Cause | str) -> None:
        """Make the verdict; a text is a sentence for the student, with nothing hidden in it."""
        self.cause = said(cause) if isinstance(cause, str) else cause
        self.look_into: Callable[[], Cause | None] | None = None
        """Finds out more, by calling the student's functions again: the cause with what was found, or None. It is for
        when all checks of a row have their verdicts, so that no grade depends on it."""
        super().__init__(self.cause)

    def __str__(self) -> str:
        return reason(self.cause)


class Stopped(Wrong):
    """The student's code raised, hung, died or returned something that is no data, so there is nothing to compare."""


def wrong(cause: Cause) -> Wrong:
    """The verdict that a cause makes: ``Stopped`` where there was no answer to look at."""
    return Stopped(cause) if cause.no_answer else Wrong(cause)
