"""Search for bytes that the trusted side does not handle, by coverage (atheris, libFuzzer).

``make fuzz`` runs every target. One alone, with libFuzzer's own options behind:

    python -m tests.fuzz.fuzz decoder --runs 2000000 -max_len=1024

A finding is left as ``crash-…`` in the folder of the call. ``--keep`` writes what reaches new code, minimised, to the
corpus that ``test_corpus.py`` runs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.corpus import kept, write
from tests.fuzz.targets import TARGETS, seeds


def main() -> int:
    """Fuzz one target or all; the exit status is libFuzzer's first that is not 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?", choices=TARGETS, help="all of them where none is named")
    parser.add_argument("--runs", type=int, default=100_000, help="how many inputs to try for each target")
    parser.add_argument("--keep", action="store_true", help="write the minimised corpus back")
    asked, options = parser.parse_known_args()
    return max(_fuzz(name, asked.runs, asked.keep, options) for name in ([asked.target] if asked.target else TARGETS))


def _fuzz(target: str, runs: int, keep: bool, options: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        found, least = Path(folder, "found"), Path(folder, "least")
        for place in (found, least):
            place.mkdir()
        for number, data in enumerate([*seeds(target), *kept(target)]):
            (found / f"start-{number}").write_bytes(data)
        begun = time.monotonic()
        status = _search(target, f"-runs={runs}", "-max_len=4096", "-rss_limit_mb=4096", *options, str(found))
        print(f"{target}: {runs:,} inputs in {time.monotonic() - begun:.0f} s, exit status {status}", flush=True)
        if keep and status == 0:
            _search(target, "-merge=1", str(least), str(found))
            print(f"{target}: {write(target, [path.read_bytes() for path in least.iterdir()])} inputs are kept")
        return status


def _search(target: str, *options: str) -> int:
    # A process of its own: libFuzzer ends the one that it runs in.
    return subprocess.call([sys.executable, "-m", "tests.fuzz.search", target, *options])


if __name__ == "__main__":
    sys.exit(main())
