"""Connections that wait for accept at the ports of their listeners."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.records import WaitingConnection
from exporter.listeners.group import ListenerGroup
from exporter.sampling.clock import Clock
from exporter.sampling.listener_table import ListenerTable
from exporter.sampling.sources.followed_waits import FollowedWaits
from exporter.sampling.sources.known_waits import KnownWaits
from exporter.sampling.walk_limit import Claim, CostEstimate, Need, WalkLimit


class PortWaits:
    """Finds the oldest connection at the ports of listeners in one namespace.

    That takes a walk. Where one costs more than every namespace can afford, those that were found are looked
    up until another walk is allowed. `limited_seconds` is the processor time that the limit accounts for.
    `known` is what was found.
    """

    def __init__(
        self,
        namespace: Namespace,
        table: ListenerTable,
        clock: Clock,
        walks: WalkLimit,
        followed: FollowedWaits,
    ) -> None:
        """Ask nothing yet; `clock` tells what a walk costs, and when it was."""
        self.limited_seconds = 0.0
        self._namespace = namespace
        self._table = table
        self._clock = clock
        self._walks = walks
        self._cost = CostEstimate()
        self.known = KnownWaits(namespace, followed)

    def oldest(
        self, now: float, groups: Collection[ListenerGroup]
    ) -> tuple[dict[ListenerGroup, float], Mapping[ListenerGroup, int]]:
        """Return how long the oldest connection of each of these groups has waited, in seconds, and how many.

        A group is left out where none was found, or another walk is not allowed yet. Raises KernelError.
        """
        costs = (self._cost.confirmed, self._walks.cost.latest)
        limited = not all(self._walks.affordable(cost) for cost in costs)
        asked_at = self._clock.monotonic()
        self.known.keep(groups, asked_at)
        seconds = self.known.oldest(groups, asked_at) if limited else {}
        if len(seconds) < len(groups) and (not limited or self._walks.allows(self, Claim(Need.UNKNOWN), now)):
            seconds = self._walk(now, groups, limited=limited)
        return seconds, {group: self.known.count(group) for group in groups}

    def _walk(
        self, now: float, groups: Collection[ListenerGroup], *, limited: bool
    ) -> dict[ListenerGroup, float]:
        """Find the connections of these groups, and how long the oldest of each has waited."""
        known = self.known.cookies()
        started, walked_at = self._clock.cpu(), self._clock.monotonic()
        try:
            dump = self._namespace.waiting_at({int(group.key.port) for group in groups}, known)
        finally:
            seconds = self._clock.cpu() - started
            self._cost.measured(seconds, now)
            if limited:
                self.limited_seconds += seconds
                self._walks.note(seconds, now)
        found: defaultdict[ListenerGroup, list[WaitingConnection]] = defaultdict(list)
        matcher = self._table.matcher()
        for connection in dump.found:
            group = matcher.find_waiting(connection)
            if group is not None:
                found[group].append(connection)
        # At the same ports may be other groups, whose queues were empty when they were sampled last.
        oldest = {
            group: self.known.set(group, found.get(group, ()), walked_at, dump.still) for group in groups
        }
        return {group: seconds for group, seconds in oldest.items() if seconds is not None}
