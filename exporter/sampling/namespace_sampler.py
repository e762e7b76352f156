"""One network namespace that is sampled: its listeners, and the list of its sources."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from exporter.config.model import Config
from exporter.kernel.family import FAMILIES
from exporter.kernel.netns.namespace import Namespace
from exporter.sampling.clock import Clock
from exporter.sampling.followed_limit import FollowedLimit
from exporter.sampling.former_tables import FormerTables
from exporter.sampling.listener_table import ListenerTable
from exporter.sampling.source_runner import SourceRunner
from exporter.sampling.sources.accept_queue import AcceptQueue
from exporter.sampling.sources.followed_waits import FollowedWaits
from exporter.sampling.sources.netstat import Netstat
from exporter.sampling.sources.oldest_wait import OldestWait
from exporter.sampling.sources.source import Source
from exporter.sampling.sources.syn_recv import SynRecv
from exporter.sampling.walk_limit import WalkLimit

# Stands for the source of a listener's own family, whatever its name is.
ACCEPT: Final = "accept"

# The names of the sources that each namespace has.
NAMESPACE_SOURCES: Final = (
    *(family.source for family in FAMILIES),
    Netstat.NAME,
    SynRecv.NAME,
    OldestWait.NAME,
)

AnySource = TypeVar("AnySource", bound=Source[Any])


def namespace_sources(
    namespace: Namespace, table: ListenerTable, config: Config, shared: SharedBySamplers
) -> tuple[Source[Any], ...]:
    """Return the sources of a namespace, in the order in which they are asked when several are due."""
    clock, walks = shared.clock, shared.walks
    listeners = [AcceptQueue(family, namespace, table, config, clock) for family in FAMILIES]
    with_syn_queue = [source for source in listeners if source.family.has_syn_queue]
    followed = FollowedWaits(table, config, shared.followed)
    return (
        *listeners,
        Netstat(namespace, table),
        SynRecv(namespace, table, config, clock, walks),
        OldestWait(with_syn_queue, namespace, table, clock, walks, followed=followed),
    )


@dataclass(frozen=True, slots=True)
class SharedBySamplers:
    """What all namespaces have in common.

    The lock that readers hold, the clocks, the limits of walks and of what is followed, and the listeners of
    namespaces that are gone.
    """

    lock: threading.Lock
    clock: Clock
    walks: WalkLimit
    former: FormerTables = field(default_factory=FormerTables)
    followed: FollowedLimit = field(default_factory=FollowedLimit)


class NamespaceSampler:
    """The table of a namespace's listeners and the runners of its sources.

    The sampling thread alone writes; readers hold `lock`.
    """

    def __init__(
        self, namespace: Namespace, config: Config, shared: SharedBySamplers, number: str = ""
    ) -> None:
        """Set the sources up; nothing is asked yet. Rules match `number` beside the label."""
        self.namespace = namespace
        self.table = shared.former.table(namespace.name, config, number, shared.clock.monotonic())
        self._sources = namespace_sources(namespace, self.table, config, shared)
        self.runners = tuple(
            SourceRunner(source, namespace.name, config, shared.lock, shared.clock)
            for source in self._sources
        )
        self._every_slot = [runner for runner in self.runners if runner.every_slot]

    @property
    def name(self) -> str:
        """The value of the label `netns`."""
        return self.namespace.name

    @property
    def interval_seconds(self) -> float:
        """The time between two samples of its accept queues that is in force now."""
        return max(runner.schedule.interval_in_force for runner in self._every_slot)

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

    def follow_slots(self, slot_interval: float, now: float, *, quiet: bool) -> None:
        """Let no source run more often than the slots of this namespace come, in seconds."""
        for runner in self.runners:
            runner.follow_slots(slot_interval, now, quiet=quiet)

    def configure(self, config: Config, now: float) -> None:
        """Take another configuration; histories go on. The caller holds the lock."""
        for runner in self.runners:
            runner.configure(config)
        self.table.configure(config, now)
