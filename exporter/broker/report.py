"""Lines that a broker or the supervisor writes to standard error, which is the log of the exporter."""

from __future__ import annotations

import os
import select

_STANDARD_ERROR = 2


def report(who: str, what: str) -> None:
    """Write a line, unless nobody reads standard error: the process would wait for ever."""
    poll = select.poll()
    poll.register(_STANDARD_ERROR, select.POLLOUT)
    if any(events & select.POLLOUT for _, events in poll.poll(0)):
        line = f"listen-queue-exporter: {who}: {what}\n".encode(errors="backslashreplace")
        os.write(_STANDARD_ERROR, line[: select.PIPE_BUF])
