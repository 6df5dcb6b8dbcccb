"""What the demo's class is made of, and that each stock mistake costs its own row alone."""

import ast
import json
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from autograder.authoring import make_course, unaudited
from autograder.authoring.mistakes import Mistake, stock_mistakes
from autograder.base import AutograderError, ConfigError
from autograder.course import Assignment, Course, load_course
from autograder.grading import Grader
from autograder.submission import read_submission, submissions
from autograder.submission.choosing import find_notebook
from tests.courses import make_course as make_warmup_course

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def course() -> Course:
    """The course of this repository."""
    return load_course(ROOT)


@pytest.fixture(scope="module")
def week2(course: Course) -> Assignment:
    return course.assignment("week2")


@pytest.fixture(scope="module")
def demo(course: Course, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo with thirty students, which no test changes."""
    folder = tmp_path_factory.mktemp("demo") / "course"
    make_course(course, folder, 30)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def texts(demo: Path) -> list[str]:
    """The notebooks' texts in the order of the students."""
    return [path.read_text(encoding="utf-8") for path in sorted(demo.glob("submitted/*/week2/*.ipynb"))]


def sources(text: str) -> dict[str, str]:
    """The sources of a notebook's graded cells; none where it is broken."""
    try:
        cells = json.loads(text)["cells"]
    except ValueError:
        return {}
    named = {cell["metadata"].get("nbgrader", {}).get("grade_id"): "".join(cell["source"]) for cell in cells}
    return {name: source for name, source in named.items() if name}


def parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def without_docstrings(source: str) -> str:
    return re.sub(r'^    """.*?"""\n', "", source, flags=re.DOTALL | re.MULTILINE).strip()


# --- the course ---


def test_a_demo_is_a_course_of_its_own(course: Course, demo: Path) -> None:
    made = load_course(demo)
    assert made.root == demo
    assert made.assignment("week2").rows == course.assignment("week2").rows
    assert made.database == f"sqlite:///{demo / 'gradebook.db'}"


def test_only_what_a_course_is_made_of_is_copied(demo: Path) -> None:
    assert {path.name for path in demo.iterdir()} <= {
        ".autograder-demo",
        "checks",
        "gradebook_config.yaml",
        "nbgrader_config.py",
        "overviews",
        "quizzes",
        "release",
        "solutions",
        "source",
        "submitted",
    }
    assert not list(demo.rglob("__pycache__"))


def test_what_was_audited_is_known_to_be_in_the_demo_too(course: Course, week2: Assignment, demo: Path) -> None:
    assert unaudited(load_course(demo).assignment("week2")) == unaudited(week2)


def test_the_same_number_of_students_gives_the_same_bytes(course: Course, demo: Path, tmp_path: Path) -> None:
    make_course(course, tmp_path / "again", 30)
    assert files(tmp_path / "again") == files(demo)


@pytest.mark.parametrize("count", [1, 5, 6, 130])
def test_a_class_has_as_many_students_as_asked(course: Course, tmp_path: Path, count: int) -> None:
    made = make_course(course, tmp_path / "demo", count)
    found = submissions(tmp_path / "demo", "week2")
    assert len(found) == count
    assert not any(each.problem or each.note for each in found)
    assert (tmp_path / "demo" / made.example_submission).is_file()
    assert made.example_feedback.parts[1] == made.example_submission.parts[1]


def test_a_gradebook_on_a_server_is_not_the_demos(course: Course, tmp_path: Path) -> None:
    make_course(course, tmp_path / "one", 1)
    config = tmp_path / "one" / "gradebook_config.yaml"
    text = config.read_text(encoding="utf-8").replace(
        "sqlite:///gradebook.db", "postgresql://grader@db.example.edu/real"
    )
    config.write_text(text, encoding="utf-8")
    make_course(load_course(tmp_path / "one"), tmp_path / "two", 1)
    assert load_course(tmp_path / "two").database == f"sqlite:///{tmp_path / 'two' / 'gradebook.db'}"


# --- where it may be made ---


def test_a_folder_that_is_no_demo_is_left_alone(course: Course, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(AutograderError, match=r"no earlier demo.*name another folder"):
        make_course(course, tmp_path, 3)
    assert files(tmp_path) == {"thesis.tex": b"years of work"}


def test_an_earlier_demo_is_replaced_but_for_what_is_not_its_own(course: Course, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    make_course(course, folder, 8)
    for name in ("gradebook.db", "feedback/ada/week2/week2.html", "autograded/ada/week2/week2.ipynb", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("from before", encoding="utf-8")
    make_course(course, folder, 2)
    make_course(course, tmp_path / "fresh", 2)
    assert files(folder) == files(tmp_path / "fresh") | {"notes.txt": b"from before"}


def test_a_link_in_an_earlier_demo_is_not_followed(course: Course, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    make_course(course, folder, 1)
    shutil.rmtree(folder / "submitted")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept.txt").write_text("kept", encoding="utf-8")
    (folder / "submitted").symlink_to(tmp_path / "elsewhere")
    make_course(course, folder, 1)
    assert files(tmp_path / "elsewhere") == {"kept.txt": b"kept"}


def test_a_course_is_not_made_into_itself(course: Course, tmp_path: Path) -> None:
    make_course(course, tmp_path / "demo", 1)
    made = load_course(tmp_path / "demo")
    with pytest.raises(AutograderError, match="the course that the demo is made from"):
        make_course(made, tmp_path / "demo", 2)
    with pytest.raises(AutograderError, match="the course's own source"):
        make_course(made, tmp_path / "demo" / "source" / "another", 2)


def test_a_course_without_week_2_is_refused(tmp_path: Path) -> None:
    template = load_course(make_warmup_course(tmp_path / "course"))
    with pytest.raises(ConfigError, match="no such assignment"):
        make_course(template, tmp_path / "demo", 3)
    assert not (tmp_path / "demo").exists()


def test_a_course_without_a_list_of_mistakes_is_refused(course: Course, tmp_path: Path) -> None:
    make_course(course, tmp_path / "template", 1)
    (tmp_path / "template" / "solutions" / "week2" / "mistakes.py").unlink()
    with pytest.raises(ConfigError, match=r"mistakes\.py is missing"):
        make_course(load_course(tmp_path / "template"), tmp_path / "demo", 3)
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize(
    ("mistake", "problem"),
    [
        ("Mistake('odd', 'sofmax', 'Odd.', 'def f(): pass')", "no row.*odd"),
        ("Mistake('odd', 'softmax', 'Odd.', 'def')", "odd"),
    ],
)
def test_a_list_of_mistakes_that_does_not_fit_is_refused(
    week2: Assignment, tmp_path: Path, mistake: str, problem: str
) -> None:
    text = f"from autograder.authoring import Mistake\nMISTAKES = [{mistake}]\n"
    (tmp_path / "mistakes.py").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"mistakes\.py: .*{problem}"):
        stock_mistakes(replace(week2, solutions=tmp_path))


def test_a_folder_that_cannot_be_written_is_said(course: Course, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(AutograderError, match="could not be written"):
        make_course(course, tmp_path / "file" / "demo", 1)


# --- who is in the class ---


def test_somebody_hands_in_the_untouched_release(demo: Path, week2: Assignment) -> None:
    assert any(
        all("raise NotImplementedError()" in cells[row.name] for row in week2.rows)
        for cells in map(sources, texts(demo))
        if cells
    )


def test_somebody_is_right_everywhere_and_answers_in_writing(demo: Path, week2: Assignment) -> None:
    master = sources(week2.master.read_text(encoding="utf-8"))
    right = {row.name: re.sub(r" *### (BEGIN|END) SOLUTION\n?", "", master[row.name]).rstrip() for row in week2.rows}
    perfect = [cells for cells in map(sources, texts(demo)) if cells and right.items() <= cells.items()]
    assert any("Momentum" in cells["reflection"] for cells in perfect)


def test_nobody_hands_in_the_marks_of_the_solutions(demo: Path) -> None:
    assert not any("### BEGIN SOLUTION" in text or "### END SOLUTION" in text for text in texts(demo))


def test_one_notebook_is_broken(demo: Path) -> None:
    assert sum(not sources(text) for text in texts(demo)) == 1


def test_one_submission_never_ends(demo: Path, week2: Assignment) -> None:
    (endless,) = (mistake for mistake in stock_mistakes(week2) if mistake.hangs)
    loop = "while epoch >= every:"
    assert loop in endless.code
    assert sum(loop in text for text in texts(demo)) == 1


def test_one_submission_is_late_by_more_than_a_day(demo: Path, week2: Assignment) -> None:
    assert week2.due is not None
    stamps = [each.timestamp for each in submissions(demo, "week2")]
    late = [datetime.fromisoformat(stamp) - week2.due.astimezone(UTC) for stamp in stamps if stamp]
    assert len(late) == 30
    (worst,) = (each for each in late if each > timedelta(0))
    assert timedelta(days=1) < worst < timedelta(days=2)


def test_students_make_one_to_four_mistakes_all_over_the_rows(demo: Path, week2: Assignment) -> None:
    counts: list[int] = []
    rows: set[str] = set()
    for cells in map(sources, texts(demo)):
        plain = {name: without_docstrings(source) for name, source in cells.items()}
        made = {each.row for each in stock_mistakes(week2) if without_docstrings(each.code) in plain.get(each.row, "")}
        counts.append(len(made))
        rows |= made
    assert {1, 2, 3, 4} <= set(counts)
    assert rows == {row.name for row in week2.rows}


def test_some_notebooks_are_damaged_in_ways_that_happen(demo: Path, week2: Assignment) -> None:
    found = texts(demo)
    parsed = [json.loads(text)["cells"] for text in found if sources(text)]
    assert any(row.test_id not in cells for row in week2.rows for cells in map(sources, found) if cells)
    assert any(len({cell["id"] for cell in cells}) < len(cells) for cells in parsed)
    assert any("os._exit(0)" in "".join(cell["source"]) and not cell["metadata"] for cells in parsed for cell in cells)
    assert any("plt.show()" in "".join(cell["source"]) and not cell["metadata"] for cells in parsed for cell in cells)
    assert any(path.name != "week2.ipynb" for path in demo.glob("submitted/*/week2/*.ipynb"))
    assert sum(not parses(cells[row.name]) for cells in map(sources, found) for row in week2.rows if cells) == 1


def test_some_answers_are_missing_and_the_others_differ(demo: Path) -> None:
    answers = [cells["reflection"] for cells in map(sources, texts(demo)) if cells]
    assert any("YOUR ANSWER HERE" in answer for answer in answers)
    assert len(set(answers)) > 4


def test_every_notebook_can_be_read_but_the_broken_one(demo: Path) -> None:
    made = load_course(demo).assignment("week2")
    read = [read_submission(find_notebook(each.folder, made), made) for each in submissions(demo, "week2")]
    assert sum(bool(each.unreadable) for each in read) == 1


# --- the mistakes ---


def test_there_are_mistakes_in_every_row(week2: Assignment) -> None:
    mistakes = stock_mistakes(week2)
    assert {mistake.row for mistake in mistakes} == {row.name for row in week2.rows}
    assert len({mistake.name for mistake in mistakes}) == len(mistakes)


def test_a_mistake_keeps_the_docstrings_and_the_other_functions_of_its_cell() -> None:
    cell = 'def f(x):\n    """F."""\n    return x\n\n\ndef g(x):\n    """G.\n\n    Long.\n    """\n    return x'
    mistake = Mistake("g-is-2", "f", "Is 2.", "\n    def g(\n        x,\n    ):\n        return 2\n    ")
    expected = cell.replace("def g(x):", "def g(\n    x,\n):").removesuffix("return x") + "return 2"
    assert mistake.made_in(cell) == expected


def test_a_mistake_in_the_name_leaves_the_function_out() -> None:
    mistake = Mistake("misspelt", "f", "Is called F.", "def F(x): return x")
    assert mistake.made_in("def f(x):\n    return x") == "def F(x): return x"


def together(mistakes: tuple[Mistake, ...]) -> Iterator[list[Mistake]]:
    """The mistakes in few submissions, one of each row; those of the linear layer, which share a cache, apart."""
    waiting: dict[str, list[Mistake]] = defaultdict(list)
    for mistake in mistakes:
        waiting[mistake.row.replace("linear_backward", "linear_forward")].append(mistake)
    while any(waiting.values()):
        yield [each.pop() for each in waiting.values() if each]


PARTS = 12
"""So that every core has some of the mistakes, and none is at work on them alone in the end."""


@pytest.mark.sandbox
@pytest.mark.long
@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.thorough) for part in range(1, PARTS))])
def test_every_mistake_costs_its_own_row_alone(week2: Assignment, tmp_path: Path, part: int) -> None:
    # The visible checks and figures, which do not count, take most of a notebook's time.
    notebook = json.loads(week2.release.read_text(encoding="utf-8"))
    counted = {row.name for row in week2.rows} | {row.test_id for row in week2.rows} | {"setup", *week2.manual}
    notebook["cells"] = [
        cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") in counted
    ]
    cells = {cell["metadata"]["nbgrader"]["grade_id"]: cell for cell in notebook["cells"]}
    for row in week2.rows:
        cells[row.test_id]["source"] = ""
    # One mistake never ends, and is waited for in each check.
    limits = replace(week2.limits, call_seconds=2)
    assignment = replace(week2, release=tmp_path / "week2.ipynb", limits=limits)
    assignment.release.write_text(json.dumps(notebook), encoding="utf-8")
    master = sources(week2.master.read_text(encoding="utf-8"))

    wrong: list[str] = []
    with Grader() as grader:
        for number, mistakes in enumerate(islice(together(stock_mistakes(week2)), part, None, PARTS)):
            made = {mistake.row: mistake for mistake in mistakes}
            for row in week2.rows:
                right = master[row.name]
                cells[row.name]["source"] = made[row.name].made_in(right) if row.name in made else right
            path = tmp_path / f"{number}.ipynb"
            path.write_text(json.dumps(notebook), encoding="utf-8")
            report = grader.grade(read_submission(path, assignment), assignment)
            assert not report.errored
            for result in report.rows:
                lost = result.fraction < 1
                if lost != (result.name in made):
                    name = made[result.name].name if result.name in made else f"a right {result.name}"
                    others = ", ".join(each.name for each in mistakes)
                    reasons = [check.reason for check in result.checks if check.reason]
                    wrong.append(f"{name} got {result.score} of {result.points}: {reasons} (with {others})")
    assert not wrong, "\n".join(wrong)
