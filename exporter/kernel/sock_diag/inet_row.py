"""Addresses, cookie and inode of one row of a TCP dump: struct inet_diag_msg after its netlink header.

Source: include/uapi/linux/inet_diag.h. Offsets count from the start of the netlink message.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Collection
from typing import Final

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.records import Endpoint

ROW_BYTES: Final = 88
_ADDRESS: Final = struct.Struct(">16x BB 2x H 2x 16s 16x")
_PEER: Final = struct.Struct(">16x B 5x H 16x 16s")
_COOKIE: Final = struct.Struct("=60x Q")
_INTERFACE: Final = struct.Struct("=56x I")
_INODE: Final = struct.Struct("=84x I")
_ADDRESS_BYTES: Final = {socket.AF_INET: 4, socket.AF_INET6: 16}


def check_size(row: bytes) -> None:
    """Raise MalformedReplyError where a row is too short for the fixed part."""
    if len(row) < ROW_BYTES:
        raise MalformedReplyError(f"inet_diag row of {len(row)} bytes, fewer than {ROW_BYTES}")


def endpoint(row: bytes, states: Collection[int]) -> Endpoint:
    """Decode the local side of a row.

    Raises MalformedReplyError on a row that is too short, of another family than IPv4 and IPv6,
    or in a state that was not asked for.
    """
    check_size(row)
    family, state, port, address = _ADDRESS.unpack_from(row)
    if family not in _ADDRESS_BYTES or state not in states:
        raise MalformedReplyError(
            f"inet_diag row of family {family} in state {state}, asked for {sorted(states)}"
        )
    return Endpoint(family, address[: _ADDRESS_BYTES[family]], port, _INTERFACE.unpack_from(row)[0])


def peer(row: bytes) -> tuple[bytes, int]:
    """Return the address and the port of the other side of a row that `endpoint` has accepted."""
    family, port, address = _PEER.unpack_from(row)
    return address[: _ADDRESS_BYTES[family]], port


def cookie(row: bytes) -> int:
    """Return the cookie of the socket. Raises MalformedReplyError."""
    check_size(row)
    number: int = _COOKIE.unpack_from(row)[0]
    return number


def inode(row: bytes) -> int:
    """Return the inode of the socket, 0 where it has no file. Raises MalformedReplyError."""
    check_size(row)
    number: int = _INODE.unpack_from(row)[0]
    return number
