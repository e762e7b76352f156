"""Which groups of listeners have connections in their accept queues."""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain

from exporter.kernel.family import FAMILIES, SocketFamily, family_of
from exporter.listeners.group import ListenerGroup


class NonemptyQueues:
    """The groups in whose accept queues connections wait, by family."""

    def __init__(self) -> None:
        # When the accept queue of each was seen empty last, in monotonic seconds.
        self._seen_empty_at: dict[SocketFamily, dict[ListenerGroup, float]] = {
            family: {} for family in FAMILIES
        }

    def of_all(self) -> list[ListenerGroup]:
        """Return those of every family."""
        return list(chain.from_iterable(self._seen_empty_at.values()))

    def of(self, family: SocketFamily) -> Collection[ListenerGroup]:
        """Return those of a family."""
        return self._seen_empty_at[family].keys()

    def note(self, group: ListenerGroup, empty_at: float) -> None:
        """Take the length of a group's queue, which was seen empty at `empty_at` if it was empty before."""
        groups = self._seen_empty_at[family_of(group.key.protocol)]
        if group.length:
            groups.setdefault(group, empty_at)
        else:
            groups.pop(group, None)

    def seen_empty_at(self, group: ListenerGroup, default: float) -> float:
        """Return when the queue of a group was seen empty last, in monotonic seconds."""
        return self._seen_empty_at[family_of(group.key.protocol)].get(group, default)
