"""A course from nothing: what `autograder init` writes can be linted, released and graded at once."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autograder.authoring import init_course, lint_course, new_assignment
from autograder.base import AutograderError, ConfigError
from autograder.checking import load_reference, plan_of, title_of
from autograder.course import CONFIG_NAME, load_course, master_cells
from autograder.submission import submissions
from tests.commands import autograder
from tests.courses import cell, notebook, solved, write

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


@pytest.mark.thorough
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
    (tmp_path / "solutions/nearest").mkdir(parents=True)
    (tmp_path / "solutions/nearest/mistakes.py").write_text("mine")
    with pytest.raises(AutograderError, match=r"has solutions/nearest/mistakes\.py already.*nothing was written"):
        init_course(tmp_path, 0, NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["solutions"]


def test_a_folder_inside_another_course_is_refused_at_once(begun: Path) -> None:
    with pytest.raises(ConfigError, match=r"lies inside the course in .*numerics"):
        init_course(begun / "source/another", 0, NOW)
    assert not (begun / "source/another").exists()


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


# In a course that nbgrader has run until now


@pytest.fixture(scope="module")
def written_by_nbgrader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course of nbgrader's with one assignment, its gradebook as nbgrader writes it; no test changes it."""
    from nbgrader.api import Gradebook

    root = tmp_path_factory.mktemp("nbgrader") / "old"
    write(root / "source/warmup/warmup.ipynb", solved())
    (root / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.course_id = 'phys: 101'\nc.Exchange.root = '/srv/exchange'\n"
        "raise SystemExit\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # it calls alembic
        with Gradebook(f"sqlite:///{root}/gradebook.db") as gradebook:
            gradebook.add_assignment("warmup", duedate="2026-12-06 22:59:00")
            gradebook.add_student("ada")
    return root


@pytest.fixture
def nbgraders(written_by_nbgrader: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that course, in a time zone."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    return Path(shutil.copytree(written_by_nbgrader, tmp_path / "old"))


def test_a_course_of_nbgrader_s_gets_a_configuration_of_what_is_there(nbgraders: Path) -> None:
    made = init_course(nbgraders, 0, NOW)
    assert made.assignments == ("warmup",)
    course = load_course(nbgraders)
    assert (course.name, course.exchange) == ("phys: 101", Path("/srv/exchange"))
    due = course.assignment("warmup").due
    assert due is not None
    assert f"{due:%Y-%m-%d %H:%M}" == "2026-12-06 23:59"


def test_a_date_of_nbgrader_s_that_cannot_be_read_is_said(nbgraders: Path) -> None:
    (nbgraders / "gradebook.db").unlink()
    with (nbgraders / "nbgrader_config.py").open("a") as config:
        config.write("c.CourseDirectory.db_assignments = [dict(name='warmup', duedate='2026-12-01 23:59 Mars')]\n")
    (note,) = init_course(nbgraders, 0, NOW).notes
    assert "warmup" in note
    assert "2026-12-01 23:59 Mars" in note


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "course").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "course/source").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AutograderError, match="source is a link, and nothing is written through one"):
        init_course(tmp_path / "course", 0, NOW)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_nothing_else_of_it_is_touched(nbgraders: Path) -> None:
    before = {path: path.read_bytes() for path in nbgraders.rglob("*") if path.is_file()}
    init_course(nbgraders, 0, NOW)
    after = {path: path.read_bytes() for path in nbgraders.rglob("*") if path.is_file()}
    assert after.keys() - before.keys() == {nbgraders / CONFIG_NAME}
    assert before.items() <= after.items()


def test_made_up_students_have_no_place_in_it(nbgraders: Path) -> None:
    with pytest.raises(ConfigError, match="made-up students have no place"):
        init_course(nbgraders, 3, NOW)
    assert not (nbgraders / CONFIG_NAME).exists()


def test_the_command_says_what_nbgrader_s_configuration_needs(nbgraders: Path) -> None:
    done = autograder(nbgraders, "init", ".", TZ="Europe/Berlin")
    assert done.returncode == 0, done.stderr
    assert "configure(c, __file__)" in done.stdout


# An assignment of one's own


@pytest.fixture
def course(tmp_path: Path) -> Path:
    init_course(tmp_path / "course", 0, NOW)
    return tmp_path / "course"


def test_a_new_assignment_has_a_row_for_each_function_and_class(course: Path) -> None:
    new_assignment(course, "lab", functions=["softmax", "loss"], classes=["Linear"])
    rows = load_course(course).assignment("lab").rows
    assert [(row.name, row.test_id, row.points) for row in rows] == [
        ("softmax", "test_softmax", 10),
        ("loss", "test_loss", 10),
        ("Linear", "test_Linear", 10),
    ]
    assert not lint_course(course)


def test_an_assignment_without_names_has_one_exercise(course: Path) -> None:
    new_assignment(course, "lab")
    assert len(load_course(course).assignment("lab").rows) == 1


def test_what_is_still_to_be_written_is_named_when_it_is_released(course: Path) -> None:
    new_assignment(course, "lab", functions=["softmax"])
    done = autograder(course, "release", "lab")
    assert done.returncode == 1
    assert "`softmax` is not written yet" in done.stderr


def test_a_new_reference_has_what_the_master_defines(course: Path) -> None:
    made = new_assignment(course, "lab", functions=["softmax"], classes=["Linear"], reference=True)
    assert made.reference == course / "solutions/lab/__init__.py"
    reference = load_reference(load_course(course).assignment("lab"))
    with pytest.raises(NotImplementedError):
        reference.softmax(1)


def test_the_configuration_keeps_its_comments(course: Path) -> None:
    before = (course / CONFIG_NAME).read_text()
    new_assignment(course, "lab")
    after = (course / CONFIG_NAME).read_text()
    assert after.startswith(before)
    assert "  lab:" in after


@pytest.mark.parametrize(
    ("name", "names", "said"),
    [
        ("nearest", ["f"], "is there already"),
        ("../out", ["f"], "expected an assignment's name"),
        ("lab", ["not a name"], "expected a name that Python takes"),
        ("lab", ["class"], "expected a name that Python takes"),
        ("lab", ["f", "f"], "f is named twice"),
        ("lab", ["about"], "about is what a cell beside the exercises is called"),
        ("lab", ["f", "test_f"], "test_f is what a cell beside the exercises is called"),
        ("", ["f"], "expected the assignment's name"),
        (".", ["f"], "expected the assignment's name"),
    ],
)
def test_a_name_that_will_not_do_is_refused_and_nothing_is_written(
    course: Path, name: str, names: list[str], said: str
) -> None:
    before = sorted(course.rglob("*"))
    with pytest.raises(ConfigError, match=said):
        new_assignment(course, name, functions=names)
    assert sorted(course.rglob("*")) == before


SOLVED = notebook(
    cell("# A lab", kind="markdown"),
    cell("import numpy as np\nSCALE = 2.0"),
    cell('def mean(x):\n    """The mean."""\n    total = sum(x)\n    return total / len(x)'),
    cell("class Line:\n    def __init__(self, a): self.a = a\n    def at(self, x):\n        return self.a * x"),
    cell("mean([1, 2])"),
)


def test_a_solved_notebook_becomes_a_master_with_its_code_marked(course: Path, tmp_path: Path) -> None:
    new_assignment(course, "lab", notebook=write(tmp_path / "lab.ipynb", SOLVED))
    assignment = load_course(course).assignment("lab")
    assert [row.name for row in assignment.rows] == ["mean", "Line"]
    found = {each.grade_id: each.source for each in master_cells(assignment.master)}
    marked = (
        '"""The mean."""\n    ### BEGIN SOLUTION\n    total = sum(x)\n    return total / len(x)\n    ### END SOLUTION'
    )
    assert marked in found["mean"]
    assert "def __init__(self, a):\n        ### BEGIN SOLUTION\n        self.a = a\n" in found["Line"]


def test_only_what_is_named_of_a_notebook_becomes_an_exercise(course: Path, tmp_path: Path) -> None:
    solved_lab = write(tmp_path / "lab.ipynb", SOLVED)
    new_assignment(course, "lab", notebook=solved_lab, functions=["mean"])
    assert [row.name for row in load_course(course).assignment("lab").rows] == ["mean"]
    with pytest.raises(ConfigError, match="defines no variance"):
        new_assignment(course, "other", notebook=solved_lab, functions=["variance"])


def test_a_notebook_that_is_a_master_already_is_left_to_import(course: Path) -> None:
    master = course / "source/nearest/nearest.ipynb"
    with pytest.raises(ConfigError, match="autograder import"):
        new_assignment(course, "lab", notebook=master)


@pytest.mark.parametrize("module", ["heapq", "textwrap", "statistics", "fractions", "bisect"])
def test_marks_change_nothing_of_the_code(module: str, course: Path, tmp_path: Path) -> None:
    code = inspect.getsource(importlib.import_module(module))
    new_assignment(course, "lab", notebook=write(tmp_path / "lab.ipynb", notebook(cell(code))))
    (solution,) = (each for each in master_cells(course / "source/lab/lab.ipynb") if each.solution)
    assert ast.dump(ast.parse(solution.source)) == ast.dump(ast.parse(code))
    assert solution.source.count("### BEGIN SOLUTION") == solution.source.count("### END SOLUTION") > 3


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("def f(x): y = x; return y", "    ### BEGIN SOLUTION\n    y = x; return y\n    ### END SOLUTION"),
        (
            "class C:\n    def f(self): return 1",
            "        ### BEGIN SOLUTION\n        return 1\n        ### END SOLUTION",
        ),
    ],
)
def test_a_body_beside_its_signature_is_marked_whole(code: str, body: str, course: Path, tmp_path: Path) -> None:
    new_assignment(course, "lab", notebook=write(tmp_path / "lab.ipynb", notebook(cell(code))))
    (solution,) = (each for each in master_cells(course / "source/lab/lab.ipynb") if each.solution)
    assert solution.source.endswith(body)


@pytest.mark.parametrize(
    "body",
    [
        "    # the answer is twice\n    return 2 * x",
        "    return 2 * x\n    # the answer is twice",
        "\n    # the answer is twice\n\n    return 2 * x\n\n      # the answer is twice",
    ],
)
def test_comments_around_a_body_are_no_students_to_read(body: str, course: Path, tmp_path: Path) -> None:
    code = f'def f(x):\n    """# Words."""\n{body}\n\n# below it\ny = 1'
    new_assignment(course, "lab", notebook=write(tmp_path / "lab.ipynb", notebook(cell(code))))
    (solution,) = (each for each in master_cells(course / "source/lab/lab.ipynb") if each.solution)
    given, _, rest = solution.source.partition("### BEGIN SOLUTION")
    hidden, _, after = rest.partition("### END SOLUTION")
    assert ("answer" in given + after, "answer" in hidden, "# below it" in after) == (False, True, True)


@pytest.mark.parametrize("code", ["%matplotlib inline\ndef f(x): return x", f"def f(x):\n    return {'x+' * 900}x"])
def test_any_cell_that_defines_a_function_becomes_an_exercise_or_is_named(
    code: str, course: Path, tmp_path: Path
) -> None:
    lab = write(tmp_path / "lab.ipynb", notebook(cell(code)))
    try:
        made = new_assignment(course, "lab", notebook=lab, reference=True)
    except ConfigError as error:
        assert "nested too deeply" in str(error)  # noqa: PT017 - either is right, by how deep Python goes
    else:
        assert made.reference is not None


def test_marks_that_are_there_already_are_named_with_their_cell(course: Path, tmp_path: Path) -> None:
    code = "def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION"
    with pytest.raises(ConfigError, match=r"lab\.ipynb, cell 1: the marks of a solution are there already"):
        new_assignment(course, "lab", notebook=write(tmp_path / "lab.ipynb", notebook(cell(code))))


def test_a_body_that_cannot_be_marked_is_named_with_its_cell(course: Path, tmp_path: Path) -> None:
    lab = write(tmp_path / "lab.ipynb", notebook(cell('def f(x): "Words."; return x')))
    with pytest.raises(ConfigError, match=r"lab\.ipynb, cell 1: put the code of f on lines of its own"):
        new_assignment(course, "lab", notebook=lab)


def test_a_new_test_cell_is_called_by_its_exercise(course: Path) -> None:
    new_assignment(course, "lab", functions=["softmax"])
    plan = plan_of(master_cells(course / "source/lab/lab.ipynb"))
    assert title_of(plan.tests["test_softmax"]) == "softmax gives what it should."


def test_a_course_of_nbgrader_s_without_a_master_is_refused_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "nbgrader_config.py").write_text("c = get_config()\n")
    (tmp_path / "stray.ipynb").write_text("{}")
    with pytest.raises(ConfigError, match=r"without a master notebook in source/.*name an empty folder"):
        init_course(tmp_path, 0, NOW)
    assert not (tmp_path / CONFIG_NAME).exists()


def test_the_command_begins_an_assignment_and_says_where(course: Path) -> None:
    done = autograder(course, "new", "lab", "--rows", "f, g", "--class", "C")
    assert done.returncode == 0, done.stderr
    assert "source/lab/lab.ipynb" in done.stdout
    assert [row.name for row in load_course(course).assignment("lab").rows] == ["f", "g", "C"]
