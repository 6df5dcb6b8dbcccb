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

from . import same, wire
from .calls import Row
from .cells import Notebook


def serve(channel: socket.socket, notebook: Notebook, settings: dict[str, Any]) -> None:
    """Answer until the other side closes: ``("cell", source)`` runs one, ``("row", kept)`` forks on a new descriptor.

    ``kept`` is how much of what a call prints is kept, 0 for nothing.
    """
    same.seed(settings["seed"])
    while True:
        try:
            message = wire.receive(channel)
        except wire.Closed:
            return
        match message:
            case ("cell", str(source)):
                status, outputs = notebook.run(source, settings["output_bytes"])
                try:
                    reply = wire.encode((status, outputs))
                except wire.WireError:
                    reply = wire.encode((status, []))
                wire.send(channel, reply)
            case ("row", int(kept)):
                # The kernel buries rows that have ended; each would count as a process until somebody did.
                signal.signal(signal.SIGCHLD, signal.SIG_IGN)
                _, fds, _, _ = socket.recv_fds(channel, 1, 1)
                as_it_was = same.keep_random_state()
                pid = os.fork()
                if pid == 0:
                    as_it_was()
                    channel.close()
                    _answer(socket.socket(fileno=fds[0]), notebook, kept)
                os.close(fds[0])
                wire.send(channel, wire.encode(pid))


def _answer(channel: socket.socket, notebook: Notebook, kept: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    notebook.silence(kept)
    try:
        Row(channel, notebook.names, partial(notebook.printed, kept) if kept else None).serve()
    except (wire.Closed, KeyboardInterrupt):
        pass
    finally:
        os._exit(0)
