"""TCP sockets from /proc/net/tcp and tcp6, for hosts without sock_diag: lengths, no backlog and no drops.

Source: net/ipv4/tcp_ipv4.c (get_tcp4_sock, get_openreq4) and net/ipv6/tcp_ipv6.c (get_tcp6_sock).

What stands in for a kernel may fill in a part of them only. gVisor shows no half-open connections, and prints
0 for queues and for what follows the reference count (commonGenerateTCP, pkg/sentry/fsimpl/proc/task_net.go).
There Linux has the retransmission timeout, which is not 0 for a listener (tcp_init_sock, net/ipv4/tcp.c). So
where that is 0 or missing, a length of 0 means nothing.
"""

from __future__ import annotations

import errno
import re
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from exporter.kernel.errors import MalformedReplyError, UnavailableError, UnimplementedError
from exporter.kernel.procfs.files import ProcfsFiles
from exporter.kernel.procfs.table import Found, ProcfsTable
from exporter.kernel.records import Endpoint, Listener, QueueReading
from exporter.kernel.text import ip_address

_LISTEN: Final = b"0A"
_SYN_RECV: Final = b"03"
# Each file with its address family and the digits of an address in it.
_FILES: Final = (("net/tcp", socket.AF_INET, 8), ("net/tcp6", socket.AF_INET6, 32))
_LINE: Final = re.compile(
    rb"\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]+:[0-9A-F]{4}) ([0-9A-F]{2})"
    rb" [0-9A-F]+:([0-9A-F]+) [0-9A-F]+:[0-9A-F]+ [0-9A-F]+ +(\d{1,20}) +\d+ +(\d{1,20})"
    # Reference count, address, and the retransmission timeout, which only rows of sockets have.
    rb"(?: \d+ \S+ (\d{1,20})(?: .*)?| .*)?"
)


class _Row(NamedTuple):
    """A row of either file; `length` is that of the accept queue, None where it is not implemented."""

    state: bytes
    endpoint: Endpoint
    length: int | None
    uid: int
    inode: int


class TcpTable(ProcfsTable):
    """The TCP listeners of both address families."""

    def listeners(self, files: ProcfsFiles) -> list[Found]:
        """Read all listeners with the length of their queues, where it is implemented. Raises KernelError."""
        found = []
        for row in _rows(files, _LISTEN):
            listener = Listener(
                cookie=row.inode,
                inode=row.inode,
                address=ip_address(row.endpoint),
                port=str(row.endpoint.port),
                uid=row.uid,
                endpoint=row.endpoint,
                v6only=None,
            )
            found.append((listener, QueueReading(row.inode, row.length, None, None)))
        return found


def syn_recv(files: ProcfsFiles) -> dict[Endpoint, int]:
    """Count the half-open connections of each endpoint. Raises KernelError.

    That is an UnimplementedError where none is shown and the table has no length of any listener.
    """
    counts: Counter[Endpoint] = Counter()
    lengths: list[int | None] = []
    for row in _rows(files, _LISTEN, _SYN_RECV):
        if row.state == _SYN_RECV:
            counts[row.endpoint] += 1
        else:
            lengths.append(row.length)
    if lengths and not counts and all(length is None for length in lengths):
        raise UnimplementedError("/proc/net/tcp shows neither queues nor half-open connections")
    return dict(counts)


def _rows(files: ProcfsFiles, *states: bytes) -> Iterator[_Row]:
    """Yield each row in one of these states once, of SYN_RECV the half-open ones. Raises KernelError.

    A connection that comes while the file is read moves those that are behind it in its bucket of the hash
    table, and the kernel shows one of them again (tcp_seek_last_pos, net/ipv4/tcp_ipv4.c).
    """
    for name, family, digits in _FILES:
        try:
            content = files.read(name)
        except UnavailableError as error:
            # A host without IPv6 has no such file.
            if family == socket.AF_INET6 and error.errno == errno.ENOENT:
                continue
            raise
        shown = set[tuple[bytes, ...]]()
        for line in content.splitlines()[1:]:
            match = _LINE.fullmatch(line)
            if match is None or len(match[1]) != digits:
                raise MalformedReplyError(f"/proc/{name}: cannot read {line!r}")
            # Both ends, and of listeners that share theirs the inode.
            identity = match.group(1, 2, 3, 7)
            # A connection by TCP Fast Open is a socket in this state already, and in the accept queue.
            opened = match[4] == _SYN_RECV and int(match[8] or 0) > 0
            if match[4] in states and identity not in shown and not opened:
                shown.add(identity)
                endpoint = Endpoint(family, _packed(match[1]), int(match[2], 16), 0)
                length = int(match[5], 16)
                known = length > 0 or int(match[8] or 0) > 0
                yield _Row(match[4], endpoint, length if known else None, int(match[6]), int(match[7]))


def _packed(address: bytes) -> bytes:
    """Decode `0100007F` into 127.0.0.1: each word is printed as a number in the host's byte order."""
    return b"".join(struct.pack("=I", int(address[at : at + 8], 16)) for at in range(0, len(address), 8))
