"""The student's process: runs the cells, forks itself for each row, and answers calls of the student's functions.

From the first cell on this process belongs to the student. Nothing here is a secret and nothing here is trusted: the
other side takes every reply for what a hostile process may have written.
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


def serve(channel: socket.socket, notebook: Notebook, settings: dict[str, Any]) -> None:
    """Answer until the other side closes: ``RunCell`` runs a cell, ``ForkRow`` forks for a row."""
    repeatable.seed(settings["seed"])
    while True:
        try:
            message = protocol.read(wire.receive(channel))
        except wire.Closed:
            return
        match message:
            case protocol.RunCell(source):
                status, outputs = notebook.run(source, settings["output_bytes"])
                try:
                    reply = wire.encode(protocol.tree(protocol.CellRan(status, outputs)))
                except wire.WireError:
                    reply = wire.encode(protocol.tree(protocol.CellRan(status, [])))
                wire.send(channel, reply)
            case protocol.ForkRow(printed_limit):
                # The kernel buries rows that have ended; each would count as a process until somebody did.
                signal.signal(signal.SIGCHLD, signal.SIG_IGN)
                _, fds, _, _ = socket.recv_fds(channel, 1, 1)
                as_it_was = repeatable.keep_random_state()
                pid = os.fork()
                if pid == 0:
                    as_it_was()
                    channel.close()
                    _answer(socket.socket(fileno=fds[0]), notebook, printed_limit)
                os.close(fds[0])
                wire.send(channel, wire.encode(protocol.tree(protocol.Forked(pid))))


def _answer(channel: socket.socket, notebook: Notebook, printed_limit: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    notebook.silence(printed_limit)
    try:
        RowFork(channel, notebook.names, partial(notebook.printed, printed_limit) if printed_limit else None).serve()
    except (wire.Closed, KeyboardInterrupt):
        pass
    finally:
        os._exit(0)
