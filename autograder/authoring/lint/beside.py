"""Rules about what lies in a course's folders beside its masters: files that give away, or that nothing grades."""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

from autograder.authoring.giveaways import TELLING_LENGTH, expressions, secrets_of
from autograder.authoring.lint.finding import Finding, Master
from autograder.course import CONFIG_NAME, Assignment, Course, MasterCell, master_cells
from autograder.operations import NBGRADER_CONFIG

_COMPANIONS = frozenset({".py", ".ipynb", ".html"})


def companions(course: Course, assignment: Assignment, masters: tuple[Master, ...]) -> Iterator[Finding]:
    """Files beside the masters, which are released along, that hold a solution."""
    secrets = dict(secrets_of(assignment))
    graded = {each.folder / Path(each.file).name for each in masters}
    for path in _files(assignment.master.parent):
        if path.suffix not in _COMPANIONS or path in graded:
            continue
        file = path.relative_to(course.root).as_posix()
        for cell, text, is_code in _released(path):
            lines, squeezed = expressions(text) if is_code else {}, "".join(text.split())
            for secret, origin in secrets.items():
                if secret in lines or (len(secret) >= TELLING_LENGTH and secret in squeezed):
                    yield Finding(
                        "mistake",
                        file,
                        cell.number if cell else 0,
                        cell.grade_id if cell else "",
                        lines.get(secret, 0),
                        f"students get this file along with the release, and it gives away {origin}; move it out of "
                        f"{assignment.master.parent.relative_to(course.root).as_posix()}",
                    )
                    break


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in parts):
            yield path


def _released(path: Path) -> Iterator[tuple[MasterCell | None, str, bool]]:
    """The texts of a file that students get, each with its cell, and whether it is code."""
    try:
        if path.suffix == ".ipynb":
            yield from ((cell, cell.source, cell.kind == "code") for cell in master_cells(path) if not cell.solution)
            return
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return
    if path.suffix == ".html":
        text = html.unescape(re.sub(r"<[^>]*>", "", text))
    yield None, text, path.suffix == ".py"


def nothing_grades(course: Course, assignment: Assignment, masters: tuple[Master, ...]) -> Iterator[Finding]:
    """Notebooks with graded cells that are none of the assignment's."""
    graded = {each.folder / Path(each.file).name for each in masters}
    for path in _files(assignment.master.parent):
        if path.suffix != ".ipynb" or path in graded:
            continue
        try:
            cells = [cell for cell in master_cells(path) if cell.grade or cell.task]
        except (OSError, ValueError):
            continue
        if cells:
            why = (
                f"the key `notebook` names {assignment.master.name} alone; take the key away"
                if path.parent == assignment.master.parent
                else f"it lies in a folder of its own; move it beside {assignment.master.name}"
            )
            text = f"nothing grades this notebook's {len(cells)} graded cells: {why}, or take the notebook away"
            yield Finding("warning", path.relative_to(course.root).as_posix(), 0, "", 0, text)


def configurations(course: Course) -> Iterator[Finding]:
    """Whether nbgrader is configured, and for this course, and whether another course is in the folder."""
    path = course.root / NBGRADER_CONFIG
    if not path.is_file():
        text = (
            "is missing, so nbgrader's own commands and the formgrader would run submissions themselves, outside any "
            "sandbox; `autograder lab` writes it"
        )
        yield Finding("warning", NBGRADER_CONFIG, 0, "", 0, text)
    for file, name, line in _course_ids(course.root):
        if name != course.name:
            text = (
                f"the course_id here is {name!r}, and the course's name in {CONFIG_NAME} is {course.name!r}: nbgrader "
                "would work on another course's exchange; take this one away"
            )
            yield Finding("mistake", file, 0, "", line, text)
    for pattern in ("gradebook_config*.yaml", "gradebook_config*.yml"):
        for other in sorted(course.root.glob(pattern)):
            if other.name != CONFIG_NAME:
                text = f"only {CONFIG_NAME} is read; a second course has a folder of its own, so move this file there"
                yield Finding("warning", other.name, 0, "", 0, text)


def _course_ids(root: Path) -> Iterator[tuple[str, str, int]]:
    """The course ids that nbgrader's configuration writes down: the file, the id, the line."""
    try:
        tree = ast.parse((root / NBGRADER_CONFIG).read_bytes())
    except (OSError, SyntaxError, ValueError):
        tree = ast.Module([], [])
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Attribute(attr="course_id")], value=ast.Constant(value=str(name))):
                yield NBGRADER_CONFIG, name, node.lineno
    path = (root / NBGRADER_CONFIG).with_suffix(".json")
    try:
        settings = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return
    for section in settings.values() if isinstance(settings, dict) else ():
        said = section.get("course_id") if isinstance(section, dict) else None
        if isinstance(said, str):
            yield path.name, said, 0


OF_ASSIGNMENTS = (companions, nothing_grades)
OF_COURSES = (configurations,)
