"""A new course: its configuration, nbgrader's, one small assignment, and a made-up class where one is wanted."""

from __future__ import annotations

import os
import string
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from autograder.authoring.importing.entry import quoted
from autograder.authoring.made_up_class import hand_in
from autograder.authoring.mistakes import stock_mistakes
from autograder.authoring.starting.nbgrader_course import configuration_of, is_nbgrader_course
from autograder.base import AutograderError, ConfigError, make_closed_folder
from autograder.course import CONFIG_NAME, load_course
from autograder.operations import CONFIGURED, NBGRADER_CONFIG

ASSIGNMENT = "nearest"
_TEMPLATE = Path(__file__).parent / "template"
_LOCALTIME = Path("/etc/localtime")
_DAYS = 14


@dataclass(frozen=True)
class NewCourse:
    """A course that was begun.

    Attributes:
        root: Its folder.
        assignments: Its assignments.
        written: The files that were written, relative to the folder.
        class_of: How many made-up students handed in.
        was_nbgraders: Whether nbgrader has run it until now: then its nbgrader_config.py is still to be changed.
        notes: What of nbgrader's could not be read, such as a date.
    """

    root: Path
    assignments: tuple[str, ...]
    written: tuple[Path, ...]
    class_of: int = 0
    was_nbgraders: bool = False
    notes: tuple[str, ...] = ()


def init_course(folder: Path, students: int, now: datetime) -> NewCourse:
    """Make a course in a folder, which nobody else on the machine can enter where it is new.

    A course that nbgrader has run until now gets a gradebook_config.yaml, and nothing else of it is touched.

    Args:
        folder: Where to make it. What lies there stays; nothing is written where a file of the course's is there.
        students: How many made-up students hand in.
        now: The time; the assignment is due two weeks after it.

    Raises:
        ConfigError: The folder lies inside another course, or what nbgrader has there cannot be read.
        AutograderError: The folder has one of the course's files, or cannot be written. Nothing is left of the course.
    """
    root = folder.resolve()
    if around := next((each for each in root.parents if (each / CONFIG_NAME).is_file()), None):
        raise ConfigError(
            f"{folder} lies inside the course in {around}, where no other is taken for one's own: make it beside that"
        )
    adopts = is_nbgrader_course(root) and not (root / CONFIG_NAME).exists()
    if adopts and students:
        raise ConfigError(f"{folder} is a course of nbgrader's, in which made-up students have no place")
    notes: tuple[str, ...] = ()
    if adopts:
        text, found = configuration_of(root, local_zone())
        notes = tuple(dict.fromkeys(f"{each.name}: {note}" for each in found for note in each.notes))
        contents, assignments = {Path(CONFIG_NAME): text}, tuple(each.name for each in found)
    else:
        contents, assignments = _contents(root.name, local_zone(), now), (ASSIGNMENT,)
    if there := [name for name in contents if os.path.lexists(root / name)]:
        raise AutograderError(
            f"{folder} has {there[0]} already, so nothing was written: name another folder, or go on with that course "
            "(`autograder new NAME` begins an assignment in it)"
        )
    around_files = {root / parent for name in contents for parent in name.parents}
    if linked := sorted(each for each in around_files if each.is_symlink()):
        raise AutograderError(f"{linked[0]} is a link, and nothing is written through one; name another folder")
    written: list[Path] = []
    try:
        make_closed_folder(root)
        for name, text in contents.items():
            make_closed_folder((root / name).parent)
            with (root / name).open("x", encoding="utf-8", newline="\n") as file:
                written.append(root / name)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise AutograderError(f"no course could be made in {folder}: {error}") from error
    if students:
        assignment = load_course(root).assignment(ASSIGNMENT)
        try:
            hand_in(root, assignment, stock_mistakes(assignment), (), students)
        except OSError as error:
            raise AutograderError(f"the made-up class could not be written: {error}") from error
    return NewCourse(root, assignments, tuple(contents), students, adopts, notes)


def local_zone() -> str:
    """The zone of this machine's clock, by the name that the tz database has for it; ``UTC`` where it has none."""
    told = [os.environ.get("TZ", "").removeprefix(":")]
    told += [_LOCALTIME.resolve().as_posix().partition("/zoneinfo/")[2]]
    for name in filter(None, told):
        try:
            return ZoneInfo(name).key
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return "UTC"


def _contents(name: str, zone: str, now: datetime) -> dict[Path, str]:
    """The course's files, relative to its folder, each with its text."""
    due = f"{(now.astimezone(ZoneInfo(zone)) + timedelta(days=_DAYS)).date()} 23:59"
    filled = {"name": quoted(name or "course"), "timezone": zone, "due": due}
    files = sorted(path for path in _TEMPLATE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    texts = {path.relative_to(_TEMPLATE): path.read_text(encoding="utf-8") for path in files}
    configuration = string.Template(texts.pop(Path(CONFIG_NAME))).substitute(filled)
    ignored = texts.pop(Path("gitignore"))
    own = {Path(CONFIG_NAME): configuration, Path(NBGRADER_CONFIG): CONFIGURED, Path(".gitignore"): ignored}
    return own | texts
