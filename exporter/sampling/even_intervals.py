"""How often several things run that are to run equally often, within one share of the processor."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_low
from typing import Final

from exporter.sampling.budget import divide
from exporter.sampling.schedule import fitting_interval

# What costs more than so many times as much as most is not let slow down the others.
_COSTLY_MULTIPLE: Final = 4


def even_intervals(costs: Sequence[float], interval: float, share: float) -> list[float]:
    """Return the seconds between two runs of each, in the order of `costs` (processor seconds of one run).

    Most run at one interval, a whole multiple of `interval`, so that they run together and wake the thread
    once. What costs much more than most runs more seldom, and what its equal part of `share` (of one core)
    lets run twice as often does.
    """
    if not costs:
        return []
    parts = divide([cost / interval for cost in costs], share)
    alone = [fitting_interval(cost, interval, part) for cost, part in zip(costs, parts, strict=True)]
    costly = median_low(costs) * _COSTLY_MULTIPLE
    usual = [index for index, cost in enumerate(costs) if cost <= costly]
    together = _together(usual, costs, parts, interval)
    usual = [index for index in usual if alone[index] * 2 > together]
    together = _together(usual, costs, parts, interval) if usual else together
    for index in usual:
        alone[index] = together
    return alone


def _together(
    indices: Sequence[int], costs: Sequence[float], parts: Sequence[float], interval: float
) -> float:
    """Return the interval at which these fit into their parts together."""
    cost, part = sum(costs[index] for index in indices), sum(parts[index] for index in indices)
    return fitting_interval(cost, interval, part)
