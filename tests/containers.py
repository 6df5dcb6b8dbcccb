"""podman with images and containers of the test's own, for what has to be tried in a container."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.commands import REPOSITORY

NEEDED = ("podman", "crun", "mmdebstrap", "unshare")
BASE = "docker.io/library/python:3.11-slim-bookworm"
"""What Containerfile begins from; here it is made of Debian's packages."""

CERTIFICATES = "--volume=/etc/ssl/certs:/etc/ssl/certs:ro"
"""An option for containers whose pip installs: whom this machine trusts, they trust."""

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
# crun looks for control groups of version 2, and bounds nothing by them where they are disabled.
exec unshare --mount --propagation=private sh -ec '
umount --recursive /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
exec podman "$@"' sh "$@"
"""


@dataclass(frozen=True)
class Podman:
    """An engine: the program that is it."""

    program: Path

    def __call__(self, *words: str | Path) -> str:
        """What a command prints that has to end well."""
        done = subprocess.run([self.program, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"podman {shlex.join(map(str, words))}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@contextmanager
def podman() -> Iterator[Podman]:
    """An engine that keeps what it has in memory, until the end; it has a base image.

    Where it cannot run the test is skipped, and fails in CI.
    """
    absent = [each for each in NEEDED if shutil.which(each) is None]
    if os.geteuid() != 0 or absent:
        what = f"NEEDS ROOT AND {', '.join(NEEDED)}: apt-get install podman crun mmdebstrap util-linux"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(what)
    # In a folder with a long name podman waits twenty seconds for the end of each container, whose sockets lie there.
    with TemporaryDirectory(prefix="podman-") as name:
        folder = Path(name)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", folder], check=True)
        try:
            yield _with_a_base(_engine(folder))
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def _engine(folder: Path) -> Podman:
    program = folder / "podman"
    for path, text in (
        (folder / "containers.conf", CONFIGURATION),
        (folder / "storage.conf", STORAGE.format(folder=folder)),
        (program, PODMAN.format(folder=folder)),
    ):
        path.write_text(text, encoding="utf-8")
    program.chmod(0o700)
    return Podman(program)


def _with_a_base(engine: Podman) -> Podman:
    environment = os.environ | {"ENGINE": str(engine.program)}
    words = ["bash", REPOSITORY / "tools/base-image.sh", BASE]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return engine
