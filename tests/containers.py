"""podman with images and containers of the test's own, for what has to be tried in a container."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import REPOSITORY

NEEDED = ("podman", "crun", "debootstrap", "unshare")
BASE = "docker.io/library/python:3.11-slim-bookworm"
"""What Containerfile begins from; here it is made of Debian's packages."""

CONFIGURATION = """\
[engine]
runtime = "crun"
cgroup_manager = "cgroupfs"
[containers]
cgroups = "disabled"
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
"""

STORAGE = """\
[storage]
driver = "overlay"
runroot = "{folder}/run"
graphroot = "{folder}/kept"
"""

PODMAN = """\
#!/bin/sh
export CONTAINERS_CONF={folder}/containers.conf CONTAINERS_STORAGE_CONF={folder}/storage.conf BUILDAH_ISOLATION=chroot
# crun looks for control groups of version 2, and bounds nothing by them where they are disabled. podman waits for the
# end of what watches a container, which whoever is the first process has to take note of: here the shell.
exec unshare --mount --propagation=private --pid --fork --kill-child --mount-proc sh -ec '
umount --recursive /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
podman "$@"
exit' sh "$@"
"""


@dataclass(frozen=True)
class Podman:
    """An engine: the program that is it, and the options by which pip in a container reaches what pip reaches here."""

    program: Path
    pip: tuple[str, ...]

    def __call__(self, *words: str | Path) -> str:
        """What a command prints that has to end well."""
        done = subprocess.run([self.program, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"podman {shlex.join(map(str, words))}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@contextmanager
def podman(folder: Path) -> Iterator[Podman]:
    """An engine that keeps what it has in a folder, until the end; it has a base image.

    Where it cannot run the test is skipped, and fails in CI.
    """
    absent = [each for each in NEEDED if shutil.which(each) is None]
    if os.geteuid() != 0 or absent:
        what = f"NEEDS ROOT AND {', '.join(NEEDED)}: apt-get install podman crun debootstrap util-linux"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(what)
    program = folder / "podman"
    for path, text in (
        (folder / "containers.conf", CONFIGURATION),
        (folder / "storage.conf", STORAGE.format(folder=folder)),
        (program, PODMAN.format(folder=folder)),
    ):
        path.write_text(text, encoding="utf-8")
    program.chmod(0o700)
    engine = Podman(program, tuple(of_pip()))
    try:
        words = ["bash", REPOSITORY / "tools/base-image.sh", BASE]
        done = subprocess.run(
            words, env=os.environ | {"ENGINE": str(program)}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        yield engine
    finally:
        subprocess.run([program, "rmi", "--all", "--force"], capture_output=True, check=False)


def of_pip() -> Iterator[str]:
    """Options for what is mounted: this machine's certificates, and what its pip has downloaded already."""
    certificates = Path("/etc/ssl/certs")
    if certificates.is_dir():
        yield f"--volume={certificates}:{certificates}:ro"
    kept = Path(os.environ.get("PIP_CACHE_DIR", Path.home() / ".cache/pip"))
    if kept.is_dir():
        yield f"--volume={kept}:/root/.cache/pip"
