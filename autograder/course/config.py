"""What a course's configuration says, as values: limits, the late policy, attempts, activities, meetings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le

if TYPE_CHECKING:
    from pydantic import ConfigDict

STRICT: ConfigDict = {"extra": "forbid", "strict": True, "allow_inf_nan": False}
"""How pydantic reads the configuration: no key that is not known, no text where a number belongs."""

Positive = Annotated[float, Gt(0)]
PositiveWhole = Annotated[int, Gt(0)]
Percent = Annotated[float, Ge(0), Le(100)]
NotNegative = Annotated[float, Ge(0)]
NotNegativeWhole = Annotated[int, Ge(0)]
Seed = Annotated[int, Ge(0), Le(2**63 - 1)]
Inputs = Literal["same", "per_student"]
"""Whether the checks draw the same inputs for all students, or for each student others."""
SharedWith = Literal["nobody", "group", "everybody"]
"""Who else on the machine is meant to get at the course: nobody, the members of its files' group, or everybody."""
Visibility = Literal["visible", "after_due_date", "after_published", "hidden"]
"""From when on a student sees a check, in Gradescope's words."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes:
        cell_seconds: Wall-clock time for one cell.
        call_seconds: Wall-clock time for one call of a student's function.
        submission_seconds: Wall-clock time for the whole submission.
        memory_mb: Address space beyond what the warm worker holds, in MiB.
        processes: Processes and threads.
        file_mb: Size of one file, and of the private /tmp, in MiB.
        output_kb: What one cell may print, in KiB.
        notebook_mb: Size of a submitted notebook, in MiB.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    cell_seconds: Positive = 10.0
    call_seconds: Positive = 5.0
    submission_seconds: Positive = 180.0
    memory_mb: PositiveWhole = 1024
    processes: PositiveWhole = 16
    file_mb: PositiveWhole = 32
    output_kb: PositiveWhole = 64
    notebook_mb: PositiveWhole = 20


@dataclass(frozen=True)
class LatePolicy:
    """What a late submission loses.

    Attributes:
        grace_minutes: Minutes after the due date that cost nothing.
        percent_per_day: Percent of the assignment's maximum lost for each day begun after the grace.
        max_percent: The most that lateness can cost, in percent of the maximum.
        percent_per_hour: As ``percent_per_day``, for each hour begun; both add up.
        max_late_days: The most late days of the course's that may go on this assignment.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    grace_minutes: NotNegative = 0.0
    percent_per_day: Percent = 0.0
    max_percent: Percent = 100.0
    percent_per_hour: Percent = 0.0
    max_late_days: NotNegativeWhole = 365


@dataclass(frozen=True)
class Attempts:
    """What `autograder watch` grades of a student who hands in more than once.

    Attributes:
        per_day: How many attempts are graded on one day, local to the course; 0 for any number.
        counts: Whether the last graded attempt counts, or the best after its late penalty.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    per_day: NotNegativeWhole = 10
    counts: Literal["last", "best"] = "last"


@dataclass(frozen=True)
class Activity:
    """Something that students do in an assignment's week, beside the assignment itself.

    Attributes:
        title: What they do.
        type: What kind of thing it is, in the course's own words.
        graded: Whether it is graded.
        due: Until when, aware of the course's zone; None where it has no date.
    """

    title: str
    type: str = ""
    graded: bool = False
    due: datetime | None = None


@dataclass(frozen=True)
class Meeting:
    """A meeting that comes back every week.

    Attributes:
        title: What it is.
        begins: When the first begins, aware of its zone.
        ends: When the first ends.
        last: The day of the last.
        where: A place or an address; may be empty.
    """

    title: str
    begins: datetime
    ends: datetime
    last: date
    where: str = ""
