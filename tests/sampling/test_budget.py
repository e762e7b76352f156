"""Sharing processor time so that one costly source slows only itself down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sampling.budget import AtMost, divide, limit_all

TOLERANCE = 1e-9
SHARES = st.floats(0.0, 2.0)


@given(st.lists(SHARES, max_size=8), st.floats(0.001, 1.0))
def test_shares_are_max_min_fair(requested: list[float], budget: float) -> None:
    """None gets more than requested, all is granted while any goes short, and those have the most."""
    granted = divide(requested, budget)
    assert len(granted) == len(requested)
    assert all(0 <= part <= request for part, request in zip(granted, requested, strict=True))
    assert sum(granted) <= budget + TOLERANCE
    short = [part for part, request in zip(granted, requested, strict=True) if part < request]
    if short:
        assert sum(granted) == pytest.approx(budget)
        assert min(short) >= max(granted) - TOLERANCE


@given(st.lists(st.tuples(SHARES, SHARES), max_size=8), st.floats(0.001, 1.0))
def test_what_each_takes_at_least_comes_first(each: list[tuple[float, float]], budget: float) -> None:
    """The rest is divided so that those that go short of their request have equal parts, or their least."""
    requested, least = [request for request, _ in each], [floor for _, floor in each]
    granted = divide(requested, budget, least)
    ceilings = [max(request, floor) for request, floor in each]
    assert all(floor <= part <= most for part, floor, most in zip(granted, least, ceilings, strict=True))
    assert sum(granted) == pytest.approx(max(sum(least), min(budget, sum(ceilings))))
    short = [part for part, most in zip(granted, ceilings, strict=True) if part < most]
    raised = [part for part, floor in zip(granted, least, strict=True) if part > floor]
    if short and raised:
        assert min(short) >= max(raised) - TOLERANCE


def test_a_small_request_is_granted_in_full() -> None:
    assert divide([0.001, 0.5, 0.001], 0.02) == pytest.approx([0.001, 0.018, 0.001])


def test_all_is_granted_within_the_budget() -> None:
    assert divide([0.01, 0.005], 0.02) == [0.01, 0.005]


def test_equal_requests_get_equal_parts() -> None:
    assert divide([1.0, 1.0], 0.02) == pytest.approx([0.01, 0.01])


def test_no_requests_get_no_parts() -> None:
    assert divide([], 0.02) == []


class Consumer:
    """One that requests a share, and notes what it is limited to."""

    def __init__(self, requested: float, least: float = 0.0) -> None:
        self.requested = requested
        self.least = least
        self.limit = -1.0
        self.limited_at = 0.0

    def requested_share(self) -> float:
        return self.requested

    def least_share(self) -> float:
        return self.least

    def limit_to(self, share: float, now: float) -> None:
        self.limit = share
        self.limited_at = now


def test_each_consumer_is_limited_to_its_own_part() -> None:
    consumers = [Consumer(0.5), Consumer(0.001)]
    limit_all(consumers, 0.02, 1000.0)
    assert [consumer.limit for consumer in consumers] == pytest.approx([0.019, 0.001])
    assert [consumer.limited_at for consumer in consumers] == [1000.0, 1000.0]


def test_what_a_consumer_takes_in_any_case_is_not_given_to_others() -> None:
    consumers = [Consumer(0.5, least=0.015), Consumer(0.5), Consumer(0.5)]
    limit_all(consumers, 0.02, 1000.0)
    assert [consumer.limit for consumer in consumers] == pytest.approx([0.015, 0.0025, 0.0025])


@pytest.mark.parametrize(
    ("requested", "least", "part"), [(0.5, 0.0, 0.002), (0.001, 0.0, 0.001), (0.5, 0.4, 0.002)]
)
def test_one_that_asks_for_no_more_than_a_share_leaves_the_rest_to_others(
    requested: float, least: float, part: float
) -> None:
    consumer, other = Consumer(requested, least), Consumer(0.5)
    limit_all([AtMost(consumer, 0.002), other], 0.02, 1000.0)
    assert [consumer.limit, other.limit] == pytest.approx([part, 0.02 - part])
    assert consumer.limited_at == 1000.0
