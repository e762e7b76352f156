"""Listening sockets, as the kernel package returns them."""

from __future__ import annotations

import socket

from exporter.kernel.records import Endpoint, Listener, QueueReading
from exporter.kernel.text import ip_address, unix_address


def endpoint(address: str, port: int = 80, interface: int = 0) -> Endpoint:
    """Return where a connection arrives, or a socket listens."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return Endpoint(family, socket.inet_pton(family, address), port, interface)


def tcp(
    cookie: int,
    address: str = "0.0.0.0",
    port: int = 80,
    *,
    inode: int | None = None,
    uid: int | None = None,
    device: tuple[int, str] = (0, ""),
    v6only: bool = False,
    cgroup_id: int = 0,
) -> Listener:
    """Return a TCP listener; its inode is a hundred times its cookie unless another one is given."""
    bound = endpoint(address, port, device[0])
    return Listener(
        cookie=cookie,
        inode=cookie * 100 if inode is None else inode,
        address=ip_address(bound, device[1]),
        port=str(port),
        uid=uid,
        endpoint=bound,
        v6only=v6only,
        cgroup_id=cgroup_id,
    )


def unix(cookie: int, name: bytes = b"/run/app.sock", *, inode: int | None = None) -> Listener:
    """Return a unix listener; its inode is a hundred times its cookie unless another one is given."""
    return Listener(cookie, cookie * 100 if inode is None else inode, unix_address(name))


def reading(
    cookie: int, length: int | None = 0, limit: int | None = 9, drops: int | None = None
) -> QueueReading:
    """Return a reading of a queue, which is full at 10 connections unless another limit is given."""
    return QueueReading(cookie, length, limit, drops)
