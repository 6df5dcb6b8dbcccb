"""gradebook_config.yaml with one more assignment: its comments and everything else in it stay to the byte."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from autograder.base import ConfigError

Entry = Mapping[str, str | Sequence[str]]
"""What the configuration says of an assignment: by key, a text as YAML has it, or a list of names."""

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_STEP = "  "


def with_entries(path: Path, text: str, entries: Mapping[str, Entry]) -> str:
    """The text of a configuration with these assignments added at the end of those that it has.

    Args:
        path: The file, for messages.
        text: Its text, which is YAML.
        entries: What to add, by the assignment's name; none of them is there yet.

    Raises:
        ConfigError: The text is written in a way that cannot be added to; the message says what to add by hand.
    """
    if not entries:
        return text
    try:
        added = _added(text, entries)
        fits = _tree(added) == _expected(_tree(text), entries)
    except (yaml.YAMLError, ValueError, AttributeError, RecursionError):
        fits = False
    if not fits:
        block = "\n".join(["assignments:", *_block(entries, _STEP)])
        raise ConfigError(
            f"{path} is written in a way that nothing can be added to by itself, and nothing was written; add this by "
            f"hand and try again:\n{block}"
        )
    return added


def _added(text: str, entries: Mapping[str, Entry]) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    found = (
        [pair for pair in node.value if pair[0].value == "assignments"] if isinstance(node, yaml.MappingNode) else []
    )
    if not found:
        before = text if not text or text.endswith("\n") else text + newline
        return before + newline.join(["assignments:", *_block(entries, _STEP), ""])
    key, value = found[0]
    if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
        column = value.value[0][0].start_mark.column
        last = _last_line(value.value[-1][1] if value.value[-1][1].value else value.value[-1][0])
        return _after_line(text, last, column, _block(entries, " " * column), newline)
    if isinstance(value, yaml.MappingNode) and value.value:
        end = value.end_mark.index - 1
        before = text[:end].rstrip()
        flow = ", ".join(_flow(name, entry) for name, entry in entries.items())
        return f"{before}{'' if before.endswith(',') else ','} {flow}{text[end:]}"
    if not isinstance(value, yaml.MappingNode) and not value.tag.endswith(":null"):
        raise ValueError("the assignments are no keys with values")
    # `assignments:`, `assignments: {}` or `assignments: null`
    cut = text[: value.start_mark.index].rstrip(" ") if value.end_mark.index > value.start_mark.index else ""
    if cut:
        text = cut + text[value.end_mark.index :]
    column = key.start_mark.column + len(_STEP)
    return _after_line(text, key.start_mark.line, column, _block(entries, " " * column), newline)


def _after_line(text: str, line: int, column: int, block: list[str], newline: str) -> str:
    """The text with lines added behind a line, and behind the comments after it that stand as far in as an entry's."""
    lines = text.splitlines(keepends=True)
    place = line + 1
    for number in range(place, len(lines)):
        bare = lines[number].lstrip(" ")
        if not bare.startswith("#") or len(lines[number]) - len(bare) <= column:
            break
        place = number + 1
    if place and not lines[place - 1].endswith("\n"):
        lines[place - 1] += newline
    return "".join([*lines[:place], *(each + newline for each in block), *lines[place:]])


def _last_line(node: yaml.Node) -> int:
    """The last line, from 0, that something of a node stands on."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return max(_last_line(each) for each in (last if isinstance(last, tuple) else (last,)))
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return max(node.start_mark.line, int(node.end_mark.line) - 1)
    if isinstance(node, yaml.ScalarNode) and not node.value:
        return int(node.start_mark.line)
    return int(node.end_mark.line)


def _block(entries: Mapping[str, Entry], indent: str) -> list[str]:
    found = []
    for name, entry in entries.items():
        said = [f"{indent}{_STEP}{key}: {_value(value)}" for key, value in entry.items() if value]
        found += [f"{indent}{_word(name)}:{'' if said else ' {}'}", *said]
    return found


def _flow(name: str, entry: Entry) -> str:
    inside = ", ".join(
        f"{key}: {_word(value) if isinstance(value, str) else _value(value)}" for key, value in entry.items() if value
    )
    return f"{_word(name)}: {{{inside}}}"


def _value(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else f"[{', '.join(map(_word, value))}]"


def _word(text: str) -> str:
    """A name as YAML reads it: in quotes where it would be something else without."""
    plain = _PLAIN.fullmatch(text) and isinstance(yaml.safe_load(text), str)
    return text if plain else quoted(text)


def quoted(text: str) -> str:
    """A text in YAML's double quotes, on one line."""
    written: str = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10**6)
    return written.strip()


def _tree(text: str) -> Any:
    return yaml.load(text, Loader=yaml.BaseLoader)


def _expected(tree: Any, entries: Mapping[str, Entry]) -> Any:
    known = tree.get("assignments") if isinstance(tree, dict) else None
    known = known if isinstance(known, dict) else {}
    new = {
        name: {key: value if isinstance(value, str) else list(value) for key, value in entry.items() if value}
        for name, entry in entries.items()
    }
    return tree | {"assignments": known | new}
