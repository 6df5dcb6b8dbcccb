"""The processes that grade, as whoever has a pool of them meets them."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from autograder.operations import processes
from tests.commands import REPOSITORY

pytestmark = pytest.mark.long


def test_processes_that_were_forked_know_what_has_been_set_since(monkeypatch):
    for value in ("one", "another"):
        monkeypatch.setenv("SAID_TO_THE_POOL", value)
        with processes(2) as pool:
            assert pool.submit(os.getenv, "SAID_TO_THE_POOL").result() == value


def test_a_long_name_of_the_folder_for_temporary_files_stops_no_pool(monkeypatch, tmp_path):
    long = tmp_path / ("x" * 80)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with processes(2) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()


OWNER = """
import time
from autograder.operations import processes

pool = processes(2)
waits = [pool.submit(time.sleep, 600) for _ in range(2)]
print("started", flush=True)
time.sleep(600)
"""


def test_no_process_outlives_a_program_that_was_killed():
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline()
        of_the_session = running_in(owner.pid)
        assert len(of_the_session) > 3
        owner.kill()
    until_gone(owner.pid)


def running_in(session: int) -> set[int]:
    """The processes of a session that run."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(its) == session and state not in "ZX":
            found.add(int(stat.parent.name))
    return found


def until_gone(session: int) -> None:
    latest = time.monotonic() + 60
    while left := running_in(session):
        if time.monotonic() > latest:
            for each in left:
                os.kill(each, signal.SIGKILL)
            raise AssertionError(f"{len(left)} processes are left")
        time.sleep(0.1)
