"""Other ways to read accept queues in Python."""

from __future__ import annotations

import socket
from pathlib import Path

from pyroute2 import DiagSocket

from bench.repetition import Repetition

_LISTEN = 10
_LISTEN_TEXT = "0A"
_SKMEMINFO = 1 << 6
_FILES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def pyroute2() -> Repetition:
    """A dump of both families by pyroute2's DiagSocket, with the states and extensions of the exporter."""
    opened = DiagSocket()
    opened.bind()

    def dump() -> int:
        return sum(
            len(opened.get_sock_stats(family=family, states=1 << _LISTEN, extensions=_SKMEMINFO))
            for family in (socket.AF_INET, socket.AF_INET6)
        )

    return Repetition(dump)


def procfs() -> Repetition:
    """A loop that splits every line of the two files and keeps the listeners.

    It finds the length of each queue; the backlog is not in these files.
    """
    return Repetition(lambda: len(_lengths()))


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
