"""When a source is asked, what it costs and whether it is well."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kernel.errors import KernelError
from exporter.sampling.source import Source
from tests.sampling.fake_clock import Clockwork

INTERVAL = 0.05
ROUNDING = 1e-6


class Work:
    """What a source does when it is asked, as far as a test cares."""

    def __init__(self, clock: Clockwork) -> None:
        self.clock = clock
        self.cost = 0.0
        self.error: Exception | None = None
        self.source: Source | None = None

    def take(self, now: float) -> None:
        """Be asked once."""
        self.clock.spend(self.cost)
        if self.error is not None:
            raise self.error
        assert self.source is not None
        self.source.clock.tick(now, self.source.interval_in_force)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clockwork:
    made = Clockwork()
    made.install(monkeypatch, "exporter.sampling.source")
    return made


@pytest.fixture
def work(clock: Clockwork) -> Work:
    return Work(clock)


@pytest.fixture
def source(work: Work) -> Source:
    work.source = Source("inet", "host", INTERVAL, work.take)
    return work.source


def times(source: Source, count: int, now: float = 1000.0) -> float:
    """Run on so many beats; return the time of the next."""
    for _ in range(count):
        source.run(now)
        now = source.due
    return now


def test_source_is_due_at_once(source: Source) -> None:
    assert source.due == float("-inf")
    source.run(1000.0)
    assert (source.samples, source.missed, source.due) == (1, 0, 1000.0 + INTERVAL)


def test_beats_stay_on_the_grid(source: Source) -> None:
    """A sample that comes a little late moves no later one."""
    source.run(1000.0)
    source.run(1000.06)
    assert source.due == pytest.approx(1000.10)
    assert source.missed == 0


def test_missed_beats_are_counted_and_not_caught_up(source: Source) -> None:
    source.run(1000.0)
    source.run(1000.31)
    assert source.missed == 5
    assert source.due == pytest.approx(1000.35)
    assert source.samples == 2


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=50))
def test_every_beat_is_either_sampled_or_missed(delays: list[float]) -> None:
    """However late each sample is: never two for one beat, and the next beat is always to come."""
    source = Source("inet", "host", INTERVAL, lambda _now: None)
    now = 1000.0
    for delay in delays:
        source.run(now)
        assert now - ROUNDING < source.due <= now + INTERVAL + ROUNDING
        now = source.due + delay
    beats = (source.due - 1000.0) / INTERVAL
    assert source.samples + source.missed == pytest.approx(beats, abs=ROUNDING * len(delays))
    assert source.samples == len(delays)


def test_first_sample_is_no_measure_of_cost(source: Source, work: Work) -> None:
    """It decodes everything; later ones find most of it unchanged."""
    work.cost = 1.0
    now = times(source, 1)
    assert source.requested_share() == 0.0
    work.cost = 0.001
    times(source, 1, now)
    assert source.requested_share() == pytest.approx(0.001 / INTERVAL)


def test_cost_is_a_running_average(source: Source, work: Work) -> None:
    work.cost = 0.001
    now = times(source, 2)
    work.cost = 0.011
    now = times(source, 1, now)
    assert source.cost == pytest.approx(0.002)
    times(source, 100, now)
    assert source.cost == pytest.approx(0.011, rel=0.01)


def test_source_is_stretched_until_it_fits(source: Source, work: Work) -> None:
    work.cost = 0.002
    now = times(source, 2)
    assert source.requested_share() == pytest.approx(0.04)
    source.limit_to(0.01)
    assert source.interval_in_force == pytest.approx(0.2)
    assert source.cost / source.interval_in_force == pytest.approx(0.01)
    assert times(source, 1, now) == pytest.approx(now + 0.2)


def test_stretched_source_still_wants_what_it_wanted(source: Source, work: Work) -> None:
    """So it gets its own interval back as soon as there is room."""
    work.cost = 0.002
    times(source, 2)
    source.limit_to(0.01)
    assert source.requested_share() == pytest.approx(0.04)
    source.limit_to(0.04)
    assert source.interval_in_force == INTERVAL


def test_other_pace_is_in_force_at_once(source: Source) -> None:
    source.run(1000.0)
    source.limit_to(1.0)
    source.set_interval(0.5)
    assert (source.interval, source.interval_in_force) == (0.5, 0.5)
    source.run(1000.01)
    assert source.due == pytest.approx(1000.51)
    assert source.missed == 0


def test_source_with_nothing_to_ask_does_no_work(work: Work) -> None:
    """It keeps its beat, costs nothing, misses nothing, and is well."""
    busy = False
    source = work.source = Source("owners", "host", INTERVAL, work.take, lambda _now: busy)
    times(source, 100)
    assert (source.samples, source.missed, source.requested_share()) == (0, 0, 0.0)
    assert source.healthy(1e9)
    busy = True
    source.run(2000.0)
    assert source.samples == 1


def test_source_that_was_asked_may_grow_stale(work: Work) -> None:
    source = work.source = Source("owners", "host", INTERVAL, work.take, lambda _now: True)
    source.run(1000.0)
    assert source.healthy(1005.0)
    assert not source.healthy(1005.1)


def test_idle_source_leaves_its_share_to_others(work: Work) -> None:
    busy = True
    source = work.source = Source("owners", "host", INTERVAL, work.take, lambda _now: busy)
    work.cost = 0.01
    now = times(source, 3)
    assert source.requested_share() == pytest.approx(0.2)
    busy = False
    source.run(now)
    assert source.requested_share() == 0.0


def test_source_is_not_healthy_before_its_first_sample(source: Source) -> None:
    assert not source.healthy(1000.0)


@pytest.mark.parametrize(("interval", "limit"), [(0.05, 5.0), (1.0, 5.0), (2.0, 6.0), (60.0, 180.0)])
def test_source_is_healthy_for_five_seconds_or_three_intervals(
    source: Source, interval: float, limit: float
) -> None:
    source.set_interval(interval)
    source.run(1000.0)
    assert source.healthy(1000.0)
    assert source.healthy(1000.0 + limit)
    assert not source.healthy(1000.1 + limit)


def test_interval_in_force_is_what_makes_stale(source: Source, work: Work) -> None:
    """A source that the budget slowed down to one sample in ten seconds is not failing."""
    work.cost = 0.1
    now = times(source, 2)
    source.limit_to(0.01)
    source.run(now)
    assert source.healthy(now + 29.9)
    assert not source.healthy(now + 30.1)


def test_error_is_unhealthy_at_once(source: Source, work: Work) -> None:
    """And counted by its reason; one good sample makes up for it."""
    now = times(source, 1)
    work.error = KernelError("dump failed", "ENOBUFS")
    now = times(source, 2, now)
    assert not source.healthy(now)
    assert (source.samples, source.errors) == (1, {"ENOBUFS": 2})
    assert str(source.error) == "dump failed: ENOBUFS"
    work.error = None
    now = times(source, 1, now)
    assert source.healthy(now)
    assert (source.samples, source.errors) == (2, {"ENOBUFS": 2})


def test_timestamp_is_that_of_the_newest_success(source: Source, work: Work, clock: Clockwork) -> None:
    assert source.timestamp == 0.0
    source.run(1000.0)
    success = source.timestamp
    assert success == clock.time()
    work.error = KernelError("dump failed", "ENOBUFS")
    clock.now += 10.0
    source.run(1010.0)
    assert source.timestamp == success


def test_duration_is_that_of_the_newest_sample_even_if_it_failed(source: Source, work: Work) -> None:
    work.cost = 0.25
    now = times(source, 1)
    assert source.duration == pytest.approx(0.25)
    work.cost, work.error = 0.5, KernelError("dump failed", "ENOBUFS")
    times(source, 1, now)
    assert source.duration == pytest.approx(0.5)


def test_error_that_nobody_foresaw_is_not_swallowed(source: Source, work: Work) -> None:
    work.error = RuntimeError("a bug")
    with pytest.raises(RuntimeError, match="a bug"):
        source.run(1000.0)


def test_a_source_that_fails_every_time_is_slowed_as_well(source: Source, work: Work) -> None:
    """What it costs does not depend on its success."""
    work.cost = 0.002
    work.error = KernelError("dump failed", "ENOBUFS")
    times(source, 3)
    assert source.requested_share() == pytest.approx(0.04)
