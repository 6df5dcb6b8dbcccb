"""The zip file for Gradescope's "Programming assignment": setup.sh, run_autograder and the assignment."""

from __future__ import annotations

import io
import re
import shlex
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

import yaml

import autograder
from autograder.base import AutograderError, ConfigError, ReleaseError, write_bytes_atomically
from autograder.course import AUTHORS_OWN, CONFIG_NAME, Assignment, Course, load_course
from autograder.grading import assignment_digest, decisive_files, helpers_beside
from autograder.operations import COURSE_FOLDER

TIMEOUTS = (10, 20, 30, 40)
"""Minutes that Gradescope lets a submission take, by the choice of the instructor."""

DISTRIBUTION = "notebook-autograder"

_SCRIPTS = Path(__file__).parent
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_SPARE_SECONDS = 30
_START_SECONDS = 120
_SLOWER = 1.5
"""What a half of a processor adds to the time that a submission takes outside its own limit."""


@dataclass(frozen=True)
class Packed:
    """What was packed, and what is to be set on Gradescope.

    Attributes:
        path: The zip file.
        files: The names in it.
        minutes: The timeout to choose: less may end a submission that is within its limits, with 0 points.
        points: What the tests add up to.
        manual: Points of written answers by name, each a question of Gradescope's own to be graded there.
        wheel: Whether autograder itself is in it; otherwise it is installed from PyPI.
    """

    path: Path
    files: tuple[str, ...]
    minutes: int
    points: float
    manual: dict[str, float]
    wheel: bool


def pack_for_gradescope(course: Course, assignment: Assignment, output: Path, *, wheel: Path | None = None) -> Packed:
    """Write the zip file; the same course gives the same bytes.

    It has what grading takes of this one assignment and nothing else: no student, group, extension or excuse, no
    gradebook, no exchange, and of the author's own lists none. The course in it is loaded once before it is written,
    and has to grade as this one does.

    Args:
        course: The course.
        assignment: Which of its assignments.
        output: The zip file.
        wheel: A wheel of this version of autograder, to be packed; without it setup.sh installs from PyPI.

    Returns:
        What was packed, and what is to be set on Gradescope.

    Raises:
        ConfigError: The limits add up to more time than Gradescope gives, or the wheel is no wheel of this version.
        ReleaseError: The assignment has not been released.
        AutograderError: The zip file could not be written.
    """
    minutes = _minutes(assignment)
    if missing := [each.release for each in assignment.notebooks if not each.release.is_file()]:
        raise ReleaseError(f"{missing[0]} is missing: run `autograder release {assignment.name}` first")
    members = dict(sorted(_course_files(course, assignment)))
    _require_same(assignment, members)
    seconds = minutes * 60 - _SPARE_SECONDS
    distributions = list(assignment.allowed_imports)
    if wheel is not None:
        members[f"wheels/{wheel.name}"] = _wheel(wheel)
        what = f"/autograder/source/wheels/{wheel.name}"
    else:
        what = f"{DISTRIBUTION}=={autograder.__version__}"
    words = " ".join(shlex.quote(each) for each in (what, *distributions))
    scripts = {
        "setup.sh": _script("setup.sh", INSTALLED=words),
        "run_autograder": _script("run_autograder", SECONDS=str(seconds)),
    }
    try:
        write_bytes_atomically(output.resolve(), _zipped(scripts, members))
    except OSError as error:
        raise AutograderError(f"{output} could not be written: {error.strerror}") from error
    return Packed(
        output,
        (*scripts, *members),
        minutes,
        sum(row.points for row in assignment.rows),
        assignment.manual,
        wheel is not None,
    )


def _minutes(assignment: Assignment) -> int:
    """The least timeout of Gradescope's in which a submission that takes all that it may comes to an end.

    Raises:
        ConfigError: There is none.
    """
    within = sum(each.limits.submission_seconds for each in assignment.notebooks)
    needed = _START_SECONDS + _SLOWER * within + _SPARE_SECONDS
    for minutes in TIMEOUTS:
        if needed <= minutes * 60:
            return minutes
    raise ConfigError(
        f"a submission of {assignment.name} may take {within:g} seconds (limits.submission_seconds), and with what "
        f"grading adds that is more than the {TIMEOUTS[-1]} minutes that Gradescope gives: lower that limit"
    )


def _course_files(course: Course, assignment: Assignment) -> Iterator[tuple[str, bytes]]:
    """All that grading takes of an assignment, by its place in the zip file."""
    root, name = f"{COURSE_FOLDER}/", assignment.name
    yield root + CONFIG_NAME, _configuration(course, assignment).encode()
    for each in assignment.notebooks:
        yield f"{root}source/{name}/{each.master.name}", each.master.read_bytes()
        yield f"{root}release/{name}/{each.release.name}", each.release.read_bytes()
        for beside, path in ({path.name: path for path in helpers_beside(each)} | each.given).items():
            yield f"{root}source/{name}/{beside}", path.read_bytes()
        inner = f"{each.notebook}/" if assignment.parts else ""
        for label, folder in (("checks", each.checks), ("solutions", each.solutions)):
            for path in decisive_files(folder):
                place = path.relative_to(folder).as_posix()
                if label == "checks" or place not in AUTHORS_OWN:
                    yield f"{root}{label}/{name}/{inner}{place}", path.read_bytes()


def _configuration(course: Course, assignment: Assignment) -> str:
    """The configuration of a course of this assignment alone: what decides its grades and what students see."""
    zone = course.timezone

    def local(when: datetime) -> str:
        return f"{when.astimezone(zone):%Y-%m-%d %H:%M}"

    published = assignment.published
    entry: dict[str, Any] = {
        "title": assignment.title,
        "seed": assignment.seed,
        "inputs": assignment.inputs,
        "visibility": assignment.visibility,
        "published": published if isinstance(published, bool) else local(published),
        "limits": asdict(assignment.limits),
        "allowed_imports": list(assignment.allowed_imports),
        "files": list(assignment.files),
        "show": assignment.show,
        "partial": assignment.partial,
    }
    if assignment.due is not None:
        entry["due"] = local(assignment.due)
    if not assignment.parts:
        entry["notebook"] = f"{assignment.notebook}.ipynb"
    tree = {
        "name": course.name,
        "timezone": zone.key,
        "sandbox": "auto",
        "assignments": {assignment.name: entry},
    }
    said = "# Made by `autograder gradescope`: one assignment, to be graded by Gradescope.\n"
    return said + yaml.safe_dump(tree, allow_unicode=True, sort_keys=False)


def _require_same(assignment: Assignment, members: dict[str, bytes]) -> None:
    """Load the course that is packed, and see that it grades as the one that it is made of.

    Raises:
        AutograderError: It does not.
    """
    with tempfile.TemporaryDirectory(prefix="autograder-gradescope-") as folder:
        for name, content in members.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        packed = load_course(Path(folder, COURSE_FOLDER)).assignment(assignment.name)
        here = [assignment_digest(each) for each in assignment.notebooks]
        there = [assignment_digest(each) for each in packed.notebooks]
        dates = (assignment.due, assignment.published) == (packed.due, packed.published)
    if here != there or not dates:
        raise AutograderError(
            f"{assignment.name}, packed for Gradescope, would not be graded as it is here. That is a mistake of "
            "autograder's; please report it"
        )


def _wheel(path: Path) -> bytes:
    """The bytes of a wheel of this version.

    Raises:
        ConfigError: It is none.
    """
    expected = f"expected a wheel of {DISTRIBUTION} {autograder.__version__}, as `python -m build --wheel` makes"
    if not re.fullmatch(r"[A-Za-z0-9_.+-]+\.whl", path.name):
        raise ConfigError(f"{path}: {expected}")
    try:
        content = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as wheel:
            (name,) = (each for each in wheel.namelist() if each.endswith(".dist-info/METADATA"))
            metadata = HeaderParser().parsestr(wheel.read(name).decode())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; {expected}") from error
    except (zipfile.BadZipFile, ValueError) as error:
        raise ConfigError(f"{path} is no wheel; {expected}") from error
    found = str(metadata["Name"]), str(metadata["Version"])
    if found != (DISTRIBUTION, autograder.__version__):
        raise ConfigError(f"{path} is of {' '.join(found)}; {expected}")
    return content


def _script(name: str, **values: str) -> bytes:
    text = (_SCRIPTS / name).read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text.encode()


def _zipped(scripts: dict[str, bytes], members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (scripts | members).items():
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.external_attr = (0o100755 if name in scripts else 0o100644) << 16
            entry.create_system = 3
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return made.getvalue()
