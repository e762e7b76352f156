"""What the samples of a watch have seen of one listener."""

from __future__ import annotations

from typing import NamedTuple, Self

from exporter.doctor.host_view import ListenerView, SocketView
from exporter.kernel.processes.activity import ProcessActivity
from exporter.owners.owner import UNKNOWN_OWNER
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.sources.known_waits import First


class _Lengths(NamedTuple):
    """What the samples of one queue found.

    The newest length, the extremes, whether it ever decreased, and how many samples that were.
    """

    newest: int
    shortest: int
    longest: int
    decreased: bool = False
    samples: int = 1

    def then(self, length: int) -> Self:
        return self._replace(
            samples=self.samples + 1,
            newest=length,
            shortest=min(self.shortest, length),
            longest=max(self.longest, length),
            decreased=self.decreased or length < self.newest,
        )


class ListenerWatch:
    """Follows one listener."""

    def __init__(self, state: ListenerState, counted_since: float) -> None:
        """Begin with the newest sample; the counters of its namespace were read at `counted_since`.

        That is in monotonic seconds.
        """
        self._state = state
        self._counted_since = counted_since
        self._drops = state.group.drops
        self._full_seconds = state.accept.full_seconds() or 0.0
        self._lengths: dict[int, _Lengths] = {}
        self._syn_recv: int | None = None
        self._sampled: float | None = None
        # The connections that came first, when they were seen first, and the same for the last time.
        self._first: First | None = None
        self._last: First | None = None

    def note(self, first: First | None) -> None:
        """Take the newest samples; `first` are the connections that came first of those that wait."""
        state = self._state
        self._note_first(first if state.group.length else None)
        if state.syn_recv is not None and state.syn_recv.length is not None:
            self._syn_recv = max(self._syn_recv or 0, state.syn_recv.length)
        # It may be called more often than the queue is sampled.
        if state.accept.sampled == self._sampled:
            return
        self._sampled = state.accept.sampled
        if state.accept.sampled < self._counted_since:
            # What was dropped before the counters were read is in none of their increases.
            self._drops = state.group.drops
        for cookie, member in state.group.members.items():
            length = member.reading.length
            if length is not None:
                before = self._lengths.get(cookie)
                begin = _Lengths(length, length, length)
                self._lengths[cookie] = begin if before is None else before.then(length)

    def view(self, seconds: float, processes: tuple[ProcessActivity, ...], *, idle: bool) -> ListenerView:
        """Return what was seen in so many seconds.

        `processes` are those that own the sockets, and `idle` tells that none of them ran meanwhile.
        """
        state, group = self._state, self._state.group
        sockets = [self._socket(cookie) for cookie in group.members]
        return ListenerView(
            key=state.key(),
            owner=state.owner or UNKNOWN_OWNER,
            sockets=tuple(each for each in sockets if each is not None),
            # The time before the first sample of the watch belongs to that sample.
            full_seconds=min(seconds, (state.accept.full_seconds() or 0.0) - self._full_seconds),
            oldest_wait_seconds=state.oldest_wait_seconds() if group.length else None,
            same_oldest_seconds=self._last.seen_at - self._first.seen_at
            if self._first and self._last
            else 0.0,
            syn_recv=self._syn_recv,
            syn_recv_limit=state.syn_recv_limit(),
            drops=group.drops,
            more_drops=None if group.drops is None else max(0, group.drops - (self._drops or 0)),
            processes=processes,
            idle=idle,
        )

    def _note_first(self, first: First | None) -> None:
        # One that has left may have been accepted, whichever of those that came together it was.
        if first is None or self._first is None or not set(self._first.cookies).issubset(first.cookies):
            self._first = first
        self._last = first

    def _socket(self, cookie: int) -> SocketView | None:
        reading = self._state.group.members[cookie].reading
        if reading.length is None or reading.limit is None:
            return None
        seen = self._lengths.get(cookie, _Lengths(reading.length, reading.length, reading.length))
        return SocketView(
            reading.limit, reading.length, seen.shortest, seen.longest, seen.decreased, seen.samples
        )
