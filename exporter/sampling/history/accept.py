"""What the samples of an accept queue add up to, beyond what every queue has."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import Final, NamedTuple

from exporter.config.model import Queue, Thresholds
from exporter.sampling.history.histogram import Histogram
from exporter.sampling.history.peak import PeakWindow
from exporter.sampling.history.queue import QueueHistory
from exporter.sampling.history.timeline import SampleTimeline

# Upper bounds in the sense of `le`; 0.999 keeps "full", which is exactly 1, apart from "almost".
BUCKETS: Final = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999)
# The utilization of a queue that takes no more connections.
FULL: Final = 1.0


class HistogramState(NamedTuple):
    """What a histogram is computed from. Equal ones have equal histograms.

    `counts` and `sum` are those of the past; since then `pending` samples were all in the bucket with the
    index `bucket` and observed `ratio`.
    """

    counts: tuple[int, ...]
    sum: float
    bucket: int
    pending: int
    ratio: float

    def histogram(self) -> Histogram:
        """Return the histogram."""
        counts = list(self.counts)
        counts[self.bucket] += self.pending
        return Histogram(tuple(accumulate(counts)), self.sum + self.ratio * self.pending)


class AcceptHistory(QueueHistory):
    """The accept queue: a histogram of its utilization and the time in which a socket was full."""

    __slots__ = ("_bucket", "_counts", "_covered", "_full_seconds", "_ratios", "_sample", "_sum")

    def __init__(self, timeline: SampleTimeline, peak_window: float) -> None:
        super().__init__(Queue.ACCEPT, timeline, peak_window)
        self._ratios = PeakWindow(peak_window)
        self._counts = [0] * (len(BUCKETS) + 1)
        self._sum = 0.0
        self._full_seconds = 0.0
        self._bucket = 0
        self._sample = timeline.samples
        self._covered = timeline.covered

    def set_thresholds(self, thresholds: Thresholds, peak_window: float) -> None:
        """Take thresholds and the width of the window, in seconds; counters go on."""
        super().set_thresholds(thresholds, peak_window)
        self._ratios.set_window(peak_window)

    def observe(self, length: int | None, ratio: float | None) -> None:
        """Take the state that the newest sample found; None where it cannot tell, or the listener is gone."""
        self._add_up()
        if self.ratio is not None and (ratio is None or ratio < self.ratio):
            self._ratios.add(self.ratio, self._timeline.previous)
        if ratio is not None:
            self._bucket = bisect_left(BUCKETS, ratio)
        super().observe(length, ratio)

    def time_invariant(self) -> bool:
        """Tell whether time alone changes nothing here but the histogram."""
        return super().time_invariant() and self._ratios.time_invariant() and (self.ratio or 0.0) < FULL

    def peak_ratio(self) -> float | None:
        """Return the highest utilization in the window; 1 is full."""
        return None if self.ratio is None else self._ratios.highest(self.ratio, self._timeline.newest)

    def full_seconds(self) -> float | None:
        """Return the time in which at least one socket was full, in seconds."""
        if self.ratio is None:
            return None
        return self._full_seconds + self._full_since_change(self.ratio)

    def histogram(self) -> Histogram | None:
        """Return the utilizations of all samples, None where the newest has none."""
        state = self.histogram_state()
        return state.histogram() if state is not None else None

    def histogram_state(self) -> HistogramState | None:
        """Return what the histogram is computed from, None where there is none."""
        if self.ratio is None:
            return None
        # The newest sample belongs to the state that holds now.
        pending = self._timeline.samples - self._sample + 1
        return HistogramState(tuple(self._counts), self._sum, self._bucket, pending, self.ratio)

    def _add_up(self) -> None:
        """Count what the state until now added, at the sample that ends it."""
        timeline = self._timeline
        if self.ratio is not None:
            observations = timeline.samples - self._sample
            self._counts[self._bucket] += observations
            self._sum += self.ratio * observations
            self._full_seconds += self._full_since_change(self.ratio)
        self._sample = timeline.samples
        self._covered = timeline.covered

    def _full_since_change(self, ratio: float) -> float:
        return self._timeline.covered - self._covered if ratio >= FULL else 0.0
