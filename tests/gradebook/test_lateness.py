"""Deadlines as people mean them: what lateness costs, late days, and the words for it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.course import LatePolicy, load_course
from autograder.feedback import lateness_text
from autograder.gradebook import DAY, Lateness, percent_lost
from autograder.gradebook.late_policy import HandedIn, late_days_spent, late_penalty

WEEK2 = load_course(Path(__file__).parents[2]).assignment("week2")
EASTERN = ZoneInfo("America/New_York")
DUE = datetime(2026, 11, 29, 23, 59, 59, tzinfo=EASTERN)
TEN_A_DAY = LatePolicy(15, 10, 50)
POLICIES = st.builds(
    LatePolicy,
    st.floats(0, 2000),
    st.floats(0, 100),
    st.floats(0, 100),
    st.floats(0, 10),
    st.integers(0, 4),
)


def handed_in(late: float, *, name: str = "week2", policy: LatePolicy = TEN_A_DAY, due: datetime = DUE) -> HandedIn:
    """Something handed in so many seconds after it was due."""
    return HandedIn(name, due.astimezone(UTC) + timedelta(seconds=late), due.astimezone(UTC), policy)


@pytest.mark.parametrize(
    ("seconds", "penalty"),
    [(0, None), (15 * 60, None), (15 * 60 + 1, 10.0), (86400, 10.0), (86400 + 15 * 60 + 1, 20.0), (30 * 86400, 50.0)],
)
def test_lateness_costs_a_share_for_each_day_begun_after_the_grace(seconds: float, penalty: float | None) -> None:
    assert late_penalty(LatePolicy(15, 10, 50), 100, 80, seconds) == penalty


@pytest.mark.parametrize(
    ("seconds", "penalty"), [(900, None), (901, 2.0), (900 + 3600, 2.0), (900 + 3601, 4.0), (1e9, 30.0)]
)
def test_lateness_may_cost_a_share_for_each_hour_begun(seconds: float, penalty: float | None) -> None:
    assert late_penalty(LatePolicy(15, 0, 30, percent_per_hour=2), 100, 80, seconds) == penalty


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.builds(LatePolicy, *[st.floats(0, 100)] * 4))
def test_who_is_later_never_loses_less(one: float, other: float, policy: LatePolicy) -> None:
    early, late = sorted((one, other))
    assert (late_penalty(policy, 100, 80, early) or 0) <= (late_penalty(policy, 100, 80, late) or 0)


@given(
    st.builds(LatePolicy, *[st.floats(0, 1e4)], *[st.floats(0, 100)] * 3),
    st.floats(0, 1000),
    st.floats(0, 1000),
    st.floats(0, 1e8),
)
def test_lateness_never_costs_more_than_there_is(policy: LatePolicy, most: float, score: float, late: float) -> None:
    lost = late_penalty(policy, most, score, late) or 0.0
    assert 0 <= lost <= min(score, most * policy.max_percent / 100) * (1 + 1e-12)


# Late days


def test_nobody_who_is_in_time_or_in_the_grace_spends_a_late_day() -> None:
    assert late_days_spent([handed_in(-5), handed_in(0, name="b"), handed_in(900, name="c")], 5) == {}


def test_a_submission_takes_as_many_days_as_it_is_late_begun_days_counted() -> None:
    assert late_days_spent([handed_in(DAY + 901)], 5) == {"week2": 2}


def test_a_day_that_the_grace_makes_up_for_is_not_spent() -> None:
    """A day and ten minutes late: after one late day, the grace of fifteen minutes is enough."""
    assert late_days_spent([handed_in(DAY + 600)], 5) == {"week2": 1}


def test_what_is_left_is_spent_even_where_it_is_not_enough() -> None:
    assert late_days_spent([handed_in(3 * DAY)], 2) == {"week2": 2}


def test_days_that_would_change_nothing_are_kept() -> None:
    """Ten days late costs the most that it can, half of the points; two days less are still more than five."""
    assert late_days_spent([handed_in(10 * DAY), handed_in(DAY, name="later", due=DUE + timedelta(days=30))], 2) == {
        "later": 1
    }


def test_an_assignment_takes_no_more_days_than_it_may() -> None:
    policy = LatePolicy(0, 10, 100, max_late_days=1)
    assert late_days_spent([handed_in(2 * DAY, policy=policy)], 5) == {"week2": 1}


TERM = st.lists(st.tuples(st.integers(0, 100), st.integers(-3 * DAY, 8 * DAY), POLICIES), min_size=1, max_size=6).map(
    lambda each: [
        handed_in(late, name=f"hw{number}", policy=policy, due=DUE - timedelta(days=days))
        for number, (days, late, policy) in enumerate(each)
    ]
)


@given(TERM, st.integers(0, 10))
def test_nobody_spends_more_days_than_there_are(term: list[HandedIn], each: int) -> None:
    spent = late_days_spent(term, each)
    assert sum(spent.values()) <= each
    assert all(0 < days <= one.policy.max_late_days for one in term if (days := spent.get(one.assignment)))


@given(TERM, st.integers(0, 10))
def test_a_late_day_never_makes_it_worse_and_never_changes_nothing(term: list[HandedIn], each: int) -> None:
    spent = late_days_spent(term, each)
    for one in term:
        days = spent.get(one.assignment, 0)
        now = percent_lost(one.policy, one.seconds_late - days * DAY)
        if days:
            assert now < percent_lost(one.policy, one.seconds_late - (days - 1) * DAY)
        assert now <= percent_lost(one.policy, one.seconds_late)


@given(TERM, st.integers(0, 10), st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_graded_does_not_matter(term: list[HandedIn], each: int, random) -> None:
    mixed = list(term)
    random.shuffle(mixed)
    assert late_days_spent(mixed, each) == late_days_spent(term, each)


@given(TERM, st.integers(0, 10), st.integers(1, 10 * DAY))
def test_what_is_handed_in_later_takes_no_day_back(term: list[HandedIn], each: int, after: int) -> None:
    latest = max(one.at for one in term) + timedelta(seconds=after)
    more = HandedIn("last", latest, latest - timedelta(days=2), TEN_A_DAY)
    assert late_days_spent([*term, more], each).items() >= late_days_spent(term, each).items()


@given(st.integers(-DAY, 10 * DAY), st.integers(0, 5 * DAY), POLICIES, st.integers(0, 10))
def test_with_late_days_too_who_is_later_never_loses_less(late: int, more: int, policy: LatePolicy, each: int) -> None:
    def lost(seconds: int) -> float:
        one = handed_in(seconds, policy=policy)
        return percent_lost(policy, one.seconds_late - DAY * late_days_spent([one], each).get("week2", 0))

    assert lost(late) <= lost(late + more)


# A year of time stamps

YEAR = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31))
ZONES = st.sampled_from(
    ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns", "UTC"]
).map(ZoneInfo)


@given(YEAR, ZONES, st.integers(-3 * DAY, 3 * DAY), st.integers(0, 999_999))
def test_all_the_year_round_the_second_that_is_named_is_in_time_and_the_next_is_not(
    local: datetime, zone: ZoneInfo, seconds: int, fraction: int
) -> None:
    due = local.replace(microsecond=0, tzinfo=zone)
    at = due.astimezone(UTC) + timedelta(seconds=seconds, microseconds=fraction)
    one = HandedIn("week2", at, due.astimezone(UTC), TEN_A_DAY)
    assert (one.seconds_late <= 0) == (at < due.astimezone(UTC) + timedelta(seconds=1))


@given(YEAR, ZONES, st.integers(0, 20 * DAY), POLICIES)
def test_all_the_year_round_a_change_of_the_clocks_costs_and_saves_nothing(
    local: datetime, zone: ZoneInfo, late: int, policy: LatePolicy
) -> None:
    """Time that passed is what counts: the penalty is that of the same time after a due date in UTC."""
    here, plain = local.replace(tzinfo=zone), local.replace(tzinfo=UTC)
    assert percent_lost(policy, handed_in(late, due=here).seconds_late) == percent_lost(
        policy, handed_in(late, due=plain).seconds_late
    )


# In words


def said(late: float, *, extended: bool = False, spent: int = 0, left: int = 0, policy: LatePolicy = TEN_A_DAY) -> str:
    due = DUE.astimezone(UTC)
    one = HandedIn("week2", due + timedelta(seconds=late), due, policy)
    return lateness_text(Lateness(one, extended, spent, left), WEEK2, "ada", EASTERN)


WHEN = "(Sunday 29 November 2026, 23:59 EST)"


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        (said(0), ""),
        (said(30), f"Handed in less than a minute after it was due {WHEN}. The first 15 minutes cost nothing."),
        (said(61), f"Handed in 1 minute after it was due {WHEN}. The first 15 minutes cost nothing."),
        (said(3600), f"Handed in 1 hour after it was due {WHEN}. That costs 10 % of the 100 points."),
        (
            said(2 * DAY + 3 * 3600),
            f"Handed in 2 days 3 hours after it was due {WHEN}. That costs 30 % of the 100 points.",
        ),
        (
            said(9 * DAY),
            f"Handed in 9 days after it was due {WHEN}. That costs 50 % of the 100 points, the most that it can cost.",
        ),
        (
            said(DAY, spent=1, left=1),
            f"Handed in 1 day after it was due {WHEN}. 1 late day was spent on it; 1 is left. It costs nothing.",
        ),
        (
            said(3 * DAY, spent=2, left=0),
            f"Handed in 3 days after it was due {WHEN}. 2 late days were spent on it; none is left. "
            "That costs 10 % of the 100 points.",
        ),
        (
            said(3600, extended=True),
            "Handed in 1 hour after it was due (Sunday 29 November 2026, 23:59 EST, your extension included). "
            "That costs 10 % of the 100 points.",
        ),
        (said(3600, policy=LatePolicy()), f"Handed in 1 hour after it was due {WHEN}. It costs nothing."),
    ],
)
def test_lateness_is_said_in_words(sentence: str, expected: str) -> None:
    assert sentence == expected
