"""Commands as people type them, each in a process of its own, which starts at once.

A command that opens a gradebook imports nbgrader, which takes seconds. One process has imported it and what else is
slow and not ours, and each command is a fork of it: it imports `autograder` itself, in the folder and the environment
that it is given, and ends as a program ends. Where it starts Pythons to grade in, these are forks of it for the same
reason; those of a program that is started by its path are fresh ones.
"""

import atexit
import ctypes
import gc
import json
import os
import pwd
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from functools import cache
from importlib import import_module
from multiprocessing import util
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]

AUTOGRADER = "from autograder.cli import main\nmain()\n"
NBGRADER = "import warnings\nwarnings.simplefilter('ignore')\nfrom nbgrader.apps.nbgraderapp import main\nmain()\n"
PYTEST = "import pytest\nraise SystemExit(pytest.main())\n"

SLOW = (
    "IPython",
    "matplotlib.pyplot",
    "nbgrader.api",
    "nbgrader.apps.nbgraderapp",
    "numpy",
    "pydantic",
    "pytest",
    "rich.console",
    "scipy",
    "typer",
)
"""What commands import and is not ours."""

_spawnv_passfds = util.spawnv_passfds


def autograder(root: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Type ``autograder …`` in a folder, on a wide terminal and with nothing on PATH but the system's programs."""
    there = {"COLUMNS": "1000", "PATH": "/usr/bin:/bin", "NO_COLOR": "1"} | environment
    return run(AUTOGRADER, "autograder", *words, cwd=root, environment=there)


def run(
    code: str, program: str, *words: str, cwd: Path, environment: dict[str, str], machine: int = 0, user: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program that is written in Python, in a folder, with these words behind its name and this environment.

    Args:
        code: The program.
        program: Its name.
        words: What is typed behind it.
        cwd: The folder.
        environment: All of its environment.
        machine: The first process of the machine that it runs on, where that is another (tests/hubs.py).
        user: Who runs it there.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        arguments = [program, *map(str, words)]
        asked = {"code": code, "argv": arguments, "cwd": str(cwd), "env": environment, "out": str(out), "err": str(err)}
        asked |= {"machine": machine, "user": user}
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        return subprocess.CompletedProcess(arguments, status, out.read_text("utf-8"), err.read_text("utf-8"))


@cache
def _server() -> subprocess.Popen[str]:
    """The process that is forked: one for each process of the tests, and ended with it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.commands"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert process.stdin is not None
    atexit.register(process.stdin.close)
    return process


def _serve() -> dict[str, Any] | None:
    """Answer with each command's exit status; in a fork, return the command to run, and None in the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in SLOW:
            import_module(name)
    gc.freeze()  # so that no fork looks through, and so copies, all that was imported
    for line in iter(sys.stdin.readline, ""):
        child = os.fork()
        if child == 0:
            return dict(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    return None


def _become(asked: dict[str, Any]) -> None:
    """Have what a program finds when it starts: its folder, environment, arguments and standard files."""
    flags = os.O_WRONLY | os.O_CREAT
    for number, path, how in ((0, os.devnull, os.O_RDONLY), (1, asked["out"], flags), (2, asked["err"], flags)):
        opened = os.open(path, how, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    if asked["machine"]:
        _enter(asked["machine"])
    if asked["user"]:
        account = pwd.getpwnam(asked["user"])
        os.initgroups(account.pw_name, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv = asked["argv"]
    tempfile.tempdir = None
    # A program that was started by its path, as those are that pip installs.
    main: Any = sys.modules["__main__"]
    main.__package__ = main.__spec__ = None
    util.spawnv_passfds = _started


def _enter(first: int) -> None:
    """Go on as a process of another machine, as nsenter does: a fork of this one, whose end is this one's."""
    libc = ctypes.CDLL(None, use_errno=True)
    for each in [os.open(f"/proc/{first}/ns/{kind}", os.O_RDONLY) for kind in ("net", "pid", "mnt")]:
        if libc.setns(each, 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        os.close(each)
    if child := os.fork():
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)


def _started(path: bytes, words: list[str], kept: tuple[int, ...]) -> int:
    """In place of a fresh Python that multiprocessing asks for: a fork that has nothing open but what that would."""
    code = words[words.index("-c") + 1]
    if "spawn_main" not in code and "forkserver" not in code:
        return _spawnv_passfds(path, words, kept)
    pid = os.fork()
    if pid == 0:
        atexit._clear()
        number = 3
        for each in sorted({*kept, os.sysconf("SC_OPEN_MAX")}):
            os.closerange(number, each)
            number = each + 1
        sys.argv = ["-c", *words[words.index("-c") + 2 :]]
        _exit(_status({"code": code, "argv": sys.argv}))
    return pid


def _status(asked: dict[str, Any]) -> int:
    """Run the program; its exit status."""
    try:
        exec(compile(asked["code"], asked["argv"][0], "exec"), {"__name__": "__main__"})
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _exit(status: int) -> None:
    """End as Python does, but for taking apart all that was imported, which takes as long as many a command."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


if __name__ == "__main__":
    asked = _serve()
    if asked is not None:
        _become(asked)
        _exit(_status(asked))
