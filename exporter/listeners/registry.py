"""Every listener of a namespace, by socket and by name, with those that left not long ago."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from exporter.kernel.records import Changes, Listener
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import ListenerKey, key_of

# A service that restarts within this time goes on with its counters.
REMEMBER_SECONDS = 300.0
# So many that left are remembered at most: a program that listens on a new port each time
# must not fill the memory.
REMEMBER_GROUPS = 4096


class ListenerRegistry:
    """The groups of one namespace and protocol."""

    def __init__(self, netns: str, protocol: str) -> None:
        self._netns = netns
        self._protocol = protocol
        self._groups: dict[ListenerKey, ListenerGroup] = {}
        self._by_cookie: dict[int, ListenerGroup] = {}
        # In the order of their leaving: who comes back is taken out, so who leaves is always new here.
        self._left: dict[ListenerKey, float] = {}

    def apply(self, changes: Changes, now: float) -> list[ListenerGroup]:
        """Fold in what a sample changed (`now` in monotonic seconds) and return the groups it touched."""
        touched: dict[ListenerGroup, None] = {}
        for cookie in changes.closed:
            group = self._by_cookie.pop(cookie)
            group.close(cookie)
            touched[group] = None
        for listener, reading in changes.opened:
            group = self._group(key_of(listener, self._netns, self._protocol))
            group.open(listener, reading)
            self._by_cookie[listener.cookie] = group
            touched[group] = None
        for reading in changes.updated:
            group = self._by_cookie[reading.cookie]
            group.move(reading)
            touched[group] = None
        if changes.closed or changes.opened:
            self._note_departures(touched, now)
        return list(touched)

    def expire(self, now: float) -> list[ListenerGroup]:
        """Drop the groups that left long ago, and the oldest of too many, and return them."""
        dropped = []
        while self._left:
            key, left = next(iter(self._left.items()))
            if now - left <= REMEMBER_SECONDS and len(self._left) <= REMEMBER_GROUPS:
                break
            del self._left[key]
            dropped.append(self._groups.pop(key))
        return dropped

    def listeners(self) -> Iterator[tuple[Listener, ListenerGroup]]:
        """Iterate over the sockets, each with its group."""
        return ((group.members[cookie].listener, group) for cookie, group in self._by_cookie.items())

    def _group(self, key: ListenerKey) -> ListenerGroup:
        if key not in self._groups:
            self._groups[key] = ListenerGroup(key)
        return self._groups[key]

    def _note_departures(self, touched: Iterable[ListenerGroup], now: float) -> None:
        for group in touched:
            if group.members:
                self._left.pop(group.key, None)
            else:
                self._left[group.key] = now
