"""What commands print as JSON, as schemas made of the classes whose data it is."""

from __future__ import annotations

import inspect
import re
from typing import Any

from pydantic import TypeAdapter

from autograder.authoring import Finding, Imported
from autograder.grading import Report

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_POINTS = {"anyOf": [{"type": "number"}, {"type": "null"}]}


def schemas() -> dict[str, dict[str, Any]]:
    """By command: the schema of what it prints."""
    report = _definitions(Report)
    _change(report["CheckResult"], "cause", reason=_text("What went wrong, in sentences for the student."))
    _change(report["RowResult"], score=_POINTS)
    _change(report["Report"], score=_POINTS, max_score={"type": "number"})
    of_class = {name: each for name, each in report.items() if name != "CellRun"}
    of_class["Report"] = _object({k: v for k, v in report["Report"]["properties"].items() if k != "cells"})
    of_class["Result"] = _object(
        {
            "student": _text("The student's id."),
            "status": {"enum": ["graded", "kept", "refused", "failed"]},
            "why": _text("Why it was refused or failed, or a note on it."),
            "late_penalty": {"type": "number", "description": "Points that lateness costs."},
            "report": {"anyOf": [_to("Report"), {"type": "null"}]},
        }
    )
    return {
        "check": _schema(_to("Report"), report),
        "grade": _schema(_list_of("Result"), of_class),
        "lint": _schema(_list_of("Finding"), _definitions(Finding)),
        "import": _schema(_list_of("Imported"), _definitions(Imported)),
    }


def attributes_in(docstring: str) -> dict[str, str]:
    """What a class's docstring says of its attributes."""
    text = inspect.cleandoc(docstring).partition("Attributes:")[2]
    found = re.findall(r"(?m)^ {4}(\w+): (.*(?:\n {8}.*)*)", text)
    return {name: " ".join(said.split()) for name, said in found}


def _definitions(of: type) -> dict[str, Any]:
    """The schemas of a class and of the classes that are in it, by name: every key there, and no other."""
    made = TypeAdapter(list[of]).json_schema()["$defs"]  # type: ignore[valid-type]
    for each in made.values():
        told = attributes_in(each.pop("description", ""))
        for name, schema in each["properties"].items():
            schema.pop("title", None)
            schema.pop("default", None)
            if name in told:
                schema["description"] = told[name]
        each.update(_object(each["properties"]))
        each.pop("title", None)
    return dict(made)


def _change(schema: dict[str, Any], without: str = "", **more: dict[str, Any]) -> None:
    """Take a key out of an object's schema, and put others in."""
    kept = {name: each for name, each in schema["properties"].items() if name != without}
    schema.update(_object(kept | more))


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _to(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _list_of(name: str) -> dict[str, Any]:
    return {"type": "array", "items": _to(name)}


def _schema(of: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A whole schema, with those definitions that it comes to."""
    needed, waiting = set[str](), [of]
    while waiting:
        for name in re.findall(r"#/\$defs/(\w+)", str(waiting.pop())):
            if name not in needed:
                needed.add(name)
                waiting.append(definitions[name])
    return {"$schema": _DIALECT, **of, "$defs": {name: definitions[name] for name in sorted(needed)}}
