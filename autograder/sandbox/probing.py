"""Tries in the sandbox what a submission must not be able to do, and sees whether it is blocked."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autograder.base import SandboxError, machine_says
from autograder.course import Limits
from autograder.sandbox import jail, processes, seccomp
from autograder.sandbox.kind import Kind
from autograder.sandbox.worker import Worker

LIMITS = Limits(cell_seconds=20, submission_seconds=60, memory_mb=256, processes=12, file_mb=8, output_kb=16)
SHORT = replace(LIMITS, cell_seconds=0.05)

# Each source raises, or leaves `reached` false, where it is blocked; then its cell ends in an exception.
_ESCAPES: tuple[tuple[str, str], ...] = (
    ("read a file of the course", "reached = open({planted!r}).read()"),
    ("read a file of the machine", "reached = open('/etc/passwd').read()"),
    ("read the environment of another process", "reached = open('/proc/1/environ', 'rb').read()"),
    (
        "see the processes of the machine",
        "import os; reached = [name for name in os.listdir('/proc') if name.isdigit()]",
    ),
    ("open a network socket", "import socket; reached = socket.socket(socket.AF_INET)"),
    ("reach the machine that this one runs on", "import socket; reached = socket.socket(40, socket.SOCK_STREAM)"),
    (
        "talk to the kernel by netlink",
        "import socket; reached = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    ),
    (
        "talk to a service of the machine",
        "import socket\nfor place in ({socket!r}, '\\0' + {socket!r}):\n    try:\n"
        "        socket.socket(socket.AF_UNIX).connect(place); reached = True\n    except OSError: pass",
    ),
    (
        "send a datagram to a service of the machine",
        "import socket\nfor kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):\n    try:\n"
        "        socket.socketpair(socket.AF_UNIX, kind)[0].sendto(b'x', {datagrams!r}); reached = True\n"
        "    except OSError: pass",
    ),
    ("start a program", "import os; reached = os.spawnv(os.P_WAIT, sys.executable, [sys.executable, '-V']) == 0"),
    (
        "write outside its own folders",
        "import os\nfor place in ('/runner', '/site', '/var/tmp', '/', {folder!r}):\n"
        "    try: open(place + '/left', 'w'); os.unlink(place + '/left'); reached = True\n    except OSError: pass",
    ),
    ("change the Python that grades", "import os; reached = open(os.__file__, 'r+')"),
    ("change who may read a file of the machine", "import os; os.chmod({planted!r}, 0o777); reached = True"),
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
        "f = open('large', 'wb'); reached = f.write(bytes(({file_mb} + 1) * 2**20)) and f.flush() is None",
    ),
    (
        "write more files than it has room for",
        "for number in range(4):\n    with open(f'part-{{number}}', 'wb') as f: f.write(bytes({file_mb} * 2**19))\n"
        "reached = True",
    ),
    (
        "start more processes than it may",
        "import os, time\nborn = []\ntry:\n    while len(born) < {processes} + 8:\n        pid = os.fork()\n"
        "        if pid == 0:\n            time.sleep(20); os._exit(0)\n        born.append(pid)\n    reached = True\n"
        "finally:\n    [os.kill(pid, 9) for pid in born]; [os.waitpid(pid, 0) for pid in born]",
    ),
)
# Whether these are blocked shows outside, after the cell has run; the cell itself may fail or not.
_END = ("end a process of the machine", "import os\nif {victim} > 9: os.kill({victim}, 9)")
_STAY = (
    "leave a process behind",
    "import os\nif os.fork() == 0:\n    call('prctl', 15, {name!r}.encode(), 0, 0, 0)\n    os.setsid()\n"
    "    while True: pass",
)
_HANG = ("run for longer than it may", "while True: pass")
_PRINT = ("print more than it may", "print('x' * {output_kb} * 4096)")

NOT_TRIED: dict[Kind, frozenset[str]] = {
    "bubblewrap": frozenset({"start a program"}),
    "landlock": frozenset({"write more files than it has room for"}),
    "none": frozenset(),
}
"""What is not tried, since a kind of sandbox does not promise it (``jail.NOT_PROMISED`` says so to people)."""

_PRELUDE = """
import ctypes, sys
get_ipython().showtraceback = lambda *_, **__: None
_libc = ctypes.CDLL(None, use_errno=True)
_numbers, refusals, errno = {numbers!r}, (1, 38), ctypes.get_errno
def call(name, *arguments):
    return _libc.prctl(*arguments) if name == 'prctl' else _libc.syscall(_numbers[name], *arguments)
"""


@dataclass(frozen=True)
class Escape:
    """Something that a submission must not be able to do, as it was tried: what, and whether it was blocked."""

    what: str
    blocked: bool


def probe(worker: Worker) -> list[Escape]:
    """Try, in the place of a submission, everything that a submission must not be able to do.

    Returns:
        What was tried, in a fixed order. What could not be tried counts as not blocked.

    Raises:
        SandboxError: No submission can be started, or there is no place for what the escapes try to reach.
    """
    try:
        return _probe(worker)
    except OSError as error:
        raise SandboxError(f"the sandbox ({worker.kind}) could not be tried: {machine_says(error)}.") from error


def _probe(worker: Worker) -> list[Escape]:
    """As ``probe``; raises ``OSError`` besides, where this machine has no room for what is planted."""
    tried = [escape for escape in _ESCAPES if escape[0] not in NOT_TRIED[worker.kind]]
    with _planted(worker.kind) as values:
        sources = [f"reached = False\n{source.format(**values)}\nassert reached" for _, source in tried]
        others = [source.format(**values) for _, source in (_END, _STAY, _PRINT)]
        with ThreadPoolExecutor(1) as aside, worker.session(SHORT) as waiting, worker.session(LIMITS) as session:
            hung = aside.submit(waiting.run, [_HANG[1]])
            prelude, *runs = session.run([_PRELUDE.format(numbers=seccomp.numbers()), *sources, *others])
            (hanging,) = hung.result()
        made = [run.status in ("ok", "raised") for run in runs[-len(others) :]]
        printed = sum(len(output.get("text", "")) for output in runs[-1].outputs)
        escapes = [
            Escape(what, prelude.status == "ok" and run.status == "raised")
            for (what, _), run in zip(tried, runs, strict=False)
        ]
        return [
            *escapes,
            Escape(_END[0], made[0] and values["alive"]()),
            Escape(_STAY[0], made[1] and not _is_left(values["name"])),
            Escape(_HANG[0], hanging.status == "timeout"),
            Escape(_PRINT[0], 0 < printed < 2 * LIMITS.output_kb * 1024),
        ]


def require(worker: Worker) -> None:
    """Probe the sandbox of a worker. Where somebody chose to grade without one, there is nothing to probe.

    Raises:
        SandboxError: Something was not blocked; the message names what a submission could do, and the way out.
    """
    if worker.kind == "none":
        return
    reached = [escape.what for escape in probe(worker) if not escape.blocked]
    if reached:
        raise SandboxError(
            f"the sandbox ({worker.kind}) does not hold on this machine: a submission could {'; '.join(reached)}. "
            "Nothing is graded. Mend this machine (docs/operators.md says what a sandbox needs) or grade on another."
        )


def probed(worker: Worker) -> Worker:
    """The worker, once its sandbox has been probed; where something was not blocked, the worker is closed.

    Raises:
        SandboxError: As ``require``.
    """
    try:
        require(worker)
    except BaseException:
        worker.close()
        raise
    return worker


@contextlib.contextmanager
def _planted(kind: Kind) -> Iterator[dict[str, Any]]:
    """Put a file, services and a process outside the sandbox, which the escapes try to reach.

    All of them are open to everybody, and where root grades, the process belongs to the user that submissions run as:
    the sandbox has to protect them, not their permissions.

    Yields:
        Where they are, as values for the escapes' sources.
    """
    user = jail.student_uid() if os.geteuid() == 0 and kind != "none" else None
    with (
        tempfile.TemporaryDirectory(prefix="planted-", dir=_folder_for_sockets()) as folder,
        socket.socket(socket.AF_UNIX) as by_path,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams,
        subprocess.Popen(["sleep", "120"], user=user) as victim,
    ):
        try:
            Path(folder).chmod(0o777)
            planted, place = Path(folder, "reference.py"), f"{folder}/service"
            planted.write_text("a hidden value")
            planted.chmod(0o666)
            datagrams.bind(f"{folder}/datagrams")
            Path(f"{folder}/datagrams").chmod(0o777)
            for server, name in ((by_path, place), (abstract, f"\0{place}")):
                server.bind(name)
                server.listen()
            Path(place).chmod(0o777)
            yield {
                "planted": str(planted),
                "folder": folder,
                "socket": place,
                "datagrams": f"{folder}/datagrams",
                "victim": victim.pid,
                "alive": lambda: victim.poll() is None,
                "name": folder.rpartition("-")[2][:15],
                **vars(LIMITS),
            }
        finally:
            victim.kill()


def _folder_for_sockets() -> Path:
    """A folder for temporary files in which sockets can have names: of these the kernel takes 107 bytes, no more.

    Raises:
        SandboxError: TMPDIR is too long, and no other such folder can be written.
    """
    first = Path(tempfile.gettempdir())
    for folder in (first, *map(Path, _SHORT_FOLDERS)):
        length = len(os.fsencode(f"{folder}/planted-12345678/datagrams"))
        if length <= _SOCKET_BYTES and os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise SandboxError(
        f"TMPDIR is too long ({len(os.fsencode(first))} characters) for a socket in it: set a shorter one, of "
        f"{_SOCKET_BYTES - 27} characters at most."
    )


_SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")
_SOCKET_BYTES = 107


def _is_left(name: str) -> bool:
    """Whether a process of this name is still there, some seconds on; it is then ended."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if not processes.named(name):
            return False
        time.sleep(0.01)
    for pid in processes.named(name):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return True
