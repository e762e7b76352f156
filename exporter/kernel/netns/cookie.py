"""The cookie of a network namespace: a number that no other namespace ever has.

Source: SO_NETNS_COOKIE in include/uapi/asm-generic/socket.h, Linux 5.14 and newer.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from typing import Final

from exporter.kernel.errors import from_os_error

_SO_NETNS_COOKIE: Final = 71
_COOKIE: Final = struct.Struct("=Q")
# What stands for the cookie where the kernel has none.
NO_COOKIE: Final = 0

# Returns the cookie of a socket's namespace, or NO_COOKIE. Raises OSError.
CookieReader = Callable[[socket.socket], int]


def namespace_cookie(channel: socket.socket) -> int:
    """Return the cookie of a socket's namespace, NO_COOKIE where the kernel has none. Raises OSError."""
    try:
        number: int = _COOKIE.unpack(channel.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, _COOKIE.size))[0]
    except OSError as error:
        if error.errno == errno.ENOPROTOOPT:
            return NO_COOKIE
        raise
    return number


def have_cookies(read: CookieReader = namespace_cookie) -> bool:
    """Tell whether this kernel gives namespaces cookies. Raises KernelError."""
    try:
        with socket.socket(socket.AF_UNIX) as channel:
            return read(channel) != NO_COOKIE
    except OSError as error:
        raise from_os_error("cannot read the cookie of a network namespace", error) from error
