"""Which of the episodes that were made were noticed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from bench.results import Measurement, Summary
from bench.workloads.episodes import Episode

_FULL = 1.0


@dataclass(frozen=True, slots=True)
class Noticed:
    """How many episodes there were, and the shares that were noticed by the peak and by the seconds full."""

    episodes: int
    peak: float
    full: float

    @classmethod
    def of(cls, episodes: Sequence[Episode]) -> Self:
        """Count them. Raises RuntimeError where there are none."""
        if not episodes:
            raise RuntimeError("no episode was observed")
        return cls(
            len(episodes),
            sum(episode.peak_ratio >= _FULL for episode in episodes) / len(episodes),
            sum(episode.full_seconds > 0.0 for episode in episodes) / len(episodes),
        )

    def measurements(self, table: str, workload: str) -> Iterator[Measurement]:
        """Yield a row for each of the shares."""
        for name, share in (("noticed by the peak", self.peak), ("noticed by the seconds full", self.full)):
            yield Measurement(table, workload, 0, name, "share", Summary.of([share]))

    def limited(self, prefix: str) -> tuple[tuple[str, Summary], ...]:
        """Return the shares by the names of their limits."""
        return (
            (f"{prefix}episodes_peak", Summary.of([self.peak])),
            (f"{prefix}episodes_full", Summary.of([self.full])),
        )
