"""The share of a core that all processes of the exporter use, while it is scraped."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

from bench.daemon import Daemon, metrics
from bench.exposition import Exposition
from bench.intervals import oldest_age, passes
from bench.results import Summary
from bench.timing import Progress

SCRAPE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class CpuShare:
    """The share over the whole span, with the least and the most from scrape to scrape, and the pages.

    `oldest_age` is that of the oldest sample on any of the pages, in seconds, and `mean_interval` the time in
    which every namespace was sampled once, computed from how many samples were taken.
    """

    share: Summary
    pages: tuple[Exposition, ...]
    oldest_age: float
    mean_interval: float

    @classmethod
    def measure(
        cls,
        daemon: Daemon,
        seconds: float,
        progress: Progress,
        meanwhile: Callable[[float], object] = time.sleep,
    ) -> Self:
        """Scrape every 5 s for `seconds`; `meanwhile` is called with the seconds to the next scrape."""
        points, pages, oldest = [], [], 0.0
        started = time.monotonic()
        while (passed := time.monotonic() - started) < seconds:
            progress(passed / seconds)
            points.append((time.monotonic(), daemon.tree.cpu_seconds()))
            scraped_at = time.time()
            pages.append(metrics())
            oldest = max(oldest, oldest_age(pages[-1], scraped_at))
            meanwhile(
                max(0.0, min(started + seconds, started + len(points) * SCRAPE_SECONDS) - time.monotonic())
            )
        points.append((time.monotonic(), daemon.tree.cpu_seconds()))
        pages.append(metrics())
        between = time.monotonic() - points[0][0]
        return cls(share(points), tuple(pages), oldest, between / passes(pages[0], pages[-1]))


def share(points: Sequence[tuple[float, float]]) -> Summary:
    """Return the share of a core from the first point to the last, with the least and the most between two.

    A point is a time and the processor time until then, both in seconds.
    """
    shares = [(used - before) / (end - begin) for (begin, before), (end, used) in pairwise(points)]
    (first, before), (last, used) = points[0], points[-1]
    return Summary((used - before) / (last - first), min(shares), max(shares))
