"""Submissions graded as they arrive: who waits, what counts, what survives, and that feedback is there when so said."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from autograder.base import AutograderError, ConfigError
from autograder.course import load_course
from autograder.gradebook import Attempt, attempts_of, graded_on, held_grades, note_attempt, only_run, open_gradebook
from autograder.gradebook.attempts import FOLDER
from autograder.operations import grade_assignment, watch
from tests.courses import CONFIG, make_course, solved, submit, untouched

pytestmark = [pytest.mark.sandbox, pytest.mark.long]

PROGRAMS = Path(sys.executable).parent
NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
BEST = CONFIG.replace("    seed: 7\n", "    seed: 7\n    attempts: {counts: best}\n")
TWO_A_DAY = CONFIG.replace("    seed: 7\n", "    seed: 7\n    attempts: {per_day: 2}\n")


def half() -> Any:
    tree = solved()
    tree["cells"][2]["source"] = "def scale(x, factor): return 2 * x * factor"
    return tree


def scores(root: Path) -> dict[str, float]:
    course = load_course(root)
    with open_gradebook(course, create=False) as gradebook:
        return {each.student: each.raw_score for each in held_grades(gradebook, course.assignment("warmup"))}


def late(root: Path) -> dict[str, float]:
    course = load_course(root)
    with open_gradebook(course, create=False) as gradebook:
        return {each.student: each.late_penalty for each in held_grades(gradebook, course.assignment("warmup"))}


def page(root: Path, student: str) -> str:
    return (root / f"feedback/{student}/warmup/warmup.html").read_text()


def graded_once(root: Path, now: datetime = NOON, **options: Any) -> list[tuple[str, str]]:
    """What `watch --once` says."""
    course = load_course(root)
    said: list[tuple[str, str]] = []
    told = lambda student, what: said.append((student, what))  # noqa: E731
    watch(course, course.assignment("warmup"), jobs=1, once=True, told=told, clock=lambda: now, **options)
    return said


@contextmanager
def watching(root: Path, **options: Any) -> Iterator[list[tuple[str, str]]]:
    """A watch in a thread, and what it says; it is ended, and has to have ended well."""
    course = load_course(root)
    said: list[tuple[str, str]] = []
    stop = threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        told = lambda student, what: said.append((student, what))  # noqa: E731
        try:
            watch(course, course.assignment("warmup"), jobs=1, stop=stop, told=told, **options)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield said
    finally:
        stop.set()
        thread.join()
    assert not failed, failed


def until(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come true within a minute")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_course(tmp_path / "course")


def test_what_lands_is_graded_and_its_feedback_is_there_when_it_is_said(root: Path) -> None:
    with watching(root) as said:
        submit(root, "ada", solved())
        until(lambda: bool(said))
        assert said[0][0] == "ada"
        assert said[0][1].startswith("10 of 10; feedback after ")
        assert "Warm-up" in page(root, "ada")
        submit(root, "ada", half())
        until(lambda: len(said) == 2)
        assert said[1][1].startswith("6 of 10")
        submit(root, "bob", untouched())
        until(lambda: len(said) == 3)
    assert scores(root) == {"ada": 6, "bob": 0}


def test_a_second_look_grades_nothing_again(root: Path) -> None:
    submit(root, "ada", solved())
    assert len(graded_once(root)) == 1
    assert graded_once(root) == []


def test_a_folder_that_is_still_written_is_waited_for(root: Path) -> None:
    course = load_course(root)
    with watching(root) as said:
        submit(root, "zoe")
        until(lambda: bool(said))  # it looks
        folder = root / "submitted/ada/warmup"
        folder.mkdir(parents=True)
        text = json.dumps(solved())
        with (folder / "warmup.ipynb").open("w") as file:
            for start in range(0, len(text), len(text) // 10 + 1):
                file.write(text[start : start + len(text) // 10 + 1])
                file.flush()
                time.sleep(0.05)
        until(lambda: len(said) == 2)
    assert said[-1][1].startswith("10 of 10")
    assert len(attempts_of(course, course.assignment("warmup"), "ada")) == 1


def test_the_best_attempt_counts_and_a_worse_one_has_its_own_page(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course", config=BEST)
    submit(root, "ada", half())
    graded_once(root)
    submit(root, "ada", solved())
    graded_once(root)
    submit(root, "ada", untouched())
    ((_, said),) = graded_once(root)
    assert said.startswith("0 of 10; an earlier attempt counts")
    assert scores(root) == {"ada": 10}
    assert "this attempt, not the one that counts" in page(root, "ada")
    assert graded_once(root) == []


@pytest.mark.thorough
def test_the_last_attempt_counts_where_nothing_else_is_said(root: Path) -> None:
    for tree in (solved(), half()):
        submit(root, "ada", tree)
        graded_once(root)
    assert scores(root) == {"ada": 6}


@pytest.mark.parametrize(("counts", "score"), [("best", 10), pytest.param("last", 6, marks=pytest.mark.thorough)])
def test_grade_keeps_the_attempt_that_watch_made_count(tmp_path: Path, counts: str, score: float) -> None:
    root = make_course(tmp_path / "course", config=BEST.replace("counts: best", f"counts: {counts}"))
    submit(root, "ada", solved(), timestamp="2026-11-28 12:00:00 UTC")
    graded_once(root)
    submit(root, "ada", half(), timestamp="2026-12-01 12:00:00 UTC")
    graded_once(root)
    course = load_course(root)
    (result,) = grade_assignment(course, course.assignment("warmup"), jobs=1)
    assert result.status == "kept"
    assert scores(root) == {"ada": score}
    assert late(root) == {"ada": 0 if counts == "best" else pytest.approx(2.4)}


@pytest.mark.thorough
def test_of_a_late_better_attempt_and_an_earlier_one_the_better_after_the_penalty_counts(tmp_path: Path) -> None:
    steep = BEST.replace("percent_per_day: 10, max_percent: 50", "percent_per_day: 60, max_percent: 90")
    root = make_course(tmp_path / "course", config=steep)
    submit(root, "ada", half(), timestamp="2026-11-28 12:00:00 UTC")
    graded_once(root)
    submit(root, "ada", solved(), timestamp="2026-11-30 12:00:00 UTC")
    ((_, said),) = graded_once(root)
    assert "an earlier attempt counts" in said
    assert scores(root) == {"ada": 6}


@pytest.mark.thorough
def test_beyond_the_attempts_of_a_day_one_waits_for_the_courses_midnight(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course", config=TWO_A_DAY)
    for tree in (untouched(), half()):
        submit(root, "ada", tree)
        graded_once(root)
    submit(root, "ada", solved())
    assert graded_once(root) == [("ada", "waits for tomorrow: 2 of today's attempts are graded")]
    assert "2 attempts are graded on one day, and today&#39;s are" in page(root, "ada")
    assert "6 of 12 points" in page(root, "ada"), "it is about the attempt that counts"
    before_midnight = datetime(2026, 11, 21, 4, 59, 59, tzinfo=UTC)
    assert "waits" in graded_once(root, before_midnight)[0][1]
    assert graded_once(root, before_midnight + timedelta(seconds=1))[0][1].startswith("10 of 10")
    assert "on one day" not in page(root, "ada")


def test_a_broken_notebook_is_graded_a_pipe_refused_and_the_others_go_on(root: Path) -> None:
    for student in ("ada", "bob", "cyd"):
        submit(root, student, solved())
    (root / "submitted/bob/warmup/warmup.ipynb").write_text("{")
    (root / "submitted/cyd/warmup/warmup.ipynb").unlink()
    os.mkfifo(root / "submitted/cyd/warmup/warmup.ipynb")
    said = dict(graded_once(root))
    assert said["ada"].startswith("10 of 10")
    assert said["bob"].startswith("0 of 10")
    assert said["cyd"].startswith("refused: ")


def test_while_another_command_has_the_course_a_grade_waits_and_is_not_lost(root: Path) -> None:
    course = load_course(root)
    with watching(root) as said:
        submit(root, "zoe")
        until(lambda: bool(said))  # it looks
        with only_run(course):
            submit(root, "ada", solved())
            until(lambda: len(said) == 2)
            assert said[1][1].startswith("what is graded waits to be stored: ")
        until(lambda: len(said) == 3)
    assert scores(root) == {"ada": 10, "zoe": 10}


def test_a_watch_that_was_killed_goes_on_where_it_was(root: Path) -> None:
    for number in range(3):
        submit(root, f"s{number}", solved())
    words = [PROGRAMS / "autograder", "watch", "warmup", "--jobs", "1"]
    with subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout)
        next(line for line in lines if "10 of 10" in line)
        process.kill()
    with subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        until(lambda: len(list((root / FOLDER / "warmup").iterdir())) == 3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert scores(root) == {f"s{number}": 10 for number in range(3)}
    course = load_course(root)
    for number in range(3):
        assert len(attempts_of(course, course.assignment("warmup"), f"s{number}")) == 1


def test_a_second_watch_is_refused_with_who_has_it_and_one_that_was_killed_is_in_nobodys_way(root: Path) -> None:
    words = [PROGRAMS / "autograder", "watch", "warmup", "--jobs", "1"]
    with subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        submit(root, "ada", solved())
        next(line for line in iter(process.stdout) if "10 of 10" in line)
        with pytest.raises(
            AutograderError, match=rf"another watch .* warmup .*\(process {process.pid}, since .*Stop that"
        ):
            graded_once(root)
        process.kill()
    assert graded_once(root) == []


@pytest.mark.thorough
def test_from_the_exchange_to_the_exchange(root: Path, tmp_path: Path) -> None:
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    exchange.chmod(0o777)
    student = tmp_path / "student"
    student.mkdir()
    settings = [f"--Exchange.root={exchange}", "--course=tiny"]
    environment = os.environ | {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}", "HOME": str(student)}

    def nbgrader(*words: str, cwd: Path = student) -> None:
        done = subprocess.run(
            [PROGRAMS / "nbgrader", *words, *settings],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    with open_gradebook(load_course(root)):
        pass
    nbgrader("release_assignment", "warmup", f"--CourseDirectory.root={root}", cwd=root)
    nbgrader("fetch_assignment", "warmup")
    shutil.copy(root / "source/warmup/warmup.ipynb", student / "warmup/warmup.ipynb")
    with watching(root, exchange=exchange) as said:
        nbgrader("submit", "warmup")
        until(lambda: bool(said))
    ((name, what),) = said
    assert what.startswith("10 of 10; feedback and released after "), (name, what)
    nbgrader("fetch_feedback", "warmup")
    (fetched,) = student.glob("warmup/feedback/*/warmup.html")
    assert "Warm-up" in fetched.read_text()
    assert stat.S_IMODE(fetched.stat().st_mode) & stat.S_IRUSR


def test_an_exchange_that_nothing_was_released_to_is_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(AutograderError, match="nothing of tiny was released to this exchange"):
        graded_once(root, exchange=tmp_path)


def test_attempts_are_counted_by_the_day_of_the_course(root: Path) -> None:
    course = load_course(root)
    warmup = course.assignment("warmup")
    for minutes in (-1, 0, 1):
        at = datetime(2026, 11, 21, 5, tzinfo=UTC) + timedelta(minutes=minutes)
        note_attempt(course, warmup, "ada", Attempt(f"digest {minutes}", at.isoformat(), 1.0, True))
    found = attempts_of(course, warmup, "ada")
    assert [graded_on(found, datetime(2026, 11, day).date(), course.timezone) for day in (20, 21)] == [1, 2]


def test_a_damaged_list_of_attempts_costs_nobody_a_grade(root: Path) -> None:
    submit(root, "ada", solved())
    graded_once(root)
    (root / FOLDER / "warmup/ada.json").write_text('[{"at": 3')
    submit(root, "ada", half())
    assert graded_once(root)[0][1].startswith("6 of 10")


@pytest.mark.parametrize(
    ("attempts", "said"),
    [("{counts: bets}", "did you mean 'best'"), ("{per_day: -1}", "per_day"), ("{perday: 3}", "per_day")],
)
def test_a_mistake_in_attempts_is_named(tmp_path: Path, attempts: str, said: str) -> None:
    config = BEST.replace("{counts: best}", attempts)
    with pytest.raises(ConfigError, match=said):
        load_course(make_course(tmp_path / "course", config=config))


KILLS_ITS_GRADER = """

@check("scale")
def test_scale_once_more(student: Student, reference: Reference, draw: Draw) -> None:
    \"\"\"It is scaled once more.\"\"\"
    if student.scale(np.ones(2), 2.0).array((2,)).sum() == 8:
        import os

        os._exit(1)
"""


def test_what_kills_processes_of_the_pool_is_given_up_and_the_watch_goes_on(root: Path) -> None:
    checks = root / "checks/warmup/test_warmup.py"
    checks.write_text(checks.read_text() + KILLS_ITS_GRADER)
    for student in ("bob", "cyd"):
        submit(root, student, half())
    course = load_course(root)
    said: list[tuple[str, str]] = []
    told = lambda student, what: said.append((student, what))  # noqa: E731
    watch(course, course.assignment("warmup"), jobs=2, once=True, told=told)
    given_up = "failed: the process that graded it was killed, again and again"
    assert sorted(said) == [("bob", given_up), ("cyd", given_up)]
