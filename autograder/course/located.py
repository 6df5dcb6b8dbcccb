"""A configuration as a tree that knows its lines, and the problems found in it, each with its place."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from autograder.base import ConfigError, shown

MOST_DIGITS = 100
"""Of a number: more than anything here takes, and fewer than Python refuses to print."""

KeyPath = tuple[str | int, ...]
"""Where a value stands in the configuration: ``("assignments", "week2", "due")``."""


@dataclass
class Located:
    """A YAML file as plain data, the line of each key in it, and the problems found so far.

    ``as_written`` are the places of names and ids, with ``*`` for any key or number: YAML takes 0123 for the number 83,
    ``no`` for false and 1e3 for 1000, and a student who is called so means none of these.
    """

    path: Path
    as_written: frozenset[tuple[str, ...]] = frozenset()
    tree: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[tuple[str, int, str]] = field(default_factory=list)

    def blame(self, where: KeyPath, message: str) -> None:
        """Note a problem at that key, or at the nearest one around it."""
        known = where
        while known and known not in self.lines:
            known = known[:-1]
        line = self.lines.get(known, 1)
        place = ".".join(str(part) for part in where)
        self.problems.append((self.path.name, line, f"{place}: {message}" if place else message))

    def get(self, *where: str) -> Any:
        """The value at that key, or None where there is none."""
        value = self.tree
        for part in where:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def mappings(self, key: str) -> dict[str, dict[str, Any]]:
        """What stands under a key, as far as it is keys with values, by name."""
        entries = self.get(key)
        found = entries.items() if isinstance(entries, dict) else ()
        return {name: each for name, each in found if isinstance(each, dict)}

    def error(self) -> ConfigError:
        """All problems in one error, a line each, in the order of the files' lines."""
        ours = self.path.name
        ordered = sorted(dict.fromkeys(self.problems), key=lambda problem: (problem[0] != ours, problem[0], problem[1]))
        texts = [
            f"{self.path.parent / file}, {'line' if file == ours else 'cell'} {at}, {text}"
            if at
            else f"{self.path.parent / file}: {text}"
            for file, at, text in ordered
        ]
        message = texts[0] if len(texts) == 1 else f"{len(texts)} mistakes:\n" + "\n".join(texts)
        return ConfigError(message, ordered)


def read_located(path: Path, as_written: Collection[tuple[str, ...]] = ()) -> Located:
    """The configuration as a tree; where it is no YAML at all, the ConfigError is raised at once.

    Args:
        path: The file.
        as_written: As ``Located.as_written``.
    """
    configuration = Located(path, frozenset(as_written))
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read: {problem.strerror}") from problem
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise ConfigError(f"{path}, line {line}: this is not UTF-8; save the file as UTF-8") from problem
    for number, content in enumerate(text.splitlines(), start=1):
        indentation = content[: len(content) - len(content.lstrip())]
        if "\t" in indentation and content.strip() and not content.lstrip().startswith("#"):
            raise ConfigError(f"{path}, line {number}: indented with a tab; YAML takes spaces alone")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}" if mark else f"{path}"
        what = getattr(problem, "problem", None) or str(problem)
        raise ConfigError(f"{place}: this is not YAML: {' '.join(what.split())}") from problem
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path}: expected keys with values, such as `name: Deep Learning`; see docs/course.md")
    configuration.tree = _plain(node, (), configuration, ())
    return configuration


def _plain(node: yaml.Node, where: KeyPath, configuration: Located, around: tuple[yaml.Node, ...]) -> Any:
    """The node as plain data; numbers and booleans as YAML means them, dates, names and everything else as text."""
    if node in around or len(configuration.lines) > 10_000:
        configuration.blame(where, "an alias that holds itself, or far too many keys")
        return None
    inside = (*around, node)
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            configuration.lines[(*where, index)] = item.start_mark.line + 1
            items.append(_plain(item, (*where, index), configuration, inside))
        return items
    if isinstance(node, yaml.MappingNode):
        tree: dict[str, Any] = {}
        for key, value in node.value:
            at = (*where, str(key.value) if isinstance(key, yaml.ScalarNode) else "?")
            first = configuration.lines.get(at)
            configuration.lines[at] = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
                configuration.blame(at, "expected a plain key")
            elif key.value in tree:
                configuration.blame(at, f"this key stands here twice; the first is on line {first}")
            else:
                tree[key.value] = _plain(value, at, configuration, inside)
        return tree
    return _scalar(node, where, configuration) if isinstance(node, yaml.ScalarNode) else None


def _is_name(where: KeyPath, patterns: Collection[tuple[str, ...]]) -> bool:
    """Whether a name or an id stands there."""
    place = tuple(str(part) for part in where)
    return any(
        len(pattern) == len(place) and all(a in ("*", b) for a, b in zip(pattern, place, strict=True))
        for pattern in patterns
    )


def _scalar(node: yaml.ScalarNode, where: KeyPath, configuration: Located) -> Any:
    kind, text = node.tag.rpartition(":")[2], str(node.value)
    if "\0" in text:
        configuration.blame(where, f"a NUL character, which no name or text has, stands in {shown(text)}")
        return None
    if _is_name(where, configuration.as_written) and (kind != "null" or (text and isinstance(where[-1], int))):
        return text
    # YAML 1.1 reads 23:59 as a number to the base 60, which nobody means.
    if kind in ("str", "timestamp", "value") or (kind in ("int", "float") and ":" in text):
        return text
    if kind in ("int", "float") and len(text) > MOST_DIGITS:
        configuration.blame(where, f"expected a number of at most {MOST_DIGITS} digits, found {shown(text)}")
        return None
    constructor = yaml.constructor.SafeConstructor()
    try:
        match kind:
            case "null":
                return None
            case "bool":
                return constructor.construct_yaml_bool(node)
            case "int":
                return constructor.construct_yaml_int(node)
            case "float":
                return constructor.construct_yaml_float(node)
    except (ValueError, LookupError):
        pass
    configuration.blame(where, f"expected text, a number, true or false, found {node.tag} {shown(text)}")
    return None
