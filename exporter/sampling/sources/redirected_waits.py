"""Connections that TPROXY redirected to transparent listeners, and that wait there for accept.

They have the ports that their clients asked for, so that only a dump of all ports finds them. On a host with
200,000 connections that takes 250 ms of processor time (30 ms where those are of other cgroups than the
listener). One dump is enough while nothing is accepted (exporter.sampling.sources.known_waits), and where
connections are accepted dumps are limited as all walks are (exporter.sampling.walk_limit).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.records import WaitingConnection
from exporter.listeners.group import ListenerGroup
from exporter.sampling.clock import Clock
from exporter.sampling.listener_table import ListenerTable
from exporter.sampling.sources.followed_waits import FollowedWaits
from exporter.sampling.sources.known_waits import KnownWaits
from exporter.sampling.walk_limit import Claim, Need, WalkLimit

# The kernel counts the age of a connection in ticks of up to 10 ms.
_TICKS_SECONDS: Final = 0.05


class RedirectedWaits:
    """Finds the oldest redirected connection of transparent listeners in one namespace.

    `limited_seconds` is the processor time that the limit of walks accounts for, and `known` what was found.
    """

    def __init__(
        self,
        namespace: Namespace,
        table: ListenerTable,
        clock: Clock,
        walks: WalkLimit,
        followed: FollowedWaits,
    ) -> None:
        """Ask nothing yet; `clock` tells what a dump costs, and when it was."""
        self.limited_seconds = 0.0
        self._namespace = namespace
        self._table = table
        self._clock = clock
        self._walks = walks
        self.known = KnownWaits(namespace, followed)

    def oldest(self, now: float, groups: Collection[ListenerGroup]) -> dict[ListenerGroup, float]:
        """Return how long the oldest connection of each of these groups has waited, in seconds.

        A group is left out where none was found, where each may be one of another transparent listener, and
        where another dump is not allowed yet. `now` is in monotonic seconds. Raises KernelError.
        """
        asked_at = self._clock.monotonic()
        self.known.keep(groups, asked_at)
        found = self.known.oldest(groups, asked_at)
        if len(found) < len(groups) and self._walks.allows(self, Claim(Need.UNKNOWN), now):
            found = self._dump(now, groups)
        return found

    def _dump(self, now: float, groups: Collection[ListenerGroup]) -> dict[ListenerGroup, float]:
        """Find the connections of these groups, and how long the oldest of each has waited."""
        started = self._clock.cpu()
        try:
            connections = self._namespace.waiting_in(_cgroup_ids(groups))
        finally:
            seconds = self._clock.cpu() - started
            self.limited_seconds += seconds
            self._walks.note(seconds, now)
        found: dict[ListenerGroup, list[WaitingConnection]] = {}
        dumped_at = self._clock.monotonic()
        for connection in connections:
            candidates = self._candidates(connection, dumped_at)
            if len(candidates) == 1:
                found.setdefault(candidates.pop(), []).append(connection)
        others = {connection.cookie for connection in connections}
        oldest = {
            group: self.known.set(group, found.get(group, ()), dumped_at, {}, others) for group in groups
        }
        return {group: seconds for group, seconds in oldest.items() if seconds is not None}

    def _candidates(self, connection: WaitingConnection, dumped_at: float) -> set[ListenerGroup]:
        """Return the groups in whose queue a connection may be: it is not older than the queue."""
        matcher = self._table.matcher()
        if not connection.transparent or matcher.find_waiting(connection) is not None:
            return set()
        created_at = dumped_at - connection.seconds + _TICKS_SECONDS
        return {
            group
            for group in matcher.redirected(connection.local, connection.cgroup_id)
            if created_at >= self._table.seen_empty_at(group)
        }


def _cgroup_ids(groups: Collection[ListenerGroup]) -> set[int]:
    """Return the cgroups that the sockets of these groups were created in; none where one is not known."""
    found = {member.listener.cgroup_id for group in groups for member in group.members.values()}
    return set() if 0 in found else found
