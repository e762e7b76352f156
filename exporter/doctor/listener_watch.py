"""What the samples of a watch have seen of one listener."""

from __future__ import annotations

from typing import Final, NamedTuple, Self

from exporter.doctor.host_view import ListenerView, SocketView
from exporter.kernel.processes.activity import ProcessActivity
from exporter.owners.owner import UNKNOWN_OWNER
from exporter.sampling.listener_state import ListenerState

# Of the time between two readings, the oldest connection has to become older by so much to be the same one.
_SAME: Final = 0.9


class _Lengths(NamedTuple):
    """What the samples of one queue found: the newest length, the extremes, and whether it ever decreased."""

    newest: int
    shortest: int
    longest: int
    decreased: bool = False

    def then(self, length: int) -> Self:
        return self._replace(
            newest=length,
            shortest=min(self.shortest, length),
            longest=max(self.longest, length),
            decreased=self.decreased or length < self.newest,
        )


class ListenerWatch:
    """Follows one listener. Times are monotonic seconds."""

    def __init__(self, state: ListenerState, counted_since: float) -> None:
        """Begin with the newest sample; the counters of its namespace were read at `counted_since`."""
        self._state = state
        self._counted_since = counted_since
        self._drops = state.group.drops
        self._full_seconds = state.accept.full_seconds() or 0.0
        self._lengths: dict[int, _Lengths] = {}
        self._syn_recv: int | None = None
        # When the wait of the connection that is the oldest was read first and last, and what it was then.
        self._first: tuple[float, float] | None = None
        self._last: tuple[float, float] | None = None

    def note(self, now: float) -> None:
        """Take the newest sample."""
        state = self._state
        if state.accept.sampled < self._counted_since:
            # What was dropped before the counters were read is in none of their increases.
            self._drops = state.group.drops
        for cookie, member in state.group.members.items():
            length = member.reading.length
            if length is not None:
                before = self._lengths.get(cookie)
                first = _Lengths(length, length, length)
                self._lengths[cookie] = first if before is None else before.then(length)
        if state.syn_recv is not None and state.syn_recv.length is not None:
            self._syn_recv = max(self._syn_recv or 0, state.syn_recv.length)
        self._note_oldest(state.oldest_wait_seconds() if state.group.length else None, now)

    def view(self, seconds: float, processes: tuple[ProcessActivity, ...]) -> ListenerView:
        """Return what was seen in so many seconds, and what the processes do that own the sockets."""
        state, group = self._state, self._state.group
        sockets = [self._socket(cookie) for cookie in group.members]
        return ListenerView(
            key=state.key(),
            owner=state.owner or UNKNOWN_OWNER,
            sockets=tuple(each for each in sockets if each is not None),
            # The time before the first sample of the watch belongs to that sample.
            full_seconds=min(seconds, (state.accept.full_seconds() or 0.0) - self._full_seconds),
            oldest_wait_seconds=state.oldest_wait_seconds() if group.length else None,
            same_oldest_seconds=self._last[0] - self._first[0] if self._first and self._last else 0.0,
            syn_recv=self._syn_recv,
            syn_recv_limit=state.syn_recv_limit(),
            drops=group.drops,
            more_drops=None if group.drops is None else max(0, group.drops - (self._drops or 0)),
            processes=processes,
        )

    def _note_oldest(self, waited: float | None, now: float) -> None:
        if waited is None:
            self._first = self._last = None
        elif self._first is None or self._last is None:
            self._first = self._last = now, waited
        elif waited != self._last[1]:
            # Between two readings it stays what it was.
            same = waited - self._first[1] >= _SAME * (now - self._first[0])
            self._last = now, waited
            self._first = self._first if same else self._last

    def _socket(self, cookie: int) -> SocketView | None:
        reading = self._state.group.members[cookie].reading
        if reading.length is None or reading.limit is None:
            return None
        seen = self._lengths.get(cookie, _Lengths(reading.length, reading.length, reading.length))
        return SocketView(reading.limit, reading.length, seen.shortest, seen.longest, seen.decreased)
