"""Unix listeners, stream and seqpacket, from struct unix_diag_msg.

Source: include/uapi/linux/unix_diag.h, net/unix/diag.c (sk_diag_fill, sk_diag_show_rqlen).
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Final

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.records import FileId, Listener, QueueReading
from exporter.kernel.sock_diag.message_classes import (
    SOCK_DIAG_BY_FAMILY,
    UDIAG_SHOW_NAME,
    UDIAG_SHOW_RQLEN,
    UDIAG_SHOW_VFS,
    unix_diag_req,
)
from exporter.kernel.sock_diag.messages import attributes
from exporter.kernel.sock_diag.requests import TCP_LISTEN, encode
from exporter.kernel.sock_diag.rows import ListenerRows
from exporter.kernel.text import unix_address

_ROW_BYTES: Final = 32
_ROW: Final = struct.Struct("=16x BBBx I Q")
_UDIAG_SHOW_UID: Final = 0x40
_UNIX_DIAG_NAME: Final = 0
_UNIX_DIAG_VFS: Final = 1
_UNIX_DIAG_RQLEN: Final = 4
_UNIX_DIAG_UID: Final = 7
_RQLEN: Final = struct.Struct("=II")
_UID: Final = struct.Struct("=I")
# With its header.
_USER_BYTES: Final = 8
# struct unix_diag_vfs: inode, and device as the kernel encodes it (MKDEV, include/linux/kdev_t.h).
_VFS: Final = struct.Struct("=II")
_MINOR_BITS: Final = 20
_MINOR_MASK: Final = (1 << _MINOR_BITS) - 1


def _request() -> bytes:
    request = unix_diag_req()
    request["sdiag_family"] = socket.AF_UNIX
    request["udiag_states"] = 1 << TCP_LISTEN
    request["udiag_show"] = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN | _UDIAG_SHOW_UID
    return encode(request, SOCK_DIAG_BY_FAMILY)


class UnixRows(ListenerRows):
    """Rows of struct unix_diag_msg in state LISTEN."""

    requests: tuple[bytes, ...] = (_request(),)

    def cookie(self, row: bytes) -> int:
        """Return the cookie of the socket. Raises MalformedReplyError."""
        if len(row) < _ROW_BYTES:
            raise MalformedReplyError(f"unix_diag row of {len(row)} bytes, fewer than {_ROW_BYTES}")
        number: int = _ROW.unpack_from(row)[4]
        return number

    def listener(self, row: bytes) -> Listener:
        """Decode all but the queue. Raises MalformedReplyError."""
        number = self.cookie(row)
        family, _, state, inode, _ = _ROW.unpack_from(row)
        if family != socket.AF_UNIX or state != TCP_LISTEN:
            raise MalformedReplyError(f"unix_diag row of family {family} in state {state}, asked for LISTEN")
        name = b""
        uid = None
        file = None
        for kind, at, size in attributes(row, _ROW_BYTES):
            if kind == _UNIX_DIAG_NAME:
                name = _bound_name(row[at : at + size])
            elif kind == _UNIX_DIAG_UID and size == _UID.size:
                (uid,) = _UID.unpack_from(row, at)
            elif kind == _UNIX_DIAG_VFS and size == _VFS.size:
                file_inode, device = _VFS.unpack_from(row, at)
                file = FileId(os.makedev(device >> _MINOR_BITS, device & _MINOR_MASK), file_inode)
        return Listener(
            cookie=number,
            inode=inode,
            address=unix_address(name),
            uid=uid,
            bound_to=file or name,
            path=b"" if name.startswith(b"\0") else name,
        )

    def same_listener(self, old: bytes, new: bytes) -> bool:
        """Tell whether two rows of one socket have the same listener. Raises MalformedReplyError."""
        # A socket keeps its name and its file. Its user, which fchown(2) changes, is the last attribute.
        return old[-_USER_BYTES:] == new[-_USER_BYTES:] or self.listener(old) == self.listener(new)

    def reading(self, row: bytes) -> QueueReading:
        """Decode the accept queue: for a listener the kernel shows pending connections and backlog."""
        for kind, at, size in attributes(row, _ROW_BYTES):
            if kind == _UNIX_DIAG_RQLEN and size == _RQLEN.size:
                length, limit = _RQLEN.unpack_from(row, at)
                return QueueReading(self.cookie(row), length, limit, None)
        return QueueReading(self.cookie(row), None, None, None)


def _bound_name(raw: bytes) -> bytes:
    """Drop the NUL that the kernel adds to a path (unix_mkname_bsd); an abstract name has none added."""
    return raw if raw.startswith(b"\0") else raw.removesuffix(b"\0")
