"""What the samples of an accept queue add up to, compared with a model that keeps every sample."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import Config
from exporter.sampling.history.accept import BUCKETS, AcceptHistory
from exporter.sampling.history.timeline import STALE_SECONDS, SampleTimeline

WINDOW = 60.0
SLOT = WINDOW / 120
LIMIT = 7


@dataclass(frozen=True)
class Sample:
    """One sample; `length` is None while the listener is gone."""

    gap: float
    length: int | None


# Eighths and a limit of 7 make sums and ratios exact. The longest gap is more than what counts as stale.
SAMPLES = st.lists(
    st.builds(
        Sample,
        st.integers(1, 48).map(lambda eighths: eighths / 8),
        st.none() | st.integers(0, LIMIT + 3),
    ),
    min_size=1,
    max_size=60,
)


def ratio(length: int | None) -> float | None:
    return None if length is None else length / (LIMIT + 1)


def run(samples: list[Sample], *, eager: bool = False) -> AcceptHistory:
    """Feed a history as the sampler does: only with what changed, unless `eager`."""
    timeline = SampleTimeline()
    history = AcceptHistory(timeline, WINDOW)
    now, last = 0.0, None
    for sample in samples:
        now += sample.gap
        timeline.record(now)
        if eager or sample.length != last:
            history.observe(sample.length, ratio(sample.length))
        last = sample.length
    return history


def times(samples: list[Sample]) -> list[float]:
    return [sum(sample.gap for sample in samples[: count + 1]) for count in range(len(samples))]


def figures(history: AcceptHistory) -> tuple[object, ...]:
    return history.histogram(), history.full_seconds(), history.peak_length(), history.peak_ratio()


@given(SAMPLES)
def test_histogram_has_one_observation_for_each_sample(samples: list[Sample]) -> None:
    ratios = [value for sample in samples if (value := ratio(sample.length)) is not None]
    bounds = (*BUCKETS, float("inf"))
    expected = tuple(sum(value <= bound for value in ratios) for bound in bounds), sum(ratios)
    assert run(samples).histogram() == (None if samples[-1].length is None else expected)


@given(SAMPLES)
def test_full_seconds_are_the_gaps_after_full_samples(samples: list[Sample]) -> None:
    """A state lasts until the next sample, but for no longer than the limit for stale."""
    full = sum(
        after.gap
        for before, after in pairwise(samples)
        if before.length is not None and before.length > LIMIT and after.gap <= STALE_SECONDS
    )
    assert run(samples).full_seconds() == (None if samples[-1].length is None else full)


@given(SAMPLES)
def test_peaks_are_the_highest_samples_of_the_window(samples: list[Sample]) -> None:
    history, seen = run(samples), times(samples)
    if samples[-1].length is None:
        assert (history.peak_length(), history.peak_ratio()) == (None, None)
        return
    least, most = (
        max(
            sample.length
            for sample, at in zip(samples, seen, strict=True)
            if sample.length is not None and at >= seen[-1] - width
        )
        for width in (WINDOW, WINDOW + SLOT)
    )
    peak, peak_ratio = history.peak_length(), history.peak_ratio()
    assert peak is not None
    assert peak_ratio is not None
    assert least <= peak <= most
    assert least <= peak_ratio * (LIMIT + 1) <= most


@given(SAMPLES)
def test_unchanged_queue_needs_no_work(samples: list[Sample]) -> None:
    """To feed only changes gives the same as to feed every sample."""
    assert figures(run(samples)) == figures(run(samples, eager=True))


@given(SAMPLES, st.sets(st.integers(0, 60)))
def test_scrape_changes_nothing(samples: list[Sample], scrapes: set[int]) -> None:
    """Counters are the same whether they are read in between or not, and never fall."""
    timeline = SampleTimeline()
    history = AcceptHistory(timeline, WINDOW)
    now, last = 0.0, None
    before: tuple[int, ...] = (0,) * 8
    for number, sample in enumerate(samples):
        now += sample.gap
        timeline.record(now)
        if sample.length != last:
            history.observe(sample.length, ratio(sample.length))
        last = sample.length
        observed = history.histogram() if number in scrapes else None
        if observed is not None:
            assert all(
                count >= earlier for count, earlier in zip(observed.cumulative_counts, before, strict=True)
            )
            before = observed.cumulative_counts
    assert figures(history) == figures(run(samples))


@pytest.mark.parametrize(
    ("length", "limit", "lowest"),
    [
        (0, 9, 0.0),
        (1, 9, 0.1),
        (1, 8, 0.25),
        (5, 9, 0.5),
        (9, 9, 0.9),
        (1999, 1999, float("inf")),
        (10, 9, float("inf")),
    ],
)
def test_bucket_holds_what_is_at_or_below_its_bound(length: int, limit: int, lowest: float) -> None:
    """0 is a bucket for idle queues; in a long queue the last one begins a thousandth below full."""
    timeline = SampleTimeline()
    history = AcceptHistory(timeline, WINDOW)
    timeline.record(1.0)
    history.observe(length, length / (limit + 1))
    observed = history.histogram()
    assert observed is not None
    assert (*BUCKETS, float("inf"))[observed.cumulative_counts.index(1)] == lowest


def test_queue_without_a_ratio_has_a_length_and_no_histogram() -> None:
    """/proc/net shows no limit."""
    timeline = SampleTimeline()
    history = AcceptHistory(timeline, WINDOW)
    timeline.record(1.0)
    history.observe(3, None)
    assert figures(history) == (None, None, 3, None)


def test_other_window_and_thresholds_leave_the_counters() -> None:
    history = run([Sample(1.0, LIMIT + 1), Sample(1.0, 0), Sample(1.0, 0)])
    before = figures(history)
    history.set_thresholds(Config().defaults.thresholds, WINDOW)
    assert figures(history) == before
    history.set_thresholds(Config().defaults.thresholds, 1.0)
    assert (history.peak_length(), history.peak_ratio()) == (0, 0.0)
    assert history.full_seconds() == 1.0
