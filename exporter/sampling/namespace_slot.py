"""One of the other namespaces, with the schedule by which it is sampled."""

from __future__ import annotations

from exporter.kernel.errors import KernelError
from exporter.kernel.netns.remote import RemoteNamespace
from exporter.sampling.clock import Clock
from exporter.sampling.namespace_sampler import NamespaceSampler
from exporter.sampling.schedule import Schedule
from exporter.sampling.source_runner import SourceRunner


class NamespaceSlot:
    """A namespace that is entered for its sources together, on `schedule`. Times are monotonic seconds."""

    def __init__(
        self, inode: int, remote: RemoteNamespace, sampler: NamespaceSampler, interval: float, clock: Clock
    ) -> None:
        """Start due at once; `interval` is the shortest time between two samples, in seconds."""
        self.inode = inode
        self.remote = remote
        self.sampler = sampler
        self.schedule = Schedule(interval)
        self._clock = clock
        self._due: list[SourceRunner] = []
        self._broker_seconds = 0.0

    def choose_due(self, now: float) -> set[str]:
        """Choose the sources to ask at `now`, and return the names of the files that they read."""
        # A source that is due before the middle between this slot and the next is asked now.
        self._due = self.sampler.due(now, self.schedule.interval_in_force / 2)
        self._broker_seconds = self.remote.broker_seconds
        return {name for runner in self._due for name in runner.file_names}

    def sample(self, now: float) -> list[SourceRunner]:
        """Ask the chosen sources, while the namespace is open, and return them."""
        used = self._clock.cpu()
        for runner in self._due:
            runner.run(now)
        in_broker = self.remote.broker_seconds - self._broker_seconds
        self.schedule.note_cost(self._clock.cpu() - used + in_broker)
        self.schedule.advance(now)
        return self._due

    def fail(self, error: KernelError) -> list[SourceRunner]:
        """Note that the chosen sources could not be asked, and return them."""
        for runner in self._due:
            runner.fail(error)
        return self._due

    def set_interval(self, interval: float) -> None:
        """Take another shortest time between two samples, in seconds."""
        if interval != self.schedule.interval:
            self.schedule.set_interval(interval)

    def limit_to(self, share: float) -> None:
        """Stretch the time between samples until they fit into `share` of one core."""
        self.schedule.limit_to(share)
        self.sampler.follow_slots(self.schedule.interval_in_force)

    def set_min_interval(self, seconds: float) -> None:
        """Sample every `seconds` from now on."""
        self.schedule.set_min_interval(seconds)
        self.sampler.follow_slots(self.schedule.interval_in_force)
