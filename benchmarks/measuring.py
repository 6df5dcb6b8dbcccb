"""What a command takes: wall clock, processor time and memory of everything that it starts, sandboxed or not."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup/cpuacct")
SAMPLE_SECONDS = 0.25


@dataclass(frozen=True)
class Taken:
    """What a command took.

    Attributes:
        wall: Seconds by the clock.
        cpu: Processor seconds of the command and of all that it started.
        pss_mb: The most memory that it and all that it started had at once, in MiB: proportional set sizes, looked at
            every quarter of a second.
    """

    wall: float
    cpu: float
    pss_mb: float


def how_cpu_is_measured() -> str:
    """In words, for the table."""
    if writable():
        return "a control group that the command starts in (cpuacct)"
    return "/proc/stat of the whole machine, which has to do nothing else"


def writable() -> bool:
    """Whether a control group can be made for a command."""
    with contextlib.suppress(OSError):
        # It holds files of the kernel's, which cannot be removed one by one.
        Path(tempfile.mkdtemp(prefix="benchmark-", dir=GROUPS)).rmdir()
        return True
    return False


def measured(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str], *, right: Sequence[int] = (0,)
) -> Taken:
    """Run a command to its end and say what it took.

    Args:
        command: The words.
        cwd: Where.
        environment: What is set beside this process's own environment.
        right: The exit statuses that mean that it did what it should.

    Raises:
        RuntimeError: It ended with another status; what it said is in the message.
    """
    with _group() as group, tempfile.TemporaryFile() as said:
        join = [] if group is None else ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(group / "cgroup.procs")]
        before, begun = _cpu(group), time.monotonic()
        # Where it is set, what is installed to be edited would be compiled anew by each process.
        own = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **environment}
        process = subprocess.Popen([*join, *command], cwd=cwd, env=own, stdout=said, stderr=said)
        most = [0.0]
        ended = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, group, ended, most))
        watcher.start()
        status = process.wait()
        wall = time.monotonic() - begun
        ended.set()
        watcher.join()
        cpu = _cpu(group) - before
        said.seek(0)
        if status not in right:
            end = said.read().decode("utf-8", "replace")[-3000:]
            raise RuntimeError(f"{' '.join(command)} in {cwd} ended with {status}:\n{end}")
    return Taken(wall, cpu, most[0])


@contextlib.contextmanager
def _group() -> Iterator[Path | None]:
    if not writable():
        yield None
        return
    group = Path(tempfile.mkdtemp(prefix="benchmark-", dir=GROUPS))
    try:
        yield group
    finally:
        for _ in range(100):
            try:
                group.rmdir()
                break
            except OSError:
                time.sleep(0.05)


def _cpu(group: Path | None) -> float:
    if group is not None:
        return int((group / "cpuacct.usage").read_text()) / 1e9
    fields = Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    user, nice, system, _, _, irq, softirq, *_ = map(int, fields)
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _watch(pid: int, group: Path | None, ended: threading.Event, most: list[float]) -> None:
    while not ended.wait(SAMPLE_SECONDS):
        most[0] = max(most[0], sum(map(_pss_mb, _processes(pid, group))))


def _processes(pid: int, group: Path | None) -> list[int]:
    with contextlib.suppress(OSError):
        if group is not None:
            return [int(each) for each in (group / "cgroup.procs").read_text().split()]
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *(below for child in children for below in _processes(int(child), None))]
    return []


def _pss_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0
