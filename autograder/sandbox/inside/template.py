"""The warm worker inside the sandbox: everything imported once, then one fork for each submission.

No code of a student ever runs in this process. Its forks enter namespaces of their own (``keeper``) before one does.
"""

from __future__ import annotations

import os
import signal
import socket
from typing import Any

from . import confine, wire
from .cells import Notebook
from .keeper import keep

MAX_SETTINGS = 2**17


def main(control_fd: int, isolate: bool) -> None:
    """Warm up, say so, and fork a keeper for each message until the other side closes the control socket.

    Each message is a frame's payload, a dict of settings, and carries one file descriptor, the keeper's own control
    socket.
    """
    control = socket.socket(fileno=control_fd)
    if isolate:
        confine.become(1000, 1000)
    notebook = Notebook()
    notebook.warm()
    mapped, opened = confine.mapped_kb(), _open_files(control_fd)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.dup2(1, 2)
    control.send(wire.encode({"ready": True, "mapped_kb": mapped}))
    while True:
        message, fds, _, _ = socket.recv_fds(control, MAX_SETTINGS, 1)
        if not message:
            os._exit(0)
        settings = wire.decode(message)
        if os.fork() == 0:
            control.close()
            _enter(socket.socket(fileno=fds[0]), settings | {"mapped_kb": mapped, "opened": opened}, notebook)
        os.close(fds[0])


def _open_files(control_fd: int) -> list[int]:
    """Descriptors that the warm libraries hold: closed under them, they would close somebody else's later."""
    held = []
    for descriptor in range(3, 1024):
        try:
            os.fstat(descriptor)
        except OSError:
            continue
        if descriptor != control_fd:
            held.append(descriptor)
    return held


def _enter(control: socket.socket, settings: dict[str, Any], notebook: Notebook) -> None:
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        confine.die_with_parent()
        if settings["isolate"]:
            confine.new_namespaces()
            pid = os.fork()
            if pid:
                control.close()
                os.waitpid(pid, 0)
                os._exit(0)
            confine.die_with_parent()
            confine.private_mounts(settings["file_mb"])
        keep(control, settings, notebook)
    except BaseException as error:
        control.send(wire.encode({"failed": f"{type(error).__name__}: {error}"[:2000]}))
    finally:
        os._exit(1)
