"""`autograder import`: nbgrader's courses, folders and notebooks; what is refused; and what the configuration keeps."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.authoring import Imported, import_assignments
from autograder.authoring.importing.entry import with_entries
from autograder.base import AutograderError, ConfigError
from autograder.course import load_course
from tests.authoring import otter_masters as otter
from tests.commands import autograder
from tests.courses import cell, notebook, solved, write

CONFIG = """\
name: tiny
timezone: America/New_York  # where we are
assignments:
  first:
    title: The first
    # what comes after it is ours

# the end
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A course with an assignment that is not written yet."""
    folder = tmp_path / "course"
    folder.mkdir(mode=0o700)
    (folder / "gradebook_config.yaml").write_text(CONFIG)
    (folder / "nbgrader_config.py").write_text("c = get_config()\n")
    return folder


def theirs(folder: Path, *, name: str = "ps1", tree: Any = None) -> Path:
    """An nbgrader course with one assignment of one notebook; the assignment's folder."""
    write(folder / f"source/{name}/problem.ipynb", tree or solved())
    return folder / "source" / name


def master_with(*tests: str) -> Any:
    cells = [cell(source, f"test_{number}", role="test", points=1) for number, source in enumerate(tests)]
    answer = "def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION"
    return notebook(cell(answer, "f", role="solution"), *cells)


def before_and_after(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# What is imported


def test_a_folder_is_copied_with_what_lies_beside_its_masters(root: Path, tmp_path: Path) -> None:
    folder = theirs(tmp_path / "old")
    for name in ("data.csv", "more/deep.csv", ".hidden", "__pycache__/x.pyc"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("1\n")
    (found,) = import_assignments(root, folder)
    assert found.written
    assert found.files == ("data.csv", "more/deep.csv", "problem.ipynb")
    assert (root / "source/ps1/problem.ipynb").read_bytes() == (folder / "problem.ipynb").read_bytes()
    assert (root / "source/ps1").stat().st_mode & 0o777 == 0o700
    assignment = load_course(root).assignment("ps1")
    assert (assignment.files, assignment.allowed_imports) == (("data.csv", "more/deep.csv"), ("numpy",))
    assert found.notes == ()


def test_a_course_is_imported_whole_and_its_due_dates_with_it(root: Path, tmp_path: Path) -> None:
    theirs(tmp_path / "old")
    theirs(tmp_path / "old", name="ps2")
    config = 'import os\nos.abort()\nc = get_config()\nc.CourseDirectory.db_assignments = [dict(name="ps2", duedate='
    (tmp_path / "old/nbgrader_config.py").write_text(config + '"2026-12-24 17:00:00 UTC")]\n')
    gradebook = sqlite3.connect(tmp_path / "old/gradebook.db")
    gradebook.execute("CREATE TABLE assignment (name TEXT, duedate DATETIME)")
    gradebook.execute("INSERT INTO assignment VALUES ('ps1', '2026-11-30 04:59:00.000000')")
    gradebook.commit()
    gradebook.close()
    found = import_assignments(root, tmp_path / "old")
    assert [(each.name, each.due_from) for each in found] == [("ps1", "gradebook.db"), ("ps2", "nbgrader_config.py")]
    due = {name: str(load_course(root).assignment(name).due) for name in ("ps1", "ps2")}
    assert due == {"ps1": "2026-11-29 23:59:59-05:00", "ps2": "2026-12-24 12:00:59-05:00"}


def test_a_gradebook_that_never_ends_is_given_up(root: Path, tmp_path: Path) -> None:
    folder = theirs(tmp_path / "old")
    gradebook = sqlite3.connect(tmp_path / "old/gradebook.db")
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS name, x AS duedate FROM n"
    gradebook.execute(f"CREATE VIEW assignment AS SELECT * FROM ({endless}) WHERE name < 0")
    gradebook.commit()
    gradebook.close()
    (found,) = import_assignments(root, folder, dry_run=True)
    assert "no due date could be read" in found.notes[0]


def test_a_notebook_alone_brings_the_files_that_it_names(root: Path, tmp_path: Path) -> None:
    tree = master_with("import tools\nassert f(1) == tools.one(open('data.csv'))")
    path = write(tmp_path / "loose/homework.ipynb", tree)
    for name in ("data.csv", "other.csv", "tools.py", "another.ipynb"):
        (path.parent / name).write_text("")
    (found,) = import_assignments(root, path, name="hw.1")
    assert (found.name, found.files) == ("hw.1", ("data.csv", "homework.ipynb", "tools.py"))
    assert load_course(root).assignment("hw.1").files == ("data.csv", "tools.py")


def test_what_a_module_beside_a_notebook_imports_is_allowed_too(root: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "loose/homework.ipynb", master_with("import tools\nassert f(1) == tools.one"))
    (path.parent / "tools.py").write_text("import json, scipy.stats\none = 1\n")
    import_assignments(root, path)
    assert load_course(root).assignment("homework").allowed_imports == ("scipy",)


def test_a_notebook_alone_brings_the_files_in_a_folder_whose_name_is_a_variable_too(root: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "loose/homework.ipynb", master_with("data = open('data/one.csv')\nassert f(data) is data"))
    for name in ("data/one.csv", "data/other.csv"):
        (path.parent / name).parent.mkdir(exist_ok=True)
        (path.parent / name).write_text("")
    (found,) = import_assignments(root, path)
    assert found.files == ("data/one.csv", "homework.ipynb")
    assert load_course(root).assignment("homework").files == ("data/one.csv",)


def test_a_notebook_alone_brings_the_folders_that_its_code_names_and_what_their_modules_name(
    root: Path, tmp_path: Path
) -> None:
    modules = "import sys\nfrom kit import part\nsys.path.append('./code')\nfrom tools import one"
    test = "assert f(f'pictures/{1}.png') == 'pictures/1.png'"
    path = write(tmp_path / "loose/homework.ipynb", master_with(f"{modules}\n{test}"))
    kept = ("code/tools.py", "helped.csv", "kit/__init__.py", "kit/part.py", "more.py", "pictures/1.png")
    for name in (*kept, "kit/notes.txt", "other/x.csv", "word.csv", "alone.py"):
        (path.parent / name).parent.mkdir(exist_ok=True)
        (path.parent / name).write_text("")
    (path.parent / "code/tools.py").write_text("import more\none = open('helped.csv').read()\n")
    (found,) = import_assignments(root, path)
    assert found.files == tuple(sorted((*kept, "homework.ipynb")))
    assert load_course(root).assignment("homework").files == kept


def test_of_more_files_than_submissions_may_read_those_come_first_that_the_notebook_names(
    root: Path, tmp_path: Path
) -> None:
    folder = theirs(tmp_path / "other", tree=master_with("assert f(open('data/z.csv'))"))
    (folder / "data").mkdir()
    for name in [*(f"{number}.csv" for number in range(100)), "z.csv"]:
        (folder / "data" / name).write_text("")
    (found,) = import_assignments(root, folder)
    assert any("`files` takes 100" in note for note in found.notes)
    files = load_course(root).assignment("ps1").files
    assert len(files) == 100
    assert "data/z.csv" in files


def test_a_file_that_the_solved_notebook_has_written_is_none_that_submissions_read(root: Path, tmp_path: Path) -> None:
    answer = "import numpy as np\n### BEGIN SOLUTION\nnp.savez('data/mine.npz', x=1)\n### END SOLUTION"
    test = cell("assert np.load('data/mine.npz')['x'] == 1", "test_mine", role="test", points=1)
    folder = theirs(tmp_path / "other", tree=notebook(cell(answer, "mine", role="solution"), test))
    (folder / "data").mkdir()
    for name in ("mine.npz", "theirs.npz"):
        (folder / "data" / name).write_text("")
    (found,) = import_assignments(root, folder)
    assert load_course(root).assignment("ps1").files == ("data/theirs.npz",)
    assert "data/mine.npz: no submission reads it: the notebook writes it" in found.notes
    assert [each.verdict for each in found.tests] == ["cannot"]


def test_of_files_that_are_too_much_in_all_those_come_first_that_the_notebook_names(root: Path, tmp_path: Path) -> None:
    folder = theirs(tmp_path / "other", tree=master_with("assert f(open('b.csv'))"))
    for name in ("a.csv", "b.csv"):
        (folder / name).write_bytes(bytes(20 * 2**20))
    (found,) = import_assignments(root, folder)
    assert any(note.startswith("1 file: no submission reads it") for note in found.notes)
    assert load_course(root).assignment("ps1").files == ("b.csv",)


def test_a_report_says_of_each_test_cell_what_it_will_do(root: Path, tmp_path: Path) -> None:
    tree = master_with("assert f(1) == 1", "### AUTOTEST f(1)", "assert f(a) is f(a)\na = []", "!ls\nassert f(2) == 2")
    (found,) = import_assignments(root, theirs(tmp_path / "old", tree=tree), dry_run=True)
    assert [(each.cell, each.grade_id, each.verdict) for each in found.tests] == [
        (2, "test_0", "same"),
        (3, "test_1", "cannot"),
        (4, "test_2", "may differ"),
        (5, "test_3", "may differ"),
    ]
    assert "AUTOTEST" in found.tests[1].findings[0].text


def test_the_command_prints_the_report_and_what_comes_next(root: Path, tmp_path: Path) -> None:
    folder = theirs(tmp_path / "old")
    done = autograder(root, "import", str(folder))
    assert done.returncode == 0, done.stderr
    assert "ps1: imported from" in done.stdout
    assert "cell 4 (test_scale), 4 points: as in the notebook" in done.stdout
    assert "Next: autograder release ps1" in done.stdout
    again = autograder(root, "import", str(folder))
    assert again.returncode == 2
    assert "there already, and nothing is overwritten" in again.stderr


def test_a_dry_run_writes_nothing_and_its_data_are_json(root: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "squares.ipynb", otter.in_ok_format())
    for name, content in otter.FILES["ok"].items():
        (tmp_path / name).write_text(content)
    before = before_and_after(root)
    done = autograder(root, "import", str(path), "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert (found["name"], found["form"], found["written"]) == ("squares", "otter", False)
    assert {"cell": 1, "line": 3, "source": "init_cell: false"}.items() <= found["not_converted"][0].items()
    assert found["tests"][0]["origin"] == 13
    assert before_and_after(root) == before


def test_a_name_that_the_configuration_has_without_a_master_keeps_what_it_says(root: Path, tmp_path: Path) -> None:
    (found,) = import_assignments(root, theirs(tmp_path / "old"), name="first")
    assert found.entry is None
    assert (root / "gradebook_config.yaml").read_text() == CONFIG
    assert load_course(root).assignment("first").title == "The first"


# What is refused, with nothing written


def refused(root: Path, path: Path, **asked: Any) -> str:
    before = before_and_after(root)
    with pytest.raises(AutograderError) as error:
        import_assignments(root, path, **asked)
    assert before_and_after(root) == before
    assert not any((root / "source").glob("*"))
    return str(error.value)


def test_what_is_no_notebook_is_refused(root: Path, tmp_path: Path) -> None:
    folder = theirs(tmp_path / "old")
    path = folder / "problem.ipynb"
    for content, told in (
        (b"{\n not json", "line 2 cannot be read"),
        (b"", "The file is empty"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[1]", "holds other data"),
        (b'{"cells": 1, "nbformat": 4}', "has no list of cells"),
        (b'{"nbformat": 2}', "notebook format 2"),
        (b"%PDF-1.4", "is a PDF"),
        (json.dumps(notebook(cell("x = 1"))).encode(), "has nothing that is graded"),
        (json.dumps(master_with("assert f(1)") | {"cells": solved()["cells"][3:4] * 2}).encode(), "cell 2: test_scale"),
    ):
        path.write_bytes(content)
        assert told in refused(root, folder), content[:40]
        if told != "has nothing that is graded":
            assert "problem.ipynb" in refused(root, path)


def test_links_pipes_and_devices_are_refused(root: Path, tmp_path: Path) -> None:
    folder = theirs(tmp_path / "old")
    beside = folder / "data.csv"
    os.mkfifo(beside)
    assert f"{beside} is a named pipe" in refused(root, folder)
    beside.unlink()
    beside.symlink_to("/etc/passwd")
    assert f"{beside} is a symbolic link" in refused(root, folder)
    beside.unlink()
    master = folder / "problem.ipynb"
    master.rename(tmp_path / "elsewhere.ipynb")
    master.symlink_to(tmp_path / "elsewhere.ipynb")
    assert f"{master} is a symbolic link" in refused(root, master)
    assert f"{master} is a symbolic link" in refused(root, folder)
    assert "expected a folder, or a notebook" in refused(root, Path("/dev/zero"), form="otter")
    tree = otter.notebook(otter.raw("# ASSIGNMENT CONFIG", "files: [to/ps1/a.csv]"), *otter.question("name: q1"))
    (tmp_path / "to").symlink_to(folder.parent)
    assert f"{tmp_path / 'to'}: is a link" in refused(root, write(tmp_path / "o.ipynb", tree))
    (tmp_path / "linked").symlink_to(folder)
    assert "is a symbolic link" in refused(root, tmp_path / "linked")


def test_what_is_too_large_is_refused(root: Path, tmp_path: Path) -> None:
    folder = theirs(tmp_path / "old")
    with (folder / "problem.ipynb").open("ab") as file:
        file.truncate(50 * 2**20)
    assert "has 50.0 MB; the most is 20 MB" in refused(root, folder)
    assert "has 50.0 MB; the most is 20 MB" in refused(root, folder / "problem.ipynb")
    theirs(tmp_path / "old")
    with (folder / "data.bin").open("ab") as file:
        file.truncate(2**40)
    assert "data.bin: has 1048576.0 MB; the most is 32 MB" in refused(root, folder)


def test_names_that_are_none_and_files_out_of_reach_are_refused(root: Path, tmp_path: Path) -> None:
    folder = theirs(tmp_path / "old")
    for name in ("../x", "a/b", ".x", "a\nb", "a b", "x" * 101):
        assert "expected an assignment's name" in refused(root, folder, name=name)
    assert "there is no" in refused(root, tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no notebook" in refused(root, empty)
    tree = otter.notebook(otter.raw("# ASSIGNMENT CONFIG", "files: [../secret]"), *otter.question("name: q1"))
    path = write(tmp_path / "o.ipynb", tree)
    assert "expected a file beside the notebook, found '../secret'" in refused(root, path)
    assert "is a master of otter-assign's: import it by its own path" in refused(root, path.parent)


def test_a_file_of_otter_s_that_is_missing_is_told(root: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "squares.ipynb", otter.in_ok_format())
    assert "cell 1, line 14: `config_file`: " in refused(root, path)
    (tmp_path / "shared.yml").write_text(otter.FILES["ok"]["shared.yml"])
    assert "numbers.csv cannot be read: No such file" in refused(root, path)


def test_all_of_a_course_is_written_or_nothing(root: Path, tmp_path: Path) -> None:
    theirs(tmp_path / "old")
    (theirs(tmp_path / "old", name="ps2") / "problem.ipynb").write_text("{")
    assert "ps2/problem.ipynb" in refused(root, tmp_path / "old")


def test_a_write_that_fails_leaves_nothing(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from autograder.authoring.importing import bringing

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device", "gradebook_config.yaml")

    monkeypatch.setattr(bringing, "write_atomically", full)
    assert "nothing was imported" in refused(root, theirs(tmp_path / "old"))


# The configuration


def entries(**said: Any) -> Any:
    return said


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (CONFIG, CONFIG.replace("is ours\n", "is ours\n  new:\n    due: 2026-11-29 23:59\n    files: [a.csv]\n")),
        (
            "name: a\nassignments:\nlate_days: 3\n",
            "name: a\nassignments:\n  new:\n    due: 2026-11-29 23:59\n    files: [a.csv]\nlate_days: 3\n",
        ),
        (
            "assignments: {}  # none\nname: a",
            "assignments:  # none\n  new:\n    due: 2026-11-29 23:59\n    files: [a.csv]\nname: a",
        ),
        ("name: a", "name: a\nassignments:\n  new:\n    due: 2026-11-29 23:59\n    files: [a.csv]\n"),
        (
            "assignments: {old: {title: x}}\n",
            'assignments: {old: {title: x}, new: {due: "2026-11-29 23:59", files: [a.csv]}}\n',
        ),
        (
            "assignments:\r\n    old:\r\n        title: |\r\n            x\r\n",
            "assignments:\r\n    old:\r\n        title: |\r\n            x\r\n"
            "    new:\r\n      due: 2026-11-29 23:59\r\n      files: [a.csv]\r\n",
        ),
    ],
)
def test_an_assignment_is_added_and_everything_else_stays(text: str, after: str) -> None:
    entry = entries(due="2026-11-29 23:59", files=("a.csv",))
    assert with_entries(Path("c.yaml"), text, {"new": entry}) == after


def test_a_configuration_that_cannot_be_added_to_is_left_with_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"add this by hand and try again:\nassignments:\n  new: \{\}"):
        with_entries(tmp_path / "c.yaml", "assignments: [1]\n", {"new": {}})


names = st.text(st.characters(codec="utf-8", categories=["L", "N", "Zs", "P"]), min_size=1, max_size=6)
trees = st.dictionaries(names, st.none() | names | st.dictionaries(names, names, max_size=2), max_size=3)


@settings(max_examples=60, deadline=None)
@given(trees, st.booleans(), names)
def test_whatever_the_configuration_has_is_still_there(tree: Any, flow: bool, name: str) -> None:
    text = yaml.safe_dump({"name": "a", "assignments": tree, "late_days": 1}, default_flow_style=flow or None)
    if name in tree:
        return
    try:
        added = with_entries(Path("c.yaml"), text, {name: {"files": ("b c",)}})
    except ConfigError:
        return
    before, after = (yaml.load(each, Loader=yaml.BaseLoader) for each in (text, added))
    assert after.pop("assignments") == (before.pop("assignments") or {}) | {name: {"files": ["b c"]}}
    assert after == before


def test_what_is_imported_is_data(root: Path, tmp_path: Path) -> None:
    found = import_assignments(root, theirs(tmp_path / "old"), dry_run=True)
    assert all(isinstance(each, Imported) for each in found)
    assert found[0].max_score == 12
    assert found[0].by_hand == {"why": 2}
