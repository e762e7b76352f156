"""How often the exporter's own network namespace is sampled, beside others."""

from __future__ import annotations

from collections.abc import Collection

from exporter.listeners.group import ListenerGroup
from exporter.sampling.namespace_sampler import NamespaceSampler
from exporter.sampling.namespace_slot import QUIET_SECONDS
from exporter.sampling.source_runner import SourceRunner


class OwnNamespace:
    """Has it sampled at the full rate while connections wait, and else as often as quiet namespaces.

    `sampler` is that of the namespace. Times are monotonic seconds.
    """

    def __init__(self, sampler: NamespaceSampler, exporters: Collection[int], now: float) -> None:
        """Take the inodes of the sockets of the exporter, in whose queues each scrape may be seen."""
        self.sampler = sampler
        self._exporters = exporters
        self._last_waiting_at = now - QUIET_SECONDS
        # Whether it is sampled as quiet namespaces are.
        self._slowed = False

    def look_for_waiting(self, now: float) -> None:
        """Have it sampled at the full rate from the sample on that sees a connection in a queue."""
        if all(map(self._is_exporters, self.sampler.table.waiting())):
            return
        self._last_waiting_at = now
        if self._slowed:
            self.follow(None)
            for runner in self.sampler.runners:
                runner.set_min_interval(0.0, now)

    def _is_exporters(self, group: ListenerGroup) -> bool:
        """Tell whether all sockets of a group are the exporter's: another process may listen beside it."""
        return all(member.listener.inode in self._exporters for member in group.members.values())

    def quiet(self, now: float) -> bool:
        """Tell whether its queues have been empty for a minute."""
        return now - self._last_waiting_at >= QUIET_SECONDS

    def follow(self, quiet_interval: float | None) -> list[SourceRunner]:
        """Let it be sampled no more often than every so many seconds, as quiet namespaces are; None to end.

        Returns the sources that then run together with those of quiet namespaces.
        """
        self._slowed = quiet_interval is not None
        for runner in self.sampler.runners:
            if not runner.every_slot:
                runner.slow_down(quiet_interval or None)
        return [runner for runner in self.sampler.runners if self._slowed and runner.every_slot]
