"""The seconds of each command of docs/tutorial.md, in an environment that the wheel is installed into.

    python benchmarks/tutorial.py PROGRAMS

PROGRAMS is the environment's folder of programs, such as /tmp/empty/bin after
`python -m venv /tmp/empty && /tmp/empty/bin/pip install dist/*.whl`. Nothing but these commands is timed.
"""

import argparse
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"


def main() -> None:
    """Type the page's commands in order, in a new folder, and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=Path, help="the environment's folder of programs")
    programs = parser.parse_args().programs.resolve()
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    in_all = 0.0
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for command in re.findall(r"(?m)^\$ (.+)$", PAGE.read_text(encoding="utf-8")):
            if command.startswith("cd "):
                folder /= command.removeprefix("cd ")
                continue
            if "pip install" in command:
                continue
            begun = time.monotonic()
            subprocess.run(command.split(), cwd=folder, env=environment, check=True, capture_output=True)
            took = time.monotonic() - begun
            in_all += took
            print(f"{took:6.1f} s  {command}", flush=True)
    print(f"{in_all:6.1f} s  in all")


if __name__ == "__main__":
    main()
