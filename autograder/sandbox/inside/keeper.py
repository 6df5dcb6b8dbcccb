"""Process 1 of a submission's own PID namespace: it starts, signals and buries the student's processes.

It runs none of the student's code, and when it ends the kernel ends everything else in the namespace.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
from typing import Any

from . import confine, wire
from .cells import Notebook
from .student import serve

COMMAND = struct.Struct("<cii")


def keep(control: socket.socket, settings: dict[str, Any], notebook: Notebook) -> None:
    """Answer commands until the other side closes the socket.

    Commands are one packet each, ``COMMAND``: ``S`` starts a student's process on the descriptor that comes along
    and answers with its pid; ``K`` sends a signal to a pid; ``W`` answers how a pid ended (its wait status, or -1).
    """
    confine.unreadable()
    control.send(wire.encode({"started": True}))
    ended: dict[int, int] = {}
    while True:
        readable, _, _ = select.select([control], [], [], 0.5)
        _bury(ended)
        if not readable:
            continue
        packet, fds, _, _ = socket.recv_fds(control, COMMAND.size, 1)
        if len(packet) != COMMAND.size:
            os._exit(0)
        what, pid, number = COMMAND.unpack(packet)
        match what:
            case b"S":
                pid = os.fork()
                if pid == 0:
                    control.close()
                    _become_student(socket.socket(fileno=fds[0]), settings, notebook)
                os.close(fds[0])
                control.send(COMMAND.pack(what, pid, 0))
            case b"K":
                if pid > 1:
                    with contextlib.suppress(OSError):
                        os.kill(pid, number)
            case b"W":
                control.send(COMMAND.pack(what, pid, ended.pop(pid, -1)))


def _bury(ended: dict[int, int]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        ended[pid] = status
        if len(ended) > 1000:
            ended.clear()


def _become_student(channel: socket.socket, settings: dict[str, Any], notebook: Notebook) -> None:
    try:
        kept = {channel.fileno(), *settings["opened"]}
        for descriptor in range(3, 1024):
            if descriptor not in kept:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        os.setsid()
        confine.die_with_parent()
        confine.limit(settings)
        if settings["isolate"]:
            confine.drop_capabilities()
            confine.load_filter(settings["filter"])
        serve(channel, notebook, settings)
    except BaseException:
        os._exit(70)
    os._exit(0)
