"""Source `oldest_wait`: how long the oldest connection in each accept queue has waited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from exporter.kernel.errors import UnavailableError
from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.records import Endpoint, Method
from exporter.listeners.group import ListenerGroup
from exporter.sampling.listener_table import ListenerTable
from exporter.sampling.sources.accept_queue import AcceptQueue
from exporter.sampling.sources.source import Source


@dataclass(frozen=True, slots=True)
class OldestWaits:
    """The listeners that were asked about, and the longest wait at each endpoint, in seconds."""

    asked: tuple[ListenerGroup, ...]
    seconds: Mapping[Endpoint, float]


class OldestWait(Source[OldestWaits]):
    """Asks about listeners in whose accept queue connections wait; an empty queue needs no answer."""

    NAME: ClassVar = "oldest_wait"
    min_interval_seconds: ClassVar = 1.0

    def __init__(self, listeners: Sequence[AcceptQueue], namespace: Namespace, table: ListenerTable) -> None:
        """Take the sources of the listeners, whose method decides whether there is an answer."""
        super().__init__(self.NAME)
        self._listeners = listeners
        self._namespace = namespace
        self._table = table

    @property
    def method(self) -> str | None:
        """`sock_diag`: there is no other."""
        methods = {source.method for source in self._listeners}
        return Method.SOCK_DIAG if methods == {Method.SOCK_DIAG} else None

    def pending(self, now: float) -> bool:  # noqa: ARG002
        """Tell whether any connection waits."""
        return any(self._table.nonempty(source.family) for source in self._listeners)

    def ask(self, now: float) -> OldestWaits:  # noqa: ARG002
        """Ask for the connections at the ports of these listeners. Raises KernelError."""
        if self.method is None:
            raise UnavailableError("/proc/net does not tell how long a connection has waited", "procfs")
        groups = tuple(group for source in self._listeners for group in self._table.nonempty(source.family))
        return OldestWaits(groups, self._namespace.oldest_waits({int(group.key.port) for group in groups}))

    def apply(self, answer: OldestWaits, now: float) -> None:  # noqa: ARG002
        """Give each listener the longest of its waits."""
        matcher = self._table.matcher()
        seconds: dict[ListenerGroup, float] = {}
        for endpoint, waited in answer.seconds.items():
            group = matcher.find(endpoint)
            if group is not None:
                seconds[group] = max(seconds.get(group, 0.0), waited)
        self._table.set_oldest_waits(answer.asked, seconds)
