"""How many references the kernel holds to each TCP listener, from the first lines of /proc/net/tcp and tcp6.

Every half-open request holds one reference to its listener, and so does every connection in the
accept queue that was not made from a SYN cookie (reqsk_queue_hash_req, net/ipv4/inet_connection_sock.c). So
the half-open connections of a socket follow from its line alone, without a walk over all connections.
Listeners come first in these files (tcp_seq_start, net/ipv4/tcp_ipv4.c), and only they are read.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from typing import Final, NamedTuple

from exporter.kernel.errors import MalformedReplyError, from_os_error
from exporter.kernel.procfs.files import ProcfsFiles

_FILES: Final = {socket.AF_INET: "net/tcp", socket.AF_INET6: "net/tcp6"}
_LISTEN: Final = b"0A"
_LINE: Final = re.compile(
    rb" *\d+: [0-9A-F]+:[0-9A-F]{4} [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) [0-9A-F]+:([0-9A-F]{1,16})"
    rb" [0-9A-F]+:[0-9A-F]+ [0-9A-F]+ +\d+ +\d+ +(\d{1,20}) (\d{1,10}) .*"
)
# The files that are read.
REFERENCE_FILES: Final = tuple(_FILES.values())
# No line is shorter. To read more than the lines that are wanted would make the kernel look for connections
# to fill the rest, and where there are few it searches its whole table.
_MIN_LINE_BYTES: Final = {socket.AF_INET: 150, socket.AF_INET6: 140}


class RefCount(NamedTuple):
    """One listener's references, and the length of its accept queue at the same instant."""

    held: int
    accept_length: int


class RefCountReader:
    """Reads the references of the TCP listeners of one namespace.

    A line that is equal to one of the last read is not parsed again. Where nothing has changed at all, the
    mapping that was returned before for the same address family is returned again.
    """

    def __init__(self, files: ProcfsFiles) -> None:
        """Take the files of the namespace; nothing is read yet."""
        self._files = files
        # By address family: each line with what was parsed, and all that was found.
        self._parsed: dict[int, dict[bytes, tuple[int, RefCount] | None]] = {}
        self._found: dict[int, dict[int, RefCount]] = {}

    def read(self, family: int, count: int) -> dict[int, RefCount]:
        """Return the references by inode, for `count` listeners of an address family.

        A listener that has opened since they were counted may be missing. Raises KernelError.
        """
        name = _FILES[socket.AddressFamily(family)]
        known = self._parsed.get(family, {})
        parsed = {
            line: known[line] if line in known else _parse(line, name)
            for line in _first_lines(self._files, name, count, _MIN_LINE_BYTES[socket.AddressFamily(family)])
        }
        if family not in self._found or parsed.keys() != known.keys():
            self._parsed[family] = parsed
            self._found[family] = dict(found for found in parsed.values() if found is not None)
        return self._found[family]


def _parse(line: bytes, name: str) -> tuple[int, RefCount] | None:
    """Parse a line; None where it is not that of a listener. Raises MalformedReplyError."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise MalformedReplyError(f"/proc/{name}: cannot read {line!r}")
    if match[1] != _LISTEN:
        return None
    return int(match[3]), RefCount(int(match[4]), int(match[2], 16))


def _first_lines(files: ProcfsFiles, name: str, count: int, min_bytes: int) -> Iterator[bytes]:
    """Read the first lines after the heading, and hardly more of the file. Raises KernelError."""
    read = b""
    try:
        descriptor = files.open(name)
        try:
            while (missing := count + 1 - read.count(b"\n")) > 0:
                portion = os.read(descriptor, missing * min_bytes)
                if not portion:
                    break
                read += portion
        finally:
            files.close(name, descriptor)
    except OSError as error:
        raise from_os_error(f"cannot read /proc/{name}", error) from error
    lines = read.split(b"\n")[:-1]
    return iter(lines[1 : count + 1])
