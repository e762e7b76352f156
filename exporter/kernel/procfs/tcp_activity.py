"""Whether anything has come in over TCP: without a segment no queue of a listener can grow.

Source: Tcp InSegs of /proc/net/snmp, which counts every segment that reaches the namespace, over
loopback too (tcp_v4_rcv, net/ipv4/tcp_ipv4.c).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from exporter.kernel.errors import UnavailableError

# The files of /proc that are read.
SEGMENT_FILES: Final = ("net/snmp",)

# Where segments come in all the time a look is wasted, so the next one waits this long.
_BUSY_SECONDS = 0.5


class TcpActivity:
    """Shut while no segment has come in since the look before."""

    def __init__(self, segments: Callable[[], int | None]) -> None:
        """Take the way to read InSegs; the first look finds the gate open."""
        self._segments = segments
        self._last: int | None = None
        self._look_at = float("-inf")

    def idle(self, now: float) -> bool:
        """Look, at `now` in monotonic seconds. Where InSegs may not be read the gate is open.

        Whoever finds it shut may take the state that was read since the last open look for the
        present one. Raises KernelError.
        """
        if now < self._look_at:
            return False
        before, self._last = self._last, self._read()
        if self._last is not None and self._last == before:
            return True
        self._look_at = now + _BUSY_SECONDS if before is not None else now
        return False

    def _read(self) -> int | None:
        try:
            return self._segments()
        except UnavailableError:
            return None
