"""The messages between the broker and the process that asks it, with the layout of each.

They travel over a pair of SOCK_SEQPACKET sockets, so each arrives whole. A request has a number, which its
replies repeat, so that the late reply to a request that was given up is not taken for another.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

# The number of the message which says that a broker has ended, and with it what it was asked.
BROKER_ENDED: Final = 0
# Fits into the smallest send buffer that Linux gives a unix socket.
MAX_MESSAGE_BYTES: Final = 65536
# The most namespaces that one request may name.
MAX_TARGETS: Final = 32
# The most processes, or descriptors, that are read for one reply.
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
# The most descriptors that come with one reply: a socket and all files of a namespace.
MAX_DESCRIPTORS: Final = 1 + len(NAMESPACE_FILES)

_REQUEST: Final = struct.Struct("=IH")
_REPLY: Final = struct.Struct("=IiQH")
_TARGET: Final = struct.Struct("=IQHB")
_ARGUMENTS: Final = struct.Struct("=II")
_PORTION: Final = struct.Struct("=I")
_NUMBER_BYTES: Final = 8
_MAX_NUMBER: Final = 0xFFFFFFFF
# A process has a positive number that fits into a C int.
_MAX_PID: Final = 0x7FFFFFFF


class RequestType(enum.IntEnum):
    """What is asked for."""

    # Enter namespaces and open a socket and files there: one reply each.
    ENTER = 1
    # Which namespaces the processes are in, a portion of the processes a reply.
    NAMESPACES = 2
    # Which processes there are, a portion a reply.
    PIDS = 3
    # The inodes of a process's sockets, a portion of its descriptors a reply.
    SOCKETS = 4
    # A file of a process: its descriptor.
    FILE = 5


@dataclass(frozen=True, slots=True)
class NamespaceTarget:
    """One namespace to enter: by a process that is in it, or by a name under /run/netns.

    `started` is when the process started in clock ticks, 0 where that need not be checked. `files` are those
    of NAMESPACE_FILES to open.
    """

    pid: int = 0
    started: int = 0
    name: bytes = b""
    files: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class BrokerRequest:
    """A request. `targets` belong to ENTER, `pid` to SOCKETS and FILE, `file` to FILE.

    `start` is where the portion begins that NAMESPACES, PIDS and SOCKETS ask for.
    """

    number: int
    kind: RequestType
    targets: tuple[NamespaceTarget, ...] = ()
    pid: int = 0
    start: int = 0
    file: str = ""


@dataclass(frozen=True, slots=True)
class Portion:
    """A part of a list of numbers; `following` is the `start` of the next part, 0 after the last.

    PIDS lists processes, SOCKETS inodes, NAMESPACES the inode of each namespace followed by a process in it.
    """

    numbers: Sequence[int]
    following: int = 0


@dataclass(frozen=True, slots=True)
class BrokerReply:
    """A reply. `errno` is 0 where the request was carried out; descriptors travel beside it.

    `processor_ns` is the processor time that the broker used, `opened` the files of the namespace that were
    opened, `portion` what a request for a list is answered with.
    """

    number: int
    errno: int = 0
    processor_ns: int = 0
    opened: Collection[str] = ()
    portion: Portion | None = None


class MalformedMessageError(Exception):
    """A message does not have the layout that is described here."""


def next_number(number: int) -> int:
    """Return the number of the request after the one with `number`. None has that of BROKER_ENDED."""
    return number % _MAX_NUMBER + 1


def pack_request(request: BrokerRequest) -> bytes:
    """Encode a request. Raises ValueError where it names a file that is not to be opened."""
    head = _REQUEST.pack(request.number, request.kind)
    match request.kind:
        case RequestType.ENTER:
            return head + b"".join(map(_pack_target, request.targets))
        case RequestType.FILE:
            return head + _ARGUMENTS.pack(request.pid, PROCESS_FILES.index(request.file))
        case _:
            return head + _ARGUMENTS.pack(request.pid, request.start)


def unpack_request(message: bytes) -> BrokerRequest:
    """Decode a request. Raises MalformedMessageError."""
    try:
        number, kind = _REQUEST.unpack_from(message)
        if kind == RequestType.ENTER:
            return BrokerRequest(number, RequestType.ENTER, _unpack_targets(message))
        pid, argument = _ARGUMENTS.unpack(message[_REQUEST.size :])
        if kind == RequestType.FILE:
            return BrokerRequest(number, RequestType.FILE, pid=pid, file=PROCESS_FILES[argument])
        return BrokerRequest(number, RequestType(kind), pid=pid, start=argument)
    except (struct.error, ValueError, IndexError) as error:
        raise MalformedMessageError(str(error)) from error


def pack_reply(reply: BrokerReply) -> bytes:
    """Encode a reply."""
    head = _REPLY.pack(reply.number, reply.errno, reply.processor_ns, _bits(reply.opened))
    return head if reply.portion is None else head + _pack_portion(reply.portion)


def unpack_reply(message: bytes) -> BrokerReply:
    """Decode a reply. Raises MalformedMessageError."""
    try:
        number, failed, processor_ns, bits = _REPLY.unpack_from(message)
        payload = message[_REPLY.size :]
        portion = _unpack_portion(payload) if payload else None
        return BrokerReply(number, failed, processor_ns, _files(bits), portion)
    except (struct.error, ValueError) as error:
        raise MalformedMessageError(str(error)) from error


def _pack_portion(portion: Portion) -> bytes:
    return _PORTION.pack(portion.following) + struct.pack(f"={len(portion.numbers)}Q", *portion.numbers)


def _unpack_portion(payload: bytes) -> Portion:
    (following,) = _PORTION.unpack_from(payload)
    count = (len(payload) - _PORTION.size) // _NUMBER_BYTES
    return Portion(struct.unpack(f"={count}Q", payload[_PORTION.size :]), following)


def _pack_target(target: NamespaceTarget) -> bytes:
    return _TARGET.pack(target.pid, target.started, _bits(target.files), len(target.name)) + target.name


def _unpack_targets(message: bytes) -> tuple[NamespaceTarget, ...]:
    found = []
    at = _REQUEST.size
    while at < len(message):
        pid, started, bits, length = _TARGET.unpack_from(message, at)
        at += _TARGET.size
        name = message[at : at + length]
        at += length
        if len(name) != length or bool(name) == bool(pid) or pid > _MAX_PID or not _is_file_name(name):
            raise ValueError(f"no target: process {pid}, name {name!r}")
        found.append(NamespaceTarget(pid, started, name, _files(bits)))
    if len(found) > MAX_TARGETS:
        raise ValueError(f"{len(found)} namespaces at once, at most {MAX_TARGETS}")
    return tuple(found)


def _is_file_name(name: bytes) -> bool:
    """Tell whether a name is that of a file in the directory itself, and one that a system call takes."""
    return b"/" not in name and b"\0" not in name and name not in (b".", b"..")


def _bits(files: Collection[str]) -> int:
    """Return a number with a bit for each of NAMESPACE_FILES that is in `files`. Raises ValueError."""
    bits = 0
    for name in files:
        bits |= 1 << NAMESPACE_FILES.index(name)
    return bits


@lru_cache(maxsize=64)
def _files(bits: int) -> tuple[str, ...]:
    """Return the files that have a bit, in the order of NAMESPACE_FILES. Raises ValueError."""
    if bits >> len(NAMESPACE_FILES):
        raise ValueError(f"no file for each bit of {bits:#x}")
    return tuple(name for bit, name in enumerate(NAMESPACE_FILES) if bits >> bit & 1)
