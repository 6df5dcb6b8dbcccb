"""What the parts of grading a submission take: the trusted side, the sandbox, the gradebook and the files beside it.

    python benchmarks/parts.py [COURSE ASSIGNMENT] [--submissions 200] [--profile grade|store]

grades submissions of a course (by default the four functions, made anew) one after the other in one process, stores
them, and prints milliseconds of processor time for each: of this process alone, and with all that it started where a
control group can be made. ``--profile`` prints where this process spends its share.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import four
from measuring import GROUPS, writable

from autograder.course import load_course
from autograder.gradebook import open_gradebook, register
from autograder.operations import store_grade
from autograder.operations.graded import grade_hand_in
from autograder.submission import submissions
from autograder.submission.choosing import find_notebook
from autograder.submission.hand_in import HandIn


@contextlib.contextmanager
def group() -> Iterator[Callable[[], float] | None]:
    """Puts this process into a control group, and gives what that has used, in seconds; None where that cannot be."""
    if not writable():
        yield None
        return
    made = Path(tempfile.mkdtemp(prefix="parts-", dir=GROUPS))
    (made / "cgroup.procs").write_text(str(os.getpid()))
    try:
        yield lambda: int((made / "cpuacct.usage").read_text()) / 1e9
    finally:
        (GROUPS / "cgroup.procs").write_text(str(os.getpid()))
        with contextlib.suppress(OSError):
            made.rmdir()


def own() -> float:
    """Processor seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Grade, store and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("course", nargs="?", type=Path)
    parser.add_argument("assignment", nargs="?", default="four")
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--profile", choices=["grade", "store"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made, group() as used:
        root = options.course
        if root is None:
            root = Path(made)
            four.make_ours(root)
            four.hand_in(root, options.submissions)
            released = [str(Path(sys.executable).with_name("autograder")), "release", "four"]
            subprocess.run(released, cwd=root, check=True, capture_output=True)
        course = load_course(root)
        assignment = course.assignment(options.assignment)
        folders = [each for each in submissions(root, assignment.name) if not each.problem][: options.submissions]
        entries = [HandIn(each.student, find_notebook(each.folder, assignment), each.timestamp) for each in folders]
        grade_hand_in(entries[0], assignment, course.sandbox)
        profile = cProfile.Profile()
        marks = [(own(), used() if used else 0.0, time.monotonic())]
        if options.profile == "grade":
            profile.enable()
        graded = [grade_hand_in(each, assignment, course.sandbox) for each in entries]
        profile.disable()
        marks.append((own(), used() if used else 0.0, time.monotonic()))
        with open_gradebook(course) as gradebook:
            register(gradebook, course, assignment, [each.student for each in entries])
            marks.append((own(), used() if used else 0.0, time.monotonic()))
            if options.profile == "store":
                profile.enable()
            for each in graded:
                if each.submission is not None and each.report is not None:
                    store_grade(gradebook, course, assignment, each.submission, each.report, None)
            profile.disable()
            marks.append((own(), used() if used else 0.0, time.monotonic()))
    print(f"ms a submission, of {len(entries)}: this process, with all that it started, by the clock")
    for name, (before, after) in {"grade": (marks[0], marks[1]), "store": (marks[2], marks[3])}.items():
        print(name, *(f"{1e3 * (b - a) / len(entries):.1f}" for a, b in zip(before, after, strict=True)))
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
