"""Seccomp filters, assembled to BPF: what a submission may not ask of the kernel.

A filter names the calls that are refused; whatever is newer than the kernels that these lists were made for is refused
too, so that a new kernel brings no new way out. The numbers of the calls are data (``syscalls.json``). The layout of
``struct seccomp_data`` and of the instructions is in linux/seccomp.h and linux/filter.h.
"""

from __future__ import annotations

import errno
import functools
import json
import platform
import struct
from pathlib import Path
from typing import Literal

REFUSED: dict[str, tuple[str, ...]] = {
    "reaching into other processes": (
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "process_madvise",
        "process_mrelease",
        "kcmp",
        "pidfd_open",
        "pidfd_getfd",
        "pidfd_send_signal",
    ),
    "parts of the kernel that have been a way out before": (
        "bpf",
        "perf_event_open",
        "userfaultfd",
        "io_uring_setup",
        "io_uring_enter",
        "io_uring_register",
        "keyctl",
        "add_key",
        "request_key",
        "vmsplice",
        "modify_ldt",
        "personality",
        "lookup_dcookie",
        "name_to_handle_at",
        "open_by_handle_at",
        "fanotify_init",
        "fanotify_mark",
        "seccomp",
        "landlock_create_ruleset",
        "landlock_add_rule",
        "landlock_restrict_self",
    ),
    "namespaces and mounts": (
        "unshare",
        "setns",
        "mount",
        "umount2",
        "pivot_root",
        "chroot",
        "fsopen",
        "fsconfig",
        "fsmount",
        "fspick",
        "move_mount",
        "open_tree",
        "mount_setattr",
        "mknod",
        "mknodat",
    ),
    "the machine": (
        "sched_setaffinity",
        "init_module",
        "finit_module",
        "delete_module",
        "create_module",
        "get_kernel_syms",
        "query_module",
        "kexec_load",
        "kexec_file_load",
        "reboot",
        "swapon",
        "swapoff",
        "syslog",
        "quotactl",
        "quotactl_fd",
        "acct",
        "settimeofday",
        "clock_settime",
        "clock_adjtime",
        "adjtimex",
        "iopl",
        "ioperm",
        "sethostname",
        "setdomainname",
        "vhangup",
        "uselib",
        "ustat",
        "sysfs",
        "_sysctl",
        "nfsservctl",
    ),
    "priorities: a row's fork could set those that its process gives to the next, or the grader's own": (
        "setpriority",
        "ioprio_set",
        "sched_setparam",
        "sched_setscheduler",
        "sched_setattr",
    ),
    "what of a library's files the machine has in memory, by which one grading could leave another a word": (
        "fadvise64",
        "readahead",
        "preadv2",
        "mincore",
        "cachestat",
    ),
    "what a user has few of on a machine, whatever namespaces its processes are in": (
        "inotify_init",
        "inotify_init1",
        # They can carry open files, of which so many may be on the way.
        "sendmsg",
        "sendmmsg",
    ),
    "memory that no limit of a process counts": (
        "memfd_create",
        "memfd_secret",
        "shmget",
        "shmat",
        "shmctl",
        "semget",
        "semop",
        "semctl",
        "msgget",
        "msgsnd",
        "msgrcv",
        "msgctl",
        "mq_open",
        "mbind",
        "migrate_pages",
        "move_pages",
        "set_mempolicy",
        "set_mempolicy_home_node",
    ),
}
"""The calls that no submission may make, by what they would be good for."""

REFUSED_UNDER_LANDLOCK: dict[str, tuple[str, ...]] = {
    "Landlock says who may open a file, not who may see or change its attributes, owner, mode or times": (
        "chmod",
        "fchmod",
        "fchmodat",
        "fchmodat2",
        "chown",
        "fchown",
        "lchown",
        "fchownat",
        "utime",
        "utimes",
        "futimesat",
        "utimensat",
        "setxattr",
        "lsetxattr",
        "fsetxattr",
        "removexattr",
        "lremovexattr",
        "fremovexattr",
        "getxattr",
        "lgetxattr",
        "fgetxattr",
        "listxattr",
        "llistxattr",
        "flistxattr",
    ),
    "the sockets of the machine's services are files too": (
        "socket",
        "connect",
        "bind",
    ),
}
"""Where a submission has no namespaces of its own: what would reach the machine's files and users."""

TEMPLATE_NEEDS = frozenset({"unshare", "mount"})
"""What the warm worker needs to give each submission namespaces of its own."""

NEWEST = 462
"""Calls above this number are refused as if the kernel did not know them."""

_ARCHITECTURES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
"""How the kernel calls a machine in ``struct seccomp_data`` (linux/audit.h)."""
_NEW_NAMESPACE = 0x7E02_0080  # every CLONE_NEW… flag, CLONE_NEWTIME included
_REQUESTS = {
    "TCGETS": 0x5401,
    "TIOCGWINSZ": 0x5413,
    "FIONREAD": 0x541B,
    "FIONBIO": 0x5421,
    "FIONCLEX": 0x5450,
    "FIOCLEX": 0x5451,
}
"""What ioctl(2) may ask. All else is a device's or a file system's: by FS_IOC_SETFLAGS, whoever owns a file changes
its flags where they may only read it."""
_CLONES = 0x94
"""The type of requests to share blocks between files. Python takes one refused in this way for a reason to copy."""
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX, _F_SETLEASE, _F_NOTIFY = 8, 10, 15, 1024, 1026
_AF_UNIX, _SOCK_STREAM, _SOCK_SEQPACKET = 1, 1, 5

_LOAD, _AND, _JUMP_EQUAL, _JUMP_GREATER, _JUMP_SET, _RETURN = 0x20, 0x54, 0x15, 0x25, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, 16
_ALLOW, _KILL, _ERRNO = 0x7FFF_0000, 0x8000_0000, 0x0005_0000


def supported() -> bool:
    """Whether a filter can be assembled for this machine."""
    return platform.machine() in _ARCHITECTURES


def numbers() -> dict[str, int]:
    """The numbers on this machine of the calls that are always refused, by name."""
    return _numbers(REFUSED)


@functools.cache
def _table(machine: str) -> dict[str, int]:
    """The numbers of all system calls on a machine, from the kernel's headers (tools/make_syscalls.py)."""
    tree: dict[str, dict[str, int]] = json.loads(Path(__file__).with_name("syscalls.json").read_text(encoding="utf-8"))
    return tree[machine]


@functools.cache
def program(whose: Literal["template", "bubblewrap", "landlock"]) -> bytes:
    """A filter as the kernel and bubblewrap take it: ``struct sock_filter`` after ``struct sock_filter``.

    Args:
        whose: ``template`` for the warm worker in bubblewrap, which may enter namespaces and mount; otherwise the kind
            of sandbox that a submission is in.

    Raises:
        KeyError: The machine is neither x86-64 nor aarch64.
    """
    calls, architecture = _table(platform.machine()), _ARCHITECTURES[platform.machine()]
    template = whose == "template"
    names = numbers() | (_numbers(REFUSED_UNDER_LANDLOCK) if whose == "landlock" else {})
    refused = sorted(number for name, number in names.items() if not (template and name in TEMPLATE_NEEDS))
    # Each rule is (call number, instructions run with the number loaded); it ends in a return or goes on to the next.
    rules: list[tuple[int, list[tuple[int, int, int, int]]]] = [
        (number, [_return(_ERRNO | errno.EPERM)]) for number in refused
    ]
    unix_only = [
        _argument(0),
        (_JUMP_EQUAL, 1, 0, _AF_UNIX),
        _return(_ERRNO | errno.EAFNOSUPPORT),
        _return(_ALLOW),
    ]
    if whose == "landlock":
        # Datagrams, which SOCK_RAW makes too, can be sent to a name without a connection.
        no_datagrams = [
            _argument(1),
            (_AND, 0, 0, 0xF),
            (_JUMP_EQUAL, 2, 0, _SOCK_STREAM),
            (_JUMP_EQUAL, 1, 0, _SOCK_SEQPACKET),
            _return(_ERRNO | errno.EPERM),
        ]
        rules.append((calls["socketpair"], [*no_datagrams, *unix_only]))
    else:
        rules += [(calls["socket"], unix_only), (calls["socketpair"], unix_only)]
    rules += [
        (calls["clone3"], [_return(_ERRNO | errno.ENOSYS)]),
    ]
    if not template:
        rules += [
            (
                calls["clone"],
                [
                    _argument(0),
                    (_JUMP_SET, 0, 1, _NEW_NAMESPACE),
                    _return(_ERRNO | errno.EPERM),
                    _return(_ALLOW),
                ],
            ),
            (
                calls["prlimit64"],
                [_argument(0), (_JUMP_EQUAL, 1, 0, 0), _return(_ERRNO | errno.EPERM), _return(_ALLOW)],
            ),
        ]
    # Forks share an open file, and with it to whom it sends which signal. Whoever else opens a file on which somebody
    # has a lease waits for that, and an ordinary user's submissions could have one on that user's libraries.
    rules.append(
        (
            calls["fcntl"],
            [
                _argument(1),
                (_JUMP_EQUAL, 5, 0, _F_SETOWN),
                (_JUMP_EQUAL, 4, 0, _F_SETSIG),
                (_JUMP_EQUAL, 3, 0, _F_SETOWN_EX),
                (_JUMP_EQUAL, 2, 0, _F_SETLEASE),
                (_JUMP_EQUAL, 1, 0, _F_NOTIFY),
                _return(_ALLOW),
                _return(_ERRNO | errno.EPERM),
            ],
        )
    )
    rules.append(
        (
            calls["ioctl"],
            [
                _argument(1),
                *(
                    (_JUMP_EQUAL, len(_REQUESTS) - place + 3, 0, request)
                    for place, request in enumerate(_REQUESTS.values())
                ),
                (_AND, 0, 0, 0xFF00),
                (_JUMP_EQUAL, 1, 0, _CLONES << 8),
                _return(_ERRNO | errno.EPERM),
                _return(_ERRNO | errno.EOPNOTSUPP),
                _return(_ALLOW),
            ],
        )
    )
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, architecture),
        _return(_KILL),
        (_LOAD, 0, 0, _NUMBER),
        # On x86-64 this also refuses the x32 table, whose numbers start at 2**30.
        (_JUMP_GREATER, 0, 1, NEWEST),
        _return(_ERRNO | errno.ENOSYS),
    ]
    for number, instructions in rules:
        code.append((_JUMP_EQUAL, 0, len(instructions), number))
        code.extend(instructions)
    code.append(_return(_ALLOW))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def _numbers(refused: dict[str, tuple[str, ...]]) -> dict[str, int]:
    """The numbers of these calls on this machine, by name; a table lacks some."""
    table = _table(platform.machine())
    return {name: table[name] for names in refused.values() for name in names if name in table}


def _argument(index: int) -> tuple[int, int, int, int]:
    return (_LOAD, 0, 0, _ARGUMENT + 8 * index)


def _return(value: int) -> tuple[int, int, int, int]:
    return (_RETURN, 0, 0, value)
