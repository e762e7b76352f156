"""Which of the other network namespaces is sampled when.

The one whose slot has been due for longest comes first. A namespace that costs more than its part of the
budget is sampled less often, and keeps none of the others waiting.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from exporter.config.model import Config
from exporter.kernel.errors import KernelError, NamespaceGoneError, NamespaceReplacedError
from exporter.kernel.netns.access import NamespaceAccess
from exporter.kernel.netns.discovery import NamespaceRef
from exporter.kernel.netns.namespace import HOST
from exporter.sampling.budget import limit_all
from exporter.sampling.environment import Environment
from exporter.sampling.namespace_sampler import NamespaceSampler
from exporter.sampling.namespace_slot import NamespaceSlot
from exporter.sampling.source_runner import SourceRunner
from exporter.sampling.sources.namespaces import NamespaceDiscovery
from exporter.sampling.sources.source import SourceStats

# So many are sampled before the sources of the exporter's own namespace get a chance to run.
_MAX_AT_ONCE: Final = NamespaceAccess.max_attached // 2
# However much it costs, a namespace waits no more than so many times as long as most others do.
_MAX_WAIT_MULTIPLE: Final = 4
# So early a slot may be used, since a tick does not come to the millisecond.
_EARLY_SECONDS: Final = 0.005
_RETRY_SECONDS: Final = 0.1

Report = Callable[[SourceRunner], None]


class NamespaceScheduler:
    """Samples the other namespaces. The sampling thread alone calls what is here.

    `samplers` has those that are sampled, a new tuple whenever one came or went. `past` has what the sources
    of namespaces that are gone had counted, by the name of the source.
    """

    def __init__(self, config: Config, environment: Environment, lock: threading.Lock) -> None:
        self.discovery = NamespaceDiscovery(environment.others, config)
        self.discovery_runner = SourceRunner(self.discovery, HOST, config, lock, environment.broker_clock)
        self.samplers: tuple[NamespaceSampler, ...] = ()
        self.past: defaultdict[str, SourceStats] = defaultdict(SourceStats)
        self._access = environment.others
        self._config = config
        self._lock = lock
        self._clock = environment.clock
        self._slots: dict[int, NamespaceSlot] = {}
        # What the slots were last made from.
        self._applied: dict[str, NamespaceRef] = {}
        # The interval at which most namespaces are sampled.
        self._median_interval = 0.0

    @property
    def slots(self) -> Sequence[NamespaceSlot]:
        """The namespaces with their schedules."""
        return tuple(self._slots.values())

    def broker_restarts(self) -> int:
        """Count the brokers that were lost."""
        return self._access.broker_restarts() if self._access is not None else 0

    def configure(self, config: Config) -> None:
        """Take another configuration, from any thread, with the lock held; the next tick acts on it."""
        self._config = config
        self.discovery_runner.configure(config)
        self.discovery_runner.schedule.run_now()

    def sample(self, now: float, report: Report) -> bool:
        """Sample the namespaces that are due, the longest waiting first. Return whether some have to wait on.

        To be called on each tick: to wake up costs as much as to sample a namespace.
        """
        self.update()
        due = sorted(
            (slot for slot in self._slots.values() if slot.schedule.is_due(now, _EARLY_SECONDS)),
            key=lambda slot: -1.0 if slot.schedule.due is None else slot.schedule.due,
        )
        chosen = due[:_MAX_AT_ONCE]
        if chosen and self._access is not None:
            self._sample(self._access, chosen, now, report)
        return len(due) > len(chosen)

    def update(self) -> None:
        """Bring the slots up to date with what the discovery has chosen."""
        if self.discovery.chosen is self._applied:
            return
        self._applied = self.discovery.chosen
        names = {ref.inode: name for name, ref in self._applied.items()}
        with self._lock:
            self._remove([slot for slot in self.slots if names.get(slot.inode) != slot.sampler.name])
            for name, ref in self._applied.items():
                self._add_or_update(name, ref)

    def requested_share(self) -> float:
        """Return the share of one core that all of them would use at their shortest intervals."""
        return sum(slot.schedule.requested_share() for slot in self._slots.values())

    def limit_to(self, share: float) -> None:
        """Divide `share` of one core among them, and keep the costliest from waiting too long."""
        slots = self.slots
        if not slots:
            return
        limit_all([slot.schedule for slot in slots], share)
        self._median_interval = sorted(slot.schedule.interval_in_force for slot in slots)[len(slots) // 2]
        longest = self._median_interval * _MAX_WAIT_MULTIPLE
        for slot in slots:
            slot.set_min_interval(min(slot.schedule.interval_in_force, longest))

    def _sample(
        self, access: NamespaceAccess, slots: Sequence[NamespaceSlot], now: float, report: Report
    ) -> None:
        try:
            attached = access.attach([(slot.remote, slot.choose_due(now)) for slot in slots])
            for slot, (_, error) in zip(slots, attached, strict=True):
                if error is None:
                    for runner in slot.sample(now):
                        report(runner)
                else:
                    self._handle_refusal(slot, error, now, report)
        except KernelError as error:
            self.discovery_runner.fail(error)
            report(self.discovery_runner)
            for slot in slots:
                slot.schedule.postpone(now + _RETRY_SECONDS)

    def _handle_refusal(self, slot: NamespaceSlot, error: KernelError, now: float, report: Report) -> None:
        slot.schedule.postpone(now + _RETRY_SECONDS)
        if not isinstance(error, NamespaceGoneError | NamespaceReplacedError):
            for runner in slot.fail(error):
                report(runner)
            return
        # The process that stood for the namespace has ended. Another may be found, unless it was the last.
        if not self.discovery_runner.schedule.is_due(now + _RETRY_SECONDS):
            self.discovery_runner.schedule.postpone(now + _RETRY_SECONDS)
        if isinstance(error, NamespaceReplacedError):
            with self._lock:
                self._remove([slot])

    def _add_or_update(self, name: str, ref: NamespaceRef) -> None:
        known = self._slots.get(ref.inode)
        if known is not None:
            known.remote.set_target(ref.target)
            known.set_interval(self._config.sampling.interval_seconds)
        elif self._access is not None:
            remote = self._access.namespace(name, ref.target)
            sampler = NamespaceSampler(remote.namespace, self._config, self._lock, self._clock)
            interval = self._config.sampling.interval_seconds
            slot = NamespaceSlot(ref.inode, remote, sampler, interval, self._clock)
            slot.set_min_interval(self._median_interval)
            self._slots[ref.inode] = slot
            self.samplers = (*self.samplers, sampler)

    def _remove(self, slots: Iterable[NamespaceSlot]) -> None:
        for slot in slots:
            del self._slots[slot.inode]
            for runner in slot.sampler.runners:
                self.past[runner.name].add(runner.stats)
        self.samplers = tuple(slot.sampler for slot in self._slots.values())
