"""A course that others on the machine can get at: what is said of it, what it stops, and what is closed by itself."""

import os
import shlex
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.authoring import make_course as make_demo
from autograder.base import AutograderError, make_closed_file, make_closed_folder, write_atomically
from autograder.course import load_course
from autograder.gradebook import backup, open_gradebook
from autograder.operations import collect_from, grade_assignment, how_open, runs_by_itself, watch
from tests.courses import CONFIG, make_course, solved, submit, write

REPOSITORY = Path(__file__).parents[2]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="NEEDS ROOT: files of other users and groups are made")


@pytest.fixture
def open_course() -> Iterator[Path]:
    """A course that everybody can read, as one that was cloned to a folder that all can enter; pytest's are closed."""
    with tempfile.TemporaryDirectory() as made:
        around = Path(made).resolve()
        around.chmod(0o711)
        if not all(each.stat().st_mode & stat.S_IXOTH for each in around.parents):
            pytest.skip(f"NEEDS A TEMPORARY FOLDER THAT ALL CAN ENTER: {around.parent} is none")
        root = make_course(around / "course")
        submit(root, "ada")
        (root / "gradebook.db").touch()
        (root / ".gradebook-backups").mkdir()
        for path in (root, *root.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield root


def said_of(root: Path) -> str:
    return how_open(load_course(root))


def close(root: Path) -> None:
    """Keep everything in a course's folder to oneself, and let everybody enter it."""
    for path in root.iterdir():
        path.chmod(0o700 if path.is_dir() else 0o600)


def test_what_everybody_can_read_is_named_with_what_closes_it(open_course: Path) -> None:
    said = said_of(open_course)
    parts = "source, solutions/warmup, checks/warmup, submitted, gradebook.db, .gradebook-backups"
    assert f"everybody on this machine can read {parts}." in said.replace("; ", ".").replace(". Close", ". Close")
    command = f"chmod go= {shlex.quote(str(open_course))}"
    assert f"Close it: {command} " in said
    subprocess.run(command, shell=True, check=True)
    assert said_of(open_course) == ""


def test_a_course_that_others_can_get_at_is_not_graded(open_course: Path) -> None:
    course = load_course(open_course)
    with pytest.raises(AutograderError, match="is open to others"):
        list(grade_assignment(course, course.assignment("warmup"), jobs=1))
    with pytest.raises(AutograderError, match="is open to others"):
        watch(course, course.assignment("warmup"), jobs=1, once=True)
    assert not (open_course / "autograded").exists()


def test_a_course_below_a_folder_that_only_its_owner_can_enter_is_closed(open_course: Path) -> None:
    open_course.parent.chmod(0o700)
    assert said_of(open_course) == ""


@pytest.mark.parametrize(
    "part",
    ["source", "solutions", "checks", "submitted", "autograded", "feedback", "gradebook.db", ".gradebook-backups"],
)
@pytest.mark.parametrize("mode", [0o704, 0o702])
def test_each_part_of_a_course_is_looked_at(open_course: Path, part: str, mode: int) -> None:
    for name in ("autograded", "feedback"):
        (open_course / name).mkdir(mode=0o700)
    close(open_course)
    assert said_of(open_course) == ""
    path = open_course / part
    path.chmod(mode | (path.is_dir() and 1))
    assert f"can {'read' if mode & 4 else 'write to'} {part}" in said_of(open_course)


def test_a_file_deep_inside_is_found_where_it_can_be_reached(open_course: Path) -> None:
    close(open_course)
    for folder in (open_course / "submitted", open_course / "submitted/ada", open_course / "submitted/ada/warmup"):
        folder.chmod(0o711)
    assert "can read submitted/ada/warmup/warmup.ipynb." in said_of(open_course).replace(". Close", "..")
    (open_course / "submitted/ada").chmod(0o700)
    assert said_of(open_course) == ""


@pytest.mark.parametrize("part", [".", "..", "release", "gradebook_config.yaml", "nbgrader_config.py"])
def test_what_others_may_read_they_may_not_write(open_course: Path, part: str) -> None:
    (open_course / "nbgrader_config.py").touch(mode=0o600)
    close(open_course)
    path = (open_course / part).resolve()
    path.chmod(path.stat().st_mode | 0o005)
    assert said_of(open_course) == ""
    path.chmod(path.stat().st_mode | 0o002)
    assert "can write to" in said_of(open_course)
    path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o002)


def test_a_gradebook_elsewhere_is_looked_at_where_it_is(open_course: Path) -> None:
    elsewhere = open_course.parent / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    config = CONFIG.replace("name: tiny", f"name: tiny\ndatabase: sqlite:///{elsewhere}/grades.db")
    (open_course / "gradebook_config.yaml").write_text(config)
    (elsewhere / "grades.db").touch()
    (elsewhere / "grades.db").chmod(0o644)
    open_course.chmod(0o700)
    assert f"Close it: chmod -R go= {elsewhere}/grades.db " in said_of(open_course)


def test_whoever_knows_better_says_so_in_the_configuration(open_course: Path) -> None:
    config = open_course / "gradebook_config.yaml"
    config.write_text(CONFIG + "shared_with: everybody\n")
    assert said_of(open_course) == ""
    config.write_text(CONFIG + "shared_with: group\n")
    assert "everybody on this machine" in said_of(open_course)
    config.write_text(CONFIG + "shared_with: anybody\n")
    with pytest.raises(AutograderError, match="expected one of: nobody, group or everybody"):
        said_of(open_course)


@needs_root
def test_members_of_a_group_are_others_unless_the_course_is_shared_with_them(open_course: Path) -> None:
    close(open_course)
    os.chown(open_course / "checks", -1, 4711)
    (open_course / "checks").chmod(0o750)
    assert "the group 4711 can read checks/warmup" in said_of(open_course)
    (open_course / "gradebook_config.yaml").write_text(CONFIG + "shared_with: group\n")
    assert said_of(open_course) == ""


@needs_root
def test_another_users_file_is_that_users_to_change(open_course: Path) -> None:
    close(open_course)
    for folder in (open_course / "submitted", open_course / "submitted/ada", open_course / "submitted/ada/warmup"):
        folder.chmod(0o711)
    path = open_course / "submitted/ada/warmup/warmup.ipynb"
    path.chmod(0o400)
    assert said_of(open_course) == ""
    os.chown(path, 4711, -1)
    assert "the user 4711 can write to submitted/ada/warmup/warmup.ipynb" in said_of(open_course)
    (open_course / "submitted").chmod(0o700)
    assert said_of(open_course) == ""


def test_what_the_program_makes_is_closed_whatever_the_umask_lets(open_course: Path) -> None:
    for name in ("gradebook.db", ".gradebook-backups", "submitted"):
        path = open_course / name
        (open_course / name).rename(open_course.parent / f"was-{name.strip('.')}")
        assert not path.exists()
    close(open_course)
    course = load_course(open_course)
    before = os.umask(0o022)
    try:
        with open_gradebook(course):
            pass
        assert backup(course) is not None
        (open_course.parent / "inbox").mkdir()
        write(open_course.parent / "inbox/ada.ipynb", solved())
        (taken,) = collect_from(course, course.assignment("warmup"), open_course.parent / "inbox") or []
        assert taken.status == "new"
    finally:
        os.umask(before)
    made = {name: stat.S_IMODE((open_course / name).stat().st_mode) for name in ("gradebook.db", "submitted")}
    assert made == {"gradebook.db": 0o600, "submitted": 0o700}
    assert stat.S_IMODE((open_course / ".gradebook-backups").stat().st_mode) == 0o700
    assert said_of(open_course) == ""


def test_what_is_made_in_a_folder_of_a_groups_is_the_groups(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    make_closed_folder(tmp_path / "autograded/ada")
    make_closed_file(tmp_path / "autograded/gradebook.db")
    write_atomically(tmp_path / "autograded/ada/result", "1")
    made = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in tmp_path.rglob("*")}
    assert made == {"autograded": "0o2770", "ada": "0o2770", "gradebook.db": "0o660", "result": "0o660"}


def test_a_demo_is_closed(open_course: Path) -> None:
    demo = open_course.parent / "demo"
    make_demo(load_course(REPOSITORY), demo, 2)
    assert stat.S_IMODE(demo.stat().st_mode) == 0o700
    assert said_of(demo) == ""


OURS = (REPOSITORY / "nbgrader_config.py").read_text()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "is missing"),
        ("", "does not call"),
        ("# from autograder.nbgrader_plugins import configure; configure(c, __file__)\n", "does not call"),
        (OURS + "c.Autograde.exporter_class = 'nbconvert.exporters.NotebookExporter'\n", "does not call"),
        (OURS + "c.Autograde.autograde_preprocessors = ['nbgrader.preprocessors.Execute']\n", "leaves GradeSubmission"),
        (OURS + "c.Autograde.autograde_preprocessors.append('nbgrader.preprocessors.Execute')\n", "has nbgrader.pre"),
        (
            OURS + "c.Autograde.sanitize_preprocessors.insert(0, 'nbconvert.preprocessors.ExecutePreprocessor')\n",
            "has nb",
        ),
        (OURS + "c.Autograde.autograde_preprocessors.append('no.such.thing')\n", "has no.such.thing"),
        (OURS + "raise RuntimeError('broken')\n", "RuntimeError: broken"),
    ],
)
def test_a_configuration_by_which_nbgrader_runs_submissions_itself_is_said(
    course_root: Path, text: str | None, why: str
) -> None:
    if text is not None:
        (course_root / "nbgrader_config.py").write_text(text)
    said = runs_by_itself(course_root)
    assert why in said
    assert "\n" not in said


def test_the_configuration_of_a_course_and_settings_below_it_are_well(course_root: Path) -> None:
    (course_root / "nbgrader_config.py").write_text(OURS)
    assert runs_by_itself(course_root) == ""
    (course_root / "nbgrader_config.py").write_text(OURS + "c.ClearSolutions.code_stub = {'python': 'pass'}\n")
    assert runs_by_itself(course_root) == ""
    (course_root / "nbgrader_config.json").write_text('{"Autograde": {"autograde_preprocessors": []}}')
    assert "leaves GradeSubmission out" in runs_by_itself(course_root)
