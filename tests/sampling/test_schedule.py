"""When something is due, what it costs, and how a budget stretches its interval."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sampling.schedule import MAX_INTERVAL_SECONDS, Schedule, multiple_of

NOW = 1000.0
INTERVAL = 0.05
ROUNDING = 1e-6


def costing(seconds: float, interval: float = INTERVAL) -> Schedule:
    """A schedule whose runs cost so much."""
    schedule = Schedule(interval)
    for _ in range(2):
        schedule.note_cost(seconds, NOW)
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
    schedule.note_cost(1.0, NOW)
    assert schedule.requested_share() == 0.0
    schedule.note_cost(0.001, NOW + INTERVAL)
    assert schedule.requested_share() == pytest.approx(0.001 / INTERVAL)


def test_cost_is_a_running_average() -> None:
    schedule = costing(0.001)
    schedule.note_cost(0.002, NOW + 1.0)
    assert schedule.cost == pytest.approx(0.0015)
    for second in range(2, 100):
        schedule.note_cost(0.002, NOW + second)
    assert schedule.cost == pytest.approx(0.002, rel=0.01)


@pytest.mark.parametrize("interval", [0.05, 0.25, 1.0])
def test_what_a_run_cost_before_counts_half_after_a_second_however_often_it_runs(interval: float) -> None:
    schedule = costing(0.008, interval)
    for run in range(1, 1 + round(4.0 / interval)):
        schedule.note_cost(0.004, NOW + run * interval)
    assert schedule.cost == pytest.approx(0.004 + 0.004 / 2**4)


def test_one_run_counts_for_four_average_ones_at_most() -> None:
    """Garbage is collected in some run, and what is slowed down for that would recover slowly."""
    schedule = costing(0.001)
    schedule.note_cost(10.0, NOW + 1.0)
    assert schedule.cost == pytest.approx(0.001 + 0.5 * 0.003)


def test_one_run_of_many_hardly_moves_the_average() -> None:
    """At the full rate a run that collects garbage slows nothing down."""
    schedule = costing(0.001)
    schedule.note_cost(10.0, NOW + INTERVAL)
    assert schedule.cost == pytest.approx(0.001 * (1 + 3 * (1 - 0.5**INTERVAL)))
    assert schedule.cost < 0.0012


def test_a_cheaper_run_after_two_seconds_is_what_runs_cost_now() -> None:
    """A load that is over must not keep the interval long for runs to come, each of them seconds apart."""
    schedule = costing(0.8)
    schedule.note_cost(0.001, NOW + 4.0)
    assert schedule.cost == 0.001
    schedule.note_cost(0.0005, NOW + 4.1)
    assert 0.0005 < schedule.cost < 0.001


@pytest.mark.parametrize(("seconds", "due"), [(0.4, 6.0), (0.7, 8.0)])
def test_a_run_that_costs_much_less_is_followed_by_another_in_two_seconds(seconds: float, due: float) -> None:
    """It may have paid for the end of the load; a little less is no sign of that."""
    schedule = costing(0.8)
    schedule.limit_to(0.01, NOW)
    schedule.run_now()
    schedule.advance(NOW)
    schedule.advance(NOW + 4.0)
    schedule.note_cost(seconds, NOW + 4.0)
    assert schedule.due == pytest.approx(NOW + due)
    schedule.limit_to(100.0, NOW + 4.5)
    assert schedule.interval_in_force == INTERVAL
    assert schedule.due == NOW + 4.5


def test_a_dearer_run_after_two_seconds_counts_for_four_average_ones_all_the_same() -> None:
    schedule = costing(0.01)
    schedule.note_cost(1.0, NOW + 4.0)
    assert 0.03 < schedule.cost <= 0.04


def test_interval_is_stretched_until_runs_fit() -> None:
    schedule = costing(0.002)
    assert schedule.requested_share() == pytest.approx(0.04)
    schedule.limit_to(0.01, NOW)
    assert schedule.interval_in_force == pytest.approx(0.2)
    schedule.advance(1000.0)
    assert schedule.due == pytest.approx(1000.2)


def test_stretched_schedule_requests_what_it_requested_before() -> None:
    """So it gets its own interval back as soon as that fits."""
    schedule = costing(0.002)
    schedule.limit_to(0.01, NOW)
    assert schedule.requested_share() == pytest.approx(0.04)
    schedule.limit_to(0.04, NOW)
    assert schedule.interval_in_force == INTERVAL


@given(st.floats(1e-6, 1.0), st.floats(1e-4, 1.0), st.sampled_from([0.01, 0.05, 1.0]))
def test_it_is_stretched_by_whole_multiples_and_no_further_than_needed(
    cost: float, share: float, interval: float
) -> None:
    schedule = costing(cost, interval)
    schedule.limit_to(share, NOW)
    multiple = schedule.interval_in_force / interval
    assert multiple == pytest.approx(round(multiple))
    longest = schedule.interval_in_force == pytest.approx(MAX_INTERVAL_SECONDS)
    assert longest or cost / schedule.interval_in_force <= share * (1 + 1e-6)
    if multiple > 1:
        assert cost / (interval * (round(multiple) - 1)) > share * (1 - 1e-6)


@pytest.mark.parametrize("milliseconds", [1, 7, 50, 70, 100, 300])
def test_a_stretched_interval_is_published_without_a_rounding_error(milliseconds: int) -> None:
    for number in range(1, 4000 // milliseconds + 1):
        schedule = costing(number / 1000, milliseconds / 1000)
        schedule.limit_to(1 / milliseconds, NOW)
        assert schedule.interval_in_force == number * milliseconds / 1000
        assert multiple_of(milliseconds / 1000, number) == number * milliseconds / 1000


@pytest.mark.parametrize(("missing", "multiple"), [(1e-12, 1), (1e-6, 2)])
def test_a_share_that_is_missed_by_rounding_only_is_kept(missing: float, multiple: int) -> None:
    """The sum of what several request, taken in another order, is not quite the same number."""
    schedule = costing(0.001)
    schedule.limit_to(schedule.requested_share() * (1 - missing), NOW)
    assert schedule.interval_in_force == pytest.approx(multiple * INTERVAL)


def test_another_interval_is_in_force_at_once() -> None:
    schedule = costing(0.01)
    schedule.advance(1000.0)
    schedule.limit_to(0.01, NOW)
    schedule.set_interval(0.5)
    assert (schedule.interval, schedule.interval_in_force) == (0.5, 0.5)
    assert schedule.is_due(1000.01)
    assert schedule.advance(1000.01) == 0
    assert schedule.due == 1000.5, "a whole multiple of it"


def test_interval_in_force_is_never_shorter_than_the_interval() -> None:
    schedule = Schedule(0.5)
    schedule.set_min_interval(2.0, NOW)
    assert schedule.interval_in_force == 2.0
    schedule.set_min_interval(0.1, NOW)
    assert schedule.interval_in_force == 0.5


@pytest.mark.parametrize("share", [1e-9, 0.0, -0.01])
@pytest.mark.parametrize(
    ("interval", "longest"), [(0.001, 4.0), (0.05, 4.0), (0.3, 3.9), (1.5, 3.0), (3.0, 3.0), (4.0, 4.0)]
)
def test_no_share_stretches_an_interval_beyond_four_seconds(
    interval: float, longest: float, share: float
) -> None:
    """The longest is still a whole multiple of the interval."""
    schedule = costing(1.0, interval)
    schedule.limit_to(share, NOW)
    assert schedule.interval_in_force == pytest.approx(longest)


def test_without_a_share_a_run_that_costs_nothing_is_not_slowed() -> None:
    schedule = Schedule(INTERVAL)
    schedule.limit_to(0.0, NOW)
    assert schedule.interval_in_force == INTERVAL


def stretched() -> Schedule:
    """A schedule that ran at NOW, and is due again four seconds later."""
    schedule = costing(1.0)
    schedule.advance(NOW)
    schedule.limit_to(0.0, NOW)
    schedule.run_now()
    schedule.advance(NOW)
    assert schedule.due == NOW + MAX_INTERVAL_SECONDS
    return schedule


def test_a_shorter_interval_brings_the_due_time_forward() -> None:
    """A host that is fast again is sampled again at once, and not four seconds later."""
    schedule = stretched()
    schedule.set_min_interval(2.0, NOW + 0.05)
    assert schedule.due == NOW + 2.0
    schedule.limit_to(10.0, NOW + 0.05)
    assert schedule.due == pytest.approx(NOW + 0.1)
    schedule.limit_to(20.0, NOW + 1.0)
    assert schedule.interval_in_force == INTERVAL
    # What is past is not made up for, and not missed.
    assert schedule.due == NOW + 1.0
    assert schedule.advance(NOW + 1.0) == 0
    assert schedule.due == NOW + 1.0 + INTERVAL


def test_a_longer_interval_leaves_the_due_time_alone() -> None:
    schedule = costing(1.0)
    schedule.advance(NOW)
    schedule.limit_to(0.0, NOW)
    assert schedule.due == NOW + INTERVAL
    schedule.advance(NOW + INTERVAL)
    assert schedule.due == pytest.approx(NOW + INTERVAL + MAX_INTERVAL_SECONDS)


def test_the_same_interval_again_leaves_the_due_time_alone() -> None:
    schedule = stretched()
    schedule.limit_to(0.0, NOW + 1.0)
    schedule.set_min_interval(MAX_INTERVAL_SECONDS, NOW + 2.0)
    assert schedule.due == NOW + MAX_INTERVAL_SECONDS


def test_a_run_that_was_postponed_stays_postponed() -> None:
    """Also where the interval gets shorter: there is a reason not to run before."""
    schedule = stretched()
    schedule.postpone(NOW + 5.0)
    schedule.limit_to(20.0, NOW + 1.0)
    assert schedule.interval_in_force == INTERVAL
    assert schedule.due == NOW + 5.0


def test_a_run_that_is_due_at_once_stays_so() -> None:
    schedule = stretched()
    schedule.run_now()
    schedule.set_min_interval(2.0, NOW + 0.5)
    assert schedule.is_due(NOW + 0.5)
    schedule.limit_to(20.0, NOW + 1.0)
    assert schedule.is_due(NOW + 1.0)


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 1.0),
            st.sampled_from(["run", "limit", "least"]),
            st.sampled_from([0.0, 0.3, 5.0, 20.0]),
        ),
        max_size=60,
    )
)
def test_whatever_happens_a_run_is_due_within_the_interval_in_force(
    steps: list[tuple[float, str, float]],
) -> None:
    """After each run, and after each change to a shorter interval; no due time is set before now."""
    schedule, now = costing(1.0), NOW
    schedule.advance(now)
    for passed, what, number in steps:
        now += passed
        before = schedule.interval_in_force
        if what == "run" and schedule.is_due(now):
            schedule.advance(now)
        elif what == "limit":
            schedule.limit_to(number, now)
        elif what == "least":
            schedule.set_min_interval(min(number, MAX_INTERVAL_SECONDS), now)
        assert schedule.due is not None
        assert INTERVAL <= schedule.interval_in_force <= MAX_INTERVAL_SECONDS + ROUNDING
        assert schedule.due <= now + max(before, schedule.interval_in_force) + ROUNDING
        if schedule.interval_in_force < before:
            assert now <= schedule.due <= now + schedule.interval_in_force + ROUNDING


@given(st.floats(1.0, 1e7), st.sampled_from([0.01, 0.05, 0.2, 1.0]), st.integers(0, 5))
def test_due_times_are_whole_multiples_of_the_interval(now: float, interval: float, late: int) -> None:
    """Whenever the first run was: what has one interval is due together."""
    schedule = Schedule(interval)
    schedule.advance(now)
    for _ in range(3):
        assert schedule.due is not None
        assert schedule.due / interval == pytest.approx(round(schedule.due / interval), rel=1e-12)
        assert now < schedule.due + 1e-6 * interval
        assert schedule.due <= now + interval + 1e-6
        now = schedule.due + late * interval / 7
        schedule.advance(now)
