"""A course: what gradebook_config.yaml and the master notebooks say → Course, Assignment, Row."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from autograder.base import ConfigError, did_you_mean, shown
from autograder.course.config import Activity, Attempts, Inputs, LatePolicy, Limits, Meeting, SharedWith, Visibility
from autograder.course.finding import CONFIG_NAME, STUDENTS, refuse_handed_in
from autograder.course.located import Located, read_located
from autograder.course.master import Row, find_masters, read_master

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
    ("assignments", "*", "groups", "*", "*"),
    ("assignments", "*", "files", "*"),
    ("assignments", "*", "allowed_imports", "*"),
    ("assignments", "*", "activities", "*", "title"),
    ("assignments", "*", "activities", "*", "type"),
    ("sessions", "*", "title"),
    ("sessions", "*", "where"),
)
"""Where names and ids stand; those that are keys, as of ``extensions``, are read as they are written anyway."""

AUTHORS_OWN = frozenset({"equivalent.yaml", "gradients.py", "mistakes.py"})
"""Files beside the reference that tell of it and decide no grade: mutants that are right all the same, the gradients
that it claims, students' mistakes."""

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
    """One assignment of the course, or one of its notebooks where it has several.

    An assignment of several notebooks has an ``Assignment`` for each in ``parts``: what reads, runs, checks and shows
    one notebook takes one of those. For what adds up over all of them, rows and written answers of all are in ``rows``
    and ``manual`` under names that tell them apart (``labelled``), and paths are those of the first notebook, or of the
    folder that has those of all.

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
        groups: Who hands in together: members, by the group's name; nobody is in two.
        activities: What students do in its week beside it.
        term: What late days need to know of the course's other assignments.
        show: Whether cells that only show something are run as well, so that the pages have this run's pictures.
        partial: Whether each statement of a test cell that can fail has a share of its points, or it is all or nothing.
        script: Whether students get a Python script too, and may hand that in.
        parts: Its notebooks, where it has several, in the order of their names.
        others: Of one of several notebooks: the points of the assignment's others, by their names.
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
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    activities: tuple[Activity, ...] = ()
    term: Term = field(default_factory=Term)
    show: bool = False
    partial: bool = False
    script: bool = False
    parts: tuple[Assignment, ...] = ()
    others: dict[str, float] = field(default_factory=dict)

    @property
    def notebooks(self) -> tuple[Assignment, ...]:
        """What describes each of its notebooks: itself, where it has one."""
        return self.parts or (self,)

    @property
    def names_of_notebooks(self) -> tuple[str, ...]:
        """The names of all notebooks of the assignment, also where this is one of them."""
        return tuple(sorted({each.notebook for each in self.notebooks} | set(self.others)))

    def labelled(self, name: str) -> str:
        """What a row or an answer of this notebook is called beside those of the assignment's others."""
        return f"{self.notebook}: {name}"

    def showing(self) -> Assignment:
        """The same, with the cells run that only show something."""
        return replace(self, show=True, parts=tuple(each.showing() for each in self.parts))

    def inputs_of(self, student: str | None) -> str:
        """Whose inputs the checks draw for a student: their id, or ``""``, which is everybody or nobody known.

        Those of a group's first member are drawn for all of it: they hand in together.
        """
        return self.members_with(student)[0] if student and self.inputs == "per_student" else ""

    def members_with(self, student: str) -> tuple[str, ...]:
        """Who hands in together with a student: that student alone, without a group."""
        return next((members for members in self.groups.values() if student in members), (student,))

    @property
    def given(self) -> dict[str, Path]:
        """Those of ``files`` that lie beside the master: the course's copy counts, whatever is handed in."""
        beside = self.master.parent
        return {name: beside / name for name in self.files if os.path.lexists(beside / name)}

    @property
    def has_reference(self) -> bool:
        """Whether its solutions' folder holds a reference; otherwise the master's own solutions are it."""
        if not self.solutions.is_dir():
            return False
        names = (each.name for each in self.solutions.iterdir())
        return any(name not in AUTHORS_OWN and name != "__pycache__" and not name.startswith(".") for name in names)

    @property
    def max_score(self) -> float:
        """Points of all that is described here, the written answers included."""
        return sum(row.points for row in self.rows) + sum(self.manual.values())

    @property
    def max_of_all(self) -> float:
        """Points of the whole assignment, also where this is one of its notebooks."""
        return self.max_score + sum(self.others.values())


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
        canvas_course: Its number in Canvas, where it says one.
        unwritten: Assignments of the configuration of which nothing is written yet, each with what is missing.
    """

    root: Path
    name: str
    timezone: ZoneInfo
    database: str
    assignments: dict[str, Assignment]
    sandbox: Literal["bubblewrap", "landlock", "auto"] = "bubblewrap"
    meetings: tuple[Meeting, ...] = ()
    exchange: Path | None = None
    shared_with: SharedWith = "nobody"
    canvas_course: int | None = None
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
        canvas_course=entry.canvas_course,
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
        elif _is_students(folders[key], root):
            configuration.blame((*where, key), f"expected a folder of the course's own, found {folders[key].resolve()}")
    masters = find_masters(root, name, entry.notebook, configuration, missing)
    read = {master: read_master(root, master, configuration) for master in masters}
    if masters:
        _check_given(masters[0].parent, entry, where, configuration)
    if masters and not any(rows or manual for rows, manual in read.values()):
        place = masters[0] if len(masters) == 1 else masters[0].parent
        missing.problems.append((place.relative_to(root).as_posix(), 0, NOTHING_GRADED))
    if len(configuration.problems) > before:
        return None
    if missing.problems:
        unwritten[name] = missing
        return None
    # A notebook in which nothing is graded, such as one to read, is released along, and that is all.
    found = [Master(path, *those) for path, those in read.items() if any(those)]
    if len(found) == 1:
        return _of_notebook(root, name, entry, term, configuration, folders, found[0])
    parts = []
    for each in found:
        own = {key: folder / each.path.stem for key, folder in folders.items()}
        for key, folder in own.items():
            if _is_students(folder, root):
                configuration.blame((*where, key), f"expected a folder of the course's own, found {folder.resolve()}")
        titled = replace(entry, title=f"{entry.title or name}: {each.path.stem}")
        parts.append(_of_notebook(root, name, titled, term, configuration, own, each))
    return _of_all(parts, entry.title or name, folders)


@dataclass(frozen=True)
class Master:
    """A master notebook, read: its path, its rows, and the points of what is graded by hand."""

    path: Path
    rows: tuple[Row, ...]
    manual: dict[str, float]


def _of_all(parts: Sequence[Assignment], title: str, folders: Mapping[str, Path]) -> Assignment:
    """The assignment of several notebooks."""
    points = {each.notebook: each.max_score for each in parts}
    return replace(
        parts[0],
        title=title,
        checks=folders["checks"],
        solutions=folders["solutions"],
        rows=tuple(
            replace(row, name=each.labelled(row.name), test_id=each.labelled(row.test_id))
            for each in parts
            for row in each.rows
        ),
        manual={each.labelled(name): most for each in parts for name, most in each.manual.items()},
        parts=tuple(
            replace(each, others={name: most for name, most in points.items() if name != each.notebook})
            for each in parts
        ),
    )


def _of_notebook(
    root: Path,
    name: str,
    entry: AssignmentEntry,
    term: Term,
    configuration: Located,
    folders: Mapping[str, Path],
    master: Master,
) -> Assignment:
    return Assignment(
        name=name,
        title=entry.title or name,
        notebook=master.path.stem,
        master=master.path,
        release=root / "release" / name / master.path.name,
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
        rows=master.rows,
        manual=master.manual,
        files=entry.files,
        attempts=entry.attempts,
        extensions=entry.extensions,
        excused=entry.excused,
        groups=entry.groups,
        activities=tuple(each.activity() for each in entry.activities),
        term=term,
        show=entry.show,
        partial=entry.partial,
        script=entry.script,
    )


def _is_students(folder: Path, root: Path) -> bool:
    """Whether a folder lies among what students hand in, or leads there."""
    return any(folder.resolve().is_relative_to((root / each).resolve()) for each in STUDENTS)


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
        elif "/" in name:
            text = f"expected this file of the course's own at {path}: what students hand in lies in no folder"
            configuration.blame((*where, "files", index), text)
    if total > entry.limits.file_mb * 2**20:
        most = f"the most is limits.file_mb, {entry.limits.file_mb} MB"
        configuration.blame((*where, "files"), f"the files in {beside} have {total / 2**20:.1f} MB; {most}; raise it")
