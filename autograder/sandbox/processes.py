"""The processes of a sandbox as the kernel shows them from outside: which there are, and how long they had to wait."""

from __future__ import annotations

import os
from pathlib import Path


def with_descendants(pid: int) -> set[int]:
    """The process and all its descendants."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def children(pid: int) -> list[int]:
    """The processes whose parent is ``pid``."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def named(name: str) -> list[int]:
    """The processes of this machine with this name (``comm``)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "comm").read_text() == f"{name}\n":
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def child(parent: int, inside: int) -> int | None:
    """The child of ``parent`` whose number in its own PID namespace is ``inside``, or None."""
    try:
        for each in children(parent):
            for line in Path(f"/proc/{each}/status").read_text().splitlines():
                if line.startswith("NSpid:") and int(line.split()[-1]) == inside:
                    return each
    except OSError:
        pass
    return None


def waited(pid: int | None) -> float:
    """Seconds that a process could have run but had no processor; 0 where the kernel does not say.

    From ``/proc/<pid>/schedstat`` (Documentation/scheduler/sched-stats.rst): time on the processor, time waiting for
    one, both in nanoseconds, and turns taken.
    """
    try:
        # For each call of a function: pathlib would take longer than the call.
        opened = os.open(f"/proc/{pid}/schedstat", os.O_RDONLY)
        try:
            return int(os.read(opened, 100).split()[1]) / 1e9
        finally:
            os.close(opened)
    except (OSError, IndexError, ValueError):
        return 0.0


def ran(pid: int | None) -> float:
    """Seconds that all threads of a process have had a processor; 0 where nobody can tell."""
    try:
        # After "pid (name) ": the 12th and the 13th field are its time in its own code and in the kernel's.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0


def is_running(pid: int) -> bool:
    """Whether a process is there and is neither stopped nor dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TtZX"
    except (OSError, IndexError):
        return False


def wait_status(pid: int | None) -> int | None:
    """How a process ended that its parent has not buried yet; None where it runs, is gone, or nobody can tell.

    From the last field of ``/proc/<pid>/stat``, which is 0 for whoever may not look into the process.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[-1]) or None if fields[0] == "Z" else None
    except (OSError, ValueError, IndexError):
        return None


def threads_of(uid: int) -> int:
    """How many threads the processes of a user have."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.stat().st_uid == uid:
                count += len(list((folder / "task").iterdir()))
        except OSError:
            continue
    return count


def below(pid: int) -> set[int]:
    """All descendants of a process, without looking at any other."""
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        new = set(children(waiting.pop())) - found
        found |= new
        waiting.extend(new)
    return found


def shares(pid: int) -> bool:
    """Whether a process has what one of its forks could leave something in for the next; also where nobody can tell.

    That is another thread or process, a descriptor of more than its own channel and what a library reads, memory that
    forks share, or a signal that it handles (beside SIGINT, as Python does, and the two of the C library).
    """
    try:
        process = Path(f"/proc/{pid}")
        status = (process / "status").read_text()
        caught = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt:"))
        opened = [str(each.readlink()) for each in (process / "fd").iterdir()]
        sockets = [each for each in opened if each.startswith("socket:")]
        others = [each for each in opened if each not in sockets and not _is_only_read(each)]
        ways = [line.split()[1] for line in (process / "maps").read_text().splitlines()]
        threads = len(list((process / "task").iterdir()))
    except (OSError, StopIteration, ValueError, IndexError):
        return True
    harmless = 1 << (2 - 1) | 1 << (32 - 1) | 1 << (33 - 1)
    shared = any("w" in way and way.endswith("s") for way in ways)
    return bool(caught & ~harmless or len(sockets) > 1 or others or shared or threads > 1 or children(pid))


def left_in(pid: int) -> str:
    """What a process's forks can have left in it although it ``shares`` nothing else, as the kernel shows it.

    That is where it reads in its open files, how and with which locks, and the signals that wait for it. Empty where
    nobody can tell.
    """
    try:
        process = Path(f"/proc/{pid}")
        status = (process / "status").read_text()
        waiting = [line for line in status.splitlines() if line.startswith(("SigPnd:", "ShdPnd:"))]
        opened = sorted((process / "fdinfo").iterdir(), key=lambda each: int(each.name))
        return "\n".join([*waiting, *(f"{each.name}: {each.read_text()}" for each in opened)])
    except (OSError, ValueError):
        return ""


def _is_only_read(path: str) -> bool:
    """Whether an open file is a device or lies where no submission can write, such as a font."""
    own = path.startswith(("/tmp/", "/dev/shm/")) or "/autograder-" in path or path.endswith(" (deleted)")
    return path.startswith("/") and not own and not path.startswith("/memfd:")
