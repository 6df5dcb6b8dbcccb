"""A course from nothing: what `autograder init` writes can be linted, released and graded at once."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autograder.authoring import init_course, lint_course
from autograder.base import AutograderError
from autograder.course import CONFIG_NAME, load_course
from autograder.submission import submissions
from tests.commands import autograder

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new course with a class of seven, which no test changes."""
    root = tmp_path_factory.mktemp("begun") / "numerics"
    init_course(root, 7, NOW)
    return root


def test_a_new_course_has_its_folder_s_name_and_an_assignment_of_three_rows(begun: Path) -> None:
    course = load_course(begun)
    assert course.name == "numerics"
    assert [row.name for row in course.assignment("nearest").rows] == ["squared_distances", "nearest", "moved"]


def test_its_assignment_is_due_in_two_weeks(begun: Path) -> None:
    due = load_course(begun).assignment("nearest").due
    assert due is not None
    assert timedelta(days=13) < due - NOW < timedelta(days=16)


def test_its_times_are_local_in_the_machine_s_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    init_course(tmp_path / "course", 0, NOW)
    assert load_course(tmp_path / "course").timezone.key == "Asia/Kathmandu"


def test_where_the_machine_s_zone_has_no_name_it_is_utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "../etc/passwd")
    monkeypatch.setattr("autograder.authoring.starting.new_course._LOCALTIME", tmp_path / "nothing")
    init_course(tmp_path / "course", 0, NOW)
    assert load_course(tmp_path / "course").timezone.key == "UTC"


def test_nothing_is_found_by_lint(begun: Path) -> None:
    assert not lint_course(begun)


def test_nobody_else_can_enter_a_new_course_or_its_answers(begun: Path) -> None:
    for folder in (begun, begun / "source", begun / "solutions", begun / "submitted"):
        assert folder.stat().st_mode & 0o777 == 0o700, folder


def test_what_students_hand_in_stays_out_of_git(begun: Path, tmp_path: Path) -> None:
    shutil.copytree(begun, tmp_path / "course")
    git = ["git", "-C", str(tmp_path / "course")]
    subprocess.run([*git, "init", "--quiet"], check=True)
    listed = subprocess.run([*git, "ls-files", "--others", "--exclude-standard"], capture_output=True, text=True)
    assert listed.stdout.split() == [
        ".gitignore",
        CONFIG_NAME,
        "nbgrader_config.py",
        "solutions/nearest/equivalent.yaml",
        "solutions/nearest/mistakes.py",
        "source/nearest/nearest.ipynb",
    ]


def test_the_made_up_class_hands_in_no_hidden_test(begun: Path) -> None:
    handed_in = [path.read_text(encoding="utf-8") for path in begun.glob("submitted/*/nearest/*.ipynb")]
    assert len(handed_in) == 7
    assert not any("HIDDEN TESTS" in text or "BEGIN SOLUTION" in text for text in handed_in)


@pytest.mark.sandbox
def test_it_is_released_and_its_class_is_graded_at_once(begun: Path, tmp_path: Path) -> None:
    root = tmp_path / "course"
    shutil.copytree(begun, root)
    root.chmod(0o700)
    for each in submissions(root, "nearest"):
        if each.student not in ("ngozi", "kofi"):  # the others take longer
            shutil.rmtree(root / "submitted" / each.student)
    done = autograder(root, "release", "nearest")
    assert done.returncode == 0, done.stderr
    done = autograder(root, "grade", "nearest")
    assert done.returncode == 0, done.stderr
    table = {words[0]: words[1] for line in done.stdout.splitlines() if (words := line.split()) and len(words) > 2}
    assert table["ngozi"] == "10"
    assert table["kofi"] == "4"
    assert "were restored" not in done.stdout


def test_what_lies_in_the_folder_already_stays(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    init_course(tmp_path, 0, NOW)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert load_course(tmp_path).assignments


def test_a_folder_with_a_course_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "source/nearest").mkdir(parents=True)
    (tmp_path / "source/nearest/nearest.ipynb").write_text("mine")
    with pytest.raises(AutograderError, match=r"has source/nearest/nearest\.ipynb already.*nothing was written"):
        init_course(tmp_path, 0, NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_where_a_file_cannot_be_written_no_course_is_left(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("a file")
    with pytest.raises(AutograderError, match="no course could be made"):
        init_course(tmp_path, 0, NOW)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["source"]


@pytest.mark.parametrize("name", ['say "hi"', "a: b", "# no", "Numérique 2", "- x", "null", "1e3", "it's"])
def test_a_folder_of_any_name_gives_a_course_of_that_name(name: str, tmp_path: Path) -> None:
    init_course(tmp_path / name, 0, NOW)
    assert load_course(tmp_path / name).name == name


def test_the_command_says_what_to_do_next(tmp_path: Path) -> None:
    done = autograder(tmp_path, "init", "new")
    assert done.returncode == 0, done.stderr
    assert "autograder release nearest" in done.stdout
    again = autograder(tmp_path, "init", "new")
    assert again.returncode == 1
    assert "already" in again.stderr
