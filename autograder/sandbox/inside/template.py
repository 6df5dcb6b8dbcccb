"""The warm worker inside the sandbox: everything imported once, then one fork for each submission.

No code of a student ever runs in this process. Its forks enter namespaces of their own (``keeper``) before one does.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import os
import signal
import socket
import sys
import time
from typing import Any

from . import confine, files, protocol, repeatable, wire
from .cells import Notebook
from .keeper import keep

MAX_SETTINGS = 2**17


def main(control_fd: int, kind: str) -> None:
    """Warm up, say so, and fork a keeper for each message until the other side closes the control socket.

    Each message is a frame's payload, a dict of settings, and carries two file descriptors: the keeper's own control
    socket, and the bytes of the files that the submission may read.

    Args:
        control_fd: The descriptor of the control socket.
        kind: ``bubblewrap``, ``landlock`` or ``none``: what this process is in, and what its forks will be in. With
            ``landlock`` a literal on the command line holds the user to become, the folder to work in and the rules.
    """
    control = socket.socket(fileno=control_fd)
    _go_first_where_memory_runs_out()
    of_worker: dict[str, Any] = {"kind": kind}
    if kind == "bubblewrap":
        confine.become(1000, 1000)
    elif kind == "landlock":
        of_worker |= ast.literal_eval(sys.argv[1])
        # Where a keeper ends before its submission does, the submission's processes are this one's, and can be found.
        confine.adopt_orphans()
        confine.become(of_worker["uid"], of_worker["uid"], reading=of_worker["reading"])
    notebook = Notebook()
    notebook.warm()
    repeatable.fill_empty_arrays()
    of_worker |= {"mapped_kb": confine.mapped_kb(), "opened": _open_files(control_fd)}
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.dup2(1, 2)
    # A collection in a fork would write to every object's header, and so copy all memory that the forks share.
    gc.freeze()
    gc.enable()
    control.send(wire.encode(protocol.tree(protocol.Ready())))
    while True:
        message, fds, _, _ = socket.recv_fds(control, MAX_SETTINGS, 2)
        if not message:
            os._exit(0)
        settings = wire.decode(message)
        user = os.getuid(), os.getgid()
        if (confine.fork_into_namespaces() if kind == "bubblewrap" else os.fork()) == 0:
            control.close()
            _enter(socket.socket(fileno=fds[0]), fds[1], settings | of_worker, user, notebook)
        for each in fds:
            os.close(each)


def _go_first_where_memory_runs_out() -> None:
    """Have the kernel end submissions rather than the grader, where a container's memory is used up by both."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 - pathlib is not loaded here
        file.write("1000")


def _open_files(control_fd: int) -> list[int]:
    """The descriptors that warm libraries have opened, which have to stay open in the student's process.

    A library that does not know that its descriptor was closed may later close the file that got the same number.
    """
    opened = []
    for descriptor in range(3, 1024):
        try:
            os.fstat(descriptor)
        except OSError:
            continue
        if descriptor != control_fd:
            opened.append(descriptor)
    return opened


def _enter(
    control: socket.socket, bundle: int, settings: dict[str, Any], user: tuple[int, int], notebook: Notebook
) -> None:
    """Isolate this fork from the machine as far as its kind of sandbox goes, and be the keeper. It never returns.

    Where that fails, it says why on ``control``.

    Args:
        control: The keeper's own control socket.
        bundle: A descriptor of the bytes of the files that the submission may read.
        settings: What the grader and the worker say about this submission.
        user: The user and the group that this process has outside its user namespace.
        notebook: The warm interpreter.
    """
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        match settings["kind"]:
            case "bubblewrap":
                confine.die_with_parent()
                confine.name_the_user(*user)
                staged = files.stage(bundle, settings["files"])
                confine.private_mounts(settings["file_mb"])
                files.show(staged, settings["files"])
            case "landlock":
                # The keeper has to outlive a worker that is killed, to end what the submission has started.
                os.setsid()
                confine.adopt_orphans()
                folder = f"{settings['scratch']}/{os.getpid()}-{time.monotonic_ns()}"
                settings["files_folder"] = f"{folder}-files"
                os.mkdir(settings["files_folder"], 0o755)  # noqa: PTH102 - pathlib is not loaded here
                files.write(bundle, settings["files"], settings["files_folder"])
                _work_in(folder)
                confine.landlock([*settings["rules"], ("write", folder), ("read", settings["files_folder"])])
            case _:
                confine.die_with_parent()
                if settings["folder"]:
                    files.write(bundle, settings["files"], settings["folder"])
                    os.chdir(settings["folder"])
        os.close(bundle)
        keep(control, settings, notebook)
    except BaseException as error:
        why = f"{type(error).__name__}: {error}"[:2000]
        control.send(wire.encode(protocol.tree(protocol.NotIsolated(why))))
    finally:
        os._exit(1)


def _work_in(folder: str) -> None:
    """Make a folder, and make it the one that everything temporary goes to."""
    os.mkdir(folder, 0o700)  # noqa: PTH102 - pathlib is not loaded here
    os.chdir(folder)
    places = {
        "HOME": folder,
        "TMPDIR": folder,
        "IPYTHONDIR": f"{folder}/ipython",
        "MPLCONFIGDIR": f"{folder}/matplotlib",
    }
    os.environ.update(places)
