"""What the machine refuses is told in a sentence with the way out."""

import errno
import os
from pathlib import Path

import pytest

from autograder.base import is_the_machines, machine_says


@pytest.mark.parametrize(
    ("number", "file", "told"),
    [
        (errno.ENOSPC, "/data/x", "/data/x: the disk is full. Make room there, or let TMPDIR name"),
        (errno.EROFS, None, "the file system is read-only. Use a folder that can be written"),
        (errno.EMFILE, None, "too many files are open at once. Raise the limit"),
        (errno.EAGAIN, None, "no further process may be started"),
        (errno.EFBIG, b"/x", "/x: a file may not be that large"),
        (errno.ENOENT, "/gone", "/gone: No such file or directory"),
    ],
)
def test_an_error_of_the_systems_names_its_file_and_the_way_out(number, file, told):
    error = OSError(number, os.strerror(number), file) if file else OSError(number, os.strerror(number))
    assert machine_says(error).startswith(told)
    assert is_the_machines(error) == (number != errno.ENOENT)


def test_no_folder_for_temporary_files_and_a_path_of_a_socket_are_told_as_they_are():
    nowhere = FileNotFoundError(errno.ENOENT, "No usable temporary directory found")
    assert "Let TMPDIR name one" in machine_says(nowhere)
    assert is_the_machines(nowhere)
    assert machine_says(OSError("AF_UNIX path too long")) == "AF_UNIX path too long"


def test_what_is_no_error_of_the_systems_is_called_ours():
    assert machine_says(KeyError("x")) == "KeyError: 'x'. That is a mistake of autograder's; please report it"


def test_a_folder_that_is_gone_under_ones_feet_is_told(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(OSError, match="No such file") as raised:
        Path.cwd()
    assert is_the_machines(raised.value)
    assert machine_says(raised.value) == "the folder that this was started in is gone. Change to another with `cd`"
