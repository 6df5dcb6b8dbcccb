"""nbgrader's exchange: how it is collected from, and feedback that goes there by nbgrader's own code."""

from __future__ import annotations

import glob
import logging
import warnings
from pathlib import Path
from typing import Any

from autograder.base import AutograderError, one_line
from autograder.course import Assignment, Course
from autograder.operations.nbgrader_configuration import nbgrader_config
from autograder.submission import Terms


def inbound(course: Course, exchange: Path) -> Path:
    """The folder that submissions land in.

    Raises:
        AutograderError: There is none: nothing of the course has been released to this exchange.
    """
    folder = exchange / course.name / "inbound"
    if not folder.is_dir():
        raise AutograderError(
            f"{folder}: there is no such folder, so nothing of {course.name} was released to this exchange. Release it "
            "in the formgrader, or with nbgrader release_assignment; or name another folder with --exchange."
        )
    return folder


def released_exchange(course: Course) -> Path | None:
    """The exchange of the configuration, where something of the course has been released to it."""
    there = course.exchange is not None and (course.exchange / course.name / "inbound").is_dir()
    return course.exchange if there else None


def terms_of(course: Course) -> Terms:
    """How nbgrader's configuration has the exchange collected from; what is newer takes the place of what is there.

    Raises:
        ConfigError: nbgrader_config.py fails.
    """
    config = nbgrader_config(course.root)
    return Terms(
        check_owner=bool(config.ExchangeCollect.get("check_owner", True)),
        group_shared=bool(config.CourseDirectory.get("groupshared", False)),
    )


def release_feedback(course: Course, assignment: Assignment, exchange: Path, student: str) -> tuple[bool, str]:
    """Put a student's feedback where ``nbgrader fetch_feedback`` finds it.

    Returns:
        Whether it could be (what was not handed in through the exchange has no secret to fetch feedback with), and what
        nbgrader warns of.

    Raises:
        AutograderError: nbgrader refuses; the message says why.
    """
    from nbgrader.exchange.default import ExchangeReleaseFeedback

    if not (course.root / "feedback" / student / assignment.name / "submission_secret.txt").is_file():
        return False, ""
    return True, _with_nbgrader(ExchangeReleaseFeedback, course, assignment, exchange, student)


class _Heard(logging.Handler):
    """Keeps what is logged as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(one_line(record.getMessage()))


def _with_nbgrader(kind: Any, course: Course, assignment: Assignment, exchange: Path, student: str) -> str:
    """Run a part of nbgrader's exchange for a student, configured as the course is.

    Returns:
        What it warns of, which nobody would see otherwise; usually nothing.

    Raises:
        AutograderError: nbgrader refuses; the message says why.
    """
    from nbgrader.auth import Authenticator
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.exchange import ExchangeError

    config = nbgrader_config(course.root)
    config.CourseDirectory.root = str(course.root)
    config.CourseDirectory.course_id = course.name
    config.CourseDirectory.assignment_id = assignment.name
    config.CourseDirectory.db_url = course.database
    config.CourseDirectory.student_id = glob.escape(student)  # which nbgrader takes for a pattern
    config.Exchange.root = str(exchange)
    part = kind(coursedir=CourseDirectory(config=config), authenticator=Authenticator(config=config), config=config)
    heard = _Heard()
    part.log.addHandler(heard)
    try:
        # It leaves files to be closed by themselves.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            part.start()
    except (ExchangeError, OSError, ValueError) as error:
        raise AutograderError(f"the exchange in {exchange}: {error}") from error
    finally:
        part.log.removeHandler(heard)
    return "; ".join(heard.said)
