"""What commands print as JSON, as schemas made of the classes whose data it is."""

from __future__ import annotations

import inspect
import re
from typing import Any

from pydantic import TypeAdapter

from autograder.authoring import Finding, Imported
from autograder.authoring.audit.auditing import Equivalent, Tried
from autograder.authoring.audit.page import RowCount
from autograder.grading import Report
from autograder.operations import CheckedHandIn
from autograder.operations.one_notebook import VERSION
from autograder.reports import Chapter

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_POINTS = {"anyOf": [{"type": "number"}, {"type": "null"}]}


def schemas() -> dict[str, dict[str, Any]]:
    """By command: the schema of what it prints."""
    report = _definitions(Report)
    _change(report["CheckResult"], "cause", reason=_text("What went wrong, in sentences for the student."))
    _change(report["RowResult"], score=_POINTS)
    _change(report["Report"], score=_POINTS, max_score={"type": "number"})
    report["CheckedHandIn"] = _checked(report["Report"]["properties"])
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
        "check": _schema(_to("CheckedHandIn"), report),
        "grade": _schema(_list_of("Result"), of_class),
        "history": _schema(_list_of("Chapter"), _history()),
        "explain": _schema(_to("Explanation"), _explanation(report)),
        "lint": _schema(_list_of("Finding"), _definitions(Finding)),
        "audit": _schema({"anyOf": [_to("Audit"), _list_of("Audit")]}, _audit()),
        "import": _schema(_list_of("Imported"), _definitions(Imported)),
    }


def _checked(report: dict[str, Any]) -> dict[str, Any]:
    """A report's keys, and what came of the hand-in as a whole."""
    own = dict(_definitions(CheckedHandIn)["CheckedHandIn"]["properties"])
    del own["report"]
    version = {"const": VERSION, "description": "Another number where a key goes or changes its sense."}
    said = inspect.getdoc(CheckedHandIn.reached)
    return _object({"version": version} | own | {"reached": _or_null("boolean", str(said))} | report)


def _history() -> dict[str, dict[str, Any]]:
    made = _definitions(Chapter)
    grade = made["Chapter"]["properties"]["grade"]
    _change(made["Chapter"], "grade", standing=grade)
    moment = "When it was submitted, with its zone; null where unknown."
    _change(made["HeldGrade"], timestamp=_or_null("string", moment))
    return made


def _explanation(report: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    events = {"type": "array", "items": {"type": "object"}, "description": "Calls and comparisons, in their order."}
    explained = _object(report["CheckResult"]["properties"] | {"events": events})
    whole = {
        "for": _text("Whom it is for: instructors alone."),
        "student": _or_null("string", "The student's id."),
        "assignment": _text("The assignment's name."),
        "row": _to("RowResult"),
        "stored": {"anyOf": [_to("RowResult"), {"type": "null"}], "description": "What the stored grade says of it."},
        "differences": {"type": "array", "items": {"type": "string"}},
        "checks": _list_of("ExplainedCheck"),
    }
    return report | {"ExplainedCheck": explained, "Explanation": _object(whole)}


def _audit() -> dict[str, dict[str, Any]]:
    counts = _definitions(RowCount) | _definitions(Equivalent)
    tried = _definitions(Tried)
    mutant, outcome = tried["Mutant"]["properties"], tried["Tried"]["properties"]
    kept = {name: each for name, each in mutant.items() if name not in ("cell", "right")}
    counts["Mutant"] = _object(
        kept
        | {name: outcome[name] for name in ("status", "lost", "spills", "reason")}
        | {"diff": _text("The lines that are changed, with those around them.")}
    )
    lost = {"type": "object", "additionalProperties": {"type": "string"}, "description": "By row: what was said."}
    whole = {
        "assignment": _text("The assignment's name."),
        "passed": {"type": "boolean", "description": "Whether nothing is left to look at."},
        "whole": {"type": "boolean", "description": "Whether every row and every mutant was tried."},
        "rows": _list_of("RowCount"),
        "total": _to("RowCount"),
        "mutants": _list_of("Mutant"),
        "right_answers": {"type": "array", "items": _object({"name": _text("Its name."), "lost": lost})},
        "stale": _list_of("Equivalent"),
    }
    return counts | {"Audit": _object(whole)}


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


def _or_null(kind: str, description: str) -> dict[str, Any]:
    return {"anyOf": [{"type": kind}, {"type": "null"}], "description": description}


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
