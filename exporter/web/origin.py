"""Where a client comes from."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

# ::ffff:0:0/96, RFC 4291, section 2.5.5.2.
_IPV4_MAPPED: Final = bytes(10) + b"\xff\xff"
# fe80::/10: those of one link have the same /64.
_LINK_LOCAL: Final = b"\xfe\x80"
_NETWORK_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Origin:
    """The address of a client, and for how long nobody there had asked anything.

    That is None where nobody has ever, and where others are asking.
    """

    peer: str
    idle_seconds: float | None = None


def peer_of(address: object) -> str:
    """Return the IP address of a client, or its /64: one host may have all IPv6 addresses of that.

    `address` is what accept() returns. Clients of a unix socket have none, and count as one.
    """
    if not isinstance(address, tuple):
        return ""
    return _peer_of_host(address[0])


@lru_cache(maxsize=256)
def _peer_of_host(host: str) -> str:
    host = host.partition("%")[0]
    if ":" not in host:
        return host
    packed = socket.inet_pton(socket.AF_INET6, host)
    if packed.startswith((_IPV4_MAPPED, _LINK_LOCAL)):
        return host
    return packed[:_NETWORK_BYTES].hex()
