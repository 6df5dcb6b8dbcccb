"""Started by root: become root of a new user namespace that also holds one unprivileged user, then run a command.

The kernel does not count the processes of the host's root, so a sandbox that root starts with its own user alone
would know no limit on processes. Run as a script: ``enter.py UID COMMAND …``; 1000 inside is UID outside.
"""

from __future__ import annotations

import ctypes
import os
import sys

CLONE_NEWUSER = 0x1000_0000


def main(uid: str, command: list[str]) -> None:
    """Write the maps from a child that stays outside, then replace this process by ``command``."""
    libc = ctypes.CDLL(None, use_errno=True)
    ready, go = os.pipe()
    me = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(ready, 1)
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{me}/{name}", "w") as file:  # noqa: PTH123 - pathlib is not loaded here
                file.write(f"0 0 1\n1000 {uid} 1\n")
        os._exit(0)
    if libc.unshare(CLONE_NEWUSER) != 0:
        sys.exit(f"no user namespace: {os.strerror(ctypes.get_errno())}")
    os.write(go, b"g")
    os.close(go)
    os.close(ready)
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit("the user map of the sandbox could not be written")
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
