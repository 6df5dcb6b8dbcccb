"""A course of 100,000 at one deadline, simulated: how long students wait, and what it costs, against the workers.

    python benchmarks/deadline.py [--measured benchmarks/results/peers.json] [--workload week2] [--students 100000]
        [--workers 1,2,4,8,12,16,24,32,64,128] [--start-up 60] [--cost 0.04]

A worker is one core that grades one submission at a time, first come, first served, as `autograder grade --jobs 1`.

Assumed, not measured:

- one submission a student; a fifth of them come evenly over the week before the deadline, the others so that their time
  before the deadline is exponential with a mean of 6 hours: more than three quarters of all fall into the last day, and
  the rate is highest at the deadline itself;
- grading times follow a gamma distribution with the measured mean, and half of it as standard deviation;
- the gradebook, which one process writes, keeps up.

Workers are either all kept for the week, or started where somebody waits and stopped after ten idle minutes;
`--start-up` is how long one takes until it grades, and is paid for.

Prints the table, and the fewest workers whose 95th percentile of the waiting time is under a minute; waiting is from
handing in to the start of grading. Draws `deadline.png` beside the JSON.
"""

from __future__ import annotations

import argparse
import heapq
import json
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.ticker import NullLocator

matplotlib.use("Agg")
import matplotlib.pyplot as plt

WEEK_S = 7 * 24 * 3600.0
EARLY = 0.2
RUSH_MEAN_S = 6 * 3600.0
SPREAD = 0.5
IDLE_S = 600.0
SEED = 20261129
BOUND_S = 60.0
_ARRIVAL, _DONE, _READY, _IDLE = range(4)


@dataclass(frozen=True)
class Outcome:
    """What a simulated week was like: waiting times in seconds, shape (students,), and hours of workers paid for."""

    waits_s: np.ndarray
    worker_hours: float


def arrivals(students: int, rng: np.random.Generator) -> np.ndarray:
    """Seconds from the start of the week to each submission, ascending, shape (students,), at most WEEK_S."""
    early = rng.random(students) < EARLY
    # The inverse of the exponential distribution, cut off at a week.
    rush = -RUSH_MEAN_S * np.log1p(-rng.random(students) * -np.expm1(-WEEK_S / RUSH_MEAN_S))
    return np.sort(WEEK_S - np.where(early, WEEK_S * rng.random(students), rush))


def services(students: int, mean_s: float, rng: np.random.Generator) -> np.ndarray:
    """Seconds that each submission takes to grade, shape (students,)."""
    return rng.gamma(1 / SPREAD**2, mean_s * SPREAD**2, students)


def simulate(arrive: np.ndarray, serve: np.ndarray, workers: int, *, start_up_s: float, elastic: bool) -> Outcome:
    """One week with at most so many workers.

    Args:
        arrive: When each submission comes, seconds, ascending, shape (students,).
        serve: How long each takes, seconds, the same shape.
        workers: How many at most, at least 1.
        start_up_s: How long a started worker takes until it grades.
        elastic: Start a worker where somebody waits and none is free or starting for them, and stop it after
            ``IDLE_S`` seconds without work; otherwise all are kept from the start until the last is graded.
    """
    waits = np.zeros(len(arrive))
    queue: deque[int] = deque()
    idle: dict[int, float] = {} if elastic else dict.fromkeys(range(workers), 0.0)
    since: dict[int, float] = dict(idle)
    starting, next_worker, paid, now = 0, workers, 0.0, 0.0
    events: list[tuple[float, int, int]] = [(float(at), _ARRIVAL, number) for number, at in enumerate(arrive)]
    while events:
        now, kind, who = heapq.heappop(events)
        if kind == _ARRIVAL:
            queue.append(who)
        elif kind == _IDLE:
            if who in idle and now - idle[who] >= IDLE_S - 1e-6:
                del idle[who]
                paid += now - since.pop(who)
            continue
        else:
            starting -= kind == _READY
            idle[who] = now
            if elastic:
                heapq.heappush(events, (now + IDLE_S, _IDLE, who))
        while queue and idle:
            worker = idle.popitem()[0]
            number = queue.popleft()
            waits[number] = now - arrive[number]
            heapq.heappush(events, (now + float(serve[number]), _DONE, worker))
        if elastic and starting < len(queue) and len(since) < workers:
            since[next_worker] = now
            heapq.heappush(events, (now + start_up_s, _READY, next_worker))
            starting, next_worker = starting + 1, next_worker + 1
    paid += sum(now - begun for begun in since.values())
    return Outcome(waits, paid / 3600)


def measured_service_s(tree: dict[str, Any], workload: str) -> float:
    """Seconds that one worker needs for one more submission, from the JSON of ``peers.py``.

    The slope between the smallest and the largest class; of one class alone, its seconds by its submissions, which
    has the start of the command in it.

    Raises:
        SystemExit: It has no figure for this workload with one job.
    """
    figures = [each for each in tree["figures"] if (each["workload"], each["way"]) == (workload, "autograder, 1 job")]
    if not figures:
        sys.exit(f"no figure of {workload} with 1 job: run `python benchmarks/peers.py` first")
    points = {each["size"]: each["wall"] for each in figures}
    small, large = min(points), max(points)
    if points[small] < points[large]:
        return float((points[large] - points[small]) / (large - small))
    return float(points[large] / large)


def main() -> None:
    """Simulate, and print and draw what it gives."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measured", type=Path, default=Path(__file__).parent / "results/peers.json")
    parser.add_argument("--workload", default="week2")
    parser.add_argument("--students", type=int, default=100_000)
    parser.add_argument("--workers", default="1,2,4,8,12,16,24,32,64,128")
    parser.add_argument("--start-up", type=float, default=60.0, help="seconds until a started worker grades")
    parser.add_argument("--cost", type=float, default=0.04, help="of a core-hour, in a currency of your own")
    options = parser.parse_args()
    mean_s = measured_service_s(json.loads(options.measured.read_text(encoding="utf-8")), options.workload)
    rng = np.random.default_rng(SEED)
    arrive, serve = arrivals(options.students, rng), services(options.students, mean_s, rng)
    print(f"{options.workload}: {mean_s:.3f} s a submission, {options.students:,} students\n")
    print("| workers | kept | wait, median s | 95 % s | 99 % s | core-hours | cost |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    curves: dict[str, list[tuple[int, float, float]]] = {}
    for kept in ("all week", "on demand"):
        enough = None
        for workers in sorted(map(int, options.workers.split(","))):
            found = simulate(arrive, serve, workers, start_up_s=options.start_up, elastic=kept == "on demand")
            middle, most, nearly = np.percentile(found.waits_s, (50, 95, 99))
            cost = found.worker_hours * options.cost
            print(
                f"| {workers} | {kept} | {middle:,.1f} | {most:,.1f} | {nearly:,.1f} "
                f"| {found.worker_hours:,.0f} | {cost:,.2f} |"
            )
            curves.setdefault(kept, []).append((workers, max(float(most), 0.01), cost))
            enough = workers if enough is None and most < BOUND_S else enough
        curves[kept].sort()
        said = f"{enough} workers" if enough else "no number tried"
        print(f"\n{kept}: {said} keep the 95th percentile under a minute.\n", file=sys.stderr)
    draw(curves, options.measured.parent / "deadline.png")


def draw(curves: dict[str, list[tuple[int, float, float]]], path: Path) -> None:
    """Draw the 95th percentile of the waiting time, and the cost, against the workers."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2))
    for kept, points in curves.items():
        workers, waits, costs = zip(*points, strict=True)
        style = "-" if kept == "all week" else "--"
        left.plot(workers, waits, style, marker="o", label=kept)
        right.plot(workers, costs, style, marker="o", label=kept)
        for axis in (left, right):
            axis.set_xscale("log")
            axis.set_xticks(workers, [str(each) for each in workers])
            axis.xaxis.set_minor_locator(NullLocator())
    left.axhline(BOUND_S, color="0.5", linestyle=":", label="a minute")
    left.set(xlabel="workers", ylabel="95th percentile of the wait, s (0 drawn as 0.01)", yscale="log")
    right.set(xlabel="workers", ylabel="cost of the week", yscale="log")
    for axis in (left, right):
        axis.grid(visible=True, alpha=0.25)
        axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
