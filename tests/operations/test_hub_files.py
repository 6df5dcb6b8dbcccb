"""What `autograder hub` writes and refuses, and what the doctor says of an exchange that students can reach.

`test_hub.py` puts these files in their place, and runs a hub with them.
"""

import grp
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.base import ConfigError
from autograder.course import load_course
from autograder.gradebook import open_gradebook, register
from autograder.operations import examine, exchange_troubles, how_open, nbgrader_config, unshared, write_hub
from tests.browsers import REPOSITORY
from tests.commands import autograder
from tests.courses import CONFIG, make_course, submit

OUTSIDE = CONFIG.replace("name: tiny", "name: tiny\nexchange: /srv/nbgrader/exchange")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="NEEDS ROOT: files of other users and groups are made")


def a_course(base: Path, name: str = "tiny", exchange: str = "/srv/nbgrader/exchange", students: Any = ()) -> Path:
    config = CONFIG.replace("name: tiny", f"name: {name}\nexchange: {exchange}")
    root = make_course(base / name.replace("/", "-"), config=config)
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    if students:
        course = load_course(root)
        with open_gradebook(course) as gradebook:
            register(gradebook, course, course.assignment("warmup"), list(students))
    return root


def loaded(path: Path) -> Any:
    """A configuration, as JupyterHub, Jupyter and nbgrader load it."""
    from traitlets.config.loader import PyFileConfigLoader

    return PyFileConfigLoader(path.name, path=str(path.parent)).load_config()


def test_the_hub_has_a_service_a_group_of_graders_and_one_of_students_for_each_course(tmp_path: Path) -> None:
    courses = [a_course(tmp_path, "tiny", students=["ada", "bob"]), a_course(tmp_path, "Other", students=["bob"])]
    written = write_hub([load_course(each) for each in courses], tmp_path / "hub", {"tiny": ["ann", "bea"]})
    hub = loaded(tmp_path / "hub/jupyterhub_config.py")
    services = hub.JupyterHub.services.get_value([])
    named = [(each["name"], each["user"], each["cwd"]) for each in services]
    assert named == [
        ("tiny", "grader-tiny", str(courses[0])),
        ("Other", "grader-other", str(courses[1])),
    ]
    assert len({each["url"] for each in services}) == 2
    assert hub.JupyterHub.load_groups.get_value({}) == {
        "formgrade-tiny": {"users": ["ann", "bea"]},
        "nbgrader-tiny": {"users": ["ada", "bob"]},
        "formgrade-Other": {"users": []},
        "nbgrader-Other": {"users": ["bob"]},
    }
    roles = {each["name"]: each for each in hub.JupyterHub.load_roles.get_value([])}
    assert roles["formgrade-tiny"]["groups"] == ["formgrade-tiny"]
    assert "access:services!service=tiny" in roles["formgrade-tiny"]["scopes"]
    assert {path.parent.name for path in written.files} >= {"hub", "jupyter", "grader-tiny", "grader-other"}
    assert any("nobody grades Other yet" in each for each in written.warnings)


def test_students_have_no_course_id_and_no_formgrader_and_a_course_has_both(tmp_path: Path) -> None:
    root = a_course(tmp_path)
    write_hub([load_course(root)], tmp_path / "hub", {})
    everybody = loaded(tmp_path / "hub/jupyter/nbgrader_config.py")
    assert everybody.Exchange.root == "/srv/nbgrader/exchange"
    assert "course_id" not in everybody.CourseDirectory
    servers = {
        who: loaded(tmp_path / f"hub/{who}/jupyter_server_config.py").ServerApp.jpserver_extensions
        for who in ("jupyter", "grader-tiny")
    }
    formgrader = "nbgrader.server_extensions.formgrader"
    assert (servers["jupyter"][formgrader], servers["grader-tiny"][formgrader]) == (False, True)
    assert not any(each["nbgrader.server_extensions.course_list"] for each in servers.values())
    shutil.copy(tmp_path / "hub/grader-tiny/nbgrader_config.py", tmp_path)
    kept = nbgrader_config(tmp_path)
    assert (kept.CourseDirectory.course_id, kept.CourseDirectory.root) == ("tiny", str(root))
    assert kept.ExchangeFactory.collect == "autograder.nbgrader_plugins.CollectArrivals"


def test_who_takes_a_course_is_written_where_nobody_else_reads_it_and_the_rest_can_be_read(tmp_path: Path) -> None:
    write_hub([load_course(a_course(tmp_path))], tmp_path / "hub", {})
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "hub").iterdir() if path.is_file()}
    assert modes == {"jupyterhub_config.py": 0o600, "apply.sh": 0o644, "README.md": 0o644}


def test_the_commands_are_a_shells_whatever_the_folders_are_called(tmp_path: Path) -> None:
    root = a_course(tmp_path / "a 'b' $(c)", exchange="'/srv/an exchange; rm -r x'")
    write_hub([load_course(root)], tmp_path / "hub", {})
    script = tmp_path / "hub/apply.sh"
    subprocess.run(["sh", "-n", script], check=True)
    assert "chmod -R ug+rwX,o= '" in script.read_text()
    assert "install -d -m 1777 -o root -g root '/srv/an exchange; rm -r x'" in script.read_text()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (CONFIG, "names no exchange, .* write `exchange: /srv/nbgrader/exchange`"),
        (CONFIG.replace("name: tiny", "name: tiny\nexchange: exchange/local"), "lies in the course's folder"),
        (OUTSIDE.replace("name: tiny", "name: Deep learning"), "give it another `name`"),
        (OUTSIDE.replace("name: tiny", f"name: {'x' * 26}"), "at most 25 of them"),
    ],
)
def test_a_course_that_a_hub_cannot_have_is_refused_with_the_way_out(tmp_path: Path, config: str, said: str) -> None:
    course = load_course(make_course(tmp_path / "course", config=config))
    with pytest.raises(ConfigError, match=said):
        write_hub([course], tmp_path / "hub", {})
    assert not (tmp_path / "hub").exists()


def test_courses_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    tiny = load_course(a_course(tmp_path))
    elsewhere = load_course(a_course(tmp_path, "other", exchange="/srv/another"))
    with pytest.raises(ConfigError, match="one for all their courses"):
        write_hub([tiny, elsewhere], tmp_path / "hub", {})
    twin = load_course(a_course(tmp_path / "more", "Tiny"))
    with pytest.raises(ConfigError, match="are both courses called"):
        write_hub([tiny, twin], tmp_path / "hub", {})
    with pytest.raises(ConfigError, match="there is no course 'tinny' here; there are tiny"):
        write_hub([tiny], tmp_path / "hub", {"tinny": ["ann"]})


def test_nobody_grades_a_course_that_they_take(tmp_path: Path) -> None:
    course = load_course(a_course(tmp_path, students=["ada"]))
    with pytest.raises(ConfigError, match="ada is to grade tiny, and its gradebook has a student of that name"):
        write_hub([course], tmp_path / "hub", {"tiny": ["ada"]})


def test_nothing_is_written_straight_into_etc(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing is written below /etc by itself"):
        write_hub([load_course(a_course(tmp_path))], Path("/etc/no-such-folder"), {})
    assert not Path("/etc/no-such-folder").exists()


def test_the_command_says_what_was_written_and_what_is_to_be_seen_to(tmp_path: Path) -> None:
    root = a_course(tmp_path)
    said = autograder(tmp_path, "hub", str(root), "--output", "hub", "--grader", "tiny=ann")
    assert said.returncode == 0, said.stderr
    assert "hub/README.md says what comes next" in said.stdout
    assert "can only be entered by its owner, so grader-tiny cannot get to" in said.stderr
    assert "tiny | " in (tmp_path / "hub/README.md").read_text()
    wrong = autograder(tmp_path, "hub", str(root), "--output", "hub", "--grader", "ann")
    assert (wrong.returncode, "NAME=ACCOUNT" in wrong.stderr) == (2, True)


# The doctor


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that all can enter; pytest's own are closed."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made).resolve()
        folder.chmod(0o711)
        yield folder


def made_exchange(base: Path) -> tuple[Path, Path]:
    """A closed course and its exchange, with the modes that `autograder hub` gives it."""
    root = a_course(base, exchange=str(base / "exchange"))
    root.chmod(0o700)
    exchange = base / "exchange"
    for name, mode in {"": 0o1777, "tiny": 0o755, "tiny/inbound": 0o1733, "tiny/feedback": 0o711}.items():
        (exchange / name).mkdir()
        (exchange / name).chmod(mode)
    return root, exchange


WRONG = {
    "": (0o777, "everybody on this machine can remove and rename what is others' in"),
    "tiny": (0o757, "everybody on this machine can write to"),
    "tiny/inbound": (0o1737, "everybody on this machine can list"),
    "tiny/feedback": (0o755, "everybody on this machine can list"),
}


def test_each_thing_that_is_wrong_with_an_exchange_is_said_with_the_command_that_mends_it(reachable: Path) -> None:
    root, exchange = made_exchange(reachable)
    course = load_course(root)
    assert exchange_troubles(course) == []
    before = {name: stat.S_IMODE((exchange / name).stat().st_mode) for name in WRONG}
    for name, (mode, _) in WRONG.items():
        (exchange / name).chmod(mode)
    found = exchange_troubles(course)
    assert len(found) == len(WRONG)
    for each, (name, (_, said)) in zip(found, WRONG.items(), strict=True):
        assert each.startswith(f"{said} {exchange / name}".rstrip("/"))
        subprocess.run(each.rpartition(": ")[2], shell=True, check=True)
    assert exchange_troubles(course) == []
    assert {name: stat.S_IMODE((exchange / name).stat().st_mode) for name in WRONG} == before


def test_a_link_in_the_place_of_a_courses_part_of_an_exchange_is_said(reachable: Path) -> None:
    root, exchange = made_exchange(reachable)
    (exchange / "tiny/inbound").rename(reachable / "elsewhere")
    (exchange / "tiny/inbound").symlink_to(reachable / "elsewhere")
    (said,) = exchange_troubles(load_course(root))
    assert said.startswith(f"{exchange}/tiny/inbound is no folder")


def test_an_exchange_that_no_student_can_get_to_has_nothing_wrong_with_it(reachable: Path) -> None:
    root, exchange = made_exchange(reachable)
    exchange.chmod(0o777)
    reachable.chmod(0o700)
    assert exchange_troubles(load_course(root)) == []


@pytest.mark.sandbox
def test_the_doctor_ends_badly_where_students_can_list_what_others_handed_in(reachable: Path) -> None:
    root, exchange = made_exchange(reachable)
    (exchange / "tiny/inbound").chmod(0o1777)
    (wrong,) = [each.text for each in examine(root) if not each.well]
    assert f"can list {exchange}/tiny/inbound, and so read what is others' there: chmod go-r" in wrong


@needs_root
def test_a_folder_that_is_not_its_groups_is_said_where_the_course_is_shared(
    open_to_a_group: tuple[Path, str, str],
) -> None:
    root, _, _ = open_to_a_group
    assert unshared(load_course(root)) == ""
    (root / "source").chmod(0o750)
    said = unshared(load_course(root))
    assert said.startswith("source is not all its group's")
    subprocess.run(said.rpartition(": ")[2], shell=True, check=True)
    assert unshared(load_course(root)) == ""


@needs_root
def test_a_course_shared_with_a_group_that_a_student_is_in_is_open(open_to_a_group: tuple[Path, str, str]) -> None:
    root, group, member = open_to_a_group
    assert how_open(load_course(root)) == ""
    submit(root, member)
    said = how_open(load_course(root))
    assert f"the group {group}, in which {member}, of the course's students, can read" in said
    assert f"gpasswd -d {member} {group}" in said or "chgrp -R GROUP" in said


@pytest.fixture
def open_to_a_group(reachable: Path) -> tuple[Path, str, str]:
    """A course of a group's that somebody of this machine is in, with both names."""
    first = {each.pw_gid: each.pw_name for each in pwd.getpwall() if each.pw_uid not in (0, os.geteuid())}
    number, member = next((gid, name) for gid, name in sorted(first.items()) if gid != 0)
    root = a_course(reachable)
    (root / "gradebook_config.yaml").write_text(OUTSIDE + "shared_with: group\n")
    for path in (root, *root.rglob("*")):
        os.chown(path, -1, number)
        path.chmod(0o2770 if path.is_dir() else 0o660)
    return root, grp.getgrgid(number).gr_name, member
