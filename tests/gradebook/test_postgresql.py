"""The gradebook on a real PostgreSQL server, started for the test and reached by a socket file in its own folder."""

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autograder.cli import app
from autograder.course import load_course
from autograder.gradebook import open_gradebook, register, roster
from tests.courses import make_course, solved, submit, untouched

pytestmark = pytest.mark.sandbox


def programs() -> Path | None:
    """Where the server's programs are."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = max(debian, default=None, key=lambda path: int(path.parts[-3])) or shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@pytest.fixture(scope="module")
def server():
    """A server with one empty database, and its URL."""
    bin_folder = programs()
    if bin_folder is None:
        message = "needs a PostgreSQL server: `apt-get install postgresql`"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    # Not tmp_path: the name of a socket file has at most 107 characters, and the server's user has to get there.
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        user = None
        if os.geteuid() == 0:  # the server refuses to run as root
            user = "postgres" if "postgres" in {each.pw_name for each in pwd.getpwall()} else "nobody"
            shutil.chown(folder, user)

        def run(*words: str) -> None:
            done = subprocess.run(
                [str(bin_folder / words[0]), *words[1:]],
                user=user,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, done.stderr

        data = f"{folder}/data"
        run("initdb", "--pgdata", data, "--auth", "trust", "--username", "grader", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "--pgdata", data, "--options", options, "--log", f"{folder}/log", "--wait", "start")
        try:
            run("createdb", "--host", folder, "--username", "grader", "course")
            yield f"postgresql://grader@/course?host={folder}"
        finally:
            run("pg_ctl", "--pgdata", data, "--mode", "immediate", "--wait", "stop")


def test_a_course_is_graded_exported_and_given_feedback_on_postgresql(server, tmp_path):
    root = make_course(tmp_path / "course")
    config = root / "gradebook_config.yaml"
    config.write_text(config.read_text().replace("name: tiny", f"name: tiny\ndatabase: {server}"))
    submit(root, "ada", solved(), timestamp="2026-12-01 12:00:00 UTC")
    submit(root, "ben", untouched())
    submit(root, "c" * 200)
    runner = CliRunner()

    def run(*words: str) -> str:
        result = runner.invoke(app, [*words, "--course", str(root)])
        assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
        return result.stdout

    *graded, refused = json.loads(run("grade", "warmup", "--jobs", "1", "--json"))
    assert [(each["student"], each["status"], each["report"]["score"]) for each in graded] == [
        ("ada", "graded", 10),
        ("ben", "graded", 0),
    ]
    assert refused["student"] == "c" * 200
    assert "more than the 128 that a gradebook holds" in refused["why"]
    again = json.loads(run("grade", "warmup", "--jobs", "1", "--json"))
    assert [each["status"] for each in again] == ["kept", "kept", "refused"]
    lines = run("export", "warmup").splitlines()
    assert [line.split(",")[0].strip('"') for line in lines[1:]] == ["ada", "ben"]
    run("feedback", "warmup")
    assert (root / "feedback/ada/warmup/warmup.html").is_file()
    assert not (root / "gradebook.db").exists()


def test_an_id_that_the_database_does_not_take_costs_nobody_else_a_place(server, tmp_path):
    course = load_course(make_course(tmp_path / "course"))
    course = replace(course, database=server.replace("postgresql://", "postgresql+psycopg://"))
    with open_gradebook(course) as gradebook:
        register(gradebook, course, course.assignment("warmup"), ["ada", "x" * 129, "zoe"])
        there = roster(gradebook)
    assert {"ada", "zoe"} <= set(there)
    assert "x" * 129 not in there
