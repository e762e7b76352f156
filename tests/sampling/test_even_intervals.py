"""How often several things run that are to run equally often."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sampling.even_intervals import even_intervals
from exporter.sampling.schedule import MAX_INTERVAL_SECONDS

INTERVAL = 0.05
ROUNDING = 1e-6
costs = st.lists(st.floats(1e-6, 1e-2), min_size=1, max_size=40)


def use(costs: list[float], intervals: list[float]) -> float:
    """The share of a core that they use."""
    return sum(cost / seconds for cost, seconds in zip(costs, intervals, strict=True))


def test_none_has_no_interval() -> None:
    assert even_intervals([], INTERVAL, 0.02) == []


def test_where_all_of_them_fit_each_has_the_shortest() -> None:
    assert even_intervals([0.0001, 0.0005, 0.0001], INTERVAL, 0.014) == [INTERVAL] * 3


def test_what_has_no_cost_yet_has_the_shortest() -> None:
    assert even_intervals([0.0, 0.0], INTERVAL, 0.001) == [INTERVAL] * 2


def test_equals_have_one_interval_though_what_they_cost_differs_a_little() -> None:
    """110 namespaces of 60 to 114 millionths of a second, at 15 thousandths of a core: 0.638 s."""
    many = [0.00006 + index * 5e-7 for index in range(110)]
    assert even_intervals(many, INTERVAL, 0.015) == [pytest.approx(0.65)] * 110


def test_what_costs_much_more_than_most_waits_longer_and_slows_none_of_them_down() -> None:
    found = even_intervals([0.0001] * 9 + [0.01], INTERVAL, 0.01)
    assert found[:9] == [pytest.approx(0.1)] * 9
    # Each has an equal part, of which the others use nine tenths.
    assert found[9] == MAX_INTERVAL_SECONDS


def test_what_costs_much_less_than_most_runs_more_often() -> None:
    found = even_intervals([0.0001] + [0.005] * 10, INTERVAL, 0.01)
    assert found[0] == pytest.approx(0.15)
    assert found[1:] == [MAX_INTERVAL_SECONDS] * 10


def test_nothing_waits_longer_than_four_seconds() -> None:
    assert even_intervals([0.5, 0.5, 9.0], INTERVAL, 0.001) == [MAX_INTERVAL_SECONDS] * 3
    assert even_intervals([0.5], INTERVAL, 0.0) == [MAX_INTERVAL_SECONDS]


@given(costs, st.floats(1e-3, 1.0), st.sampled_from([0.01, 0.05, 1.0]))
def test_intervals_are_whole_multiples_and_keep_the_share_where_none_is_at_its_longest(
    costs: list[float], share: float, interval: float
) -> None:
    found = even_intervals(costs, interval, share)
    for seconds in found:
        multiple = seconds / interval
        assert multiple == pytest.approx(round(multiple))
        assert interval - ROUNDING <= seconds <= MAX_INTERVAL_SECONDS + ROUNDING
    if max(found) < MAX_INTERVAL_SECONDS - ROUNDING:
        assert use(costs, found) <= share * (1 + ROUNDING)


@given(costs, st.floats(1.0, 3.0))
def test_none_is_slowed_where_all_of_them_fit(costs: list[float], factor: float) -> None:
    requested = sum(cost / INTERVAL for cost in costs)
    assert set(even_intervals(costs, INTERVAL, requested * factor)) == {INTERVAL}


def test_most_do_not_wait_longer_for_one_that_costs_ten_times_as_much() -> None:
    """Nine of a thousandth of a second have 0.5 s at 18 thousandths of a core, and the tenth waits."""
    assert even_intervals([0.001] * 9 + [0.01], INTERVAL, 0.02) == [pytest.approx(0.5)] * 9 + [4.0]
