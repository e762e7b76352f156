"""How long the exporter takes from one sample of a namespace to the next, as it publishes that itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Self

from bench.exposition import Exposition

# Those that read accept queues.
SOURCES: Final = ("inet", "unix")
LONGEST: Final = "listen_queue_exporter_sample_interval_seconds"
_USUAL: Final = "listen_queue_exporter_sample_interval_usual_seconds"
_OLDEST: Final = "listen_queue_exporter_last_sample_timestamp_seconds"
_SAMPLES: Final = "listen_queue_exporter_samples_total"
_NAMESPACES: Final = "listen_queue_exporter_namespaces"


@dataclass(frozen=True, slots=True)
class Intervals:
    """The intervals in force at one scrape, in seconds: the longest of any namespace, and the median.

    Of the two sources that with the longer intervals counts. `usual` is None where it is not published.
    """

    longest: float
    usual: float | None

    @classmethod
    def of(cls, page: Exposition) -> Self:
        """Read them. Raises ValueError where the page has none."""
        longest = [value for source in SOURCES for value in page.values(LONGEST, source=source)]
        usual = [value for source in SOURCES for value in page.values(_USUAL, source=source)]
        return cls(max(longest), max(usual, default=None))

    @classmethod
    def over(cls, pages: Sequence[Exposition]) -> Self:
        """Return the longest that was in force at any scrape, and the median of the usual ones."""
        read = [cls.of(page) for page in pages]
        usual = [each.usual for each in read if each.usual is not None]
        return cls(max(each.longest for each in read), median(usual) if usual else None)


def namespaces(page: Exposition) -> int:
    """Return how many namespaces are sampled, the exporter's own included."""
    return int(page.value(_NAMESPACES))


def passes(before: Exposition, after: Exposition) -> float:
    """Return how often every namespace was sampled between two scrapes: a pass is a sample of each source."""
    return (_taken(after) - _taken(before)) / len(SOURCES) / namespaces(after)


def oldest_age(page: Exposition, scraped_at: float) -> float:
    """Return how old the oldest sample on a page was; `scraped_at` is in seconds since 1970."""
    return scraped_at - min(page.value(_OLDEST, source=source) for source in SOURCES)


def _taken(page: Exposition) -> float:
    return sum(page.value(_SAMPLES, source=source) for source in SOURCES)
