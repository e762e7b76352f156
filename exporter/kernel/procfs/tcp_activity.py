"""Whether TCP segments have come in: without one no queue of a listener can grow.

Source: Tcp InSegs of /proc/net/snmp, which counts every segment that reaches the namespace, over
loopback too (tcp_v4_rcv, net/ipv4/tcp_ipv4.c).
"""

from __future__ import annotations

from typing import Final

from exporter.kernel.errors import UnavailableError
from exporter.kernel.procfs.counters import read_tcp_segments
from exporter.kernel.procfs.files import ProcfsFiles

# Where segments come in all the time it is useless to read the counter, so it is left alone for this long.
_BUSY_SECONDS: Final = 0.5


class TcpActivity:
    """Compares the number of segments with that of the call before."""

    def __init__(self, files: ProcfsFiles) -> None:
        """Take the files of the namespace; nothing is read yet."""
        self._files = files
        self._last: int | None = None
        self._read_at: float | None = None

    def idle(self, now: float) -> bool:
        """Tell whether no segment has come in since the call before, at `now` in monotonic seconds.

        Where it is true, the state that was read after the last call that was false still holds. The first
        call tells whether none has ever come in. Every call is false where InSegs may not be read. Raises
        KernelError.
        """
        if self._read_at is not None and now < self._read_at:
            return False
        before, self._last = self._last, self._segments()
        if self._last is not None and self._last == (before or 0):
            return True
        self._read_at = now + _BUSY_SECONDS if before is not None else now
        return False

    def _segments(self) -> int | None:
        try:
            return read_tcp_segments(self._files)
        except UnavailableError:
            return None
