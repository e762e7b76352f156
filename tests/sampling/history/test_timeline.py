"""The time that samples cover, and when the newest is too old."""

from __future__ import annotations

import pytest

from exporter.sampling.history.timeline import STALE_SECONDS, SampleTimeline
from exporter.sampling.schedule import MAX_INTERVAL_SECONDS


def test_first_sample_covers_no_time() -> None:
    timeline = SampleTimeline()
    timeline.record(1000.0)
    assert (timeline.samples, timeline.covered, timeline.newest) == (1, 0.0, 1000.0)


def test_time_between_samples_is_covered() -> None:
    timeline = SampleTimeline()
    for now in (10.0, 10.5, 12.0):
        timeline.record(now)
    assert (timeline.samples, timeline.covered, timeline.previous, timeline.newest) == (3, 2.0, 10.5, 12.0)


@pytest.mark.parametrize(("gap", "covered"), [(5.0, 5.0), (5.5, 0.0), (12.0, 0.0), (3600.0, 0.0)])
def test_gap_longer_than_stale_adds_nothing(gap: float, covered: float) -> None:
    """What the queue was while the host was suspended is not known."""
    timeline = SampleTimeline()
    timeline.record(10.0)
    timeline.record(10.0 + gap)
    assert timeline.covered == covered
    assert (timeline.samples, timeline.previous, timeline.newest) == (2, 10.0, 10.0 + gap)


def test_a_gap_that_adds_nothing_takes_nothing_from_what_was_covered_before() -> None:
    timeline = SampleTimeline()
    for now in (10.0, 14.0, 20.0, 21.0):
        timeline.record(now)
    assert timeline.covered == 5.0


def test_the_longest_interval_is_covered_with_a_second_to_spare() -> None:
    assert MAX_INTERVAL_SECONDS + 1.0 == STALE_SECONDS == 5.0


def test_timeline_is_stale_before_its_first_sample_and_when_the_newest_is_too_old() -> None:
    timeline = SampleTimeline()
    assert timeline.stale(0.0)
    timeline.record(10.0)
    assert not timeline.stale(10.0)
    assert not timeline.stale(15.0)
    assert timeline.stale(15.1)
