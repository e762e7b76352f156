"""A histogram as Prometheus has it."""

from __future__ import annotations

from typing import NamedTuple


class Histogram(NamedTuple):
    """Observations at or below each bound (the last counts all), and the sum of the observed values."""

    cumulative_counts: tuple[int, ...]
    sum: float
