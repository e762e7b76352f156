"""How long connections had waited when they left the accept queue."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from typing import Final, NamedTuple

from exporter.sampling.history.histogram import Histogram

# Upper bounds in the sense of `le`, in seconds.
BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class WaitHistogram(NamedTuple):
    """Waits by bucket, the last of which has no bound, and their sum in seconds."""

    counts: tuple[int, ...]
    sum: float

    def histogram(self) -> Histogram:
        """Return what is published."""
        return Histogram(tuple(accumulate(self.counts)), self.sum)

    def plus(self, other: WaitHistogram) -> WaitHistogram:
        """Return the observations of both."""
        both = zip(self.counts, other.counts, strict=True)
        return WaitHistogram(tuple(mine + its for mine, its in both), self.sum + other.sum)


NO_WAITS: Final = WaitHistogram((0,) * (len(BUCKETS) + 1), 0.0)


def histogram_of(waits: Iterable[float]) -> WaitHistogram:
    """Return the histogram of these waits, in seconds."""
    counts = [0] * (len(BUCKETS) + 1)
    total = 0.0
    for seconds in waits:
        counts[bisect_left(BUCKETS, seconds)] += 1
        total += seconds
    return WaitHistogram(tuple(counts), total)
