"""How many connections are followed while they wait, for all network namespaces together."""

from __future__ import annotations

from typing import Final
from weakref import WeakSet

# What is known of one takes about half a kilobyte, and whoever listens may have 65,535 of them wait.
MAX_FOLLOWED: Final = 16384


class FollowedLimit:
    """Divides them among those who follow connections now. One thread uses it."""

    def __init__(self) -> None:
        """Know nobody yet."""
        self._following: WeakSet[object] = WeakSet()

    def share(self, who: object, queues: int) -> int:
        """Return how many connections `who` may follow in each of so many queues: at least one.

        With no queue it follows none, and leaves its part to the others.
        """
        if not queues:
            self._following.discard(who)
            return 0
        self._following.add(who)
        return max(1, MAX_FOLLOWED // len(self._following) // queues)
