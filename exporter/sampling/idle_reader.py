"""Reading TCP listeners, and leaving a read out where no queue can have grown."""

from __future__ import annotations

import time
from typing import Final

from exporter.kernel.fallback import MethodFallback
from exporter.kernel.procfs.tcp_activity import TcpActivity
from exporter.kernel.readers import ListenerReader
from exporter.kernel.records import UNCHANGED, Changes

# How late a socket may be noticed that opens or closes while nothing at all comes in over TCP.
_READ_SECONDS: Final = 1.0
# A read that costs less than this is not worth finding out whether it is needed: a look at the gate
# costs what a small read does.
_WORTH_A_LOOK_SECONDS: Final = 0.001


class IdleReader:
    """The TCP listeners of one namespace, read only where that may tell something new."""

    def __init__(self, reader: ListenerReader, activity: TcpActivity) -> None:
        """Take the reader, and the gate that is shut while no segment comes in."""
        self._reader = reader
        self._activity = activity
        self._read_seconds = 0.0
        self._read_at = float("-inf")

    @property
    def fallback(self) -> MethodFallback:
        """The way that the kernel is asked."""
        return self._reader.fallback

    def forget(self) -> None:
        """Rely on nothing that was read before."""
        self._read_at = float("-inf")

    def read(self, now: float, *, empty: bool) -> Changes:
        """Return what changed, at `now` in monotonic seconds; `empty` tells that no queue has anyone in it.

        Sockets come and go without a segment, so a read is never left out for long. Raises KernelError.
        """
        if empty and self._nothing_moved(now):
            return UNCHANGED
        # A read that fails leaves nothing to rely on.
        self.forget()
        started = time.perf_counter()
        changes = self._reader.read(now)
        self._read_seconds = time.perf_counter() - started
        self._read_at = now
        return changes

    def _nothing_moved(self, now: float) -> bool:
        if self._read_seconds <= _WORTH_A_LOOK_SECONDS:
            return False
        return now - self._read_at < _READ_SECONDS and self._activity.idle(now)
