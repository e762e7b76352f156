"""What the kernel room hands to the others: frozen records with the kernel's names translated."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple


class Method(enum.StrEnum):
    """How the kernel is asked."""

    AUTO = "auto"
    SOCK_DIAG = "sock_diag"
    PROCFS = "procfs"


class Endpoint(NamedTuple):
    """Where a half-open or a waiting connection arrived. It names no listener.

    `address` is 4 or 16 raw bytes by `family`; `interface` is an index, 0 where unbound.
    """

    family: int
    address: bytes
    port: int
    interface: int


class QueueReading(NamedTuple):
    """One look at the accept queue of one socket.

    `length` and `limit` count connections; the queue is full at limit + 1 (sk_acceptq_is_full,
    include/net/sock.h). `drops` counts packets in 32 bits that wrap. None where the source, or
    the protocol, cannot know.
    """

    cookie: int
    length: int | None
    limit: int | None
    drops: int | None


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket: what stays the same as long as it lives.

    `cookie` is the kernel's number that is never used twice (sock_gen_cookie); with procfs the
    inode stands in for it. `name` holds the bytes given to bind() of a unix socket, a leading NUL
    for an abstract name. `device` is set where SO_BINDTODEVICE is. `cgroup_id` is that of the cgroup
    (version 2) in which a TCP socket was created: 1 for the root, 0 where the source does not tell.
    """

    cookie: int
    inode: int
    uid: int | None = None
    endpoint: Endpoint | None = None
    device: str = ""
    v6only: bool = False
    name: bytes = b""
    cgroup_id: int = 0


@dataclass(frozen=True, slots=True)
class Changes:
    """What one sample found different from the one before.

    `moved` holds new readings of listeners that were there before, `closed` cookies.
    """

    opened: tuple[tuple[Listener, QueueReading], ...] = ()
    updated: tuple[QueueReading, ...] = ()
    closed: tuple[int, ...] = ()


UNCHANGED = Changes()
