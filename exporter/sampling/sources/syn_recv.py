"""Source `syn_recv`: the half-open connections of each listener."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from exporter.config.model import Config
from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.procfs.counters import SEGMENT_FILES
from exporter.listeners.group import ListenerGroup
from exporter.sampling.clock import Clock
from exporter.sampling.listener_table import ListenerTable
from exporter.sampling.sources.source import Source
from exporter.sampling.sources.syn_recv_counter import SynRecvCounter


@dataclass(frozen=True, slots=True)
class SynRecvCounts:
    """Half-open connections by listener, and how many fit none. Listeners without any may be left out."""

    by_group: Mapping[ListenerGroup, int]
    unmatched: int


class SynRecv(Source[SynRecvCounts]):
    """Counts half-open connections; `unmatched` are those that fit no listener."""

    NAME: ClassVar = "syn_recv"
    # They live for seconds, and a walk looks at every connection of the host.
    min_interval_seconds: ClassVar = 0.25
    file_names: ClassVar = SEGMENT_FILES

    def __init__(self, namespace: Namespace, table: ListenerTable, config: Config, clock: Clock) -> None:
        super().__init__(self.NAME, table.syn_recv_timeline)
        self.unmatched = 0
        self._reader = namespace.syn_recv(config.sampling.method)
        self._counter = SynRecvCounter(self._reader, namespace.ref_counts(), namespace.tcp_activity(), clock)
        self._table = table

    @property
    def method(self) -> str:
        """`sock_diag`, `procfs` or `refcount`."""
        return self._counter.method

    @property
    def disagreements(self) -> int:
        """How often the reference counts and a walk told different numbers at a listener."""
        return self._counter.disagreements

    def ask(self, now: float) -> SynRecvCounts:
        """Count them. Raises KernelError."""
        counts, unmatched = self._counter.count(now, self._table.matcher())
        return SynRecvCounts(counts, unmatched)

    def apply(self, answer: SynRecvCounts, now: float) -> None:  # noqa: ARG002
        """Update the histories of the SYN queues."""
        self.unmatched = answer.unmatched
        self._table.set_syn_recv(answer.by_group)

    def configure(self, config: Config) -> None:
        """Ask by the method of another configuration."""
        self._reader.fallback.choose(config.sampling.method)
