"""An assignment, a submission and its grade, packed as bytes for another machine and unpacked: plain data alone.

The other machine needs no course: ``unpacked_assignment`` writes the assignment's files into a folder, where they have
the same digest as here.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from autograder.base import AutograderError, RefusedError
from autograder.course import Assignment, LatePolicy, Limits, Row
from autograder.grading import decisive_files, helpers_beside, report_from_dict, stored_tree
from autograder.operations.graded import Graded, joined
from autograder.sandbox import wire
from autograder.submission import HandIn, Submission, read_regular

_PLAIN = ("name", "title", "notebook", "seed", "manual", "inputs", "visibility", "partial")


def packed_assignment(assignment: Assignment) -> bytes:
    """All that grading takes of an assignment: its settings, master, release, files, checks and reference.

    Due dates, penalties and the course's other assignments are left out.

    Raises:
        AutograderError: It is larger than what can be packed.
    """
    tree = _assignment_tree(assignment)
    if assignment.parts:
        tree["parts"] = [_assignment_tree(each) | {"others": each.others} for each in assignment.parts]
    try:
        return wire.encode(tree)
    except wire.WireError as error:
        raise AutograderError(f"{assignment.name} cannot travel to other machines: {error}") from error


def _assignment_tree(assignment: Assignment) -> dict[str, Any]:
    files: dict[str, bytes] = {}
    for label, folder in (
        () if assignment.parts else (("checks", assignment.checks), ("solutions", assignment.solutions))
    ):
        for path in decisive_files(folder):
            files[f"{label}/{folder.name}/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
    for label, path in () if assignment.parts else (("master", assignment.master), ("release", assignment.release)):
        files[f"{label}/{path.name}"] = path.read_bytes()
    for path in helpers_beside(assignment):
        files[f"master/{path.name}"] = path.read_bytes()
    for name, path in assignment.given.items():
        files[f"master/{name}"] = path.read_bytes()
    tree = {name: getattr(assignment, name) for name in _PLAIN}
    tree |= {
        "limits": asdict(assignment.limits),
        "allowed_imports": list(assignment.allowed_imports),
        "files": list(assignment.files),
        "groups": {name: list(members) for name, members in assignment.groups.items()},
        "rows": [asdict(row) for row in assignment.rows],
        "folders": [assignment.checks.name, assignment.solutions.name],
        "contents": files,
    }
    return tree


def unpacked_assignment(packed: bytes, folder: Path) -> Assignment:
    """The assignment, with its files in a folder below ``folder`` that is named by their digest; written once."""
    tree = wire.decode(packed)
    parts = tuple(_unpacked(each, wire.encode(each), folder) for each in tree.get("parts", ()))
    return replace(_unpacked(tree, packed, folder), parts=parts)


def _unpacked(tree: Any, packed: bytes, folder: Path) -> Assignment:
    root = folder / f"assignment-{hashlib.sha256(packed).hexdigest()[:32]}"
    if not root.exists():
        coming = root.with_name(f"{root.name}.{os.getpid()}")
        coming.mkdir(parents=True)
        for name, content in tree["contents"].items():
            path = coming / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        coming.rename(root)
    checks, solutions = tree["folders"]
    notebook = f"{tree['notebook']}.ipynb"
    return Assignment(
        **{name: tree[name] for name in _PLAIN},
        master=root / "master" / notebook,
        release=root / "release" / notebook,
        checks=root / "checks" / checks,
        solutions=root / "solutions" / solutions,
        due=None,
        late=LatePolicy(),
        limits=Limits(**tree["limits"]),
        allowed_imports=tuple(tree["allowed_imports"]),
        rows=tuple(Row(**{**row, "functions": tuple(row["functions"])}) for row in tree["rows"]),
        files=tuple(tree["files"]),
        groups={name: tuple(members) for name, members in tree["groups"].items()},
        others=tree.get("others", {}),
    )


def packed_hand_in(hand_in: HandIn, assignment: Assignment) -> bytes:
    """A submission as it was handed in, with those files beside it that the assignment knows.

    Raises:
        RefusedError: The notebook is a link, a pipe, a device or a folder, or cannot be opened.
        AutograderError: It is larger than what can be packed.
    """
    try:
        return wire.encode(_hand_in_tree(hand_in, assignment))
    except wire.WireError as error:
        raise AutograderError(f"{hand_in.student}: it cannot travel to another machine: {error}") from error


def _hand_in_tree(hand_in: HandIn, assignment: Assignment) -> dict[str, Any]:
    tree: dict[str, Any] = {"student": hand_in.student, "timestamp": hand_in.timestamp, "unread": hand_in.unread}
    tree |= {"note": hand_in.note, "missing": hand_in.missing}
    tree["parts"] = [_hand_in_tree(*both) for both in zip(hand_in.parts, assignment.parts, strict=True)]
    if hand_in.notebook is not None:
        limit = assignment.limits.notebook_mb * 2**20
        content, size = read_regular(hand_in.notebook, limit, one_name=True)
        # Those in folders are the course's own.
        plain = [name for name in assignment.files if "/" not in name]
        beside = {name: _beside(hand_in.notebook.parent / name, assignment) for name in plain}
        tree |= {"name": hand_in.notebook.name, "content": content, "size": size, "beside": beside}
    return tree


def unpacked_hand_in(packed: bytes, folder: Path) -> HandIn:
    """The submission, in an empty folder that is made anew for it."""
    return _unpacked_hand_in(wire.decode(packed), folder)


def _unpacked_hand_in(tree: Any, folder: Path) -> HandIn:
    parts = tuple(_unpacked_hand_in(each, folder / f"{place}") for place, each in enumerate(tree["parts"]))
    if "name" not in tree:
        known = {"missing": tree["missing"], "parts": parts}
        return HandIn(tree["student"], None, tree["timestamp"], tree["unread"], **known)
    folder.mkdir(parents=True)
    notebook = folder / tree["name"]
    notebook.write_bytes(tree["content"])
    os.truncate(notebook, tree["size"])
    for name, found in tree["beside"].items():
        match found:
            case (bytes(content), int(size)):
                (folder / name).write_bytes(content)
                os.truncate(folder / name, size)
            case "link":
                (folder / name).symlink_to("nowhere")
    return HandIn(tree["student"], notebook, tree["timestamp"], tree["unread"], note=tree["note"])


def packed_grade(graded: Graded) -> bytes:
    """A submission's grade, as JSON."""
    return json.dumps(_grade_tree(graded)).encode()


def _grade_tree(graded: Graded) -> dict[str, Any]:
    tree: dict[str, Any] = {"refused": graded.refused, "trouble": graded.trouble}
    if graded.parts:
        tree["parts"] = [_grade_tree(each) for each in graded.parts]
    if graded.submission is not None and graded.report is not None:
        submission = {name: value for name, value in vars(graded.submission).items() if name != "files"}
        tree |= {"submission": submission, "report": stored_tree(graded.report)}
    return tree


def unpacked_grade(packed: bytes, hand_in: HandIn, assignment: Assignment) -> Graded:
    """The grade of a hand-in.

    Raises:
        AutograderError: The bytes are no grade, as where the other machine has another version of autograder.
    """
    try:
        tree = json.loads(packed)
        if "parts" not in tree:
            return _unpacked_grade(tree, hand_in)
        pairs = zip(tree["parts"], hand_in.parts, strict=True)
        return joined(hand_in, assignment, [_unpacked_grade(*both) for both in pairs])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AutograderError(f"what came back for {hand_in.student} is no grade: {error}") from error


def _unpacked_grade(tree: Any, hand_in: HandIn) -> Graded:
    if "report" not in tree:
        return Graded(hand_in, None, None, refused=str(tree["refused"]), trouble=str(tree["trouble"]))
    fields = tree["submission"] | {key: tuple(tree["submission"][key]) for key in ("notes", "numbers")}
    return Graded(hand_in, Submission(**fields), report_from_dict(tree["report"]))


def _beside(path: Path, assignment: Assignment) -> Any:
    """A file's bytes and size, ``"link"`` where it is no regular file, or None where there is nothing."""
    if not os.path.lexists(path):
        return None
    try:
        return read_regular(path, assignment.limits.file_mb * 2**20, one_name=True)
    except RefusedError:
        return "link"
