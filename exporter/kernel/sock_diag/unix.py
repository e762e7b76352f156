"""Unix listeners, stream and seqpacket, from struct unix_diag_msg.

Source: include/uapi/linux/unix_diag.h, net/unix/diag.c (sk_diag_fill, sk_diag_show_rqlen).
"""

from __future__ import annotations

import struct

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.records import Listener, QueueReading
from exporter.kernel.sock_diag.messages import attributes
from exporter.kernel.sock_diag.requests import TCP_LISTEN

_MESSAGE_BYTES = 32
_MESSAGE = struct.Struct("=16x BBBx I Q")
_AF_UNIX = 1
_UNIX_DIAG_NAME = 0
_UNIX_DIAG_RQLEN = 4
_UNIX_DIAG_UID = 7
_RQLEN = struct.Struct("=II")
_UID = struct.Struct("=I")


def cookie(row: bytes) -> int:
    """Return the socket's cookie, from a row of at least a whole unix_diag_msg."""
    if len(row) < _MESSAGE_BYTES:
        raise MalformedReplyError(f"unix_diag row of {len(row)} bytes, fewer than {_MESSAGE_BYTES}")
    number: int = _MESSAGE.unpack_from(row)[4]
    return number


def listener(row: bytes) -> Listener:
    """Decode who a listener is. Raises MalformedReplyError on anything but a whole LISTEN row."""
    number = cookie(row)
    family, _, state, inode, _ = _MESSAGE.unpack_from(row)
    if family != _AF_UNIX or state != TCP_LISTEN:
        raise MalformedReplyError(f"unix_diag row of family {family} in state {state}, asked for LISTEN")
    name = b""
    uid = None
    for kind, at, size in attributes(row, _MESSAGE_BYTES):
        if kind == _UNIX_DIAG_NAME:
            name = _bound_name(row[at : at + size])
        elif kind == _UNIX_DIAG_UID and size == _UID.size:
            (uid,) = _UID.unpack_from(row, at)
    return Listener(cookie=number, inode=inode, uid=uid, name=name)


def reading(row: bytes) -> QueueReading:
    """Decode the accept queue; for a listener the kernel shows pending connections and backlog."""
    for kind, at, size in attributes(row, _MESSAGE_BYTES):
        if kind == _UNIX_DIAG_RQLEN and size == _RQLEN.size:
            length, limit = _RQLEN.unpack_from(row, at)
            return QueueReading(cookie(row), length, limit, None)
    return QueueReading(cookie(row), None, None, None)


def _bound_name(raw: bytes) -> bytes:
    """Drop the NUL that the kernel adds to a path (unix_mkname_bsd); an abstract name has none added."""
    return raw if raw.startswith(b"\0") else raw.removesuffix(b"\0")
