"""What the kernel package returns: frozen records, with the kernel's names translated."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple


class Method(enum.StrEnum):
    """How the kernel is asked."""

    AUTO = "auto"
    SOCK_DIAG = "sock_diag"
    PROCFS = "procfs"


# What an IPv6 address that stands for an IPv4 address begins with (RFC 4291, 2.5.5.2); those 4 bytes follow.
IPV4_MAPPED_PREFIX: Final = bytes(10) + b"\xff\xff"


class Endpoint(NamedTuple):
    """Where a connection arrived, or where an IP socket listens.

    `address` is 4 or 16 raw bytes by `family`; `interface` is an index, 0 where the socket is bound to none.
    An IPv6 socket that is bound to an IPv4-mapped address has that one, as its connections have.
    """

    family: int
    address: bytes
    port: int
    interface: int


class QueueReading(NamedTuple):
    """One reading of the accept queue of one socket.

    `length` and `limit` count connections; the queue is full at limit + 1 (sk_acceptq_is_full,
    include/net/sock.h). `drops` counts packets in 32 bits that wrap. None where the method, or the
    socket family, does not tell.
    """

    cookie: int
    length: int | None
    limit: int | None
    drops: int | None


class FileId(NamedTuple):
    """The file that bind(2) made for a unix socket.

    `device` is the number of the file system in the form of stat(2), `inode` the low 32 bits of that of the
    file, not of the socket.
    """

    device: int
    inode: int


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket: all but its queue. Where any of it changes, it counts as another.

    `cookie` is the kernel's number that is never used twice (sock_gen_cookie); with procfs the inode stands
    in for it. `address` and `port` are the text for the labels. `bound_to` tells sockets with one address
    apart, where an address may have several: the file of a unix socket, or the bytes of its name where it has
    none. `path` are the bytes of a path, empty where the name is none. `endpoint` is what half-open
    connections are matched by, None where the family has none. `v6only` tells whether an IPv6 socket admits
    no IPv4 clients, None where the method does not tell. `cgroup_id` is that of the cgroup (version 2) in
    which a TCP socket was created: 1 for the root, 0 where the method does not tell. `transparent` tells
    whether connections to other addresses and ports may be redirected to it (IP_TRANSPARENT, ip(7)); False
    where the method does not tell: procfs, and Linux before 5.11.
    """

    cookie: int
    inode: int
    address: str
    port: str = ""
    uid: int | None = None
    endpoint: Endpoint | None = None
    v6only: bool | None = False
    cgroup_id: int = 0
    bound_to: FileId | bytes | None = None
    path: bytes = b""
    transparent: bool = False


class WaitingConnection(NamedTuple):
    """A connection that waits for accept: where it arrived, from where, and since how many seconds.

    `cookie`, `cgroup_id` and `transparent` are as in `Listener`, which the last two are inherited from.
    """

    cookie: int
    local: Endpoint
    peer_address: bytes
    peer_port: int
    cgroup_id: int
    transparent: bool
    seconds: float


class WaitingDump(NamedTuple):
    """What a dump tells of connections that wait for accept.

    `found` were not known before, and of those that were `still` has for how many seconds they have waited.
    """

    found: list[WaitingConnection]
    still: dict[int, float]


@dataclass(frozen=True, slots=True)
class PendingConnections:
    """Connections that no program has accepted yet: those that wait for accept, and half-open ones.

    `syn_recv` counts the latter by where they arrived and the address of the client. Where `complete` is
    False there were more than could be read.
    """

    waiting: Sequence[WaitingConnection]
    syn_recv: Mapping[tuple[Endpoint, bytes], int]
    complete: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What one sample found different from the one before.

    `opened` has new listeners, `updated` new readings of listeners that were there before, `closed` the
    cookies of those that are gone.
    """

    opened: tuple[tuple[Listener, QueueReading], ...] = ()
    updated: tuple[QueueReading, ...] = ()
    closed: tuple[int, ...] = ()


UNCHANGED = Changes()
