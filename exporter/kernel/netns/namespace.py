"""A network namespace as the kernel shows it: every question this program asks of one."""

from __future__ import annotations

import socket
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

from exporter.kernel.errors import UnavailableError
from exporter.kernel.fallback import Ladder
from exporter.kernel.procfs import counters
from exporter.kernel.procfs import listeners as procfs
from exporter.kernel.procfs.counters import Sysctls, TcpCounters
from exporter.kernel.procfs.files import OWN, Proc
from exporter.kernel.procfs.refcount import ReferenceReader
from exporter.kernel.procfs.tcp_activity import SegmentGate
from exporter.kernel.readers import HalfOpenReader, ListenerReader
from exporter.kernel.records import Endpoint, Method
from exporter.kernel.sock_diag import accept_wait as waiting
from exporter.kernel.sock_diag import requests
from exporter.kernel.sock_diag import tcp as inet
from exporter.kernel.sock_diag.cached_socket import KeptSocket
from exporter.kernel.sock_diag.comparison import TCP, UNIX
from exporter.kernel.sock_diag.dump import Connect, Forged, connect, dump
from exporter.kernel.sock_diag.messages import messages


@dataclass(frozen=True, slots=True)
class Namespace:
    """Where to ask: how sock_diag sockets are opened there, and the files of /proc that show it."""

    name: str
    connect: Connect = connect
    proc: Proc = OWN
    forged: Forged = field(default_factory=Forged)

    def tcp_listeners(self, method: Method) -> ListenerReader:
        """Return a reader of the TCP listeners of both families."""
        ask = partial(dump, requests.TCP_LISTENERS, self.connect)
        return ListenerReader(TCP, ask, partial(procfs.tcp_listeners, self.proc), Ladder(method))

    def segment_gate(self) -> SegmentGate:
        """Return a gate that is shut while no TCP segment comes in."""
        return SegmentGate(partial(counters.read_tcp_segments, self.proc))

    def unix_listeners(self, method: Method) -> ListenerReader:
        """Return a reader of the unix listeners, stream and seqpacket."""
        ask = partial(dump, requests.UNIX_LISTENERS, self.connect)
        return ListenerReader(UNIX, ask, partial(procfs.unix_listeners, self.proc), Ladder(method))

    def half_open(self, method: Method) -> HalfOpenReader:
        """Return a reader of the half-open connections."""
        ask = partial(dump, requests.HALF_OPEN, self.connect)
        return HalfOpenReader(ask, partial(procfs.half_open, self.proc), Ladder(method))

    def references(self) -> ReferenceReader:
        """Return a reader of the references of TCP listeners."""
        return ReferenceReader(self.proc)

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


def host() -> Namespace:
    """Return the namespace this process lives in."""
    forged = Forged()
    return Namespace("host", KeptSocket(partial(connect, forged)), OWN, forged)
