"""Unix listeners from /proc/net/unix, for hosts without sock_diag: that they exist, and no more.

Source: net/unix/af_unix.c (unix_seq_show).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from exporter.kernel.errors import MalformedReplyError, UnavailableError
from exporter.kernel.procfs.files import ProcfsFiles
from exporter.kernel.procfs.table import Found, ProcfsTable
from exporter.kernel.records import Listener, QueueReading
from exporter.kernel.text import unix_address

_FILE: Final = "net/unix"
# Its lines UNIX and UNIX-STREAM tell how many sockets the namespace has (proto_seq_printf, net/core/sock.c).
_COUNTS: Final = "net/protocols"
_COUNT: Final = re.compile(rb"^UNIX(?:-STREAM)? +\d+ +(\d{1,10}) ", re.MULTILINE)
_SO_ACCEPTCON: Final = 0x10000  # include/uapi/linux/net.h
_ROW: Final = re.compile(
    rb"([0-9a-f]+): [0-9A-F]{8} 0{8} ([0-9A-F]{8}) [0-9A-F]{4} [0-9A-F]{2} +(\d{1,20})(?: (.*))?"
)
# sizeof(sun_path), include/uapi/linux/un.h: no name is longer, with the NUL that an abstract one begins with.
_MAX_NAME_BYTES: Final = 108
# How often it is read before a doubt counts: sockets open and close meanwhile.
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class _Row:
    """What may be a row of the table: `text` is all that was printed, `name` is None where there is none."""

    text: bytes
    flags: int
    inode: int
    name: bytes | None

    def may_go_on(self, text: bytes) -> bool:
        """Tell whether this may be a part of the name in the row, behind a newline."""
        return self.name is not None and len(self.name) + 1 + len(text) <= _MAX_NAME_BYTES

    def with_name(self, more: bytes) -> _Row:
        """Return the row with another line of its name."""
        return _Row(self.text + b"\n" + more, self.flags, self.inode, (self.name or b"") + b"\n" + more)


# The inode and the name of a socket.
_Known = tuple[int, bytes | None]


class UnixTable(ProcfsTable):
    """The unix listeners.

    The file prints each NUL of an abstract name as `@`, so the name can differ from what was bound; those at
    its end are taken for the padding that they nearly always are.

    A name may hold a newline, and behind it what looks like a row. So anybody could make up a listener, or
    have that of somebody else taken for a part of a name. A name is at most 108 bytes long, and stays as it
    is. So most lines are rows for certain: those that were there before, and those after a socket that was
    there before, that has no name, or a long one. Of the others the kernel's count of sockets tells how many
    are rows at most: with more than that, some belong to a name, and where it is open which, nothing of the
    file is used.

    The kernel counts a socket until nothing refers to it (unix_sock_destructor), and shows it until it is
    closed (unix_release_sock). Who closes one end of a pair of sockets and keeps the other can make up a
    listener. To refuse each line that may be two things would be no way out: it is most of those behind
    short names, on any host. No listener of somebody else is lost by it.
    """

    def __init__(self) -> None:
        self._known: set[_Known] = set()

    def listeners(self, files: ProcfsFiles) -> list[Found]:
        """Read all listeners. Raises KernelError."""
        for _ in range(_ATTEMPTS):
            rows = self._read(files)
            if rows is not None:
                self._known = _keys(rows)
                return [_found(row) for row in rows if row.flags & _SO_ACCEPTCON]
        raise MalformedReplyError(f"/proc/{_FILE}: cannot tell sockets from what is in a name")

    def _read(self, files: ProcfsFiles) -> list[_Row] | None:
        """Return the rows, None where something may be one or not."""
        count = _count(files)
        rows = _parse(files.read(_FILE).partition(b"\n")[2])
        # Each socket has a line, so more lines than sockets are no rows.
        excess = len(rows) - count if count is not None else 0
        doubtful = self._doubtful(rows)
        if not doubtful and excess <= 0:
            return rows
        if _count(files) != count:
            return None if doubtful else rows
        if excess <= 0:
            return rows
        if excess == len(doubtful):
            return _joined(rows, doubtful)
        # What was taken for a row before may have been none, while sockets came and went.
        self._known = set()
        return None

    def _doubtful(self, rows: Sequence[_Row]) -> list[int]:
        """Return the positions of what may be a row, and may as well belong to the name before it."""
        # A line that is there twice is a copy of itself.
        certain = self._known & _keys(rows)
        return [
            position
            for position, (before, row) in enumerate(pairwise(rows), 1)
            if before.may_go_on(row.text)
            and not {(before.inode, before.name), (row.inode, row.name)} & certain
        ]


def _keys(rows: Sequence[_Row]) -> set[_Known]:
    """Return what tells rows from others; those that are there more than once are left out."""
    counted = Counter((row.inode, row.name) for row in rows)
    return {key for key, number in counted.items() if number == 1}


def _count(files: ProcfsFiles) -> int | None:
    """Return how many unix sockets there are; None where the kernel does not tell. Raises KernelError."""
    try:
        counts = _COUNT.findall(files.read(_COUNTS))
    except UnavailableError:
        return None
    return sum(map(int, counts)) if counts else None


def _parse(content: bytes) -> list[_Row]:
    """Return what looks like rows; other lines are a part of the name before. Raises MalformedReplyError."""
    rows: list[_Row] = []
    lines = content.removesuffix(b"\n").split(b"\n") if content else []
    # Every address has as many digits as a pointer of the kernel; the first line is a row for certain.
    digits = lines[0].find(b":") if lines else 0
    for line in lines:
        match = _ROW.fullmatch(line)
        if match is not None and match.end(1) == digits:
            rows.append(_Row(line, int(match[2], 16), int(match[3]), match[4]))
        elif rows and rows[-1].may_go_on(line):
            rows[-1] = rows[-1].with_name(line)
        else:
            raise MalformedReplyError(f"/proc/{_FILE}: cannot read {line!r}")
    return rows


def _joined(rows: Sequence[_Row], parts: Collection[int]) -> list[_Row]:
    """Return the rows, of which those at some positions are a part of the name before them."""
    joined: list[_Row] = []
    for position, row in enumerate(rows):
        if position in parts:
            joined[-1] = joined[-1].with_name(row.text)
        else:
            joined.append(row)
    return joined


def _found(row: _Row) -> Found:
    name = row.name or b""
    abstract = name.startswith(b"@")
    address = unix_address(b"\0" + name[1:].rstrip(b"@") if abstract else name)
    path = b"" if abstract else name
    listener = Listener(row.inode, row.inode, address, bound_to=name, path=path)
    return listener, QueueReading(row.inode, None, None, None)
