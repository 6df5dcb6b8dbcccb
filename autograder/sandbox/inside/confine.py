"""What a fork does to itself before a student's code runs: namespaces, mounts, capabilities, limits, seccomp."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS = 0x0002_0000
CLONE_NEWCGROUP = 0x0200_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 0x4000, 0x40000

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
SECCOMP_MODE_FILTER = 2
LAST_CAPABILITY = 63


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def become(uid: int, gid: int) -> None:
    """Give up root for good, where the sandbox was entered with a second, unprivileged user."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)


def new_namespaces() -> None:
    """Leave the worker's user, PID, mount, IPC, UTS, cgroup and network namespaces; the next fork is process 1.

    Raises:
        OSError: The kernel refuses.
    """
    uid, gid = os.getuid(), os.getgid()
    flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWNET
    # A process that is not dumpable has its files under /proc owned by root, and could not write its own map.
    _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    _checked(_libc.unshare(flags), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 - pathlib is not loaded here
            file.write(text)


def private_mounts(file_mb: int) -> None:
    """Put a fresh, small /tmp and /dev/shm in place, and nothing where /proc was.

    Without /proc a submission sees no process, no environment and no memory map, its own included.

    Raises:
        OSError: The kernel refuses.
    """
    scratch = f"size={file_mb}m,nr_inodes=4096,mode=0700".encode()
    flags = MS_NOSUID | MS_NODEV
    _checked(_libc.mount(None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None), "mount /")
    for target in (b"/tmp", b"/dev/shm"):
        _checked(_libc.mount(b"tmpfs", target, b"tmpfs", ctypes.c_ulong(flags), scratch), f"mount {target!r}")
    nothing = b"size=4k,nr_inodes=2,mode=0555"
    _checked(
        _libc.mount(b"tmpfs", b"/proc", b"tmpfs", ctypes.c_ulong(flags | MS_RDONLY | MS_NOEXEC), nothing),
        "/proc",
    )
    os.chdir("/tmp")


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the one that forked it ends."""
    _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def unreadable() -> None:
    """Keep other processes of the same user from tracing this one."""
    _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def drop_capabilities() -> None:
    """Give up every capability, and the way back to any."""
    for capability in range(LAST_CAPABILITY + 1):
        _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    version_3 = (ctypes.c_uint32 * 2)(0x2008_0522, 0)
    _checked(_libc.capset(version_3, (ctypes.c_uint32 * 6)()), "capset")


def limit(limits: dict[str, Any]) -> None:
    """Set the resource limits of one submission.

    Args:
        limits: ``memory_mb`` beyond what this process already maps, ``processes``, ``file_mb``, ``cpu_seconds``;
            ``mapped_kb`` is what it maps now.
    """
    memory = limits["mapped_kb"] * 1024 + limits["memory_mb"] * 2**20
    bounds = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: int(limits["cpu_seconds"]) + 1,
        resource.RLIMIT_FSIZE: limits["file_mb"] * 2**20,
        resource.RLIMIT_NPROC: limits["processes"],
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for name, bound in bounds.items():
        _, hard = resource.getrlimit(name)
        least = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(name, (least, least))


def load_filter(program: bytes) -> None:
    """Install a seccomp filter; it holds for this process and all that it ever starts.

    Raises:
        OSError: The kernel refuses.
    """
    _checked(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    described = _Program(len(program) // 8, program)
    _checked(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(described), 0, 0), "seccomp")


def mapped_kb() -> int:
    """The address space of this process in KiB, 0 where /proc is not there."""
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123 - pathlib is not loaded here
            return int(file.read().split()[0]) * resource.getpagesize() // 1024
    except OSError:
        return 0
