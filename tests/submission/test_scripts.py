"""Python scripts as hand-ins: their cells, and the release as a script."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.authoring import release
from autograder.base import ReleaseError
from autograder.course import load_course
from autograder.grading import grade
from autograder.operations import collect_from
from autograder.submission import read_submission, script_cells, script_text
from autograder.submission.choosing import choose_in
from tests.courses import CENTRE, SCALE, mistaken, submit, untouched, write


def sources(text, known=()):
    return [cell.source.strip() for cell in script_cells(text, known, [])]


# Cells


def test_a_script_is_cut_at_its_functions_and_classes():
    text = """import numpy as np
# how far
LIMIT = 3

# twice
@cache
def f(x):
    return x

class C:
    pass
f(1)
x = 2
async def g(): pass
"""
    assert sources(text) == [
        "import numpy as np\n# how far\nLIMIT = 3",
        "# twice\n@cache\ndef f(x):\n    return x",
        "class C:\n    pass",
        "f(1)\nx = 2",
        "async def g(): pass",
    ]


def test_what_is_run_as_a_program_alone_is_left_out_and_said():
    notes = []
    text = "def f(): pass\nif __name__ == '__main__':\n    f()\nx = 1\n"
    assert [cell.source.strip() for cell in script_cells(text, (), notes)] == ["def f(): pass", "x = 1"]
    assert notes == ['What stands under `if __name__ == "__main__":` was not run.']


def test_a_function_that_is_no_python_takes_no_other_along():
    text = "import a\ndef f(x):\n    return (x\n\n@d\n@e\ndef g(x):\n    return x\nh = (\n  1,\n)\n"
    assert sources(text) == [
        "import a",
        "def f(x):\n    return (x",
        "@d\n@e\ndef g(x):\n    return x",
        "h = (\n  1,\n)",
    ]


def test_lines_that_begin_a_cell_part_a_script():
    text = "# coding: utf-8\n# In[1]:\nx = 1\n\n# In[ ]:\n\ny = 2\n# %% [markdown] why\n# One\n#\n# two\n# %% f\nz"
    cells = list(script_cells(text, ("why", "f"), []))
    assert [(cell.kind, cell.source, cell.grade_id) for cell in cells] == [
        ("code", "# coding: utf-8", ""),
        ("code", "x = 1", ""),
        ("code", "y = 2", ""),
        ("markdown", "One\n\ntwo", "why"),
        ("code", "z", "f"),
    ]


def test_a_title_that_is_no_id_is_none():
    assert [cell.grade_id for cell in script_cells("# %% softmax\n1\n# %%scale\n2", ("scale",), [])] == ["", "scale"]


@pytest.mark.parametrize(
    "text", ["(" * 100_000, "def f():\n" * 50_000, "# %%\n" * 50_000, "x = 1\n" * 100_000, "@\n" * 9]
)
def test_no_script_is_too_much(text):
    list(script_cells(text, (), []))


LINES = st.lists(
    st.text(st.characters(exclude_characters="\r\n\f\v\x1c\x1d\x1e\x85\u2028\u2029"), max_size=20), max_size=4
)
CODE = LINES.map("\n".join).filter(lambda text: not re.search(r"(?m)^[ \t]*[%!]|^#|__main__|\"\"\"|'''", text))


def read_again(kind, text):
    """What of a cell's source comes back: blank lines around it and, of a text, spaces at the ends of lines do not."""
    if kind == "markdown":
        text = "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n")
        return text
    return text.strip("\n").rstrip()


@given(st.lists(st.tuples(st.sampled_from(["code", "markdown"]), CODE, st.sampled_from(["", "a", "b"])), min_size=1))
def test_cells_that_become_a_script_are_read_again(cells):
    found = list(script_cells(script_text(cells), ("a", "b"), []))
    assert [(cell.kind, cell.source.rstrip(), cell.grade_id) for cell in found] == [
        (kind, read_again(kind, text).rstrip(), name) for kind, text, name in cells
    ]


@given(st.text())
def test_any_text_has_cells(text):
    assert "".join(sources(text)) or not text.strip() or "__main__" in text or text.startswith("#")


# Hand-ins

SCRIPT = f"""import numpy as np

{SCALE}

{CENTRE}

if __name__ == "__main__":
    print(centre(np.ones(3)))
"""


def handed_in(course_root, **files):
    folder = submit(course_root, "ada", untouched()).parent
    (folder / "warmup.ipynb").unlink()
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        write(path, content) if isinstance(content, dict) else path.write_text(content)
    return folder


def points(folder, warmup):
    path, note = choose_in(folder, warmup)
    report = grade(read_submission(path, warmup, student="ada", note=note), warmup)
    return report, {row.name: row.score for row in report.rows}


@pytest.mark.sandbox
def test_a_script_has_the_points_of_the_notebook(course_root, warmup):
    report, found = points(handed_in(course_root, warmup__py=SCRIPT), warmup)
    assert found == {"scale": 4, "centre": 6}
    assert 'What stands under `if __name__ == "__main__":` was not run.' in report.notes


@pytest.mark.sandbox
def test_a_function_of_a_script_that_cannot_be_read_costs_its_own_row(course_root, warmup):
    broken = SCRIPT.replace("def centre(x):", "def centre(x:")
    assert points(handed_in(course_root, warmup__py=broken), warmup)[1] == {"scale": 4, "centre": 0}


@pytest.mark.sandbox
def test_a_statement_of_a_script_that_fails_costs_nothing(course_root, warmup):
    failing = SCRIPT.replace("import numpy as np\n", "import numpy as np\n\ndef own(): pass\n\n1 / 0\n")
    assert points(handed_in(course_root, warmup__py=failing), warmup)[1] == {"scale": 4, "centre": 6}


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        ({"warmup__ipynb": untouched(), "warmup__py": SCRIPT}, "warmup.py"),
        ({"warmup__ipynb": mistaken(), "warmup__py": SCRIPT}, "warmup.ipynb"),
        ({"warmup__ipynb": untouched(), "tools__py": SCRIPT}, "warmup.ipynb"),
        ({"mine__py": SCRIPT}, "mine.py"),
        ({"mine__py": SCRIPT, "warmup (1)__py": SCRIPT}, "warmup (1).py"),
    ],
)
def test_a_script_counts_where_there_is_no_notebook_with_work_in_it(course_root, warmup, files, chosen):
    assert choose_in(handed_in(course_root, **files), warmup)[0].name == chosen


def test_a_notebook_that_is_called_a_script_is_one(course_root, warmup):
    folder = handed_in(course_root, warmup__py=mistaken())
    assert not read_submission(folder / "warmup.py", warmup).unreadable


def test_a_pdf_that_is_called_a_script_is_none(course_root, warmup):
    folder = handed_in(course_root, warmup__py="%PDF-1.4")
    assert "a PDF, not a Python script" in read_submission(folder / "warmup.py", warmup).unreadable


def test_a_folder_of_scripts_is_collected_where_they_may_be_handed_in(course_root, tmp_path):
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox/ada.py").write_text(SCRIPT)
    with_scripts(course_root)
    course = load_course(course_root)
    found = collect_from(course, course.assignment("warmup"), tmp_path / "inbox")
    assert [(each.who, each.status) for each in found] == [("ada", "new")]
    assert (course_root / "submitted/ada/warmup/warmup.py").read_text() == SCRIPT


# The release


def with_scripts(root):
    config = root / "gradebook_config.yaml"
    config.write_text(config.read_text() + "    script: true\n")


@pytest.mark.sandbox
def test_a_release_has_a_script_where_the_course_says_so(course_root):
    with_scripts(course_root)
    made = release(load_course(course_root), "warmup")
    assert made.files == ("warmup.ipynb", "warmup.py")
    text = (course_root / "release/warmup/warmup.py").read_text()
    assert "# %% scale" in text
    assert "return x * factor" not in text


@pytest.mark.sandbox
def test_a_script_of_the_release_with_the_solutions_has_full_marks(course_root, warmup):
    with_scripts(course_root)
    release(load_course(course_root), "warmup")
    text = (course_root / "release/warmup/warmup.py").read_text()
    for function, right in (("scale", SCALE), ("centre", CENTRE)):
        cell = re.compile(rf"(^# %% {function}\n).*?(?=^# %%|\Z)", re.MULTILINE | re.DOTALL)
        text = cell.sub(lambda found, right=right: f"{found[1]}{right}\n", text)
    assert points(handed_in(course_root, warmup__py=text), warmup)[1] == {"scale": 4, "centre": 6}


def test_a_script_of_the_authors_is_not_written_over(course_root):
    with_scripts(course_root)
    (course_root / "source/warmup/warmup.py").write_text("x = 1\n")
    with pytest.raises(ReleaseError, match=r"source/warmup/warmup\.py: with `script: true`"):
        release(load_course(course_root), "warmup")
