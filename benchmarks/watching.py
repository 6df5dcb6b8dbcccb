"""How long a student waits for feedback when `autograder watch` is idle: from the last byte handed in to the page.

    PYTHONPATH=. python benchmarks/watching.py [--attempts 20]

starts the command on a course of four small functions, hands in one notebook after the other, waits for each feedback
page, and prints the median, the longest, and what the command itself says. Half of them are right, half have a mistake.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import four

AUTOGRADER = Path(sys.executable).with_name("autograder")


def main() -> None:
    """Hand in, wait and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attempts", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="watching-") as name:
        root, source = Path(name) / "course", Path(name) / "class"
        four.make_ours(root)
        four.hand_in(source, options.attempts)
        subprocess.run([AUTOGRADER, "release", "four"], cwd=root, check=True, capture_output=True)
        log = Path(name) / "log"
        with log.open("w") as out:
            watching = subprocess.Popen([AUTOGRADER, "watch", "four"], cwd=root, stdout=out, stderr=subprocess.STDOUT)
            try:
                waited = [wait_for(root, source, student.name) for student in sorted((source / "submitted").iterdir())]
            finally:
                watching.send_signal(signal.SIGINT)
                watching.wait(60)
        told = [float(seconds) for seconds in re.findall(r"after ([\d.]+) s", log.read_text())]
    print(
        f"{len(waited)} submissions, one at a time: median {statistics.median(waited[1:]):.2f} s, longest "
        f"{max(waited[1:]):.2f} s; the first, while the command starts, {waited[0]:.2f} s. "
        f"By the command itself: median {statistics.median(told[1:]):.2f} s"
    )


def wait_for(root: Path, source: Path, student: str) -> float:
    """Hand in for a student; seconds until the page is there."""
    page = root / "feedback" / student / "four" / "four.html"
    shutil.copytree(source / "submitted" / student, root / "submitted" / student)
    handed_in = time.monotonic()
    while not page.exists():
        if time.monotonic() > handed_in + 120:
            raise SystemExit(f"{page} did not come within two minutes")
        time.sleep(0.005)
    return time.monotonic() - handed_in


if __name__ == "__main__":
    main()
