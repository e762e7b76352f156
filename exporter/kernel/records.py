"""What the kernel package returns: frozen records, with the kernel's names translated."""

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
    """Where a connection arrived, or where an IP socket listens.

    `address` is 4 or 16 raw bytes by `family`; `interface` is an index, 0 where the socket is bound to none.
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


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket: what does not change as long as it exists.

    `cookie` is the kernel's number that is never used twice (sock_gen_cookie); with procfs the inode stands
    in for it. `address` and `port` are the text for the labels. `endpoint` is what half-open connections are
    matched by, None where the family has none. `cgroup_id` is that of the cgroup (version 2) in which a TCP
    socket was created: 1 for the root, 0 where the method does not tell.
    """

    cookie: int
    inode: int
    address: str
    port: str = ""
    uid: int | None = None
    endpoint: Endpoint | None = None
    v6only: bool = False
    cgroup_id: int = 0


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
