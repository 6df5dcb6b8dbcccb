"""The YAML in a cell of otter-assign's → settings, each with the line at which it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from autograder.authoring.importing.reading import NotConverted, mistake, read_bytes
from autograder.base import ConfigError, shown

MAX_SETTINGS = 2**20
"""Bytes of a file of settings."""

Place = tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """Keys with values.

    Attributes:
        values: What they say.
        places: Where each key stands, and each key of a mapping below it: the cell, the line there, and its lines.
        left: Lines that say nothing: comments.
    """

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Place, tuple[int, int, str]] = field(default_factory=dict)
    left: tuple[NotConverted, ...] = ()

    def line_of(self, *place: str) -> int:
        """The line of a key, or of the nearest one around it; 0 where there is none."""
        return self.at(*place)[1]

    def at(self, *place: str) -> tuple[int, int, str]:
        """The cell, the line and the text of a key, or of the nearest one around it; zeros where there is none."""
        while place and place not in self.places:
            place = place[:-1]
        return self.places.get(place, (0, 0, ""))

    def not_converted(self, why: str, *place: str) -> tuple[NotConverted, ...]:
        """A key with all of the lines below it, as not converted."""
        cell, line, text = self.at(*place)
        return tuple(
            NotConverted(cell, line + number, each, why) for number, each in enumerate(text.split("\n")) if each.strip()
        )


def read_settings(path: Path, cell: int, first: int, source: str) -> Settings:
    """The settings in a cell's text.

    Args:
        path: The notebook, or the file of settings.
        cell: The cell's number; 0 for a file.
        first: The line of the cell at which the text begins.
        source: The text.

    Raises:
        ConfigError: It is no YAML, or no keys with values.
    """

    def wrong(line: int, text: str) -> ConfigError:
        return mistake(path, text, cell=cell, line=first + line)

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(source, Loader=yaml.SafeLoader)):
            raise wrong(0, "aliases (*name) are not read here; write the value out")
        node = yaml.compose(source, Loader=yaml.SafeLoader)
        values = yaml.safe_load(source)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        said = getattr(problem, "problem", None) or str(problem)
        raise wrong(mark.line if mark else 0, f"this is no YAML: {' '.join(str(said).split())}") from problem
    except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError) as problem:
        raise wrong(0, f"this is no YAML that can be read: {problem}") from problem
    if values is None:
        values = {}
    if not isinstance(values, dict) or any(not isinstance(key, str) for key in values):
        raise wrong(0, "expected keys with values, such as `name: q1`")
    lines = source.split("\n")
    places: dict[Place, tuple[int, int, str]] = {}
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    starts = [key.start_mark.line for key, _ in pairs]
    for (key, value), end in zip(pairs, [*starts[1:], len(lines)], strict=False):
        begin = key.start_mark.line
        if key.tag.endswith(":merge") or (key.value,) in places:
            raise wrong(begin, f"expected each key once, and no merged ones, found {shown(key.value)}")
        places[(key.value,)] = cell, first + begin, "\n".join(lines[begin : max(end, begin + 1)])
        if isinstance(value, yaml.MappingNode):
            inner = [each.start_mark.line for each, _ in value.value]
            for (each, _), stop in zip(value.value, [*inner[1:], end], strict=False):
                at = each.start_mark.line
                places[key.value, str(each.value)] = cell, first + at, "\n".join(lines[at : max(stop, at + 1)])
    before = starts[0] if starts else len(lines)
    left = tuple(
        NotConverted(cell, first + number, line, "a comment among the settings")
        for number, line in enumerate(lines[:before])
        if number and line.strip()
    )
    return Settings(values, places, left)


def read_settings_file(path: Path) -> Settings:
    """The settings in a file.

    Raises:
        ConfigError: It cannot be read, is no text, no YAML, or no keys with values.
    """
    try:
        text = read_bytes(path, MAX_SETTINGS).decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise mistake(path, "is no UTF-8 text") from problem
    return read_settings(path, 0, 1, text)
