"""The numbers of the system calls, from the kernel's headers: autograder/sandbox/syscalls.json.

    python tools/make_syscalls.py VERSION_H X86_64_H AARCH64_H > autograder/sandbox/syscalls.json

The headers are those that the kernel gives to user space (``make headers``, or a distribution's linux-libc-dev):
``linux/version.h``, and ``asm/unistd_64.h`` of x86 and of arm64. They have to be as new as ``seccomp.NEWEST``. The PyPI
package ``ziglang`` carries a recent set, below ``lib/libc/include/{any,x86,aarch64}-linux-any``.
"""

import json
import re
import sys
from pathlib import Path


def numbers(header: str) -> dict[str, int]:
    """The numbers that a header defines, by the names of the calls."""
    found = re.findall(r"(?m)^#\s*define\s+__NR_(\w+)\s+(\d+)\s*$", header)
    return {name: int(number) for name, number in found}


def version(header: str) -> str:
    """The kernel's version that ``linux/version.h`` tells."""
    parts = (re.search(rf"LINUX_VERSION_{part}\s+(\d+)", header) for part in ("MAJOR", "PATCHLEVEL"))
    return ".".join(found[1] if found else "?" for found in parts)


def table(version_header: str, x86_64: str, aarch64: str) -> dict[str, object]:
    """What the file holds: the kernel's version, and the numbers by machine, as Python's ``platform`` calls it."""
    return {"linux": version(version_header), "x86_64": numbers(x86_64), "aarch64": numbers(aarch64)}


def main(paths: list[str]) -> int:
    """Print the table."""
    if len(paths) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    print(json.dumps(table(*(Path(path).read_text(encoding="utf-8") for path in paths)), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
