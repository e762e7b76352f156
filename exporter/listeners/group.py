"""A group of sockets that listen on one address, and the sums of their queues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from exporter.kernel.records import Listener, QueueReading
from exporter.kernel.syn_queue import SynQueueBound
from exporter.listeners.key import ListenerKey

_DROPS_WRAP: Final = 1 << 32
# The most closed sockets whose drops are kept: a service may restart again and again.
_MAX_CLOSED: Final = 256


@dataclass(slots=True)
class GroupMember:
    """One socket of a group, and its newest reading.

    `counted` is what it adds to the drops of the group, and `dropped` what it would add where it is not known
    yet whether it belongs to the program of the group.
    """

    listener: Listener
    reading: QueueReading
    counted: int = 0
    dropped: int = 0

    @property
    def utilization(self) -> float | None:
        """How full the socket is: length / (backlog + 1); None where the method does not tell."""
        return _utilization(self.reading)


class ListenerGroup:
    """The present state of one listener: the sums over its sockets, and its fullest socket.

    `program` is the program that owns the sockets, empty where it is not known or does not matter.
    `length` and `limit` are sums in connections; None where the method does not tell. `utilization` is
    length / (backlog + 1) of the fullest socket, since the kernel distributes connections over a SO_REUSEPORT
    group without regard to how full each is: 1 is full, and it may be more. `drops` is the sum of packets
    dropped by each socket, present and past. `members` are the sockets by cookie.
    """

    __slots__ = (
        "_closed",
        "_counted_elsewhere",
        "_length",
        "_limit",
        "_summed",
        "_unconfirmed",
        "_utilization",
        "drops",
        "key",
        "members",
        "program",
    )

    def __init__(self, key: ListenerKey, program: str = "") -> None:
        """Start without a socket."""
        self.key = key
        self.program = program
        self.members: dict[int, GroupMember] = {}
        self.drops: int | None = None
        # Whether the sums are those of the present readings. They are made when they are asked for: thousands
        # of sockets may change in one sample.
        self._summed = True
        self._length: int | None = None
        self._limit: int | None = None
        self._utilization: float | None = None
        # What sockets had dropped when they closed. A socket closes and opens again where the method changes
        # to procfs and back, and what it had dropped before is in the sum already.
        self._closed: dict[int, int] = {}
        # What was counted here of sockets that turned out to be another group's. A counter may not go back,
        # so the next drops are counted only once they exceed this.
        self._counted_elsewhere = 0
        # The sockets of which it is not known whether they belong to the program of the group.
        self._unconfirmed: set[int] = set()

    @property
    def length(self) -> int | None:
        """Connections that wait for accept."""
        if not self._summed:
            self._sum_up()
        return self._length

    @property
    def limit(self) -> int | None:
        """The backlog in force."""
        if not self._summed:
            self._sum_up()
        return self._limit

    @property
    def utilization(self) -> float | None:
        """How full the fullest socket is."""
        if not self._summed:
            self._sum_up()
        return self._utilization

    @property
    def known_drops(self) -> int | None:
        """The drops; None while the method does not tell those of a socket, and the sum is an old one."""
        return None if any(each.reading.drops is None for each in self.members.values()) else self.drops

    @property
    def uid(self) -> int | None:
        """The user who opened its first socket; None where there is none, or the kernel does not tell."""
        member = next(iter(self.members.values()), None)
        return None if member is None else member.listener.uid

    def open(self, listener: Listener, reading: QueueReading, *, belongs: bool = True) -> None:
        """Add a socket. Its drops have counted from 0 since it was created.

        They are no part of the sum while it is not known whether it `belongs` to the program of the group.
        """
        member = self.members[listener.cookie] = GroupMember(listener, reading)
        if reading.drops is not None:
            member.dropped = (reading.drops - self._closed.pop(listener.cookie, 0)) % _DROPS_WRAP
        if belongs:
            self.confirm(listener.cookie)
        else:
            self._unconfirmed.add(listener.cookie)
        self._summed = False

    def confirm(self, cookie: int) -> None:
        """Note that a socket belongs to the program of the group, and count what it has dropped."""
        self._unconfirmed.discard(cookie)
        member = self.members[cookie]
        if member.reading.drops is not None:
            self._count(member.dropped)
            member.counted, member.dropped = member.counted + member.dropped, 0

    def update(self, reading: QueueReading) -> None:
        """Take a new reading of one of the sockets. Drops are 32 bits in the kernel and wrap."""
        member = self.members[reading.cookie]
        before = member.reading.drops
        member.reading = reading
        if reading.drops != before and reading.drops is not None and before is not None:
            member.dropped += (reading.drops - before) % _DROPS_WRAP
            if reading.cookie not in self._unconfirmed:
                self.confirm(reading.cookie)
        self._summed = False

    def close(self, cookie: int) -> None:
        """Remove a socket; what it dropped stays counted, also where its program was never found."""
        self.confirm(cookie)
        drops = self.members.pop(cookie).reading.drops
        if drops:
            self._closed[cookie] = drops
            if len(self._closed) > _MAX_CLOSED:
                del self._closed[next(iter(self._closed))]
        self._summed = False

    def release(self, cookie: int, *, named: bool) -> GroupMember:
        """Remove a socket that belongs to another group, which counts what it has dropped, and return it.

        `named` tells whether the program of this one was known before, so that its sum was published.
        """
        member = self.members.pop(cookie)
        self._unconfirmed.discard(cookie)
        if named:
            self._counted_elsewhere += member.counted
        elif self.drops is not None:
            self.drops -= member.counted
        self._summed = False
        return member

    def set_identity(self, key: ListenerKey, program: str) -> None:
        """Take where the listener is, and its program, once the owner of its sockets is known."""
        self.key = key
        self.program = program

    def syn_recv_limit(self, bound: SynQueueBound) -> int | None:
        """Return how many half-open connections the kernel admits, the sum of what each socket may have.

        None where a backlog is not known.
        """
        limits = [member.reading.limit for member in self.members.values()]
        if None in limits:
            return None
        return sum(bound.limit(limit) for limit in limits if limit is not None)

    def _count(self, drops: int) -> None:
        elsewhere = min(drops, self._counted_elsewhere)
        self._counted_elsewhere -= elsewhere
        self.drops = (self.drops or 0) + drops - elsewhere

    def _sum_up(self) -> None:
        self._summed = True
        readings = [member.reading for member in self.members.values()]
        # Nearly every group has one socket, and on a busy host thousands of them change in every sample.
        if len(readings) == 1:
            (reading,) = readings
            self._length, self._limit = reading.length, reading.limit
            self._utilization = _utilization(reading)
        else:
            self._length = _sum([reading.length for reading in readings])
            self._limit = _sum([reading.limit for reading in readings])
            ratios = [ratio for reading in readings if (ratio := _utilization(reading)) is not None]
            self._utilization = max(ratios, default=None)


def _utilization(reading: QueueReading) -> float | None:
    if reading.length is None or reading.limit is None:
        return None
    return reading.length / (reading.limit + 1)


def _sum(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None
