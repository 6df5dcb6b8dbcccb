"""Files that an assignment allows beside its notebook: whose copy counts, and that no submission changes them."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.authoring import release
from autograder.base import ConfigError, ReleaseError
from autograder.course import Assignment, Limits, load_course
from autograder.grading import Grader, assignment_digest
from autograder.sandbox import Worker, protocol
from autograder.submission import read_submission
from autograder.submission.reading import submitted_digest
from tests.courses import CONFIG, make_course, solved, submit, write

WITH_FILES = CONFIG.replace("    allowed_imports", "    files: [data.csv, own.txt, helpers.py]\n    allowed_imports")

READS = "from helpers import factor_of\ndef scale(x, factor):\n    return x * factor * factor_of('data.csv')"
HELPERS = "def factor_of(name):\n    return float(open(name).read())\n"


def course_with_files(root: Path, config: str = WITH_FILES) -> Path:
    """The tiny course; it gives data.csv and helpers.py, and lets students hand in own.txt."""
    make_course(root, config=config)
    for folder in ("source", "release"):
        (root / folder / "warmup/data.csv").write_text("1.0")
        (root / folder / "warmup/helpers.py").write_text(HELPERS)
    return root


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    return load_course(course_with_files(tmp_path / "course")).assignment("warmup")


def handed_in(assignment: Assignment, **files: str):
    """What is read of a submission with these files beside the notebook."""
    path = submit(assignment.master.parents[2], "ada")
    for name, text in files.items():
        (path.parent / name.replace("_", ".")).write_text(text)
    return read_submission(path, assignment, student="ada")


# What may be named


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("data/x.csv", "lies in no folder"),
        ("../x.csv", "a path such as data/points.csv"),
        ("/etc/passwd", "a path such as data/points.csv"),
        ("data//x.csv", "a path such as data/points.csv"),
        ("data/../x.csv", "a path such as data/points.csv"),
        ("data/", "letters, digits"),
        ("data/.hidden", "not hidden"),
        (".hidden/x.csv", "not hidden"),
        ("a/b/c/d/e/f/x.csv", "at most 5 folders"),
        ("data/x.ipynb", "notebook's name"),
        ("numpy/__init__.py", "hide behind the module 'numpy'"),
        ("matplotlib/x.csv", "is taken"),
        ("data, data/x.csv", "a file's name here and a folder's"),
        ("'a\\b.csv'", "'/' between a folder and a file"),
        (".hidden", "not hidden"),
        ("..", "not hidden"),
        ('""', "letters, digits"),
        ('" a.csv"', "no space around it"),
        ('"a.csv "', "no space around it"),
        ('"data /a.csv"', "no space around it"),
        ('"a\\tb.csv"', "letters, digits"),
        ('"my helpers.py"', "cannot be imported"),
        ('"a\\nb.csv"', "letters, digits"),
        ('"a\\u202Eb.csv"', "letters, digits"),
        ("é.csv", "letters, digits"),
        ("x" * 101, "at most 100"),
        ("warmup.ipynb", "notebook's name"),
        ("other.IPYNB.txt", "notebook's name"),
        ("timestamp.txt", "is taken"),
        ("autograder-result.json", "is taken"),
        ("matplotlib", "is taken"),
        ("x.pyc", "is taken"),
        ("numpy.py", "hide behind the module 'numpy'"),
        ("statistics.py", "hide behind the module 'statistics'"),
        ("scipy.py", "hide behind the module 'scipy'"),
        ("my-helpers.py", "cannot be imported"),
        ("class.py", "cannot be imported"),
        ("helpers.PY", "cannot be imported"),
        ("ok.csv, OK.csv", "stands here twice"),
        ("[3]", "expected text"),
    ],
)
def test_a_name_that_cannot_be_given_is_named_with_its_line_and_the_way_out(tmp_path: Path, name: str, message: str):
    config = CONFIG.replace("    allowed_imports", f"    files: [{name}]\n    allowed_imports")
    line = 1 + config[: config.index("    files:")].count("\n")
    with pytest.raises(ConfigError, match=rf"line {line}, assignments\.warmup\.files\.\d: ") as caught:
        load_course(make_course(tmp_path / "course", config=config))
    assert message in str(caught.value)


def test_there_is_a_bound_on_how_many_files_may_be_named(tmp_path: Path):
    names = ", ".join(f"f{number}" for number in range(101))
    config = CONFIG.replace("    allowed_imports", f"    files: [{names}]\n    allowed_imports")
    with pytest.raises(ConfigError, match="at most 100 files, found 101"):
        load_course(make_course(tmp_path / "course", config=config))


def test_a_folder_of_the_courses_under_a_files_name_is_a_mistake(assignment: Assignment):
    (assignment.master.parent / "own.txt").mkdir()
    with pytest.raises(ConfigError, match="expected a file, found something else"):
        load_course(assignment.master.parents[2])


def test_a_folder_of_modules_that_is_no_package_may_be_called_as_one(tmp_path: Path):
    root = course_with_files(tmp_path / "course", WITH_FILES.replace("data.csv", "data.csv, code/tools.py"))
    write_text(root / "source/warmup/code/tools.py", "")
    assert "code/tools.py" in load_course(root).assignment("warmup").files


def test_names_may_have_spaces_in_them(tmp_path: Path):
    config = WITH_FILES.replace("data.csv", '"my data.csv", raw data/first year.csv')
    root = course_with_files(tmp_path / "course", config)
    write_text(root / "source/warmup/my data.csv", "1")
    write_text(root / "source/warmup/raw data/first year.csv", "2")
    assignment = load_course(root).assignment("warmup")
    assert assignment.files[:2] == ("my data.csv", "raw data/first year.csv")
    files = read_submission(submit(root, "ada"), assignment, student="ada").files
    assert (files["my data.csv"], files["raw data/first year.csv"]) == (b"1", b"2")


def test_of_files_in_folders_only_the_courses_own_are_read(tmp_path: Path):
    root = course_with_files(tmp_path / "course", WITH_FILES.replace("data.csv", "data.csv, data/a.csv"))
    write_text(root / "source/warmup/data/a.csv", "ours")
    assignment = load_course(root).assignment("warmup")
    path = submit(root, "ada")
    write_text(path.parent / "data/a.csv", "theirs")
    submission = read_submission(path, assignment, student="ada")
    assert submission.files["data/a.csv"] == b"ours"
    assert not any("data/a.csv" in note for note in submission.notes)
    (assignment.master.parent / "data/a.csv").unlink()
    with pytest.raises(ConfigError, match=r"data/a\.csv, a file of the assignment's, is not there"):
        read_submission(path, assignment, student="ada")


def test_more_than_the_limit_of_the_courses_own_is_a_mistake(tmp_path: Path):
    root = course_with_files(tmp_path / "course", WITH_FILES.replace("limits: {", "limits: {file_mb: 1, "))
    (root / "source/warmup/data.csv").write_bytes(bytes(2**20 + 1))
    with pytest.raises(ConfigError, match=r"files: the files in .* have 1\.0 MB; the most is limits\.file_mb, 1 MB"):
        load_course(root)


# Whose copy counts


def test_the_courses_copy_counts_and_the_student_is_told(assignment: Assignment):
    submission = handed_in(assignment, data_csv="99", own_txt="mine")
    assert submission.files == {"data.csv": b"1.0", "own.txt": b"mine", "helpers.py": HELPERS.encode()}
    assert submission.notes == ("Your own data.csv was not used: the course's copy of it counts. This costs nothing.",)


def test_the_released_file_handed_in_again_is_nothing_to_speak_of(assignment: Assignment):
    assert handed_in(assignment, data_csv="1.0", own_txt="mine").notes == ()


def test_a_file_that_is_missing_is_a_note(assignment: Assignment):
    submission = handed_in(assignment)
    assert "own.txt" not in submission.files
    (note,) = submission.notes
    assert note.startswith("There was no own.txt beside your notebook")


def test_a_file_that_the_course_does_not_name_stays_behind(assignment: Assignment):
    assert "other.txt" not in handed_in(assignment, own_txt="", other_txt="x").files


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder"])
def test_what_is_no_file_of_the_students_own_is_left_out_with_a_note(assignment: Assignment, kind: str):
    own = submit(assignment.master.parents[2], "ada").with_name("own.txt")
    secret = assignment.solutions / "__init__.py"
    match kind:
        case "link":
            own.symlink_to(secret)
        case "hard link":
            own.hardlink_to(secret)
        case "pipe":
            os.mkfifo(own)
        case "folder":
            own.mkdir()
    submission = read_submission(own.with_name("warmup.ipynb"), assignment, student="ada")
    assert "own.txt" not in submission.files
    assert "it is a link or no ordinary file" in submission.notes[0]


def test_a_file_beyond_the_limit_is_left_out_with_a_note(assignment: Assignment):
    small = replace(assignment, limits=replace(assignment.limits, file_mb=1))
    submission = handed_in(small, own_txt="x" * 2**20)
    assert "own.txt" not in submission.files
    assert "it has 1.0 MB, and 1.0 MB are left" in submission.notes[0]


# What decides a grade


def test_a_changed_file_of_the_courses_changes_the_assignments_digest(assignment: Assignment):
    before = assignment_digest(assignment)
    (assignment.master.parent / "data.csv").write_text("2.0")
    changed = assignment_digest(assignment)
    (assignment.master.parent / "data.csv").unlink()
    assert len({before, changed, assignment_digest(assignment)}) == 3


def test_the_names_of_the_files_are_part_of_the_assignments_digest(assignment: Assignment):
    assert assignment_digest(replace(assignment, files=assignment.files[:2])) != assignment_digest(assignment)


def test_a_changed_file_of_the_students_changes_the_submissions_digest(assignment: Assignment):
    digests = [handed_in(assignment).digest]
    for text in ("", "a", "b"):
        submission = handed_in(assignment, own_txt=text)
        path = assignment.master.parents[2] / "submitted/ada/warmup/warmup.ipynb"
        assert submitted_digest(path, assignment) == submission.digest
        digests.append(submission.digest)
    assert len(set(digests)) == 4


def test_a_students_copy_that_does_not_count_changes_no_digest(assignment: Assignment):
    assert handed_in(assignment, own_txt="a", data_csv="1").digest == handed_in(assignment, data_csv="2").digest


# Inside


@pytest.fixture(scope="module")
def worker():
    with Worker("bubblewrap", ("numpy",)) as worker:
        yield worker


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def either(request):
    """A worker of each kind of sandbox."""
    with Worker(request.param, ("numpy",)) as worker:
        yield worker


LIMITS = Limits(cell_seconds=5, call_seconds=5, submission_seconds=60, memory_mb=256, file_mb=8)
GIVEN = {"data.csv": b"1,2\n3,4\n", "helpers.py": b"answer = 42\n", "empty.bin": b""}

TRY_EACH = """
done = []
for name, change in changes.items():
    try:
        change()
        done.append(name)
    except OSError:
        pass
"""

CHANGES = """
import os, shutil
before = open("data.csv", "rb").read()
open("mine", "w").write("x")
changes = {
    "write": lambda: open("data.csv", "w"),
    "append": lambda: open("data.csv", "a"),
    "write in place": lambda: open("data.csv", "r+b"),
    "open to write by number": lambda: os.open("data.csv", os.O_RDWR),
    "truncate": lambda: os.truncate("data.csv", 0),
    "unlink": lambda: os.unlink("data.csv"),
    "rename": lambda: os.rename("data.csv", "gone"),
    "put another in its place": lambda: os.replace("mine", "data.csv"),
    "link another in its place": lambda: os.link("mine", "data.csv"),
    "link": lambda: os.link("data.csv", "twin"),
    "make writable": lambda: os.chmod("data.csv", 0o666),
    "date": lambda: os.utime("data.csv"),
    "attribute": lambda: os.setxattr("data.csv", "user.x", b"x"),
    "rename the folder": lambda: os.rename("/tmp", "/tmp2"),
    "remove the folder": lambda: shutil.rmtree("/tmp"),
    "by the stage": lambda: open("/dev/shm/data.csv"),
    **{f"by descriptor {fd}": lambda fd=fd: os.pwrite(fd, b"evil", 0) for fd in range(3, 64)},
}
"""

LEFT = r"""print(done, before == open("data.csv", "rb").read() == b"1,2\n3,4\n")"""


def printed(session, *sources: str) -> str:
    run = session.run(sources)[-1]
    return "".join(str(output.get("text", output)) for output in run.outputs)


def test_a_file_with_spaces_in_its_name_is_read_as_it_is_called(either):
    """Nothing parts names at spaces: they cross as data, and the kernel mounts them by paths of their own."""
    files = {"my data.csv": b"1", "raw data/first year.csv": b"2"}
    with either.session(LIMITS, files=files) as session:
        reads = "print(open('my data.csv').read(), open('raw data/first year.csv').read())"
        assert printed(session, reads) == "1 2\n"


@pytest.mark.sandbox
@pytest.mark.parametrize("kind", ["bubblewrap", "landlock", "none"])
def test_the_notebook_reads_the_files_in_its_working_folder(kind):
    source = "import helpers, os, sys\nprint(sorted(os.listdir()), open('data.csv').read(), helpers.answer)"
    with Worker(kind, ("numpy",)) as worker, worker.session(LIMITS, files=GIVEN) as session:
        assert printed(session, source) == "['data.csv', 'empty.bin', 'helpers.py'] 1,2\n3,4\n 42\n"


@pytest.mark.sandbox
@pytest.mark.parametrize("kind", ["bubblewrap", "landlock", "none"])
def test_the_notebook_reads_files_in_folders_and_writes_beside_them(kind):
    files = {"data/old/a.csv": b"1", "data/b.csv": b"2", "tools/__init__.py": b"answer = 42\n", "c.csv": b"3"}
    source = (
        "import os\nfrom tools import answer\nopen('data/mine.txt', 'w').write('x')\n"
        "print([open(f).read() for f in ('data/old/a.csv', 'data/b.csv', 'c.csv')], sorted(os.listdir('data')), answer)"
    )
    with Worker(kind, ("numpy",)) as worker, worker.session(LIMITS, files=files) as session:
        assert printed(session, source) == "['1', '2', '3'] ['b.csv', 'mine.txt', 'old'] 42\n"


@pytest.mark.sandbox
def test_no_submission_can_change_the_files(worker):
    with worker.session(LIMITS, files=GIVEN) as session:
        assert printed(session, CHANGES, TRY_EACH, LEFT) == "[] True\n"


@pytest.mark.sandbox
def test_no_submission_can_put_a_folder_in_the_place_of_one_that_files_lie_in(worker):
    source = """
import os, shutil
changes = {
    "rename": lambda: os.rename("data", "gone"),
    "rename the inner one": lambda: os.rename("data/old", "data/gone"),
    "put another in its place": lambda: (os.mkdir("mine"), os.rename("mine", "data")),
    "remove": lambda: shutil.rmtree("data"),
    "write": lambda: open("data/old/a.csv", "w"),
}
"""
    left = "print(done, open('data/old/a.csv').read())"
    with worker.session(LIMITS, files={"data/old/a.csv": b"1"}) as session:
        assert printed(session, source, TRY_EACH, left) == "[] 1\n"


@pytest.mark.sandbox
def test_files_in_folders_are_there_for_each_row_and_what_was_written_beside_them_too(either):
    with either.session(LIMITS, files={"data/a.csv": b"1"}) as session:
        session.run(
            [
                "open('data/mine', 'w').write('x')",
                "import os\ndef f(end):\n    open('data/more', 'w')\n    if end: os._exit(0)\n"
                "    return open('data/a.csv').read() + open('data/mine').read()",
                "def g(): return sorted(os.listdir('data'))",
            ]
        )
        for _ in range(2):
            with session.row() as row:
                assert row.exchange(protocol.Call("f", (False,), {}), "f").value == "1x"
        with session.row() as row:
            assert row.exchange(protocol.Call("g", (), {}), "g").value == ["a.csv", "mine"]


@pytest.mark.sandbox
def test_under_landlock_a_submission_can_change_its_own_links_and_not_the_files():
    """Where each file is a link in the working folder, what can be changed is that link: the bytes stay."""
    write = "\n".join(
        f"try: {change}\nexcept OSError as error: print(type(error).__name__)"
        for change in ("open('data.csv', 'w')", "open('data.csv', 'r+b')", "os.truncate('data.csv', 0)")
    )
    place = "import os\nplace = os.path.realpath('data.csv')\n"
    remove = "try: os.unlink(place)\nexcept OSError as error: print(type(error).__name__)\nprint(open(place).read())"
    with Worker("landlock", ("numpy",)) as worker, worker.session(LIMITS, files=GIVEN) as session:
        assert printed(session, f"{place}{write}\n{remove}") == f"{'PermissionError' + chr(10)}" * 4 + "1,2\n3,4\n\n"


@pytest.mark.sandbox
def test_files_are_what_they_were_after_a_cell_that_ends_python(either):
    with either.session(LIMITS, files=GIVEN) as session:
        end = "import os\ntry: os.remove('data.csv')\nexcept OSError: pass\nos._exit(0)"
        assert printed(session, end, "print(open('data.csv').read())") == "1,2\n3,4\n\n"


@pytest.mark.sandbox
def test_a_row_reads_the_files_too(either):
    with either.session(LIMITS, files=GIVEN) as session:
        session.run(["def f():\n    import helpers\n    return open('data.csv').read() + str(helpers.answer)"])
        with session.row() as row:
            assert row.exchange(protocol.Call("f", (), {}), "f").value == "1,2\n3,4\n42"


@pytest.mark.sandbox
def test_nothing_in_the_working_folder_shadows_a_library(either):
    plant = "for name in ('numpy', 'statistics', 'json'): open(f'{name}.py', 'w').write('planted = True')"
    look = "import statistics, json, numpy\nprint([hasattr(m, 'planted') for m in (statistics, json, numpy)])"
    with either.session(LIMITS, files=GIVEN) as session:
        assert printed(session, plant, look) == "[False, False, False]\n"


@pytest.mark.sandbox
def test_without_a_python_file_nothing_in_the_working_folder_is_imported(worker):
    with worker.session(LIMITS, files={"data.csv": b""}) as session:
        source = "import sys\nopen('mine.py', 'w').close()\nprint('/tmp' in sys.path)\nimport mine"
        assert "ModuleNotFoundError" in printed(session, source)


@pytest.mark.sandbox
def test_one_submissions_files_are_not_there_for_the_next(worker):
    with worker.session(LIMITS, files=GIVEN):
        pass
    with worker.session(LIMITS) as session:
        assert printed(session, "import os\nprint(os.listdir('/tmp'), os.listdir('/dev/shm'))") == "[] []\n"


@pytest.mark.sandbox
def test_large_files_and_many_cross_whole(either):
    files = {f"f{number}.bin": bytes([number]) * 70_000 for number in range(100)} | {"large.bin": os.urandom(2**22)}
    with either.session(LIMITS, files=files) as session:
        source = "import os\nprint(sum(os.path.getsize(f) for f in os.listdir()), open('f99.bin', 'rb').read()[-1])"
        assert printed(session, source) == f"{sum(map(len, files.values()))} 99\n"


@pytest.mark.sandbox
def test_without_a_sandbox_the_folder_goes_with_the_submission():
    with Worker("none", ("numpy",)) as worker:
        with worker.session(LIMITS, files=GIVEN) as session:
            folder = Path(printed(session, "import os\nprint(os.getcwd())").strip())
            assert folder.is_dir()
        assert not folder.exists()


# From the course to the grade


@pytest.mark.sandbox
def test_a_submission_is_graded_with_its_files(assignment: Assignment):
    tree = solved()
    tree["cells"][2]["source"] = READS
    path = submit(assignment.master.parents[2], "ada", tree)
    with Grader() as grader:
        assert grader.grade(read_submission(path, assignment), assignment).score == 10
        (assignment.master.parent / "data.csv").write_text("2.0")
        assert grader.grade(read_submission(path, assignment), assignment).score == 6


@pytest.mark.sandbox
def test_a_students_file_is_found_beside_any_notebook(tmp_path: Path, assignment: Assignment):
    tree = solved()
    tree["cells"][2]["source"] = "def scale(x, factor):\n    return x * factor * float(open('own.txt').read())"
    path = write(tmp_path / "elsewhere/warmup.ipynb", tree)
    (path.parent / "own.txt").write_text("1")
    with Grader() as grader:
        assert grader.grade(read_submission(path, assignment), assignment).score == 10


@pytest.mark.sandbox
def test_a_release_has_the_courses_files(assignment: Assignment):
    root = assignment.master.parents[2]
    (root / "release/warmup/data.csv").unlink()
    made = release(load_course(root), "warmup")
    assert made.files == ("data.csv", "helpers.py", "warmup.ipynb")


@pytest.mark.sandbox
def test_a_release_without_one_of_the_courses_files_is_refused(assignment: Assignment):
    root = assignment.master.parents[2]
    (root / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.ignore = ['*.csv']\n")
    with pytest.raises(ReleaseError, match=r"data\.csv: is one of the assignment's `files`"):
        release(load_course(root), "warmup")


@pytest.mark.sandbox
def test_a_helper_that_gives_a_solution_away_is_not_released(assignment: Assignment):
    root = assignment.master.parents[2]
    shutil.copy(assignment.solutions / "__init__.py", assignment.master.parent / "helpers.py")
    with pytest.raises(ReleaseError, match=r"helpers\.py: is a copy of"):
        release(load_course(root), "warmup")
