"""Listening sockets as the kernel room hands them over."""

from __future__ import annotations

import socket

from exporter.kernel.records import Endpoint, Listener, QueueReading


def endpoint(address: str, port: int = 80, interface: int = 0) -> Endpoint:
    """Where a connection arrives, or a socket listens."""
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
    """A TCP listener; its inode is a hundred times its cookie unless told."""
    return Listener(
        cookie=cookie,
        inode=cookie * 100 if inode is None else inode,
        uid=uid,
        endpoint=endpoint(address, port, device[0]),
        device=device[1],
        v6only=v6only,
        cgroup_id=cgroup_id,
    )


def unix(cookie: int, name: bytes = b"/run/app.sock", *, inode: int | None = None) -> Listener:
    """A unix listener; its inode is a hundred times its cookie unless told."""
    return Listener(cookie, cookie * 100 if inode is None else inode, name=name)


def reading(
    cookie: int, length: int | None = 0, limit: int | None = 9, drops: int | None = None
) -> QueueReading:
    """A look at a socket's queue, which is full at 10 unless told."""
    return QueueReading(cookie, length, limit, drops)
