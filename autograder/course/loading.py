"""A course: what gradebook_config.yaml and the master notebooks say → Course, Assignment, Row."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from autograder.base import ConfigError, did_you_mean, shown
from autograder.course.config import Activity, Attempts, Inputs, LatePolicy, Limits, Meeting, SharedWith, Visibility
from autograder.course.finding import CONFIG_NAME, STUDENTS, refuse_handed_in
from autograder.course.located import Located, read_located
from autograder.course.master import Row, find_master, read_master

if TYPE_CHECKING:
    from autograder.course.entries import AssignmentEntry, CourseEntry

__all__ = [
    "CONFIG_NAME",
    "Assignment",
    "Course",
    "LatePolicy",
    "Limits",
    "Row",
    "Term",
    "load_course",
]


AS_WRITTEN: tuple[tuple[str, ...], ...] = (
    ("name",),
    ("assignments", "*", "title"),
    ("assignments", "*", "notebook"),
    ("assignments", "*", "checks"),
    ("assignments", "*", "solutions"),
    ("assignments", "*", "excused", "*"),
    ("assignments", "*", "files", "*"),
    ("assignments", "*", "allowed_imports", "*"),
    ("assignments", "*", "activities", "*", "title"),
    ("assignments", "*", "activities", "*", "type"),
    ("sessions", "*", "title"),
    ("sessions", "*", "where"),
)
"""Where names and ids stand; those that are keys, as of ``extensions``, are read as they are written anyway."""

NOTHING_GRADED = "has nothing that is graded: expected a solution cell and its test cell, or an answer graded by hand"


@dataclass(frozen=True)
class Term:
    """What is to be known of the whole course to say how a student's late days were spent.

    Attributes:
        late_days: How many each student has.
        policies: The late policy by assignment.
        extensions: By assignment and student, until when they may hand in.
        excused: By assignment, who is excused from it.
    """

    late_days: int = 0
    policies: dict[str, LatePolicy] = field(default_factory=dict)
    extensions: dict[str, dict[str, datetime]] = field(default_factory=dict)
    excused: dict[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Assignment:
    """One assignment of the course.

    Attributes:
        name: The folder's name, also in the gradebook.
        title: The name that people read.
        notebook: The notebook's name without ``.ipynb``.
        master: The master notebook.
        release: The released notebook.
        checks: The folder of hidden checks.
        solutions: The folder of the reference, a package.
        due: The last second that is in time, aware of its time zone, or None.
        late: The late policy.
        seed: The seed of all random inputs.
        inputs: Whether the checks draw the same inputs for all students, or for each student others.
        visibility: From when on students see those checks that say nothing of it themselves.
        published: Whether the grades are published, or from when on they are.
        limits: What one submission may use.
        allowed_imports: Distributions that a submission may import, beside the standard library.
        rows: The autograded rows in the notebook's order.
        manual: Points of the cells graded by hand, by ``grade_id``, in the notebook's order.
        files: Names of the files that a submission may read beside its notebook.
        attempts: What is graded of a student who hands in more than once, and what of it counts.
        extensions: Until when some students may hand in, by their ids.
        excused: Students from whom no grade is wanted.
        activities: What students do in its week beside it.
        term: What late days need to know of the course's other assignments.
        show: Whether cells that only show something are run as well, so that the pages have this run's pictures.
        partial: Whether each statement of a test cell that can fail has a share of its points, or it is all or nothing.
    """

    name: str
    title: str
    notebook: str
    master: Path
    release: Path
    checks: Path
    solutions: Path
    due: datetime | None
    late: LatePolicy
    seed: int
    limits: Limits
    allowed_imports: tuple[str, ...]
    rows: tuple[Row, ...]
    manual: dict[str, float]
    files: tuple[str, ...] = ()
    inputs: Inputs = "same"
    visibility: Visibility = "visible"
    published: datetime | bool = False
    attempts: Attempts = field(default_factory=Attempts)
    extensions: dict[str, datetime] = field(default_factory=dict)
    excused: frozenset[str] = frozenset()
    activities: tuple[Activity, ...] = ()
    term: Term = field(default_factory=Term)
    show: bool = False
    partial: bool = False

    def inputs_of(self, student: str | None) -> str:
        """Whose inputs the checks draw for a student: their id, or ``""``, which is everybody or nobody known."""
        return student or "" if self.inputs == "per_student" else ""

    @property
    def given(self) -> dict[str, Path]:
        """Those of ``files`` that lie beside the master: the course's copy counts, whatever is handed in."""
        beside = self.master.parent
        return {name: beside / name for name in self.files if os.path.lexists(beside / name)}

    @property
    def max_score(self) -> float:
        """Points of the whole assignment, the written answers included."""
        return sum(row.points for row in self.rows) + sum(self.manual.values())


@dataclass(frozen=True)
class Course:
    """A course: the folder that holds gradebook_config.yaml, and what that file says.

    Attributes:
        root: The folder.
        name: The course's name (nbgrader's ``course_id``).
        timezone: The zone in which the configuration's times are local.
        database: The gradebook's URL, as SQLAlchemy takes it; a SQLite file's path in it is absolute.
        assignments: By name, in the configuration's order.
        sandbox: What keeps submissions, where a command does not say otherwise.
        meetings: Meetings that come back every week.
        exchange: nbgrader's exchange for this course, or None for nbgrader's own.
        shared_with: Who else on the machine is meant to get at its answers, gradebook and submissions.
        unwritten: Assignments of the configuration of which nothing is written yet, each with what is missing.
    """

    root: Path
    name: str
    timezone: ZoneInfo
    database: str
    assignments: dict[str, Assignment]
    sandbox: Literal["bubblewrap", "landlock"] = "bubblewrap"
    meetings: tuple[Meeting, ...] = ()
    exchange: Path | None = None
    shared_with: SharedWith = "nobody"
    unwritten: dict[str, str] = field(default_factory=dict)

    def assignment(self, name: str) -> Assignment:
        """The assignment of that name.

        Raises:
            ConfigError: There is none, and the message gives the nearest name; or it is not written yet.
        """
        if name in self.assignments:
            return self.assignments[name]
        if name in self.unwritten:
            raise ConfigError(self.unwritten[name])
        known = [*self.assignments, *self.unwritten]
        raise ConfigError(
            f"there is no assignment {name!r} in {self.root / CONFIG_NAME}; "
            f"{did_you_mean(name, known)}expected one of: {', '.join(known)}"
        )


def load_course(root: Path) -> Course:
    """The course in the folder ``root``: its configuration and its master notebooks.

    An assignment that is not written yet keeps nobody from the others: whoever asks for it gets the ConfigError.

    Raises:
        ConfigError: The folder lies among what students hand in; or there are problems in either, all of them at once,
            each with its place and what was expected.
    """
    from autograder.course.entries import AssignmentEntry, validated

    refuse_handed_in(root)
    root = root.resolve()
    configuration = read_located(root / CONFIG_NAME, AS_WRITTEN)
    entry = validated(configuration, root)
    unwritten: dict[str, Located] = {}
    if entry is None:
        # Only for the problems of master notebooks, so that they are reported together with the others.
        for name, tree in configuration.mappings("assignments").items():
            notebook = tree.get("notebook")
            known = AssignmentEntry(notebook=notebook if isinstance(notebook, str) else "")
            _assignment(root, name, known, Term(), configuration, unwritten)
        raise _with(unwritten, configuration).error()
    if not entry.name.strip():
        configuration.blame(("name",), "expected the course's name, found nothing")
    if not entry.assignments:
        configuration.blame(("assignments",), "expected at least one assignment, found none")
    entries = {
        name: replace(each, limits=_limits(name, each, entry, configuration))
        for name, each in entry.assignments.items()
    }
    term = Term(
        entry.late_days,
        {name: each.late for name, each in entries.items()},
        {name: each.extensions for name, each in entries.items() if each.extensions},
        {name: each.excused for name, each in entries.items() if each.excused},
    )
    assignments = {
        name: _assignment(root, name, each, term, configuration, unwritten) for name, each in entries.items()
    }
    if configuration.problems:
        raise _with(unwritten, configuration).error()
    return Course(
        root=root,
        name=entry.name,
        timezone=entry.timezone,
        database=entry.database,
        assignments={name: each for name, each in assignments.items() if each is not None},
        sandbox=entry.sandbox,
        meetings=tuple(each.meeting(entry.timezone) for each in entry.sessions),
        exchange=entry.exchange,
        shared_with=entry.shared_with,
        unwritten={name: str(each.error()) for name, each in unwritten.items()},
    )


def _with(unwritten: dict[str, Located], configuration: Located) -> Located:
    """The configuration with all problems, where they are told together."""
    missing = [problem for each in unwritten.values() for problem in each.problems]
    return replace(configuration, problems=[*configuration.problems, *missing])


def _limits(name: str, assignment: AssignmentEntry, course: CourseEntry, configuration: Located) -> Limits:
    """The course's limits, with those that the assignment sets itself."""
    own = configuration.get("assignments", name, "limits") or {}
    return replace(course.limits, **{key: getattr(assignment.limits, key) for key in own if own[key] is not None})


def _assignment(
    root: Path,
    name: str,
    entry: AssignmentEntry,
    term: Term,
    configuration: Located,
    unwritten: dict[str, Located],
) -> Assignment | None:
    """The assignment, or None where its folders or its master have problems, which are then noted.

    What is missing of one that is not written yet is noted apart, in ``unwritten``.
    """
    missing = replace(configuration, problems=[])
    before = len(configuration.problems)
    where = ("assignments", name)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        configuration.blame(where, "expected a folder's name of letters, digits, '_', '-' and '.'")
        return None
    folders = {}
    for key in ("checks", "solutions"):
        given = str(getattr(entry, key))
        folders[key] = root / (given or f"{key}/{name}")
        if not given and not folders[key].exists() and (root / "autograder" / key / name).is_dir():
            folders[key] = root / "autograder" / key / name  # where courses had them before
        if given and not _is_folder_inside(folders[key], root):
            configuration.blame((*where, key), f"expected a folder inside the course, found {shown(given)}")
        elif any(folders[key].resolve().is_relative_to((root / each).resolve()) for each in STUDENTS):
            configuration.blame((*where, key), f"expected a folder of the course's own, found {folders[key].resolve()}")
    master = find_master(root, name, entry.notebook, configuration, missing)
    if missing.problems:
        unwritten[name] = missing
    rows, manual = read_master(root, master, configuration) if master else ((), {})
    if master:
        _check_given(master.parent, entry, where, configuration)
        if not (rows or manual or len(configuration.problems) > before):
            file = master.relative_to(root).as_posix()
            missing.problems.append((file, 0, NOTHING_GRADED))
            unwritten[name] = missing
            return None
    if master is None or len(configuration.problems) > before:
        return None
    return Assignment(
        name=name,
        title=entry.title or name,
        notebook=master.stem,
        master=master,
        release=root / "release" / name / master.name,
        checks=folders["checks"],
        solutions=folders["solutions"],
        due=entry.due,
        late=entry.late,
        seed=entry.seed,
        # Whoever has attempts graded at once learns from each: then what one has learnt is of no use to another.
        inputs=entry.inputs or ("per_student" if configuration.get("assignments", name, "attempts") else "same"),
        visibility=entry.visibility,
        published=entry.published,
        limits=entry.limits,
        allowed_imports=entry.allowed_imports,
        rows=rows,
        manual=manual,
        files=entry.files,
        attempts=entry.attempts,
        extensions=entry.extensions,
        excused=entry.excused,
        activities=tuple(each.activity() for each in entry.activities),
        term=term,
        show=entry.show,
        partial=entry.partial,
    )


def _is_folder_inside(folder: Path, root: Path) -> bool:
    try:
        return root in folder.resolve().parents and folder.is_dir()
    except OSError:  # such as a name that no file system takes
        return False


def _check_given(beside: Path, entry: AssignmentEntry, where: tuple[str, str], configuration: Located) -> None:
    """Note what lies under one of the files' names beside the master and cannot be given to a submission."""
    total = 0
    for index, name in enumerate(entry.files):
        path = beside / name
        if path.is_file():
            total += path.stat().st_size
        elif os.path.lexists(path):
            configuration.blame((*where, "files", index), f"expected a file, found something else at {path}")
    if total > entry.limits.file_mb * 2**20:
        most = f"the most is limits.file_mb, {entry.limits.file_mb} MB"
        configuration.blame((*where, "files"), f"the files in {beside} have {total / 2**20:.1f} MB; {most}; raise it")
