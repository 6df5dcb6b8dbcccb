"""What a grade was made of and by: plain names and values, whose digest tells whether grading again could differ."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import autograder
from autograder.course import AUTHORS_OWN, Assignment
from autograder.grading.report import joint_digest
from autograder.submission import HandIn

ROOMS = ("base", "course", "submission", "sandbox", "checking", "grading")
"""The folders of this package in which a grade is decided; what the others do comes before a grade or after it."""


def assignment_digest(assignment: Assignment) -> str:
    """SHA-256, in hex, over what decides a grade besides the submission and the environment.

    The name (inputs are drawn from it), seed, inputs, limits, allowed imports, names of files and whether test cells
    are all or nothing; the bytes of the master, of what its test cells may import or read beside it, the release and
    the files that the course gives; the relative names and bytes of all files of the checks and the solutions. Caches
    and hidden files count for nothing, and neither do ``AUTHORS_OWN`` files of the solutions.
    """
    digest = hashlib.sha256()

    def add(label: str, content: bytes) -> None:
        for part in (label.encode(), content):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)

    decisive = [
        assignment.name,
        assignment.seed,
        assignment.inputs,
        asdict(assignment.limits),
        sorted(assignment.allowed_imports),
        assignment.files,
        assignment.partial,
    ]
    add("settings", json.dumps(decisive, sort_keys=True).encode())
    for label, notebook in (("master", assignment.master), ("release", assignment.release)):
        if notebook.is_file():
            add(label, notebook.read_bytes())
    for path in helpers_beside(assignment):
        add(f"beside/{path.name}", path.read_bytes())
    for given, path in assignment.given.items():
        if path.is_file():
            add(f"files/{given}", path.read_bytes())
    for label, folder in (("checks", assignment.checks), ("solutions", assignment.solutions)):
        for name, path in sorted((path.relative_to(folder), path) for path in decisive_files(folder)):
            if folder != assignment.solutions or name.as_posix() not in AUTHORS_OWN:
                add(f"{label}/{name.as_posix()}", path.read_bytes())
    return digest.hexdigest()


def helpers_beside(assignment: Assignment) -> list[Path]:
    """What its test cells may import or read beside the master: Python files, and files that the master names."""
    if not assignment.master.is_file():
        return []
    text = assignment.master.read_bytes()
    beside = [path for path in sorted(assignment.master.parent.iterdir()) if path.is_file() and path.name[0] != "."]
    return [
        path
        for path in beside
        if path.name not in assignment.given
        and path.suffix != ".ipynb"
        and (path.suffix == ".py" or path.name.encode() in text)
    ]


def decisive_files(folder: Path) -> Iterator[Path]:
    """The files of a folder and of those that it links to, which Python imports from like from any other."""
    for base, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        yield from (Path(base, name) for name in names if not name.startswith(".") and Path(base, name).is_file())


_SOURCES = frozenset({".py", ".json", ".ini"})

Provenance = Callable[[str, str | None], dict[str, str]]
"""Everything that decides a grade, by name, given the submission's digest and the student's id."""


def provenance_for(assignment: Assignment, sandbox: str) -> Provenance:
    """What decides the grades of an assignment, as its files are now, in a sandbox of this kind.

    Returns:
        A function that gives for a submission its own digest, the assignment's, the student whose inputs are drawn
        (empty where all get the same), the sandbox, the versions of this package, Python, NumPy and the other
        distributions, and the digest of this package's own source. ``digest_of`` makes one digest of these.
    """
    decides = assignment_digest(assignment)

    def provenance(submission: str, student: str | None) -> dict[str, str]:
        inputs = assignment.inputs_of(student)
        own = {"submission": submission, "assignment": decides, "inputs": inputs, "sandbox": sandbox}
        return {**own, **environment(assignment.allowed_imports)}

    return provenance


def wanted_digests(assignment: Assignment, sandbox: str) -> Callable[[HandIn], str]:
    """What gives the digest that the grade of a hand-in has where nothing that decides it has changed."""
    provenances = [provenance_for(each, sandbox) for each in assignment.notebooks]

    def wanted(hand_in: HandIn) -> str:
        pairs = zip(provenances, hand_in.notebooks, strict=True)
        return joint_digest([digest_of(of(each.digest, hand_in.student)) for of, each in pairs])

    return wanted


def digest_of(provenance: Mapping[str, str]) -> str:
    """SHA-256, in hex, of a provenance as compact JSON with sorted keys."""
    text = json.dumps(dict(provenance), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def source_digest() -> str:
    """SHA-256, in hex, of the names and bytes of this package's files that decide a grade; read once a process."""
    root = Path(autograder.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for room in ROOMS for path in decisive_files(root / room)):
        if path.suffix not in _SOURCES:
            continue  # a template or a style sheet
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


@functools.cache
def environment(allowed: tuple[str, ...]) -> dict[str, str]:
    """What of this machine decides a grade, by name: versions, and the digest of this package's source."""
    names = sorted({"numpy", "scipy", "ipython", *allowed})
    return {
        "autograder": autograder.__version__,
        "source": source_digest(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in names},
    }
