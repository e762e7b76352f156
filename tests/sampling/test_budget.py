"""Sharing processor time so that one costly source slows only itself down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sampling.budget import divide, limit_all

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

    def __init__(self, requested: float) -> None:
        self.requested = requested
        self.limit = -1.0

    def requested_share(self) -> float:
        return self.requested

    def limit_to(self, share: float) -> None:
        self.limit = share


def test_each_consumer_is_limited_to_its_own_part() -> None:
    consumers = [Consumer(0.5), Consumer(0.001)]
    limit_all(consumers, 0.02)
    assert [consumer.limit for consumer in consumers] == pytest.approx([0.019, 0.001])
