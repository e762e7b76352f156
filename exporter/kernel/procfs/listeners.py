"""Listeners from /proc/net, for hosts without sock_diag: lengths, but no backlog and no drops.

Source: net/ipv4/tcp_ipv4.c (get_tcp4_sock, get_openreq4), net/ipv6/tcp_ipv6.c (get_tcp6_sock) and
net/unix/af_unix.c (unix_seq_show). For unix listeners the file tells that they exist, and no more.
"""

from __future__ import annotations

import re
import socket
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from exporter.kernel.errors import MalformedReplyError, UnavailableError
from exporter.kernel.procfs.files import OWN_PROCFS, ProcfsFiles
from exporter.kernel.records import UNCHANGED, Changes, Endpoint, Listener, QueueReading

Found = tuple[Listener, QueueReading]

_LISTEN = b"0A"
_SYN_RECV = b"03"
# Each file with its family and the digits of an address in it.
_TCP_FILES: Final = (("net/tcp", socket.AF_INET, 8), ("net/tcp6", socket.AF_INET6, 32))
_TCP_LINE = re.compile(
    rb"\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2})"
    rb" [0-9A-F]+:([0-9A-F]+) [0-9A-F]+:[0-9A-F]+ [0-9A-F]+ +(\d{1,20}) +\d+ +(\d{1,20}) .*"
)
_SO_ACCEPTCON: Final = 0x10000  # include/uapi/linux/net.h
# A name may hold a newline, so a line that does not look like one goes on with the name before it.
_UNIX_LINE = re.compile(
    rb"^[0-9a-f]+: [0-9A-F]{8} [0-9A-F]{8} ([0-9A-F]{8}) [0-9A-F]{4} [0-9A-F]{2} +(\d{1,20})(?: (.*?))?$"
    rb"(?=\n[0-9a-f]+: [0-9A-F]{8} [0-9A-F]{8} |\n?\Z)",
    re.MULTILINE | re.DOTALL,
)


def tcp_listeners(proc: ProcfsFiles = OWN_PROCFS) -> list[Found]:
    """Read the TCP listeners of both families with the length of their queues. Raises KernelError."""
    found = []
    for endpoint, length, uid, inode in _tcp_rows(proc, _LISTEN):
        listener = Listener(cookie=inode, inode=inode, uid=uid, endpoint=endpoint)
        found.append((listener, QueueReading(inode, length, None, None)))
    return found


def syn_recv(proc: ProcfsFiles = OWN_PROCFS) -> dict[Endpoint, int]:
    """Count the half-open connections of each endpoint. Raises KernelError."""
    return dict(Counter(endpoint for endpoint, *_ in _tcp_rows(proc, _SYN_RECV)))


def unix_listeners(proc: ProcfsFiles = OWN_PROCFS) -> list[Found]:
    """Read which unix listeners exist. Raises KernelError.

    The file prints each NUL of an abstract name as `@`, so the name can differ from what was bound.
    """
    _, _, content = proc.read("net/unix").partition(b"\n")
    found = []
    at = 0
    for match in _UNIX_LINE.finditer(content):
        if match.start() != at:
            break
        at = match.end() + 1
        flags, inode, name = int(match[1], 16), int(match[2]), match[3] or b""
        if flags & _SO_ACCEPTCON:
            name = b"\0" + name[1:] if name.startswith(b"@") else name
            listener = Listener(cookie=inode, inode=inode, name=name)
            found.append((listener, QueueReading(inode, None, None, None)))
    if at < len(content):
        raise MalformedReplyError(f"/proc/net/unix: cannot read {content[at:].splitlines()[0]!r}")
    return found


class ProcfsComparison:
    """What changed between two reads; the twin of the watch that compares datagrams."""

    def __init__(self) -> None:
        """Start with no listener known."""
        self.known: dict[int, QueueReading] = {}

    def update(self, found: Iterable[Found]) -> Changes:
        """Fold one whole read in and return what it changed."""
        now = {listener.cookie: (listener, reading) for listener, reading in found}
        opened = tuple(pair for cookie, pair in now.items() if cookie not in self.known)
        updated = tuple(
            reading for cookie, (_, reading) in now.items() if self.known.get(cookie, reading) != reading
        )
        closed = tuple(self.known.keys() - now.keys())
        self.known = {cookie: reading for cookie, (_, reading) in now.items()}
        return Changes(opened, updated, closed) if opened or updated or closed else UNCHANGED


def _tcp_rows(proc: ProcfsFiles, state: bytes) -> Iterator[tuple[Endpoint, int, int, int]]:
    """Yield (endpoint, length of the queue, uid, inode) of each row in `state`."""
    for name, family, digits in _TCP_FILES:
        try:
            content = proc.read(name)
        except UnavailableError as error:
            # A host without IPv6 has no such file.
            if family == socket.AF_INET6 and error.reason == "ENOENT":
                continue
            raise
        for line in content.splitlines()[1:]:
            match = _TCP_LINE.fullmatch(line)
            if match is None or len(match[1]) != digits:
                raise MalformedReplyError(f"/proc/{name}: cannot read {line!r}")
            if match[3] == state:
                endpoint = Endpoint(family, _packed(match[1]), int(match[2], 16), 0)
                yield endpoint, int(match[4], 16), int(match[5]), int(match[6])


def _packed(address: bytes) -> bytes:
    """Turn `0100007F` into 127.0.0.1: each word is printed as a number in the host's byte order."""
    return b"".join(struct.pack("=I", int(address[at : at + 8], 16)) for at in range(0, len(address), 8))
