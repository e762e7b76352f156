"""The frozen view of a host that checks are made on: what one watch of it has seen."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.endpoint import endpoint
from exporter.kernel.family import family_of
from exporter.kernel.processes.activity import ProcessActivity
from exporter.kernel.procfs.counters import Sysctls, TcpCounters
from exporter.listeners.key import ListenerKey
from exporter.owners.owner import Owner


@dataclass(frozen=True, slots=True)
class SocketView:
    """One listening socket.

    `limit` is the backlog in force; the queue is full with one connection more. `length` is the newest number
    of waiting connections, `shortest` and `longest` are the extremes of the watch. `decreased` tells whether
    any sample found fewer than the one before, so that some were accepted. `samples` is how many there were.
    """

    limit: int
    length: int
    shortest: int
    longest: int
    decreased: bool = False
    samples: int = 1

    @property
    def full(self) -> bool:
        """Whether the newest sample found it full."""
        return self.length > self.limit

    @property
    def was_full(self) -> bool:
        """Whether any sample found it full."""
        return self.longest > self.limit

    @property
    def always_full(self) -> bool:
        """Whether every sample found it full."""
        return self.shortest > self.limit

    @property
    def unchanged(self) -> bool:
        """Whether every sample found the same number of waiting connections."""
        return self.shortest == self.longest

    @property
    def peak_ratio(self) -> float:
        """How full it was at most; 1 is full."""
        return self.longest / (self.limit + 1)


@dataclass(frozen=True, slots=True)
class ListenerView:
    """One listener. Of its sockets only those are in `sockets` whose length and backlog are known.

    `full_seconds` is for how long a socket was full during the watch. `oldest_wait_seconds` is how long the
    oldest connection has waited, None where that is not known. `same_oldest_seconds` is for how long during
    the watch those that came first all stayed, 0 where one of them has just left, or none is known.
    `syn_recv` is the highest number of half-open connections in the watch, `drops` the number of packets
    dropped since the sockets were opened, `more_drops` during the watch; None where the family or the method
    does not tell.
    `processes` are the owners of its sockets, and those of their children that hold them too, as far as they
    may be seen. `idle` tells that none of them used processor time during the watch.
    """

    key: ListenerKey
    owner: Owner
    sockets: tuple[SocketView, ...]
    full_seconds: float = 0.0
    oldest_wait_seconds: float | None = None
    same_oldest_seconds: float = 0.0
    syn_recv: int | None = None
    syn_recv_limit: int | None = None
    drops: int | None = None
    more_drops: int | None = None
    processes: tuple[ProcessActivity, ...] = ()
    idle: bool = False

    @property
    def has_syn_queue(self) -> bool:
        """Whether clients come by a handshake, and do not wait in connect() where the queue is full."""
        return family_of(self.key.protocol).has_syn_queue

    @property
    def fullest(self) -> SocketView | None:
        """The socket that was fullest; None where none is known."""
        return max(self.sockets, key=lambda each: each.peak_ratio, default=None)

    @property
    def limit(self) -> int | None:
        """The smallest backlog of its sockets, None where none is known."""
        return min((each.limit for each in self.sockets), default=None)

    @property
    def was_full(self) -> bool:
        """Whether any sample found one of its sockets full."""
        return any(each.was_full for each in self.sockets)

    @property
    def name(self) -> str:
        """The listener in words: its program and its address."""
        who = self.owner.process or self.owner.command or "the listener"
        return f"{who} at {endpoint(self.key.address, self.key.port)}"


@dataclass(frozen=True, slots=True)
class NamespaceView:
    """A network namespace. What could not be read is None, and so is a counter that went back.

    `counters` are those of the end, `increases` what they rose by during the watch.
    """

    name: str
    listeners: tuple[ListenerView, ...]
    sysctls: Sysctls | None = None
    counters: TcpCounters | None = None
    increases: TcpCounters | None = None

    @property
    def tcp(self) -> list[ListenerView]:
        """Its TCP listeners."""
        return [each for each in self.listeners if each.has_syn_queue]


@dataclass(frozen=True, slots=True)
class Unseen:
    """What could not be read, and what it takes to read it.

    `configured` tells whether the configuration leaves it out.
    """

    what: str
    needs: str
    configured: bool = False


@dataclass(frozen=True, slots=True)
class HostView:
    """What one watch of `seconds` has seen. The namespace of this process is the first of `namespaces`."""

    seconds: float
    namespaces: tuple[NamespaceView, ...]
    unseen: tuple[Unseen, ...] = ()
