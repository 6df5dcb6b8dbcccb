"""What a grade was made of and by: plain names and values, whose digest tells whether grading again could differ."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from pathlib import Path

import autograder

_DECIDES_NOTHING = frozenset(
    {
        "attempts.py",
        "audit",
        "checks",
        "classreport",
        "cli.py",
        "collecting.py",
        "demo.py",
        "doctor.py",
        "exchange.py",
        "explain.py",
        "export.py",
        "feedback.py",
        "fleet.py",
        "gradebook",
        "history.py",
        "lab.py",
        "lateness.py",
        "lms.py",
        "mistakes.py",
        "nbgrader_plugins.py",
        "overview.py",
        "proving.py",
        "quiz.py",
        "recording.py",
        "release.py",
        "remote.py",
        "reproduce.py",
        "run.py",
        "templates",
        "terminal.py",
        "travel.py",
        "visibility.py",
        "watch.py",
        "webpage.py",
    }
)
"""Parts of the package that come after a grade or before it; the checks belong to the course's own digest."""


def provenance(submission: str, assignment: str, allowed: tuple[str, ...], sandbox: str, inputs: str) -> dict[str, str]:
    """Everything that decides a grade, by name.

    Args:
        submission: The submission's digest.
        assignment: The assignment's digest (``assignment_digest``).
        allowed: The distributions that the submission may import.
        sandbox: What it runs in.
        inputs: The student whose inputs were drawn; empty where all get the same.

    Returns:
        These, the versions of this package, Python, NumPy and the other distributions, and the digest of this
        package's own source.
    """
    decides = {"submission": submission, "assignment": assignment, "inputs": inputs, "sandbox": sandbox}
    return {**decides, **environment(allowed)}


def digest_of(provenance: Mapping[str, str]) -> str:
    """SHA-256, in hex, of a provenance as compact JSON with sorted keys."""
    text = json.dumps(dict(provenance), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def source_digest() -> str:
    """SHA-256, in hex, of the names and bytes of this package's files that decide a grade; read once a process."""
    root = Path(autograder.__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*root.rglob("*.py"), *root.glob("*.ini")]):
        place = path.relative_to(root)
        if place.parts[0] not in _DECIDES_NOTHING:
            content = path.read_bytes()
            digest.update(f"{place.as_posix()}\0{len(content)}\0".encode() + content)
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
