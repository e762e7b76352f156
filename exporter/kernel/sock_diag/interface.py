"""The name of a network interface by its index: SIOCGIFNAME, netdevice(7).

if_indextoname(3) does the same, but fails with ENOENT where it could not open a socket for it, whatever the
reason.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from typing import Final

from exporter.kernel.errors import UnavailableError, from_os_error
from exporter.kernel.sock_diag.diag_socket import NETLINK_SOCK_DIAG

_SIOCGIFNAME: Final = 0x8910
# struct ifreq: a name of 16 bytes and a union of 24, which begins with the index.
_IFREQ: Final = struct.Struct("@16s i 20x")


def interface_name(index: int) -> str:
    """Return the name of an interface of this network namespace; `if<index>` where there is none, as ss(8).

    Raises KernelError where the name cannot be read just now.
    """
    try:
        with socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG
        ) as channel:
            reply = fcntl.ioctl(channel, _SIOCGIFNAME, _IFREQ.pack(b"", _signed(index)))
    except OSError as error:
        failed = from_os_error(f"cannot read the name of interface {index}", error)
        if error.errno == errno.ENODEV or isinstance(failed, UnavailableError):
            return f"if{index}"
        raise failed from error
    name: bytes = _IFREQ.unpack(reply)[0]
    return os.fsdecode(name.partition(b"\0")[0])


def _signed(index: int) -> int:
    # Rows have it without a sign, the kernel's own indexes are positive.
    return index - (1 << 32) if index >> 31 else index
