"""The simulation of a deadline adds up."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import deadline


def test_the_time_of_a_submission_is_the_slope_without_the_start() -> None:
    figures = [
        {"workload": "four", "way": "autograder, 1 job", "size": size, "wall": wall}
        for size, wall in ((1, 2.5), (401, 202.5))
    ]
    assert deadline.measured_service_s({"figures": figures}, "four") == 0.5


def test_a_workload_that_nobody_measured_is_named() -> None:
    with pytest.raises(SystemExit, match="no figure of week2"):
        deadline.measured_service_s({"figures": []}, "week2")


def test_a_queue_of_one_worker_waits_as_by_hand() -> None:
    found = deadline.simulate(np.array([0.0, 1.0, 10.0]), np.array([4.0, 2.0, 1.0]), 1, start_up_s=0.0, elastic=False)
    assert found.waits_s.tolist() == [0.0, 3.0, 0.0]
    assert found.worker_hours == pytest.approx(11 / 3600)


def test_a_worker_that_is_started_for_a_submission_makes_it_wait_for_the_start() -> None:
    found = deadline.simulate(np.array([0.0]), np.array([4.0]), 3, start_up_s=60.0, elastic=True)
    assert found.waits_s.tolist() == [60.0]
    assert found.worker_hours == pytest.approx((60 + 4 + deadline.IDLE_S) / 3600)


def test_more_workers_never_make_the_class_wait_longer() -> None:
    rng = np.random.default_rng(1)
    arrive, serve = deadline.arrivals(2000, rng), deadline.services(2000, 60.0, rng)
    waits = [
        deadline.simulate(arrive, serve, workers, start_up_s=0.0, elastic=False).waits_s.mean() for workers in (1, 2, 8)
    ]
    assert waits == sorted(waits, reverse=True)


def test_arrivals_crowd_at_the_deadline_and_none_is_after_it() -> None:
    arrive = deadline.arrivals(10_000, np.random.default_rng(2))
    assert arrive.max() <= deadline.WEEK_S
    assert (arrive > deadline.WEEK_S - 24 * 3600).mean() > 0.75
