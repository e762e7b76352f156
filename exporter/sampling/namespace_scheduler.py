"""The other network namespaces of the host, each in its turn.

Who was visited longest ago comes first. A namespace that costs more than its part of the budget is
visited less often, and keeps none of the others waiting.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final

from exporter.broker.wire import MAX_TARGETS
from exporter.config.model import Config, Enabled
from exporter.kernel.errors import KernelError, UnavailableError
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.discovery import Discovery, NamespaceRef
from exporter.kernel.netns.remote import RemoteNamespace, attach_all
from exporter.listeners.text import printable
from exporter.sampling.budget import share
from exporter.sampling.namespace import NamespaceSampler
from exporter.sampling.namespace_slot import NamespaceSlot
from exporter.sampling.source import Source, SourceStats

# A namespace is found within two looks of its start.
_LOOK_SECONDS: Final = 1.0
# So many are visited before the sources of the own namespace get a chance to be asked.
_TOGETHER: Final = MAX_TARGETS // 2
# However much it costs, a namespace waits no more than so many times as long as others do.
_LONGEST_WAIT: Final = 4
# So early a visit may be, since beats are not on the dot.
_EARLY_SECONDS: Final = 0.005
_AGAIN_SECONDS: Final = 0.1
_GONE: Final = frozenset({"ESRCH", "ENOENT", "replaced"})
HOST: Final = "host"


class NamespaceScheduler:
    """Finds namespaces and samples them. The sampling thread alone calls what is here."""

    def __init__(
        self,
        broker: BrokerClient | None,
        config: Config,
        namespaces: list[NamespaceSampler],
        lock: threading.Lock,
        arrived: Callable[[], object] = lambda: None,
    ) -> None:
        """Take the broker, None where there are no capabilities.

        `namespaces` is kept up to date, and `arrived` is called when one comes to it.
        """
        self._arrived = arrived
        self._broker = broker if broker is not None and broker.may_enter else None
        self._discovery = Discovery(self._broker) if self._broker is not None else None
        self._config = config
        self._namespaces = namespaces
        self._lock = lock
        self._slots: dict[int, NamespaceSlot] = {}
        # How long most namespaces wait between two visits.
        self._usual = 0.0
        self.omitted = 0
        # What the sources of namespaces that are gone had counted, by the name of the source.
        self.past: defaultdict[str, SourceStats] = defaultdict(SourceStats)
        self.source = Source("namespaces", HOST, _LOOK_SECONDS, self._look, self._pending)
        if self._broker is not None:
            self.source.external_cpu_seconds = self._broker.seconds

    def wanted(self) -> bool:
        """Tell whether other namespaces are to be sampled, be it possible or not."""
        enabled = self._config.namespaces.enabled
        return enabled is Enabled.TRUE or (enabled is Enabled.AUTO and self._broker is not None)

    def possible(self) -> bool:
        """Tell whether other namespaces can be entered."""
        return self._broker is not None

    def restarts(self) -> int:
        """Count the brokers that were lost."""
        return self._broker.ended if self._broker is not None else 0

    def configure(self, config: Config) -> None:
        """Take another configuration, from any thread; the next look acts on it."""
        self._config = config
        self.source.due = float("-inf")

    def slots(self) -> list[NamespaceSlot]:
        """Return those that wait for their turn."""
        return list(self._slots.values())

    def visit(self, now: float, report: Callable[[Source], None]) -> bool:
        """Visit those whose turn it is, the longest waiting first. Return whether some have to wait on.

        To be called on each beat: an awakening costs as much as a visit.
        """
        waiting = sorted(
            (slot for slot in self._slots.values() if slot.due <= now + _EARLY_SECONDS),
            key=lambda slot: slot.due,
        )
        slots = waiting[:_TOGETHER]
        if slots and self._broker is not None:
            self._visit(self._broker, slots, now, report)
        return len(waiting) > len(slots)

    def _visit(
        self, broker: BrokerClient, slots: list[NamespaceSlot], now: float, report: Callable[[Source], None]
    ) -> None:
        try:
            calls = [(slot.remote, slot.files(now)) for slot in slots]
            for slot, (_, error) in zip(slots, attach_all(broker, calls), strict=True):
                if error is None:
                    for source in slot.sample(now):
                        report(source)
                    slot.next(now)
                else:
                    self._kept_out(slot, error, now, report)
        except KernelError as error:
            self.source.fail(error)
            report(self.source)
            for slot in slots:
                slot.due = now + _AGAIN_SECONDS

    def requested_share(self) -> float:
        """Return the share of a core that all of them would use at their own intervals."""
        return sum(slot.requested_share() for slot in self._slots.values())

    def limit_to(self, part: float) -> None:
        """Divide `part` (a share of one core) among them."""
        slots = list(self._slots.values())
        for slot, own in zip(slots, share([slot.requested_share() for slot in slots], part), strict=True):
            slot.limit_to(own)
        if slots:
            self._usual = sorted(slot.interval_in_force for slot in slots)[len(slots) // 2]
            for slot in slots:
                slot.set_max_wait(self._usual * _LONGEST_WAIT)

    def _kept_out(
        self, slot: NamespaceSlot, error: KernelError, now: float, report: Callable[[Source], None]
    ) -> None:
        slot.due = now + _AGAIN_SECONDS
        if error.reason not in _GONE:
            for source in slot.fail(error):
                report(source)
            return
        # Its process has ended. Another way in may be found, unless it was the last.
        self.source.due = min(self.source.due, now + _AGAIN_SECONDS)
        if error.reason == "replaced":
            with self._lock:
                self._forget([slot.inode])

    def _pending(self, _now: float) -> bool:
        if not self.wanted() and self._slots:
            with self._lock:
                self._forget(list(self._slots))
                self.omitted = 0
        return self.wanted()

    def _look(self, now: float) -> None:
        """Find out which namespaces there are now."""
        if self._discovery is None:
            raise UnavailableError("other network namespaces need CAP_SYS_ADMIN and CAP_SYS_PTRACE", "EPERM")
        found = {
            name: ref for name, ref in _named(self._discovery.find()) if self._config.namespaces.wants(name)
        }
        chosen = self._choose(found)
        with self._lock:
            self.source.clock.tick(now, self.source.interval_in_force)
            self.omitted = len(found) - len(chosen)
            there = {(ref.inode, name) for name, ref in chosen.items()}
            self._forget(
                [
                    inode
                    for inode, slot in self._slots.items()
                    if (inode, slot.sampler.namespace.name) not in there
                ]
            )
            for name, ref in chosen.items():
                self._meet(name, ref)

    def _choose(self, found: dict[str, NamespaceRef]) -> dict[str, NamespaceRef]:
        """Choose whom to sample where there are too many: those that are known come first."""
        order = sorted(found.items(), key=lambda named: (named[1].inode not in self._slots, named[1].inode))
        return dict(order[: self._config.namespaces.most])

    def _meet(self, name: str, ref: NamespaceRef) -> None:
        known = self._slots.get(ref.inode)
        if known is not None:
            known.remote.target = ref.target
            known.set_interval(self._config.sampling.interval_seconds)
            return
        assert self._broker is not None  # noqa: S101  (it has found the door)
        remote = RemoteNamespace(self._broker, name, ref.target)
        sampler = NamespaceSampler(remote.namespace, self._config, self._lock)
        slot = NamespaceSlot(ref.inode, remote, sampler, self._config.sampling.interval_seconds)
        slot.set_min_wait(self._usual)
        self._slots[ref.inode] = slot
        self._namespaces.append(sampler)
        self._arrived()

    def _forget(self, inodes: Iterable[int]) -> None:
        for inode in inodes:
            sampler = self._slots.pop(inode).sampler
            self._namespaces.remove(sampler)
            for source in sampler.sources:
                self.past[source.name].add(source)


def _named(refs: Iterable[NamespaceRef]) -> list[tuple[str, NamespaceRef]]:
    """Give each namespace a name of its own: that of ip-netns(8), else the number of its inode.

    A name that could be taken for another's is not used.
    """
    names: dict[str, NamespaceRef] = {}
    for ref in sorted(refs, key=lambda ref: (not ref.name, ref.inode)):
        name = printable(ref.name)
        taken = not name or name.isdecimal() or name == HOST or name in names
        names[str(ref.inode) if taken else name] = ref
    return list(names.items())
