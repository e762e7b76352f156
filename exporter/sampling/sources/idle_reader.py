"""Reading listeners, and leaving a read out where no queue can have grown."""

from __future__ import annotations

from typing import Final

from exporter.kernel.fallback import MethodFallback
from exporter.kernel.listener_reader import ListenerReader
from exporter.kernel.procfs.tcp_activity import TcpActivity
from exporter.kernel.records import UNCHANGED, Changes
from exporter.sampling.clock import Clock

# How late a socket may be noticed that opens or closes while no TCP segment comes in.
_MAX_AGE_SECONDS: Final = 1.0
# A read that takes less than this is not left out: to read InSegs takes as long as a small dump.
_MIN_READ_SECONDS: Final = 0.001


class IdleReader:
    """The listeners of one family in one namespace, read only where that may tell something new."""

    def __init__(self, reader: ListenerReader, activity: TcpActivity | None, clock: Clock) -> None:
        """Take what tells whether segments came in; None where queues can grow without one."""
        self._reader = reader
        self._activity = activity
        self._clock = clock
        self._read_seconds = 0.0
        # When the last good read was, None where there is nothing to rely on.
        self._read_at: float | None = None

    @property
    def fallback(self) -> MethodFallback:
        """The method by which the kernel is asked."""
        return self._reader.fallback

    def reset(self) -> None:
        """Read at the next call, whatever was read before."""
        self._read_at = None

    def read(self, now: float, *, empty: bool) -> Changes:
        """Return what changed, at `now` in monotonic seconds; `empty` tells that no queue holds a connection.

        Sockets open and close without a segment, so a read is left out for a second at most.
        Raises KernelError.
        """
        if empty and self._nothing_new(now):
            return UNCHANGED
        # A read that fails leaves nothing to rely on.
        self.reset()
        started = self._clock.elapsed()
        changes = self._reader.read(now)
        self._read_seconds = self._clock.elapsed() - started
        self._read_at = now
        return changes

    def _nothing_new(self, now: float) -> bool:
        if self._activity is None or self._read_at is None or self._read_seconds <= _MIN_READ_SECONDS:
            return False
        return now - self._read_at < _MAX_AGE_SECONDS and self._activity.idle(now)
