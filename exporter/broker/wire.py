"""The messages between the broker and the process that asks it, with the layout of each.

They travel over a pair of SOCK_SEQPACKET sockets, so each arrives whole. A request has a number, which its
replies repeat, so that the late reply to a request that was given up is not taken for another.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.broker.named_namespaces import NamedNamespace, is_file_name, pack_names, unpack_names
from exporter.broker.readable_files import NAMESPACE_FILES, PROCESS_FILES, PROCESS_LINKS, bits, files

# The number of the message which says that a broker has ended, and with it what it was asked.
BROKER_ENDED: Final = 0
# Fits into the smallest send buffer that Linux gives a unix socket.
MAX_MESSAGE_BYTES: Final = 65536
# The most namespaces that one request may name.
MAX_TARGETS: Final = 32
# The most processes, or descriptors, that are read for one reply.
MAX_PER_REPLY: Final = 2048
# The most descriptors that come with one reply: a socket, a pidfd and all files of a namespace.
MAX_DESCRIPTORS: Final = 2 + len(NAMESPACE_FILES)

_REQUEST: Final = struct.Struct("=IH")
# Number, errno, processor time, the files that were opened, the type of what follows.
_REPLY: Final = struct.Struct("=IiQHB")
# Beside the bits of the files in a reply: one of its descriptors is a pidfd.
_PIDFD_BIT: Final = 1 << 15
_TARGET: Final = struct.Struct("=IQQHB")
_ARGUMENTS: Final = struct.Struct("=II")
_PORTION: Final = struct.Struct("=I")
_NUMBER_BYTES: Final = 8
_PID_BYTES: Final = 4
_MAX_NUMBER: Final = 0xFFFFFFFF
_MAX_PID: Final = 0x7FFFFFFF


class RequestType(enum.IntEnum):
    """What is asked for."""

    # Enter namespaces and open a socket and files there: one reply each.
    ENTER = 1
    # In which namespaces these processes are.
    NAMESPACES = 2
    # Which processes there are, a portion a reply.
    PIDS = 3
    # The inodes of a process's sockets, a portion of its descriptors a reply.
    SOCKETS = 4
    # A file of a process: its descriptor.
    FILE = 5
    # Whoever asks keeps namespaces open: it is killed where it does not ask again in time. No reply.
    SET_WATCHDOG = 6
    # What a link of a process says.
    LINK = 7
    # Which namespaces have a name under /run/netns, a portion a reply.
    NAMES = 8


class _Payload(enum.IntEnum):
    NONE = 0
    PORTION = 1
    LINK = 2
    NAMES = 3


@dataclass(frozen=True, slots=True)
class NamespaceTarget:
    """One namespace to enter: by a process that is in it, or by a name under /run/netns.

    `started` tells it from a later one: the start of the process in clock ticks, or st_ctime of the file in
    nanoseconds; 0 where that need not be checked. `inode` is that of the namespace, 0 where any will do: a
    process may enter another one at any time. `files` are those of NAMESPACE_FILES to open.
    """

    pid: int = 0
    started: int = 0
    name: bytes = b""
    files: Collection[str] = ()
    inode: int = 0


@dataclass(frozen=True, slots=True)
class BrokerRequest:
    """A request.

    `targets` belong to ENTER, `pids` to NAMESPACES, `pid` to SOCKETS, FILE and LINK, `file` to FILE and LINK.
    `start` is where the portion of a list begins (PIDS, SOCKETS, NAMES). `seconds` is how soon after
    SET_WATCHDOG the next request has to come, 0 where it may take as long as it likes.
    """

    number: int
    kind: RequestType
    targets: tuple[NamespaceTarget, ...] = ()
    pid: int = 0
    start: int = 0
    file: str = ""
    pids: Sequence[int] = ()
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class Portion:
    """A part of a list of numbers; `following` is the `start` of the next part, 0 after the last.

    PIDS lists processes, SOCKETS inodes, NAMESPACES each process followed by the inode of its namespace.
    """

    numbers: Sequence[int]
    following: int = 0


@dataclass(frozen=True, slots=True)
class BrokerReply:
    """A reply. `errno` is 0 where the request was carried out; descriptors travel beside it.

    To ENTER these are the sock_diag socket, where `pidfd` is set that of the process that was entered by, and
    the files that `opened` names. `processor_ns` is the processor time that the broker has used since it
    started. `portion`, `link` and `names` are what a list of numbers, a link or names were asked for.
    """

    number: int
    errno: int = 0
    processor_ns: int = 0
    opened: Collection[str] = ()
    portion: Portion | None = None
    link: bytes | None = None
    pidfd: bool = False
    names: Sequence[NamedNamespace] | None = None


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
        case RequestType.NAMESPACES:
            return head + struct.pack(f"={len(request.pids)}I", *request.pids)
        case RequestType.SET_WATCHDOG:
            return head + _ARGUMENTS.pack(0, request.seconds)
        case RequestType.FILE:
            return head + _ARGUMENTS.pack(request.pid, PROCESS_FILES.index(request.file))
        case RequestType.LINK:
            return head + _ARGUMENTS.pack(request.pid, PROCESS_LINKS.index(request.file))
        case _:
            return head + _ARGUMENTS.pack(request.pid, request.start)


def unpack_request(message: bytes) -> BrokerRequest:
    """Decode a request. Raises MalformedMessageError."""
    try:
        number, kind = _REQUEST.unpack_from(message)
        if kind == RequestType.ENTER:
            return BrokerRequest(number, RequestType.ENTER, _unpack_targets(message))
        if kind == RequestType.NAMESPACES:
            return BrokerRequest(number, RequestType.NAMESPACES, pids=_unpack_pids(message))
        pid, argument = _ARGUMENTS.unpack(message[_REQUEST.size :])
        if kind == RequestType.FILE:
            return BrokerRequest(number, RequestType.FILE, pid=pid, file=PROCESS_FILES[argument])
        if kind == RequestType.LINK:
            return BrokerRequest(number, RequestType.LINK, pid=pid, file=PROCESS_LINKS[argument])
        if kind == RequestType.SET_WATCHDOG:
            return BrokerRequest(number, RequestType.SET_WATCHDOG, seconds=argument)
        return BrokerRequest(number, RequestType(kind), pid=pid, start=argument)
    except (struct.error, ValueError, IndexError) as error:
        raise MalformedMessageError(str(error)) from error


def pack_reply(reply: BrokerReply) -> bytes:
    """Encode a reply."""
    kind, payload = _Payload.NONE, b""
    if reply.portion is not None:
        kind, payload = _Payload.PORTION, _pack_portion(reply.portion)
    elif reply.link is not None:
        kind, payload = _Payload.LINK, reply.link
    elif reply.names is not None:
        kind, payload = _Payload.NAMES, pack_names(reply.names)
    opened = bits(reply.opened) | (_PIDFD_BIT if reply.pidfd else 0)
    return _REPLY.pack(reply.number, reply.errno, reply.processor_ns, opened, kind) + payload


def unpack_reply(message: bytes) -> BrokerReply:
    """Decode a reply. Raises MalformedMessageError."""
    try:
        number, failed, processor_ns, opened, kind = _REPLY.unpack_from(message)
        payload = message[_REPLY.size :]
        portion, link, named = None, None, None
        match _Payload(kind):
            case _Payload.PORTION:
                portion = _unpack_portion(payload)
            case _Payload.LINK:
                link = payload
            case _Payload.NAMES:
                named = tuple(unpack_names(payload))
            case _Payload.NONE:
                struct.unpack("", payload)
        names, pidfd = files(opened & ~_PIDFD_BIT), bool(opened & _PIDFD_BIT)
        return BrokerReply(number, failed, processor_ns, names, portion, link, pidfd, named)
    except (struct.error, ValueError) as error:
        raise MalformedMessageError(str(error)) from error


def _pack_portion(portion: Portion) -> bytes:
    return _PORTION.pack(portion.following) + struct.pack(f"={len(portion.numbers)}Q", *portion.numbers)


def _unpack_portion(payload: bytes) -> Portion:
    (following,) = _PORTION.unpack_from(payload)
    count = (len(payload) - _PORTION.size) // _NUMBER_BYTES
    return Portion(struct.unpack(f"={count}Q", payload[_PORTION.size :]), following)


def _pack_target(each: NamespaceTarget) -> bytes:
    return _TARGET.pack(each.pid, each.started, each.inode, bits(each.files), len(each.name)) + each.name


def _unpack_targets(message: bytes) -> tuple[NamespaceTarget, ...]:
    found = []
    at = _REQUEST.size
    while at < len(message):
        pid, started, inode, wanted, length = _TARGET.unpack_from(message, at)
        at += _TARGET.size
        name, at = message[at : at + length], at + length
        if len(name) != length or bool(name) == bool(pid) or pid > _MAX_PID or not is_file_name(name):
            raise ValueError(f"no target: process {pid}, name {name!r}")
        found.append(NamespaceTarget(pid, started, name, files(wanted), inode))
    if len(found) > MAX_TARGETS:
        raise ValueError(f"{len(found)} namespaces at once, at most {MAX_TARGETS}")
    return tuple(found)


def _unpack_pids(message: bytes) -> tuple[int, ...]:
    payload = message[_REQUEST.size :]
    if len(payload) > MAX_PER_REPLY * _PID_BYTES:
        raise ValueError(f"{len(payload)} bytes of processes, at most {MAX_PER_REPLY} processes")
    return struct.unpack(f"={len(payload) // _PID_BYTES}I", payload)
