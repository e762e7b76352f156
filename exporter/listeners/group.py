"""A group of sockets that listen in one place, and what they add up to."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.kernel.records import Listener, QueueReading
from exporter.listeners.key import ListenerKey

_DROPS_WRAP = 1 << 32
# So many sockets that closed are remembered at most, for a service that restarts without end.
_REMEMBER_CLOSED = 256


@dataclass(slots=True)
class GroupMember:
    """One socket of a group with its newest reading."""

    listener: Listener
    reading: QueueReading


class ListenerGroup:
    """The present state of one listener as users see it: the sum, and the fullest socket.

    `length` and `limit` are sums over the sockets, in connections; None where the source cannot
    tell. `utilization` is length / (backlog + 1) of the fullest socket, since the kernel spreads
    connections over a SO_REUSEPORT group without looking at how full each is: 1 is full, and it
    may be more. `drops` is the sum of packets dropped by each socket, present and past.
    """

    __slots__ = ("_added_up", "_closed", "_length", "_limit", "_utilization", "drops", "key", "members")

    def __init__(self, key: ListenerKey) -> None:
        """Start without a socket."""
        self.key = key
        self.members: dict[int, GroupMember] = {}
        self.drops: int | None = None
        # Added up when somebody asks, not for each of thousands of sockets that open at once.
        self._added_up = True
        self._length: int | None = None
        self._limit: int | None = None
        self._utilization: float | None = None
        # What sockets had dropped when they closed. A cookie comes back where only the source left,
        # for procfs and back, and what it had dropped by then stands in the sum already.
        self._closed: dict[int, int] = {}

    @property
    def length(self) -> int | None:
        """Connections that wait for accept."""
        if not self._added_up:
            self._add_up()
        return self._length

    @property
    def limit(self) -> int | None:
        """The backlog in force."""
        if not self._added_up:
            self._add_up()
        return self._limit

    @property
    def utilization(self) -> float | None:
        """How full the fullest socket is."""
        if not self._added_up:
            self._add_up()
        return self._utilization

    def open(self, listener: Listener, reading: QueueReading) -> None:
        """Take a socket in. Its drops count from zero, since they were born with it."""
        self.members[listener.cookie] = GroupMember(listener, reading)
        if reading.drops is not None:
            counted = self._closed.pop(listener.cookie, 0)
            self.drops = (self.drops or 0) + (reading.drops - counted) % _DROPS_WRAP
        self._added_up = False

    def move(self, reading: QueueReading) -> None:
        """Take a new reading of one of its sockets. Drops are 32 bits in the kernel and wrap."""
        member = self.members[reading.cookie]
        before = member.reading.drops
        member.reading = reading
        if reading.drops != before and reading.drops is not None and before is not None:
            self.drops = (self.drops or 0) + (reading.drops - before) % _DROPS_WRAP
        self._added_up = False

    def close(self, cookie: int) -> None:
        """Let a socket go; what it dropped stays counted."""
        drops = self.members.pop(cookie).reading.drops
        if drops:
            self._closed[cookie] = drops
            if len(self._closed) > _REMEMBER_CLOSED:
                del self._closed[next(iter(self._closed))]
        self._added_up = False

    def discard_closed_drops(self) -> None:
        """Let go of what sockets before the present ones dropped."""
        self.drops = _sum([member.reading.drops for member in self.members.values()])

    def syn_recv_limit(self, max_each: int | None) -> int | None:
        """Add up how many half-open connections the kernel admits, at most `most_each` a socket.

        A socket's SYN queue has the size of its accept queue, backlog + 1
        (inet_csk_reqsk_queue_is_full, include/net/inet_connection_sock.h).
        """
        limits = [member.reading.limit for member in self.members.values()]
        if None in limits:
            return None
        return sum(min(limit + 1, max_each or limit + 1) for limit in limits if limit is not None)

    def _add_up(self) -> None:
        self._added_up = True
        readings = [member.reading for member in self.members.values()]
        # Nearly every group is one socket, and a busy host moves thousands of them in every sample.
        if len(readings) == 1:
            _, self._length, self._limit, _ = readings[0]
            self._utilization = _utilization(readings[0])
        else:
            self._length = _sum([reading.length for reading in readings])
            self._limit = _sum([reading.limit for reading in readings])
            ratios = [ratio for reading in readings if (ratio := _utilization(reading)) is not None]
            self._utilization = max(ratios, default=None)


def _utilization(reading: QueueReading) -> float | None:
    _, length, limit, _ = reading
    return None if length is None or limit is None else length / (limit + 1)


def _sum(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None
