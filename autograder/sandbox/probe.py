"""What the sandbox is seen to block: each thing that a submission must not do is tried inside, for real."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass

from autograder.config import Limits
from autograder.sandbox import processes, seccomp
from autograder.sandbox.worker import Kind, Worker

LIMITS = Limits(cell_seconds=20, submission_seconds=60, memory_mb=256, processes=32, file_mb=8)

LEAVE_BEHIND = "leave a process behind"

# Each source raises, or leaves `reached` false, where the attempt is blocked; then its cell ends in an exception.
_ATTEMPTS: tuple[tuple[str, str], ...] = (
    ("read a file of the course", "reached = open({planted!r}).read()"),
    ("read the environment of another process", "reached = open('/proc/1/environ', 'rb').read()"),
    (
        "see the processes of the machine",
        "import os; reached = [name for name in os.listdir('/proc') if name.isdigit()]",
    ),
    ("open a network socket", "import socket; reached = socket.socket(socket.AF_INET)"),
    (
        "talk to the kernel by netlink",
        "import socket; reached = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    ),
    ("write outside its own /tmp", "reached = open('/runner/planted', 'w')"),
    ("change the Python that grades", "import os; reached = open(os.__file__, 'r+')"),
    ("become root", "import os; os.setuid(0); reached = True"),
    ("trace another process", "reached = call('ptrace', 16, 1, 0, 0) == 0"),
    ("read another process's memory", "reached = call('process_vm_readv', 1, 0, 0, 0, 0, 0) == 0"),
    ("enter a namespace of its own", "reached = call('unshare', 0x10000000) == 0"),
    ("mount a file system", "reached = call('mount', b'none', b'/tmp', b'tmpfs', 0, 0) == 0"),
    ("use io_uring", "reached = call('io_uring_setup', 1, 0) != -1 or errno() not in refusals"),
    ("use bpf", "reached = call('bpf', 0, 0, 0) != -1 or errno() not in refusals"),
    ("use the kernel's key ring", "reached = call('keyctl', 0, -3, 1) != -1 or errno() not in refusals"),
    ("use userfaultfd", "reached = call('userfaultfd', 0) != -1 or errno() not in refusals"),
    ("use perf", "reached = call('perf_event_open', 0, 0, -1, -1, 0) != -1 or errno() not in refusals"),
    ("take more memory than it may", "reached = bytearray(({memory_mb} + 64) * 2**20)"),
    (
        "write a larger file than it may",
        "f = open('/tmp/large', 'wb'); reached = f.write(bytes(({file_mb} + 1) * 2**20)) and f.flush() is None",
    ),
    (
        "start more processes than it may",
        "import os, time\nborn = []\ntry:\n    while len(born) < {processes} + 8:\n        pid = os.fork()\n"
        "        if pid == 0:\n            time.sleep(20); os._exit(0)\n        born.append(pid)\n    reached = True\n"
        "finally:\n    [os.kill(pid, 9) for pid in born]; [os.waitpid(pid, 0) for pid in born]",
    ),
    (LEAVE_BEHIND, "import os\nif os.fork() == 0:\n    os.setsid()\n    while True: pass\nreached = False"),
)

_PRELUDE = """
import ctypes
_libc = ctypes.CDLL(None, use_errno=True)
_numbers, refusals, errno = {numbers!r}, (1, 38), ctypes.get_errno
def call(name, *arguments):
    return _libc.syscall(_numbers[name], *arguments)
"""


@dataclass(frozen=True)
class Attempt:
    """One thing that was tried: what, and whether it was blocked."""

    what: str
    blocked: bool


def probe(kind: Kind = "bubblewrap") -> list[Attempt]:
    """Try in a fresh worker everything that a submission must not be able to do.

    Returns:
        The attempts, in a fixed order.

    Raises:
        SandboxError: The sandbox does not start.
    """
    prelude = _PRELUDE.format(numbers=seccomp.numbers())
    with tempfile.NamedTemporaryFile("w", prefix="planted-") as planted:
        planted.write("a hidden value")
        planted.flush()
        values = {"planted": planted.name, **vars(LIMITS)}
        sources = [f"reached = False\n{source.format(**values)}\nassert reached" for _, source in _ATTEMPTS]
        with Worker(kind, ("numpy",)) as worker:
            before = processes.below(worker.process.pid)
            with worker.session(LIMITS) as session:
                runs = session.run([prelude, *sources])[1:]
            left = _left_behind(worker.process.pid, before)
    reached = {what for (what, _), run in zip(_ATTEMPTS, runs, strict=True) if run.status == "ok"}
    if left:
        reached.add(LEAVE_BEHIND)
    return [Attempt(what, what not in reached) for what, _ in _ATTEMPTS]


def _left_behind(pid: int, before: set[int]) -> bool:
    """Whether processes below ``pid`` that were not there before are there still, some seconds on."""
    for _ in range(50):
        if processes.below(pid) <= before:
            return False
        time.sleep(0.1)
    return True
