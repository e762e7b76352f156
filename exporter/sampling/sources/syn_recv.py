"""Source `syn_recv`: the half-open connections of each listener."""

from __future__ import annotations

from typing import ClassVar

from exporter.config.model import Config
from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.procfs.counters import COUNTER_FILES, SEGMENT_FILES
from exporter.kernel.procfs.refcount import REFERENCE_FILES
from exporter.sampling.clock import Clock
from exporter.sampling.listener_table import ListenerTable
from exporter.sampling.sources.source import Source
from exporter.sampling.sources.syn_recv_counter import SynRecvCounter
from exporter.sampling.sources.syn_recv_match import SynRecvCounts
from exporter.sampling.sources.syn_recv_readers import SynRecvReaders
from exporter.sampling.walk_limit import WalkLimit


class SynRecv(Source[SynRecvCounts]):
    """Counts half-open connections; `unmatched` are those that fit no listener."""

    NAME: ClassVar = "syn_recv"
    asks_for: ClassVar = "half-open connections"
    # They live for seconds, and a walk looks at every connection of the host.
    min_interval_seconds: ClassVar = 0.25
    quiet_interval_seconds: ClassVar = 3.0
    file_names: ClassVar = (*SEGMENT_FILES, *REFERENCE_FILES, *COUNTER_FILES)

    def __init__(
        self, namespace: Namespace, table: ListenerTable, config: Config, clock: Clock, walks: WalkLimit
    ) -> None:
        super().__init__(self.NAME, table.syn_recv_timeline)
        self.unmatched = 0
        self._reader = namespace.syn_recv(config.sampling.method)
        readers = SynRecvReaders(
            self._reader,
            namespace.ref_counts(),
            namespace.tcp_activity(),
            namespace.syn_repeats,
            table.mptcp,
        )
        self._counter = SynRecvCounter(readers, clock, walks)
        self._table = table

    @property
    def method(self) -> str:
        """`sock_diag`, `procfs` or `refcount`."""
        return self._counter.method

    @property
    def disagreements(self) -> int:
        """How often reference counts and a dump told different numbers at a listener, twice in a row."""
        return self._counter.disagreements

    def ask(self, now: float) -> SynRecvCounts:
        """Count them. Raises KernelError."""
        try:
            return self._counter.count(now, self._table.matcher())
        finally:
            self.limited_seconds = self._counter.limited_seconds

    def apply(self, answer: SynRecvCounts, now: float) -> None:  # noqa: ARG002
        """Update the histories of the SYN queues."""
        self.unmatched = answer.unmatched
        self._table.set_syn_recv(answer.by_group, answer.unknown)

    def configure(self, config: Config) -> None:
        """Ask by the method of another configuration."""
        self._reader.fallback.choose(config.sampling.method)
