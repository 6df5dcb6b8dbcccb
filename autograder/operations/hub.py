"""A JupyterHub of several courses: what its administrator has to put where, written into a folder to be looked at.

Nothing here changes a machine. The layout is nbgrader's own for several courses: each course has an account that keeps
its folder, and a service of the hub that shows the formgrader as that account to whoever grades.
"""

from __future__ import annotations

import re
import shlex
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path

from packaging.version import Version

from autograder.base import FOR_ALL, ConfigError, NoGradebookError, make_folder, write_output
from autograder.course import CONFIG_NAME, Course
from autograder.gradebook import database_file, open_gradebook, roster
from autograder.operations.hub_files import (
    APPLY,
    GRADERS_PAGE,
    GRADERS_SERVER,
    GRADERS_SETTINGS,
    HUB,
    PEOPLES_PAGE,
    PEOPLES_SERVER,
    PEOPLES_SETTINGS,
    README,
    python_text,
)

FIRST_PORT = 9980
"""Of the services, one for each course, on the loopback interface; below those that Linux gives out by itself."""

OLDEST_HUB = (6,)
"""The first version that takes what is written: a time within which a service has to start."""

LONGEST_ACCOUNT = 32
"""Characters of an account's name that useradd takes."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]")


@dataclass(frozen=True)
class HubCourse:
    """A course as a hub knows it.

    Attributes:
        name: The course's name: nbgrader's ``course_id``, and what its service is called.
        account: The account that keeps the course's folder, and which its service runs as.
        folder: The course's folder.
        port: Where the service listens, on the loopback interface.
        graders: Who may use the formgrader, by the names of their accounts.
        students: Who is a student, likewise: whom the gradebook knows.
    """

    name: str
    account: str
    folder: Path
    port: int
    graders: tuple[str, ...]
    students: tuple[str, ...]


@dataclass(frozen=True)
class HubWritten:
    """What was written for a hub, and what is to be seen to before it is put in its place; sentences."""

    files: tuple[Path, ...]
    warnings: tuple[str, ...]


def write_hub(courses: Sequence[Course], output: Path, graders: Mapping[str, Sequence[str]]) -> HubWritten:
    """Write what a JupyterHub needs to have these courses.

    Args:
        courses: The courses.
        output: The folder to write into; what is there under the same names is replaced.
        graders: Who grades, by the course's name.

    Returns:
        The files, and what is to be seen to first.

    Raises:
        ConfigError: A course's name cannot be that of an account and of a service, two courses have one, they name no
            exchange that all share and students can get to, somebody grades a course that is not there, or is a
            student of the course that they grade.
        AutograderError: A gradebook cannot be read, or a file could not be written.
    """
    exchange = _exchange(courses)
    found = _hub_courses(courses, graders)
    if output.resolve().is_relative_to("/etc"):
        raise ConfigError(
            f"{output}: nothing is written below /etc by itself. Name another folder, look through what is in it, and "
            f"put it in its place with its {APPLY.name}"
        )
    make_folder(output)
    texts: dict[str, str] = {
        HUB.name: HUB.text.replace("COURSES = {}", f"COURSES = {python_text(_of_the_hub(found))}").replace(
            'PYTHON = ""', f"PYTHON = {sys.executable!r}"
        ),
        f"jupyter/{PEOPLES_SETTINGS.name}": PEOPLES_SETTINGS.text.replace("'EXCHANGE'", repr(str(exchange))),
        f"jupyter/{PEOPLES_SERVER.name}": PEOPLES_SERVER.text,
        f"jupyter/{PEOPLES_PAGE.name}": PEOPLES_PAGE.text,
        APPLY.name: _commands(found, exchange),
        README.name: README.text.replace("COURSES\n", "\n".join(map(_in_words, found)) + "\n"),
    }
    for each in found:
        texts |= {
            f"{each.account}/{GRADERS_SETTINGS.name}": GRADERS_SETTINGS.text.replace(
                "'COURSE'", repr(str(each.folder / "nbgrader_config.py"))
            ),
            f"{each.account}/{GRADERS_SERVER.name}": GRADERS_SERVER.text,
            f"{each.account}/{GRADERS_PAGE.name}": GRADERS_PAGE.text,
        }
    for name, text in texts.items():
        make_folder((output / name).parent)
        # Who takes a course is written down in the hub's own file alone.
        write_output(output / name, text, **({} if name == HUB.name else {"mode": FOR_ALL}))
    return HubWritten(tuple(output / name for name in texts), tuple(_warnings(courses, found, exchange)))


def _exchange(courses: Sequence[Course]) -> Path:
    """The exchange that all courses share.

    Raises:
        ConfigError: One names none, or another, or one in a course's folder.
    """
    way_out = "write `exchange: /srv/nbgrader/exchange` into it, or another folder outside all courses"
    for course in courses:
        config = course.root / CONFIG_NAME
        if course.exchange is None:
            raise ConfigError(f"{config} names no exchange, where students of a hub fetch and hand in: {way_out}")
        if inside := next((each.root for each in courses if course.exchange.is_relative_to(each.root.resolve())), None):
            raise ConfigError(
                f"{config}: the exchange {course.exchange} lies in the course's folder {inside}, which no student may "
                f"enter: {way_out}"
            )
        if course.exchange != courses[0].exchange:
            raise ConfigError(
                f"{config}: the exchange is {course.exchange}, and that of {courses[0].name} is {courses[0].exchange}. "
                "Students of a hub have one for all their courses: name the same"
            )
    assert courses[0].exchange is not None
    return courses[0].exchange


def _hub_courses(courses: Sequence[Course], graders: Mapping[str, Sequence[str]]) -> list[HubCourse]:
    """The courses as a hub knows them.

    Raises:
        ConfigError: A name does not do, two are alike, or those who grade do not fit.
    """
    if strays := sorted(set(graders) - {course.name for course in courses}):
        raise ConfigError(
            f"there is no course {strays[0]!r} here; there are {', '.join(each.name for each in courses)}"
        )
    found: list[HubCourse] = []
    for number, course in enumerate(courses):
        account = f"grader-{re.sub('[^a-z0-9-]', '-', course.name.lower())}"
        if not _NAME.fullmatch(course.name) or len(account) > LONGEST_ACCOUNT:
            raise ConfigError(
                f"{course.root / CONFIG_NAME}: the course is called {course.name!r}, and a service and the account "
                f"{account} are to be called as it is. That takes letters, digits, - _ and . with a letter first, at "
                f"most {LONGEST_ACCOUNT - len('grader-')} of them: give it another `name` before its first release"
            )
        if twin := next((each for each in found if each.account == account), None):
            raise ConfigError(
                f"{course.root} and {twin.folder} are both courses called {course.name}: give one another `name`"
            )
        students = _students(course)
        those = tuple(dict.fromkeys(graders.get(course.name, ())))
        if both := sorted(set(those) & set(students)):
            raise ConfigError(
                f"{both[0]} is to grade {course.name}, and its gradebook has a student of that name, who would read "
                f"all answers. Remove the student first: nbgrader db student remove {both[0]}"
            )
        found.append(HubCourse(course.name, account, course.root.resolve(), FIRST_PORT + number, those, students))
    return found


def _students(course: Course) -> tuple[str, ...]:
    """Whom the gradebook knows."""
    try:
        with open_gradebook(course, create=False) as gradebook:
            return tuple(sorted(roster(gradebook)))
    except NoGradebookError:
        return ()


def _of_the_hub(found: Sequence[HubCourse]) -> dict[str, dict[str, object]]:
    """What the hub's own file has of each course."""
    return {
        each.name: {
            "account": each.account,
            "folder": str(each.folder),
            "port": each.port,
            "graders": list(each.graders),
            "students": list(each.students),
        }
        for each in found
    }


def _commands(found: Sequence[HubCourse], exchange: Path) -> str:
    """What root types to put all of it in its place."""
    lines = [APPLY.text.rstrip(), f"install -d -m 1777 -o root -g root {shlex.quote(str(exchange))}"]
    for each in found:
        account, folder, mine = each.account, shlex.quote(str(each.folder)), f"-o {each.account} -g {each.account}"
        part = shlex.quote(str(exchange / each.name))
        lines += [
            "",
            f"# {each.name}: its account, which nobody signs in as, and its folder, which that account's group has",
            f"id -u {account} >/dev/null 2>&1 || useradd --create-home --user-group --shell /bin/bash {account}",
            f'home=$(getent passwd {account} | cut -d: -f6); chmod 700 "$home"',
            f"chown -R {account}:{account} {folder}",
            f"chmod -R ug+rwX,o= {folder}",
            f"find {folder} -type d -exec chmod g+s {{}} +",
            "# what it has in the exchange, made before anybody else can",
            f"no_links {part} {part}/outbound {part}/inbound {part}/feedback",
            f"install -d -m 0755 {mine} {part} {part}/outbound",
            f"install -d -m 1733 {mine} {part}/inbound",
            f"install -d -m 0711 {mine} {part}/feedback",
            f"chown -R {account}:{account} {part}/outbound {part}/feedback",
            f'install -d -m 0700 {mine} "$home/.jupyter" "$home/.jupyter/labconfig"',
            *(
                f'install -m 0600 {mine} {account}/{name} "$home/.jupyter/{name}"'
                for name in (GRADERS_SETTINGS.name, GRADERS_SERVER.name, GRADERS_PAGE.name)
            ),
        ]
    return "\n".join(lines) + "\n"


def _in_words(course: HubCourse) -> str:
    graders = ", ".join(course.graders) or "nobody yet"
    return (
        f"| {course.name} | {course.folder} | {course.account} | /services/{course.name}/ | 127.0.0.1:{course.port} | "
        f"{graders} | {len(course.students)} |"
    )


def _warnings(courses: Sequence[Course], found: Sequence[HubCourse], exchange: Path) -> list[str]:
    """What is to be seen to before it is put in its place."""
    said = []
    if (version := _hubs_version()) < OLDEST_HUB:
        there = f"JupyterHub {'.'.join(map(str, version))}" if version else "no JupyterHub"
        said.append(
            f"{there} is installed beside autograder ({sys.prefix}), where the courses' services are to find both: "
            f"pip install 'jupyterhub>={OLDEST_HUB[0]}'"
        )
    for course, each in zip(courses, found, strict=True):
        said += [
            f"{folder} can only be entered by its owner, so {each.account} cannot get to {each.folder}: move the "
            "course to a folder such as /srv/courses"
            for folder in _closed_above(each.folder)
        ]
        file = database_file(course)
        if file is not None and not file.is_relative_to(each.folder):
            said.append(f"{file}, the gradebook, lies outside the course's folder: give it to {each.account}")
        if not each.graders:
            said.append(f"nobody grades {each.name} yet: name them with --grader {each.name}=ACCOUNT")
        if not each.students:
            said.append(
                f"the gradebook of {each.name} knows no students: enter them (nbgrader db student import), and run "
                "this again; or write them into jupyterhub_config.py"
            )
    said += [
        f"{folder} can only be entered by its owner, so no student gets to {exchange}"
        for folder in _closed_above(exchange)
    ]
    return list(dict.fromkeys(said))


def _hubs_version() -> tuple[int, ...]:
    """The version of JupyterHub that is installed here, as numbers; none where it is not."""
    try:
        return Version(version_of("jupyterhub")).release
    except PackageNotFoundError:
        return ()


def _closed_above(path: Path) -> list[Path]:
    """The folders above a path that others than their owner cannot enter, the uppermost alone."""
    there = [each for each in reversed(path.parents) if each.is_dir()]
    return [each for each in there if not stat.S_IMODE(each.stat().st_mode) & stat.S_IXOTH][:1]
