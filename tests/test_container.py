"""The container: what goes into the image, and the table of what holds in it."""

import importlib.util
import json
import os
import re
import shlex
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from tests.commands import REPOSITORY


@pytest.fixture(scope="module")
def profiles() -> ModuleType:
    """The script that makes the table."""
    path = REPOSITORY / "tools/container_profiles.py"
    spec = importlib.util.spec_from_file_location("container_profiles", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "container_profiles", module)  # where a dataclass looks for its module
        spec.loader.exec_module(module)
    return module


def test_all_that_the_wheel_is_made_of_goes_into_the_image() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], "pyproject.toml", *project["project"]["license-files"]}
    needed.add(project["project"]["readme"])
    lines = (REPOSITORY / ".containerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in lines if line.startswith("!")} == needed
    assert "*" in lines


def test_the_table_of_the_page_is_of_the_profiles_that_the_script_tries(profiles: ModuleType) -> None:
    page = (REPOSITORY / "docs/container.md").read_text(encoding="utf-8")
    (table,) = re.findall(f"{re.escape(profiles.BEGIN)}\n\n(.*?)\n\n{re.escape(profiles.END)}", page, re.DOTALL)
    head, _, *rows = table.splitlines()
    assert head == profiles.HEAD
    assert [row.split("|")[1].strip(" `") for row in rows] == [
        " ".join(options) or "none (an ordinary user)" for options in profiles.PROFILES
    ]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("autograder: this root can become no other user here: it has no CAP_CHOWN", "root has no other user"),
        ("autograder: `sandbox: auto` found no sandbox that holds", "neither holds"),
        ("autograder: the sandbox did not start: bwrap: No permissions", "does not start"),
    ],
)
def test_a_refusal_is_told_in_the_table(profiles: ModuleType, said: str, told: str) -> None:
    assert told in profiles.cell(profiles.Seen("", False, said))
    assert profiles.cell(profiles.Seen("landlock", True, "")) == "landlock"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "landlock"),
        (("--cap-drop=ALL", "--security-opt=no-new-privileges", "--read-only", "--tmpfs=/tmp"), "landlock"),
        (("--user=0", "--cap-drop=ALL"), "refused: root has no other user to become"),
        (("--security-opt=seccomp=neither.json",), "refused: neither holds"),
    ],
)
def test_a_container_grades_in_a_sandbox_or_not_at_all(
    profiles: ModuleType, tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    """In the image that Containerfile makes, with the engine and its options that ``CONTAINER_ENGINE`` names."""
    if not (engine := os.environ.get("CONTAINER_ENGINE")):
        pytest.skip("CONTAINER_ENGINE names no engine that has the image autograder, such as `podman`")
    neither = tmp_path / "neither.json"
    neither.write_text(json.dumps(profiles.SECCOMP), encoding="utf-8")
    given = [each.replace("neither.json", str(neither)) for each in options]
    seen = profiles.tried([*shlex.split(engine), "run"], "localhost/autograder", given)
    assert profiles.cell(seen[-1]) == told
