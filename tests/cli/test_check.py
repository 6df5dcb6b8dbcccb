"""``autograder check`` as CI uses it: a hand-in, a course that is elsewhere, a log that students read."""

import json
import os
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.authoring import release
from autograder.base import said
from autograder.course import load_course
from autograder.grading import CheckResult, Report, RowResult
from autograder.reports import junit_text
from tests import commands as programs
from tests.commands import AUTOGRADER
from tests.courses import (
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

pytestmark = pytest.mark.sandbox


@pytest.fixture
def problem_set(tmp_path):
    """A released assignment of two notebooks, of 4 and of 6 points."""
    root = make_problem_set(tmp_path / "set")
    release(load_course(root), "ps1")
    return root


@pytest.fixture
def checkout(tmp_path):
    """A student's repository as CI has it: a notebook, git's own folder, and files that are no notebook."""
    folder = tmp_path / "checkout"
    (folder / ".git/objects").mkdir(parents=True)
    (folder / ".git/HEAD").write_text("ref: refs/heads/main\n")
    (folder / "README.md").write_text("# Mine\n")
    write(folder / "warmup.ipynb", mistaken())
    return folder


# What is graded


def test_a_folder_is_graded_as_what_one_student_handed_in(run, checkout):
    write(checkout / "scratch.ipynb", untouched())
    status, out, _ = run("check", str(checkout))
    assert status == 0
    assert "6 of 10 points" in out


def test_a_folder_with_all_notebooks_of_an_assignment_gives_their_points_together(run, problem_set):
    folder = submit_problems(problem_set, "ada", problem1=problem1(), problem2=problem2())
    status, out, _ = run("check", str(folder), "--course", str(problem_set), "--json")
    assert (status, json.loads(out)["score"], json.loads(out)["max_score"]) == (0, 10, 10)


def test_a_notebook_that_was_not_handed_in_costs_its_own_points(run, problem_set):
    folder = submit_problems(problem_set, "ada", problem1=problem1())
    assert json.loads(run("check", str(folder), "--course", str(problem_set), "--json")[1])["score"] == 4


def test_a_repository_for_a_term_has_a_folder_for_each_assignment(run, checkout):
    (checkout / "warmup").mkdir()
    (checkout / "warmup.ipynb").rename(checkout / "warmup/warmup.ipynb")
    assert "6 of 10 points" in run("check", str(checkout), "--assignment", "warmup")[1]


def test_a_folder_that_is_a_link_is_not_followed(run, checkout, course_root):
    (checkout / "warmup.ipynb").unlink()
    (checkout / "warmup").symlink_to(course_root / "source/warmup")
    assert "0 of 10 points" in run("check", str(checkout), "--assignment", "warmup")[1]


def test_a_folder_without_a_notebook_gets_nothing_and_says_so(run, checkout):
    (checkout / "warmup.ipynb").unlink()
    status, out, _ = run("check", str(checkout))
    assert status == 0
    assert "0 of 10 points" in out
    assert "notebook" in out


# Whose course it is


@pytest.mark.parametrize("place", ["", "hand-in/"])
@pytest.mark.parametrize("given", ["warmup.ipynb", "."])
def test_no_course_is_taken_from_beside_or_above_the_hand_in(run, tmp_path, monkeypatch, place, given):
    brought = make_course(tmp_path / "brought")
    ran = tmp_path / "ran"
    (brought / "checks/warmup/test_warmup.py").write_text(f"from pathlib import Path\nPath({str(ran)!r}).touch()\n")
    write(brought / place / "warmup.ipynb", mistaken())
    monkeypatch.chdir(brought)
    status, _, err = run("check", f"{place}{given}")
    assert (status, ran.exists()) == (2, False)
    assert "may have been handed in with it" in err
    assert "--course DIR" in err


@pytest.mark.parametrize("stands", ["submitted", "release", ""])
def test_no_course_is_taken_from_around_the_hand_in_where_a_job_of_a_ci_system_stands(
    run, tmp_path, monkeypatch, stands
):
    brought = make_course(tmp_path / "brought")
    write(brought / "submitted/warmup.ipynb", mistaken())
    monkeypatch.chdir(brought / stands)
    if not stands:
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
    status, _, err = run("check", str(brought / "submitted/warmup.ipynb"))
    assert status == 2
    assert "may have been handed in with it" in err


def test_the_course_that_is_named_grades_what_brings_a_course_along(run, course_root, tmp_path, monkeypatch):
    brought = make_course(tmp_path / "brought")
    write(brought / "warmup.ipynb", mistaken())
    monkeypatch.chdir(brought)
    monkeypatch.setenv("AUTOGRADER_COURSE", str(course_root))
    assert "6 of 10 points" in run("check", ".")[1]


# The threshold


@pytest.mark.parametrize(
    ("threshold", "status"), [("6", 0), ("6.5", 3), ("60%", 0), ("61 %", 3), ("0", 0), ("100%", 3), ("11", 3)]
)
def test_fewer_points_than_the_threshold_end_with_3(run, checkout, threshold, status):
    ended, out, _ = run("check", str(checkout), "--threshold", threshold)
    assert ended == status
    assert ("are reached" if status == 0 else "are not reached") in out


@pytest.mark.parametrize("threshold", ["-1", "most", "101%", "1e3", "nan", "6,5", "٦"])
def test_a_threshold_that_is_no_number_of_points_is_wrong_usage(run, checkout, threshold):
    status, _, err = run("check", str(checkout), f"--threshold={threshold}")
    assert status == 2
    assert "60%" in err


def test_the_threshold_tells_nothing_of_checks_that_are_not_shown(run, course_root, checkout):
    hide(course_root)
    right = submit(course_root, "ada", solved())
    assert [run("check", str(each), "--threshold", "7")[0] for each in (checkout, right)] == [3, 3]


def test_what_could_not_be_graded_is_below_no_threshold(run, course_root, checkout):
    break_checks(course_root)
    status, out, _ = run("check", str(checkout), "--threshold", "1", "--json")
    assert (status, json.loads(out)["reached"]) == (1, None)


# What students may read


def hide(root: Path) -> None:
    checks = root / "checks/warmup/test_warmup.py"
    declared = '@check("scale", hint="Multiply every entry by the factor."'
    assert declared in checks.read_text()
    checks.write_text(checks.read_text().replace(declared, f'{declared}, visibility="hidden"'))


def break_checks(root: Path, how: str = "raise RuntimeError('the secret')") -> None:
    checks = root / "checks/warmup/test_warmup.py"
    checks.write_text(
        checks.read_text().replace("    matches(student.centre", f"    {how}\n    matches(student.centre")
    )


FORMS = (["--json", "--junit", "result.xml"], [])


def written(run, *words):
    """All that a command says and writes, and its exit status."""
    status, out, err = run("check", *words, "--for-students")
    junit = Path("result.xml")
    return status, out + err + (junit.read_text() if junit.exists() else "")


@pytest.mark.parametrize("form", FORMS)
def test_students_read_no_name_of_a_check_and_no_digest(run, checkout, form):
    status, text = written(run, str(checkout), *form)
    assert status == 0
    assert "test_scale(" not in text.replace(" ", "")
    assert '"name": "test_scale"' not in text
    assert "2 times too large" in text
    assert "Multiply every entry" in text


@pytest.mark.parametrize("form", FORMS)
def test_students_read_nothing_of_a_check_that_is_not_shown(run, course_root, checkout, form):
    hide(course_root)
    _, text = written(run, str(checkout), *form)
    assert not [each for each in ("Multiply every", "A vector is scaled", "2 times") if each in text]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("mistake", "status"),
    [
        (lambda root: break_checks(root), 1),
        (lambda root: (root / "checks/warmup/test_warmup.py").write_text("the secret = {"), 1),
        (lambda root: (root / "solutions/warmup/__init__.py").write_text("raise OSError('the secret')"), 1),
        (lambda root: (root / "gradebook_config.yaml").write_text("the secret: [1"), 2),
        (lambda root: (root / "release/warmup/warmup.ipynb").unlink(), 1),
        (lambda root: shutil.rmtree(root / "source"), 2),
    ],
)
def test_students_read_nothing_of_what_is_wrong_with_the_course(run, course_root, checkout, form, mistake, status):
    mistake(course_root)
    ended, text = written(run, str(checkout), "--course", str(course_root), *form)
    assert ended == status
    assert "reason" in text
    assert not [each for each in ("the secret", str(course_root), "RuntimeError", "test_warmup") if each in text]


def test_an_error_that_nobody_thought_of_is_not_told_to_students(run, checkout, monkeypatch):
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the secret")

    monkeypatch.setattr("autograder.operations.one_notebook.students_view", fails)
    status, text = written(run, str(checkout))
    assert (status, "the secret" in text) == (1, False)
    with pytest.raises(ZeroDivisionError):
        run("check", str(checkout))


SAYINGS = {
    "print": "print('the secret')",
    "a warning": "import warnings; warnings.warn('the secret')",
    "another program": "import os; os.system('echo the secret; echo the secret >&2')",
    "a descriptor": "import os; os.write(1, b'the secret'); os.write(2, b'the secret')",
    "an exit": "import sys; sys.exit('the secret')",
    "an exit without an error": "import sys; sys.exit(0)",
}


@pytest.mark.parametrize(
    ("place", "saying"),
    [
        *(("checks/warmup/test_warmup.py", each) for each in SAYINGS),
        *(("solutions/warmup/__init__.py", each) for each in ("print", "an exit")),
    ],
)
def test_students_read_nothing_that_the_code_of_the_course_prints(course_root, checkout, place, saying):
    code = course_root / place
    code.write_text(f"{SAYINGS[saying]}\n{code.read_text()}")
    words = ["check", str(checkout), "--course", str(course_root), "--for-students", "--json"]
    done = programs.run(AUTOGRADER, "autograder", *words, cwd=checkout, environment=dict(os.environ))
    assert "the secret" not in done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["status"], done.returncode) == (("failed", 1) if "exit" in saying else ("graded", 0))


def test_what_the_code_of_the_course_prints_is_in_no_json(run, course_root, checkout):
    code = course_root / "checks/warmup/test_warmup.py"
    code.write_text(f"print('a line')\n{code.read_text()}")
    status, out, err = run("check", str(checkout), "--course", str(course_root), "--json")
    assert (status, json.loads(out)["score"]) == (0, 6)
    assert "a line" in err


# JSON


def test_a_refusal_is_json_too(run, tmp_path, checkout):
    (tmp_path / "link.ipynb").symlink_to(checkout / "warmup.ipynb")
    os.mkfifo(tmp_path / "pipe.ipynb")
    graded = json.loads(run("check", str(checkout), "--json")[1])
    (tmp_path / "folder.ipynb").symlink_to(checkout)
    (tmp_path / "loop.ipynb").symlink_to("loop.ipynb")
    for name in ("link.ipynb", "pipe.ipynb", "none.ipynb", "folder.ipynb", "loop.ipynb"):
        status, out, _ = run("check", str(tmp_path / name), "--json")
        told = json.loads(out)
        assert (status, told["status"], told["score"]) == (1, "refused", None)
        assert name in told["why"]
        assert told.keys() == graded.keys()


def test_a_course_that_cannot_be_loaded_is_json_too(run, course_root, checkout):
    (course_root / "gradebook_config.yaml").write_text("course_id: [")
    status, out, _ = run("check", str(checkout), "--json")
    assert (status, json.loads(out)["status"]) == (2, "failed")
    assert "gradebook_config.yaml" in json.loads(out)["why"]


def test_the_visibility_of_a_check_is_what_the_assignment_makes_of_it(run, course_root, checkout):
    config = course_root / "gradebook_config.yaml"
    text = config.read_text().replace("due: 2026-11-29 23:59", "due: 2020-01-01 12:00")
    config.write_text(text + "    visibility: after_due_date\n")
    rows = json.loads(run("check", str(checkout), "--json")[1])["rows"]
    assert {check["visibility"] for row in rows for check in row["checks"]} == {"after_due_date"}


def test_json_says_which_version_it_is(run, checkout):
    told = json.loads(run("check", str(checkout), "--json", "--threshold", "50%")[1])
    assert (told["version"], told["status"], told["threshold"], told["reached"]) == (1, "graded", 5, True)


# JUnit


def test_junit_has_a_suite_for_each_row_and_a_case_for_each_check(run, checkout):
    run("check", str(checkout), "--junit", "result.xml")
    root = ElementTree.parse("result.xml").getroot()
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "2",
        "failures": "1",
        "errors": "0",
        "skipped": "0",
    }
    scale, centre = root.findall("testsuite")
    assert (scale.get("name"), centre.get("name")) == ("scale", "centre")
    failure = scale.find("testcase/failure")
    assert "2 times too large" in failure.get("message")
    assert "Hint: Multiply every entry by the factor." in failure.text


def test_junit_has_an_error_where_nothing_was_graded(run, tmp_path):
    run("check", str(tmp_path / "none.ipynb"), "--junit", "result.xml")
    root = ElementTree.parse("result.xml").getroot()
    assert (root.get("errors"), "is not there" in root.find("testsuite/testcase/error").get("message")) == ("1", True)


def test_junit_is_not_written_through_a_link(run, checkout, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    (checkout / "result.xml").symlink_to(tmp_path / "mine.txt")
    status, _, err = run("check", str(checkout), "--junit", str(checkout / "result.xml"))
    assert (status, "is a link" in err, (tmp_path / "mine.txt").read_text()) == (2, True, "mine")


def test_junit_that_cannot_be_written_is_said(run, checkout):
    status, out, err = run("check", str(checkout), "--junit", "none/result.xml", "--json")
    assert (status, json.loads(out)["score"]) == (1, 6)
    assert "none/result.xml could not be written" in err


@given(st.text(st.characters(exclude_categories=())))
def test_junit_is_xml_whatever_a_student_wrote(text):
    failed = CheckResult("test", text or "t", 1, "failed", cause=said(text), hint=text)
    row = RowResult(text, "test", 1, (failed,), notes=(text,))
    root = ElementTree.fromstring(junit_text(Report("a", None, "", "", (row,)), text))
    assert root.get("failures") == "1"
    root = ElementTree.fromstring(junit_text(Report("a", None, "", "", (), trouble=text), text))
    assert root.get("errors") == "1"
