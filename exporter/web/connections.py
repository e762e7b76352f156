"""The open connections of a server: their number and their deadlines."""

from __future__ import annotations

import asyncio
from typing import Final

from exporter.web.admission import Admission
from exporter.web.channel import Channel
from exporter.web.connection import Connection
from exporter.web.connection_state import State
from exporter.web.limits import Limits
from exporter.web.origin import Origin
from exporter.web.router import Responder

_MIN_TIMER_SECONDS: Final = 0.1
_KEPT_IDLE_RATIO: Final = 0.125
# What a client has sent is read before that, unless it has to wait.
_SILENT_SECONDS: Final = 0.1
_RESPONDING: Final = (State.RESPONSE, State.SENDING)


class Connections:
    """At most `limits.connections`, each of which is closed at its deadline. Used in one event loop."""

    def __init__(self, router: Responder, limits: Limits, admission: Admission) -> None:
        self._router = router
        self.limits = limits
        self.admission = admission
        self._loop = asyncio.get_running_loop()
        # Of each state in the order in which it began.
        self._open: dict[State, dict[Connection, None]] = {state: {} for state in State}
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return self._count

    def add(self, channel: Channel, origin: Origin) -> Connection:
        """Take a connection that was accepted."""
        connection = Connection(channel, origin, self._router, self)
        self._count += 1
        self._open[connection.state][connection] = None
        self._set_timer(connection.deadline)
        return connection

    def now(self) -> float:
        """Return the time of the event loop."""
        return self._loop.time()

    def make_place(self, origin: Origin) -> bool:
        """Return whether there is a place for a client, for which one that can be missed is closed.

        That is one that is idle, who asks most often first, and of equal ones the one that asked first; then
        one that waits for processor time and asks all the time, then one without a complete request, or that
        takes nothing of its response, where that is not just beginning. For a client that asks at intervals
        that is any that has sent nothing for a tenth of a second. Those who ask at intervals come last.
        """
        limits = self.limits
        if self._count < limits.connections:
            return True
        # Where there are only few, Prometheus is likely to be among them.
        spared = int(limits.connections * _KEPT_IDLE_RATIO)
        return (
            self._close_idle(spared)
            or self.admission.refuse_one()
            or self._close_unfinished(_SILENT_SECONDS if origin.idle_seconds else limits.evict_header_seconds)
            or self.admission.refuse_most_frequent(spared)
        )

    def close_one(self) -> bool:
        """Close a connection that can be missed, and return whether there was one."""
        return self._close_idle(0) or self._close_unfinished(self.limits.evict_header_seconds)

    def _close_idle(self, kept: int) -> bool:
        lingering, idle = self._open[State.LINGERING], self._open[State.IDLE]
        if lingering:
            next(iter(lingering)).abort()
        elif len(idle) > kept:
            min(idle, key=lambda each: each.idle_seconds or 0.0).abort()
        else:
            return False
        return True

    def _close_unfinished(self, header_seconds: float) -> bool:
        header_since = self._loop.time() - header_seconds
        for state in (State.HEADER, State.BODY):
            for unfinished in self._open[state]:
                if unfinished.since <= header_since:
                    unfinished.abort()
                    return True
        for sending in self._open[State.SENDING]:
            if sending.stalled_seconds >= self.limits.evict_stalled_seconds:
                sending.abort()
                return True
        return False

    def changed(self, connection: Connection, before: State) -> None:
        """Take note of another state or deadline of a connection."""
        if connection.state is not before:
            self._open[before].pop(connection, None)
            if connection.state is State.CLOSED:
                self._count -= 1
                return
            self._open[connection.state][connection] = None
        self._set_timer(connection.deadline)

    def responding(self) -> bool:
        """Return whether a response is made or sent."""
        return any(self._open[state] for state in _RESPONDING)

    def end(self) -> None:
        """Close all, those to whom a response is made or sent once that is done."""
        for state, connections in self._open.items():
            for connection in list(connections):
                if state in _RESPONDING:
                    connection.close_when_sent()
                else:
                    connection.abort()

    def close(self) -> None:
        """Close all, whatever state they are in."""
        for connections in self._open.values():
            for connection in list(connections):
                connection.abort()
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self, deadline: float) -> None:
        """Look at the deadlines at this time at the latest."""
        if self._timer is not None:
            if self._timer.when() <= deadline:
                return
            self._timer.cancel()
        earliest = self._loop.time() + _MIN_TIMER_SECONDS
        self._timer = self._loop.call_at(max(deadline, earliest), self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time()
        for connections in self._open.values():
            for connection in [each for each in connections if each.deadline <= now]:
                connection.expire()
        remaining = [each.deadline for connections in self._open.values() for each in connections]
        if remaining:
            self._set_timer(min(remaining))
