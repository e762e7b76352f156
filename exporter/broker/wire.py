"""What is said between the broker and the process that asks it: every message there is.

Messages travel over a pair of SOCK_SEQPACKET sockets, so each arrives whole. A request has a number,
which its replies repeat, so that the reply to a request that was given up is never taken for another.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import Final

# The number of the message that says that a broker has ended, and with it what it was asked.
BROKER_ENDED: Final = 0
# Fits into the smallest send buffer that Linux gives a unix socket.
MAX_MESSAGE_BYTES: Final = 65536
# So many namespaces are entered for one request at most.
MAX_TARGETS: Final = 32
# So many processes, or descriptors, are looked at for one reply at most.
MAX_PER_REPLY: Final = 2048
# The files that may be opened inside a namespace, by their path below /proc.
NAMESPACE_FILES: Final = (
    "net/snmp",
    "net/netstat",
    "net/tcp",
    "net/tcp6",
    "net/unix",
    "sys/net/core/somaxconn",
    "sys/net/ipv4/tcp_max_syn_backlog",
    "sys/net/ipv4/tcp_syncookies",
    "sys/net/ipv4/tcp_abort_on_overflow",
)
# The files of a process that may be opened, by their path below /proc/<pid>.
PROCESS_FILES: Final = ("stat", "comm", "cgroup")

_REQUEST = struct.Struct("=IH")
_REPLY = struct.Struct("=IiQH")
_TARGET = struct.Struct("=IQHB")
_LOOKUP = struct.Struct("=II")
# A process has a positive number that fits into a C int.
_MOST_PID: Final = 0x7FFFFFFF


class RequestType(enum.IntEnum):
    """What is asked for."""

    # Enter namespaces and open things there: one reply each.
    ENTER = 1
    # Which namespaces the processes live in, a portion of the processes a reply.
    NAMESPACES = 2
    # Which processes there are.
    PIDS = 3
    # The inodes of a process's sockets, a portion of its descriptors a reply.
    SOCKETS = 4
    # A file of a process.
    FILE = 5


@dataclass(frozen=True, slots=True)
class NamespaceTarget:
    """One namespace to enter: by a process that lives there, or by a name under /run/netns.

    `started` is when the process started in clock ticks, 0 where that need not be checked. `files`
    has a bit for each of FILES that is wanted.
    """

    pid: int = 0
    started: int = 0
    name: bytes = b""
    files: int = 0


@dataclass(frozen=True, slots=True)
class BrokerRequest:
    """A question. `entries` go with ENTER; `pid` and `start` with the others that take them."""

    number: int
    kind: RequestType
    targets: tuple[NamespaceTarget, ...] = ()
    pid: int = 0
    start: int = 0


@dataclass(frozen=True, slots=True)
class BrokerReply:
    """An answer. `errno` is 0 where it worked; descriptors travel beside it.

    `processor_ns` is what it took of the broker's processor time, `opened` has a bit for each of FILES that
    was opened, and `payload` depends on the kind of request.
    """

    number: int
    errno: int = 0
    processor_ns: int = 0
    opened: int = 0
    payload: bytes = b""


class MalformedMessageError(Exception):
    """A message is not what this file describes."""


def pack_request(request: BrokerRequest) -> bytes:
    """Write a request."""
    head = _REQUEST.pack(request.number, request.kind)
    if request.kind is not RequestType.ENTER:
        return head + _LOOKUP.pack(request.pid, request.start)
    targets = (
        _TARGET.pack(target.pid, target.started, target.files, len(target.name)) + target.name
        for target in request.targets
    )
    return head + b"".join(targets)


def unpack_request(message: bytes) -> BrokerRequest:
    """Read a request. Raises MalformedMessageError."""
    try:
        number, kind = _REQUEST.unpack_from(message)
        if kind == RequestType.ENTER:
            return BrokerRequest(number, RequestType.ENTER, _targets(message))
        pid, start = _LOOKUP.unpack(message[_REQUEST.size :])
        return BrokerRequest(number, RequestType(kind), pid=pid, start=start)
    except (struct.error, ValueError) as error:
        raise MalformedMessageError(str(error)) from error


def pack_reply(reply: BrokerReply) -> bytes:
    """Write a reply."""
    return _REPLY.pack(reply.number, reply.errno, reply.processor_ns, reply.opened) + reply.payload


def unpack_reply(message: bytes) -> BrokerReply:
    """Read a reply. Raises MalformedMessageError."""
    try:
        number, failed, processor_ns, opened = _REPLY.unpack_from(message)
    except struct.error as error:
        raise MalformedMessageError(str(error)) from error
    return BrokerReply(number, failed, processor_ns, opened, message[_REPLY.size :])


def _targets(message: bytes) -> tuple[NamespaceTarget, ...]:
    found = []
    at = _REQUEST.size
    while at < len(message):
        pid, started, files, length = _TARGET.unpack_from(message, at)
        at += _TARGET.size
        name = message[at : at + length]
        at += length
        if len(name) != length or bool(name) == bool(pid) or pid > _MOST_PID or not _is_one_file(name):
            raise ValueError(f"no way into a namespace: process {pid}, name {name!r}")
        found.append(NamespaceTarget(pid, started, name, files))
    if len(found) > MAX_TARGETS:
        raise ValueError(f"{len(found)} namespaces at once, at most {MAX_TARGETS}")
    return tuple(found)


def _is_one_file(name: bytes) -> bool:
    """Tell whether a name stays in its directory, and is one that a system call takes."""
    return b"/" not in name and b"\0" not in name and name not in (b".", b"..")
