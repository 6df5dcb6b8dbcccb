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
MAX_DEEP = 5
"""Folders within folders that a file may lie in."""


def file_problems(names: Mapping[int, str]) -> dict[int, str]:
    """What is wrong with the names of an assignment's files, by their places.

    A name stands there twice whatever its capitals: on some file systems both would be one file.
    """
    first: dict[str, str] = {}
    folders = {each.casefold() for name in names.values() for each in _folders(name)}
    found = {}
    for place, name in names.items():
        if (known := first.get(name.casefold())) is not None:
            found[place] = f"{name!r} stands here twice (as {known!r}); leave one out"
        elif problem := _file_problem(name):
            found[place] = problem
        elif name.casefold() in folders:
            found[place] = f"{name!r} is a file's name here and a folder's; leave one out"
        first.setdefault(name.casefold(), name)
    return found


def _folders(name: str) -> list[str]:
    """The folders that a file lies in: for ``data/old/x.csv``, ``data`` and ``data/old``."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def _file_problem(name: str) -> str:
    """What is wrong with a file's name, and the way out; empty where nothing is."""
    if "\\" in name:
        return f"expected '/' between a folder and a file, found {shown(name)}"
    *folders, file = name.split("/")
    if len(folders) > MAX_DEEP:
        return f"expected at most {MAX_DEEP} folders in folders, found {shown(name)}; put the file further up"
    for folder in folders:
        if folder in ("", ".", ".."):
            return f"expected a path such as data/points.csv from the notebook, found {shown(name)}"
        if problem := _name_problem(folder):
            return problem
    problem = _name_problem(file)
    if not problem and file == "__init__.py" and folders and folders[0] in _importable():
        return f"{name!r} would hide behind the module {folders[0]!r}, which is there already; give it another name"
    return problem or ("" if folders else _module_problem(name))


def _name_problem(name: str) -> str:
    """What is wrong with the name of a file or folder."""
    if name.startswith("."):
        return f"expected a file that is not hidden, found {shown(name)}; leave out the dot at its beginning"
    if name != name.strip(" "):
        return f"expected a name with no space around it, found {shown(name)}; rename it"
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}", name):
        kinds = "letters, digits, spaces, '_', '-' and '.'"
        return f"expected a name of {kinds} (at most 100), found {shown(name)}; rename it"
    if re.search(r"\.ipynb(\.|$)", name, re.IGNORECASE):
        return f"{name!r} is a notebook's name; only the assignment's own notebook is run, and needs no entry here"
    if name.lower() in _TAKEN or name.lower().startswith(_OURS) or name.lower().endswith((".pyc", ".pth")):
        return f"{name!r} is taken by nbgrader, Python or autograder; give the file another name"
    return ""


def _module_problem(name: str) -> str:
    """What is wrong with the name of a file that would be imported, if it is one."""
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
