"""Mistakes of authors are found by the text of a course's files, each with its place and what to do."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbgrader
import pytest

from autograder.authoring import Finding, lint_assignment, lint_course
from autograder.base import ConfigError
from autograder.course import load_course
from tests.commands import REPOSITORY
from tests.courses import (
    CHECKS,
    CONFIG,
    SCALE,
    Notebook,
    cell,
    make_course,
    make_problem_set,
    notebook,
    problem1,
    solved,
    submit,
    write,
)

MASTER = "source/warmup/warmup.ipynb"
Lint = Callable[..., tuple[Finding, ...]]


@pytest.fixture
def lint(course_root: Path) -> Lint:
    """Lints the tiny course with these cells after those of its master, or with another master."""

    def lint(*cells: dict[str, Any], master: Notebook | None = None) -> tuple[Finding, ...]:
        tree = master or solved()
        tree["cells"] += cells
        write(course_root / MASTER, tree)
        course = load_course(course_root)
        return lint_assignment(course, course.assignment("warmup"))

    return lint


def graded(source: str) -> dict[str, Any]:
    """A test cell of a row that has no checks but it."""
    return cell(source, "graded", role="test", points=1)


def given(source: str) -> dict[str, Any]:
    return cell(source, "given", role="locked")


def only(found: tuple[Finding, ...]) -> Finding:
    assert len(found) == 1, [str(each) for each in found]
    return found[0]


def the_mistake(found: tuple[Finding, ...], grade_id: str, line: int) -> str:
    """The text of the only finding, a mistake at that place."""
    finding = only(found)
    assert (finding.severity, finding.grade_id, finding.line) == ("mistake", grade_id, line), str(finding)
    return finding.text


def the_warning(found: tuple[Finding, ...], grade_id: str, line: int) -> str:
    finding = only(found)
    assert (finding.severity, finding.grade_id, finding.line) == ("warning", grade_id, line), str(finding)
    return finding.text


# What is right


def test_a_course_without_mistakes_has_no_findings(lint: Lint) -> None:
    assert lint() == ()


def test_this_repositorys_course_has_no_findings() -> None:
    assert lint_course(REPOSITORY) == ()


def test_nbgraders_quickstart_has_no_findings(tmp_path: Path) -> None:
    quickstart = Path(nbgrader.__file__).parent / "docs/source/user_guide/source/ps1"
    shutil.copytree(quickstart, tmp_path / "source/ps1")
    shutil.copy(REPOSITORY / "nbgrader_config.py", tmp_path)
    (tmp_path / "gradebook_config.yaml").write_text("name: course101\ntimezone: UTC\nassignments:\n  ps1: {}\n")
    assert lint_course(tmp_path) == ()


# Where a finding is


def test_a_finding_has_its_file_its_cell_and_its_line(lint: Lint) -> None:
    finding = only(lint(graded("# Scale.\nassert scale(2, 3) == 6\nassert id(scale(2, 3))")))
    assert (finding.file, finding.cell, finding.grade_id, finding.line) == (MASTER, 8, "graded", 3)
    assert str(finding).startswith(f"{MASTER}, cell 8 (graded), line 3: `id(scale(2, 3))` is another number")


def test_all_notebooks_of_an_assignment_are_looked_at(tmp_path: Path) -> None:
    root = make_problem_set(tmp_path)
    tree = problem1()
    tree["cells"].append(graded("pass"))
    write(root / "source/ps1/problem1.ipynb", tree)
    found = [each for each in lint_course(root) if each.severity == "mistake"]
    assert only(tuple(found)).file == "source/ps1/problem1.ipynb"


# Rows and what tests them


def test_a_test_cell_that_tests_nothing_is_a_mistake(lint: Lint) -> None:
    assert "everybody has its points" in the_mistake(lint(graded("total = 1 + 1\nprint(total)")), "graded", 0)


def test_a_comparison_without_assert_is_a_mistake(lint: Lint) -> None:
    assert "put `assert` before it" in the_mistake(lint(graded("y = scale(2, 3)\ny == 6")), "graded", 2)


def test_a_test_cell_that_only_runs_an_answer_is_a_warning(lint: Lint) -> None:
    assert "only runs" in the_warning(lint(graded("y = scale(2, 3)")), "graded", 0)


@pytest.mark.parametrize(
    "source",
    [
        "assert scale(2, 3) == 6",
        "np.testing.assert_equal(scale(2, 3), 6)",
        "points = 0.5 * (scale(2, 3) == 6)\npoints",
        "try:\n    scale(2)\nexcept TypeError:\n    pass\nelse:\n    raise AssertionError",
        "for n in range(3):\n    assert scale(n, 2) == 2 * n",
    ],
)
def test_a_test_cell_that_tests_something_is_none(lint: Lint, source: str) -> None:
    assert lint(graded(source)) == ()


def test_a_test_cell_in_whose_place_checks_are_may_test_nothing(lint: Lint) -> None:
    tree = solved()
    tree["cells"][3]["source"] = "# Try it here."
    assert lint(master=tree) == ()


def test_a_test_cell_may_test_nothing_where_any_row_may_have_checks(lint: Lint, course_root: Path) -> None:
    more = 'for row in ["graded"]:\n    check(row)(test_scale)\n'
    (course_root / "checks/warmup/test_warmup.py").write_text(f"{CHECKS}\n\n{more}")
    assert lint(graded("# Try it here.")) == ()


def test_a_test_cell_too_long_to_look_at_is_left_alone(lint: Lint) -> None:
    assert lint(graded("assert scale(2, 3) == 6\n" * 3_000)) == ()


def test_a_check_of_a_row_that_is_not_there_is_a_mistake(lint: Lint, course_root: Path) -> None:
    (course_root / "checks/warmup/test_warmup.py").write_text(CHECKS.replace('check("centre"', 'check("center"'))
    finding = only(lint())
    assert (finding.severity, finding.file, finding.line) == ("mistake", "checks/warmup/test_warmup.py", 12)
    assert "there is no row 'center' in warmup.ipynb; did you mean 'centre'?" in finding.text


def hidden_tests() -> Notebook:
    tree = solved()
    tree["cells"][3]["source"] += "\n### BEGIN HIDDEN TESTS\nassert scale(1, 5) == 5\n### END HIDDEN TESTS"
    return tree


def test_hidden_tests_that_checks_take_the_place_of_are_a_warning(lint: Lint) -> None:
    text = the_warning(lint(master=hidden_tests()), "test_scale", 2)
    assert "with_test_cell('scale')" in text
    assert "checks/warmup/test_warmup.py, line 6" in text


def test_hidden_tests_that_count_beside_checks_are_none(lint: Lint, course_root: Path) -> None:
    checks = CHECKS.replace("import Draw,", "import with_test_cell, Draw,") + '\n\nwith_test_cell("scale")\n'
    (course_root / "checks/warmup/test_warmup.py").write_text(checks)
    assert lint(master=hidden_tests()) == ()


# Points and ids


def test_points_of_none_are_a_warning(lint: Lint) -> None:
    assert "0 points" in the_warning(lint(cell("Why?", "more", kind="markdown", role="answer", points=0)), "more", 0)


def test_what_keeps_a_course_from_loading_is_found_with_all_else(course_root: Path) -> None:
    tree = solved()
    tree["cells"] += [
        cell("Why?", "why", kind="markdown", role="answer", points=-1),
        graded("assert (scale, 'It is there.')"),
    ]
    write(course_root / MASTER, tree)
    found = [(each.cell, each.grade_id, each.text.partition(";")[0]) for each in lint_course(course_root)]
    assert (8, "why", "cell 7 has the same grade_id") in found
    assert (9, "graded", "`assert (…, …)` always holds, since a tuple is true") in found


def test_negative_and_missing_points_are_mistakes(course_root: Path) -> None:
    tree = solved()
    tree["cells"][3]["metadata"]["nbgrader"]["points"] = -4
    del tree["cells"][5]["metadata"]["nbgrader"]["points"]
    write(course_root / MASTER, tree)
    found = [(each.severity, each.grade_id, each.text) for each in lint_course(course_root)]
    assert found == [
        ("mistake", "test_scale", "expected points of at least 0, found -4"),
        ("mistake", "test_centre", "expected points of at least 0, found none"),
    ]


def test_an_id_that_students_handed_in_and_the_master_has_no_more_is_a_mistake(lint: Lint, course_root: Path) -> None:
    submit(course_root, "ada")
    tree = solved()
    tree["cells"][6]["metadata"]["nbgrader"]["grade_id"] = "whys"
    gone, new = lint(master=tree)
    assert (gone.severity, gone.grade_id) == ("mistake", "why")
    assert "did you mean 'whys'?" in gone.text
    assert (new.severity, new.grade_id) == ("warning", "whys")


def test_ids_may_change_as_long_as_nothing_is_handed_in_or_registered(lint: Lint) -> None:
    tree = solved()
    tree["cells"][6]["metadata"]["nbgrader"]["grade_id"] = "whys"
    assert lint(master=tree) == ()


def test_an_id_that_a_gradebook_may_have_is_a_warning(lint: Lint, course_root: Path) -> None:
    (course_root / "gradebook.db").touch()
    tree = solved()
    tree["cells"][6]["metadata"]["nbgrader"]["grade_id"] = "whys"
    assert "if students have the release" in the_warning(lint(master=tree), "why", 0)


# Marks


def test_a_solution_cell_of_functions_without_marks_is_a_mistake(lint: Lint) -> None:
    tree = solved()
    tree["cells"][2]["source"] = "# Yours.\ndef scale(x, factor):\n    return x * factor"
    assert "not even the first line of scale" in the_mistake(lint(master=tree), "scale", 2)


def test_a_solution_cell_of_values_needs_no_marks(lint: Lint) -> None:
    assert lint(cell("answer = 42", "value", role="solution"), graded("assert answer == 42")) == ()


def test_marks_in_a_cell_that_is_no_answer_are_a_mistake(lint: Lint) -> None:
    text = the_mistake(lint(cell("# Yours.\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION")), "", 2)
    assert "students would get it whole" in text


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("### BEGIN SOLUTION\nx = 1", 1, "has no END SOLUTION after it"),
        ("x = 1\n### END SOLUTION", 2, "has no BEGIN SOLUTION before it"),
        ("### BEGIN SOLUTION\nx = 1\n### BEGIN SOLUTION\ny = 1\n### END SOLUTION", 3, "before the one of line 1"),
    ],
)
def test_a_mark_without_its_partner_is_a_mistake(lint: Lint, source: str, line: int, said: str) -> None:
    assert said in the_mistake(lint(cell(source, "more", role="solution")), "more", line)


def test_hidden_tests_in_a_cell_that_is_no_test_are_a_mistake(lint: Lint) -> None:
    text = the_mistake(lint(given("### BEGIN HIDDEN TESTS\nassert True\n### END HIDDEN TESTS")), "given", 1)
    assert "nothing takes them out" in text


@pytest.mark.parametrize(
    "mark", ["### BEGIN HIDDEN TEST", "### begin hidden tests", "### BEGIN HIDEN TESTS", "# BEGIN HIDDEN_TESTS"]
)
def test_a_misspelt_mark_that_nbgrader_passes_over_is_a_mistake(lint: Lint, mark: str) -> None:
    found = lint(graded(f"assert scale(2, 3) == 6\n{mark}\nassert scale(3, 3) == 9"))
    assert "write ### BEGIN HIDDEN TESTS" in the_mistake(found, "graded", 2)


def test_a_mark_that_nbgrader_takes_by_chance_is_a_warning(lint: Lint) -> None:
    source = "###BEGIN HIDDEN TESTS\nassert scale(2, 3) == 6\n### END HIDDEN TESTS"
    assert "write ### BEGIN HIDDEN TESTS" in the_warning(lint(graded(source)), "graded", 1)
    source = "### BEGIN SOLUTIONS\nx = 1\n### END SOLUTION"
    assert "write ### BEGIN SOLUTION" in the_warning(lint(cell(source, "more", role="solution")), "more", 1)


def test_a_habit_of_marks_is_told_of_once(lint: Lint) -> None:
    assert len(lint(*(cell("###BEGIN SOLUTION\nx = 1\n###END SOLUTION", f"x{n}", role="solution") for n in "123"))) == 1


def test_comments_and_headings_that_begin_something_else_are_no_marks(lint: Lint) -> None:
    words = cell("# Begin solution\n\n## End of the tests", kind="markdown")
    assert (
        lint(words, cell("# begin with the smallest\n# end solutions are exact for both sides of the interval")) == ()
    )


# What lies beside the master


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("old.py", "def scale(x, factor):\n    return [each * factor + 0 * sum(x) for each in x]\n"),
        ("old.html", "<pre><b>return</b> [each * factor + <i>0</i> * sum(x)\n for each in x]</pre>"),
    ],
)
def test_a_solution_in_a_file_beside_the_master_is_a_mistake(
    lint: Lint, course_root: Path, name: str, text: str
) -> None:
    tree = solved()
    tree["cells"][2]["source"] = SCALE.replace("x * factor", "[each * factor + 0 * sum(x) for each in x]")
    (course_root / "source/warmup" / name).write_text(text)
    finding = only(lint(master=tree))
    assert (finding.severity, finding.file) == ("mistake", f"source/warmup/{name}")
    assert "gives away the solution of scale" in finding.text


def test_a_solution_in_a_notebook_to_read_is_a_mistake(lint: Lint, course_root: Path) -> None:
    tree = solved()
    tree["cells"][2]["source"] = SCALE.replace("x * factor", "[each * factor + 0 * sum(x) for each in x]")
    write(course_root / "source/warmup/read.ipynb", notebook(cell("y = [each * factor + 0 * sum(x) for each in x]")))
    finding = only(lint(master=tree))
    assert (finding.file, finding.cell, finding.line) == ("source/warmup/read.ipynb", 1, 1)


def test_a_graded_notebook_that_nothing_grades_is_a_warning(course_root: Path) -> None:
    (course_root / "gradebook_config.yaml").write_text(f"{CONFIG}    notebook: warmup\n")
    write(course_root / "source/warmup/second.ipynb", problem1())
    course = load_course(course_root)
    finding = only(lint_assignment(course, course.assignment("warmup")))
    assert (finding.severity, finding.file) == ("warning", "source/warmup/second.ipynb")
    assert "the key `notebook` names warmup.ipynb alone" in finding.text


# What is not the same twice


@pytest.mark.parametrize(
    "source",
    [
        "import random\nassert scale(random.random(), 1) < 1",
        "import numpy as np\nassert scale(np.random.rand(), 1) < 1",
        "from random import randint as draw\nassert scale(draw(1, 2), 1) < 3",
        "import numpy as np\nassert scale(np.random.default_rng().random(), 1) < 1",
        "import uuid\nassert scale(str(uuid.uuid4()), 1)",
    ],
)
def test_a_test_that_draws_without_a_seed_is_a_warning(lint: Lint, source: str) -> None:
    assert "at each grading" in the_warning(lint(graded(source)), "graded", 2)


@pytest.mark.parametrize(
    "source",
    [
        "import random\nrandom.seed(1)\nassert scale(random.random(), 1) < 1",
        "np.random.seed(1)\nassert scale(np.random.rand(), 1) < 1",
        "assert scale(np.random.default_rng(7).random(), 1) < 1",
        "random = [1, 2]\nassert scale(random.count(1), 1) == 1",
    ],
)
def test_a_test_that_draws_with_a_seed_is_none(lint: Lint, source: str) -> None:
    assert lint(graded(source)) == ()


def test_a_locked_cell_that_draws_without_a_seed_counts_where_a_test_reads_it(lint: Lint) -> None:
    drawn = given("noise = np.random.normal(size=3)")
    assert lint(drawn) == ()
    assert "numpy.random.normal" in the_warning(lint(drawn, graded("assert scale(noise, 1).sum()")), "given", 1)


def test_a_test_that_looks_at_the_clock_is_a_warning(lint: Lint) -> None:
    source = "import time\nbegun = time.perf_counter()\nscale(1, 2)\nassert time.perf_counter() - begun < 1"
    assert "time.perf_counter depends on" in the_warning(lint(graded(source)), "graded", 2)


@pytest.mark.parametrize(
    "source",
    ["import urllib.request\ntable = urllib.request.urlopen(where)", "# Data.\ntable = read_csv('https://x.org/a')"],
)
def test_a_cell_that_needs_the_network_is_a_warning(lint: Lint, source: str) -> None:
    assert "needs the network" in the_warning(lint(given(source)), "given", 2)


# Imports


def test_an_import_of_a_test_that_is_not_installed_is_a_mistake(lint: Lint) -> None:
    text = the_mistake(lint(graded("import course_tools_of_ours\nassert scale(1, 2) == 2")), "graded", 1)
    assert "course_tools_of_ours is not installed" in text


def test_a_test_may_import_what_lies_beside_the_master_or_what_it_can_do_without(lint: Lint, course_root: Path) -> None:
    (course_root / "source/warmup/course_tools_of_ours.py").write_text("right = 2\n")
    source = (
        "import course_tools_of_ours\ntry:\n    import cupy\nexcept ImportError:\n    pass\nassert scale(1, 2) == 2"
    )
    assert lint(graded(source)) == ()


def test_an_import_of_a_given_cell_that_is_not_allowed_is_a_mistake(lint: Lint) -> None:
    text = the_mistake(lint(given("import scipy.linalg")), "given", 1)
    assert "add its distribution to `allowed_imports`" in text


def test_an_import_that_is_not_allowed_is_a_warning_where_students_can_take_it_away(lint: Lint) -> None:
    assert "add its distribution" in the_warning(lint(cell("import scipy.linalg")), "", 1)


def test_an_import_of_a_given_cell_from_a_file_that_submissions_do_not_see_is_a_mistake(
    lint: Lint, course_root: Path
) -> None:
    (course_root / "source/warmup/plots.py").write_text("size = 3\n")
    assert "add plots.py to `files`" in the_mistake(lint(given("from plots import size")), "given", 1)


def test_a_module_in_a_folder_that_a_cell_adds_to_the_path_is_beside_the_master(lint: Lint, course_root: Path) -> None:
    (course_root / "source/warmup/code").mkdir()
    (course_root / "source/warmup/code/plots_of_ours.py").write_text("size = 3\n")
    source = "import sys\nsys.path.append('./code')\nimport plots_of_ours\nassert scale(1, plots_of_ours.size) == 3"
    assert lint(graded(source)) == ()
    alone = "import plots_of_ours\nassert scale(1, plots_of_ours.size) == 3"
    assert "is not installed" in the_mistake(lint(graded(alone)), "graded", 1)


# Tests that run apart from what they test


@pytest.mark.parametrize(
    "source",
    ["exec(answer + '\\n')", "code = f'x = {answer}'\neval(f'{code}')", "assert eval(answer.strip()) == 1"],
)
def test_code_that_a_test_makes_of_a_student_s_text_is_a_mistake(lint: Lint, source: str) -> None:
    answer = cell("answer = ''\n### BEGIN SOLUTION\nanswer = '1'\n### END SOLUTION", "answer", role="solution")
    text = the_mistake(lint(answer, graded(source)), "graded", source.count("\n") + 1)
    assert "outside the sandbox" in text


@pytest.mark.parametrize("source", ["exec(answer)\nassert x == 1", "assert eval('answer') == '1'"])
def test_a_student_s_text_that_is_run_as_it_stands_is_none(lint: Lint, source: str) -> None:
    answer = cell("answer = ''\n### BEGIN SOLUTION\nanswer = 'x = 1'\n### END SOLUTION", "answer", role="solution")
    assert lint(answer, graded(source)) == ()


def test_a_look_at_what_ipython_has_run_is_a_warning(lint: Lint) -> None:
    assert "no IPython" in the_warning(lint(graded("exec(In[-2])\nassert scale(1, 2) == 2")), "graded", 1)


def test_a_test_that_names_nothing_of_the_students_is_a_warning(lint: Lint) -> None:
    text = the_warning(lint(given("right = 6"), graded("# Right.\nassert right == 6")), "graded", 2)
    assert "a stub may pass" in text


def test_a_test_may_look_at_a_file_that_an_answer_wrote(lint: Lint) -> None:
    assert lint(graded("assert open('table.csv').read() == '1,2'")) == ()


def test_a_test_of_a_file_that_the_solution_writes_is_a_mistake(lint: Lint) -> None:
    source = "### BEGIN SOLUTION\nwith open('./out/table.csv', 'w') as file: file.write('1,2')\n### END SOLUTION"
    answer = cell(source, "table", role="solution")
    text = the_mistake(lint(answer, graded("# Table.\nassert open('out/table.csv').read() == '1,2'")), "graded", 2)
    assert "out/table.csv is not there as the answer writes it" in text
    assert lint(answer, graded("assert open('other.csv').read() == '1,2'")) == ()


def test_a_test_may_name_what_students_write_by_way_of_a_helper_or_of_an_earlier_test(lint: Lint) -> None:
    helper = given("def twice(x):\n    return scale(x, 2)")
    earlier = cell("got = twice(3)\nassert got", "earlier", role="test", points=1)
    assert lint(helper, earlier, graded("assert got == 6")) == ()


def test_an_assertion_of_a_tuple_is_a_mistake(lint: Lint) -> None:
    text = the_mistake(lint(graded('assert (scale(2, 3) == 6, "It is not six.")')), "graded", 1)
    assert "take the brackets away" in text


@pytest.mark.parametrize("source", ["assert scale(a, 1) is scale(a, 1)", "assert a is not scale(a, 1) is scale(a, 1)"])
def test_identity_of_two_objects_of_the_students_is_a_warning(lint: Lint, source: str) -> None:
    assert "whether two of the student's objects are one" in the_warning(lint(graded(source)), "graded", 1)


@pytest.mark.parametrize(
    "source",
    [
        "assert scale(2, 3) is not None",
        "assert type(scale(2, 3)) is int",
        "assert (scale(2, 3) == 6) is True",
        "x = np.zeros(3)\nassert scale(x, 3) is not x",
    ],
)
def test_identity_with_what_is_one_everywhere_is_none(lint: Lint, source: str) -> None:
    assert lint(graded(source)) == ()


def test_a_subclass_of_a_students_class_in_a_test_is_a_warning(lint: Lint) -> None:
    answer = cell("class Shape:\n    ### BEGIN SOLUTION\n    side = 2\n    ### END SOLUTION", "shape", role="solution")
    found = lint(answer, graded("class Square(Shape):\n    pass\nassert Square().side == 2"))
    assert "Square inherits from the student's Shape" in the_warning(found, "graded", 1)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("!ls", "a shell line is left out"),
        ("%run other.py", "%run is left out"),
        ("get_ipython().run_line_magic('time', '')", "get_ipython() gives None"),
    ],
)
def test_what_a_notebook_alone_can_do_is_a_warning_in_a_test(lint: Lint, line: str, said: str) -> None:
    assert said in the_warning(lint(graded(f"assert scale(2, 3) == 6\n{line}")), "graded", 2)


@pytest.mark.parametrize("magic", ["%%time", "%%capture output", "%matplotlib inline"])
def test_magics_without_which_a_test_is_the_same_are_none(lint: Lint, magic: str) -> None:
    assert lint(graded(f"{magic}\nassert scale(2, 3) == 6")) == ()


def test_a_cell_in_another_language_is_a_mistake_in_a_test(lint: Lint) -> None:
    found = lint(graded("%%bash\ntest -f results.txt"))
    assert "no valid Python: %%bash is left out" in next(each.text for each in found if each.severity == "mistake")


def test_await_outside_a_function_is_a_mistake_in_a_test(lint: Lint) -> None:
    assert "asyncio.run" in the_mistake(lint(graded("assert await scale(2, 3) == 6")), "graded", 1)
    assert lint(graded("async def wait():\n    return await scale(1, 2)\nassert wait()")) == ()


@pytest.mark.parametrize("mark", ["### AUTOTEST scale(2, 3)", "### HASHED AUTOTEST scale(2, 3)"])
def test_lines_of_which_nbgrader_can_make_no_tests_are_a_mistake(lint: Lint, mark: str) -> None:
    assert "put one there" in the_mistake(lint(graded(f"# Scale.\n{mark}")), "graded", 2)


@pytest.mark.parametrize("place", ["autotests.yml", "source/warmup/autotests.yml"])
def test_lines_of_which_nbgrader_can_make_tests_are_none(lint: Lint, course_root: Path, place: str) -> None:
    (course_root / place).write_text("")
    assert lint(graded("### AUTOTEST scale(2, 3)")) == ()


@pytest.mark.parametrize(("kept", "found"), [("scale(2, 3)", 0), ("scale(2, 4)", 1)])
def test_tests_that_nbgrader_made_of_another_notebook_are_a_warning(
    lint: Lint, course_root: Path, kept: str, found: int
) -> None:
    (course_root / "autotests.yml").write_text("")
    made = solved()
    made["cells"].append(graded(f"assert {kept} == 6\nassert scale(1, 2) == 2"))
    write(course_root / "source_with_tests/warmup/warmup.ipynb", made)
    assert len(lint(graded("assert scale(2, 3) == 6\n### AUTOTEST scale(1, 2)"))) == found


# The course


def course_wide(root: Path) -> list[tuple[str, str, int]]:
    return [(each.severity, each.file, each.line) for each in lint_course(root)]


def test_a_missing_nbgrader_config_is_a_warning(course_root: Path) -> None:
    assert course_wide(course_root) == [("warning", "nbgrader_config.py", 0)]


def test_another_courses_id_in_nbgrader_config_is_a_mistake(course_root: Path) -> None:
    text = (REPOSITORY / "nbgrader_config.py").read_text()
    (course_root / "nbgrader_config.py").write_text(f'{text}c.CourseDirectory.course_id = "tiny"\n')
    assert course_wide(course_root) == []
    (course_root / "nbgrader_config.py").write_text(f'{text}c.CourseDirectory.course_id = "huge"\n')
    assert course_wide(course_root) == [("mistake", "nbgrader_config.py", len(text.splitlines()) + 1)]


def test_another_courses_id_in_nbgraders_json_is_a_mistake(course_root: Path) -> None:
    shutil.copy(REPOSITORY / "nbgrader_config.py", course_root)
    (course_root / "nbgrader_config.json").write_text('{"CourseDirectory": {"course_id": "huge"}}')
    assert course_wide(course_root) == [("mistake", "nbgrader_config.json", 0)]


def test_a_second_course_in_the_folder_is_a_warning(course_root: Path) -> None:
    shutil.copy(REPOSITORY / "nbgrader_config.py", course_root)
    (course_root / "gradebook_config_evening.yaml").write_text(CONFIG)
    assert course_wide(course_root) == [("warning", "gradebook_config_evening.yaml", 0)]


def test_an_assignment_that_is_not_written_yet_stops_nothing_but_itself(course_root: Path) -> None:
    shutil.copy(REPOSITORY / "nbgrader_config.py", course_root)
    (course_root / "gradebook_config.yaml").write_text(f"{CONFIG}  later: {{}}\n")
    finding = only(lint_course(course_root))
    assert (finding.severity, finding.file) == ("warning", "gradebook_config.yaml")
    assert finding.text.startswith("later is not written yet")
    assert lint_course(course_root, "warmup") == ()
    with pytest.raises(ConfigError, match="source/later"):
        lint_course(course_root, "later")


def test_a_mistake_in_the_configuration_is_found_with_its_line(tmp_path: Path) -> None:
    root = make_course(tmp_path, config=CONFIG.replace("seed: 7", "seeds: 7"))
    finding = only(lint_course(root))
    assert (finding.severity, finding.file, finding.line) == ("mistake", "gradebook_config.yaml", 8)
