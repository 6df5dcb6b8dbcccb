"""The container: what goes into the image, and the table of what holds in it."""

import importlib.util
import json
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.commands import REPOSITORY, autograder
from tests.containers import BASE, CERTIFICATES, Podman, podman
from tests.packages import build


def script(path: str) -> ModuleType:
    """A script of this repository, as a module."""
    name = Path(path).stem + "_script"
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, name, module)  # where a dataclass looks for its module
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def profiles() -> ModuleType:
    """The script that makes the table."""
    return script("tools/container_profiles.py")


@pytest.fixture(scope="module")
def engine() -> Iterator[Podman]:
    """An engine with a base image."""
    with podman() as made:
        yield made


@pytest.fixture(scope="module")
def image(engine: Podman) -> str:
    """The image that Containerfile makes."""
    engine("build", CERTIFICATES, "--layers=false", "--tag=localhost/autograder", REPOSITORY)
    return "localhost/autograder"


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


@pytest.mark.container
@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--cap-drop=ALL", "--security-opt=no-new-privileges", "--read-only", "--tmpfs=/tmp"), "landlock"),
        (("--security-opt=seccomp=neither.json",), "refused: neither holds"),
        pytest.param((), "landlock", marks=pytest.mark.thorough),
        pytest.param(
            ("--user=0", "--cap-drop=ALL"), "refused: root has no other user to become", marks=pytest.mark.thorough
        ),
    ],
)
def test_a_container_grades_in_a_sandbox_or_not_at_all(
    profiles: ModuleType, engine: Podman, image: str, tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    neither = tmp_path / "neither.json"
    neither.write_text(json.dumps(profiles.SECCOMP), encoding="utf-8")
    given = [each.replace("neither.json", str(neither)) for each in options]
    (seen,) = profiles.tried([str(engine.program), "run"], image, given, ["auto"])
    assert profiles.cell(seen) == told


# Gradescope's


@dataclass(frozen=True)
class Gradescope:
    """Its container of Week 2, set up, and the hand-ins that are tried there."""

    engine: Any
    hand_ins: dict[str, Any]

    def grades(self, name: str, folder: Path) -> Any:
        folder.mkdir()
        self.hand_ins[name](folder)
        return self.engine.grade(folder)


WITH_DEPENDENCIES = f"""\
FROM {BASE}
COPY --from=localhost/autograder /opt/autograder /opt/notebook-autograder
RUN /opt/notebook-autograder/bin/python -m pip uninstall --quiet --yes notebook-autograder
"""
"""What setup.sh begins from here: the base image, in which pip finds all that the wheel needs where it would put it.
The image has shown that pip brings that to an empty environment, for the same package and Python."""


@pytest.fixture(scope="module")
def gradescope(engine: Podman, image: str, tmp_path_factory: pytest.TempPathFactory) -> Gradescope:
    base = tmp_path_factory.mktemp("gradescope")
    bench = script("benchmarks/gradescope.py")
    wheel = build("wheel", REPOSITORY, base)
    words = ["week2", "--course", str(REPOSITORY), "--output", str(base / "week2.zip"), "--wheel", str(wheel)]
    done = autograder(REPOSITORY, "gradescope", *words)
    assert done.returncode == 0, done.stderr
    shutil.unpack_archive(base / "week2.zip", base / "unpacked")
    made = bench.Engine(str(engine.program), [CERTIFICATES], [], bounds="none")
    (base / "begun").mkdir()
    (base / "begun/Containerfile").write_text(WITH_DEPENDENCIES, encoding="utf-8")
    engine("build", "--layers=false", "--tag=localhost/begun", base / "begun")
    made.build("localhost/begun", base / "unpacked")
    return Gradescope(made, dict(bench.hand_ins()))


@pytest.mark.container
@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("name", "points", "said"),
    [
        pytest.param("right", "95", "", marks=pytest.mark.thorough),  # setup.sh does not end well without full marks
        ("one row wrong", "85", "the largest relative error is about 0.01"),
        ("broken JSON", "0", "ends too early"),
        ("writes its own results", "85", "Permission denied: '/autograder/results/results.json'"),
    ],
)
def test_gradescopes_container_grades_what_is_handed_in(
    gradescope: Gradescope, tmp_path: Path, name: str, points: str, said: str
) -> None:
    ran = gradescope.grades(name, tmp_path / "submission")
    assert ran.points == points, ran.said
    assert said in json.dumps(ran.results, ensure_ascii=False)
