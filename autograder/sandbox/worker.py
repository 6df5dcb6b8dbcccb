"""The warm worker: a Python inside the sandbox with everything imported, which forks for each submission."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import tempfile
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from autograder.base import SandboxError, machine_says
from autograder.course import Limits
from autograder.sandbox import cgroup, jail, processes
from autograder.sandbox.inside.removal import empty
from autograder.sandbox.kind import Kind
from autograder.sandbox.session import Session

START_SECONDS = 120.0


_OF_A_TRACEBACK = (" ", "Traceback (", "During handling of the above", "The above exception was")


def _without_traceback(said: str) -> str:
    """What a program says, without the lines of Python's tracebacks but the last of each."""
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith(_OF_A_TRACEBACK)]
    return "\n".join(dict.fromkeys(lines))


def _forbidden(said: str) -> str:
    """Where to look, by what bubblewrap or the kernel says where namespaces or mounts are forbidden."""
    if not re.search(r"namespace|uid map|not permitted|[Pp]ermission denied|unshare|mount", said):
        return ""
    return (
        "This machine forbids what the sandbox is made of, as AppArmor (`sysctl "
        "kernel.apparmor_restrict_unprivileged_userns`), the seccomp profiles of containers and `sysctl "
        "user.max_user_namespaces` do: docs/operators.md says how to allow it.\n"
    )


class Worker:
    """A warm Python inside the sandbox, which forks for one submission after the other."""

    def __init__(self, kind: Kind, allowed: tuple[str, ...]) -> None:
        """Start a worker without waiting until it is warm; the first session waits for that.

        Raises:
            SandboxError: The sandbox is missing; the message says why.
        """
        self.kind = kind
        self.allowed = allowed
        self.groups = None if kind == "none" else cgroup.delegated()
        self.keepers: set[int] = set()
        self._errors: Any = tempfile.TemporaryFile()  # noqa: SIM115 - closed once the worker is ready
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                started = jail.start(kind, allowed, theirs.fileno(), self._errors.fileno())
            except BaseException as error:
                ours.close()
                self._errors.close()
                if isinstance(error, OSError):
                    raise SandboxError(f"the sandbox ({kind}) does not start: {machine_says(error)}.") from error
                raise
        self.process, self.folder = started.process, started.folder
        self.control = ours
        self._start_deadline = time.monotonic() + START_SECONDS

    def wait(self) -> None:
        """Wait until the worker is warm.

        Raises:
            SandboxError: The sandbox does not start; the message says why.
        """
        if self._errors.closed:
            return
        self.control.settimeout(max(0.1, self._start_deadline - time.monotonic()))
        try:
            ready = self.control.recv(2**16)
        except OSError:
            ready = b""
        if ready:
            self._errors.close()
            return
        self._errors.seek(0)
        said = self._errors.read()[-4000:].decode("utf-8", "replace").strip()
        self.close()
        raise SandboxError(
            f"the sandbox did not start: {_without_traceback(said) or 'it ended without a word'}\n{_forbidden(said)}"
            "`autograder doctor` shows what this machine allows, and whether `--sandbox landlock` would do."
        )

    def session(
        self,
        limits: Limits,
        seed: int = 0,
        *,
        files: Mapping[str, bytes] | None = None,
        printed_limit: int = 0,
        states: int = 0,
    ) -> Session:
        """A fresh fork for one submission.

        Args:
            limits: What the submission may use.
            seed: The seed of ``random`` and ``numpy.random`` inside.
            files: Files that it can read in its working folder, by name; those of Python can be imported.
            printed_limit: How many characters are kept of what a call of a function prints, for ``ShowPrinted``; with 0
                nothing is kept.
            states: How many states before cells are kept at the most.

        Raises:
            SandboxError: The worker did not start, or is gone.
        """
        self.wait()
        return Session(self, limits, seed, files or {}, printed_limit, states)

    @property
    def alive(self) -> bool:
        """Whether the worker's process runs."""
        return self.process.poll() is None

    def end_orphans(self) -> None:
        """End processes that have outlived their keeper.

        In a PID namespace the kernel does so. Under Landlock this worker adopts them, and has to be rid of them.
        """
        for _ in range(100):
            orphans = set(processes.children(self.process.pid)) - self.keepers
            if not orphans:
                return
            for pid in set().union(*map(processes.with_descendants, orphans)):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def close(self) -> None:
        """End the worker and everything inside."""
        if self.kind == "landlock":
            self.keepers.clear()
            self.end_orphans()
        self.control.close()
        self._errors.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.folder is not None:
            empty(str(self.folder))
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
