"""Process 1 of a submission's own PID namespace: it starts, signals and buries the student's processes.

It runs none of the student's code, and when it ends the kernel ends everything else in the namespace.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from typing import Any

from . import confine, files, left, protocol, wire
from .cells import Notebook
from .removal import empty
from .student import serve

LOOK_SECONDS = 0.5
MAX_FILES = 4096
MAX_DEPTH = 64


def keep(control: socket.socket, settings: dict[str, Any], notebook: Notebook) -> None:
    """Answer commands, which are packets (``protocol.PACKET``), until the grader closes the socket. It never returns.

    Args:
        control: The socket that commands come on.
        settings: What the grader and the worker say about this submission: its limits, files and filter.
        notebook: The warm interpreter, for the student's process.
    """
    confine.unreadable()
    try:
        _obey(control, settings, notebook)
    finally:
        if settings["kind"] == "landlock":
            _clear("landlock")
        os._exit(0)


def _obey(control: socket.socket, settings: dict[str, Any], notebook: Notebook) -> None:
    """Say that the submission is isolated, then carry out commands until the grader closes the socket.

    Between commands it buries processes that have ended and, under Landlock, looks at what the working folder holds.
    """
    control.send(wire.encode(protocol.tree(protocol.Started())))
    ended: dict[int, int] = {}
    kept: dict[int, list[left.Entry]] = {}
    looked = 0.0
    while True:
        readable, _, _ = select.select([control], [], [], LOOK_SECONDS)
        _bury(ended)
        if settings["kind"] == "landlock" and time.monotonic() - looked > LOOK_SECONDS:
            if _is_too_full(2 * settings["file_mb"] * 2**20):
                _clear("landlock")
            looked = time.monotonic()
        if not readable:
            continue
        packet, fds, _, _ = socket.recv_fds(control, protocol.PACKET.size, 1)
        if len(packet) != protocol.PACKET.size:
            return
        what, pid, number = protocol.PACKET.unpack(packet)
        match what:
            case protocol.START:
                _clear(settings["kind"])
                kept.clear()
                files.link(settings["files"], settings.get("files_folder"))
                pid = os.fork()
                if pid == 0:
                    control.close()
                    _become_student(socket.socket(fileno=fds[0]), settings, notebook)
                os.close(fds[0])
                control.send(protocol.PACKET.pack(what, pid, 0))
            case protocol.SIGNAL:
                # The student's process told the grader this number, and may have lied: it may be this very process's.
                if 1 < pid != os.getpid():
                    with contextlib.suppress(OSError):
                        os.kill(pid, number)
            case protocol.KEEP:
                folders = _folders(settings["kind"])
                if folders and (number not in kept or left.differs(kept[number], folders)):
                    kept[number] = left.entries(folders)
                whole = number not in kept or left.is_whole(kept[number])
                control.send(protocol.PACKET.pack(what, 0, int(whole)))
            case protocol.RESTORE:
                differed, folders = False, _folders(settings["kind"])
                if folders and number in kept and (differed := left.differs(kept[number], folders)):
                    left.restore(kept[number], folders)
                control.send(protocol.PACKET.pack(what, 0, int(differed)))
            case protocol.ENDED:
                _bury(ended)
                control.send(protocol.PACKET.pack(what, pid, ended.pop(pid, -1)))


def _bury(ended: dict[int, int]) -> None:
    """Bury processes that have ended, and note their wait statuses by their pids; beyond a thousand, forget all."""
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


def _is_too_full(most: int) -> bool:
    """Whether the working folder, which no file system of its own bounds, holds too many bytes, files or folders."""
    left, files, folders = most, MAX_FILES, ["."]
    while folders:
        folder = folders.pop()
        if folder.count("/") > MAX_DEPTH:
            return True
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                files -= 1
                left -= entry.stat(follow_symlinks=False).st_blocks * 512
                if files < 0 or left < 0:
                    return True
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    return False


def _folders(kind: str) -> tuple[str, ...]:
    """The folders that a submission can write to, where these are its own."""
    if kind == "bubblewrap" and os.getpid() == 1:
        return ".", "/dev/shm"
    return (".",) if kind == "landlock" else ()


def _clear(kind: str) -> None:
    """End and remove what an earlier run of the notebook has left: each run starts from nothing."""
    if _folders(kind):
        confine.end_descendants()
        for folder in _folders(kind):
            empty(folder)


def _open_standard_files() -> None:
    """Open 0, 1 and 2 anew. Processes that inherit an open file share its flags, and earlier ones could set them."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)


def _become_student(channel: socket.socket, settings: dict[str, Any], notebook: Notebook) -> None:
    """Turn this fork into the student's process, for good, and serve on ``channel``. It never returns.

    It closes descriptors that it must not have, sets its limits, gives up its rights and loads its filter, in the order
    in which each of these is still allowed.
    """
    try:
        first = 3
        for left_open in sorted({channel.fileno(), *settings["opened"], 1024}):
            os.closerange(first, left_open)
            first = left_open + 1
        os.setsid()
        confine.die_with_parent()
        _open_standard_files()
        confine.limit(settings)
        if settings["kind"] == "landlock":
            confine.landlock(None)
        if settings["kind"] != "none":
            confine.drop_capabilities(1 << confine.CAP_DAC_READ_SEARCH if settings.get("reading") else 0)
            confine.load_filter(settings["filter"])
        # Not before: nothing but the student's own process looks for modules where the student can write.
        files.importable(settings["files"])
        serve(channel, notebook, settings)
    except BaseException:
        os._exit(70)
    os._exit(0)
