"""Connections that wait for accept: what dumps have found, and what became of it.

Connections of one socket are accepted in the order in which they came, so the oldest that was found stays the
oldest as long as it waits, and what came after one that waits still waits too. To look one up takes
microseconds, however many connections the host has.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, NamedTuple

from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.records import WaitingConnection
from exporter.listeners.group import ListenerGroup
from exporter.sampling.history.timeline import STALE_SECONDS
from exporter.sampling.sources.followed_waits import FollowedWaits

# In a group of several sockets each connection has to be looked up: no more than so many of the oldest are.
_MAX_LOOKUPS: Final = 20
_created_at: Final = attrgetter("created_at")
# When connections came is told in ticks of up to 10 ms, and a dump takes a while: of those that came so close
# to each other it is not known which one was first.
_TOGETHER_SECONDS: Final = 0.05


class First(NamedTuple):
    """The cookies of the connections that came first of those that waited at `seen_at`."""

    cookies: Collection[int]
    seen_at: float


class _Entry(NamedTuple):
    """A connection that was found, and when it was created."""

    created_at: float
    connection: WaitingConnection


_Entries = Sequence[_Entry]


@dataclass(slots=True)
class _Queue:
    """What waits at a listener: the oldest first, without those that are known to wait no longer.

    `count` includes those for which there was no place. All still waited at `seen_at`. `sockets` are the
    cookies that the group had then.
    """

    waiting: _Entries
    count: int
    sockets: Collection[int]
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
        self._share = 0
        self._known: dict[ListenerGroup, _Queue] = {}

    def __bool__(self) -> bool:
        """Tell whether anything is known to wait."""
        return bool(self._known)

    def forget(self) -> None:
        """Know none any more, and not how long they waited."""
        self._known.clear()
        self._followed.limit.share(self, 0)

    def keep(self, groups: Collection[ListenerGroup], now: float) -> None:
        """Take that nothing waits at other listeners."""
        self._share = self._followed.limit.share(self, len(groups))
        for group in self._known.keys() - set(groups):
            queue = self._known.pop(group)
            self._end(group, queue, queue.waiting, now)

    def set(
        self,
        group: ListenerGroup,
        found: Collection[WaitingConnection],
        now: float,
        still: Mapping[int, float],
        others: Collection[int] = frozenset(),
    ) -> float | None:
        """Take what a dump at `now` has found at a listener, and return how long the oldest has waited.

        `still` tells how long those have waited that were known, in seconds. One in `others`, which are
        cookies, waits too, but not certainly here. None waits where the result is None.
        """
        before = self._known.pop(group, None)
        kept: list[_Entry] = []
        if before is not None:
            kept = [each for each in before.waiting if each.connection.cookie in still]
            gone = [
                each
                for each in before.waiting
                if each.connection.cookie not in still and each.connection.cookie not in others
            ]
            self._end(group, before, gone, now)
        waiting = sorted((*kept, *(_Entry(now - each.seconds, each) for each in found)), key=_created_at)
        if not waiting:
            return None
        followed = waiting[: self._share]
        self._known[group] = _Queue(followed, len(waiting), frozenset(group.members), now)
        oldest = waiting[0].connection
        return still.get(oldest.cookie, oldest.seconds)

    def cookies(self) -> Collection[int]:
        """Return those of all that are known."""
        return {each.connection.cookie for queue in self._known.values() for each in queue.waiting}

    def count(self, group: ListenerGroup) -> int:
        """Return how many are known at a listener."""
        queue = self._known.get(group)
        return 0 if queue is None else queue.count

    def connections(self, group: ListenerGroup) -> list[WaitingConnection]:
        """Return those that are known at a listener, without those for which there was no place."""
        queue = self._known.get(group)
        return [] if queue is None else [each.connection for each in queue.waiting]

    def first(self, group: ListenerGroup) -> First | None:
        """Return those that came first of what waits at a listener; None where none is known."""
        queue = self._known.get(group)
        if queue is None:
            return None
        together = queue.waiting[0].created_at + _TOGETHER_SECONDS
        end = bisect_right(queue.waiting, together, key=_created_at)
        return First(frozenset(each.connection.cookie for each in queue.waiting[:end]), queue.seen_at)

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

    def _each(self, waiting: _Entries) -> tuple[WaitingConnection | None, _Entries, _Entries]:
        """Return the oldest as it is now, those that are gone and those that are not."""
        now = [(each, self._namespace.still_waiting(each.connection)) for each in waiting]
        oldest = next((found for _, found in now if found is not None), None)
        return (
            oldest,
            [each for each, found in now if found is None],
            [each for each, found in now if found is not None],
        )

    def _in_order(self, waiting: _Entries) -> tuple[WaitingConnection | None, _Entries, _Entries]:
        """Return the same of one socket, in whose queue those before one that is gone are gone too.

        One that was reset is gone before its turn. Where the search meets it, those before it seem to be
        gone; another dump corrects the oldest.
        """
        look_up = self._namespace.still_waiting
        oldest = look_up(waiting[0].connection)
        if oldest is not None:
            return oldest, (), waiting
        first = bisect_left(waiting, 1, lo=1, key=lambda each: int(look_up(each.connection) is not None))
        if first < len(waiting):
            oldest = look_up(waiting[first].connection)
        return oldest, waiting[:first], waiting[first:]

    def _end(self, group: ListenerGroup, queue: _Queue, gone: Iterable[_Entry], now: float) -> None:
        """Take that these have left a queue since they were seen last; after a long gap nothing is known."""
        if now - queue.seen_at <= STALE_SECONDS:
            left_at = (queue.seen_at + now) / 2
            waits = [left_at - each.created_at for each in gone]
            if waits:
                self._followed.add(group, queue.sockets, waits)
