"""A namespace that waits for its turn among many: when it comes, and what it costs."""

from __future__ import annotations

import time
from collections.abc import Collection
from math import ceil
from typing import Final

from exporter.kernel.errors import KernelError
from exporter.kernel.netns.remote import RemoteNamespace
from exporter.kernel.procfs.counters import COUNTER_FILES
from exporter.sampling.namespace import NamespaceSampler
from exporter.sampling.source import Source

# How much one more visit moves the running average of what a visit costs.
_WEIGHT: Final = 0.2
# The most that one visit counts for, in times of the average. Now and then one pays for others, as when
# garbage is collected in it, and who is slowed down for that would hardly be visited again to put it right.
_MOST_TIMES: Final = 4
_ROUNDING: Final = 1e-9
_FILES: Final[dict[str, Collection[str]]] = {"netstat": COUNTER_FILES, "syn_recv": ("net/snmp",)}


class NamespaceSlot:
    """One of the other namespaces. Times are monotonic seconds, costs are seconds of processor time."""

    def __init__(
        self, inode: int, remote: RemoteNamespace, sampler: NamespaceSampler, interval: float
    ) -> None:
        """Start due at once; `interval` is the shortest time between two visits."""
        self.inode = inode
        self.remote = remote
        self.sampler = sampler
        self.interval = interval
        self.interval_in_force = interval
        self.due = float("-inf")
        self.cost = 0.0
        self._asked: list[Source] = []
        self._broker_seconds = 0.0
        self._visits = 0

    def files(self, now: float) -> set[str]:
        """Return the files that a visit at `now` is going to read."""
        self._asked = self.sampler.due(now, self.interval_in_force)
        self._broker_seconds = self.remote.broker_seconds
        return {name for source in self._asked for name in _FILES.get(source.name, ())}

    def sample(self, now: float) -> list[Source]:
        """Ask the sources that are due, while the namespace is open, and return them."""
        used = time.thread_time()
        for source in self._asked:
            source.run(now)
        cost = time.thread_time() - used + self.remote.broker_seconds - self._broker_seconds
        self._note(cost)
        return self._asked

    def fail(self, error: KernelError) -> list[Source]:
        """Note that the sources that are due could not be asked, and return them."""
        for source in self._asked:
            source.fail(error)
        return self._asked

    def set_interval(self, interval: float) -> None:
        """Take another shortest time between two visits."""
        if interval != self.interval:
            self.interval = self.interval_in_force = interval
            self.due = float("-inf")

    def next(self, now: float) -> None:
        """Set the next visit; one that is late is not caught up."""
        self.due = max(self.due + self.interval_in_force, now + self.interval_in_force / 2)

    def requested_share(self) -> float:
        """Return the share of a core that this namespace would use at its own interval."""
        return self.cost / self.interval

    def limit_to(self, share: float) -> None:
        """Stretch the time between visits until they fit into `share` of a core."""
        wanted = self.requested_share()
        # A share that is but a rounding error short will do.
        beats = 1 if wanted <= share else ceil(wanted / share - _ROUNDING)
        self._wait(self.interval * beats)

    def set_max_wait(self, seconds: float) -> None:
        """Shorten the time between two visits to this."""
        if self.interval_in_force > seconds:
            self._wait(seconds)

    def set_min_wait(self, seconds: float) -> None:
        """Stretch the time between two visits to this."""
        if self.interval_in_force < seconds:
            self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        self.interval_in_force = seconds
        self.sampler.set_min_interval(seconds)

    def _note(self, cost: float) -> None:
        # The first one pays for what later ones have ready.
        self._visits += 1
        if self._visits > 1:
            cost = min(cost, self.cost * _MOST_TIMES) if self.cost else cost
            self.cost = self.cost + _WEIGHT * (cost - self.cost) if self.cost else cost
