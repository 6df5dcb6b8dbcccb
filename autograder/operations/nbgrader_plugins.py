"""nbgrader through our grader, by configuration alone: what ``nbgrader_config.py`` hands over to.

``nbgrader autograde`` reads each submission twice: to sanitise it and to grade it. ``SubmissionExporter``
does the first by our own repair, which no broken notebook stops, and ``GradeSubmission`` the second by our
grader, which writes the same scores, notebook and result as ``autograder grade`` does.

What configuration cannot change in nbgrader 0.9: a folder without any notebook is passed over by ``nbgrader
autograde``; ``autograder grade`` takes it.
"""

from __future__ import annotations

import logging
import os
import sys
import weakref
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.converters import Autograde
from nbgrader.plugins import ExportPlugin, LateSubmissionPlugin
from nbgrader.preprocessors import GetGrades, NbGraderPreprocessor
from traitlets import Unicode

from autograder.base import AutograderError, ConfigError, make_closed_folder, visible
from autograder.course import AUTHORS_OWN, STUDENTS, Assignment, Course, load_course
from autograder.feedback import (
    SUMMARY_ID,
    annotated,
    grade_as_seen,
    lateness_text,
    seen_now,
    told_anew,
)
from autograder.gradebook import (
    RESULT_FILE,
    RESULT_FILES,
    backup,
    enter,
    held_grades,
    lateness_of,
    only_run,
    open_gradebook,
    penalty_of,
    register,
)
from autograder.grading import Report, grade
from autograder.operations.closed import require_closed
from autograder.operations.nbgrader_exchange import CollectArrivals, submitted_directory
from autograder.operations.nbgrader_pages import highlight_code, markdown2html
from autograder.operations.storing import store_grade
from autograder.reports import fill_in_file, scores_of
from autograder.sandbox import chosen
from autograder.submission import Submission, id_problem, submission_of

__all__ = [
    "BlackboardExporter",
    "CanvasExporter",
    "CollectArrivals",
    "GradeSubmission",
    "LatePenalty",
    "MoodleExporter",
    "PlainLog",
    "SeenGrades",
    "SubmissionExporter",
    "configure",
    "find_submission",
    "highlight_code",
    "markdown2html",
]

NAME = "autograder.nbgrader_plugins"
"""Where nbgrader finds these: the name that courses know."""

_LOG = logging.getLogger("autograder")

_BACKED_UP: weakref.WeakSet[Any] = weakref.WeakSet()
"""nbgrader's converters, one for each run, before whose first grade the gradebook was copied aside."""

_Graded = dict[tuple[str, str], dict[str, tuple[Submission, Report]]]
_GRADED: weakref.WeakKeyDictionary[Any, _Graded] = weakref.WeakKeyDictionary()
"""Of a run, by student and assignment: the notebooks that are graded and that nbgrader has not come to yet."""


class SubmissionExporter(NotebookExporter):  # type: ignore[misc]
    """What nbgrader's autograde reads a submission with: any bytes in, a repaired notebook out."""

    def __init__(self, **kw: Any) -> None:
        """Begin a run of nbgrader's autograde, which leaves to us what lies beside the notebooks."""
        super().__init__(**kw)
        if isinstance(self.parent, Autograde):
            self.parent.coursedir = submitted_directory(self.parent.coursedir)

    def from_filename(self, filename: str, resources: Any = None, **kw: Any) -> tuple[str, Any]:
        """The submission as the grader will see it, or a notebook already in ``autograded/`` as it is.

        Raises:
            RefusedError: The submission is a link, a pipe, a device or a folder.
            GradebookError: Another run is at work on the course, or the gradebook could not be copied aside.
            AutograderError: Others on the machine can get at the course.
        """
        names = resources["nbgrader"]
        course, assignment = _notebook_of(self.parent.coursedir, names["assignment"], Path(filename).stem)
        if self.parent not in _BACKED_UP:
            require_closed(course)
            with only_run(course):
                backup(course)
            _BACKED_UP.add(self.parent)
        path = Path(filename)
        if path.parent == course.root / "submitted" / names["student"] / names["assignment"]:
            submission = _submission(course, assignment, names["student"])
            output, resources = self.from_notebook_node(nbformat.from_dict(submission.notebook), resources, **kw)
        else:
            output, resources = super().from_filename(filename, resources=resources, **kw)
        return output, resources


class GradeSubmission(NbGraderPreprocessor):  # type: ignore[misc]
    """In the place of nbgrader's Execute and SaveAutoGrades: run and grade in our sandbox, store the result."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:  # noqa: ARG002 - read again, from what was submitted
        """Grade the submission that ``nb`` was sanitised from.

        Returns:
            The executed notebook with the results, and ``resources`` as it was.

        Raises:
            AutograderError: Something of ours failed: nbgrader lists the submission as not graded.
        """
        names = resources["nbgrader"]
        course, assignment = _notebook_of(self.parent.parent.coursedir, names["assignment"], names["notebook"])
        submission, report = self._graded(course, assignment, names["student"])
        with only_run(course), open_gradebook(course) as gradebook:
            now = datetime.now(UTC)
            for member in _with_no_folder(course, assignment, names["student"]):
                theirs = replace(submission, student=member), replace(report, student=member)
                store_grade(gradebook, course, assignment, *theirs, now)
            store_grade(gradebook, course, assignment, submission, report, now)
            seen = seen_now(gradebook, course, assignment, names["student"], now)
        # The stored result has no outputs: those of the run belong into the notebook.
        return nbformat.from_dict(annotated(submission, replace(seen, cells=report.cells), assignment)), resources

    def _graded(self, course: Course, assignment: Assignment, student: str) -> tuple[Submission, Report]:
        """A notebook's submission and its report; with its first, all of an assignment's notebooks are graded.

        So that an error of ours in one of them leaves the grades of all as they were.

        Raises:
            AutograderError: Something of ours failed.
        """
        waiting = _GRADED.setdefault(self.parent.parent, {})
        place = student, assignment.name
        if assignment.notebook not in waiting.get(place, {}):
            waiting.clear()
            found = {}
            for each in course.assignment(assignment.name).notebooks:
                submission = _submission(course, each, student)
                found[each.notebook] = submission, grade(submission, each, sandbox=chosen(course.sandbox))
            reports = [report for _, report in found.values() if report.errored]
            if reports:
                rows = [row for report in reports for row in report.rows]
                troubles = [report.trouble for report in reports]
                troubles += [check.trouble for row in rows for check in row.checks]
                raise AutograderError(
                    f"{student}: {assignment.name} could not be graded, and keeps the grade that it had. "
                    + "\n".join(filter(None, troubles))
                )
            waiting[place] = found
        return waiting[place].pop(assignment.notebook)


class SeenGrades(GetGrades):  # type: ignore[misc]
    """In the place of nbgrader's GetGrades, where it makes feedback: no more than the student may see by now."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """The executed notebook with scores and comments, and ``resources`` with the total.

        Raises:
            AutograderError: There is no result of ours: nbgrader lists the feedback as not made.
        """
        names = resources["nbgrader"]
        course, assignment = _notebook_of(self.parent.parent.coursedir, names["assignment"], names["notebook"])
        with only_run(course), open_gradebook(course) as gradebook:
            seen = seen_now(gradebook, course, assignment, names["student"], datetime.now(UTC))
            (grade,) = held_grades(gradebook, assignment, student=names["student"])
            late = lateness_of(gradebook, assignment, names["student"])
            lateness = lateness_text(late, assignment, names["student"], course.timezone)
        nb, resources = super().preprocess(nbformat.from_dict(told_anew(nb, seen, assignment)), resources)
        grade = grade_as_seen(grade, seen)
        for cell in nb.cells:
            if lateness and cell.get("id") == SUMMARY_ID:
                cell.source += f"\n\n{lateness}"
            meta = cell.metadata.get("nbgrader", {})
            if meta.get("grade_id") in grade.scores and "score" in meta:
                meta["score"] = grade.scores[meta["grade_id"]] or 0.0
        resources["nbgrader"]["score"] = grade.score
        resources["nbgrader"]["late_penalty"] = grade.late_penalty
        return nb, resources


class LatePenalty(LateSubmissionPlugin):  # type: ignore[misc]
    """The late policy of gradebook_config.yaml, as nbgrader's AssignLatePenalties asks for it."""

    def late_submission_penalty(
        self,
        student_id: str,
        score: float,
        total_seconds_late: float,  # noqa: ARG002 - nbgrader's signature
    ) -> float | None:
        """Points that a submission loses, or None; late days spent on it and whoever is excused are thought of."""
        preprocessor = self.parent
        coursedir = preprocessor.parent.parent.coursedir
        course, assignment = _notebook_of(coursedir, preprocessor.assignment_id, preprocessor.notebook_id)
        # nbgrader is about to write: nothing may be written beside it.
        with open_gradebook(course, create=False) as gradebook:
            if assignment.others:
                # The penalty of all notebooks was shared out as their grades were stored.
                (held,) = held_grades(gradebook, assignment, student=student_id)
                return held.late_penalty or None
            return penalty_of(gradebook, assignment, student_id, None, score) or None


class _LmsExporter(ExportPlugin):  # type: ignore[misc]
    """Scores into the table that a learning management system exported, for ``nbgrader export --exporter=…``."""

    system: ClassVar[str]

    into = Unicode("", help="The table that the system exported, to be filled in.").tag(config=True)
    match = Unicode("", help="Its column that holds the ids of students; found out where empty.").tag(config=True)
    column = Unicode("", help="Its column of the assignment; found by the title where empty.").tag(config=True)

    def export(self, gradebook: Any) -> None:  # noqa: ARG002 - nbgrader's signature
        """Write the filled table to ``to`` and log who has no score in it.

        Raises:
            AutograderError: An option is missing, or the table cannot be filled in; the message names the line.
        """
        course = load_course(Path(self.parent.coursedir.root))
        names = self.assignment or list(course.assignments)
        if len(names) != 1 or self.student:
            raise AutograderError(
                "one assignment is exported at a time, for all students: name it with --assignment='[\"NAME\"]', and "
                f"leave --student out. There are: {', '.join(course.assignments)}"
            )
        if not self.into or not self.to:
            raise AutograderError(
                f"name the table that {self.system.title()} exported with --{type(self).__name__}.into=FILE, and the "
                "file to import there with --to=FILE"
            )
        chosen = course.assignment(names[0])
        names = {"match": self.match, "column": self.column}
        for said in fill_in_file(
            self.system, Path(self.into), scores_of(course, chosen), chosen, Path(self.to), **names
        ):
            self.log.info("%s", said)


class CanvasExporter(_LmsExporter):
    """Into Canvas's gradebook export."""

    system = "canvas"


class MoodleExporter(_LmsExporter):
    """Into Moodle's grading worksheet."""

    system = "moodle"


class BlackboardExporter(_LmsExporter):
    """Into what Blackboard gives for working offline."""

    system = "blackboard"


class PlainLog(logging.Filter):
    """What nbgrader logs, with control characters as their escapes; its formatter indents what follows a line feed."""

    def filter(self, record: logging.LogRecord) -> bool:
        """True, and the record made plain."""
        record.msg, record.args = visible(record.getMessage()), None
        return True


def find_submission(*, assignment: str, student: str, notebooks: list[str]) -> None:  # noqa: ARG001
    """Nbgrader's ``pre_convert_hook``: register the assignment, and let a renamed notebook be found.

    Args:
        assignment: The assignment's name.
        student: nbgrader's pattern of students.
        notebooks: The paths that nbgrader found in one submission's folder, changed in place: the assignment's
            notebooks alone, which ``find_notebook`` finds under other names too. Each of the others would be
            graded as if it were one of those, and its name stand in nbgrader's log as it is.
    """
    if not notebooks:
        return
    folder = Path(notebooks[0]).parent
    root = folder.parent.parent.parent
    course = load_course(root)
    entry = course.assignment(assignment)
    for name in STUDENTS:
        make_closed_folder(root / name)  # nbgrader's own could be entered by all
    with open_gradebook(course) as gradebook:
        register(gradebook, course, entry)
        enter(gradebook, entry, folder.parent.name)
    notebooks[:] = [str(folder / f"{each.notebook}.ipynb") for each in entry.notebooks]


def configure(c: Any, config_file: str) -> None:
    """Set nbgrader up for the course that ``config_file`` lies in.

    A mistake in gradebook_config.yaml is reported and leaves our grader in place all the same, so that
    nbgrader never falls back to running submissions by itself: grading then stops with the same message.

    Args:
        c: The configuration object of traitlets.
        config_file: ``__file__`` of nbgrader_config.py.
    """
    root = Path(config_file).resolve().parent
    here = NAME
    c.CourseDirectory.root = str(root)
    c.CourseDirectory.ignore = [
        ".ipynb_checkpoints",
        "*.pyc",
        "__pycache__",
        "feedback",
        RESULT_FILE,
        RESULT_FILES,
        ".*.part",
        # Beside a master that is its own reference: lists with parts of its solutions, which no release may have.
        ".*.audit.json",
        *(f".*.{name}" for name in sorted(AUTHORS_OWN)),
    ]
    c.Autograde.exporter_class = f"{here}.SubmissionExporter"
    c.Autograde.sanitize_preprocessors = ["nbgrader.preprocessors.CheckCellMetadata"]
    c.Autograde.autograde_preprocessors = [
        f"{here}.GradeSubmission",
        "nbgrader.preprocessors.AssignLatePenalties",
        "nbgrader.preprocessors.CheckCellMetadata",
    ]
    c.GenerateFeedback.preprocessors = [
        f"{here}.SeenGrades",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]
    # Those of nbgrader's pages that show a notebook, the formgrader's among them.
    c.HTMLExporter.filters = {name: f"{here}.{name}" for name in ("highlight_code", "markdown2html")}
    c.Autograde.pre_convert_hook = f"{here}.find_submission"
    # nbgrader logs names of students' files as they are.
    c.NbGrader.logging_config = {
        "filters": {"plain": {"()": f"{here}.PlainLog"}},
        "handlers": {"console": {"filters": ["plain"]}},
    }
    c.ExchangeFactory.collect = f"{here}.CollectArrivals"
    c.AssignLatePenalties.plugin_class = f"{here}.LatePenalty"
    # nbgrader calls alembic by its bare name, which is beside this Python even where that folder is not on PATH.
    programs = str(Path(sys.executable).parent)
    if programs not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join(filter(None, (programs, os.environ.get("PATH"))))
    try:
        course = load_course(root)
    except ConfigError as error:
        _LOG.error("%s", error)
        return
    c.CourseDirectory.course_id = course.name
    c.CourseDirectory.db_url = course.database
    # The formgrader shows and takes due dates in it.
    c.NbGraderAPI.timezone = course.timezone.key
    if course.exchange is not None:
        c.Exchange.root = str(course.exchange)


def _with_no_folder(course: Course, assignment: Assignment, student: str) -> list[str]:
    """Who is in a group with a student and handed in nothing, so that nbgrader does not come to them."""
    submitted = course.root / "submitted"
    return [
        member
        for member in assignment.members_with(student)
        if member != student and not id_problem(member) and not (submitted / member / assignment.name).exists()
    ]


def _notebook_of(coursedir: Any, assignment: str, notebook: str) -> tuple[Course, Assignment]:
    """The course, and what describes a notebook of an assignment.

    Raises:
        ConfigError: There is no such assignment.
        AutograderError: None of its notebooks, of several, is called so.
    """
    course = load_course(Path(coursedir.root))
    chosen = course.assignment(assignment)
    for each in chosen.notebooks:
        if each.notebook == notebook or not chosen.parts:
            return course, each
    raise AutograderError(f"{assignment} has no notebook {notebook}; there are {', '.join(chosen.names_of_notebooks)}")


def _submission(course: Course, assignment: Assignment, student: str) -> Submission:
    return submission_of(course.root, assignment, student, timezone=course.timezone)
