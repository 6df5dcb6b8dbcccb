"""What a fork does to itself before a student's code runs: namespaces, mounts, capabilities, limits, seccomp."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import stat
import struct
from collections.abc import Iterable
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
_python = ctypes.PyDLL(None, use_errno=True)
"""As ``_libc``, for calls during which the interpreter's lock must stay held."""

CLONE_NEWNS = 0x0002_0000
CLONE_NEWCGROUP = 0x0200_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

CLONE = {"x86_64": 56, "aarch64": 220}
"""The number of clone(2), by machine."""

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 0x4000, 0x40000

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 8, 22, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
CAP_DAC_READ_SEARCH = 2
SECCOMP_MODE_FILTER = 2
LAST_CAPABILITY = 63

LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_VERSION = 1
# linux/landlock.h: the bits of version 6.
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG, MAKE_FIFO, MAKE_SYM = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 10, 1 << 12
REFER, TRUNCATE = 1 << 13, 1 << 14
ALL_ACCESS_FS, ALL_ACCESS_NET, ALL_SCOPES = (1 << 16) - 1, 3, 3
FILE_ACCESS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
ACCESS = {
    "list": READ_DIR,
    "read": READ_FILE | READ_DIR,
    "use": READ_FILE | WRITE_FILE,
    "write": READ_FILE
    | READ_DIR
    | WRITE_FILE
    | TRUNCATE
    | REFER
    | REMOVE_DIR
    | REMOVE_FILE
    | MAKE_DIR
    | MAKE_REG
    | MAKE_FIFO
    | MAKE_SYM,
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _checked(result: int, what: str) -> None:
    """Raise ``OSError``, with ``what`` in its text, unless a system call has succeeded."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def become(uid: int, gid: int, *, reading: bool = False) -> None:
    """Give up root for good and be another user; do nothing where this process is not root.

    Args:
        uid: The user.
        gid: The group.
        reading: Keep the capability to read what only root may read, where this Python lies in such a folder. Landlock
            alone then decides what can be read.
    """
    if os.getuid() == 0:
        _libc.prctl(PR_SET_KEEPCAPS, int(reading), 0, 0, 0)
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        _set_capabilities(1 << CAP_DAC_READ_SEARCH if reading else 0)


def fork_into_namespaces() -> int:
    """Fork a process 1 of its own user, PID, mount, IPC, UTS, cgroup and network namespaces.

    As ``os.fork``, with flags for the kernel: a fork that left them with unshare(2) would have to fork once more.

    Returns:
        The child's pid, and 0 in the child.

    Raises:
        OSError: The kernel refuses.
    """
    flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWNET
    _python.PyOS_BeforeFork()
    pid = int(_python.syscall(CLONE[os.uname().machine], ctypes.c_long(flags | signal.SIGCHLD), None, None, None, None))
    number = ctypes.get_errno()
    if pid == 0:
        _python.PyOS_AfterFork_Child()
    else:
        _python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(number, f"clone: {os.strerror(number)}")
    return pid


def name_the_user(uid: int, gid: int) -> None:
    """Give the user and the group the same numbers inside a new user namespace as outside.

    Raises:
        OSError: The kernel refuses.
    """
    # A process that is not dumpable has its files under /proc owned by root, and could not write its own map.
    _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
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


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """Mount something.

    Raises:
        OSError: The kernel refuses.
    """
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    _checked(_libc.mount(*texts[:3], ctypes.c_ulong(flags), texts[3]), f"mount {target}")


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the one that forked it ends."""
    _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def unreadable() -> None:
    """Keep other processes of the same user from tracing this one."""
    _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def drop_capabilities(kept: int = 0) -> None:
    """Give up every capability but those in the mask ``kept``, and the way back to any."""
    for capability in range(LAST_CAPABILITY + 1):
        _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    _set_capabilities(kept)


def _set_capabilities(mask: int) -> None:
    version_3 = (ctypes.c_uint32 * 2)(0x2008_0522, 0)
    sets = (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)
    _checked(_libc.capset(version_3, sets), "capset")


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
        # They are counted together with those of all that the same user runs.
        resource.RLIMIT_SIGPENDING: 256,
    }
    for name, bound in bounds.items():
        _, hard = resource.getrlimit(name)
        least = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(name, (least, least))


def landlock_version() -> int:
    """The version of Landlock that the kernel speaks, 0 where it has none."""
    return max(0, int(_libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_VERSION)))


def landlock(rules: Iterable[tuple[str, str]] | None) -> None:
    """Restrict this process and all that it ever starts to some files, without the network or signals to others.

    See Documentation/userspace-api/landlock.rst. No program can be started from here on.

    Args:
        rules: What is allowed for a path and all below it: to ``list`` folders, to ``read``, to ``use`` (read and
            write) or to ``write`` (make and remove, too). With None all files stay as they are; only signals and
            connections to abstract sockets cannot leave the domain.

    Raises:
        OSError: The kernel refuses.
    """
    handled = (0, 0) if rules is None else (ALL_ACCESS_FS, ALL_ACCESS_NET)
    attributes = struct.pack("=QQQ", *handled, ALL_SCOPES)
    ruleset = _libc.syscall(LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), f"landlock: {os.strerror(ctypes.get_errno())}")
    for access, path in rules or ():
        try:
            at = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        granted = ACCESS[access] if stat.S_ISDIR(os.fstat(at).st_mode) else ACCESS[access] & FILE_ACCESS
        beneath = struct.pack("=Qi", granted, at)
        _checked(_libc.syscall(LANDLOCK_ADD_RULE, ruleset, 1, beneath, 0), f"landlock: {path}")
        os.close(at)
    _checked(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _checked(_libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0), "landlock")
    os.close(ruleset)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _checked(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "subreaper")


def end_descendants() -> None:
    """Kill and bury every process below this one, which is the first of a PID namespace or has adopted the orphans.

    -1 stands for the processes that this one may signal: in a PID namespace those of the namespace, under Landlock
    those of its own domain. Anywhere else this would end everything that the user runs.
    """
    while True:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


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
