"""The configuration of a course that nbgrader has run until now, from what is there: read, and nothing run."""

from __future__ import annotations

import ast
from pathlib import Path
from zoneinfo import ZoneInfo

from autograder.authoring.importing.entry import Entry, quoted, with_entries
from autograder.authoring.importing.reading import read_bytes
from autograder.authoring.importing.sources import Source, find_sources
from autograder.base import ConfigError
from autograder.course import CONFIG_NAME
from autograder.operations import NBGRADER_CONFIG

_MAX_CONFIG = 2**20
_HEAD = """\
# The course. Everything about it stands here, but for the points: those stand in the master notebooks alone
# (source/<assignment>/). A mistake in this file is reported with its line, what was expected and the nearest valid
# name. `autograder lint` looks for mistakes in all of the course.

name: {name}

# All times below are local in this zone, daylight saving included.
timezone: {zone}
"""
_EXCHANGE = """
# nbgrader's exchange, where students fetch and hand in.
exchange: {root}
"""


def is_nbgrader_course(folder: Path) -> bool:
    """Whether a folder holds a course of nbgrader's: its configuration, its gradebook, or masters in ``source/``."""
    known = (NBGRADER_CONFIG, "gradebook.db")
    return any((folder / name).is_file() for name in known) or any(folder.glob("source/*/*.ipynb"))


def configuration_of(root: Path, zone: str) -> tuple[str, tuple[Source, ...]]:
    """The text of a gradebook_config.yaml for a course of nbgrader's, and the assignments that stand in it.

    The name and the exchange are those of nbgrader_config.py, where it writes them down; the due dates are those of the
    gradebook or of that file. Students stay where they are, in the gradebook.

    Args:
        root: The course's folder.
        zone: The zone in which its times are to be written.

    Raises:
        ConfigError: One of these files cannot be read, or there is no master notebook.
    """
    said = _said(root / NBGRADER_CONFIG)
    if not any(root.glob("source/*/*.ipynb")):
        raise ConfigError(
            f"{root} is a course of nbgrader's without a master notebook in source/, so there is nothing to write down "
            "yet: write one in nbgrader's formgrader, or name an empty folder for a new course"
        )
    sources = find_sources(root, "nbgrader")
    text = _HEAD.format(name=quoted(said.get("course_id") or root.name), zone=zone)
    if exchange := said.get("root"):
        text += _EXCHANGE.format(root=quoted(exchange))
    entries: dict[str, Entry] = {}
    for each in sources:
        due = {} if each.due is None else {"due": f"{each.due.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"}
        entries[each.name] = due
    return with_entries(root / CONFIG_NAME, f"{text}\n", entries), sources


def _said(path: Path) -> dict[str, str]:
    """What nbgrader's configuration writes down of the course: ``course_id``, and ``root`` of the exchange."""
    if not path.is_symlink() and not path.is_file():
        return {}
    try:
        tree = ast.parse(read_bytes(path, _MAX_CONFIG))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"{path} is no Python: {error}") from error
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Attribute(attr=of), attr=("course_id" | "root") as key)],
                value=ast.Constant(value=str(text)),
            ) if (of, key) != ("CourseDirectory", "root"):
                found[key] = text
    return found
