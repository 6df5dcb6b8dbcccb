"""The reference's pages that are made from the code: every command from its own help, every key from its schema."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import json_schemas
import typer
import typer.main

from autograder.cli import app
from autograder.course.config import Attempts, LatePolicy, Limits
from autograder.course.entries import ActivityEntry, AssignmentEntry, CourseEntry, MeetingEntry

_KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "date": "a day, such as 2026-12-14",
    "datetime": "a local date and time, such as 2026-12-07 09:00",
    "time": "a time of the day, such as 19:00",
    "Path": "a path",
    "ZoneInfo": "a zone of the tz database, such as Europe/Berlin",
}


def write(folder: Path) -> None:
    """Write the pages into a folder."""
    folder.mkdir(exist_ok=True)
    for name, text in (("commands", commands()), ("configuration", configuration()), ("json", json_page())):
        path = folder / f"{name}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def commands() -> str:
    """Every command: what it does, its arguments and its options, in its own words."""
    group: Any = typer.main.get_command(app)
    parts = ["# Commands", "What `autograder COMMAND --help` says."]
    for name, command in _commands_of(group):
        if command.hidden:
            continue  # what our own scripts run, and no person
        context = typer.Context(command, info_name=f"autograder {name}")
        usage = command.get_usage(context).removeprefix("Usage: ")
        parts += [f"## {name}", _paragraphs(command.help or ""), f"```text\n{usage}\n```"]
        rows = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
        lines = [f"| `{re.sub(r' <[^>]*>', '', key)}` | {_cell(said)} |" for key, said in rows]
        parts.append("\n".join(["| | |", "| --- | --- |", *lines]))
    return "\n\n".join(parts) + "\n"


def _commands_of(group: Any) -> Iterator[tuple[str, Any]]:
    """Every command with what is typed for it, those of a group of commands in its place."""
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from ((f"{name} {inner}", each) for inner, each in _commands_of(command))
        else:
            yield name, command


def _paragraphs(text: str) -> str:
    return re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(text))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|").replace("<", "&lt;")


def configuration() -> str:
    """Every key of gradebook_config.yaml: what it takes and what holds without it, as the reader of the file has it."""
    parts = [
        "# gradebook_config.yaml",
        "Every key, what it takes, and what holds where it is left out. What each is for stands in the file itself, as "
        "`autograder init` writes it, and in [A course and its assignments](../course.md#gradebook_config-yaml).",
    ]
    sections = [
        ("The course", CourseEntry),
        ("An assignment: `assignments: {NAME: …}`", AssignmentEntry),
        ("`late`", LatePolicy),
        ("`attempts`", Attempts),
        ("`limits`", Limits),
        ("One of `activities`", ActivityEntry),
        ("One of `sessions`", MeetingEntry),
    ]
    for title, of in sections:
        told = json_schemas.attributes_in(of.__doc__ or "")
        hints = get_type_hints(of, localns={"ConfigDict": Any}, include_extras=True)
        rows = []
        for each in dataclasses.fields(of):
            cells = f"`{each.name}`", _cell(_kind(hints[each.name])), _default(each), _cell(told.get(each.name, ""))
            rows.append(f"| {' | '.join(cells)} |")
        head = ["| key | takes | without it | |", "| --- | --- | --- | --- |"]
        parts += [f"## {title}", "\n".join([*head, *rows])]
    return "\n\n".join(parts) + "\n"


def _kind(hint: Any) -> str:
    """What a key takes, in words."""
    metadata = getattr(hint, "__metadata__", ())
    if metadata:
        bounds = [
            f"{words} {getattr(each, key):g}"
            for each in metadata
            for key, words in (("ge", "at least"), ("gt", "above"), ("le", "at most"))
            if hasattr(each, key)
        ]
        kind = _kind(hint.__origin__)
        return f"{kind}, {', '.join(bounds)}" if bounds else kind
    if (origin := getattr(hint, "__origin__", None)) is not None or get_args(hint):
        arguments = [each for each in get_args(hint) if each not in (type(None), ...)]
        if all(isinstance(each, str) for each in arguments):
            return " or ".join(arguments)
        if origin is dict:
            return f"by name: {_kind(arguments[1])}"
        if origin in (tuple, list, frozenset, set):
            return f"a list: {_kind(arguments[0])}"
        return " or ".join(map(_kind, arguments))
    return _KINDS.get(getattr(hint, "__name__", ""), "keys of its own, below")


def _default(key: Any) -> str:
    if key.default_factory is not dataclasses.MISSING:
        made = key.default_factory()
        return "none" if not made or isinstance(made, dict | tuple | frozenset) else "its own"
    if key.default is dataclasses.MISSING:
        return "has to be there"
    if key.default in ("", None, ()) or key.default == frozenset():
        return "none"
    value = str(key.default).lower() if isinstance(key.default, bool) else key.default
    return f"`{value}`"


# What --json prints


def json_page() -> str:
    """The JSON Schema of what commands print with ``--json``."""
    parts = [
        "# JSON",
        "What these commands print with `--json`, as [JSON Schema](https://json-schema.org/), draft 2020-12. Every key "
        "is always there.",
    ]
    for command, schema in json_schemas.schemas().items():
        text = json.dumps(schema, indent=1, ensure_ascii=False)
        parts += [f"## {command}", f"```json\n{text}\n```"]
    return "\n\n".join(parts) + "\n"
