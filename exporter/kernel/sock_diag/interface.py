"""The names of the network interfaces of a network namespace: SIOCGIFNAME, netdevice(7).

The kernel looks in the namespace of the socket that it is asked by (sock_do_ioctl, net/socket.c), whichever
one the caller is in, and takes a netlink socket too (netlink_ioctl, net/netlink/af_netlink.c, Linux 4.6).
if_indextoname(3) opens a socket of its own, so its answer is of the namespace of the caller.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from collections.abc import Collection
from typing import Final

from exporter.kernel.sock_diag.diag_socket import DiagSockets

_SIOCGIFNAME: Final = 0x8910
# struct ifreq: a name of 16 bytes and a union of 24, which begins with the index.
_IFREQ: Final = struct.Struct("@16s i 20x")


class InterfaceNames:
    """Reads the names of the interfaces of the namespace that some sockets belong to."""

    def __init__(self, sockets: DiagSockets) -> None:
        """Take the sockets; nothing is read yet."""
        self._sockets = sockets

    def read(self, indexes: Collection[int]) -> dict[int, str]:
        """Return the present names of interfaces by index; `if<index>` as ss(8) where there is none to read.

        Raises KernelError where there is no socket to ask by just now.
        """
        if not indexes:
            return {}
        with self._sockets.borrow() as channel:
            return {index: _read(channel, index) for index in indexes}


def _read(channel: socket.socket, index: int) -> str:
    try:
        reply = fcntl.ioctl(channel, _SIOCGIFNAME, _IFREQ.pack(b"", _signed(index)))
    except OSError:
        # ENODEV, or a kernel, or a filter, that does not answer this: listeners are read without it.
        return f"if{index}"
    name: bytes = _IFREQ.unpack(reply)[0]
    return os.fsdecode(name.partition(b"\0")[0])


def _signed(index: int) -> int:
    # Rows have it without a sign, the kernel's own indexes are positive.
    return index - (1 << 32) if index >> 31 else index
