"""Mutants that are right answers after all: listed with a reason in ``equivalent.yaml`` beside the reference.

An entry names a mutant by its function, the line that is changed and what stands in its place, never by a number, so it
stays true while the notebook changes around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from autograder.authoring.own_lists import beside_reference
from autograder.base import ConfigError
from autograder.course import Assignment

EQUIVALENT = "equivalent.yaml"
"""Beside the reference; ``.NOTEBOOK.equivalent.yaml`` beside the master, where that is its own reference."""

_KEYS = {"function", "line", "becomes", "reason"}


@dataclass(frozen=True)
class Equivalent:
    """A mutant that computes what is asked for.

    Attributes:
        function: The function that is changed.
        line: The line that is changed, as the audit shows it.
        becomes: What stands in its place.
        reason: Why that is right.
    """

    function: str
    line: str
    becomes: str
    reason: str


def read_equivalents(assignment: Assignment) -> tuple[Equivalent, ...]:
    """The entries of the assignment's list, one for each mutant; none where there is no list.

    Raises:
        ConfigError: The list has a mistake.
    """
    path = beside_reference(assignment, EQUIVALENT)
    if not path.is_file():
        return ()
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no YAML: {error}") from error
    if not isinstance(entries, list):
        raise ConfigError(f"{path}: expected a list of entries with the keys {', '.join(sorted(_KEYS))}")
    return tuple(each for number, entry in enumerate(entries, 1) for each in _entry(entry, f"{path}, entry {number}"))


def equivalent_to(function: str, before: str, after: str, entries: Sequence[Equivalent]) -> Equivalent | None:
    """The entry for a mutant, or None. Spaces make no difference."""
    wanted = function, _squeezed(before), _squeezed(after)
    for entry in entries:
        if wanted == (entry.function, _squeezed(entry.line), _squeezed(entry.becomes)):
            return entry
    return None


def _entry(entry: Any, place: str) -> list[Equivalent]:
    if not isinstance(entry, dict) or entry.keys() != _KEYS:
        raise ConfigError(f"{place}: expected the keys {', '.join(sorted(_KEYS))}")
    becomes = entry["becomes"] if isinstance(entry["becomes"], list) else [entry["becomes"]]
    texts = [entry["function"], entry["line"], entry["reason"], *becomes]
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise ConfigError(f"{place}: expected text for each key, and for `becomes` text or a list of it")
    reason = " ".join(entry["reason"].split())
    return [Equivalent(entry["function"], entry["line"], each, reason) for each in becomes]


def _squeezed(text: str) -> str:
    return "".join(text.split())
