"""TCP sockets from /proc/net/tcp and tcp6, for hosts without sock_diag: lengths, no backlog and no drops.

Source: net/ipv4/tcp_ipv4.c (get_tcp4_sock, get_openreq4) and net/ipv6/tcp_ipv6.c (get_tcp6_sock).
"""

from __future__ import annotations

import errno
import re
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from typing import Final

from exporter.kernel.errors import MalformedReplyError, UnavailableError
from exporter.kernel.procfs.files import ProcfsFiles
from exporter.kernel.procfs.table import Found, ProcfsTable
from exporter.kernel.records import Endpoint, Listener, QueueReading
from exporter.kernel.text import ip_address

_LISTEN: Final = b"0A"
_SYN_RECV: Final = b"03"
# Each file with its address family and the digits of an address in it.
_FILES: Final = (("net/tcp", socket.AF_INET, 8), ("net/tcp6", socket.AF_INET6, 32))
_LINE: Final = re.compile(
    rb"\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2})"
    rb" [0-9A-F]+:([0-9A-F]+) [0-9A-F]+:[0-9A-F]+ [0-9A-F]+ +(\d{1,20}) +\d+ +(\d{1,20}) .*"
)


class TcpTable(ProcfsTable):
    """The TCP listeners of both address families."""

    def listeners(self, files: ProcfsFiles) -> list[Found]:
        """Read all listeners with the length of their queues. Raises KernelError."""
        found = []
        for endpoint, length, uid, inode in _rows(files, _LISTEN):
            listener = Listener(
                cookie=inode,
                inode=inode,
                address=ip_address(endpoint),
                port=str(endpoint.port),
                uid=uid,
                endpoint=endpoint,
                v6only=None,
            )
            found.append((listener, QueueReading(inode, length, None, None)))
        return found


def syn_recv(files: ProcfsFiles) -> dict[Endpoint, int]:
    """Count the half-open connections of each endpoint. Raises KernelError."""
    return dict(Counter(endpoint for endpoint, *_ in _rows(files, _SYN_RECV)))


def _rows(files: ProcfsFiles, state: bytes) -> Iterator[tuple[Endpoint, int, int, int]]:
    """Yield (endpoint, length of the queue, uid, inode) of each row in `state`. Raises KernelError."""
    for name, family, digits in _FILES:
        try:
            content = files.read(name)
        except UnavailableError as error:
            # A host without IPv6 has no such file.
            if family == socket.AF_INET6 and error.errno == errno.ENOENT:
                continue
            raise
        for line in content.splitlines()[1:]:
            match = _LINE.fullmatch(line)
            if match is None or len(match[1]) != digits:
                raise MalformedReplyError(f"/proc/{name}: cannot read {line!r}")
            if match[3] == state:
                endpoint = Endpoint(family, _packed(match[1]), int(match[2], 16), 0)
                yield endpoint, int(match[4], 16), int(match[5]), int(match[6])


def _packed(address: bytes) -> bytes:
    """Decode `0100007F` into 127.0.0.1: each word is printed as a number in the host's byte order."""
    return b"".join(struct.pack("=I", int(address[at : at + 8], 16)) for at in range(0, len(address), 8))
