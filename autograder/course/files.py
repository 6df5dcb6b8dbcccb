"""Names of files that a submission may be given beside its notebook."""

from __future__ import annotations

import functools
import keyword
import re
import sys
from collections.abc import Mapping

from autograder.base import shown

MAX_FILES = 100
"""Files of one assignment; each is mounted for each submission."""


def file_problems(names: Mapping[int, str]) -> dict[int, str]:
    """What is wrong with the names of an assignment's files, by their places.

    A name stands there twice whatever its capitals: on some file systems both would be one file.
    """
    first: dict[str, str] = {}
    found = {}
    for place, name in names.items():
        if (known := first.get(name.casefold())) is not None:
            found[place] = f"{name!r} stands here twice (as {known!r}); leave one out"
        elif problem := _file_problem(name):
            found[place] = problem
        first.setdefault(name.casefold(), name)
    return found


def _file_problem(name: str) -> str:
    """What is wrong with a file's name, and the way out; empty where nothing is."""
    if "/" in name or "\\" in name:
        return f"expected a file's name without a folder, found {shown(name)}; put the file beside the notebook"
    if name.startswith("."):
        return f"expected a file that is not hidden, found {shown(name)}; leave out the dot at its beginning"
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", name):
        return f"expected a name of letters, digits, '_', '-' and '.' (at most 100), found {shown(name)}; rename it"
    if re.search(r"\.ipynb(\.|$)", name, re.IGNORECASE):
        return f"{name!r} is a notebook's name; only the assignment's own notebook is run, and needs no entry here"
    if name.lower() in _TAKEN or name.lower().startswith(_OURS) or name.lower().endswith((".pyc", ".pth")):
        return f"{name!r} is taken by nbgrader, Python or autograder; give the file another name"
    stem, dot, suffix = name.rpartition(".")
    if f"{dot}{suffix}".lower() == ".py":
        if not stem.isidentifier() or keyword.iskeyword(stem) or suffix != "py":
            return f"{name!r} cannot be imported; expected a name such as helpers.py"
        if stem in _importable():
            return f"{name!r} would hide behind the module {stem!r}, which is there already; give it another name"
    return ""


_OURS = "autograder-result"
"""How the names of results begin, which lie beside the executed notebooks."""

_TAKEN = frozenset(
    {
        "timestamp.txt",
        "submission_secret.txt",
        "feedback",
        "__pycache__",
        "ipython",
        "matplotlib",
    }
)


@functools.cache
def _importable() -> frozenset[str]:
    """The top-level modules that are there without any file of a submission's."""
    from importlib import metadata

    return frozenset({*sys.stdlib_module_names, *metadata.packages_distributions(), "inside", "autograder"})
