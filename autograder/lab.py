"""JupyterLab on a course, ready configured: nbgrader's formgrader and lists, our grader, an exchange beside them."""

from __future__ import annotations

import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

from autograder.course import Course
from autograder.errors import AutograderError
from autograder.gradebook import open_gradebook, register, write_atomically
from autograder.release import nbgrader_config

HOST = "127.0.0.1"
FIRST_PORT = 8888
NBGRADER_CONFIG = "nbgrader_config.py"
_CONFIGURED = '''\
"""nbgrader's configuration, all of it from gradebook_config.yaml.

Settings of your own go below the last line.
"""

try:
    from autograder.nbgrader_plugins import configure
except ImportError as error:  # without it nbgrader would run submissions by itself, outside any sandbox
    raise SystemExit(f"nbgrader_config.py: {error}. Install autograder where nbgrader is: pip install .") from error

c = get_config()  # noqa: F821 - nbgrader gives it
configure(c, __file__)
'''


def prepare(course: Course) -> list[str]:
    """Put in place what JupyterLab needs to find in the course's folder, and say what was put there.

    Raises:
        AutograderError: JupyterLab is not installed, nbgrader_config.py fails or leaves our grader out, or the
            gradebook cannot be written.
        OSError: Something could not be written.
    """
    if find_spec("jupyterlab") is None:
        raise AutograderError("JupyterLab is not installed beside autograder: pip install jupyterlab")
    said = []
    config = course.root / NBGRADER_CONFIG
    if not config.exists():
        write_atomically(config, _CONFIGURED)
        said.append(f"{config} was missing and has been written: it sends nbgrader's autograding through our sandbox.")
    elif "autograder.nbgrader_plugins." not in str(nbgrader_config(course).Autograde.get("exporter_class", "")):
        raise AutograderError(
            f"{config} does not call autograder.nbgrader_plugins.configure, so the formgrader would run submissions "
            "itself, outside any sandbox. Move it away, and this command writes another; then add your settings to that"
        )
    exchange = course.exchange
    if exchange is not None and not exchange.exists():
        _make(exchange, course.root)
        said.append(f"{exchange} has been made: nbgrader's exchange, where students hand in.")
    with open_gradebook(course) as gradebook:
        for assignment in course.assignments.values():
            # The formgrader takes due dates and points from the gradebook.
            if assignment.release.is_file():
                register(gradebook, course, assignment)
    return said


def _make(exchange: Path, root: Path) -> None:
    """Make an exchange as nbgrader wants it: writable by everybody who can get there.

    Nobody else has a reason to get to one below the course, whose folder holds the answers; and who can write there may
    put others' work, or links, in the place of what is collected. So the folder above it is the owner's alone.
    """
    if root.resolve() in exchange.parents[1:] and not exchange.parent.exists():
        exchange.parent.mkdir(mode=0o700, parents=True)
    exchange.mkdir(parents=True, exist_ok=True)
    exchange.chmod(0o777)


def free_port(wanted: int | None) -> int:
    """The port that was asked for, or the first free one from 8888 on.

    Raises:
        AutograderError: That port is in use.
    """
    for port in [wanted] if wanted is not None else [*range(FIRST_PORT, FIRST_PORT + 50), 0]:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((HOST, port))
            except OSError as error:
                if wanted is not None:
                    raise AutograderError(
                        f"port {wanted} cannot be used: {error.strerror}. Another JupyterLab may run on it; take "
                        "another with --port, or leave it out"
                    ) from error
                continue
            return int(tried.getsockname()[1])
    raise AutograderError("no port is free")


def lab_command(course: Course, port: int, *, browser: bool) -> list[str]:
    """The command that starts JupyterLab on the loopback interface alone, with a token that it makes and prints."""
    words = [sys.executable, "-m", "jupyterlab", f"--ServerApp.ip={HOST}", f"--ServerApp.port={port}"]
    words += ["--ServerApp.port_retries=0", f"--ServerApp.root_dir={course.root}"]
    words += ["--ServerApp.answer_yes=True"]  # Ctrl-C ends it without a question
    words += [] if browser else ["--no-browser"]
    return [*words, "--allow-root"] if os.geteuid() == 0 else words


def become(course: Course, command: list[str]) -> None:
    """Go on as that command, in the course's folder, where nbgrader finds its configuration."""
    programs = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", "")
    if programs not in path.split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join(filter(None, (programs, path)))
    os.chdir(course.root)
    os.execv(command[0], command)
