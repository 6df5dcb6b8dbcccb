"""The results of a class, read from the gradebook and the course's folders. Nothing is graded."""

from __future__ import annotations

from collections.abc import Iterator

from autograder.base import RefusedError
from autograder.course import Assignment, Course
from autograder.gradebook import Gradebook, HeldGrade, held_grades, read_report, roster, up_to_date_gradebook
from autograder.grading import Report
from autograder.reports.class_items import ClassReport, class_report
from autograder.submission import find_hand_in, hand_ins


def read_class(course: Course, assignment: Assignment) -> ClassReport:
    """What a class came to at an assignment.

    Raises:
        GradebookError: There is no gradebook, or the assignment is not in it.
    """
    with up_to_date_gradebook(course, assignment) as gradebook:
        return _read_class(gradebook, course, assignment)


def _read_class(gradebook: Gradebook, course: Course, assignment: Assignment) -> ClassReport:
    grade = {each.student: each for each in held_grades(gradebook, assignment)}
    ungraded: dict[str, str] = {}
    for folder in hand_ins(course.root, assignment, timezone=course.timezone):
        if read_report(course, folder.student, assignment) is None or folder.student not in grade:
            try:
                find_hand_in(folder, assignment)
                ungraded[folder.student] = "not graded yet"
            except RefusedError as error:
                ungraded[folder.student] = str(error)

    def results() -> Iterator[tuple[HeldGrade, Report]]:
        for student, each in grade.items():
            report = read_report(course, student, assignment)
            if report is not None:
                yield each, report
            elif student not in ungraded and any(score is not None for score in each.scores.values()):
                ungraded[student] = "the result in autograded/ is gone or damaged"

    return class_report(assignment, results(), roster=roster(gradebook), ungraded=ungraded)
