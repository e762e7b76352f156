"""Connections that wait for accept and were found by a walk, looked up one by one afterwards.

Connections are accepted in the order in which they came, so the oldest that was found stays the oldest as
long as it waits. To look one up takes microseconds, however many connections the host has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from typing import Final

from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.records import WaitingConnection
from exporter.listeners.group import ListenerGroup

# Where so many in a row wait no longer, the next may be far behind.
_MAX_LOOKUPS: Final = 20


class KnownWaits:
    """What waits at listeners of one namespace, as far as it is known."""

    def __init__(self, namespace: Namespace) -> None:
        """Know none yet."""
        self._namespace = namespace
        # The oldest first, without those that are known to wait no longer.
        self._known: dict[ListenerGroup, deque[WaitingConnection]] = {}

    def keep(self, groups: Collection[ListenerGroup]) -> None:
        """Forget what waited at other listeners."""
        self._known = {group: known for group, known in self._known.items() if group in groups}

    def set(self, group: ListenerGroup, found: Iterable[WaitingConnection]) -> None:
        """Take what a walk has found at a listener."""
        self._known[group] = deque(sorted(found, key=lambda connection: -connection.seconds))

    def count(self, group: ListenerGroup) -> int:
        """Return how many are known at a listener."""
        return len(self._known.get(group, ()))

    def oldest(self, groups: Collection[ListenerGroup]) -> dict[ListenerGroup, float]:
        """Return how long the oldest connection of each of these has waited, in seconds.

        Those where none is known any more are left out. Raises KernelError.
        """
        return {group: seconds for group in groups if (seconds := self._oldest(group)) is not None}

    def _oldest(self, group: ListenerGroup) -> float | None:
        known = self._known.get(group, deque())
        for _ in range(min(len(known), _MAX_LOOKUPS)):
            waiting = self._namespace.still_waiting(known[0])
            if waiting is not None:
                return waiting.seconds
            known.popleft()
        known.clear()
        return None
