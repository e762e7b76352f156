"""Which of the other network namespaces is sampled when; NamespaceSlot has who comes first.

How often each is due is decided in exporter.sampling.namespace_shares.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from exporter.config.model import Config
from exporter.kernel.errors import KernelError, NamespaceGoneError, NamespaceReplacedError
from exporter.kernel.netns.access import NamespaceAccess
from exporter.kernel.netns.discovery import NamespaceRef
from exporter.kernel.netns.host_label import HOST
from exporter.sampling.environment import Environment
from exporter.sampling.first_samples import FirstSamples, Report
from exporter.sampling.namespace_labels import NamespaceLabels
from exporter.sampling.namespace_sampler import NamespaceSampler, SharedBySamplers
from exporter.sampling.namespace_shares import NamespaceShares
from exporter.sampling.namespace_slot import NamespaceSlot
from exporter.sampling.source_runner import SourceRunner
from exporter.sampling.sources.namespaces import NamespaceDiscovery
from exporter.sampling.sources.source import SourceStats

# So many are sampled before the sources of the exporter's own namespace get a chance to run.
_MAX_AT_ONCE: Final = NamespaceAccess.max_at_once
# So early a slot may be used, since a tick does not come to the millisecond.
_EARLY_SECONDS: Final = 0.005
_RETRY_SECONDS: Final = 0.1
# What may not be entered now is no different soon.
_REFUSED_SECONDS: Final = 1.0


class NamespaceScheduler:
    """Samples the other namespaces. The sampling thread alone calls what is here.

    `samplers` has those that are sampled, a new tuple whenever one came or went. `past` has what the sources
    of namespaces that are gone had counted, by the name of the source. `quiet_interval` is the time in
    seconds between two samples of most namespaces whose queues are empty.
    """

    def __init__(self, config: Config, environment: Environment, shared: SharedBySamplers) -> None:
        self.discovery = NamespaceDiscovery(
            environment.others, config, NamespaceLabels(environment.workloads)
        )
        self.discovery_runner = SourceRunner(
            self.discovery, HOST, config, shared.lock, environment.broker_clock
        )
        self.samplers: tuple[NamespaceSampler, ...] = ()
        self.past: defaultdict[str, SourceStats] = defaultdict(SourceStats)
        self._access = environment.others
        self._config = config
        self._shared = shared
        self._slots: dict[int, NamespaceSlot] = {}
        # What the slots were last made from.
        self._applied: dict[str, NamespaceRef] = {}
        self.quiet_interval = 0.0
        self._first_samples = FirstSamples(environment.clock)
        # No slot is due before, unless it was made so since, and none may wait for longer.
        self._earliest = self._latest = 0.0
        # What namespaces that are gone have cost.
        self._past_cpu_seconds = 0.0

    @property
    def slots(self) -> Sequence[NamespaceSlot]:
        """The namespaces with their schedules."""
        return tuple(self._slots.values())

    def listeners_sampled(self) -> bool:
        """Tell whether the listeners of every namespace were sampled, or that was tried, once."""
        tried = all(slot.schedule.due is not None for slot in self._slots.values())
        return tried and self.discovery.labels_due is None

    def all_sampled(self) -> bool:
        """Tell the same of every source."""
        return not self._first_samples and self.listeners_sampled()

    def ended_descriptors(self) -> tuple[int, ...]:
        """Return what is readable while `detach_ended` has something to do."""
        return () if self._access is None else (self._access.ended_descriptor(),)

    def broker_restarts(self) -> int:
        """Count the brokers that were lost."""
        return self._access.broker_restarts() if self._access is not None else 0

    def configure(self, config: Config) -> None:
        """Take another configuration, with the lock held; the next tick acts on it."""
        self._config = config
        self.discovery_runner.configure(config)
        self.discovery_runner.schedule.run_now()

    def cpu_seconds(self) -> float:
        """Return the processor time that namespaces have taken, those that are gone included."""
        return self._past_cpu_seconds + sum(slot.cpu_seconds for slot in self._slots.values())

    def detach_ended(self, now: float) -> None:
        """Close what is open in namespaces whose process or name is gone; to be called first in each tick."""
        ended = self._access.detach_ended() if self._access is not None else ()
        if not ended:
            return
        for slot in self._slots.values():
            if slot.remote in ended:
                # The discovery finds another process first, or that there is none.
                slot.schedule.postpone(now + 2 * _RETRY_SECONDS)
        self._discover_soon(now)

    def sample(self, now: float, report: Report) -> bool:
        """Sample the namespaces that are due, in each tick. Return whether some have to wait on."""
        self.update(now)
        if self._earliest > now + _EARLY_SECONDS:
            return self._first_samples.complete(now, report)
        due = sorted(
            (slot for slot in self._slots.values() if slot.schedule.is_due(now, _EARLY_SECONDS)),
            key=lambda slot: slot.precedence(now),
        )
        chosen = due[:_MAX_AT_ONCE]
        detached = [slot for slot in chosen if not slot.remote.attached]
        for slot in chosen:
            if slot.remote.attached:
                self._first_samples.sample(slot, now, report)
        if detached and self._access is not None:
            self._attach(self._access, detached, now, report)
        self._earliest = min((slot.due(now) for slot in self._slots.values()), default=now)
        self._latest = min((slot.latest(now) for slot in self._slots.values()), default=now)
        left = due[len(chosen) :]
        if all(slot.schedule.due is not None for slot in left):
            self._first_samples.complete(now, report)
        return bool(left or self._first_samples)

    def wake_at(self, source_due: float) -> float:
        """Return when the next tick is, where a source of the exporter's own namespace is due then.

        A namespace that is due a little earlier waits for that: to wake up costs as much as to sample it.
        """
        earliest = self._earliest if self._slots and self._latest < source_due else source_due
        return min(earliest, source_due, self.discovery.labels_due or source_due)

    def update(self, now: float) -> None:
        """Bring the slots up to date with what the discovery has chosen."""
        self.discovery.update_labels(now, self._shared.lock)
        if self.discovery.chosen is self._applied:
            return
        self._applied = self.discovery.chosen
        self._earliest = self._latest = now
        names = {ref.inode: name for name, ref in self._applied.items()}
        with self._shared.lock:
            self._remove([slot for slot in self.slots if names.get(slot.inode) != slot.sampler.name])
            for name, ref in self._applied.items():
                self._add_or_update(name, ref, now)

    def shares(self, own: Sequence[SourceRunner]) -> NamespaceShares:
        """Return what divides a share of the budget among the namespaces as they are now, to be used once.

        `own` are sources of the exporter's own namespace that are to run as often as quiet namespaces.
        """
        sampling = self._config.sampling
        return NamespaceShares(
            self.slots, own, sampling.cpu_budget_ratio, sampling.interval_seconds, self.quiet_interval
        )

    def follow(self, shares: NamespaceShares, now: float) -> None:
        """Sample at the intervals that follow from `shares`, from `now` on in monotonic seconds."""
        self._earliest = self._latest = now
        self.quiet_interval = shares.quiet_interval

    def _attach(
        self, access: NamespaceAccess, slots: Sequence[NamespaceSlot], now: float, report: Report
    ) -> None:
        """Attach namespaces and sample them."""
        try:
            attached = access.attach([(slot.remote, slot.file_names) for slot in slots])
            for slot, (_, error) in zip(slots, attached, strict=True):
                if error is None:
                    if not access.keeps(len(self._slots)):  # all has to be asked while it is attached
                        slot.ask_all_at_once()
                    self._first_samples.sample(slot, now, report)
                else:
                    self._handle_refusal(slot, error, now, report)
        except KernelError as error:
            self.discovery_runner.fail(error)
            if self.discovery_runner.error_changed():
                report(self.discovery_runner)
            for slot in slots:
                slot.schedule.postpone(now + _RETRY_SECONDS)

    def _handle_refusal(self, slot: NamespaceSlot, error: KernelError, now: float, report: Report) -> None:
        if not isinstance(error, NamespaceGoneError | NamespaceReplacedError):
            slot.schedule.postpone(now + _REFUSED_SECONDS)
            for runner in slot.fail(error):
                report(runner)
            return
        slot.schedule.postpone(now + _RETRY_SECONDS)
        # The process that stood for the namespace has ended. Another may be found, unless it was the last.
        self._discover_soon(now)
        if isinstance(error, NamespaceReplacedError):
            # The next answer may be the same as the last: the other one can have the same inode and name.
            self.discovery.forget(slot.inode)
            with self._shared.lock:
                self._remove([slot])

    def _discover_soon(self, now: float) -> None:
        if not self.discovery_runner.schedule.is_due(now + _RETRY_SECONDS):
            self.discovery_runner.schedule.postpone(now + _RETRY_SECONDS)

    def _add_or_update(self, name: str, ref: NamespaceRef, now: float) -> None:
        if self._access is None:
            return
        interval = self._config.sampling.interval_seconds
        known = self._slots.get(ref.inode)
        if known is not None and known.remote.target != ref.target and known.remote.cookie is None:
            # Nothing would tell whether it is another namespace, with another name.
            self._remove([known])
            self.discovery.forget(ref.inode)
            self._discover_soon(now)
            return
        if known is not None:
            if known.remote.target != ref.target:
                # What is open would be closed at the end of a process that stands for it no more.
                self._access.detach(known.remote)
                known.remote.set_target(ref.target)
            known.set_interval(interval, now)
            return
        remote = self._access.namespace(name, ref.target)
        sampler = NamespaceSampler(remote.namespace, self._config, self._shared, str(ref.inode))
        slot = NamespaceSlot(ref.inode, remote, sampler, interval, self._shared.clock)
        slot.set_min_interval(self.quiet_interval, now)
        self._slots[ref.inode] = slot
        self.samplers = (*self.samplers, sampler)

    def _remove(self, slots: Iterable[NamespaceSlot]) -> None:
        for slot in slots:
            if self._access is not None:
                self._access.detach(slot.remote)
            del self._slots[slot.inode]
            self._past_cpu_seconds += slot.cpu_seconds
            self._shared.former.keep(slot.remote.target.name, slot.sampler, self._shared.clock.monotonic())
            for runner in slot.sampler.runners:
                self.past[runner.name].add(runner.stats)
        self.samplers = tuple(slot.sampler for slot in self._slots.values())
