"""The time that samples cover, and when the newest is too old."""

from __future__ import annotations

import pytest

from exporter.sampling.history.timeline import SampleTimeline, stale_after


def test_first_sample_covers_no_time() -> None:
    timeline = SampleTimeline()
    timeline.record(1000.0, 0.05)
    assert (timeline.samples, timeline.covered, timeline.newest) == (1, 0.0, 1000.0)


def test_time_between_samples_is_covered() -> None:
    timeline = SampleTimeline()
    for now in (10.0, 10.5, 12.0):
        timeline.record(now, 0.05)
    assert (timeline.samples, timeline.covered, timeline.previous, timeline.newest) == (3, 2.0, 10.5, 12.0)


@pytest.mark.parametrize(("gap", "covered"), [(5.0, 5.0), (5.5, 0.0), (3600.0, 0.0)])
def test_gap_longer_than_stale_adds_nothing(gap: float, covered: float) -> None:
    """What the queue was while the host was suspended is not known."""
    timeline = SampleTimeline()
    timeline.record(10.0, 0.05)
    timeline.record(10.0 + gap, 0.05)
    assert timeline.covered == covered
    assert (timeline.samples, timeline.previous, timeline.newest) == (2, 10.0, 10.0 + gap)


def test_slow_source_may_have_longer_gaps() -> None:
    timeline = SampleTimeline()
    timeline.record(10.0, 4.0)
    timeline.record(22.0, 4.0)
    assert timeline.covered == 12.0
    timeline.record(34.5, 4.0)
    assert timeline.covered == 12.0


@pytest.mark.parametrize(("interval", "seconds"), [(0.05, 5.0), (1.0, 5.0), (2.0, 6.0), (10.0, 30.0)])
def test_source_is_stale_after_five_seconds_or_three_intervals(interval: float, seconds: float) -> None:
    assert stale_after(interval) == seconds


def test_timeline_is_stale_before_its_first_sample_and_when_the_newest_is_too_old() -> None:
    timeline = SampleTimeline()
    assert timeline.stale(0.0, 0.05)
    timeline.record(10.0, 0.05)
    assert not timeline.stale(15.0, 0.05)
    assert timeline.stale(15.1, 0.05)
    assert not timeline.stale(16.0, 2.0)
