"""Sharing processor time so that one costly source slows only itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sampling.budget import share

TOLERANCE = 1e-9
SHARES = st.floats(0.0, 2.0)


@given(st.lists(SHARES, max_size=8), st.floats(0.001, 1.0))
def test_shares_are_max_min_fair(wanted: list[float], budget: float) -> None:
    """Nobody gets more than wanted, nothing is left while somebody wants, and who goes short has the most."""
    given_ = share(wanted, budget)
    assert len(given_) == len(wanted)
    assert all(0 <= got <= want for got, want in zip(given_, wanted, strict=True))
    assert sum(given_) <= budget + TOLERANCE
    short = [got for got, want in zip(given_, wanted, strict=True) if got < want]
    if short:
        assert sum(given_) == pytest.approx(budget)
        assert min(short) >= max(given_) - TOLERANCE


def test_who_wants_little_gets_it_all() -> None:
    assert share([0.001, 0.5, 0.001], 0.02) == pytest.approx([0.001, 0.018, 0.001])


def test_everybody_gets_it_all_within_the_budget() -> None:
    assert share([0.01, 0.005], 0.02) == [0.01, 0.005]


def test_equals_share_equally() -> None:
    assert share([1.0, 1.0], 0.02) == pytest.approx([0.01, 0.01])


def test_nobody_shares_nothing() -> None:
    assert share([], 0.02) == []
