"""What was handed in elsewhere, brought to ``submitted/``: by nbgrader's exchange, or from a zip file or a folder."""

from __future__ import annotations

from pathlib import Path

from autograder.course import Assignment, Course
from autograder.gradebook import only_run, open_gradebook, roster
from autograder.operations.exchange import collect_from_exchange
from autograder.reports import people_of
from autograder.submission import Collected, collect, local_time


def collect_from(
    course: Course, assignment: Assignment, source: Path, *, people: Path | None = None, match: str = "", time: str = ""
) -> list[Collected] | None:
    """Collect from a zip file of Canvas's or Moodle's, a folder of ``STUDENT.ipynb``, or nbgrader's exchange.

    Args:
        course: The course.
        assignment: The assignment.
        source: The file or the folder.
        people: The table of the system that says who is who in a zip file.
        match: The table's column that holds the course's ids; found out where empty.
        time: When it was handed in, on the course's clocks; where empty, no time is written.

    Returns:
        What became of each; None where nbgrader collected, which says nothing of that.

    Raises:
        AutograderError: The source or the table is none, or damaged, or too large; or nbgrader refuses.
    """
    with only_run(course):
        if (source / course.name / "inbound").is_dir():
            collect_from_exchange(course, assignment, source.resolve())
            return None
        with open_gradebook(course) as gradebook:
            known = roster(gradebook)
        listed = people_of(people, known, match) if people is not None else []
        when = local_time(time, course.timezone) if time else None
        everybody = known or [person.student for person in listed]
        return collect(course, assignment, source, known=everybody, people=listed, when=when)
