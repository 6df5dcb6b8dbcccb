"""The filters of system calls: names with a reason, whose numbers come from the kernel's headers."""

import errno
import hashlib
import json
import platform
import struct
import subprocess
import sys
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
    ("x86_64", "template"): "04826cfae9d43fa7c1fda4f591f8e67b87b37250932e916a9876cf20c12a6e39",
    ("x86_64", "bubblewrap"): "12b486b57941f800c8649c486b49462f9a0e268816be6da799cc993111292821",
    ("x86_64", "landlock"): "5dda2cb118b8bcc81062df6c711a12f79f1d081e69f510dbb9f054dc83692544",
    ("aarch64", "template"): "6dd502c3ae719a5880c11da5ae4225730804fec355adfb3c140b01c8aceb1c27",
    ("aarch64", "bubblewrap"): "0018c34f1c0ac24d9e40260b54919ce06f299c4b4199ed8a4e9fd4bec101fddf",
    ("aarch64", "landlock"): "41b4c50387d60dbe5be56170e5e141e404a1fa125f4e9849424e11f8518b87df",
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
    looked_into = {"clone", "clone3", "ioctl", "prlimit64", "socket", "socketpair"}
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
