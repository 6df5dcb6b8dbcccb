"""Seccomp filters, assembled to BPF: what a submission may not ask of the kernel.

A filter names the calls that are refused; whatever is newer than the kernels that this list was read from is refused
too, so that a new kernel brings no new way out. The layout of ``struct seccomp_data`` and of the instructions is in
linux/seccomp.h and linux/filter.h.
"""

from __future__ import annotations

import errno
import functools
import platform
import struct
from typing import Literal

# Call numbers on x86-64 and on the generic table (aarch64); None where a table lacks the call.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    # reaching into other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    # parts of the kernel that have been a way out before
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "vmsplice": (278, 75),
    "modify_ldt": (154, None),
    "personality": (135, 92),
    "lookup_dcookie": (212, 18),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "seccomp": (317, 277),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
    # namespaces and mounts
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "mount_setattr": (442, 442),
    "mknod": (133, None),
    "mknodat": (259, 33),
    # the machine
    "sched_setaffinity": (203, 122),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "create_module": (174, None),
    "get_kernel_syms": (177, None),
    "query_module": (178, None),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "syslog": (103, 116),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "iopl": (172, None),
    "ioperm": (173, None),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
    "_sysctl": (156, None),
    "nfsservctl": (180, 42),
    # memory that no limit of a process counts
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mbind": (237, 235),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450),
}

# Where a submission has no namespaces of its own: what would reach the machine's files, users and priorities.
REFUSED_UNDER_LANDLOCK: dict[str, tuple[int | None, int | None]] = {
    # Landlock says who may open a file, not who may see or change its attributes, owner, mode or times
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "getxattr": (191, 8),
    "lgetxattr": (192, 9),
    "fgetxattr": (193, 10),
    "listxattr": (194, 11),
    "llistxattr": (195, 12),
    "flistxattr": (196, 13),
    # nor who may wait for changes of it
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    # the sockets of the machine's services are files too
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    # the grader may belong to the same user
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
}

TEMPLATE_NEEDS = frozenset({"unshare", "mount"})
"""What the warm worker needs to give each submission namespaces of its own."""

NEWEST = 462
"""Calls above this number are refused as if the kernel did not know them."""

_MACHINES = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}
_SOCKET, _SOCKETPAIR, _CLONE, _CLONE3, _IOCTL, _PRLIMIT = (
    (41, 198),
    (53, 199),
    (56, 220),
    (435, 435),
    (16, 29),
    (302, 261),
)
_NEW_NAMESPACE = 0x7E02_0080  # every CLONE_NEW… flag, CLONE_NEWTIME included
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_AF_UNIX, _SOCK_STREAM, _SOCK_SEQPACKET = 1, 1, 5

_LOAD, _AND, _JUMP_EQUAL, _JUMP_GREATER, _JUMP_SET, _RETURN = 0x20, 0x54, 0x15, 0x25, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, 16
_ALLOW, _KILL, _ERRNO = 0x7FFF_0000, 0x8000_0000, 0x0005_0000


def supported() -> bool:
    """Whether a filter can be assembled for this machine."""
    return platform.machine() in _MACHINES


def numbers() -> dict[str, int]:
    """The numbers on this machine of the calls that are always refused, by name."""
    return _numbers(REFUSED)


@functools.cache
def program(whose: Literal["template", "bubblewrap", "landlock"]) -> bytes:
    """A filter as the kernel and bubblewrap take it: ``struct sock_filter`` after ``struct sock_filter``.

    Args:
        whose: The warm worker's in bubblewrap, which may enter namespaces and mount; or a submission's, by what
            keeps it.

    Raises:
        KeyError: The machine is neither x86-64 nor aarch64.
    """
    table, architecture = _MACHINES[platform.machine()]
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
        rules.append((_SOCKETPAIR[table], [*no_datagrams, *unix_only]))
    else:
        rules += [(_SOCKET[table], unix_only), (_SOCKETPAIR[table], unix_only)]
    rules += [
        (_CLONE3[table], [_return(_ERRNO | errno.ENOSYS)]),
    ]
    if not template:
        rules += [
            (
                _CLONE[table],
                [
                    _argument(0),
                    (_JUMP_SET, 0, 1, _NEW_NAMESPACE),
                    _return(_ERRNO | errno.EPERM),
                    _return(_ALLOW),
                ],
            ),
            (
                _PRLIMIT[table],
                [_argument(0), (_JUMP_EQUAL, 1, 0, 0), _return(_ERRNO | errno.EPERM), _return(_ALLOW)],
            ),
        ]
    rules.append(
        (
            _IOCTL[table],
            [
                _argument(1),
                (_JUMP_EQUAL, 2, 0, _TIOCSTI),
                (_JUMP_EQUAL, 1, 0, _TIOCLINUX),
                _return(_ALLOW),
                _return(_ERRNO | errno.EPERM),
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


def _numbers(calls: dict[str, tuple[int | None, int | None]]) -> dict[str, int]:
    table, _ = _MACHINES[platform.machine()]
    return {name: number for name, both in calls.items() if (number := both[table]) is not None}


def _argument(index: int) -> tuple[int, int, int, int]:
    return (_LOAD, 0, 0, _ARGUMENT + 8 * index)


def _return(value: int) -> tuple[int, int, int, int]:
    return (_RETURN, 0, 0, value)
