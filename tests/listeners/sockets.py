"""Listening sockets, as the kernel package returns them."""

from __future__ import annotations

import socket

from exporter.kernel.records import Endpoint, FileId, Listener, QueueReading, WaitingConnection
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
    v6only: bool | None = False,
    cgroup_id: int = 0,
    transparent: bool = False,
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
        transparent=transparent,
    )


def waiting(
    cookie: int,
    arrived: Endpoint,
    seconds: float,
    *,
    transparent: bool = False,
    cgroup_id: int = 0,
) -> WaitingConnection:
    """Return a connection that waits for accept, from a client at port 4000 plus its cookie."""
    peer = bytes(len(arrived.address))
    return WaitingConnection(cookie, arrived, peer, 4000 + cookie, cgroup_id, transparent, seconds)


def unix(
    cookie: int, name: bytes = b"/run/app.sock", *, inode: int | None = None, file: FileId | None = None
) -> Listener:
    """Return a unix listener; its inode is a hundred times its cookie unless another one is given."""
    return Listener(
        cookie=cookie,
        inode=cookie * 100 if inode is None else inode,
        address=unix_address(name),
        bound_to=file or name,
        path=b"" if name.startswith(b"\0") else name,
    )


def reading(
    cookie: int, length: int | None = 0, limit: int | None = 9, drops: int | None = None
) -> QueueReading:
    """Return a reading of a queue, which is full at 10 connections unless another limit is given."""
    return QueueReading(cookie, length, limit, drops)
