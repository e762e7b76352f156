"""A network namespace as the kernel shows it: every question this program asks of one."""

from __future__ import annotations

import socket
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from exporter.kernel.errors import UnavailableError
from exporter.kernel.fallback import MethodFallback
from exporter.kernel.family import SocketFamily
from exporter.kernel.procfs import counters
from exporter.kernel.procfs import listeners as procfs
from exporter.kernel.procfs.counters import Sysctls, TcpCounters
from exporter.kernel.procfs.files import OWN_PROCFS, ProcfsFiles
from exporter.kernel.procfs.refcount import RefCountReader
from exporter.kernel.procfs.tcp_activity import TcpActivity
from exporter.kernel.readers import ListenerReader, SynRecvReader
from exporter.kernel.records import Endpoint, Method
from exporter.kernel.sock_diag import accept_wait as waiting
from exporter.kernel.sock_diag import requests
from exporter.kernel.sock_diag import tcp as inet
from exporter.kernel.sock_diag.cached_socket import CachedSocket
from exporter.kernel.sock_diag.dump import Connect, ForeignDatagrams, connect, dump
from exporter.kernel.sock_diag.messages import messages

# The label `netns` of the namespace that the exporter runs in.
HOST: Final = "host"


@dataclass(frozen=True, slots=True)
class Namespace:
    """Where to ask: how sock_diag sockets are opened there, and the files of /proc that show it."""

    name: str
    connect: Connect = connect
    proc: ProcfsFiles = OWN_PROCFS
    foreign_datagrams: ForeignDatagrams = field(default_factory=ForeignDatagrams)

    def listeners(self, family: SocketFamily, method: Method) -> ListenerReader:
        """Return a reader of the listeners of a family."""
        ask = partial(dump, family.request, self.connect)
        return ListenerReader(family.rows, ask, partial(family.procfs, self.proc), MethodFallback(method))

    def tcp_activity(self) -> TcpActivity:
        """Return what tells whether TCP segments come in."""
        return TcpActivity(partial(counters.read_tcp_segments, self.proc))

    def syn_recv(self, method: Method) -> SynRecvReader:
        """Return a reader of the half-open connections."""
        ask = partial(dump, requests.SYN_RECV, self.connect)
        return SynRecvReader(ask, partial(procfs.syn_recv, self.proc), MethodFallback(method))

    def ref_counts(self) -> RefCountReader:
        """Return a reader of the references of TCP listeners."""
        return RefCountReader(self.proc)

    def oldest_waits(self, ports: Collection[int]) -> dict[Endpoint, float]:
        """Return the longest wait for accept at each endpoint with one of these ports, in seconds.

        Raises KernelError; there is no other way than sock_diag.
        """
        ordered = sorted(ports)
        found: dict[Endpoint, float] = {}
        for start in range(0, len(ordered), requests.MOST_PORTS):
            portion = ordered[start : start + requests.MOST_PORTS]
            with closing(dump(requests.waiting(portion), self.connect)) as datagrams:
                found.update(waiting.oldest(datagrams))
        return found

    def mptcp_inodes(self) -> frozenset[int]:
        """Return the inodes of the MPTCP listeners, an empty set where the kernel has no MPTCP.

        Raises KernelError.
        """
        found: set[int] = set()
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                datagrams = list(dump(requests.mptcp_listeners(family), self.connect))
            except UnavailableError:
                continue
            found.update(inet.listener(row).inode for datagram in datagrams for row in messages(datagram))
        return frozenset(found)

    def counters(self) -> TcpCounters:
        """Read the TCP counters. Raises KernelError."""
        return counters.read_counters(self.proc)

    def sysctls(self) -> Sysctls:
        """Read the settings of the listen queues. Raises KernelError."""
        return counters.read_sysctls(self.proc)


def own_namespace() -> Namespace:
    """Return the namespace of this process."""
    foreign_datagrams = ForeignDatagrams()
    return Namespace(HOST, CachedSocket(partial(connect, foreign_datagrams)), OWN_PROCFS, foreign_datagrams)
