"""Which kind of sandbox holds in a container, by the options that it is run with: the table in docs/container.md.

    python tools/container_profiles.py --engine podman --image autograder [--run=OPTION …] [--write]

Each profile is a container of the image in which a notebook is graded for real, once in each kind of sandbox and once
in the one that ``auto`` takes. ``--write`` puts the table between its marks in docs/container.md; ``--run`` is an
option that each container gets besides. Options are podman's; Docker's are named where they differ.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs/container.md"
BEGIN, END = "<!-- tools/container_profiles.py -->", "<!-- end -->"
HEAD = "| options | bubblewrap | landlock | auto |"
KINDS = ("bubblewrap", "landlock", "auto")

FORBIDDEN = ["unshare", "mount", "pivot_root", "landlock_create_ruleset"]
SECCOMP = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": FORBIDDEN, "action": "SCMP_ACT_ERRNO"}]}

PROFILES: tuple[tuple[str, ...], ...] = (
    (),
    ("--cap-drop=ALL", "--security-opt=no-new-privileges"),
    ("--read-only", "--tmpfs=/tmp"),
    ("--read-only", "--read-only-tmpfs=false"),
    ("--user=0",),
    ("--user=0", "--cap-drop=ALL"),
    ("--user=0", "--uidmap=0:100000:65536", "--gidmap=0:100000:65536"),
    ("--uidmap=0:100000:65536", "--gidmap=0:100000:65536"),
    ("--security-opt=seccomp=unconfined",),
    ("--security-opt=seccomp=unconfined", "--security-opt=unmask=ALL"),
    ("--security-opt=seccomp=neither.json",),
    ("--user=0", "--privileged"),
)
"""Options of a container; ``neither.json`` is a seccomp profile that forbids what both kinds of sandbox need."""

GRADED = """
cd /tmp 2>/dev/null || cd /
course=$(python3 -c 'from autograder.authoring import flagship; print(flagship())')
for kind in "$@"; do
  notebook=$course/source/week1/week1.ipynb
  autograder check --course "$course" --assignment week1 --sandbox "$kind" --json "$notebook" 2>&1 |
    python3 -c 'import json, sys
said = sys.stdin.read()
try:
    report = json.loads(said[said.index("{\\n"):])
    print(json.dumps([report["sandbox"], report["score"], report["max_score"], report["why"]]))
except ValueError:
    print(json.dumps(["", None, None, said[-4000:]]))'
done
"""


@dataclass(frozen=True)
class Seen:
    """What came of grading in one kind of sandbox: which it was, empty where nothing was graded, and what was said."""

    kind: str
    full_marks: bool
    said: str


def cell(seen: Seen) -> str:
    """What the table says of it."""
    if seen.kind:
        return f"{seen.kind}" if seen.full_marks else f"{seen.kind}, wrong marks"
    known = {
        "can become no other user": "refused: root has no other user to become",
        "folder for temporary files": "refused: no temporary folder",
        "usable temporary directory": "refused: no temporary folder",
        "read-only": "refused: no temporary folder",
        "found no sandbox": "refused: neither holds",
        "does not hold": "refused: does not hold",
        "did not start": "refused: does not start",
        "there is no sandbox": "refused: not there",
    }
    return next((text for words, text in known.items() if words in seen.said), "refused")


def row(options: Sequence[str], seen: Sequence[Seen]) -> str:
    """A line of the table."""
    named = " ".join(options) or "none (an ordinary user)"
    return (
        f"| `{named}` | {' | '.join(map(cell, seen))} |" if options else f"| {named} | {' | '.join(map(cell, seen))} |"
    )


def table(found: Sequence[tuple[Sequence[str], Sequence[Seen]]]) -> str:
    """The table, for the page."""
    return "\n".join([HEAD, "| --- | --- | --- | --- |", *(row(*each) for each in found)])


def tried(engine: Sequence[str], image: str, options: Sequence[str], kinds: Sequence[str] = KINDS) -> list[Seen]:
    """Grade in some kinds of sandbox, in a container with these options; ``engine`` is up to and with its ``run``."""
    words = [*engine, "--rm", "--network=none", "--entrypoint=sh", *options, image, "-c", GRADED, "sh", *kinds]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    if len(lines) != len(kinds):
        sys.exit(f"{shlex.join(words[:12])}: {done.stdout}\n{done.stderr}")
    return [Seen(kind, score is not None and score == most, said) for kind, score, most, said in lines]


def main() -> None:
    """Try each profile, print the table, and put it into the page where that is wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--engine", default="podman")
    parser.add_argument("--image", default="localhost/autograder")
    parser.add_argument("--run", action="append", default=[])
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        neither = Path(folder, "neither.json")
        neither.write_text(json.dumps(SECCOMP), encoding="utf-8")
        for options in PROFILES:
            given = [each.replace("neither.json", str(neither)) for each in options]
            seen = tried([*shlex.split(chosen.engine), "run"], chosen.image, [*chosen.run, *given])
            found.append((options, seen))
            print(row(options, seen), flush=True)
            for each in seen:
                if not each.kind:
                    print(f"    {' '.join(each.said.split())[:600]}", file=sys.stderr)
    if chosen.write:
        text = PAGE.read_text(encoding="utf-8")
        between = re.escape(BEGIN) + r".*?" + re.escape(END)
        made = f"{BEGIN}\n\n{table(found)}\n\n{END}"
        PAGE.write_text(re.sub(between, lambda _: made, text, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
