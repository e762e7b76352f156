"""Sharing a budget of processor time among those who use it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class BudgetConsumer(Protocol):
    """A user of processor time that can be told to use less. Shares are of one core."""

    def requested_share(self) -> float:
        """Return the share that it would use if the budget did not bind."""

    def limit_to(self, share: float) -> None:
        """Slow it down until it fits into a share."""


def divide(requested: Sequence[float], budget: float) -> list[float]:
    """Divide `budget` (a share of one core) by max-min fairness, in the order of `requested`.

    A request below an equal part is granted in full, and what it leaves goes to the others in equal parts:
    one costly source slows itself down and none of the others.
    """
    granted = [0.0] * len(requested)
    left = budget
    waiting = sorted(range(len(requested)), key=lambda index: requested[index])
    while waiting:
        equal_part = left / len(waiting)
        index = waiting.pop(0)
        granted[index] = min(requested[index], equal_part)
        left -= granted[index]
    return granted


def limit_all(consumers: Sequence[BudgetConsumer], budget: float) -> None:
    """Divide `budget` (a share of one core) among these, and limit each to its part."""
    parts = divide([consumer.requested_share() for consumer in consumers], budget)
    for consumer, part in zip(consumers, parts, strict=True):
        consumer.limit_to(part)
