"""nbgrader's own commands on what students handed in: ``collect`` by our reader, and ``autograde`` without its copying.

nbgrader_config.py names ``CollectArrivals``, which ``nbgrader collect`` and the formgrader's button run then.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default import ExchangeCollect

from autograder.base import AutograderError
from autograder.course import load_course
from autograder.submission import Terms, collect_arrivals, submissions


class CollectArrivals(ExchangeCollect):  # type: ignore[misc]
    """In the place of nbgrader's ExchangeCollect, with its options: it follows no link and believes no name."""

    def init_src(self) -> None:
        """Find the course and the assignment.

        Raises:
            ExchangeError: There is no such course or assignment.
        """
        try:
            self.course = load_course(Path(self.coursedir.root))
            self.chosen = self.course.assignment(self.coursedir.assignment_id)
        except AutograderError as error:
            self.fail(str(error))
        if self.coursedir.course_id not in ("", self.course.name):
            self.fail(f"{self.coursedir.course_id} is another course than {self.course.name}, whose folder this is")

    def copy_files(self) -> None:
        """Collect what can be taken, and log what became of each.

        Raises:
            ExchangeError: Something was not taken; everything else was.
        """
        with Gradebook(self.coursedir.db_url, self.course.name) as gradebook:
            known = [student.id for student in gradebook.students]
            due = None
            with suppress(MissingEntry):
                due = gradebook.find_assignment(self.chosen.name).duedate
        terms = Terms(
            check_owner=self.check_owner,
            group_shared=self.coursedir.groupshared,
            update=self.update,
            before=due.replace(tzinfo=UTC) if self.before_duedate and due is not None else None,
            students=self.coursedir.student_id or "*",
        )
        try:
            found = collect_arrivals(self.course, self.chosen, Path(self.root), terms=terms, known=known).results
        except (AutograderError, OSError) as error:
            self.fail(str(error))
        for each in found:
            log = self.log.error if each.status == "not taken" else self.log.warning if each.why else self.log.info
            log("%s %s: %s%s", each.who, self.chosen.name, each.status, f": {each.why}" if each.why else "")
        left = sum(each.status == "not taken" for each in found)
        if left:
            self.fail(f"{left} of the exchange's entries for {self.chosen.name} were not taken, for the reasons above")


class SubmittedDirectory(CourseDirectory):  # type: ignore[misc]
    """The course's folder as ``nbgrader autograde`` sees it: what lies beside a notebook is left to our grader.

    nbgrader would copy it, links and devices included, before any code of ours runs.
    """

    def get_existing_timestamp(self, dest_path: str) -> datetime | None:
        """When a submission was handed in, as our reader says: naive, in UTC; None where nothing readable does."""
        path = Path(dest_path)
        if path.parent.parent != Path(self.root) / self.submitted_directory:
            found: datetime | None = super().get_existing_timestamp(dest_path)
            return found
        course = load_course(Path(self.root))
        due = course.assignment(path.name).due
        (folder,) = submissions(course.root, path.name, [path.parent.name], timezone=course.timezone, due=due)
        stamp = folder.timestamp
        return None if stamp is None else datetime.fromisoformat(stamp).astimezone(UTC).replace(tzinfo=None)


def submitted_directory(coursedir: Any) -> SubmittedDirectory:
    """A course directory like this one, for ``nbgrader autograde`` alone."""
    settings = {name: getattr(coursedir, name) for name in CourseDirectory.class_trait_names(config=True)}
    return SubmittedDirectory(**settings | {"ignore": ["*"]}, parent=coursedir.parent)
