"""Source `netstat`: the TCP counters of a namespace, and the settings of its listen queues."""

from __future__ import annotations

from dataclasses import fields
from typing import ClassVar, Final

from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.procfs.counters import COUNTER_FILES, Sysctls, TcpCounters
from exporter.kernel.records import Method
from exporter.sampling.listener_table import ListenerTable
from exporter.sampling.sources.source import Source

_SECONDS: Final = 1.0


class Netstat(Source[tuple[TcpCounters, Sysctls]]):
    """Reads /proc/net/netstat and the sysctls. What is not known, as before the first answer, is None."""

    NAME: ClassVar = "netstat"
    asks_for: ClassVar = "TCP counters and settings"
    file_names: ClassVar = COUNTER_FILES
    # To read them costs more than to read listeners, and their queues are empty.
    quiet_interval_seconds: ClassVar = 4.0

    def __init__(self, namespace: Namespace, table: ListenerTable) -> None:
        super().__init__(self.NAME)
        self.tcp = TcpCounters(*(None,) * len(fields(TcpCounters)))
        self.sysctls = Sysctls(*(None,) * len(fields(Sysctls)))
        self._namespace = namespace
        self._table = table
        # None of these counters changes without a segment, and whether one came in costs less to read.
        self._activity = namespace.tcp_activity()
        # None where there is nothing to rely on.
        self._read: TcpCounters | None = None

    @property
    def method(self) -> str:
        """`procfs`: there is no other."""
        return Method.PROCFS

    def interval(self, configured: float) -> float:  # noqa: ARG002  (counters lose nothing between two samples)
        """Return one second, whatever sampling.interval is."""
        return _SECONDS

    def ask(self, now: float) -> tuple[TcpCounters, Sysctls]:
        """Read both. Raises KernelError."""
        # What comes in between the two reads is seen the next time.
        if not self._activity.idle(now):
            self._read = None
        if self._read is None:
            self._read = self._namespace.counters()
        return self._read, self._namespace.sysctls()

    def apply(self, answer: tuple[TcpCounters, Sysctls], now: float) -> None:  # noqa: ARG002
        """Publish both; the settings limit half-open connections as well."""
        self.tcp, self.sysctls = answer
        self._table.set_sysctls(self.sysctls)
