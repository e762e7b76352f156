"""A network namespace, and all that is read of one."""

from __future__ import annotations

import socket
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, field

from exporter.kernel.errors import UnavailableError
from exporter.kernel.family import SocketFamily
from exporter.kernel.listener_reader import ListenerReader
from exporter.kernel.netns.host_label import HOST
from exporter.kernel.procfs import counters
from exporter.kernel.procfs.counters import Sysctls, TcpCounters
from exporter.kernel.procfs.files import OWN_PROCFS, ProcfsFiles
from exporter.kernel.procfs.refcount import RefCountReader
from exporter.kernel.procfs.tcp_activity import TcpActivity
from exporter.kernel.records import Method, WaitingConnection, WaitingDump
from exporter.kernel.sock_diag import accept_wait, mptcp
from exporter.kernel.sock_diag.cached_socket import CachedSocket
from exporter.kernel.sock_diag.diag_socket import DiagSockets, ForeignDatagrams
from exporter.kernel.sock_diag.dump import dump, lookup
from exporter.kernel.sock_diag.socket_filter import MAX_PORTS
from exporter.kernel.syn_recv_reader import SynRecvReader


@dataclass(frozen=True, slots=True)
class Namespace:
    """`name` is the label `netns`; `sockets` and `files` are opened in the namespace."""

    name: str
    sockets: DiagSockets
    files: ProcfsFiles
    foreign_datagrams: ForeignDatagrams = field(default_factory=ForeignDatagrams)

    def listeners(self, family: SocketFamily, method: Method) -> ListenerReader:
        """Return a reader of the listeners of a family."""
        return ListenerReader(family, self.sockets, self.files, method)

    def syn_recv(self, method: Method) -> SynRecvReader:
        """Return a reader of the half-open connections."""
        return SynRecvReader(self.sockets, self.files, method)

    def ref_counts(self) -> RefCountReader:
        """Return a reader of the references of TCP listeners."""
        return RefCountReader(self.files)

    def tcp_activity(self) -> TcpActivity:
        """Return what tells whether TCP segments come in."""
        return TcpActivity(self.files)

    def waiting_at(self, ports: Collection[int], known: Collection[int] = frozenset()) -> WaitingDump:
        """Return the connections on these local ports that wait for accept; `known` are cookies.

        Raises KernelError; there is no other method than sock_diag.
        """
        ordered = sorted(ports)
        both = WaitingDump([], {})
        for start in range(0, len(ordered), MAX_PORTS):
            part = self._waiting(accept_wait.request_at_ports(ordered[start : start + MAX_PORTS]), known)
            both.found.extend(part.found)
            both.still.update(part.still)
        return both

    def waiting_in(self, cgroup_ids: Collection[int]) -> list[WaitingConnection]:
        """Return those on all ports, of listeners created in these cgroups.

        Of all listeners, where none is given or very many are. The kernel sends each connection of theirs,
        accepted ones too. Raises KernelError.
        """
        return self._waiting(accept_wait.request_in_cgroups(cgroup_ids)).found

    def still_waiting(self, connection: WaitingConnection) -> WaitingConnection | None:
        """Look one connection up that waited; None where it waits no longer. Raises KernelError."""
        row = lookup(accept_wait.request_one(connection), self.sockets)
        if row is None or not accept_wait.still_waiting(row):
            return None
        return next(accept_wait.waiting([row]))

    def _waiting(self, request: bytes, known: Collection[int] = frozenset()) -> WaitingDump:
        with closing(dump(request, self.sockets)) as datagrams:
            return accept_wait.waiting_beside(datagrams, known)

    def mptcp_inodes(self) -> frozenset[int]:
        """Return the inodes of the MPTCP listeners, an empty set where the kernel has no MPTCP.

        Raises KernelError.
        """
        found: set[int] = set()
        for family in (socket.AF_INET, socket.AF_INET6):
            with closing(dump(mptcp.request(family), self.sockets)) as datagrams:
                try:
                    found.update(mptcp.inodes(datagrams))
                except UnavailableError:
                    continue
        return frozenset(found)

    def counters(self) -> TcpCounters:
        """Read the TCP counters. Raises KernelError."""
        return counters.read_counters(self.files)

    def syn_repeats(self) -> int | None:
        """Read how often a SYN or SYN-ACK was sent again, None where that is not counted.

        Raises KernelError.
        """
        return counters.read_syn_repeats(self.files)

    def sysctls(self) -> Sysctls:
        """Read the settings of the listen queues. Raises KernelError."""
        return counters.read_sysctls(self.files)


def own_namespace() -> Namespace:
    """Return the namespace of this process."""
    foreign_datagrams = ForeignDatagrams()
    return Namespace(HOST, CachedSocket(foreign_datagrams), OWN_PROCFS, foreign_datagrams)
