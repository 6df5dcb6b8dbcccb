"""The package as it is published."""

import subprocess
import sys
from pathlib import Path

NAME = "notebook_autograder"


def build(kind: str, project: Path, folder: Path) -> Path:
    """Build a project's ``wheel`` or ``sdist`` into a folder, and return the file."""
    words = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob(f"{NAME}*.whl" if kind == "wheel" else f"{NAME}*.tar.gz")
    return made
