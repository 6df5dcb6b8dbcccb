"""JupyterLab for real: `autograder lab`, the formgrader and a student's assignment list, in Chromium.

One course, one instructor and one student go through a week; each test is about one step of it: what the page said, and
what it left behind.
"""

import csv
import io
import json
import os
import pty
import pwd
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from autograder.course import load_course
from autograder.gradebook import RESULT_FILE, HeldGrade, held_grades, open_gradebook
from autograder.operations import configured, prepare
from tests import labflow
from tests.browsers import REPOSITORY, chromium_browser, jupyters_environment, started
from tests.courses import CONFIG, make_course

AUTOGRADER = str(Path(sys.executable).with_name("autograder"))
STUDENT = pwd.getpwuid(os.getuid()).pw_name
"""Whom nbgrader takes a student for: the account that submits."""

SHARED = CONFIG.replace("name: tiny", "name: tiny\nexchange: exchange/local")


@dataclass
class Week:
    """What the people of a week saw, by step, and what was left on the disk and in the gradebook after it."""

    course: Path
    home: Path
    said: dict[str, str] = field(default_factory=dict)
    grade: dict[str, HeldGrade] = field(default_factory=dict)

    def look_up(self, step: str) -> None:
        course = load_course(self.course)
        with open_gradebook(course, create=False) as gradebook:
            (self.grade[step],) = held_grades(gradebook, course.assignment("warmup"))


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    """A week: one instructor, who also grades by hand, and one student."""
    base = tmp_path_factory.mktemp("week")
    root = make_course(base / "course", config=SHARED)
    (root / "release/warmup/warmup.ipynb").unlink()
    with (
        chromium_browser() as browser,
        labflow.instructors_desk(browser, root, base / "instructor") as instructor,
        labflow.students_desk(browser, base / "student", exchange=root / "exchange/local", course_id="tiny") as student,
    ):
        yield walked(Week(root, base / "student/work"), instructor, student)


def walked(week: Week, instructor: labflow.Desk, student: labflow.Desk) -> Week:
    frame = labflow.formgrader(instructor)
    week.said["list"] = labflow.assignment_row(frame, "warmup").inner_text()
    week.said["generate"] = labflow.press(frame, "warmup", "assign")
    week.said["release"] = labflow.press(frame, "warmup", "release")
    labflow.assignment_list(student)
    labflow.fetch(student, "warmup")
    labflow.open_notebook(student, "warmup/warmup.ipynb")
    week.said["validate at first"] = labflow.validate(student)
    # The second function is wrong in a way that the visible check does not see.
    labflow.write_solution(student, "def scale", "def scale(x, factor):\n    return x * factor")
    labflow.write_solution(student, "def centre", "def centre(x):\n    return x - np.median(x)")
    labflow.write_answer(student, "Multiplying is linear, so the mean scales too.")
    week.said["validate after the work"] = labflow.validate(student)
    labflow.back_to_lab(student)
    labflow.assignment_list(student)
    labflow.submit(student, "warmup")
    labflow.manage_assignments(frame)
    week.said["collect"] = labflow.press(frame, "warmup", "collect")
    labflow.submissions_of(frame, "warmup")
    week.said["autograde"] = labflow.autograde(frame, STUDENT)
    week.look_up("autograde")
    labflow.grade_by_hand(instructor, frame, "why", 1.5)
    week.said["comment"] = labflow.automatic_comment(frame, "centre")
    week.look_up("by hand")
    week.said["export"] = typed(week.course, "export", "warmup")
    labflow.manage_assignments(frame)
    week.said["feedback"] = labflow.press(frame, "warmup", "generate-feedback")
    week.said["page"] = (week.course / f"feedback/{STUDENT}/warmup/warmup.html").read_text(encoding="utf-8")
    week.said["release feedback"] = labflow.press(frame, "warmup", "release-feedback")
    labflow.back_to_lab(student)
    labflow.assignment_list(student)
    labflow.fetch_feedback(student, "warmup")
    (page,) = (week.home / "warmup/feedback").rglob("*.html")
    week.said["read"] = labflow.read_feedback(student, page.relative_to(week.home))
    typed(week.course, "feedback", "warmup")
    return week


def typed(root: Path, *words: str) -> str:
    """What a command of ours prints."""
    done = subprocess.run([AUTOGRADER, *words], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


browser = pytest.mark.browser
sandbox = pytest.mark.sandbox


@browser
@sandbox
@pytest.mark.thorough
def test_the_formgrader_lists_the_assignment_and_finds_our_configuration(week: Week) -> None:
    assert "draft" in week.said["list"]
    assert (week.course / "nbgrader_config.py").is_file(), "autograder lab wrote it"


@browser
@sandbox
@pytest.mark.thorough
def test_generate_makes_the_students_notebook(week: Week) -> None:
    assert "Successfully created the student version" in week.said["generate"]
    text = (week.course / "release/warmup/warmup.ipynb").read_text()
    assert "NotImplementedError" in text
    assert "BEGIN SOLUTION" not in text


@browser
@sandbox
@pytest.mark.thorough
def test_release_puts_it_into_the_exchange_of_the_configuration_and_a_student_fetches_it(week: Week) -> None:
    assert "Successfully released" in week.said["release"]
    assert (week.course / "exchange/local/tiny/outbound/warmup/warmup.ipynb").is_file()
    assert (week.home / "warmup/warmup.ipynb").is_file()


@browser
@sandbox
@pytest.mark.thorough
def test_validate_says_what_is_missing_and_after_the_work_that_nothing_is(week: Week) -> None:
    assert "NotImplementedError" in week.said["validate at first"]
    assert "Success! Your notebook passes all the tests" in week.said["validate after the work"]
    assert "Multiplying is linear" in (week.home / "warmup/warmup.ipynb").read_text()


@browser
@sandbox
@pytest.mark.thorough
def test_what_the_student_submits_is_collected_into_the_course(week: Week) -> None:
    (inbound,) = (week.course / "exchange/local/tiny/inbound").iterdir()
    assert inbound.name.startswith(f"{STUDENT}+warmup+")
    assert "Successfully collected" in week.said["collect"]
    assert (week.course / f"submitted/{STUDENT}/warmup/warmup.ipynb").is_file()


@browser
@sandbox
@pytest.mark.thorough
def test_the_autograde_button_grades_by_our_hidden_checks_in_our_sandbox(week: Week) -> None:
    assert "Applying preprocessor: GradeSubmission" in week.said["autograde"]
    assert week.grade["autograde"].scores == {"test_scale": 4.0, "test_centre": 0.0, "why": None}
    result = json.loads((week.course / f"autograded/{STUDENT}/warmup" / RESULT_FILE).read_text())
    assert result["report"]["sandbox"] == "bubblewrap"


@browser
@sandbox
@pytest.mark.thorough
def test_an_answer_graded_by_hand_is_in_the_total(week: Week) -> None:
    assert week.grade["autograde"].needs_manual_grade
    by_hand = week.grade["by hand"]
    assert (by_hand.scores["why"], by_hand.score, by_hand.needs_manual_grade) == (1.5, 5.5, False)


@browser
@sandbox
@pytest.mark.thorough
def test_the_formgrader_shows_our_comment_on_a_wrong_row(week: Week) -> None:
    assert week.said["comment"].startswith("✗ The mean is taken off: `centre(…)`: 5 of 5 entries are wrong")
    assert "Subtract the mean of all entries." in week.said["comment"]


@browser
@sandbox
@pytest.mark.thorough
def test_our_export_and_our_feedback_have_the_total_with_the_points_given_by_hand(week: Week) -> None:
    (line,) = csv.DictReader(io.StringIO(week.said["export"]))
    assert (line["student"], line["score"], line["why"], line["needs_manual_grade"]) == (STUDENT, "5.5", "1.5", "no")
    page = (week.course / f"feedback/{STUDENT}/warmup/warmup.html").read_text(encoding="utf-8")
    assert "5.5 of 12 points" in page


@browser
@sandbox
@pytest.mark.thorough
def test_the_feedback_buttons_make_and_release_it(week: Week) -> None:
    assert "Success" in week.said["feedback"]
    assert "Success" in week.said["release feedback"]
    page = week.said["page"]
    assert "entries are wrong" in page
    assert "(Score: 5.5 / 12.0)" in page


@browser
@sandbox
@pytest.mark.thorough
def test_the_student_reads_scores_reasons_and_hints_in_jupyterlab(week: Week) -> None:
    for said in ("(Score: 5.5 / 12.0)", "The mean is taken off.", "Subtract the mean of all entries."):
        assert said in week.said["read"]


# The command by itself


def lab(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(root.parent), "COLUMNS": "1000", "NO_COLOR": "1"}
    return subprocess.run(
        [AUTOGRADER, "lab", "--no-browser", *words],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.thorough
def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = lab(root, "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert re.search(r"port \d+ cannot be used: .*; take another with --port, or leave it out", done.stderr)


def test_a_configuration_of_nbgraders_that_leaves_our_grader_out_is_refused(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    (root / "nbgrader_config.py").write_text("c = get_config()\n")
    done = lab(root)
    assert done.returncode == 1
    assert "the formgrader would run submissions itself, outside any sandbox" in done.stderr


def test_a_mention_of_our_grader_that_does_nothing_is_refused_too(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    (root / "nbgrader_config.py").write_text("c = get_config()\n# from autograder.nbgrader_plugins import configure\n")
    done = lab(root)
    assert done.returncode == 1
    assert "outside any sandbox" in done.stderr


def test_the_configuration_that_is_written_is_that_of_the_repository(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    assert "was missing and has been written" in configured(root)[0]
    assert configured(root) == []
    assert (root / "nbgrader_config.py").read_bytes() == (REPOSITORY / "nbgrader_config.py").read_bytes()


def test_a_release_that_no_longer_fits_is_said_and_keeps_nobody_from_mending_the_master(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    (root / "release/warmup/warmup.ipynb").write_text("{}")
    (said,) = prepare(load_course(root))
    assert "release/warmup/warmup.ipynb" in said


def test_a_mistake_in_the_configuration_is_said_and_keeps_nobody_from_mending_it(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course", config=CONFIG.replace("title:", "titel:"))
    environment = jupyters_environment(tmp_path / "home")
    with started([AUTOGRADER, "lab", "--no-browser"], root, environment) as url:
        assert url.startswith("http://127.0.0.1:")
        said = (Path(environment["JUPYTER_RUNTIME_DIR"]) / "server.log").read_text()
        assert "did you mean 'title'?" in said


def test_nobody_else_can_get_to_an_exchange_below_the_course(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course", config=SHARED)
    prepare(load_course(root))
    assert stat.S_IMODE((root / "exchange").stat().st_mode) == 0o700
    assert stat.S_IMODE((root / "exchange/local").stat().st_mode) == 0o777  # else nbgrader does it, with a warning


@pytest.mark.thorough
def test_ctrl_c_in_a_terminal_ends_it_without_a_question(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    environment = jupyters_environment(tmp_path / "home")
    terminal, end = pty.openpty()
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(
            [AUTOGRADER, "lab", "--no-browser"], cwd=root, env=environment, stdin=end, stdout=log, stderr=log
        ) as process,
    ):
        try:
            known = Path(environment["JUPYTER_RUNTIME_DIR"]) / f"jpserver-{process.pid}.json"
            wait_for(lambda: known.is_file() and known.read_text().rstrip().endswith("}"))  # written whole
            server = json.loads(known.read_text())
            with urllib.request.urlopen(f"{server['url']}lab") as answer:
                assert "/login" in answer.url, "a token is wanted"
            with urllib.request.urlopen(f"{server['url']}lab?token={server['token']}") as answer:
                assert "/login" not in answer.url
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()
            os.close(terminal)
            os.close(end)
    assert f"lab?token={server['token']}" in (tmp_path / "log").read_text(), "the address is printed"
    assert not known.exists()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)


def test_outside_a_course_it_says_what_is_missing(tmp_path: Path) -> None:
    done = lab(tmp_path)
    assert done.returncode == 2
    assert "there is no gradebook_config.yaml" in done.stderr
