"""Counting the half-open connections of one namespace by a walk over all of its connections."""

from __future__ import annotations

from contextlib import closing

from exporter.kernel.fallback import MethodFallback
from exporter.kernel.procfs import tcp
from exporter.kernel.procfs.files import ProcfsFiles
from exporter.kernel.records import Endpoint, Method
from exporter.kernel.sock_diag import syn_recv
from exporter.kernel.sock_diag.diag_socket import DiagSockets
from exporter.kernel.sock_diag.dump import dump


class SynRecvReader:
    """Counts them at each read. `fallback` has the method in force."""

    def __init__(self, sockets: DiagSockets, files: ProcfsFiles, method: Method) -> None:
        """Take what the namespace is read by; nothing is read yet."""
        self.fallback = MethodFallback(method)
        self._sockets = sockets
        self._files = files

    def read(self, now: float) -> dict[Endpoint, int]:
        """Return how many there are at each endpoint, at `now` in monotonic seconds. Raises KernelError."""
        return self.fallback.ask(now, sock_diag=self._dump, procfs=self._read_table)

    def _dump(self) -> dict[Endpoint, int]:
        with closing(dump(syn_recv.REQUEST, self._sockets)) as datagrams:
            return syn_recv.count(datagrams)

    def _read_table(self) -> dict[Endpoint, int]:
        return tcp.syn_recv(self._files)
