"""Python scripts as hand-ins: their cells, and the release as a script."""

import contextlib
import re
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.authoring import release
from autograder.base import ReleaseError, SubmissionError
from autograder.course import load_course
from autograder.grading import grade
from autograder.operations import collect_from
from autograder.submission import read_submission, script_cells, script_text
from autograder.submission.choosing import choose_in
from tests.courses import CENTRE, SCALE, mistaken, submit, untouched, write


def sources(text, known=()):
    return [cell.source.strip() for cell in script_cells(text, known, []) if cell.source.strip()]


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


GUARDED = "RATE = 0.25\n{}\nx = 1\n"


@pytest.mark.parametrize(
    ("guard", "kept"),
    [
        ('if __name__ == "__main__":\n    RATE = 5', []),
        ("if '__main__' == __name__:\n    RATE = 5\nelse:\n    RATE = 2", ["RATE = 2"]),
        ('if __name__ == "__main__" and True:\n    RATE = 5', []),
        ('if __name__ in ("__main__", "__mp_main__"):\n    RATE = 5', []),
        ('if not __name__ != "__main__":\n    RATE = 5', []),
        ('if __name__ != "__main__":\n    RATE = 2', ["RATE = 2"]),
        ('if "__main__" in __name__:\n    RATE = 5', []),
        ('if __name__ == "__main__":\n#%% a cell\n    RATE = 5', []),
    ],
)
def test_only_the_branch_that_an_import_takes_is_run(guard, kept):
    found = "\n".join(sources(GUARDED.format(guard))).split("\n")
    assert [each for each in found if each.strip()] == ["RATE = 0.25", *kept, "x = 1"]


def test_a_guard_of_something_else_stays():
    text = 'if DEBUG and __name__ == "__main__":\n    RATE = 5'
    assert sources(text) == [text]


@pytest.mark.parametrize("line", ["# %% a", "# In[3]:", "#%%"])
def test_a_line_that_would_begin_a_cell_in_a_definition_or_a_text_begins_none(line):
    definition = f'def double(x):\n    """Twice.\n\n{line}\n    """\n{line}\n    return 2 * x'
    text = f'"""\n{line}\ndef double(x): pass\n"""'
    assert sources(f"{text}\n{definition}\n") == [text, definition]


@pytest.mark.parametrize(
    "text",
    [
        *("(" * 100_000, "def f():\n" * 50_000, "x = 1\n" * 100_000, "@\n" * 9, "a + " * 90_000 + "a"),
        *('if __name__ == "__main__":\n    x = 1\n' * 9_000, '"""\n' * 99_999),
    ],
)
def test_a_long_script_has_cells_or_a_reason(text):
    with contextlib.suppress(SubmissionError):
        assert isinstance(script_cells(text, (), []), list)


def test_more_cells_than_a_notebook_may_have_are_refused_before_they_are_made():
    with pytest.raises(SubmissionError, match="more than 2,000 parts"):
        script_cells("# %%\n" * 400_000, (), [])


def test_a_script_of_megabytes_is_not_read(course_root, warmup):
    folder = handed_in(course_root, warmup__py="# %%\n" * 1_000_000)
    assert "The script has 5,000,000 characters" in read_submission(folder / "warmup.py", warmup).unreadable


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


ORDERS = {
    "the other way round": f"import numpy as np\n{CENTRE}\n{SCALE}\n",
    "a helper below": f"def scale(x, factor): return f(x) * factor / K\n\ndef f(x): return 2 * x\n\nK = 2\n{CENTRE}",
    "an import below": f"{SCALE}\n{CENTRE}\nimport numpy as np\n",
    "no def": "scale = lambda x, factor: x * factor\ncentre = lambda x: x - x.mean()\n",
    "twice": f"def scale(x, factor): return 0\n\ndef centre(x): return 0\n\n{SCALE}\n{CENTRE}\n",
    "a text with def": f'text = """\ndef scale(x, factor):\n    return 0\n"""\n{SCALE}\n{CENTRE}\n',
    "a call between": f"import numpy as np\n{SCALE}\ndef show(): print(centre(np.ones(2)))\n{CENTRE}\nshow()\n",
}


@pytest.mark.sandbox
@pytest.mark.parametrize("tests", ["hidden", "in the notebook"])
def test_a_right_script_has_full_marks_in_any_order(course_root, warmup, tests):
    if tests == "in the notebook":
        shutil.rmtree(course_root / "checks")
        shutil.rmtree(course_root / "solutions")
        warmup = load_course(course_root).assignment("warmup")
    found = {name: points(handed_in(course_root, warmup__py=text), warmup)[1] for name, text in ORDERS.items()}
    assert [name for name in ORDERS if found[name] != {"scale": 4, "centre": 6}] == []


def test_a_script_says_in_which_encoding_it_is(course_root, warmup):
    folder = handed_in(course_root)
    (folder / "warmup.py").write_bytes("# -*- coding: latin-1 -*-\nname = 'größe'\n".encode("latin-1"))
    submission = read_submission(folder / "warmup.py", warmup)
    assert "name = 'größe'" in str([cell["source"] for cell in submission.notebook["cells"]])


def test_a_script_may_begin_with_a_bracket(course_root, warmup):
    assert not read_submission(handed_in(course_root, warmup__py="{1}\n") / "warmup.py", warmup).unreadable


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
