"""A process that belongs to a student, as the trusted side knows it, and how it is forked."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

from autograder.sandbox import processes
from autograder.sandbox.inside import protocol, wire
from autograder.sandbox.inside.protocol import Fork, Forked, ForkRow


@dataclass(frozen=True)
class StudentProcess:
    """Its channel, its pid in the submission's own PID namespace, and outside where known."""

    channel: socket.socket
    pid: int
    outside: int | None


def forked(process: StudentProcess, message: Fork | ForkRow, seconds: float) -> StudentProcess | None:
    """A fork of a process of the student's; None where the process does not answer as it should.

    Args:
        process: The process to fork.
        message: What the fork is for. A row's is looked for outside only when that is needed, and not here.
        seconds: How long the process may take.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process.channel.settimeout(seconds)
            wire.send(process.channel, wire.encode(protocol.tree(message)))
            socket.send_fds(process.channel, [b"f"], [theirs.fileno()])
            reply = protocol.read(wire.receive(process.channel, time.monotonic() + seconds))
        except (OSError, wire.WireError):
            reply = None
    if not isinstance(reply, Forked) or type(reply.pid) is not int or not 1 < reply.pid < 2**31:
        ours.close()
        return None
    outside = processes.child(process.outside, reply.pid) if process.outside and isinstance(message, Fork) else None
    return StudentProcess(ours, reply.pid, outside)
