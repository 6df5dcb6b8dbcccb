"""An assignment in Gradescope's container: what is packed, and what each hand-in comes to in results.json."""

import json
import math
import os
import re
import subprocess
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import autograder
from autograder.authoring import pack_for_gradescope
from autograder.base import AutograderError, ConfigError, ReleaseError
from autograder.course import load_course
from autograder.operations import grade_for_gradescope, place_in, try_for_gradescope
from autograder.operations.gradescope import Place
from tests import commands
from tests.courses import (
    CHECKS,
    CONFIG,
    PROBLEMS,
    REFERENCE,
    SCALE,
    make_course,
    make_problem_set,
    problem1,
    problem2,
    solved,
    untouched,
    write,
)

pytestmark = pytest.mark.sandbox

BEFORE, AFTER = datetime(2026, 11, 30, 4, 58, tzinfo=UTC), datetime(2026, 11, 30, 5, 0, tzinfo=UTC)
"""Around the due date of the tiny course's assignment."""

WITH_STUDENTS = (
    CONFIG.replace("name: tiny", "name: tiny\ndatabase: postgresql://grader@db.example.edu/secret\nexchange: exchange")
    + "    extensions: {ada: 2026-12-02 23:59}\n    excused: [bob]\n    groups: {blue: [cy, dee]}\n"
)


def packed(root: Path, name: str = "warmup", **options: Any) -> Path:
    """The zip file of an assignment of the course in a folder."""
    course = load_course(root)
    return pack_for_gradescope(course, course.assignment(name), root.parent / "made.zip", **options).path


def container(root: Path, name: str = "warmup") -> Place:
    """Gradescope's folders, with the zip file unpacked in them and nothing handed in yet."""
    home = root.parent / "home"
    with zipfile.ZipFile(packed(root, name)) as archive:
        archive.extractall(home / "source")
    for folder in ("submission", "results"):
        (home / folder).mkdir()
    return place_in(home)


def results(place: Place, *, now: datetime = BEFORE) -> dict[str, Any]:
    """What Gradescope gets of what was handed in."""
    grade_for_gradescope(place, now=now)
    tree: dict[str, Any] = json.loads(place.results.read_text(encoding="utf-8"))
    return tree


def score(tree: dict[str, Any]) -> float:
    return math.fsum(test["score"] for test in tree["tests"])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return container(make_course(tmp_path / "course", config=WITH_STUDENTS))


def with_code(row: str, source: str) -> dict[str, Any]:
    tree = solved()
    next(each for each in tree["cells"] if each["id"] == row)["source"] = source
    return tree


# The zip file


def test_the_zip_file_has_the_scripts_at_its_top_and_of_the_course_only_what_grading_takes(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course", config=WITH_STUDENTS)
    write(root / "submitted/ada/warmup/warmup.ipynb", solved())
    for name in ("gradebook.db", "solutions/warmup/mistakes.py", "solutions/warmup/.hidden", "overviews/warmup.md"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("", encoding="utf-8")
    with zipfile.ZipFile(packed(root)) as archive:
        modes = {each.filename: each.external_attr >> 16 & 0o777 for each in archive.infolist()}
        configuration = yaml.safe_load(archive.read("course/gradebook_config.yaml"))
    assert modes == {
        "setup.sh": 0o755,
        "run_autograder": 0o755,
        "course/gradebook_config.yaml": 0o644,
        "course/source/warmup/warmup.ipynb": 0o644,
        "course/release/warmup/warmup.ipynb": 0o644,
        "course/solutions/warmup/__init__.py": 0o644,
        "course/checks/warmup/test_warmup.py": 0o644,
    }
    assert set(configuration) == {"name", "timezone", "sandbox", "assignments"}
    assert not {"extensions", "excused", "groups", "late", "attempts"} & set(configuration["assignments"]["warmup"])


def test_the_zip_file_has_the_courses_files_in_their_folders(tmp_path: Path) -> None:
    config = WITH_STUDENTS.replace("    allowed_imports", "    files: [data/a.csv]\n    allowed_imports")
    root = make_course(tmp_path / "course", config=config)
    for folder in ("source", "release"):
        (root / folder / "warmup/data").mkdir()
        (root / folder / "warmup/data/a.csv").write_text("ours", encoding="utf-8")
    with zipfile.ZipFile(packed(root)) as archive:
        assert archive.read("course/source/warmup/data/a.csv") == b"ours"


def test_the_same_course_gives_the_same_bytes(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    assert packed(root).read_bytes() == packed(root).read_bytes()


def test_the_scripts_are_ones_that_bash_can_read(place: Place) -> None:
    for name in ("setup.sh", "run_autograder"):
        subprocess.run(["bash", "-n", place.course.parent / name], check=True)


def test_the_run_ends_before_gradescope_would_end_it_with_no_points(tmp_path: Path) -> None:
    long = CONFIG.replace("submission_seconds: 20", "submission_seconds: 1200")
    root = make_course(tmp_path / "course", config=long)
    course = load_course(root)
    made = pack_for_gradescope(course, course.assignment("warmup"), tmp_path / "made.zip")
    with zipfile.ZipFile(made.path) as archive:
        script = archive.read("run_autograder").decode()
    assert made.minutes == 40
    assert int(re.findall(r"timeout --kill-after=10 (\d+) ", script)[0]) == 40 * 60 - 30


def test_more_time_than_gradescope_gives_is_refused_with_the_way_out(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course", config=CONFIG.replace("submission_seconds: 20", "submission_seconds: 9000"))
    with pytest.raises(ConfigError, match=r"limits\.submission_seconds.*the 40 minutes that Gradescope gives"):
        packed(root)


def test_without_a_release_it_is_said_how_to_make_one(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    (root / "release/warmup/warmup.ipynb").unlink()
    with pytest.raises(ReleaseError, match="run `autograder release warmup` first"):
        packed(root)


def a_wheel(folder: Path, name: str, version: str) -> Path:
    path = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("x.dist-info/METADATA", f"Metadata-Version: 2.3\nName: {name}\nVersion: {version}\n")
    return path


def test_a_wheel_of_this_version_is_packed_and_installed(tmp_path: Path) -> None:
    wheel = a_wheel(tmp_path, "notebook-autograder", autograder.__version__)
    with zipfile.ZipFile(packed(make_course(tmp_path / "course"), wheel=wheel)) as archive:
        assert archive.read(f"wheels/{wheel.name}") == wheel.read_bytes()
        assert (
            f"install --quiet --no-input /autograder/source/wheels/{wheel.name} numpy\n"
            in archive.read("setup.sh").decode()
        )


def test_without_a_wheel_this_very_version_is_installed_from_pypi(place: Place) -> None:
    script = (place.course.parent / "setup.sh").read_text()
    assert f"install --quiet --no-input notebook-autograder=={autograder.__version__} numpy\n" in script


@pytest.mark.parametrize(("name", "version"), [("notebook-autograder", "0.0.1"), ("another", autograder.__version__)])
def test_another_wheel_is_refused(tmp_path: Path, name: str, version: str) -> None:
    wheel = a_wheel(tmp_path, name, version)
    with pytest.raises(ConfigError, match=f"is of {name} {version}; expected a wheel of notebook-autograder"):
        packed(make_course(tmp_path / "course"), wheel=wheel)


def test_what_is_no_wheel_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notebook_autograder.whl"
    path.write_text("nothing", encoding="utf-8")
    with pytest.raises(ConfigError, match="is no wheel"):
        packed(make_course(tmp_path / "course"), wheel=path)


# Setting up


def test_setting_up_tries_the_sandbox_and_the_solved_master(place: Place) -> None:
    sandbox, report = try_for_gradescope(place)
    assert (sandbox, report.score) == ("bubblewrap", 10.0)


def test_setting_up_fails_where_the_solved_master_has_not_full_marks(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    (root / "solutions/warmup/__init__.py").write_text(REFERENCE.replace("np.multiply", "np.add"), encoding="utf-8")
    with pytest.raises(AutograderError, match=r"full marks on this machine:\n  - scale: 0\.0 of 4 points"):
        try_for_gradescope(container(root))


# What is handed in


def test_a_right_notebook_has_full_marks_and_a_test_for_each_check(place: Place) -> None:
    write(place.submission / "warmup.ipynb", solved())
    tree = results(place)
    assert tree["tests"] == [
        {
            "number": "1.1",
            "name": "scale: A vector is scaled.",
            "score": 4.0,
            "max_score": 4.0,
            "status": "passed",
            "output": "",
            "visibility": "visible",
        },
        {
            "number": "2.1",
            "name": "centre: The mean is taken off.",
            "score": 6.0,
            "max_score": 6.0,
            "status": "passed",
            "output": "",
            "visibility": "visible",
        },
    ]
    assert tree["extra_data"]["sandbox"] == "bubblewrap"


def test_a_written_answer_waits_for_a_person_and_is_no_zero_in_the_total(place: Place) -> None:
    write(place.submission / "warmup.ipynb", solved())
    tree = results(place)
    assert "score" not in tree
    assert tree["output"] == "Graded by a person, and in no test below: why (2 points)."
    assert math.fsum(test["max_score"] for test in tree["tests"]) == 10.0


def test_a_wrong_row_says_why_with_its_hint_and_an_earlier_mistake_costs_nothing_twice(place: Place) -> None:
    write(place.submission / "warmup.ipynb", with_code("scale", SCALE.replace("x * factor", "x + factor")))
    tree = results(place)
    first, second = tree["tests"]
    assert (first["score"], first["status"]) == (0.0, "failed")
    assert "Hint: Multiply every entry by the factor." in first["output"]
    assert (second["score"], second["status"]) == (6.0, "passed")


def test_lateness_is_left_to_gradescope(place: Place) -> None:
    write(place.submission / "warmup.ipynb", solved())
    write(place.metadata, {"created_at": "2027-01-01T00:00:00Z", "users": [{"id": 1}]})
    assert score(results(place, now=AFTER)) == 10.0


def in_a_folder(submission: Path) -> None:
    write(submission / "week 1/hw/warmup.ipynb", solved())
    write(submission / "__MACOSX/week 1/hw/warmup.ipynb", {})


def another_name(submission: Path) -> None:
    write(submission / "homework.ipynb", solved())


def two_notebooks(submission: Path) -> None:
    write(submission / "warmup.ipynb", solved())
    write(submission / "draft.ipynb", untouched())


def broken(submission: Path) -> None:
    (submission / "warmup.ipynb").write_text(json.dumps(solved())[:500], encoding="utf-8")


def no_notebook(submission: Path) -> None:
    (submission / "warmup.txt").write_text("x = 1", encoding="utf-8")


def two_folders(submission: Path) -> None:
    write(submission / "old/warmup.ipynb", solved())
    write(submission / "new/warmup.ipynb", solved())


def a_link(submission: Path) -> None:
    (submission / "warmup.ipynb").symlink_to(submission.parent / "source/course/source/warmup/warmup.ipynb")


def a_pipe(submission: Path) -> None:
    os.mkfifo(submission / "warmup.ipynb")


def a_bomb(submission: Path) -> None:
    (submission / "warmup.ipynb").touch()
    os.truncate(submission / "warmup.ipynb", 2**33)


def hangs(submission: Path) -> None:
    write(submission / "warmup.ipynb", with_code("scale", f"while True: pass\n{SCALE}"))


def nothing(_: Path) -> None: ...


@pytest.mark.parametrize(
    ("handed_in", "points", "told"),
    [
        (in_a_folder, 10, "Your notebook lies in the folder week 1/hw; hand it in outside of any. This costs nothing."),
        (another_name, 10, "Your file is called homework.ipynb; call it warmup.ipynb. This costs nothing."),
        (two_notebooks, 10, "Graded by a person"),
        (broken, 0, "The notebook can be read."),
        (no_notebook, 0, "There is no notebook in your submission: expected warmup.ipynb, found warmup.txt."),
        (nothing, 0, "There is no notebook in your submission: expected warmup.ipynb, found nothing."),
        (two_folders, 0, "There are notebooks in several folders of your submission: new, old."),
        (a_link, 0, "warmup.ipynb is a symbolic link, not a file"),
        (a_pipe, 0, "warmup.ipynb is a named pipe, not a file"),
        (a_bomb, 0, "The file has 8192.0 MB; the most is 20 MB."),
        (hangs, 6, "scale: A vector is scaled."),
    ],
)
def test_whatever_is_handed_in_gets_results_with_a_reason(
    place: Place, handed_in: Callable[[Path], None], points: float, told: str
) -> None:
    handed_in(place.submission)
    tree = results(place)
    assert score(tree) == points
    said = "\n".join([tree["output"], *(f"{test['name']}\n{test['output']}" for test in tree["tests"])])
    assert told in said
    assert str(place.submission) not in said


def test_an_assignment_of_two_notebooks_is_graded_as_one(tmp_path: Path) -> None:
    root = make_problem_set(tmp_path / "course", config=PROBLEMS)
    for name, tree in (("problem1", problem1()), ("problem2", problem2())):
        for each in tree["cells"]:
            each["source"] = re.sub(r"### BEGIN.*END SOLUTION", "raise NotImplementedError()", each["source"], flags=16)
        write(root / f"release/ps1/{name}.ipynb", tree)
    place = container(root, "ps1")
    write(place.submission / "problem1.ipynb", problem1())
    tree = results(place)
    assert [(test["name"].split(":")[0], test["score"]) for test in tree["tests"]] == [("problem1", 4), ("problem2", 0)]
    assert "problem2: why (2 points)" in tree["output"]


# Students' code


REACHES_OUT = """\
import os
for place in {places!r}:
    try:
        open(place, "r+").write('{{"score": 1000}}')
    except OSError:
        pass
found = []
for place in {places!r}:
    try:
        found.append(open(place).read())
    except OSError:
        pass
print(found)
assert not found
"""


def test_students_code_can_neither_write_the_results_nor_read_the_checks(place: Place) -> None:
    own = [place.results, place.course / "checks/warmup/test_warmup.py", place.course / "solutions/warmup/__init__.py"]
    place.results.write_text("{}", encoding="utf-8")
    for path in [*own, place.results.parent, place.course.parent]:
        path.chmod(0o777)  # it is the sandbox that keeps them, not their modes
    source = REACHES_OUT.format(places=[str(path) for path in own]) + SCALE
    write(place.submission / "warmup.ipynb", with_code("scale", source))
    tree = results(place)
    assert score(tree) == 10.0  # the last line of what reaches out found nothing, so the function is defined
    assert own[1].read_text(encoding="utf-8") == CHECKS


# What is not to be read yet


HIDDEN = CHECKS.replace('@check("scale", hint', '@check("scale", visibility="after_due_date", hint')


def a_check_after_the_due_date(tmp_path: Path) -> Place:
    root = make_course(tmp_path / "course")
    (root / "checks/warmup/test_warmup.py").write_text(HIDDEN, encoding="utf-8")
    place = container(root)
    write(place.submission / "warmup.ipynb", with_code("scale", SCALE.replace("x * factor", "x + factor")))
    return place


def test_a_check_that_a_student_may_not_read_yet_has_its_points_and_nothing_else(tmp_path: Path) -> None:
    place = a_check_after_the_due_date(tmp_path)
    first = results(place, now=BEFORE)["tests"][0]
    assert first == {
        "number": "1.1",
        "name": "scale: A check that is not shown.",
        "score": 0.0,
        "max_score": 4.0,
        "status": "failed",
        "output": "",
        "visibility": "after_due_date",
    }
    written = place.results.read_text(encoding="utf-8")
    assert not [text for text in ("A vector is scaled", "Multiply every", "test_scale") if text in written]


def test_later_it_is_explained_where_gradescope_shows_it(tmp_path: Path) -> None:
    first = results(a_check_after_the_due_date(tmp_path), now=AFTER)["tests"][0]
    assert (first["name"], first["visibility"]) == ("scale: A vector is scaled.", "after_due_date")
    assert "Hint: Multiply every entry by the factor." in first["output"]


# What is ours


def test_an_error_of_ours_leaves_no_results_and_is_no_zero(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    broken = CHECKS.replace("matches(student.scale", 'raise RuntimeError("a hidden value")\n    matches(student.scale')
    (root / "checks/warmup/test_warmup.py").write_text(broken, encoding="utf-8")
    place = container(root)
    write(place.submission / "warmup.ipynb", solved())
    place.results.write_text('{"score": 0}', encoding="utf-8")
    done = commands.autograder(tmp_path, "gradescope-run", "--home", str(place.results.parents[1]))
    assert (done.returncode, done.stdout) == (1, "")
    assert "autograder: this could not be graded, for a reason of ours.\n" in done.stderr
    assert "RuntimeError: a hidden value" in done.stderr  # which Gradescope shows to instructors alone
    assert not place.results.exists()


# Whose inputs


@pytest.fixture
def per_student(tmp_path: Path) -> Place:
    config = CONFIG.replace("seed: 7", "seed: 7\n    inputs: per_student")
    place = container(make_course(tmp_path / "course", config=config))
    write(place.submission / "warmup.ipynb", solved())
    return place


def test_inputs_are_drawn_for_gradescopes_own_number_and_for_all_of_a_group_the_same(per_student: Place) -> None:
    users = [{"id": 31, "email": "cy@example.edu"}, {"id": 4, "email": "dee@example.edu", "name": "Dee"}]
    write(per_student.metadata, {"users": users})
    assert results(per_student)["extra_data"]["inputs_of"] == "4"


@pytest.mark.parametrize(
    "metadata",
    ["", "[]", '{"users": []}', '{"users": [{"id": "4"}]}', '{"users": [{"id": true}]}', "[" * 100_000, "\0"],
    ids=["nothing", "a list", "nobody", "a text", "a truth", "deep", "no text"],
)
def test_who_handed_in_is_not_guessed(per_student: Place, metadata: str) -> None:
    per_student.metadata.write_text(metadata, encoding="utf-8")
    with pytest.raises(AutograderError, match="expected a list `users`, each with a number `id`"):
        grade_for_gradescope(per_student)
    assert not per_student.results.exists()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["users", "id", "name"]), inner),
)


@given(tree=JSON)
def test_whatever_the_metadata_is_it_gives_a_number_or_an_error_of_ours(tree: Any, tmp_path_factory: Any) -> None:
    from autograder.operations.gradescope import student_in

    path = tmp_path_factory.getbasetemp() / "submission_metadata.json"
    write(path, tree)
    try:
        found = student_in(path)
    except AutograderError:
        return
    assert re.fullmatch(r"[1-9]\d*", found)
