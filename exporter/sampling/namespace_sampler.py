"""One network namespace that is sampled: its listeners and its sources."""

from __future__ import annotations

import threading
from typing import Any, Final, TypeVar

from exporter.config.model import Config
from exporter.kernel.family import FAMILIES
from exporter.kernel.netns.namespace import Namespace
from exporter.sampling.clock import Clock
from exporter.sampling.listener_table import ListenerTable
from exporter.sampling.source_runner import SourceRunner
from exporter.sampling.sources.accept_queue import AcceptQueue
from exporter.sampling.sources.counters import Counters
from exporter.sampling.sources.oldest_wait import OldestWait
from exporter.sampling.sources.source import Source
from exporter.sampling.sources.syn_recv import SynRecv

# Stands for the source of a listener's own family, whatever its name is.
ACCEPT: Final = "accept"

AnySource = TypeVar("AnySource", bound=Source[Any])


def namespace_sources(
    namespace: Namespace, table: ListenerTable, config: Config, clock: Clock
) -> tuple[Source[Any], ...]:
    """Return the sources of a namespace, in the order in which they are asked when several are due."""
    listeners = [AcceptQueue(family, namespace, table, config, clock) for family in FAMILIES]
    with_syn_queue = [source for source in listeners if source.family.has_syn_queue]
    return (
        *listeners,
        Counters(namespace, table),
        SynRecv(namespace, table, config, clock),
        OldestWait(with_syn_queue, namespace, table),
    )


class NamespaceSampler:
    """The table of a namespace's listeners and the runners of its sources.

    The sampling thread alone writes; readers hold `lock`.
    """

    def __init__(self, namespace: Namespace, config: Config, lock: threading.Lock, clock: Clock) -> None:
        """Set the sources up; nothing is asked yet."""
        self.namespace = namespace
        self.table = ListenerTable(namespace.name, config)
        self._sources = namespace_sources(namespace, self.table, config, clock)
        self.runners = tuple(
            SourceRunner(source, namespace.name, config, lock, clock) for source in self._sources
        )

    @property
    def name(self) -> str:
        """The value of the label `netns`."""
        return self.namespace.name

    def source(self, kind: type[AnySource]) -> AnySource:
        """Return the source of a class of which a namespace has one."""
        return next(source for source in self._sources if isinstance(source, kind))

    def healthy(self, source: str, now: float) -> bool:
        """Tell whether the series of the source with this name may be published."""
        return any(runner.healthy(now) for runner in self.runners if runner.name == source)

    def healthy_sources(self, now: float) -> dict[str, frozenset[str]]:
        """Return, for each protocol, the sources from which figures of its listeners may be published.

        `accept` stands for the source of the listeners themselves: without it there is none.
        """
        healthy = frozenset(runner.name for runner in self.runners if runner.healthy(now))
        return {
            family.protocol: healthy | {ACCEPT} if family.source in healthy else frozenset()
            for family in FAMILIES
        }

    def due(self, now: float, tolerance: float) -> list[SourceRunner]:
        """Return the sources that are due at `now`, or up to `tolerance` seconds later."""
        return [runner for runner in self.runners if runner.schedule.is_due(now, tolerance)]

    def follow_slots(self, slot_interval: float) -> None:
        """Let no source run more often than the slots of this namespace come, in seconds."""
        for runner in self.runners:
            runner.follow_slots(slot_interval)

    def configure(self, config: Config) -> None:
        """Take another configuration; histories go on. The caller holds the lock."""
        for runner in self.runners:
            runner.configure(config)
        self.table.configure(config)
