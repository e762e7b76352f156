"""Listening sockets of every kind, and clients that wait at them."""

from __future__ import annotations

import socket

import pytest

from testbed import flood

_SO_BINDTODEVICE = 25
_IPPROTO_MPTCP = 262
_DEADLINE_SECONDS = 40.0

LINK_LOCAL = "fe80::5"
TUN_IPV4 = str(flood.Tun.ipv4.ip)
TUN_IPV6 = str(flood.Tun.ipv6.ip)
# The address of an IPv6 socket that is bound to TUN_IPV4, as a JVM does it.
TUN_MAPPED = f"::ffff:{TUN_IPV4}"


def tcp(
    address: str,
    port: int = 8080,
    backlog: int = 16,
    *,
    v6only: bool = False,
    device: str = "",
    reuse_port: bool = False,
    protocol: int = 0,
) -> socket.socket:
    """Listen on an IP; `%device` behind a link-local one is its scope, `device` is SO_BINDTODEVICE."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    if reuse_port:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if device:
        opened.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, device.encode())
    opened.bind(socket.getaddrinfo(address, port, family, socket.SOCK_STREAM)[0][4])
    opened.listen(backlog)
    return opened


def mptcp(address: str, port: int = 8080, backlog: int = 16) -> socket.socket:
    """Listen with MPTCP; the test is skipped where the kernel has none."""
    try:
        return tcp(address, port, backlog, protocol=_IPPROTO_MPTCP)
    except OSError as refused:
        pytest.skip(f"no MPTCP: {refused}")


def unix(name: str | bytes, backlog: int = 16, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """Listen on a path, an abstract name (a leading NUL), or with "" on a name that the kernel chooses."""
    opened = socket.socket(socket.AF_UNIX, kind)
    opened.bind(name)
    opened.listen(backlog)
    return opened


def clients(listener: socket.socket, count: int, address: str = "") -> list[socket.socket]:
    """Connect so many clients, who wait until the listener accepts them; they must fit into the queue."""
    return [_client(listener, address) for _ in range(count)]


def refused_client(listener: socket.socket) -> socket.socket:
    """Begin to connect to a full TCP listener: the kernel drops the SYN, and the client tries again."""
    client = socket.socket(listener.family, socket.SOCK_STREAM)
    client.setblocking(False)  # noqa: FBT003  (the standard library's signature)
    client.connect_ex(listener.getsockname())
    return client


def accept(listener: socket.socket, count: int) -> list[socket.socket]:
    """Accept so many connections."""
    return [listener.accept()[0] for _ in range(count)]


def _client(listener: socket.socket, address: str) -> socket.socket:
    bound = listener.getsockname()
    family = listener.family
    if address:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        bound = (address, bound[1])
    client = socket.socket(family, listener.type)
    client.settimeout(_DEADLINE_SECONDS)
    client.connect(bound)
    return client
