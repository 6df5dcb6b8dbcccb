"""What was handed in elsewhere, brought to ``submitted/``: from nbgrader's exchange, a zip file or a folder."""

from __future__ import annotations

from pathlib import Path

from autograder.course import Assignment, Course
from autograder.gradebook import only_run, open_gradebook, roster
from autograder.operations.exchange import terms_of
from autograder.reports import people_of
from autograder.submission import Collected, collect, collect_arrivals, local_time


def collect_from(
    course: Course, assignment: Assignment, source: Path, *, people: Path | None = None, match: str = "", time: str = ""
) -> list[Collected]:
    """Collect from a zip file of Canvas's or Moodle's, a folder of ``STUDENT.ipynb``, or nbgrader's exchange.

    Args:
        course: The course.
        assignment: The assignment.
        source: The file or the folder.
        people: The table of the system that says who is who in a zip file.
        match: The table's column that holds the course's ids; found out where empty.
        time: When it was handed in, on the course's clocks; where empty, no time is written.

    Returns:
        What became of each.

    Raises:
        AutograderError: The source or the table is none, or damaged, or too large; or the exchange is not the course's.
    """
    with only_run(course):
        with open_gradebook(course) as gradebook:
            known = roster(gradebook)
        if (source / course.name / "inbound").is_dir():
            return collect_arrivals(course, assignment, source, terms=terms_of(course), known=known).results
        listed = people_of(people, known, match) if people is not None else []
        when = local_time(time, course.timezone) if time else None
        everybody = known or [person.student for person in listed]
        return collect(course, assignment, source, known=everybody, people=listed, when=when)
