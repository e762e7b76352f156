"""The time that samples vouch for."""

from __future__ import annotations

import pytest

from exporter.sampling.history.clock import SampleClock, stale_after


def test_first_sample_vouches_for_no_time() -> None:
    clock = SampleClock()
    clock.tick(1000.0, 0.05)
    assert (clock.samples, clock.covered, clock.now) == (1, 0.0, 1000.0)


def test_time_between_samples_is_covered() -> None:
    clock = SampleClock()
    for now in (10.0, 10.5, 12.0):
        clock.tick(now, 0.05)
    assert (clock.samples, clock.covered, clock.previous, clock.now) == (3, 2.0, 10.5, 12.0)


@pytest.mark.parametrize(("gap", "covered"), [(5.0, 5.0), (5.5, 0.0), (3600.0, 0.0)])
def test_gap_longer_than_stale_adds_nothing(gap: float, covered: float) -> None:
    """What the queue was on a host that slept, nobody knows."""
    clock = SampleClock()
    clock.tick(10.0, 0.05)
    clock.tick(10.0 + gap, 0.05)
    assert clock.covered == covered
    assert (clock.samples, clock.previous, clock.now) == (2, 10.0, 10.0 + gap)


def test_slow_source_may_have_longer_gaps() -> None:
    clock = SampleClock()
    clock.tick(10.0, 4.0)
    clock.tick(22.0, 4.0)
    assert clock.covered == 12.0
    clock.tick(34.5, 4.0)
    assert clock.covered == 12.0


@pytest.mark.parametrize(("interval", "seconds"), [(0.05, 5.0), (1.0, 5.0), (2.0, 6.0), (10.0, 30.0)])
def test_source_is_stale_after_five_seconds_or_three_intervals(interval: float, seconds: float) -> None:
    assert stale_after(interval) == seconds
