"""What else is done in Python to read accept queues."""

from __future__ import annotations

import socket
from pathlib import Path

from pyroute2 import DiagSocket

from bench.work import Work

_LISTEN = 10
_LISTEN_TEXT = "0A"
_SKMEMINFO = 1 << 6
_FILES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def pyroute2() -> Work:
    """Return a dump of both families by pyroute2's own socket, asked for what this exporter asks for."""
    opened = DiagSocket()
    opened.bind()

    def dump() -> int:
        return sum(
            len(opened.get_sock_stats(family=family, states=1 << _LISTEN, extensions=_SKMEMINFO))
            for family in (socket.AF_INET, socket.AF_INET6)
        )

    return Work(dump)


def procfs() -> Work:
    """Return the loop that is often advised: every line of the two files is split, and listeners are kept.

    It finds the length of each queue; the backlog is not in these files.
    """
    return Work(lambda: len(_lengths()))


def _lengths() -> dict[tuple[str, int], int]:
    found: dict[tuple[str, int], int] = {}
    for path in _FILES:
        with path.open() as lines:
            next(lines)
            for line in lines:
                fields = line.split()
                if fields[3] == _LISTEN_TEXT:
                    address, _, port = fields[1].partition(":")
                    found[address, int(port, 16)] = int(fields[4].partition(":")[2], 16)
    return found
