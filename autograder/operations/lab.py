"""JupyterLab on a course, ready configured: nbgrader's formgrader and lists, our grader, an exchange beside them."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from autograder.base import AutograderError, ConfigError, GradebookError, write_atomically
from autograder.course import Course, load_course
from autograder.gradebook import open_gradebook, register
from autograder.operations.nbgrader_configuration import CONFIGURED, NBGRADER_CONFIG, runs_by_itself

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Prepared:
    """What was written for JupyterLab, and what is to be mended there; sentences for the instructor."""

    said: tuple[str, ...]
    warnings: tuple[str, ...]


def prepare_lab(root: Path) -> Prepared:
    """See to it that JupyterLab finds a course ready: nbgrader's configuration, the exchange, the gradebook.

    Raises:
        AutograderError: JupyterLab is not installed, nbgrader_config.py leaves our grader out, the gradebook cannot be
            written, or a file could not be made.
    """
    said, warnings = [], []
    try:
        said += configured(root)
        try:
            said += prepare(load_course(root))
        except ConfigError as error:
            # A mistake in a master notebook is mended in JupyterLab.
            warnings.append(str(error))
    except OSError as error:
        raise AutograderError(f"{error.filename} could not be written: {error.strerror}") from error
    return Prepared(tuple(said), tuple(warnings))


def configured(root: Path) -> list[str]:
    """See to it that nbgrader is sent through our grader in a course's folder, and say what was written for that.

    Raises:
        AutograderError: JupyterLab is not installed, or nbgrader_config.py fails or leaves our grader out.
        OSError: It could not be written.
    """
    if find_spec("jupyterlab") is None:
        raise AutograderError("JupyterLab is not installed beside autograder: pip install jupyterlab")
    config = root / NBGRADER_CONFIG
    if not config.exists():
        write_atomically(config, CONFIGURED)
        return [f"{config} was missing and has been written: it sends nbgrader's autograding through our sandbox."]
    if why := runs_by_itself(root):
        raise AutograderError(why)
    return []


def prepare(course: Course) -> list[str]:
    """Make the exchange and enter the assignments into the gradebook, and say what was made or could not be entered.

    Raises:
        AutograderError: The gradebook cannot be written.
        OSError: The exchange could not be made.
    """
    said = []
    exchange = course.exchange
    if exchange is not None and not exchange.exists():
        _make(exchange, course.root)
        said.append(f"{exchange} has been made: nbgrader's exchange, where students hand in.")
    with open_gradebook(course) as gradebook:
        for assignment in course.assignments.values():
            # The formgrader takes due dates and points from the gradebook.
            if assignment.release.is_file():
                try:
                    register(gradebook, course, assignment)
                except GradebookError as error:
                    # Such as a master that was changed since: JupyterLab is where that is mended.
                    said.append(str(error))
    return said


def _make(exchange: Path, root: Path) -> None:
    """Make an exchange as nbgrader wants it: writable by everybody who can get there.

    Nobody else has a reason to get to one below the course, whose folder holds the answers; and who can write there may
    put others' work, or links, in the place of what is collected. So the folder above it is the owner's alone.
    """
    if root.resolve() in exchange.resolve().parents[1:] and not exchange.parent.exists():
        exchange.parent.mkdir(mode=0o700, parents=True)
    exchange.mkdir(parents=True, exist_ok=True)
    exchange.chmod(0o777)


def check_port(port: int) -> None:
    """See to it that a port that was asked for can be used.

    Raises:
        AutograderError: It is in use.
    """
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError as error:
            raise AutograderError(
                f"port {port} cannot be used: {error.strerror}. Another JupyterLab may run on it; take another with "
                "--port, or leave it out"
            ) from error


def lab_command(root: Path, port: int | None, *, browser: bool) -> list[str]:
    """The command that starts JupyterLab on the loopback interface alone, with a token that it makes and prints.

    Without a port it takes one that is free as it starts, so that two that start at once are not in each other's way.
    """
    words = [sys.executable, "-m", "jupyterlab", f"--ServerApp.ip={HOST}", f"--ServerApp.port={port or 0}"]
    words += ["--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}"]
    words += ["--ServerApp.answer_yes=True"]  # Ctrl-C ends it without a question
    words += [] if browser else ["--no-browser"]
    return [*words, "--allow-root"] if os.geteuid() == 0 else words


def become(root: Path, command: list[str]) -> None:
    """Go on as that command, in the course's folder, where nbgrader finds its configuration."""
    programs = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", "")
    if programs not in path.split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join(filter(None, (programs, path)))
    os.chdir(root)
    os.execv(command[0], command)
