"""The processes that grade, as whoever has a pool of them meets them."""

import os
import tempfile

import pytest

from autograder.operations import processes

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
