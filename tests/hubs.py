"""A machine of the test's own with a JupyterHub on it: accounts, /etc, homes, processes and a network that end with it.

It is a process in namespaces of its own. What it makes lies in memory or over this machine's /etc, so accounts of the
test's are never this machine's, and all of it is gone when the process ends, however it ends.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import commands
from tests.browsers import REPOSITORY

PROXY = os.environ.get("CONFIGURABLE_HTTP_PROXY") or shutil.which("configurable-http-proxy")
PROGRAMS = Path(sys.executable).parent
FRESH = ("/home", "/srv", "/tmp", "/root")
"""Folders that are empty there, but for what has to be reached below them."""

SETUP = """\
set -eu
fresh=$1 stage=$2; shift 2
mount -t tmpfs -o mode=755 tmpfs "$stage"
mkdir "$stage/upper" "$stage/work" "$stage/kept"
mount -t overlay -o "lowerdir=/etc,upperdir=$stage/upper,workdir=$stage/work" overlay /etc
number=0
for path; do
    number=$((number + 1)); mkdir "$stage/kept/$number"; mount --bind "$path" "$stage/kept/$number"
done
cd "$stage"
for folder in $fresh; do mode=755; [ "$folder" = /tmp ] && mode=1777; mount -t tmpfs -o mode=$mode tmpfs "$folder"; done
number=0
for path; do
    number=$((number + 1)); mkdir -p "$path"; mount --bind "kept/$number" "$path"
done
ip link set lo up
rm -f /etc/jupyter/* 2>/dev/null || true
echo ready
exec sleep infinity
"""


def home_of(user: str) -> str:
    """Where somebody's files are."""
    return "/root" if user == "root" else f"/home/{user}"


@dataclass
class Machine:
    """The machine: the number of its first process, as this one sees it, and what runs there."""

    first: int
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def root(self) -> Path:
        """Its files, as seen from here."""
        return Path(f"/proc/{self.first}/root")

    def environment(self, user: str) -> dict[str, str]:
        """What a command finds that somebody types there."""
        there = {
            "PATH": f"{PROGRAMS}:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": home_of(user),
            "LANG": "C.UTF-8",
            "COLUMNS": "1000",
        }
        return there | {"PYTHONWARNINGS": "ignore", "NO_COLOR": "1", "USER": user}

    def inside(self, user: str, cwd: str = "", **environment: str) -> list[str]:
        """What stands before a command that somebody types there, in a folder or their home."""
        there = [f"{name}={value}" for name, value in (self.environment(user) | environment).items()]
        words = ["nsenter", f"--target={self.first}", "--mount", "--net", "--pid", "--root"]
        words += [] if user == "root" else ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        return [*words, "env", "-i", f"--chdir={cwd or home_of(user)}", *there]

    def tries(self, user: str, *words: str, cwd: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """What comes of a command that somebody types."""
        code = {"autograder": commands.AUTOGRADER, "nbgrader": commands.NBGRADER}.get(words[0])
        if code is not None:
            there = {"cwd": Path(cwd or home_of(user)), "environment": self.environment(user) | environment}
            return commands.run(code, *words, **there, machine=self.first, user=user)
        return subprocess.run(
            [*self.inside(user, cwd, **environment), *words], capture_output=True, text=True, check=False, timeout=300
        )

    def does(self, user: str, *words: str, cwd: str = "", **environment: str) -> str:
        """What a command prints that has to end well."""
        done = self.tries(user, *words, cwd=cwd, **environment)
        assert done.returncode == 0, f"{user}: {' '.join(words)}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def starts(self, user: str, log: str, *words: str, cwd: str = "") -> Path:
        """Start what stays: where its output is, as seen from here."""
        path = self.root / log.lstrip("/")
        with path.open("w") as output:
            self.running.append(
                subprocess.Popen([*self.inside(user, cwd), *words], stdout=output, stderr=output, text=True)
            )
        return path


@contextmanager
def machine(base: Path) -> Iterator[Machine]:
    """A machine; where it cannot be made the test is skipped, and fails in CI."""
    stage = base / "stage"
    stage.mkdir()
    wanted = {Path(sys.base_prefix).resolve(), Path(sys.prefix), REPOSITORY}
    wanted |= {Path(PROXY).absolute().parents[1]} if PROXY else set()  # bin/ and lib/node_modules/
    reached = [str(each) for each in sorted(wanted) if any(each.is_relative_to(folder) for folder in FRESH)]
    words = ["unshare", "--mount", "--propagation=private", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
    command = [*words, "sh", "-c", SETUP, "sh", " ".join(FRESH), str(stage), *reached]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    made: Machine | None = None
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            process.wait(30)
            missing(f"NEEDS ROOT AND NAMESPACES: {process.stderr.read() if process.stderr else ''}")
        first = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
        made = Machine(first)
        yield made
    finally:
        process.kill()  # with --kill-child, its child, the first process there, and so all
        process.communicate()
        for each in made.running if made else ():
            each.wait(30)


def missing(what: str) -> None:
    """Skip a test, or fail it in CI, for what is not on this machine."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(what)


def require_a_hub() -> None:
    """Skip what needs a hub where something of it is missing, and fail it in CI."""
    if os.geteuid() != 0:
        missing("NEEDS ROOT: a hub starts servers of several accounts")
    if PROXY is None:
        missing(
            "NEEDS configurable-http-proxy: npm install -g configurable-http-proxy, or name it: "
            "CONFIGURABLE_HTTP_PROXY=/path/to/it"
        )
    for program in ("unshare", "nsenter", "setpriv", "useradd", "chpasswd", "ip"):
        if shutil.which(program) is None:
            missing(f"NEEDS {program}: apt-get install util-linux passwd iproute2")


def until(condition: Callable[[], bool], what: str, seconds: float = 180) -> None:
    """Wait for something that comes true by itself."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.2)
    raise AssertionError(f"it did not come true in {seconds:g} s: {what}")
