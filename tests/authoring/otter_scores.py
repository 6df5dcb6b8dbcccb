"""Have otter-grader itself grade the submissions of ``otter_masters.py``, and write what it gives beside this file.

In an environment of its own, since its dependencies are many:

    python -m venv otter
    otter/bin/pip install otter-grader==7.0.0 ipykernel
    otter/bin/python tests/authoring/otter_scores.py
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from otter_masters import FILES, MASTERS, SUBMISSIONS, answered  # noqa: E402


def scores() -> dict[str, dict[str, dict[str, list[float]]]]:
    """Points and their maximum by master, submission and question."""
    from otter.api import grade_submission

    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for name, make in MASTERS.items():
        found[name] = {}
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            (folder / f"{name}.ipynb").write_text(json.dumps(make()))
            for file, content in FILES[name].items():
                (folder / file).write_text(content)
            # `answer.txt` is a file that students make.
            (folder / "answer.txt").write_text("")
            assign = [str(Path(sys.executable).with_name("otter")), "assign", f"{name}.ipynb", "dist"]
            subprocess.run(assign, cwd=folder, check=True, env=os.environ | {"PATH": os.environ["PATH"]})
            (package,) = (folder / "dist/autograder").glob("*autograder*.zip")
            released = json.loads((folder / f"dist/student/{name}.ipynb").read_text())
            for student, answers in SUBMISSIONS[name].items():
                path = folder / f"{student}.ipynb"
                path.write_text(json.dumps(answered(released, answers)))
                with contextlib.redirect_stdout(io.StringIO()):
                    results = grade_submission(str(path), str(package), quiet=True)
                found[name][student] = {
                    each: [result.score, result.possible] for each, result in sorted(results.results.items())
                }
    return found


if __name__ == "__main__":
    record = {"otter-grader": version("otter-grader"), "numpy": version("numpy"), "scores": scores()}
    (HERE / "otter_scores.json").write_text(json.dumps(record, indent=1) + "\n")
