"""The house: rooms in the order of a submission's way, each with a face, and no import against that order."""

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "autograder"
ORDER = re.findall(r"(?m)^\| `(\w+)/` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
"""The rooms, as CONTRIBUTING.md lists them."""
INSIDE = PACKAGE / "sandbox" / "inside"
ALLOWED_INSIDE = {*sys.stdlib_module_names, "numpy", "IPython", "matplotlib", "traitlets"}


class Import(NamedTuple):
    """One name that a module imports: from which module, and where that stands."""

    at: str
    room: str
    module: str
    name: str


@cache
def rooms() -> set[str]:
    return {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Everything that a file consists of, as Python reads it."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imports(path: Path) -> Iterator[Import]:
    """What a file imports of this package, also within functions and for the types alone."""
    place = path.relative_to(PACKAGE)
    room = place.parts[0] if len(place.parts) > 1 else ""
    for node in nodes(path):
        at = f"{place}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            for each in node.names:
                if each.name.split(".")[0] == "autograder":
                    yield Import(at, room, each.name, "")
        elif isinstance(node, ast.ImportFrom):
            base = ["autograder", *place.parent.parts][: len(place.parts) + 1 - node.level] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            if module.split(".")[0] == "autograder":
                yield from (Import(at, room, module, each.name) for each in node.names)


@cache
def all_imports() -> list[Import]:
    return [each for path in sorted(PACKAGE.rglob("*.py")) for each in imports(path)]


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in rooms() else ""


def test_every_folder_of_the_package_is_a_room_of_the_plan() -> None:
    assert rooms() == set(ORDER)


def test_no_room_imports_from_one_below_it() -> None:
    upwards = [
        f"{each.at} imports {each.module}"
        for each in all_imports()
        if each.room and room_of(each.module) and ORDER.index(room_of(each.module)) > ORDER.index(each.room)
    ]
    assert not upwards


def test_a_room_is_entered_by_its_face() -> None:
    around = [
        f"{each.at} imports {each.name} from {each.module}"
        for each in all_imports()
        if each.room and room_of(each.module) not in ("", each.room) and each.module.count(".") > 1
    ]
    assert not around


def test_what_a_room_imports_from_another_stands_in_its_face() -> None:
    hidden = [
        f"{each.at} imports {each.name}"
        for each in all_imports()
        if each.room
        and room_of(each.module) not in ("", each.room)
        and each.name not in importlib.import_module(f"autograder.{room_of(each.module)}").__all__
    ]
    assert not hidden


@pytest.mark.parametrize("room", ORDER)
def test_the_modules_of_a_room_import_each_other_in_no_circle(room: str) -> None:
    needs: dict[str, set[str]] = {}
    for path in (PACKAGE / room).rglob("*.py"):
        module = ".".join(["autograder", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
        if path.parent.name == room and path.name == "__init__.py":
            continue  # the face imports them all
        known = {
            ".".join(filter(None, [each.module, each.name if end else ""]))
            for each in imports(path)
            for end in (True, False)
            if room_of(each.module) == room
        }
        needs[module] = known - {module}
    while ready := [module for module, wanted in needs.items() if not wanted & needs.keys()]:
        for module in ready:
            del needs[module]
    assert not needs, "these import each other"


def test_what_runs_inside_the_sandbox_imports_nothing_of_the_trusted_side() -> None:
    for path in INSIDE.rglob("*.py"):
        for node in nodes(path):
            if isinstance(node, ast.Import):
                modules = [each.name for each in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level in (0, 1), f"{path.name}:{node.lineno} leaves the folder"
                modules = [node.module or ""] if node.level == 0 else []
            else:
                continue
            for module in modules:
                assert module.split(".")[0] in ALLOWED_INSIDE, f"{path.name}:{node.lineno} imports {module}"


@pytest.mark.parametrize("room", ORDER)
def test_a_face_says_in_a_sentence_what_its_room_is_for(room: str) -> None:
    face = importlib.import_module(f"autograder.{room}")
    assert face.__doc__ is not None
    assert re.match(r"[A-Z`\w][^\n]{20,}[.:]$", face.__doc__.splitlines()[0])


@pytest.mark.parametrize("room", ORDER)
def test_a_face_gives_what_it_lists_and_nothing_else_that_is_public(room: str) -> None:
    face = importlib.import_module(f"autograder.{room}")
    assert sorted(face.__all__) == sorted(set(face.__all__))
    for name in face.__all__:
        assert getattr(face, name) is not None or name in vars(face)
    listed = {
        each.asname or each.name
        for node in ast.walk(ast.parse(Path(str(face.__file__)).read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"autograder.{room}")
        for each in node.names
    }
    assert listed == set(face.__all__)


@pytest.mark.parametrize("room", ORDER)
def test_no_name_of_a_face_is_also_that_of_a_module_of_its_room(room: str) -> None:
    """Once such a module has been imported, a face that loads on demand would give the module for the name."""
    modules = {path.stem for path in (PACKAGE / room).iterdir()}
    assert not modules & set(importlib.import_module(f"autograder.{room}").__all__)


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("autograder", ("grade", "load_course", "read_submission", "Grader", "Report")),
        (
            "autograder.checking",
            ("Draw", "Reference", "Student", "agree", "check", "fail_unless", "matches", "together"),
        ),
        ("autograder.numerics", ("compare", "gradient", "conditioning", "describe", "projections")),
        ("autograder.nbgrader_plugins", ("configure", "GradeSubmission", "CanvasExporter", "find_submission")),
        ("autograder.plugin", ("draw", "pytest_addoption", "reference", "student")),
    ],
)
def test_the_names_that_courses_know_stay_where_they_are(module: str, names: tuple[str, ...]) -> None:
    found = importlib.import_module(module)
    assert set(names) <= set(found.__all__)
    for name in names:
        assert hasattr(found, name)
