"""The filters of system calls: names with a reason, whose numbers come from the kernel's headers."""

import errno
import hashlib
import json
import platform
import struct
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from autograder.sandbox import seccomp

ROOT = Path(__file__).parents[2]
TABLE = json.loads((ROOT / "autograder/sandbox/syscalls.json").read_text(encoding="utf-8"))
MACHINES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
KINDS = ("template", "bubblewrap", "landlock")
ALLOW, EPERM, ENOSYS = 0x7FFF_0000, 0x0005_0000 | errno.EPERM, 0x0005_0000 | errno.ENOSYS
NAMES = {name for names in seccomp.REFUSED.values() for name in names}
UNDER_LANDLOCK = {name for names in seccomp.REFUSED_UNDER_LANDLOCK.values() for name in names}

PROGRAMS = {
    ("x86_64", "template"): "8fc3ad29474c953f97a8e18b69c2b54da4ae27515e6d37cf47b1dfca0cae385c",
    ("x86_64", "bubblewrap"): "80f3258953b144f4aea916d0d488b32fe8b9d64dba6b2bf46a5fec9ba5405c9b",
    ("x86_64", "landlock"): "d8e99a4a520bd6d9c0b151e2b196452f86825093e7c68924591502ece0d86826",
    ("aarch64", "template"): "ed2bcda9e3a1b96a35e161f57ef0cf0b274a093535cc2162d8159942487b28d2",
    ("aarch64", "bubblewrap"): "a7fbb1cd8c43a118523fe8041ebaa2a48a8ec05999d0e90fda3fe8bfc26e0b35",
    ("aarch64", "landlock"): "e91f7713727e5042fd53148df7d47694eb3f470aebc068f6d340c602c8e82c16",
}
"""The SHA-256 of each filter. It changes where a call is refused or let through that was not before, and only there."""


def verdict(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """What a filter returns for a call: the few instructions that it is made of, carried out."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    code = list(struct.iter_unpack("<HBBI", program))
    at = loaded = 0
    while True:
        operation, on_true, on_false, value = code[at]
        at += 1
        match operation:
            case 0x20:
                (loaded,) = struct.unpack_from("<I", data, value)
            case 0x54:
                loaded &= value
            case 0x15 | 0x25 | 0x45:
                holds = {0x15: loaded == value, 0x25: loaded > value, 0x45: bool(loaded & value)}[operation]
                at += on_true if holds else on_false
            case 0x06:
                return value


@pytest.fixture(params=list(MACHINES))
def machine(request, monkeypatch):
    """Each machine in turn, as if this one were it."""
    monkeypatch.setattr(platform, "machine", lambda: request.param)
    seccomp.program.cache_clear()
    yield request.param
    seccomp.program.cache_clear()


def refused(kind: str) -> set[str]:
    names = NAMES | (UNDER_LANDLOCK if kind == "landlock" else set())
    return names - (seccomp.TEMPLATE_NEEDS if kind == "template" else set())


def test_no_name_is_mistyped():
    assert TABLE["x86_64"].keys() >= NAMES | UNDER_LANDLOCK


def test_the_numbers_are_as_new_as_the_filters():
    assert all(max(TABLE[machine].values()) >= seccomp.NEWEST for machine in MACHINES)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_refused_is_refused_by_its_number_and_the_rest_is_not(machine, kind):
    program, architecture = seccomp.program(kind), MACHINES[machine]
    looked_into = {"clone", "clone3", "fcntl", "ioctl", "prlimit64", "socket", "socketpair"}
    for name, number in TABLE[machine].items():
        if name not in looked_into:
            expected = ENOSYS if number > seccomp.NEWEST else EPERM if name in refused(kind) else ALLOW
            assert verdict(program, architecture, number) == expected, name


@pytest.mark.parametrize("kind", KINDS)
def test_newer_headers_alone_change_no_filter(machine, kind):
    assert hashlib.sha256(seccomp.program(kind)).hexdigest() == PROGRAMS[machine, kind]


@pytest.mark.parametrize("kind", KINDS)
def test_calls_of_another_machine_end_the_process(machine, kind):
    assert verdict(seccomp.program(kind), 0x4000_0003, 1) == 0x8000_0000


def test_sockets_of_the_machines_own_kind_alone_and_none_under_landlock(machine):
    numbers, architecture = TABLE[machine], MACHINES[machine]
    for family in (2, 10, 16, 40):
        assert verdict(seccomp.program("bubblewrap"), architecture, numbers["socket"], family, 1) != ALLOW
    assert verdict(seccomp.program("bubblewrap"), architecture, numbers["socket"], 1, 1) == ALLOW
    assert verdict(seccomp.program("landlock"), architecture, numbers["socket"], 1, 1) == EPERM
    for kind, expected in ((1, ALLOW), (5, ALLOW), (2, EPERM), (3, EPERM)):
        assert verdict(seccomp.program("landlock"), architecture, numbers["socketpair"], 1, kind) == expected


def test_of_fcntl_signals_leases_and_notices_of_changes_are_refused_and_the_rest_is_not(machine):
    fcntl, architecture = TABLE[machine]["fcntl"], MACHINES[machine]
    commands = (*range(16), *range(1024, 1036))
    for kind in KINDS:
        verdicts = {command: verdict(seccomp.program(kind), architecture, fcntl, 3, command) for command in commands}
        assert [command for command, each in verdicts.items() if each == EPERM] == [8, 10, 15, 1024, 1026]
        assert {each for each in verdicts.values() if each != EPERM} == {ALLOW}


def test_of_ioctl_what_terminals_pipes_and_descriptors_are_asked_is_let_through_and_the_rest_is_not(machine):
    ioctl, architecture = TABLE[machine]["ioctl"], MACHINES[machine]
    let = {0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451}
    set_flags, set_attributes, put_in, tty, share = 0x4008_6602, 0x401C_5820, 0x5412, 0x541C, 0x4004_9409
    for kind in KINDS:
        ask = partial(verdict, seccomp.program(kind), architecture, ioctl, 3)
        assert {request for request in range(0x5300, 0x5500) if ask(request) == ALLOW} == let
        assert {ask(request) for request in (set_flags, set_attributes, put_in, tty, 0, 2**32 - 1)} == {EPERM}
        assert ask(share) == 0x0005_0000 | errno.EOPNOTSUPP


def test_a_clone_into_a_new_namespace_is_refused_and_a_plain_one_is_not(machine):
    clone, architecture = TABLE[machine]["clone"], MACHINES[machine]
    for flag in (0x80, 0x2_0000, 0x1000_0000, 0x4000_0000):
        assert verdict(seccomp.program("bubblewrap"), architecture, clone, flag) == EPERM
    assert verdict(seccomp.program("bubblewrap"), architecture, clone, 0x11) == ALLOW


def test_the_table_is_made_from_the_kernels_headers(tmp_path):
    (tmp_path / "version.h").write_text("#define LINUX_VERSION_MAJOR 6\n#define LINUX_VERSION_PATCHLEVEL 12\n")
    (tmp_path / "x86.h").write_text("#define __NR_read 0\n# define __NR_ptrace 101\n#define __NR_odd __NR_read\n")
    (tmp_path / "arm.h").write_text("#define __NR_ptrace 117\n")
    script = [sys.executable, str(ROOT / "tools/make_syscalls.py")]
    done = subprocess.run(
        [*script, "version.h", "x86.h", "arm.h"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {
        "linux": "6.12",
        "x86_64": {"read": 0, "ptrace": 101},
        "aarch64": {"ptrace": 117},
    }
