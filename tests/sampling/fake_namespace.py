"""A network namespace that answers what a test has put there."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import cast

from exporter.kernel.errors import UnavailableError
from exporter.kernel.fallback import MethodFallback
from exporter.kernel.family import TCP, UNIX, SocketFamily
from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.procfs.counters import Sysctls, TcpCounters
from exporter.kernel.procfs.files import ProcfsFiles
from exporter.kernel.procfs.refcount import RefCount
from exporter.kernel.procfs.tcp_activity import TcpActivity
from exporter.kernel.records import (
    Changes,
    Endpoint,
    Listener,
    Method,
    QueueReading,
    WaitingConnection,
    WaitingDump,
)
from exporter.kernel.sock_diag.diag_socket import DiagSockets, ForeignDatagrams
from tests.listeners.sockets import waiting

COUNTERS = TcpCounters(*range(1, 8))
SYSCTLS = Sysctls(somaxconn=4096, max_syn_backlog=1024, syncookies=1, abort_on_overflow=0)


class FakeRequest:
    """Something that the kernel is asked: what it costs, and how it fails."""

    def __init__(self, spend: Callable[[float], None]) -> None:
        """Succeed and cost nothing until told; `spend` is charged with the processor time."""
        self.error: Exception | None = None
        self.cost = 0.0
        self.asked = 0
        self.on_answer: Callable[[], object] = lambda: None
        self._spend = spend

    def ask(self) -> None:
        """Be asked once."""
        self.asked += 1
        self._spend(self.cost)
        self.on_answer()
        if self.error is not None:
            raise self.error


class FakeListeners(FakeRequest):
    """A reader of listeners: it returns what changed since it was read last."""

    def __init__(self, spend: Callable[[float], None]) -> None:
        super().__init__(spend)
        self.fallback = MethodFallback(Method.AUTO)
        self._sockets: dict[int, tuple[Listener, QueueReading]] = {}
        self._returned: dict[int, tuple[Listener, QueueReading]] = {}

    def open(
        self, *listeners: Listener, length: int | None = 0, limit: int | None = 9, drops: int | None = 0
    ) -> None:
        """Make sockets listen."""
        for listener in listeners:
            self._sockets[listener.cookie] = listener, QueueReading(listener.cookie, length, limit, drops)

    def change(
        self, cookie: int, *, length: int | None = None, limit: int | None = None, drops: int | None = None
    ) -> None:
        """Change the queue of a socket, its backlog, or what it dropped."""
        listener, reading = self._sockets[cookie]
        given = {"length": length, "limit": limit, "drops": drops}
        changed = {name: value for name, value in given.items() if value is not None}
        self._sockets[cookie] = listener, reading._replace(**changed)

    def close(self, *cookies: int) -> None:
        """Close sockets."""
        for cookie in cookies:
            del self._sockets[cookie]

    def change_to_procfs(self) -> None:
        """Change to the procfs method: the same sockets by their inodes, without limits and drops."""
        self.fallback.choose(Method.PROCFS)
        self._sockets = {
            listener.inode: (
                replace(listener, cookie=listener.inode),
                QueueReading(listener.inode, reading.length, None, None),
            )
            for listener, reading in self._sockets.values()
        }

    def read(self, _now: float) -> Changes:
        """Return what changed since the last answer."""
        self.ask()
        before, now = self._returned, dict(self._sockets)
        self._returned = now
        return Changes(
            opened=tuple(now[cookie] for cookie in now if cookie not in before),
            updated=tuple(
                now[cookie][1] for cookie in now if cookie in before and now[cookie] != before[cookie]
            ),
            closed=tuple(cookie for cookie in before if cookie not in now),
        )


class FakeSynRecv(FakeRequest):
    """A reader of half-open connections."""

    def __init__(self, spend: Callable[[float], None]) -> None:
        super().__init__(spend)
        self.fallback = MethodFallback(Method.AUTO)
        self.counts: dict[Endpoint, int] = {}

    def read(self, _now: float) -> dict[Endpoint, int]:
        """Return how many there are at each endpoint."""
        self.ask()
        return dict(self.counts)


class FakeReferences(FakeRequest):
    """A reader of references; without `held`, by inode, they may not be read."""

    def __init__(self, spend: Callable[[float], None]) -> None:
        super().__init__(spend)
        self.held: dict[int, RefCount] | None = None

    def read(self, _family: int, _count: int) -> dict[int, RefCount]:
        """Return them by inode."""
        self.ask()
        if self.held is None:
            raise UnavailableError("cannot read net/tcp", "EACCES")
        return dict(self.held)


class FakeSnmp(ProcfsFiles):
    """Stands in for /proc/net/snmp; without segments it may not be read."""

    def __init__(self, segments: Callable[[], int | None]) -> None:
        self._segments = segments

    def open(self, name: str) -> int:
        raise NotImplementedError(name)

    def read(self, name: str) -> bytes:
        segments = self._segments()
        if segments is None:
            raise UnavailableError(f"cannot read /proc/{name}", "EACCES")
        return f"Tcp: InSegs\nTcp: {segments}\n".encode()


class FakeNamespace:
    """Stands in for Namespace. Without `segments` the number of TCP segments cannot be read."""

    def __init__(self, spend: Callable[[float], None], name: str = "host") -> None:
        self.name = name
        self.tcp = FakeListeners(spend)
        self.unix = FakeListeners(spend)
        self.syn_recv_dump = FakeSynRecv(spend)
        # None may be read, so that every count of half-open connections is a walk.
        self.references = FakeReferences(spend)
        self.oldest_wait = FakeRequest(spend)
        self.all_ports = FakeRequest(spend)
        self.lookups = FakeRequest(spend)
        self.netstat = FakeRequest(spend)
        self.mptcp_dump = FakeRequest(spend)
        self.waits: dict[Endpoint, float] = {}
        self.connections: list[WaitingConnection] = []
        self.cgroups_asked: list[set[int]] = []
        self.mptcp: frozenset[int] = frozenset()
        self.settings = SYSCTLS
        self.foreign_datagrams = ForeignDatagrams()
        # For what is asked in another thread than that of the sampler.
        self.sockets: DiagSockets | None = None
        self.segments: int | None = None
        self.repeats: int | None = None

    def namespace(self) -> Namespace:
        """The same, by the type that the sampler takes."""
        return cast("Namespace", self)

    def listeners(self, family: SocketFamily, method: Method) -> FakeListeners:
        """Stand in for Namespace.listeners."""
        reader = {TCP: self.tcp, UNIX: self.unix}[family]
        reader.fallback.choose(method)
        return reader

    def tcp_activity(self) -> TcpActivity:
        """Stand in for Namespace.tcp_activity."""
        return TcpActivity(FakeSnmp(lambda: self.segments))

    def syn_recv(self, method: Method) -> FakeSynRecv:
        """Stand in for Namespace.syn_recv."""
        self.syn_recv_dump.fallback.choose(method)
        return self.syn_recv_dump

    def ref_counts(self) -> FakeReferences:
        """Stand in for Namespace.ref_counts."""
        return self.references

    def waiting_at(self, ports: Collection[int], known: Collection[int]) -> WaitingDump:
        """Stand in for Namespace.waiting_at: one for each of `waits`, and `connections`."""
        self.oldest_wait.ask()
        waiting = [connection for connection in self._waiting() if connection.local.port in ports]
        return WaitingDump(
            [each for each in waiting if each.cookie not in known],
            {each.cookie: each.seconds for each in waiting if each.cookie in known},
        )

    def waiting_in(self, cgroup_ids: Collection[int]) -> list[WaitingConnection]:
        """Stand in for Namespace.waiting_in."""
        self.all_ports.ask()
        self.cgroups_asked.append(set(cgroup_ids))
        return [each for each in self._waiting() if not cgroup_ids or each.cgroup_id in cgroup_ids]

    def still_waiting(self, connection: WaitingConnection) -> WaitingConnection | None:
        """Stand in for Namespace.still_waiting."""
        self.lookups.ask()
        return next((each for each in self.connections if each.cookie == connection.cookie), None)

    def _waiting(self) -> list[WaitingConnection]:
        at_ports = [
            waiting(1000 + number, endpoint, seconds)
            for number, (endpoint, seconds) in enumerate(self.waits.items())
        ]
        return [*at_ports, *self.connections]

    def mptcp_inodes(self) -> frozenset[int]:
        """Stand in for Namespace.mptcp_inodes."""
        self.mptcp_dump.ask()
        return self.mptcp

    def counters(self) -> TcpCounters:
        """Stand in for Namespace.counters."""
        self.netstat.ask()
        return COUNTERS

    def syn_repeats(self) -> int | None:
        """Stand in for Namespace.syn_repeats."""
        return self.repeats

    def sysctls(self) -> Sysctls:
        """Stand in for Namespace.sysctls."""
        return self.settings
