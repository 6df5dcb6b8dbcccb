"""What the sandbox costs a submission, beside a fork of the same warm Python without one.

    python benchmarks/sandbox_cost.py

times, for each kind of sandbox: starting a warm worker; a session with one cell and one call in a row, from its start
to the end of its last process (median of 40); and the attempts that each run of `autograder grade` makes before its
first submission.
"""

from __future__ import annotations

import statistics
import time

from autograder.course import Limits
from autograder.sandbox import Kind, Worker, probe, protocol

KINDS: tuple[Kind, ...] = ("none", "bubblewrap", "landlock")


def one_session(worker: Worker) -> float:
    """Milliseconds of one session."""
    begun = time.perf_counter()
    with worker.session(Limits()) as session:
        session.run(["def f(): return 1"])
        with session.row() as row:
            row.exchange(protocol.Call("f", (), {}), "f")
    return 1000 * (time.perf_counter() - begun)


def main() -> None:
    """Measure and print the table."""
    print("| | worker, s | a session, ms | attempts | all of them, s |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for kind in KINDS:
        begun = time.perf_counter()
        with Worker(kind, ("numpy", "matplotlib")) as worker:
            started = time.perf_counter() - begun
            session = statistics.median(one_session(worker) for _ in range(40))
            begun = time.perf_counter()
            attempts = 0 if kind == "none" else len(probe(worker))
            print(
                f"| {kind} | {started:.2f} | {session:.1f} | {attempts or '–'} "
                f"| {f'{time.perf_counter() - begun:.2f}' if attempts else '–'} |"
            )


if __name__ == "__main__":
    main()
