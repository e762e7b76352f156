"""The listeners of one namespace and family, by socket and by key, with those that closed lately."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from exporter.kernel.records import Changes, Listener
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import ListenerKey, key_of

# A service that restarts within this time continues its counters.
REMEMBER_SECONDS: Final = 300.0
# The most closed listeners that are kept: a program may listen on a new port again and again.
MAX_CLOSED: Final = 4096


class ListenerRegistry:
    """The groups of one namespace and protocol."""

    def __init__(self, netns: str, protocol: str) -> None:
        self._netns = netns
        self._protocol = protocol
        self._groups: dict[ListenerKey, ListenerGroup] = {}
        self._by_cookie: dict[int, ListenerGroup] = {}
        # When the groups without a socket lost their last one. The oldest is first, since a group that opens
        # again is removed.
        self._closed_at: dict[ListenerKey, float] = {}

    def apply(self, changes: Changes, now: float) -> list[ListenerGroup]:
        """Take what a sample changed (`now` in monotonic seconds) and return the groups that it concerns."""
        changed: dict[ListenerGroup, None] = {}
        for cookie in changes.closed:
            group = self._by_cookie.pop(cookie)
            group.close(cookie)
            changed[group] = None
        for listener, reading in changes.opened:
            group = self._group(key_of(listener, self._netns, self._protocol))
            group.open(listener, reading)
            self._by_cookie[listener.cookie] = group
            changed[group] = None
        for reading in changes.updated:
            group = self._by_cookie[reading.cookie]
            group.update(reading)
            changed[group] = None
        if changes.closed or changes.opened:
            self._note_closed(changed, now)
        return list(changed)

    def expire(self, now: float) -> list[ListenerGroup]:
        """Remove the groups that closed REMEMBER_SECONDS ago, and the oldest of too many, and return them."""
        expired = []
        while self._closed_at:
            key, closed_at = next(iter(self._closed_at.items()))
            if now - closed_at <= REMEMBER_SECONDS and len(self._closed_at) <= MAX_CLOSED:
                break
            del self._closed_at[key]
            expired.append(self._groups.pop(key))
        return expired

    def listeners(self) -> Iterator[tuple[Listener, ListenerGroup]]:
        """Iterate over the sockets, each with its group."""
        return ((group.members[cookie].listener, group) for cookie, group in self._by_cookie.items())

    def _group(self, key: ListenerKey) -> ListenerGroup:
        if key not in self._groups:
            self._groups[key] = ListenerGroup(key)
        return self._groups[key]

    def _note_closed(self, groups: Iterable[ListenerGroup], now: float) -> None:
        for group in groups:
            if group.members:
                self._closed_at.pop(group.key, None)
            else:
                self._closed_at[group.key] = now
