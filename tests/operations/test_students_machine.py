"""A student's own machine: the released folder alone, and nothing installed but NumPy, Matplotlib and a kernel.

JupyterLab is in ``test_lab.py``; here are a kernel by itself, the classic Notebook in Chromium, and what VS Code needs
of a notebook's format.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from packaging.requirements import Requirement

from tests import labflow
from tests.browsers import REPOSITORY, TOKEN, chromium_browser, jupyters_environment, started

RELEASED = sorted((REPOSITORY / "release/week2").iterdir())
NAME = "week2.ipynb"
PASSED = "visible checks passed"


def needed(names: list[str]) -> set[str]:
    """The distributions, and all that they need."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found.add(name)
        for each in metadata.requires(name) or []:
            requirement = Requirement(each)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


def students_python(folder: Path) -> Path:
    """A Python of its own, in which nothing can be imported but NumPy, Matplotlib, a kernel and what these need."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in needed(["numpy", "matplotlib", "ipykernel"]):
        distribution = metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or [] if file.parts[0] not in ("..", "__pycache__")}:
            target = Path(str(distribution.locate_file(top)))
            if target.exists() and not (site / top).exists():
                (site / top).symlink_to(target)
    return folder / "bin/python"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return students_python(tmp_path_factory.mktemp("student") / "venv")


@contextmanager
def with_kernel(python: Path, folder: Path) -> Iterator[str]:
    """A kernel of that Python, by name, in what Jupyter looks through."""
    spec = folder / "jupyter/kernels/student/kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "student", "language": "python"}))
    before = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = str(folder / "jupyter")
    try:
        yield "student"
    finally:
        if before is None:
            del os.environ["JUPYTER_PATH"]
        else:
            os.environ["JUPYTER_PATH"] = before


def ran(python: Path, folder: Path, tree: Any) -> list[Any]:
    """The code cells of a notebook after each has run, errors or not."""
    with with_kernel(python, folder / "kernel") as kernel:
        work = folder / "work"
        client = NotebookClient(
            tree, timeout=120, kernel_name=kernel, allow_errors=True, resources={"metadata": {"path": str(work)}}
        )
        client.execute()
    return [cell for cell in tree.cells if cell.cell_type == "code"]


def unpacked(folder: Path) -> Any:
    """The released folder, copied to an empty one, and its notebook."""
    work = folder / "work"
    work.mkdir()
    for path in RELEASED:
        shutil.copy(path, work)
    return nbformat.read(work / NAME, as_version=4)


def errors(cells: list[Any]) -> list[str]:
    return [output.ename for cell in cells for output in cell.outputs if output.output_type == "error"]


def printed(cells: list[Any]) -> str:
    return "".join(output.text for cell in cells for output in cell.outputs if output.output_type == "stream")


def solved(tree: Any) -> Any:
    """The released notebook with the solutions of the master in its cells, as a student would write them."""
    master = nbformat.read(REPOSITORY / "source/week2" / NAME, as_version=4)
    solutions = {
        cell.metadata.nbgrader.grade_id: re.sub(r"(?m)^ *### (BEGIN|END) SOLUTION\n?", "", cell.source)
        for cell in master.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    for cell in tree.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in solutions:
            cell.source = solutions[name]
    return tree


def test_nothing_else_is_there(python: Path) -> None:
    tried = "import importlib.util as u; print([n for n in ('numpy', 'matplotlib', 'scipy', 'nbgrader', 'autograder', "
    tried += "'pytest') if u.find_spec(n)])"
    done = subprocess.run([python, "-c", tried], capture_output=True, text=True, env={}, cwd=python.parent)
    assert done.stdout.strip() == "['numpy', 'matplotlib']", done.stderr


def test_the_untouched_notebook_runs_and_stops_for_nothing_but_what_is_to_be_written(
    python: Path, tmp_path: Path
) -> None:
    cells = ran(python, tmp_path, unpacked(tmp_path))
    assert set(errors(cells)) == {"NotImplementedError"}
    assert PASSED not in printed(cells)


def test_the_solved_notebook_passes_every_visible_check(python: Path, tmp_path: Path) -> None:
    cells = ran(python, tmp_path, solved(unpacked(tmp_path)))
    assert errors(cells) == []
    checks = [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert len(checks) == 17
    assert all(PASSED in printed([cell]) for cell in checks)


def test_the_gradient_checker_travels_along_and_finds_a_wrong_gradient(python: Path, tmp_path: Path) -> None:
    tree = solved(unpacked(tmp_path))
    names = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in tree.cells]
    last = names.index("test_softmax_cross_entropy")
    tried = (
        "point = np.array([1.0, 2.0])\n"
        "for gradient in (2 * point, 3 * point):\n"
        "    try:\n"
        "        gradient_check(lambda x: float((x ** 2).sum()), point, gradient)\n"
        "        print('right')\n"
        "    except AssertionError:\n"
        "        print('wrong')\n"
    )
    tree.cells = [*tree.cells[: last + 1], nbformat.v4.new_code_cell(tried)]
    assert printed(ran(python, tmp_path, tree)[-1:]).splitlines()[-2:] == ["right", "wrong"]


# VS Code


def test_the_notebooks_are_what_vs_code_opens() -> None:
    """Format 4.5 with an id for each cell, the language named, and neither widgets, magics nor outputs."""
    for path in (REPOSITORY / "release").rglob("*.ipynb"):
        tree = nbformat.read(path, as_version=4)
        nbformat.validate(tree)
        assert (tree.nbformat, tree.nbformat_minor) == (4, 5)
        assert tree.metadata.language_info.name == tree.metadata.kernelspec.language == "python"
        assert len({cell.id for cell in tree.cells}) == len(tree.cells)
        assert "widgets" not in tree.metadata
        code = [cell for cell in tree.cells if cell.cell_type == "code"]
        assert not [cell for cell in code if cell.outputs or re.search(r"(?m)^\s*[%!]", cell.source)]


# The classic Notebook


@pytest.mark.thorough
@pytest.mark.browser
def test_the_classic_notebook_opens_and_runs_it(tmp_path: Path) -> None:
    unpacked(tmp_path)
    environment = jupyters_environment(tmp_path / "home")
    command = [sys.executable, "-m", "notebook", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
    command += ["--ServerApp.port=0", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={tmp_path / 'work'}"]
    with chromium_browser() as browser, started(command, tmp_path / "work", environment) as url:
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto(f"{url}notebooks/{NAME}?token={TOKEN}")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
        labflow.run_all(page)
        error = page.locator(".jp-OutputArea-output", has_text="NotImplementedError").first
        error.wait_for(state="attached", timeout=90_000)
        assert page.locator("mjx-container").count() > 10, "formulas are set"
