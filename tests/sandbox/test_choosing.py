"""Which sandbox a course gets that leaves it to the machine, on machines that forbid one kind, the other, or both."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.course import Limits
from autograder.sandbox import Worker, chosen, jail
from tests.commands import AUTOGRADER, REPOSITORY
from tests.courses import CONFIG, make_course, submit

pytestmark = pytest.mark.sandbox

NUMBERS = json.loads((REPOSITORY / "autograder/sandbox/syscalls.json").read_text())[os.uname().machine]
NAMESPACES = "unshare", "mount", "pivot_root"
LANDLOCK = ("landlock_create_ruleset",)

FORBID = """
import os, struct
from autograder.sandbox import confine

# As a container's seccomp profile does: these calls fail with EPERM, for this process and all that it starts.
numbers = [int(each) for each in os.environ["FORBIDDEN"].split()]
jumps = [(0x15, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
steps = [(0x20, 0, 0, 0), *jumps, (0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0x00050001)]
confine.load_filter(b"".join(struct.pack("=HBBI", *step) for step in steps))
"""


def where_forbidden(calls: tuple[str, ...], root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """``autograder …`` in a course's folder, on a machine that forbids these system calls."""
    numbers = " ".join(str(NUMBERS[name]) for name in calls)
    environment = os.environ | {"FORBIDDEN": numbers, "NO_COLOR": "1", "COLUMNS": "1000", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", FORBID + AUTOGRADER, *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root, check=False)


@pytest.fixture
def course(tmp_path: Path) -> Path:
    root = make_course(tmp_path / "course", config=CONFIG.replace("name: tiny", "name: tiny\nsandbox: auto"))
    submit(root, "ada")
    return root


def test_bubblewrap_is_taken_where_it_holds() -> None:
    assert chosen("auto") == "bubblewrap"


def test_a_kind_that_is_named_is_not_tried() -> None:
    assert [chosen("landlock"), chosen("none")] == ["landlock", "none"]


def test_landlock_is_taken_where_namespaces_are_forbidden_and_the_result_says_so(course: Path) -> None:
    done = where_forbidden(NAMESPACES, course, "check", "submitted/ada/warmup/warmup.ipynb", "--course", ".", "--json")
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert (report["sandbox"], report["score"]) == ("landlock", 10.0)


def test_nothing_is_graded_where_both_are_forbidden_and_it_is_said_why_of_each(course: Path) -> None:
    calls = (*NAMESPACES, *LANDLOCK)
    done = where_forbidden(calls, course, "check", "submitted/ada/warmup/warmup.ipynb", "--course", ".")
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        "autograder: `sandbox: auto` found no sandbox that holds on this machine, so nothing is graded:" in done.stderr
    )
    assert "  - bubblewrap: the sandbox did not start" in done.stderr
    assert "  - landlock: there is no sandbox" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.thorough
def test_doctor_has_nothing_to_mend_where_one_of_the_two_holds(course: Path) -> None:
    done = where_forbidden(NAMESPACES, course, "doctor")
    assert "`sandbox: auto` takes landlock on this machine" in done.stdout
    assert "✗ bubblewrap" not in done.stdout


def test_a_root_without_capabilities_is_told_so_in_a_sentence(course: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be left without capabilities")
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", AUTOGRADER, "check"]
    command += ["submitted/ada/warmup/warmup.ipynb", "--course", "."]
    done = subprocess.run(command, capture_output=True, text=True, cwd=course, check=False)
    assert done.returncode == 1
    assert f"it has no {', '.join(jail.ROOT_NEEDS)}, as in a container that drops capabilities" in done.stderr
    assert "Run autograder as an ordinary user." in done.stderr
    assert "Traceback" not in done.stderr


def test_another_user_can_look_into_a_landlock_sandbox_whatever_the_umask_is() -> None:
    before = os.umask(0o077)
    try:
        worker = Worker("landlock", ("numpy",))
    finally:
        os.umask(before)
    with worker:
        assert worker.folder is not None
        folders = [worker.folder, *(each for each in worker.folder.rglob("*/") if not each.is_symlink())]
        modes = {each.name: each.stat().st_mode & 0o777 for each in folders if each.name != "scratch"}
    assert {"site", "runner"} <= set(modes)
    assert set(modes.values()) == {0o755}


def test_submissions_go_before_the_grader_where_memory_runs_out() -> None:
    with Worker("landlock", ()) as worker, worker.session(Limits()) as session:
        session.run(["x = 1"])
        assert Path(f"/proc/{worker.process.pid}/oom_score_adj").read_text().strip() == "1000"
