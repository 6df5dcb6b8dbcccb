"""Text that came from elsewhere → text that can be shown anywhere: it moves no terminal and names no host path."""

from __future__ import annotations

import functools
import os
import re
import sys
import sysconfig
import tempfile
from pathlib import Path

_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,200}[ -/]{0,20}[@-~]"  # colours, the cursor, the screen
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x80-\x9f]{0,4000}(?:\x07|\x1b\\|\x9c)"  # titles, links, …
)
_ACTIVE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""C0 but for tab and line feed, C1, line separators, bidirectional overrides and isolates, lone surrogates."""


def plain(text: str) -> str:
    r"""``text`` with nothing in it that a terminal acts on or that shows a line in another order.

    Escape sequences go, a line that was written over by a carriage return keeps what was written last, and any other
    control character stands as its escape (``\x1b``, ``\u202e``).
    """
    if text.isascii() and text.isprintable():
        return text
    text = _SEQUENCES.sub("", text).replace("\x07", "").replace("\b", "")
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _ACTIVE.sub(lambda match: _escape(match.group()), text)


def visible(source: str) -> str:
    """A program's text with its control characters as their escapes, everything else as it was."""
    return _ACTIVE.sub(lambda match: _escape(match.group()), source)


def one_line(text: str) -> str:
    """``text`` made plain, on one line."""
    return " ".join(plain(text).split())


def printable(name: str) -> str:
    """The name where it can be printed as it is, else with escapes for what cannot."""
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")


def without_host_paths(text: str) -> str:
    """``text`` with paths of this machine's Python, of what is installed and of this package made relative.

    ``/usr/local/lib/python3.11/json/decoder.py`` becomes ``python3.11/json/decoder.py``. A student's code can spell a
    path in other ways; this keeps tracebacks from showing it by themselves.
    """
    if "/" not in text:
        return text
    text = _of_a_worker().sub(lambda match: _IN_A_WORKER.get(match[1], "/tmp"), text)
    pattern, names = _host_paths()
    return pattern.sub(lambda match: names[match.group()], text)


_IN_A_WORKER = {"site": "site-packages", "runner": "autograder"}


@functools.cache
def _of_a_worker() -> re.Pattern[str]:
    """Where a submission that Landlock keeps finds what is installed, our own code, and its working folder."""
    return re.compile(
        rf"{re.escape(tempfile.gettempdir())}/autograder-\w{{8}}/(site|runner|scratch/[\d-]+\d)(?![\w.-])"
    )


@functools.cache
def _host_paths() -> tuple[re.Pattern[str], dict[str, str]]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    package = Path(__file__).parents[1]
    names = {sysconfig.get_path("stdlib"): version, os.path.realpath(sys.executable): version, sys.executable: version}
    names |= {path: "site-packages" for path in sys.path if path.endswith("-packages")}
    names |= {str(package / "sandbox"): "autograder", str(package): "autograder"}
    names |= {path: "python" for path in (sys.prefix, sys.base_prefix) if path not in ("/", "/usr", "/usr/local")}
    library = Path(sysconfig.get_config_var("LIBDIR") or "/", sysconfig.get_config_var("INSTSONAME") or "")
    names[str(library)] = library.name
    names.pop("/", None)
    # Where the sandbox has what is installed and our own code. These are short, so they count as whole paths only.
    inside = {"/site": "site-packages", "/runner": "autograder"}
    ends = r"(?![\w.-])"
    found = "|".join(re.escape(path) for path in sorted(names, key=len, reverse=True))
    alone = "|".join(re.escape(path) for path in inside)
    return re.compile(rf"(?:{found}){ends}|(?<![\w.:/-])(?:{alone})(?=/)"), names | inside


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
