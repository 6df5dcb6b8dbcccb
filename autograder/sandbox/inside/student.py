"""The student's process: runs the cells, forks itself for each row, and answers calls of the student's functions.

From the first cell on this process belongs to the student. Nothing here is a secret and nothing here is trusted: the
grader reads every reply as if a hostile process had written it.
"""

from __future__ import annotations

import os
import signal
import socket
from functools import partial
from typing import Any

from . import protocol, repeatable, wire
from .calls import RowFork
from .cells import Notebook

STREAM_LIMIT = 64 * 1024
"""How many characters are kept of what one operation of a test cell prints."""

_NOTHING = object()


def serve(channel: socket.socket, notebook: Notebook, settings: dict[str, Any]) -> None:
    """Run a cell for each ``RunCell`` and fork for ``Fork`` and ``ForkRow``, until the grader closes the channel."""
    repeatable.seed(settings["seed"])
    forks: list[int] = []
    while True:
        try:
            message = protocol.read(wire.receive(channel))
        except wire.Closed:
            return
        match message:
            case protocol.RunCell(source, watched):
                before = {name: notebook.names.get(name, _NOTHING) for name in watched}
                status, outputs = notebook.run(source, settings["output_bytes"])
                after = {name: notebook.names.get(name, _NOTHING) for name in watched}
                changed = [name for name in watched if after[name] is not before[name]]
                gone = [name for name in changed if after[name] is _NOTHING]
                bound = [name for name in changed if name not in gone]
                try:
                    reply = wire.encode(protocol.tree(protocol.CellRan(status, outputs, bound, gone)))
                except wire.WireError:
                    reply = wire.encode(protocol.tree(protocol.CellRan(status, [], bound, gone)))
                # No object of the student's is kept for longer than they keep it.
                before = after = {}
                wire.send(channel, reply)
            case protocol.Fork():
                forks = [pid for pid in forks if _runs(pid)]
                _, fds, _, _ = socket.recv_fds(channel, 1, 1)
                restore_random_state = repeatable.keep_random_state()
                pid = os.fork()
                if pid == 0:
                    # Signals to the group of the process that it was forked from are not meant for this one.
                    os.setpgid(0, 0)
                    restore_random_state()
                    channel.close()
                    channel, forks = socket.socket(fileno=fds[0]), []
                    continue
                os.close(fds[0])
                forks.append(pid)
                wire.send(channel, wire.encode(protocol.tree(protocol.Forked(pid))))
            case protocol.ForkRow(printed_limit):
                # The kernel then buries forks that have ended; until it does, each counts as one of the processes.
                signal.signal(signal.SIGCHLD, signal.SIG_IGN)
                forks = [pid for pid in forks if _runs(pid)]
                _, fds, _, _ = socket.recv_fds(channel, 1, 1)
                restore_random_state = repeatable.keep_random_state()
                pid = os.fork()
                if pid == 0:
                    restore_random_state()
                    channel.close()
                    _answer(socket.socket(fileno=fds[0]), notebook, printed_limit)
                os.close(fds[0])
                wire.send(channel, wire.encode(protocol.tree(protocol.Forked(pid))))


def _runs(pid: int) -> bool:
    """Whether a fork of this process runs; one that has ended is buried, since until then it counts as one more."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return False


def _answer(channel: socket.socket, notebook: Notebook, printed_limit: int) -> None:
    """Answer messages about the student's functions, for one row, until the grader closes. It never returns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    notebook.silence(printed_limit or STREAM_LIMIT)
    try:
        printed = partial(notebook.printed, printed_limit) if printed_limit else None
        RowFork(channel, notebook.names, printed, partial(notebook.streams, STREAM_LIMIT)).serve()
    except (wire.Closed, KeyboardInterrupt):
        pass
    finally:
        os._exit(0)
