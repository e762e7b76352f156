"""Who may walk over all connections, and how much of the budget that takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import parse
from exporter.sampling.walk_limit import Claim, CostEstimate, Need, WalkLimit

NOW = 1000.0
TICK = 0.05
COST = 0.001
UNKNOWN = Claim(Need.UNKNOWN)


def limit(budget: str = "2%") -> WalkLimit:
    return WalkLimit(parse(f"sampling: {{cpu_budget: {budget}}}", "c.yaml"))


def test_an_estimate_is_the_lesser_of_the_last_two_times() -> None:
    cost = CostEstimate()
    assert (cost.latest, cost.confirmed, cost.seconds(NOW)) == (None, None, None)
    estimates = []
    for second, seconds in enumerate((0.5, 0.1, 0.9, 0.8)):
        cost.measured(seconds, NOW + second)
        assert cost.seconds(NOW + second) == cost.latest
        estimates.append((cost.latest, cost.confirmed))
    assert estimates == [(0.5, None), (0.1, 0.1), (0.1, 0.1), (0.8, 0.8)]


def test_an_estimate_is_forgotten_after_a_minute() -> None:
    cost = CostEstimate()
    cost.measured(0.1, NOW)
    assert cost.seconds(NOW + 60.0) == 0.1
    assert (cost.seconds(NOW + 60.1), cost.latest) == (None, 0.1)


@pytest.mark.parametrize(("namespaces", "negligible", "affordable"), [(1, 0.001, 0.02), (10, 0.0001, 0.002)])
def test_what_a_walk_may_cost_is_less_where_there_are_more_namespaces(
    namespaces: int, negligible: float, affordable: float
) -> None:
    """A quarter of 2 % of a core for a walk in each every four seconds."""
    walks = limit()
    walks.set_namespaces(namespaces)
    assert walks.negligible(negligible * 0.99)
    assert not walks.negligible(negligible * 1.01)
    assert walks.affordable(affordable * 0.99)
    assert not walks.affordable(affordable * 1.01)


def test_very_little_is_affordable_in_any_case() -> None:
    walks = limit()
    walks.set_namespaces(10_000)
    assert walks.affordable(0.0003)
    assert not walks.affordable(0.0004)
    assert walks.affordable(None), "it may be, and is found out by trying"


@given(st.floats(1e-5, 0.1), st.sampled_from(["0.1%", "2%", "100%"]), st.integers(1, 20))
def test_walks_take_a_quarter_of_the_budget_and_there_is_one_in_a_tick(
    cost: float, budget: str, claimants: int
) -> None:
    walks = limit(budget)
    ticks = 2000
    for tick in range(ticks):
        now = NOW + tick * TICK
        allowed = 0
        for who in range(claimants):
            if walks.allows(who, UNKNOWN, now):
                walks.note(cost, now)
                allowed += 1
        assert allowed <= 1
    share = float(budget[:-1]) / 100 / 4
    assert walks.cpu_seconds <= share * ticks * TICK + cost
    assert walks.cpu_seconds >= min(cost / (TICK + cost / share), share) * ticks * TICK * 0.45


def test_all_that_claim_the_same_have_a_walk() -> None:
    walks = limit()
    walked = set()
    for tick in range(2000):
        for who in range(10):
            if walks.allows(who, UNKNOWN, NOW + tick * TICK):
                walks.note(COST, NOW + tick * TICK)
                walked.add(who)
    assert walked == set(range(10))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Claim(Need.UNKNOWN), Claim(Need.UNCONFIRMED, 1000)),
        (Claim(Need.UNCONFIRMED, 1000), Claim(Need.UNCONFIRMED, 3)),
        (Claim(Need.UNCONFIRMED, 1), Claim(Need.RECHECK)),
    ],
)
def test_the_more_urgent_is_first(first: Claim, second: Claim) -> None:
    walks = limit()
    walks.note(COST, NOW)
    assert not walks.allows("first", first, NOW)
    later = NOW + 1.0
    assert not walks.allows("second", second, later)
    assert walks.allows("first", first, later)
    walks.note(COST, later)
    assert walks.allows("second", second, later + 1.0)


def test_one_that_claims_no_more_keeps_none_waiting() -> None:
    walks = limit()
    walks.note(COST, NOW)
    assert not walks.allows("gone", UNKNOWN, NOW)
    assert not walks.allows("other", Claim(Need.RECHECK), NOW + 4.9)
    assert walks.allows("other", Claim(Need.RECHECK), NOW + 5.1)
    walks.note(COST, NOW + 5.1)
    assert not walks.allows("settled", UNKNOWN, NOW + 5.1)
    walks.withdraw("settled")
    walks.withdraw("settled")
    assert walks.allows("other", Claim(Need.RECHECK), NOW + 6.0)


def divide(walks: WalkLimit, begin: int, end: int, share: float | None = None, cost: float = 0.0) -> None:
    """Divide the budget every second, with a walk in each, so many seconds after NOW.

    Without `share` they get what they request.
    """
    for second in range(begin, end):
        walks.limit_to(walks.requested_share() if share is None else share, NOW + second)
        walks.note(cost, NOW + second)
    walks.limit_to(walks.requested_share() if share is None else share, NOW + end)


def test_what_walks_take_is_requested_and_no_more_than_they_may() -> None:
    """A sleeping limit takes nothing from others."""
    walks = limit()
    assert walks.requested_share() == 0.0
    divide(walks, 0, 60, cost=0.002)
    assert walks.requested_share() == pytest.approx(0.002, rel=0.02)
    divide(walks, 60, 120, cost=0.02)
    assert walks.requested_share() == pytest.approx(0.005)
    divide(walks, 120, 300)
    assert walks.requested_share() == pytest.approx(0.0, abs=1e-6)
    assert walks.least_share() == 0.0


@pytest.mark.parametrize(
    ("granted", "seconds"), [(1.0, 0.2), (0.5, 0.4), (0.0, 2.0), (1e-9, 2.0), (2.0, 0.2)]
)
def test_where_walks_get_less_than_they_took_they_are_slower(granted: float, seconds: float) -> None:
    """A millisecond in half of a per cent of a core takes a fifth of a second. But they go on."""
    walks = limit()
    divide(walks, 0, 60, cost=0.002)
    walks.limit_to(walks.requested_share() * granted, NOW + 60.0)
    now = NOW + 100.0
    walks.note(COST, now)
    allowed = [walks.allows("one", UNKNOWN, now + after) for after in (seconds * 0.95, seconds * 1.05)]
    assert allowed == [False, True]


def test_another_share_is_in_force_for_the_walk_that_was() -> None:
    walks = limit()
    divide(walks, 0, 60, share=0.0, cost=0.002)
    now = NOW + 60.0
    walks.note(COST, now)
    assert not walks.allows("one", UNKNOWN, now + 0.9)
    walks.limit_to(walks.requested_share(), now + 0.9)
    assert walks.allows("one", UNKNOWN, now + 0.9)


def test_walks_that_could_not_wait_are_taken_from_the_others() -> None:
    walks = limit()
    for second in range(60):
        walks.limit_to(0.0, NOW + second)
        walks.note(0.02, NOW + second, overdue=True)
        walks.note(0.01, NOW + second)
    walks.limit_to(0.0, NOW + 60.0)
    assert walks.least_share() == pytest.approx(0.02, rel=0.02)
    for second in range(60, 180):
        walks.limit_to(0.0, NOW + second)
    assert walks.least_share() == pytest.approx(0.0, abs=1e-5)


def test_another_budget_is_in_force_at_once() -> None:
    walks = limit()
    walks.configure(parse("sampling: {cpu_budget: 20%}", "c.yaml"))
    walks.note(COST, NOW)
    assert [walks.allows("one", UNKNOWN, NOW + seconds) for seconds in (0.019, 0.021)] == [False, True]
