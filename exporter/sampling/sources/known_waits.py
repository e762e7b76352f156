"""Connections that wait for accept: what dumps have found, and what became of it.

Connections of one socket are accepted in the order in which they came, so the oldest that was found stays the
oldest as long as it waits, and what came after one that waits still waits too. To look one up takes
microseconds, however many connections the host has.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.records import WaitingConnection
from exporter.listeners.group import ListenerGroup
from exporter.sampling.history.timeline import STALE_SECONDS
from exporter.sampling.sources.followed_waits import FollowedWaits

# In a group of several sockets each connection has to be looked up: no more than so many of the oldest are.
_MAX_LOOKUPS: Final = 20


@dataclass(slots=True)
class _Queue:
    """What waits at a listener: the oldest first, without those that are known to wait no longer.

    `count` includes those for which there was no place. The ages are those at `found_at`, and at `seen_at`
    all of them still waited; in monotonic seconds. `sockets` are the cookies that the group had then.
    """

    waiting: Sequence[WaitingConnection]
    count: int
    sockets: Collection[int]
    found_at: float
    seen_at: float


class KnownWaits:
    """What waits at listeners of one namespace, as far as it is known. Times are monotonic seconds.

    How long those had waited that wait no longer goes to `followed`. That is known to half of the time from
    when they were seen last until they were missed.
    """

    def __init__(self, namespace: Namespace, followed: FollowedWaits) -> None:
        """Know none yet."""
        self._namespace = namespace
        self._followed = followed
        self._places = 0
        self._known: dict[ListenerGroup, _Queue] = {}

    def __bool__(self) -> bool:
        """Tell whether anything is known to wait."""
        return bool(self._known)

    def forget(self) -> None:
        """Know none any more, and not how long they waited."""
        self._known.clear()
        self._followed.limit.places(self, 0)

    def keep(self, groups: Collection[ListenerGroup], now: float) -> None:
        """Take that nothing waits at other listeners."""
        self._places = self._followed.limit.places(self, len(groups))
        for group in self._known.keys() - set(groups):
            queue = self._known.pop(group)
            self._end(group, queue, queue.waiting, now)

    def set(
        self,
        group: ListenerGroup,
        found: Collection[WaitingConnection],
        now: float,
        present: Collection[int] | None = None,
    ) -> None:
        """Take what a dump at `now` has found at a listener.

        `present` are the cookies of all that wait, whichever listener they belong to.
        """
        before = self._known.pop(group, None)
        if before is not None:
            still = {each.cookie for each in found} if present is None else present
            self._end(group, before, [each for each in before.waiting if each.cookie not in still], now)
        if found:
            oldest_first = sorted(found, key=lambda connection: -connection.seconds)
            sockets = frozenset(group.members)
            self._known[group] = _Queue(oldest_first[: self._places], len(found), sockets, now, now)

    def count(self, group: ListenerGroup) -> int:
        """Return how many are known at a listener."""
        queue = self._known.get(group)
        return 0 if queue is None else queue.count

    def oldest(self, groups: Collection[ListenerGroup], now: float) -> dict[ListenerGroup, float]:
        """Look up how long the oldest connection of each of these has waited, in seconds.

        Those where none is known any more are left out. Raises KernelError.
        """
        found: dict[ListenerGroup, float] = {}
        for group in groups:
            queue = self._known.get(group)
            if queue is not None and (connection := self._look_up(group, queue, now)) is not None:
                found[group] = connection.seconds
        return found

    def _look_up(self, group: ListenerGroup, queue: _Queue, now: float) -> WaitingConnection | None:
        """Find out which have left a queue since they were seen last, and return the oldest of the others."""
        if len(queue.sockets) > 1:
            oldest, gone, waiting = self._each(queue.waiting[:_MAX_LOOKUPS])
        else:
            oldest, gone, waiting = self._in_order(queue.waiting)
        self._end(group, queue, gone, now)
        if waiting:
            queue.waiting, queue.seen_at = waiting, now
            queue.count -= len(gone)
        else:
            del self._known[group]
        return oldest

    def _each(
        self, connections: Sequence[WaitingConnection]
    ) -> tuple[WaitingConnection | None, Sequence[WaitingConnection], Sequence[WaitingConnection]]:
        """Return the oldest as it is now, those that are gone and those that are not."""
        now = [(each, self._namespace.still_waiting(each)) for each in connections]
        oldest = next((found for _, found in now if found is not None), None)
        return (
            oldest,
            [each for each, found in now if found is None],
            [each for each, found in now if found is not None],
        )

    def _in_order(
        self, connections: Sequence[WaitingConnection]
    ) -> tuple[WaitingConnection | None, Sequence[WaitingConnection], Sequence[WaitingConnection]]:
        """Return the same of one socket, in whose queue those before one that is gone are gone too.

        One that was reset is gone before its turn. Where the search meets it, those before it seem to be
        gone; another dump corrects the oldest.
        """
        look_up = self._namespace.still_waiting
        oldest = look_up(connections[0])
        if oldest is not None:
            return oldest, (), connections
        first = bisect_left(connections, 1, lo=1, key=lambda each: int(look_up(each) is not None))
        if first < len(connections):
            oldest = look_up(connections[first])
        return oldest, connections[:first], connections[first:]

    def _end(
        self, group: ListenerGroup, queue: _Queue, gone: Iterable[WaitingConnection], now: float
    ) -> None:
        """Take that these have left a queue since they were seen last; after a long gap nothing is known."""
        if now - queue.seen_at <= STALE_SECONDS:
            waited_on = (queue.seen_at + now) / 2 - queue.found_at
            waits = [connection.seconds + waited_on for connection in gone]
            if waits:
                self._followed.add(group, queue.sockets, waits)
