"""Builds and runs Gradescope's container of an assignment here, as root, with Gradescope's default bounds, offline.

    python benchmarks/gradescope.py --image IMAGE --wheel dist/notebook_autograder-….whl --engine "podman"

makes the zip file of Week 2, runs its setup.sh in a container of IMAGE (which stands for Gradescope's base image, and
has Python 3.11 or newer), and then its run_autograder once for each hand-in: right, wrong, broken, hostile. Each run is
in a new container without a network, with 768 MB of memory and half a processor. Printed are the points, the seconds
from the start of the script to its end, the most memory that it had, and what became of it.

``--own-groups`` bounds by control groups of version 1 that this script makes, for an engine that is told
``--cgroups=disabled``; otherwise the engine does, and no memory is printed. ``--setup`` and ``--run`` are options more
for the engine, such as a certificate to be mounted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BUILT = "localhost/autograder-gradescope"
MEMORY_MB, PROCESSORS = 768, 0.5
MEMORY, PROCESSOR = (
    Path("/sys/fs/cgroup/memory/autograder-gradescope"),
    Path("/sys/fs/cgroup/cpu/autograder-gradescope"),
)
FIRST = "softmax"
"""The solution cell that hostile hand-ins write into."""

HOSTILE = {
    "writes its own results": "open('/autograder/results/results.json', 'w').write('{\"score\": 1000}')",
    "reads the checks": "print(open('/autograder/source/course/checks/week2/test_losses.py').read())",
    "lists the source": "import os; print(os.listdir('/autograder/source'))",
    "hangs": "while True: pass",
    "takes memory": "kept = [bytearray(200 * 2**20) for _ in range(20)]",
    "takes memory in processes": (
        "import os\nfor _ in range(14):\n    if os.fork() == 0:\n        kept = bytearray(b'x') * (300 * 2**20)\n"
        "        while True: pass\nimport time; time.sleep(8)"
    ),
    "forks without end": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "kills what it can": "import os\nfor pid in range(1, 400):\n    try: os.kill(pid, 9)\n    except OSError: pass",
    "fills the disk": "f = open('large', 'wb')\nwhile True: f.write(bytes(2**20))",
}


@dataclass(frozen=True)
class Ran:
    """What became of one hand-in."""

    status: int
    seconds: float
    peak_mb: float | None
    results: dict[str, Any] | None
    said: str

    @property
    def points(self) -> str:
        """The points of all tests; a dash without results."""
        return "—" if self.results is None else f"{sum(test['score'] for test in self.results['tests']):.6g}"


def hand_ins() -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Each by its name, with what writes it into a folder."""
    solved = json.loads((ROOT / "source/week2/week2.ipynb").read_text(encoding="utf-8"))
    text = json.dumps(solved)

    def with_code(code: str) -> str:
        tree = json.loads(text)
        for cell in tree["cells"]:
            if cell["metadata"].get("nbgrader", {}).get("grade_id") == FIRST:
                cell["source"] = f"{code}\n{''.join(cell['source'])}"
        return json.dumps(tree)

    def put(folder: Path, name: str, content: str) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")

    def both(folder: Path) -> None:
        put(folder, "week2.ipynb", text)
        put(folder, "draft.ipynb", (ROOT / "release/week2/week2.ipynb").read_text(encoding="utf-8"))

    def bomb(folder: Path) -> None:
        put(folder, "week2.ipynb", "")
        os.truncate(folder / "week2.ipynb", 3 * 2**30)

    yield "right", lambda folder: put(folder, "week2.ipynb", text)
    yield (
        "one row wrong",
        lambda folder: put(folder, "week2.ipynb", with_code("").replace("np.exp(", "np.exp(1e-3 + 1.01 * ", 1)),
    )
    yield "untouched", lambda folder: shutil.copy(ROOT / "release/week2/week2.ipynb", folder)
    yield "another file name", lambda folder: put(folder, "my homework.ipynb", text)
    yield "two notebooks", both
    yield "in a folder", lambda folder: put(folder, "hw/week2.ipynb", text)
    yield "no notebook", lambda folder: put(folder, "notes.txt", "pass")
    yield "broken JSON", lambda folder: put(folder, "week2.ipynb", text[: len(text) // 2])
    yield (
        "a link",
        lambda folder: (folder / "week2.ipynb").symlink_to("/autograder/source/course/source/week2/week2.ipynb"),
    )
    yield "3 GB of zeros", bomb
    for name, code in HOSTILE.items():
        yield name, lambda folder, code=code: put(folder, "week2.ipynb", with_code(code))  # type: ignore[misc]


class Engine:
    """The container engine, and what it is told each time."""

    def __init__(self, words: str, setup: list[str], run: list[str], *, bounds: str) -> None:
        """Start nothing yet. Who bounds a run: the ``engine``, this script's ``own`` control groups, or ``none``."""
        self.words, self.setup, self.run, self.bounds = shlex.split(words), setup, run, bounds

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Do something, and see that it is done."""
        done = subprocess.run([*self.words, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(words[:3])}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def build(self, image: str, unpacked: Path) -> float:
        """Run setup.sh as Gradescope does, and keep the image; the seconds that it took."""
        prepare = (
            "mkdir -p /autograder/submission /autograder/results && cp -r /given /autograder/source && "
            "cp /given/run_autograder /autograder/ && chmod +x /autograder/run_autograder && "
            "cd /autograder/source && bash setup.sh"
        )
        name = f"autograder-setup-{os.getpid()}"
        begun = time.monotonic()
        said = self("run", "--name", name, *self.setup, "-v", f"{unpacked}:/given:ro", image, "bash", "-c", prepare)
        took = time.monotonic() - begun
        print(said.stdout.strip().splitlines()[-1], file=sys.stderr)
        self("commit", "--quiet", name, BUILT)
        self("rm", name)
        return took

    def grade(self, handed_in: Path) -> Ran:
        """Run run_autograder on a hand-in, in a container of its own."""
        with tempfile.TemporaryDirectory() as out:
            command = "exec /autograder/run_autograder"
            options = ["--rm", "--network=none", *self.run, "-v", f"{handed_in}:/autograder/submission"]
            options += ["-v", f"{out}:/autograder/results"]
            if self.bounds == "own":
                join = "".join(f"echo $$ > {where}/cgroup.procs; " for where in ("/in-memory", "/in-processor"))
                command = join + command
                options += ["-v", f"{MEMORY}:/in-memory", "-v", f"{PROCESSOR}:/in-processor"]
            elif self.bounds == "engine":
                options += [f"--memory={MEMORY_MB}m", f"--memory-swap={MEMORY_MB}m", f"--cpus={PROCESSORS}"]
            with watched(self.bounds == "own") as peak:
                begun = time.monotonic()
                words = [*self.words, "run", *options, BUILT, "bash", "-c", command]
                done = subprocess.run(words, capture_output=True, text=True, check=False)
                took = time.monotonic() - begun
            written = Path(out, "results.json")
            results = json.loads(written.read_text(encoding="utf-8")) if written.is_file() else None
            return Ran(done.returncode, took, peak.get("mb"), results, (done.stdout + done.stderr).strip())


@contextlib.contextmanager
def watched(own_groups: bool) -> Iterator[dict[str, float]]:
    """Look twenty times a second at how much memory the control group has that is no cache of files."""
    peak: dict[str, float] = {}
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.05):
            pairs = dict(line.split() for line in (MEMORY / "memory.stat").read_text().splitlines())
            now = (int(pairs["total_rss"]) + int(pairs.get("total_shmem", 0))) / 2**20
            peak["mb"] = max(peak.get("mb", 0.0), now)

    thread = threading.Thread(target=look, daemon=True)
    if own_groups:
        thread.start()
    try:
        yield peak
    finally:
        ended.set()
        if own_groups:
            thread.join()


@contextlib.contextmanager
def groups(wanted: bool) -> Iterator[None]:
    """Control groups with Gradescope's default bounds, for as long as they are needed."""
    if not wanted:
        yield
        return
    for group in (MEMORY, PROCESSOR):
        group.mkdir(exist_ok=True)
    try:
        (MEMORY / "memory.limit_in_bytes").write_text(str(MEMORY_MB * 2**20))
        period = int((PROCESSOR / "cpu.cfs_period_us").read_text())
        (PROCESSOR / "cpu.cfs_quota_us").write_text(str(int(PROCESSORS * period)))
        yield
    finally:
        for group in (MEMORY, PROCESSOR):
            group.rmdir()


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--image", required=True)
    parser.add_argument("--wheel", required=True)
    parser.add_argument("--engine", default="docker")
    parser.add_argument("--setup", action="append", default=[])
    parser.add_argument("--run", action="append", default=[])
    parser.add_argument("--own-groups", action="store_true")
    parser.add_argument("--built", action="store_true", help=f"take {BUILT} as an earlier run left it")
    parser.add_argument("--only", help="only hand-ins of this name")
    chosen = parser.parse_args()
    engine = Engine(chosen.engine, chosen.setup, chosen.run, bounds="own" if chosen.own_groups else "engine")
    with tempfile.TemporaryDirectory() as folder, groups(chosen.own_groups):
        if not chosen.built:
            packed = Path(folder, "week2.zip")
            words = ["gradescope", "week2", "--course", ROOT, "--output", packed, "--wheel", chosen.wheel]
            subprocess.run([Path(sys.executable).with_name("autograder"), *words], check=True, stdout=sys.stderr)
            shutil.unpack_archive(packed, Path(folder, "unpacked"))
            print(f"setup.sh took {engine.build(chosen.image, Path(folder, 'unpacked')):.0f} s.\n")
        print("| hand-in | points of 95 | seconds | MB | what is said first |")
        print("| --- | ---: | ---: | ---: | --- |")
        for number, (name, write) in enumerate(hand_ins()):
            if chosen.only and chosen.only != name:
                continue
            handed_in = Path(folder, f"submission-{number}")
            handed_in.mkdir()
            write(handed_in)
            ran = engine.grade(handed_in)
            memory = "" if ran.peak_mb is None else f"{ran.peak_mb:.0f}"
            print(f"| {name} | {ran.points} | {ran.seconds:.1f} | {memory} | {first_words(ran)} |", flush=True)


def first_words(ran: Ran) -> str:
    """What the student reads first; where there are no results, what the instructor does."""
    if ran.results is None:
        return f"no results, status {ran.status}: {ran.said[-160:]}".replace("\n", " ").replace("|", "/")
    lost = [test["output"] for test in ran.results["tests"] if test["status"] == "failed" and test["output"]]
    said = [line for line in ran.results["output"].splitlines() if "Graded by a person" not in line]
    text = " ".join(" ".join([*said, *lost[:1]]).split())
    return (text if len(text) <= 150 else f"{text[:149]}…").replace("|", "/")


if __name__ == "__main__":
    main()
