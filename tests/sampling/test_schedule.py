"""When something is due, what it costs, and how a budget stretches its interval."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sampling.schedule import Schedule

INTERVAL = 0.05
ROUNDING = 1e-6


def costing(seconds: float, interval: float = INTERVAL) -> Schedule:
    """A schedule whose runs cost so much."""
    schedule = Schedule(interval)
    for _ in range(2):
        schedule.note_cost(seconds)
    return schedule


def test_the_first_run_is_due_at_once() -> None:
    schedule = Schedule(INTERVAL)
    assert schedule.due is None
    assert schedule.is_due(0.0)
    assert schedule.advance(1000.0) == 0
    assert schedule.due == 1000.0 + INTERVAL


def test_it_is_due_from_its_due_time_on_or_a_tolerance_earlier() -> None:
    schedule = Schedule(1.0)
    schedule.advance(1000.0)
    assert [schedule.is_due(now) for now in (1000.9, 1001.0, 1001.1)] == [False, True, True]
    assert [schedule.is_due(1000.9, tolerance) for tolerance in (0.09, 0.11)] == [False, True]


def test_due_times_stay_on_a_grid() -> None:
    """A run that comes a little late moves no later one."""
    schedule = Schedule(INTERVAL)
    schedule.advance(1000.0)
    assert schedule.advance(1000.06) == 0
    assert schedule.due == pytest.approx(1000.10)


def test_a_run_that_comes_early_leaves_the_grid_alone() -> None:
    schedule = Schedule(INTERVAL)
    schedule.advance(1000.0)
    assert schedule.advance(1000.04) == 0
    assert schedule.due == pytest.approx(1000.10)


def test_due_times_that_passed_are_counted_and_not_made_up_for() -> None:
    schedule = Schedule(INTERVAL)
    schedule.advance(1000.0)
    assert schedule.advance(1000.31) == 5
    assert schedule.due == pytest.approx(1000.35)


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=50))
def test_each_due_time_is_either_used_or_missed(delays: list[float]) -> None:
    """However late each run is: never two for one due time, and the next is always in the future."""
    schedule = Schedule(INTERVAL)
    now, missed = 1000.0, 0
    for delay in delays:
        missed += schedule.advance(now)
        assert schedule.due is not None
        assert now - ROUNDING < schedule.due <= now + INTERVAL + ROUNDING
        now = schedule.due + delay
    assert schedule.due is not None
    due_times = (schedule.due - 1000.0) / INTERVAL
    assert len(delays) + missed == pytest.approx(due_times, abs=ROUNDING * len(delays))


def test_a_run_can_be_asked_for_at_once_or_postponed() -> None:
    schedule = Schedule(1.0)
    schedule.advance(1000.0)
    schedule.run_now()
    assert schedule.is_due(1000.0)
    schedule.postpone(1000.1)
    assert [schedule.is_due(now) for now in (1000.0, 1000.1)] == [False, True]


def test_the_first_run_is_no_measure_of_cost() -> None:
    """It decodes everything; later ones find most of it unchanged."""
    schedule = Schedule(INTERVAL)
    schedule.note_cost(1.0)
    assert schedule.requested_share() == 0.0
    schedule.note_cost(0.001)
    assert schedule.requested_share() == pytest.approx(0.001 / INTERVAL)


def test_cost_is_a_running_average() -> None:
    schedule = costing(0.001)
    schedule.note_cost(0.002)
    assert schedule.cost == pytest.approx(0.0012)
    for _ in range(100):
        schedule.note_cost(0.002)
    assert schedule.cost == pytest.approx(0.002, rel=0.01)


def test_one_run_counts_for_four_average_ones_at_most() -> None:
    """Garbage is collected in some run, and what is slowed down for that would recover slowly."""
    schedule = costing(0.001)
    schedule.note_cost(10.0)
    assert schedule.cost == pytest.approx(0.001 + 0.2 * 0.003)


def test_interval_is_stretched_until_runs_fit() -> None:
    schedule = costing(0.002)
    assert schedule.requested_share() == pytest.approx(0.04)
    schedule.limit_to(0.01)
    assert schedule.interval_in_force == pytest.approx(0.2)
    schedule.advance(1000.0)
    assert schedule.due == pytest.approx(1000.2)


def test_stretched_schedule_requests_what_it_requested_before() -> None:
    """So it gets its own interval back as soon as there is room."""
    schedule = costing(0.002)
    schedule.limit_to(0.01)
    assert schedule.requested_share() == pytest.approx(0.04)
    schedule.limit_to(0.04)
    assert schedule.interval_in_force == INTERVAL


@given(st.floats(1e-6, 1.0), st.floats(1e-4, 1.0), st.sampled_from([0.01, 0.05, 1.0]))
def test_it_is_stretched_by_whole_multiples_and_no_further_than_needed(
    cost: float, share: float, interval: float
) -> None:
    schedule = costing(cost, interval)
    schedule.limit_to(share)
    multiple = schedule.interval_in_force / interval
    assert multiple == pytest.approx(round(multiple))
    assert cost / schedule.interval_in_force <= share * (1 + 1e-6)
    if multiple > 1:
        assert cost / (interval * (round(multiple) - 1)) > share * (1 - 1e-6)


@pytest.mark.parametrize(("missing", "multiple"), [(1e-12, 1), (1e-6, 2)])
def test_a_share_that_is_missed_by_rounding_only_is_kept(missing: float, multiple: int) -> None:
    """The sum of what several request, taken in another order, is not quite the same number."""
    schedule = costing(0.001)
    schedule.limit_to(schedule.requested_share() * (1 - missing))
    assert schedule.interval_in_force == pytest.approx(multiple * INTERVAL)


def test_another_interval_is_in_force_at_once() -> None:
    schedule = costing(0.01)
    schedule.advance(1000.0)
    schedule.limit_to(0.01)
    schedule.set_interval(0.5)
    assert (schedule.interval, schedule.interval_in_force) == (0.5, 0.5)
    assert schedule.is_due(1000.01)
    assert schedule.advance(1000.01) == 0
    assert schedule.due == pytest.approx(1000.51)


def test_interval_in_force_is_never_shorter_than_the_interval() -> None:
    schedule = Schedule(0.5)
    schedule.set_min_interval(2.0)
    assert schedule.interval_in_force == 2.0
    schedule.set_min_interval(0.1)
    assert schedule.interval_in_force == 0.5
