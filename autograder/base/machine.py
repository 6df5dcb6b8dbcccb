"""What this machine refuses, in words: an error of the operating system's as a sentence with the way out."""

from __future__ import annotations

import errno
import os

_SAID = {
    errno.ENOSPC: "the disk is full. Make room there, or let TMPDIR name a folder that has room",
    errno.EDQUOT: "the quota of the disk is used up. Make room, or let TMPDIR name a folder on another disk",
    errno.EROFS: "the file system is read-only. Use a folder that can be written, or let TMPDIR name one",
    errno.EMFILE: "too many files are open at once. Raise the limit: `ulimit -n 1024`",
    errno.ENFILE: "too many files are open on this machine. End other programs, or raise `sysctl fs.file-max`",
    errno.ENOMEM: "there is no memory left. End other programs, or raise what `ulimit -v` or a control group allows",
    errno.EAGAIN: "no further process may be started. Raise what `ulimit -u` or a control group allows",
    errno.EFBIG: "a file may not be that large. Raise the limit: `ulimit -f unlimited`",
    errno.EACCES: "this user may not. Let the folder belong to whoever runs autograder, or run it as another user",
    errno.EPERM: "this machine forbids it. docs/operators.md says what a sandbox needs, and where it is forbidden",
    errno.ENAMETOOLONG: "the path is too long. Use a folder with a shorter one, for TMPDIR too",
    errno.EIO: "the disk or the other end of the output fails. Look at the disk, and at where the output goes",
}


def machine_says(error: BaseException) -> str:
    """What went wrong, without a full stop at the end, with the file that it was about and the way out if known."""
    if not isinstance(error, OSError):
        text = " ".join(str(error).split())[:500]
        return (
            f"{type(error).__name__}{f': {text}' if text else ''}. That is a mistake of autograder's; please report it"
        )
    if _has_no_temporary_folder(error):
        return "there is no folder for temporary files. Let TMPDIR name one that can be written and has room"
    if error.errno == errno.ENOENT and error.filename is None and not _is_here():
        return "the folder that this was started in is gone. Change to another with `cd`"
    told = _SAID.get(error.errno or 0) or (error.strerror or str(error) or type(error).__name__)
    return f"{os.fsdecode(error.filename)}: {told}" if isinstance(error.filename, str | bytes) else told


def is_the_machines(error: OSError) -> bool:
    """Whether an error is one that this machine's owner can mend, rather than a mistake of ours."""
    return error.errno in _SAID or _has_no_temporary_folder(error) or not _is_here()


def _has_no_temporary_folder(error: OSError) -> bool:
    """Whether it is what Python's tempfile says where no folder will do, as on a read-only root without a /tmp."""
    return error.errno == errno.ENOENT and "temporary directory" in str(error)


def _is_here() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - what is asked is whether there is one
    except OSError:
        return False
    return True
