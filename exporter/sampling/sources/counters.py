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


class Counters(Source[tuple[TcpCounters, Sysctls]]):
    """Reads /proc/net/netstat and the sysctls. What is not known, as before the first answer, is None."""

    NAME: ClassVar = "netstat"
    file_names: ClassVar = COUNTER_FILES
    # To read them costs more than to read listeners, and their queues are empty.
    quiet_interval_seconds: ClassVar = 4.0

    def __init__(self, namespace: Namespace, table: ListenerTable) -> None:
        super().__init__(self.NAME)
        self.tcp = TcpCounters(*(None,) * len(fields(TcpCounters)))
        self.sysctls = Sysctls(*(None,) * len(fields(Sysctls)))
        self._namespace = namespace
        self._table = table

    @property
    def method(self) -> str:
        """`procfs`: there is no other."""
        return Method.PROCFS

    def interval(self, configured: float) -> float:  # noqa: ARG002  (counters lose nothing between two samples)
        """Return one second, whatever sampling.interval is."""
        return _SECONDS

    def ask(self, now: float) -> tuple[TcpCounters, Sysctls]:  # noqa: ARG002
        """Read both. Raises KernelError."""
        return self._namespace.counters(), self._namespace.sysctls()

    def apply(self, answer: tuple[TcpCounters, Sysctls], now: float) -> None:  # noqa: ARG002
        """Publish both; the settings limit half-open connections as well."""
        self.tcp, self.sysctls = answer
        self._table.set_sysctls(self.sysctls)
