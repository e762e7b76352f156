"""Sources `inet` and `unix`: the listeners of a socket family and their accept queues."""

from __future__ import annotations

from exporter.config.model import Config
from exporter.kernel.family import SocketFamily
from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.records import Changes
from exporter.sampling.clock import Clock
from exporter.sampling.listener_table import ListenerTable
from exporter.sampling.sources.idle_reader import IdleReader
from exporter.sampling.sources.source import Source


class AcceptQueue(Source[Changes]):
    """Asks for the listeners of a family, and brings the table up to date with what changed."""

    def __init__(
        self, family: SocketFamily, namespace: Namespace, table: ListenerTable, config: Config, clock: Clock
    ) -> None:
        super().__init__(family.source, table.accept_timelines[family])
        activity = namespace.tcp_activity() if family.needs_segments else None
        self._reader = IdleReader(namespace.listeners(family, config.sampling.method), activity, clock)
        self.family = family
        self._table = table

    @property
    def asks_for(self) -> str:
        """The listeners of the family."""
        return self.family.listeners

    @property
    def method(self) -> str:
        """`sock_diag` or `procfs`."""
        return self._reader.fallback.method

    def ask(self, now: float) -> Changes:
        """Return what changed since the last answer. Raises KernelError."""
        return self._reader.read(now, empty=not self._table.nonempty(self.family))

    def apply(self, answer: Changes, now: float) -> None:
        """Update groups and histories."""
        self._table.update(self.family, answer, now)

    def configure(self, config: Config) -> None:
        """Ask by the method of another configuration, and rely on nothing that was read before."""
        self._reader.fallback.choose(config.sampling.method)
        self._reader.reset()
