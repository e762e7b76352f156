"""Connections that wait for accept at the ports of their listeners."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.records import WaitingConnection
from exporter.listeners.group import ListenerGroup
from exporter.sampling.clock import Clock
from exporter.sampling.listener_table import ListenerTable
from exporter.sampling.sources.known_waits import KnownWaits
from exporter.sampling.walk_limit import Claim, CostEstimate, Need, WalkLimit


class PortWaits:
    """Finds the oldest connection at the ports of listeners in one namespace.

    That takes a walk. Where one costs more than every namespace can afford, those that were found are looked
    up until another walk is allowed. `limited_seconds` is the processor time that the limit accounts for.
    """

    def __init__(self, namespace: Namespace, table: ListenerTable, clock: Clock, walks: WalkLimit) -> None:
        """Ask nothing yet; `clock` tells what a walk costs."""
        self.limited_seconds = 0.0
        self._namespace = namespace
        self._table = table
        self._clock = clock
        self._walks = walks
        self._cost = CostEstimate()
        self._known = KnownWaits(namespace)

    def oldest(
        self, now: float, groups: Collection[ListenerGroup]
    ) -> tuple[dict[ListenerGroup, float], Mapping[ListenerGroup, int]]:
        """Return how long the oldest connection of each of these groups has waited, in seconds, and how many.

        A group is left out where none was found, or another walk is not allowed yet. Raises KernelError.
        """
        costs = (self._cost.confirmed, self._walks.cost.latest)
        limited = not all(self._walks.affordable(cost) for cost in costs)
        self._known.keep(groups if limited else ())
        seconds = self._known.oldest(groups)
        if not limited or (len(seconds) < len(groups) and self._walks.allows(self, Claim(Need.UNKNOWN), now)):
            found = self._walk(now, groups, limited=limited)
            for group, waiting in found.items():
                self._known.set(group, waiting)
            seconds = {
                group: max(connection.seconds for connection in waiting) for group, waiting in found.items()
            }
        return seconds, {group: self._known.count(group) for group in groups}

    def _walk(
        self, now: float, groups: Collection[ListenerGroup], *, limited: bool
    ) -> dict[ListenerGroup, list[WaitingConnection]]:
        started = self._clock.cpu()
        try:
            connections = self._namespace.waiting_at({int(group.key.port) for group in groups})
        finally:
            seconds = self._clock.cpu() - started
            self._cost.measured(seconds, now)
            if limited:
                self.limited_seconds += seconds
                self._walks.note(seconds, now)
        found: defaultdict[ListenerGroup, list[WaitingConnection]] = defaultdict(list)
        matcher = self._table.matcher()
        for connection in connections:
            group = matcher.find_waiting(connection)
            if group is not None:
                found[group].append(connection)
        return found
