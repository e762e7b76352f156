"""Sharing a budget of processor time among the sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class BudgetConsumer(Protocol):
    """Whoever uses processor time, and can be told to use less. Shares are of one core."""

    def requested_share(self) -> float:
        """Return the share that it would use at its own pace."""

    def limit_to(self, share: float) -> None:
        """Slow it down until it fits into a share."""


def share(wanted: Sequence[float], budget: float) -> list[float]:
    """Divide `budget` (a share of one core) fairly: who wants less than an equal part gets it all.

    What they leave goes to the others in equal parts, so one costly source slows itself down and
    not its neighbours (max-min fairness).
    """
    given = [0.0] * len(wanted)
    left = budget
    waiting = sorted(range(len(wanted)), key=lambda index: wanted[index])
    while waiting:
        equal = left / len(waiting)
        index = waiting.pop(0)
        given[index] = min(wanted[index], equal)
        left -= given[index]
    return given
