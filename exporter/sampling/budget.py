"""Sharing a budget of processor time among those who use it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class BudgetConsumer(Protocol):
    """A user of processor time that can be told to use less. Shares are of one core."""

    def requested_share(self) -> float:
        """Return the share that it would use if the budget did not bind."""

    def least_share(self) -> float:
        """Return the share that it uses however little it is given."""

    def limit_to(self, share: float, now: float) -> None:
        """Slow it down until it fits into a share; `now` is in monotonic seconds."""


class AtMost:
    """A consumer that asks for no more than a share."""

    def __init__(self, consumer: BudgetConsumer, share: float) -> None:
        self._consumer = consumer
        self._share = share

    def requested_share(self) -> float:
        """Return what the consumer would use, or the share."""
        return min(self._consumer.requested_share(), self._share)

    def least_share(self) -> float:
        """Return what it uses however little it is given, or the share."""
        return min(self._consumer.least_share(), self._share)

    def limit_to(self, share: float, now: float) -> None:
        """Slow the consumer down."""
        self._consumer.limit_to(share, now)


def divide(requested: Sequence[float], budget: float, least: Sequence[float] = ()) -> list[float]:
    """Divide `budget` (a share of one core) by max-min fairness, in the order of `requested`.

    A request below an equal part is granted in full, and what it leaves goes to the others in equal parts:
    one costly source slows itself down and none of the others. None gets less than its part of `least`, which
    comes first, be it more than the budget.
    """
    floors = list(least) or [0.0] * len(requested)
    ceilings = [max(request, floor) for request, floor in zip(requested, floors, strict=True)]
    # The equal part grows from 0: from its floor to its ceiling each consumer takes part in that.
    level, growing, left = 0.0, 0, budget - sum(floors)
    for value, change in sorted([*((each, 1) for each in floors), *((each, -1) for each in ceilings)]):
        grown = (value - level) * growing
        if grown > left:
            break
        level, growing, left = value, growing + change, left - grown
    if left > 0 and growing:
        level += left / growing
    return [min(max(level, floor), ceiling) for floor, ceiling in zip(floors, ceilings, strict=True)]


def limit_all(consumers: Sequence[BudgetConsumer], budget: float, now: float) -> None:
    """Divide `budget` (a share of one core) among these, and limit each to its part."""
    requested = [consumer.requested_share() for consumer in consumers]
    parts = divide(requested, budget, [consumer.least_share() for consumer in consumers])
    for consumer, part in zip(consumers, parts, strict=True):
        consumer.limit_to(part, now)
