"""Which folder is the course: one that is named, or the one that somebody stands in; never a hand-in.

A course is code that runs as whoever grades, so nothing that a student can write may be taken for one.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

from autograder.base import ConfigError, printable

CONFIG_NAME = "gradebook_config.yaml"
COURSE_VARIABLE = "AUTOGRADER_COURSE"
"""The environment variable that names the course, where no ``--course`` does."""

STUDENTS = ("submitted", "autograded", "feedback")
"""The folders of a course that hold what students handed in, or what was made of it."""

_MADE_BY_A_COURSE = (CONFIG_NAME, "nbgrader_config.py", "gradebook.db")
_DEMO = "demo"
_COURSE_IN_A_HAND_IN = 3

_HANDED_IN = re.compile(
    r".+\+.+\+\d{4}-\d\d-\d\d[ T_]\d\d.*"  # nbgrader's exchange: ada+week2+2026-11-29 23:59:00.000000 UTC
    r"|.+_assignsubmission_(file|onlinetext)_?.*"  # Moodle
    r"|.+?(_LATE)?_\d{3,}_\d{3,}_.+"  # Canvas
    r"|.+_attempt_\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d.*",  # Blackboard
    re.DOTALL,
)
"""How the systems that students hand in to call what one of them handed in."""


def chosen_course(named: Path | None = None, start: Path | None = None) -> Path:
    """The course's folder: the one that is named, by an option or by the environment, else the one around a folder.

    Args:
        named: What ``--course`` says, if anything.
        start: Where the search upwards begins; where one stands, by default.

    Raises:
        ConfigError: There is none, or it may be a student's.
    """
    if named is None and (text := os.environ.get(COURSE_VARIABLE, "").strip()):
        named = Path(text)
        if not (named / CONFIG_NAME).is_file():
            raise ConfigError(
                f"the environment variable {COURSE_VARIABLE} names {named}, which holds no {CONFIG_NAME}: mend or "
                "unset it, or name the course with --course DIR"
            )
    if named is None:
        return find_course(start or _standing())
    refuse_handed_in(named)
    return named.resolve()


def find_course(start: Path) -> Path:
    """The nearest folder, from ``start`` upwards, that holds gradebook_config.yaml.

    Raises:
        ConfigError: There is none, or somebody else may have put it there; the message says how to name it all the
            same.
    """
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / CONFIG_NAME).is_file():
            refuse_handed_in(folder, start)
            _refuse_planted(folder)
            return folder
    misnamed = next((path for path in (here / "gradebook_config.yml",) if path.is_file()), None)
    raise ConfigError(
        f"{misnamed} should be called {CONFIG_NAME}"
        if misnamed
        else f"there is no {CONFIG_NAME} in {here} or in any folder above it: run this inside a course, "
        "name one with --course DIR, or make one to look at with `autograder demo`"
    )


def refuse_handed_in(folder: Path, way: Path | None = None) -> None:
    """Refuse a course that lies among what students hand in.

    Args:
        folder: The course's folder.
        way: The path by which it was come upon, as it was given.

    Raises:
        ConfigError: It does; the message says where.
    """
    root = folder.resolve()
    place = hand_in_around(root) or hand_in_around(_as_given(folder))
    if not place and way is not None:
        place = hand_in_around(_as_given(way), root)
    if not place:
        near = (root, *root.parents[:_COURSE_IN_A_HAND_IN])
        marks = (each / name for each in near for name in ("timestamp.txt", "submission_secret.txt"))
        mark = next((path for path in marks if os.path.lexists(path)), None)
        place = "" if mark is None else f"{mark.parent}, which has a {mark.name} as what is handed in has"
    if not place and (inside := _exchange_in(root)):
        place = f"{inside.parent}, which is nbgrader's exchange"
    if place:
        raise ConfigError(
            f"{printable(str(root))} is no course to run: it lies in {printable(place)}. What lies there a student may "
            f"have written, the {CONFIG_NAME} too. Stand in your own course, or name it with --course DIR or "
            f"{COURSE_VARIABLE}; if this is your own, move it elsewhere"
        )


def hand_in_on_the_way(path: Path) -> str:
    """As ``hand_in_around``, for a path as somebody gives it: by where it leads, and by the way there.

    ``submitted/`` may be a link to another disk, and then only the way tells what lies there. Where one stands is known
    by the way that the shell went there.
    """
    given = _as_given(path)
    ways = [path.resolve(), given]
    with contextlib.suppress(OSError, ValueError):
        ways.append(_as_given(_standing() / given.relative_to(Path.cwd())))
    return next(filter(None, map(hand_in_around, ways)), "")


def hand_in_around(path: Path, root: Path | None = None) -> str:
    """Where a path lies among what students hand in, for people to read; empty where it does not.

    Args:
        path: An absolute path.
        root: A folder around which nothing counts: the course that was found.
    """
    for folder in (path, *path.parents):
        outer = folder.parent
        if root is not None and outer.resolve().is_relative_to(root):
            continue
        if folder.name in STUDENTS and any(os.path.lexists(outer / name) for name in _MADE_BY_A_COURSE):
            return f"{folder}, where the course in {outer} keeps what students hand in"
        if _HANDED_IN.fullmatch(folder.name):
            return f"{folder}, which is called as what somebody handed in"
        if _is_exchange(folder):
            return f"{folder}, which is a part of nbgrader's exchange"
    return ""


def _is_exchange(folder: Path) -> bool:
    return (folder / "inbound").is_dir() and (folder / "outbound").is_dir()


def _exchange_in(root: Path) -> Path | None:
    """A course's part of an exchange that begins in this very folder, in which everybody may write."""
    try:
        return next((each for each in root.iterdir() if _is_exchange(each)), None)
    except OSError:
        return None


def _refuse_planted(root: Path) -> None:
    """Refuse a course that was found by standing there, where somebody else may have put it in the way.

    Raises:
        ConfigError: With the way out, which is to name it.
    """
    if Path(__file__).resolve().parents[2] == root:
        return  # a clone whose program this is: who can write there needs no course
    why = _others(root)
    if not why:
        around = (each for each in root.parents if (each / CONFIG_NAME).is_file() and not _others(each))
        outer = next((each for each in around if root != each / _DEMO), None)
        why = f"lies inside another course, {outer}" if outer else ""
    if why:
        raise ConfigError(
            f"the nearest {CONFIG_NAME} is that of {printable(str(root))}, which {printable(why)}, so somebody else "
            f"may have put it there. If it is the course that you mean, name it: --course {printable(str(root))}"
        )


def _others(root: Path) -> str:
    """Who else may have written the course in a folder; empty where nobody did."""
    for path in (root, root / CONFIG_NAME):
        status = path.stat()
        if status.st_uid not in _ourselves():
            return f"belongs to another user (number {status.st_uid})"
        if status.st_mode & stat.S_IWOTH:
            return "everybody on this machine can write to"
    return ""


def _ourselves() -> set[int]:
    """The users whose files are as good as one's own: oneself, root, and whoever became root by sudo."""
    ours = {0, os.geteuid()}
    sudo = os.environ.get("SUDO_UID", "")
    return ours | {int(sudo)} if os.geteuid() == 0 and sudo.isdecimal() else ours


def _standing() -> Path:
    """The folder that one stands in, by the way that the shell went there, which may be through a link."""
    here = Path.cwd()
    way = os.environ.get("PWD", "")
    try:
        return Path(way) if Path(way).is_absolute() and Path(way).samefile(here) else here
    except OSError:
        return here


def _as_given(path: Path) -> Path:
    """The path made absolute, its links as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - `absolute` would leave `..` in it
